//! Laws that hold for every manifest, checked on real manifests: this project's charts, rendered,
//! and a corpus of other projects' manifests, with an independent list of their images
//! (`DIGESTIF_CORPUS`).

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use digestif::image::Reference;
use serde_json::Value;
use support::judge::{changed_events, changes, counted};
use support::registry::{Content, Registry};
use support::{Ran, digest_of, digestif, for_every_host, testdata};

/// Every change, with its count.
type Changes = BTreeMap<(String, String), usize>;

/// Images of the corpus that stay unchanged: most are not references.
const LEFT: [(&str, &str, usize); 6] = [
    (
        "cluster-autoscaler-like-aws-ccm.yaml",
        "ssm:/aws/service/canonical/ubuntu/server/20.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        2,
    ),
    ("capsule-v0.7.2-kube1.16plus.yaml", "docker.io/clastix/kubectl:v1.16+", 3),
    ("lws-samples.yaml", "<image>", 2),
    // If the tag is missing, the version of the plan is used.
    ("rancher-system-upgrade.yaml", "rancher/k3s-upgrade", 3),
    ("rancher-system-upgrade.yaml", "ubuntu", 1),
    ("semantic-router-openshift-template.yaml", "${CONTAINER_IMAGE}:${CONTAINER_TAG}", 1),
];

/// Every class of candidates.
const EVERY_CLASS: &str = "--include=env,args,config,annotations,other";

/// Files of the corpus that saphyr-parser does not read. For them, libyaml is the only judge.
const UNREAD_BY_SAPHYR: [&str; 2] =
    ["argo-workflows-examples.yaml", "cloud-provider-openstack-v1.36.0.yaml"];

fn pin(registry: &Registry, include: &[&str], text: &str) -> Ran {
    // One file has invalid tags, which stay unchanged. Everything else must be resolved.
    let flags = ["--no-fallback", "--allow-unresolved"].iter().chain(include).copied();
    digestif([for_every_host(registry).as_str()].into_iter().chain(flags), text)
}

/// Checks the laws on one file and returns its changes. For a string that contains images, the
/// change is the whole string.
fn obey(registry: &Registry, include: &[&str], path: &Path) -> Changes {
    let name = path.file_name().expect("a file").to_string_lossy();
    let before = fs::read_to_string(path).expect("readable");
    let after = pin(registry, include, &before).succeeded();
    let by_libyaml = counted(changes(&before, &after));
    for (old, new) in by_libyaml.keys() {
        assert_eq!(without_pins(new), *old, "{name}");
    }
    match changed_events(&before, &after) {
        Ok(by_saphyr) => assert_eq!(counted(by_saphyr), by_libyaml, "{name}"),
        Err(error) => assert!(UNREAD_BY_SAPHYR.contains(&&*name), "{name}: {error}"),
    }
    // Images that already had a digest still have it.
    let (before, undone) = (without_pins(&before), without_pins(&after));
    assert!(undone == before, "{name}: undoing the changes does not give the input");
    let again = pin(registry, include, &after).succeeded();
    assert!(again == after, "{name}: a second run changes something");
    by_libyaml
}

/// A text without the digests that this registry serves for the references before them.
fn without_pins(text: &str) -> String {
    const MARK: &str = "@sha256:";
    let is_of_reference =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    let mut pieces = text.split(MARK);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let start = out.rfind(|c| !is_of_reference(c)).map_or(0, |at| at + 1);
        let reference = out[start..].trim_start_matches("docker://").to_owned();
        let is_ours = reference.parse::<Reference>().is_ok_and(|reference| {
            let digest = digest_of(&reference.to_string());
            piece.starts_with(&digest["sha256:".len()..])
        });
        if is_ours {
            out.push_str(&piece[64..]);
        } else {
            out.extend([MARK, piece]);
        }
    }
    out
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
            (name, obey(&registry, &[], path).values().sum())
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
fn rendered_charts_obey_the_laws_with_every_class() {
    let registry = Registry::start(Content::everything());
    let of = |include: &[&str]| -> usize {
        let files = manifests(&testdata("rendered"));
        files.iter().map(|path| obey(&registry, include, path).values().sum::<usize>()).sum()
    };
    assert!(of(&[EVERY_CLASS]) >= of(&[]));
}

#[test]
fn the_corpus_obeys_the_laws_with_every_class() {
    let Some(corpus) = corpus() else { return };
    let registry = Registry::start(Content::everything());
    let files = manifests(&corpus);
    let changed =
        files.iter().map(|path| obey(&registry, &[EVERY_CLASS], path).values().sum::<usize>());
    println!("{} texts were changed", changed.sum::<usize>());
}

fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        eprintln!("DIGESTIF_CORPUS is not set: the laws were checked on testdata/rendered alone");
    }
    corpus
}

#[test]
fn the_corpus_obeys_the_laws_and_every_image_is_pinned() {
    let Some(corpus) = corpus() else { return };
    let registry = Registry::start(Content::everything());
    let truth = fs::read(corpus.join("truth.json")).expect("readable");
    let truth: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&truth).expect("valid");
    let files = manifests(&corpus);
    assert_eq!(files.len(), truth.len());
    let mut total = 0;
    for path in files {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let found = obey(&registry, &[], &path);
        let expected = counted(expected(&name, &truth[&name]));
        assert_eq!(found, expected, "{name}");
        total += found.values().sum::<usize>();
    }
    println!("{total} places were pinned");
}

/// The expected changes of a file: its images of the classes `pod`, `podcrd` and `field` without a
/// digest.
fn expected(name: &str, images: &[Value]) -> Vec<(String, String)> {
    let is_place =
        |image: &&Value| matches!(image["cat"].as_str(), Some("pod" | "podcrd" | "field"));
    let values: Vec<_> = images
        .iter()
        .filter(is_place)
        .map(|image| image["value"].as_str().expect("a text"))
        .collect();
    for (_, left, n) in LEFT.iter().filter(|(file, ..)| *file == name) {
        assert_eq!(values.iter().filter(|value| *value == left).count(), *n, "{name}: {left}");
    }
    let tagged = values.into_iter().filter(|value| {
        // Parameters of a run, in Tekton and Argo.
        !value.contains(['@', '$'])
            && !LEFT.iter().any(|(file, left, _)| *file == name && left == value)
    });
    tagged.map(|value| (value.to_owned(), format!("{value}@{}", digest_of(value)))).collect()
}
