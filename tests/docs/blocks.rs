//! Every fenced block of the pages is used by a test, or has a note with the reason.

use std::fs;
use std::path::Path;

use crate::support::pages::{Block, Note, blocks};
use crate::support::{command, digestif, finish, start};

/// The test that uses a block without a note.
#[derive(Debug, PartialEq, Eq)]
enum User {
    /// `shell.rs` runs it.
    Shell,
    /// digestif reads it as a configuration.
    Configuration,
    /// digestif reads it as a lock.
    Lock,
    /// `ci.rs` runs its commands.
    Ci,
}

fn user(block: &Block) -> Option<User> {
    match &*block.language {
        "sh" => Some(User::Shell),
        "yaml" if block.place.starts_with("docs/ci.md") => Some(User::Ci),
        "yaml" if block.text.contains("kind: PinImages") => Some(User::Configuration),
        "yaml" if block.text.contains("kind: ImageLock") => Some(User::Lock),
        _ => None,
    }
}

fn used_by(user_of_block: &User) -> Vec<Block> {
    let found = blocks().into_iter().filter(|block| user(block).as_ref() == Some(user_of_block));
    found.filter(|block| !matches!(block.note, Note::NotRun(_))).collect()
}

#[test]
fn every_block_is_run_or_has_a_note_with_the_reason() {
    let mut sources = String::new();
    add_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut sources);
    for block in blocks() {
        match &block.note {
            Note::None => assert!(user(&block).is_some(), "{}: no test uses it", block.place),
            Note::Recipe(name) => {
                let call = format!("recipe(\"{name}\")");
                assert!(sources.contains(&call), "{}: no test has {call}", block.place);
            }
            Note::NotRun(reason) => assert!(reason.contains(' '), "{}: {reason}", block.place),
        }
    }
}

/// Adds the text of each Rust file below a folder.
fn add_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            add_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path).expect("readable"));
        }
    }
}

/// The schema that the binary prints, ready to check values.
fn schema(subject: &str) -> jsonschema::Validator {
    let schema = digestif(["schema", subject], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

#[test]
fn every_configuration_is_accepted() {
    let schema = schema("config");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let configurations = used_by(&User::Configuration);
    assert!(configurations.len() > 3, "{configurations:?}");
    for Block { place, text, .. } in configurations {
        let file = folder.path().join("digestif.yaml");
        fs::write(&file, &text).expect("writable");
        let file = file.display().to_string();
        let ran = finish(start(&mut command(["--config", &file, "--allow-empty"])), b"");
        assert_eq!(ran.status, 0, "{place}:\n{text}\n{}", ran.stderr);
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        assert!(schema.is_valid(&value), "{place}:\n{text}");
    }
}

#[test]
fn every_lock_is_accepted() {
    let schema = schema("lock");
    let locks = used_by(&User::Lock);
    assert!(!locks.is_empty());
    for Block { place, text, .. } in locks {
        let read = digestif(["lock", "diff", "-", "/dev/null"], &text).succeeded();
        assert!(read.ends_with(" removed\n"), "{place}: {read}");
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        assert!(schema.is_valid(&value), "{place}: {text}");
    }
}
