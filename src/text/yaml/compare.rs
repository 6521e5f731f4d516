//! The comparison of two texts, event by event. It guards every edit.

use std::borrow::Cow;

use granit_parser::{Event, ScalarStyle};

use super::events::{Events, SyntaxError};
use super::repair::{repaired, with_line_breaks};
use crate::text::Span;

/// One scalar or alias that an edit changes: where it stood, and the text that it has now.
#[derive(Debug, Clone, Copy)]
pub struct Changed<'e> {
    /// The node's span in the text before.
    pub node: Span,
    /// Its decoded text in the text after.
    pub value: &'e str,
}

/// Reads both texts as go-yaml reads them, and makes sure that they are the same stream of events, but
/// for the changed nodes, which have exactly their new text. `changes` are in the order of the text.
///
/// # Errors
/// The first difference, in words, with its span in the text before.
pub fn equal_but_for(
    before: &str,
    after: &str,
    changes: &[Changed<'_>],
) -> Result<(), (String, Span)> {
    let (before, after) = (with_line_breaks(before), with_line_breaks(after));
    compare(&before, &after, changes).or_else(|difference| {
        let (before, after) = repaired(&before).zip(repaired(&after)).ok_or(difference)?;
        compare(&before, &after, changes)
    })
}

fn compare(before: &str, after: &str, changes: &[Changed<'_>]) -> Result<(), (String, Span)> {
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
