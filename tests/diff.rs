//! `--diff`: it shows the changes and writes nothing. Also readers that stop early.

mod support;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use support::registry::{Content, Registry};
use support::{Ran, command, finish, for_every_host, pinned, start};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - image: a:1 # ours\n";

fn run(flags: &[&str], stdin: &str) -> (Ran, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("pod.yaml"), POD).expect("writable");
    let registry = Registry::start(Content::everything());
    let mut command = command([for_every_host(&registry)]);
    let ran = finish(start(command.args(flags).current_dir(folder.path())), stdin.as_bytes());
    (ran, folder)
}

#[test]
fn a_diff_shows_each_change_and_patch_can_apply_it() {
    let (ran, folder) = run(&["--diff", "pod.yaml"], "");
    let said = "digestif: would have pinned 1 image at 1 place in 1 object; nothing was written\n";
    assert_eq!(ran.stderr, said);
    let diff = ran.succeeded();
    let expected = format!(
        "--- pod.yaml\n+++ pod.yaml\n@@ -4,4 +4,4 @@\n   name: web\n spec:\n   containers:\n-  - image: a:1 # ours\n+  - image: {} # ours\n",
        pinned("a:1")
    );
    assert_eq!(diff, expected);
    let mut patch = Command::new("patch");
    patch.args(["-s", "-p0"]).current_dir(folder.path()).stdin(Stdio::piped());
    let Ok(mut patch) = patch.spawn() else {
        return eprintln!("SKIPPED: `patch` is not installed");
    };
    patch.stdin.take().expect("piped").write_all(diff.as_bytes()).expect("it reads");
    assert!(patch.wait().expect("it ends").success());
    let patched = fs::read_to_string(folder.path().join("pod.yaml")).expect("there");
    assert_eq!(patched, POD.replace("a:1", &pinned("a:1")));
}

#[test]
fn a_diff_writes_nothing_with_any_other_flag() {
    for flags in [
        &["--diff", "-i", "pod.yaml"][..],
        &["--diff", "-o", "out.yaml", "pod.yaml"],
        &["--diff", "-o", "pod.yaml", "pod.yaml"],
        &["--diff", "--lock", "images.lock.yaml", "pod.yaml"],
    ] {
        let (ran, folder) = run(flags, "");
        assert!(ran.succeeded().starts_with("--- pod.yaml\n"), "{flags:?}");
        let names = fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(names, 1, "{flags:?}");
        assert_eq!(fs::read_to_string(folder.path().join("pod.yaml")).expect("there"), POD);
    }
}

#[test]
fn a_diff_of_pinned_manifests_is_empty_and_a_failure_stays_a_failure() {
    let (ran, _folder) = run(&["--diff"], &POD.replace("a:1", &pinned("a:1")));
    assert_eq!(ran.succeeded(), "");
    let (ran, _folder) = run(&["--diff", "--deny-mutable=versions"], POD);
    ran.failed(5);
    let (ran, _folder) = run(&["--diff", "--emit=kustomize-images"], POD);
    assert!(ran.failed(2).contains("'--diff' cannot be used with '--emit'"));
}

#[test]
fn a_reader_that_stops_early_causes_no_error() {
    for (args, status) in [
        (&["images"][..], 0),
        (&["images", "--format=json"], 0),
        (&["check", "--require-digest"], 5),
        (&["check", "--require-digest", "--report-format=json"], 5),
        (&["completions", "bash"], 0),
        (&["schema", "config"], 0),
        (&["man"], 0),
    ] {
        let mut child = start(&mut command(args));
        drop(child.stdout.take());
        let ran = finish(child, POD.as_bytes());
        assert_eq!(ran.status, status, "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("stdout"), "{args:?}: {}", ran.stderr);
    }
}
