//! Objects that Kubernetes' own readers take for different objects.

use super::context::Context;
use super::finding::Owner;
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::text::yaml::NodeId;

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
