//! The binary as its users see it: files, environment, pipes, signals and output.

#![cfg_attr(windows, allow(dead_code, unused_imports, reason = "some of the tests need Unix"))]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};

use support::accounts::{assert_tells_nothing, password};
use support::pages::recipe;
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{command, digest_of, digestif, finish, for_every_host, start, testdata};

const POD: &str = "kind: Pod\nspec:\n  containers:\n  - image: web:1 # ours\n";

fn pinned_pod() -> String {
    POD.replace("web:1", &format!("web:1@{}", digest_of("web:1")))
}

/// A registry that has only `web:1`.
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

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("readable").file_name().into_string().expect("the tests write ASCII names")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// A shell that runs the binary as `"$0" "$@"`.
#[cfg(unix)]
fn shell(script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["-c", script, env!("CARGO_BIN_EXE_digestif")]).args(args);
    command
}

/// The binary under test with the default reaction to signals. A test run that was started with
/// `nohup` or in the background ignores some signals, and its child processes inherit that.
#[cfg(unix)]
fn interruptible(args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Command {
    if !cfg!(target_os = "linux") {
        return command(args);
    }
    let mut command = Command::new("env");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_digestif")]).args(args);
    command
}

#[cfg(unix)]
fn signal(child: &Child, signal: &str) {
    let process = child.id().to_string();
    let sent = Command::new("kill").args([signal, &process]).status();
    assert!(sent.expect("every Unix has it").success());
}

/// A run that has read all its input and waits for a registry that never answers.
#[cfg(unix)]
fn waiting(command: &mut Command, registry: &Registry) -> Child {
    let asked = registry.requests().len();
    let mut child = start(command);
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(POD.as_bytes()).expect("it is read");
    drop(stdin);
    while registry.requests().len() == asked {
        std::thread::yield_now();
    }
    child
}

#[test]
fn the_quick_start_prints_the_output_of_the_readme() {
    let start_of_line = "cargo run -- ";
    let line = recipe("quick-start");
    let arguments = line.trim_end().strip_prefix(start_of_line).expect("the command of the README");
    let mut command = command(arguments.split(' '));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let ran = finish(start(&mut command), b"");
    let (said, pinned) = (ran.said.clone(), ran.succeeded());
    assert_eq!(said, recipe("quick-start-messages"));
    assert!(pinned.contains("\n          image: nginx:1.29.1@sha256:"), "{pinned}");
}

#[test]
fn an_absent_image_has_the_message_of_the_readme() {
    let image = "ghcr.io/acme/proxy:main-v1.61.20-stable";
    let existing = ["main-v1.61.19-stable", "stable_release_branch-v1.61.20-stable"];
    let registry = Registry::start(Content::of(&[("ghcr.io/acme/proxy", &existing)]));
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  namespace: proxy\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: {image}\n"
    );
    let ran = digestif([for_every_host(&registry)], job);
    let said = ran.said.replace(registry.address(), "ghcr.io");
    ran.failed(1);
    assert_eq!(said.trim_end(), recipe("absent-image").trim_end());
}

#[test]
fn only_files_that_change_are_rewritten_in_place() {
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
fn a_patch_next_to_the_manifests_stays_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let patch = write(folder.path(), "patch.yaml", "- op: remove\n  path: /spec\n");
    let pod = write(folder.path(), "pod.yaml", POD);
    let path = folder.path().display().to_string();
    let ran = digestif(["-i", "-f", &path, &for_every_host(&registry)], "");
    let warning = "warning: a document that is not a Kubernetes object is left alone";
    assert!(ran.stderr.starts_with(warning), "{}", ran.stderr);
    assert_eq!((ran.succeeded(), read(&pod)), (String::new(), pinned_pod()));
    let said = digestif(["-f", &patch], "").failed(3);
    assert!(said.contains("error: the input holds no Kubernetes object"), "{said}");
}

#[test]
fn one_absent_image_leaves_every_file_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let pod = write(folder.path(), "a.yaml", POD);
    let absent = write(folder.path(), "b.yaml", &POD.replace("web:1", "web:2"));
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let output = write(elsewhere.path(), "out.txt", "old");
    let path = folder.path().display().to_string();
    for flags in [["-i", "-q"], ["-o", &output]] {
        let ran = digestif(flags.into_iter().chain(["-f", &path, &for_every_host(&registry)]), "");
        let said = ran.failed(1);
        assert!(said.contains(&format!("{absent}:4:12")), "{said}");
        assert_eq!((read(&pod).as_str(), read(&output).as_str()), (POD, "old"));
    }
}

#[test]
fn an_output_file_gets_the_whole_result() {
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
fn environment_variables_set_flags() {
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
fn a_closed_pipe_is_an_error_with_a_message() {
    let registry = registry();
    let mut child = start(&mut command([for_every_host(&registry)]));
    drop(child.stdout.take());
    let ran = finish(child, POD.as_bytes());
    let said = ran.failed(2);
    assert!(said.contains("stdout was closed before everything was written"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn stdout_on_a_full_disk_is_an_error_with_a_message() {
    let registry = registry();
    let mut command = shell(r#""$0" "$@" > /dev/full"#, &[&for_every_host(&registry)]);
    let said = finish(start(&mut command), POD.as_bytes()).failed(2);
    assert!(said.starts_with("error: stdout can't be written: No space left"), "{said}");
    assert!(said.contains("help: check the target of stdout"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_signal_during_requests_leaves_no_files() {
    let hang = Fault::on("", Misbehaviour::Hang);
    let registry = Registry::start(Content::everything().with_fault(hang));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = write(folder.path(), "out.yaml", "old");
    for (name, status) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let args = ["-o", &output, &for_every_host(&registry)];
        let child = waiting(&mut interruptible(args), &registry);
        signal(&child, &format!("-{name}"));
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        let said = format!("digestif: interrupted by SIG{name}; nothing was written\n");
        assert!(ended.stdout.is_empty() && ended.stderr == said.as_bytes(), "{ended:?}");
        assert_eq!((read(&output).as_str(), names(folder.path()).len()), ("old", 1));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_ignored_signal_stays_ignored() {
    let hang = Fault::on("", Misbehaviour::Hang);
    let registry = Registry::start(Content::everything().with_fault(hang));
    let script = r#"trap "" HUP; exec "$0" "$@""#;
    let child = waiting(&mut shell(script, &[&for_every_host(&registry)]), &registry);
    signal(&child, "-HUP");
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_whose_output_is_not_read() {
    let registry = registry();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = format!("--report={}", folder.path().join("report.json").display());
    // This is more than the buffer of a pipe holds.
    let manifest = format!("{POD}{}", "# long\n".repeat(100_000));
    for flags in [vec![for_every_host(&registry)], vec![for_every_host(&registry), report]] {
        let mut child = start(&mut interruptible(flags));
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(manifest.as_bytes()).expect("it is read");
        drop(stdin);
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_exact(&mut [0]).expect("it has begun");
        signal(&child, "-INT");
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
    }
}

#[cfg(unix)]
#[test]
fn a_signal_changes_every_file_or_none() {
    const FILES: usize = 1000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let files: Vec<_> =
        (0..FILES).map(|n| write(folder.path(), &format!("{n}.yaml"), POD)).collect();
    let before = names(folder.path());
    let path = folder.path().display().to_string();
    let child = start(&mut interruptible(["-i", "-f", &path, &for_every_host(&registry)]));
    while names(folder.path()).len() == before.len() {
        std::thread::yield_now();
    }
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("it ends");
    // The signal may come too late, because a thousand files may be quick. It must never stop the
    // run halfway.
    let expected = match ended.status.code() {
        Some(143) => POD.to_owned(),
        Some(0) => pinned_pod(),
        _ => panic!("{ended:?}"),
    };
    assert!(files.iter().all(|file| read(file) == expected), "{ended:?}");
    assert_eq!(names(folder.path()), before, "nothing is left over");
}

#[cfg(unix)]
#[test]
fn a_file_that_changes_while_digestif_runs_keeps_its_new_text() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let file = write(folder.path(), "a.yaml", POD);
    let last = folder.path().join("b.yaml").display().to_string();
    assert!(Command::new("mkfifo").arg(&last).status().expect("every Unix has it").success());
    let args = ["-i", "-f", &file, "-f", &last, &for_every_host(&registry)];
    let child = start(&mut command(args));
    // The run opens this file after it has read the file before it, and reads it to the end.
    let mut pipe = fs::OpenOptions::new().write(true).open(&last).expect("it is read");
    fs::write(&file, "another's").expect("writable");
    pipe.write_all(b"kind: Namespace\n").expect("it is read");
    drop(pipe);
    let said = finish(child, b"").failed(2);
    assert!(said.starts_with("error: the file changed while digestif ran\n"), "{said}");
    assert_eq!(read(&file), "another's");
    assert_eq!(names(folder.path()), ["a.yaml", "b.yaml"]);
}

#[cfg(unix)]
#[test]
fn more_files_are_rewritten_than_may_be_open() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let files: Vec<_> = (0..100).map(|n| write(folder.path(), &format!("{n}.yaml"), POD)).collect();
    let path = folder.path().display().to_string();
    let args = ["-i", "-f", &path, &for_every_host(&registry)];
    finish(start(&mut shell(r#"ulimit -n 50; exec "$0" "$@""#, &args)), b"").succeeded();
    assert!(files.iter().all(|file| read(file) == pinned_pod()));
}

#[test]
fn excluded_files_of_the_working_directory_stay_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let pod = write(folder.path(), "a.yaml", POD);
    fs::create_dir(folder.path().join("old")).expect("writable");
    let old = write(folder.path(), "old/b.yaml", POD);
    let mut command = command([
        "-i",
        "-f",
        ".",
        "--exclude=old/**",
        "--exclude=new/*",
        &for_every_host(&registry),
    ]);
    let ran = finish(start(command.current_dir(folder.path())), b"");
    assert!(ran.stderr.starts_with("warning: `new/*` of `--exclude` matches nothing\n"), "{ran:?}");
    assert_eq!(ran.succeeded(), "");
    assert_eq!((read(&pod), read(&old).as_str()), (pinned_pod(), POD));
}

#[cfg(unix)]
#[test]
fn streams_are_written_to_and_never_replaced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let flag = for_every_host(&registry);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/dev/stdout", &link).expect("writable");
    let (pod, doc) = (pinned_pod(), format!("old\n{}", pinned_pod()));
    for (script, printed, kept) in [
        (r#""$0" "$@" -o -"#, pod.as_str(), "old\n"),
        (r#""$0" "$@" -o /dev/stdout >> app.yaml"#, "", &doc),
        (r#""$0" "$@" -o /dev/fd/1 >> app.yaml"#, "", &doc),
        (r#""$0" "$@" -o /dev/fd/3 3>> app.yaml"#, "", &doc),
        (r#""$0" "$@" -o link >> app.yaml"#, "", &doc),
        (r#""$0" "$@" -o /dev/fd/3 3>&1 | cat"#, &pod, "old\n"),
        (r#""$0" -q "$@" -o /dev/stderr 2>> app.yaml"#, "", &doc),
    ] {
        let file = write(folder.path(), "app.yaml", "old\n");
        let mut command = shell(script, &[&flag]);
        let ran = finish(start(command.current_dir(folder.path())), POD.as_bytes());
        assert_eq!(ran.status, 0, "{script}: {ran:?}");
        assert_eq!((ran.stdout.as_str(), read(&file).as_str()), (printed, kept), "{script}");
        assert!(link.is_symlink());
    }
}

#[cfg(unix)]
#[test]
fn a_file_name_sends_no_control_characters_to_the_terminal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "a\u{1b}[2J.yaml", "a: 1\n");
    let link = folder.path().join("b\u{1b}[2J");
    std::os::unix::fs::symlink("/", &link).expect("writable");
    let path = folder.path().display().to_string();
    let nowhere = folder.path().join("no\u{1b}[2J").display().to_string();
    for (args, text) in [
        (&["-f", &path][..], "a: ["),
        (&["-f", &nowhere], ""),
        (&["images", "-f", &path], POD),
        (&["--offline", "-f", &path, "-o", "/nowhere/\u{1b}[2J"], "kind: Pod\n"),
    ] {
        fs::write(&file, text).expect("writable");
        let ran = digestif(args, "");
        let said = ran.stdout + &ran.stderr;
        assert!(!said.is_empty() && !said.contains('\u{1b}'), "{args:?}: {said:?}");
    }
}

#[test]
fn an_empty_variable_is_ignored() {
    let flags = digestif(["--help"], "").succeeded();
    let variables = flags.split("[env: ").skip(1).filter_map(|text| text.split('=').next());
    let variables: Vec<_> = variables.chain(["DIGESTIF_FORMAT"]).collect();
    assert!(variables.len() > 20, "{flags}");
    for args in [&["--offline", "-q", "--allow-unresolved"][..], &["images"]] {
        let mut plain = command(args);
        let plain = finish(start(&mut plain), POD.as_bytes());
        let mut command = command(args);
        command.envs(variables.iter().map(|name| (name, "")));
        let ran = finish(start(&mut command), POD.as_bytes());
        assert_eq!(
            (ran.status, ran.stdout, ran.stderr),
            (plain.status, plain.stdout, plain.stderr)
        );
    }
}

#[test]
fn blank_lines_in_a_variable_are_ignored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let file = write(folder.path(), "a.yaml", POD);
    for lines in [&file, &format!("{file}\n"), &format!("\n{file}\n \n")] {
        let mut command = command(["-q"]);
        command.env("DIGESTIF_FILENAME", lines).env("DIGESTIF_PLAIN_HTTP", "a.b\n");
        let url = for_every_host(&registry).replace("--registry=", "");
        command.env("DIGESTIF_REGISTRY", format!("{url}\n")).env("DIGESTIF_SKIP", "\n");
        let ran = finish(start(&mut command), b"");
        assert_eq!((ran.stderr.as_str(), ran.stdout), ("", pinned_pod()));
    }
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let output = folder.path().join("out.yaml").display().to_string();
    let flag = for_every_host(&registry);
    for (name, value, flags, lines, contradiction) in [
        ("DIGESTIF_QUIET", "true", &["-v"][..], 2, None),
        ("DIGESTIF_QUIET", "false", &["-v"], 2, None),
        ("DIGESTIF_VERBOSE", "true", &["-q"], 0, None),
        ("DIGESTIF_VERBOSE", "true", &[], 2, None),
        ("DIGESTIF_IN_PLACE", "true", &["-o", &output], 1, None),
        ("DIGESTIF_OUTPUT", &output, &["-i"], 0, Some("`--in-place` needs files")),
        (
            "DIGESTIF_COLOR",
            "auto",
            &["-q", "-v"],
            0,
            Some("'--quiet' cannot be used with '--verbose'"),
        ),
        (
            "DIGESTIF_COLOR",
            "auto",
            &["-i", "-o", "x"],
            0,
            Some("'--in-place' cannot be used with '--output'"),
        ),
    ] {
        let mut command = command(flags.iter().copied().chain([flag.as_str()]));
        let ran = finish(start(command.env(name, value)), POD.as_bytes());
        match contradiction {
            None => {
                let said = ran.stderr.lines().filter(|line| !line.contains(" comes from "));
                assert_eq!((ran.status, said.count()), (0, lines), "{ran:?}");
            }
            Some(text) => {
                let said = ran.failed(2);
                assert!(said.contains(text), "{said}");
            }
        }
    }
    assert_eq!(read(&output), pinned_pod());
}

#[test]
fn a_list_is_written_to_the_output_of_the_flags() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("list").display().to_string();
    let listed = digestif(["images"], POD).succeeded();
    let mut command = command(["images", "-o", &output]);
    command.env("DIGESTIF_IN_PLACE", "true");
    assert_eq!(finish(start(&mut command), POD.as_bytes()).succeeded(), "");
    assert_eq!(read(&output), listed);
    assert_eq!(digestif(["completions", "bash", "-o", &output], "").succeeded(), "");
    assert!(read(&output).starts_with("_digestif()"));
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
    assert_eq!(words[..4], ["busybox:1.37", "pod", "tagged", &place]);
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
fn the_flags_choose_how_much_is_reported() {
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
    let origins =
        "digestif: registries comes from --registry\ndigestif: verbose comes from --verbose\n";
    assert_eq!(run(&["-v"]), format!("{origins}{line}{summary}"));
    assert_eq!(run(&["-q"]), "");
}

#[test]
fn colours_are_only_for_terminals_by_default() {
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
        // A value in brackets is optional.
        let flag = flag.split('[').next().unwrap_or(flag);
        let flag = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        assert!(man.contains(flag) && bash.contains(flag), "{flag}");
    }
    assert!(man.contains("EXIT STATUS"), "{man}");
}

#[test]
fn the_error_for_a_wrong_call_names_the_flag() {
    for (args, message) in [
        (&["--skip", "a["][..], "error: `--skip`: error parsing glob 'a['"),
        (&["--exclude", "{", "-f", "."], "error: `--exclude`: error parsing glob '{'"),
        (&["--ca-file", "/nowhere"], "error: `--ca-file /nowhere`: No such file"),
        (&["--registry", "a=ftp://b"], "error: `--registry`: the URL does not start with https://"),
        (&["--timeout", "0"], "error: invalid value '0' for '--timeout"),
        (&["-i", "-o", "x"], "error: the argument '--in-place' cannot be used with '--output"),
        (&["images", "-i"], "error: unexpected argument '-i' found"),
        (&["images", "-q", "-v"], "error: the argument '--quiet' cannot be used with '--verbose'"),
        (&["-q", "images", "-v"], "error: the argument '--quiet' cannot be used with '--verbose'"),
        (&["-f", "a", "images", "-f", "b"], "error: the file can't be read: No such file"),
        (&["--plain-http", "http://x"], "error: invalid value 'http://x' for '--plain-http"),
        (&["-o", "/", "--skip", "**"], "error: the file can't be written: is a directory"),
        (&["--no-such-flag"], "error: unexpected argument '--no-such-flag'"),
        (&["--layout", "/nowhere"], "error: the image layout can't be used"),
        (&["-f", "/nowhere.yaml"], "error: the file can't be read: No such file"),
    ] {
        let said = digestif(args, POD).failed(2);
        assert!(said.starts_with(message), "{said}");
    }
}

#[test]
fn outputs_cannot_overwrite_each_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = registry();
    let every_host = for_every_host(&registry);
    let pod = write(folder.path(), "pod.yaml", POD);
    let out = folder.path().join("out").display().to_string();
    let link = folder.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&pod, &link).expect("a link");
    let (pod_path, link) = (pod.clone(), link.display().to_string());
    for (args, message) in [
        (&["--report=-"][..], "error: `--report -` would mix with the output on stdout"),
        (
            &["--report=/dev/stdout"],
            "error: `--report /dev/stdout` would mix with the output on stdout",
        ),
        (&["check", "--report=-"], "error: `--report -` would mix with the output on stdout"),
        (&["-o", &out, "--report", &out], "error: `--output` and `--report` name one file"),
        (&["--report", &out, "--log", &out], "error: `--report` and `--log` name one file"),
        (
            &["-i", "-f", &pod_path, "--report", &link],
            "error: `--report` names an input, which it would overwrite",
        ),
        (
            &["-i", "-f", &pod_path, "--log", &pod_path],
            "error: `--log` names an input, which it would overwrite",
        ),
    ] {
        let said = digestif(args.iter().copied().chain([every_host.as_str()]), POD).failed(2);
        assert!(said.starts_with(message), "{args:?}: {said}");
        assert_eq!(
            read(&pod).lines().take(4).collect::<Vec<_>>(),
            POD.lines().take(4).collect::<Vec<_>>()
        );
    }
    let ran = digestif(["check", "--emit=kustomize-images"], POD);
    assert!(ran.stderr.starts_with("error: unexpected argument '--emit' found"), "{}", ran.stderr);
    let ran = digestif(["check", "-c", "/nowhere", &every_host], POD);
    assert_eq!((ran.status, &ran.stdout[..16]), (2, "/nowhere: error["), "a check always reports");
    assert!(registry.requests().is_empty());
    let ran = digestif(["--report=-", "-o", &out, &every_host], POD);
    assert!(ran.succeeded().starts_with("{\n  \"schema\": \"digestif.report/v1\""));
    assert_eq!(fs::read_to_string(&out).expect("written"), pinned_pod());
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    // `finish` checks the messages for passwords. `***` shows that there is a message about the
    // URL.
    let bob = format!("bob:{}@h", password("bob"));
    for (flag, value) in [
        ("--registry", format!("docker.io=https://{bob}")),
        ("--registry", format!("docker.io=ftp://{bob}")),
        ("--mirror", format!("docker.io=https://{bob}/x")),
    ] {
        let said = digestif([flag, &value], POD).failed(2);
        assert!(said.starts_with(&format!("error: `{flag}`: ")), "{said}");
    }
    for flag in ["--plain-http", "--timeout", "--fallback"] {
        let said = digestif([flag, &format!("http://{bob}")], POD).failed(2);
        assert!(said.contains("***@h"), "{flag}: {said}");
    }
    let mut command = command(["--offline"]);
    command.env("DIGESTIF_PLAIN_HTTP", format!("http://{bob}"));
    assert!(finish(start(&mut command), POD.as_bytes()).failed(2).contains("***@h"));
    digestif([format!("https://{bob}")], POD).failed(2);
}

#[test]
fn a_password_in_an_image_is_in_no_message_and_no_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [report, log] = ["report", "log"].map(|name| folder.path().join(name));
    let flags = [format!("--report={}", report.display()), format!("--log={}", log.display())];
    let image = format!("https://bob:{}@ghcr.io/acme/web:1", password("bob"));
    let pod = POD.replace("web:1", &image);
    assert_ne!(pod, POD);
    let said = digestif(&flags, &pod).failed(3);
    assert!(said.contains("***@ghcr.io/acme/web:1` is not a valid image reference"), "{said}");
    assert!(said.contains("***@ghcr.io/acme/web:1 # ours"), "the excerpt: {said}");
    for path in [report, log] {
        let text = fs::read_to_string(&path).expect("it was written");
        assert!(text.contains("***@ghcr.io/acme/web:1"), "{text}");
        assert_tells_nothing(&path.display().to_string(), &text);
    }
    // The shown part of a long line may end before the `@`.
    let long = format!("Web:1 # https://bob:{}{}@h", password("bob"), "x".repeat(500));
    digestif(["-v"], POD.replace("web:1", &long)).failed(3);
    for args in [&["images"][..], &["images", "--format=json"]] {
        assert!(digestif(args, &pod).succeeded().contains("***@ghcr.io/acme/web:1"));
    }
    for args in [&["explain", &*image][..], &["explain", "--format=json", &image]] {
        let ran = digestif(args, "");
        assert_ne!(ran.status, 0);
        assert!(ran.stdout.contains("***@ghcr.io") || ran.stderr.contains("***@ghcr.io"));
    }
    let list = format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- kind: Pod\n  spec:\n    containers:\n    - image: {image}\n"
    );
    let ran = digestif([""; 0], &list);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(ran.stdout.starts_with(&list) && ran.stdout.contains("***@ghcr.io"), "{}", ran.stdout);
}

#[test]
fn under_helm_4_every_message_is_in_the_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("digestif/log");
    for (args, message) in [
        (&["--kube-versoin=1.32"][..], "unexpected argument '--kube-versoin'"),
        (&["--skip=a["], "`--skip`: error parsing glob"),
        (&["-c", "/nowhere"], "the file can't be read"),
        (&["--require-digest"], "has no digest"),
    ] {
        let mut command = command(args);
        command.env("HELM_PLUGIN_NAME", "digestif").env("XDG_STATE_HOME", folder.path());
        let ran = finish(start(&mut command), POD.as_bytes());
        assert_ne!(ran.status, 0);
        let kept = fs::read_to_string(&log).expect("there is a log");
        assert!(kept.contains(message), "{args:?}: {kept}");
    }
    let mut other = command(["--require-digest"]);
    other.env("HELM_PLUGIN_NAME", "diff").env("XDG_STATE_HOME", "/dev/null");
    let said = finish(start(&mut other), POD.as_bytes()).failed(5);
    assert!(!said.contains("log"), "{said}");
}

#[test]
fn the_log_has_the_messages_of_every_run_whose_stderr_is_not_a_terminal() {
    let registry = registry();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let every_host = for_every_host(&registry);
    for (args, status) in [(&[&*every_host, "-v"][..], 0), (&["--require-digest"], 5)] {
        let mut logged = command(args);
        logged.env("XDG_STATE_HOME", folder.path());
        let logged = finish(start(&mut logged), POD.as_bytes());
        assert_eq!(logged.status, status, "{}", logged.stderr);
        let log = fs::read_to_string(folder.path().join("digestif/log")).expect("there is a log");
        let entry = format!(", exit status {status}\n{}", logged.said);
        assert!(log.contains(&entry), "{log}\n{entry}");
        // The log was not requested, so a failure to write it changes nothing.
        let mut unwritable = command(args);
        unwritable.env("XDG_STATE_HOME", "/dev/null");
        let unwritable = finish(start(&mut unwritable), POD.as_bytes());
        assert_eq!((unwritable.status, unwritable.said), (status, logged.said));
    }
    let said = digestif([&every_host, "--log=/dev/null/log"], POD).failed(2);
    assert!(said.contains("the log can't be written"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_is_no_log_by_default() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("web.yaml"), POD).expect("writable");
    let ran = support::on_terminal(folder.path(), "--require-digest web.yaml >web.out");
    assert_eq!(ran.status, 5, "{}", ran.stdout);
    assert!(ran.stdout.contains("has no digest"), "{}", ran.stdout);
    assert!(!folder.path().join("digestif").exists());
}

#[cfg(unix)]
#[test]
fn a_configuration_is_read_once() {
    let registry = registry();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pod = write(folder.path(), "pod.yaml", POD);
    let pipe = folder.path().join("digestif.yaml").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("every Unix has it").success());
    let every_host = for_every_host(&registry);
    let child = start(&mut command(["-f", &pod, "-c", &pipe, &every_host]));
    // A pipe can be read only once: a second reader would wait for a second writer.
    fs::write(&pipe, "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npin: digest\n")
        .expect("it is read");
    let pinned = finish(child, b"").succeeded();
    assert!(pinned.contains("image: web@sha256:"), "{pinned}");
}
