//! The cases that digestif was made for, each with its example of a configuration.

use crate::support::for_every_host;
use crate::support::registry::Content;
use crate::{BRANCH, KUBECTL, LITELLM, MAIN, Setup, corpus, existence, pinned, run_in, written};

#[test]
fn capsule_searches_as_far_down_as_its_configuration_allows() {
    let image = format!("{KUBECTL}:v1.33");
    let content =
        || Content::of(&[(KUBECTL, &["v1.31"]), ("ghcr.io/projectcapsule/capsule", &["v0.7.2"])]);
    let setup = Setup::example("capsule.yaml", content());
    let (status, said, report) = setup.reported(&[], &[&image, &image, &image]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("; 1 substituted at 3 places\n"), "{said}");
    let entry = &report["images"][0];
    assert_eq!((&entry["tag"], &entry["rule"]), (&"v1.31".into(), &"capsule-kubectl".into()));
    // The built-in rule would stop before this tag.
    let said = setup.run(&["--no-config"], &[&image]).failed(1);
    assert!(said.contains("rule kubernetes-version stops at 1 minor version "), "{said}");
    let said = setup.run(&[], &[&format!("{KUBECTL}:v1.34")]).failed(1);
    assert!(said.contains("rule capsule-kubectl stops at 2 minor versions "), "{said}");

    let Some(manifest) = corpus("capsule-v0.7.2-kube1.32.yaml") else { return };
    let manifest = manifest.replace("kubectl:v1.32", "kubectl:v1.33");
    let every_host = for_every_host(&setup.registry);
    let ran = run_in(setup.folder.path(), &[], &[&every_host], &manifest);
    let found = ran.succeeded();
    assert_eq!(found.matches(&pinned(&format!("{KUBECTL}:v1.31"))).count(), 3);
    assert_eq!(found.matches("@sha256:").count(), 4);
}

#[test]
fn litellm_gets_its_branch_for_the_deployment_and_for_the_migration() {
    let image = format!("{LITELLM}:{MAIN}");
    let branch = pinned(&format!("{LITELLM}:{BRANCH}"));
    let setup = Setup::example("litellm.yaml", Content::of(&[(LITELLM, &[BRANCH, "main-latest"])]));
    let (status, said, report) = setup.reported(&[], &[&image, &image]);
    assert_eq!((status, &report["images"][0]["rule"]), (0, &"litellm-branch".into()), "{said}");
    assert!(said.contains("= rule: litellm-branch\n"), "{said}");
    assert!(said.contains("; 1 substituted at 2 places\n"), "{said}");
    assert_eq!(setup.images(&[], &[&image, &image]), [branch.as_str(), branch.as_str()]);
    // L8: an existing tag is never substituted.
    let content = Content::of(&[(LITELLM, &[BRANCH, MAIN])]);
    let setup = Setup::example("litellm.yaml", content);
    assert_eq!(setup.images(&[], &[&image]), [pinned(&image)]);
    assert_eq!(setup.requests(), [existence(&image)]);

    let Some(manifest) = corpus("litellm-v1.61.20-stable.yaml") else { return };
    let content = Content::of(&[
        (LITELLM, &[BRANCH]),
        ("docker.io/bitnami/postgresql", &["16.2.0-debian-12-r6"]),
        ("docker.io/library/busybox", &["latest"]),
    ]);
    let setup = Setup::example("litellm.yaml", content);
    let every_host = for_every_host(&setup.registry);
    let ran = run_in(setup.folder.path(), &[], &[&every_host], &manifest);
    assert!(ran.stderr.contains("; 1 substituted at 2 places\n"), "{}", ran.stderr);
    assert_eq!(ran.succeeded().matches(&branch).count(), 2);
}

#[test]
fn the_first_existing_candidate_is_used() {
    const CONFIG: &str = "fallbacks:\n- name: releases\n  images: [ghcr.io/berriai/*]\n  tag: 'main-(.+)'\n  try: ['$1', 'v$1']\n";
    let image = format!("{LITELLM}:main-1.86.2");
    for (existing, tag) in [(&["1.86.2", "v1.86.2"][..], "1.86.2"), (&["v1.86.2"], "v1.86.2")] {
        let setup = Setup::new(CONFIG, Content::of(&[(LITELLM, existing)]));
        assert_eq!(setup.images(&[], &[&image]), [pinned(&format!("{LITELLM}:{tag}"))]);
    }
}

#[test]
fn two_tags_of_one_repository_cause_a_warning() {
    let images = ["main-latest", "main-v1.55.0"].map(|tag| format!("{LITELLM}:{tag}"));
    let images = images.each_ref().map(String::as_str);
    let setup = Setup::new("", Content::of(&[(LITELLM, &["main-latest", "main-v1.55.0"])]));
    let ran = setup.run(&[], &images);
    let warning = format!("warning: `{LITELLM}` has 2 tags here: `main-latest`, `main-v1.55.0`\n");
    assert!(ran.stderr.starts_with(&warning), "{}", ran.stderr);
    for place in ["--> <stdin>:5:12\n", "::: <stdin>:10:12\n"] {
        assert!(ran.stderr.contains(place), "{}", ran.stderr);
    }
    assert_eq!(written(&ran.succeeded()), images.map(pinned));
    let quiet = setup.run(&["-q"], &images);
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
    // Tags of skipped images are not counted.
    let skipped = Setup::new("skip: ['ghcr.io/**']", Content::everything());
    assert!(!skipped.run(&[], &images).stderr.contains("warning"));
}
