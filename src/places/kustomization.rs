//! Kustomizations: the images that they set. An overlay's tag applies to its bases as well, so
//! nothing is changed there.

use super::context::Context;
use super::fields::FieldPath;
use super::finding::{Findings, Owner};
use super::parts::Join;
use super::path::Paths;
use super::place::{Class, SkipReason, Writing};
use crate::diagnostic::{Diagnostic, Location};
use crate::text::yaml::NodeId;

/// Adds the images that kustomizations set: kustomization files, and Flux's `Kustomization` and
/// post-renderers.
pub(super) fn find(ctx: Context<'_, '_>, owners: &[Owner], mut found: Findings) -> Findings {
    for owner in owners {
        if let Some(path) = path(owner) {
            let path: FieldPath = path.parse().expect("a valid path");
            let holders = path.ends(ctx.document, owner.root, |_| ());
            images(ctx, owner, &holders, &mut found);
        } else if is_kustomization(ctx, owner) {
            images(ctx, owner, &[owner.root], &mut found);
        }
    }
    found
}

/// The path of the mappings of a Flux object that have an `images` list for kustomize.
fn path(owner: &Owner) -> Option<&'static str> {
    match (owner.object.group(), owner.object.kind.as_str()) {
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => Some("spec"),
        ("helm.toolkit.fluxcd.io", "HelmRelease") => Some("spec/postRenderers/kustomize"),
        _ => None,
    }
}

/// True for a kustomization file, which may omit its kind (kustomize, `Kustomization`).
fn is_kustomization(ctx: Context<'_, '_>, owner: &Owner) -> bool {
    const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let name = ctx.source.origin().path().and_then(|path| path.file_name()?.to_str());
    let is_named = owner.object.kind.is_empty() && name.is_some_and(|name| NAMES.contains(&name));
    is_named || owner.object.group() == "kustomize.config.k8s.io"
}

fn images(ctx: Context<'_, '_>, owner: &Owner, holders: &[NodeId], found: &mut Findings) {
    let document = ctx.document;
    let mut first = None;
    for list in holders.iter().flat_map(|&holder| document.values(holder, "images")) {
        for &item in document.items(list) {
            let text = |key| document.string_at(item, &[key]).filter(|text| !text.is_empty());
            if text("digest").is_some() || text("newTag").is_none() {
                continue;
            }
            let is_renamed = text("newName").is_some();
            let template = if is_renamed { "{newName}:{newTag}" } else { "{name}:{newTag}" };
            let left = Some(SkipReason::Candidate);
            let (class, writing) = (Class::Other, Writing::Tag);
            found.parts(ctx, owner, item, Join { template, class, writing, left });
            first = first.or(document.value(item, "newTag"));
        }
    }
    let Some(tag) = first else { return };
    let span = document.node(document.target(tag)).span;
    let path = Paths::default().of(document, owner.root, tag);
    let label = format!("{}, {path}", owner.object);
    found.diagnostics.push(
        Diagnostic::warning("the tags that a kustomization sets are left alone".to_owned())
            .location(Location::Source { source: ctx.index, span, label })
            .note("note", "a tag applies to other manifests; kustomize 5.8 replaces the digest of a pinned image by the tag, so the image is no longer pinned")
            .help("give these images a `digest`, as `digestif --emit kustomize-images` prints it, or pin the output of kustomize"),
    );
}
