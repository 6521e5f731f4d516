//! The fields that the table and the configuration name.

use std::collections::HashSet;

use super::chart_image::{Fields, chart_image};
use super::context::{Context, without_final_breaks};
use super::fields::FieldPath;
use super::finding::{FieldSeen, Finding, Findings, Owner};
use super::parts::Join;
use super::place::{Class, Image, SkipReason, Writing};
use super::table::{self, Form, PartsPin, Row};
use crate::text::yaml::{Content, NodeId};

/// The schemes of URLs with a reference (containerized data importer; model images of `KServe`).
const SCHEMES: [&str; 2] = [DOCKER, "oci://"];
const DOCKER: &str = "docker://";

const NO_TAG: &str = "there is no tag beside the repository";

const SCHEDULED: SkipReason =
    SkipReason::Operator("OpenShift imports it on a schedule, which it refuses for digests");

/// Adds the images of the fields that the table and the configuration name. Returns the nodes that the
/// table names as no image, as well.
pub(super) fn find(
    ctx: Context<'_, '_>,
    owners: &[Owner],
    mut found: Findings,
) -> (Findings, HashSet<NodeId>) {
    let mut no_image = HashSet::new();
    for owner in owners {
        for &object in &owner.objects {
            found.configured_fields(ctx, owner, object);
            found.table_fields(ctx, owner, object, &mut no_image);
        }
    }
    (found, no_image)
}

/// The nodes that the configuration names with `pin: false`.
pub(super) fn configured(ctx: Context<'_, '_>, owners: &[Owner]) -> HashSet<NodeId> {
    let mut nodes = HashSet::new();
    let fields = || ctx.scope.fields.iter().filter(|field| !field.pin);
    if fields().next().is_none() {
        return nodes;
    }
    for &object in owners.iter().flat_map(|owner| &owner.objects) {
        let (group, version, kind) = group_version_kind(ctx, object);
        for field in fields().filter(|field| field.is_of(group, version, kind)) {
            nodes.extend(field.path.ends(ctx.document, object, |_| ()));
        }
    }
    nodes
}

fn group_version_kind<'d>(ctx: Context<'d, '_>, object: NodeId) -> (&'d str, &'d str, &'d str) {
    let text = |key| ctx.document.string_at(object, &[key]).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    (group, version, kind)
}

impl Findings {
    fn configured_fields(&mut self, ctx: Context<'_, '_>, owner: &Owner, object: NodeId) {
        let (group, version, kind) = group_version_kind(ctx, object);
        let fields = ctx.scope.fields.iter().enumerate();
        for (n, field) in fields.filter(|(_, field)| field.is_of(group, version, kind)) {
            let left = (!field.pin).then_some(SkipReason::Configured);
            let ends = self.ends(ctx, &field.path, object);
            let seen = if ends.is_empty() { FieldSeen::Kind } else { FieldSeen::Path };
            self.seen.entry(n).and_modify(|known| *known = seen.max(*known)).or_insert(seen);
            for node in ends {
                self.configured_field(ctx, owner, node, left);
            }
        }
    }

    /// Adds a field that the configuration names: a whole reference, or a repository and a tag, of which
    /// it names one or the mapping.
    fn configured_field(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &Owner,
        node: NodeId,
        left: Option<SkipReason>,
    ) {
        let document = ctx.document;
        let is_mapping = !document.entries(node).is_empty();
        let holder =
            if is_mapping { Some(document.target(node)) } else { document.node(node).parent };
        let joined = holder.and_then(|holder| chart_image(document, &Fields::Of(holder)));
        match joined.filter(|image| is_mapping || image.names(node)) {
            Some(image) => {
                let no_tag = (!image.can_pin).then_some(SkipReason::Operator(NO_TAG));
                self.joined(ctx, owner, &image, Class::Field, left.or(no_tag));
            }
            None => self.reference(ctx, owner, node, Writing::Reference, left),
        }
    }

    fn table_fields(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &Owner,
        object: NodeId,
        no_image: &mut HashSet<NodeId>,
    ) {
        let (group, version, kind) = group_version_kind(ctx, object);
        for row in table::rows(group, kind) {
            if !row.version.is_empty() && row.version != version {
                continue;
            }
            if row.form == Form::NoImage {
                no_image.extend(row.path.ends(ctx.document, object, |_| ()));
                continue;
            }
            for node in self.ends(ctx, &row.path, object) {
                self.table_field(ctx, owner, node, row);
            }
        }
    }

    fn ends(&mut self, ctx: Context<'_, '_>, path: &FieldPath, object: NodeId) -> Vec<NodeId> {
        path.ends(ctx.document, object, |node| self.passed.push(node))
    }

    fn table_field(&mut self, ctx: Context<'_, '_>, owner: &Owner, node: NodeId, row: &Row) {
        let document = ctx.document;
        let untagged = || {
            let text = document.string(node).map(without_final_breaks)?;
            Image::read(text).is_bare().then_some(SkipReason::Operator(row.note))
        };
        match row.form {
            Form::Reference => self.reference(ctx, owner, node, Writing::Reference, None),
            Form::Tagged => self.reference(ctx, owner, node, Writing::Tagged, untagged()),
            Form::Versioned => self.reference(ctx, owner, node, Writing::Reference, untagged()),
            Form::Url => self.url(ctx, owner, node),
            Form::DockerImage if document.string_at(node, &["kind"]) == Some("DockerImage") => {
                let left = is_scheduled(ctx, node).then_some(SCHEDULED);
                for name in document.values(node, "name") {
                    self.reference(ctx, owner, name, Writing::Reference, left);
                }
            }
            Form::Parts(template, pin) => {
                let (writing, left) = match pin {
                    PartsPin::Append => (Writing::Tag, None),
                    PartsPin::Replace => (Writing::Digest, None),
                    PartsPin::Never => (Writing::Tag, Some(SkipReason::Operator(row.note))),
                };
                let join = Join { template, class: Class::Parts, writing, left };
                self.parts(ctx, owner, node, join);
            }
            Form::Reported => self.reported(ctx, owner, node),
            Form::DockerImage | Form::NoImage => {}
        }
    }

    fn reference(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &Owner,
        node: NodeId,
        writing: Writing,
        left: Option<SkipReason>,
    ) {
        let Some(text) = ctx.text(node).map(without_final_breaks) else { return };
        if text.is_empty() || !self.take(node) {
            return;
        }
        let left = owner.opt_out.applies_to(None).then_some(SkipReason::Annotation).or(left);
        self.images.push(Finding { writing, left, ..Finding::of_field(owner, node, text) });
    }

    fn url(&mut self, ctx: Context<'_, '_>, owner: &Owner, node: NodeId) {
        let Some(url) = ctx.text(node).map(without_final_breaks) else { return };
        let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
        if let Some(text) = rest.filter(|text| !text.is_empty())
            && self.take(node)
        {
            let part = url.len() - text.len()..url.len();
            let left = owner.opt_out.applies_to(None).then_some(SkipReason::Annotation);
            // containers/image refuses a tag beside a digest there (skopeo#2367).
            let writing =
                if url.starts_with(DOCKER) { Writing::Untagged } else { Writing::Reference };
            self.images.push(Finding {
                part,
                writing,
                left,
                ..Finding::of_field(owner, node, text)
            });
        }
    }

    fn reported(&mut self, ctx: Context<'_, '_>, owner: &Owner, node: NodeId) {
        let Some(text) = ctx.text(node).map(without_final_breaks) else { return };
        if let Image::Reference(_) = Image::read(text)
            && self.take(node)
        {
            let left = Some(SkipReason::Candidate);
            let class = Class::Other;
            self.images.push(Finding { class, left, ..Finding::of_field(owner, node, text) });
        }
    }
}

/// True if OpenShift imports a tag of an image stream repeatedly, which it refuses for digests
/// (openshift, `ValidateImageStreamTagReference`).
fn is_scheduled(ctx: Context<'_, '_>, from: NodeId) -> bool {
    let document = ctx.document;
    let policy = document.node(from).parent.and_then(|tag| document.value(tag, "importPolicy"));
    let scheduled = policy.and_then(|policy| document.value(policy, "scheduled"));
    scheduled.is_some_and(|scheduled| {
        let node = document.node(document.target(scheduled));
        matches!(&node.content, Content::Scalar { text, .. } if text == "true")
    })
}
