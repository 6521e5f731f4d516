//! Files and folders as arguments: the files that are never read, and the allowed targets of links.

#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, finish, for_every_host, start};

const POD: &str = "kind: Pod\nspec:\n  containers:\n  - image: web:1\n";

fn write(folder: &Path, name: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, POD).expect("writable");
}

fn run(folder: &Path, flags: &[&str]) -> Ran {
    let registry = Registry::start(Content::everything());
    let every_host = for_every_host(&registry);
    let mut command = command([every_host.as_str()].iter().chain(flags));
    finish(start(command.current_dir(folder)), b"")
}

fn is_pinned(path: &Path) -> bool {
    fs::read_to_string(path).expect("readable").contains(&digest_of("web:1"))
}

#[test]
fn files_of_version_control_systems_stay_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = [".git/refs/heads/x.yaml", "a/.hg/x.yaml", "a/.jj/x.yml", ".svn/x.json"];
    for name in own.iter().chain(&["a/web.yaml"]) {
        write(folder.path(), name);
    }
    assert_eq!(run(folder.path(), &["-i", "-f", "."]).status, 0);
    assert!(is_pinned(&folder.path().join("a/web.yaml")));
    for name in own {
        assert!(!is_pinned(&folder.path().join(name)), "{name}");
    }
}

#[test]
fn a_link_is_rewritten_inside_the_repository_or_the_named_folder_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outside = tempfile::tempdir().expect("a temporary folder");
    write(outside.path(), "web.yaml");
    for name in ["repo/deploy/own.yaml", "repo/base/web.yaml", "repo/.git/HEAD", "plain/own.yaml"] {
        write(folder.path(), name);
    }
    let at = |name: &str| folder.path().join(name);
    symlink("../base/web.yaml", at("repo/deploy/inside.yaml")).expect("writable");
    symlink(outside.path().join("web.yaml"), at("repo/deploy/outside.yaml")).expect("writable");
    symlink("../repo/base/web.yaml", at("plain/outside.yaml")).expect("writable");
    let message = "warning: a link that leads out of the checkout is not rewritten\n";

    let ran = run(&at("plain"), &["-i", "-f", "."]);
    assert_eq!((ran.status, ran.stderr.matches(message).count()), (0, 1), "{}", ran.stderr);
    assert!(is_pinned(&at("plain/own.yaml")) && !is_pinned(&at("repo/base/web.yaml")));

    let ran = run(&at("repo"), &["-i", "-f", "deploy"]);
    assert_eq!((ran.status, ran.stderr.matches(message).count()), (0, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("--> deploy/outside.yaml\n"), "{}", ran.stderr);
    assert!(is_pinned(&at("repo/base/web.yaml")) && !is_pinned(&outside.path().join("web.yaml")));
    // Without `-i` nothing is written, and links that the caller names are always followed.
    let read = run(&at("repo"), &["-f", "deploy"]);
    assert_eq!((read.status, read.stdout.matches("image: ").count()), (0, 3), "{}", read.stderr);
    assert_eq!(run(&at("repo"), &["-i", "-f", "deploy/outside.yaml"]).status, 0);
    assert!(is_pinned(&outside.path().join("web.yaml")));
}
