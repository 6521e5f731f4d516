//! Links between pages lead to a file and, if they have one, to a title.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::pages::pages;

/// The anchors of a page, as GitHub makes them: a title in lower case, without punctuation, with hyphens for spaces,
/// and with a number if an earlier title is the same. Lines of code are not titles.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_code = false;
    let mut anchors = Vec::new();
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code || !line.starts_with('#') {
            continue;
        }
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let anchor = title.replace(|c: char| !c.is_alphanumeric() && c != '-' && c != '_', "");
        let n = seen.entry(anchor.clone()).or_default();
        anchors.push(if *n == 0 { anchor } else { format!("{anchor}-{n}") });
        *n += 1;
    }
    anchors
}

#[test]
fn anchors_are_the_same_as_on_github() {
    let text = "# One two\n```sh\n# no title\n```\n## What's `x-y`?\n## One two\n";
    assert_eq!(anchors(text), ["one-two", "whats-x-y", "one-two-1"]);
}

#[test]
fn every_link_leads_to_a_file_and_a_title() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for page in pages() {
        let folder = root.join(page.path.parent().expect("a folder"));
        let links = page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root.join(&page.path) } else { folder.join(file) };
            assert!(target.exists(), "{}: {link}", page.path.display());
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).expect("readable");
                let is_there = anchors(&text).iter().any(|found| found == anchor);
                assert!(is_there, "{}: {link}", page.path.display());
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
