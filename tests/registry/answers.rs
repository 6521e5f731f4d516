//! What an answer proves, and what a failure looks like: all or nothing, whatever the registry
//! says.

use crate::support::registry::{Content, Fault, Misbehaviour, Registry};
use crate::{
    WEB, assert_web_failed, authorizations, fail_web, methods, pin_web, pinned, place, pods, run,
};

use Misbehaviour::{
    ContentType, DigestHeader, Empty404, EndlessBody, ErrorCode, Hang, Html404, NoDigestHeader,
    Reset, RetryAfter, Status, WrongBody,
};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ONCE: &[&str] = &["--retries=0"];
const HASHED: &[&str] = &["--retries=0", "--verify-content"];

/// A registry that meets every request for the image so.
fn always(misbehaviour: Misbehaviour) -> Content {
    Content::everything().with_fault(Fault::on("acme/web", misbehaviour))
}

/// A registry that meets only the requests of this method so.
fn on(method: &'static str, misbehaviour: Misbehaviour) -> Content {
    let fault = Fault::on("acme/web", misbehaviour).method(method);
    Content::everything().with_fault(fault)
}

/// An answer whose content is called an index.
fn index(status: u16, body: &str) -> Misbehaviour {
    Status(status, vec![("content-type", INDEX.to_owned())], body.to_owned())
}

/// An answer with the header of a registry.
fn signed(status: u16, body: &str) -> Misbehaviour {
    let header = ("docker-distribution-api-version", "registry/2.0".to_owned());
    Status(status, vec![header], body.to_owned())
}

fn envelope(errors: &str) -> Misbehaviour {
    index(404, &format!(r#"{{"errors":[{errors}]}}"#))
}

#[test]
fn absence_is_status_1_and_needs_a_registrys_own_word() {
    let no_such_tag = format!("`{WEB}` does not exist\n");
    let no_such_repository = format!("`{WEB}` does not exist: the registry has no such repository");
    for (misbehaviour, words) in [
        (ErrorCode(404, "MANIFEST_UNKNOWN"), &no_such_tag),
        (ErrorCode(404, "NOT_FOUND"), &no_such_tag),
        (signed(404, ""), &no_such_tag),
        (signed(404, " \r\n"), &no_such_tag),
        (envelope(r#"{"code":"MANIFEST_UNKNOWN"}"#), &no_such_tag),
        (envelope(r#"{"code":"MANIFEST_UNKNOWN","detail":"x"}"#), &no_such_tag),
        (envelope(r#"{"code":"OTHER"},{"code":"MANIFEST_UNKNOWN"}"#), &no_such_tag),
        (ErrorCode(404, "NAME_UNKNOWN"), &no_such_repository),
    ] {
        let name = format!("{misbehaviour:?}");
        let registry = fail_web(&name, always(misbehaviour), ONCE, 1, words);
        let asked = methods(&registry);
        assert_eq!(asked[..2], ["HEAD", "GET"], "{name}: the absence was not confirmed");
        // What exists instead is listed, where there is a repository to list.
        let lists = registry.requests_to("tags/list");
        assert_eq!((asked.len() - 2, lists), if words == &no_such_tag { (1, 1) } else { (0, 0) });
    }
}

#[test]
fn an_empty_404_needs_the_header_of_a_registry_there_or_at_the_ping() {
    let empty = || always(Empty404);
    let at_ping = |misbehaviour| empty().with_fault(Fault::on("/v2/", misbehaviour));
    let from_gateway = "a 404 that may not come from its registry proves nothing";
    for (name, content, status, words) in [
        ("a registry behind it", empty().with_api_version(), 1, "does not exist"),
        ("a registry that wants a login", at_ping(signed(401, "")), 1, "does not exist"),
        ("a gateway without a route", at_ping(Empty404), 4, from_gateway),
        ("a ping without the header", empty(), 4, from_gateway),
        ("a ping that fails", at_ping(ErrorCode(500, "UNKNOWN")), 4, from_gateway),
        ("a page", always(Html404).with_api_version(), 4, from_gateway),
    ] {
        let registry = fail_web(name, content, ONCE, status, words);
        let pings = registry.requests_to("/v2/");
        assert_eq!(pings, usize::from(name != "a page"), "{name}");
    }
    // One ping serves all images of a host.
    let registry = Registry::start(Content::everything().with_fault(Fault::on("", Empty404)));
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/web:{n}")).collect();
    run(&registry, ONCE, &pods(&images)).failed(4);
    assert_eq!(registry.requests_to("/v2/"), 1);
}

#[test]
fn a_refusal_is_status_6_and_proves_nothing() {
    for (misbehaviour, words) in [
        (ErrorCode(401, "UNAUTHORIZED"), "(denied: 401 Unauthorized from 127.0.0.1:"),
        (Status(401, Vec::new(), String::new()), "(denied: 401 Unauthorized from 127.0.0.1:"),
        (ErrorCode(403, "DENIED"), ", code DENIED)"),
        (ErrorCode(404, "DENIED"), "(denied: 404 Not Found"),
        (ErrorCode(404, "UNAUTHORIZED"), "(denied: 404 Not Found"),
    ] {
        let name = format!("{misbehaviour:?}");
        fail_web(&name, always(misbehaviour), ONCE, 6, words);
    }
    let basic = Content::everything().with_basic(&[]);
    let registry = fail_web("Basic", basic, ONCE, 6, "absent or private");
    assert!(authorizations(&registry).iter().all(Option::is_none));
}

#[test]
fn a_200_without_a_manifest_is_status_4() {
    let digest = ("docker-content-digest", format!("sha256:{}", "0".repeat(64)));
    let page = Status(200, vec![digest], "<html>without a type</html>".to_owned());
    fail_web("a page", always(page), ONCE, 4, "with an HTML page (27 bytes)");
    let old = r#"{"schemaVersion":1,"name":"acme/web","tag":"1","fsLayers":[],"history":[]}"#;
    fail_web("schema 1", always(index(200, old)), ONCE, 4, "with a manifest of schema 1)");
    for misbehaviour in [
        index(200, ""),
        index(200, "{}"),
        index(200, "[]"),
        index(200, "null"),
        index(200, r#"{"schemaVersion":2}"#),
        index(200, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
    ] {
        let name = format!("{misbehaviour:?}");
        let words = " with something that is not an image manifest";
        fail_web(&name, always(misbehaviour), ONCE, 4, words);
    }
}

#[test]
fn a_malformed_digest_header_is_status_4_and_never_written() {
    let hex = "0".repeat(64);
    for bytes in [
        String::new(),
        "sha256".to_owned(),
        "sha256:".to_owned(),
        hex.clone(),
        format!("sha256:{}", "A".repeat(64)),
        format!("SHA256:{hex}"),
        format!("sha256={hex}"),
        format!("sha256:{hex},sha256:{hex}"),
        format!("sha256:{hex} # injected"),
        format!("sha256:{hex}\"}}]\tinjected: x"),
        format!("sha256:{}\u{e9}", &hex[2..]),
    ] {
        let content = always(DigestHeader(bytes.clone().into_bytes()));
        let words = "200 with a malformed Docker-Content-Digest header";
        fail_web(&bytes, content, ONCE, 4, words);
    }
    let twice = ["1", "2"].map(|c| ("docker-content-digest", format!("sha256:{}", c.repeat(64))));
    let headers = twice.into_iter().chain([("content-type", INDEX.to_owned())]).collect();
    let content = always(Status(200, headers, String::new()));
    fail_web("two headers", content, ONCE, 4, "two different Docker-Content-Digest headers");
}

#[test]
fn a_line_break_in_the_digest_header_is_status_4() {
    let hex = "0".repeat(64);
    for line_break in ["\r\n ", "\n ", "\r", "\0"] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {INDEX}\r\nContent-Length: 0\r\n\
             Docker-Content-Digest: sha256:{hex}{line_break}injected\r\n\r\n"
        );
        let registry = Registry::raw(answer.into_bytes());
        let ran = run(&registry, ONCE, &pods([WEB]));
        assert_web_failed(&format!("{line_break:?}"), &ran, 4, "(unreachable: ");
    }
}

#[test]
fn an_image_that_hangs_does_not_keep_the_others_from_their_answer() {
    let images = ["r.example/a/slow:1", "r.example/a/gone:1"];
    for order in [[0, 1], [1, 0]] {
        let content = Content::of(&[("r.example/a/slow", &["1"]), ("r.example/a/gone", &[])]);
        let registry = Registry::start(content.with_fault(Fault::on("a/slow", Hang)));
        let said = run(&registry, &["--timeout=3"], &pods(order.map(|n| images[n]))).failed(1);
        assert!(said.contains("`r.example/a/gone:1` does not exist"), "{said}");
        assert!(said.contains("`r.example/a/slow:1` could not be resolved"), "{said}");
    }
}

#[test]
fn a_get_settles_what_a_head_leaves_open() {
    for (name, content) in [
        ("404", on("HEAD", ErrorCode(404, "MANIFEST_UNKNOWN"))),
        ("404 with a page", on("HEAD", Html404)),
        ("403", on("HEAD", ErrorCode(403, "DENIED"))),
        ("401 without a challenge", on("HEAD", ErrorCode(401, ""))),
        ("405", on("HEAD", ErrorCode(405, "UNSUPPORTED"))),
        ("a reset", on("HEAD", Reset)),
        ("500", on("HEAD", ErrorCode(500, "UNKNOWN"))),
        ("no digest on HEAD", on("HEAD", NoDigestHeader)),
        ("no digest at all", always(NoDigestHeader)),
        ("another type on HEAD", on("HEAD", ContentType("text/html".to_owned()))),
        ("another type at all", always(ContentType("application/octet-stream".to_owned()))),
        ("no length on HEAD", on("HEAD", EndlessBody(200))),
    ] {
        let registry = pin_web(name, content, ONCE);
        assert_eq!(methods(&registry), ["HEAD", "GET"], "{name}");
    }
}

#[test]
fn the_header_is_enough_unless_the_content_is_to_be_verified() {
    let registry = pin_web("a body that nobody asks for", on("GET", WrongBody), ONCE);
    assert_eq!(registry.requests_to("manifests/1"), 1);
    let registry = pin_web("verified", Content::everything(), HASHED);
    assert_eq!(methods(&registry), ["GET"]);
}

#[test]
fn every_absent_image_is_reported_with_all_its_places() {
    let registry = Registry::start(Content::of(&[("registry.example/acme/web", &["1"])]));
    let [tag, repository] = ["registry.example/acme/web:2", "registry.example/acme/none:1"];
    let flags = [ONCE, &["-q"]].concat();
    let said = run(&registry, &flags, &pods([WEB, tag, repository, tag])).failed(1);
    assert_eq!(said.matches("error: ").count(), 2, "{said}");
    let (first, second) = said.split_once("\nerror: ").expect("two errors");
    for (error, image, places) in
        [(first, tag, &[place(1), place(3)][..]), (second, repository, &[place(2)])]
    {
        assert!(error.contains(&format!("`{image}` does not exist")), "{error}");
        assert!(places.iter().all(|place| error.contains(place)), "{places:?} in {error}");
        let fields = error.matches("Pod p, container `c`, spec.containers[0].image").count();
        assert_eq!(fields, places.len(), "{error}");
    }
    assert!(!said.contains(&format!("`{WEB}`")), "{said}");
}

#[test]
fn of_several_failures_the_one_furthest_from_a_retry_gives_the_status() {
    let kinds = [
        (0, "registry.example/acme/fine:1", ""),
        (4, "registry.example/acme/broken:1", "the registry gave no answer"),
        (6, "registry.example/acme/private:1", "absent or private"),
        (1, "registry.example/acme/absent:1", "does not exist"),
        (3, "registry.example/acme/Web:1", "is not a valid image reference"),
    ];
    let faults = [
        Fault::on("acme/broken", ErrorCode(500, "UNKNOWN")),
        Fault::on("acme/private", ErrorCode(403, "DENIED")),
        Fault::on("acme/absent", ErrorCode(404, "MANIFEST_UNKNOWN")),
    ];
    let content = faults.into_iter().fold(Content::everything(), Content::with_fault);
    let registry = Registry::start(content);
    for n in 2..=kinds.len() {
        // The mildest comes last, so that the last word is not what counts.
        let stream = pods(kinds[..n].iter().rev().map(|(_, image, _)| image));
        let said = run(&registry, ONCE, &stream).failed(kinds[n - 1].0);
        for (_, image, words) in &kinds[1..n] {
            assert!(said.contains(&format!("`{image}`")) && said.contains(words), "{said}");
        }
    }
}

#[test]
fn absent_and_invalid_images_can_be_let_through_but_nothing_else() {
    let absent = || Fault::on("acme/absent", ErrorCode(404, "MANIFEST_UNKNOWN"));
    let registry = Registry::start(Content::everything().with_fault(absent()));
    let left = pods(["registry.example/acme/absent:1", "registry.example/acme/Web:1"]);
    let ran = run(&registry, &["--allow-unresolved"], &format!("{}{left}", pods([WEB])));
    assert_eq!(ran.stderr.matches("warning: ").count(), 2, "{}", ran.stderr);
    assert_eq!(ran.succeeded(), format!("{}{left}", pinned([WEB])));
    for (misbehaviour, status) in
        [(ErrorCode(403, "DENIED"), 6), (ErrorCode(429, "X"), 4), (Html404, 4), (Reset, 4)]
    {
        let name = format!("{misbehaviour:?}");
        let content = always(misbehaviour).with_fault(absent());
        fail_web(&name, content, &["--retries=0", "--allow-unresolved"], status, "= tried: ");
    }
}

#[test]
fn what_does_not_pass_is_tried_as_often_as_the_flag_says() {
    for (misbehaviour, requests) in [
        (ErrorCode(429, "TOOMANYREQUESTS"), &["HEAD", "HEAD"][..]),
        // A GET may go another way through a proxy than a HEAD, and some servers know no HEAD.
        (Reset, &["HEAD", "HEAD", "GET"]),
        (ErrorCode(500, "UNKNOWN"), &["HEAD", "HEAD", "GET"]),
        (ErrorCode(400, "UNKNOWN"), &["HEAD", "GET"]),
        // The last one is for `/v2/`, which may have a challenge.
        (ErrorCode(401, "UNAUTHORIZED"), &["HEAD", "GET", "GET"]),
    ] {
        let name = format!("{misbehaviour:?}");
        let status = if name.contains("401") { 6 } else { 4 };
        let registry = fail_web(&name, always(misbehaviour), &["--retries=1"], status, "= tried: ");
        assert_eq!(methods(&registry), requests, "{name}");
    }
}

#[test]
fn a_pause_that_is_longer_than_the_budget_is_not_begun() {
    // Had it been begun, the message would speak of `--timeout`.
    for (misbehaviour, requests, words) in [
        (RetryAfter(429, "3600"), 1, ", retry after 3600 s"),
        (RetryAfter(503, "3600"), 2, "(unreachable: 503 Service Unavailable from 127.0.0.1:"),
        (RetryAfter(429, "18446744073709551615"), 1, ", retry after 18446"),
    ] {
        let name = format!("{misbehaviour:?}");
        let flags = ["--timeout=60", "--retries=3"];
        let registry = fail_web(&name, always(misbehaviour), &flags, 4, words);
        assert_eq!(registry.requests().len(), requests, "{name}");
    }
}
