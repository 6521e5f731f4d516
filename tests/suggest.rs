//! `digestif suggest`: one configuration for all images that do not exist.

mod support;

use std::fs;

use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, digest_of, digestif, for_every_host};

fn pod(images: &[&str]) -> String {
    let containers: Vec<_> = images.iter().map(|image| format!("  - image: {image}\n")).collect();
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{}", containers.concat())
}

fn suggest(registry: &Registry, images: &[&str]) -> Ran {
    digestif(["suggest", &for_every_host(registry)], pod(images))
}

#[test]
fn the_printed_configuration_covers_every_missing_image() {
    let registry = Registry::start(Content::of(&[
        ("docker.io/acme/app", &["v1.2.3", "1.0.0"]),
        ("docker.io/acme/web", &["2.0.1"]),
        ("docker.io/other/web", &["3.0.1"]),
        ("docker.io/bitnamilegacy/redis", &["7.2.4-debian-12-r9"]),
        ("docker.io/bitnamilegacy/mongodb", &["8.0.3-debian-12-r0"]),
        ("docker.io/acme/fine", &["1"]),
    ]));
    let images = [
        "acme/app:1.2.3",
        "acme/web:2.0.2",
        "other/web:3.0.2",
        "bitnami/redis:7.2.4-debian-12-r9",
        "bitnami/mongodb:8.0.3-debian-12-r0",
        "acme/fine:1",
    ];
    let config = suggest(&registry, &images).succeeded();
    let digest = |reference: &str| digest_of(reference);
    let expected = format!(
        "\
apiVersion: digestif.dev/v1alpha1
kind: PinImages
fallbacks:
# docker.io/acme/app:1.2.3 does not exist: docker.io/acme/app:v1.2.3 ({})
- name: app
  images: ['docker.io/acme/app']
  tag: '([0-9].*)'
  try: ['v$1']
# docker.io/acme/web:2.0.2 does not exist: docker.io/acme/web:2.0.1 ({})
- name: web
  images: ['docker.io/acme/web']
  version: {{within: minor}}
# docker.io/other/web:3.0.2 does not exist: docker.io/other/web:3.0.1 ({})
- name: web-2
  images: ['docker.io/other/web']
  version: {{within: minor}}
# docker.io/bitnami/redis:7.2.4-debian-12-r9 does not exist: docker.io/bitnamilegacy/redis:7.2.4-debian-12-r9 ({})
# docker.io/bitnamilegacy gets no updates
- preset: bitnamilegacy
# docker.io/bitnami/mongodb:8.0.3-debian-12-r0 does not exist: docker.io/bitnamilegacy/mongodb:8.0.3-debian-12-r0 ({})
# docker.io/bitnamilegacy gets no updates
",
        digest("acme/app:v1.2.3"),
        digest("acme/web:2.0.1"),
        digest("other/web:3.0.1"),
        digest("bitnamilegacy/redis:7.2.4-debian-12-r9"),
        digest("bitnamilegacy/mongodb:8.0.3-debian-12-r0"),
    );
    assert_eq!(config, expected);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("digestif.yaml");
    fs::write(&path, &config).expect("writable");
    let flag = format!("--config={}", path.display());
    let pinned = digestif([&flag, &for_every_host(&registry)], pod(&images)).succeeded();
    assert_eq!(pinned.matches("@sha256:").count(), images.len());
}

#[test]
fn an_image_without_a_best_rule_is_an_error() {
    let tied = &["release-1.2.3", "stable-1.2.3"][..];
    let content = Content::of(&[("docker.io/acme/app", tied), ("docker.io/acme/web", &["x"])]);
    let limited = Misbehaviour::ErrorCode(429, "TOOMANYREQUESTS");
    let content = content.with_fault(Fault::on("acme/busy/manifests", limited));
    let registry = Registry::start(content);
    let ran = suggest(&registry, &["acme/app:main-1.2.3", "acme/web:1.2.3"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    for part in [
        "# docker.io/acme/app:main-1.2.3: choose one of these\n",
        "# - name: app\n",
        "# - name: app-2\n",
        "# docker.io/acme/web:1.2.3: no rule was found\n",
    ] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("fallbacks:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("these rules are as good as each other"), "{}", ran.stderr);
    let busy =
        digestif(["suggest", "--retries=0", &for_every_host(&registry)], pod(&["acme/busy:1"]));
    assert_eq!(busy.status, 4, "{}", busy.stderr);
    assert_eq!(digestif(["suggest"], "").status, 3);
}
