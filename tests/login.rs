//! Logging in for real: the reference registry, which asks for a password over TLS, with a login of an
//! auth file and with a real program on the PATH that knows one.

#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::accounts::{auth, base64, password};
use support::distribution::{RealRegistry, USER};
use support::{Ran, clients, command, finish, start};
use tempfile::TempDir;

const IMAGE: &str = "team/web:1";

/// Runs digestif on a Pod with [`IMAGE`], at home in a folder.
fn run(registry: &RealRegistry, home: &Path, before: &str) -> Ran {
    let ca_file = format!("--ca-file={}", registry.ca_file());
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = command([ca_file]);
    command.env("HOME", home).env("PATH", format!("{}:{path}", home.display()));
    finish(start(&mut command), (before.to_owned() + &pod(registry, "")).as_bytes())
}

fn pod(registry: &RealRegistry, digest: &str) -> String {
    let image = format!("{}/{IMAGE}{digest}", registry.address);
    format!("---\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n")
}

fn home(file: &Value) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(home.path().join(".docker")).expect("writable");
    fs::write(home.path().join(".docker/config.json"), file.to_string()).expect("writable");
    home
}

#[test]
fn the_real_registry_opens_to_those_who_know_the_password() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start_closed(clients);
    let digest = format!("@{}", registry.fill(&[IMAGE])[IMAGE]);
    let entry = |user: &str| json!({ "auths": { &*registry.address: { "auth": auth(user) } } });

    let with_auths = home(&entry(USER));
    assert_eq!(run(&registry, with_auths.path(), "").succeeded(), pod(&registry, &digest));

    let with_helper = home(&json!({ "credHelpers": { &*registry.address: "test" } }));
    let program = with_helper.path().join("docker-credential-test");
    let answer = json!({ "ServerURL": "x", "Username": USER, "Secret": password(USER) });
    // It knows this registry and no other. A child writes it, so that nobody has it open when it runs.
    let script = format!(
        "#!/bin/sh\nread -r server\n[ \"$1 $server\" = 'get {}' ] || exit 1\necho '{answer}'\n",
        registry.address
    );
    let written = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$0\" && chmod +x \"$0\""])
        .args([program.as_os_str(), script.as_ref()])
        .status();
    assert!(written.expect("every Unix has it").success());
    assert_eq!(run(&registry, with_helper.path(), "").succeeded(), pod(&registry, &digest));

    let nobody = home(&json!({}));
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: pull}}\ntype: kubernetes.io/dockerconfigjson\ndata: {{.dockerconfigjson: {}}}\n",
        base64(entry(USER).to_string())
    );
    let stdout = run(&registry, nobody.path(), &secret).succeeded();
    assert_eq!(stdout, secret + &pod(&registry, &digest));

    for (home, words) in [
        (nobody, "(denied: 401 Unauthorized from localhost:"),
        (home(&entry("bob")), "/.docker/config.json is refused)"),
    ] {
        let said = run(&registry, home.path(), "").failed(6);
        assert!(said.contains(words), "{said}");
    }
}
