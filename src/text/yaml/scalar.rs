//! Scalars: their texts, and whether the readers of Kubernetes manifests take them for strings.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use granit_parser::Tag;

use super::Style;

/// True if a plain scalar with this text is null. An implicit null arrives as `~`.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The namespace of YAML's own tags (YAML 1.1, "Language-Independent Types").
const NAMESPACE: &str = "tag:yaml.org,2002:";

/// A scalar as the readers of Kubernetes resolve it.
pub(super) struct Resolved<'s> {
    pub(super) text: Cow<'s, str>,
    pub(super) style: Style,
    /// True if one of these readers takes it for a string.
    pub(super) string: bool,
    /// True if it is a merge key where it is a key.
    pub(super) merge: bool,
}

/// Resolves a scalar by its tag. go-yaml ignores every tag but those of simple types, and a text with a
/// tag that it ignores is a string (go-yaml, `resolve.go`).
pub(super) fn resolved<'s>(text: Cow<'s, str>, style: Style, tag: Option<&Tag>) -> Resolved<'s> {
    let Some(tag) = tag else {
        let string =
            style != Style::Plain || !(is_null(&text) || is_bool(&text) || is_number(&text));
        let merge = style == Style::Plain && text == "<<";
        return Resolved { text, style, string, merge };
    };
    let name = tag.suffix_in_namespace(NAMESPACE);
    match name.as_deref() {
        Some("bool" | "float" | "int" | "null") => {
            Resolved { text, style, string: false, merge: false }
        }
        Some("binary") => match decoded(&text) {
            // The source has the encoded text, so no notation applies to the decoded one.
            Some(text) => {
                Resolved { text: text.into(), style: Style::Plain, string: true, merge: false }
            }
            None => Resolved { text, style, string: false, merge: false },
        },
        _ => {
            let merge =
                text == "<<" && (name.as_deref() == Some("merge") || tag.suffix().is_empty());
            Resolved { text, style, string: true, merge }
        }
    }
}

/// The text that is encoded, if it is encoded right. Go's decoder ignores line breaks.
fn decoded(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    Some(String::from_utf8_lossy(&BASE64.decode(text).ok()?).into_owned())
}

/// True for a word that every reader takes for a truth value. The readers of YAML 1.1 know more words,
/// which are strings to the others.
fn is_bool(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

/// True for a number of Go: with underscores, a prefix for its base, or as a decimal fraction. A number
/// that is too large for every type is a string.
fn is_number(text: &str) -> bool {
    const SPECIAL: [&str; 6] = [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"];
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = if text.starts_with('.') { text.to_owned() } else { unsigned.replace('_', "") };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let radix = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix);
        rest.is_some_and(|rest| u64::from_str_radix(rest, radix).is_ok())
    };
    let decimal = || {
        !digits.ends_with(|c: char| c.is_ascii_alphabetic())
            && digits.parse::<f64>().is_ok_and(f64::is_finite)
    };
    SPECIAL.contains(&unsigned) || decimal() || radix("0x", 16) || radix("0o", 8) || radix("0b", 2)
}
