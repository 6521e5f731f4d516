//! Splice: every change to a YAML text. Pins go into manifests, entries into locks and results into
//! the list of a function, and no other byte changes.
//!
//! Text is inserted rather than replaced wherever that is possible. [`apply`] proves its own
//! work: it reads both texts again and returns the new one only if it is the same YAML as the old
//! one, except for what the edits say. `site` finds where a reference is written, `proof` compares.

mod proof;
mod site;

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use crate::text::yaml::{BlockItem, Difference, TreeChange};
use crate::text::{Source, Span};

pub use site::{Site, missing_value};

/// One change to a source: `span` becomes `insert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    document: Span,
    span: Span,
    insert: String,
    effect: Effect,
}

/// The difference that an edit makes to what a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Effect {
    /// Part of a decoded scalar changes: the node, the scalar before, which part of it, and to what.
    Text { node: Span, value: Rc<str>, part: Range<usize>, after: String },
    /// Nodes come or go.
    Tree(Vec<TreeChange>),
}

impl Edit {
    /// An edit of `document` with these effects on its tree; without any if it changes only white
    /// space.
    #[must_use]
    pub fn of_tree(document: Span, span: Span, insert: String, changes: Vec<TreeChange>) -> Self {
        Self { document, span, insert, effect: Effect::Tree(changes) }
    }

    /// The span that becomes another text.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The span that no other edit may change.
    fn reserved(&self) -> Span {
        match &self.effect {
            Effect::Text { node, .. } => *node,
            Effect::Tree(_) => self.span,
        }
    }
}

/// Changes to one source, in its own offsets: sorted and disjoint.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Edits(Vec<Edit>);

/// Two edits that want the same text to become different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The span of the first.
    pub first: Span,
    /// The span of the second.
    pub second: Span,
}

impl Edits {
    /// Sorts the edits; insertions at one position keep their order. The same edit of a scalar wanted
    /// twice (by two of its aliases) is one.
    ///
    /// # Errors
    /// Two different edits that overlap.
    pub fn new(mut edits: Vec<Edit>) -> Result<Self, Overlap> {
        edits.sort_by_key(|edit| edit.span);
        edits.dedup_by(|next, edit| matches!(edit.effect, Effect::Text { .. }) && next == edit);
        let overlap = |pair: &&[Edit]| match (&pair[0].effect, &pair[1].effect) {
            (Effect::Text { node, part, .. }, Effect::Text { node: next, part: next_part, .. })
                if node == next =>
            {
                pair[0].span.end > pair[1].span.start || part.end > next_part.start
            }
            _ => pair[0].reserved().end > pair[1].reserved().start,
        };
        match edits.windows(2).find(overlap) {
            Some(pair) => Err(Overlap { first: pair[0].reserved(), second: pair[1].reserved() }),
            None => Ok(Self(edits)),
        }
    }
}

/// The source with every edit made, after a proof that nothing else changed: each document that
/// is edited is read again as it was and as it is, and every event must be equal, except where an
/// edit says otherwise. The documents between them are copied. So are those `items` of the source that
/// no edit is in or beside: they need not be read again.
///
/// # Errors
/// The first difference and its span in the source. It means a defect in digestif, not in the
/// input, and nothing may be written.
pub fn apply<'s>(
    source: &'s Source,
    edits: &Edits,
    items: &[BlockItem],
) -> Result<Cow<'s, str>, Difference> {
    if edits.0.is_empty() {
        return Ok(Cow::Borrowed(source.text()));
    }
    let growth: usize = edits.0.iter().map(|edit| edit.insert.len()).sum();
    let mut out = String::with_capacity(source.text().len() + growth);
    let mut done = 0;
    for edits in edits.0.chunk_by(|one, next| one.document.start == next.document.start) {
        // An edit behind the last node needs more of the text than the others.
        let end = edits.iter().map(|edit| edit.document.end).max().unwrap_or(done);
        let document = Span::new(edits[0].document.start, end);
        out.push_str(source.slice(Span::new(done, document.start)));
        let start = out.len();
        splice(source, document, edits, &mut out);
        proof::prove((source, document), &out[start..], edits, items)
            .map_err(|(message, at)| (message, at.behind(document.start)))?;
        done = document.end;
    }
    out.push_str(&source.text()[done..]);
    Ok(Cow::Owned(out))
}

/// Adds the text of `document` with its edits made.
fn splice(source: &Source, document: Span, edits: &[Edit], out: &mut String) {
    let mut done = document.start;
    for edit in edits {
        out.push_str(source.slice(Span::new(done, edit.span.start)));
        out.push_str(&edit.insert);
        done = edit.span.end;
    }
    out.push_str(source.slice(Span::new(done, document.end)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;
    use crate::text::yaml::Style;
    use proptest::prelude::*;

    fn source(text: &str) -> Source {
        Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("valid text")
    }

    #[test]
    fn edits_that_contradict_each_other_are_refused() {
        let edit = |node: (usize, usize), insert: &str| Edit {
            document: Span::new(0, 6),
            span: Span::new(node.1, node.1),
            insert: insert.to_owned(),
            effect: Effect::Text {
                node: Span::new(node.0, node.1),
                value: "ab".into(),
                part: 0..2,
                after: insert.to_owned(),
            },
        };
        let same = Edits::new(vec![edit((3, 6), "@a"), edit((0, 2), "@b"), edit((3, 6), "@a")]);
        assert_eq!(same, Ok(Edits(vec![edit((0, 2), "@b"), edit((3, 6), "@a")])));
        let overlap = Edits::new(vec![edit((3, 6), "@a"), edit((3, 6), "@b")]);
        assert_eq!(overlap, Err(Overlap { first: Span::new(3, 6), second: Span::new(3, 6) }));
    }

    #[test]
    fn an_edit_that_breaks_the_text_is_never_given_out() {
        let source = source("a: x\nb: y\n");
        let edits = Edits::new(vec![Edit {
            document: Span::new(0, 10),
            span: Span::new(4, 4),
            insert: "\nb: z".to_owned(),
            effect: Effect::Text {
                node: Span::new(3, 4),
                value: "x".into(),
                part: 0..1,
                after: "x".to_owned(),
            },
        }]);
        assert!(apply(&source, &edits.expect("disjoint"), &[]).is_err());
    }

    proptest! {
        #[test]
        fn undoing_the_edits_gives_the_source(
            names in proptest::collection::vec("[a-z]{1,8}(:[a-z0-9]{1,4})?", 1..20),
            quote in proptest::sample::select(vec!["", "'", "\""]),
        ) {
            let text: String =
                names.iter().map(|name| format!("- {quote}{name}{quote} # {name}\n")).collect();
            let source = source(&text);
            let style = match quote {
                "" => Style::Plain,
                "'" => Style::SingleQuoted,
                _ => Style::DoubleQuoted,
            };
            let mut at = 0;
            let mut edits = Vec::new();
            for (n, name) in names.iter().enumerate() {
                let node = Span::new(at + 2, at + 2 + name.len() + 2 * quote.len());
                at += format!("- {quote}{name}{quote} # {name}\n").len();
                let site = Site::of_scalar(&source, Span::new(0, text.len()), node, style, name);
                let after = format!("{name}@sha256:{n:064x}");
                edits.push(site.edit(&name.as_str().into(), 0..name.len(), &after).expect("a form that is known"));
            }
            edits.reverse();
            let edits = Edits::new(edits).expect("disjoint");
            // YAML resolves no types here, so even `null` is compared as text.
            let mut after = apply(&source, &edits, &[]).expect("the same YAML").into_owned();
            for n in 0..names.len() {
                after = after.replace(&format!("@sha256:{n:064x}"), "");
            }
            prop_assert_eq!(after, text);
        }
    }
}
