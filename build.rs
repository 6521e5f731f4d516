//! Says from what the binary is built: the commit and the target, for `digestif version`.

use std::env;
use std::fs;
use std::process::Command;

/// Hexadecimal digits of a commit that are shown.
const SHOWN_DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DIGESTIF_COMMIT");
    let target = env::var("TARGET").unwrap_or_default();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // A debug build is not built again for each commit, so that it must not name one.
    let commit = if is_release { commit() } else { Some("debug build".to_owned()) };
    let commit = commit.unwrap_or_else(|| "commit unknown".to_owned());
    println!("cargo::rustc-env=DIGESTIF_BUILD={commit}, {target}");
}

/// The commit: as the packager says, as cargo has written it into a package, or as git says.
fn commit() -> Option<String> {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs");
    let said = env::var("DIGESTIF_COMMIT").ok().filter(|commit| !commit.is_empty());
    let packaged = || {
        let info = fs::read_to_string(".cargo_vcs_info.json").ok()?;
        let rest = info.split_once("\"sha1\"")?.1;
        Some(rest.split('"').nth(1)?.to_owned())
    };
    let by_git = || {
        let ran = Command::new("git").args(["rev-parse", "--show-prefix", "HEAD"]).output().ok()?;
        let text = String::from_utf8(ran.stdout).ok().filter(|_| ran.status.success())?;
        // A prefix means that the sources are a folder of somebody else's repository.
        text.strip_prefix('\n').map(|commit| commit.trim().to_owned())
    };
    let commit = said.or_else(packaged).or_else(by_git)?;
    Some(commit.chars().take(SHOWN_DIGITS).collect())
}
