//! Proof: an edited document differs from the original only as the edits say.
//!
//! Both texts are read again and compared event by event. Whole items of a block sequence that no edit
//! touches are left out of both texts, so that a list of a thousand objects with one change does not
//! cost two more reads of all of them. That is exact. Such an item begins at the dash of one line and
//! ends before the dash of the next item, in the same column. The shortened texts show that the parser
//! is between two items of that sequence there, before and after the edits. It then reads the same
//! bytes at the same columns.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Edit, Effect};
use crate::text::yaml::{self, BlockItem, Difference, Expected, NewText, TreeChange};
use crate::text::{Source, Span};

/// Proves that a document differs from its edited text `after` only as the edits say. `items` are those of
/// the source.
///
/// # Errors
/// The first difference that no edit explains, with its span in the document.
pub(super) fn prove(
    (source, document): (&Source, Span),
    after: &str,
    edits: &[Edit],
    items: &[BlockItem],
) -> Result<(), Difference> {
    let before = source.slice(document);
    let untouched = Untouched::find(document, edits, items);
    if let Some(changed) = untouched.iter().find(|item| !item.is_same(before, after)) {
        let message = "an item that no edit touches is another one".to_owned();
        return Err((message, Span::new(changed.before.start, changed.before.end)));
    }
    let shorter_before = without(before, untouched.iter().map(|item| &item.before));
    let shorter_after = without(after, untouched.iter().map(|item| &item.after));
    let mut expected = expected(edits, document.start);
    expected.left_out = untouched.into_iter().map(|untouched| untouched.item).collect();
    yaml::equal_but_for(&shorter_before, &shorter_after, &expected)
}

/// The differences that the edits of a document, which begins at `start`, say.
fn expected(edits: &[Edit], start: usize) -> Expected<'_> {
    let mut expected = Expected::default();
    let mut scalars: Vec<NewScalar<'_>> = Vec::new();
    for edit in edits {
        match &edit.effect {
            Effect::Tree(changes) => expected.tree.extend(changes),
            Effect::Text { node, value, part, after } => {
                if scalars.last().is_none_or(|last| last.node != *node) {
                    scalars.push(NewScalar { node: *node, value, text: String::new(), done: 0 });
                }
                scalars.last_mut().expect("one was just added").change(part, after);
            }
        }
    }
    let new_text = |scalar: NewScalar<'_>| NewText {
        node: scalar.node.relative_to(start),
        value: scalar.text + &scalar.value[scalar.done..],
    };
    expected.texts = scalars.into_iter().map(new_text).collect();
    expected
}

/// The decoded scalar that the edits of one node lead to.
struct NewScalar<'e> {
    node: Span,
    value: &'e str,
    text: String,
    /// Bytes of `value` that `text` has already.
    done: usize,
}

impl NewScalar<'_> {
    fn change(&mut self, part: &Range<usize>, after: &str) {
        self.text.push_str(&self.value[self.done..part.start]);
        self.text.push_str(after);
        self.done = part.end;
    }
}

/// An item that no edit touches, and its places in a document and in the edited text.
struct Untouched {
    item: BlockItem,
    before: Range<usize>,
    after: Range<usize>,
}

impl Untouched {
    /// Finds the items of a document that no edit is in, directly beside or about.
    fn find(document: Span, edits: &[Edit], items: &[BlockItem]) -> Vec<Self> {
        let mut found = Vec::new();
        let changes = edits.iter().flat_map(|edit| match &edit.effect {
            Effect::Tree(changes) => &changes[..],
            Effect::Text { .. } => &[],
        });
        let named: BTreeSet<_> = changes.map(TreeChange::node).collect();
        let (mut edits, mut inserted, mut replaced) = (edits.iter().peekable(), 0, 0);
        for item in items {
            let span = item.span();
            while let Some(edit) = edits.next_if(|edit| edit.span.end < span.start) {
                inserted += edit.insert.len();
                replaced += edit.span.end - edit.span.start;
            }
            let is_touched = edits.peek().is_some_and(|edit| edit.span.start <= span.end);
            if document.contains(span) && !is_touched && !named.contains(&item.first()) {
                let before = Range::from(span.relative_to(document.start));
                let moved = |at: usize| at + inserted - replaced;
                let after = moved(before.start)..moved(before.end);
                found.push(Self { item: *item, before, after });
            }
        }
        found
    }

    /// True if the item is the same text in both.
    fn is_same(&self, before: &str, after: &str) -> bool {
        after.get(self.after.clone()) == Some(&before[self.before.clone()])
    }
}

/// A text without these parts of it.
fn without<'p>(text: &str, parts: impl Iterator<Item = &'p Range<usize>>) -> String {
    let mut rest = String::new();
    let mut done = 0;
    for part in parts {
        rest.push_str(&text[done..part.start]);
        done = part.end;
    }
    rest + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;
    use crate::text::splice::{Edits, Site, apply};
    use crate::text::yaml::{Style, documents};
    use proptest::prelude::*;

    const ITEMS: [&str; 5] = [
        "- image: nginx:1\n",
        "- a: |+\n    - image: nginx:1\n\n# a comment\n",
        "-   b: [x,\n  y]\n",
        "- 'it''s\n  two lines'\n",
        "- &c\n  d:\n",
    ];

    fn list(items: &[usize]) -> Source {
        let items: String = items.iter().map(|&n| ITEMS[n]).collect();
        let text = format!("kind: List\nitems:\n{items}end: true\n");
        Source::new(Origin::Stdin, text.into_bytes()).expect("text")
    }

    fn block_items(source: &Source) -> Vec<BlockItem> {
        let document = documents(source, 0).next().expect("one").expect("YAML");
        let (_, items) =
            document.own_entry(document.root().expect("a root"), "items").expect("a list");
        document.block_items(source, items)
    }

    /// An edit of the plain text `nginx:1` at each of these positions.
    fn edits(source: &Source, at: &[usize], after: &str) -> Edits {
        let document = Span::new(0, source.text().len());
        let edit = |&at: &usize| {
            let node = Span::new(at, at + "nginx:1".len());
            let site = Site::of_scalar(source, document, node, Style::Plain, "nginx:1");
            site.edit(&"nginx:1".into(), 0.."nginx:1".len(), after).expect("it can be edited")
        };
        Edits::new(at.iter().map(edit).collect()).expect("they are apart")
    }

    #[test]
    fn what_leaves_its_item_is_seen_where_other_items_are_left_out() {
        let source = list(&[0, 1, 0, 3, 0, 0]);
        let items = block_items(&source);
        assert_eq!(items.len(), 5);
        let at = source.text().find("nginx:1").expect("there is one");
        for after in
            ["nginx:1\n- image: nginx:2", "nginx:1\nend: false\n#", "'nginx:1", "[nginx:1", "|"]
        {
            assert!(apply(&source, &edits(&source, &[at], after), &items).is_err(), "{after}");
        }
        assert!(apply(&source, &edits(&source, &[at], "nginx:2"), &items).is_ok());
    }

    proptest! {
        #[test]
        fn items_that_are_left_out_change_no_result(
            items in proptest::collection::vec((0..ITEMS.len(), any::<bool>()), 1..12),
        ) {
            let (kinds, changed): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            let source = list(&kinds);
            let places = source.text().match_indices("- image: nginx:1").filter(|(at, _)| {
                source.text()[..*at].ends_with('\n')
            });
            let at: Vec<_> = places
                .zip(&changed)
                .filter(|(_, is_changed)| **is_changed)
                .map(|((at, _), _)| at + "- image: ".len())
                .collect();
            let edits = edits(&source, &at, "nginx:1@sha256:0");
            let shortened = apply(&source, &edits, &block_items(&source));
            prop_assert!(shortened.is_ok(), "{shortened:?}");
            prop_assert_eq!(shortened, apply(&source, &edits, &[]));
        }
    }
}
