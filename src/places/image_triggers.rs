//! Images that OpenShift fills in: containers named by an `ImageChange` trigger.
//!
//! A `DeploymentConfig` has triggers of its own (openshift/api, `DeploymentTriggerImageChangeParams`);
//! other workloads have the annotation `image.openshift.io/triggers` (openshift/library-go,
//! `ObjectFieldTrigger`).

use serde::Deserialize;

use crate::text::yaml::{Document, NodeId};

const ANNOTATION: [&str; 3] = ["metadata", "annotations", "image.openshift.io/triggers"];

/// The containers of an object whose images OpenShift fills in.
#[derive(Debug, Default)]
pub(super) struct ImageTriggers(Vec<Filled>);

#[derive(Debug)]
enum Filled {
    /// The container with this name, in any list.
    Named(String),
    /// The item of a list, by its position.
    Item(String, usize),
}

/// An item of the annotation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trigger {
    #[serde(default)]
    field_path: String,
    /// A truth value, or the text of one.
    #[serde(default)]
    paused: serde_json::Value,
}

impl ImageTriggers {
    /// Reads the triggers of an object. An annotation that is not JSON has no triggers, as for
    /// OpenShift.
    pub(super) fn of(document: &Document<'_>, root: NodeId) -> Self {
        let mut filled = Vec::new();
        if document.string_at(root, &["kind"]) == Some("DeploymentConfig") {
            filled
                .extend(named_by_config(document, root).map(|name| Filled::Named(name.to_owned())));
        }
        if let Some(text) = document.string_at(root, &ANNOTATION) {
            let triggers: Vec<Trigger> = serde_json::from_str(text).unwrap_or_default();
            let active = triggers.iter().filter(|trigger| !is_true(&trigger.paused));
            filled.extend(active.filter_map(|trigger| filled_at(&trigger.field_path)));
        }
        Self(filled)
    }

    /// True if a trigger fills in the image of this item of the list `key`.
    pub(super) fn fill(&self, key: &str, n: usize, name: Option<&str>) -> bool {
        self.0.iter().any(|filled| match filled {
            Filled::Named(container) => name == Some(container),
            Filled::Item(list, item) => list == key && *item == n,
        })
    }
}

/// The names in the triggers of a `DeploymentConfig`.
fn named_by_config<'d>(
    document: &'d Document<'_>,
    root: NodeId,
) -> impl Iterator<Item = &'d str> + 'd {
    let triggers = document.value(root, "spec").and_then(|spec| document.value(spec, "triggers"));
    let triggers = triggers.map_or(&[][..], |triggers| document.items(triggers));
    let changes = triggers
        .iter()
        .filter(|&&trigger| document.string_at(trigger, &["type"]) == Some("ImageChange"))
        .filter_map(|&trigger| document.value(trigger, "imageChangeParams"));
    let names = changes.filter_map(|change| document.value(change, "containerNames"));
    names.flat_map(|names| document.items(names)).filter_map(|&name| document.string(name))
}

/// The container that a field path names: `….containers[?(@.name=="web")].image`, or `[0]`.
fn filled_at(path: &str) -> Option<Filled> {
    let (list, selector) = path.strip_suffix("].image")?.rsplit_once('[')?;
    let list = list.rsplit('.').next()?;
    if let Some(condition) = selector.strip_prefix("?(@.name") {
        let name = condition.trim_start().strip_prefix("==")?.strip_suffix(')')?;
        return Some(Filled::Named(name.trim().trim_matches(['"', '\'']).to_owned()));
    }
    Some(Filled::Item(list.to_owned(), selector.parse().ok()?))
}

fn is_true(value: &serde_json::Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}
