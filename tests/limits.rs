//! Limits: everything that is read, compiled or printed has a limit, and one sentence names it.

mod support;

use std::fs;
use std::path::Path;

use support::{Ran, command, digestif, finish, start};

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";
const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{image: 'nginx:1'}]}\n";

fn run_in(folder: &Path, args: &[&str], stdin: &str) -> Ran {
    finish(start(command(args).current_dir(folder)), stdin.as_bytes())
}

/// Runs with a configuration, which is named by a flag.
fn configured(config: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("own.yaml"), format!("{HEAD}{config}")).expect("writable");
    run_in(folder.path(), &["images", "-c", "own.yaml"], POD)
}

#[cfg(unix)]
fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("every Unix has it").success());
}

#[cfg(target_os = "linux")]
#[test]
fn an_endless_input_is_refused() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let zero = fs::File::open("/dev/zero").expect("Linux has it");
    let mut endless = command(["--offline"]);
    let ran = endless.stdin(zero).output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(3), 0), "{said}");
    assert!(said.contains(": the input is larger than 256 MiB\n--> <stdin>\n"), "{said}");
    for name in ["a.yaml", "b.yaml"] {
        symlink("/dev/zero", folder.path().join(name)).expect("writable");
    }
    let said = run_in(folder.path(), &["a.yaml", "b.yaml"], "").failed(3);
    assert!(said.contains(": the input is larger than 256 MiB\n--> a.yaml\n"), "{said}");
    assert_eq!(said.matches("256 MiB").count(), 1, "{said}");
    let said = run_in(folder.path(), &["-c", "a.yaml"], POD).failed(2);
    assert!(said.contains("it is larger than any configuration"), "{said}");
    let said = run_in(folder.path(), &["--lock", "a.yaml"], POD).failed(2);
    assert!(said.contains("the lock must be a file"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_directory_is_skipped_with_a_warning() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    pipe(&folder.path().join("a.yaml"));
    let said = run_in(folder.path(), &["images", "."], "").failed(2);
    assert!(said.contains("= left out: ./a.yaml: a device or a pipe is left out"), "{said}");
    fs::write(folder.path().join("b.yaml"), POD).expect("writable");
    let ran = run_in(folder.path(), &["images", "."], "");
    assert!(ran.stderr.starts_with("warning: a device or a pipe is left out\n"), "{}", ran.stderr);
    assert!(ran.succeeded().contains("nginx:1"));
    assert_eq!(run_in(folder.path(), &["check", "--strict", "--skip=**", "."], "").status, 5);
    // A pipe that the caller names is read, for example a shell's `<(…)`.
    let named = folder.path().join("a.yaml");
    let writer = std::thread::spawn(move || fs::write(named, POD).expect("it is read"));
    assert!(run_in(folder.path(), &["images", "a.yaml"], "").succeeded().contains("nginx:1"));
    writer.join().expect("it wrote");
}

#[test]
fn globs_have_limits_in_every_setting() {
    let nested = format!("{}a/b{}", "{".repeat(250), "}".repeat(250));
    let long = "a".repeat(2000);
    for (glob, reason) in [
        (&nested, "a glob has more than 10 nested braces"),
        (&long, "a glob has more than 1024 bytes"),
    ] {
        for flag in ["--skip", "--update", "--exclude", "--fallback"] {
            let value = match flag {
                "--fallback" => format!("--fallback={glob}/x:a=b"),
                _ => format!("{flag}={glob}"),
            };
            let folder = tempfile::tempdir().expect("a temporary folder");
            fs::write(folder.path().join("a.yaml"), POD).expect("writable");
            let said = run_in(folder.path(), &["--offline", "-f", "a.yaml", &value], "").failed(2);
            assert!(said.contains(reason), "{flag}: {said}");
        }
        for config in [
            format!("skip: ['{glob}']\n"),
            format!("fallbacks: [{{name: a, images: ['{glob}'], try: [b]}}]\n"),
        ] {
            let said = configured(&config).failed(2);
            assert!(said.contains(reason), "{said}");
            let own = format!("{HEAD}{config}").replace('\n', "\n  ");
            let list = format!(
                "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\nfunctionConfig:\n  {}\n",
                own.trim_end()
            );
            let ran = digestif([] as [&str; 0], &list);
            assert_eq!(ran.status, 2);
            assert!(ran.stderr.contains(reason), "{}", ran.stderr);
        }
    }
    let many = format!("skip:\n{}", "- a/b\n".repeat(1001));
    assert!(configured(&many).failed(2).contains("there are more than 1000 globs in one list"));
}

#[test]
fn regular_expressions_and_rules_have_limits() {
    let rule = |n: usize, tag: &str| {
        format!("- {{name: r{n}, images: [a.io/b], tag: '{tag}', try: [b]}}\n")
    };
    for tag in ["(?:\\w{100}){9}?", "\\w{1000}", "(((a{100}){100}){100})"] {
        let said = configured(&format!("fallbacks:\n{}", rule(1, tag))).failed(2);
        let message = "the configuration is wrong: the regular expression is too large";
        assert!(said.contains(message), "{tag}: {said}");
        let flag = format!("--fallback={tag}=b");
        let said = digestif(["--offline", &flag], POD).failed(2);
        assert!(said.contains("the regular expression is too large"), "{said}");
    }
    let rules: String = (0..501).map(|n| rule(n, "a")).collect();
    let said = configured(&format!("fallbacks:\n{rules}")).failed(2);
    assert!(said.contains("there are more than 500 rules"), "{said}");
    for tag in ["main-(v.+-stable)", "(\\w+)-(\\w+)-(\\w+)", "v\\d+\\.\\d+\\.\\d+(-rc\\d+)?"] {
        assert_eq!(configured(&format!("fallbacks:\n{}", rule(1, tag))).status, 0, "{tag}");
    }
    let large = format!("# {}\n", "x".repeat(1 << 20));
    assert!(configured(&large).failed(2).contains("it is larger than any configuration"));
}

#[test]
fn a_thousand_errors_and_warnings_are_printed_and_the_rest_is_counted() {
    let pods = |image: &str, n: usize| {
        (0..n)
            .map(|n| format!("---\nkind: Pod\nspec: {{containers: [{{image: '{image}{n}'}}]}}\n"))
            .collect::<String>()
    };
    let text = pods("A:", 1002) + &pods("${X}", 1001);
    let ran = digestif(["--offline"], &text);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""));
    let lines = |start: &str| ran.stderr.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("error: "), lines("warning: ")), (1000, 1000));
    for line in ["and 2 more errors; `--report FILE` writes all of them", "and 1 more warnings; "] {
        assert_eq!(lines(line), 1, "{line}");
    }
}

#[test]
fn a_folder_with_only_a_chart_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chart = folder.path().join("web");
    fs::create_dir_all(chart.join("templates")).expect("writable");
    let template =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  {{- include \"web.labels\" . | nindent 2 }}\n";
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("values.yaml", "image: {repository: nginx, tag: '1'}\n"),
        ("templates/pod.yaml", template),
        ("templates/other.yaml", template),
    ] {
        fs::write(chart.join(name), text).expect("writable");
    }
    let said = run_in(folder.path(), &["--offline", "."], "").failed(2);
    assert!(
        said.contains("= left out: ./web: a chart is left out: its templates are not YAML yet"),
        "{said}"
    );
    assert!(said.contains("= help: pin the output of `helm template`"), "{said}");
    // The message names the chart.
    let said = run_in(folder.path(), &["--offline", "web"], "").failed(3);
    assert_eq!(said.matches("a template is not a manifest").count(), 1, "{said}");
    assert!(said.starts_with("error: a template is not a manifest\n"), "{said}");
    assert!(said.contains("web/templates/other.yaml:4:5"), "{said}");
    assert!(said.contains("web/templates/pod.yaml:4:5"), "{said}");
    assert!(said.contains("= help: render it: `helm template NAME web | digestif`"), "{said}");
    assert!(!said.contains("did the command before the pipe fail"), "{said}");
}
