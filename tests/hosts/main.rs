//! Real hosts around digestif, with the recipes of the pages and the folders in `examples/`.
//!
//! `scripts/test` builds Helm and kustomize. `scripts/hosts` builds Argo CD's plugin server, Flux's kustomize library
//! and helmfile, which takes about ten minutes of CPU time, and sets `DIGESTIF_TEST_HOSTS`.

#![cfg(unix)]

mod argo_cd;
mod charts;
mod flux;
mod helmfile;
mod skaffold;
#[path = "../support/mod.rs"]
mod support;
mod trusted_function;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::quickstart::{IMAGES, pinned};
use support::{Ran, finish, start, testdata};
use tempfile::TempDir;

/// The folder with the hosts that `scripts/hosts` builds; `None` if it was not run.
fn hosts() -> Option<PathBuf> {
    let hosts = std::env::var_os("DIGESTIF_TEST_HOSTS").map(PathBuf::from);
    if hosts.is_none() {
        eprintln!("SKIPPED: DIGESTIF_TEST_HOSTS is not set; scripts/hosts sets it");
    }
    hosts
}

/// A copy of a folder in `examples/`.
fn example(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let copied = Command::new("cp").arg("-R").arg(from.join(".")).arg(folder.path()).status();
    assert!(copied.expect("every Unix has it").success());
    folder
}

/// A program with the images of the quick start and without a network. Its `PATH` has digestif and
/// these programs, and it has nothing else of the caller's environment.
struct Host {
    home: TempDir,
}

impl Host {
    fn new(programs: &[(&str, PathBuf)]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let bin = home.path().join("bin");
        fs::create_dir(&bin).expect("writable");
        symlink(env!("CARGO_BIN_EXE_digestif"), bin.join("digestif")).expect("writable");
        for (name, program) in programs {
            symlink(program, bin.join(name)).expect("writable");
        }
        Self { home }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
        let mut path = self.home.path().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().env("PATH", path);
        command.env("HOME", self.home.path()).env("XDG_STATE_HOME", self.home.path().join("state"));
        command
            .env("DIGESTIF_OFFLINE", "true")
            .env("DIGESTIF_LAYOUT", testdata("quickstart/images"));
        command
    }

    /// Runs a script with bash.
    fn shell(&self, folder: &Path, script: &str) -> Ran {
        let mut bash = self.command("bash", folder);
        finish(start(bash.args(["-euo", "pipefail", "-c", script])), b"")
    }
}

/// The lines with images of a text, sorted.
fn images(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start_matches([' ', '-']));
    let mut lines: Vec<_> =
        lines.filter(|line| line.starts_with("image: ")).map(str::to_owned).collect();
    lines.sort();
    lines
}
