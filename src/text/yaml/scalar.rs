//! Scalars: which are strings to those who read Kubernetes manifests.

use granit_parser::Tag;

use super::Style;

/// True if a plain scalar with this text is null. An implicit null arrives as `~`.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// True if a scalar is a string to the readers of Kubernetes, which resolve plain scalars by
/// YAML 1.1's words and YAML 1.2's numbers (go-yaml, `resolve.go`).
pub(super) fn is_string(text: &str, style: Style, tag: Option<&Tag>) -> bool {
    match tag {
        Some(tag) => tag.core_suffix() == Some("str") || tag.suffix().is_empty() || tag.is_custom(),
        None => style != Style::Plain || !(is_null(text) || is_bool(text) || is_number(text)),
    }
}

fn is_bool(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_number(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let digits = text.trim_start_matches(['+', '-']).replace('_', "");
    let radix = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    let decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && !digits.ends_with(|c: char| c.is_ascii_alphabetic())
        && digits.parse::<f64>().is_ok();
    let special = matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    decimal || special || radix("0x", 16) || radix("0o", 8) || radix("0b", 2)
}
