//! References in several fields of one mapping: `repository` and `tag`, and the like.

use super::chart_image::ChartImage;
use super::context::{Context, without_final_breaks};
use super::finding::{Finding, Findings, Owner};
use super::place::{Class, Image, SkipReason, Writing};
use crate::diagnostic::{Diagnostic, Failure};
use crate::text::escape::quoted;
use crate::text::yaml::NodeId;

/// The way to join the fields of a mapping to a reference, and to pin it.
#[derive(Clone, Copy)]
pub(super) struct Join<'j> {
    /// Keys in braces with the text between them: `{registry}/{repository}:{tag}`.
    pub(super) template: &'j str,
    pub(super) class: Class,
    /// The form of what is written into the last field.
    pub(super) writing: Writing,
    /// The reason why a reference without a digest is not changed, if it is not.
    pub(super) left: Option<SkipReason>,
}

impl Findings {
    /// Adds the reference that the fields of `holder` make. Nothing is added if a field is absent or
    /// empty.
    pub(super) fn parts(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &Owner,
        holder: NodeId,
        join: Join<'_>,
    ) {
        let Some((name, nodes)) = joined(ctx, holder, join.template) else { return };
        let Some(&node) = nodes.last() else { return };
        let image = ChartImage { name, nodes, node, writing: join.writing, can_pin: true };
        self.joined(ctx, owner, &image, join.class, join.left);
    }

    /// Adds an image that several fields name.
    pub(super) fn joined(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &Owner,
        joined: &ChartImage,
        class: Class,
        left: Option<SkipReason>,
    ) {
        let ChartImage { name, nodes, node, writing, .. } = joined;
        let Some(text) = ctx.document.scalar(*node).map(without_final_breaks) else { return };
        let image = Image::read(name);
        let opted_out = owner.opt_out.applies_to(None).then_some(SkipReason::Annotation);
        // A candidate is listed with a digest, too; an operator accepts what is pinned already.
        let applies = left == Some(SkipReason::Candidate) || image.is_tagged();
        let left = opted_out.or(left.filter(|_| applies));
        if !self.take(*node) && !self.is_shared(ctx, *node, name, left) {
            return;
        }
        self.passed.push(*node);
        // The other fields are no images.
        for &node in nodes {
            self.take(node);
        }
        self.images.push(Finding {
            class,
            left,
            image,
            name: Some(name.clone()),
            writing: *writing,
            ..Finding::of_field(owner, *node, text)
        });
    }

    /// True if one field is a part of several images, and all of them are left alone. If one of
    /// them is pinned, the field can't be right for both; that is an error.
    fn is_shared(
        &mut self,
        ctx: Context<'_, '_>,
        node: NodeId,
        joined: &str,
        left: Option<SkipReason>,
    ) -> bool {
        let mut others = self
            .images
            .iter()
            .filter(|other| other.node == node)
            .filter_map(|other| Some((other.name.as_deref()?, other.left)));
        let Some((name, other)) = others.find(|(name, _)| *name != joined) else {
            return false;
        };
        if left.is_some() && other.is_some() {
            return true;
        }
        // Another rule knows what the field is.
        if left == Some(SkipReason::Candidate) {
            return false;
        }
        let message =
            format!("one field is a part of two images, {} and {}", quoted(name), quoted(joined));
        let error = Diagnostic::error(Failure::Input, message)
            .location(ctx.location(node))
            .help("write it for each of them instead of merging it");
        self.diagnostics.push(error);
        false
    }
}

/// The reference that the fields of a mapping make, and their values.
fn joined(ctx: Context<'_, '_>, holder: NodeId, template: &str) -> Option<(String, Vec<NodeId>)> {
    let mut joined = String::new();
    let mut nodes = Vec::new();
    for part in template.split_inclusive('}') {
        let (between, key) = part.split_once('{').expect("every part is a key in braces");
        let node = ctx.document.value(holder, key.trim_end_matches('}'))?;
        let text = text(ctx, node)?;
        let is_digest = between == ":" && text.starts_with("sha256:");
        joined.push_str(if is_digest { "@" } else { between });
        joined.push_str(text);
        nodes.push(node);
    }
    // The operator takes `image` and ignores the parts, if both are set.
    let is_ignored =
        template.starts_with("{baseImage}") && ctx.document.string_at(holder, &["image"]).is_some();
    (!is_ignored).then_some((joined, nodes))
}

/// The text of a field, and none if it is empty.
fn text<'d>(ctx: Context<'d, '_>, node: NodeId) -> Option<&'d str> {
    ctx.document.string(node).map(without_final_breaks).filter(|text| !text.is_empty())
}
