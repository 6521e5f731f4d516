//! Places: which nodes of the input are images.
//!
//! The structural rule (class `pod`) finds containers in any kind at any depth: every item of a
//! list called `containers`, `initContainers` or `ephemeralContainers` that is a mapping with a
//! string `image`, and `image.reference` of the volumes beside such a list. Further classes get
//! their own rules here and share everything below them.
//!
//! Left out on purpose: schemas in custom resource definitions, `.status`, kpt's own kinds and
//! local configuration, and the patterns of Kyverno policies. Untagged images in the plans of
//! system-upgrade-controller are not containers and so are no places either.

mod path;
mod secrets;
mod walk;

use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Failure, Spot, escaped, quoted, shortened};
use crate::image::{ParseError, Written};
use crate::registry::PullSecret;
use crate::source::{Source, Span};
use crate::splice::Site;
use crate::yaml::{Content, Document, Node, NodeId};

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
}

/// The Kubernetes object that a place is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace, where one is written.
    pub namespace: Option<String>,
    /// The name, or the prefix of a generated one.
    pub name: String,
    /// The file that a function's host took it from.
    pub file: Option<File>,
}

/// The file that a function's host took an object from, by the object's annotations.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct File {
    /// Its path in the package.
    pub path: String,
    /// Which of the file's objects it is, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

impl Object {
    fn of(document: &Document<'_>, root: NodeId) -> Self {
        let text = |path: &[&str]| document.string_at(root, path).map(str::to_owned);
        // The second is how functions knew it at first (KRM functions specification v1alpha1).
        let of_file = |name: &str| {
            ["internal.config.kubernetes.io", "config.kubernetes.io"]
                .iter()
                .find_map(|group| text(&["metadata", "annotations", &format!("{group}/{name}")]))
        };
        let index = || of_file("index").and_then(|index| index.parse().ok());
        Self {
            file: of_file("path").map(|path| File { path, index: index() }),
            api_version: text(&["apiVersion"]).unwrap_or_default(),
            kind: text(&["kind"]).unwrap_or_default(),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"])
                .or_else(|| text(&["metadata", "generateName"]))
                .unwrap_or_default(),
        }
    }

    fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

impl fmt::Display for Object {
    /// `Job capsule-system/capsule-crds`, [`escaped`], as the texts come from the input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| escaped(&shortened(text));
        let (kind, name) = (shown(&self.kind), shown(&self.name));
        f.write_str(if kind.is_empty() { "object" } else { &kind })?;
        match &self.namespace {
            Some(namespace) => write!(f, " {}/{name}", shown(namespace)),
            None if name.is_empty() => Ok(()),
            None => write!(f, " {name}"),
        }
    }
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
    /// The whole decoded scalar; what is parsed is this without the line breaks at its end.
    pub value: String,
    /// What it says.
    pub image: Image,
}

impl Place {
    /// The text that was parsed: the scalar without the line breaks that end a block.
    #[must_use]
    pub fn text(&self) -> &str {
        reference_text(&self.value)
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
    pub fn read(&mut self, source: &Source, index: usize) {
        for (n, document) in crate::yaml::documents(source, index).enumerate() {
            match document {
                Ok(document) => self.read_document(source, index, n + 1, &document),
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
    ) {
        let Some(root) = document.root() else { return };
        let node = document.node(root);
        if !matches!(node.content, Content::Mapping { .. }) {
            self.no_object(source, index, number, node);
            return;
        }
        let mut walk = Walk::new(source, index, number, document);
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
            match secrets::pull_secret(document, root) {
                Some(Ok(secret)) => self.pull_secrets.push(secret),
                Some(Err(node)) => {
                    self.diagnostics.push(secrets::unreadable(source, document, node));
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
        let spot = Spot::Source { source: index, span, label: String::new() };
        self.diagnostics.push(diagnostic.spot(spot).note("note", note));
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

/// The objects of a `List`, or of any kind of list.
fn list_items(document: &Document<'_>, root: NodeId) -> Vec<NodeId> {
    let is_list = document.string_at(root, &["kind"]).is_some_and(|kind| kind.ends_with("List"));
    match document.value(root, "items") {
        Some(items) if is_list => document.items(items).to_vec(),
        _ => Vec::new(),
    }
}

/// A block scalar ends with line breaks, which are not a part of the reference.
fn reference_text(value: &str) -> &str {
    value.trim_end_matches(['\n', '\r'])
}
