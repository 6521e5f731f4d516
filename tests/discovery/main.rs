//! Which strings of manifests are images, which are only candidates, and which are skipped.
//!
//! [`table`] checks every row of `fields.csv`. [`corpus`] counts the images of other projects'
//! manifests. [`forms`] is about the ways to write an image in custom resources, [`candidates`]
//! about strings that look like images, [`values`] about the values of charts, [`left`] about
//! opting out, [`own`] about fields and classes of a configuration, and [`files`] about
//! kustomizations and secrets.
//! and classes that a configuration names, and [`files`] about kustomizations and secrets.

mod candidates;
mod corpus;
mod files;
mod forms;
mod left;
mod own;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod values;

use std::fs;

use digestif::places::{Place, Scope};
use digestif::plan::{Plan, Skips};
use digestif::text::{Origin, Source};
use digestif::{Empty, locate};
use serde_json::Value;

use support::registry::{Content, Registry};
use support::{Ran, digest_of, digestif, for_every_host};

/// Every class of candidates.
const EVERY_CLASS: &str = "--include=values,env,args,config,annotations,other";

/// The places of a text, as the library finds them.
fn places(text: &str) -> Vec<Place> {
    let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("it is text");
    let found = locate(&[source], &Scope::default(), Empty::Refused);
    assert!(found.complete, "{:?}", found.diagnostics);
    found.places
}

/// The planned status of each image of a text.
fn statuses(text: &str) -> Vec<(&'static str, String)> {
    let plan = Plan::new(&places(text), &Skips::default());
    plan.entries
        .into_iter()
        .map(|entry| (entry.status.word().as_str(), entry.name.to_string()))
        .collect()
}

/// Runs the binary with a registry that has every image.
fn run(flags: &[&str], text: &str) -> Ran {
    let registry = Registry::start(Content::everything());
    let every_host = for_every_host(&registry);
    digestif(flags.iter().copied().chain(["--no-config", &every_host]), text)
}

/// A text with all occurrences of these images pinned.
fn with_digests(text: &str, images: &[&str]) -> String {
    images.iter().fold(text.to_owned(), |text, image| {
        assert!(text.contains(image), "{image} is not in:\n{text}");
        text.replace(image, &format!("{image}@{}", digest_of(image)))
    })
}

/// Asserts that only these images are pinned, and that a second run changes nothing.
#[track_caller]
fn assert_pinned(flags: &[&str], text: &str, images: &[&str]) {
    let once = run(flags, text).succeeded();
    assert_eq!(once, with_digests(text, images));
    assert_eq!(run(flags, &once).succeeded(), once, "a second run changes something");
}

/// The report of a run, and its status.
fn reported(flags: &[&str], text: &str) -> (i32, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let report = format!("--report={}", path.display());
    let ran = run(&flags.iter().copied().chain([report.as_str()]).collect::<Vec<_>>(), text);
    let report = fs::read_to_string(&path).expect("it is written on every status");
    (ran.status, serde_json::from_str(&report).expect("JSON"))
}

/// The listing of `digestif images`.
fn listed(flags: &[&str], text: &str) -> Value {
    let flags = flags.iter().copied().chain(["images", "--format=json", "--no-config"]);
    serde_json::from_str(&digestif(flags, text).succeeded()).expect("JSON")
}

/// Image, status and reason of each entry of a listing or a report.
fn entries(listing: &Value) -> Vec<(String, String, String)> {
    let both = ["images", "candidates"].map(|key| listing[key].as_array().expect("a list"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = both.into_iter().flatten();
    entries
        .map(|entry| (text(&entry["image"]), text(&entry["status"]), text(&entry["reason"])))
        .collect()
}
