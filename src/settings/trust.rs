//! Trust: what a source of configuration may set.
//!
//! digestif runs between charts of strangers and clusters, with the logins of a person. Whoever writes
//! manifests must choose neither files nor hosts, and the author of a pull request must not make a
//! login travel in plain text or a file change elsewhere.

use std::path::Path;

use super::checkout::REMEDY;
use super::pin_images::PinImages;
use super::registry_entry::Registry;
use super::wrong::{Wrong, span};
use crate::io::repository::is_inside;

/// The owner of a configuration, from the most trusted to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'r> {
    /// The caller, who starts digestif. Everything is allowed.
    Caller,
    /// The user whose file it is. Everything is allowed.
    User,
    /// The author of the checkout with this root.
    Checkout {
        /// The folder that the checkout must not leave.
        root: &'r Path,
    },
    /// The author of the manifests: a `functionConfig` without `digestif fn`.
    Manifests,
}

/// The keys that manifests must not set, because they choose files and hosts.
const CHOOSES_FILES_AND_HOSTS: [&str; 2] = ["lock", "registries"];

/// The remedy for a key that manifests must not set.
pub(crate) const HOW_TO_TRUST: &str = "manifests may not choose files or hosts, but a kustomization or package that you trust may: write `exec: {path: digestif, args: [fn]}` for kustomize, `exec: digestif fn` for kpt";

impl Owner<'_> {
    /// The error about a key that this owner must not set.
    pub(crate) fn refused(self, key: &str) -> Option<String> {
        let is_refused = self == Self::Manifests && CHOOSES_FILES_AND_HOSTS.contains(&key);
        is_refused.then(|| format!("`{key}` of a `functionConfig` needs `digestif fn`"))
    }

    /// Every part of a configuration in this folder that its owner must not set.
    pub(super) fn refusals(self, raw: &PinImages, folder: &Path) -> Vec<Wrong> {
        match self {
            Self::Caller | Self::User => Vec::new(),
            Self::Checkout { root } => of_checkout(raw, root, folder),
            Self::Manifests => self.of_manifests(raw),
        }
    }

    fn of_manifests(self, raw: &PinImages) -> Vec<Wrong> {
        let registries = raw.registries.as_deref().and_then(<[_]>::first);
        let set = [
            ("lock", raw.lock.as_ref().map(|lock| lock.referenced)),
            ("registries", registries.map(|registry| registry.referenced)),
        ];
        let refused = set.into_iter().filter_map(|(key, at)| Some((self.refused(key)?, at?)));
        refused.map(|(message, at)| Wrong::at(span(at), message).help(HOW_TO_TRUST)).collect()
    }
}

/// The settings that a checkout must not have: files outside it, registries in plain text or without verification, and
/// certificates that say who asks.
fn of_checkout(raw: &PinImages, root: &Path, folder: &Path) -> Vec<Wrong> {
    let at = |file: &str| folder.join(file.trim());
    let lock = raw.lock.as_ref().filter(|lock| !is_inside(root, &at(&lock.value)));
    let lock = lock.map(|lock| (lock.referenced, "the lock of a checkout must be inside it"));
    let registries = || raw.registries.iter().flatten().map(|registry| &registry.value);
    let outside = registries()
        .filter_map(Registry::ca_file)
        .filter(|file| !is_file_inside(root, &at(&file.value)))
        .map(|file| (file.referenced, "`caFile` of a checkout must be a file inside it"));
    let plain = registries().flat_map(Registry::in_plain_text).map(|at| {
        (at, "a checkout may use registries only over https, unless they are on this machine")
    });
    let unverified = registries()
        .filter_map(Registry::unverified)
        .map(|at| (at, "a checkout can't turn off the verification of certificates"));
    let identities = registries()
        .filter_map(Registry::client_certificate)
        .map(|at| (at, "a checkout can't choose a certificate that is sent to a registry"));
    let refused = lock.into_iter().chain(outside).chain(plain).chain(unverified).chain(identities);
    refused.map(|(at, message)| Wrong::at(span(at), message).help(REMEDY)).collect()
}

/// True if a path is in a folder, and is a file or nothing: a pipe would be waited for.
fn is_file_inside(root: &Path, path: &Path) -> bool {
    is_inside(root, path) && (path.is_file() || !path.exists())
}
