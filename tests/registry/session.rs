//! One session per run: resolving, looking into images and drift share the deadline, logins, tokens
//! and what was learned of hosts.

use serde_json::json;

use crate::credentials::{Machine, auths, basic, count};
use crate::support::accounts::Account;
use crate::support::registry::{Content, Fault, Misbehaviour, Registry};
use crate::{WEB, pods, run};

const PLATFORM: &str = "--require-platform=linux/amd64";

#[test]
fn the_timeout_is_the_budget_of_all_stages_together() {
    let slow = "registry.example/acme/slow:1";
    let fault = Fault::on("acme/slow", Misbehaviour::Hang);
    let registry = Registry::start(Content::everything().with_fault(fault));
    let said = run(&registry, &[PLATFORM, "--timeout=2"], &pods([slow, WEB])).failed(4);
    // The first stage has used it up, so that the second one asks nothing.
    assert!(said.contains(&format!("`{slow}` could not be resolved")), "{said}");
    assert!(said.contains(&format!("`{WEB}` could not be inspected")), "{said}");
    let requests = registry.requests();
    assert!(requests.iter().all(|request| request.method == "HEAD"), "{requests:?}");
}

#[test]
fn a_stage_that_stalls_ends_with_the_run_s_budget() {
    let stalls = Fault::on("manifests", Misbehaviour::Hang).method("GET");
    let registry = Registry::start(Content::everything().with_fault(stalls));
    let said = run(&registry, &[PLATFORM, "--timeout=2"], &pods([WEB])).failed(4);
    assert!(said.contains("no answer within the time of `--timeout`"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_helper_runs_once_for_all_stages() {
    use crate::credentials::helpers::{asked, knows, machine};

    let file = json!({ "credHelpers": { "registry.example": "x" } });
    let machine = machine(basic(&[Account::user("ann")]), &[("x", &knows("ann"))], &file);
    let ran = machine.run(&[PLATFORM, "--verify"], &pods([WEB]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(asked(&machine), ["get registry.example"]);
}

#[test]
fn a_login_that_was_rejected_is_not_sent_again_by_a_later_stage() {
    let file = auths(&[("registry.example/acme", "stale"), ("registry.example", "ann")]);
    let machine = Machine::with_docker(basic(&[Account::user("ann")]), &file);
    let ran = machine.run(&[PLATFORM], &pods([WEB]));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let stale = machine.asked_as().into_iter().filter(|user| user == "stale");
    assert_eq!(stale.count(), 1);
    assert_eq!(count(&ran.stderr, "warning"), 1, "{}", ran.stderr);
}
