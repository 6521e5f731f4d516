//! Candidates: texts that look like images although no rule says that they are images, and their
//! classes.

use std::collections::HashSet;
use std::ops::Range;

use super::context::Context;
use super::finding::{FieldAt, Finding, Findings, Owner};
use super::image_like::{self, Kind, Shape};
use super::place::{Class, Image, SkipReason};
use super::pod_spec::CONTAINER_LISTS;
use super::values::{TextImage, Values, images_in};
use crate::text::yaml::{Document, NodeId};

/// kubectl's copy of an object that it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The annotation of OpenShift's triggers, and the start of those of Argo CD's image updater.
const TRIGGERS: &str = "image.openshift.io/triggers";
const UPDATER: &str = "argocd-image-updater.argoproj.io/";

/// The class of a text, and the key, variable or flag that it is the value of; the key may be empty.
pub(super) struct Text<'d> {
    pub(super) class: Class,
    pub(super) key: &'d str,
}

/// Adds the texts that look like images. Texts at or below one of the nodes in `no_image` are not
/// looked at.
pub(super) fn find(
    ctx: Context<'_, '_>,
    owners: &[Owner],
    no_image: &HashSet<NodeId>,
    values: &Values,
    mut found: Findings,
) -> Findings {
    let document = ctx.document;
    for owner in owners.iter().filter(|owner| !is_helm_release(document, owner)) {
        for &node in &owner.texts {
            let Some(text) = document.string(node) else { continue };
            let is_value = values.contain(document, owner.root, node);
            let Some(text_of) = classify(document, owner, node, no_image, is_value) else {
                continue;
            };
            let Text { class, key } = values.reclassified(document, owner.root, node, text_of);
            let mut shapes = image_like::find(text, key);
            if owner.object.kind == "Secret" {
                // A key of a secret may say image, and its value may be a password.
                shapes.retain(|shape| image_like::is_image_anywhere(&text[shape.part.clone()]));
            }
            let joined = match class {
                Class::Values | Class::Config => images_in(text),
                _ => Vec::new(),
            };
            let left = |path: &str| values.left(ctx, owner.root, node, path);
            add(ctx, owner, node, class, (joined, shapes), left, &mut found);
        }
    }
    found
}

/// Adds the images of one text: those that several of its fields name, and those whose whole reference
/// is there. `left` is the reason to leave the image at a path of the text.
pub(super) fn add(
    ctx: Context<'_, '_>,
    owner: &Owner,
    node: NodeId,
    class: Class,
    (joined, shapes): (Vec<TextImage>, Vec<Shape>),
    left: impl Fn(&str) -> Option<SkipReason>,
    found: &mut Findings,
) {
    let Some(text) = ctx.document.string(node) else { return };
    if joined.is_empty() && shapes.is_empty() || !found.take(node) {
        return;
    }
    let container = container(ctx.document, owner.root, node);
    let opted_out = owner.opt_out.applies_to(container).then_some(SkipReason::Annotation);
    let object = (&*owner.object, owner.root);
    let is_included = ctx.scope.includes(ctx.document, class, object, node);
    let finding = |part: Range<usize>, can_pin: bool, path: &str| Finding {
        object: owner.object.clone(),
        container: container.map(str::to_owned),
        field: FieldAt::Node { root: owner.root, node },
        part,
        class,
        left: if is_included && can_pin {
            opted_out.or_else(|| left(path))
        } else {
            Some(SkipReason::Candidate)
        },
        // The whole text may be long, and its image is replaced.
        ..Finding::of_field(owner, node, "")
    };
    let is_field = |shape: &Shape| {
        let overlaps =
            |field: &Range<usize>| field.start < shape.part.end && shape.part.start < field.end;
        joined.iter().any(|image| image.fields.iter().any(overlaps))
    };
    let whole = shapes.iter().filter(|shape| !is_field(shape)).map(|Shape { part, kind }| {
        let image = match kind {
            Kind::Template => Image::Placeholder,
            Kind::Reference | Kind::Name => Image::read(&text[part.clone()]),
        };
        Finding { image, ..finding(part.clone(), *kind != Kind::Name, "") }
    });
    let joined =
        joined.iter().map(|TextImage { name, part, writing, can_pin, path, .. }| Finding {
            image: Image::read(name),
            name: Some(name.clone()),
            writing: *writing,
            // Nobody knows how a program that is no chart joins them.
            ..finding(part.clone(), *can_pin && class == Class::Values, path)
        });
    let mut findings: Vec<_> = joined.chain(whole).collect();
    findings.sort_by_key(|finding| finding.part.start);
    found.images.extend(findings);
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

/// True for a release that Helm stores.
fn is_helm_release(document: &Document<'_>, owner: &Owner) -> bool {
    owner.object.kind == "Secret"
        && document.string_at(owner.root, &["type"]) == Some("helm.sh/release.v1")
}

/// The class and the key of a text of an object, and none if it can't be an image.
fn classify<'d>(
    document: &'d Document<'_>,
    owner: &Owner,
    node: NodeId,
    no_image: &HashSet<NodeId>,
    is_value: bool,
) -> Option<Text<'d>> {
    // The keys from the text up to the object's root; an item of a list has none.
    let mut keys: Vec<Option<&str>> = Vec::new();
    let mut at = node;
    while at != owner.root {
        if no_image.contains(&at) {
            return None;
        }
        let parent = document.node(at).parent?;
        let entry = document.entries(parent).get(document.node(at).position);
        keys.push(entry.map(|&(key, _)| document.string(key).unwrap_or_default()));
        at = parent;
    }
    let key = keys.iter().find_map(|key| *key).unwrap_or_default();
    let of = |class| Some(Text { class, key });
    let is_metadata =
        |name: &&[Option<&str>]| matches!(name, [Some("annotations" | "labels"), Some("metadata")]);
    match *keys.as_slice() {
        [Some(LAST_APPLIED), ..] => None,
        // Names of image streams, and ranges of versions.
        [Some(key), Some("annotations"), ..] if key == TRIGGERS || key.starts_with(UPDATER) => None,
        [Some("name"), ..] if names_image_stream(document, node) => None,
        // They are compared with labels.
        [Some(_), Some("matchLabels" | "nodeSelector" | "selector"), ..] => None,
        // What a build pushes to.
        _ if owner.object.group() == "tekton.dev" && keys.contains(&Some("results")) => None,
        [Some("value"), None, Some("env"), ..] => {
            let variable = document.node(node).parent?;
            let key = document.string_at(variable, &["name"]).unwrap_or_default();
            Some(Text { class: Class::Env, key })
        }
        [None, Some("args" | "command"), ..] => {
            Some(Text { class: Class::Args, key: flag_before(document, node).unwrap_or_default() })
        }
        [.., Some(key)] if is_config(owner, key) => of(Class::Config),
        _ if keys.windows(2).any(|pair| is_metadata(&pair)) => of(Class::Annotations),
        // What is a volume of Ceph, and what is the name of another field.
        [Some("image"), Some("rbd"), ..] => None,
        _ if is_value => of(Class::Values),
        // Policies hold patterns.
        _ if owner.has_patterns || is_built_in(owner.object.group()) => None,
        _ => of(Class::Other),
    }
}

/// True for the name in a reference to an image stream of OpenShift.
fn names_image_stream(document: &Document<'_>, node: NodeId) -> bool {
    let holder = document.node(node).parent;
    let kind = holder.and_then(|holder| document.string_at(holder, &["kind"]));
    matches!(kind, Some("ImageStreamTag" | "ImageStreamImage" | "ImageStream"))
}

/// True if a key of an object holds texts that programs read. What a `Secret` has in `data` is
/// encoded.
fn is_config(owner: &Owner, key: &str) -> bool {
    let key_of = |kind| match kind {
        "ConfigMap" => Some("data"),
        "Secret" => Some("stringData"),
        _ => None,
    };
    owner.object.api_version == "v1" && key_of(owner.object.kind.as_str()) == Some(key)
}

/// The flag that the argument before this one is, `--image`, if it has no value of its own.
fn flag_before<'d>(document: &'d Document<'_>, node: NodeId) -> Option<&'d str> {
    let node = document.node(node);
    let before = node.position.checked_sub(1)?;
    let flag = document.string(*document.items(node.parent?).get(before)?)?;
    (flag.starts_with('-') && !flag.contains(['=', ' '])).then_some(flag)
}

/// True if a group is one of Kubernetes' own, all of whose image fields are known. Other projects have
/// groups that end as some of these do.
pub(super) fn is_built_in(group: &str) -> bool {
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
