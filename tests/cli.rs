//! The binary as a person meets it: files, environment, pipes, signals, and what it prints.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{command, digest_of, digestif, finish, for_every_host, start, testdata};

const POD: &str = "kind: Pod\nspec:\n  containers:\n  - image: web:1 # ours\n";

fn pinned_pod() -> String {
    POD.replace("web:1", &format!("web:1@{}", digest_of("web:1")))
}

/// A registry that has nothing but `web:1`.
fn registry() -> Registry {
    Registry::start(Content::of(&[("docker.io/library/web", &["1"])]))
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a temporary folder is writable");
    path.display().to_string()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).expect("readable")
}

fn readme() -> String {
    read(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))
}

#[test]
fn the_quick_start_prints_what_the_readme_says() {
    let readme = readme();
    let line = readme.lines().find_map(|line| line.strip_prefix("cargo run --release -- "));
    let mut command = command(line.expect("the README has the command").split(' '));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let ran = finish(start(&mut command), b"");
    let (said, pinned) = (ran.stderr.clone(), ran.succeeded());
    assert!(readme.contains(&format!("```text\n{said}```\n")), "{said}");
    let shown = readme.lines().filter_map(|line| line.strip_prefix('+')).collect::<Vec<_>>();
    assert_eq!(shown.len(), 1);
    assert!(pinned.contains(&format!("\n{}\n", shown[0])), "{pinned}");
}

#[test]
fn an_absent_image_is_reported_as_the_readme_says() {
    let image = "ghcr.io/acme/proxy:main-v1.61.20-stable";
    let existing = ["main-v1.61.19-stable", "stable_release_branch-v1.61.20-stable"];
    let registry = Registry::start(Content::of(&[("ghcr.io/acme/proxy", &existing)]));
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  namespace: proxy\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: {image}\n"
    );
    let said = digestif([for_every_host(&registry)], job).failed(1);
    let said = said.replace(registry.address(), "ghcr.io");
    assert!(readme().contains(&format!("```text\n{}\n```\n", said.trim_end())), "{said}");
}

#[test]
fn files_are_rewritten_in_place_and_only_those_that_change() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let pod = write(folder.path(), "pod.yaml", POD);
    let done = write(folder.path(), "done.yaml", &pinned_pod());
    let before = fs::metadata(&done).expect("there").modified().expect("a time");
    let path = folder.path().display().to_string();
    let ran = digestif(["-i", "-f", &path, &for_every_host(&registry)], "");
    assert_eq!(ran.succeeded(), "");
    assert_eq!((read(&pod), read(&done)), (pinned_pod(), pinned_pod()));
    assert_eq!(fs::metadata(&done).expect("there").modified().expect("a time"), before);
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2, "nothing is left over");
}

#[test]
fn one_absent_image_leaves_every_file_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let pod = write(folder.path(), "a.yaml", POD);
    let absent = write(folder.path(), "b.yaml", &POD.replace("web:1", "web:2"));
    let output = write(folder.path(), "out.txt", "old");
    let path = folder.path().display().to_string();
    for flags in [["-i", "-q"], ["-o", &output]] {
        let ran = digestif(flags.into_iter().chain(["-f", &path, &for_every_host(&registry)]), "");
        let said = ran.failed(1);
        assert!(said.contains(&format!("{absent}:4:12")), "{said}");
        assert_eq!((read(&pod).as_str(), read(&output).as_str()), (POD, "old"));
    }
}

#[test]
fn the_result_goes_to_a_file_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    for name in ["new.yaml", "new.yaml"] {
        let output = folder.path().join(name).display().to_string();
        let ran = digestif(["-o", &output, &for_every_host(&registry)], POD);
        assert_eq!(ran.succeeded(), "");
        assert_eq!(read(&output), pinned_pod());
    }
    let nowhere = folder.path().join("missing/out.yaml").display().to_string();
    let said = digestif(["-o", &nowhere, &for_every_host(&registry)], POD).failed(2);
    assert!(said.starts_with("error: the file can't be written: No such file"), "{said}");
}

#[test]
fn flags_may_come_from_the_environment() {
    let layout = testdata("quickstart/images");
    let manifest =
        POD.replace("web:1", "nginx:1.29.1") + "  - image: ghcr.io/a/b:1\n  - image: quay.io/c:1\n";
    let mut command = command(["-q"]);
    command.env("DIGESTIF_OFFLINE", "true").env("DIGESTIF_LAYOUT", layout);
    command.env("DIGESTIF_SKIP", "ghcr.io/**\nquay.io/*");
    let pinned = finish(start(&mut command), manifest.as_bytes()).succeeded();
    assert_eq!(pinned.matches("@sha256:").count(), 1);
    command.env("DIGESTIF_OFFLINE", "perhaps");
    let said = finish(start(&mut command), b"").failed(2);
    assert!(said.contains("'perhaps'"), "{said}");
}

#[test]
fn a_closed_pipe_is_a_failure_that_is_said() {
    let registry = registry();
    let mut child = start(&mut command([for_every_host(&registry)]));
    drop(child.stdout.take());
    let ran = finish(child, POD.as_bytes());
    let said = ran.failed(2);
    assert!(said.contains("stdout was closed before everything was written"), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let hang = Fault::on("", Misbehaviour::Hang);
    let registry = Registry::start(Content::everything().with_fault(hang));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = write(folder.path(), "out.yaml", "old");
    let mut child = start(&mut command(["-o", &output, &for_every_host(&registry)]));
    let process = child.id().to_string();
    let mut stdin = child.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut stdin, POD.as_bytes()).expect("it is read");
    drop(stdin);
    while registry.requests().is_empty() {
        std::thread::yield_now();
    }
    let killed = Command::new("kill").args(["-INT", &process]).status().expect("every Unix has it");
    assert!(killed.success());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(read(&output), "old");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[test]
fn images_are_listed_without_a_single_request() {
    let registry = registry();
    let path = testdata("quickstart/web.yaml").display().to_string();
    let args = ["images", "-f", &path, &for_every_host(&registry)];
    let table = digestif(args, "").succeeded();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("IMAGE  "), "{table}");
    let words: Vec<_> = lines[1].split_whitespace().collect();
    let place = format!("{path}:17");
    let field =
        "Deployment web, container `permissions`, spec.template.spec.initContainers[0].image";
    assert_eq!(words[..3], ["busybox:1.37", "tagged", &place]);
    assert!(lines[1].ends_with(field), "{table}");
    assert_eq!(lines.len(), 5);

    let json = digestif(args.into_iter().chain(["--format=json"]), "").succeeded();
    let listing: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
    assert_eq!(listing["schema"], "digestif.images/v1");
    assert_eq!(
        listing["images"][0],
        serde_json::json!({
            "image": "docker.io/library/busybox:1.37",
            "status": "tagged",
            "places": [{
                "file": path, "line": 17, "column": 18, "document": 1,
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
                "path": "spec.template.spec.initContainers[0].image", "class": "pod",
            }],
        })
    );
    assert_eq!(registry.requests().len(), 0);
}

#[test]
fn what_was_done_is_said_as_the_flags_ask() {
    let registry = registry();
    let run = |flags: &[&str]| {
        let args = flags.iter().map(|&flag| flag.to_owned()).chain([for_every_host(&registry)]);
        let ran = digestif(args, POD);
        assert_eq!(ran.stdout, pinned_pod());
        ran.stderr
    };
    let summary = "digestif: pinned 1 image at 1 place in 1 object\n";
    let line = format!("docker.io/library/web:1 -> {} (registry, 1 place)\n", digest_of("web:1"));
    assert_eq!(run(&[]), summary);
    assert_eq!(run(&["-v"]), format!("{line}{summary}"));
    assert_eq!(run(&["-q"]), "");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    for (color, coloured) in [("auto", false), ("never", false), ("always", true)] {
        let said = digestif(["--color", color], "").failed(3);
        assert_eq!(said.contains('\u{1b}'), coloured, "{said:?}");
    }
}

#[test]
fn help_man_page_and_completions_name_every_flag() {
    let help = digestif(["--help"], "").succeeded();
    let man = digestif(["man"], "").succeeded().replace("\\-", "-");
    let bash = digestif(["completions", "bash"], "").succeeded();
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags: Vec<_> = lines
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .collect();
    assert!(flags.len() > 20, "{help}");
    for flag in flags {
        let flag = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        assert!(man.contains(flag) && bash.contains(flag), "{flag}");
    }
    assert!(man.contains("Exit status"), "{man}");
}

#[test]
fn a_wrong_call_is_said_with_the_flag() {
    for (args, message) in [
        (&["--skip", "a["][..], "error: `--skip`: error parsing glob 'a['"),
        (&["--exclude", "{", "-f", "."], "error: `--exclude`: error parsing glob '{'"),
        (&["--ca-file", "/nowhere"], "error: `--ca-file /nowhere`: No such file"),
        (&["--registry", "a=ftp://b"], "error: invalid value 'a=ftp://b' for '--registry"),
        (&["--timeout", "0"], "error: invalid value '0' for '--timeout"),
        (&["-i", "-o", "x"], "error: the argument '--in-place' cannot be used with '--output"),
        (&["--no-such-flag"], "error: unexpected argument '--no-such-flag'"),
        (&["--layout", "/nowhere"], "error: the image layout can't be used"),
        (&["-f", "/nowhere.yaml"], "error: the file can't be read: No such file"),
    ] {
        let said = digestif(args, POD).failed(2);
        assert!(said.starts_with(message), "{said}");
    }
}
