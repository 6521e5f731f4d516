//! Findings: what a rule returns. `settle.rs` turns them into places.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::image_triggers::ImageTriggers;
use super::object::Object;
use super::path::{Path, Paths};
use super::place::{Class, Image, SkipReason, Writing};
use super::skip_annotation::OptOut;
use crate::diagnostic::{Diagnostic, Location};
use crate::text::yaml::{Document, NodeId};

/// One object of a document, with the nodes that the rules look at.
pub(super) struct Owner {
    pub(super) root: NodeId,
    pub(super) object: Rc<Object>,
    /// Its images may be patterns, and `validate` holds nothing else (Kyverno's policies).
    pub(super) has_patterns: bool,
    /// The images that its annotation leaves alone.
    pub(super) opt_out: OptOut,
    /// The containers whose images OpenShift fills in.
    pub(super) triggers: ImageTriggers,
    /// Every mapping of the object.
    pub(super) mappings: Vec<NodeId>,
    /// The object, and the objects inside it, as a template or a workflow has them.
    pub(super) objects: Vec<NodeId>,
    /// The texts that may contain an image.
    pub(super) texts: Vec<NodeId>,
}

/// An image that a rule found. How its text is changed depends on the document's other findings.
pub(super) struct Finding {
    pub(super) object: Rc<Object>,
    pub(super) container: Option<String>,
    pub(super) field: FieldAt,
    /// The node of the text: a scalar or an alias.
    pub(super) node: NodeId,
    /// The bytes of the node's text that are changed.
    pub(super) part: Range<usize>,
    pub(super) class: Class,
    pub(super) image: Image,
    /// The whole reference, if it is joined from several fields.
    pub(super) name: Option<String>,
    pub(super) writing: Writing,
    pub(super) left: Option<SkipReason>,
    /// The mapping that makes the text an image: an alias of this mapping, or of a node that
    /// contains it, is an image place as well.
    pub(super) holder: NodeId,
}

impl Finding {
    /// A finding for the whole text of a field.
    pub(super) fn of_field(owner: &Owner, node: NodeId, text: &str) -> Self {
        Self { part: 0..text.len(), ..Self::new(owner, node, Image::read(text)) }
    }

    /// A finding at a node, whose part of the text is still empty.
    pub(super) fn new(owner: &Owner, node: NodeId, image: Image) -> Self {
        Self {
            object: owner.object.clone(),
            container: None,
            field: FieldAt::Node { root: owner.root, node },
            node,
            part: 0..0,
            class: Class::Field,
            image,
            name: None,
            writing: Writing::Reference,
            left: None,
            holder: owner.root,
        }
    }
}

/// The field of a finding, from which its path is made.
#[derive(Clone, Copy)]
pub(super) enum FieldAt {
    /// The node itself, below the object's root.
    Node { root: NodeId, node: NodeId },
    /// A field of the `n`-th item of a list; the item may be written elsewhere.
    Item { root: NodeId, list: NodeId, n: usize, rest: &'static [&'static str] },
}

impl FieldAt {
    /// The root of the object.
    pub(super) fn root(self) -> NodeId {
        match self {
            Self::Node { root, .. } | Self::Item { root, .. } => root,
        }
    }

    /// The path from the object's root.
    pub(super) fn path(self, document: &Document<'_>, paths: &mut Paths) -> Path {
        match self {
            Self::Node { root, node } => paths.of(document, root, node),
            Self::Item { root, list, n, rest } => paths.of(document, root, list).item(n, rest),
        }
    }
}

/// A field of the configuration, and the parts of it that occur in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FieldSeen {
    /// Objects of its kind, without the field.
    Kind,
    /// The field.
    Path,
}

/// The result of one or more rules.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) images: Vec<Finding>,
    /// Lists, mappings and values that an image depends on, as written: an alias among them must
    /// have its anchor in the document.
    pub(super) passed: Vec<NodeId>,
    /// Values that are an image or a part of one. A value is found once, by the first rule that
    /// applies, although thousands of aliases and merge keys may lead to it.
    taken: HashSet<NodeId>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The fields of the configuration that occur in the input, by their numbers.
    pub(super) seen: BTreeMap<usize, FieldSeen>,
    /// Images that are empty.
    pub(super) empty: Vec<Location>,
}

impl Findings {
    /// Takes a value for an image; false if it is taken already.
    pub(super) fn take(&mut self, value: NodeId) -> bool {
        self.taken.insert(value)
    }

    /// True if a rule took a value for an image.
    pub(super) fn is_taken(&self, value: NodeId) -> bool {
        self.taken.contains(&value)
    }
}
