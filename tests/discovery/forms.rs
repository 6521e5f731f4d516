//! The ways to write an image in custom resources, tested with the whole program.

use serde_json::json;

use super::support::registry::{Content, Registry};
use super::support::{digest_of, digestif, for_every_host};
use super::{assert_pinned, run, statuses, with_digests};

/// The start of an object.
fn object(api_version: &str, kind: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: sample\n")
}

#[test]
fn an_untagged_image_that_does_not_mean_latest_stays_unchanged() {
    let plan = |image: &str| {
        object("upgrade.cattle.io/v1", "Plan")
            + &format!(
                "spec:\n  version: v1.33.1+k3s1\n  upgrade:\n    image: {image} # of the nodes\n"
            )
    };
    let text = plan("rancher/k3s-upgrade");
    let ran = run(&[], &text);
    assert!(ran.stderr.starts_with("warning: `rancher/k3s-upgrade` is written unchanged: without a tag it means the version of the plan\n"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), text);
    let said = run(&["--require-digest"], &text).failed(5);
    assert!(said.contains("error: `rancher/k3s-upgrade` has no digest\n"), "{said}");
    assert!(
        said.contains("digestif does not pin it: without a tag it means the version"),
        "{said}"
    );
    assert_pinned(&[], &plan("rancher/k3s-upgrade:v1"), &["rancher/k3s-upgrade:v1"]);
    assert_pinned(&[], &text.replace("Plan", "Other"), &[]);
}

#[test]
fn the_tag_stays_for_an_operator_that_reads_it() {
    let image = "ghcr.io/cloudnative-pg/postgresql:17.5";
    let text =
        object("postgresql.cnpg.io/v1", "Cluster") + &format!("spec:\n  imageName: {image}\n");
    assert_pinned(&["--pin=digest"], &text, &[image]);
    assert_pinned(&[], &text, &[image]);
    let pod = format!("kind: Pod\nspec:\n  containers:\n  - image: {image}\n");
    let both = format!("{text}---\n{pod}");
    let expected = with_digests(&text, &[image])
        + "---\n"
        + &pod.replace(":17.5", &format!("@{}", digest_of(image)));
    assert_eq!(run(&["--pin=digest"], &both).succeeded(), expected);
    let untagged = text.replace(":17.5", "");
    let ran = run(&[], &untagged);
    assert!(ran.stderr.contains("refuses an image without one"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), untagged);
}

#[test]
fn a_url_keeps_its_scheme_even_if_it_replaces_an_alias() {
    let volume = object("cdi.kubevirt.io/v1beta1", "DataVolume");
    let text = volume.clone()
        + "spec: {source: {registry: {url: \"docker://quay.io/kubevirt/disk:v1\"}}} # a disk\n";
    let disk = "quay.io/kubevirt/disk:v1";
    // The operator that reads it refuses a tag with a digest.
    let digest = format!("quay.io/kubevirt/disk@{}", digest_of(disk));
    let once = run(&[], &text).succeeded();
    assert_eq!(once, text.replace(disk, &digest));
    assert_eq!(run(&[], &once).succeeded(), once);
    let model = object("serving.kserve.io/v1beta1", "InferenceService")
        + "spec:\n  predictor:\n    model:\n      storageUri: oci://quay.io/acme/model:1\n";
    assert_pinned(&[], &model, &["quay.io/acme/model:1"]);
    assert_pinned(&[], &model.replace("oci://", "s3://"), &[]);
    let aliased = volume
        + "  annotations: {disk: &disk \"docker://quay.io/kubevirt/disk:v1\"}\nspec: {source: {registry: {url: *disk }}}\n";
    let pinned = format!("docker://{digest}");
    assert_eq!(run(&[], &aliased).succeeded(), aliased.replace("*disk", &pinned));
}

#[test]
fn a_field_of_two_images_is_refused_if_only_one_is_pinned() {
    let policy = |one: &str, other: &str| {
        object("nvidia.com/v1", "ClusterPolicy")
            + &format!(
                "spec:\n  {one}: &d {{repository: nvcr.io/nvidia, image: a, version: \"1\"}}\n  {other}: {{<<: *d, image: b}}\n"
            )
    };
    for (one, other) in [("toolkit", "validator"), ("driver", "toolkit")] {
        let said = run(&[], &policy(one, other)).failed(3);
        assert!(said.contains("one field is a part of two images"), "{said}");
    }
    let both_left = policy("driver", "vgpuManager");
    assert_eq!(run(&[], &both_left).succeeded(), both_left);
}

#[test]
fn an_alias_that_must_stay_while_its_image_is_pinned_is_an_error() {
    let nvidia = object("nvidia.com/v1", "ClusterPolicy")
        + "spec:\n  toolkit: {repository: nvcr.io/nvidia, image: a, version: &v \"1\"}\n  driver: {repository: nvcr.io/nvidia, image: b, version: *v }\n";
    let skipped = "kind: Pod\nmetadata: {annotations: {digestif.dev/skip: b}}\nspec:\n  containers:\n  - {name: a, image: &i 'quay.io/acme/web:1'}\n  - {name: b, image: *i }\n";
    let comment = "kind: Pod\nspec:\n  containers:\n  - image: &i quay.io/acme/web:1\n  - image: *i # digestif: skip\n";
    for text in [nvidia.as_str(), skipped, comment] {
        let said = run(&[], text).failed(3);
        assert!(said.contains("must stay unchanged, but it is an alias of an image"), "{said}");
    }
    // The anchor stays unchanged, so the alias becomes a string.
    let reverse = "kind: Pod\nspec:\n  containers:\n  - image: &i quay.io/acme/web:1 # digestif: skip\n  - image: *i\n";
    let expected =
        reverse.replace("*i", &with_digests("quay.io/acme/web:1", &["quay.io/acme/web:1"]));
    assert_eq!(run(&[], reverse).succeeded(), expected);
}

#[test]
fn a_scalar_keeps_its_tag_if_one_of_its_places_needs_it() {
    let text = object("postgresql.cnpg.io/v1", "Cluster")
        + "spec:\n  imageName: &i quay.io/acme/web:1\n  template: {containers: [{image: *i }]}\n";
    assert_pinned(&["--pin=digest"], &text, &["quay.io/acme/web:1"]);
}

#[test]
fn an_image_that_openshift_imports_on_a_schedule_stays_unchanged() {
    let stream = |policy: &str| {
        object("image.openshift.io/v1", "ImageStream")
            + &format!(
                "spec:\n  tags:\n  - name: a\n    from: {{kind: DockerImage, name: 'quay.io/acme/web:1'}}\n{policy}"
            )
    };
    let scheduled = stream("    importPolicy: {scheduled: true}\n");
    let ran = run(&[], &scheduled);
    assert!(ran.stderr.contains("imports it on a schedule"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), scheduled);
    assert_pinned(&[], &stream("    importPolicy: {scheduled: false}\n"), &["quay.io/acme/web:1"]);
    let old = stream("").replace("image.openshift.io/v1", "v1");
    assert_pinned(&[], &old, &["quay.io/acme/web:1"]);
}

#[test]
fn a_blank_image_stays_unchanged() {
    let text = "kind: DeploymentConfig\nspec:\n  containers:\n  - image: ' '\n";
    assert_eq!(run(&[], text).succeeded(), text);
}

#[test]
fn images_in_objects_of_an_openshift_template_are_found() {
    let text = object("template.openshift.io/v1", "Template")
        + "objects:
- apiVersion: build.openshift.io/v1
  kind: BuildConfig
  metadata: {name: build}
  spec:
    strategy:
      dockerStrategy:
        from: {kind: DockerImage, name: 'registry.access.redhat.com/ubi9/ubi:9.6'}
    output:
      to: {kind: DockerImage, name: 'quay.io/acme/built:1'}
- apiVersion: build.openshift.io/v1
  kind: BuildConfig
  metadata: {name: other}
  spec:
    strategy:
      sourceStrategy:
        from: {kind: ImageStreamTag, name: 'nodejs:20'}
- apiVersion: image.openshift.io/v1
  kind: ImageStream
  metadata: {name: stream}
  spec:
    tags:
    - name: '1'
      from: {kind: DockerImage, name: quay.io/acme/web:1}
    - name: '2'
      from: {kind: ImageStreamTag, name: 'web:1'}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    template:
      spec:
        containers:
        - {name: web, image: quay.io/acme/web:2}
        - {name: sidecar, image: '${SIDECAR}:${TAG}'}
parameters:
- {name: SIDECAR, value: quay.io/acme/sidecar}
";
    let images =
        ["registry.access.redhat.com/ubi9/ubi:9.6", "quay.io/acme/web:1", "quay.io/acme/web:2"];
    assert_pinned(&[], &text, &images);
    let statuses = statuses(&text);
    assert!(statuses.contains(&("placeholder", "${SIDECAR}:${TAG}".to_owned())), "{statuses:?}");
}

#[test]
fn a_digest_replaces_the_version_if_the_operator_writes_it_after_an_at_sign() {
    let text = object("nvidia.com/v1", "ClusterPolicy")
        + "spec:\n  toolkit:\n    repository: nvcr.io/nvidia/k8s\n    image: container-toolkit\n    version: v1.18.0-ubuntu20.04 # as it was\n";
    let image = "nvcr.io/nvidia/k8s/container-toolkit:v1.18.0-ubuntu20.04";
    let pinned = text.replace("v1.18.0-ubuntu20.04", &digest_of(image));
    assert_eq!(run(&[], &text).succeeded(), pinned);
    assert_eq!(run(&["--require-digest"], &pinned).succeeded(), pinned);
    assert_eq!(run(&[], &pinned).succeeded(), pinned);
}

#[test]
fn a_digest_follows_the_tag_if_the_operator_writes_a_colon() {
    let text = object("solr.apache.org/v1beta1", "SolrPrometheusExporter")
        + "spec:\n  image: {repository: library/solr, tag: &tag '9.8'}\n  busyBoxImage:\n    repository: library/busybox\n    tag: *tag\n";
    let [solr, busybox] = ["library/solr:9.8", "library/busybox:9.8"].map(digest_of);
    let pinned =
        text.replace("'9.8'", &format!("'9.8@{solr}'")).replace("*tag", &format!("9.8@{busybox}"));
    let ran = run(&["--pin=digest"], &text);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned);
    assert_eq!(run(&[], &pinned).succeeded(), pinned);
    let unknown =
        text.replace("tag: &tag '9.8'", "x: &tag y").replace("tag: *tag", "pullPolicy: a");
    assert_eq!(run(&[], &unknown).succeeded(), unknown);
}

#[test]
fn parts_that_cannot_contain_a_digest_stay_with_a_reason() {
    let text = object("scylla.scylladb.com/v1", "ScyllaCluster")
        + "spec:\n  repository: docker.io/scylladb/scylla\n  version: 6.2.1\n  agentVersion: 3.4.0\n";
    let ran = run(&[], &text);
    assert!(ran.stderr.starts_with("warning: `docker.io/scylladb/scylla:6.2.1` is written unchanged: the version is also a label and a label can't contain a digest\n"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), text);
    run(&["--require-digest"], &text).failed(5);
    // If the caller skips the image, or a comment skips the line, there is no warning.
    let commented = text.replace("6.2.1", "6.2.1 # digestif: skip");
    for (flags, text) in [(&["--skip=**/scylla"][..], &text), (&[], &commented)] {
        let ran = run(flags, text);
        assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
        let required: Vec<_> = flags.iter().copied().chain(["--require-digest"]).collect();
        assert_eq!(run(&required, text).succeeded(), *text);
    }
}

#[test]
fn a_substitute_from_another_repository_is_refused_for_parts() {
    let registry = Registry::start(Content::of(&[
        ("docker.io/acme/other", &["1"]),
        ("docker.io/library/solr", &["2"]),
    ]));
    let every_host = for_every_host(&registry);
    let text = object("solr.apache.org/v1beta1", "SolrPrometheusExporter")
        + "spec: {image: {repository: library/solr, tag: '1'}}\n";
    let run =
        |rule: &str| digestif([every_host.as_str(), "--no-config", "--fallback", rule], &text);
    let said = run("1=docker.io/acme/other:1").failed(1);
    assert!(said.contains("error: the only substitute of `docker.io/library/solr:1` is in another repository, which its field can't name\n"), "{said}");
    let digest = digest_of("library/solr:2");
    assert_eq!(run("1=2").succeeded(), text.replace("'1'", &format!("'2@{digest}'")));
}

#[test]
fn every_alias_of_a_string_that_is_not_an_image_is_written_out() {
    let text = object("apps.kruise.io/v1beta1", "ImageListPullJob")
        + "  labels: {from: &image acme/web}\nspec:\n  images:\n  - *image\n  - *image\n  - quay.io/acme/db:1\n";
    let expected = with_digests(&text, &["quay.io/acme/db:1"])
        .replace("  - *image", &format!("  - acme/web@{}", digest_of("acme/web")));
    assert_eq!(run(&[], &text).succeeded(), expected);
}

#[test]
fn fields_in_json_on_one_line_are_found() {
    let image = "quay.io/acme/postgres:16";
    let text = json!({
        "apiVersion": "acid.zalan.do/v1",
        "kind": "postgresql",
        "spec": {"dockerImage": image, "sidecars": [{"name": "größer", "image": "quay.io/acme/side:1"}]},
    });
    assert_pinned(&[], &text.to_string(), &[image, "quay.io/acme/side:1"]);
}
