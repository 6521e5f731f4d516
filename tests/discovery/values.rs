//! The values of Helm charts: where they are, how they contain images, and how these are pinned.

use std::fs;

use super::support::registry::{Content, Registry};
use super::support::{digest_of, digestif, for_every_host};
use super::{EVERY_CLASS, run, statuses};

const INCLUDE: &[&str] = &["--include=values"];

/// A `HelmRelease` with these values, as lines without indentation.
fn release(values: &str) -> String {
    let values: String = values.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: web}}\nspec:\n  values:\n{values}"
    )
}

/// Asserts that a text stays unchanged by default, and that `--include values` gives `pinned`,
/// which a second run does not change. `<digest>` stands for the digests of these images, in the
/// order of the text.
#[track_caller]
fn assert_values(text: &str, pinned: &str, images: &[&str]) {
    let mut expected = pinned.to_owned();
    for image in images {
        expected = expected.replacen("<digest>", &digest_of(image), 1);
    }
    assert_eq!(run(&[], text).succeeded(), text);
    let others = EVERY_CLASS.replace("values,", "");
    assert_eq!(run(&[&others], text).succeeded(), text);
    assert_eq!(run(INCLUDE, text).succeeded(), expected);
    assert_eq!(run(INCLUDE, &expected).succeeded(), expected, "a second run changes something");
}

#[test]
fn a_digest_is_written_after_the_tag_or_into_its_own_field() {
    for (values, pinned, image) in [
        (
            "image: {repository: a/b, tag: '1'}",
            "image: {repository: a/b, tag: '1@<digest>'}",
            "a/b:1",
        ),
        (
            "image: {registry: quay.io, repository: a/b, tag: v1}",
            "image: {registry: quay.io, repository: a/b, tag: v1@<digest>}",
            "quay.io/a/b:v1",
        ),
        (
            "image:\n  repository: busybox # small\n  tag: 1.36",
            "image:\n  repository: busybox # small\n  tag: 1.36@<digest>",
            "busybox:1.36",
        ),
        (
            "image: {repository: a/b, tag: 41}",
            "image: {repository: a/b, tag: 41@<digest>}",
            "a/b:41",
        ),
        (
            "image: {repository: a/b, tag: 4.20}",
            "image: {repository: a/b, tag: 4.20@<digest>}",
            "a/b:4.20",
        ),
        (
            "image: {repository: a/b, tag: v1, digest: \"\"}",
            "image: {repository: a/b, tag: v1, digest: \"<digest>\"}",
            "a/b:v1",
        ),
        (
            "image:\n  repository: a/b\n  digest: # none\n  tag: v1",
            "image:\n  repository: a/b\n  digest: <digest> # none\n  tag: v1",
            "a/b:v1",
        ),
        (
            "image: {repository: a/b, tag: v1, digest: null}",
            "image: {repository: a/b, tag: v1, digest: <digest>}",
            "a/b:v1",
        ),
        (
            "image: {name: quay.io/a/b, tag: v1}",
            "image: {name: quay.io/a/b, tag: v1@<digest>}",
            "quay.io/a/b:v1",
        ),
        ("web: {repo: a/b, tag: v1}", "web: {repo: a/b, tag: v1@<digest>}", "a/b:v1"),
        (
            "image: {repository: a/b, version: v1}",
            "image: {repository: a/b, version: v1@<digest>}",
            "a/b:v1",
        ),
        ("image: a/b\nimageTag: v1", "image: a/b\nimageTag: v1@<digest>", "a/b:v1"),
        ("sidecarImage: a/b:v1", "sidecarImage: a/b:v1@<digest>", "a/b:v1"),
        ("x: quay.io/a/b:v1", "x: quay.io/a/b:v1@<digest>", "quay.io/a/b:v1"),
    ] {
        assert_values(&release(values), &release(pinned), &[image]);
    }
}

#[test]
fn a_mapping_without_a_tag_is_listed_and_never_becomes_latest() {
    for (values, name) in [
        ("image: {repository: quay.io/a/b}", "quay.io/a/b"),
        ("image: {repository: a/b, tag: ''}", "a/b"),
        ("image: {repository: a/b, tag: null}", "a/b"),
        ("web: {repository: a/b, tag: ~}", "a/b"),
        ("web: {repository: a/b, pullPolicy: Always}", "a/b"),
    ] {
        let text = release(values);
        assert_eq!(statuses(&text), [("candidate", name.to_owned())], "{values}");
        assert_eq!(run(&[EVERY_CLASS], &text).succeeded(), text);
    }
}

#[test]
fn a_mapping_with_a_digest_is_listed_and_stays_unchanged() {
    let digest = digest_of("a/b:v1");
    let hex = digest.strip_prefix("sha256:").expect("a digest");
    for values in [
        format!("image: {{repository: a/b, tag: v1, digest: {digest}}}"),
        format!("image: {{repository: a/b, tag: v1@{digest}}}"),
        format!("image: {{repository: a/b, tag: v1@{digest}, digest: ''}}"),
        format!("image: {{repository: a/b, tag: v1, sha: {hex}}}"),
    ] {
        let text = release(&values);
        let name = format!("docker.io/a/b:v1@{digest}");
        assert_eq!(statuses(&text), [("candidate", name)], "{values}");
        assert_eq!(run(INCLUDE, &text).succeeded(), text);
    }
}

#[test]
fn mappings_that_are_not_images_are_ignored() {
    for values in [
        "chart: {repository: https://charts.example.com, name: web, version: 1.0}",
        "git: {repository: acme/web, branch: main}",
        "server: {name: web, tag: blue}",
        "repository: acme/web",
        "backup: {repository: acme/web, version: 2}",
        "image: {pullPolicy: Always}",
    ] {
        assert_eq!(statuses(&release(values)), [], "{values}");
    }
}

#[test]
fn values_are_found_in_every_kind_that_has_them() {
    let mapping = "{image: {repository: a/b, tag: v1}}";
    let block = "|\n      # größer\n      image:\n        repository: a/b\n        tag: v1 # mine\n        digest:\n      other: quay.io/c/d:2\n";
    let objects = [
        ("argoproj.io/v1alpha1", "Application", format!("source: {{helm: {{valuesObject: {mapping}}}}}\n"), 1),
        ("argoproj.io/v1alpha1", "Application", format!("sources:\n  - helm:\n     values: {block}"), 2),
        (
            "argoproj.io/v1alpha1",
            "Application",
            "source: {helm: {parameters: [{name: web.image.repository, value: a/b}, {name: web.image.tag, value: 'v1'}]}}\n"
                .to_owned(),
            1,
        ),
        (
            "argoproj.io/v1alpha1",
            "ApplicationSet",
            format!("template: {{spec: {{source: {{helm: {{valuesObject: {mapping}}}}}}}}}\n"),
            1,
        ),
        ("helm.cattle.io/v1", "HelmChart", format!("valuesContent: {block}"), 2),
        ("helm.cattle.io/v1", "HelmChartConfig", format!("valuesContent: {block}"), 2),
        ("helm.cattle.io/v1", "HelmChart", "set: {image.repository: a/b, image.tag: v1}\n".to_owned(), 1),
        ("helm.toolkit.fluxcd.io/v2beta1", "HelmRelease", format!("values: {mapping}\n"), 1),
        ("fleet.cattle.io/v1alpha1", "Bundle", format!("helm: {{values: {mapping}}}\n"), 1),
    ];
    for (version, kind, spec, n) in objects {
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web}}\nspec:\n  {spec}"
        );
        let pinned = if spec.contains("digest:") {
            text.replace("digest:", "digest: <digest>").replace("d:2", "d:2@<digest>")
        } else {
            text.replace("v1}", "v1@<digest>}").replace("'v1'", "'v1@<digest>'")
        };
        assert_values(&text, &pinned, &["a/b:v1", "quay.io/c/d:2"][..n]);
    }
}

#[test]
fn a_values_file_is_listed_and_pinned_with_its_class() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("values-prod.yaml");
    let text = "image: {repository: a/b, tag: v1}\nsidecar: {image: quay.io/c/d:2}\n";
    fs::write(&path, text).expect("writable");
    let file = format!("-f={}", path.display());
    let listing = digestif(["images", "--no-config", &file], "").succeeded();
    assert!(listing.contains("a/b:v1") && listing.contains("quay.io/c/d:2"), "{listing}");
    let said = run(&[&file], "").failed(3);
    assert!(said.contains("these are values for a Helm chart"), "{said}");
    assert!(said.contains("`--include values`"), "{said}");
    let pinned = run(&[&file, "--include=values"], "").succeeded();
    let (one, two) = (digest_of("a/b:v1"), digest_of("quay.io/c/d:2"));
    assert_eq!(
        pinned,
        text.replace("v1", &format!("v1@{one}")).replace("d:2", &format!("d:2@{two}"))
    );
}

#[test]
fn values_of_charts_that_break_on_a_digest_stay_with_a_reason() {
    let chart = |values: &str| {
        release(values)
            .replace("  values:", "  chart: {spec: {chart: prometheus-node-exporter}}\n  values:")
    };
    let text = chart("image: {repository: a/b, tag: v1}\nproxy: {repository: a/c, tag: v2}");
    let ran = run(INCLUDE, &text);
    assert_eq!(ran.stdout, text.replace("v2}", &format!("v2@{}}}", digest_of("a/c:v2"))));
    assert!(ran.stderr.contains("the chart compares the tag with versions"), "{}", ran.stderr);
    // A digest in its own field does not break the chart.
    let text = chart("image: {repository: a/b, tag: v1, digest: ''}");
    let pinned = text.replace("''", &format!("'{}'", digest_of("a/b:v1")));
    assert_eq!(run(INCLUDE, &text).succeeded(), pinned);
}

#[test]
fn a_configuration_chooses_the_keys_of_charts_that_stay_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("digestif.yaml");
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\ninclude: [values]\nvalues:\n- {chart: acme-web, key: image.tag, pin: false}\n- {chart: prometheus-node-exporter, key: image.tag}\n";
    fs::write(&path, config).expect("writable");
    let registry = Registry::start(Content::everything());
    let flags = [format!("-c={}", path.display()), for_every_host(&registry)];
    let pinned = |chart: &str| {
        let text = release("image: {repository: a/b, tag: v1}")
            .replace("  values:", &format!("  chart: {{spec: {{chart: {chart}}}}}\n  values:"));
        digestif(flags.iter().map(String::as_str), &text).succeeded().contains("v1@sha256:")
    };
    assert!(!pinned("acme-web"));
    assert!(!pinned("./charts/acme-web"));
    assert!(pinned("acme-db"));
    assert!(pinned("prometheus-node-exporter"));
}

#[test]
fn values_in_other_objects_are_found_if_a_release_names_them() {
    let text = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: prod}
spec:
  valuesFrom:
  - {kind: ConfigMap, name: web-values}
  - {kind: Secret, name: web-secret, valuesKey: more.yaml}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-values, namespace: prod}
data:
  values.yaml: |
    image:
      repository: a/b
      tag: v1
  other.yaml: |
    image: {repository: a/other, tag: v2}
---
apiVersion: v1
kind: Secret
metadata: {name: web-secret}
stringData:
  more.yaml: 'image: {repository: a/c, tag: v3}'
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-values, namespace: test}
data:
  values.yaml: 'image: {repository: a/d, tag: v4}'
";
    let pinned =
        text.replace("tag: v1\n", "tag: v1@<digest>\n").replace("tag: v3", "tag: v3@<digest>");
    assert_values(text, &pinned, &["a/b:v1", "a/c:v3"]);
}
