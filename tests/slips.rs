//! Common mistakes of new users, and the hint for each.

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
    assert_eq!(left, 2, "{args:?}: a file was written");
    (ran.status, ran.stderr)
}

#[test]
fn every_common_mistake_gets_a_hint() {
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
        (&["deploy/*.yaml"], "digestif does not expand globs"),
        (&["https://example.com/web.yaml"], "`curl -fsSL https://example.com/web.yaml | digestif`"),
        (&["nginx:1.27"], "`digestif explain nginx:1.27`"),
        (&["-o", "json", "web.yaml"], "`-o` takes a file, and `json` is a format"),
        (&["check", "--report", "sarif", "web.yaml"], "`--report-format` sets the format"),
        (
            &["check", "--format", "sarif", "web.yaml"],
            "`--report-format` sets the format of a report",
        ),
        (&["--drift", "web.yaml"], "`--drift` is a flag of `digestif check`"),
        (&["check", "-i", "web.yaml"], "`-i` is a flag of `digestif` without a command"),
        (
            &["check", "--update", "web.yaml"],
            "`--update` is a flag of `digestif` without a command",
        ),
        (&["-diff", "web.yaml"], "write it with two dashes: `--diff`"),
        (&["--username", "bob", "web.yaml"], "log in with `docker login HOST`"),
        (&["--namespace", "shop", "web.yaml"], "digestif reads manifests, not a cluster"),
        (&["--tls-verify=false", "web.yaml"], "`--insecure HOST`"),
        (&["--timeout", "5parsecs", "web.yaml"], "such as `45`, `45s` or `5m`"),
        (&["--layout", "nothere", "web.yaml"], "help: check the path\n"),
        (&["--registry", "harbor.corp", "web.yaml"], "expected HOST=URL"),
        (&["--expect", "nginx", "web.yaml"], "`nginx` is not REPOSITORY=TAG"),
        (&["--include", "all", "web.yaml"], "the classes are values, env"),
        (&["--preset", "bitnmai", "web.yaml"], "a similar value exists: 'bitnamilegacy'"),
        (&["man", "chekc"], "did you mean `check`?"),
        // Words and flags of kubectl, helm, kustomize, crane, kbld and Renovate.
        (&["apply", "-f", "web.yaml"], "`digestif FILE… | kubectl apply -f -`"),
        (&["template", "web", "./chart"], "render first: `helm template … | digestif`"),
        (&["-n", "default", "web.yaml"], "digestif reads no cluster"),
        (&["-l", "app=web", "web.yaml"], "digestif reads manifests, not a cluster"),
        (&["--selector", "app=web", "web.yaml"], "digestif reads manifests, not a cluster"),
        (&["-k", "deploy"], "build it first: `kustomize build DIR | digestif`"),
        (&["--set", "image.tag=1", "web.yaml"], "render the chart first"),
        (&["--values", "v.yaml", "web.yaml"], "render the chart first"),
        (&["copy", "a", "b"], "digestif copies no image"),
        (&["pull", "nginx"], "digestif copies no image"),
        (&["manifest", "nginx"], "`digestif explain IMAGE` shows one image"),
        (&["tags", "nginx"], "the nearest tags"),
        (&["outdated"], "`digestif check --drift` shows which tags have moved"),
        (&["rollback"], "the older lock and `--offline`"),
        (&["sbom", "web.yaml"], "`digestif images --format cyclonedx`"),
        (&["explain", "--tag", "1", "nginx"], "write an image as `NAME:TAG`"),
        (&["explain", "nginx", "1.29.1"], "`explain` takes one image, with its tag: `NAME:TAG`"),
        (&["explain"], "name an image: `digestif explain nginx:1.27`"),
        (&["explain", "web.yaml"], "`digestif images web.yaml` lists its images"),
        (&["lock", "web.yaml"], "`digestif --lock FILE PATH…` records images"),
        (&["lock", "update"], "`digestif --lock FILE PATH…` records images, with `--update` again"),
        (&["helm-plugin", "update"], "there is `digestif helm-plugin install`"),
        (&["completions"], "`digestif completions bash`; possible here: bash, elvish"),
        (&["schema"], "`digestif schema config`; possible here: config, report"),
        // Formats.
        (&["-ojson", "web.yaml"], "`-o` takes a file, and `json` is a format"),
        (&["--output=yaml", "web.yaml"], "the manifests go to stdout as they came"),
        (&["images", "-o", "wide", "web.yaml"], "for example `--format json`"),
        (&["images", "--json", "web.yaml"], "for example `--format json`"),
        (&["check", "--json", "web.yaml"], "for example `--report-format json`"),
        (&["version", "--json"], "it has no other format"),
        (&["images", "--report-format", "json", "web.yaml"], "`--report-format` is a flag of"),
        // Orders and values.
        (&["web.yaml", "check"], "a command comes before the paths: `digestif check PATH…`"),
        (&["check", "images"], "a command comes before the paths: `digestif images PATH…`"),
        (&["--retries", "-1", "web.yaml"], "numbers are not negative here"),
        (&["--retries", "many", "web.yaml"], "it takes a whole number"),
        (&["--offline=true", "web.yaml"], "`--offline` takes no value"),
        (&["--verbose=2", "web.yaml"], "write `-v`, or `-vv`"),
        (&["--insecure", "web.yaml"], "`--insecure` takes a host, and `web.yaml` is a file"),
        (&["--mirror", "docker.io=mirror.corp", "web.yaml"], "it is not a URL, such as `https://"),
        (&["--lock", "web.yaml"], "it is a `Pod` of `v1`"),
        (&["-c", "web.yaml"], "it is a `Pod` of `v1`"),
        (&["lock", "diff", "web.yaml", "web.yaml"], "it is a `Pod` of `v1`"),
        (&["--zzz", "web.yaml"], "`digestif --help` shows all flags"),
        (&["--outptu", "x", "web.yaml"], "did you mean `--output`?"),
    ] {
        let (status, said) = said(args, &[]);
        assert_eq!(status, 2, "{args:?}: {said}");
        assert!(said.contains(hint), "{args:?}: {said}");
        assert!(!said.contains("to pass '"), "{args:?}: {said}");
    }
}

#[test]
fn an_output_that_cannot_be_written_causes_no_request() {
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
fn a_misspelt_variable_causes_a_warning_and_a_variable_of_kubernetes_does_not() {
    let env = [
        ("DIGESTIF_OFLINE", "true"),
        ("DIGESTIF_PORT", "tcp://10.0.0.1:80"),
        ("DIGESTIF_SERVICE_HOST", "10.0.0.1"),
        ("DIGESTIF_LOKC", ""),
    ];
    let (_, said) = said(&["check", "--require-digest", "web.yaml"], &env);
    assert!(said.contains("`DIGESTIF_OFLINE` is not a variable of digestif"), "{said}");
    assert!(said.contains("did you mean `DIGESTIF_OFFLINE`?"), "{said}");
    assert_eq!(said.matches("is not a variable").count(), 1, "{said}");
}

#[test]
fn a_value_is_not_mistaken_for_a_command_or_a_wrong_order() {
    for args in [
        &["check", "web.yaml", "--require-digest", "--lock", "lock"][..],
        &["--diff", "web.yaml", "--offline", "-o", "check", "--no-fallback"],
    ] {
        let (_, said) = said(args, &[]);
        assert!(!said.contains("a command comes before"), "{args:?}: {said}");
    }
    for args in [&["-h", "anything"][..], &["--help", "check"], &["anything", "-h"]] {
        let (status, _) = said(args, &[]);
        assert_eq!(status, 0, "{args:?}");
    }
}

#[test]
fn an_error_of_the_argument_parser_has_an_id() {
    let mut command = command(["--zzz"]);
    let said = finish(start(&mut command), b"").said;
    assert!(said.starts_with("error[usage]: unexpected argument '--zzz' found\n"), "{said}");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/messages.md"));
    assert!(page.expect("readable").contains("\n## usage\n"));
}
