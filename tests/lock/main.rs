//! The lock: its entries, the requests that they save, drift, and writing the file.
//!
//! Each test has a [`Setup`]: a folder with a lock, and a registry that answers for every host.

#![cfg_attr(windows, allow(dead_code, unused_imports, reason = "some of the tests need Unix"))]

mod cooldown;
mod diff;
mod drift;
mod flags;
mod hosts;
mod input_drift;
mod laws;
mod record;
mod refused;
mod substitutes;
#[path = "../support/mod.rs"]
mod support;
mod unchanged;
mod update;
mod writing;
mod written;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Child;

use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, finish, for_every_host, pinned, start};

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\n";
const KUBECTL: &str = "docker.io/clastix/kubectl";
const EXTPROC: &str = "ghcr.io/vllm-project/semantic-router/extproc";

/// A stream of Pods, each with one image.
fn pods(images: &[impl AsRef<str>]) -> String {
    let pod = |image: &str| {
        format!("---\nkind: Pod\nspec:\n  containers:\n  - image: {image} # as it was written\n")
    };
    images.iter().map(|image| pod(image.as_ref())).collect()
}

fn images(manifests: &str) -> Vec<&str> {
    let images = manifests.lines().filter_map(|line| line.strip_prefix("  - image: "));
    images.map(|image| image.trim_end_matches(" # as it was written")).collect()
}

/// An entry of a lock: the image, the tag that supplied the digest, and the rule.
fn entry(image: &str, tag: &str, digest: &str, rule: Option<&str>) -> String {
    let rule = rule.map_or(String::new(), |rule| format!("  rule: {rule}\n"));
    format!("- image: {image}\n  tag: {tag}\n  digest: {digest}\n{rule}")
}

/// The entry of an existing image.
fn own(image: &str) -> String {
    let tag = image.rsplit_once(':').expect("it has a tag").1;
    let tag = if tag.starts_with(|c: char| c.is_ascii_digit()) {
        format!("'{tag}'")
    } else {
        tag.to_owned()
    };
    entry(image, &tag, &digest_of(image), None)
}

fn lock_of(entries: &[impl Borrow<str>]) -> String {
    format!("{HEAD}images:\n{}", entries.concat())
}

/// A folder with a lock, and a registry that answers for every host.
struct Setup {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl Setup {
    fn new(content: Content) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, registry: Registry::start(content) }
    }

    fn locked(content: Content, lock: impl AsRef<str>) -> Self {
        let setup = Self::new(content);
        setup.write(lock);
        setup
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("images.lock.yaml")
    }

    fn write(&self, lock: impl AsRef<str>) {
        fs::write(self.path(), lock.as_ref()).expect("writable");
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.path()).expect("there is a lock")
    }

    fn child(&self, flags: &[&str]) -> Child {
        let mut command = command([for_every_host(&self.registry).as_str()]);
        command.args(["--lock", "images.lock.yaml"]).args(flags);
        start(command.current_dir(self.folder.path()))
    }

    fn run(&self, flags: &[&str], manifests: &str) -> Ran {
        finish(self.child(flags), manifests.as_bytes())
    }

    /// Like `run`, without a lock.
    fn without(&self, env: &[(&str, &str)], flags: &[&str], manifests: &str) -> Ran {
        let registry = for_every_host(&self.registry);
        let (_, value) = registry.split_once('=').expect("a flag with its value");
        let mut command = command([] as [&str; 0]);
        command
            .env("DIGESTIF_REGISTRY", value)
            .args(flags)
            .envs(env.iter().copied())
            .current_dir(self.folder.path());
        finish(start(&mut command), manifests.as_bytes())
    }

    /// Also returns the number of requests that a run makes.
    fn cost<T>(&self, run: impl FnOnce() -> T) -> (T, usize) {
        let before = self.registry.requests().len();
        let value = run();
        (value, self.registry.requests().len() - before)
    }

    /// The names of everything in the folder.
    fn files(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path()).expect("readable");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| name(entry.expect("readable"))).collect()
    }
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}

fn corpus() -> Option<PathBuf> {
    std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from)
}
