//! Copies of a text that read as go-yaml reads the text itself. Kubernetes' own readers use go-yaml,
//! which follows YAML 1.1 in some points and is not strict in others.
//!
//! A copy is as long as its text, so spans in the copy are spans in the text.

use std::borrow::Cow;

use granit_parser::{Event, StructureStyle};
use memchr::memchr2;

use super::events::Events;
use crate::text::Span;

/// The most repairs that one text gets. Each costs a parse of the text before it.
const MAX_REPAIRS: usize = 100;

/// The line breaks of YAML 1.1 that YAML 1.2 takes for text: next line, line separator, paragraph
/// separator (YAML 1.1, section 4.1.4); each with blanks and a line break of the same length.
const LINE_BREAKS: [(&str, &str); 3] =
    [("\u{85}", " \n"), ("\u{2028}", "  \n"), ("\u{2029}", "  \n")];

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The text with the line breaks that go-yaml knows.
pub(super) fn with_line_breaks(text: &str) -> Cow<'_, str> {
    let mut copy = Cow::Borrowed(text);
    // The first bytes of these line breaks. Most texts have neither.
    if memchr2(0xC2, 0xE2, text.as_bytes()).is_none() {
        return copy;
    }
    for (old, new) in LINE_BREAKS {
        if copy.contains(old) {
            copy = Cow::Owned(copy.replace(old, new));
        }
    }
    copy
}

/// The last character of the last line that only go-yaml, and no editor, takes for a line break.
pub(super) fn unseen_line_break(text: &str) -> Option<char> {
    let line = text.rsplit('\n').next()?;
    line.chars().rfind(|c| LINE_BREAKS.iter().any(|(old, _)| old.starts_with(*c)))
}

/// A copy that is YAML, of a text that is YAML only to go-yaml; none if there is no such copy.
pub(super) fn repaired(text: &str) -> Option<String> {
    let mut copy = text.to_owned();
    let mut tabs = Vec::new();
    for n in 0..=MAX_REPAIRS {
        let at = match flow_collections(&copy) {
            // In block style, go-yaml refuses a tab there as well.
            Ok(flow) if n > 0 => {
                let is_in_flow = |&tab: &Span| flow.iter().any(|flow| flow.contains(tab));
                return tabs.iter().all(is_in_flow).then_some(copy);
            }
            Ok(_) => return None,
            Err(at) => at,
        };
        let (span, by) = repair(&copy, at)?;
        if copy[span.start..span.end].contains('\t') && !copy[span.start..].starts_with('#') {
            tabs.push(span);
        }
        copy.replace_range(span.start..span.end, &by);
    }
    None
}

/// The outermost collections in flow style; or the offset of the first error.
fn flow_collections(text: &str) -> Result<Vec<Span>, usize> {
    let mut events = Events::new(text);
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    while let Some((event, span)) = events.next().map_err(|error| error.at.start)? {
        match event {
            Event::MappingStart(StructureStyle::Flow, ..)
            | Event::SequenceStart(StructureStyle::Flow, ..) => {
                if depth == 0 {
                    start = span.start;
                }
                depth += 1;
            }
            Event::MappingEnd | Event::SequenceEnd if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    found.push(Span::new(start, span.end));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The bytes at which a text stops to be YAML, and blanks of the same length.
fn repair(text: &str, at: usize) -> Option<(Span, String)> {
    let (before, rest) = (text.get(..at)?, text.get(at..)?);
    let blanks = |span: Span| (span, " ".repeat(span.end - span.start));
    if rest.starts_with('#') {
        // A comment that touches what is before it.
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        return Some(blanks(Span::new(at, at + end)));
    }
    if rest.starts_with(BYTE_ORDER_MARK) {
        let is_after_separator = before.ends_with('\n') && last_line(before).starts_with("---");
        let span = Span::new(at, at + BYTE_ORDER_MARK.len());
        return is_after_separator.then(|| (span, "  \n".to_owned()));
    }
    let start = before.trim_end_matches(['\t', ' ']).len();
    let end = text.len() - rest.trim_start_matches(['\t', ' ']).len();
    text[start..end].contains('\t').then(|| blanks(Span::new(start, end)))
}

/// The last line that is not blank.
fn last_line(text: &str) -> &str {
    text.trim_end().rsplit(['\n', '\r']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_yaml_reads_is_repaired_without_moving_anything() {
        for (text, copy) in [
            ("a: 'b'#ä\nc: 'd'#e", "a: 'b'   \nc: 'd'  "),
            ("{a: [b]#c\r}", "{a: [b]  \r}"),
            ("a: |#b\n  c\n", "a: |  \n  c\n"),
            ("a: {\n\t\tb: c}\n", "a: {\n  b: c}\n"),
            ("a: [\n\t {b: c}]\n", "a: [\n  {b: c}]\n"),
            ("a: b\n---\n\u{feff}c: d\n", "a: b\n---\n  \nc: d\n"),
            ("a: b\n--- # e\n\n\u{feff}c: d\n", "a: b\n--- # e\n\n  \nc: d\n"),
        ] {
            let repaired = repaired(text).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!((repaired.as_str(), repaired.len()), (copy, text.len()));
        }
        for text in [
            "a: b\n",
            "a:\n\tb: c\n",
            "a: {\n\tb: c}\nd:\n\te: f\n",
            "a: b\n\u{feff}c: d\n",
            "a: [",
            "a: 'b' c#d",
        ] {
            assert_eq!(repaired(text), None, "{text:?}");
        }
        assert_eq!(repaired(&"a: 'b'#c\n".repeat(MAX_REPAIRS + 1)), None);
    }

    #[test]
    fn line_breaks_of_yaml_1_1_break_lines() {
        assert_eq!(with_line_breaks("a\u{85}b\u{2028}c\u{2029}d"), "a \nb  \nc  \nd");
        assert!(matches!(with_line_breaks("\u{e4}\u{2027}"), Cow::Borrowed(_)));
    }
}
