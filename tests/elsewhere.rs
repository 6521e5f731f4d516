//! Rules with `in`. An absent repository is skipped. A repository that refuses the request or gives
//! no usable answer ends the search, because a later repository must not hide that.

mod support;

use std::fs;

use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, run_against};

const ASKED: &str = "docker.io/acme/web:1.2.4";
const FIRST: &str = "quay.io/first/web";
const SECOND: &str = "quay.io/second/web";

/// The repositories after the first one.
const OTHERS: [(&str, &[&str]); 2] =
    [("docker.io/acme/web", &["latest"]), (SECOND, &["1.2.3", "1.2.2"])];

fn run(content: Content, settings: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.yaml");
    let rule = format!("{settings}, in: [{FIRST}, {SECOND}]");
    let config = format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n- name: elsewhere\n  images: [docker.io/acme/web]\n  version: {{{rule}}}\n"
    );
    fs::write(&path, config).expect("writable");
    let registry = Registry::start(content);
    let config = format!("--config={}", path.display());
    let pod = format!("kind: Pod\nspec: {{containers: [{{image: '{ASKED}'}}]}}\n");
    run_against(&registry, &[&config, "--retries=0"], &pod)
}

#[test]
fn a_repository_that_is_proved_absent_is_skipped() {
    let ran = run(Content::of(&OTHERS), "within: minor");
    let found = format!("{SECOND}:1.2.3@");
    assert!(ran.stdout.contains(&found), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn a_repository_that_refuses_or_does_not_answer_ends_the_search() {
    let status = |status| Misbehaviour::Status(status, Vec::new(), String::new());
    for (path, misbehaviour, expected) in [
        // The tag as written is requested first, then the list of tags.
        (format!("{FIRST}/manifests"), status(401), 6),
        (format!("{FIRST}/manifests"), status(403), 6),
        (format!("{FIRST}/manifests"), status(503), 4),
        (format!("{FIRST}/manifests"), Misbehaviour::RetryAfter(429, "0"), 4),
        (format!("{FIRST}/tags/list"), status(401), 6),
        (format!("{FIRST}/tags/list"), status(403), 6),
        (format!("{FIRST}/tags/list"), status(503), 4),
        (format!("{FIRST}/tags/list"), status(500), 4),
    ] {
        let first: (&str, &[&str]) = (FIRST, &["1.2.1"]);
        let all = [&OTHERS[..], &[first]].concat();
        let fault = Fault::on(&path, misbehaviour.clone());
        let ran = run(Content::of(&all).with_fault(fault), "within: minor");
        let ended = (ran.status, ran.stdout.as_str());
        assert_eq!(ended, (expected, ""), "{path} {misbehaviour:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(FIRST), "{path}: {}", ran.stderr);
        assert!(!ran.stderr.contains(&format!("{SECOND}:1.2.3")), "{path}: {}", ran.stderr);
    }
}
