//! Text that is safe to show: bounded in length, without control characters and passwords.

use std::borrow::Cow;

/// Bytes of the longest text that a message repeats whole. The longest reference (a host of 253
/// bytes with a port, a repository of 255, a tag of 128 and a digest of 135) is shorter.
const LONGEST: usize = 800;

/// A text in backticks, [`shortened`] and [`escaped`].
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("`{}`", escaped(&shortened(text)))
}

/// The start of a text that is longer than any that could be right; any other as it is.
#[must_use]
pub fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST / 2).rev().find(|&at| text.is_char_boundary(at));
    Cow::Owned(format!("{}…", &text[..end.unwrap_or_default()]))
}

/// A text with the characters escaped that would move a terminal's cursor, or that turn the order
/// of what is shown around (CVE-2021-42574).
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// A text with the user and password of every URL in it redacted, byte for byte, so that offsets and
/// columns stay. People put them into images and flags, where they do not belong.
#[must_use]
pub fn redacted(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    if !text.contains(MARK) || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(MARK) {
        let (before, behind) = rest.split_at(at + MARK.len());
        let secret = user_and_password(behind);
        out.push_str(before);
        out.extend(std::iter::repeat_n('*', secret));
        rest = &behind[secret..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The length in bytes of the user and the password that follow `://`.
fn user_and_password(text: &str) -> usize {
    let is_end = |c: char| c.is_whitespace() || c.is_control() || c == '"';
    let whole = &text[..text.find(is_end).unwrap_or(text.len())];
    let host = &whole[..whole.find(['/', '?', '#', '\\']).unwrap_or(whole.len())];
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    match host.rfind('@') {
        Some(at) => at,
        // A slash in a password ought to be written as `%2F`, and often is not.
        None if host.split_once(':').is_some_and(|(_, port)| !is_port(port)) => {
            whole.rfind('@').unwrap_or_default()
        }
        None => 0,
    }
}

/// The one of the known words that a wrong one was most likely meant to be, if any is near.
#[must_use]
pub fn closest<'w>(wrong: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = wrong.to_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&lower, &word.to_lowercase());
    let known = known.into_iter().map(|word| (distance(word), word));
    // More than a third of a word is no slip of the fingers.
    let near = known.filter(|(distance, word)| distance * 3 <= word.len().max(lower.len()));
    near.min().map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_near() {
        for (wrong, meant) in [
            ("imagse", Some("images")),
            ("kubeversion", Some("kubeVersion")),
            ("fallback", Some("fallbacks")),
            ("skp", Some("skip")),
            ("colour", None),
            ("", None),
        ] {
            let known = ["kubeVersion", "images", "fallbacks", "skip"];
            assert_eq!(closest(wrong, known), meant, "{wrong}");
        }
    }

    #[test]
    fn a_text_of_megabytes_is_not_repeated() {
        let longest = "é".repeat(LONGEST / 2);
        assert_eq!(quoted(&longest), format!("`{longest}`"));
        assert_eq!(quoted(&"xé".repeat(LONGEST)), format!("`{}x…`", "xé".repeat(133)));
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (text, shown) in [
            ("`https://bob:pw@h/x:1` is", "`https://******@h/x:1` is"),
            ("https://bob@h", "https://***@h"),
            ("https://bob:p@w@h/x", "https://*******@h/x"),
            ("https://bob:it's@h", "https://********@h"),
            ("https://bob:p/w@h/x", "https://*******@h/x"),
            ("http://bob:é@h, ftp://a:b@c", "http://******@h, ftp://***@c"),
            ("https://h:5000/x:1@sha256:0", "https://h:5000/x:1@sha256:0"),
            ("https://h/x@y https://h", "https://h/x@y https://h"),
            ("https://h and bob@h", "https://h and bob@h"),
            ("bob:pw@h", "bob:pw@h"),
        ] {
            assert_eq!(redacted(text), shown);
            assert_eq!(text.len(), shown.len());
        }
    }

    #[test]
    fn control_characters_never_reach_a_terminal() {
        assert_eq!(quoted("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(escaped("ä\u{9b}1m\u{202e}"), "ä\\u{9b}1m\\u{202e}");
    }
}
