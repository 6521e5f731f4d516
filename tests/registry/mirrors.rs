//! Mirrors: asked first, never believed about absence, and passed over when they are of no use.

use std::time::Duration;

use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::{Ran, digestif, for_every_host};
use crate::{WEB, lines, pinned, pods};

/// Runs digestif on a stream, with one registry in the place of every other, and a mirror of it.
fn mirrored(mirror: &Registry, origin: &Registry, flags: &[&str], stream: &str) -> Ran {
    let own = [for_every_host(origin), format!("--mirror=*={}/{{host}}", mirror.url())];
    digestif(own.iter().map(String::as_str).chain(flags.iter().copied()), stream)
}

#[test]
fn a_mirror_that_has_an_image_is_the_only_one_to_be_asked() {
    let (mirror, origin) =
        (Registry::start(Content::everything()), Registry::start(Content::of(&[])));
    let ran = mirrored(&mirror, &origin, &[], &pods([WEB]));
    assert_eq!(ran.succeeded(), pinned([WEB]), "the name stays the author's");
    assert_eq!(lines(&mirror), ["HEAD /v2/registry.example/acme/web/manifests/1"]);
    assert!(origin.requests().is_empty());
}

#[test]
fn what_a_mirror_does_not_have_is_asked_of_its_registry_in_silence() {
    let (mirror, origin) =
        (Registry::start(Content::of(&[])), Registry::start(Content::everything()));
    let ran = mirrored(&mirror, &origin, &[], &pods([WEB]));
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned([WEB]));
    let nobody = mirrored(&mirror, &mirror, &[], &pods([WEB])).failed(1);
    assert!(nobody.contains("does not exist"), "{nobody}");
}

#[test]
fn a_mirror_that_is_of_no_use_is_passed_over_once_with_a_note() {
    use Misbehaviour::{ErrorCode, Html404, Reset};
    let images = ["registry.example/acme/web:1", "registry.example/acme/web:2"];
    for (name, misbehaviour) in [
        ("503", ErrorCode(503, "UNAVAILABLE")),
        ("429", ErrorCode(429, "TOOMANYREQUESTS")),
        ("401", ErrorCode(401, "UNAUTHORIZED")),
        ("403", ErrorCode(403, "DENIED")),
        ("a page for people", Html404),
        ("a reset", Reset),
    ] {
        let mirror = Registry::start(Content::of(&[]).with_fault(Fault::on("", misbehaviour)));
        let origin = Registry::start(Content::everything());
        let ran = mirrored(&mirror, &origin, &[], &pods(images));
        let note = format!("warning: the mirror `{}` was skipped: ", mirror.address());
        assert_eq!(ran.stderr.matches(&note).count(), 1, "{name}: {}", ran.stderr);
        assert_eq!(ran.succeeded(), pinned(images), "{name}");
    }
}

#[test]
fn a_mirror_whose_404_proves_nothing_is_asked_for_the_next_image_too() {
    let images = ["registry.example/acme/web:1", "registry.example/acme/web:2"];
    let gone = Fault::on("manifests/1", Misbehaviour::Empty404);
    let mirror = Registry::start(Content::everything().with_fault(gone));
    let origin = Registry::start(Content::everything());
    let ran = mirrored(&mirror, &origin, &[], &pods(images));
    assert_eq!(ran.stderr.matches("was skipped: ").count(), 1, "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned(images));
    assert_eq!(lines(&origin), ["HEAD /v2/registry.example/acme/web/manifests/1"]);
}

#[test]
fn a_mirror_that_nobody_runs_is_passed_over() {
    let origin = Registry::start(Content::everything());
    // Nobody listens on port 1, and nobody but root could.
    let flags =
        [for_every_host(&origin), "--mirror=registry.example=http://127.0.0.1:1".to_owned()];
    let ran = digestif(flags, pods([WEB]));
    assert!(ran.stderr.contains("the mirror `127.0.0.1:1` was skipped"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned([WEB]));
}

#[test]
fn what_a_mirror_says_never_leads_to_a_substitute() {
    let tags: &[&str] = &["v1.31"];
    let kubectl = "docker.io/a/kubectl";
    let stream = pods([format!("{kubectl}:v1.32")]);
    let mirror = Registry::start(Content::of(&[(kubectl, tags)]));
    let down = Fault::on("manifests/v1.32", Misbehaviour::ErrorCode(500, "UNKNOWN"));
    let origin = Registry::start(Content::of(&[(kubectl, tags)]).with_fault(down));
    mirrored(&mirror, &origin, &["--retries=0"], &stream).failed(4);
    let origin = Registry::start(Content::of(&[(kubectl, &["v1.31", "v1.32"])]));
    let pinned = mirrored(&mirror, &origin, &[], &stream).succeeded();
    assert_eq!(pinned, crate::pinned([format!("{kubectl}:v1.32")]));
    assert!(!lines(&mirror).iter().any(|line| line.contains("tags/list")));
}

#[test]
fn several_mirrors_are_asked_in_their_order() {
    let [first, second, origin] = [
        Content::of(&[]),
        Content::of(&[("registry.example/acme/web", &["1"])]),
        Content::everything(),
    ]
    .map(Registry::start);
    let mirror = |registry: &Registry| format!("--mirror=*={}/{{host}}", registry.url());
    let flags = [for_every_host(&origin), mirror(&first), mirror(&second)];
    assert_eq!(digestif(flags, pods([WEB])).succeeded(), pinned([WEB]));
    assert_eq!((first.requests().len(), second.requests().len()), (2, 1), "HEAD and GET prove it");
    assert!(origin.requests().is_empty());
}

#[test]
fn a_configuration_names_mirrors_too() {
    let (mirror, origin) =
        (Registry::start(Content::everything()), Registry::start(Content::of(&[])));
    let config = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file");
    let text = format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nregistries:\n- host: registry.example\n  mirrors: ['{}/registry.example']\n",
        mirror.url()
    );
    std::fs::write(config.path(), text).expect("writable");
    let config = format!("--config={}", config.path().display());
    let ran = digestif([config, for_every_host(&origin)], pods([WEB]));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    assert!(origin.requests().is_empty());
}

#[test]
fn a_limit_on_one_request_lets_all_others_of_the_host_wait() {
    let retry = vec![("retry-after", "1".to_owned())];
    let limit = Misbehaviour::Status(429, retry, String::new());
    let images: Vec<_> = (0..60).map(|n| format!("registry.example/acme/web:1.{n}")).collect();
    let content = Content::everything().with_latency(Duration::from_millis(20));
    let registry = Registry::start(content.with_fault(Fault::on("manifests/1.0", limit).times(1)));
    let ran = digestif([for_every_host(&registry)], pods(&images));
    assert_eq!(ran.succeeded(), pinned(&images));
    // Each image once, and once more the one that was limited.
    assert_eq!(registry.requests().len(), images.len() + 1);
}

#[test]
fn a_limit_is_reported_with_what_the_registry_says_of_it() {
    let headers = vec![
        ("ratelimit-limit", "100;w=21600".to_owned()),
        ("docker-ratelimit-source", "192.0.2.7".to_owned()),
        ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT".to_owned()),
    ];
    let limit = Misbehaviour::Status(429, headers, String::new());
    let registry = Registry::start(Content::everything().with_fault(Fault::on("manifests", limit)));
    let said =
        digestif([for_every_host(&registry), "--retries=0".to_owned()], pods([WEB])).failed(4);
    let words = ", 100 in 360 minutes for 192.0.2.7, retry after 0 s";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_mirror_gets_tokens_of_its_own() {
    let mirror = Registry::start(Content::everything().with_tokens(TokenRules::default()));
    let origin = Registry::start(Content::of(&[]));
    assert_eq!(mirrored(&mirror, &origin, &[], &pods([WEB])).succeeded(), pinned([WEB]));
    assert!(origin.requests().is_empty());
}
