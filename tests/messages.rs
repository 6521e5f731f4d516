//! The ids of messages: each id has a section on the page about messages, and each id is printed.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use digestif::diagnostic::RuleId;
use support::registry::{Content, Registry};
use support::run_against;

#[test]
fn every_id_has_a_section_of_the_page_and_every_section_an_id() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/messages.md");
    let page = fs::read_to_string(page).expect("readable");
    // GitHub makes a heading's anchor from its words. The anchor of an id is the id itself.
    let sections: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let ids: Vec<_> = RuleId::ALL.iter().map(|rule| rule.id()).collect();
    assert_eq!(sections, ids);
    let distinct: BTreeSet<_> =
        page.split("\n## ").skip(1).filter_map(|s| s.split_once("\n\n")).collect();
    assert_eq!(distinct.len(), ids.len(), "a section has a text");
}

#[test]
fn a_message_has_its_id_and_the_object_on_a_line_of_its_own() {
    let registry = Registry::start(Content::of(&[("docker.io/library/a", &["1"])]));
    let path = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cleanup, namespace: shop}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - name: kubectl\n            image: ";
    let ran = run_against(&registry, &["--no-fallback"], &format!("{path}b:1\n"));
    let lines: Vec<_> = ran.said.lines().collect();
    assert!(lines[0].starts_with("error[absent]: `docker.io/library/b:1` does not exist"));
    let object = "    = in: CronJob shop/cleanup, container `kubectl`,";
    let at = lines.iter().position(|line| line.trim_start() == object.trim_start());
    let at = at.unwrap_or_else(|| panic!("{}", ran.said));
    let field = "spec.jobTemplate.spec.template.spec.containers[0].image";
    assert_eq!(lines[at + 1].trim_start(), field);
    assert!(lines[at].chars().count() <= 100);
}

#[test]
fn a_message_names_the_file_that_an_object_comes_from() {
    let registry = Registry::start(Content::of(&[]));
    let pod = |before: &str, annotations: &str| {
        format!(
            "---\n{before}apiVersion: v1\nkind: Pod\nmetadata: {{name: a, annotations: {{{annotations}}}}}\nspec:\n  containers:\n  - name: a\n    image: b:1\n"
        )
    };
    let helm_4 = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    postrenderer.helm.sh/postrender-filename: 'web/templates/b.yaml'\nspec:\n  containers:\n  - name: a\n    image: b:1\n";
    for (manifests, expected) in [
        (pod("# Source: web/templates/a.yaml\n", ""), "--> web/templates/a.yaml in <stdin>:9:12"),
        (helm_4.to_owned(), "--> web/templates/b.yaml in <stdin>:10:12"),
        (
            pod("", "internal.config.kubernetes.io/path: pods/a.yaml"),
            "= in: Pod a in pods/a.yaml, container `a`, spec.containers[0].image",
        ),
        (pod("# Source: a\u{202e}b\n", ""), "--> a\\u{202e}b in <stdin>:9:12"),
        (pod("", ""), "--> <stdin>:8:12"),
    ] {
        let said = run_against(&registry, &["--no-fallback"], &manifests).stderr;
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}
