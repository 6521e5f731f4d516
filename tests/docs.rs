//! What the pages say is true: configurations are accepted, links lead somewhere, flags exist.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::digestif;

/// Every page, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "helm", "krm", "fuzz"].map(|folder| root.join(folder));
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.map(|file| file.expect("readable").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages: Vec<_> = pages
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            (path, text)
        })
        .collect();
    assert!(pages.len() > 4, "{pages:?}");
    pages
}

/// The blocks of a language in a page.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    page.split(&*fence).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn every_configuration_in_the_pages_is_accepted() {
    let schema = digestif(["schema", "config"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut seen = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "yaml") {
            if !block.contains("kind: PinImages") {
                continue;
            }
            seen += 1;
            let file = folder.path().join("digestif.yaml");
            fs::write(&file, block).expect("writable");
            let file = file.display().to_string();
            let ran = digestif(["--config", &file, "--allow-empty"], "");
            assert_eq!(ran.status, 0, "{}:\n{block}\n{}", path.display(), ran.stderr);
            let value: serde_json::Value = serde_yaml::from_str(block).expect("YAML");
            assert!(schema.is_valid(&value), "{}:\n{block}", path.display());
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn every_lock_in_the_pages_is_accepted() {
    let schema = digestif(["schema", "lock"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let pages = pages();
    let blocks = pages.iter().flat_map(|(_, page)| blocks(page, "yaml"));
    let locks: Vec<_> = blocks.filter(|block| block.contains("kind: ImageLock")).collect();
    assert!(!locks.is_empty());
    for lock in locks {
        let read = digestif(["lock", "diff", "-", "/dev/null"], lock).succeeded();
        assert!(read.ends_with(" removed\n"), "{read}");
        let value: serde_json::Value = serde_yaml::from_str(lock).expect("YAML");
        assert!(schema.is_valid(&value), "{lock}");
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (path, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().expect("a folder").join(file)
            };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).expect("readable");
                let titles = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = titles.map(|title| {
                    let title = title.trim_start_matches('#').trim().to_lowercase();
                    title.replace(' ', "-").replace(|c: char| !c.is_alphanumeric() && c != '-', "")
                });
                assert!(anchors.any(|found| found == anchor), "{}: {link}", path.display());
            }
        }
    }
}

#[test]
fn every_flag_is_in_the_readme_and_every_command_too() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.expect("readable");
    let help = digestif(["--help"], "").succeeded();
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    for flag in flags {
        let flag = flag.trim_matches(|c: char| !c.is_ascii_lowercase() && c != '-');
        if !flag.is_empty()
            && !matches!(
                flag,
                "help"
                    | "version"
                    | "color"
                    | "filename"
                    | "output"
                    | "in-place"
                    | "quiet"
                    | "verbose"
                    | "config"
                    | "post-renderer"
            )
        {
            assert!(readme.contains(&format!("--{flag}")), "--{flag} is not in the README");
        }
    }
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in commands.expect("there are commands").lines().filter(|line| line.starts_with("  "))
    {
        let name = line.split_whitespace().next().unwrap_or("help");
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        if is_name && name != "help" {
            assert!(readme.contains(&format!("digestif {name}")), "{name} is not in the README");
        }
    }
}
