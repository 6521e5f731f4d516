//! The last line of a run: its result, the written files, and the next step.

mod support;

use std::fs;

use support::registry::{Content, Registry};
use support::{Ran, command, finish, for_every_host, start};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n";

/// A run in a folder with `pod.yaml` and `other.yaml`, against a registry that has only `a:1`.
fn run(flags: &[&str], stdin: &str) -> (Ran, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, image: &str| {
        let text = format!("{POD}  - image: {image}\n");
        fs::write(folder.path().join(name), text).expect("writable");
    };
    write("pod.yaml", "a:1");
    write("other.yaml", "b:1");
    write("pinned.yaml", &support::pinned("a:1"));
    let lock = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\nimages: []\n";
    fs::write(folder.path().join("l.yaml"), lock).expect("writable");
    let registry = Registry::start(Content::of(&[("docker.io/library/a", &["1"])]));
    let mut command = command([for_every_host(&registry)]);
    let ran = finish(start(command.args(flags).current_dir(folder.path())), stdin.as_bytes());
    (ran, folder)
}

fn last_line(ran: &Ran) -> &str {
    ran.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_run_that_fails_ends_with_the_count_and_the_next_command() {
    for (flags, line) in [
        (
            &["pod.yaml", "other.yaml"][..],
            "digestif: 1 error; nothing was written. Next: `digestif suggest pod.yaml other.yaml` prints rules for the missing images",
        ),
        (
            &["other.yaml", "--report", "report"],
            "digestif: 1 error; only the report was written. Next: `digestif suggest other.yaml` prints rules for the missing images",
        ),
        (
            &["check", "pod.yaml", "--require-digest"],
            "digestif: 1 error. Next: `digestif -i pod.yaml` pins the files",
        ),
        (
            &["check", "pod.yaml", "--lock", "l.yaml"],
            "digestif: 1 error. Next: `digestif --lock l.yaml pod.yaml` records the images",
        ),
        (
            &["suggest", "other.yaml"],
            "digestif: 1 error. Next: `digestif explain IMAGE` shows one image in detail",
        ),
        (&["pod.yaml", "-c", "no.yaml"], "digestif: 1 error; nothing was written"),
        (&["pod.yaml", "-o", "x", "--report", "x"], "digestif: 1 error; nothing was written"),
    ] {
        let (ran, _folder) = run(flags, "");
        assert_ne!(ran.status, 0, "{flags:?}");
        assert_eq!(last_line(&ran), line, "{flags:?}: {}", ran.stderr);
    }
}

#[test]
fn stdin_is_not_named_as_a_path() {
    let (ran, _folder) = run(&[], &format!("{POD}  - image: b:1\n"));
    let next = "Next: `digestif suggest` prints rules for the missing images, with the same input";
    assert!(last_line(&ran).ends_with(next), "{}", ran.stderr);
}

#[test]
fn a_quiet_run_has_no_last_line() {
    let (ran, _folder) = run(&["-q", "other.yaml"], "");
    assert!(!ran.stderr.contains("digestif: 1 error"), "{}", ran.stderr);
}

#[test]
fn every_rewritten_file_is_named() {
    let (ran, _folder) = run(&["-i", "pod.yaml", "pinned.yaml"], "");
    let expected = "digestif: rewrote pod.yaml\n\
                    digestif: pinned 1 image at 1 place in 2 objects; 1 pinned already\n";
    assert_eq!(ran.stderr, expected);
    let (ran, _folder) = run(&["-i", "-q", "pod.yaml"], "");
    assert_eq!(ran.stderr, "");
}

#[test]
fn each_configuration_that_applies_is_named() {
    let (ran, folder) = run(&["-q", "pod.yaml"], "");
    assert_eq!(ran.stderr, "");
    let file = folder.path().join("digestif.yaml");
    fs::write(&file, "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n").expect("writable");
    let mut command = command(["-c", "digestif.yaml", "pinned.yaml"]);
    let ran = finish(start(command.current_dir(folder.path())), b"");
    assert!(ran.stderr.contains("the configuration digestif.yaml applies\n"), "{}", ran.stderr);
}

#[test]
fn v_prints_a_line_for_each_image_even_if_the_run_fails() {
    let (ran, _folder) =
        run(&["-v", "pod.yaml", "other.yaml", "pinned.yaml", "--skip", "docker.io/library/a"], "");
    for line in [
        "docker.io/library/a:1 skipped by `--skip docker.io/library/a` (1 place)\n",
        "docker.io/library/b:1 unresolved (1 place)\n",
    ] {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
}
