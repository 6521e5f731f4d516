//! Credential helpers: real programs, on the PATH of the run.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{Machine, auths, basic, count, pinned, read, tokens};
use crate::support::accounts::{Account, password};
use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::support::start;
use crate::{WEB, pods};

const NOT_FOUND: &str = "echo credentials not found in native keychain; exit 1";

/// A machine with these helpers, each a name and the lines of a shell script, and Docker's file.
pub(crate) fn machine(content: Content, helpers: &[(&str, &str)], file: &Value) -> Machine {
    let machine = Machine::with_docker(content, file);
    fs::create_dir_all(machine.path("bin")).expect("writable");
    for (name, script) in helpers {
        let path = machine.path(&format!("bin/docker-credential-{name}"));
        let log = machine.path("log").display().to_string();
        let script = script.replace("LOG", &format!("echo \"$1 $(cat)\" >> '{log}'"));
        // Written by a child, so that no other test's child can have it open while it is started.
        let written = Command::new("sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\""])
            .args([path.as_os_str(), script.as_ref()])
            .status();
        assert!(written.expect("every Unix has it").success());
    }
    machine
}

/// The lines that answer with a user.
pub(crate) fn knows(user: &str) -> String {
    answers(user, &password(user))
}

fn answers(user: &str, secret: &str) -> String {
    let answer = json!({ "ServerURL": "x", "Username": user, "Secret": secret });
    format!("LOG; printf '%s' '{answer}'")
}

/// What the helpers were asked, sorted: hosts are asked at the same time.
pub(crate) fn asked(machine: &Machine) -> Vec<String> {
    let log = read(machine.path("log"));
    let mut lines: Vec<_> = log.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn one(name: &str) -> Value {
    json!({ "credHelpers": { "registry.example": name } })
}

#[test]
fn a_helper_is_asked_once_for_each_registry() {
    for file in [
        json!({ "credsStore": "x" }),
        json!({ "credHelpers": { "registry.example": "x", "quay.example": "x", "docker.io": "x" } }),
        json!({
            "credsStore": "x",
            "credHelpers": { "https://index.docker.io/v1/": "x", "registry.example": "x" },
        }),
    ] {
        let of = |host: &str| (0..20).map(|n| format!("{host}/acme/app-{n}:1")).collect::<Vec<_>>();
        let images: Vec<_> =
            ["registry.example", "quay.example", "docker.io"].into_iter().flat_map(of).collect();
        for content in [basic(&[Account::user("ann")]), tokens(&[Account::user("ann")])] {
            let machine = machine(content, &[("x", &knows("ann"))], &file);
            let ran = machine.run(&[], &pods(&images));
            assert_eq!(ran.succeeded(), pinned(&images));
            let expected =
                ["get https://index.docker.io/v1/", "get quay.example", "get registry.example"];
            assert_eq!(asked(&machine), expected);
        }
    }
}

#[test]
fn a_host_without_a_helper_asks_none() {
    let file = json!({ "credHelpers": { "quay.example": "x" } });
    let machine = machine(basic(&[]), &[("x", &knows("ann"))], &file);
    machine.run(&[], &pods([WEB])).failed(6);
    assert!(!machine.path("log").exists());
}

#[test]
fn a_helper_is_asked_for_a_login_only_if_something_is_closed_or_missing() {
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/app-{n}:1")).collect();
    let open = machine(Content::everything(), &[("x", &knows("ann"))], &one("x"));
    let said = open.run(&[], &pods(&images)).stderr;
    assert!(!open.path("log").exists() && !said.contains("docker-credential"), "{said}");
    // Some registries hide what is private behind a 404 or 403 without a challenge.
    let refusing = Fault::on("", Misbehaviour::ErrorCode(403, "DENIED"));
    for (content, status) in
        [(Content::of(&[]), 1), (Content::everything().with_fault(refusing), 6)]
    {
        let machine = machine(content, &[("x", &knows("ann"))], &one("x"));
        machine.run(&[], &pods(&images)).failed(status);
        assert_eq!(asked(&machine), ["get registry.example"]);
    }
}

#[test]
fn within_a_file_helpers_are_asked_before_the_store_and_the_store_before_the_entries() {
    let mut file = auths(&[("registry.example", "entry"), ("registry.example/acme", "path")]);
    file["credHelpers"] = json!({ "registry.example": "x" });
    file["credsStore"] = json!("y");
    let helpers = [("x", knows("helper")), ("y", knows("store"))];
    let helpers = helpers.each_ref().map(|(name, script)| (*name, script.as_str()));
    let machine = machine(basic(&[]), &helpers, &file);
    machine.run(&[], &pods([WEB])).failed(6);
    assert_eq!(machine.asked_as(), ["nobody", "path", "helper", "store", "entry", "nobody"]);
}

#[test]
fn what_a_helper_does_not_know_is_asked_elsewhere() {
    let mut file = auths(&[("registry.example", "ann")]);
    file["credsStore"] = json!("x");
    for script in [NOT_FOUND, "printf '{\"Username\":\"\",\"Secret\":\"\"}'"] {
        let machine = machine(basic(&[Account::user("ann")]), &[("x", script)], &file);
        let said = machine.pin_web(&[]);
        assert_eq!(count(&said, "warning"), 0, "{said}");
        assert_eq!(machine.asked_as(), ["nobody", "ann"]);
    }
}

#[test]
fn a_helper_may_know_an_identity_token() {
    let machine = machine(
        tokens(&[Account::identity("ann")]),
        &[("x", &answers("<token>", &password("ann")))],
        &one("x"),
    );
    machine.pin_web(&[]);
    assert_eq!(machine.asked_for_tokens(), ["POST /token"]);
}

#[test]
fn what_is_wrong_with_a_helper_is_said_and_stands_in_nobodys_way() {
    let secret = password("ann");
    let tells = format!("echo '{{\"Username\":\"ann\",\"Secret\":\"{secret}\"}}'");
    let told = format!("{tells} >&2; exit 1");
    let failed = format!("{tells}; exit 1");
    let traced = format!("set -x; {tells} > /dev/null; exit 1");
    let half = format!("printf '{{\"Username\":\"ann\",\"Secret\":\"{secret}'");
    let garbage = format!("echo {secret}");
    let numbers = format!("printf '{{\"Username\":1,\"Secret\":\"{secret}\"}}'");
    for (name, script, words) in [
        (
            "stderr",
            "echo the token has expired >&2; exit 1",
            "exit status: 1: the token has expired",
        ),
        ("stdout", "echo hunter2; exit 3", "exit status: 3: its message can't be shown"),
        ("colour", "printf '\\033[31mred' >&2; exit 1", "exit status: 1: \\u{1b}[31mred"),
        ("silence", "exit 1", "exit status: 1: its message can't be shown"),
        ("its answer on stdout", &failed, "exit status: 1: its message can't be shown"),
        ("its answer on stderr", &told, "exit status: 1: its message can't be shown"),
        ("a trace", &traced, "exit status: 1: its message can't be shown"),
        ("a signal", "kill -9 $$", "signal: 9 (SIGKILL): its message can't be shown"),
        ("nothing", "cat > /dev/null", "its answer is not JSON with Username and Secret"),
        ("garbage", &garbage, "its answer is not JSON with Username and Secret"),
        ("half an answer", &half, "its answer is not JSON with Username and Secret"),
        ("numbers", &numbers, "its answer is not JSON with Username and Secret"),
        ("no end", "exec yes", "signal: 13 (SIGPIPE): "),
    ] {
        let failing = format!("docker-credential-x failed: {words}");
        // In vain, and with what anybody may read.
        let refused = machine(tokens(&[Account::user("another")]), &[("x", script)], &one("x"));
        let said = refused.run(&[], &pods([WEB])).failed(6);
        assert!(said.contains(&failing) && said.len() < 1500, "{name}: {said:.2000}");
        let open = machine(tokens(&[Account::nobody()]), &[("x", script)], &one("x"));
        let said = open.pin_web(&[]);
        let warning = format!("warning: a login did not work: {failing}");
        assert!(said.starts_with(&warning) && count(&said, "warning") == 1, "{name}: {said:.2000}");
    }
}

#[test]
fn a_helper_that_is_not_there_stands_in_nobodys_way() {
    let machine = machine(tokens(&[Account::nobody()]), &[], &one("nowhere"));
    let said = machine.pin_web(&[]);
    let words = "warning: a login did not work: docker-credential-nowhere is not on the PATH\n";
    assert!(said.starts_with(words), "{said}");
}

#[test]
fn a_store_that_is_not_there_hides_no_entry() {
    let mut file = auths(&[("registry.example", "ann")]);
    file["credsStore"] = json!("desktop");
    let machine = machine(basic(&[Account::user("ann")]), &[], &file);
    let said = machine.pin_web(&[]);
    assert_eq!(machine.asked_as(), ["nobody", "ann"]);
    let words = "warning: a login did not work: docker-credential-desktop is not on the PATH\n";
    assert!(said.starts_with(words), "{said}");
    // The images were found with another login, and not without any.
    assert!(said.contains("; the images were found without it\n"), "{said}");
}

#[test]
fn a_helper_is_a_name_and_no_path() {
    for name in ["../x", "/bin/sh", "a b", "x;y", "$(x)", "x\n", "ä"] {
        for file in [one(name), json!({ "credsStore": name })] {
            let machine = machine(Content::everything(), &[], &file);
            let said = machine.run(&[], &pods([WEB])).failed(2);
            let words = "error: the auth file can't be used: a helper is named by letters";
            assert!(said.starts_with(words), "{name}: {said}");
        }
    }
}

#[test]
fn a_helper_may_answer_before_it_is_asked() {
    let script = knows("ann").replace("LOG; ", "exec <&-; ");
    let machine = machine(basic(&[Account::user("ann")]), &[("x", &script)], &one("x"));
    machine.pin_web(&[]);
}

/// Whether a process runs; one that has ended and that nobody has waited for does not.
#[cfg(target_os = "linux")]
fn is_running(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// A signal takes its time to arrive.
#[cfg(target_os = "linux")]
fn ends(process: &str) -> bool {
    let started = std::time::Instant::now();
    while is_running(process) && started.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    !is_running(process)
}

#[cfg(target_os = "linux")]
#[test]
fn a_helper_that_hangs_is_ended_in_time_to_ask_without_it() {
    let script = "echo $$ > \"$HOME/process\"; exec sleep 600";
    for (content, status) in [(tokens(&[Account::nobody()]), 0), (tokens(&[Account::user("b")]), 6)]
    {
        let machine = machine(content, &[("x", script)], &one("x"));
        let ran = machine.run(&["--timeout=1"], &pods([WEB]));
        assert_eq!(ran.status, status, "{}", ran.stderr);
        let words = "docker-credential-x gave no answer within 0.3 s";
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        // Where all is slow, it has been ended before it could say who it is.
        if let Ok(process) = fs::read_to_string(machine.path("process")) {
            assert!(!is_running(process.trim()));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_helper_too() {
    let script = "echo $$ > \"$HOME/process.new\"; mv \"$HOME/process.new\" \"$HOME/process\"; exec sleep 600";
    let machine = machine(tokens(&[Account::nobody()]), &[("x", script)], &one("x"));
    let mut child = start(&mut machine.command(&[], &[]));
    let stdin = child.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut { stdin }, pods([WEB]).as_bytes()).expect("it is read");
    while !machine.path("process").exists() {
        std::thread::yield_now();
    }
    let sent = Command::new("kill").arg(child.id().to_string()).status();
    assert!(sent.expect("every Unix has it").success());
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(143));
    assert!(ends(read(machine.path("process")).trim()));
}

#[test]
fn helpers_of_two_files_are_asked_in_turn() {
    let helpers = [("x", knows("old")), ("y", knows("ann"))];
    let helpers = helpers.each_ref().map(|(name, script)| (*name, script.as_str()));
    let machine = machine(tokens(&[Account::user("ann")]), &helpers, &one("y"));
    machine.write(".config/containers/auth.json", json!({ "credsStore": "x" }).to_string());
    let said = machine.pin_web(&[]);
    let words = "the login for registry.example from docker-credential-x is refused";
    assert!(said.starts_with(&format!("warning: a login did not work: {words}\n")), "{said}");
    assert_eq!(asked(&machine), ["get registry.example"; 2]);
}
