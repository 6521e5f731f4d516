//! `check --only-changed BASE`: a gate for new images, in a repository that has old faults.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Ran, command, finish, start};

fn pod(images: &[&str]) -> String {
    let pod =
        |image: &&str| format!("---\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n");
    images.iter().map(pod).collect()
}

fn check(folder: &Path, arguments: &[&str], stdin: &str) -> Ran {
    let mut command = command(["check", "--require-digest"]);
    finish(start(command.args(arguments).current_dir(folder)), stdin.as_bytes())
}

fn git(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git is installed");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn only_new_images_are_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    for name in ["old", "deploy"] {
        fs::create_dir(folder.join(name)).expect("writable");
        fs::write(folder.join(name).join("a.yaml"), pod(&["a:1", "b:1"])).expect("writable");
    }
    git(folder, &["init", "-q"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "old"]);
    for base in ["old", "HEAD"] {
        let base = format!("--only-changed={base}");
        fs::write(folder.join("deploy/a.yaml"), pod(&["a:1", "b:1"])).expect("writable");
        let same = check(folder, &["deploy", &base], "");
        assert_eq!(same.status, 0, "{base}: {}", same.stderr);
        fs::write(folder.join("deploy/a.yaml"), pod(&["a:1", "b:2"])).expect("writable");
        fs::write(folder.join("deploy/b.yaml"), pod(&["a:1", "c:1"])).expect("writable");
        let changed = check(folder, &["deploy", &base], "");
        assert_eq!(changed.status, 5, "{base}: {}", changed.stderr);
        for image in ["b:2", "c:1"] {
            assert!(changed.stderr.contains(&format!("library/{image}` has no digest")));
        }
        assert!(!changed.stderr.contains("a:1"), "{}", changed.stderr);
        fs::remove_file(folder.join("deploy/b.yaml")).expect("it is there");
    }
    let piped = check(folder, &["--only-changed=old"], &pod(&["a:1", "d:1"]));
    assert_eq!(piped.status, 5, "{}", piped.stderr);
    assert!(piped.stderr.contains("d:1") && !piped.stderr.contains("a:1"), "{}", piped.stderr);
}

#[test]
fn an_invalid_base_exits_with_status_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    fs::write(folder.join("a.yaml"), pod(&["a:1"])).expect("writable");
    git(folder, &["init", "-q"]);
    for (base, words) in [
        ("nowhere", "`nowhere` can't be read: there is no such folder or revision"),
        ("--output=x", "it is not the name of a revision"),
        ("HEAD:./a.yaml", "it is not the name of a revision"),
    ] {
        let ran = check(folder, &["a.yaml", &format!("--only-changed={base}")], "");
        assert_eq!(ran.status, 2, "{base}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{base}: {}", ran.stderr);
    }
    let piped = check(folder, &["--only-changed=HEAD"], &pod(&["a:1"]));
    assert_eq!(piped.status, 2, "{}", piped.stderr);
    assert!(piped.stderr.contains("a git revision does not contain stdin"), "{}", piped.stderr);
}
