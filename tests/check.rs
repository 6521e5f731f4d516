//! `digestif check` as people and CI systems see it: text with a count, GitHub's annotations,
//! `JUnit`.

mod support;

use std::fs;

use roxmltree::{Document, Node};
use support::registry::{Content, Registry};
use support::{Ran, command, finish, for_every_host, start};

/// A Pod with containers of these images.
fn pod(images: &[&str]) -> String {
    let container = |image: &&str| format!("  - image: {image}\n");
    let containers: String = images.iter().map(container).collect();
    format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n{containers}")
}

/// Checks `web.yaml` with these images. The registry has only the images that start with `a`.
fn check(images: &[&str], flags: &[&str]) -> (Ran, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("web.yaml"), pod(images)).expect("writable");
    let registry = Registry::start(Content::of(&[("docker.io/library/a", &["1", "2"])]));
    let mut command = command(["check", "web.yaml", &for_every_host(&registry)]);
    let ran = finish(start(command.args(flags).current_dir(folder.path())), b"");
    (ran, folder)
}

#[test]
fn a_check_prints_text_with_a_count() {
    let (passed, _folder) = check(&["a:1", "a:1"], &[]);
    assert_eq!(passed.succeeded(), "check passed: 1 image at 2 places in 1 object\n");
    let (failed, _folder) = check(&["a:1", "b:1"], &["--deny-mutable=versions"]);
    assert_eq!(failed.status, 5, "{}", failed.stderr);
    let lines: Vec<_> = failed.stdout.lines().collect();
    assert!(lines[0].starts_with("web.yaml:7:12: error[deny-mutable]: `"), "{}", failed.stdout);
    assert!(lines.iter().any(|line| line.starts_with("web.yaml:8:12: error[absent]: `")));
    let count = "check failed, 3 errors: 2 images at 2 places in 1 object";
    assert_eq!(lines[lines.len() - 1], count);
}

#[cfg(target_os = "linux")]
#[test]
fn a_check_on_a_terminal_shows_each_error_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("web.yaml"), pod(&["a:1"])).expect("writable");
    let ran = support::on_terminal(folder.path(), "check --require-digest web.yaml");
    assert_eq!(ran.status, 5, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("has no digest").count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("check failed, 1 error: 1 image at 1 place"), "{}", ran.stdout);
}

#[test]
fn a_check_that_cannot_start_also_counts_its_errors() {
    let (ran, _folder) = check(&["a:1"], &["-c", "nothere.yaml"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stdout.starts_with("nothere.yaml: error[file]: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("check failed, 1 error: "), "{}", ran.stdout);
}

#[test]
fn a_report_in_a_file_is_json_by_default() {
    let (ran, folder) = check(&["a:1"], &["--report", "report"]);
    assert!(ran.succeeded().starts_with("check passed"));
    let report = fs::read_to_string(folder.path().join("report")).expect("written");
    assert!(report.starts_with("{\n"), "{report}");
    let (ran, folder) = check(&["a:1"], &["--report", "report", "--report-format", "text"]);
    let report = fs::read_to_string(folder.path().join("report")).expect("written");
    assert_eq!(report, ran.succeeded());
}

#[test]
fn github_annotates_the_line_and_no_input_becomes_a_command() {
    let evil = r#""b:1\n::error::c%0A::set-env name=X::y""#;
    let (ran, _folder) = check(&["b:1", evil], &["--report-format", "github"]);
    let lines: Vec<_> = ran.stdout.lines().collect();
    let start =
        "::error file=web.yaml,line=7,col=12,endLine=7,endColumn=15,title=digestif%3A absent::";
    assert!(lines.iter().any(|line| line.starts_with(start)), "{}", ran.stdout);
    let commands = lines.iter().filter(|line| line.starts_with("::"));
    for command in commands {
        assert!(command.contains("title=digestif%3A "), "{command}");
    }
    assert!(ran.stdout.contains("%0Ahelp: "), "{}", ran.stdout);
    assert!(lines[lines.len() - 1].starts_with("check failed, "), "{}", ran.stdout);
}

#[test]
fn junit_has_a_test_case_for_each_image() {
    let flags = ["--report-format", "junit", "--skip", "docker.io/library/s"];
    let (ran, _folder) = check(&["a:1", "b:1", "s:1", r#""</failure>&\u0000""#], &flags);
    let document = Document::parse(&ran.stdout).expect("well-formed XML");
    let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).expect("one");
    let numbers = ["tests", "failures", "skipped"].map(|name| suite.attribute(name));
    assert_eq!(numbers, [Some("4"), Some("1"), Some("1")], "{}", ran.stdout);
    let case = |name: &str| -> Node<'_, '_> {
        let mut cases = suite.children().filter(|node| node.has_tag_name("testcase"));
        let found = cases.find(|case| case.attribute("name") == Some(name));
        found.unwrap_or_else(|| panic!("{name}: {}", ran.stdout))
    };
    let child = |case: Node<'_, '_>, name: &str| {
        case.children()
            .find(|node| node.has_tag_name(name))
            .map(|node| node.text().map(str::to_owned))
    };
    let absent = case("docker.io/library/b:1");
    let text = child(absent, "failure").flatten().expect("a failure with text");
    assert!(text.contains("\nweb.yaml:8:12  "), "{text}");
    assert_eq!(absent.attribute("classname"), Some("web.yaml"));
    assert_eq!(child(case("docker.io/library/a:1"), "failure"), None);
    assert!(child(case("docker.io/library/s:1"), "skipped").is_some());
}
