//! Policy: expected tags, forbidden tags, required platforms, and digests that must exist.

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{
    command, digest_of, digestif, finish, for_every_host, pinned, run_against as run, start,
    testdata,
};

const DESCHEDULER: &str = "registry.k8s.io/descheduler/descheduler";
const WEB: &str = "registry.example/acme/web";

/// A stream of Pods, each with one image.
fn pods(images: &[&str]) -> String {
    let pod = |image: &&str| format!("---\nkind: Pod\nspec:\n  containers:\n  - image: {image}\n");
    images.iter().map(pod).collect()
}

fn all() -> Registry {
    Registry::start(Content::everything())
}

/// The message of a run that must fail by policy.
#[track_caller]
fn refused(flags: &[&str], manifests: &str) -> String {
    run(&all(), flags, manifests).failed(5)
}

/// A manifest of the corpus, if there is a corpus.
fn corpus(name: &str) -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("DIGESTIF_CORPUS")?);
    Some(fs::read_to_string(folder.join(name)).expect("readable"))
}

#[test]
fn an_image_without_the_expected_tag_fails() {
    let image = format!("{DESCHEDULER}:v0.32.1");
    let flag = format!("--expect={DESCHEDULER}=v0.32.2");
    for manifests in [pods(&[&image]), pods(&[&pinned(&image)])] {
        let message = refused(&[&flag], &manifests);
        let said = format!("`{DESCHEDULER}` is expected with the tag `v0.32.2`, but has `v0.32.1`");
        assert!(message.contains(&said), "{message}");
        assert!(message.contains("<stdin>:5:12"), "{message}");
    }
    let right = format!("--expect={DESCHEDULER}=v0.32.1");
    for manifests in [pods(&[&image]), pods(&[&pinned(&image)])] {
        run(&all(), &[&right], &manifests).succeeded();
    }
}

#[test]
fn an_expected_image_that_does_not_occur_fails() {
    let flag = format!("--expect={DESCHEDULER}=v0.32.2");
    for manifests in [pods(&["nginx:1.27"]), pods(&[&format!("{DESCHEDULER}-x:v0.32.2")])] {
        let message = refused(&[&flag], &manifests);
        assert!(message.contains("with the tag `v0.32.2`, but does not occur"), "{message}");
    }
    // A candidate does not count as an image here.
    let config = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: {DESCHEDULER}:v0.32.2\n");
    refused(&[&flag], &config);
}

#[test]
fn the_expected_tag_is_compared_with_the_tag_in_the_output() {
    let registry = Registry::start(Content::of(&[("docker.io/clastix/kubectl", &["v1.31"])]));
    let manifests = pods(&["clastix/kubectl:v1.32"]);
    let expect = |tag: &str| {
        let flag = format!("--expect=clastix/kubectl={tag}");
        run(&registry, &[&flag], &manifests)
    };
    expect("v1.31").succeeded();
    let message = expect("v1.32").failed(5);
    assert!(message.contains("with the tag `v1.32`, but has `v1.31`"), "{message}");

    let elsewhere = Registry::start(Content::of(&[
        ("docker.io/acme/old", &["2"]),
        ("docker.io/acme/new", &["1"]),
    ]));
    let flags = ["--fallback=1=docker.io/acme/new:1", "--expect=acme/old=1"];
    let message = run(&elsewhere, &flags, &pods(&["acme/old:1"])).failed(5);
    assert!(message.contains("but has an image of `docker.io/acme/new`"), "{message}");
}

#[test]
fn a_digest_without_a_tag_and_a_placeholder_do_not_meet_an_expectation() {
    let flag = format!("--expect={WEB}=1");
    let digest = digest_of(&format!("{WEB}:1"));
    let message = refused(&[&flag], &pods(&[&format!("{WEB}@{digest}")]));
    assert!(message.contains("but has a digest without a tag"), "{message}");
    let message = refused(&[&flag], &pods(&["registry.example/acme/${APP}:1"]));
    assert!(message.contains("but does not occur"), "{message}");
}

#[test]
fn the_tag_of_a_skipped_image_is_compared_as_written() {
    let manifests = pods(&[&format!("{WEB}:1"), &format!("{WEB}:1 # digestif: skip")]);
    run(&all(), &[&format!("--expect={WEB}=1")], &manifests).succeeded();
    refused(&[&format!("--expect={WEB}=2"), &format!("--skip={WEB}")], &manifests);
}

#[test]
fn unresolved_images_must_also_have_the_expected_tag() {
    let registry = Registry::start(Content::of(&[(WEB, &["1"])]));
    for tag in ["2", "v2+"] {
        let manifests = pods(&[&format!("{WEB}:{tag}")]);
        let flags = ["--no-fallback", "--allow-unresolved", &format!("--expect={WEB}=1")];
        let message = run(&registry, &flags, &manifests).failed(5);
        assert!(message.contains(&format!("with the tag `1`, but has `{tag}`")), "{message}");
    }
}

#[test]
fn mutable_tags_are_refused_with_their_places() {
    let manifests =
        pods(&["redis:latest", "busybox:stable", "nginx", "nginx:1.27", &pinned("a/b:main")]);
    let message = refused(&["--deny-mutable"], &manifests);
    for image in ["redis:latest", "busybox:stable", "nginx:latest"] {
        assert!(message.contains(&format!("`docker.io/library/{image}` has a tag that moves")));
    }
    assert!(message.contains("`docker.io/a/b:main` has a tag that moves"), "{message}");
    assert!(
        message.contains("<stdin>:10:12") && !message.contains("`docker.io/library/nginx:1.27`")
    );
    let message = refused(&["--deny-mutable=versions"], &manifests);
    assert!(message.contains("`docker.io/library/nginx:1.27` has a tag that moves"), "{message}");
    let skips = ["--deny-mutable", "--skip=docker.io/library/*", "--skip=docker.io/a/b"];
    run(&all(), &skips, &manifests).succeeded();
    run(&all(), &[], &manifests).succeeded();
}

#[test]
fn a_substitute_with_a_mutable_tag_is_refused() {
    let registry = Registry::start(Content::of(&[("docker.io/acme/web", &["latest", "v1"])]));
    let manifests = pods(&["acme/web:none"]);
    let message =
        run(&registry, &["--deny-mutable", "--fallback=none=latest"], &manifests).failed(5);
    assert!(message.contains("`docker.io/acme/web:latest` has a tag that moves"), "{message}");
    let registry = Registry::start(Content::of(&[("docker.io/acme/web", &["v1"])]));
    run(&registry, &["--deny-mutable", "--fallback=latest=v1"], &pods(&["acme/web"])).succeeded();
}

#[test]
fn policies_about_tags_make_no_requests() {
    let registry = all();
    let image = pinned(&format!("{WEB}:1"));
    let flags = ["check", "--require-digest", "--deny-mutable", &format!("--expect={WEB}=1")];
    let run = run(&registry, &flags, &pods(&[&image]));
    assert_eq!((run.status, registry.requests().len()), (0, 0), "{}", run.stderr);
}

#[test]
fn every_image_must_exist_for_every_required_platform() {
    let image = format!("{WEB}:1");
    for (manifests, requests) in [(pods(&[&image, &image]), 2), (pods(&[&pinned(&image)]), 1)] {
        let registry = all();
        // The tag was requested before, so its digest is known.
        run(&registry, &[], &pods(&[&image])).succeeded();
        let before = registry.requests().len();
        let flags = ["--require-platform=linux/amd64", "--require-platform=linux/arm64"];
        run(&registry, &flags, &manifests).succeeded();
        assert_eq!(registry.requests().len() - before, requests);
        let flags = ["--require-platform=linux/arm64", "--require-platform=linux/s390x"];
        let message = run(&registry, &flags, &manifests).failed(1);
        assert!(message.contains("is not available for linux/s390x"), "{message}");
        assert!(message.contains("it is available for linux/amd64, linux/arm64"), "{message}");
    }
}

fn hash(text: &str) -> String {
    let hex = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{hex}")
}

/// A registry that has these texts by their digests, each with its media type.
fn serving(texts: &[(&str, &str)]) -> Content {
    texts.iter().fold(Content::everything(), |content, (media_type, text)| {
        let headers = vec![("content-type", (*media_type).to_owned())];
        let answer = Misbehaviour::Status(200, headers, (*text).to_owned());
        content.with_fault(Fault::on(&hash(text), answer))
    })
}

/// The manifest of an image with this configuration.
fn single_manifest(config: &str) -> String {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": hash(config),
            "size": config.len(),
        },
        "layers": [],
    });
    manifest.to_string()
}

/// An image for one platform, and a registry that has it.
fn single(config: &str) -> (String, Registry) {
    let manifest = single_manifest(config);
    let content = serving(&[
        ("application/vnd.oci.image.manifest.v1+json", &manifest),
        ("application/octet-stream", config),
    ]);
    (format!("{WEB}@{}", hash(&manifest)), Registry::start(content))
}

#[test]
fn the_platform_of_an_image_without_an_index_is_in_its_configuration() {
    let flag = "--require-platform=linux/arm64";
    let (image, registry) = single(r#"{"os":"linux","architecture":"arm64"}"#);
    run(&registry, &[flag], &pods(&[&image])).succeeded();
    let (image, registry) = single(r#"{"os":"linux","architecture":"amd64"}"#);
    let message = run(&registry, &[flag], &pods(&[&image])).failed(1);
    assert!(message.contains("it is available for linux/amd64"), "{message}");
    let (image, registry) = single(r#"{"name":"a chart"}"#);
    let message = run(&registry, &[flag], &pods(&[&image])).failed(1);
    assert!(message.contains("it names no platform"), "{message}");
    let (image, registry) = single("no JSON");
    run(&registry, &[flag], &pods(&[&image])).failed(4);
}

#[test]
fn content_with_a_wrong_hash_is_never_accepted() {
    let image = format!("{WEB}:1");
    let digest = digest_of(&image);
    let fault = Fault::on(&digest, Misbehaviour::WrongBody).method("GET");
    let registry = Registry::start(Content::everything().with_fault(fault));
    let message = run(&registry, &["--require-platform=linux/amd64"], &pods(&[&image])).failed(4);
    assert!(message.contains("which hashes to sha256:"), "{message}");
}

#[test]
fn digests_in_the_input_are_requested_only_with_the_flag() {
    let image = format!("{WEB}:1");
    let gone = format!("{WEB}:2@sha256:{}", "0".repeat(64));
    let registry = all();
    run(&registry, &[], &pods(&[&image])).succeeded();
    let before = registry.requests().len();
    run(&registry, &["--verify"], &pods(&[&pinned(&image)])).succeeded();
    assert_eq!(registry.requests()[before].method, "HEAD");
    assert_eq!(registry.requests().len() - before, 1);
    run(&registry, &[], &pods(&[&gone])).succeeded();
    assert_eq!(registry.requests().len() - before, 1, "there is no request without the flag");
    let message = run(&registry, &["--verify"], &pods(&[&gone])).failed(1);
    assert!(message.contains("error: the digest of `"), "{message}");
    for (fault, status) in [
        (Misbehaviour::ErrorCode(401, "UNAUTHORIZED"), 6),
        (Misbehaviour::ErrorCode(500, "UNKNOWN"), 4),
        (Misbehaviour::Html404, 4),
        (Misbehaviour::DigestHeader(digest_of("other:1").into()), 4),
    ] {
        let name = format!("{fault:?}");
        let content = Content::of(&[(WEB, &["1"])]).with_fault(Fault::on("", fault));
        let registry = Registry::start(content);
        let run = run(&registry, &["--verify", "--retries=0"], &pods(&[&pinned(&image)]));
        assert_eq!((run.status, run.stdout.as_str()), (status, ""), "{name}: {}", run.stderr);
    }
}

#[test]
fn offline_policies_read_layouts() {
    let layout = format!("--layout={}", testdata("quickstart/images").display());
    let web = fs::read_to_string(testdata("quickstart/web.yaml")).expect("readable");
    let flags = ["--offline", &layout, "--no-fallback"];
    let pinned = digestif(["--offline", &layout], &web).succeeded();
    digestif(flags.iter().copied().chain(["--verify"]), &pinned).succeeded();
    let gone = pods(&[&format!("{WEB}:2@sha256:{}", "0".repeat(64))]);
    let run = digestif(flags.iter().copied().chain(["--verify"]), gone);
    assert!(run.failed(5).contains("can't be inspected without the network"));
}

#[test]
fn policies_add_up_and_cannot_be_loosened() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("digestif.yaml");
    let write = |policy: &str| {
        let head = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npolicy:\n";
        fs::write(&config, format!("{head}{policy}")).expect("writable");
    };
    let config = format!("--config={}", config.display());
    let web = format!("{WEB}:1");
    for (policy, flags, image, status) in [
        ("  denyMutable: true\n", &[][..], "nginx", 5),
        ("  denyMutable: false\n", &["--deny-mutable"], "nginx", 5),
        ("  denyMutable: false\n", &[], "nginx", 0),
        ("  denyMutableVersions: true\n", &["--deny-mutable"], "nginx:1.27", 5),
        ("  denyMutableVersions: true\n", &[], "nginx", 5),
        ("  denyMutable: true\n", &["--deny-mutable=versions"], "nginx:1.27", 5),
        ("  denyMutable: true\n", &[], "nginx:1.27", 0),
        ("  expect: {registry.example/acme/web: '2'}\n", &[], &web, 5),
        ("  expect: {registry.example/acme/web: '1'}\n", &[], &web, 0),
        ("  expect: {registry.example/acme/web: '1'}\n", &["--expect=a=1"], &web, 5),
        ("  requirePlatforms: [linux/s390x]\n", &[], &web, 1),
        ("  requirePlatforms: [linux/arm64]\n", &["--require-platform=linux/s390x"], &web, 1),
        ("  requirePlatforms: [linux/arm64]\n", &[], &web, 0),
        ("  denyMutable: maybe\n", &[], &web, 2),
        ("  expect: {registry.example/acme/web: 'a b'}\n", &[], &web, 2),
        ("  expect: {Web: '1'}\n", &[], &web, 2),
        ("  requirePlatforms: [linux]\n", &[], &web, 2),
    ] {
        write(policy);
        let flags: Vec<_> = [config.as_str()].iter().chain(flags).copied().collect();
        let run = run(&all(), &flags, &pods(&[image]));
        assert_eq!(run.status, status, "{policy} {flags:?}: {}", run.stderr);
        assert_eq!(run.stdout.is_empty(), status != 0, "{policy}");
    }
}

#[test]
fn a_flag_adds_to_the_policies_of_the_environment() {
    let registry = all();
    let web = format!("{WEB}:1.27");
    for (variable, value, flag, image, status) in [
        ("DIGESTIF_DENY_MUTABLE", "versions", "--deny-mutable", web.as_str(), 5),
        ("DIGESTIF_DENY_MUTABLE", "true", "--deny-mutable=false", "nginx:latest", 5),
        ("DIGESTIF_DENY_MUTABLE", "false", "--deny-mutable", "nginx:latest", 5),
        ("DIGESTIF_DENY_MUTABLE", "", "--deny-mutable", web.as_str(), 0),
        ("DIGESTIF_EXPECT", "acme/gone=1", "--expect=registry.example/acme/web=1.27", &web, 5),
        ("DIGESTIF_EXPECT", "registry.example/acme/web=1.27\n", "-q", &web, 0),
        ("DIGESTIF_REQUIRE_PLATFORM", "linux/s390x", "--require-platform=linux/amd64", &web, 1),
        ("DIGESTIF_REQUIRE_PLATFORM", "linux", "--require-platform=linux/amd64", &web, 2),
    ] {
        let mut command = command([for_every_host(&registry).as_str(), flag]);
        let ran = finish(start(command.env(variable, value)), pods(&[image]).as_bytes());
        assert_eq!(ran.status, status, "{variable}={value} {flag}: {}", ran.stderr);
    }
}

#[test]
fn a_mirror_that_is_down_is_tried_once_for_digests_too() {
    let registry = all();
    let images: Vec<_> = (0..5).map(|n| format!("{WEB}:{n}")).collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    run(&registry, &[], &pods(&images)).succeeded();
    let fault = Fault::on("", Misbehaviour::ErrorCode(503, "UNKNOWN"));
    let mirror = Registry::start(Content::everything().with_fault(fault));
    let pinned: Vec<_> = images.iter().map(|image| pinned(image)).collect();
    let pinned: Vec<_> = pinned.iter().map(String::as_str).collect();
    let flags = ["--verify", "--concurrency=1", &format!("--mirror=*={}/{{host}}", mirror.url())];
    let ran = run(&registry, &flags, &pods(&pinned));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("was skipped").count(), 1, "{}", ran.stderr);
    // At most the requests in flight, and a GET after each busy HEAD.
    assert!(mirror.requests().len() <= 2 * images.len(), "{}", mirror.requests().len());
}

#[test]
fn an_index_may_have_no_platforms() {
    let config = r#"{"os":"linux","architecture":"arm64"}"#;
    let manifest = single_manifest(config);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": hash(&manifest),
                "size": manifest.len(),
            },
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": hash("an attestation"),
                "size": 1,
                "platform": { "os": "unknown", "architecture": "unknown" },
            },
        ],
    });
    let index = index.to_string();
    let registry = Registry::start(serving(&[
        ("application/vnd.oci.image.index.v1+json", &index),
        ("application/vnd.oci.image.manifest.v1+json", &manifest),
        ("application/octet-stream", config),
    ]));
    let image = format!("{WEB}@{}", hash(&index));
    run(&registry, &["--require-platform=linux/arm64"], &pods(&[&image])).succeeded();
    let message = run(&registry, &["--require-platform=linux/s390x"], &pods(&[&image])).failed(1);
    assert!(message.contains("it is available for linux/arm64\n"), "{message}");
}

#[test]
fn an_impossible_value_of_a_flag_is_a_usage_error() {
    for flag in [
        "--expect=web:1",
        "--expect=web=",
        "--require-platform=linux",
        "--require-platform=linux/amd64/v1/x",
        "--deny-mutable=all",
    ] {
        digestif([flag], pods(&["nginx:1"])).failed(2);
    }
}

#[test]
fn the_cases_of_aibrix_and_descheduler_hold_for_their_real_files() {
    let (Some(aibrix), Some(old), Some(new)) = (
        corpus("aibrix-v0.3.0-release.yaml"),
        corpus("descheduler-v0.32.2-cronjob.yaml"),
        corpus("descheduler-v0.36.0-cronjob.yaml"),
    ) else {
        eprintln!("DIGESTIF_CORPUS is not set: the cases were not run on their own files");
        return;
    };
    let message = refused(&["--deny-mutable"], &aibrix);
    for image in ["redis:latest", "busybox:stable"] {
        assert!(message.contains(&format!("`docker.io/library/{image}` has a tag")), "{message}");
    }
    let message = refused(&[&format!("--expect={DESCHEDULER}=v0.32.2")], &old);
    assert!(message.contains("but has `v0.32.1`") && message.contains("CronJob"), "{message}");
    let flag = format!("--expect={DESCHEDULER}=v0.36.0");
    let pinned = run(&all(), &[&flag], &new).succeeded();
    assert!(pinned.contains(&format!("{DESCHEDULER}:v0.36.0@sha256:")), "the version is readable");
    assert!(run(&all(), &[&flag], &pinned).succeeded() == pinned);
}

#[test]
fn a_placeholder_has_no_digest() {
    for image in ["\"${IMAGE}\"", "$(params.image)", "'{{ .Values.image }}'"] {
        let said = refused(&["--require-digest"], &pods(&[&pinned("web:1"), image]));
        assert!(said.contains("is a placeholder, and has no digest"), "{said}");
    }
}

#[test]
fn an_image_of_a_moved_repository_is_found_at_its_new_place() {
    let new = "docker.io/bitnamilegacy/redis";
    let digest = digest_of(&format!("{new}:7.2"));
    let old = format!("docker.io/bitnami/redis:7.2@{digest}");
    let content = || Content::of(&[(new, &["7.2"])]);
    let registry = Registry::start(content());
    let said = run(&registry, &["--verify"], &pods(&[&old])).failed(1);
    for words in [
        "error: the digest of `",
        "= moved: docker.io/bitnamilegacy/redis has the same digest (preset bitnamilegacy)",
        "= help: write `docker.io/bitnamilegacy/redis` instead; it is the same image",
    ] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    let said = run(&registry, &["--verify", "--no-fallback"], &pods(&[&old])).failed(1);
    assert!(!said.contains("bitnamilegacy"), "{said}");
    // Another digest means another image.
    let other = format!("docker.io/bitnami/redis:7.2@sha256:{}", "e".repeat(64));
    let said = run(&registry, &["--verify"], &pods(&[&other])).failed(1);
    assert!(!said.contains("bitnamilegacy"), "{said}");
}
