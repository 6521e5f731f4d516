//! Objects: the Kubernetes objects that images are in, as messages and reports name them.

use std::fmt;

use crate::text::escape::{escaped, shortened};
use crate::text::yaml::{Document, NodeId};

/// The Kubernetes object that a place is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace, if it is written.
    pub namespace: Option<String>,
    /// The name, or the prefix of a generated one.
    pub name: String,
    /// The file that a function's host took it from.
    pub file: Option<File>,
    /// True for a Job that keeps its name and that no hook deletes, so that its image can't change.
    pub is_plain_job: bool,
    /// The labels that say which release it is of: the instance, and the chart.
    pub release: [Option<String>; 2],
}

/// The annotations of hooks, which replace their objects (Helm, "Chart Hooks"; Argo CD, "Resource Hooks").
const HOOKS: [&str; 2] = ["helm.sh/hook", "argocd.argoproj.io/hook"];

/// The file that a function's host took an object from, by the object's annotations.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct File {
    /// Its path in the package.
    pub path: String,
    /// Its number among the objects of the file, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

impl Object {
    pub(super) fn of(document: &Document<'_>, root: NodeId) -> Self {
        let text = |path: &[&str]| document.string_at(root, path).map(str::to_owned);
        // The second is how functions knew it at first (KRM functions specification v1alpha1).
        let of_file = |name: &str| {
            ["internal.config.kubernetes.io", "config.kubernetes.io"]
                .iter()
                .find_map(|group| text(&["metadata", "annotations", &format!("{group}/{name}")]))
        };
        let index = || of_file("index").and_then(|index| index.parse().ok());
        let annotation = |name: &str| text(&["metadata", "annotations", name]);
        let is_job = text(&["kind"]).as_deref() == Some("Job")
            && text(&["apiVersion"]).is_some_and(|version| version.starts_with("batch/"));
        let label = |name: &str| text(&["metadata", "labels", name]);
        Self {
            release: ["app.kubernetes.io/instance", "helm.sh/chart"].map(label),
            is_plain_job: is_job
                && text(&["metadata", "name"]).is_some()
                && HOOKS.iter().all(|hook| annotation(hook).is_none()),
            file: of_file("path").map(|path| File { path, index: index() }),
            api_version: text(&["apiVersion"]).unwrap_or_default(),
            kind: text(&["kind"]).unwrap_or_default(),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"])
                .or_else(|| text(&["metadata", "generateName"]))
                .unwrap_or_default(),
        }
    }

    pub(super) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

impl fmt::Display for Object {
    /// `Job capsule-system/capsule-crds`, [`escaped`], as the texts come from the input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| escaped(&shortened(text));
        let (kind, name) = (shown(&self.kind), shown(&self.name));
        f.write_str(if kind.is_empty() { "object" } else { &kind })?;
        match &self.namespace {
            Some(namespace) => write!(f, " {}/{name}", shown(namespace)),
            None if name.is_empty() => Ok(()),
            None => write!(f, " {name}"),
        }
    }
}
