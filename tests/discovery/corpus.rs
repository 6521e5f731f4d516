//! Compares the images that are found in other projects' manifests with an independent list of them
//! (`DIGESTIF_CORPUS`).

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;

use digestif::places::Place;
use serde_json::Value;

use super::places;

/// Images of the list that are not found: file, start of the string, count, and reason.
const MISSED: [(&str, &str, usize, &str); 1] = [(
    "cluster-autoscaler-like-aws-ccm.yaml",
    "ssm:/aws/",
    2,
    "images of machines, in no registry",
)];

/// Images that are found and not in the list: file, field, count, and reason.
const EXTRA: [(&str, &str, usize, &str); 4] = [
    ("kserve-v0.15.2.yaml", "data._example", 9, "the list has each image of this text once"),
    (
        "nvidia-gpu-operator-csv.yaml",
        "metadata.annotations.alm-examples",
        2,
        "`image` is a name there, and the repository is in another field",
    ),
    (
        "rancher-system-upgrade.yaml",
        "data.SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE",
        1,
        "an image that the list does not have",
    ),
    ("scylla-manager-prod.yaml", "spec.agentVersion", 1, "another that it does not have"),
];

#[derive(Debug, Default)]
struct Count {
    all: usize,
    places: usize,
    candidates: usize,
}

#[test]
fn exactly_the_images_of_the_corpus_are_found() {
    let Some(corpus) = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: DIGESTIF_CORPUS is not set; scripts/test sets it if there is a corpus");
        return;
    };
    let truth = fs::read(corpus.join("truth.json")).expect("readable");
    let truth: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&truth).expect("valid");
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let (mut missed, mut extra) = (Vec::new(), Vec::new());
    for (file, images) in &truth {
        let text = fs::read_to_string(corpus.join(file)).expect("readable");
        let found = places(&text);
        let mut used = HashSet::new();
        for image in images {
            let category = image["cat"].as_str().expect("a text");
            let count = counts.entry(category.to_owned()).or_default();
            count.all += 1;
            let is_it = |n: &usize| !used.contains(n) && is_at(&found[*n], image);
            match (0..found.len()).find(is_it) {
                Some(n) => {
                    used.insert(n);
                    let is_candidate = found[n].is_candidate();
                    count.candidates += usize::from(is_candidate);
                    count.places += usize::from(!is_candidate);
                }
                None => {
                    missed.push((
                        file.as_str(),
                        category,
                        image["value"].as_str().expect("a text"),
                    ));
                }
            }
        }
        let others = (0..found.len()).filter(|n| !used.contains(n)).map(|n| &found[n]);
        extra.extend(others.map(|place| {
            (file.clone(), place.class.word(), place.path.to_string(), place.text().to_owned())
        }));
    }
    println!("category  images  places  candidates");
    for (category, Count { all, places, candidates }) in &counts {
        println!("{category:8}  {all:6}  {places:6}  {candidates:10}");
    }
    for (file, start, n, why) in MISSED {
        let before = missed.len();
        missed.retain(|(at, _, text)| *at != file || !text.starts_with(start));
        assert_eq!(before - missed.len(), n, "{file}: {why}");
    }
    assert!(missed.is_empty(), "{missed:#?}");
    for (file, field, n, why) in EXTRA {
        let before = extra.len();
        extra.retain(|(at, _, path, _)| at != file || path != field);
        assert_eq!(before - extra.len(), n, "{file}: {why}");
    }
    assert!(extra.is_empty(), "neither images nor explained: {extra:#?}");
    let (mut others, mut found) = (0, 0);
    for (category, count) in counts {
        match category.as_str() {
            "pod" | "podcrd" => assert_eq!(count.places, count.all, "{category}"),
            // Images of machines.
            "field" => assert_eq!((count.all - count.places, count.candidates), (2, 0)),
            _ => {
                others += count.all;
                found += count.places + count.candidates;
            }
        }
    }
    assert!(found * 100 >= others * 95, "{found} of {others}");
}

/// True if a place is this image of the list.
fn is_at(place: &Place, image: &Value) -> bool {
    let text = |key: &str| image[key].as_str().unwrap_or_default();
    let path = plain(text("path").split("::").next().expect("there is a first"));
    let (path, is_object) = match path.strip_prefix("objects.") {
        // An object of a template has its own paths.
        Some(path) => (path.split_once('.').map_or("", |(_, path)| path).to_owned(), true),
        None => (path, false),
    };
    let found = plain(&place.path.to_string());
    let is_here =
        is_object || (place.object.kind == text("kind") && place.object.name == text("name"));
    // For a template, the list has only the start of the line.
    let is_template = text("value").contains("{{") && place.text().contains("{{");
    let is_whole = found == path && (place.text() == text("value") || is_template);
    let is_part = text("cat") == "parts" && found.starts_with(&path);
    is_here
        && (is_whole || is_part || text("cat") == "cmparts" && is_joined_of(place, text("value")))
}

/// True if a place joins these fields. The list has them as JSON.
fn is_joined_of(place: &Place, fields: &str) -> bool {
    let fields: Value = serde_json::from_str(fields).expect("JSON");
    let text = |key: &str| fields[key].as_str().unwrap_or_default().to_owned();
    let repository = [text("registry"), text("repository")].join("/");
    place.text().starts_with(repository.trim_start_matches('/'))
        && place.text().ends_with(&format!(":{}", text("tag")))
}

/// A path with dots only: `.a["b"].env[4:NAME].value` and `a['b'].env[4].value` become the same.
fn plain(path: &str) -> String {
    let mut plain = String::new();
    let mut in_name = false;
    for c in path.chars() {
        match c {
            '[' | '.' => plain.push('.'),
            ':' => in_name = true,
            ']' => in_name = false,
            '"' | '\'' => {}
            _ if in_name => {}
            _ => plain.push(c),
        }
    }
    plain.trim_matches('.').replace("..", ".")
}
