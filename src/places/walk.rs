//! The search for images in one document: the structural rule. Fields of custom resources are looked up
//! in `field_rules.rs`, `candidates.rs` looks at all other texts, `aliases.rs` at what changes with an image,
//! and `opt_out.rs` at what is to be left.
//!
//! Aliases point backwards and their targets are walked where they stand, so nothing is expanded.
//! One node is one place, however many aliases and merges lead to it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::opt_out::{OptOut, skip_comments};
use super::path::{Path, Paths};
use super::{Class, Found, Image, Object, Place, Scope, SkipReason, Writing, reference_text};
use crate::diagnostic::{Diagnostic, Location};
use crate::image::Reference;
use crate::text::splice::Site;
use crate::text::yaml::{Content, Document, NodeId, Style};
use crate::text::{Source, Span};

/// The keys whose lists hold containers (Kubernetes API, `PodSpec`).
pub(super) const CONTAINER_LISTS: [&str; 3] =
    ["containers", "initContainers", "ephemeralContainers"];

/// Istio's injector replaces this image (istio, `inject.go`).
const ISTIO_AUTO: &str = "auto";

/// The search in one document.
pub(super) struct Walk<'d, 's> {
    pub(super) source: &'d Source,
    pub(super) index: usize,
    number: usize,
    pub(super) document: &'d Document<'s>,
    pub(super) scope: &'d Scope,
    pub(super) paths: Paths,
    /// Every scalar that is changed as an image, with the mapping that holds its list.
    pub(super) scalars: HashMap<NodeId, NodeId>,
    /// Every alias through which an image was reached.
    pub(super) aliases: HashSet<NodeId>,
    /// Every list of containers or volumes that was followed.
    lists: HashSet<NodeId>,
    /// Every value that was taken for an image's.
    values: HashSet<NodeId>,
    /// Every value that a configuration wants to be left alone.
    pub(super) configured: HashSet<NodeId>,
    /// Every mapping whose merge keys were looked at.
    pub(super) merges: HashSet<NodeId>,
    /// What is left alone, in the order of the text.
    left_alone: Vec<Span>,
    pub(super) places: Vec<Pending>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A place whose site depends on the other places of the document.
pub(super) struct Pending {
    pub(super) object: Rc<Object>,
    pub(super) container: Option<String>,
    pub(super) path: Path,
    /// The node at the place: a scalar or an alias.
    pub(super) node: NodeId,
    /// Which bytes of the node's text are changed.
    pub(super) part: Range<usize>,
    pub(super) class: Class,
    pub(super) image: Image,
    pub(super) name: Option<String>,
    pub(super) writing: Writing,
    pub(super) left: Option<SkipReason>,
}

/// A field of an item of a list of a pod spec.
struct Field<'p> {
    spec: NodeId,
    list: &'p Path,
    n: usize,
    rest: &'static [&'static str],
    item: NodeId,
}

/// Whose fields are searched.
pub(super) struct Owner {
    pub(super) root: NodeId,
    pub(super) object: Rc<Object>,
    /// Whether texts may be patterns, and `validate` holds nothing else (Kyverno's policies).
    pub(super) has_patterns: bool,
    /// What the object says about being left alone.
    pub(super) opt_out: OptOut,
}

impl<'d, 's> Walk<'d, 's> {
    pub(super) fn new(
        source: &'d Source,
        index: usize,
        number: usize,
        document: &'d Document<'s>,
        scope: &'d Scope,
    ) -> Self {
        Self {
            source,
            index,
            number,
            document,
            scope,
            paths: Paths::default(),
            scalars: HashMap::new(),
            aliases: HashSet::new(),
            lists: HashSet::new(),
            values: HashSet::new(),
            configured: HashSet::new(),
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
        let opt_out = OptOut::of(document, root);
        let owner = Owner { root, object: Rc::new(object), has_patterns, opt_out };
        if owner.object.kind == "CustomResourceDefinition" {
            self.left_alone.push(document.node(root).span);
            self.schema(&owner);
            return;
        }
        if is_kustomization(self.source, &owner) {
            self.kustomization(&owner);
        }
        let items: HashSet<_> = items.iter().copied().collect();
        let mut open = vec![root];
        let mut followed = HashSet::new();
        // Objects in the object, as a template or a workflow holds them, and the texts.
        let (mut objects, mut texts) = (Vec::new(), Vec::new());
        while let Some(id) = open.pop() {
            match &document.node(id).content {
                Content::Sequence(children) => {
                    open.extend(children.iter().filter(|child| !items.contains(child)));
                }
                Content::Mapping { entries, .. } => {
                    self.pod_spec(&owner, id);
                    let mut has_version = false;
                    for &(key, value) in entries {
                        let key = document.string(key).unwrap_or_default();
                        has_version |= key == "apiVersion";
                        if key == "status" && id == root || key == "validate" && has_patterns {
                            self.left_alone.push(document.node(value).span);
                        } else {
                            open.push(value);
                        }
                    }
                    objects.extend((has_version || id == root).then_some(id));
                }
                Content::Scalar { text, string: true, .. } => {
                    let is_text = may_be_image(text) || self.key(id) == Some("image");
                    texts.extend(is_text.then_some(id));
                }
                // What an alias stands for is walked where it stands, unless that is left alone.
                Content::Alias(target) if self.is_left_alone(*target) => {
                    open.extend(followed.insert(*target).then_some(*target));
                }
                _ => {}
            }
        }
        let left = objects.iter().flat_map(|&object| self.listed(&owner, object)).collect();
        self.candidates(&owner, texts, &left);
    }

    /// The key that a node is the value of.
    pub(super) fn key(&self, id: NodeId) -> Option<&'d str> {
        let document = self.document;
        let node = document.node(id);
        let &(key, _) = document.entries(node.parent?).get(node.position)?;
        document.string(key)
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
            let path = self.paths.of(document, owner.root, list);
            for (n, &item) in self.follow(list).iter().enumerate() {
                let field = Field { spec, list: &path, n, rest: &["image"], item };
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
            let path = self.paths.of(self.document, owner.root, volumes);
            for (n, &item) in self.follow(volumes).iter().enumerate() {
                let field = Field { spec, list: &path, n, rest: &["image", "reference"], item };
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

    /// The values of a field, each once: thousands of aliases and merges of one mapping are one place.
    fn field(&mut self, mapping: NodeId, key: &str) -> Vec<NodeId> {
        self.note_aliases(mapping);
        let values = self.document.values(mapping, key);
        values.filter(|&value| self.values.insert(value)).collect()
    }

    /// Whether a value was not taken for an image's before.
    pub(super) fn is_new(&mut self, value: NodeId) -> bool {
        self.values.insert(value)
    }

    /// A node that is no place, with its path from the document's root.
    pub(super) fn location(&self, id: NodeId) -> Location {
        let document = self.document;
        let root = document.root().expect("a document with nodes has a root");
        let path = Paths::default().of(document, root, id);
        let label = format!("{}, {path}", Object::of(document, root));
        let (source, span) = (self.index, document.node(id).span);
        if self.is_in_secret(id) {
            Location::Hidden { source, span, label }
        } else {
            Location::Source { source, span, label }
        }
    }

    pub(super) fn is_in_secret(&self, id: NodeId) -> bool {
        let document = self.document;
        let holders = std::iter::successors(Some(id), |&id| document.node(id).parent);
        holders.into_iter().any(|id| document.string_at(id, &["kind"]) == Some("Secret"))
    }

    fn image(&mut self, owner: &Owner, field: &Field<'_>, node: NodeId) {
        let document = self.document;
        self.note_alias(node);
        let Some(value) = self.value(node) else { return };
        let text = reference_text(value);
        // OpenShift fills in what is blank, by the triggers of a DeploymentConfig.
        if text.trim().is_empty() || owner.has_patterns && is_pattern(text) {
            return;
        }
        let image = if text == ISTIO_AUTO && asks_for_injection(document, field.spec) {
            Image::Placeholder
        } else {
            Image::read(text)
        };
        let container = document.string_at(field.item, &["name"]).map(str::to_owned);
        let opted_out = owner.opt_out.takes(container.as_deref());
        let pending = Pending {
            object: owner.object.clone(),
            container,
            path: field.list.item(field.n, field.rest),
            node,
            part: 0..text.len(),
            class: Class::Pod,
            image,
            name: None,
            writing: Writing::Reference,
            left: opted_out.then_some(SkipReason::Annotation),
        };
        self.place(pending, field.spec);
    }

    /// Adds a place. An alias of `holder`, or of what holds it, is a place wherever it stands.
    pub(super) fn place(&mut self, pending: Pending, holder: NodeId) {
        let node = pending.node;
        if self.document.target(node) == node && pending.left.is_none() {
            self.scalars.entry(node).or_insert(holder);
        }
        self.places.push(pending);
    }

    /// The text that stands at an image place; none where it is no string, and so no image. A
    /// template without quotes, `{{ … }}`, is a mapping to YAML, but a text to those who wrote it.
    pub(super) fn value(&self, node: NodeId) -> Option<&'d str> {
        let document = self.document;
        let raw = || self.source.slice(document.node(document.target(node)).span);
        let is_template = || !document.entries(node).is_empty() && raw().starts_with("{{");
        document.string(node).or_else(|| is_template().then(raw))
    }

    /// Settles where each place is edited, and warns where an edit changes what is no image.
    pub(super) fn finish(mut self, found: &mut Found) {
        let comments = skip_comments(self.source, self.document.span());
        self.leave_configured();
        self.leave_commented(&comments);
        self.keep_tags();
        self.diagnostics.extend(self.contradictions());
        self.diagnostics.extend(self.side_effects());
        if self.diagnostics.iter().all(|diagnostic| diagnostic.failure().is_none()) {
            self.diagnostics.extend(self.unknown_alias());
        }
        found.diagnostics.append(&mut self.diagnostics);
        let first = found.places.len();
        let places = std::mem::take(&mut self.places);
        for places in places.chunk_by(|one, next| one.node == next.node) {
            let Some(value) = self.value(places[0].node) else { continue };
            let value: Rc<str> = value.into();
            for (pending, site) in places.iter().zip(self.sites(places, &value)) {
                let asks_to_be_left = || {
                    let behind = comments.partition_point(|line| line.start <= site.text().start);
                    comments[..behind].last().is_some_and(|line| line.contains(site.text()))
                };
                // Whoever says so of a place knows better than the table.
                let left = match pending.left {
                    None | Some(SkipReason::Operator(_)) if asks_to_be_left() => {
                        Some(SkipReason::Comment)
                    }
                    left => left,
                };
                found.places.push(Place {
                    index: 0,
                    site,
                    value: value.clone(),
                    part: pending.part.clone(),
                    source: self.index,
                    document: self.number,
                    object: pending.object.clone(),
                    container: pending.container.clone(),
                    path: pending.path.clone(),
                    class: pending.class,
                    image: pending.image.clone(),
                    name: pending.name.clone(),
                    writing: pending.writing,
                    left,
                });
            }
        }
        found.places[first..].sort_by_key(|place| place.site.text());
        for (index, place) in found.places.iter_mut().enumerate().skip(first) {
            place.index = index;
        }
    }

    /// Keeps the tag of a scalar at every place that it is reached at, where one of them needs it.
    fn keep_tags(&mut self) {
        let document = self.document;
        let needs = |place: &&Pending| place.writing == Writing::Tagged;
        let tagged: HashSet<_> =
            self.places.iter().filter(needs).map(|place| document.target(place.node)).collect();
        for place in &mut self.places {
            if place.writing == Writing::Reference && tagged.contains(&document.target(place.node))
            {
                place.writing = Writing::Tagged;
            }
        }
    }

    /// Where the texts of one node's places are changed: at its scalar, also behind an alias, unless
    /// that scalar is no image itself or only a part of one.
    fn sites(&self, places: &[Pending], value: &str) -> Vec<Site> {
        let document = self.document;
        let node = places[0].node;
        let target = document.target(node);
        // One tag may stand beside several repositories.
        let is_part = places[0].name.is_some();
        if target != node && (is_part || !self.scalars.contains_key(&target)) {
            let site = Site::of_alias(document.span(), document.node(node).span);
            return vec![site; places.len()];
        }
        let span = document.node(target).span;
        let style = match document.node(target).content {
            Content::Scalar { style, .. } => style,
            _ => Style::Plain,
        };
        let text = reference_text(value);
        match places {
            [place] if place.part == (0..text.len()) => {
                vec![Site::of_scalar(self.source, document.span(), span, style, text)]
            }
            _ => {
                let parts: Vec<_> = places.iter().map(|place| place.part.clone()).collect();
                Site::of_parts(self.source, document.span(), span, style, value, &parts)
            }
        }
    }
}

/// Whether an image has no digest yet.
pub(super) fn is_tagged(image: &Image) -> bool {
    match image {
        Image::Reference(written) => matches!(written.reference(), Reference::Tagged(_)),
        Image::Placeholder | Image::Invalid(_) => false,
    }
}

/// Objects that no cluster runs images of, or that describe rather than hold them.
fn is_left_alone(document: &Document<'_>, root: NodeId, object: &Object) -> bool {
    const LOCAL_CONFIG: [&str; 3] =
        ["metadata", "annotations", "config.kubernetes.io/local-config"];
    let group = object.group();
    group == "kpt.dev"
        || group.ends_with(".kpt.dev")
        || document.string_at(root, &LOCAL_CONFIG) == Some("true")
}

/// Whether an object is a kustomization file, which need not say so (kustomize, `Kustomization`).
fn is_kustomization(source: &Source, owner: &Owner) -> bool {
    const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let name = source.origin().path().and_then(|path| path.file_name()?.to_str());
    let is_named = owner.object.kind.is_empty() && name.is_some_and(|name| NAMES.contains(&name));
    is_named || owner.object.group() == "kustomize.config.k8s.io"
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

/// Whether a text may be an image, or hold one: looked at before anything else, as most are not.
fn may_be_image(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'/' | b':' | b'@' | b'$'))
}

/// A pattern of a Kyverno policy (kyverno, "Operators" and "Wildcards").
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '!', '|', '&', '<', '>'])
}
