//! Values of Helm charts: the images in them, by `repository` and `tag` or as whole references.
//!
//! They are in mappings, in texts of YAML, and in lists of parameters whose names are paths with
//! dots. All are candidates of the class `values`. Elsewhere in custom resources and in texts of
//! `ConfigMap`s, `repository` and `tag` are listed and never changed, because it is unknown how the
//! program that reads them joins them.

pub(super) mod charts;
pub(super) mod named;
mod roots;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::chart_image::{ChartImage, Fields, chart_image};
use super::class_of::{Text, is_built_in};
use super::context::Context;
use super::finding::{Findings, Owner};
use super::place::{Class, SkipReason};
use crate::text::yaml::{Document, NodeId};

pub(super) use text::{TextImage, images_in};

use charts::{Reason, reason};
use roots::{Form, Root, is_values_file, roots};

/// The values of charts in a document.
#[derive(Default)]
pub(super) struct Values {
    /// True if the document is a file of values.
    pub(super) are_file: bool,
    roots: HashMap<NodeId, Root>,
}

impl Values {
    /// True if a node is in the values of a chart, given that it is in the object with this root.
    pub(super) fn contain(&self, document: &Document<'_>, root: NodeId, node: NodeId) -> bool {
        self.root_of(document, root, node).is_some()
    }

    /// The text as one in the values of a chart, if it is in some. The key of a parameter is its path.
    pub(super) fn reclassified<'d>(
        &self,
        document: &'d Document<'_>,
        root: NodeId,
        node: NodeId,
        text: Text<'d>,
    ) -> Text<'d> {
        let Some(values) = self.root_of(document, root, node) else { return text };
        let item = document.node(node).parent.filter(|_| values.form == Form::Parameters);
        let name = item.and_then(|item| document.string_at(item, &["name"]));
        Text { class: Class::Values, key: name.unwrap_or(text.key) }
    }

    /// The reason to leave a node in the values of a chart alone, although values are pinned. `rest` is
    /// the path within the node's text.
    pub(super) fn left(
        &self,
        ctx: Context<'_, '_>,
        root: NodeId,
        node: NodeId,
        rest: &str,
    ) -> Option<SkipReason> {
        let values = self.root_of(ctx.document, root, node)?;
        let path = match values.form {
            Form::Mapping => path_between(ctx.document, values.node, node),
            Form::Text => rest.to_owned(),
            Form::Parameters | Form::Set => {
                let parameters = parameters_of(ctx.document, values);
                let parameter = parameters.into_iter().find(|(_, at)| *at == node);
                parameter.map_or_else(String::new, |(path, _)| path.to_owned())
            }
        };
        let chart = values.chart.as_deref().unwrap_or_default();
        Some(match reason(&ctx.scope.values, chart, &path)? {
            Reason::Configured => SkipReason::Configured,
            Reason::Chart(note) => SkipReason::Operator(note),
        })
    }

    fn root_of(&self, document: &Document<'_>, root: NodeId, node: NodeId) -> Option<&Root> {
        if self.roots.is_empty() {
            return None;
        }
        let parent = |&id: &NodeId| document.node(id).parent.filter(|_| id != root);
        std::iter::successors(Some(node), parent).find_map(|id| self.roots.get(&id))
    }
}

/// Adds the images that mappings name in several fields. Mappings at or below one of the nodes in
/// `no_image` are not looked at.
pub(super) fn find(
    ctx: Context<'_, '_>,
    owners: &[Owner],
    no_image: &HashSet<NodeId>,
    mut found: Findings,
) -> (Findings, Values) {
    let document = ctx.document;
    let mut values = Values::default();
    for owner in owners.iter().filter(|owner| !owner.is_definition()) {
        values.are_file |= is_values_file(ctx, owner);
        for root in roots(ctx, owner) {
            values.roots.insert(root.node, root.clone());
            parameters(ctx, owner, &values, &root, &mut found);
        }
        let is_known = owner.has_patterns || is_built_in(owner.object.group());
        for &mapping in &owner.mappings {
            let is_value = values.root_of(document, owner.root, mapping).is_some();
            let is_left = || is_known || is_below(document, owner.root, mapping, no_image);
            if !is_value && is_left() {
                continue;
            }
            if let Some(image) = chart_image(document, &Fields::Of(mapping)) {
                add(ctx, owner, &values, &image, &mut found);
            }
        }
    }
    (found, values)
}

/// The keys from one node to a node below it, with dots.
fn path_between(document: &Document<'_>, from: NodeId, to: NodeId) -> String {
    let parent = |&id: &NodeId| document.node(id).parent.filter(|_| id != from);
    let nodes = std::iter::successors(Some(to), parent).take_while(|&id| id != from);
    let key = |id: NodeId| {
        let node = document.node(id);
        let entry = document.entries(node.parent?).get(node.position);
        entry.and_then(|&(key, _)| document.key_text(key))
    };
    let mut keys: Vec<_> = nodes.filter_map(key).collect();
    keys.reverse();
    keys.join(".")
}

/// Adds the images that parameters name, each by its path: `web.image.tag`.
fn parameters(
    ctx: Context<'_, '_>,
    owner: &Owner,
    values: &Values,
    root: &Root,
    found: &mut Findings,
) {
    let parameters = parameters_of(ctx.document, root);
    let mut holders: BTreeMap<&str, Vec<(&str, NodeId)>> = BTreeMap::new();
    for (path, node) in parameters {
        let (holder, key) = path.rsplit_once('.').unwrap_or(("", path));
        holders.entry(holder).or_default().push((key, node));
    }
    for (holder, fields) in holders {
        if let Some(image) = chart_image(ctx.document, &Fields::Below(holder, &fields)) {
            add(ctx, owner, values, &image, found);
        }
    }
}

/// The parameters of a chart, with their paths.
fn parameters_of<'d>(document: &'d Document<'_>, root: &Root) -> Vec<(&'d str, NodeId)> {
    match root.form {
        Form::Parameters => {
            let parameter = |&item: &NodeId| {
                Some((document.string_at(item, &["name"])?, document.value(item, "value")?))
            };
            document.items(root.node).iter().filter_map(parameter).collect()
        }
        Form::Set => {
            let entries = document.entries(root.node).iter();
            entries.filter_map(|&(key, value)| Some((document.string(key)?, value))).collect()
        }
        Form::Mapping | Form::Text => Vec::new(),
    }
}

/// True if a node is one of these, or below one.
fn is_below(
    document: &Document<'_>,
    root: NodeId,
    node: NodeId,
    holders: &HashSet<NodeId>,
) -> bool {
    let parent = |&id: &NodeId| document.node(id).parent.filter(|_| id != root);
    !holders.is_empty() && std::iter::successors(Some(node), parent).any(|id| holders.contains(&id))
}

fn add(
    ctx: Context<'_, '_>,
    owner: &Owner,
    values: &Values,
    image: &ChartImage,
    found: &mut Findings,
) {
    let is_value = values.root_of(ctx.document, owner.root, image.node).is_some();
    let class = if is_value { Class::Values } else { Class::Other };
    let object = (&*owner.object, owner.root);
    let is_included = || ctx.scope.includes(ctx.document, class, object, image.node);
    let is_asked_for = is_value && image.can_pin && is_included();
    let left = if is_asked_for {
        values.left(ctx, owner.root, image.node, "")
    } else {
        Some(SkipReason::Candidate)
    };
    found.joined(ctx, owner, image, class, left);
}
