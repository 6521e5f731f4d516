//! Documents that SOPS has signed: an edit would break them.

use std::collections::HashSet;

use super::context::Context;
use super::finding::Finding;
use super::place::SkipReason;
use crate::diagnostic::Diagnostic;
use crate::text::yaml::{Content, NodeId};

/// Leaves the images without a digest of each object whose MAC covers plain values as well. Returns a
/// warning for each such object that has one.
pub(super) fn leave(ctx: Context<'_, '_>, images: &mut [Finding]) -> Vec<Diagnostic> {
    let mut warned = HashSet::new();
    let mut warnings = Vec::new();
    for image in images.iter_mut() {
        let is_changed = matches!(image.left, None | Some(SkipReason::Operator(_)));
        if !is_changed || image.image.is_pinned() {
            continue;
        }
        let roots = [Some(image.field.root()), ctx.document.root()];
        let mac = roots.into_iter().flatten().find_map(|root| mac_of_plain_values(ctx, root));
        let Some(mac) = mac else { continue };
        image.left = Some(SkipReason::Sops);
        if warned.insert(mac) {
            warnings.push(warning(ctx, mac));
        }
    }
    warnings
}

/// The MAC of a document, unless it covers encrypted values only (getsops/sops#973).
fn mac_of_plain_values(ctx: Context<'_, '_>, root: NodeId) -> Option<NodeId> {
    let document = ctx.document;
    let sops = document.value(root, "sops")?;
    let mac = document.value(sops, "mac")?;
    document.string(mac)?;
    let is_true = |node: NodeId| {
        let node = document.node(document.target(node));
        matches!(&node.content, Content::Scalar { text, .. } if text == "true")
    };
    (!document.value(sops, "mac_only_encrypted").is_some_and(is_true)).then_some(mac)
}

fn warning(ctx: Context<'_, '_>, mac: NodeId) -> Diagnostic {
    let message = "the images of a document that SOPS has encrypted are left alone".to_owned();
    Diagnostic::warning(message)
        .location(ctx.location(mac))
        .note(
            "note",
            "its MAC covers plain values too, so `sops decrypt` would refuse the changed document",
        )
        .help("pin before you encrypt, or encrypt with `mac_only_encrypted: true` in `.sops.yaml`")
}
