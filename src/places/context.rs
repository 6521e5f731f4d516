//! The document that the rules read, and what all of them need to know of it. Nothing here changes.

use super::object::Object;
use super::path::Paths;
use super::scope::Scope;
use super::values::named::NamedValues;
use crate::diagnostic::Location;
use crate::text::Source;
use crate::text::yaml::{Document, NodeId};

/// One document, its source, and the scope of the run.
#[derive(Clone, Copy)]
pub(super) struct Context<'d, 's> {
    pub(super) source: &'d Source,
    /// Index of the source in the run's input.
    pub(super) index: usize,
    /// Number of the document in its source, from 1.
    pub(super) number: usize,
    pub(super) document: &'d Document<'s>,
    pub(super) scope: &'d Scope,
    /// The objects of the input that have values of charts.
    pub(super) named: &'d NamedValues,
}

impl<'d> Context<'d, '_> {
    /// The text of an image place, and none if it is not a string. A template without quotes,
    /// `{{ … }}`, is a mapping in YAML; its source text is given.
    pub(super) fn text(&self, node: NodeId) -> Option<&'d str> {
        let document = self.document;
        let raw = || self.source.slice(document.node(document.target(node)).span);
        let is_template = || !document.entries(node).is_empty() && raw().starts_with("{{");
        document.string(node).or_else(|| is_template().then(raw))
    }

    /// The same, and the text of a scalar of any type: a tag may be a number, and a digest null.
    pub(super) fn scalar(&self, node: NodeId) -> Option<&'d str> {
        self.document.scalar(node).or_else(|| self.text(node))
    }

    /// The key that a node is the value of.
    pub(super) fn key(&self, id: NodeId) -> Option<&'d str> {
        let document = self.document;
        let node = document.node(id);
        let &(key, _) = document.entries(node.parent?).get(node.position)?;
        document.string(key)
    }

    /// The location of a node, with its path from the document's root.
    pub(super) fn location(&self, id: NodeId) -> Location {
        let document = self.document;
        let root = document.root().expect("a document with nodes has a root");
        let path = Paths::default().of(document, root, id);
        self.labelled(id, format!("{}, {path}", Object::of(document, root)))
    }

    /// The location of a node with this label. Messages never show a line of a `Secret`.
    pub(super) fn labelled(&self, id: NodeId, label: String) -> Location {
        let (source, span) = (self.index, self.document.node(id).span);
        if self.is_in_secret(id) {
            Location::Hidden { source, span, label }
        } else {
            Location::Source { source, span, label }
        }
    }

    fn is_in_secret(&self, id: NodeId) -> bool {
        let document = self.document;
        let mut holders = std::iter::successors(Some(id), |&id| document.node(id).parent);
        holders.any(|id| document.string_at(id, &["kind"]) == Some("Secret"))
    }
}

/// The text of a scalar without the line breaks that end a block scalar.
pub(super) fn without_final_breaks(value: &str) -> &str {
    value.trim_end_matches(['\n', '\r'])
}
