//! From the findings of the rules to places: which texts are changed, and where each is written.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::context::{Context, without_final_breaks};
use super::finding::{Finding, Findings};
use super::opt_out::{Comments, leave_commented, leave_configured};
use super::path::Paths;
use super::place::{Place, Writing};
use super::scope::OptOuts;
use super::{aliases, sops};
use crate::diagnostic::Diagnostic;
use crate::text::splice::Site;
use crate::text::yaml::{Content, NodeId, Style};

/// The places of a document in the order of the text, and what is wrong or worth knowing. Their indexes
/// count from `first`. `configured` are the nodes that the configuration leaves alone.
pub(super) fn places(
    ctx: Context<'_, '_>,
    found: Findings,
    configured: &HashSet<NodeId>,
    first: usize,
) -> (Vec<Place>, Vec<Diagnostic>) {
    let Findings { mut images, passed, mut diagnostics, .. } = found;
    let comments = match ctx.scope.opt_outs {
        OptOuts::Obeyed => Comments::of(ctx.source, ctx.document.span()),
        OptOuts::Ignored => Comments::default(),
    };
    leave_configured(configured, &mut images);
    leave_commented(ctx, &comments, &mut images);
    ctx.scope.skipped.leave(&mut images);
    diagnostics.extend(sops::leave(ctx, &mut images));
    keep_tags(ctx, &mut images);
    let scalars = changed_scalars(ctx, &images);
    let (aliases, errors) = aliases::passed(ctx, &passed);
    diagnostics.extend(errors);
    diagnostics.extend(aliases::contradictions(ctx, &images));
    diagnostics.extend(aliases::side_effects(ctx, &images, &scalars, &aliases));
    if diagnostics.iter().all(|diagnostic| diagnostic.failure().is_none()) {
        diagnostics.extend(aliases::unknown_alias(ctx));
    }
    let mut places = Vec::with_capacity(images.len());
    let mut paths = Paths::default();
    let sites: Vec<_> = images
        .chunk_by(|one, next| one.node == next.node)
        .flat_map(|images| written(ctx, images, &scalars))
        .collect();
    for (image, site) in images.into_iter().zip(sites) {
        let Some((value, site)) = site else { continue };
        let path = image.field.path(ctx.document, &mut paths);
        places.push(Place {
            index: 0,
            source: ctx.index,
            document: ctx.number,
            object: image.object,
            container: image.container,
            path,
            class: image.class,
            site,
            value,
            part: image.part,
            image: image.image,
            name: image.name,
            writing: image.writing,
            left: comments.applied(image.left, site.text()),
        });
    }
    places.sort_by_key(|place| place.site.text());
    for (n, place) in places.iter_mut().enumerate() {
        place.index = first + n;
    }
    (places, diagnostics)
}

/// Keeps the tag of a scalar at every place that it is used at, if one of them needs the tag.
fn keep_tags(ctx: Context<'_, '_>, images: &mut [Finding]) {
    let document = ctx.document;
    let tagged: HashSet<_> = images
        .iter()
        .filter(|image| image.writing == Writing::Tagged)
        .map(|image| document.target(image.node))
        .collect();
    for image in images {
        let target = document.target(image.node);
        if image.writing == Writing::Reference && tagged.contains(&target) {
            image.writing = Writing::Tagged;
        }
    }
}

/// Every scalar that is changed as an image, with the mapping that makes it one.
fn changed_scalars(ctx: Context<'_, '_>, images: &[Finding]) -> HashMap<NodeId, NodeId> {
    let mut scalars = HashMap::new();
    for image in images.iter().filter(|image| image.left.is_none()) {
        if ctx.document.target(image.node) == image.node {
            scalars.entry(image.node).or_insert(image.holder);
        }
    }
    scalars
}

/// The text of one node, and the positions at which its images are changed, one each; none if the node
/// has no text.
fn written(
    ctx: Context<'_, '_>,
    images: &[Finding],
    scalars: &HashMap<NodeId, NodeId>,
) -> Vec<Option<(Rc<str>, Site)>> {
    let Some(value) = ctx.scalar(images[0].node).map(Rc::<str>::from) else {
        return vec![None; images.len()];
    };
    let sites = sites(ctx, images, scalars, &value);
    sites.into_iter().map(|site| Some((value.clone(), site))).collect()
}

/// The positions at which the texts of one node's places are changed. An alias is changed at its
/// target, unless the target is no image or only a part of one.
fn sites(
    ctx: Context<'_, '_>,
    images: &[Finding],
    scalars: &HashMap<NodeId, NodeId>,
    value: &str,
) -> Vec<Site> {
    let document = ctx.document;
    let node = images[0].node;
    let target = document.target(node);
    // One tag may be joined with several repositories.
    let is_part = images[0].name.is_some();
    if target != node && (is_part || !scalars.contains_key(&target)) {
        let site = Site::of_alias(document.span(), document.node(node).span);
        return vec![site; images.len()];
    }
    let span = document.node(target).span;
    let style = match document.node(target).content {
        Content::Scalar { style, .. } => style,
        _ => Style::Plain,
    };
    let text = without_final_breaks(value);
    match images {
        [image] if image.part == (0..text.len()) => {
            vec![Site::of_scalar(ctx.source, document.span(), span, style, text)]
        }
        _ => {
            let parts: Vec<_> = images.iter().map(|image| image.part.clone()).collect();
            Site::of_parts(ctx.source, document.span(), span, style, value, &parts)
        }
    }
}
