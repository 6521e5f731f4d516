//! The log of requests, with `-vv`.

use std::fs;

use serde_json::json;

use crate::support::accounts::{Account, auth};
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::{Ran, digestif, for_every_host};
use crate::{WEB, pinned, pods, run};

/// The lines of the log, without the time at their ends, which differs.
fn log(ran: &Ran) -> Vec<&str> {
    let lines = ran.stderr.lines().filter(|line| line.contains("://"));
    lines
        .filter_map(|line| line.strip_suffix(" ms")?.rsplit_once(", "))
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn every_request_is_a_line_with_its_url_status_and_connection() {
    let rules = TokenRules { accounts: vec![Account::user("ann")], ..TokenRules::default() };
    let registry = Registry::start(Content::everything().with_tokens(rules));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.json");
    let logins = json!({ "auths": { registry.address(): { "auth": auth("ann") } } });
    fs::write(&file, logins.to_string()).expect("writable");
    let logins = format!("--auth-file={}", file.display());
    let ran = run(&registry, &[&logins, "-vv"], &pods([WEB]));
    let url = registry.url();
    let head = format!("digestif: HEAD {url}/v2/registry.example/acme/web/manifests/1");
    let scope = "scope=repository:registry.example/acme/web:pull";
    let lines = log(&ran);
    let [first, token, last] = &lines[..] else { panic!("three requests: {}", ran.stderr) };
    assert_eq!(*first, format!("{head}: 401 over HTTP/1.1, new connection"));
    assert!(token.starts_with(&format!("digestif: GET {url}/token?")), "{token}");
    assert!(token.contains(scope) && token.contains(": 200 over HTTP/1.1, "), "{token}");
    assert!(last.starts_with(&format!("{head}: 200 over HTTP/1.1, ")), "{last}");
    assert!(lines.iter().any(|line| line.ends_with("reused connection")), "{lines:?}");
    assert_eq!(ran.succeeded(), pinned([WEB]));
    for flags in [&["-v"][..], &[], &["-q"]] {
        assert!(log(&run(&registry, &[&[&*logins], flags].concat(), &pods([WEB]))).is_empty());
    }
}

#[test]
fn a_failed_run_logs_its_requests_too_and_no_signature() {
    let path = "/v2/registry.example/acme/web/manifests/1";
    let fault = Fault::on("elsewhere", Misbehaviour::Status(403, Vec::new(), String::new()));
    let target = Registry::start(Content::everything().with_fault(fault));
    let to = format!("{}/elsewhere{path}?X-Signature=NeverShowThisSecret", target.url());
    let redirect = Fault::on("acme/web", Misbehaviour::RedirectTo(to));
    let registry = Registry::start(Content::everything().with_fault(redirect));
    let args = [for_every_host(&registry), "-vv".to_owned(), "--retries=0".to_owned()];
    let ran = digestif(&args, pods([WEB]));
    assert!(ran.status != 0 && ran.stderr.contains("?X-Signature=…: 403"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("NeverShow"), "{}", ran.stderr);
}

#[test]
fn a_request_without_an_answer_is_logged_with_the_reason() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let free = listener.local_addr().expect("it is bound");
    drop(listener);
    let flag = format!("--registry=*=http://{free}");
    let ran = digestif([flag.as_str(), "-vv", "--retries=0"], pods([WEB]));
    let lines = log(&ran);
    assert!(lines.iter().any(|line| line.contains("Connection refused")), "{}", ran.stderr);
}
