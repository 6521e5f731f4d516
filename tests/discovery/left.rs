//! Opting out: by annotation, by comment, by glob and by configuration; and its reason in the
//! reports.

use std::fs;

use super::support::digestif;
use super::{EVERY_CLASS, assert_pinned, entries, listed, reported, run, with_digests};

const ANNOTATION: &str = "the annotation `digestif.dev/skip`";
const COMMENT: &str = "the comment `# digestif: skip`";

/// An object with an image of every class.
fn object(annotation: &str) -> String {
    format!(
        "apiVersion: acme.example/v1
kind: Widget
metadata:
  name: web
  annotations:
    digestif.dev/skip: {annotation}
    note: quay.io/acme/note:1
spec:
  other: quay.io/acme/other:1
  template:
    spec:
      initContainers:
      - name: init
        image: quay.io/acme/init:1
      containers:
      - name: web
        image: quay.io/acme/web:1
        env: [{{name: A, value: quay.io/acme/env:1}}]
        args: [--a=quay.io/acme/args:1]
"
    )
}

/// Asserts that the listing and the report have this reason for these images, and that they cause
/// no request.
#[track_caller]
fn assert_left(flags: &[&str], text: &str, left: &[&str], reason: &str) {
    let (status, report) = reported(flags, text);
    assert_eq!(status, 0);
    let listing = listed(flags, text);
    for (source, document) in [("report", &report), ("listing", &listing)] {
        let found = entries(document);
        let skipped = found.iter().filter(|(_, status, _)| status == "skipped");
        let skipped: Vec<_> =
            skipped.map(|(image, _, why)| (image.as_str(), why.as_str())).collect();
        let expected: Vec<_> = left.iter().map(|&image| (image, reason)).collect();
        assert_eq!(skipped, expected, "{source}");
    }
    assert_eq!(report["summary"]["skipped"], left.len());
    let table = run(&[flags, &["images"]].concat(), text).succeeded();
    assert_eq!(table.matches(&format!(" (left: {reason})\n")).count(), left.len(), "{table}");
}

#[test]
fn an_annotation_skips_a_whole_object() {
    let text = object("\"true\"");
    let images = ["note", "other", "init", "web", "env", "args"];
    let images = images.map(|name| format!("quay.io/acme/{name}:1"));
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    assert_eq!(run(&[EVERY_CLASS], &text).succeeded(), text);
    assert_left(&[EVERY_CLASS], &text, &images, ANNOTATION);
    let other = text.replace("\"true\"", "\"false\"");
    assert_pinned(&[EVERY_CLASS], &other, &images);
    // The annotation applies to its own object only.
    let two = format!("{text}---\n{other}");
    let expected = format!("{text}---\n{}", with_digests(&other, &images));
    assert_eq!(run(&[EVERY_CLASS], &two).succeeded(), expected);
}

#[test]
fn an_annotation_skips_containers_with_all_their_fields() {
    for names in ["web", "other, web", "'web,'"] {
        let text = object(names);
        let pinned = ["quay.io/acme/note:1", "quay.io/acme/other:1", "quay.io/acme/init:1"];
        assert_pinned(&[EVERY_CLASS], &text, &pinned);
        let left = ["quay.io/acme/web:1", "quay.io/acme/env:1", "quay.io/acme/args:1"];
        assert_left(&[EVERY_CLASS], &text, &left, ANNOTATION);
    }
    assert_pinned(&[], &object("init"), &["quay.io/acme/web:1"]);
    assert_pinned(&[], &object("\"\""), &["quay.io/acme/web:1", "quay.io/acme/init:1"]);
}

#[test]
fn a_comment_skips_its_line() {
    for line in [
        "  - image: quay.io/acme/web:1 # digestif: skip",
        "  - image: quay.io/acme/web:1 #digestif: skip, as it is built here",
        "  - image: 'quay.io/acme/web:1'\t#  digestif:  skip",
        "  - image: \"quay.io/acme/web:1\" # see below # digestif: skip",
        "  - {name: web, image: quay.io/acme/web:1} # digestif: skip",
        "  - \"image\": &a !!str quay.io/acme/web:1 # digestif: skip",
    ] {
        let image = "quay.io/acme/web:1";
        let text = format!(
            "kind: Pod\nspec:\n  containers:\n{line}\n  - image: nginx:1\n  - image: {image}\n"
        );
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let (skipped, rest) = text.split_at(text.find("  - image: nginx").expect("there"));
            let expected = skipped.to_owned() + &with_digests(rest, &["nginx:1", image]);
            assert_eq!(run(&[], &text).succeeded(), expected);
            assert_left(&[], &text, &[image], COMMENT);
        }
    }
}

#[test]
fn a_comment_in_a_block_string_skips_its_line() {
    let text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    web: quay.io/acme/web:1 # digestif: skip\n    db: quay.io/acme/db:1 # digestif: stop\n";
    assert_pinned(&["--include=config"], text, &["quay.io/acme/db:1"]);
    assert_left(&["--include=config"], text, &["quay.io/acme/web:1"], COMMENT);
}

#[test]
fn similar_comments_are_ignored() {
    for comment in [
        " # digestif: skipped",
        " # digestif skip",
        " # not digestif: skip",
        "\n  # digestif: skip",
        " # x\n# digestif: skip\n",
    ] {
        let text = format!("kind: Pod\nspec:\n  containers:\n  - image: nginx:1{comment}");
        assert_pinned(&[], &text, &["nginx:1"]);
    }
    let last = "kind: Pod\nspec: {containers: [{image: nginx:1}]} # digestif: skip";
    assert_pinned(&[], last, &[]);
    let next = format!("{last}\n---\nkind: Pod\nspec: {{containers: [{{image: acme/web:1}}]}}\n");
    assert_pinned(&[], &next, &["acme/web:1"]);
}

#[test]
fn a_glob_skips_images_of_every_class() {
    let text = object("none");
    let flags = [EVERY_CLASS, "--skip=quay.io/acme/*"];
    assert_pinned(&flags, &text, &[]);
    let images = ["note", "other", "init", "web", "env", "args"];
    let images = images.map(|name| format!("quay.io/acme/{name}:1"));
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    assert_left(&flags, &text, &images, "`--skip quay.io/acme/*`");
}

#[test]
fn a_configuration_skips_a_field_whatever_finds_it() {
    let text = "apiVersion: acme.example/v1
kind: Widget
metadata: {annotations: {image: quay.io/acme/note:1}}
spec:
  image: quay.io/acme/field:1
  containers:
  - image: quay.io/acme/web:1
  - image: quay.io/acme/web:2
";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("digestif.yaml");
    let fields = ["spec/image", "spec/containers/image", "metadata/annotations/image"];
    let fields = fields.map(|path| format!("- {{kind: Widget, path: {path}, pin: false}}\n"));
    let config = format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\ninclude: [annotations, other]\nfields:\n{}",
        fields.concat()
    );
    fs::write(&file, config).expect("writable");
    let config = format!("--config={}", file.display());
    // There is no request.
    assert_eq!(digestif([config.as_str(), "--offline"], text).succeeded(), text);
    assert_eq!(digestif([config.as_str(), "--require-digest"], text).succeeded(), text);
    let listing = digestif([config.as_str(), "images", "--format=json"], text).succeeded();
    let listing = serde_json::from_str(&listing).expect("JSON");
    for (image, status, reason) in entries(&listing) {
        assert_eq!(status, "skipped", "{image}");
        assert_eq!(reason, "`pin: false` in `fields` of the configuration", "{image}");
    }
    assert_eq!(entries(&listing).len(), 4);
}

#[test]
fn a_comment_skips_a_string_of_several_lines() {
    for text in [
        "kind: Pod\nspec:\n  containers:\n  - image: >- # digestif: skip\n      quay.io/acme/web:1\n",
        "kind: Pod\nspec:\n  containers:\n  - image: \"quay.io/acme/\\\n      web:1\" # digestif: skip\n",
    ] {
        assert_left(&[], text, &["quay.io/acme/web:1"], COMMENT);
    }
    let config = "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: | # digestif: skip\n    quay.io/acme/web:1\n  b: |\n    quay.io/acme/other:1\n";
    let once = run(&["--include=config"], config).succeeded();
    assert_eq!(once, with_digests(config, &["quay.io/acme/other:1"]));
}
