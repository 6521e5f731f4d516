//! Jobs whose image changes: one warning names all of them.

mod support;

use support::registry::{Content, Registry};
use support::run_against;

/// A Job with this metadata, in flow style.
fn job(metadata: &str, image: &str) -> String {
    format!(
        "---\napiVersion: batch/v1\nkind: Job\nmetadata: {metadata}\nspec:\n  template:\n    spec:\n      containers:\n      - {{name: a, image: '{image}'}}\n"
    )
}

const WEB: &str = "registry.example/acme/web:v1";

#[test]
fn a_job_whose_image_changes_is_named_once() {
    let registry = Registry::start(Content::everything());
    let manifests = job("{name: migrate, namespace: db}", WEB) + &job("{name: seed}", WEB);
    let ran = run_against(&registry, &[], &manifests);
    assert_eq!(ran.status, 0);
    assert_eq!(ran.stderr.matches("Jobs change: the API server").count(), 1, "{}", ran.stderr);
    for part in ["the images of 2 Jobs change", "Job db/migrate", "Job seed", "`--skip-kind Job`"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn many_jobs_are_counted() {
    let registry = Registry::start(Content::everything());
    let manifests: String = (0..8).map(|n| job(&format!("{{name: j{n}}}"), WEB)).collect();
    let said = run_against(&registry, &[], &manifests).stderr;
    assert!(said.contains("and 3 more"), "{said}");
}

#[test]
fn a_new_job_or_an_unchanged_job_needs_no_warning() {
    let registry = Registry::start(Content::everything());
    let digest = format!("{WEB}@sha256:{}", "0".repeat(64));
    for (manifests, flags) in [
        (job("{name: a, annotations: {helm.sh/hook: pre-install}}", WEB), &[][..]),
        (job("{name: a, annotations: {argocd.argoproj.io/hook: PreSync}}", WEB), &[]),
        (job("{generateName: a-}", WEB), &[]),
        (job("{name: a}", &digest), &[]),
        (job("{name: a}", WEB), &["--skip-kind=Job"]),
        (job("{name: a}", WEB).replace("kind: Job", "kind: CronJob"), &[]),
    ] {
        let ran = run_against(&registry, flags, &manifests);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(!ran.stderr.contains("the API server refuses this"), "{manifests}\n{}", ran.stderr);
    }
}

#[test]
fn a_job_with_a_locked_digest_needs_no_warning() {
    let registry = Registry::start(Content::everything());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lock = format!("--lock={}", folder.path().join("images.lock.yaml").display());
    let manifests = job("{name: a}", WEB);
    for is_first in [true, false] {
        let said = run_against(&registry, &[&lock], &manifests).stderr;
        assert_eq!(said.contains("the API server refuses this"), is_first, "{said}");
    }
}
