//! Candidates: texts that look like images although no rule says that they are images.

use std::collections::HashSet;
use std::ops::Range;

use super::class_of::{Text, classify};
use super::context::Context;
use super::finding::{Finding, Findings, Owner};
use super::image_like::{self, Shape};
use super::place::{Class, Image, SkipReason};
use super::pod_spec::CONTAINER_LISTS;
use super::values::{TextImage, Values, images_in};
use crate::text::yaml::{Document, NodeId};

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
            let Some(text) = document.string(node).filter(|_| !found.is_taken(node)) else {
                continue;
            };
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
    (joined, mut shapes): (Vec<TextImage>, Vec<Shape>),
    left: impl Fn(&str) -> Option<SkipReason>,
    found: &mut Findings,
) {
    if joined.is_empty() && shapes.is_empty() || !found.take(node) {
        return;
    }
    let container = container(ctx.document, owner.root, node);
    let opted_out = owner.opt_out.applies_to(container).then_some(SkipReason::Annotation);
    let object = (&*owner.object, owner.root);
    let is_included = ctx.scope.includes(ctx.document, class, object, node);
    let finding = |part: Range<usize>, image: Image, can_pin: bool, path: &str| Finding {
        container: container.map(str::to_owned),
        part,
        class,
        left: if is_included && can_pin {
            opted_out.or_else(|| left(path))
        } else {
            Some(SkipReason::Candidate)
        },
        ..Finding::new(owner, node, image)
    };
    let is_field = |shape: &Shape| {
        let overlaps =
            |field: &Range<usize>| field.start < shape.part.end && shape.part.start < field.end;
        joined.iter().any(|image| image.fields.iter().any(overlaps))
    };
    shapes.retain(|shape| !is_field(shape));
    let whole =
        shapes.into_iter().map(|Shape { part, image, can_pin }| finding(part, image, can_pin, ""));
    let joined =
        joined.into_iter().map(|TextImage { name, part, writing, can_pin, path, .. }| {
            // Nobody knows how a program that is no chart joins them.
            let can_pin = can_pin && class == Class::Values;
            let finding = finding(part, Image::read(&name), can_pin, &path);
            Finding { name: Some(name), writing, ..finding }
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
