//! Kustomization files: the images that they set. An overlay's tag applies to its bases as well, so
//! nothing is changed there.

use super::context::Context;
use super::finding::{Findings, Owner};
use super::parts::Join;
use super::path::Paths;
use super::place::{Class, SkipReason, Writing};
use crate::diagnostic::{Diagnostic, Location};

/// Adds the images that kustomization files set.
pub(super) fn find(ctx: Context<'_, '_>, owners: &[Owner], mut found: Findings) -> Findings {
    for owner in owners.iter().filter(|owner| is_kustomization(ctx, owner)) {
        images(ctx, owner, &mut found);
    }
    found
}

/// True for a kustomization file, which may omit its kind (kustomize, `Kustomization`).
fn is_kustomization(ctx: Context<'_, '_>, owner: &Owner) -> bool {
    const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let name = ctx.source.origin().path().and_then(|path| path.file_name()?.to_str());
    let is_named = owner.object.kind.is_empty() && name.is_some_and(|name| NAMES.contains(&name));
    is_named || owner.object.group() == "kustomize.config.k8s.io"
}

fn images(ctx: Context<'_, '_>, owner: &Owner, found: &mut Findings) {
    let document = ctx.document;
    let mut first = None;
    for list in document.values(owner.root, "images") {
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
            .note("note", "kustomize changes tag and digest apart: over a pinned base, such a tag leads to an image that nobody asked for (kustomize#3682)")
            .help("give these images a `digest`, as `digestif --emit kustomize-images` prints it, or pin what kustomize renders"),
    );
}
