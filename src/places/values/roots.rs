//! The values of Helm charts in objects: where each kind has them, and of which chart they are.

use super::named::Holder;
use crate::places::context::Context;
use crate::places::fields::FieldPath;
use crate::places::finding::Owner;
use crate::text::yaml::{Content, NodeId};

/// The values of one chart.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) node: NodeId,
    pub(super) form: Form,
    /// The name of the chart, if it is known.
    pub(super) chart: Option<String>,
}

/// The form in which an object has the values of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A mapping.
    Mapping,
    /// A text of YAML.
    Text,
    /// A list of items with `name` and `value`: the name is a path with dots.
    Parameters,
    /// A mapping whose keys are paths with dots.
    Set,
}

/// Kinds with values: group, kind, the path of the holder of one chart's values, the key and the form.
/// An empty kind is every kind of the group.
const KINDS: [(&str, &str, &str, &str, Form); 15] = [
    ("helm.toolkit.fluxcd.io", "HelmRelease", "spec", "values", Form::Mapping),
    ("helm.fluxcd.io", "HelmRelease", "spec", "values", Form::Mapping),
    ("helm.cattle.io", "", "spec", "valuesContent", Form::Text),
    ("helm.cattle.io", "", "spec", "set", Form::Set),
    ("fleet.cattle.io", "Bundle", "spec/helm", "values", Form::Mapping),
    ("fleet.cattle.io", "Bundle", "spec/targets/helm", "values", Form::Mapping),
    ("helm.crossplane.io", "Release", "spec/forProvider", "values", Form::Mapping),
    ("helm.crossplane.io", "Release", "spec/forProvider", "set", Form::Parameters),
    ("addons.cluster.x-k8s.io", "HelmChartProxy", "spec", "valuesTemplate", Form::Text),
    ("addons.cluster.x-k8s.io", "HelmReleaseProxy", "spec", "values", Form::Text),
    ("config.projectsveltos.io", "", "spec/helmCharts", "values", Form::Text),
    ("k0s.k0sproject.io", "ClusterConfig", "spec/extensions/helm/charts", "values", Form::Text),
    ("kustomize.config.k8s.io", "", "helmCharts", "valuesInline", Form::Mapping),
    ("source.toolkit.fluxcd.io", "HelmChart", "spec", "values", Form::Mapping),
    ("catalog.cattle.io", "App", "spec", "values", Form::Mapping),
];

/// Keys of `helm` in sources of Argo CD (argo-cd, `ApplicationSourceHelm`).
const ARGO_CD: [(&str, Form); 3] =
    [("valuesObject", Form::Mapping), ("values", Form::Text), ("parameters", Form::Parameters)];

/// The values of charts in an object, or the file of values that it is.
pub(super) fn roots(ctx: Context<'_, '_>, owner: &Owner) -> Vec<Root> {
    let document = ctx.document;
    if is_values_file(ctx, owner) {
        return vec![Root { node: owner.root, form: Form::Mapping, chart: None }];
    }
    let group = owner.object.group();
    let mut roots = named(ctx, owner);
    if group == "argoproj.io" {
        let helms = owner.mappings.iter().filter(|&&id| ctx.key(id) == Some("helm"));
        for &helm in helms {
            let source = document.node(helm).parent;
            let chart = source.and_then(|source| document.string_at(source, &["chart"]));
            for (key, form) in ARGO_CD {
                let chart = || chart.map(base_name);
                let root = |node| Root { node: document.target(node), form, chart: chart() };
                roots.extend(document.values(helm, key).map(root));
            }
        }
    }
    for (_, _, holder, key, form) in KINDS
        .iter()
        .filter(|(of, kind, ..)| *of == group && (kind.is_empty() || *kind == owner.object.kind))
    {
        let path: FieldPath = holder.parse().expect("a path of the table");
        for holder in path.ends(document, owner.root, |_| ()) {
            let root = |node| {
                let chart = chart(ctx, owner.root, holder);
                Root { node: document.target(node), form: *form, chart }
            };
            roots.extend(document.values(holder, key).map(root));
        }
    }
    roots
}

/// The values in an object that `valuesFrom` names. What a `Secret` has in `data` is encoded.
fn named(ctx: Context<'_, '_>, owner: &Owner) -> Vec<Root> {
    let object = &*owner.object;
    let data = match (object.api_version.as_str(), object.kind.as_str()) {
        ("v1", "ConfigMap") => "data",
        ("v1", "Secret") => "stringData",
        _ => return Vec::new(),
    };
    let (kind, namespace) = (object.kind.as_str(), object.namespace.as_deref());
    let keys = ctx.named.keys(Holder { kind, namespace, name: &object.name });
    let root = |(key, chart): (&str, Option<&str>)| {
        let data = ctx.document.value(owner.root, data)?;
        let node = ctx.document.value(data, key)?;
        let node = ctx.document.target(node);
        Some(Root { node, form: Form::Text, chart: chart.map(base_name) })
    };
    keys.filter_map(root).collect()
}

/// True for a file of values: a mapping without a kind in a file that is called so.
pub(super) fn is_values_file(ctx: Context<'_, '_>, owner: &Owner) -> bool {
    let name = ctx.source.origin().path().and_then(|path| path.file_stem()?.to_str());
    let document = ctx.document;
    let is_object =
        ["kind", "apiVersion"].iter().any(|key| document.value(owner.root, key).is_some());
    !is_object
        && name.is_some_and(|name| name.starts_with("values") || name.ends_with("values"))
        && matches!(document.node(owner.root).content, Content::Mapping { .. })
}

/// The name of the chart whose values a mapping holds.
fn chart(ctx: Context<'_, '_>, root: NodeId, holder: NodeId) -> Option<String> {
    const PATHS: [&[&str]; 8] = [
        &["chart", "spec", "chart"],
        &["chartRef", "name"],
        &["chart"],
        &["chart", "name"],
        &["chartname"],
        &["chartName"],
        &["name"],
        &["metadata", "name"],
    ];
    let document = ctx.document;
    let named = |at: NodeId| PATHS[..7].iter().find_map(|path| document.string_at(at, path));
    let name = named(holder).or_else(|| document.string_at(root, PATHS[7]))?;
    Some(base_name(name))
}

/// The last part of a chart's path or URL, without what follows it in the name of an archive.
fn base_name(chart: &str) -> String {
    let name = chart.trim_end_matches('/').rsplit('/').next().unwrap_or(chart);
    let archive = name.strip_suffix(".tgz").and_then(|name| {
        let at = name.match_indices('-').find(|(at, _)| {
            name[at + 1..].trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
        });
        at.map(|(at, _)| &name[..at])
    });
    archive.unwrap_or(name).to_owned()
}
