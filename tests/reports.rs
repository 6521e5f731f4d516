//! Reports for machines: what policies say.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, digestif, finish, for_every_host, start};

/// A Pod with containers of these images, behind text of more than one byte a character.
fn pod(images: &[&str]) -> String {
    let container = |image: &&str| format!("  - {{name: größe, image: {image}}} # ours\n");
    let containers: String = images.iter().map(container).collect();
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  containers:\n{containers}"
    )
}

/// A check in a folder, with the report on stdout.
fn check(folder: &Path, flags: &[&str], stdin: &str) -> Ran {
    let mut command = command(["check", "-q"]);
    finish(start(command.args(flags).current_dir(folder)), stdin.as_bytes())
}

fn nowhere() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What policies say in a report, which fits the schema.
#[track_caller]
fn policy(report: &str) -> Vec<Value> {
    let schema = digestif(["schema", "report"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let report: Value = serde_json::from_str(report).expect("JSON");
    let errors: Vec<_> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    report["policy"].as_array().expect("a list").clone()
}

fn rules(policy: &[Value]) -> Vec<(&str, &str)> {
    let text = |value: &'_ Value| value.as_str().expect("text").to_owned().leak() as &str;
    policy.iter().map(|said| (text(&said["rule"]), text(&said["severity"]))).collect()
}

#[test]
fn a_report_has_what_policies_say_and_nothing_else_as_policy() {
    let manifests = pod(&["web:1", "'${IMAGE}'", "web:2", "Not valid"]);
    let flags = ["--require-digest", "--deny-placeholders"];
    let ran = check(nowhere().path(), &flags, &manifests);
    assert_eq!(ran.status, 3);
    let policy = policy(&ran.stdout);
    assert_eq!(
        rules(&policy),
        [
            ("require-digest", "error"),
            ("two-tags", "warning"),
            ("placeholders", "error"),
            ("require-digest", "error"),
        ]
    );
    let expected = json!({
        "rule": "require-digest",
        "severity": "error",
        "message": "`docker.io/library/web:1` has no digest",
        "help": "pin it: send the manifests through `digestif` without `--require-digest`",
        "image": "docker.io/library/web:1",
        "places": [{
            "file": "-", "line": 9, "column": 26, "document": 1,
            "apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web",
            "path": "spec.containers[0].image", "class": "pod",
        }],
    });
    assert_eq!(policy[0], expected);
    assert_eq!(policy[1].get("image"), None, "it is about two");
    assert_eq!(policy[1]["places"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_report_has_what_has_drifted_and_what_a_lock_has_too_much() {
    let folder = nowhere();
    let registry = Registry::start(Content::of(&[("docker.io/library/web", &["1"])]));
    let lock = format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\nimages:\n- image: docker.io/library/old:1\n  tag: '1'\n  digest: {0}\n- image: docker.io/library/web:1\n  tag: '1'\n  digest: {0}\n",
        digest_of("docker.io/library/old:1")
    );
    fs::write(folder.path().join("images.lock.yaml"), lock).expect("writable");
    let every_host = for_every_host(&registry);
    let lock = ["--lock", "images.lock.yaml"];
    let flags = [&every_host, lock[0], lock[1], "--drift"];
    let ran = check(folder.path(), &flags, &pod(&["web:1"]));
    assert_eq!(ran.status, 5);
    let drifted = policy(&ran.stdout);
    assert_eq!(rules(&drifted), [("unused", "warning"), ("drift", "error")]);
    assert_eq!(drifted[0]["places"], json!([{"file": "images.lock.yaml"}]));
    assert_eq!(drifted[1]["image"], "docker.io/library/web:1");
    let notes = ["old", "web"].map(|name| digest_of(&format!("docker.io/library/{name}:1")));
    let notes = [format!("locked: {}", notes[0]), format!("now: {}", notes[1])];
    assert_eq!(drifted[1]["notes"], json!(notes));
    let ran = check(folder.path(), &lock, &pod(&["new:1"]));
    assert_eq!(ran.status, 5);
    assert_eq!(rules(&policy(&ran.stdout)), [("unused", "warning"), ("locked", "error")]);
}

#[test]
fn a_report_has_what_went_wrong_after_it_was_written() {
    let folder = nowhere();
    let registry = Registry::start(Content::of(&[("docker.io/library/web", &["1", "2"])]));
    let run = |flags: &[&str], images: &[&str]| {
        let mut command = command([for_every_host(&registry).as_str(), "--report", "report"]);
        let child = start(command.args(flags).current_dir(folder.path()));
        let ran = finish(child, pod(images).as_bytes());
        (ran.status, fs::read_to_string(folder.path().join("report")).expect("written"))
    };
    let (status, report) = run(&["--emit", "kustomize-images"], &["web:1", "web:2"]);
    assert_eq!(status, 5);
    let policy = policy(&report);
    assert_eq!(rules(&policy), [("kustomize-images", "error"), ("two-tags", "warning")]);
    let at = |line| json!({"file": "-", "line": line, "column": 26});
    assert_eq!(policy[0]["places"], json!([at(9), at(10)]));
}
