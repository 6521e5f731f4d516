//! Registries as people report them: one row for each report, with what the registry does, what
//! comes of it, and what it is asked. A row is an example of a kind of fault, and not of one product.
//! Reports about the machine and not about a registry are tested in [`crate::certificates`] and
//! [`crate::credentials`].

use serde_json::json;

use crate::credentials::{Machine, asked_as, auths};
use crate::support::accounts::{Account, password};
use crate::support::registry::{
    ChallengeAt, Content, Fault, Links, ManyScopes, Misbehaviour, Registry, Request, TokenRules,
    digest_of,
};
use crate::support::{digestif, for_every_host};
use crate::{place, pods};

use Misbehaviour::{Empty404, ErrorCode, Status};

/// A report, as a sentence and with where it is from; the registry that it is about; who has a login
/// for it; the images; how a run ends; and what the registry is asked.
struct Row {
    report: &'static str,
    content: Content,
    logins: &'static [&'static str],
    images: Vec<String>,
    end: End,
    requests: Requests,
}

/// How a run ends.
enum End {
    /// With the digest of each image.
    Pinned,
    /// With this status and these words.
    Fails(i32, &'static str),
    /// With this tag in the place of [`KUBECTL`], and these words.
    Uses(&'static str, &'static str),
}

/// What a registry is asked.
enum Requests {
    /// Exactly this: `HEAD web:1`, `GET token`, `GET ping`, `GET list`, each with ` at HOST` unless it
    /// is [`HOST`], and with ` as WHO` unless the request is anonymous.
    Are(&'static str),
    /// At most as many.
    AtMost(usize),
    /// As many pages of the list of tags.
    Lists(usize),
}

use End::{Fails, Pinned, Uses};
use Requests::{Are, AtMost, Lists};

const HOST: &str = "registry.example";
const WEB: &str = "registry.example/acme/web:1";
/// An image whose tag is absent, so that the list of its tags is read for the built-in rule.
const KUBECTL: &str = "registry.example/acme/kubectl:v1.32";

const ANN: &[&str] = &["ann"];
const NOBODY: &[&str] = &[];

fn row(
    report: &'static str,
    content: Content,
    logins: &'static [&'static str],
    end: End,
    requests: &'static str,
) -> Row {
    let images = vec![WEB.to_owned()];
    Row { report, content, logins, images, end, requests: Are(requests) }
}

/// A row in which HEAD gets this status, and GET the image.
fn head(report: &'static str, status: u16) -> Row {
    let fault = Fault::on("acme/web", ErrorCode(status, "")).method("HEAD");
    let content = Content::everything().with_fault(fault);
    row(report, content, NOBODY, Pinned, "HEAD web:1, GET web:1")
}

/// A row in which a token comes with this lifetime.
fn lifetime(report: &'static str, expires_in: &str) -> Row {
    let token = format!(r#"{{"token":"{}","expires_in":{expires_in}}}"#, password("ann"));
    let rules = TokenRules { accounts: vec![Account::bearer("ann")], ..default() };
    let content = tokens(rules).with_fault(Fault::on("token", says(200, &token)));
    row(report, content, NOBODY, Pinned, "HEAD web:1, GET token, HEAD web:1 as a token")
}

/// A row with this many repositories.
fn many(report: &'static str, n: usize, content: Content, most: usize) -> Row {
    let images = (0..n).map(|n| format!("registry.example/acme/app-{n:03}:1")).collect();
    Row { report, content, logins: NOBODY, images, end: Pinned, requests: AtMost(most) }
}

/// A row with 40 repositories at a server that meets each longer header so; and how many requests it
/// may get besides one for each repository.
fn small(report: &'static str, misbehaviour: Misbehaviour, more: usize) -> Row {
    let rules = TokenRules { bytes_per_scope: 100, ..default() };
    many(report, 40, tokens(rules).with_header_limit(2_000, misbehaviour), 40 + more)
}

/// A row in which v1.32.5 is behind 1,205 other tags of the list. If it is found, this many pages are
/// read; else v1.31 is used, which needs no list.
fn list(
    report: &'static str,
    registry: impl Fn(Content) -> Content,
    end: End,
    pages: usize,
) -> Row {
    let others: Vec<_> = (0..1_205).map(|n| format!("a-{n:04}")).collect();
    let tags: Vec<_> = others.iter().map(String::as_str).chain(["v1.31", "v1.32.5"]).collect();
    let content = registry(Content::of(&[("acme/kubectl", &tags)]));
    let images = vec![KUBECTL.to_owned()];
    Row { report, content, logins: NOBODY, images, end, requests: Lists(pages) }
}

fn tokens(rules: TokenRules) -> Content {
    Content::everything().with_tokens(rules)
}

fn default() -> TokenRules {
    TokenRules::default()
}

/// An answer in JSON.
fn says(status: u16, text: &str) -> Misbehaviour {
    Status(status, vec![("content-type", "application/json".to_owned())], text.to_owned())
}

/// An error with the password of ann, which is written with an escape of JSON.
fn repeats(status: u16, code: &str) -> Misbehaviour {
    let escaped = password("ann").replacen('N', "\\u004e", 1);
    assert_ne!(escaped, password("ann"));
    let error =
        format!(r#"{{"code":"{code}","message":"no {escaped} or {} here"}}"#, password("ann"));
    says(status, &format!(r#"{{"errors":[{error}]}}"#))
}

/// A redirect to another registry.
fn to_quay(repository: &str) -> Fault {
    let url = format!("http://quay.example/v2/{repository}/manifests/1");
    Fault::on("acme/web/manifests/1", Misbehaviour::RedirectTo(url))
}

/// A page for people.
fn page(status: u16) -> Misbehaviour {
    let headers = vec![("content-type", "text/html; charset=utf-8".to_owned())];
    Status(status, headers, "<!DOCTYPE html><title>Blocked</title>".to_owned())
}

/// The right answer, with its digest twice.
fn twice() -> Misbehaviour {
    let digest = ("docker-content-digest", digest_of("acme/web", "1"));
    let index = ("content-type", "application/vnd.oci.image.index.v1+json".to_owned());
    Status(200, vec![digest.clone(), digest, index], String::new())
}

/// A registry that answers so for two requests, and says at `/v2/` that it wants a password.
fn strange(to_nobody: Misbehaviour) -> Content {
    Content::everything()
        .with_basic(&[Account::user("ann")])
        .with_fault(Fault::on("acme/web", to_nobody).times(2).before_login())
}

fn hidden(status: u16, code: &'static str) -> Content {
    Content::everything().hidden(&[Account::user("ann")], status, code)
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
fn table() -> Vec<Row> {
    let all = |misbehaviour| Content::everything().with_fault(Fault::on("", misbehaviour));
    let endpoint = |many_scopes| tokens(TokenRules { many_scopes, ..default() });
    let limited = |bytes_per_scope, misbehaviour| {
        tokens(TokenRules { bytes_per_scope, ..default() }).with_header_limit(8_000, misbehaviour)
    };
    vec![
        // What is hidden from nobody is open to a login.
        row(
            "R1: 404 to nobody, 200 to a login (Artifactory, google/go-containerregistry#1691)",
            hidden(404, "MANIFEST_UNKNOWN"),
            ANN,
            Pinned,
            "HEAD web:1, GET web:1, GET ping, GET web:1 as ann",
        ),
        row(
            "R1: 404 with NAME_UNKNOWN to nobody, 200 to a login",
            hidden(404, "NAME_UNKNOWN"),
            ANN,
            Pinned,
            "HEAD web:1, GET web:1, GET ping, GET web:1 as ann",
        ),
        row(
            "R1: 403 to nobody without a challenge, 200 to a login",
            hidden(403, "DENIED"),
            ANN,
            Pinned,
            "HEAD web:1, GET ping, HEAD web:1 as ann",
        ),
        row(
            "R1: 401 to nobody without a challenge, 200 to a login",
            hidden(401, "UNAUTHORIZED"),
            ANN,
            Pinned,
            "HEAD web:1, GET ping, HEAD web:1 as ann",
        ),
        row(
            "R1: 404 to every login",
            Content::of(&[]).hidden(&[Account::user("ann")], 404, "MANIFEST_UNKNOWN"),
            ANN,
            Fails(1, "does not exist"),
            "HEAD web:1, GET web:1, GET ping, GET web:1 as ann",
        ),
        row(
            "R1: 404 to nobody, and a login that is refused",
            Content::of(&[]).hidden(&[Account::nobody()], 403, "DENIED"),
            ANN,
            Fails(6, "is absent or private"),
            "HEAD web:1, GET web:1, GET ping, GET web:1 as ann",
        ),
        row(
            "R1: a login page to nobody, a challenge at /v2/, 200 to a login",
            strange(page(200)),
            ANN,
            Pinned,
            "HEAD web:1, GET web:1, GET ping, GET web:1 as ann",
        ),
        row(
            "R1: 400 to nobody, a challenge at /v2/, 200 to a login",
            strange(ErrorCode(400, "UNAUTHORIZED")),
            ANN,
            Pinned,
            "HEAD web:1, GET web:1, GET ping, GET web:1 as ann",
        ),
        // The registry, or what stands before it, says what is wrong.
        row(
            "a project that does not exist (Harbor)",
            all(says(
                404,
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"project acme not found"}]}"#,
            )),
            NOBODY,
            Fails(1, "code NAME_UNKNOWN: \"project acme not found\")"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a code that the spec does not know",
            all(says(400, r#"{"errors":[{"code":"BLOCKED","message":"by policy\u001b[31m"}]}"#)),
            NOBODY,
            Fails(
                4,
                "400 Bad Request from registry.example, code BLOCKED: \"by policy\\u{1b}[31m\")",
            ),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a token endpoint that says why (Docker Hub)",
            tokens(default()).with_fault(Fault::on(
                "token",
                says(401, r#"{"details":"incorrect username or password"}"#),
            )),
            NOBODY,
            Fails(6, "from the token server registry.example: \"incorrect username or password\")"),
            "HEAD web:1, GET token",
        ),
        row(
            "a server that repeats the password",
            Content::of(&[]).with_basic(&[Account::user("ann")]).with_fault(
                Fault::on("acme/web", repeats(404, "NAME_UNKNOWN")).method("GET"),
            ),
            ANN,
            Fails(1, "code NAME_UNKNOWN: \"no *** or *** here\")"),
            "HEAD web:1, HEAD web:1 as ann, GET web:1 as ann, GET web:1",
        ),
        row(
            "a server that is down and repeats the password",
            Content::of(&[]).with_basic(&[Account::user("ann")]).with_fault(
                Fault::on("acme/web", repeats(503, "UNAVAILABLE")).method("GET"),
            ),
            ANN,
            Fails(4, ", code UNAVAILABLE: \"no *** or *** here\")"),
            "HEAD web:1, HEAD web:1 as ann, GET web:1 as ann",
        ),
        row(
            "a server that limits requests and repeats the password",
            Content::of(&[]).with_basic(&[Account::user("ann")]).with_fault(
                Fault::on("acme/web", repeats(429, "TOOMANYREQUESTS")).method("GET"),
            ),
            ANN,
            Fails(4, ", code TOOMANYREQUESTS: \"no *** or *** here\")"),
            "HEAD web:1, HEAD web:1 as ann, GET web:1 as ann",
        ),
        row(
            "a server that is down, and says why",
            all(says(
                503,
                r#"{"errors":[{"code":"UNAVAILABLE","message":"read-only\u001b[31m until 12:00"}]}"#,
            )),
            NOBODY,
            Fails(4, ", code UNAVAILABLE: \"read-only\\u{1b}[31m until 12:00\")"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a gateway before a server that is down, with 502 in HTML",
            all(page(502)),
            NOBODY,
            Fails(4, ", with an HTML page, probably from a gateway)"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a limit of requests that is explained (Docker Hub)",
            Content::of(&[]).with_fault(
                Fault::on(
                    "acme/web",
                    says(
                        429,
                        r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit reached"}]}"#,
                    ),
                )
                .method("GET"),
            ),
            NOBODY,
            Fails(4, ", code TOOMANYREQUESTS: \"pull rate limit reached\")"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a limit of requests for tokens that is explained",
            tokens(default())
                .with_fault(Fault::on("token", says(429, r#"{"details":"too many logins"}"#))),
            NOBODY,
            Fails(4, ": \"too many logins\" (token from registry.example))"),
            "HEAD web:1, GET token",
        ),
        row(
            "a token endpoint that is down, and says why",
            tokens(default())
                .with_fault(Fault::on("token", says(503, r#"{"message":"no database"}"#))),
            NOBODY,
            Fails(4, ": \"no database\" (token from registry.example))"),
            "HEAD web:1, GET token",
        ),
        row(
            "a firewall with 403 in HTML",
            all(page(403)),
            NOBODY,
            Fails(4, "403 Forbidden from registry.example, with an HTML page"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a firewall before the token endpoint, with 403 in HTML",
            tokens(default()).with_fault(Fault::on("token", page(403))),
            NOBODY,
            Fails(4, "from the token server registry.example, with an HTML page"),
            "HEAD web:1, GET token",
        ),
        row(
            "a 404 with a sentence and no code that is known",
            all(says(404, r#"{"errors":[{"code":404,"message":"project not found"}]}"#)),
            NOBODY,
            Fails(
                4,
                "from registry.example: \"project not found\", but not in the format of a registry",
            ),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a status that is in no standard (Cloudflare)",
            all(says(530, "")),
            NOBODY,
            Fails(4, "(unreachable: 530 from registry.example:80, through the proxy"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a registry that knows only logins by Kerberos",
            all(Status(401, vec![("www-authenticate", "Negotiate".to_owned())], String::new())),
            NOBODY,
            Fails(6, "which asks for another kind of login than `Basic` and `Bearer`"),
            "HEAD web:1, GET web:1, GET ping",
        ),
        // Some servers know no HEAD, and say so in many ways.
        head("400 to HEAD (google/go-containerregistry#971)", 400),
        head("406 to HEAD (google/go-containerregistry#971)", 406),
        head("410 to HEAD (google/go-containerregistry#971)", 410),
        head("415 to HEAD (google/go-containerregistry#971)", 415),
        head("501 to HEAD (google/go-containerregistry#971)", 501),
        lifetime("a token's lifetime as a text", "\"300\""),
        lifetime("a token's lifetime with a fraction", "300.0"),
        lifetime("a token's lifetime that is negative", "-1"),
        row(
            "a login page with 200",
            all(page(200)),
            NOBODY,
            Fails(4, "200 from registry.example with an HTML page"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "a manifest of schema 1",
            all(says(200, r#"{"schemaVersion":1,"name":"acme/web","tag":"1","fsLayers":[]}"#)),
            NOBODY,
            Fails(4, "its manifest has Docker's schema 1, which is obsolete"),
            "HEAD web:1, GET web:1",
        ),
        row(
            "the same digest header twice",
            Content::everything().with_fault(Fault::on("acme/web", twice())),
            NOBODY,
            Pinned,
            "HEAD web:1",
        ),
        row(
            "a registry that wants a login, by its name",
            Content::everything().with_basic(&[]),
            NOBODY,
            Fails(6, "log in with `docker login registry.example`, or"),
            "HEAD web:1",
        ),
        Row {
            images: vec!["acme/web:1".to_owned()],
            ..row(
                "Docker Hub wants a login",
                Content::everything().with_basic(&[]),
                NOBODY,
                Fails(6, "log in with `docker login`, or"),
                "HEAD web:1 at registry-1.docker.io",
            )
        },
        // A list of tags does not say where it ends.
        list(
            "R2: no Link behind a full page (sonatype/nexus-public#117)",
            |content| content.with_links(Links::Missing),
            Uses("v1.32.5", "is used instead"),
            2,
        ),
        list(
            "R2: a Link without rel",
            |content| content.with_links(Links::WithoutRelation),
            Uses("v1.32.5", "is used instead"),
            2,
        ),
        list(
            "R2: a Link without brackets",
            |content| content.with_links(Links::WithoutBrackets),
            Uses("v1.32.5", "is used instead"),
            2,
        ),
        list(
            "R2: a Link with single quotes",
            |content| content.with_links(Links::SingleQuotes),
            Uses("v1.32.5", "is used instead"),
            2,
        ),
        list(
            "a list that ignores n and last (sonatype/nexus-public#209)",
            |content| content.with_links(Links::OnePage),
            Uses("v1.32.5", "is used instead"),
            2,
        ),
        list(
            "a list that is refused with n=1000",
            |content| content.with_max_n(500).with_page_limit(500),
            Uses("v1.32.5", "is used instead"),
            4,
        ),
        list(
            "R15: a list of more than 100 pages",
            |content| content.with_page_limit(10),
            Uses(
                "v1.31",
                "v1.32.*: the tags can't be listed (the list of tags of registry.example",
            ),
            100,
        ),
        list(
            "a Link on every page, also behind the last (renovatebot/renovate#15080)",
            |content| content.with_links(Links::Endless),
            Uses(
                "v1.31",
                "v1.32.*: the tags can't be listed (the list of tags of registry.example",
            ),
            100,
        ),
        list(
            "R2: a limit of 100 names on a page, and no Link",
            |content| content.with_links(Links::Missing).with_page_limit(100),
            Uses("v1.32.5", "is used instead"),
            13,
        ),
        list(
            "R2: n is understood, last is not, and there is no Link",
            |content| content.with_links(Links::FirstPage),
            Uses("v1.31", "v1.32.*: the tags can't be listed (the list of tags of"),
            2,
        ),
        Row {
            images: vec![KUBECTL.to_owned()],
            ..row(
                "R2: 200 with JSON that is no list of tags",
                Content::of(&[("acme/kubectl", &["v1.31"])])
                    .with_fault(Fault::on("tags/list", says(200, r#"{"name":"acme/kubectl"}"#))),
                NOBODY,
                Fails(4, "200 with something that is not a list of tags"),
                "HEAD kubectl:v1.32, GET kubectl:v1.32, GET list",
            )
        },
        // A gateway answers in the place of a registry.
        row(
            "R3: a gateway without a route (istio/istio#1437)",
            all(Empty404),
            NOBODY,
            Fails(4, "a 404 that may not come from its registry proves nothing"),
            "HEAD web:1, GET web:1, GET ping",
        ),
        // A redirect leads to another registry.
        row(
            "a backend that lags behind, by a redirect (kubernetes/registry.k8s.io#324)",
            Content::of(&[("acme/web", &["1"])]).with_fault(to_quay("lags/web").method("HEAD")),
            NOBODY,
            Pinned,
            "HEAD web:1, HEAD web:1 at quay.example, GET web:1",
        ),
        row(
            "a backend that lags behind for GET too, so that it is named",
            Content::of(&[("acme/web", &["1"]), ("lags/web", &[])]).with_fault(to_quay("lags/web")),
            NOBODY,
            Fails(1, "404 Not Found from quay.example, code MANIFEST_UNKNOWN)"),
            "HEAD web:1, HEAD web:1 at quay.example, GET web:1, GET web:1 at quay.example, GET list",
        ),
        row(
            "R13: a redirect from an open registry to one with tokens (lscr.io)",
            tokens(default()).with_fault(to_quay("acme/web").times(1).before_login()),
            NOBODY,
            Pinned,
            "HEAD web:1, HEAD web:1 at quay.example, GET token at quay.example, \
             HEAD web:1 at quay.example as a token",
        ),
        row(
            "R13: a login that stays at home (google/go-containerregistry#2360)",
            tokens(TokenRules {
                accounts: vec![Account::user("ann"), Account::nobody()],
                ..default()
            })
            .with_fault(to_quay("acme/web").times(1)),
            ANN,
            Pinned,
            "HEAD web:1, GET token as ann, HEAD web:1 as a token, HEAD web:1 at quay.example, \
             GET token at quay.example, HEAD web:1 at quay.example as a token",
        ),
        row(
            "R13: a redirect to a registry with passwords, which gets none",
            Content::everything()
                .with_basic(&[Account::user("ann")])
                .with_fault(to_quay("acme/web")),
            ANN,
            Fails(6, "config.json leads to quay.example, which refuses)"),
            "HEAD web:1, HEAD web:1 as ann, HEAD web:1 at quay.example, HEAD web:1",
        ),
        row(
            "R13: a 404 behind a redirect, after a login was refused",
            Content::of(&[("lags/web", &[])])
                .with_tokens(TokenRules { accounts: vec![Account::nobody()], ..default() })
                .with_fault(to_quay("lags/web")),
            ANN,
            Fails(6, "config.json is refused)"),
            "HEAD web:1, GET token as ann, GET token, HEAD web:1 as a token, \
             HEAD web:1 at quay.example, GET token at quay.example, \
             HEAD web:1 at quay.example as a token, GET web:1 as a token, \
             GET web:1 at quay.example, GET web:1 at quay.example as a token",
        ),
        // A token for many repositories is no use.
        many(
            "R4: a token for the first scope, the rest hidden behind 404 (goharbor/harbor#2411)",
            20,
            tokens(TokenRules {
                many_scopes: ManyScopes::FirstOnly,
                unopened: Some((404, "NAME_UNKNOWN")),
                ..default()
            }),
            // The first 401, a token, a HEAD in vain; then a token and a HEAD for each.
            3 + 2 * 20,
        ),
        many(
            "R4: a token for the first scope alone (docker/hub-feedback#2215)",
            50,
            endpoint(ManyScopes::FirstOnly),
            3 + 2 * 50,
        ),
        many("R4: a token for the last scope alone", 50, endpoint(ManyScopes::LastOnly), 103),
        many(
            "R5: nginx takes 8 KiB of a header, and a token grows with each scope",
            100,
            limited(150, ErrorCode(400, "")),
            100 + 20,
        ),
        small("R5: a server with room for less answers 431", ErrorCode(431, ""), 25),
        small("R5: a server with room for less answers 414", ErrorCode(414, ""), 25),
        small("R5: a server with room for less answers 413 (Jetty before 9.3)", ErrorCode(413, ""), 25),
        small("R5: a server with room for less answers 494 (nginx)", ErrorCode(494, ""), 25),
        small("R5: a server with room for less breaks the stream", Misbehaviour::Reset, 30),
        small("R5: a gateway with room for less answers 502", ErrorCode(502, ""), 30),
        many("R6: 503 to a token for many", 20, endpoint(ManyScopes::Fails(503)), 2 + 2 * 20),
        many("R6: 429 to a token for many", 20, endpoint(ManyScopes::Fails(429)), 2 + 2 * 20),
        many("R6: no answer to a token for many", 20, endpoint(ManyScopes::Hangs), 2 + 2 * 20),
        row(
            "R8: Quay's TAG_EXPIRED (quay/clair#1554)",
            all(ErrorCode(404, "TAG_EXPIRED")),
            NOBODY,
            Fails(1, "does not exist"),
            "HEAD web:1, GET web:1, GET list",
        ),
        row(
            "R11: a realm on another plain-http host that the user named (GitLab)",
            tokens(TokenRules { realm: Some("http://quay.example/token".to_owned()), ..default() }),
            NOBODY,
            Pinned,
            "HEAD web:1, GET token at quay.example, HEAD web:1 as a token",
        ),
        Row {
            images: ["one", "two"].map(|name| format!("registry.example/{name}/web:1")).to_vec(),
            ..row(
                "R12: a realm for each path (sonatype/nexus-public#873)",
                tokens(TokenRules { realm_per_project: true, ..default() }),
                NOBODY,
                Pinned,
                // One token for both, which the realm refuses, and one for each; the realm refuses
                // the second again, so that its own realm is looked for.
                "HEAD web:1, GET token, GET token, HEAD web:1 as a token, GET token, HEAD web:1, \
                 GET token, HEAD web:1 as a token",
            )
        },
        Row {
            images: ["one/a", "one/b", "two/a", "two/b"]
                .map(|name| format!("registry.example/{name}:1"))
                .to_vec(),
            logins: ANN,
            requests: AtMost(1 + 4 * 6),
            ..row(
                "R12: a realm for each path, which wants a login (sonatype/nexus-public#873)",
                tokens(TokenRules {
                    realm_per_project: true,
                    accounts: vec![Account::user("ann")],
                    ..default()
                }),
                ANN,
                Pinned,
                "",
            )
        },
        row(
            "R12: another realm for an expired token, which is not asked \
             (NVIDIA/nvidia-container-toolkit#1945)",
            tokens(default()).with_fault(
                Fault::on(
                    "acme/web",
                    Status(
                        401,
                        vec![(
                            "www-authenticate",
                            "Bearer realm=\"http://quay.example/token\"".to_owned(),
                        )],
                        String::new(),
                    ),
                )
                .times(1),
            ),
            NOBODY,
            Pinned,
            "HEAD web:1, GET token, HEAD web:1 as a token, GET token, HEAD web:1 as a token",
        ),
        row(
            "R14: no challenge to HEAD, but to GET",
            tokens(TokenRules { challenge_at: ChallengeAt::Get, ..default() }),
            NOBODY,
            Pinned,
            "HEAD web:1, GET web:1, GET token, GET web:1 as a token",
        ),
        row(
            "R14: a challenge at /v2/ alone",
            tokens(TokenRules { challenge_at: ChallengeAt::Ping, ..default() }),
            NOBODY,
            Pinned,
            "HEAD web:1, GET web:1, GET ping, GET token, GET web:1 as a token",
        ),
    ]
}

#[test]
fn registries_are_understood_as_people_report_them() {
    for row in table() {
        row.check();
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_one_error_with_all_its_images() {
    let images: Vec<_> = (0..40).map(|n| format!("registry.example/acme/app-{n}:1")).collect();
    let unreached = |flags: &[&str], words: &str| {
        let said = digestif(flags, pods(&images)).failed(4);
        let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{said}");
        assert!(said.contains("error: 40 images of `127.0.0.1:"), "{said}");
        assert!(said.contains(words), "no `{words}` in\n{said}");
        for image in &images {
            assert!(said.contains(&format!("`{image}`")), "{said}");
        }
        // A message shows this many places.
        assert!((0..10).all(|n| said.contains(&place(n))), "{said}");
    };
    // Nobody listens on port 1, and nobody but root could.
    let nobody = "--registry=*=http://127.0.0.1:1/{host}";
    unreached(&[nobody, "--retries=0"], "(unreachable: no connection to 127.0.0.1:1: Connection");
    let untrusted = Registry::start_tls(Content::everything());
    let flag = for_every_host(&untrusted);
    unreached(&[&flag], "the registry's certificate is not trusted");
    assert_eq!(untrusted.connections(), 1, "it is not asked again");
}

impl Row {
    #[track_caller]
    fn check(self) {
        let Self { report, content, logins, images, end, requests } = self;
        let entries: Vec<_> = logins.iter().map(|user| ("registry.example", *user)).collect();
        let file = if entries.is_empty() { json!({}) } else { auths(&entries) };
        let machine = Machine::with_docker(content, &file);
        let ran = machine.run(&["--timeout=9"], &pods(&images));
        match end {
            Pinned => {
                let pinned = crate::credentials::pinned(&images);
                assert_eq!((ran.status, ran.stdout), (0, pinned), "{report}: {}", ran.stderr);
            }
            Uses(tag, words) => {
                assert_eq!(ran.status, 0, "{report}: {}", ran.stderr);
                assert!(
                    ran.stdout.contains(&format!("kubectl:{tag}@")),
                    "{report}: {}",
                    ran.stdout
                );
                assert!(ran.stderr.contains(words), "{report}: no `{words}` in\n{}", ran.stderr);
            }
            Fails(status, words) => {
                let ended = (ran.status, ran.stdout.as_str());
                assert_eq!(ended, (status, ""), "{report}: {}", ran.stderr);
                assert!(ran.stderr.contains(words), "{report}: no `{words}` in\n{}", ran.stderr);
            }
        }
        let asked = machine.registry().requests();
        let log: Vec<_> =
            asked.iter().map(short).zip(asked_as(machine.registry())).map(named).collect();
        match requests {
            Are(expected) => assert_eq!(log.join(", "), expected, "{report}: {}", ran.stderr),
            Lists(pages) => {
                let read = log.iter().filter(|line| line.contains("list")).count();
                assert_eq!(read, pages, "{report}: {log:#?}");
            }
            AtMost(most) => {
                assert!(log.len() <= most, "{report}: {} requests: {log:#?}", log.len());
            }
        }
    }
}

/// A request by the ends of its path: `HEAD web:1`.
fn short(request: &Request) -> String {
    let mut parts = request.path.rsplit('/');
    let end = parts.next().unwrap_or_default();
    let what = match (end, parts.nth(1)) {
        ("", _) => "ping".to_owned(),
        ("token" | "list", _) => end.to_owned(),
        (tag, Some(name)) => format!("{name}:{tag}"),
        (other, None) => other.to_owned(),
    };
    let at = if request.host == HOST { String::new() } else { format!(" at {}", request.host) };
    format!("{} {what}{at}", request.method)
}

fn named((request, who): (String, String)) -> String {
    if who == "nobody" { request } else { format!("{request} as {who}") }
}

#[test]
fn a_port_that_speaks_the_other_protocol_is_called_that() {
    let plain = Registry::start(Content::everything());
    let tls = Registry::start_tls(Content::everything());
    for (registry, scheme, words) in [
        (
            &plain,
            "https",
            "does not speak TLS; if it speaks plain HTTP, name it with `--plain-http 127.0.0.1:",
        ),
        (&tls, "http", "does not speak plain HTTP; if it speaks TLS, ask it with `https`"),
    ] {
        let flag = format!("--registry=*={scheme}://{}/{{host}}", registry.address());
        let said = digestif([flag.as_str(), "--retries=0"], pods([WEB])).failed(4);
        assert!(said.contains(words), "no `{words}` in\n{said}");
        assert!(said.contains(registry.address()), "{said}");
    }
}

#[test]
fn a_wrong_password_is_sent_once_to_a_host_for_all_repositories() {
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/app-{n:02}:1")).collect();
    let content = Content::everything().with_basic(&[Account::user("ann")]);
    let machine = Machine::with_docker(content, &auths(&[("registry.example", "bob")]));
    machine.run(&[], &pods(&images)).failed(6);
    let asked = asked_as(machine.registry());
    assert_eq!(asked.iter().filter(|who| *who == "bob").count(), 1, "{asked:?}");
}

#[test]
fn a_wrong_login_is_sent_once_to_a_token_endpoint_for_all_repositories() {
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/app-{n:02}:1")).collect();
    let identity = json!({ "identitytoken": password("bob") });
    let identity = json!({ "auths": { "registry.example": identity } });
    for many_scopes in
        [ManyScopes::Granted, ManyScopes::Refused, ManyScopes::Fails(503), ManyScopes::Fails(401)]
    {
        let accounts = vec![Account::user("ann"), Account::identity("ann")];
        let content =
            || tokens(TokenRules { many_scopes, accounts: accounts.clone(), ..default() });
        for (logins, most) in [(auths(&[("registry.example", "bob")]), 1), (identity.clone(), 2)] {
            let machine = Machine::with_docker(content(), &logins);
            let said = machine.run(&["--timeout=9"], &pods(&images)).failed(6);
            assert!(said.contains("from the token server"), "{said}");
            let is_sent = |request: &&Request| {
                request.is_to("token")
                    && (request.authorization.is_some() || request.method == "POST")
            };
            let sent = machine.registry().requests().iter().filter(is_sent).count();
            // An identity token locks nobody out, so that it may be tried for all repositories at once.
            assert!((1..=most).contains(&sent), "{many_scopes:?}: {sent} times: {logins}");
        }
        let machine = Machine::with_docker(content(), &auths(&[("registry.example", "ann")]));
        let ran = machine.run(&["--timeout=9"], &pods(&images));
        assert_eq!(ran.succeeded(), crate::credentials::pinned(&images), "{many_scopes:?}");
    }
}

#[test]
fn a_redirect_that_leads_nowhere_is_an_error_of_its_image_alone() {
    // Nobody listens on port 1, and nobody but root could.
    let away = Misbehaviour::RedirectTo("http://127.0.0.1:1/v2/acme/away/manifests/1".to_owned());
    let content = Content::everything().with_fault(Fault::on("acme/away", away));
    let registry = Registry::start(content);
    let images = ["away", "one", "two"].map(|name| format!("registry.example/acme/{name}:1"));
    let flag = for_every_host(&registry);
    let said = digestif([flag.as_str(), "--retries=0", "--concurrency=1"], pods(&images)).failed(4);
    assert!(said.contains("by a redirect, no connection to 127.0.0.1:1: Connection"), "{said}");
    assert!(said.contains(&images[0]) && !said.contains(&images[1]), "{said}");
    assert_eq!(registry.requests().iter().filter(|request| request.method == "HEAD").count(), 3);
}
