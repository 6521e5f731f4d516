//! The class of a text that may be a candidate, by the keys above it.

use std::collections::HashSet;

use super::finding::Owner;
use super::place::Class;
use crate::text::yaml::{Document, NodeId};

/// kubectl's copy of an object that it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The annotation of OpenShift's triggers, and the start of those of Argo CD's image updater.
const TRIGGERS: &str = "image.openshift.io/triggers";
const UPDATER: &str = "argocd-image-updater.argoproj.io/";

/// The class of a text, and the key, variable or flag that it is the value of; the key may be empty.
pub(super) struct Text<'d> {
    pub(super) class: Class,
    pub(super) key: &'d str,
}

/// The class and the key of a text of an object, and none if it can't be an image.
pub(super) fn classify<'d>(
    document: &'d Document<'_>,
    owner: &Owner,
    node: NodeId,
    no_image: &HashSet<NodeId>,
    is_value: bool,
) -> Option<Text<'d>> {
    // The keys from the text up to the object's root; an item of a list has none.
    let mut keys: Vec<Option<&str>> = Vec::new();
    let mut at = node;
    while at != owner.root {
        if no_image.contains(&at) {
            return None;
        }
        let parent = document.node(at).parent?;
        let entry = document.entries(parent).get(document.node(at).position);
        keys.push(entry.map(|&(key, _)| document.string(key).unwrap_or_default()));
        at = parent;
    }
    let key = keys.iter().find_map(|key| *key).unwrap_or_default();
    let of = |class| Some(Text { class, key });
    let is_metadata =
        |name: &&[Option<&str>]| matches!(name, [Some("annotations" | "labels"), Some("metadata")]);
    match *keys.as_slice() {
        [Some(LAST_APPLIED), ..] => None,
        // Names of image streams, and ranges of versions.
        [Some(key), Some("annotations"), ..] if key == TRIGGERS || key.starts_with(UPDATER) => None,
        [Some("name"), ..] if names_image_stream(document, node) => None,
        // They are compared with labels.
        [Some(_), Some("matchLabels" | "nodeSelector" | "selector"), ..] => None,
        // The destination of a build.
        _ if owner.object.group() == "tekton.dev" && keys.contains(&Some("results")) => None,
        [Some("value"), None, Some("env"), ..] => {
            let variable = document.node(node).parent?;
            let key = document.string_at(variable, &["name"]).unwrap_or_default();
            Some(Text { class: Class::Env, key })
        }
        [None, Some("args" | "command"), ..] => {
            Some(Text { class: Class::Args, key: flag_before(document, node).unwrap_or_default() })
        }
        [.., Some(key)] if is_config(owner, key) => of(Class::Config),
        _ if keys.windows(2).any(|pair| is_metadata(&pair)) => of(Class::Annotations),
        // A volume of Ceph, and the name of another field.
        [Some("image"), Some("rbd"), ..] => None,
        _ if is_value => of(Class::Values),
        // Policies hold patterns.
        _ if owner.has_patterns || is_built_in(owner.object.group()) => None,
        _ => of(Class::Other),
    }
}

/// True for the name in a reference to an image stream of OpenShift.
fn names_image_stream(document: &Document<'_>, node: NodeId) -> bool {
    let holder = document.node(node).parent;
    let kind = holder.and_then(|holder| document.string_at(holder, &["kind"]));
    matches!(kind, Some("ImageStreamTag" | "ImageStreamImage" | "ImageStream"))
}

/// True if a key of an object holds texts that programs read. What a `Secret` has in `data` is
/// encoded.
fn is_config(owner: &Owner, key: &str) -> bool {
    let key_of = |kind| match kind {
        "ConfigMap" => Some("data"),
        "Secret" => Some("stringData"),
        _ => None,
    };
    owner.object.api_version == "v1" && key_of(owner.object.kind.as_str()) == Some(key)
}

/// The flag that the argument before this one is, `--image`, if it has no value of its own.
fn flag_before<'d>(document: &'d Document<'_>, node: NodeId) -> Option<&'d str> {
    let node = document.node(node);
    let before = node.position.checked_sub(1)?;
    let flag = document.string(*document.items(node.parent?).get(before)?)?;
    (flag.starts_with('-') && !flag.contains(['=', ' '])).then_some(flag)
}

/// True if a group is one of Kubernetes' own, all of whose image fields are known. Other projects have
/// groups that end as some of these do.
pub(super) fn is_built_in(group: &str) -> bool {
    const OWN: [&str; 18] = [
        "admissionregistration",
        "apiextensions",
        "apiregistration",
        "authentication",
        "authorization",
        "certificates",
        "coordination",
        "discovery",
        "events",
        "flowcontrol.apiserver",
        "gateway.networking",
        "metrics",
        "networking",
        "node",
        "rbac.authorization",
        "resource",
        "scheduling",
        "storage",
    ];
    !group.contains('.') || group.strip_suffix(".k8s.io").is_some_and(|name| OWN.contains(&name))
}
