//! Aliases: those through which images are reached, and those that change with an image although
//! they are no image or must stay as they are.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::context::Context;
use super::finding::Finding;
use super::place::{Image, SkipReason};
use crate::diagnostic::{Diagnostic, Failure};
use crate::text::Span;
use crate::text::escape::quoted;
use crate::text::yaml::{Content, NodeId};

/// The aliases among the nodes that images depend on, and among the merge keys of these nodes; and
/// an error for each alias without an anchor.
pub(super) fn passed(ctx: Context<'_, '_>, nodes: &[NodeId]) -> (HashSet<NodeId>, Vec<Diagnostic>) {
    let document = ctx.document;
    let (mut aliases, mut errors) = (HashSet::new(), Vec::new());
    let (mut seen, mut mappings) = (HashSet::new(), HashSet::new());
    let mut add = |id: NodeId| {
        if !seen.insert(id) {
            return;
        }
        match document.node(id).content {
            Content::Alias(_) => {
                aliases.insert(id);
            }
            Content::UnknownAlias(_) => errors.push(unknown_alias_of_image(ctx, id)),
            _ => {}
        }
    };
    for &node in nodes {
        add(node);
        for mapping in document.with_merged(node) {
            if !mappings.insert(mapping) {
                continue;
            }
            for value in document.merge_values(mapping) {
                add(value);
                document.items(value).iter().for_each(|&item| add(item));
            }
        }
    }
    (aliases, errors)
}

fn unknown_alias_of_image(ctx: Context<'_, '_>, id: NodeId) -> Diagnostic {
    let message = format!(
        "{} has no anchor in this document, and an image depends on it",
        quoted(ctx.source.slice(ctx.document.node(id).span))
    );
    Diagnostic::error(Failure::Input, message).location(ctx.location(id)).help(
        "write the value instead of the alias; Helm 4 separates anchors from aliases when it splits a `List`",
    )
}

/// An error for each alias that must stay as it is although its target changes.
pub(super) fn contradictions(ctx: Context<'_, '_>, images: &[Finding]) -> Vec<Diagnostic> {
    let document = ctx.document;
    let changes = |image: &&Finding| image.left.is_none() && image.image.is_tagged();
    let changed: HashSet<_> =
        images.iter().filter(changes).map(|image| document.target(image.node)).collect();
    let is_bound = |image: &&Finding| {
        let target = document.target(image.node);
        let is_left = image.left.is_some_and(|left| left != SkipReason::Candidate);
        is_left && target != image.node && changed.contains(&target) && image.image.is_tagged()
    };
    let error = |image: &Finding| {
        let message = format!(
            "{} must stay unchanged, but it is an alias of an image that changes",
            quoted(ctx.source.slice(document.node(image.node).span))
        );
        Diagnostic::error(Failure::Input, message)
            .location(ctx.location(image.node))
            .help("write one of the two without the alias")
    };
    images.iter().filter(is_bound).map(error).collect()
}

/// A warning for an alias without an anchor that no image depends on: the document is passed through.
pub(super) fn unknown_alias(ctx: Context<'_, '_>) -> Option<Diagnostic> {
    let document = ctx.document;
    let is_unknown = |id: &NodeId| matches!(document.node(*id).content, Content::UnknownAlias(_));
    let id = document.ids().find(is_unknown)?;
    let alias = quoted(ctx.source.slice(document.node(id).span));
    Some(
        Diagnostic::warning(format!("{alias} has no anchor in this document"))
            .location(ctx.labelled(id, String::new()))
            .note("note", "no image depends on it; it is written unchanged"),
    )
}

/// A warning for each alias that is no image and whose value changes with one. `scalars` are the
/// scalars that are changed as images, each with the mapping that makes it one; `passed` are the
/// aliases that lead to an image.
pub(super) fn side_effects(
    ctx: Context<'_, '_>,
    images: &[Finding],
    scalars: &HashMap<NodeId, NodeId>,
    passed: &HashSet<NodeId>,
) -> Vec<Diagnostic> {
    let document = ctx.document;
    let changed: BTreeMap<Span, NodeId> = images
        .iter()
        .filter(|image| image.left.is_none() && matches!(&image.image, Image::Reference(_)))
        .filter_map(|image| {
            let node = document.target(image.node);
            Some((document.node(node).span, *scalars.get(&node)?))
        })
        .collect();
    let mut warnings = Vec::new();
    if changed.is_empty() {
        return warnings;
    }
    for id in document.ids() {
        let Content::Alias(target) = document.node(id).content else {
            continue;
        };
        let anchored = document.node(target).span;
        let first = changed.range(Span::new(anchored.start, anchored.start)..).next();
        let Some((&scalar, &holder)) = first else {
            continue;
        };
        // An alias of the mapping that makes the text an image is an image place as well.
        let is_whole = anchored.contains(document.node(holder).span);
        if anchored.contains(scalar) && !is_whole && !passed.contains(&id) {
            warnings.push(changes_with(ctx, id, scalar));
        }
    }
    warnings
}

fn changes_with(ctx: Context<'_, '_>, id: NodeId, image: Span) -> Diagnostic {
    let message = format!(
        "{} is not an image, but it is an alias of an image that changes",
        quoted(ctx.source.slice(ctx.document.node(id).span))
    );
    let line = ctx.source.position(image.start).line;
    Diagnostic::warning(message)
        .location(ctx.location(id))
        .note("note", format!("the image is on line {line}"))
        .help("write one of the two without the alias if they must not change together")
}
