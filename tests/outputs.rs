//! Outputs: the content of each stream and file. They must never contain half of a text, a message
//! among manifests, the name of a temporary file, or a command for a CI runner.

#![cfg_attr(windows, allow(dead_code, unused_imports, reason = "some of the tests need Unix"))]

mod support;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use support::registry::{Content, Registry};
use support::{Ran, command, digestif, finish, for_every_host, start};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - image: clastix/kubectl:v1.32\n";

fn registry() -> Registry {
    Registry::start(Content::of(&[("docker.io/clastix/kubectl", &["v1.31"])]))
}

fn run_in(folder: &Path, args: &[&str], stdin: &str) -> Ran {
    finish(start(command(args).current_dir(folder)), stdin.as_bytes())
}

/// Runs with stdout and stderr as one pipe. Returns the text of both, and the exit status.
#[cfg(unix)]
fn merged(state: &Path, args: &[&str], stdin: &str) -> (String, i32) {
    let input = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(input.path(), stdin).expect("writable");
    let (mut read, write) = std::io::pipe().expect("a pipe");
    let mut command = command(args);
    command.env("XDG_STATE_HOME", state).current_dir(state);
    command.stdin(File::open(input.path()).expect("readable"));
    command.stdout(write.try_clone().expect("a second end")).stderr(write);
    let mut child = command.spawn().expect("it starts");
    drop(command);
    let mut text = String::new();
    read.read_to_string(&mut text).expect("text");
    (text, child.wait().expect("it ends").code().expect("no signal"))
}

#[cfg(unix)]
#[test]
fn no_message_is_mixed_with_manifests() {
    let registry = registry();
    let host = for_every_host(&registry);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("digestif/log");
    let plain = digestif([&*host], POD).succeeded();
    let (text, status) = merged(folder.path(), &[&host, "-v"], POD);
    assert_eq!(status, 0, "{text}");
    let (comment, rest) = text.split_once('\n').expect("two lines");
    assert_eq!(rest, plain);
    let start = "# digestif: `docker.io/clastix/kubectl:v1.32` does not exist";
    assert!(comment.starts_with(start), "{comment}");
    for part in [
        "`docker.io/clastix/kubectl:v1.31` is used instead",
        "; rule: kubernetes-version",
        "; tried: ",
    ] {
        assert!(comment.contains(part), "{part}: {comment}");
    }
    let kept = fs::read_to_string(&log).expect("the log has the messages");
    for part in ["warning", "is used instead", "digestif: pinned 0 images", "exit status 0"] {
        assert!(kept.contains(part), "{part}: {kept}");
    }
    // A second run changes nothing, not even the comment.
    let (again, status) = merged(folder.path(), &[&host], &text);
    assert_eq!((again, status), (text, 0));
    let json = r#"{"kind": "Pod", "spec": {"containers": [{"image": "clastix/kubectl:v1.32"}]}}"#;
    let (text, status) = merged(folder.path(), &[&host], json);
    assert_eq!((text, status), (digestif([&*host], json).succeeded(), 0));
}

#[cfg(unix)]
#[test]
fn a_failed_run_or_one_without_manifests_still_prints_messages() {
    let registry = registry();
    let host = for_every_host(&registry);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (text, status) = merged(folder.path(), &[&host, "--no-fallback"], POD);
    assert_eq!(status, 1);
    assert!(
        text.contains("error[absent]: `docker.io/clastix/kubectl:v1.32` does not exist"),
        "{text}"
    );
    assert!(!text.contains("kind: Pod"), "{text}");
    fs::write(folder.path().join("pod.yaml"), POD).expect("writable");
    for args in [&["check"][..], &["-o", "out.yaml"], &["--diff"], &["-i", "pod.yaml"]] {
        let stdin = if args.contains(&"-i") { "" } else { POD };
        let (text, status) = merged(folder.path(), &[&[&*host], args].concat(), stdin);
        assert_eq!(status, 0, "{args:?}: {text}");
        assert!(text.contains(": `docker.io/clastix/kubectl:v1.32`"), "{args:?}: {text}");
    }
    // Two separate streams are not affected.
    let ran = digestif([&*host], POD);
    assert!(ran.stderr.starts_with("warning"), "{}", ran.stderr);
    assert!(!ran.stdout.contains('#'), "{}", ran.stdout);
}

#[cfg(unix)]
#[test]
fn a_nonblocking_stream_gets_everything() {
    let pods = format!("{}\n---\n", POD.trim_end()).repeat(20_000);
    let pods = pods.replace("v1.32", "v1.31");
    let registry = registry();
    let host = for_every_host(&registry);
    let expected = digestif([&*host], &pods).succeeded();
    assert!(expected.len() > 2_000_000);
    let input = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(input.path(), &pods).expect("writable");
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
    theirs.set_nonblocking(true).expect("it takes options");
    let mut command = command([&*host]);
    command.stdin(File::open(input.path()).expect("readable"));
    command.stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    drop(command);
    let mut text = String::new();
    ours.read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(text == expected, "{} of {} bytes", text.len(), expected.len());
}

#[test]
fn no_result_is_written_below_an_input_directory() {
    let registry = registry();
    let host = for_every_host(&registry);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(folder.path().join("deploy/sub")).expect("writable");
    fs::write(folder.path().join("deploy/pod.yaml"), POD).expect("writable");
    fs::write(folder.path().join("other.yaml"), POD).expect("writable");
    for (args, message) in [
        (&["deploy", "-o", "deploy/pod.yaml"][..], "below a directory that is read"),
        (&["deploy", "-o", "deploy/new.yaml"], "below a directory that is read"),
        (&["deploy", "-o", "deploy/sub/new.txt"], "below a directory that is read"),
        (&["images", "deploy", "-o", "deploy/list.json"], "below a directory that is read"),
        (&["check", "deploy", "-o", "deploy/list.json"], "below a directory that is read"),
        (&["deploy/pod.yaml", "other.yaml", "-o", "other.yaml"], "names an input"),
        (&["deploy", "other.yaml", "-o", "other.yaml"], "names an input"),
    ] {
        let ran = run_in(folder.path(), &[&[&*host], args].concat(), "");
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
        assert_eq!(fs::read_to_string(folder.path().join("other.yaml")).expect("there"), POD);
    }
    assert!(registry.requests().is_empty());
    run_in(folder.path(), &[&host, "deploy", "-o", "out.yaml"], "").succeeded();
    run_in(folder.path(), &[&host, "other.yaml", "-o", "other.yaml"], "").succeeded();
}

#[test]
fn a_missing_folder_is_an_error_before_any_request() {
    let registry = registry();
    let host = for_every_host(&registry);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for flag in ["-o", "--report", "--log", "--lock"] {
        for path in ["gone/out", "."] {
            let ran = run_in(folder.path(), &[&host, flag, path], POD);
            assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{flag}: {}", ran.stderr);
            assert!(ran.stderr.starts_with("error: the "), "{flag}: {}", ran.stderr);
        }
    }
    assert!(registry.requests().is_empty());
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

/// A read-only file system stops root too. Root can write everywhere else.
#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_output_is_an_error_before_any_request() {
    let registry = registry();
    let host = for_every_host(&registry);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lock = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\nimages: []\n";
    for (name, text) in [("web.yaml", POD), ("old.yaml", "old"), ("lock.yaml", lock)] {
        fs::write(folder.path().join(name), text).expect("writable");
        read_only(&folder.path().join(name), true);
    }
    for (args, flag) in [
        (&["web.yaml", "-o", "old.yaml"][..], "--output"),
        (&["web.yaml", "-o", "/proc/digestif"], "--output"),
        (&["web.yaml", "--report", "/proc/digestif"], "--report"),
        (&["web.yaml", "--lock", "/proc/digestif"], "--lock"),
        (&["web.yaml", "--lock", "lock.yaml"], "--lock"),
        (&["-i", "web.yaml"], "-i"),
        (&["check", "web.yaml", "-o", "old.yaml"], "--output"),
        (&["images", "web.yaml", "-o", "old.yaml"], "--output"),
        (&["suggest", "web.yaml", "-o", "/proc/digestif"], "--output"),
        (&["explain", "clastix/kubectl:v1.32", "-o", "/proc/digestif"], "--output"),
    ] {
        let args: Vec<_> = args.iter().copied().chain([&*host]).collect();
        let args = if args[0] == "images" { &args[..4] } else { &args[..] };
        let ran = run_in(folder.path(), args, "");
        assert_eq!((ran.status, &*ran.stdout), (2, ""), "{args:?}: {}", ran.stderr);
        let said = format!("error: `{flag}` can't write the file: ");
        assert!(ran.stderr.contains(&said), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains(".digestif-") && !ran.stderr.contains(".tmp"), "{args:?}");
    }
    assert_eq!(registry.requests().len(), 0);
    // A file that is not written may be read-only.
    for args in [&["-i", "--diff", "web.yaml"][..], &["--diff", "web.yaml", "--lock", "lock.yaml"]]
    {
        let args: Vec<_> = args.iter().copied().chain([&*host]).collect();
        let ran = run_in(folder.path(), &args, "");
        assert_eq!(ran.status, 0, "{args:?}: {}", ran.stderr);
    }
    read_only(&folder.path().join("lock.yaml"), false);
    run_in(folder.path(), &["web.yaml", "--lock", "lock.yaml", &host], "").succeeded();
    read_only(&folder.path().join("lock.yaml"), true);
    run_in(folder.path(), &["web.yaml", "--lock", "lock.yaml", &host], "").succeeded();
}

#[cfg(target_os = "linux")]
fn read_only(file: &Path, yes: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if yes { 0o444 } else { 0o644 };
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("ours");
}

#[test]
fn a_log_that_the_user_names_is_appended_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log");
    let large = "x\n".repeat(1 << 20);
    fs::write(&log, &large).expect("writable");
    run_in(folder.path(), &["--log", "log"], "a").failed(3);
    let text = fs::read_to_string(&log).expect("readable");
    assert!(text.starts_with(&large) && text[large.len()..].starts_with("== "));
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn no_message_names_a_temporary_file() {
    let registry = registry();
    let host = for_every_host(&registry);
    for args in [["-o", "/proc/digestif.yaml"], ["--lock", "/proc/digestif.yaml"]] {
        let said = digestif([&[&*host][..], &args].concat(), POD).failed(2);
        assert!(said.contains("/proc/digestif.yaml"), "{said}");
        assert!(!said.contains(".digestif-"), "{said}");
    }
}

/// Names that act as commands of GitHub's or Azure's runner, or that look like other names.
const HOSTILE: [&str; 5] =
    ["::error::x", "##[error]x", "a##vso[task.setvariable]x", "ngin\u{445}", "a\u{200b}b"];

#[test]
fn no_printed_line_acts_as_a_command_of_a_runner() {
    let layout = tempfile::tempdir().expect("a temporary folder");
    for name in HOSTILE {
        let quoted = format!("\"{name}\"");
        let pod = format!(
            "# {name}\n{name}: 1\nkind: {quoted}\nmetadata: {{name: {quoted}, namespace: {quoted}}}\nspec:\n  containers:\n  - name: {quoted}\n    image: {quoted} # {name}\n"
        )
        .replace(&format!("\n{name}: 1"), &format!("\n{quoted}: 1"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = format!("{name}.yaml");
        fs::write(folder.path().join(&file), &pod).expect("writable");
        for args in [
            &["check"][..],
            &["check", "--report-format=json"],
            &["check", "--report-format=markdown"],
            &["check", "--report-format=sarif"],
            &["check", "--report-format=github"],
            &["check", "--report-format=junit"],
            &["images"],
            &["images", "--format=json"],
            &["-v", "--diff"],
            &["suggest"],
        ] {
            for flags in [&["-f", &*file][..], &[]] {
                let ran = run_in(folder.path(), &[&["--offline"], args, flags].concat(), &pod);
                let shown = format!("{}\n{}", ran.stdout, ran.stderr);
                let ours = args.contains(&"--report-format=github");
                for line in shown.lines() {
                    assert!(!is_command(line, ours), "{args:?}: {line}\n{shown}");
                    // The path must be the path in the repository.
                    let is_path = ours && line.contains("file=");
                    let is_seen = !line.contains(['\u{445}', '\u{200b}']);
                    assert!(is_seen || is_path, "{args:?}: {line}");
                }
            }
        }
        let args = ["explain", "--offline", "--", name];
        let ran = run_in(layout.path(), &args, "");
        let shown = format!("{}\n{}", ran.stdout, ran.stderr);
        assert!(!shown.lines().any(|line| is_command(line, false)), "{shown}");
    }
}

/// True if a runner takes a line as a command. The commands that digestif writes for GitHub are
/// allowed.
fn is_command(line: &str, ours: bool) -> bool {
    let line = line.trim_start();
    let is_ours = ours && (line.starts_with("::error ") || line.starts_with("::warning "));
    let is_command = line.starts_with("::") && !line.starts_with(":::");
    is_command && !is_ours || line.contains("##[") || line.contains("##vso[")
}

/// Panics like a defect, with a temporary file. The test
/// [`a_panic_ends_the_run_with_one_sentence_and_no_files`] starts it.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn a_defect() {
    let Some(folder) = std::env::var_os("DIGESTIF_TEST_FOLDER") else { return };
    let done = digestif::io::panics::guarded(|| {
        let _file = tempfile::Builder::new().prefix(".digestif-").tempfile_in(folder);
        let number: Result<u8, _> = "NeverShowThisSecret".parse();
        number.expect("NeverShowThisSecret")
    });
    std::process::exit(done.map_or(i32::from(digestif::io::panics::STATUS), |_| 0));
}

#[test]
fn a_panic_ends_the_run_with_one_sentence_and_no_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_defect", "--ignored", "--nocapture"])
        .env("DIGESTIF_TEST_FOLDER", folder.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(70), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("error: digestif ") && said.contains(" has a defect at tests/outputs.rs:"),
        "{said}"
    );
    assert!(said.contains("please report this line"), "{said}");
    assert!(!said.contains("NeverShowThisSecret"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}
