//! The structural rule: containers and image volumes in any kind, at any depth.
//!
//! Every item of a list called `containers`, `initContainers` or `ephemeralContainers` that is a
//! mapping with a string `image` is a container. `image.reference` of the volumes beside such a list
//! is an image, too.

use std::collections::HashSet;

use super::context::{Context, without_final_breaks};
use super::finding::{FieldAt, Finding, Findings, Owner};
use super::place::{Class, Image, SkipReason, Writing};
use crate::text::yaml::{Content, Document, NodeId};

/// The keys whose lists hold containers (Kubernetes API, `PodSpec`).
pub(super) const CONTAINER_LISTS: [&str; 3] =
    ["containers", "initContainers", "ephemeralContainers"];

/// Istio's injector replaces this image (istio, `inject.go`).
const ISTIO_AUTO: &str = "auto";

/// Adds the images of all pod specs to `found`.
pub(super) fn find(ctx: Context<'_, '_>, owners: &[Owner], mut found: Findings) -> Findings {
    let mut lists = HashSet::new();
    for owner in owners {
        for &mapping in &owner.mappings {
            pod_spec(ctx, owner, mapping, &mut lists, &mut found);
        }
    }
    found
}

/// A field of an item of a list of a pod spec.
#[derive(Clone, Copy)]
struct Item {
    spec: NodeId,
    list: NodeId,
    n: usize,
    node: NodeId,
}

/// Adds the images of a mapping, if it is a pod spec. `lists` are the lists that were read before:
/// many aliases of one list are read once.
fn pod_spec(
    ctx: Context<'_, '_>,
    owner: &Owner,
    spec: NodeId,
    lists: &mut HashSet<NodeId>,
    found: &mut Findings,
) {
    let document = ctx.document;
    let is_list =
        |id: NodeId| matches!(document.node(document.target(id)).content, Content::Sequence(_));
    let mut is_pod_spec = false;
    // A list that is merged in is found in the mapping that it is written in.
    for &(name, list) in document.entries(spec) {
        if !document.string(name).is_some_and(|key| CONTAINER_LISTS.contains(&key)) {
            continue;
        }
        is_pod_spec |= is_list(list);
        for item in items(ctx, spec, list, lists, found) {
            for image in values(ctx, item.node, "image", found) {
                found.image(ctx, owner, item, &["image"], image);
            }
        }
    }
    let merges_one = || {
        document.with_merged(spec).nth(1).is_some()
            && CONTAINER_LISTS.iter().any(|key| document.value(spec, key).is_some_and(is_list))
    };
    if !is_pod_spec && !merges_one() {
        return;
    }
    // Images that a pod mounts (Kubernetes API, `ImageVolumeSource`).
    for volumes in document.values(spec, "volumes") {
        for item in items(ctx, spec, volumes, lists, found) {
            for image in values(ctx, item.node, "image", found) {
                for reference in values(ctx, image, "reference", found) {
                    found.image(ctx, owner, item, &["image", "reference"], reference);
                }
            }
        }
    }
}

/// The items of a list that was not read before.
fn items(
    ctx: Context<'_, '_>,
    spec: NodeId,
    list: NodeId,
    lists: &mut HashSet<NodeId>,
    found: &mut Findings,
) -> Vec<Item> {
    found.passed.push(list);
    if !lists.insert(ctx.document.target(list)) {
        return Vec::new();
    }
    let item = |(n, &node): (usize, &NodeId)| Item { spec, list, n, node };
    ctx.document.items(list).iter().enumerate().map(item).collect()
}

/// The values of a key that no rule found before.
fn values(ctx: Context<'_, '_>, mapping: NodeId, key: &str, found: &mut Findings) -> Vec<NodeId> {
    found.passed.push(mapping);
    ctx.document.values(mapping, key).filter(|&value| found.take(value)).collect()
}

impl Findings {
    fn image(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &Owner,
        item: Item,
        rest: &'static [&'static str],
        node: NodeId,
    ) {
        self.passed.push(node);
        if is_empty(ctx, node) {
            if ctx.scope.skipped.reason(&owner.object).is_none() {
                self.empty.push(ctx.location(node));
            }
            return;
        }
        let Some(text) = ctx.text(node).map(without_final_breaks) else { return };
        if owner.has_patterns && is_pattern(text) {
            return;
        }
        let container = ctx.document.string_at(item.node, &["name"]).map(str::to_owned);
        let key = ctx.key(item.list).unwrap_or_default();
        let is_filled_in = text == ISTIO_AUTO && asks_for_injection(ctx.document, item.spec)
            || rest == ["image"] && owner.triggers.fill(key, item.n, container.as_deref());
        let image = if is_filled_in { Image::Placeholder } else { Image::read(text) };
        let opted_out = owner.opt_out.applies_to(container.as_deref());
        self.images.push(Finding {
            object: owner.object.clone(),
            container,
            field: FieldAt::Item { root: owner.root, list: item.list, n: item.n, rest },
            node,
            part: 0..text.len(),
            class: Class::Pod,
            image,
            name: None,
            writing: Writing::Reference,
            left: opted_out.then_some(SkipReason::Annotation),
            holder: item.spec,
        });
    }
}

/// True for a blank text and for null, which OpenShift's triggers fill in.
fn is_empty(ctx: Context<'_, '_>, node: NodeId) -> bool {
    match &ctx.document.node(ctx.document.target(node)).content {
        Content::Scalar { text, string: true, .. } => text.trim().is_empty(),
        Content::Scalar { text, .. } => matches!(&**text, "" | "~" | "null" | "Null" | "NULL"),
        _ => false,
    }
}

/// True if the pod with this spec asks Istio to inject a proxy.
fn asks_for_injection(document: &Document<'_>, spec: NodeId) -> bool {
    let Some(pod) = document.node(spec).parent else {
        return false;
    };
    ["labels", "annotations"].iter().any(|holder| {
        document.string_at(pod, &["metadata", holder, "sidecar.istio.io/inject"]) == Some("true")
            || document.string_at(pod, &["metadata", holder, "inject.istio.io/templates"]).is_some()
    })
}

/// True for a pattern of a Kyverno policy (kyverno, "Operators" and "Wildcards").
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '!', '|', '&', '<', '>'])
}
