//! What a list may set: everything with `digestif fn`, no file and no host without it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::registry::{Content, Registry};
use crate::support::{Ran, command, finish, for_every_host, start};
use crate::{Folder, client, list, pinned, pod, results, run, run_in};

const CONFIG: &str = "functionConfig:\n  apiVersion: digestif.dev/v1alpha1\n  kind: PinImages\n";

/// The entries for kustomize and kpt that trust a function.
const REMEDY: &str =
    "write `exec: {path: digestif, args: [fn]}` for kustomize, `exec: digestif fn` for kpt";

/// A configuration that chooses a file and a host.
fn greedy(registry: &Registry, lock: &str) -> String {
    format!("{CONFIG}  registries: [{{host: '*', url: '{}'}}]\n  lock: {lock}\n", registry.url())
}

fn run_with(env: &[(&str, &str)], program: &mut Command, text: &str) -> Ran {
    finish(start(program.envs(env.iter().copied())), text.as_bytes())
}

#[test]
fn a_chart_of_helm_3_can_choose_no_file_and_no_host() {
    let registry = Registry::start(Content::everything());
    let folder = Folder::new(&[("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")]);
    let lock = folder.path().join("chosen.yaml").display().to_string();
    folder.write("web/templates/a.yaml", &list(&pod("nginx:1.29.1"), &greedy(&registry, &lock)));
    let binary = env!("CARGO_BIN_EXE_digestif");
    let Some(mut helm) = client("helm3") else { return };
    let args = ["template", "web", "web", "--post-renderer", binary];
    let ran = run_in(folder.path(), helm.env("HOME", folder.path()), args);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`lock` of a `functionConfig` needs `digestif fn`"),
        "{}",
        ran.stderr
    );
    assert_eq!(registry.requests().len(), 0);
    assert!(!fs::exists(&lock).expect("readable"));
    // The same with a pipe instead of a post-renderer.
    let Some(mut helm) = client("helm3") else { return };
    let rendered = run_in(folder.path(), helm.env("HOME", folder.path()), ["template", "web"]);
    let rendered = rendered.succeeded();
    for flags in [&[][..], &["--no-config"], &["--quiet", "--lock=own.yaml"]] {
        let flags = ["--offline", "--allow-unresolved"].iter().chain(flags);
        let ran = finish(start(command(flags).current_dir(folder.path())), rendered.as_bytes());
        assert_ne!(ran.status, 0, "{}", ran.stderr);
        assert_eq!(registry.requests().len(), 0);
        assert!(!fs::exists(&lock).expect("readable"));
    }
}

#[test]
fn a_list_that_names_files_or_hosts_needs_the_command() {
    let registry = Registry::start(Content::everything());
    let folder = Folder::new(&[]);
    let lock = folder.path().join("lock.yaml").display().to_string();
    let pod = pod("nginx:1.29.1");
    let url = registry.url();
    let config_map = |key: &str, value: &str| {
        format!("functionConfig: {{kind: ConfigMap, data: {{pin: digest, {key}: \"{value}\"}}}}\n")
    };
    for (config, key, place) in [
        (format!("{CONFIG}  lock: {lock}\n"), "lock", "13:9"),
        (format!("{CONFIG}  registries:\n  - {{host: '*', url: '{url}'}}\n"), "registries", "14:5"),
        (format!("{CONFIG}  registries: [{{host: a.io, cache: true}}]\n"), "registries", "13:16"),
        (config_map("lock", &lock), "lock", "10:55"),
        (config_map("registries", "- {host: a.io, cache: true}"), "registries", "10:55"),
    ] {
        let text = list(&pod, &config);
        let ran = run(&[], &text);
        assert_eq!(ran.status, 2, "{config}: {}", ran.stderr);
        let message = format!(
            "the configuration is wrong: `{key}` of a `functionConfig` needs `digestif fn`"
        );
        assert!(ran.stderr.starts_with(&format!("error: {message}\n")), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("--> <stdin>:{place}\n")), "{}", ran.stderr);
        assert!(ran.stderr.contains(REMEDY), "{}", ran.stderr);
        let said = results(&ran.stdout).pop().expect("a result")["message"].clone();
        assert!(said.as_str().is_some_and(|said| said.starts_with(&message)), "{said}");
        // The other commands also refuse the whole configuration.
        for command in ["check", "images"] {
            assert_eq!(run(&[command], &text).status, 2, "{command}");
        }
    }
    assert_eq!((registry.requests().len(), fs::exists(&lock).ok()), (0, Some(false)));
}

#[test]
fn the_command_lets_a_list_choose_files_and_hosts() {
    let registry = Registry::start(Content::everything());
    for (env, flags, program) in [
        (&[][..], &["fn"][..], "digestif"),
        (&[], &["-q", "fn"], "digestif"),
        (&[("DIGESTIF_FN", "true")], &[], "digestif"),
        (&[("DIGESTIF_FN", "1")], &["-q"], "digestif"),
        (&[("DIGESTIF_FN", "false")], &[], "digestif-fn"),
        (&[], &["fn"], "digestif-fn"),
    ] {
        let folder = Folder::new(&[]);
        let lock = folder.path().join("lock.yaml").display().to_string();
        let link = folder.path().join(program);
        symlink(env!("CARGO_BIN_EXE_digestif"), &link).expect("writable");
        let text = list(&pod("nginx:1.29.1"), &greedy(&registry, &lock));
        let mut command = Command::new(link);
        let ran = run_with(env, command.env_clear().args(flags), &text);
        assert_eq!(ran.status, 0, "{program} {flags:?}: {}", ran.stderr);
        assert!(ran.stdout.contains("nginx:1.29.1@sha256:"), "{}", ran.stdout);
        assert!(folder.read("lock.yaml").contains("image: docker.io/library/nginx:1.29.1"));
    }
    assert!(!registry.requests().is_empty());
}

#[test]
fn the_variable_applies_only_to_calls_without_a_command() {
    let folder = Folder::new(&[]);
    let text = list(&pod("nginx:1.29.1"), &format!("{CONFIG}  lock: nowhere.yaml\n"));
    for (value, command_word, status) in
        [("true", "check", 2), ("true", "images", 2), ("", "", 2), ("off", "", 2), ("maybe", "", 2)]
    {
        let args = [command_word].into_iter().filter(|word| !word.is_empty());
        let mut command = command(args);
        let ran = run_with(&[("DIGESTIF_FN", value)], command.current_dir(folder.path()), &text);
        assert_eq!(ran.status, status, "{value}: {}", ran.stderr);
    }
    let ran = run_with(&[("DIGESTIF_FN", "maybe")], &mut command([""; 0]), &text);
    assert!(ran.stderr.contains("`DIGESTIF_FN` is neither `true` nor `false`"), "{}", ran.stderr);
}

#[test]
fn the_command_exits_with_status_3_if_stdin_is_not_a_list() {
    let pods = pod("nginx:1.29.1");
    let whole = list(&pods, &format!("{CONFIG}  pin: digest\n"));
    let marked = whole.replace(
        "items:",
        "metadata: {annotations: {postrenderer.helm.sh/postrender-filename: a.yaml}}\nitems:",
    );
    let helm = [("HELM_PLUGIN_NAME", "diff")];
    for (env, text, reason) in [
        (&[][..], String::new(), "it is empty"),
        (&[], "---\n# nothing\n---\n".to_owned(), "it is empty"),
        (&[], "kind: Pod\n".to_owned(), "it is not a `ResourceList`"),
        (&[], "[a]".to_owned(), "it is not a `ResourceList`"),
        (&[], whole.replace("config.kubernetes.io/v1", "v1"), "its `apiVersion` is not"),
        (
            &[],
            whole.replace("apiVersion: config.kubernetes.io/v1\n", ""),
            "its `apiVersion` is not",
        ),
        (&[], marked.clone(), "Helm 4 made it"),
        (&helm, whole.clone(), "`HELM_PLUGIN_NAME` is set, so Helm made it"),
        (&[("HELM_PLUGIN_NAME", "digestif")], whole.clone(), "`HELM_PLUGIN_NAME` is set"),
    ] {
        let ran = run_with(env, &mut command(["fn", "--offline"]), &text);
        let said = ran.failed(3);
        let message = format!("error: this is not the input of a function: {reason}");
        assert!(said.starts_with(&message), "{text}\n{said}");
    }
    let said = run(&["fn"], "kind: [").failed(3);
    assert!(said.starts_with("error: "), "{said}");
    // Without the command, such a list is an ordinary manifest.
    let layout = format!("--layout={}", crate::layout());
    for (env, text) in [(&[][..], marked), (&helm, whole)] {
        let mut command = command(["--offline", &layout]);
        assert_eq!(run_with(env, &mut command, &text).succeeded(), pinned(&text), "no results");
    }
}

#[test]
fn the_command_refuses_flags_about_files() {
    let text = list("", "");
    for flag in ["-i", "-f", "--emit=manifests", "--exclude=a", "a.yaml"] {
        let ran = run(&["fn", flag], &text);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{flag}");
    }
    assert_eq!(run(&["fn", "--pin=digest"], &text).succeeded(), text);
}

#[test]
fn without_the_command_a_list_may_set_rules_form_and_policy() {
    let registry = Registry::start(Content::of(&[("docker.io/a/b", &["2"])]));
    let rule = "  fallbacks: [{name: newer, images: [docker.io/a/b], try: ['2']}]\n";
    let text = list(&pod("a/b:1"), &format!("{CONFIG}{rule}  pin: digest\n"));
    let every_host = for_every_host(&registry);
    let ran = run_with(&[], &mut command([&every_host]), &text);
    assert!(ran.succeeded().contains("image: a/b@sha256:"));
    let ran = run_with(&[], &mut command([&every_host, "--no-config"]), &text);
    assert_eq!(ran.status, 1, "`--no-config` ignores it: {}", ran.stderr);
    let policy = list(&pod("a/b:2"), &format!("{CONFIG}  policy: {{requireDigest: true}}\n"));
    let run = |flags: &[&str]| {
        run_with(&[], &mut command(flags.iter().copied().chain([&*every_host])), &policy).status
    };
    assert_eq!((run(&[]), run(&["--no-config"]), run(&["fn", "--no-config"])), (5, 0, 5));
}
