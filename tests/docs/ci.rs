//! The recipes of the page about CI: each command works, and each job has only the permissions that
//! it needs.

use std::fs;
use std::path::Path;

use digestif::cli::Invocation;
use serde_yaml::Value;

use crate::support::pages::blocks;
use crate::support::{command, finish, start, testdata};

/// The strings under these keys, at any depth and in order.
fn texts(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) if key.as_str().is_some_and(|key| keys.contains(&key)) => {
                        found.push(text.clone());
                    }
                    Value::Sequence(items) if key.as_str() == Some("script") => {
                        found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    value => texts(value, keys, found),
                }
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| texts(item, keys, found)),
        _ => {}
    }
}

/// The workflows and pipelines of the page about CI.
fn recipes() -> Vec<Value> {
    let blocks = blocks().into_iter().filter(|block| block.place.starts_with("docs/ci.md"));
    let blocks = blocks.filter(|block| block.language == "yaml");
    let recipes = blocks.map(|block| serde_yaml::from_str(&block.text));
    recipes.collect::<Result<_, _>>().expect("YAML")
}

/// The arguments of each digestif command in a script, without redirections and later commands.
fn calls(script: &str) -> Vec<Vec<String>> {
    let commands = script.lines().flat_map(|line| line.split(" | ")).map(str::trim);
    let commands = commands.filter_map(|command| command.strip_prefix("digestif "));
    let ends = |word: &&str| !matches!(*word, ">" | ">>" | "&&" | "||");
    let arguments = |command: &str| {
        let words = command.split_whitespace().take_while(ends);
        words.map(|word| word.trim_matches('\'').to_owned()).collect()
    };
    commands.map(arguments).collect()
}

#[test]
fn every_command_of_the_recipes_for_ci_works() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let quickstart = testdata("quickstart");
    fs::create_dir(folder.path().join("deploy")).expect("writable");
    let mut rendered = String::new();
    for name in ["web.yaml", "cleanup.yaml"] {
        let text = fs::read_to_string(quickstart.join(name)).expect("readable");
        fs::write(folder.path().join("deploy").join(name), &text).expect("writable");
        rendered.push_str("---\n");
        rendered.push_str(&text);
    }
    let run = |arguments: &[String], stdin: &str| {
        let mut command = command(arguments);
        command.env("DIGESTIF_LAYOUT", quickstart.join("images")).env("DIGESTIF_OFFLINE", "true");
        let ran = finish(start(command.current_dir(folder.path())), stdin.as_bytes());
        assert_eq!(ran.status, 0, "{arguments:?}: {}", ran.stderr);
    };
    let first = ["--lock", "images.lock.yaml", "-f", "deploy/"].map(String::from);
    run(&first, "");
    let lock = folder.path().join("images.lock.yaml");
    let mut scripts = Vec::new();
    for recipe in recipes() {
        texts(&recipe, &["run"], &mut scripts);
    }
    let calls: Vec<_> = scripts.iter().flat_map(|script| calls(script)).collect();
    assert_eq!(calls.len(), 8, "{calls:?}");
    for arguments in calls {
        let locks = fs::read_to_string(&lock).expect("there is one");
        run(&arguments, if arguments[0] == "lock" { &locks } else { &rendered });
        let written = arguments.windows(2).filter(|pair| matches!(&*pair[0], "-o" | "--report"));
        for file in written.map(|pair| folder.path().join(&pair[1])) {
            assert!(file.exists(), "{arguments:?}");
        }
    }
}

#[test]
fn every_command_on_the_page_about_ci_has_valid_arguments() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).expect("readable").replace('\n', " ");
    let spans = page.split('`').skip(1).step_by(2).filter(|span| span.starts_with("digestif "));
    let calls: Vec<_> = spans.flat_map(calls).collect();
    assert!(calls.len() > 3, "{calls:?}");
    for arguments in calls {
        let call = std::iter::once("digestif".to_owned()).chain(arguments);
        let call: Vec<_> = call.map(std::ffi::OsString::from).collect();
        if let Err(error) = Invocation::read(call.clone()) {
            panic!("{call:?}: {error}");
        }
    }
}

#[test]
fn the_recipes_for_ci_have_only_the_permissions_that_they_need() {
    let workflows: Vec<_> =
        recipes().into_iter().filter(|recipe| recipe.get("on").is_some()).collect();
    assert_eq!(workflows.len(), 4);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/ci.yml");
    let own = fs::read_to_string(own).expect("readable");
    for workflow in workflows {
        assert!(workflow["permissions"].as_mapping().is_some_and(serde_yaml::Mapping::is_empty));
        for (name, job) in workflow["jobs"].as_mapping().expect("jobs") {
            assert!(job.get("permissions").is_some(), "{name:?}");
        }
        let mut actions = Vec::new();
        texts(&workflow, &["uses"], &mut actions);
        // The other action is digestif's own, which has no commit yet.
        actions.retain(|action| !action.starts_with("acme/digestif@"));
        for action in actions {
            assert!(own.contains(&format!("uses: {action} # v")), "{action} is not the one we use");
        }
    }
}
