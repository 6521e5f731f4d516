//! Text that no message may show: files that are neither manifests nor configurations, and lines of
//! Secrets. `tests/registry/credentials/leaks.rs` is about logins.

#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use support::{Ran, command, digestif, finish, start};

/// Private files, each with one secret word.
const FILES: [&str; 6] = [
    "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2: [hunter2\n",
    "machine a.io login me password hunter2\n",
    "{\"auths\": {\"a.io\": {\"auth\": \"hunter2\"}}}",
    "hunter2\n",
    "- hunter2\n",
    "hunter2: hunter2: {\n",
];

#[track_caller]
fn tells_nothing(ran: &Ran) {
    assert_ne!(ran.status, 0);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
}

#[test]
fn no_message_shows_text_of_a_linked_file() {
    for text in FILES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("secret"), text).expect("writable");
        fs::create_dir(at("deploy")).expect("writable");
        fs::write(at("pod.yaml"), "kind: Pod\n").expect("writable");
        symlink("../secret", at("deploy/a.yaml")).expect("writable");
        symlink("secret", at("digestif.yaml")).expect("writable");
        let run = |flags: &[&str]| {
            finish(start(command(flags).current_dir(folder.path())), b"kind: Pod\n")
        };
        tells_nothing(&run(&[]));
        tells_nothing(&run(&["-c", "secret"]));
        tells_nothing(&run(&["images"]));
        // `auths` has no `kind`, but is a mapping, so it is read as an object.
        if !text.starts_with('{') {
            let ran = run(&["--no-config", "--offline", "-f", "deploy"]);
            assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
            tells_nothing(&run(&["--no-config", "--lock", "secret", "-f", "pod.yaml"]));
        }
    }
}

#[test]
fn no_line_of_a_secret_is_shown() {
    let head = "apiVersion: v1\nkind: Secret\nstringData:\n";
    for text in [
        format!("{head}  password: hunter2: X\n"),
        format!("kind: Pod\n---\n{head}  password: 'hunter2\n"),
        format!("{head}  a: [hunter2\n---\nkind: Pod\n"),
        "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {\"a\": hunter2: 1}}".to_owned(),
    ] {
        let ran = digestif(["--offline"], &text);
        assert_eq!(ran.status, 3, "{}", ran.stderr);
        tells_nothing(&ran);
        assert!(ran.stderr.contains("<stdin>:"), "the position is shown: {}", ran.stderr);
    }
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  a: b: c\n";
    let said = digestif(["--offline"], pod).failed(3);
    assert!(said.contains("  a: b: c\n"), "lines of other objects help: {said}");
}
