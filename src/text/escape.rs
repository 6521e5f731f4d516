//! Text that is safe to show: bounded in length, without control characters and passwords.

use std::borrow::Cow;
use std::ops::Range;

use super::visible::{is_mixed, is_visible, looks_like_latin};

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

/// A text with characters as code points that would move a terminal's cursor, that can't be seen, or that
/// look like others.
#[must_use]
pub fn escaped(text: &str) -> String {
    escaped_but(text, |_| false)
}

/// A text as [`escaped`], with its line breaks and tabs, and where a part of it is then.
#[must_use]
pub fn escaped_lines(text: &str, part: Range<usize>) -> (String, Range<usize>) {
    let shown = |text: &str| escaped_but(text, |c| matches!(c, '\n' | '\r' | '\t'));
    if text.chars().all(|c| c.is_ascii() && !c.is_control() || matches!(c, '\n' | '\r' | '\t')) {
        return (text.to_owned(), part);
    }
    let [before, within, after] =
        [&text[..part.start], &text[part.clone()], &text[part.end..]].map(shown);
    let part = before.len()..before.len() + within.len();
    (before + &within + &after, part)
}

fn escaped_but(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    escaped_with(
        text,
        |c, out| {
            if is_kept(c) { out.push(c) } else { out.extend(c.escape_default()) }
        },
    )
}

/// A text in which `escape` writes each character that a reader can't see or tell from others.
pub fn escaped_with(text: &str, escape: impl Fn(char, &mut String)) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let is_mixed = !word.is_ascii() && is_mixed(word);
        for c in word.chars() {
            let is_shown = is_visible(c) && !(is_mixed && looks_like_latin(c));
            if is_shown { out.push(c) } else { escape(c, &mut out) }
        }
    }
    out
}

/// True for a text of printable ASCII characters, as most are. Nothing in it is escaped.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Lines in which nothing acts as a command of a CI runner: `::…` at the start of a line (GitHub), and
/// `##[…]` or `##vso[…]` anywhere (GitHub and Azure Pipelines).
#[must_use]
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains("##") && !text.contains("::") {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        let start = line.len() - line.trim_start().len();
        let (blanks, rest) = line.split_at(start);
        let rest = without_mark(rest, "\\u{23}");
        match rest.strip_prefix("::") {
            // `:::` begins a position, and is no command.
            Some(rest) if !rest.starts_with(':') => format!("{blanks}\\u{{3a}}:{rest}"),
            _ => format!("{blanks}{rest}"),
        }
    };
    Cow::Owned(text.split_inclusive('\n').map(line).collect())
}

/// A text with something else for the first character of each `##[…]` and `##word[…]`.
#[must_use]
pub fn without_mark(text: &str, instead: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("##") {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let word = mark.trim_start_matches('#');
        let is_command =
            word.trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('[');
        out.push_str(if is_command { instead } else { "#" });
        rest = &mark[1..];
    }
    out.push_str(rest);
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

    #[test]
    fn what_cannot_be_seen_or_told_from_ascii_is_shown_as_a_code_point() {
        for (text, shown) in [
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("\u{e0041}\u{e007f}", "\\u{e0041}\\u{e007f}"),
            ("a\u{a0}b\u{3000}c\u{ad}", "a\\u{a0}b\\u{3000}c\\u{ad}"),
            ("ngin\u{445}/w\u{3bf}rld:1", "ngin\\u{445}/w\\u{3bf}rld:1"),
            ("quay\u{2024}io\u{2215}a", "quay\\u{2024}io\\u{2215}a"),
            ("\u{ff41}\u{1d41a}", "\\u{ff41}\\u{1d41a}"),
            ("größe/déploiement/развёртывание.yaml", "größe/déploiement/развёртывание.yaml"),
            ("配置/κόσμος", "配置/κόσμος"),
        ] {
            assert_eq!(escaped(text), shown);
        }
        let (text, part) = escaped_lines("a\u{200b}: \u{445}x\n\tb", 6..9);
        assert_eq!((text.as_str(), &text[part]), ("a\\u{200b}: \\u{445}x\n\tb", "\\u{445}x"));
    }

    #[test]
    fn no_line_is_a_command_of_a_runner() {
        for (text, shown) in [
            ("a ::error::b", "a ::error::b"),
            ("::error::b", "\\u{3a}:error::b"),
            (" ::: pod.yaml:8:12", " ::: pod.yaml:8:12"),
            ("a\n \t::set-output name=a::b\n", "a\n \t\\u{3a}:set-output name=a::b\n"),
            ("a ##[error]b", "a \\u{23}#[error]b"),
            ("###[command]", "\\u{23}\\u{23}#[command]"),
            ("x##vso[task.setvariable]", "x\\u{23}#vso[task.setvariable]"),
            ("## heading [link]", "## heading [link]"),
        ] {
            assert_eq!(inert(text), shown);
        }
    }
}
