//! `check --drift` without a lock, and `--drift=vanished`.

use crate::support::digest_of;
use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::{Setup, entry, lock_of, pinned, pods, says};

const WEB: &str = "docker.io/acme/web";

/// The digest of the n-th build.
fn build(n: u32) -> String {
    digest_of(&format!("{WEB}:build-{n}"))
}

#[test]
fn a_digest_in_the_input_is_compared_with_the_current_digest_of_its_tag() {
    let setup = Setup::new(Content::of(&[(WEB, &["v1", "v2", "v3"])]));
    setup.registry.move_tag(WEB, "v3", "build-1");
    setup.registry.move_tag(WEB, "v3", "build-2");
    let check = |image: &str, flags: &[&str]| {
        setup.without(&[], &[&["check"], flags].concat(), &pods(&[image]))
    };
    let current = check(&pinned(&format!("{WEB}:v1")), &["--drift"]);
    assert_eq!(current.status, 0, "{}", current.stderr);

    let behind = format!("{WEB}:v3@{}", build(1));
    let ran = check(&behind, &["--drift"]);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    says(
        &ran.stderr,
        &[
            &format!("error: `{WEB}:v3` no longer has the digest in the input"),
            &format!("= written: {}", build(1)),
            &format!("= now: {}", build(2)),
            &format!("`digestif -i --update={WEB}`"),
            "<stdin>:5:12",
        ],
    );
    assert_eq!(check(&behind, &["--drift=vanished"]).status, 0);

    let other = format!("{WEB}:v2@{}", digest_of(&format!("{WEB}:v1")));
    let ran = check(&other, &["--drift"]);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    says(&ran.stderr, &[&format!("`{WEB}:v2` is written with the digest of `{WEB}:v1`")]);

    for image in
        [format!("{WEB}:v1@sha256:{}", "e".repeat(64)), format!("{WEB}@sha256:{}", "e".repeat(64))]
    {
        for flag in ["--drift", "--drift=vanished"] {
            let ran = check(&image, &[flag]);
            assert_eq!(ran.status, 5, "{flag}: {}", ran.stderr);
            says(&ran.stderr, &[&format!("error: `{image}` no longer exists in its registry")]);
        }
    }
    let gone = format!("{WEB}:v9@{}", digest_of(&format!("{WEB}:v1")));
    let ran = check(&gone, &["--drift"]);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    says(&ran.stderr, &[&format!("the tag `{WEB}:v9` no longer exists")]);
}

#[test]
fn drift_is_in_every_report_and_makes_requests_with_required_digests() {
    let setup = Setup::new(Content::of(&[(WEB, &["v1"])]));
    let image = format!("{WEB}:v1@sha256:{}", "e".repeat(64));
    for format in ["text", "json", "markdown", "sarif", "github", "junit"] {
        let format = format!("--report-format={format}");
        let flags = ["check", "--drift", "--require-digest", &format];
        let ran = setup.without(&[], &flags, &pods(&[&image]));
        assert_eq!(ran.status, 5, "{format}: {}", ran.stderr);
        assert!(
            ran.stdout.contains("no longer exists in its registry"),
            "{format}: {}",
            ran.stdout
        );
    }
}

#[test]
fn an_outage_is_not_drift() {
    let fault = || Fault::on("manifests", Misbehaviour::Status(503, Vec::new(), String::new()));
    let setup = Setup::new(Content::of(&[(WEB, &["v1"])]).with_fault(fault()));
    for flag in ["--drift", "--drift=vanished"] {
        let flags = ["check", flag, "--retries=0"];
        let ran = setup.without(&[], &flags, &pods(&[pinned(&format!("{WEB}:v1"))]));
        assert_eq!(ran.status, 4, "{flag}: {}", ran.stderr);
    }
}

#[test]
fn with_vanished_only_missing_locked_digests_fail() {
    let setup = Setup::new(Content::of(&[(WEB, &["v1", "v2"])]));
    setup.registry.move_tag(WEB, "v1", "build-1");
    setup.registry.move_tag(WEB, "v1", "build-2");
    let (web, other) = (format!("{WEB}:v1"), format!("{WEB}:v2"));
    let gone = format!("sha256:{}", "e".repeat(64));
    setup.write(lock_of(&[entry(&web, "v1", &build(1), None), entry(&other, "v2", &gone, None)]));
    let manifests = pods(&[&web, &other]);
    let ran = setup.run(&["check", "--drift=vanished"], &manifests);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    says(&ran.stderr, &[&format!("the locked digest of `{other}` no longer exists")]);
    assert!(!ran.stderr.contains(&format!("`{web}`")), "{}", ran.stderr);
    let ran = setup.run(&["check", "--drift"], &manifests);
    says(
        &ran.stderr,
        &[
            &format!("`{web}` has moved since it was locked"),
            &format!("`{other}` has moved since it was locked"),
            "= gone: the registry no longer has the locked digest",
        ],
    );
}
