//! The search for images in one document: the structural rule, and what aliases do to it.
//!
//! Aliases point backwards and their targets are walked where they stand, so nothing is expanded.
//! One node is one place, however many aliases and merges lead to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::path::Path;
use super::{Class, Found, Image, Object, Place, reference_text};
use crate::diagnostic::{Diagnostic, Failure, Spot, quoted};
use crate::source::{Source, Span};
use crate::splice::Site;
use crate::yaml::{Content, Document, NodeId, Style};

/// The keys whose lists hold containers (Kubernetes API, `PodSpec`).
const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Istio's injector replaces this image (istio, `inject.go`).
const ISTIO_AUTO: &str = "auto";

/// The search in one document.
pub(super) struct Walk<'d, 's> {
    source: &'d Source,
    index: usize,
    number: usize,
    document: &'d Document<'s>,
    /// Every scalar that stands at an image place itself, with the mapping that holds its list.
    scalars: HashMap<NodeId, NodeId>,
    /// Every alias through which an image was reached.
    aliases: HashSet<NodeId>,
    /// Every list of containers or volumes that was followed.
    lists: HashSet<NodeId>,
    /// Every mapping that gave its values of a field.
    fields: HashSet<(NodeId, &'static str)>,
    /// Every mapping whose merge keys were looked at.
    merges: HashSet<NodeId>,
    /// What is left alone, in the order of the text.
    left_alone: Vec<Span>,
    places: Vec<Pending>,
    diagnostics: Vec<Diagnostic>,
}

/// A place whose site depends on the other places of the document.
struct Pending {
    object: Rc<Object>,
    container: Option<String>,
    path: Path,
    /// The node at the place: a scalar or an alias.
    node: NodeId,
    image: Image,
}

/// A field of an item of a list of a pod spec.
struct Field<'p> {
    spec: NodeId,
    list: &'p Path,
    n: usize,
    rest: &'static str,
    item: NodeId,
}

/// Whose fields are searched.
struct Owner {
    root: NodeId,
    object: Rc<Object>,
    /// Whether texts may be patterns, and `validate` holds nothing else (Kyverno's policies).
    has_patterns: bool,
}

impl<'d, 's> Walk<'d, 's> {
    pub(super) fn new(
        source: &'d Source,
        index: usize,
        number: usize,
        document: &'d Document<'s>,
    ) -> Self {
        Self {
            source,
            index,
            number,
            document,
            scalars: HashMap::new(),
            aliases: HashSet::new(),
            lists: HashSet::new(),
            fields: HashSet::new(),
            merges: HashSet::new(),
            left_alone: Vec::new(),
            places: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Walks everything that belongs to one object, down to the items that are objects.
    pub(super) fn object(&mut self, root: NodeId, items: &[NodeId]) {
        let document = self.document;
        let object = Object::of(document, root);
        if is_left_alone(document, root, &object) {
            self.left_alone.push(document.node(root).span);
            return;
        }
        let has_patterns =
            object.group() == "kyverno.io" || object.group().ends_with(".kyverno.io");
        let owner = Owner { root, object: Rc::new(object), has_patterns };
        let items: HashSet<_> = items.iter().copied().collect();
        let mut open = vec![root];
        let mut followed = HashSet::new();
        while let Some(id) = open.pop() {
            match &document.node(id).content {
                Content::Sequence(children) => {
                    open.extend(children.iter().filter(|child| !items.contains(child)));
                }
                Content::Mapping { entries, .. } => {
                    self.pod_spec(&owner, id);
                    for &(key, value) in entries {
                        let key = document.string(key).unwrap_or_default();
                        if key == "status" && id == root || key == "validate" && has_patterns {
                            self.left_alone.push(document.node(value).span);
                        } else {
                            open.push(value);
                        }
                    }
                }
                // What an alias stands for is walked where it stands, unless that is left alone.
                Content::Alias(target) if self.is_left_alone(*target) => {
                    open.extend(followed.insert(*target).then_some(*target));
                }
                _ => {}
            }
        }
    }

    fn is_left_alone(&self, id: NodeId) -> bool {
        let span = self.document.node(id).span;
        self.left_alone.iter().any(|left| left.contains(span))
    }

    /// Applies the structural rule to one mapping.
    fn pod_spec(&mut self, owner: &Owner, spec: NodeId) {
        let document = self.document;
        let is_list =
            |id: NodeId| matches!(document.node(document.target(id)).content, Content::Sequence(_));
        let mut is_pod_spec = false;
        // Lists that are merged in are found where they stand, in a mapping of their own.
        for &(name, list) in document.entries(spec) {
            if !document.string(name).is_some_and(|key| CONTAINER_LISTS.contains(&key)) {
                continue;
            }
            is_pod_spec |= is_list(list);
            let path = Path::of(document, owner.root, list);
            for (n, &item) in self.follow(list).iter().enumerate() {
                let field = Field { spec, list: &path, n, rest: "image", item };
                for image in self.field(item, "image") {
                    self.image(owner, &field, image);
                }
            }
        }
        let merges_one = || {
            document.with_merged(spec).nth(1).is_some()
                && CONTAINER_LISTS.iter().any(|key| document.value(spec, key).is_some_and(is_list))
        };
        if is_pod_spec || merges_one() {
            self.image_volumes(owner, spec);
        }
    }

    /// Images that a pod mounts (Kubernetes API, `ImageVolumeSource`).
    fn image_volumes(&mut self, owner: &Owner, spec: NodeId) {
        for volumes in self.document.values(spec, "volumes") {
            let path = Path::of(self.document, owner.root, volumes);
            for (n, &item) in self.follow(volumes).iter().enumerate() {
                let field = Field { spec, list: &path, n, rest: "image.reference", item };
                for image in self.field(item, "image") {
                    for reference in self.field(image, "reference") {
                        self.image(owner, &field, reference);
                    }
                }
            }
        }
    }

    /// The items of a list, once: a list that was reached before, through another alias, has given
    /// its places then.
    fn follow(&mut self, list: NodeId) -> &'d [NodeId] {
        self.note_alias(list);
        let first = self.lists.insert(self.document.target(list));
        if first { self.document.items(list) } else { &[] }
    }

    /// The values of a field, once for each mapping that has it: thousands of aliases and merges of
    /// one mapping are one place.
    fn field(
        &mut self,
        mapping: NodeId,
        key: &'static str,
    ) -> impl Iterator<Item = NodeId> + use<'d, 's> {
        self.note_aliases(mapping);
        let document = self.document;
        let holder = document.holder(mapping, key);
        let first = holder.filter(|&holder| self.fields.insert((holder, key)));
        first.into_iter().flat_map(move |holder| document.values(holder, key))
    }

    fn note_alias(&mut self, id: NodeId) {
        match self.document.node(id).content {
            Content::Alias(_) => {
                self.aliases.insert(id);
            }
            Content::UnknownAlias(_) => self.dangling(id),
            _ => {}
        }
    }

    /// Notes the alias that `id` is, and those that its merge keys take in.
    fn note_aliases(&mut self, id: NodeId) {
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

    /// A node that is no place, with its path from the document's root.
    fn spot(&self, id: NodeId) -> Spot {
        let document = self.document;
        let root = document.root().expect("a document with nodes has a root");
        let label = format!("{}, {}", Object::of(document, root), Path::of(document, root, id));
        Spot::Source { source: self.index, span: document.node(id).span, label }
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
                .spot(self.spot(id))
                .help("write the value out; Helm 4 separates anchors from aliases when it takes a `List` apart"),
        );
    }

    fn image(&mut self, owner: &Owner, field: &Field<'_>, node: NodeId) {
        let document = self.document;
        self.note_alias(node);
        let Some(value) = self.value(node) else { return };
        let text = reference_text(value);
        if text.is_empty() || owner.has_patterns && is_pattern(text) {
            return;
        }
        let image = if text == ISTIO_AUTO && asks_for_injection(document, field.spec) {
            Image::Placeholder
        } else {
            Image::read(text)
        };
        if document.target(node) == node {
            self.scalars.entry(node).or_insert(field.spec);
        }
        self.places.push(Pending {
            object: owner.object.clone(),
            container: document.string_at(field.item, &["name"]).map(str::to_owned),
            path: field.list.item(field.n, field.rest),
            node,
            image,
        });
    }

    /// The text that stands at an image place; none where it is no string, and so no image. A
    /// template without quotes, `{{ … }}`, is a mapping to YAML, but a text to those who wrote it.
    fn value(&self, node: NodeId) -> Option<&'d str> {
        let document = self.document;
        let raw = || self.source.slice(document.node(document.target(node)).span);
        let is_template = || !document.entries(node).is_empty() && raw().starts_with("{{");
        document.string(node).or_else(|| is_template().then(raw))
    }

    /// Settles where each place is edited, and warns where an edit changes what is no image.
    pub(super) fn finish(mut self, found: &mut Found) {
        self.diagnostics.extend(self.side_effects());
        if self.diagnostics.iter().all(|diagnostic| diagnostic.failure().is_none()) {
            self.diagnostics.extend(self.unknown_alias());
        }
        found.diagnostics.append(&mut self.diagnostics);
        let first = found.places.len();
        for pending in std::mem::take(&mut self.places) {
            let Some(value) = self.value(pending.node) else { continue };
            found.places.push(Place {
                site: self.site(pending.node, reference_text(value)),
                value: value.to_owned(),
                source: self.index,
                document: self.number,
                object: pending.object,
                container: pending.container,
                path: pending.path,
                class: Class::Pod,
                image: pending.image,
            });
        }
        found.places[first..].sort_by_key(|place| place.site.text());
    }

    /// Where the text of a place is changed: at its scalar, also behind an alias, unless that
    /// scalar is no image itself.
    fn site(&self, node: NodeId, text: &str) -> Site {
        let document = self.document;
        let target = document.target(node);
        if target != node && !self.scalars.contains_key(&target) {
            return Site::of_alias(document.span(), document.node(node).span);
        }
        let span = document.node(target).span;
        let style = match document.node(target).content {
            Content::Scalar { style, .. } => style,
            _ => Style::Plain,
        };
        Site::of_scalar(self.source, document.span(), span, style, text)
    }

    /// An alias without an anchor that no image depends on: the document goes through.
    fn unknown_alias(&self) -> Option<Diagnostic> {
        let document = self.document;
        let is_unknown =
            |id: &NodeId| matches!(document.node(*id).content, Content::UnknownAlias(_));
        let span = document.node(document.ids().find(is_unknown)?).span;
        let message = format!("{} has no anchor in this document", quoted(self.source.slice(span)));
        Some(
            Diagnostic::warning(message)
                .spot(Spot::Source { source: self.index, span, label: String::new() })
                .note("note", "no image depends on it; it is written as it came"),
        )
    }

    /// Aliases whose value changes with an image although they are none themselves.
    fn side_effects(&self) -> Vec<Diagnostic> {
        let document = self.document;
        let tagged: BTreeMap<Span, NodeId> = self
            .places
            .iter()
            .filter(|pending| matches!(&pending.image, Image::Reference(_)))
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
                    .spot(self.spot(id))
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

/// Objects that no cluster runs images of, or that describe rather than hold them.
fn is_left_alone(document: &Document<'_>, root: NodeId, object: &Object) -> bool {
    const LOCAL_CONFIG: [&str; 3] =
        ["metadata", "annotations", "config.kubernetes.io/local-config"];
    let group = object.group();
    object.kind == "CustomResourceDefinition"
        || group == "kpt.dev"
        || group.ends_with(".kpt.dev")
        || document.string_at(root, &LOCAL_CONFIG) == Some("true")
}

/// Whether the pod that has this spec asks Istio to put a proxy in.
fn asks_for_injection(document: &Document<'_>, spec: NodeId) -> bool {
    let Some(pod) = document.node(spec).parent else {
        return false;
    };
    ["labels", "annotations"].iter().any(|holder| {
        document.string_at(pod, &["metadata", holder, "sidecar.istio.io/inject"]) == Some("true")
            || document.string_at(pod, &["metadata", holder, "inject.istio.io/templates"]).is_some()
    })
}

/// A pattern of a Kyverno policy (kyverno, "Operators" and "Wildcards").
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '!', '|', '&', '<', '>'])
}
