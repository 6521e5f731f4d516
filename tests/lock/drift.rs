//! `check --lock --drift`: what differs between the lock and the registry.

use std::fs;

use crate::support::digest_of;
use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::{KUBECTL, Setup, entry, lock_of, own, pods, says};

#[test]
fn drift_reports_missing_digests_and_unusable_answers() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let digest = digest_of("clastix/kubectl:v1.31");
    let lock = lock_of(&[
        entry(&kubectl, "v1.31", &digest, Some("kubernetes-version")),
        own("docker.io/library/nginx:1.27"),
    ]);
    let setup = Setup::locked(Content::of(&[(KUBECTL, &["v1.30"])]), &lock);
    let drift = setup.run(&["check", "--drift"], &pods(&[&kubectl, "nginx:1.27"]));
    assert_eq!(drift.status, 5);
    says(
        &drift.stderr,
        &[
            "`docker.io/clastix/kubectl:v1.31` is locked, and no longer exists",
            "`docker.io/library/nginx:1.27` is locked, and no longer exists",
        ],
    );
    for (code, status) in [(403, 6), (503, 4)] {
        let fault = Fault::on("manifests/v1.32", Misbehaviour::ErrorCode(code, "DENIED"));
        let content = Content::of(&[(KUBECTL, &["v1.31"])]).with_fault(fault);
        let setup = Setup::locked(content, &lock);
        let drift = setup.run(&["check", "--drift", "--retries=0"], &pods(&[&kubectl]));
        assert_eq!(drift.status, status, "{}", drift.stderr);
        says(&drift.stderr, &["docker.io/clastix/kubectl:v1.32"]);
        assert_eq!(setup.lock(), lock);
    }
    // The rule of this entry treats a denied image as absent, so a denied image is not drift.
    let fault = Fault::on("manifests/v1.32", Misbehaviour::ErrorCode(403, "DENIED"));
    let setup = Setup::locked(
        Content::of(&[(KUBECTL, &["v1.31"])]).with_fault(fault),
        lock.replace("kubernetes-version", "denied"),
    );
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n- {name: denied, images: ['**'], try: [v1.31], when: [missing, denied]}\n";
    fs::write(setup.folder.path().join("digestif.yaml"), config).expect("writable");
    assert_eq!(setup.run(&["check", "--drift"], &pods(&[&kubectl])).status, 0);
}
