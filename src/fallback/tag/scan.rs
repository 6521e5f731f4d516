//! Tokens: a tag cut at its separators, without any judgement about what they mean.

/// A piece of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// The separator before it, or nothing.
    pub(super) separator: &'static str,
    /// Its text.
    pub(super) text: String,
    /// Its form.
    pub(super) form: Form,
    /// True behind a `+`, where semantic versions have their build metadata.
    pub(super) is_metadata: bool,
}

/// The form of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// Letters, perhaps with a number behind them: `alpine3.19`.
    Word,
    /// `1`, `1.2.3`, `2024.01.15`; with `true` if a `v` stands before it.
    Numbers(Vec<u64>, bool),
    /// `20240115`, `2024-01-15`, `2024-01-15T10-20-30Z`.
    Date(Vec<u64>, bool),
    /// A commit.
    Hash,
}

/// Hex digits of the shortest commit that Git abbreviates to.
const SHORTEST_HASH: usize = 7;

/// Cuts a tag into its pieces.
pub(super) fn tokens(tag: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = tag;
    let mut separator = "";
    let mut is_metadata = false;
    while !rest.is_empty() {
        if let Some(found) = ["-", "_", "+", "."].into_iter().find(|found| rest.starts_with(found))
        {
            separator = found;
            is_metadata |= found == "+";
            rest = &rest[1..];
            continue;
        }
        let (length, form) = next(rest);
        tokens.push(Token { separator, text: rest[..length].to_owned(), form, is_metadata });
        separator = "";
        rest = &rest[length..];
    }
    tokens
}

/// The length of the first piece of a text that starts with no separator, and its form.
fn next(text: &str) -> (usize, Form) {
    let (v, digits) = match text.strip_prefix(['v', 'V']) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => (true, rest),
        _ => (false, text),
    };
    let offset = text.len() - digits.len();
    if let Some((length, numbers)) = date(digits) {
        return (offset + length, Form::Date(numbers, v));
    }
    if text.to_ascii_lowercase().starts_with("x86_64") {
        return ("x86_64".len(), Form::Word);
    }
    let word = piece(text);
    if is_hash(&text[..word]) {
        return (word, Form::Hash);
    }
    if let Some((length, numbers)) = update(digits) {
        return (offset + length, Form::Numbers(numbers, v));
    }
    if let Some(letters) = letters_before_update(&text[..word]) {
        return (letters, Form::Word);
    }
    match numbers(digits) {
        // `386` is a number, and an architecture if the tag has a version besides.
        Some((length, numbers)) => (offset + length, Form::Numbers(numbers, v)),
        None => (word, Form::Word),
    }
}

/// The length of the text up to a separator; a dot between two digits is none.
fn piece(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let ends = |at: &usize| match bytes[*at] {
        b'-' | b'_' | b'+' => true,
        b'.' => !(*at > 0 && is_digit(at - 1) && is_digit(at + 1)),
        _ => false,
    };
    (0..bytes.len()).find(ends).unwrap_or(bytes.len()).max(first(text))
}

/// The length of the first character: no piece is empty.
fn first(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

/// Numbers with dots between them, and their length.
fn numbers(text: &str) -> Option<(usize, Vec<u64>)> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let within = |at: &usize| is_digit(*at) || bytes[*at] == b'.' && *at > 0 && is_digit(at + 1);
    let length = (0..bytes.len()).find(|at| !within(at)).unwrap_or(bytes.len());
    let numbers: Result<Vec<u64>, _> = text[..length].split('.').map(str::parse).collect();
    Some((length, numbers.ok()?)).filter(|(length, _)| *length > 0)
}

/// An update of Java up to 8: `8u262` is 8.0.262 (JEP 322, JEP 223).
fn update(text: &str) -> Option<(usize, Vec<u64>)> {
    let (major, rest) = text.split_once('u')?;
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let is_whole = !rest[length..].starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_number = !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit());
    let (major, update) = (major.parse().ok()?, rest[..length].parse().ok()?);
    (is_number && is_whole).then(|| (text.len() - rest.len() + length, vec![major, 0, update]))
}

/// The length of the letters before an update of Java: 3 for `jdk8u262`.
fn letters_before_update(word: &str) -> Option<usize> {
    let letters = word.find(|c: char| !c.is_ascii_alphabetic())?;
    update(&word[letters..]).filter(|_| letters > 0).map(|_| letters)
}

/// A day, perhaps with a time: ISO 8601, as tags write it, and its length.
fn date(text: &str) -> Option<(usize, Vec<u64>)> {
    let digits = |from: usize, length: usize| {
        let part = text.get(from..from + length)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u64>().ok())?
    };
    let rest = |at: usize| text.get(at..).unwrap_or_default();
    let ends = |at: usize| !rest(at).starts_with(|c: char| c.is_ascii_digit());
    let is = |at: usize, separator: &str| rest(at).starts_with(separator);
    let plausible = |year: u64, month: u64, day: u64| {
        (1990..2100).contains(&year) && (1..13).contains(&month) && (1..32).contains(&day)
    };
    let year = digits(0, 4)?;
    if is(4, "-") {
        let (month, day) = (digits(5, 2)?, digits(8, 2)?);
        if !is(7, "-") || !plausible(year, month, day) || !ends(10) {
            return None;
        }
        let mut numbers = vec![year, month, day];
        if is(10, "T") {
            let separated = is(13, "-") && is(16, "-");
            let time = separated.then(|| [digits(11, 2), digits(14, 2), digits(17, 2)]);
            if let Some([Some(hour), Some(minute), Some(second)]) = time {
                numbers.extend([hour, minute, second]);
                return Some((if is(19, "Z") { 20 } else { 19 }, numbers));
            }
        }
        return Some((10, numbers));
    }
    let (month, day) = (digits(4, 2)?, digits(6, 2)?);
    let is_whole = text.len() == 8 || ends(8) && !is(8, ".");
    if !plausible(year, month, day) {
        return None;
    }
    if is_whole {
        return Some((8, vec![year, month, day])).filter(|_| !is_hash(&text[..piece(text)]));
    }
    // `20240115103000`
    let time = [digits(8, 2)?, digits(10, 2)?, digits(12, 2)?];
    ends(14).then(|| (14, [vec![year, month, day], time.to_vec()].concat()))
}

/// True for seven or more hex digits, with a digit and a letter among them; `g` and `sha` may stand
/// before them (git describe, docker/metadata-action).
pub(super) fn is_hash(word: &str) -> bool {
    let hex = hash(word);
    (SHORTEST_HASH..=64).contains(&hex.len())
        && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && hex.bytes().any(|byte| byte.is_ascii_digit())
        && (hex.bytes().any(|byte| byte.is_ascii_alphabetic()) || hex.len() == 40)
}

/// The hex digits of a commit.
pub(super) fn hash(word: &str) -> &str {
    word.strip_prefix("sha").or_else(|| word.strip_prefix('g')).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_cut_at_its_separators() {
        for (tag, expected) in [
            ("v1.2.3", "v1.2.3"),
            ("1.2.3-alpine3.19", "1.2.3 alpine3.19"),
            ("1.2.3rc1", "1.2.3 rc1"),
            ("RELEASE.2021-10-07T04-19-58Z.fips", "RELEASE 2021-10-07T04-19-58Z fips"),
            ("v20231226-1a7112e06", "v20231226 1a7112e06"),
            ("2024-01-15-slim", "2024-01-15 slim"),
            ("1.2.3-linux-x86_64", "1.2.3 linux x86_64"),
            ("v1.27.4+k3s1-arm64", "v1.27.4 k3s1 arm64"),
            ("1.29.6-gke.1038001", "1.29.6 gke 1038001"),
            ("main-3f2c1ab", "main 3f2c1ab"),
            ("8u262-b10-jdk", "8u262 b10 jdk"),
            ("alpine-jdk8u262", "alpine jdk 8u262"),
            ("8up-8u1x", "8 up 8 u1x"),
            ("..--", ""),
            ("é1", "é1"),
        ] {
            let texts: Vec<_> = tokens(tag).into_iter().map(|token| token.text).collect();
            assert_eq!(texts.join(" "), expected, "{tag}");
        }
    }
}
