//! Who is asked for a token, and who gets to see one.

use crate::support::accounts::SECRET;
use crate::support::registry::{
    ChallengeScope, Content, Fault, ManyScopes, Misbehaviour, Registry, TokenRules, bearer,
};
use crate::{authorizations, fail_web, lines, pin_web, pinned, pods, run};

use Misbehaviour::{ErrorCode, RedirectTo, Status};

const ONCE: &[&str] = &["--retries=0"];

fn with(rules: TokenRules) -> Content {
    Content::everything().with_tokens(rules)
}

fn tokens() -> Content {
    with(TokenRules::default())
}

/// Tokens from elsewhere.
fn realm(url: String) -> Content {
    with(TokenRules { realm: Some(url), ..TokenRules::default() })
}

#[test]
fn challenges_and_token_answers_come_in_many_forms() {
    let default = TokenRules::default;
    let others = |texts: &[&str]| texts.iter().copied().map(String::from).collect();
    for (name, rules) in [
        ("plain", default()),
        (
            "in a second line",
            TokenRules { other_challenges: others(&["Basic realm=\"x\""]), ..default() },
        ),
        (
            "behind schemes that are unknown or broken",
            TokenRules {
                other_challenges: others(&["Negotiate", "Bearer realm=\"http://", "=,;"]),
                ..default()
            },
        ),
        ("`access_token`", TokenRules { field: "access_token", ..default() }),
        ("no scope", TokenRules { challenge_scope: ChallengeScope::Omitted, ..default() }),
        ("no lifetime", TokenRules { expires_in: None, ..default() }),
        ("a lifetime of no length", TokenRules { expires_in: Some(0), ..default() }),
    ] {
        let registry = pin_web(name, with(rules), ONCE);
        assert_eq!(registry.requests().len(), 3, "{name}");
    }
}

#[test]
fn of_basic_and_bearer_in_one_line_the_token_is_asked_for() {
    let realm = Registry::start(tokens());
    let challenge = format!("Basic realm=\"a, b\", Bearer realm=\"{}/token\"", realm.url());
    let fault = Status(401, vec![("www-authenticate", challenge)], String::new());
    let content = Content::everything().with_fault(Fault::on("acme/web", fault).times(1));
    let registry = pin_web("both", content, ONCE);
    assert_eq!(realm.requests_to("token"), 1);
    assert_eq!(authorizations(&registry), [None, Some(bearer(0))]);
}

#[test]
fn a_token_is_not_used_past_its_end() {
    let rules = TokenRules { expires_in: Some(0), ..TokenRules::default() };
    let registry = Registry::start(with(rules));
    let images: Vec<_> = (0..5).map(|n| format!("registry.example/acme/web:{n}")).collect();
    let ran = run(&registry, &["--retries=0", "--concurrency=1"], &pods(&images));
    assert_eq!(ran.succeeded(), pinned(&images));
    let sent = authorizations(&registry).into_iter().flatten().collect::<Vec<_>>();
    let expected: Vec<_> = (0..images.len()).map(bearer).collect();
    assert_eq!(sent, expected, "each request has a token of its own");
}

#[test]
fn a_token_is_asked_for_by_service_and_scope() {
    let registry = pin_web("tokens", tokens(), ONCE);
    let expected = [
        "HEAD /v2/registry.example/acme/web/manifests/1",
        "GET /token?service=loopback&scope=repository%3Aregistry.example%2Facme%2Fweb%3Apull",
        "HEAD /v2/registry.example/acme/web/manifests/1",
    ];
    assert_eq!(lines(&registry), expected);
}

#[test]
fn a_repository_gets_a_token_of_its_own_though_its_name_begins_anothers() {
    let images = ["registry.example/acme/web-api:1", "registry.example/acme/web:1"];
    for challenge_scope in [ChallengeScope::Named, ChallengeScope::Omitted] {
        for many_scopes in [ManyScopes::Granted, ManyScopes::Refused, ManyScopes::FirstOnly] {
            let rules = TokenRules { many_scopes, challenge_scope, ..TokenRules::default() };
            let registry = Registry::start(with(rules));
            let ran = run(&registry, ONCE, &pods(images));
            assert_eq!(ran.succeeded(), pinned(images), "{many_scopes:?}");
        }
    }
}

#[test]
fn the_failures_of_a_token_endpoint_are_told_apart() {
    let fault = |misbehaviour| tokens().with_fault(Fault::on("token", misbehaviour));
    let none = Status(200, Vec::new(), "{\"expires_in\":300}".to_owned());
    let injected = Status(200, Vec::new(), "{\"token\":\"a\\r\\nx: y\"}".to_owned());
    for (name, content, status, words) in [
        ("401", fault(ErrorCode(401, "UNAUTHORIZED")), 6, "from the token server"),
        ("403", fault(ErrorCode(403, "DENIED")), 6, "from the token server"),
        ("429", fault(ErrorCode(429, "TOOMANYREQUESTS")), 4, "(rate-limited: 429"),
        ("500", fault(ErrorCode(500, "UNKNOWN")), 4, "(unreachable: 500"),
        ("404", fault(ErrorCode(404, "NOT_FOUND")), 4, "from the token server"),
        ("none", fault(none), 4, "200, but without a token"),
        ("injected", fault(injected), 4, "characters that a header can't contain"),
    ] {
        let registry = fail_web(name, content, ONCE, status, words);
        assert_eq!(registry.requests_to("manifests/1"), 1, "{name}");
    }
}

#[test]
fn a_token_endpoint_that_refuses_is_not_asked_again_for_every_tag() {
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/web:1.{n}")).collect();
    for (status, expected) in [(403, 6), (429, 4)] {
        let rules = TokenRules { status: Some(status), ..TokenRules::default() };
        let registry = Registry::start(with(rules));
        let said = run(&registry, ONCE, &pods(&images)).failed(expected);
        assert_eq!(said.matches("error: ").count(), images.len());
        assert_eq!(registry.requests_to("token"), 1, "{status}");
    }
}

#[test]
fn tokens_that_never_work_are_given_up() {
    // The other one's tokens mean nothing here.
    let other = Registry::start(tokens());
    let content = realm(format!("{}/token", other.url()));
    let registry = fail_web("useless", content, ONCE, 6, "(denied: ");
    assert!(registry.requests().len() <= 4, "{} requests", registry.requests().len());
    assert!(other.requests().len() <= 3, "{} tokens", other.requests().len());
}

#[test]
fn a_repository_that_a_token_does_not_open_is_denied_alone() {
    let images = ["registry.example/acme/a:1", "registry.example/acme/b:1"];
    let private = Fault::on("acme/a", ErrorCode(403, "DENIED"));
    let registry = Registry::start(tokens().with_fault(private));
    let said = run(&registry, ONCE, &pods(images)).failed(6);
    assert!(said.contains(images[0]) && !said.contains(images[1]), "{said}");
}

#[test]
fn an_insecure_realm_is_not_asked() {
    for (name, url, words) in [
        ("another host", "http://auth.invalid/token", "`http://auth.invalid`, which is not https"),
        ("a file", "file:///etc/passwd", "which is not https"),
        ("no URL", "/token", "is not a URL"),
        ("credentials", &format!("http://u:{SECRET}@127.0.0.1:1/token"), "holds credentials"),
    ] {
        let registry = fail_web(name, realm(url.to_owned()), ONCE, 4, words);
        assert_eq!(registry.requests().len(), 1, "{name}");
    }
}

#[test]
fn no_other_host_gets_to_see_a_token() {
    let other = Registry::start(Content::everything());
    let target = format!("{}/v2/registry.example/acme/web/manifests/1", other.url());
    let content = tokens().with_fault(Fault::on("acme/web", RedirectTo(target)));
    let registry = pin_web("redirected", content, ONCE);
    let token = Some(bearer(0));
    assert_eq!(authorizations(&registry), [None, None, token]);
    assert_eq!(authorizations(&other), [None]);
}
