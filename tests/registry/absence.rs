//! When another tag is used instead: what looks like absence, what of it is proof, and what is
//! asked before anything is decided.

use std::fs;

use crate::support::digest_of;
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, Request, TokenRules};
use crate::{pods, run};

use End::{Fails, Pinned, Substituted};
use Misbehaviour::{
    After, Empty404, EndlessBody, ErrorCode, Html404, RedirectTo, Reset, RetryAfter, Status,
};

/// The repository of the table. For v1.32, the built-in rule tries v1.32.*, 1.32, 1.32.* and v1.31,
/// in this order.
const KUBECTL: &str = "docker.io/a/kubectl";

/// A state of the registry, as a sentence and as what it has; how a run on v1.32 ends; and what the
/// registry was asked until then.
type Row = (&'static str, Content, End, &'static str);

/// How a run ends.
enum End {
    /// With the digest of v1.32 itself, in silence.
    Pinned,
    /// With this tag and its digest, and a warning that has these words.
    Substituted(&'static str, &'static str),
    /// With this status, nothing on stdout, and an error that has these words.
    Fails(i32, &'static str),
}

/// What a search asks that finds v1.31, and nothing better in the list.
const SEARCH: &str = "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32, HEAD v1.31";

const MISSING: &str = "`docker.io/a/kubectl:v1.32` (missing: 404 Not Found";
const NO_REPOSITORY: &str = "does not exist: the registry has no such repository";
const DENIED: &str = "is absent or private: the registry does not say which";
const NO_REGISTRY: &str = "but not in the format of a registry)";
const NOT_ASKED: &str =
    "exist, and `docker.io/a/kubectl:1.32` could not be checked as its substitute";

#[expect(clippy::too_many_lines, reason = "it is one table")]
fn table(elsewhere: &str) -> Vec<Row> {
    vec![
        // The tag is there, whatever else is said.
        ("the tag is there", both(), Pinned, "HEAD v1.32"),
        (
            "the list lacks a tag that is there",
            both().with_fault(Fault::on("tags/list", list(r#"["v1.31"]"#))),
            Pinned,
            "HEAD v1.32",
        ),
        (
            "404 to HEAD, but 200 to GET",
            both().with_fault(head("v1.32", ErrorCode(404, "MANIFEST_UNKNOWN"))),
            Pinned,
            "HEAD v1.32, GET v1.32",
        ),
        (
            "403 to HEAD, but 200 to GET",
            both().with_fault(head("v1.32", ErrorCode(403, "DENIED"))),
            Pinned,
            "HEAD v1.32, GET v1.32",
        ),
        // Its absence is proved.
        (
            "404 with MANIFEST_UNKNOWN",
            on("manifests/v1.32", ErrorCode(404, "MANIFEST_UNKNOWN")),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        (
            "404 with TAG_EXPIRED (quay/clair#1554)",
            on("manifests/v1.32", ErrorCode(404, "TAG_EXPIRED")),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        (
            "404 with NOT_FOUND, as Harbor says it",
            on("manifests/v1.32", ErrorCode(404, "NOT_FOUND")),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        (
            "404 with an empty body, at a registry",
            on("manifests/v1.32", Empty404).with_api_version(),
            Substituted("v1.31", MISSING),
            "HEAD v1.32, GET v1.32, GET ping, GET list, HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        (
            "404 with an empty body, which a gateway may have sent",
            on("manifests/v1.32", Empty404),
            Fails(4, "empty and without a registry's header"),
            "HEAD v1.32, GET v1.32, GET ping",
        ),
        (
            "a page for people to HEAD, but a registry's 404 to GET",
            one().with_fault(head("v1.32", Html404)),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        (
            "404 to a tag that is listed",
            both().with_fault(Fault::on("manifests/v1.32", ErrorCode(404, "MANIFEST_UNKNOWN"))),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        (
            "404 behind a token that opens the repository",
            one().with_tokens(tokens()),
            Substituted("v1.31", MISSING),
            "HEAD v1.32, GET token, HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32, \
             HEAD v1.31",
        ),
        (
            "404 with NAME_UNKNOWN, so that no other tag can be there",
            on("manifests/v1.32", ErrorCode(404, "NAME_UNKNOWN")),
            Fails(1, NO_REPOSITORY),
            // Then the same tag of registry.k8s.io/kubectl, which could be proposed.
            "HEAD v1.32, GET v1.32, HEAD v1.32, GET v1.32",
        ),
        // The two requests for one tag contradict each other.
        (
            "200 to HEAD without a digest, and 404 to GET",
            one().with_fault(head("v1.32", Status(200, vec![], String::new()))),
            Fails(4, "but 200 to HEAD"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "403 to HEAD, and a 404 to GET that says nothing",
            one()
                .with_fault(head("v1.32", ErrorCode(403, "DENIED")))
                .with_fault(get("v1.32", Empty404)),
            Fails(4, "which proves nothing, and HEAD was refused"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "405 to HEAD, and a 404 to GET that says nothing",
            one()
                .with_fault(head("v1.32", ErrorCode(405, "UNSUPPORTED")))
                .with_fault(get("v1.32", Empty404)),
            Fails(4, "which proves nothing, and HEAD was refused"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "500 to HEAD, and a 404 to GET that says nothing",
            one()
                .with_fault(head("v1.32", ErrorCode(500, "UNKNOWN")))
                .with_fault(get("v1.32", Empty404)),
            Fails(4, "which proves nothing, and HEAD was refused"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "405 to HEAD, and a registry's 404 to GET",
            one().with_fault(head("v1.32", ErrorCode(405, "UNSUPPORTED"))),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        // The repository is private, or looks so.
        (
            "401 without a word about tokens",
            on("manifests/v1.32", ErrorCode(401, "UNAUTHORIZED")),
            Fails(6, DENIED),
            "HEAD v1.32, GET v1.32, GET ping",
        ),
        ("401 that asks for a password", one().with_basic(&[]), Fails(6, DENIED), "HEAD v1.32"),
        (
            "401, and 401 to who asks for a token",
            one().with_tokens(no_tokens(401)),
            Fails(6, DENIED),
            "HEAD v1.32, GET token",
        ),
        (
            "401, and 403 to who asks for a token",
            one().with_tokens(no_tokens(403)),
            Fails(6, DENIED),
            "HEAD v1.32, GET token",
        ),
        (
            "401, and 404 to who asks for a token",
            one().with_tokens(no_tokens(404)),
            Fails(4, "(invalid-response: 404 Not Found"),
            "HEAD v1.32, GET token",
        ),
        (
            "401, and 429 to who asks for a token",
            one().with_tokens(no_tokens(429)),
            Fails(4, "(rate-limited: 429"),
            "HEAD v1.32, GET token",
        ),
        (
            "403 to HEAD and GET",
            on("manifests/v1.32", ErrorCode(403, "DENIED")),
            Fails(6, DENIED),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "403 with a page, as a firewall sends it",
            on("manifests/v1.32", firewall()),
            Fails(4, "with an HTML page, probably from a firewall"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "403 in spite of a token",
            on("manifests/v1.32", ErrorCode(403, "DENIED")).with_tokens(tokens()),
            Fails(6, DENIED),
            "HEAD v1.32, GET token, HEAD v1.32, GET v1.32",
        ),
        (
            "404 to HEAD, but 401 to GET",
            one().with_fault(get("v1.32", ErrorCode(401, "UNAUTHORIZED"))),
            Fails(6, DENIED),
            "HEAD v1.32, GET v1.32, GET ping",
        ),
        (
            "404 with DENIED",
            on("manifests/v1.32", ErrorCode(404, "DENIED")),
            Fails(6, DENIED),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 with MANIFEST_UNKNOWN and DENIED",
            on("manifests/v1.32", errors(r#"{"code":"MANIFEST_UNKNOWN"},{"code":"DENIED"}"#)),
            Fails(6, DENIED),
            "HEAD v1.32, GET v1.32",
        ),
        // Somebody has answered, but no registry has said that there is no such tag.
        (
            "404 with a page, as a proxy cache sends it",
            on("manifests/v1.32", Html404),
            Fails(4, NO_REGISTRY),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 with JSON that is no registry's error",
            on("manifests/v1.32", body(404, r#"{"message":"MANIFEST_UNKNOWN"}"#)),
            Fails(4, NO_REGISTRY),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 with no error in the list of errors",
            on("manifests/v1.32", errors("")),
            Fails(4, NO_REGISTRY),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 with TOOMANYREQUESTS, as Harbor's cache says it",
            on("manifests/v1.32", ErrorCode(404, "TOOMANYREQUESTS")),
            Fails(4, "(rate-limited: 404 Not Found"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 with a code that nobody knows",
            on("manifests/v1.32", ErrorCode(404, "ARTIFACT_LOCKED")),
            Fails(4, "(invalid-response: 404 Not Found"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 with a body without end",
            on("manifests/v1.32", EndlessBody(404)),
            Fails(4, "(invalid-response: 404 Not Found with a body of more than 4096 KiB)"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 to HEAD, but half an answer to GET",
            one().with_fault(get("v1.32", Reset)),
            Fails(4, "(unreachable: "),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 to HEAD, but 429 to GET",
            one().with_fault(get("v1.32", ErrorCode(429, "TOOMANYREQUESTS"))),
            Fails(4, "(rate-limited: 429 Too Many Requests from 127.0.0.1:"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "404 to HEAD, but 500 to GET",
            one().with_fault(get("v1.32", ErrorCode(500, "MANIFEST_UNKNOWN"))),
            Fails(4, "(unreachable: 500 Internal Server Error from 127.0.0.1:"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "410 with MANIFEST_UNKNOWN",
            on("manifests/v1.32", ErrorCode(410, "MANIFEST_UNKNOWN")),
            Fails(4, "(invalid-response: 410 Gone"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "429 with a time to wait",
            on("manifests/v1.32", RetryAfter(429, "3600")),
            Fails(4, "(rate-limited: 429 Too Many Requests from 127.0.0.1:"),
            "HEAD v1.32",
        ),
        (
            "503 with MANIFEST_UNKNOWN",
            on("manifests/v1.32", ErrorCode(503, "MANIFEST_UNKNOWN")),
            Fails(4, "(unreachable: 503 Service Unavailable from 127.0.0.1:"),
            "HEAD v1.32, GET v1.32",
        ),
        (
            "a redirect to a login page",
            on("manifests/v1.32", to_login()).with_fault(Fault::on("login", login_page())),
            Fails(4, "with an HTML page"),
            "HEAD v1.32, HEAD login, GET v1.32, GET login",
        ),
        (
            "a redirect to a login page that is gone",
            on("manifests/v1.32", to_login()).with_fault(Fault::on("login", Html404)),
            Fails(4, NO_REGISTRY),
            "HEAD v1.32, HEAD login, GET v1.32, GET login",
        ),
        // The list is refused: what needs it is skipped, what can be asked for without it is not.
        (
            "401 to the list alone",
            on("tags/list", ErrorCode(401, "UNAUTHORIZED")),
            Substituted("v1.31", "v1.32.*: the tags can't be listed (401 Unauthorized"),
            "HEAD v1.32, GET v1.32, GET list, GET ping, HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        (
            "403 to the list alone",
            on("tags/list", ErrorCode(403, "DENIED")),
            Substituted("v1.31", "v1.32.*: the tags can't be listed (403 Forbidden"),
            SEARCH,
        ),
        (
            "405 to the list alone",
            on("tags/list", ErrorCode(405, "UNSUPPORTED")),
            Substituted("v1.31", "v1.32.*: the tags can't be listed (405 Method Not Allowed"),
            SEARCH,
        ),
        (
            "404 to the list alone, with NAME_UNKNOWN",
            on("tags/list", ErrorCode(404, "NAME_UNKNOWN")),
            Substituted("v1.31", "v1.32.*: the tags can't be listed (404 Not Found"),
            SEARCH,
        ),
        (
            "404 to the list alone, with an empty body",
            on("tags/list", Empty404),
            Substituted("v1.31", "v1.32.*: the tags can't be listed (404 Not Found"),
            SEARCH,
        ),
        (
            "the list refused, and no candidate there that can be asked for without it",
            tags(&["v1.32.4", "v1.31.9"])
                .with_fault(Fault::on("tags/list", ErrorCode(403, "DENIED"))),
            Fails(1, "note: v1.31.*: the tags can't be listed (403 Forbidden"),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32, \
             HEAD v1.31, GET v1.31, HEAD 1.31, GET 1.31, HEAD v1.32, GET v1.32",
        ),
        // The list fails: something better than the next candidate could be in it.
        (
            "429 to the list alone",
            on("tags/list", RetryAfter(429, "3600")),
            Fails(4, "`the tags of docker.io/a/kubectl` (rate-limited: 429"),
            "HEAD v1.32, GET v1.32, GET list",
        ),
        (
            "500 to the list alone",
            on("tags/list", ErrorCode(500, "UNKNOWN")),
            Fails(4, "`the tags of docker.io/a/kubectl` (unreachable: 500"),
            "HEAD v1.32, GET v1.32, GET list",
        ),
        (
            "404 to the list alone, with a page for people",
            on("tags/list", Html404),
            Substituted("v1.31", "v1.32.*: the tags can't be listed"),
            SEARCH,
        ),
        (
            "a login page for a list",
            on("tags/list", login_page()),
            Fails(4, "200 with something that is not a list of tags"),
            "HEAD v1.32, GET v1.32, GET list",
        ),
        (
            "half a list",
            on("tags/list", Reset),
            Fails(4, "`the tags of docker.io/a/kubectl` (unreachable: "),
            "HEAD v1.32, GET v1.32, GET list",
        ),
        (
            "a list whose second page fails",
            one()
                .with_fault(first_page("?last=v1.31"))
                .with_fault(Fault::on("tags/list", ErrorCode(500, "UNKNOWN"))),
            Fails(4, "`the tags of docker.io/a/kubectl` (unreachable: 500"),
            "HEAD v1.32, GET v1.32, GET list, GET list",
        ),
        (
            "a list whose second page is no page of a list, at another host",
            one().with_fault(first_page(&format!("{elsewhere}/pages/2?last=v1.31"))),
            Substituted("v1.31", MISSING),
            "HEAD v1.32, GET v1.32, GET list, GET list, HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        // A list without an end that can be found is like a refused one.
        (
            "a page that leads to itself",
            on("tags/list", page("a")),
            Substituted("v1.31", "could not be read to its end (1 tags)"),
            "HEAD v1.32, GET v1.32, GET list, GET list, HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        (
            "pages that lead to each other",
            circle().fold(one(), Content::with_fault),
            Substituted("v1.31", "could not be read to its end (1 tags)"),
            "HEAD v1.32, GET v1.32, GET list, GET list, GET list, HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        (
            "a list that is refused whatever is asked for",
            on("tags/list", ErrorCode(400, "UNSUPPORTED")),
            Substituted("v1.31", "v1.32.*: the tags can't be listed (400 Bad Request"),
            "HEAD v1.32, GET v1.32, GET list, GET list, HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        // The list may be wrong: what is asked for by itself decides.
        (
            "a list without any tag",
            on("tags/list", list("null")),
            Substituted("v1.31", MISSING),
            SEARCH,
        ),
        (
            "a list with a patch that is gone",
            on("tags/list", list(r#"["v1.31","v1.32.9"]"#)),
            Substituted("v1.31", "`docker.io/a/kubectl:v1.32.9` (missing: 404 Not Found"),
            "HEAD v1.32, GET v1.32, GET list, HEAD v1.32.9, GET v1.32.9, \
             HEAD 1.32, GET 1.32, HEAD v1.31",
        ),
        (
            "a list with the highest patch gone, but not the one below it",
            Content::of(&[(KUBECTL, &["v1.31", "v1.32.8"])])
                .with_fault(Fault::on("tags/list", list(r#"["v1.31","v1.32.9","v1.32.8"]"#))),
            Substituted("v1.32.8", "`docker.io/a/kubectl:v1.32.9` (missing: 404 Not Found"),
            "HEAD v1.32, GET v1.32, GET list, HEAD v1.32.9, GET v1.32.9, HEAD v1.32.8",
        ),
        (
            "a list that goes on at another host, which is not asked",
            tags(&["v1.31", "v1.32.4"])
                .with_fault(first_page(&format!("{elsewhere}/v2/x/tags/list?last=v1.31"))),
            Substituted("v1.32.4", MISSING),
            "HEAD v1.32, GET v1.32, GET list, GET list, HEAD v1.32.4",
        ),
        // A candidate can't be asked for: v1.31 is there, but must not hide it.
        (
            "401 to a candidate",
            on("manifests/1.32", ErrorCode(401, "UNAUTHORIZED")),
            Fails(6, NOT_ASKED),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32, GET ping",
        ),
        (
            "403 to a candidate",
            on("manifests/1.32", ErrorCode(403, "DENIED")),
            Fails(6, NOT_ASKED),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32",
        ),
        (
            "404 with DENIED to a candidate",
            on("manifests/1.32", ErrorCode(404, "DENIED")),
            Fails(6, NOT_ASKED),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32",
        ),
        (
            "429 to a candidate",
            on("manifests/1.32", ErrorCode(429, "TOOMANYREQUESTS")),
            Fails(4, NOT_ASKED),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32",
        ),
        (
            "500 to a candidate",
            on("manifests/1.32", ErrorCode(500, "UNKNOWN")),
            Fails(4, NOT_ASKED),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32",
        ),
        (
            "404 with a page for people to a candidate",
            on("manifests/1.32", Html404),
            Fails(4, NOT_ASKED),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32",
        ),
        (
            "404 to HEAD for a candidate, but 200 to GET",
            one().with_fault(head("v1.31", Empty404)),
            Substituted("v1.31", MISSING),
            "HEAD v1.32, GET v1.32, GET list, HEAD 1.32, GET 1.32, HEAD v1.31, GET v1.31",
        ),
    ]
}

#[test]
fn what_looks_like_absence_is_a_reason_for_another_tag_only_where_it_is_proved() {
    let asked = format!("{KUBECTL}:v1.32");
    let manifest = pods([&asked]);
    let with = |tag: &str| {
        let image = format!("{KUBECTL}:{tag}");
        manifest.replace(&asked, &format!("{image}@{}", digest_of(&image)))
    };
    let elsewhere = Registry::start(Content::everything());
    for (name, content, end, requests) in table(&elsewhere.url()) {
        let registry = Registry::start(content);
        let ran = run(&registry, &["--retries=0"], &manifest);
        let (status, stdout, words, instead) = match end {
            Pinned => (0, with("v1.32"), "digestif: pinned 1 image", None),
            Substituted(tag, words) => (0, with(tag), words, Some(tag)),
            Fails(status, words) => (status, String::new(), words, None),
        };
        assert_eq!((ran.status, &ran.stdout), (status, &stdout), "{name}: {}", ran.stderr);
        assert_eq!(log(&registry), requests, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{name}: no `{words}` in\n{}", ran.stderr);
        let said =
            instead.map(|tag| format!("`{asked}` does not exist: `{KUBECTL}:{tag}` is used"));
        let silent = !ran.stderr.contains("is used instead");
        assert!(said.map_or(silent, |said| ran.stderr.contains(&said)), "{name}: {}", ran.stderr);
    }
    assert_eq!(elsewhere.connections(), 0, "only the registry of the image is asked");
}

#[test]
fn a_404_that_says_nothing_proves_nothing_where_another_host_says_it() {
    let elsewhere = Registry::start(Content::of(&[]).with_fault(Fault::on("gone", Empty404)));
    let to = RedirectTo(format!("{}/gone", elsewhere.url()));
    let registry = Registry::start(on("manifests/v1.32", to));
    let said = run(&registry, &["--retries=0"], &pods([&format!("{KUBECTL}:v1.32")])).failed(4);
    assert!(said.contains("which proves nothing, by a redirect"), "{said}");
}

#[test]
fn a_404_that_says_nothing_is_confirmed_where_the_content_is_verified() {
    let manifest = pods([&format!("{KUBECTL}:v1.32")]);
    let verified = |content: Content| {
        let registry = Registry::start(content);
        let ran = run(&registry, &["--retries=0", "--verify-content"], &manifest);
        (ran.status, log(&registry))
    };
    let (status, requests) = verified(on("manifests/v1.32", Empty404).with_api_version());
    assert_eq!(status, 0);
    assert!(requests.starts_with("GET v1.32, HEAD v1.32, GET ping, GET list"), "{requests}");
    let (status, requests) = verified(both().with_fault(get("v1.32", Empty404)));
    assert_eq!((status, &*requests), (4, "GET v1.32, HEAD v1.32"));
}

#[test]
fn nothing_that_a_cache_says_proves_absence() {
    let file = configuration("registries: [{host: docker.io, cache: true}]");
    let config = format!("--config={}", file.path().display());
    let manifest = pods([format!("{KUBECTL}:v1.32")]);
    for (name, content, end, requests) in table("http://elsewhere.invalid") {
        let registry = Registry::start(content);
        let ran = run(&registry, &["--retries=0", &config], &manifest);
        let status = match end {
            _ if is_proof(&end, requests) => 4,
            Fails(status, _) => status,
            Pinned | Substituted(..) => 0,
        };
        assert_eq!(ran.status, status, "{name}: {}", ran.stderr);
        assert_eq!(ran.stdout.is_empty(), status != 0, "{name}: {}", ran.stdout);
        let asked = log(&registry);
        assert!(requests.starts_with(&asked) && !asked.contains("list"), "{name}: {asked}");
    }
}

#[test]
fn a_rule_for_what_is_denied_is_none_for_what_is_not_known() {
    let tries = "try: ['1.32', v1.31], when: [missing, denied]";
    let rule = format!("{{name: hidden, images: [docker.io/a/*], {tries}}}");
    let file = configuration(&format!("fallbacks: [{rule}]"));
    let config = format!("--config={}", file.path().display());
    let manifest = pods([format!("{KUBECTL}:v1.32")]);
    let mut helped = 0;
    for (name, content, end, requests) in table("http://elsewhere.invalid") {
        let of_a_candidate = matches!(end, Fails(_, words) if words == NOT_ASKED);
        if is_proof(&end, requests) && !of_a_candidate {
            continue;
        }
        let registry = Registry::start(content);
        let ran = run(&registry, &["--retries=0", &config], &manifest);
        let (status, instead) = (ran.status, ran.stderr.contains("v1.31` is used instead"));
        if let Fails(6, _) = end {
            // Of a repository that opens to nobody, v1.31 can't be read either.
            assert_eq!(status, if instead { 0 } else { 6 }, "{name}: {}", ran.stderr);
            let said = ran.stderr.contains("rule hidden treats a denied image as absent");
            assert!(said || of_a_candidate, "{name}: {}", ran.stderr);
            helped += usize::from(instead);
        } else {
            let expected = if let Fails(status, _) = end { status } else { 0 };
            assert_eq!((status, instead), (expected, false), "{name}: {}", ran.stderr);
            assert!(!log(&registry).contains("v1.31"), "{name}: {}", log(&registry));
        }
    }
    assert!(helped > 5, "the rule is for what is denied, but helped {helped} times");
}

/// Whether a row proves that v1.32 is absent: nothing else leads to a list of tags.
fn is_proof(end: &End, requests: &str) -> bool {
    requests.contains("list") || matches!(end, Fails(1, _))
}

/// A file with this configuration.
fn configuration(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let head = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";
    fs::write(&file, format!("{head}{text}\n")).expect("it is writable");
    file
}

/// What was asked, by the ends of the paths: `HEAD v1.32, GET list, GET token`.
fn log(registry: &Registry) -> String {
    let short = |request: &Request| {
        let end = request.path.rsplit('/').next().unwrap_or_default();
        let end = if request.is_to("/v2/") { "ping" } else { end };
        format!("{} {end}", request.method)
    };
    registry.requests().iter().map(short).collect::<Vec<_>>().join(", ")
}

fn tags(tags: &[&str]) -> Content {
    Content::of(&[(KUBECTL, tags)])
}

/// v1.31 is there, v1.32 is not.
fn one() -> Content {
    tags(&["v1.31"])
}

/// Both are there.
fn both() -> Content {
    tags(&["v1.32", "v1.31"])
}

/// v1.31 alone is there, and requests to this path are met so.
fn on(path: &str, misbehaviour: Misbehaviour) -> Content {
    one().with_fault(Fault::on(path, misbehaviour))
}

/// Meets a HEAD for a tag.
fn head(tag: &str, misbehaviour: Misbehaviour) -> Fault {
    Fault::on(&format!("manifests/{tag}"), misbehaviour).method("HEAD")
}

/// Meets a GET for a tag.
fn get(tag: &str, misbehaviour: Misbehaviour) -> Fault {
    Fault::on(&format!("manifests/{tag}"), misbehaviour).method("GET")
}

fn tokens() -> TokenRules {
    TokenRules::default()
}

fn no_tokens(status: u16) -> TokenRules {
    TokenRules { status: Some(status), ..tokens() }
}

fn body(status: u16, text: &str) -> Misbehaviour {
    Status(status, vec![("content-type", "application/json".to_owned())], text.to_owned())
}

/// 404 with these errors.
fn errors(errors: &str) -> Misbehaviour {
    body(404, &format!(r#"{{"errors":[{errors}]}}"#))
}

/// The whole list of tags.
fn list(tags: &str) -> Misbehaviour {
    body(200, &format!(r#"{{"tags":{tags}}}"#))
}

/// Says once that v1.31 is on the first page of the list, and where the next one is.
fn first_page(next: &str) -> Fault {
    let link = vec![("link", format!("<{next}>; rel=\"next\""))];
    Fault::on("tags/list", Status(200, link, r#"{"tags":["v1.31"]}"#.to_owned())).times(1)
}

/// A page of a list with one tag, and where the next one is.
fn page(last: &str) -> Misbehaviour {
    let link = vec![("link", format!("<?last={last}>; rel=\"next\""))];
    Status(200, link, r#"{"tags":["v1.31"]}"#.to_owned())
}

/// Two pages in turn, for longer than anybody should read them.
fn circle() -> impl Iterator<Item = Fault> {
    let pages = ["a", "b"].into_iter().cycle().take(20);
    pages.map(|last| Fault::on("tags/list", page(last)).times(1))
}

fn to_login() -> Misbehaviour {
    RedirectTo("/login".to_owned())
}

fn login_page() -> Misbehaviour {
    Status(200, vec![("content-type", "text/html".to_owned())], "<html>Log in</html>".to_owned())
}

fn firewall() -> Misbehaviour {
    Status(403, vec![("content-type", "text/html".to_owned())], "<html>Blocked</html>".to_owned())
}

/// Images that share lists and candidates, each with the last request that it alone leads to. The
/// first goes ahead of the others by itself, so it is in front in every order.
const IMAGES: [(&str, &str); 5] = [
    ("a/web:1", "a/web/manifests/1"),
    ("b/web:2", "b/web/tags/list"),
    ("a/kubectl:1.32.7", "a/kubectl/manifests/v1.32.7"),
    ("a/kubectl:1.32.8", "a/kubectl/manifests/v1.32.8"),
    ("a/kubectl:v1.30", "a/kubectl/manifests/v1.30.9"),
];

/// The path of an image's own manifest.
fn own(image: usize) -> String {
    IMAGES[image].0.replace(':', "/manifests/")
}

#[test]
fn the_order_in_which_images_are_settled_changes_no_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let report = format!("--report={}", path.display());
    let manifest = pods(IMAGES.map(|(image, _)| image));
    let texts = |order: &[usize], flag: &str| {
        let content = Content::of(&[
            ("docker.io/a/web", &["1"]),
            ("docker.io/b/web", &["1", "1.9"]),
            (KUBECTL, &["v1.32.4", "v1.32.0", "v1.30.9"]),
        ]);
        // Nobody gets a first answer before the one in front has got its last.
        let content = order.windows(2).fold(content, |content, pair| {
            let last = IMAGES[pair[0]].1.to_owned();
            content.with_fault(Fault::on(&own(pair[1]), After(last)))
        });
        let registry = Registry::start(content);
        let ran = run(&registry, &["-v", &report, flag], &manifest);
        let asked = registry.requests();
        let confirmed = |image: &usize| {
            asked.iter().position(|request| request.method == "GET" && request.is_to(&own(*image)))
        };
        assert!(order.iter().filter_map(confirmed).is_sorted(), "{order:?}: {}", log(&registry));
        let report = fs::read_to_string(&path).expect("it is written on every status");
        [ran.status.to_string(), ran.stdout, ran.stderr, report]
            .map(|text| text.replace(registry.address(), "REGISTRY"))
    };
    for (flag, status, substitutes) in [("--allow-unresolved", "0", 3), ("--retries=0", "1", 0)] {
        let in_any_order = texts(&[], flag);
        let [ended, stdout, ..] = &in_any_order;
        let found = stdout.matches("v1.32.4@").count() + stdout.matches("v1.30.9@").count();
        assert_eq!((ended.as_str(), found), (status, substitutes), "{in_any_order:?}");
        for order in orders(&[1, 2, 3, 4]) {
            assert_eq!(texts(&order, flag), in_any_order, "{order:?}");
        }
    }
}

/// All orders of these.
fn orders(all: &[usize]) -> Vec<Vec<usize>> {
    if all.is_empty() {
        return vec![Vec::new()];
    }
    let starting_with = |first: &usize| {
        let others: Vec<_> = all.iter().copied().filter(|other| other != first).collect();
        let first = *first;
        orders(&others).into_iter().map(move |others| [vec![first], others].concat())
    };
    all.iter().flat_map(starting_with).collect()
}
