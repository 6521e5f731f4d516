//! digestif as a KRM function.
//!
//! [`alone`] runs the binary on lists as hosts make them, [`trust`] on lists of strangers.
//! [`kustomize`], [`kpt`] and [`container`] run digestif in the real hosts. [`folder`] is about the
//! folder `krm/`. `scripts/test` builds what the real hosts need. A test that lacks something
//! prints a line, and fails in CI.

#![cfg(unix)]

mod alone;
mod container;
mod folder;
mod kpt;
mod kustomize;
#[path = "../support/mod.rs"]
mod support;
mod trust;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::quickstart::pinned;
use support::{Ran, clients, digestif, finish, start, testdata};

/// The folder of the layout.
fn layout() -> String {
    testdata("quickstart/images").display().to_string()
}

/// Variables that make any digestif resolve from the layout alone.
fn offline() -> [(&'static str, String); 2] {
    [("DIGESTIF_OFFLINE", "true".to_owned()), ("DIGESTIF_LAYOUT", layout())]
}

/// Runs the binary on a list, with the layout and no network.
fn run(flags: &[&str], list: &str) -> Ran {
    let layout = format!("--layout={}", layout());
    digestif(["--offline", &layout].iter().chain(flags), list)
}

/// A list with these items, and with this rest after them.
fn list(items: &str, rest: &str) -> String {
    format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}{rest}")
}

/// An item that is a Pod with one image.
fn pod(image: &str) -> String {
    format!(
        "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: web}}\n  spec:\n    containers:\n    - image: {image}\n"
    )
}

/// The results of a list.
fn results(list: &str) -> Vec<Value> {
    // libyaml accepts a byte order mark, but serde_yaml does not pass it on.
    let list = list.trim_start_matches('\u{feff}');
    let list: Value = serde_yaml::from_str(list).expect("YAML");
    list["results"].as_array().cloned().unwrap_or_default()
}

/// A package or kustomization in a temporary folder.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("readable")
    }
}

/// A real program that calls digestif. Of the caller's environment, it has only the `PATH`, with
/// this binary first. `None` if the program could not be built.
fn client(name: &str) -> Option<Command> {
    let mut command = Command::new(clients()?.join(name));
    command.env_clear().env("PATH", path([]));
    Some(command)
}

/// A `PATH` with these folders first, then the folder of the binary.
fn path(folders: impl IntoIterator<Item = PathBuf>) -> std::ffi::OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_digestif")).parent().expect("a folder").to_owned();
    let system = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.into_iter().chain([own]).chain(std::env::split_paths(&system));
    std::env::join_paths(all).expect("no colons")
}

/// Runs a client in a folder.
fn run_in(
    folder: &Path,
    command: &mut Command,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Ran {
    finish(start(command.args(args).current_dir(folder)), b"")
}

/// Copies the examples of `krm/` unchanged.
fn examples() -> Folder {
    let folder = Folder::new(&[]);
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/krm/examples");
    let copied = Command::new("cp").args(["-R", from]).arg(folder.path()).status();
    assert!(copied.expect("every Unix has it").success());
    folder
}

/// The lines that differ between two texts with the same number of lines.
#[track_caller]
fn differing<'t>(before: &'t str, after: &'t str) -> Vec<(&'t str, &'t str)> {
    assert_eq!(before.lines().count(), after.lines().count(), "{before}\n{after}");
    let lines = before.lines().zip(after.lines());
    lines.filter(|(before, after)| before != after).map(|(b, a)| (b.trim(), a.trim())).collect()
}
