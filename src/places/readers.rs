//! Objects that Kubernetes' own readers take for different objects.

use super::context::Context;
use super::finding::Owner;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::text::yaml::{Content, NodeId};

/// The keys that decide which rules apply to an object.
const KEYS: [&str; 2] = ["apiVersion", "kind"];

/// An error for each object, or object inside one, whose kind depends on who reads it.
pub(super) fn disagreements(
    ctx: Context<'_, '_>,
    roots: &[NodeId],
    owners: &[Owner],
) -> Vec<Diagnostic> {
    let inner =
        owners.iter().flat_map(|owner| owner.objects.iter().filter(|&&id| id != owner.root));
    let objects = roots.iter().chain(inner);
    let keys = objects.flat_map(|&object| KEYS.map(|key| (object, key)));
    keys.filter_map(|(object, key)| disagreement(ctx, object, key)).collect()
}

/// An error for a document with a mapping or a list as one of its keys. Kubernetes has no such objects. If
/// the input starts with it, kubectl reads the key as an object in JSON, and stops at the colon.
pub(super) fn object_as_key(ctx: Context<'_, '_>, root: NodeId) -> Option<Diagnostic> {
    let is_key = |id: &NodeId| {
        matches!(ctx.document.node(*id).content, Content::Mapping { .. } | Content::Sequence(_))
    };
    let mut keys = ctx.document.entries(root).iter().map(|&(key, _)| key);
    let key = keys.find(is_key)?;
    let (source, start) = (ctx.source, ctx.document.node(key).span.start);
    let message = "a key of this document is a mapping or a list".to_owned();
    Some(
        Diagnostic::error(Failure::Input, message)
            .of(RuleId::Readers)
            // The key may be a Secret, whose lines are never shown.
            .location(Location::Position(source.origin().display_name(), source.position(start)))
            .help("Kubernetes reads no such document; is there a colon too much after it?"),
    )
}

fn disagreement(ctx: Context<'_, '_>, object: NodeId, key: &str) -> Option<Diagnostic> {
    let (own, last) = ctx.document.disagreement(object, key)?;
    if ctx.document.string(own) == ctx.document.string(last) {
        return None;
    }
    let line = ctx.source.position(ctx.document.node(last).span.start).line;
    let message = format!("Kubernetes' own readers read `{key}` of this object differently");
    Some(
        Diagnostic::error(Failure::Input, message)
            .of(RuleId::Readers)
            .location(ctx.location(own))
            .note("note", format!("kustomize takes this value; kubectl takes the one on line {line}, because its merge key `<<` comes after this key"))
            .help("put the merge key before the other keys, or write the value once"),
    )
}
