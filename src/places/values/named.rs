//! Values in other objects: the `ConfigMap`s and `Secret`s that a `HelmRelease` of the same input names in
//! `valuesFrom`.

use crate::text::Source;
use crate::text::yaml::{Document, NodeId, documents};

/// The key that has the values, where none is named (Flux, `ValuesReference`).
const DEFAULT_KEY: &str = "values.yaml";

/// The objects that `valuesFrom` names in an input.
#[derive(Debug, Default)]
pub(in crate::places) struct NamedValues(Vec<Named>);

/// One key of an object that has values of a chart.
#[derive(Debug)]
struct Named {
    kind: String,
    namespace: Option<String>,
    name: String,
    key: String,
    chart: Option<String>,
}

/// An object that may be named.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<'d> {
    pub(super) kind: &'d str,
    pub(super) namespace: Option<&'d str>,
    pub(super) name: &'d str,
}

impl NamedValues {
    /// Finds the objects that the sources name. A source that can't be read names none.
    pub(in crate::places) fn of(sources: &[Source]) -> Self {
        let mut named = Vec::new();
        for (n, source) in sources.iter().enumerate() {
            if source.text().contains("valuesFrom") {
                for document in documents(source, n).map_while(Result::ok) {
                    named.extend(document.ids().flat_map(|id| named_by(&document, id)));
                }
            }
        }
        Self(named)
    }

    /// The keys of an object that have values, each with the chart that they are of.
    pub(super) fn keys(&self, of: Holder<'_>) -> impl Iterator<Item = (&str, Option<&str>)> {
        let is_meant = move |named: &&Named| {
            let namespace = named.namespace.as_deref();
            // A kustomization may set the namespace of both.
            let is_same =
                namespace.is_none() || of.namespace.is_none() || namespace == of.namespace;
            named.kind == of.kind && named.name == of.name && is_same
        };
        self.0.iter().filter(is_meant).map(|named| (&*named.key, named.chart.as_deref()))
    }
}

/// The objects that a node names, if it is a `HelmRelease`.
fn named_by(document: &Document<'_>, release: NodeId) -> Vec<Named> {
    if document.entries(release).is_empty()
        || document.string_at(release, &["kind"]) != Some("HelmRelease")
    {
        return Vec::new();
    }
    let text = |at: NodeId, path: &[&str]| document.string_at(at, path).map(str::to_owned);
    let list = document.value(release, "spec").and_then(|spec| document.value(spec, "valuesFrom"));
    let named = |&item: &NodeId| {
        // With a target path, the value is no YAML of its own.
        let is_whole = document.value(item, "targetPath").is_none();
        is_whole.then_some(())?;
        Some(Named {
            kind: text(item, &["kind"])?,
            namespace: text(release, &["metadata", "namespace"]),
            name: text(item, &["name"])?,
            key: text(item, &["valuesKey"]).unwrap_or_else(|| DEFAULT_KEY.to_owned()),
            chart: text(release, &["spec", "chart", "spec", "chart"])
                .or_else(|| text(release, &["spec", "chartRef", "name"])),
        })
    };
    list.map(|list| document.items(list).iter().filter_map(named).collect()).unwrap_or_default()
}
