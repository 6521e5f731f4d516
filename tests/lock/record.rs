//! What a run records in the lock, and what it leaves out.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::digest_of;
use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::{HEAD, KUBECTL, Setup, entry, lock_of, own, pods, says};

/// The inode, which changes if a new file replaces the old one.
#[cfg(unix)]
fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).expect("there"))
}

#[cfg(unix)]
#[test]
fn a_recorded_image_causes_no_request_and_no_write() {
    let setup = Setup::new(Content::of(&[
        (KUBECTL, &["v1.31"]),
        ("docker.io/library/nginx", &["1.27", "latest"]),
    ]));
    let kubectl = format!("{KUBECTL}:v1.32");
    let manifests =
        pods(&["nginx:1.27", &kubectl, "nginx", "docker.io/library/nginx:1.27", "${LATER}"]);
    let first = setup.run(&[], &manifests);
    says(&first.stderr, &["; 3 recorded in images.lock.yaml\n"]);
    let expected = lock_of(&[
        entry(&kubectl, "v1.31", &digest_of("clastix/kubectl:v1.31"), Some("kubernetes-version")),
        own("docker.io/library/nginx:1.27"),
        own("docker.io/library/nginx:latest"),
    ]);
    assert_eq!(setup.lock(), expected);
    assert_eq!(setup.files().len(), 1, "there are other files: {:?}", setup.files());
    let before = inode(&setup.path());
    for flags in [&[][..], &["--locked"], &["--offline"], &["--locked", "--offline"]] {
        let (again, cost) = setup.cost(|| setup.run(flags, &manifests));
        assert_eq!(cost, 0, "{flags:?}");
        says(
            &again.stderr,
            &[
                "warning: `docker.io/clastix/kubectl:v1.32` is locked to a substitute: `docker.io/clastix/kubectl:v1.31` is used instead",
                "rule: kubernetes-version",
            ],
        );
        assert!(!again.stderr.contains("recorded in"), "{}", again.stderr);
        assert_eq!(again.succeeded(), first.stdout, "{flags:?}");
    }
    assert_eq!((inode(&setup.path()), setup.lock()), (before, expected));
    let quiet = setup.run(&["-q"], &manifests).stderr;
    says(&quiet, &["is used instead"]);
}

#[test]
fn a_report_names_the_lock_as_the_source_of_a_digest() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let manifests = pods(&["nginx:1.27", &kubectl]);
    let setup =
        Setup::new(Content::of(&[(KUBECTL, &["v1.31"]), ("docker.io/library/nginx", &["1.27"])]));
    let report = |flags: &[&str]| -> Vec<(Value, Value)> {
        let flags: Vec<_> = flags.iter().copied().chain(["--report", "r.json"]).collect();
        setup.run(&flags, &manifests).succeeded();
        let text = fs::read_to_string(setup.folder.path().join("r.json")).expect("written");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let images = report["images"].as_array().expect("a list").iter();
        images.map(|image| (image["status"].clone(), image["via"].clone())).collect()
    };
    let pair = |status: &str, via: &str| (Value::from(status), Value::from(via));
    assert_eq!(report(&[]), [pair("pinned", "registry"), pair("substituted", "fallback")]);
    assert_eq!(report(&[]), [pair("pinned", "lock"), pair("substituted", "lock")]);
    says(&setup.run(&["-v"], &manifests).stderr, &["(lock, 1 place)"]);
}

#[test]
fn a_new_image_is_one_more_entry_and_comments_stay() {
    let before = format!(
        "# What production runs.\n{HEAD}images:\n{} # until March\n{}",
        own("docker.io/acme/api:v1").trim_end(),
        own("docker.io/acme/web:v1")
    );
    let setup = Setup::locked(Content::everything(), &before);
    let aside = setup.folder.path().join("aside");
    fs::hard_link(setup.path(), &aside).expect("writable");
    setup.run(&[], &pods(&["acme/proxy:v1", "acme/web:v1"])).succeeded();
    let replaced = fs::read_to_string(aside).expect("there");
    assert_eq!(replaced, before, "a new file takes the place of the old one, which stays whole");
    let after = before.replace(
        "- image: docker.io/acme/web",
        &(own("docker.io/acme/proxy:v1") + "- image: docker.io/acme/web"),
    );
    assert_eq!(setup.lock(), after);
    assert_eq!(setup.registry.requests().len(), 1);
}

#[test]
fn skipped_images_are_not_recorded_but_a_lock_is_written() {
    let setup = Setup::new(Content::everything());
    let manifests = pods(&["quay.io/a/skipped:v1", "${LATER}"]);
    setup.run(&["--skip", "quay.io/**"], &manifests).succeeded();
    assert_eq!(setup.lock(), format!("{HEAD}images: []\n"));
    setup.run(&["--skip", "quay.io/**", "--locked"], &manifests).succeeded();
    let ran = setup.run(&["--allow-unresolved"], &pods(&["Web", "acme/web:v1"]));
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[own("docker.io/acme/web:v1")]));
}

#[test]
fn a_run_that_fails_records_nothing() {
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let fault = Fault::on("acme/busy", Misbehaviour::ErrorCode(429, "TOOMANYREQUESTS"));
    let content = Content::of(&[("docker.io/acme/new", &["v1"]), ("docker.io/acme/busy", &["v1"])]);
    let setup = Setup::locked(content.with_fault(fault), &before);
    for (images, flags, status) in [
        (&["acme/new:v1", "acme/busy:v1"][..], &["--retries=0"][..], 4),
        (&["acme/new:v1", "acme/gone:v1"], &[], 1),
        (&["acme/new:v1", "Web"], &[], 3),
        (&["acme/new:v1", "${X}"], &["--deny-placeholders"], 5),
        (&["acme/new:v1"], &["-o", "nowhere/out.yaml"], 2),
        (&["acme/new:v1"], &["--report", "nowhere/r.json"], 2),
    ] {
        setup.run(flags, &pods(images)).failed(status);
        assert_eq!(setup.lock(), before, "{flags:?}");
    }
    let check = setup.run(&["check", "--allow-unresolved"], &pods(&["acme/new:v1"]));
    assert_eq!((check.status, setup.lock()), (5, before.clone()));
    setup.run(&["images"], &pods(&["acme/new:v1"])).succeeded();
    setup.run(&["explain", "acme/new:v1"], "").succeeded();
    assert_eq!(setup.lock(), before);
}

#[test]
fn a_run_without_requests_needs_no_certificates() {
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/a/b:v1")]));
    // Without the certificates of a CA, no TLS connection is possible.
    let none = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nowhere")];
    let flags = ["--lock", "images.lock.yaml"];
    let ran = setup.without(&none, &flags, &pods(&["a/b:v1"]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("a/b:v1@sha256:"), "{}", ran.stdout);
}
