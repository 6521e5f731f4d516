//! The parser: its settings, its events with spans in the whole text, and the comparison of two
//! texts event by event that guards every edit.

use std::borrow::Cow;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StrInput};

use super::Style;
use crate::diagnostic::{Diagnostic, Failure, Location};
use crate::text::{Source, Span};

/// Deepest nesting of collections. The deepest real manifests (schemas of custom resources) stay
/// under 60; the API server itself stops at 10,000 levels of JSON.
pub(super) const MAX_DEPTH: usize = 1_000;

/// Why a text can't be read, and where.
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
            .location(Location::Source { source: index, span, label: String::new() })
            .help(
                "look at what writes it: the text may be cut off, or be no YAML 1.2 or JSON at all",
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
    base: usize,
    position: usize,
}

impl<'s> Events<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        let mut rest = parts(text).into_iter();
        let (base, part) = rest.next().unwrap_or((0, text));
        Self { rest, parser: parser(part), base, position: 0 }
    }

    /// How far the text has been given out.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn next(&mut self) -> Result<Option<(Event<'s>, Span)>, SyntaxError> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::StreamEnd, _))) | None => match self.rest.next() {
                    Some((base, part)) => {
                        self.base = base;
                        self.parser = parser(part);
                    }
                    None => return Ok(None),
                },
                Some(Ok((event, span))) => {
                    let range = span.byte_range().expect("a text in memory has byte offsets");
                    let span = Span::new(self.base + range.start, self.base + range.end);
                    self.position = self.position.max(span.end);
                    return Ok(Some((event, span)));
                }
                Some(Err(error)) => return Err(self.syntax_error(&error)),
            }
        }
    }

    fn syntax_error(&self, error: &ScanError) -> SyntaxError {
        let at = self.base + error.marker().byte_offset().unwrap_or(0);
        SyntaxError { message: error.info(), at: Span::new(at, at + 1) }
    }
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
    let cuts = text.match_indices("---").map(|(at, _)| at).filter(|&at| glued(at));
    let mut parts = Vec::new();
    let mut start = 0;
    for cut in cuts {
        parts.push((start, &text[start..cut]));
        start = cut + 3;
    }
    parts.push((start, &text[start..]));
    parts
}

/// One scalar or alias that an edit changes: where it stood, and the text that it has now.
#[derive(Debug, Clone, Copy)]
pub struct Changed<'e> {
    /// The node's span in the text before.
    pub node: Span,
    /// Its decoded text in the text after.
    pub value: &'e str,
}

/// Reads both texts and makes sure that they are the same stream of events, but for the changed
/// nodes, which have exactly their new text. `changes` are in the order of the text.
///
/// # Errors
/// The first difference, in words, with its span in the text before.
pub fn equal_but_for(
    before: &str,
    after: &str,
    changes: &[Changed<'_>],
) -> Result<(), (String, Span)> {
    let read = |error: SyntaxError| (error.message, error.at);
    let (mut old, mut new) = (Events::new(before), Events::new(after));
    let mut changes = changes.iter().peekable();
    loop {
        let (old, new) = match (old.next().map_err(read)?, new.next().map_err(read)?) {
            (Some(old), Some(new)) => (old, new),
            (None, None) => break,
            (Some((_, at)), None) | (None, Some((_, at))) => {
                return Err(("one text ends before the other".to_owned(), at));
            }
        };
        let at = old.1;
        let expected = match changes.next_if(|change| change.node == at && is_leaf(&old.0)) {
            Some(change) => changed(old.0, change.value),
            None => old.0,
        };
        if expected != new.0 {
            return Err((format!("expected {expected:?}, found {:?}", new.0), at));
        }
    }
    match changes.next() {
        Some(change) => Err((format!("`{}` did not get to its place", change.value), change.node)),
        None => Ok(()),
    }
}

fn is_leaf(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(..) | Event::Alias(_))
}

fn changed<'e>(event: Event<'_>, value: &'e str) -> Event<'e> {
    match event {
        Event::Scalar(_, style, anchor, tag) => {
            let tag = tag.map(|tag| Cow::Owned(tag.into_owned()));
            Event::Scalar(value.into(), style, anchor, tag)
        }
        _ => Event::Scalar(value.into(), ScalarStyle::Plain, 0, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_sees_every_difference() {
        let change = [Changed { node: Span::new(3, 6), value: "a@b" }];
        assert_eq!(equal_but_for("x: a:1\n", "x: a@b\n", &change), Ok(()));
        for (before, after) in [
            ("x: a:1\n", "x: a:1\n"),
            ("x: a:1\n", "x: 'a@b'\n"),
            ("x: a:1\ny: 1\n", "x: a@b\ny: 2\n"),
            ("x: a:1\n", "x: a@b\n---\n"),
            ("x: a:1\n", "x: a@b: [\n"),
            ("xy: a:1\n", "xy: a@b\n"),
        ] {
            assert!(equal_but_for(before, after, &change).is_err(), "{after:?}");
        }
    }
}
