//! What people type on the first day, and the hint that each slip gets.

mod support;

use std::fs;

use support::{command, finish, start};

const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - image: a:1\n";

/// A run in a folder with `web.yaml` and an empty folder `deploy`; no registry can be reached.
fn said(args: &[&str], env: &[(&str, &str)]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("web.yaml"), POD).expect("writable");
    fs::create_dir(folder.path().join("deploy")).expect("writable");
    let mut command = command(args);
    command.env("DIGESTIF_REGISTRY", "*=http://127.0.0.1:1").env("DIGESTIF_RETRIES", "0");
    let child = start(command.envs(env.iter().copied()).current_dir(folder.path()));
    let ran = finish(child, b"");
    let left = fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(left, 2, "{args:?}: nothing is written");
    (ran.status, ran.stderr)
}

#[test]
fn each_slip_gets_the_way_to_say_it() {
    for (args, hint) in [
        (&["--dry-run", "web.yaml"][..], "`--diff` shows what would change"),
        (&["-n", "web.yaml"], "`--diff` shows what would change"),
        (&["pin", "web.yaml"], "digestif pins without a command"),
        (&["fix", "web.yaml"], "`-i` rewrites files"),
        (&["diff", "web.yaml"], "`digestif --diff` shows what would change"),
        (&["validate", "web.yaml"], "`digestif check` reports what is wrong"),
        (&["list", "web.yaml"], "`digestif images` lists the images"),
        (&["imagse", "web.yaml"], "did you mean `digestif images`?"),
        (&["completion", "bash"], "did you mean `digestif completions`?"),
        (&["login"], "the logins of `docker login`"),
        (&["help"], "`digestif --help` shows all flags"),
        (&["--update", "nginx", "web.yaml"], "write `--update=nginx`"),
        (&["--update", "docker.io/library/*", "web.yaml"], "write `--update=docker.io/library/*`"),
        (&["--deny-mutable", "versions", "web.yaml"], "write `--deny-mutable=versions`"),
        (&["nothere.yaml"], "check the path"),
        (&["deploy/*.yaml"], "digestif expands no globs"),
        (&["https://example.com/web.yaml"], "`curl -fsSL https://example.com/web.yaml | digestif`"),
        (&["nginx:1.27"], "`digestif explain nginx:1.27`"),
        (&["-o", "json", "web.yaml"], "`-o` takes a file, and `json` is a format"),
        (&["check", "--report", "sarif", "web.yaml"], "`--report-format` sets the format"),
        (&["check", "--format", "sarif", "web.yaml"], "`--report-format json` sets the format"),
        (&["--drift", "web.yaml"], "`--drift` is a flag of `digestif check`"),
        (&["check", "-i", "web.yaml"], "`-i` is a flag of `digestif` without a command"),
        (
            &["check", "--update", "web.yaml"],
            "`--update` is a flag of `digestif` without a command",
        ),
        (&["-diff", "web.yaml"], "write it with two dashes: `--diff`"),
        (&["--username", "bob", "web.yaml"], "log in with `docker login HOST`"),
        (&["--namespace", "shop", "web.yaml"], "digestif reads manifests and no cluster"),
        (&["--tls-verify=false", "web.yaml"], "`--insecure HOST`"),
        (&["--timeout", "5parsecs", "web.yaml"], "such as `45`, `45s` or `5m`"),
        (&["--layout", "nothere", "web.yaml"], "help: check the path\n"),
        (&["--registry", "harbor.corp", "web.yaml"], "expected HOST=URL"),
        (&["--expect", "nginx", "web.yaml"], "`nginx` is not REPOSITORY=TAG"),
        (&["--include", "all", "web.yaml"], "the classes are values, env"),
        (&["--preset", "bitnmai", "web.yaml"], "a similar value exists: 'bitnamilegacy'"),
        (&["man", "chekc"], "did you mean `check`?"),
    ] {
        let (status, said) = said(args, &[]);
        assert_eq!(status, 2, "{args:?}: {said}");
        assert!(said.contains(hint), "{args:?}: {said}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_an_error_before_any_request() {
    for args in [
        &["web.yaml", "-o", "nodir/x"][..],
        &["web.yaml", "-o", "web.yaml/x"],
        &["web.yaml", "--report", "nodir/x"],
        &["web.yaml", "--log", "nodir/x"],
        &["web.yaml", "--lock", "nodir/x"],
        &["web.yaml", "--auth-file", "nothere.json"],
    ] {
        let (status, said) = said(args, &[]);
        assert_eq!(status, 2, "status 4 would mean a request: {args:?}: {said}");
        assert!(
            said.contains("nodir") || said.contains("folder") || said.contains("nothere.json"),
            "{said}"
        );
    }
}

#[test]
fn an_error_in_a_variable_names_the_variable() {
    for (name, value) in [
        ("DIGESTIF_TIMEOUT", "abc"),
        ("DIGESTIF_REPORT_FORMAT", "yaml"),
        ("DIGESTIF_PIN", "tag"),
        ("DIGESTIF_EXPECT", "nginx"),
    ] {
        let (status, said) = said(&["web.yaml"], &[(name, value)]);
        assert_eq!(status, 2, "{name}: {said}");
        assert!(said.contains(&format!("the value comes from the variable `{name}`")), "{said}");
    }
    let (_, said) = said(&["--timeout", "abc", "web.yaml"], &[("DIGESTIF_TIMEOUT", "5m")]);
    assert!(!said.contains("variable"), "{said}");
}

#[test]
fn a_misspelt_variable_is_warned_about_and_those_of_kubernetes_are_not() {
    let env = [
        ("DIGESTIF_OFLINE", "true"),
        ("DIGESTIF_PORT", "tcp://10.0.0.1:80"),
        ("DIGESTIF_SERVICE_HOST", "10.0.0.1"),
        ("DIGESTIF_LOKC", ""),
    ];
    let (_, said) = said(&["check", "--require-digest", "web.yaml"], &env);
    assert!(said.contains("`DIGESTIF_OFLINE` is no variable of digestif"), "{said}");
    assert!(said.contains("did you mean `DIGESTIF_OFFLINE`?"), "{said}");
    assert_eq!(said.matches("is no variable").count(), 1, "{said}");
}
