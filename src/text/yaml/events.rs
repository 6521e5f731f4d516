//! The parser: its settings, and its events with spans in the whole text.

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StrInput};
use memchr::memmem;

use super::Style;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::text::{Source, Span};

/// Deepest nesting of collections. The deepest real manifests (schemas of custom resources) stay
/// under 60; the API server itself stops at 10,000 levels of JSON.
pub(super) const MAX_DEPTH: usize = 1_000;

/// The reason why a text can't be read, and its place.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) at: Span,
}

impl SyntaxError {
    pub(super) fn diagnostic(self, source: &Source, index: usize) -> Diagnostic {
        let end = self.at.end.min(source.text().len());
        let span = Span::new(self.at.start.min(end), end);
        Diagnostic::error(Failure::Input, format!("the input is not YAML: {}", self.message))
            .of(RuleId::Yaml)
            .location(Location::Source { source: index, span, label: String::new() })
            .help(
                "check the command that writes it: the text may be cut off, or may not be YAML 1.2 or JSON",
            )
    }
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::Plain => Self::Plain,
            ScalarStyle::SingleQuoted => Self::SingleQuoted,
            ScalarStyle::DoubleQuoted => Self::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Self::Block,
        }
    }
}

/// The parser's events, with spans in the whole text. The text is cut where a document separator
/// is glued to what follows (`---apiVersion: v1`), as some versions of Helm write it (helm#31867).
pub(super) struct Events<'s> {
    rest: std::vec::IntoIter<(usize, &'s str)>,
    parser: Parser<'s, StrInput<'s>>,
    /// The part of the text that the parser reads, and where it starts.
    part: &'s str,
    base: usize,
    position: usize,
}

impl<'s> Events<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self::starting_at(text, 0)
    }

    /// The events from `start` on, where a document starts.
    pub(super) fn starting_at(text: &'s str, start: usize) -> Self {
        let mut parts = parts(&text[start..]);
        for (base, _) in &mut parts {
            *base += start;
        }
        let mut rest = parts.into_iter();
        let (base, part) = rest.next().unwrap_or((start, &text[start..]));
        Self { rest, parser: parser(part), part, base, position: start }
    }

    /// The end of the last event.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn next(&mut self) -> Result<Option<(Event<'s>, Span)>, SyntaxError> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::StreamEnd, _))) | None => match self.rest.next() {
                    Some((base, part)) => {
                        (self.base, self.part) = (base, part);
                        self.parser = parser(part);
                    }
                    None => return Ok(None),
                },
                Some(Ok((event, span))) => {
                    let range = span.byte_range().expect("a text in memory has byte offsets");
                    let span = Span::new(self.base + range.start, self.base + range.end);
                    if has_anchor(&event) {
                        self.check_anchor(span)?;
                    }
                    self.position = self.position.max(span.end);
                    return Ok(Some((event, span)));
                }
                Some(Err(error)) => return Err(self.syntax_error(&error)),
            }
        }
    }

    /// Refuses an anchor that go-yaml ends earlier: what follows is a part of the value there (go-yaml,
    /// `scannerc.go`, `yaml_parser_scan_anchor`). The anchor is between the last event and `span`; that of
    /// an empty node may be after `span`, on the same line.
    fn check_anchor(&self, span: Span) -> Result<(), SyntaxError> {
        let start = self.position.saturating_sub(self.base);
        let node = span.start - self.base;
        let line = || self.part[node..].find('\n').map_or(self.part.len(), |end| node + end);
        let end = if span.is_empty() { line() } else { node };
        let before = self.part.get(start..end).unwrap_or_default();
        // The line of an empty node may have other nodes.
        let most = if span.is_empty() { 1 } else { usize::MAX };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let Some((at, _)) =
            anchors(before).take(most).find(|(_, name)| !name.chars().all(is_plain))
        else {
            return Ok(());
        };
        let at = self.base + start + at;
        let message = "an anchor may have letters, digits, `-` and `_` only".to_owned();
        Err(SyntaxError { message, at: Span::new(at, at + 1) })
    }

    fn syntax_error(&self, error: &ScanError) -> SyntaxError {
        let at = self.base + error.marker().byte_offset().unwrap_or(0);
        SyntaxError { message: error.info(), at: Span::new(at, at + 1) }
    }
}

/// The anchors in a text without scalars, each with the offset of its `&`. Tags and comments may have a
/// `&` as well.
fn anchors(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let at = rest + text[rest..].find(['#', '!', '&'])?;
            let ends: &[char] = match text.as_bytes()[at] {
                b'#' => &['\n'],
                _ => &[' ', '\t', '\r', '\n', ',', '[', ']', '{', '}'],
            };
            rest = text[at..].find(ends).map_or(text.len(), |length| at + length);
            if text.as_bytes()[at] == b'&' {
                return Some((at, &text[at + 1..rest]));
            }
        }
    })
}

fn has_anchor(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Scalar(_, _, 1.., _)
            | Event::SequenceStart(_, 1.., _)
            | Event::MappingStart(_, 1.., _)
    )
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options: Options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

/// The text, cut behind each `---` at the start of a line that content is glued to.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let glued = |at: usize| {
        let next = text.as_bytes().get(at + 3);
        (at == 0 || text.as_bytes()[at - 1] == b'\n')
            && next.is_some_and(|&byte| {
                byte.is_ascii_alphabetic() || matches!(byte, b'{' | b'"' | b'#')
            })
    };
    let cuts = memmem::find_iter(text.as_bytes(), "---").filter(|&at| glued(at));
    let mut parts = Vec::new();
    let mut start = 0;
    for cut in cuts {
        parts.push((start, &text[start..cut]));
        start = cut + 3;
    }
    parts.push((start, &text[start..]));
    parts
}
