//! Certificates, HTTP/2, and the hosts that are asked in plain text.

use std::fs;

use tempfile::NamedTempFile;

use crate::support::registry::{
    Content, Fault, Misbehaviour, Registry, TokenRules, bearer, digest_of,
};
use crate::support::tls::Authority;
use crate::support::{Ran, digestif, for_every_host};
use crate::{WEB, assert_web_failed, authorizations, pinned, pods};

const ONCE: &str = "--retries=0";

/// The authorities of these registries, in one file.
fn authorities(registries: &[&Registry]) -> NamedTempFile {
    let file = NamedTempFile::new().expect("there is room for a certificate");
    let text: String = registries.iter().map(|registry| registry.ca_pem()).collect();
    fs::write(file.path(), text).expect("it is ours");
    file
}

/// Runs digestif on a registry in the place of every other, trusting these.
fn trusting(registry: &Registry, trusted: &[&Registry], flags: &[&str], stream: &str) -> Ran {
    let file = authorities(trusted);
    let own = [for_every_host(registry), format!("--ca-file={}", file.path().display())];
    digestif(own.iter().map(String::as_str).chain(flags.iter().copied()), stream)
}

/// An image at the registry's own address, and what a registry serves for it.
fn at_home(registry: &Registry) -> (String, String) {
    let image = format!("{}/acme/web:1", registry.address());
    let expected = pods([format!("{image}@{}", digest_of("acme/web", "1"))]);
    (pods([image]), expected)
}

#[test]
fn http_2_carries_all_requests_over_one_connection() {
    let registry = Registry::start_tls(Content::everything().with_tokens(TokenRules::default()));
    let images: Vec<_> = (0..50).map(|n| format!("registry.example/acme/web:1.{n}")).collect();
    let ran = trusting(&registry, &[&registry], &[], &pods(&images));
    assert_eq!(ran.succeeded(), pinned(&images));
    assert!(registry.requests().iter().all(|request| request.version == "HTTP/2.0"));
    assert_eq!(registry.connections(), 1);
}

#[test]
fn a_registry_without_http_2_is_asked_over_http_1() {
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["h2"], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let authority = Authority::new();
        let server = authority.server(protocols, None);
        let registry = Registry::start_behind(Content::everything(), &authority, server);
        let ran = trusting(&registry, &[&registry], &[ONCE], &pods([WEB]));
        assert_eq!(ran.succeeded(), pinned([WEB]), "{protocols:?}");
        let versions: Vec<_> = registry.requests().into_iter().map(|one| one.version).collect();
        assert_eq!(versions, [version], "{protocols:?}");
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_status_4() {
    let registry = Registry::start_tls(Content::everything());
    let ran = digestif([for_every_host(&registry).as_str(), ONCE], pods([WEB]));
    assert_web_failed(
        "no authority",
        &ran,
        4,
        "no trusted authority has signed the certificate of ",
    );
    assert!(ran.stderr.contains("`--ca-file FILE`"), "{}", ran.stderr);
    let other = Registry::start_tls(Content::everything());
    let ran = trusting(&registry, &[&other], &[ONCE], &pods([WEB]));
    assert_web_failed("another authority", &ran, 4, "certificate");
    assert!(registry.requests().is_empty());
}

#[test]
fn a_loopback_host_is_asked_over_plain_http_where_there_is_no_tls() {
    let plain = Registry::start(Content::everything());
    let (stream, expected) = at_home(&plain);
    assert_eq!(digestif([ONCE], &stream).succeeded(), expected);
    let (tls_attempt, request) = (1, 1);
    assert_eq!((plain.connections(), plain.requests().len()), (tls_attempt + request, request));

    let named = Registry::start(Content::everything());
    let (stream, expected) = at_home(&named);
    let flag = format!("--plain-http={}", named.address());
    assert_eq!(digestif([flag.as_str(), ONCE], &stream).succeeded(), expected);
    assert_eq!((named.connections(), named.requests().len()), (1, 1));
}

#[test]
fn a_loopback_host_over_plain_http_may_ask_for_tokens() {
    for name_it in [false, true] {
        let tokens = Content::everything().with_tokens(TokenRules::default());
        let registry = Registry::start(tokens);
        let (stream, expected) = at_home(&registry);
        let flag = format!("--plain-http={}", registry.address());
        let flags = name_it.then_some(flag.as_str()).into_iter().chain([ONCE]);
        assert_eq!(digestif(flags, &stream).succeeded(), expected);
    }
}

#[test]
fn a_loopback_host_with_tls_is_asked_over_tls() {
    let registry = Registry::start_tls(Content::everything());
    let (stream, expected) = at_home(&registry);
    let file = authorities(&[&registry]);
    let flag = format!("--ca-file={}", file.path().display());
    assert_eq!(digestif([flag.as_str(), ONCE], &stream).succeeded(), expected);
    assert_eq!(registry.connections(), 1);

    let said = digestif([ONCE], &stream).failed(4);
    assert!(said.contains("no trusted authority has signed the certificate of "), "{said}");
    let plain = format!("--plain-http={}", registry.address());
    digestif([plain.as_str(), flag.as_str(), ONCE], &stream).failed(4);
    assert_eq!(registry.requests().len(), 1, "only the first was let in");
}

#[test]
fn a_redirect_leads_to_https_but_never_away_from_it() {
    let path = "/v2/registry.example/acme/web/manifests/1";
    let redirecting = |target: &Registry| {
        let redirect = Misbehaviour::RedirectTo(format!("{}{path}", target.url()));
        Content::everything().with_fault(Fault::on("acme/web", redirect))
    };
    let plain = Registry::start(Content::everything());
    let tls = Registry::start_tls(redirecting(&plain));
    let ran = trusting(&tls, &[&tls], &[ONCE], &pods([WEB]));
    assert_web_failed("https to http", &ran, 4, "a redirect from https to http");
    assert_eq!(plain.connections(), 0);

    let target = Registry::start_tls(Content::everything());
    let registry = Registry::start(redirecting(&target));
    let ran = trusting(&registry, &[&target], &[ONCE], &pods([WEB]));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    let registry = Registry::start_tls(redirecting(&target));
    let ran = trusting(&registry, &[&registry, &target], &[ONCE], &pods([WEB]));
    assert_eq!(ran.succeeded(), pinned([WEB]));
}

#[test]
fn a_registry_over_tls_may_not_send_for_tokens_in_plain_text() {
    let plain = Registry::start(Content::everything().with_tokens(TokenRules::default()));
    let realm = Some(format!("{}/token", plain.url()));
    let rules = TokenRules { realm, ..TokenRules::default() };
    let registry = Registry::start_tls(Content::everything().with_tokens(rules));
    let ran = trusting(&registry, &[&registry], &[ONCE], &pods([WEB]));
    assert_web_failed("https to http", &ran, 4, "which is not https");
    assert_eq!((registry.requests().len(), plain.connections()), (1, 0));
}

#[test]
fn tokens_may_come_from_another_host_over_https() {
    let realm = Registry::start_tls(Content::everything().with_tokens(TokenRules::default()));
    let challenge = format!("Bearer realm=\"{}/token\"", realm.url());
    let asks = Misbehaviour::Status(401, vec![("www-authenticate", challenge)], String::new());
    let content = Content::everything().with_fault(Fault::on("acme/web", asks).times(1));
    let registry = Registry::start_tls(content);
    let ran = trusting(&registry, &[&registry, &realm], &[ONCE], &pods([WEB]));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    assert_eq!(authorizations(&realm), [None]);
    assert_eq!(authorizations(&registry), [None, Some(bearer(0))]);
}

#[test]
fn faults_over_http_2_end_as_over_http_1() {
    let on_get = |misbehaviour| {
        Content::everything().with_fault(Fault::on("acme/web", misbehaviour).method("GET"))
    };
    for (name, content, flags, words) in [
        ("half a body", on_get(Misbehaviour::Reset), &[ONCE][..], "(unreachable: "),
        ("endless", on_get(Misbehaviour::EndlessBody(200)), &[ONCE], "more than 4096 KiB"),
        (
            "hang",
            on_get(Misbehaviour::Hang),
            &["--timeout=1"],
            "no answer within the time of `--timeout`",
        ),
    ] {
        let registry = Registry::start_tls(content);
        let flags = [&["--verify-content"], flags].concat();
        let ran = trusting(&registry, &[&registry], &flags, &pods([WEB]));
        assert_web_failed(name, &ran, 4, words);
    }
    let fault = Fault::on("acme/web", Misbehaviour::Reset).times(1);
    let registry = Registry::start_tls(Content::everything().with_fault(fault));
    let ran = trusting(&registry, &[&registry], &["--retries=1"], &pods([WEB]));
    assert_eq!(ran.succeeded(), pinned([WEB]));
}
