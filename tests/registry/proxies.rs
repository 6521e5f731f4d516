//! Proxies: a registry whose name only the proxy knows, and who gets to see which password.

use std::fs;

use serde_json::json;

use crate::support::accounts::{Account, assert_tells_nothing, auth, basic, password};
use crate::support::proxy::Proxy;
use crate::support::registry::{Content, Registry, TokenRules, digest_of};
use crate::support::{Ran, command, finish, for_every_host, start};
use crate::{WEB, assert_web_failed, authorizations, pinned, pods};

const ONCE: &str = "--retries=0";
const TUNNEL: &str = "CONNECT registry.example:443";

/// [`WEB`] as the registry has it that the proxy knows by its name.
fn pinned_web() -> String {
    pods([format!("{WEB}@{}", digest_of("acme/web", "1"))])
}

/// Runs digestif on [`WEB`] with these variables, trusting the registry if it speaks TLS.
fn run(variables: &[(&str, &str)], registry: Option<&Registry>, flags: &[&str]) -> Ran {
    let file = tempfile::NamedTempFile::new().expect("there is room for a certificate");
    let mut command = command(flags);
    if let Some(registry) = registry {
        fs::write(file.path(), registry.ca_pem()).expect("it is ours");
        command.arg(format!("--ca-file={}", file.path().display()));
    }
    command.envs(variables.iter().copied());
    finish(start(&mut command), pods([WEB]).as_bytes())
}

fn url(proxy: &Proxy) -> String {
    format!("http://{}", proxy.address())
}

/// The URL of a proxy with a user and a password.
fn url_of(user: &str, proxy: &Proxy) -> String {
    format!("http://{user}:{}@{}", password(user), proxy.address())
}

#[test]
fn a_registry_over_tls_is_asked_through_a_tunnel() {
    let registry = Registry::start_tls(Content::everything());
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = Proxy::start(&[("registry.example:443", &registry)]);
        let ran = run(&[(variable, &url(&proxy))], Some(&registry), &[]);
        assert_eq!(ran.succeeded(), pinned_web(), "{variable}");
        assert_eq!(proxy.lines(), [TUNNEL], "{variable}");
    }
    for request in registry.requests() {
        assert_eq!((request.version.as_str(), request.proxy_authorization), ("HTTP/2.0", None));
    }
}

#[test]
fn a_registry_in_plain_text_is_asked_by_whole_urls() {
    let registry = Registry::start(Content::everything());
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = Proxy::start(&[("registry.example", &registry)]);
        let ran = run(&[(variable, &url(&proxy))], None, &["--plain-http=registry.example"]);
        assert_eq!(ran.succeeded(), pinned_web(), "{variable}");
        assert_eq!(proxy.lines(), ["HEAD http://registry.example/v2/acme/web/manifests/1"]);
    }
}

#[test]
fn a_proxy_may_speak_socks() {
    let registry = Registry::start_tls(Content::everything());
    let proxy = Proxy::start_socks(&[("registry.example:443", &registry)]);
    let url = format!("socks5h://{}", proxy.address());
    let ran = run(&[("ALL_PROXY", &url)], Some(&registry), &[]);
    assert_eq!(ran.succeeded(), pinned_web());
    assert_eq!(proxy.lines(), ["SOCKS registry.example:443"]);

    let proxy = Proxy::start_socks(&[]);
    let url = format!("socks5h://{}", proxy.address());
    let ran = run(&[("ALL_PROXY", &url)], Some(&registry), &[ONCE]);
    assert_web_failed("unknown host", &ran, 4, &format!("through the proxy {}", proxy.address()));
}

#[test]
fn loopback_is_asked_directly() {
    let registry = Registry::start(Content::everything());
    let proxy = Proxy::start(&[]);
    let flag = for_every_host(&registry);
    let ran = run(&[("ALL_PROXY", &url(&proxy))], None, &[&flag]);
    assert_eq!(ran.succeeded(), pinned([WEB]));
    assert!(proxy.asked().is_empty());
}

#[test]
fn what_no_proxy_names_is_asked_directly() {
    let registry = Registry::start(Content::everything());
    let port = registry.address().rsplit(':').next().expect("it has a port");
    // An address of this machine that is not one of loopback.
    let host = format!("0.0.0.0:{port}");
    let flag = format!("--registry=*=http://{host}/{{host}}");
    for (no_proxy, is_direct) in [
        ("0.0.0.0", true),
        ("registry.example, 0.0.0.0/8", true),
        (&*host, true),
        ("*", true),
        ("", false),
        ("0.0.0.0:1", false),
        ("10.0.0.0/8", false),
        ("registry.example", false),
    ] {
        for variable in ["NO_PROXY", "no_proxy"] {
            let proxy = Proxy::start(&[(&host, &registry)]);
            let variables = [("HTTP_PROXY", &*url(&proxy)), (variable, no_proxy)];
            let ran = run(&variables, None, &[&flag]);
            assert_eq!(ran.succeeded(), pinned([WEB]), "{no_proxy}");
            assert_eq!(proxy.asked().is_empty(), is_direct, "{no_proxy}");
        }
    }
}

#[test]
fn a_proxy_and_a_registry_each_get_their_own_password() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [logins, report, log] = ["logins", "report", "log"].map(|name| folder.path().join(name));
    let login = json!({ "auths": { "registry.example": { "auth": auth("ann") } } });
    fs::write(&logins, login.to_string()).expect("writable");
    let flags = [
        format!("--auth-file={}", logins.display()),
        format!("--report={}", report.display()),
        format!("--log={}", log.display()),
        "-v".to_owned(),
    ];
    let mut flags: Vec<_> = flags.iter().map(String::as_str).collect();

    let content = || Content::everything().with_basic(&[Account::user("ann")]);
    let tls = Registry::start_tls(content());
    let proxy = Proxy::start_closed(&[("registry.example:443", &tls)], "bob");
    let ran = run(&[("HTTPS_PROXY", &url_of("bob", &proxy))], Some(&tls), &flags);
    assert_eq!(ran.succeeded(), pinned_web());
    let [tunnel] = &proxy.asked()[..] else { panic!("one tunnel") };
    assert_eq!(tunnel.proxy_authorization, Some(basic("bob")));
    assert_eq!(tunnel.authorization, None);
    assert_eq!(authorizations(&tls), [None, Some(basic("ann"))]);
    assert!(tls.requests().iter().all(|request| request.proxy_authorization.is_none()));

    let plain = Registry::start(content());
    let proxy = Proxy::start_closed(&[("registry.example", &plain)], "bob");
    flags.push("--plain-http=registry.example");
    let ran = run(&[("HTTP_PROXY", &url_of("bob", &proxy))], None, &flags);
    assert_eq!(ran.succeeded(), pinned_web());
    assert!(proxy.asked().iter().all(|asked| asked.proxy_authorization == Some(basic("bob"))));
    assert_eq!(authorizations(&plain), [None, Some(basic("ann"))]);

    // What is not asked through the proxy does not get its password either.
    let near = Registry::start(Content::everything());
    let flag = format!("--registry=registry.example={}", near.url());
    let flags = [&flags[..], &[&flag]].concat();
    let ran = run(&[("ALL_PROXY", &url_of("bob", &proxy))], None, &flags);
    assert_eq!(ran.succeeded(), pinned_web());
    assert!(near.requests().iter().all(|request| request.proxy_authorization.is_none()));
    for path in [report, log] {
        let text = fs::read_to_string(&path).expect("it was written");
        assert_tells_nothing(&path.display().to_string(), &text);
    }
}

#[test]
fn every_host_on_the_way_is_asked_through_the_proxy() {
    let realm = Some("https://token.example/token".to_owned());
    let rules = TokenRules { realm, ..TokenRules::default() };
    let registry = Registry::start_tls(Content::everything().with_tokens(rules));
    // It hands out its own tokens, whatever it is called.
    let hosts = [("registry.example:443", &registry), ("token.example:443", &registry)];
    let proxy = Proxy::start(&hosts);
    let ran = run(&[("HTTPS_PROXY", &url(&proxy))], Some(&registry), &[]);
    assert_eq!(ran.succeeded(), pinned_web());
    assert_eq!(proxy.lines(), [TUNNEL, "CONNECT token.example:443"]);
}

#[test]
fn a_proxy_that_does_not_know_us_is_status_4_at_once() {
    for (flag, prefix) in [("--retries=3", "HTTPS"), ("--plain-http=registry.example", "HTTP")] {
        let proxy = Proxy::start_closed(&[], "bob");
        for url in [url(&proxy), url_of("eve", &proxy)] {
            let before = proxy.asked().len();
            let variable = format!("{prefix}_PROXY");
            let ran = run(&[(&variable, &url)], None, &[flag]);
            let words =
                format!("407 Proxy Authentication Required from the proxy {}", proxy.address());
            assert_web_failed(prefix, &ran, 4, &words);
            let help = "check `HTTPS_PROXY` and `HTTP_PROXY`; their URLs contain user and password";
            assert!(ran.stderr.contains(help), "{}", ran.stderr);
            assert_eq!(proxy.asked().len() - before, 1, "asking again is no use");
        }
    }
}

#[test]
fn a_proxy_that_leads_nowhere_is_status_4() {
    let proxy = Proxy::start(&[]);
    let address = proxy.address();
    // Nobody listens on port 1, and nobody but root could.
    let nobody = format!("http://bob:{}@127.0.0.1:1", password("bob"));
    for (name, variable, url, flags, words) in [
        (
            "502 to CONNECT",
            "HTTPS_PROXY",
            &url_of("bob", &proxy),
            &[ONCE][..],
            format!("the proxy {address} refuses to connect to registry.example"),
        ),
        (
            "502",
            "HTTP_PROXY",
            &url_of("bob", &proxy),
            &[ONCE, "--plain-http=registry.example"],
            format!("502 Bad Gateway from registry.example:80, through the proxy {address}"),
        ),
        (
            "down",
            "HTTPS_PROXY",
            &nobody,
            &[ONCE],
            "no connection to the proxy 127.0.0.1:1: ".to_owned(),
        ),
        (
            "down",
            "HTTP_PROXY",
            &nobody,
            &[ONCE, "--plain-http=registry.example"],
            "no connection to the proxy 127.0.0.1:1: ".to_owned(),
        ),
    ] {
        let ran = run(&[(variable, url)], None, flags);
        assert_web_failed(name, &ran, 4, &words);
    }
}

#[test]
fn a_certificate_that_a_proxy_put_in_between_is_not_trusted() {
    let registry = Registry::start_tls(Content::everything());
    let proxy = Proxy::start(&[("registry.example:443", &registry)]);
    let ran = run(&[("HTTPS_PROXY", &url(&proxy))], None, &[ONCE]);
    let words = format!(
        "has signed the certificate of registry.example:443, through the proxy {}",
        proxy.address()
    );
    assert_web_failed("no authority", &ran, 4, &words);
}

#[test]
fn a_variable_that_names_no_proxy_is_status_2_and_is_not_shown() {
    for value in [format!("ftp://bob:{}@p", password("bob")), format!("{}@p:x", password("bob"))] {
        let said = run(&[("https_proxy", &value)], None, &[]).failed(2);
        assert!(said.contains("`https_proxy` is not the URL of a proxy"), "{said}");
        // Nobody is asked, so nobody is asked through it.
        assert_eq!(run(&[("https_proxy", &value)], None, &["--offline"]).status, 5);
    }
}

#[test]
fn a_mirror_behind_a_proxy_that_is_down_is_passed_over() {
    let registry = Registry::start(Content::everything());
    let flags = [for_every_host(&registry), "--mirror=*=https://registry.example/m".to_owned()];
    let ran = run(&[("HTTPS_PROXY", "http://127.0.0.1:1")], None, &flags.each_ref().map(|f| &**f));
    let words = "the mirror `registry.example` was skipped: no connection to the proxy 127.0.0.1:1";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned([WEB]));
}
