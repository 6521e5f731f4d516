//! How often anybody is asked: one request a reference, one token a scope, and nothing at all for
//! what needs no answer.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::accounts::{Account, auth, password};
use crate::support::digest_of;
use crate::support::registry::{Content, Fault, ManyScopes, Misbehaviour, Registry, TokenRules};
use crate::{WEB, lines, pinned, pods, run};

/// Long enough for a request that does not wait for its turn to overtake one that does.
const LATENCY: Duration = Duration::from_millis(20);

fn tags(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("registry.example/acme/web:1.{n}")).collect()
}

fn repositories(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("registry.example/acme/app-{n}:1")).collect()
}

fn with_tokens(many_scopes: ManyScopes) -> Content {
    Content::everything().with_tokens(TokenRules { many_scopes, ..TokenRules::default() })
}

/// Has these images pinned, and gives the registry back for its log.
#[track_caller]
fn pin(content: Content, flags: &[&str], images: &[String]) -> Registry {
    let registry = Registry::start(content);
    assert!(run(&registry, flags, &pods(images)).succeeded() == pinned(images));
    registry
}

#[test]
fn five_hundred_places_of_fifty_images_cost_one_head_an_image() {
    let images: Vec<_> = repositories(25).into_iter().chain(tags(25)).collect();
    let places: Vec<_> = images.iter().cycle().take(500).cloned().collect();
    let registry = pin(Content::everything(), &[], &places);
    let requests = registry.requests();
    assert!(requests.len() <= 51, "{} requests", requests.len());
    assert!(requests.iter().all(|request| request.method == "HEAD"));
    for request in requests {
        let kinds: BTreeSet<_> = request.accept.iter().map(String::as_str).collect();
        let all = [
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
        ];
        assert_eq!(kinds, BTreeSet::from(all));
    }
}

#[test]
fn each_request_names_the_build_that_sends_it() {
    let registry = pin(with_tokens(ManyScopes::Granted), &[], &tags(1));
    assert_eq!(registry.requests_to("token"), 1);
    for request in registry.requests() {
        assert_eq!(request.user_agent, Some(digestif::user_agent()), "{}", request.line());
    }
}

#[test]
fn fifty_tags_of_a_repository_cost_one_token() {
    let registry = pin(with_tokens(ManyScopes::Granted), &[], &tags(50));
    assert_eq!(registry.requests_to("token"), 1);
    let requests = registry.requests().len();
    assert!(requests <= 52, "{requests} requests");
}

#[test]
fn fifty_repositories_share_a_token_where_the_registry_lets_them() {
    for (many_scopes, most) in
        [(ManyScopes::Granted, 53), (ManyScopes::Refused, 103), (ManyScopes::FirstOnly, 103)]
    {
        let registry = pin(with_tokens(many_scopes), &[], &repositories(50));
        let requests = registry.requests().len();
        assert!(requests <= most, "{many_scopes:?}: {requests} requests");
    }
}

/// Has these images pinned by a registry that knows these logins, each as Docker's file has it, and
/// gives the registry back for its log.
#[track_caller]
fn pin_with(logins: &[&Value], content: Content, images: &[String]) -> Registry {
    let registry = Registry::start(content);
    let home = tempfile::tempdir().expect("a temporary folder");
    // Two keys for one host, of which the first in the alphabet is tried first.
    let keys = [registry.address().to_owned(), format!("https://{}", registry.address())];
    let auths: serde_json::Map<_, _> =
        keys.into_iter().zip(logins.iter().copied().cloned()).collect();
    let file = home.path().join("config.json");
    fs::write(&file, json!({ "auths": auths }).to_string()).expect("writable");
    let flag = format!("--auth-file={}", file.display());
    assert!(run(&registry, &[&flag], &pods(images)).succeeded() == pinned(images));
    registry
}

#[test]
fn logins_cost_no_more() {
    let tokens = |many_scopes, accounts: &[Account]| {
        let accounts = accounts.to_vec();
        let rules = TokenRules { many_scopes, accounts, ..TokenRules::default() };
        Content::everything().with_tokens(rules)
    };
    let granted = |accounts: &[Account]| tokens(ManyScopes::Granted, accounts);
    let user = |name| json!({ "auth": auth(name) });
    let [ann, old] = ["ann", "old"].map(user);
    let identity = json!({ "identitytoken": password("ann") });
    let bearer = json!({ "registrytoken": password("ann") });
    let everyone = [Account::user("ann"), Account::identity("ann"), Account::bearer("ann")];
    let (tags, repositories) = (tags(50), repositories(50));
    for (name, logins, content, images, most) in [
        ("a password", &[&ann][..], granted(&everyone), &tags, 52),
        ("an identity token", &[&identity], granted(&everyone), &tags, 52),
        ("a registry token", &[&bearer], granted(&everyone), &tags, 51),
        ("Basic", &[&ann], Content::everything().with_basic(&everyone), &tags, 51),
        ("nobody is asked for it", &[&ann], Content::everything(), &tags, 50),
        // A token request more for each who is tried in vain, and not a request more for each tag.
        ("a stale one", &[&old], granted(&[Account::nobody()]), &tags, 53),
        ("a stale one first", &[&old, &ann], granted(&everyone), &tags, 53),
        ("repositories", &[&ann], granted(&everyone), &repositories, 53),
        ("exchanged for repositories", &[&identity], granted(&everyone), &repositories, 53),
        ("one by one", &[&ann], tokens(ManyScopes::Refused, &everyone), &repositories, 103),
    ] {
        let registry = pin_with(logins, content, images);
        let requests = registry.requests().len();
        assert!(requests <= most, "{name}: {requests} requests");
    }
}

#[test]
fn a_token_is_asked_for_once_however_many_wait_for_it() {
    for many_scopes in [ManyScopes::Granted, ManyScopes::Refused, ManyScopes::FirstOnly] {
        let images: Vec<_> = repositories(20).into_iter().chain(tags(20)).collect();
        let registry = pin(with_tokens(many_scopes).with_latency(LATENCY), &[], &images);
        let requests = registry.requests();
        let asked: Vec<_> =
            requests.iter().filter(|r| r.is_to("token")).map(|r| &r.query).collect();
        let distinct: BTreeSet<_> = asked.iter().collect();
        assert_eq!(asked.len(), distinct.len(), "{many_scopes:?}: {asked:#?}");
    }
}

#[test]
fn one_image_written_in_three_ways_is_one_request() {
    let ways = ["nginx", "docker.io/library/nginx:latest", "index.docker.io/library/nginx"];
    let registry = Registry::start(Content::everything());
    let stdout = run(&registry, &[], &pods(ways)).succeeded();
    assert_eq!(stdout, pinned(ways));
    assert_eq!(stdout.matches(&digest_of("nginx")).count(), 3);
    assert_eq!(lines(&registry), ["HEAD /v2/docker.io/library/nginx/manifests/latest"]);
}

#[test]
fn what_needs_no_answer_costs_no_request() {
    let digest = digest_of(WEB);
    let [with_tag, without_tag] = [format!("{WEB}@{digest}"), format!("acme/web@{digest}")];
    let left = [
        with_tag.as_str(),
        &without_tag,
        "$(params.image)",
        "${IMAGE}:1",
        "registry.example/skipped/web:v1.16+",
        "registry.example/acme/Web:1",
        "registry.example/skipped/web:1",
    ];
    let registry = Registry::start(Content::everything());
    let flags = ["--allow-unresolved", "--skip=registry.example/skipped/*"];
    let stdout = run(&registry, &flags, &pods(left)).succeeded();
    assert_eq!(stdout, pods(left));
    assert_eq!(registry.connections(), 0);
}

#[test]
fn nothing_is_sent_offline() {
    let registry = Registry::start(Content::everything());
    let said = run(&registry, &["--offline"], &pods([WEB])).failed(5);
    assert!(said.contains(&format!("`{WEB}` is in no image layout")), "{said}");
    assert_eq!(registry.connections(), 0);
}

#[test]
fn a_listing_sends_nothing() {
    let registry = Registry::start(Content::everything());
    let listed = run(&registry, &["images"], &pods([WEB])).succeeded();
    assert!(listed.contains(WEB), "{listed}");
    assert_eq!(registry.connections(), 0);
}

#[test]
fn no_more_requests_are_in_flight_than_the_flag_says() {
    for (name, content) in [
        ("open", Content::everything()),
        ("a token for all", with_tokens(ManyScopes::Granted)),
        ("a token for each", with_tokens(ManyScopes::Refused)),
        ("a token that is good for one", with_tokens(ManyScopes::FirstOnly)),
    ] {
        let registry = pin(content.with_latency(LATENCY), &["--concurrency=3"], &repositories(15));
        let most = registry.most_in_flight();
        assert!(most > 1, "{name}: one after the other");
        assert!(most <= 3, "{name}: {most} requests in flight");
    }
}

#[test]
fn a_token_for_all_is_good_where_every_request_is_redirected() {
    let elsewhere = Registry::start(with_tokens(ManyScopes::Granted));
    let target = format!("{}/v2/acme/web/manifests/1", elsewhere.url());
    let fault = Fault::on("manifests/1", Misbehaviour::RedirectTo(target));
    let content = with_tokens(ManyScopes::Granted).with_fault(fault).with_latency(LATENCY);
    let registry = Registry::start(content);
    run(&registry, &[], &pods(repositories(15))).succeeded();
    assert!(registry.most_in_flight() > 1, "one after the other");
    assert_eq!(registry.requests_to("token"), 1);
}

#[test]
fn connections_are_used_again() {
    let registry = pin(Content::everything(), &["--concurrency=2"], &tags(50));
    let connections = registry.connections();
    assert!(connections <= 10, "{connections} connections for 50 requests, two at a time");
}
