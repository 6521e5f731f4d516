//! Compare: proves that an edited document differs from the original only as its edits say. Both
//! texts are read again, as go-yaml reads them, and compared event by event.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, ScalarStyle};
use serde_json::Value;

use super::events::Events;
use super::repair::{repaired, with_line_breaks};
use super::scalar::resolved;
use super::{BlockItem, NodeId};
use crate::text::Span;

/// The differences between a document and its edited text.
#[derive(Debug, Default)]
pub struct Expected<'e> {
    /// The scalars that have a new text, in the order of the original.
    pub texts: Vec<NewText>,
    /// The nodes that come or go.
    pub tree: Vec<&'e TreeChange>,
    /// The items of the original that are left out of both texts, in its order. Spans and nodes of the
    /// changes count as if they were there.
    pub left_out: Vec<BlockItem>,
}

/// A scalar or alias with a new text. Notation, tag and anchor stay as they are.
#[derive(Debug, Clone)]
pub struct NewText {
    /// The node's span in the original.
    pub node: Span,
    /// Its decoded text in the edited document.
    pub value: String,
}

/// A change to the tree of a document. A removal with an insertion before the same node is a
/// replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeChange {
    /// These nodes stand before this one: items of its sequence; or keys and values of its mapping,
    /// if it is a key.
    Insert(NodeId, Vec<Value>),
    /// These nodes stand at the end of this collection.
    Append(NodeId, Vec<Value>),
    /// This node and all below it are gone.
    Remove(NodeId),
}

impl TreeChange {
    /// The node that it is about.
    #[must_use]
    pub fn node(&self) -> NodeId {
        match self {
            Self::Insert(node, _) | Self::Append(node, _) | Self::Remove(node) => *node,
        }
    }
}

/// The changes to the tree of one document, by the node that each is about.
#[derive(Default)]
struct Changes<'e> {
    inserted: BTreeMap<NodeId, Vec<&'e Value>>,
    appended: BTreeMap<NodeId, Vec<&'e Value>>,
    removed: BTreeSet<NodeId>,
}

/// A difference that no edit explains: what it is, and its span in the original.
pub type Difference = (String, Span);

/// Compares a document with its edited text.
///
/// # Errors
/// The first difference that is not expected, or an expected one that is not there.
pub fn equal_but_for(before: &str, after: &str, expected: &Expected<'_>) -> Result<(), Difference> {
    let (before, after) = (with_line_breaks(before), with_line_breaks(after));
    compare(&before, &after, expected).or_else(|difference| {
        let (before, after) = repaired(&before).zip(repaired(&after)).ok_or(difference)?;
        compare(&before, &after, expected)
    })
}

fn compare(before: &str, after: &str, expected: &Expected<'_>) -> Result<(), Difference> {
    let mut changes = Changes::of(&expected.tree);
    let mut new = Reader { events: Events::new(after), at: Span::new(0, 0) };
    let mut old = Original {
        events: Events::new(before),
        left_out: &expected.left_out,
        nodes: 0,
        skipped: 0,
    };
    let mut texts = expected.texts.iter().peekable();
    let mut open = Vec::new();
    while let Some((event, at, node)) = old.next()? {
        new.at = at;
        if let Some(node) = node {
            new.expect_all(&changes.inserted.remove(&node).unwrap_or_default())?;
            if changes.removed.remove(&node) {
                old.skip_below(&event)?;
                continue;
            }
        }
        match (&event, node) {
            (Event::SequenceStart(..) | Event::MappingStart(..), Some(node)) => open.push(node),
            (Event::SequenceEnd | Event::MappingEnd, _) => {
                let appended = open.pop().and_then(|node| changes.appended.remove(&node));
                new.expect_all(&appended.unwrap_or_default())?;
            }
            _ => {}
        }
        let expected = match texts.next_if(|text| text.node == at && is_leaf(&event)) {
            Some(text) => with_text(event, &text.value),
            None => event,
        };
        let found = new.next()?;
        if found.as_ref() != Some(&expected) {
            return Err(new.unexpected(&format!("{expected:?}"), found.as_ref()));
        }
    }
    if let Some(text) = texts.next() {
        return Err((format!("`{}` did not get to its place", text.value), text.node));
    }
    if let Some(item) = old.left_out.first() {
        return Err(("an item that was left out is not in its place".to_owned(), item.span()));
    }
    match (new.next()?, changes.is_empty()) {
        (None, true) => Ok(()),
        (None, false) => Err(("a change is about no node".to_owned(), new.at)),
        (found, _) => Err(new.unexpected("the end of the text", found.as_ref())),
    }
}

/// The events of the original without the items that are left out.
struct Original<'s, 'e> {
    events: Events<'s>,
    /// The items that come later.
    left_out: &'e [BlockItem],
    /// The number of nodes so far, with those that were left out.
    nodes: u32,
    /// The number of bytes that were left out so far.
    skipped: usize,
}

impl<'s> Original<'s, '_> {
    /// The next event, its span in the original, and its node if it begins one.
    fn next(&mut self) -> Result<Option<(Event<'s>, Span, Option<NodeId>)>, Difference> {
        let next = self.events.next();
        let Some((event, at)) =
            next.map_err(|error| (error.message, error.at.behind(self.skipped)))?
        else {
            return Ok(None);
        };
        let node = is_node(&event).then(|| {
            while let [item, later @ ..] = self.left_out
                && item.first() == NodeId(self.nodes)
            {
                self.nodes += item.nodes();
                self.skipped += item.span().len();
                self.left_out = later;
            }
            self.nodes += 1;
            NodeId(self.nodes - 1)
        });
        Ok(Some((event, at.behind(self.skipped), node)))
    }

    /// Skips what is below a node, whose first event this is.
    fn skip_below(&mut self, event: &Event<'_>) -> Result<(), Difference> {
        let mut depth = change_of_depth(event);
        while depth > 0 {
            let Some((event, ..)) = self.next()? else { break };
            depth += change_of_depth(&event);
        }
        Ok(())
    }
}

impl<'e> Changes<'e> {
    fn of(tree: &[&'e TreeChange]) -> Self {
        let mut changes = Self::default();
        for change in tree {
            match change {
                TreeChange::Insert(node, values) => {
                    changes.inserted.entry(*node).or_default().extend(values);
                }
                TreeChange::Append(node, values) => {
                    changes.appended.entry(*node).or_default().extend(values);
                }
                TreeChange::Remove(node) => {
                    changes.removed.insert(*node);
                }
            }
        }
        changes
    }

    fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.appended.is_empty() && self.removed.is_empty()
    }
}

/// The events of the edited text, and the span in the original that is compared with them.
struct Reader<'s> {
    events: Events<'s>,
    at: Span,
}

impl<'s> Reader<'s> {
    fn next(&mut self) -> Result<Option<Event<'s>>, Difference> {
        let event = self.events.next().map_err(|error| (error.message, self.at))?;
        Ok(event.map(|(event, _)| event))
    }

    fn unexpected(&self, expected: &str, found: Option<&Event<'_>>) -> Difference {
        let found = found.map_or("the end of the text".to_owned(), |event| format!("{event:?}"));
        (format!("expected {expected}, found {found}"), self.at)
    }

    fn no_key(&self, key: &str, missing: &BTreeMap<&str, &Value>) -> Difference {
        (format!("expected one of the keys {:?}, found {key:?}", missing.keys()), self.at)
    }

    fn expect_all(&mut self, values: &[&Value]) -> Result<(), Difference> {
        values.iter().try_for_each(|value| {
            let event = self.next()?;
            self.expect(value, event)
        })
    }

    /// Reads a node that begins with `event` and makes sure that it has this value.
    fn expect(&mut self, value: &Value, event: Option<Event<'s>>) -> Result<(), Difference> {
        match (value, event) {
            (Value::Array(items), Some(Event::SequenceStart(..))) => {
                self.expect_all(&items.iter().collect::<Vec<_>>())?;
                match self.next()? {
                    Some(Event::SequenceEnd) => Ok(()),
                    found => Err(self.unexpected("the end of a list", found.as_ref())),
                }
            }
            (Value::Object(entries), Some(Event::MappingStart(..))) => {
                // The order of the keys is free, but each is there once.
                let mut missing: BTreeMap<&str, _> =
                    entries.iter().map(|(key, value)| (key.as_str(), value)).collect();
                loop {
                    match self.next()? {
                        Some(Event::MappingEnd) if missing.is_empty() => return Ok(()),
                        Some(Event::Scalar(key, style, _, tag)) => {
                            let key = resolved(key, style.into(), tag.as_deref());
                            match missing.remove(&*key.text).filter(|_| key.string) {
                                Some(value) => self.expect_all(&[value])?,
                                None => return Err(self.no_key(&key.text, &missing)),
                            }
                        }
                        found => return Err(self.unexpected("a key", found.as_ref())),
                    }
                }
            }
            (value, Some(Event::Scalar(text, style, _, tag))) => {
                let scalar = resolved(text, style.into(), tag.as_deref());
                let is_equal = match value {
                    Value::String(text) => scalar.string && scalar.text == text.as_str(),
                    _ => {
                        !scalar.string
                            && serde_json::from_str(&scalar.text)
                                .is_ok_and(|found: Value| found == *value)
                    }
                };
                let different = || (format!("expected {value}, found {:?}", scalar.text), self.at);
                is_equal.then_some(()).ok_or_else(different)
            }
            (_, found) => Err(self.unexpected(&value.to_string(), found.as_ref())),
        }
    }
}

fn change_of_depth(event: &Event<'_>) -> i32 {
    match event {
        Event::SequenceStart(..) | Event::MappingStart(..) => 1,
        Event::SequenceEnd | Event::MappingEnd => -1,
        _ => 0,
    }
}

/// True for the first event of a node, in the order of which nodes are numbered.
fn is_node(event: &Event<'_>) -> bool {
    is_leaf(event) || matches!(event, Event::SequenceStart(..) | Event::MappingStart(..))
}

fn is_leaf(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(..) | Event::Alias(_) | Event::UnresolvedAlias(_))
}

fn with_text<'e>(event: Event<'_>, value: &'e str) -> Event<'e> {
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
    use serde_json::json;

    fn compared(
        before: &str,
        after: &str,
        texts: &[NewText],
        tree: &[TreeChange],
    ) -> Result<(), Difference> {
        let (texts, tree) = (texts.to_vec(), tree.iter().collect());
        equal_but_for(before, after, &Expected { texts, tree, left_out: Vec::new() })
    }

    #[test]
    fn a_comparison_sees_every_difference() {
        let change = [NewText { node: Span::new(3, 6), value: "a@b".to_owned() }];
        assert_eq!(compared("x: a:1\n", "x: a@b\n", &change, &[]), Ok(()));
        for (before, after) in [
            ("x: a:1\n", "x: a:1\n"),
            ("x: a:1\n", "x: 'a@b'\n"),
            ("x: a:1\ny: 1\n", "x: a@b\ny: 2\n"),
            ("x: a:1\n", "x: a@b\n---\n"),
            ("x: a:1\n", "x: a@b: [\n"),
            ("xy: a:1\n", "xy: a@b\n"),
        ] {
            assert!(compared(before, after, &change, &[]).is_err(), "{after:?}");
        }
    }

    #[test]
    fn changes_of_a_tree_are_there_and_nothing_else() {
        use TreeChange::{Append, Insert, Remove};
        // The nodes: 0 the mapping, 1 `a`, 2 its list, 3 `x`, 4 the mapping in it, 5 `k`, 6 `v`.
        let before = "a:\n- x\n- k: v\n";
        let entry = || vec![json!("b"), json!({"num": 1, "s": "1"})];
        for (changes, after) in [
            (vec![Insert(NodeId(3), vec![json!("new")])], "a:\n- new\n- x\n- k: v\n"),
            (vec![Append(NodeId(2), vec![json!("new")])], "a:\n- x\n- k: v\n- new\n"),
            (vec![Remove(NodeId(4))], "a:\n- x\n"),
            (vec![Remove(NodeId(3)), Insert(NodeId(3), vec![json!(["z"])])], "a:\n- [z]\n- k: v\n"),
            (vec![Append(NodeId(0), entry())], "a:\n- x\n- k: v\nb: {s: '1', num: 1}\n"),
            (vec![Insert(NodeId(1), entry())], "b: {num: 1, s: '1'}\na:\n- x\n- k: v\n"),
            (vec![Remove(NodeId(2)), Insert(NodeId(2), vec![json!([])])], "a: []\n"),
        ] {
            assert_eq!(compared(before, after, &[], &changes), Ok(()), "{after}");
            assert!(compared(before, before, &[], &changes).is_err(), "{changes:?}");
            assert!(compared(before, after, &[], &[]).is_err(), "{after}");
            let nowhere = [changes, vec![Remove(NodeId(9))]].concat();
            assert!(compared(before, after, &[], &nowhere).is_err(), "{nowhere:?}");
        }
        for wrong in [
            "b: {num: 1, s: 1}",
            "b: {num: '1', s: '1'}",
            "b: {num: 1, s: '1', num: 1}",
            "b: {num: 1}",
        ] {
            let after = format!("{before}{wrong}\n");
            let changes = [Append(NodeId(0), entry())];
            assert!(compared(before, &after, &[], &changes).is_err(), "{wrong}");
        }
    }
}
