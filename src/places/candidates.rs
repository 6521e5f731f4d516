//! Candidates: texts that look like images where no rule says that they are, and the classes that
//! they belong to.

use std::collections::HashSet;

use super::image_like::{self, Kind, Shape};
use super::walk::{CONTAINER_LISTS, Owner, Pending, Walk};
use super::{Class, Image, SkipReason, Writing};
use crate::diagnostic::{Diagnostic, Location};
use crate::text::yaml::{Content, Document, NodeId};

/// What kubectl keeps of an object that it applied: a copy, not a field of its own.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Where a text stands.
struct Context<'d> {
    class: Class,
    /// The key, variable or flag that it is the value of; may be empty.
    key: &'d str,
}

impl Walk<'_, '_> {
    /// Adds what looks like an image among these texts of an object, but for what is one already and
    /// for what stands at or below one of the nodes in `left`.
    pub(super) fn candidates(&mut self, owner: &Owner, texts: Vec<NodeId>, left: &HashSet<NodeId>) {
        let document = self.document;
        if is_closed(document, owner) {
            return;
        }
        for node in texts {
            let Some(text) = document.string(node) else { continue };
            let Some(context) = context(document, owner, node, left) else { continue };
            let mut shapes = image_like::find(text, context.key);
            if owner.object.kind == "Secret" {
                // A key there may say image, and its value be a password.
                shapes.retain(|shape| image_like::is_image_anywhere(&text[shape.part.clone()]));
            }
            let is_repository = context.class == Class::Other && context.key == "repository";
            if shapes.is_empty() && is_repository {
                self.values_of_a_chart(owner, node);
            }
            self.add(owner, node, context.class, shapes);
        }
    }

    /// `repository` and `tag` beside each other, as charts have them in their values.
    fn values_of_a_chart(&mut self, owner: &Owner, repository: NodeId) {
        let document = self.document;
        let Some(holder) = document.node(repository).parent else { return };
        let has = |key| document.string_at(holder, &[key]).is_some_and(|text| !text.is_empty());
        let join =
            if has("registry") { "{registry}/{repository}:{tag}" } else { "{repository}:{tag}" };
        self.parts(owner, holder, join, Class::Other, Writing::Tag, |_| {
            Some(SkipReason::Candidate)
        });
    }

    /// Adds the images of a kustomization file. What an overlay says of them counts for its bases
    /// too, so that nothing is changed there.
    pub(super) fn kustomization(&mut self, owner: &Owner) {
        let document = self.document;
        let mut first = None;
        for list in document.values(owner.root, "images") {
            for &item in document.items(list) {
                let text = |key| document.string_at(item, &[key]).filter(|text| !text.is_empty());
                let name = if text("newName").is_some() { "newName" } else { "name" };
                if text("digest").is_some() || text("newTag").is_none() {
                    continue;
                }
                let join = if name == "name" { "{name}:{newTag}" } else { "{newName}:{newTag}" };
                self.parts(owner, item, join, Class::Other, Writing::Tag, |_| {
                    Some(SkipReason::Candidate)
                });
                first = first.or(document.value(item, "newTag"));
            }
        }
        let Some(tag) = first else { return };
        let span = document.node(document.target(tag)).span;
        let label = format!("{}, {}", owner.object, self.paths.of(document, owner.root, tag));
        self.diagnostics.push(
            Diagnostic::warning("the tags that a kustomization sets are left alone".to_owned())
                .location(Location::Source { source: self.index, span, label })
                .note("note", "kustomize changes tag and digest apart: over a pinned base, such a tag leads to an image that nobody asked for (kustomize#3682)")
                .help("give these images a `digest`, as `digestif --emit kustomize-images` prints it, or pin what kustomize renders"),
        );
    }

    /// Adds what looks like an image among the defaults of a custom resource definition.
    pub(super) fn schema(&mut self, owner: &Owner) {
        let document = self.document;
        let mut open = vec![(owner.root, "", false)];
        while let Some((node, key, is_default)) = open.pop() {
            match &document.node(node).content {
                Content::Sequence(items) => {
                    open.extend(items.iter().map(|&item| (item, key, is_default)));
                }
                Content::Mapping { entries, .. } => {
                    for &(name, value) in entries {
                        let name = document.string(name).unwrap_or_default();
                        // A property may have this name, too.
                        let is_here = name == "default" && key != "properties";
                        let key = if is_here { key } else { name };
                        open.push((value, key, is_default || is_here));
                    }
                }
                Content::Scalar { text, string: true, .. } if is_default => {
                    let shapes = image_like::find(text, key);
                    self.add(owner, node, Class::Schema, shapes);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, owner: &Owner, node: NodeId, class: Class, shapes: Vec<Shape>) {
        let Some(text) = self.document.string(node) else { return };
        if shapes.is_empty() || !self.is_new(node) {
            return;
        }
        let path = self.paths.of(self.document, owner.root, node);
        let container = container(self.document, owner.root, node);
        let opted_out = owner.opt_out.takes(container).then_some(SkipReason::Annotation);
        let candidate = (!self.scope.include.contains(&class)).then_some(SkipReason::Candidate);
        for Shape { part, kind } in shapes {
            let image = match kind {
                Kind::Template => Image::Placeholder,
                Kind::Reference | Kind::Name => Image::read(&text[part.clone()]),
            };
            let candidate = candidate.or((kind == Kind::Name).then_some(SkipReason::Candidate));
            let pending = Pending {
                object: owner.object.clone(),
                container: container.map(str::to_owned),
                path: path.clone(),
                node,
                part,
                class,
                image,
                name: None,
                writing: Writing::Reference,
                left: candidate.or(opted_out),
            };
            self.place(pending, owner.root);
        }
    }
}

/// The name of the container that a node is in.
fn container<'d>(document: &'d Document<'_>, root: NodeId, node: NodeId) -> Option<&'d str> {
    let parent = |id: &NodeId| document.node(*id).parent.filter(|_| *id != root);
    let mut item = node;
    let mut holder = parent(&item)?;
    while let Some(above) = parent(&holder) {
        let entry = document.entries(above).get(document.node(holder).position);
        let key = entry.and_then(|&(key, _)| document.string(key));
        if key.is_some_and(|key| CONTAINER_LISTS.contains(&key)) {
            return document.string_at(item, &["name"]);
        }
        (item, holder) = (holder, above);
    }
    None
}

/// Whether nothing in an object is looked at: the releases that Helm keeps.
fn is_closed(document: &Document<'_>, owner: &Owner) -> bool {
    owner.object.kind == "Secret"
        && document.string_at(owner.root, &["type"]) == Some("helm.sh/release.v1")
}

/// Where a text of an object stands; none where no image can be meant.
fn context<'d>(
    document: &'d Document<'_>,
    owner: &Owner,
    node: NodeId,
    left: &HashSet<NodeId>,
) -> Option<Context<'d>> {
    // The keys from the text up to the object's root; an item of a list has none.
    let mut keys: Vec<Option<&str>> = Vec::new();
    let mut at = node;
    while at != owner.root {
        if left.contains(&at) {
            return None;
        }
        let parent = document.node(at).parent?;
        let entry = document.entries(parent).get(document.node(at).position);
        keys.push(entry.map(|&(key, _)| document.string(key).unwrap_or_default()));
        at = parent;
    }
    let key = keys.iter().find_map(|key| *key).unwrap_or_default();
    let of = |class| Some(Context { class, key });
    let is_metadata =
        |name: &&[Option<&str>]| matches!(name, [Some("annotations" | "labels"), Some("metadata")]);
    match *keys.as_slice() {
        [Some(LAST_APPLIED), ..] => None,
        [Some("value"), None, Some("env"), ..] => {
            let variable = document.node(node).parent?;
            let key = document.string_at(variable, &["name"]).unwrap_or_default();
            Some(Context { class: Class::Env, key })
        }
        [None, Some("args" | "command"), ..] => Some(Context {
            class: Class::Args,
            key: flag_before(document, node).unwrap_or_default(),
        }),
        [.., Some(key)] if is_config(owner, key) => of(Class::Config),
        _ if keys.windows(2).any(|pair| is_metadata(&pair)) => of(Class::Annotations),
        // What is a volume of Ceph, and what is the name of another field.
        [Some("image"), Some("rbd"), ..] => None,
        // Policies hold patterns.
        _ if owner.has_patterns || is_built_in(owner.object.group()) => None,
        _ => of(Class::Other),
    }
}

/// Whether a key of an object holds texts that programs read. What a `Secret` has in `data` is
/// encoded.
fn is_config(owner: &Owner, key: &str) -> bool {
    let key_of = |kind| match kind {
        "ConfigMap" => Some("data"),
        "Secret" => Some("stringData"),
        _ => None,
    };
    owner.object.api_version == "v1" && key_of(owner.object.kind.as_str()) == Some(key)
}

/// The flag that the argument before this one is, `--image`, where it has no value of its own.
fn flag_before<'d>(document: &'d Document<'_>, node: NodeId) -> Option<&'d str> {
    let node = document.node(node);
    let before = node.position.checked_sub(1)?;
    let flag = document.string(*document.items(node.parent?).get(before)?)?;
    (flag.starts_with('-') && !flag.contains(['=', ' '])).then_some(flag)
}

/// Whether a group is one of Kubernetes' own, all of whose image fields are known. Other projects have
/// groups that end as some of these do.
fn is_built_in(group: &str) -> bool {
    const OWN: [&str; 18] = [
        "admissionregistration",
        "apiextensions",
        "apiregistration",
        "authentication",
        "authorization",
        "certificates",
        "coordination",
        "discovery",
        "events",
        "flowcontrol.apiserver",
        "gateway.networking",
        "metrics",
        "networking",
        "node",
        "rbac.authorization",
        "resource",
        "scheduling",
        "storage",
    ];
    !group.contains('.') || group.strip_suffix(".k8s.io").is_some_and(|name| OWN.contains(&name))
}
