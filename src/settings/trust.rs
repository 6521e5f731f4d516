//! Trust: what a source of configuration may set.
//!
//! digestif runs between charts of strangers and clusters, with the logins of a person. Whoever writes
//! manifests must choose neither files nor hosts.

use super::pin_images::PinImages;
use super::wrong::{Wrong, span};

/// The owner of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whoever starts digestif. Everything is allowed.
    Caller,
    /// Whoever writes the manifests: a `functionConfig` without `digestif fn`.
    Manifests,
}

/// The keys that manifests must not set, because they choose files and hosts.
const CHOOSES_FILES_AND_HOSTS: [&str; 2] = ["lock", "registries"];

impl Owner {
    /// The error about a key that this owner must not set.
    pub(crate) fn refused(self, key: &str) -> Option<String> {
        let is_refused = self == Self::Manifests && CHOOSES_FILES_AND_HOSTS.contains(&key);
        is_refused.then(|| format!("`{key}` of a `functionConfig` needs `digestif fn`"))
    }

    /// Every key of a configuration that this owner must not set.
    pub(super) fn refusals(self, raw: &PinImages) -> Vec<Wrong> {
        let registries = raw.registries.as_deref().and_then(<[_]>::first);
        let set = [
            ("lock", raw.lock.as_ref().map(|lock| lock.referenced)),
            ("registries", registries.map(|registry| registry.referenced)),
        ];
        let refused = set.into_iter().filter_map(|(key, at)| Some((self.refused(key)?, at?)));
        refused.map(|(message, at)| Wrong::at(span(at), message).help(HOW_TO_TRUST)).collect()
    }
}

/// The remedy for a refused key.
pub(crate) const HOW_TO_TRUST: &str = "manifests choose no files and no hosts, but a kustomization or package that you trust may: write `exec: {path: digestif, args: [fn]}` for kustomize, `exec: digestif fn` for kpt";
