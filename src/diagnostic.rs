//! Diagnostic: one thing that a person should know, where it is, and what to do about it.
//!
//! Every failure and every warning of a run is one of these. Stages collect them; nothing is
//! printed here (see `report.rs`), and nothing decides the exit status but [`Failure`].

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::places::Place;
use crate::source::{Position, Span};

/// Why a run failed, from the one that a retry may heal to the one that needs most work. Where
/// several apply, the greatest gives the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// A registry could not say for now: rate limited, unreachable, timed out, nonsense.
    Unavailable,
    /// A registry refused: 401 or 403 with the credentials there are.
    Refused,
    /// An image is proved absent.
    Absent,
    /// A policy is not met; a person decides.
    Policy,
    /// The input is empty, is not YAML, or holds an invalid reference.
    Input,
    /// The call is wrong, or a file can't be read or written.
    Usage,
}

impl Failure {
    /// The exit status, as the README lists them.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Absent => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Unavailable => 4,
            Self::Policy => 5,
            Self::Refused => 6,
        }
    }
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Error(Failure),
    /// The run goes on with another image than was asked for, which is always said.
    Substitution,
    /// The run goes on.
    Warning,
}

/// Bytes of the longest text that a message repeats whole. The longest reference (a host of 253
/// bytes with a port, a repository of 255, a tag of 128 and a digest of 135) is shorter.
const LONGEST: usize = 800;

/// Where a diagnostic points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// A span of the source with this index, and what stands there.
    Source {
        /// Index of the source in the run's input.
        source: usize,
        /// What to underline.
        span: Span,
        /// The object and field, for the line above the excerpt; may be empty.
        label: String,
    },
    /// The same in a text that is not shown: something secret may stand beside it.
    Hidden {
        /// Index of the source in the run's input.
        source: usize,
        /// Where it is.
        span: Span,
        /// The object and field.
        label: String,
    },
    /// A position in a text that can't be shown, as it could not be read.
    Position(String, Position),
    /// A whole file.
    File(String),
}

impl From<&Place> for Spot {
    fn from(place: &Place) -> Self {
        let (source, span, label) = (place.source, place.site.text(), place.label());
        if place.object.kind == "Secret" {
            Self::Hidden { source, span, label }
        } else {
            Self::Source { source, span, label }
        }
    }
}

/// One failure or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the run fails for it, and how.
    pub severity: Severity,
    /// The rule that it is about, as reports name it: a policy's, `expect`.
    pub rule: Option<&'static str>,
    /// What is wrong, with the culprit in backticks; lower case, no final period.
    pub message: String,
    /// Where, in the order of the input; empty where it is about no place.
    pub spots: Vec<Spot>,
    /// What was tried or seen: a name (`tried`, `note`) and a text.
    pub notes: Vec<(&'static str, String)>,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic that fails the run.
    #[must_use]
    pub fn error(failure: Failure, message: String) -> Self {
        Self::new(Severity::Error(failure), message)
    }

    /// A diagnostic that does not.
    #[must_use]
    pub fn warning(message: String) -> Self {
        Self::new(Severity::Warning, message)
    }

    /// A diagnostic about an image that was substituted.
    #[must_use]
    pub fn substitution(message: String) -> Self {
        Self::new(Severity::Substitution, message)
    }

    fn new(severity: Severity, message: String) -> Self {
        Self { severity, rule: None, message, spots: Vec::new(), notes: Vec::new(), help: None }
    }

    /// Names the rule that it is about.
    #[must_use]
    pub fn of(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Adds where it is.
    #[must_use]
    pub fn spot(mut self, spot: impl Into<Spot>) -> Self {
        self.spots.push(spot.into());
        self
    }

    /// Adds all the places it is about.
    #[must_use]
    pub fn places<'p>(mut self, places: impl IntoIterator<Item = &'p Place>) -> Self {
        self.spots.extend(places.into_iter().map(Spot::from));
        self
    }

    /// Adds what was tried or seen.
    #[must_use]
    pub fn note(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((name, text.into()));
        self
    }

    /// Sets what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The failure, unless this is a warning.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self.severity {
            Severity::Error(failure) => Some(failure),
            Severity::Substitution | Severity::Warning => None,
        }
    }
}

/// The failure that decides the exit status; none where there are only warnings.
#[must_use]
pub fn verdict(diagnostics: &[Diagnostic]) -> Option<Failure> {
    diagnostics.iter().filter_map(Diagnostic::failure).max()
}

/// Sorts by position in the input; what is about no position in it comes first.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| match (position(a), position(b)) {
        (None, None) => Ordering::Equal,
        (a, b) => a.cmp(&b),
    });
}

fn position(diagnostic: &Diagnostic) -> Option<(usize, Span)> {
    match diagnostic.spots.first()? {
        Spot::Source { source, span, .. } | Spot::Hidden { source, span, .. } => {
            Some((*source, *span))
        }
        Spot::Position(..) | Spot::File(_) => None,
    }
}

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

/// A text with the user and password of every URL in it covered, byte for byte, so that offsets and
/// columns stay. People put them into images and flags, where they do not belong.
#[must_use]
pub fn covered(text: &str) -> Cow<'_, str> {
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

/// How many bytes of what follows `://` are a user and a password.
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
    fn the_failure_furthest_from_a_retry_decides() {
        let all = [
            Failure::Unavailable,
            Failure::Refused,
            Failure::Absent,
            Failure::Policy,
            Failure::Input,
            Failure::Usage,
        ];
        assert_eq!(all.map(Failure::status), [4, 6, 1, 5, 3, 2]);
        let diagnostics: Vec<_> =
            all.iter().map(|&f| Diagnostic::error(f, String::new())).collect();
        for n in 1..=all.len() {
            assert_eq!(verdict(&diagnostics[..n]), Some(all[n - 1]));
        }
        assert_eq!(verdict(&[Diagnostic::warning(String::new())]), None);
    }

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
            assert_eq!(covered(text), shown);
            assert_eq!(text.len(), shown.len());
        }
    }

    #[test]
    fn control_characters_never_reach_a_terminal() {
        assert_eq!(quoted("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(escaped("ä\u{9b}1m\u{202e}"), "ä\\u{9b}1m\\u{202e}");
    }
}
