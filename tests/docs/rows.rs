//! Every flag, command and page has a row, each promise about security names its tests, the README is short, and its
//! picture shows a real run.

use std::fs;
use std::path::Path;

use crate::support::pages::pages;
use crate::support::{command, digestif, finish, start};

#[test]
fn every_flag_and_every_command_has_a_row_in_its_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/flags.md");
    let page = fs::read_to_string(page).expect("readable");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    let has_row = |text: &str| rows.iter().any(|row| row.contains(text));
    let help = digestif(["--help"], "").succeeded();
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    // A flag with a short form has a row with both. The last two are flags of Helm in an example.
    let known = [
        "help",
        "version",
        "filename",
        "output",
        "in-place",
        "quiet",
        "verbose",
        "config",
        "install",
        "post-renderer",
    ];
    for flag in flags {
        let flag = flag.trim_matches(|c: char| !c.is_ascii_lowercase() && c != '-');
        let is_known = flag.is_empty() || known.contains(&flag);
        assert!(is_known || has_row(&format!("`--{flag}")), "--{flag} has no row");
    }
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in commands.expect("there are commands").lines() {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        let name = line.split_whitespace().next().unwrap_or("help");
        if is_name && name != "help" {
            assert!(has_row(&format!("`digestif {name}")), "{name} has no row");
        }
    }
}

#[test]
fn the_readme_is_short_and_the_list_of_pages_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("readable");
    assert!(readme.split_whitespace().count() <= 1_500);
    let list = fs::read_to_string(root.join("docs/README.md")).expect("readable");
    for path in pages().iter().map(|page| &page.path).filter(|path| path.starts_with("docs")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name == "README.md" || list.contains(&format!("({name})")), "{name} is not listed");
    }
}

/// The picture in the README: a command and what it prints in a terminal.
#[test]
fn the_picture_shows_a_real_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = [
        "--diff",
        "testdata/quickstart/cleanup.yaml",
        "--layout",
        "testdata/quickstart/images",
        "--offline",
    ];
    let mut run = command(shown.iter().chain(&["--color", "always"]).map(|&word| word.to_owned()));
    let ran = finish(start(run.current_dir(root)), b"");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let screen = format!("$ digestif {}\n{}\n{}", shown.join(" "), ran.stdout, ran.stderr);
    let picture = anstyle_svg::Term::new().render_svg(&screen);
    let path = root.join("docs/run.svg");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &picture).expect("writable");
    }
    let is_current = fs::read_to_string(&path).is_ok_and(|found| found == picture);
    assert!(is_current, "the output has changed: UPDATE_DOCS=1 cargo test --test docs");
    let readme = fs::read_to_string(root.join("README.md")).expect("readable");
    assert!(readme.contains("](docs/run.svg)"));
}

/// Each row of the table is a promise, and files with the tests that show it.
#[test]
fn each_promise_about_security_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("readable");
    let table = page.split("| promise | tests |").nth(1).expect("there is a table");
    let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (promise, tests) = row.trim_matches(['|', ' ']).rsplit_once(" | ").expect("two cells");
        for file in tests.split("; ") {
            let mut names = file.split('`').skip(1).step_by(2);
            let path = names.next().expect("it names a file");
            let text = fs::read_to_string(root.join(path)).expect(path);
            let names: Vec<_> = names.collect();
            assert!(!names.is_empty(), "{promise}: no test of {path}");
            for name in names {
                assert!(
                    text.contains(&format!("#[test]\nfn {name}()"))
                        || text.contains(&format!("#[test]\n    fn {name}()")),
                    "{path} has no test {name}"
                );
            }
        }
    }
}
