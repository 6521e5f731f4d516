//! Aliases: those through which images are reached, and those that change with one although they
//! are none, or are to stay as they are.

use std::collections::{BTreeMap, HashSet};

use super::walk::{Pending, Walk, is_tagged};
use super::{Image, SkipReason};
use crate::diagnostic::{Diagnostic, Failure, Location};
use crate::text::Span;
use crate::text::escape::quoted;
use crate::text::yaml::{Content, NodeId};

impl Walk<'_, '_> {
    pub(super) fn note_alias(&mut self, id: NodeId) {
        match self.document.node(id).content {
            Content::Alias(_) => {
                self.aliases.insert(id);
            }
            Content::UnknownAlias(_) => self.dangling(id),
            _ => {}
        }
    }

    /// Notes the alias that `id` is, and those that its merge keys take in.
    pub(super) fn note_aliases(&mut self, id: NodeId) {
        self.note_alias(id);
        for mapping in self.document.with_merged(id) {
            if !self.merges.insert(mapping) {
                continue;
            }
            for value in self.document.merge_values(mapping) {
                self.note_alias(value);
                for &item in self.document.items(value) {
                    self.note_alias(item);
                }
            }
        }
    }

    fn dangling(&mut self, id: NodeId) {
        let document = self.document;
        let span = document.node(id).span;
        let message = format!(
            "{} has no anchor in this document, and an image depends on it",
            quoted(self.source.slice(span))
        );
        self.diagnostics.push(
            Diagnostic::error(Failure::Input, message)
                .location(self.location(id))
                .help("write the value out; Helm 4 separates anchors from aliases when it takes a `List` apart"),
        );
    }

    /// Aliases that are to be left as they are, although what they stand for is changed.
    pub(super) fn contradictions(&self) -> Vec<Diagnostic> {
        let document = self.document;
        let changes = |place: &&Pending| place.left.is_none() && is_tagged(&place.image);
        let changed: HashSet<_> =
            self.places.iter().filter(changes).map(|place| document.target(place.node)).collect();
        let is_bound = |place: &&Pending| {
            let target = document.target(place.node);
            let is_left = place.left.is_some_and(|left| left != SkipReason::Candidate);
            is_left && target != place.node && changed.contains(&target) && is_tagged(&place.image)
        };
        let error = |place: &Pending| {
            let span = document.node(place.node).span;
            let message = format!(
                "{} is to be left as it is, but changes with the image that it is an alias of",
                quoted(self.source.slice(span))
            );
            Diagnostic::error(Failure::Input, message)
                .location(self.location(place.node))
                .help("write one of the two out")
        };
        self.places.iter().filter(is_bound).map(error).collect()
    }

    /// An alias without an anchor that no image depends on: the document goes through.
    pub(super) fn unknown_alias(&self) -> Option<Diagnostic> {
        let document = self.document;
        let is_unknown =
            |id: &NodeId| matches!(document.node(*id).content, Content::UnknownAlias(_));
        let id = document.ids().find(is_unknown)?;
        let span = document.node(id).span;
        let message = format!("{} has no anchor in this document", quoted(self.source.slice(span)));
        let (source, label) = (self.index, String::new());
        let location = if self.is_in_secret(id) {
            Location::Hidden { source, span, label }
        } else {
            Location::Source { source, span, label }
        };
        Some(
            Diagnostic::warning(message)
                .location(location)
                .note("note", "no image depends on it; it is written as it came"),
        )
    }

    /// Aliases whose value changes with an image although they are none themselves.
    pub(super) fn side_effects(&self) -> Vec<Diagnostic> {
        let document = self.document;
        let tagged: BTreeMap<Span, NodeId> = self
            .places
            .iter()
            .filter(|pending| {
                pending.left.is_none() && matches!(&pending.image, Image::Reference(_))
            })
            .filter_map(|pending| {
                let node = document.target(pending.node);
                Some((document.node(node).span, *self.scalars.get(&node)?))
            })
            .collect();
        let mut warnings = Vec::new();
        if tagged.is_empty() {
            return warnings;
        }
        for id in document.ids() {
            let Content::Alias(target) = document.node(id).content else {
                continue;
            };
            let anchored = document.node(target).span;
            let changed = tagged.range(Span::new(anchored.start, anchored.start)..).next();
            let Some((&scalar, &spec)) = changed else {
                continue;
            };
            // An alias of the whole pod spec, or of more, is a place wherever it stands.
            let whole = anchored.contains(document.node(spec).span);
            if !anchored.contains(scalar) || whole || self.aliases.contains(&id) {
                continue;
            }
            let span = document.node(id).span;
            let message = format!(
                "{} is no image, but changes with the image that it is an alias of",
                quoted(self.source.slice(span))
            );
            warnings.push(
                Diagnostic::warning(message)
                    .location(self.location(id))
                    .note(
                        "note",
                        format!("the image is on line {}", self.source.position(scalar.start).line),
                    )
                    .help("write one of the two out if they are not to change together"),
            );
        }
        warnings
    }
}
