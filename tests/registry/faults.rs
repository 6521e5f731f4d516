//! Whatever else can go wrong between a registry and us: each fault ends with its status, in time,
//! in little memory, with nothing on stdout and one message; and what passes is waited out.
//!
//! Not here are the faults about which there is more to say: those of TLS ([`crate::tls`]), of who
//! gets to see a secret ([`crate::tokens`], [`crate::credentials`]), and the proofs of absence
//! ([`crate::absence`]).

use std::sync::Mutex;
use std::time::Duration;

use crate::support::accounts::{Account, password};
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::{digest_of, finish_within, for_every_host, frugal, start};
use crate::{WEB, assert_failed, pin_web, pods};

use Misbehaviour::{
    DigestHeader, DrippingBody, EndlessBody, ErrorCode, GzipBomb, Hang, Html404, NoDigestHeader,
    RedirectLoop, RedirectTo, Reset, RetryAfter, Status, WrongBody,
};
use Place::{Dripping, Raw, Url};

/// The budget of each run, in seconds.
const TIMEOUT: u64 = 2;

/// The limit for a run that hangs. The messages show that the budget ended the others, so this may be long:
/// a busy machine must not fail the test.
const LIMIT: Duration = Duration::from_secs(120);

/// Rows that are checked at the same time.
const WORKERS: usize = 4;

/// The requests that a run on one image may send to any registry: one that leads in circles is left
/// after a few rounds.
const MOST_REQUESTS: usize = 10;

/// An image whose tag is absent, so that the list of its tags is read for the built-in rule.
const KUBECTL: &str = "registry.example/a/kubectl:v1.32";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ONCE: &[&str] = &["--retries=0"];
const RETRIED: &[&str] = &["--retries=3"];
const HASHED: &[&str] = &["--retries=0", "--verify-content"];
const HASHED_RETRIED: &[&str] = &["--retries=1", "--verify-content"];

// Times of clocks that are wrong.
const PAST: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
const FUTURE: &str = "Fri, 31 Dec 9999 23:59:59 GMT";

const BEARER: &str = "Bearer realm=\"http://127.0.0.1:1/";
const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

const TIME_IS_UP: &str = "(unreachable: no answer within the time of `--timeout`)";
const NO_MANIFEST: &str = " with something that is not an image manifest";
const NO_REGISTRY: &str = "but not in the format of a registry";
const MALFORMED: &str = "(invalid-response: 200 with a malformed Docker-Content-Digest header";
const DIFFERS: &str = "(invalid-response: the header says sha256:";
const TOO_LARGE: &str = " with a body of more than 4096 KiB";
const TOO_LARGE_FOR_A_TOKEN: &str = "200 OK with a body of more than 1024 KiB";

/// A fault, as a sentence and as what is there; the flags of a run; and the status and the words that
/// it ends with.
struct Row {
    name: &'static str,
    place: Place,
    image: &'static str,
    flags: &'static [&'static str],
    status: i32,
    words: &'static str,
}

/// What is there in the place of a registry.
enum Place {
    Registry(Box<Content>),
    /// A server that sends these bytes, and closes.
    Raw(Vec<u8>),
    /// A server that sends these bytes, and then this one drop by drop.
    Dripping(Vec<u8>, u8),
    /// Whatever this URL leads to.
    Url(&'static str),
}

fn row(
    name: &'static str,
    place: impl Into<Place>,
    flags: &'static [&'static str],
    status: i32,
    words: &'static str,
) -> Row {
    Row { name, place: place.into(), image: WEB, flags, status, words }
}

/// A row in which the list of tags is what goes wrong.
fn list(name: &'static str, misbehaviour: Misbehaviour, words: &'static str) -> Row {
    let content = Content::of(&[("registry.example/a/kubectl", &["v1.30"])]);
    let content = content.with_fault(Fault::on("tags/list", misbehaviour));
    Row { image: KUBECTL, ..row(name, content, ONCE, 4, words) }
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
fn table() -> Vec<Row> {
    vec![
        // No registry can be reached.
        row(
            "nobody listens",
            Url("http://127.0.0.1:1"),
            ONCE,
            4,
            "(unreachable: no connection to 127.0.0.1:1: Connection refused",
        ),
        row("nobody has the name", Url("http://registry.invalid"), RETRIED, 4, "(unreachable: "),
        row("a reset", always(Reset), ONCE, 4, "(unreachable: "),
        row("a reset in the middle of the body", get(Reset), HASHED, 4, "(unreachable: "),
        row("no answer", always(Hang), RETRIED, 4, TIME_IS_UP),
        row("no answer to GET", without_digest(Hang), RETRIED, 4, TIME_IS_UP),
        row("no answer to who asks for a token", token(Hang), RETRIED, 4, "within the time of"),
        // What comes is slow.
        row("a slow status", Dripping(b"HTTP/1.1 200 ".to_vec(), b'O'), RETRIED, 4, TIME_IS_UP),
        row("a slow header", Dripping(ok("X-Slow: "), b'a'), RETRIED, 4, TIME_IS_UP),
        row("a slow body", get(DrippingBody(200)), HASHED, 4, TIME_IS_UP),
        row("a slow error", get(DrippingBody(404)), HASHED, 4, TIME_IS_UP),
        row("a slow token", token(DrippingBody(200)), RETRIED, 4, "within the time of"),
        list("a slow list", DrippingBody(200), TIME_IS_UP),
        // What comes is large.
        row("an endless manifest", get(EndlessBody(200)), HASHED, 4, TOO_LARGE),
        row("an endless manifest after HEAD", without_digest(EndlessBody(200)), ONCE, 4, TOO_LARGE),
        row("an endless 404", always(EndlessBody(404)), ONCE, 4, TOO_LARGE),
        row("an endless 403", always(EndlessBody(403)), ONCE, 4, TOO_LARGE),
        row("an endless 500", always(EndlessBody(500)), ONCE, 4, "(unreachable: 500 Internal"),
        row("an endless token", token(EndlessBody(200)), ONCE, 4, TOO_LARGE_FOR_A_TOKEN),
        row("an endless refusal of a token", token(EndlessBody(403)), ONCE, 4, "than 1024 KiB"),
        list("an endless list", EndlessBody(200), TOO_LARGE),
        row("a header of 1 MB", Raw(large_header()), ONCE, 4, "message head is too large"),
        row("a challenge of 1 MB", asks(&large(BEARER)), ONCE, 4, "head is too large"),
        row("a challenge of 50 kB", asks(&large(BEARER)[..50_000]), ONCE, 6, "(denied: 401"),
        row("a manifest that gzip makes small", get(GzipBomb), HASHED, 4, NO_MANIFEST),
        row(
            "a token that gzip makes small",
            token(GzipBomb),
            ONCE,
            4,
            "is not the JSON of a token",
        ),
        list(
            "a list that gzip makes small",
            GzipBomb,
            "200 with something that is not a list of tags",
        ),
        // What comes leads in circles.
        row(
            "a redirect to itself",
            always(RedirectLoop),
            ONCE,
            4,
            "(invalid-response: too many redirects",
        ),
        row("a redirect of tokens to itself", token(RedirectLoop), ONCE, 4, "too many redirects"),
        // What comes has another length than it says.
        row("a length that is too long", Raw(json("9999", "{}")), HASHED, 4, "(unreachable: "),
        row("a length that is too short", Raw(json("9", MANIFEST)), HASHED, 4, NO_MANIFEST),
        row("a negative length", Raw(json("-1", "")), ONCE, 4, "(unreachable: "),
        // What comes is no answer of a registry.
        row("nothing", Raw(Vec::new()), ONCE, 4, "(unreachable: "),
        row("an empty line", Raw(b"\r\n".to_vec()), ONCE, 4, "(unreachable: "),
        row("SSH", Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), ONCE, 4, "(unreachable: "),
        row("a page with 200", always(html(200)), ONCE, 4, "with an HTML page"),
        row("a page with 404, as proxies send it", always(Html404), ONCE, 4, NO_REGISTRY),
        row("a page with 502", always(html(502)), ONCE, 4, "(unreachable: 502 Bad Gateway"),
        row("a page for a token", token(html(200)), ONCE, 4, "the body is not the JSON of a token"),
        list("a page for a list", html(200), "200 with something that is not a list of tags"),
        row("half a JSON text", always(index(200, r#"{"schemaVersion":2,"#)), ONCE, 4, NO_MANIFEST),
        row("JSON without errors", always(index(404, "{}")), ONCE, 4, NO_REGISTRY),
        row("no error of many", always(index(404, r#"{"errors":[]}"#)), ONCE, 4, NO_REGISTRY),
        row(
            "another error",
            always(index(404, r#"{"message":"MANIFEST_UNKNOWN"}"#)),
            ONCE,
            4,
            NO_REGISTRY,
        ),
        row(
            "an unknown code",
            always(ErrorCode(404, "ARTIFACT_LOCKED")),
            ONCE,
            4,
            "(invalid-response: 404",
        ),
        row(
            "400",
            always(ErrorCode(400, "TAG_INVALID")),
            ONCE,
            4,
            "(invalid-response: 400 Bad Request",
        ),
        row(
            "410",
            always(ErrorCode(410, "MANIFEST_UNKNOWN")),
            ONCE,
            4,
            "(invalid-response: 410 Gone",
        ),
        row("a part", always(index(206, "{}")), ONCE, 4, "(invalid-response: 206 Partial Content"),
        row(
            "a redirect to a file",
            always(to("file:///etc/passwd")),
            ONCE,
            4,
            "(invalid-response: 307",
        ),
        row(
            "a redirect to nowhere",
            always(Status(307, vec![], String::new())),
            ONCE,
            4,
            "(invalid-response: 307",
        ),
        // The registry is busy.
        row("408", always(ErrorCode(408, "X")), ONCE, 4, "(unreachable: 408 Request Timeout"),
        row("429", always(ErrorCode(429, "X")), ONCE, 4, "(rate-limited: 429 Too Many Requests"),
        row(
            "429 behind a 404",
            always(ErrorCode(404, "TOOMANYREQUESTS")),
            ONCE,
            4,
            "(rate-limited: 404",
        ),
        row(
            "500",
            always(ErrorCode(500, "MANIFEST_UNKNOWN")),
            ONCE,
            4,
            "(unreachable: 500 Internal",
        ),
        row(
            "503 for how long?",
            always(RetryAfter(503, "soon")),
            ONCE,
            4,
            "(unreachable: 503 Service",
        ),
        row("429 until another age", always(RetryAfter(429, FUTURE)), RETRIED, 4, "retry after 2"),
        // Its digest is none, or another's.
        row("an old algorithm", digest("md5", 32), ONCE, 4, MALFORMED),
        row("an unregistered algorithm", digest("sha384", 96), ONCE, 4, MALFORMED),
        row("an algorithm with the length of another", digest("sha512", 64), ONCE, 4, MALFORMED),
        row("a digit too few", digest("sha256", 63), ONCE, 4, MALFORMED),
        row("a digit too many", digest("sha256", 65), ONCE, 4, MALFORMED),
        row("a digest of another body", get(WrongBody), HASHED, 4, DIFFERS),
        // Its tokens are of no use.
        row(
            "401 after a good token",
            always(ErrorCode(401, "UNAUTHORIZED")).with_tokens(tokens()),
            ONCE,
            6,
            "(denied: ",
        ),
        row("a token of the wrong scope", narrow(), ONCE, 6, "(denied: "),
    ]
}

#[test]
fn every_fault_ends_in_time_and_in_little_memory_with_one_message() {
    // Several at once, as most of the time nothing happens.
    let rows = Mutex::new(table().into_iter());
    let next = || rows.lock().expect("nothing panics while it holds the lock").next();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| std::iter::from_fn(next).for_each(Row::check));
        }
    });
}

#[test]
fn a_list_with_more_tags_than_are_kept_takes_little_memory() {
    let content = Content::of(&[("registry.example/a/kubectl", &["v1.30"])]);
    let registry = Registry::start(content.with_fault(Fault::on("tags/list", long_list())));
    let child = start(&mut frugal([for_every_host(&registry)]));
    let ran = finish_within("the run", child, pods([KUBECTL]).as_bytes(), Duration::MAX);
    assert_failed("a long list", &ran, KUBECTL, 1, "read to its end (100000 tags)");
}

#[test]
fn faults_that_pass_are_waited_out() {
    let once = |misbehaviour| Fault::on("acme/web", misbehaviour).times(1);
    let open = |fault| Content::everything().with_fault(fault);
    let with = |rules| Content::everything().with_tokens(rules);
    let expiring = |seconds| TokenRules { expires_in: Some(seconds), ..tokens() };
    let limited = || once(RetryAfter(429, "0"));
    let refused = || once(ErrorCode(401, "UNAUTHORIZED"));
    let busy = || ErrorCode(503, "UNKNOWN");
    for (name, content, flags, requests) in [
        ("two 503s", open(Fault::on("acme/web", busy()).times(2)), RETRIED, 3),
        ("a 408", open(once(ErrorCode(408, "UNKNOWN"))), RETRIED, 2),
        ("a reset", open(once(Reset)), RETRIED, 2),
        ("half a body", open(once(Reset)), HASHED_RETRIED, 2),
        ("a 429 with a time", open(limited()), RETRIED, 2),
        ("a 429 without a time", open(once(ErrorCode(429, "TOOMANYREQUESTS"))), RETRIED, 2),
        ("a 429 until a time that is over", open(once(RetryAfter(429, PAST))), RETRIED, 2),
        ("a 503 until a time that is over", open(once(RetryAfter(503, PAST))), RETRIED, 2),
        (
            "a 503 for a token",
            with(tokens()).with_fault(Fault::on("token", busy()).times(1)),
            RETRIED,
            4,
        ),
        ("a token that is revoked", with(tokens()).with_fault(refused()), ONCE, 5),
        (
            "a token that expires while the registry rests",
            with(tokens()).with_fault(limited()).with_fault(refused()),
            RETRIED,
            6,
        ),
        ("a token that has expired when it comes", with(expiring(0)), ONCE, 3),
        ("a token for longer than there is time", with(expiring(u64::MAX)), ONCE, 3),
        ("a token of another age", old_token(), ONCE, 3),
        ("an answer of another age", old_answer(), ONCE, 1),
    ] {
        let registry = pin_web(name, content, flags);
        assert_eq!(registry.requests().len(), requests, "{name}");
    }
}

impl Row {
    #[track_caller]
    fn check(self) {
        let Self { name, place, image, flags, status, words } = self;
        let (registry, flag) = place.open();
        let own = [flag, format!("--timeout={TIMEOUT}")];
        let child = start(&mut frugal(own.iter().map(String::as_str).chain(flags.iter().copied())));
        let ran = finish_within(name, child, pods([image]).as_bytes(), LIMIT);
        assert_failed(name, &ran, image, status, words);
        let requests = registry.map_or(0, |registry| registry.requests().len());
        assert!(requests <= MOST_REQUESTS, "{name}: {requests} requests");
    }
}

impl Place {
    /// Has it serve, where it is served from here, and gives the flag that leads to it.
    fn open(self) -> (Option<Registry>, String) {
        let registry = match self {
            Self::Registry(content) => Registry::start(*content),
            Raw(answer) => Registry::raw(answer),
            Dripping(answer, byte) => Registry::dripping(answer, byte),
            Url(url) => return (None, format!("--registry=*={url}/{{host}}")),
        };
        let flag = for_every_host(&registry);
        (Some(registry), flag)
    }
}

impl From<Content> for Place {
    fn from(content: Content) -> Self {
        Self::Registry(Box::new(content))
    }
}

/// Meets every request for the image so.
fn always(misbehaviour: Misbehaviour) -> Content {
    Content::everything().with_fault(Fault::on("acme/web", misbehaviour))
}

/// Meets every GET for the image so.
fn get(misbehaviour: Misbehaviour) -> Content {
    Content::everything().with_fault(Fault::on("acme/web", misbehaviour).method("GET"))
}

/// The same behind a HEAD that says too little.
fn without_digest(misbehaviour: Misbehaviour) -> Content {
    get(misbehaviour).with_fault(Fault::on("acme/web", NoDigestHeader).method("HEAD"))
}

/// Meets every request for a token so.
fn token(misbehaviour: Misbehaviour) -> Content {
    Content::everything().with_tokens(tokens()).with_fault(Fault::on("token", misbehaviour))
}

fn tokens() -> TokenRules {
    TokenRules::default()
}

/// Asks for a token in these words.
fn asks(challenge: &str) -> Content {
    always(Status(401, vec![("www-authenticate", challenge.to_owned())], String::new()))
}

/// Says that a good token is not good enough.
fn narrow() -> Content {
    asks("Bearer realm=\"http://127.0.0.1:1/token\",error=\"insufficient_scope\"")
        .with_tokens(tokens())
}

/// A token that the registry takes, given when there were no registries.
fn old_token() -> Content {
    let accounts = vec![Account::bearer("ann")];
    let issued = "\"issued_at\":\"1970-01-01T00:00:00Z\",\"expires_in\":300";
    let body = format!("{{\"token\":\"{}\",{issued}}}", password("ann"));
    let answer = Fault::on("token", Status(200, Vec::new(), body));
    Content::everything().with_tokens(TokenRules { accounts, ..tokens() }).with_fault(answer)
}

fn old_answer() -> Content {
    let headers = vec![
        ("date", PAST.to_owned()),
        ("content-type", INDEX.to_owned()),
        ("docker-content-digest", digest_of(WEB)),
    ];
    always(Status(200, headers, String::new()))
}

/// A digest header with an algorithm and this many digits.
fn digest(algorithm: &str, digits: usize) -> Content {
    always(DigestHeader(format!("{algorithm}:{}", "0".repeat(digits)).into_bytes()))
}

/// An answer whose content is called an index.
fn index(status: u16, body: &str) -> Misbehaviour {
    Status(status, vec![("content-type", INDEX.to_owned())], body.to_owned())
}

/// A page for people, with a digest.
fn html(status: u16) -> Misbehaviour {
    let digest = ("docker-content-digest", format!("sha256:{}", "0".repeat(64)));
    let headers = vec![("content-type", "text/html".to_owned()), digest];
    Status(status, headers, "<html><body>Log in</body></html>".to_owned())
}

fn to(url: &str) -> Misbehaviour {
    RedirectTo(url.to_owned())
}

/// A list that fits into one page and has more tags than are kept.
fn long_list() -> Misbehaviour {
    let tags: Vec<_> = (0..300_000).map(|n| format!("\"{n:x}\"")).collect();
    Status(200, Vec::new(), format!("{{\"tags\":[{}]}}", tags.join(",")))
}

/// An answer that says all that it has to, behind 1 MB of something else.
fn large_header() -> Vec<u8> {
    let headers = format!("{}\r\nDocker-Content-Digest: {}", large("X-Large: "), digest_of(WEB));
    ok(&format!("{headers}\r\nContent-Type: {INDEX}\r\nContent-Length: 0\r\n\r\n"))
}

/// 1 MB of a header.
fn large(header: &str) -> String {
    format!("{header}{}", "x".repeat(1_000_000))
}

fn ok(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}").into_bytes()
}

/// An index of this length, as it says.
fn json(length: &str, body: &str) -> Vec<u8> {
    ok(&format!("Content-Type: {INDEX}\r\nContent-Length: {length}\r\n\r\n{body}"))
}
