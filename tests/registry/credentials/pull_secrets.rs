//! Pull secrets: the logins that come with the manifests.

use serde_json::{Value, json};

use super::{Machine, auths, basic, count, pinned, tokens};
use crate::support::accounts::{Account, auth, base64, password};
use crate::support::registry::Content;
use crate::{WEB, pods};

const NEW: (&str, &str) = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
const OLD: (&str, &str) = ("kubernetes.io/dockercfg", ".dockercfg");

/// A Secret with this text under this key, as base64.
fn secret((kind, key): (&str, &str), text: &impl ToString) -> String {
    let text = base64(text.to_string());
    of(kind, &format!("data:\n  {key}: {text}"))
}

fn of(kind: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: pull\n  namespace: prod\ntype: {kind}\n{rest}\n"
    )
}

/// A pull secret with this user for this registry.
fn for_user(host: &str, user: &str) -> String {
    secret(NEW, &auths(&[(host, user)]))
}

fn machine(accounts: &[Account]) -> Machine {
    Machine::new(basic(accounts))
}

fn ann() -> Machine {
    machine(&[Account::user("ann")])
}

#[test]
fn a_pull_secret_of_the_stream_opens_its_registry() {
    let file = auths(&[("registry.example", "ann")]);
    let entries = &file["auths"];
    let folded = base64(file.to_string());
    let (first, rest) = folded.split_at(40);
    let text = |key: &str, text: &Value| format!("stringData:\n  {key}: '{text}'");
    for (name, secret) in [
        ("new", secret(NEW, &file)),
        ("old", secret(OLD, &entries)),
        ("new, as text", of(NEW.0, &text(NEW.1, &file))),
        ("old, as text", of(OLD.0, &text(OLD.1, entries))),
        ("as a block", of(NEW.0, &format!("stringData:\n  {}: |\n    {file}", NEW.1))),
        ("on two lines", of(NEW.0, &format!("data:\n  {}: |\n    {first}\n    {rest}", NEW.1))),
        ("folded", of(NEW.0, &format!("data:\n  {}: >-\n    {first}\n    {rest}", NEW.1))),
        ("quoted", of(NEW.0, &format!("data: {{\"{}\": \"{folded}\"}}", NEW.1))),
        ("text over data", of(NEW.0, &format!("{}\ndata:\n  {}: bm8=", text(NEW.1, &file), NEW.1))),
        ("behind an alias", of(NEW.0, &format!("x: &it\n  {}: {folded}\ndata: *it", NEW.1))),
        ("two fields", {
            let entry = json!({ "username": "ann", "password": password("ann"), "email": "a@b.c" });
            secret(NEW, &json!({ "auths": { "https://registry.example/v1/": entry } }))
        }),
    ] {
        for (before, after) in [(secret.as_str(), ""), ("", secret.as_str())] {
            let machine = ann();
            let ran = machine.run(&[], &format!("{before}{}{after}", pods([WEB])));
            let expected = format!("{before}{}{after}", pinned([WEB]));
            assert_eq!((ran.status, ran.stdout), (0, expected), "{name}: {}", ran.stderr);
            assert_eq!(count(&ran.stderr, "warning"), 0, "{name}: {}", ran.stderr);
            assert_eq!(machine.asked_as(), ["nobody", "ann"], "{name}");
        }
    }
}

#[test]
fn a_secret_comes_out_byte_for_byte() {
    let secret = for_user("registry.example", "ann");
    let secret =
        secret.replace("\ndata:", "\n# kept\r\ndata:   # kept").replace("type: ", "type:   ");
    let stream = format!("\u{feff}{secret}{}", pods([WEB]));
    let stdout = ann().run(&[], &stream).succeeded();
    assert_eq!(stdout, format!("\u{feff}{secret}{}", pinned([WEB])));
}

#[test]
fn pull_secrets_are_found_in_lists() {
    let indent = |text: &str| {
        let lines = text.lines().filter(|line| *line != "---").enumerate();
        lines
            .map(|(n, line)| format!("{}{line}\n", if n == 0 { "- " } else { "  " }))
            .collect::<String>()
    };
    let secret = indent(&for_user("registry.example", "ann"));
    let list = |pods: &str| format!("apiVersion: v1\nkind: List\nitems:\n{secret}{}", indent(pods));
    assert_eq!(ann().run(&[], &list(&pods([WEB]))).succeeded(), list(&pinned([WEB])));

    let list = format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{secret}{}",
        indent(&pods([WEB]))
    );
    let machine = ann();
    let stdout = machine.run(&[], &list).succeeded();
    assert!(stdout.contains(&secret) && stdout.contains(&indent(&pinned([WEB]))), "{stdout}");
    let refused = machine.run(&[], &list.replace("registry.example/", "quay.example/"));
    assert_eq!(refused.status, 6);
    assert!(refused.stdout.contains(&secret), "{}", refused.stdout);
}

#[test]
fn the_pull_secrets_of_all_files_are_pooled() {
    let machine = ann();
    machine.write("a/pod.yaml", pods([WEB]));
    machine.write("b/secret.yaml", for_user("registry.example", "ann"));
    machine.run(&["-f", "~/a", "-f", "~/b", "-o", "~/out.yaml"], "").succeeded();
    let expected = format!("{}{}", pinned([WEB]), for_user("registry.example", "ann"));
    assert_eq!(super::read(machine.path("out.yaml")), expected);
}

#[test]
fn pull_secrets_for_one_registry_are_tried_in_turn_and_after_auth_files() {
    let machine = machine(&[Account::user("ann")]);
    let docker = auths(&[("registry.example", "docker"), ("quay.example", "other")]);
    machine.write(".docker/config.json", docker.to_string());
    let secrets = ["old", "older", "ann"].map(|user| for_user("registry.example", user)).concat();
    let ran = machine.run(&[], &format!("{secrets}{}", pods([WEB])));
    assert_eq!(ran.stdout, format!("{secrets}{}", pinned([WEB])));
    assert_eq!(machine.asked_as(), ["nobody", "docker", "old", "older", "ann"]);
    let words = "the login for registry.example from Secret prod/pull is refused";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn pull_secrets_never_keep_a_login_of_the_user_from_its_turn() {
    // Each is for a more specific path than the user's own login.
    let user = |n: usize| for_user("registry.example/acme/web", &format!("user-{n}"));
    let secrets: String = (0..8).map(user).collect();
    let machine = machine(&[Account::user("ann")]);
    machine.write(".docker/config.json", auths(&[("registry.example", "ann")]).to_string());
    machine.run(&[], &format!("{secrets}{}", pods([WEB]))).succeeded();
    assert_eq!(machine.asked_as(), ["nobody", "ann"]);
}

#[test]
fn a_pull_secret_that_is_in_every_namespace_is_tried_once() {
    let machine = machine(&[]);
    let secret = for_user("registry.example", "old");
    let secrets: String = (0..50).map(|n| secret.replace("prod", &format!("team-{n}"))).collect();
    let said = machine.run(&[], &format!("{secrets}{}", pods([WEB]))).failed(6);
    assert_eq!(machine.asked_as(), ["nobody", "old", "nobody"]);
    assert_eq!(said.matches("is refused").count(), 1, "{said}");
}

#[test]
fn a_stream_of_logins_is_no_storm_of_requests() {
    let machine = machine(&[]);
    let user = |n: usize| for_user("registry.example", &format!("user-{n}"));
    let secrets: String = (0..200).map(user).collect();
    let said = machine.run(&[], &format!("{secrets}{}", pods([WEB]))).failed(6);
    assert!(said.contains("; 192 more logins are not tried)"), "{said}");
    assert_eq!(machine.asked_as().len(), 1 + 8 + 1);
    // Those for other repositories are none of its business.
    let other = |n: usize| for_user(&format!("registry.example/team-{n}"), "other");
    let secrets: String = (0..200).map(other).collect::<String>() + &user(0);
    let machine = Machine::new(basic(&[Account::user("user-0")]));
    machine.run(&[], &format!("{secrets}{}", pods([WEB]))).succeeded();
    assert_eq!(machine.asked_as(), ["nobody", "user-0"]);
}

#[test]
fn the_more_specific_pull_secret_is_the_first() {
    let machine = machine(&[]);
    let keys =
        ["*.example", "registry.example", "registry.example/acme", "registry.example/acme/web"];
    let secrets: String = ["glob", "host", "team", "app"]
        .iter()
        .zip(keys)
        .map(|(user, key)| for_user(key, user))
        .collect();
    machine.run(&[], &format!("{secrets}{}", pods([WEB]))).failed(6);
    assert_eq!(machine.asked_as(), ["nobody", "app", "team", "host", "glob", "nobody"]);
}

#[test]
fn a_host_may_be_a_glob_as_kubelets_read_it() {
    for (key, image, opens) in [
        ("*.mirror.example", "a.mirror.example/x:1", true),
        ("https://*.mirror.example", "a.mirror.example/x:1", true),
        ("a.*.example", "a.mirror.example/x:1", true),
        ("*.*.*", "a.mirror.example/x:1", true),
        ("*.mi*r.ex*mp*", "a.mirror.example/x:1", true),
        ("*.mirror.example/x", "a.mirror.example/x:1", true),
        ("*.mirror.example/y", "a.mirror.example/x:1", false),
        ("*.example", "a.mirror.example/x:1", false),
        ("*", "a.mirror.example/x:1", false),
        ("*.mirror.example:5000", "a.mirror.example/x:1", false),
        ("*.mirror.example.*", "a.mirror.example/x:1", false),
        ("*.mirror.exampl", "a.mirror.example/x:1", false),
        ("*.irror.example", "a.mirror.example/x:1", false),
    ] {
        let machine = ann();
        let stream = for_user(key, "ann") + &pods([image]);
        let status = machine.run(&[], &stream).status;
        assert_eq!(status == 0, opens, "{key}");
        assert_eq!(machine.asked_as().contains(&"ann".to_owned()), opens, "{key}");
    }
}

#[test]
fn a_pull_secret_that_cannot_be_read_is_a_warning_that_shows_nothing() {
    let secret_text = password("ann");
    let entry = |entry: Value| json!({ "auths": { "registry.example": entry } });
    for (name, secret) in [
        ("no base64", of(NEW.0, &format!("data:\n  {}: '{secret_text}!'", NEW.1))),
        ("no text", of(NEW.0, &format!("data:\n  {}: /w==", NEW.1))),
        ("no JSON", secret(NEW, &secret_text)),
        ("cut off", secret(NEW, &&auths(&[("registry.example", "ann")]).to_string()[..50])),
        ("an entry of no form", secret(NEW, &entry(json!(secret_text)))),
        ("no login", secret(NEW, &entry(json!({ "auth": base64(&secret_text) })))),
        ("a mapping", of(NEW.0, &format!("stringData:\n  {}: {{a: {secret_text}}}", NEW.1))),
        ("a number", of(NEW.0, &format!("data:\n  {}: 12", NEW.1))),
        ("a placeholder", of(NEW.0, &format!("data:\n  {}: $(params.{secret_text})", NEW.1))),
    ] {
        let machine = Machine::new(tokens(&[Account::nobody()]));
        let ran = machine.run(&[], &format!("{secret}{}", pods([WEB])));
        assert_eq!(ran.stdout, format!("{secret}{}", pinned([WEB])), "{name}: {}", ran.stderr);
        let line =
            secret.lines().position(|line| line.contains(".docker")).expect("it is there") + 1;
        let expected = "warning: the pull secret has no readable logins\n";
        assert!(ran.stderr.starts_with(expected), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("--> <stdin>:{line}:")), "{name}: {}", ran.stderr);
        assert_eq!(count(&ran.stderr, "warning"), 1, "{name}: {}", ran.stderr);
    }
}

#[test]
fn secrets_of_another_type_stay_closed() {
    let file = auths(&[("registry.example", "ann")]);
    let good = secret(NEW, &file);
    for (name, secret) in [
        ("opaque", good.replace(NEW.0, "Opaque")),
        ("no type", good.replace(&format!("type: {}\n", NEW.0), "")),
        ("the other type", good.replace(NEW.0, OLD.0)),
        ("the other key", good.replace(NEW.1, OLD.1)),
        ("another kind", good.replace("kind: Secret", "kind: ConfigMap")),
        ("another group", good.replace("apiVersion: v1", "apiVersion: example.com/v1")),
        ("a type that is no text", good.replace(NEW.0, "[a]")),
        ("nothing in it", of(NEW.0, "data: {}")),
        ("sealed", good.replace("kind: Secret", "kind: SealedSecret")),
        ("broken, but opaque", of("Opaque", &format!("data:\n  {}: '?'", NEW.1))),
    ] {
        let machine = ann();
        let ran = machine.run(&[], &format!("{secret}{}", pods([WEB])));
        let said = ran.failed(6);
        assert_eq!(count(&said, "warning"), 0, "{name}: {said}");
        assert_eq!(machine.asked_as(), ["nobody"], "{name}");
    }
}

#[test]
fn a_pull_secret_runs_no_program() {
    let machine = Machine::new(tokens(&[Account::nobody()]));
    let marks = format!("#!/bin/sh\necho ran > '{}'\n", machine.path("log").display());
    machine.write("bin/docker-credential-x", marks);
    assert!(
        std::process::Command::new("chmod")
            .args(["+x", "bin/docker-credential-x"])
            .current_dir(machine.path("."))
            .status()
            .expect("every Unix has it")
            .success()
    );
    for file in [
        json!({ "credsStore": "x", "auths": {} }),
        json!({ "credHelpers": { "registry.example": "x" } }),
        json!({ "credsStore": "../../x", "auths": { "registry.example": { "auth": auth("old") } } }),
    ] {
        let stream = secret(NEW, &file) + &pods([WEB]);
        let said = machine.run(&[], &stream).stderr;
        assert!(!said.contains("docker-credential"), "{said}");
    }
    assert!(!machine.path("log").exists());
}

#[test]
fn explaining_an_image_needs_no_stream() {
    let machine = Machine::with_docker(
        Content::everything().with_basic(&[Account::user("ann")]),
        &auths(&[("registry.example", "ann")]),
    );
    let explained = machine.run(&["explain", WEB, "--format=json"], "").succeeded();
    assert!(explained.contains("\"pinned\""), "{explained}");
}
