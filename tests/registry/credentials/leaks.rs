//! Secrets go to their registry and to nobody else, and come out nowhere.

use serde_json::json;

use super::{Machine, auths, basic, read, tokens, tokens_with};
use crate::support::accounts::{
    Account, SECRET, assert_tells_nothing, auth, base64, password, telling,
};
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::{digest_of, digestif, finish, start};
use crate::{WEB, authorizations, pods};

use Misbehaviour::{RedirectTo, Status};

/// Every way to say who one is.
fn entries() -> [serde_json::Value; 3] {
    [
        json!({ "auth": auth("ann") }),
        json!({ "identitytoken": password("ann") }),
        json!({ "registrytoken": password("ann") }),
    ]
}

fn accounts() -> [Account; 3] {
    [Account::user("ann"), Account::identity("ann"), Account::bearer("ann")]
}

/// Has [`WEB`] asked for with each kind of login, whatever comes of it; nothing that could be a
/// secret may have reached the other registry.
#[track_caller]
fn assert_nothing_reaches(other: &Registry, name: &str, content: impl Fn() -> Content) {
    for entry in entries() {
        let file = json!({ "auths": { "registry.example": entry } });
        let machine = Machine::with_docker(content(), &file);
        machine.run(&[], &pods([WEB]));
        assert!(!machine.registry.requests().is_empty(), "{name}");
        // The other is named by its address, or a host of its own behind the proxy.
        let all = machine.registry.requests();
        let elsewhere = all.into_iter().filter(|request| request.host != "registry.example");
        for request in elsewhere.chain(other.requests()) {
            assert_eq!(request.authorization, None, "{name}: {entry}");
            assert_tells_nothing(name, &format!("{request:?}"));
        }
    }
}

#[test]
fn no_redirect_carries_a_secret_to_another_host() {
    // From there they lead on, at the same host, which a client may take for one of its own.
    let on = |path: &str, to: &str| Fault::on(path, RedirectTo(to.to_owned()));
    let other = Registry::start(
        Content::everything()
            .with_fault(on("acme/hop", "/v2/acme/last/manifests/1"))
            .with_fault(on("hop/token", "/token")),
    );
    for target in ["/v2/acme/last/manifests/1", "/v2/acme/hop/manifests/1"] {
        for content in [basic, tokens] {
            assert_nothing_reaches(&other, "a manifest", || {
                content(&accounts()).with_fault(on("acme/web", &format!("{}{target}", other.url())))
            });
        }
    }
    for target in ["/token", "/hop/token"] {
        assert_nothing_reaches(&other, "a token", || {
            tokens(&accounts()).with_fault(on("token", &format!("{}{target}", other.url())))
        });
    }
    assert_nothing_reaches(&other, "a list of tags", || {
        let target = format!("{}/v2/acme/hop/manifests/1", other.url());
        let rules = TokenRules { accounts: accounts().to_vec(), ..TokenRules::default() };
        Content::of(&[("acme/web", &["2"])]).with_tokens(rules).with_fault(on("tags/list", &target))
    });
    for path in ["acme/last", "token"] {
        assert!(other.requests_to(path) > 0, "it was asked, but without a login");
    }
    assert!(other.requests().iter().all(|request| request.method != "POST"));
}

#[test]
fn no_challenge_of_another_host_gets_a_secret() {
    let other = Registry::start(basic(&[]));
    for realm in ["http://stranger.example/token", "http://127.0.0.1:1/token", "file:///token"] {
        let realm = || Some(realm.to_owned());
        assert_nothing_reaches(&other, "a realm", || {
            tokens_with(&accounts(), TokenRules { realm: realm(), ..TokenRules::default() })
        });
    }
    // A redirect to a host that asks for a password is not answered.
    assert_nothing_reaches(&other, "a challenge behind a redirect", || {
        let target = format!("{}/v2/acme/web/manifests/1", other.url());
        Content::everything().with_fault(Fault::on("acme/web", RedirectTo(target)))
    });
    assert!(!other.requests().is_empty());
}

#[test]
fn a_registry_over_tls_gets_no_secret_sent_in_plain_text() {
    let plain = Registry::start(tokens(&[Account::nobody()]));
    let asks = |realm: String| {
        let challenge = vec![("www-authenticate", format!("Bearer realm=\"{realm}\""))];
        Fault::on("acme/web", Status(401, challenge, String::new()))
    };
    let path = "/v2/acme/web/manifests/1";
    let redirect = |path: &str| RedirectTo(format!("{}{path}", plain.url()));
    for (name, content) in [
        ("a realm", Content::everything().with_fault(asks(format!("{}/token", plain.url())))),
        ("a redirect", basic(&accounts()).with_fault(Fault::on("acme/web", redirect(path)))),
        ("a token", tokens(&accounts()).with_fault(Fault::on("token", redirect("/token")))),
    ] {
        let tls = Registry::start_tls(content);
        for entry in entries() {
            let file = json!({ "auths": { tls.address(): entry } });
            let machine = Machine::with_docker(Content::everything(), &file);
            machine.write("ca.pem", tls.ca_pem());
            let image = format!("{}/acme/web:1", tls.address());
            let mut command = machine.command(&["--ca-file=~/ca.pem"], &[]);
            finish(start(&mut command), pods([image]).as_bytes());
            assert!(!tls.requests().is_empty(), "{name}");
        }
    }
    assert!(authorizations(&plain).iter().all(Option::is_none));
    assert!(plain.requests().iter().all(|request| request.body.is_empty()));
}

#[test]
fn a_replacement_or_mirror_gets_its_own_login_and_not_that_of_the_registry_it_stands_for() {
    let keys = [
        ("docker.io", "docker"),
        ("https://index.docker.io/v1/", "index"),
        ("registry.example", "example"),
        ("*.example", "glob"),
    ];
    for (flag, own, status) in [
        ("--registry", true, 0),
        ("--registry", false, 6),
        ("--mirror", true, 0),
        ("--mirror", false, 0),
    ] {
        let other = Registry::start(basic(&[Account::user("other")]));
        let mut logins = keys.to_vec();
        logins.extend(own.then_some((other.address(), "other")));
        let origin = basic(&[Account::user("docker"), Account::user("example")]);
        let machine = Machine::with_docker(origin, &auths(&logins));
        let secret = base64(auths(&keys).to_string());
        let stream = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: pull}}\ntype: kubernetes.io/dockerconfigjson\ndata: {{.dockerconfigjson: {secret}}}\n{}",
            pods(["nginx:1", WEB])
        );
        let flags = [
            format!("{flag}=docker.io={}/hub", other.url()),
            format!("{flag}=registry.example={}", other.url()),
        ];
        let ran = machine.run(&flags.each_ref().map(String::as_str), &stream);
        assert_eq!(ran.status, status, "{flag}: {}", ran.stderr);
        let asked = super::asked_as(&other);
        assert!(asked.iter().all(|user| user == "nobody" || user == "other"), "{flag}: {asked:?}");
        assert!(!asked.is_empty() && asked.contains(&"other".to_owned()) == own, "{flag}");
        let asked = machine.asked_as();
        assert!(!asked.contains(&"other".to_owned()), "{flag}: {asked:?}");
        assert_eq!(asked.is_empty(), flag == "--registry" || own, "{flag}: {asked:?}");
    }
}

#[test]
fn the_login_of_a_replacement_may_be_for_a_path() {
    let other = Registry::start(basic(&[Account::user("hub").opening(&["hub"])]));
    let keys =
        [(format!("{}/hub", other.address()), "hub"), (format!("{}/x", other.address()), "x")];
    let keys = keys.each_ref().map(|(key, user)| (key.as_str(), *user));
    let machine = Machine::with_docker(Content::everything(), &auths(&keys));
    let flag = format!("--registry=*={}/hub/{{host}}", other.url());
    let mut command = machine.command(&[&flag], &[]);
    let ran = finish(start(&mut command), pods([WEB]).as_bytes());
    let digest = crate::support::registry::digest_of("hub/registry.example/acme/web", "1");
    assert_eq!(ran.succeeded(), pods([format!("{WEB}@{digest}")]));
    assert_eq!(super::asked_as(&other), ["nobody", "hub"]);
}

#[test]
fn no_output_of_any_kind_shows_a_secret() {
    let list = format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {}",
        pods([WEB]).replace("---\n", "").replace('\n', "\n  ").trim_end()
    );
    let pod = pods([WEB]);
    for entry in entries() {
        for (content, status) in [
            (tokens(&accounts()), 0),
            (basic(&accounts()), if entry.get("auth").is_some() { 0 } else { 6 }),
            (tokens(&[]).with_fault(Fault::on("token", Misbehaviour::ErrorCode(403, "DENIED"))), 6),
            (tokens(&accounts()).with_fault(Fault::on("token", page())), 4),
            (basic(&accounts()).with_fault(Fault::on("acme/web", echo())), 4),
        ] {
            let is_ours =
                !matches!((&entry, status), (entry, 4) if entry.get("registrytoken").is_some());
            let file = json!({ "auths": { "registry.example": entry } });
            let machine = Machine::with_docker(content, &file);
            // An explanation is what `explain` reports.
            let report = |flags: &[&str]| !flags.contains(&"explain");
            for (flags, stream) in [
                (&[][..], pod.as_str()),
                (&["check"], &pod),
                (&["explain", WEB], ""),
                (&["explain", WEB, "--format=json"], ""),
                (&[], &list),
                (&["--emit=kustomize-images"], &pod),
                (&["--verify-content"], &pod),
            ] {
                let report = report(flags).then_some("--report=~/report.json");
                let flags: Vec<_> =
                    flags.iter().copied().chain(report).chain(["--log=~/log.txt", "-v"]).collect();
                let ran = machine.run(&flags, stream);
                let name = format!("{flags:?} with {:?}", entry.as_object().map(|e| e.keys()));
                if is_ours && status != 4 {
                    assert_eq!(ran.status, status, "{name}: {}", ran.stderr);
                }
                for file in ["report.json", "log.txt"] {
                    if machine.path(file).exists() {
                        assert_tells_nothing(
                            &format!("{file} of {name}"),
                            &read(machine.path(file)),
                        );
                    }
                }
            }
            assert!(machine.path("report.json").exists() && machine.path("log.txt").exists());
        }
    }
}

#[test]
fn a_login_in_a_url_is_not_shown() {
    let machine = Machine::new(Content::everything());
    let url = format!("https://ann:{}@other.example", password("ann"));
    machine.write(
        "digestif.yaml",
        format!("apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nregistries:\n- {{host: a.io, url: '{url}'}}\n"),
    );
    for url in [url.clone(), format!("{url}:x"), format!("{url}/a b?c")] {
        for flag in ["--registry", "--mirror"] {
            machine.run(&[flag, &format!("a.io={url}")], "kind: Pod\n").failed(2);
            machine.run(&[flag, &url], "kind: Pod\n").failed(2);
        }
    }
    machine.run(&["-c", "~/digestif.yaml"], "kind: Pod\n").failed(2);
}

/// A page with a secret in it, as a debugging proxy may answer.
fn page() -> Misbehaviour {
    Status(200, Vec::new(), format!("<html>{SECRET} {}</html>", auth("ann")))
}

/// An error that repeats what it was asked with.
fn echo() -> Misbehaviour {
    let error =
        json!({ "code": password("ann"), "message": password("ann"), "detail": auth("ann") });
    let body = json!({ "errors": [error] }).to_string();
    Status(404, vec![("x-auth", password("ann")), ("docker-content-digest", auth("ann"))], body)
}

#[test]
fn the_login_of_a_proxy_is_not_shown() {
    let proxy = format!("http://ann:{}@127.0.0.1:1", password("ann"));
    let machine = Machine::new(Content::everything());
    for (value, status) in [(proxy.clone(), 4), (format!("{proxy}:x"), 2)] {
        let mut command = machine.command(&["-v", "--timeout=2"], &[]);
        let ran = finish(start(command.env("HTTP_PROXY", value)), pods([WEB]).as_bytes());
        ran.failed(status);
    }
}

#[test]
fn the_suite_would_notice_a_secret() {
    for shown in [
        SECRET.to_owned(),
        format!("a {} b", password("ann")),
        auth("ann"),
        auth("anna"),
        auth("annab"),
        format!("x{}y", base64(auths(&[("quay.example", "ann")]).to_string())),
        base64(format!("  {}", auths(&[("quay.example", "bob")]))),
        base64(format!(" {}", auths(&[("q.example", "bob")]))),
    ] {
        assert_eq!(telling(&format!("first\n{shown}\nlast")).collect::<Vec<_>>(), [&shown]);
    }
    let told = std::panic::catch_unwind(|| digestif(["images", SECRET], ""));
    assert!(told.is_err(), "stderr");
    let pod = pods(["nginx:1"]);
    let registry = Registry::start(Content::everything());
    let config = format!("--registry=*={}/{{host}}", registry.url());
    // What came in may go out as it came, and nowhere else.
    let known = format!("{pod}# {SECRET}\n");
    let expected = known.replace("nginx:1", &format!("nginx:1@{}", digest_of("nginx:1")));
    assert_eq!(digestif([&config], &known).succeeded(), expected);
    let told = std::panic::catch_unwind(|| digestif([&config], pods([format!("a/{SECRET}:1")])));
    assert!(told.is_err(), "a message");
}
