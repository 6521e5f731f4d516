//! Published artefacts, and the pages about them. A value of `published.toml` stays empty until it
//! exists.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{finish, start};

/// The sentence of the README that is used until something is published.
const NOT_YET: &str = "There are no packages yet";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A value of `published.toml`; `None` if it does not exist yet.
fn published(key: &str) -> Option<String> {
    let file = read("published.toml");
    let mut values = file.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    let value = values.next().unwrap_or_else(|| panic!("published.toml has no `{key}`"));
    let value = value.trim_matches('"').to_owned();
    (!value.is_empty()).then_some(value)
}

/// The pages that name published artefacts, with their texts.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for folder in [".", "docs", "helm", "krm"] {
        for entry in fs::read_dir(root.join(folder)).expect("readable") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|end| end == "md" || end == "yaml") {
                let text = fs::read_to_string(&path).expect("readable");
                pages.push((path.display().to_string(), text));
            }
        }
    }
    pages
}

#[test]
fn no_page_names_a_place_that_does_not_exist_yet() {
    for (path, page) in pages() {
        assert!(!page.contains("OWNER"), "{path}");
    }
    let readme = read("README.md");
    let manifest = read("Cargo.toml");
    match published("repository") {
        None => {
            assert!(readme.contains(NOT_YET), "the README must say that no package exists yet");
            assert!(!manifest.contains("\nrepository = "), "Cargo.toml names a repository");
        }
        Some(url) => {
            assert!(readme.contains(&url) && !readme.contains(NOT_YET), "the README names {url}");
            assert!(manifest.contains(&format!("\nrepository = \"{url}\"\n")), "and Cargo.toml");
            for (path, page) in pages() {
                assert!(!page.contains("acme/digestif"), "{path} has a copy's name still");
            }
        }
    }
    let image = published("image").unwrap_or_else(|| "localhost/digestif".to_owned());
    for page in ["docs/hosts.md", "krm/function.yaml"] {
        assert!(read(page).contains(&format!("image: {image}:")), "{page} names no {image}");
    }
}

#[test]
fn the_package_is_the_program_without_tests_that_need_the_repository() {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let mut list = Command::new(cargo);
    list.args(["package", "--list", "--allow-dirty", "--offline", "--quiet"]);
    let list = finish(start(list.current_dir(env!("CARGO_MANIFEST_DIR"))), b"").succeeded();
    let ours = |file: &&str| !file.starts_with("src/");
    let beside: Vec<_> = list.lines().filter(ours).collect();
    let expected = [
        ".cargo_vcs_info.json",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE",
        "README.md",
        "build.rs",
    ];
    assert_eq!(beside, expected);
    let is_source = |file: &&str| Path::new(file).extension().is_some_and(|end| end == "rs");
    for file in list.lines().filter(is_source) {
        assert!(
            !read(file).contains("CARGO_MANIFEST_DIR"),
            "{file} reads a file that is not in the package"
        );
    }
}
