//! Laws of the fallback rules: whatever the rules are, an existing image is never substituted, and
//! every substitute exists.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use digestif::fallback::{KubernetesVersion, Rule};
use digestif::image::{Algorithm, Digest};
use digestif::places::Scope;
use digestif::plan::{Pin, Plan, Search, Skips, Status, Via};
use digestif::registry::Layouts;
use digestif::resolve::{Network, Session};
use digestif::text::{Origin, Source};
use digestif::{Empty, locate};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// The built-in rule matches the first repository, and not the second.
const KUBECTL: &str = "docker.io/acme/kubectl:";
const WEB: &str = "docker.io/acme/web:";

/// The tags are similar, so that rules can lead from one to another.
const VERSION: &str = "v?1\\.3[0-2](\\.[0-2])?";
const BRANCHES: [&str; 4] = ["", "", "", "main-"];
const SUFFIXES: [&str; 9] =
    ["", "", "", "-slim", "-rc.1", "-gke.7", "-debian-12", "-debian-12-r1", "-debian-12-r2"];

/// Tags that cannot be published, but that charts contain.
const BUILDS: [&str; 6] = ["", "", "", "+", "+k3s1", "+a-slim"];

const PATTERNS: [&str; 8] = [
    ".+",
    "(.+)",
    "main-(.+)",
    "v(.+)",
    "(v?[0-9.]+?)(-.+)?",
    "(.+)\\+.*",
    "(.+)\\.[0-9]",
    "(?<minor>v?1\\.[0-9]+).*",
];

const TEMPLATES: [&str; 10] = [
    "$1",
    "v$1",
    "main-$1",
    "$1-slim",
    "$1-rc.1",
    "${1}.3",
    "$minor",
    "docker.io/acme/web:$tag",
    "docker.io/$repository:$1",
    "quay.io/nobody/$name:$tag",
];

fn image(builds: &'static [&'static str]) -> impl Strategy<Value = String> {
    let tag = (select(&BRANCHES[..]), VERSION, select(&SUFFIXES[..]), select(builds));
    let tag = tag
        .prop_map(|(branch, version, suffix, build)| branch.to_owned() + &version + suffix + build);
    (select(&[KUBECTL, KUBECTL, KUBECTL, WEB][..]), tag)
        .prop_map(|(name, tag)| name.to_owned() + &tag)
}

fn existing() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(image(&[""]), 1..60)
}

fn asked() -> impl Strategy<Value = Vec<String>> {
    vec(image(&BUILDS), 1..25)
}

/// Rules of the command line. Invalid rules are left out, because they would end the run.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (select(&PATTERNS[..]), select(&TEMPLATES[..]));
    vec(rule.prop_map(|(pattern, template)| format!("{pattern}={template}").parse()), 0..5)
        .prop_map(|rules: Vec<Result<Rule, _>>| rules.into_iter().flatten().collect())
}

/// The cluster's minor version, and the allowed skew below it.
fn settings() -> impl Strategy<Value = (Option<u32>, u32)> {
    (prop::option::of(28..34_u32), prop_oneof![0..4_u32, Just(u32::MAX)])
}

fn built_in((cluster, max_minor_skew): (Option<u32>, u32)) -> Rule {
    let cluster = cluster.map(|minor| format!("1.{minor}").parse().expect("a version"));
    Rule::built_in(KubernetesVersion { cluster, max_minor_skew })
}

#[test]
fn with_any_rules_existing_images_are_pinned_and_substitutes_exist() {
    let every = (existing(), asked(), rules(), settings(), any::<prop::sample::Index>());
    let substituted = check(every, |(existing, asked, mut rules, settings, place)| {
        rules.insert(place.index(rules.len() + 1), built_in(settings));
        let answers = settle(&existing, &asked, &rules);
        let mut n = 0;
        for image in &asked {
            let answer = &answers[image];
            if existing.contains(image) {
                let pin = Pin { digest: digest_of(image), via: Via::Layout };
                prop_assert_eq!(answer, &Status::Pinned(pin));
                continue;
            }
            let search = match answer {
                Status::Substituted(substitute, search) => {
                    let instead = substitute.tagged.to_string();
                    prop_assert!(existing.contains(&instead), "{} for {}", instead, image);
                    prop_assert_eq!(&substitute.pin.digest, &digest_of(&instead));
                    prop_assert!(rules.iter().any(|rule| rule.name == substitute.rule));
                    n += 1;
                    search
                }
                Status::Unresolved(_, search) | Status::Invalid(_, search) => search,
                status => {
                    return Err(TestCaseError::fail(format!(
                        "{image} is {}",
                        status.word().as_str()
                    )));
                }
            };
            prop_assert!(tried(search).all(|image| !existing.contains(&image)), "{:?}", search);
            let proof = tried(search).next().is_some_and(|first| first == *image);
            prop_assert!(proof || image.contains('+'), "nobody looked for {}", image);
        }
        Ok(n)
    });
    assert!(substituted > 50, "only {substituted} substitutes in all");
}

#[test]
fn the_built_in_rule_keeps_to_stable_versions_with_the_same_suffix_within_the_skew() {
    let substituted = check((existing(), asked(), settings()), |(existing, asked, settings)| {
        let answers = settle(&existing, &asked, &[built_in(settings)]);
        let mut n = 0;
        for image in &asked {
            let Status::Substituted(substitute, _) = &answers[image] else { continue };
            let instead = substitute.tagged.to_string();
            let pair = format!("{instead} for {image} with {settings:?}");
            let tags = image.strip_prefix(KUBECTL).zip(instead.strip_prefix(KUBECTL));
            let Some((old, new)) = tags else { return Err(TestCaseError::fail(pair)) };
            let (old, new) = (Version::of(old), Version::of(new));
            prop_assert!(!new.is_prerelease() || old.is_prerelease(), "{}", pair);
            prop_assert!(new.has_the_suffix_of(&old), "{}", pair);
            let (cluster, skew) = settings;
            // The version in the input may be spelt differently, and the cluster's version is tried
            // too.
            let cluster = cluster.unwrap_or(old.minor);
            let highest = old.minor.max(cluster);
            let lowest = cluster.saturating_sub(skew).min(old.minor);
            prop_assert!((lowest..=highest).contains(&new.minor), "{}", pair);
            n += 1;
        }
        Ok(n)
    });
    assert!(substituted > 50, "only {substituted} substitutes in all");
}

/// Checks a law on many values, and returns the sum of its counts.
fn check<S: Strategy>(values: S, law: impl Fn(S::Value) -> Result<usize, TestCaseError>) -> usize {
    let sum = Cell::new(0);
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&values, |value| {
        sum.set(sum.get() + law(value)?);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    sum.get()
}

/// A version from these tests, parsed without the parser under test.
struct Version {
    minor: u32,
    suffix: String,
}

impl Version {
    fn of(tag: &str) -> Self {
        let (tag, build) = tag.split_once('+').unwrap_or((tag, ""));
        let cut = |text: &str| text.find('-').unwrap_or(text.len());
        let minor = tag[..cut(tag)].split('.').nth(1).and_then(|minor| minor.parse().ok());
        let suffix = [&tag[cut(tag)..], &build[cut(build)..]].concat();
        Self { minor: minor.expect("only versions are substituted"), suffix }
    }

    fn is_prerelease(&self) -> bool {
        self.suffix.starts_with("-rc.")
    }

    /// True if both have the same suffix. The number of bitnami's build may differ, and the build
    /// of a distribution may be missing.
    fn has_the_suffix_of(&self, asked: &Self) -> bool {
        let base = |suffix: &str| suffix.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let (new, old) = (&self.suffix, &asked.suffix);
        let without_build = old.strip_prefix("-gke.7").unwrap_or(old);
        new == old
            || new == without_build
            || old.starts_with("-debian-12-r") && (base(new) == base(old) || new == "-debian-12")
    }
}

fn tried(search: &Search) -> impl Iterator<Item = String> {
    search.tried.iter().map(|tried| tried.target.to_string())
}

/// The digest of what [`settle`] puts into the layout for an image.
fn digest_of(image: &str) -> Digest {
    Digest::of(Algorithm::Sha256, image.as_bytes())
}

/// Resolves the images by these rules and offline, with a layout that has other images.
fn settle(
    existing: &BTreeSet<String>,
    asked: &[String],
    rules: &[Rule],
) -> BTreeMap<String, Status> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blobs = folder.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("it is writable");
    let manifests: Vec<_> = existing
        .iter()
        .map(|image| {
            let digest = digest_of(image);
            fs::write(blobs.join(digest.hex()), image).expect("it is writable");
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": digest.to_string(),
                "size": image.len(),
                "annotations": BTreeMap::from([("org.opencontainers.image.ref.name", image)]),
            })
        })
        .collect();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(folder.path().join("index.json"), index.to_string()).expect("it is writable");
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    fs::write(folder.path().join("oci-layout"), version).expect("it is writable");
    let layouts = Layouts::read(&[folder.path().to_owned()]).expect("a layout");

    let pod = |image: &String| {
        format!("---\nkind: Pod\napiVersion: v1\nspec: {{containers: [{{image: \"{image}\"}}]}}\n")
    };
    let manifest: String = asked.iter().map(pod).collect();
    let source = Source::new(Origin::Stdin, manifest.into_bytes()).expect("text");
    let found = locate(&[source], &Scope::default(), Empty::Refused);
    let plan = Plan::new(&found.places, &Skips::default());
    let session = Session::new(layouts, &Network::Offline, &[]).expect("offline needs nothing");
    let statuses = session.resolve(&plan, rules).expect("no signal interrupts it");
    statuses.into_iter().map(|(name, status)| (name.to_string(), status)).collect()
}
