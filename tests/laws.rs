//! Laws that hold for every manifest, on real ones: our own charts, rendered, and, where it lies
//! beside the checkout, a corpus of other projects' manifests with an independently made list of
//! the images in them (`DIGESTIF_CORPUS`).

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::judge::{changed_events, changes, counted};
use support::registry::{Content, Registry};
use support::{Ran, digest_of, digestif, for_every_host, testdata};

/// Every change that was made, and how often.
type Changes = BTreeMap<(String, String), usize>;

/// Images of the corpus that are no references: what has to be left as it is.
const LEFT: [(&str, &str, usize); 3] = [
    ("capsule-v0.7.2-kube1.16plus.yaml", "docker.io/clastix/kubectl:v1.16+", 3),
    ("lws-samples.yaml", "<image>", 2),
    ("semantic-router-openshift-template.yaml", "${CONTAINER_IMAGE}:${CONTAINER_TAG}", 1),
];

/// Files of the corpus that saphyr-parser does not read: libyaml is then the only judge.
const UNREAD_BY_SAPHYR: [&str; 2] =
    ["argo-workflows-examples.yaml", "cloud-provider-openstack-v1.36.0.yaml"];

fn pin(registry: &Registry, text: &str) -> Ran {
    // The invalid tags of one file are written unchanged; everything else has to be resolved.
    let flags = ["--no-fallback", "--allow-unresolved"];
    digestif([for_every_host(registry).as_str()].into_iter().chain(flags), text)
}

/// Checks the laws on one file and gives back what was changed in it.
fn obey(registry: &Registry, path: &Path) -> Changes {
    let name = path.file_name().expect("a file").to_string_lossy();
    let before = fs::read_to_string(path).expect("readable");
    let after = pin(registry, &before).succeeded();
    let by_libyaml = counted(changes(&before, &after));
    for (old, new) in by_libyaml.keys() {
        assert_eq!(*new, format!("{old}@{}", digest_of(old)), "{name}");
    }
    match changed_events(&before, &after) {
        Ok(by_saphyr) => assert_eq!(counted(by_saphyr), by_libyaml, "{name}"),
        Err(error) => assert!(UNREAD_BY_SAPHYR.contains(&&*name), "{name}: {error}"),
    }
    let undone = by_libyaml.keys().fold(after.clone(), |text, (old, new)| text.replace(new, old));
    assert!(undone == before, "{name}: undoing the changes does not give the input");
    assert!(pin(registry, &after).succeeded() == after, "{name}: a second run changes something");
    by_libyaml
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no manifest in {}", folder.display());
    paths
}

#[test]
fn rendered_charts_obey_the_laws() {
    let registry = Registry::start(Content::everything());
    let places: Vec<(String, usize)> = manifests(&testdata("rendered"))
        .iter()
        .map(|path| {
            let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
            (name, obey(&registry, path).values().sum())
        })
        .collect();
    let counted_by_hand = [
        ("evictor", 1),
        ("gateway", 4),
        ("ledger", 7),
        ("relay", 2),
        ("sweeper", 5),
        ("tenants", 4),
    ];
    assert_eq!(places, counted_by_hand.map(|(name, n)| (name.to_owned(), n)));
}

#[test]
fn the_corpus_obeys_the_laws_and_every_pod_image_is_pinned() {
    let Some(corpus) = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from) else {
        eprintln!("DIGESTIF_CORPUS is not set: the laws were checked on testdata/rendered alone");
        return;
    };
    let registry = Registry::start(Content::everything());
    let truth = fs::read(corpus.join("truth.json")).expect("readable");
    let truth: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&truth).expect("valid");
    let files = manifests(&corpus);
    assert_eq!(files.len(), truth.len());
    let mut total = 0;
    for path in files {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let found = obey(&registry, &path);
        let expected = counted(expected(&name, &truth[&name]));
        assert_eq!(found, expected, "{name}");
        total += found.values().sum::<usize>();
    }
    println!("{total} places were pinned");
}

/// What is to change in a file: its images of the classes `pod` and `podcrd` without a digest.
fn expected(name: &str, images: &[Value]) -> Vec<(String, String)> {
    let pods =
        images.iter().filter(|image| matches!(image["cat"].as_str(), Some("pod" | "podcrd")));
    let values: Vec<_> = pods.map(|image| image["value"].as_str().expect("a text")).collect();
    for (_, left, n) in LEFT.iter().filter(|(file, ..)| *file == name) {
        assert_eq!(values.iter().filter(|value| *value == left).count(), *n, "{name}: {left}");
    }
    let tagged = values.into_iter().filter(|value| {
        !value.contains('@') && !LEFT.iter().any(|(file, left, _)| *file == name && left == value)
    });
    tagged.map(|value| (value.to_owned(), format!("{value}@{}", digest_of(value)))).collect()
}
