//! Places: which nodes of the input are images.
//!
//! The structural rule (class `pod`) finds containers in any kind at any depth: every item of a
//! list called `containers`, `initContainers` or `ephemeralContainers` that is a mapping with a
//! string `image`, and `image.reference` of the volumes beside such a list. The table of fields
//! (`field`, `parts`) knows custom resources. All other texts that look like images are candidates:
//! they are reported, and pinned where their class is asked for.
//!
//! Left out on purpose: `.status`, kpt's own kinds and local configuration, and the patterns of
//! Kyverno policies. Of custom resource definitions, the defaults are candidates that are never
//! pinned.

mod aliases;
mod candidates;
mod field_rules;
pub mod fields;
mod image_like;
mod object;
mod opt_out;
mod path;
mod pull_secrets;
mod walk;

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::rc::Rc;

use clap::ValueEnum;
use serde::Deserialize;

use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, Failure, Location};
use crate::image::{ParseError, Written};
use crate::text::escape::{quoted, shortened};
use crate::text::splice::Site;
use crate::text::yaml::{Content, Document, Node, NodeId};
use crate::text::{Source, Span};

pub use object::{File, Object};
pub use path::Path;

use walk::Walk;

/// What Helm 4 puts on each object that a post-renderer gets (helm, `pkg/action/action.go`).
const HELM_4_MARK: [&str; 3] =
    ["metadata", "annotations", "postrenderer.helm.sh/postrender-filename"];

/// Which rule found a place.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Containers and image volumes.
    Pod,
    /// Fields of custom resources, by the table or a configuration.
    Field,
    /// A reference in several fields, by the table.
    Parts,
    /// Candidates in environment variables.
    Env,
    /// Candidates in arguments and commands.
    Args,
    /// Candidates in texts of `ConfigMap`s, and of `Secret`s that are written as text.
    Config,
    /// Candidates in annotations and labels.
    Annotations,
    /// Candidates in other fields of custom resources.
    Other,
    /// Candidates in the defaults of custom resource definitions; never pinned.
    Schema,
}

impl Class {
    /// One word for it, as reports write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Field => "field",
            Self::Parts => "parts",
            Self::Env => "env",
            Self::Args => "args",
            Self::Config => "config",
            Self::Annotations => "annotations",
            Self::Other => "other",
            Self::Schema => "schema",
        }
    }
}

/// Classes of candidates that can be pinned.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Include {
    /// Environment variables.
    Env,
    /// Arguments and commands.
    Args,
    /// Texts of config maps, and of secrets that are written as text.
    Config,
    /// Annotations and labels.
    Annotations,
    /// Fields of custom resources that digestif does not know.
    Other,
}

impl Include {
    /// The class itself.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Env => Class::Env,
            Self::Args => Class::Args,
            Self::Config => Class::Config,
            Self::Annotations => Class::Annotations,
            Self::Other => Class::Other,
        }
    }
}

/// Which places there are beside those that are built in, and which candidates are pinned.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Fields of the user's own.
    pub fields: Vec<fields::Field>,
    /// Classes of candidates that are pinned as all else.
    pub include: BTreeSet<Class>,
}

impl Scope {
    /// This one and another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.fields.extend(other.fields);
        self.include.extend(other.include);
        self
    }
}

/// Why a place is left alone although its image is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The annotation `digestif.dev/skip` of its object says so.
    Annotation,
    /// The comment `# digestif: skip` on its line says so.
    Comment,
    /// The configuration names the field with `pin: false`.
    Configured,
    /// It only looks like an image, and nobody asked for its class.
    Candidate,
    /// Its operator could not read a pinned one, for this reason.
    Operator(&'static str),
}

/// What is written at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// The reference.
    Reference,
    /// The reference, with its tag however pins are written.
    Tagged,
    /// The reference, without its tag however pins are written.
    Untagged,
    /// The tag alone, with the digest behind it.
    Tag,
    /// The digest alone.
    Digest,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// A reference.
    Reference(Written),
    /// A text that something else will replace before a cluster sees it.
    Placeholder,
    /// Neither.
    Invalid(ParseError),
}

impl Image {
    /// What a text says, wherever it stands.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if is_placeholder(text) {
            return Self::Placeholder;
        }
        text.parse().map_or_else(Self::Invalid, Self::Reference)
    }
}

/// Text that a later step fills in: variables of shells, OpenShift, Tekton and kustomize, templates,
/// words in angle brackets, ko's import paths.
fn is_placeholder(text: &str) -> bool {
    let variable = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '(');
    let angle = text.split_once('<').is_some_and(|(_, rest)| rest.contains('>'));
    text.starts_with("ko://")
        || text.contains("{{")
        || text.split('$').skip(1).any(|rest| rest.starts_with(variable))
        || angle
}

/// One image place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its index in [`Found::places`].
    pub index: usize,
    /// Index of the source in the run's input.
    pub source: usize,
    /// Number of the document in its source, from 1.
    pub document: usize,
    /// The object it belongs to.
    pub object: Rc<Object>,
    /// The container's name, where it has one.
    pub container: Option<String>,
    /// The field, from the object's root: `spec.template.spec.containers[0].image`.
    pub path: Path,
    /// The rule that found it.
    pub class: Class,
    /// Where it stands in the source.
    pub site: Site,
    /// The whole decoded scalar.
    pub value: Rc<str>,
    /// The bytes of the scalar that are changed.
    pub part: Range<usize>,
    /// What it says.
    pub image: Image,
    /// The reference, where several fields make it.
    pub name: Option<String>,
    /// What is written there.
    pub writing: Writing,
    /// Why it is left alone, if it is.
    pub left: Option<SkipReason>,
}

impl Place {
    /// The reference as it is written; put together where several fields make it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.value[self.part.clone()])
    }

    /// Whether it only looks like an image, and stays as it is.
    #[must_use]
    pub fn is_candidate(&self) -> bool {
        self.left == Some(SkipReason::Candidate)
    }

    /// Object, container and field, for messages.
    #[must_use]
    pub fn label(&self) -> String {
        let path = self.path.to_string();
        let path = shortened(&path);
        match &self.container {
            Some(name) => format!("{}, container {}, {path}", self.object, quoted(name)),
            None => format!("{}, {path}", self.object),
        }
    }
}

impl From<&Place> for Location {
    fn from(place: &Place) -> Self {
        let (source, span, label) = (place.source, place.site.text(), place.label());
        if place.object.kind == "Secret" {
            Self::Hidden { source, span, label }
        } else {
            Self::Source { source, span, label }
        }
    }
}

/// What was found in the input.
#[derive(Debug)]
pub struct Found {
    /// The places, in the order of the input.
    pub places: Vec<Place>,
    /// How many Kubernetes objects there are: mappings with a `kind`, items of lists included.
    pub objects: usize,
    /// What is wrong or worth knowing.
    pub diagnostics: Vec<Diagnostic>,
    /// Logins for registries, in the order of the input.
    pub pull_secrets: Vec<PullSecret>,
    /// Whether everything could be read.
    pub complete: bool,
    /// Whether an object carries the mark by which Helm 4 takes a post-renderer's output apart.
    pub is_from_helm_4: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            objects: 0,
            diagnostics: Vec::new(),
            pull_secrets: Vec::new(),
            complete: true,
            is_from_helm_4: false,
        }
    }
}

impl Found {
    /// Reads a source and adds what is found in it.
    pub fn read(&mut self, source: &Source, index: usize, scope: &Scope) {
        for (n, document) in crate::text::yaml::documents(source, index).enumerate() {
            match document {
                Ok(document) => self.read_document(source, index, n + 1, &document, scope),
                Err(diagnostic) => {
                    self.complete = false;
                    self.diagnostics.push(diagnostic);
                }
            }
        }
    }

    fn read_document(
        &mut self,
        source: &Source,
        index: usize,
        number: usize,
        document: &Document<'_>,
        scope: &Scope,
    ) {
        let Some(root) = document.root() else { return };
        let node = document.node(root);
        if !matches!(node.content, Content::Mapping { .. }) {
            self.no_object(source, index, number, node);
            return;
        }
        let mut walk = Walk::new(source, index, number, document, scope);
        let mut roots = vec![root];
        let mut seen = HashSet::new();
        while let Some(root) = roots.pop() {
            if !seen.insert(root) {
                continue;
            }
            let is_framing = document.string_at(root, &["kind"]) == Some("ResourceList");
            let items = list_items(document, root);
            roots.extend(items.iter().rev().map(|&item| document.target(item)));
            if is_object(document, root) && items.is_empty() {
                self.objects += 1;
            }
            self.is_from_helm_4 |= document.string_at(root, &HELM_4_MARK).is_some();
            match pull_secrets::pull_secret(document, root) {
                Some(Ok(secret)) => self.pull_secrets.push(secret),
                Some(Err(node)) => {
                    self.diagnostics.push(pull_secrets::unreadable(source, document, node));
                }
                None => {}
            }
            // What a function's input has beside its items belongs to the function.
            if !is_framing {
                walk.object(root, &items);
            }
        }
        walk.finish(self);
    }

    /// A document that is no object. In a file, a list may be a patch for kustomize, as it lies
    /// beside the manifests; on stdin, and as plain text, it is a sign that something failed.
    fn no_object(&mut self, source: &Source, index: usize, number: usize, node: &Node<'_>) {
        let span = Span::new(node.span.start, node.span.end.min(node.span.start + 1));
        let what = describe(&node.content);
        let note = format!("document {number} is {what}, not a mapping with `kind`");
        let is_patch =
            source.origin().path().is_some() && matches!(node.content, Content::Sequence(_));
        let diagnostic = if is_patch {
            Diagnostic::warning("a document that is no Kubernetes object is left alone".to_owned())
        } else {
            self.complete = false;
            let message = "the input holds no Kubernetes object".to_owned();
            Diagnostic::error(Failure::Input, message).help(
                "look at what renders it: an error message or a web page may have come instead",
            )
        };
        let location = Location::Source { source: index, span, label: String::new() };
        self.diagnostics.push(diagnostic.location(location).note("note", note));
    }
}

fn describe(content: &Content<'_>) -> &'static str {
    match content {
        Content::Sequence(_) => "a list",
        Content::Mapping { .. } => "a mapping",
        Content::Scalar { .. } => "a text",
        Content::Alias(_) | Content::UnknownAlias(_) => "an alias",
    }
}

/// Whether a mapping is an object of its own: it has a kind, and is no list that holds nothing (as
/// `kubectl get` prints it), which is as good as an empty input. A function's empty list is not.
fn is_object(document: &Document<'_>, root: NodeId) -> bool {
    let Some(kind) = document.string_at(root, &["kind"]) else { return false };
    let items = document.value(root, "items").map(|items| document.target(items));
    let is_empty = items.is_some_and(|items| {
        matches!(&document.node(items).content, Content::Sequence(items) if items.is_empty())
    });
    !(is_empty && kind.ends_with("List") && kind != "ResourceList")
}

/// The objects of a `List`, of any kind of list, and of an OpenShift template.
fn list_items(document: &Document<'_>, root: NodeId) -> Vec<NodeId> {
    let key = match document.string_at(root, &["kind"]) {
        Some("Template") => "objects",
        Some(kind) if kind.ends_with("List") => "items",
        _ => return Vec::new(),
    };
    document.value(root, key).map_or(Vec::new(), |items| document.items(items).to_vec())
}

/// A block scalar ends with line breaks, which are not a part of the reference.
fn reference_text(value: &str) -> &str {
    value.trim_end_matches(['\n', '\r'])
}
