//! The law of discovery: digestif finds each image that Kubernetes' own readers find, or the run
//! fails. The oracle prints the images that they find (`scripts/clients.d/oracle`).
//!
//! The test process itself checks mutated manifests. `DIGESTIF_ORACLE_INPUTS` sets their number,
//! and `DIGESTIF_ORACLE_SEED` sets the first seed.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use digestif::image::{Globs, PinForm, Reference};
use digestif::places::{Found, Image, Place, Scope, Writing};
use digestif::plan::Skips;
use digestif::policy::{Digests, Policy, Unpinnable};
use digestif::resolve::Network;
use digestif::text::splice::{Edits, apply};
use digestif::text::{Origin, Source};
use digestif::{Empty, Options};
use serde_json::Value;
use support::oracle::{Line, Oracle};
use support::registry::{Content, Registry};
use support::{clients, digestif, for_every_host, testdata};

/// The default number of mutated manifests.
const INPUTS: usize = 3_000;

const DIGEST: &str = "@sha256:3e7a89d665a4ee4bd3d2d6b2a2b5c8d1b4c96f6ab8a1a1e2d6a5a5f1b0e0c9d7";

#[test]
fn every_image_that_a_reader_sees_has_a_digest_or_a_reason() {
    let Some(clients) = clients() else { return };
    let mut oracle = Oracle::start(&clients);
    let registry = Registry::start(Content::everything());
    let host = for_every_host(&registry);
    let mut images = 0;
    for path in manifests() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for args in [&["--allow-unresolved"][..], &["check", "--require-digest"]] {
            let report = tempfile::NamedTempFile::new().expect("a temporary file");
            let file = format!("--report={}", report.path().display());
            let flags = [host.as_str(), "--allow-empty", "--report-format=json", &file];
            let ran = digestif(args.iter().copied().chain(flags), &text);
            if ran.status != 0 {
                continue;
            }
            let output = if args[0] == "check" { &text } else { &ran.stdout };
            let report = fs::read(report.path()).expect("a report");
            let left = left(&serde_json::from_slice(&report).expect("JSON"));
            let seen = oracle.read(output);
            let missed: Vec<_> = seen.iter().filter(|line| is_missed(line, &left)).collect();
            assert!(missed.is_empty(), "{}, {args:?}: {missed:?}", path.display());
            images += seen.iter().filter(|line| line.error.is_none()).count();
        }
    }
    println!("the readers saw {images} images");
    assert!(images > 500, "the readers saw only {images} images");
}

#[test]
fn every_image_that_a_reader_sees_in_a_mutated_manifest_is_seen() {
    let Some(clients) = clients() else { return };
    let mut oracle = Oracle::start(&clients);
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let inputs = set("DIGESTIF_ORACLE_INPUTS").unwrap_or(INPUTS);
    let mut random = fastrand::Rng::with_seed(set("DIGESTIF_ORACLE_SEED").unwrap_or(1) as u64);
    let texts: Vec<_> = manifests()
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .filter(|text| text.len() < 4_000)
        .collect();
    let (mut read, mut images, mut refused) = (0, 0, 0);
    for _ in 0..inputs {
        let text = mutated(&mut random, &texts);
        let (output, left) = match pinned(&text) {
            Ok(pinned) => pinned,
            Err(why) => {
                let seen = oracle.read(&text);
                if !seen.is_empty() && seen.iter().all(|line| line.error.is_none()) {
                    refused += 1;
                    println!("refused, although both readers read it: {why}\n{text:?}");
                }
                continue;
            }
        };
        let seen = oracle.read(&output);
        let missed: Vec<_> = seen.iter().filter(|line| is_missed(line, &left)).collect();
        assert!(missed.is_empty(), "{text}\n{text:?}\n{missed:?}");
        read += 1;
        images += seen.iter().filter(|line| line.error.is_none()).count();
    }
    println!(
        "{inputs} inputs, {read} read with {images} images, {refused} refused but read by others"
    );
}

/// Changes pinned manifests, so that some of them pass the gate and the rest fail.
#[test]
fn every_image_that_a_reader_sees_after_a_passed_gate_has_a_digest() {
    let Some(clients) = clients() else { return };
    let mut oracle = Oracle::start(&clients);
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let inputs = set("DIGESTIF_ORACLE_INPUTS").unwrap_or(INPUTS);
    let mut random = fastrand::Rng::with_seed(set("DIGESTIF_ORACLE_SEED").unwrap_or(1) as u64);
    let short = manifests().into_iter().filter_map(|path| fs::read_to_string(path).ok());
    let short: Vec<_> = short.filter(|text| text.len() < 4_000).collect();
    let gated = |text: &String| through_the_gate(text).is_some();
    let pinned = short.iter().filter_map(|text| Some(pinned(text).ok()?.0));
    let texts: Vec<_> = pinned.filter(gated).collect();
    let (mut open, mut images) = (0, 0);
    for _ in 0..inputs {
        let text = mutated(&mut random, &texts);
        let Some(left) = through_the_gate(&text) else { continue };
        let seen = oracle.read(&text);
        let missed: Vec<_> = seen.iter().filter(|line| is_missed(line, &left)).collect();
        assert!(missed.is_empty(), "{text}\n{text:?}\n{missed:?}");
        open += 1;
        images += seen.iter().filter(|line| line.error.is_none()).count();
    }
    println!("{inputs} inputs, the gate was open for {open} with {images} images");
    assert!(images > inputs / 10, "the readers saw only {images} images");
}

/// Runs `check --require-digest` on a text. Returns the images that were left for a reason, or
/// `None` if the check fails.
fn through_the_gate(text: &str) -> Option<BTreeSet<String>> {
    let sources = [Source::new(Origin::Stdin, text.as_bytes().to_vec()).ok()?];
    let options = Options {
        pin: PinForm::TagDigest,
        scope: Scope::default(),
        skips: Skips::default(),
        rules: Vec::new(),
        layouts: Vec::new(),
        network: Network::Offline,
        lock: None,
        update: Globs::default(),
        drift: digestif::lock::DriftGate::Off,
        unchanged: std::collections::BTreeSet::new(),
        unwritable: digestif::Unwritable::default(),
        policy: Policy {
            digests: Digests::Required,
            unpinnable: Unpinnable::Denied,
            ..Policy::default()
        },
        empty: Empty::Allowed,
    };
    let run = digestif::run(&sources, &options).expect("the run is not interrupted");
    if run.found.diagnostics.iter().any(|diagnostic| diagnostic.failure().is_some()) {
        return None;
    }
    let left = run.found.places.iter().filter(|place| place.left.is_some());
    Some(left.map(|place| place.text().trim().to_owned()).collect())
}

/// The manifests of the cases, of the rendered charts and, if it exists, of the corpus.
fn manifests() -> Vec<PathBuf> {
    let cases = files(&testdata("cases")).into_iter().map(|case| case.join("input.yaml"));
    let mut paths: Vec<_> = cases.chain(files(&testdata("rendered"))).collect();
    if let Some(corpus) = std::env::var_os("DIGESTIF_CORPUS") {
        let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml");
        paths.extend(files(Path::new(&corpus)).into_iter().filter(is_yaml));
    }
    paths
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

/// True for an image that has no digest and was not left for a reason.
fn is_missed(line: &Line, left: &BTreeSet<String>) -> bool {
    // Readers fold a line break inside a string in different ways.
    let image = &blank_free(&line.image);
    let full = image.parse().map(|reference: Reference| reference.to_string());
    let is = |name: &String| {
        let name = blank_free(name);
        full.as_ref() == Ok(&name) || name == *image || name.ends_with(&format!("/{image}"))
    };
    line.error.is_none() && !image.contains("@sha") && !left.iter().any(is)
}

fn blank_free(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The images that a report lists as left, each with the reason.
fn left(report: &Value) -> BTreeSet<String> {
    let images = report["images"].as_array().expect("a list");
    let is_left = |image: &&Value| {
        let status = image["status"].as_str().expect("a word");
        ["skipped", "placeholder", "unresolved", "indeterminate", "invalid"].contains(&status)
    };
    let name = |image: &Value| image["image"].as_str().expect("a text").to_owned();
    images.iter().filter(is_left).map(name).collect()
}

/// A text with a digest at each place, and the strings that stay unchanged; or the error of the
/// run.
fn pinned(text: &str) -> Result<(String, BTreeSet<String>), String> {
    let source = Source::new(Origin::Stdin, text.as_bytes().to_vec())
        .map_err(|diagnostic| diagnostic.message)?;
    let mut found = Found::default();
    found.read(&source, 0, &Scope::default());
    let failed = found.diagnostics.iter().find(|diagnostic| diagnostic.failure().is_some());
    if let Some(failed) = failed {
        return Err(failed.message.clone());
    }
    let mut left = BTreeSet::new();
    let mut edits = Vec::new();
    for place in found.places.iter().filter(|place| !place.is_candidate()) {
        match &place.image {
            Image::Invalid(error) if place.left.is_none() => return Err(error.to_string()),
            Image::Reference(_) if place.left.is_none() => {
                if has_no_digest(place) {
                    let after = format!("{}{DIGEST}", place.text());
                    let edit = place.site.edit(&place.value, place.part.clone(), &after);
                    edits.push(edit.ok_or("can't be changed safely")?);
                }
            }
            _ => {
                left.insert(place.text().trim().to_owned());
            }
        }
    }
    let edits = Edits::new(edits).map_err(|overlap| format!("{overlap:?}"))?;
    let output = apply(&source, &edits, &[]).unwrap_or_else(|error| panic!("{error:?}: {text:?}"));
    Ok((output.into_owned(), left))
}

/// True for a whole reference without a digest.
fn has_no_digest(place: &Place) -> bool {
    !matches!(place.writing, Writing::Tag | Writing::Digest) && !place.text().contains('@')
}

/// A manifest with some changes.
fn mutated(random: &mut fastrand::Rng, texts: &[String]) -> String {
    let mut text = random.choice(texts).expect("some").clone();
    for _ in 0..random.usize(1..6) {
        change(random, texts, &mut text);
    }
    text
}

/// Pieces of text that readers of YAML treat differently.
const PIECES: [&str; 62] = [
    "#",
    "# x",
    " #",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ", ",
    ": ",
    ":",
    "- ",
    "-",
    "? ",
    "|",
    ">-",
    "|2\n",
    "\t",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\n---\n",
    "\n--- ",
    "\n...\n",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{a0}",
    "!!str ",
    "!!seq ",
    "!!map ",
    "!!binary ",
    "! ",
    "!x ",
    "!!null ",
    "!!int ",
    "!!merge ",
    "&a ",
    "*a",
    "*a ",
    "&b ",
    "*b",
    "<<: ",
    "<<",
    "~",
    "null",
    "\\",
    "\\n",
    "%",
    "@",
    "`",
    "\n%YAML 1.1\n",
    "containers",
    "image",
    "status",
    "items",
];

/// Lines that contain an image, or include one.
const LINES: [&str; 22] = [
    "image: evil.example/m:1",
    "- image: evil.example/m:2",
    "- {image: evil.example/m:3}",
    "containers: [{image: evil.example/m:4}]",
    "initContainers: [image: evil.example/m:5]",
    "<<: {image: evil.example/m:6}",
    "<<: *a",
    "<<: [*a, *b]",
    "<<: {containers: [{image: evil.example/m:7}]}",
    "<<: {kind: CustomResourceDefinition}",
    "kind: CustomResourceDefinition",
    "kind: List",
    "items: [{kind: Pod, spec: {containers: [image: evil.example/m:8]}}]",
    "x: &a {image: evil.example/m:9}",
    "x: &b {containers: [image: evil.example/m:10]}",
    "!!binary aW1hZ2U=: evil.example/m:11",
    "\"im\\x61ge\": evil.example/m:12",
    "? image",
    ": evil.example/m:13",
    "status:",
    "--- # x",
    "'image': 'evil.example/m:14'",
];

fn change(random: &mut fastrand::Rng, texts: &[String], text: &mut String) {
    match random.u8(0..8) {
        0 | 1 => {
            let at = position(random, text);
            text.insert_str(at, random.choice(PIECES).expect("some"));
        }
        2 | 3 => {
            let at = line_start(random, text);
            let indentation = indentation(&text[at..]);
            let line = format!("{indentation}{}\n", random.choice(LINES).expect("some"));
            text.insert_str(at, &line);
        }
        4 => {
            let (start, end) = (position(random, text), position(random, text));
            let end = end.max(start).min(floor(text, start + random.usize(0..6)));
            text.replace_range(start.min(end)..end, "");
        }
        5 => {
            let at = line_start(random, text);
            let other = random.choice(texts).expect("some");
            let lines: Vec<_> = other.lines().collect();
            if !lines.is_empty() {
                let first = random.usize(0..lines.len());
                let n = random.usize(1..4).min(lines.len() - first);
                text.insert_str(at, &format!("{}\n", lines[first..first + n].join("\n")));
            }
        }
        6 => {
            let at = line_start(random, text);
            if random.bool() {
                text.insert_str(at, random.choice([" ", "  ", "    ", "\t", "- "]).expect("some"));
            } else if text[at..].starts_with(' ') {
                text.replace_range(at..=at, "");
            }
        }
        _ => {
            let at = line_start(random, text);
            let end = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
            let line = text[at..end].to_owned();
            let to = line_start(random, text);
            text.insert_str(to, &line);
        }
    }
}

fn position(random: &mut fastrand::Rng, text: &str) -> usize {
    floor(text, random.usize(0..=text.len()))
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rfind(|&at| text.is_char_boundary(at)).expect("0 is one")
}

fn line_start(random: &mut fastrand::Rng, text: &str) -> usize {
    let at = position(random, text);
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches(' ').len()]
}
