//! The time that digestif itself needs, without a network: from text to pinned text.
//!
//! `cargo bench` prints a table for each group. The input is generated: custom resource
//! definitions, as in real releases, with Deployments between them. Compare only figures of one
//! run: `pin` with `serde_yaml_round_trip` (the cost of a filter that serialises the YAML again),
//! and the rows of `bytes`, `places` and `references` with each other. The last lines are ratios to
//! the events of the parser alone, which no change of digestif can make faster.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use digestif::image::{Algorithm, Digest, Globs, PinForm};
use digestif::places::Scope;
use digestif::plan::{Plan, Skips};
use digestif::policy::Policy;
use digestif::resolve::Network;
use digestif::text::{Origin, Source};
use digestif::{Empty, Options};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::Deserialize as _;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

fn main() {
    divan::main();
    // With a filter, someone looks at other rows.
    if std::env::args().skip(1).all(|argument| argument == "--bench") {
        print_ratios();
    }
}

/// Prints how many times as long as the parser's events alone the work takes. Each run of the work is
/// measured beside a run of the parser.
fn print_ratios() {
    const RUNS: usize = 15;
    let release = Release::new(2 * MIB, 10, 10);
    let source = release.source();
    let locate = || locate(&source);
    let pin = || release.pin(&source);
    let works: [(&str, &dyn Fn() -> usize); 2] = [("locate", &locate), ("pin", &pin)];
    for (name, work) in works {
        let ratio = |_| seconds(work) / seconds(&|| events(&release.text));
        let mut ratios: Vec<_> = (0..RUNS).map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        println!("{name}: {:.2} times the parser's events alone", ratios[RUNS / 2]);
    }
}

fn seconds(work: &dyn Fn() -> usize) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64()
}

/// The number of the parser's events.
fn events(text: &str) -> usize {
    granit_parser::Parser::new_from_str(text).fold(0, |count, event| {
        event.expect("it is YAML");
        count + 1
    })
}

/// The number of places in a source.
fn locate(source: &Source) -> usize {
    let sources = std::slice::from_ref(source);
    digestif::locate(black_box(sources), &Scope::default(), Empty::Refused).places.len()
}

/// A release: its text, and a folder with a layout that has its images.
struct Release {
    text: String,
    layout: TempDir,
}

impl Release {
    /// About `bytes` of custom resource definitions, and Deployments with `places` containers that
    /// name `references` different images.
    fn new(bytes: usize, places: usize, references: usize) -> Self {
        let mut text = String::with_capacity(bytes + places * 400);
        let mut n = 0;
        let step = bytes / places.max(1);
        while n < places || text.len() < bytes {
            if text.len() < bytes && text.len() <= n * step {
                definition(&mut text);
            } else {
                deployment(&mut text, n, n % references.max(1));
                n += 1;
            }
            if n >= places && text.len() < bytes {
                definition(&mut text);
            }
        }
        Self { text, layout: layout(references) }
    }

    fn source(&self) -> Source {
        Source::new(Origin::Stdin, self.text.clone().into_bytes()).expect("it is text")
    }

    fn options(&self) -> Options {
        Options {
            pin: PinForm::TagDigest,
            scope: Scope::default(),
            skips: Skips::default(),
            rules: Vec::new(),
            layouts: vec![self.layout.path().to_owned()],
            network: Network::Offline,
            lock: None,
            update: Globs::default(),
            drift: digestif::lock::DriftGate::Off,
            unchanged: std::collections::BTreeSet::new(),
            unwritable: digestif::Unwritable::default(),
            policy: Policy::default(),
            empty: Empty::Refused,
        }
    }

    /// The length of the pinned text. This is measured.
    fn pin(&self, source: &Source) -> usize {
        let sources = std::slice::from_ref(source);
        let outcome = digestif::run(sources, &self.options()).expect("the run is not interrupted");
        outcome.texts.expect("every image is in the layout").iter().map(|text| text.len()).sum()
    }
}

/// A schema in the style of controller-gen, about 30 KB.
fn definition(text: &mut String) {
    text.push_str("---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: widgets.acme.example\nspec:\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n");
    for n in 0..100 {
        write!(
            text,
            "          field{n}:\n            description: |-\n              Field {n} says how the widget is to be placed among its peers.\n              It has no effect where the scheduler decides by itself.\n            properties:\n              image:\n                default: registry.example/widget:{n}\n                type: string\n              weight:\n                format: int32\n                minimum: 0\n                type: integer\n            required:\n            - image\n            type: object\n",
        )
        .expect("a string takes all");
    }
}

fn deployment(text: &mut String, n: usize, reference: usize) {
    write!(
        text,
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{n}\nspec:\n  selector:\n    matchLabels: {{app: web-{n}}}\n  template:\n    metadata:\n      labels: {{app: web-{n}}}\n    spec:\n      containers:\n      - name: web\n        image: {}  # pinned later\n        ports:\n        - containerPort: 8080\n",
        image(reference),
    )
    .expect("a string takes all");
}

fn image(n: usize) -> String {
    format!("registry.example/team/web-{n}:1.{n}")
}

fn layout(images: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blobs = folder.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("writable");
    let manifests: Vec<_> = (0..images)
        .map(|n| {
            let digest = Digest::of(Algorithm::Sha256, n.to_string().as_bytes());
            fs::write(blobs.join(digest.hex()), n.to_string()).expect("writable");
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": digest.to_string(),
                "size": n.to_string().len(),
                "annotations": {"org.opencontainers.image.ref.name": image(n)},
            })
        })
        .collect();
    fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
        .expect("writable");
    let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(folder.path().join("index.json"), index.to_string()).expect("writable");
    folder
}

/// Two megabytes with ten images, as a large operator's release has them.
mod release {
    use super::*;

    #[divan::bench(sample_count = 20)]
    fn pin(bencher: Bencher<'_, '_>) {
        bench_pin(bencher, &Release::new(2 * MIB, 10, 10));
    }

    #[divan::bench(sample_count = 20)]
    fn locate(bencher: Bencher<'_, '_>) {
        let release = Release::new(2 * MIB, 10, 10);
        let source = release.source();
        bencher.counter(BytesCount::of_str(source.text())).bench_local(|| super::locate(&source));
    }

    #[divan::bench(sample_count = 20)]
    fn serde_yaml_round_trip(bencher: Bencher<'_, '_>) {
        let release = Release::new(2 * MIB, 10, 10);
        bencher.counter(BytesCount::of_str(&release.text)).bench_local(|| {
            let documents = serde_yaml::Deserializer::from_str(black_box(&release.text));
            documents
                .map(|document| {
                    let value = serde_yaml::Value::deserialize(document).expect("it is YAML");
                    serde_yaml::to_string(&value).expect("it is YAML").len()
                })
                .sum::<usize>()
        });
    }

    /// The whole process: start, read, pin, write.
    #[divan::bench(sample_count = 20)]
    fn process(bencher: Bencher<'_, '_>) {
        let release = Release::new(2 * MIB, 10, 10);
        let file = release.layout.path().join("release.yaml");
        fs::write(&file, &release.text).expect("writable");
        bencher.counter(BytesCount::of_str(&release.text)).bench_local(|| {
            run(&[
                "-q",
                "--offline",
                "--layout",
                path(&release.layout),
                "-f",
                &file.display().to_string(),
            ]);
        });
    }

    /// Only the start.
    #[divan::bench(sample_count = 20)]
    fn start(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| run(&["--version"]));
    }
}

/// The whole process on stdin: the same objects as a stream, and as the list of a function.
mod function {
    use super::*;

    #[divan::bench(sample_count = 20)]
    fn stream(bencher: Bencher<'_, '_>) {
        let release = Release::new(2 * MIB, 1_000, 10);
        bench_filter(bencher, &release, &release.text);
    }

    #[divan::bench(sample_count = 20)]
    fn list(bencher: Bencher<'_, '_>) {
        let release = Release::new(2 * MIB, 1_000, 10);
        let mut list =
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n".to_owned();
        for object in release.text.split("---\n").filter(|object| !object.is_empty()) {
            let mut dash = "- ";
            for line in object.lines() {
                writeln!(list, "{dash}{line}").expect("a string takes all");
                dash = "  ";
            }
        }
        bench_filter(bencher, &release, &list);
    }

    fn bench_filter(bencher: Bencher<'_, '_>, release: &Release, text: &str) {
        bencher.counter(BytesCount::of_str(text)).bench_local(|| {
            let mut child = Command::new(env!("CARGO_BIN_EXE_digestif"))
                .args(["-q", "--offline", "--layout", path(&release.layout)])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("the binary was built");
            let mut stdin = child.stdin.take().expect("it is piped");
            stdin.write_all(text.as_bytes()).expect("it reads all");
            drop(stdin);
            assert!(child.wait().expect("it ends").success());
        });
    }
}

/// The whole process with a lock that has every image: the cost of a run without requests in a
/// pipeline.
mod locked {
    use super::*;

    /// A chart of this project, with four places.
    #[divan::bench(sample_count = 50)]
    fn small_chart(bencher: Bencher<'_, '_>) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/rendered/gateway.yaml");
        bench_locked(bencher, &path);
    }

    /// Argo CD's release, 1.9 MB, if there is a corpus.
    #[divan::bench(sample_count = 20)]
    fn argo_cd(bencher: Bencher<'_, '_>) {
        let Some(corpus) = std::env::var_os("DIGESTIF_CORPUS") else { return };
        bench_locked(bencher, &PathBuf::from(corpus).join("argo-cd-v3.5.1-install.yaml"));
    }

    /// A release of two megabytes with a thousand images.
    #[divan::bench(sample_count = 20)]
    fn a_thousand_images(bencher: Bencher<'_, '_>) {
        let release = Release::new(2 * MIB, 1_000, 1_000);
        let file = release.layout.path().join("release.yaml");
        fs::write(&file, &release.text).expect("writable");
        bench_locked(bencher, &file);
    }

    fn bench_locked(bencher: Bencher<'_, '_>, manifests: &Path) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = fs::read(manifests).expect("readable");
        let sources = [Source::new(Origin::Stdin, text).expect("it is text")];
        let found = digestif::locate(&sources, &Scope::default(), Empty::Refused);
        let mut images: Vec<_> = Plan::new(&found.places, &Skips::default())
            .unsettled()
            .map(|entry| entry.name.to_string())
            .collect();
        images.sort();
        assert!(!images.is_empty(), "there is nothing to measure");
        let mut lock = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\nimages:\n".to_owned();
        for image in images {
            let tag = image.rsplit_once(':').expect("it has a tag").1;
            let digest = Digest::of(Algorithm::Sha256, image.as_bytes());
            writeln!(lock, "- image: {image}\n  tag: '{tag}'\n  digest: {digest}")
                .expect("a string takes all");
        }
        let file = folder.path().join("images.lock.yaml");
        fs::write(&file, lock).expect("writable");
        let (lock, manifests) = (file.display().to_string(), manifests.display().to_string());
        bencher
            .counter(BytesCount::of_str(sources[0].text()))
            .bench_local(|| run(&["-q", "--no-config", "--lock", &lock, "-f", &manifests]));
    }
}

/// Only the search. The table of fields and the search for candidates may take a fifth of its time.
mod locate {
    use super::{Bencher, BytesCount, Empty, Origin, PathBuf, Scope, Source, black_box, fs};

    /// Argo CD's manifest of 1.9 MB, mostly definitions; an empty text without a corpus of other
    /// projects' manifests (`DIGESTIF_CORPUS`).
    #[divan::bench(sample_count = 50)]
    fn argo_cd(bencher: Bencher<'_, '_>) {
        let corpus = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from);
        let file = corpus.map(|corpus| corpus.join("argo-cd-v3.5.1-install.yaml"));
        bench_locate(bencher, file.map(|file| fs::read_to_string(file).expect("readable")));
    }

    /// A string of a `ConfigMap` with this many candidates.
    #[divan::bench(sample_count = 20, args = [100, 1_000, 10_000])]
    fn candidates(bencher: Bencher<'_, '_>, n: usize) {
        let lines = "    image: registry.example/team/web:1\n".repeat(n);
        bench_locate(
            bencher,
            Some(format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n{lines}")),
        );
    }

    /// This many custom resources with a field of the table.
    #[divan::bench(sample_count = 20, args = [100, 1_000, 10_000])]
    fn fields(bencher: Bencher<'_, '_>, n: usize) {
        let object = "---\napiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nspec: {image: 'registry.example/team/web:1'}\n";
        bench_locate(bencher, Some(object.repeat(n)));
    }

    fn bench_locate(bencher: Bencher<'_, '_>, text: Option<String>) {
        let text = text.unwrap_or_default().into_bytes();
        let source = Source::new(Origin::Stdin, text).expect("it is text");
        let scope = Scope::default();
        bencher.counter(BytesCount::of_str(source.text())).bench_local(|| {
            let sources = black_box(std::slice::from_ref(&source));
            digestif::locate(sources, &scope, Empty::Allowed).places.len()
        });
    }
}

#[divan::bench(sample_count = 20, args = [1, 2, 4, 8, 16])]
fn bytes(bencher: Bencher<'_, '_>, mib: usize) {
    bench_pin(bencher, &Release::new(mib * MIB, 10, 10));
}

#[divan::bench(sample_count = 20, args = [10, 100, 1_000, 10_000])]
fn places(bencher: Bencher<'_, '_>, n: usize) {
    bench_pin(bencher, &Release::new(4 * MIB, n, 10));
}

#[divan::bench(sample_count = 20, args = [10, 100, 1_000])]
fn references(bencher: Bencher<'_, '_>, n: usize) {
    bench_pin(bencher, &Release::new(4 * MIB, 1_000, n));
}

fn bench_pin(bencher: Bencher<'_, '_>, release: &Release) {
    let source = release.source();
    let images: BTreeSet<_> =
        source.text().lines().filter(|line| line.contains("# pinned later")).collect();
    assert!(!images.is_empty(), "there is nothing to measure");
    bencher
        .counter(BytesCount::of_str(source.text()))
        .bench_local(|| release.pin(black_box(&source)));
}

fn run(args: &[&str]) {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_digestif"));
    let status = Command::new(binary).args(args).stdout(Stdio::null()).status();
    assert!(status.expect("the binary was built").success());
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("temporary folders have plain names")
}
