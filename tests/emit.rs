//! `--emit kustomize-images`: the list for Flux and for plain kustomizations, and kustomize's
//! output with it.

mod support;

use std::fs;
use std::process::Command;

use support::{Ran, clients, digestif, testdata};

const NGINX: &str =
    "nginx:1.29.1@sha256:26189d38b21c3f60e226a91c4fefb63e79893bdcd2ad109502b00ec8c90d54ac";
const KUBECTL: &str =
    "clastix/kubectl:v1.31@sha256:543b04ba1ce032f43d289980697c4f5e43677d27f93dfd8dc075672e33e2e3fe";

/// A Deployment with these lines in its pod.
fn deployment(pod: &str) -> String {
    let head = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n";
    head.to_owned() + &pod.lines().map(|line| format!("      {line}\n")).collect::<String>()
}

fn containers(images: &[&str]) -> String {
    let items = images.iter().map(|image| format!("- image: {image}\n"));
    deployment(&format!("containers:\n{}", items.collect::<String>()))
}

fn emit(flags: &[&str], manifest: &str) -> Ran {
    let layout = testdata("quickstart/images").display().to_string();
    let own = ["--emit=kustomize-images", "--offline", "--layout", &layout];
    digestif(own.iter().chain(flags), manifest)
}

fn digest(pinned: &str) -> &str {
    pinned.split_once('@').expect("it is pinned").1
}

#[test]
fn each_name_gets_its_tag_and_digest_and_stays_as_written() {
    let manifest = containers(&["nginx:1.29.1", "clastix/kubectl:v1.32", "docker.io/nginx:1.29.1"]);
    let expected = format!(
        "images:\n- name: \"clastix/kubectl\"\n  newTag: \"v1.31\"\n  digest: {}\n\
         - name: \"docker.io/nginx\"\n  newTag: \"1.29.1\"\n  digest: {}\n\
         - name: \"nginx\"\n  newTag: \"1.29.1\"\n  digest: {}\n",
        digest(KUBECTL),
        digest(NGINX),
        digest(NGINX)
    );
    assert_eq!(emit(&[], &manifest).succeeded(), expected);
    let short = expected.replace("  newTag: \"v1.31\"\n", "").replace("  newTag: \"1.29.1\"\n", "");
    assert_eq!(emit(&["--pin=digest"], &manifest).succeeded(), short);
    assert_eq!(emit(&[], &containers(&[NGINX])).succeeded(), "images: []\n");
}

#[test]
fn a_substitute_in_another_repository_gets_a_new_name() {
    let rule = "--fallback=.*=docker.io/library/$name:$tag";
    let list = emit(&[rule], &containers(&["quay.io/old/nginx:1.29.1"])).status;
    assert_eq!(list, 5, "offline, there is no proof of absence");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let layout = folder.path().join("quay.io/old/nginx");
    fs::create_dir_all(layout.join("blobs/sha256")).expect("writable");
    fs::write(layout.join("oci-layout"), "{\"imageLayoutVersion\": \"1.0.0\"}").expect("writable");
    let blob = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    fs::write(layout.join("blobs/sha256").join(blob), "").expect("writable");
    let index = format!(
        r#"{{"schemaVersion": 2, "manifests": [{{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:{blob}", "size": 0, "annotations": {{"org.opencontainers.image.ref.name": "1"}}}}]}}"#
    );
    fs::write(layout.join("index.json"), index).expect("writable");
    let more = format!("--layout={}", folder.path().display());
    let list = emit(&[rule, &more], &containers(&["quay.io/old/nginx:1.29.1"])).succeeded();
    let expected = "- name: \"quay.io/old/nginx\"\n  newName: \"docker.io/library/nginx\"\n";
    assert!(list.contains(expected), "{list}");
}

#[test]
fn an_image_that_a_list_cannot_express_is_refused() {
    for (images, refused) in [
        (["clastix/kubectl:v1.32", "clastix/kubectl:v1.31"], false), // both become v1.31
        (["nginx:1.29.1", "nginx:latest"], true),
        (["nginx:1.29.1", NGINX], true), // the list would change both
    ] {
        let ran = emit(&["--allow-unresolved"], &containers(&images));
        let status = if refused { 5 } else { 0 };
        assert_eq!((ran.status, ran.stdout.is_empty()), (status, refused), "{}", ran.stderr);
        let message = "means more than one image, which `images:` can't express";
        assert_eq!(ran.stderr.contains(message), refused, "{}", ran.stderr);
    }
    let said = emit(&[], &containers(&["clastix/kubectl:v1.31+"])).failed(5);
    assert!(said.contains("kustomize does not read this as an image"), "{said}");
    let policy = "---\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec:\n  rules:\n  - validate:\n      pattern:\n        spec:\n          containers:\n          - image: nginx:1.28.0\n";
    for (beside, what) in [(policy, "a pattern"), ("", "nothing")] {
        let ran = emit(&[], &format!("{}{beside}", containers(&["nginx:1.29.1"])));
        assert_eq!(ran.status, if beside.is_empty() { 0 } else { 5 }, "{what}: {}", ran.stderr);
    }
    let placeholder = containers(&["nginx:1.29.1", "\"nginx:{{TAG}}\""]);
    emit(&[], &placeholder).failed(5);
    let skipped = emit(&["--skip=docker.io/library/*"], &containers(&["nginx:1.29.1"]));
    assert_eq!(skipped.succeeded(), "images: []\n");
    emit(&[], &containers(&["nginx:absent"])).failed(1);
    emit(&["-i", "-f", "x.yaml"], "").failed(2);
}

#[test]
fn kustomize_with_the_list_gives_the_same_images_as_digestif() {
    let Some(clients) = clients() else { return };
    let pod = "containers:\n- image: nginx:1.29.1\n  name: web\n\
               ephemeralContainers:\n- image: clastix/kubectl:v1.31\n  name: debug\n\
               initContainers:\n- image: docker.io/nginx:1.29.1\n  name: init\n";
    let manifest = deployment(pod);
    let ran = emit(&[], &manifest);
    assert!(
        ran.stderr.contains("kustomize's `images:` does not change this image"),
        "{}",
        ran.stderr
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kustomization = format!("resources: [web.yaml]\n{}", ran.succeeded());
    fs::write(folder.path().join("kustomization.yaml"), kustomization).expect("writable");
    fs::write(folder.path().join("web.yaml"), &manifest).expect("writable");
    let built = Command::new(clients.join("kustomize")).arg("build").arg(folder.path()).output();
    let built = built.expect("scripts/clients built it");
    let built = String::from_utf8(built.stdout).expect("text");
    let reached = manifest.replace("nginx:1.29.1", NGINX);
    let sorted = |text: &str| {
        let mut lines: Vec<_> =
            text.lines().map(|l| l.trim_start_matches([' ', '-']).to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&built), sorted(&reached));
}

#[test]
fn images_that_kustomize_does_not_change_are_warned_about() {
    let beside = "---\napiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: p}\nspec: {image: 'clastix/kubectl:v1.31'}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {image: 'nginx:latest'}\n";
    let env = "containers:\n- image: nginx:1.29.1\n  env: [{name: IMAGE, value: nginx:latest}]\n";
    let ran = emit(&[], &(deployment(env) + beside));
    let warning = "kustomize's `images:` does not change this image";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("Prometheus p, spec.image"), "{}", ran.stderr);
    let list = ran.succeeded();
    assert_eq!(list.matches("- name: ").count(), 1, "{list}");
    assert!(list.contains("\"nginx\""), "{list}");
}

#[test]
fn a_configuration_decides_how_a_list_pins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("c.yaml");
    let text = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npin: digest\n";
    std::fs::write(&config, text).expect("writable");
    let config = config.display().to_string();
    let list = emit(&["-c", &config], &containers(&["nginx:1.29.1"])).succeeded();
    assert!(list.contains("  digest: sha256:") && !list.contains("newTag"), "{list}");
}
