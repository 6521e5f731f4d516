//! Configuration files: which file is read, wrong files, precedence of the sources, and the effect
//! of rules.
//!
//! The examples are in `testdata/config`. The printed schema and the binary must agree about all of
//! them.

mod absence;
mod built_in;
mod caches;
mod errors;
mod examples;
mod precedence;
mod presets;
mod source;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
mod trust;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, command, digestif, finish, for_every_host, pinned, start, testdata};

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";
const NOTHING: &str = "kind: Namespace\n";
const KUBECTL: &str = "docker.io/clastix/kubectl";
const APP: &str = "docker.io/acme/app";
const LITELLM: &str = "ghcr.io/berriai/litellm-database";
const MAIN: &str = "main-v1.61.20-stable";
const BRANCH: &str = "litellm_stable_release_branch-v1.61.20-stable";

/// A stream of Pods, each with one image.
fn pods(images: &[&str]) -> String {
    let pod = |image: &&str| {
        format!("---\nkind: Pod\nspec:\n  containers:\n  - image: {image} # as it was written\n")
    };
    images.iter().map(pod).collect()
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a temporary folder is writable");
    path.display().to_string()
}

/// Runs the binary in a folder, with this environment.
fn run_in(folder: &Path, env: &[(&str, &str)], args: &[&str], stdin: &str) -> Ran {
    let mut command = command(args);
    command.current_dir(folder).envs(env.iter().copied());
    finish(start(&mut command), stdin.as_bytes())
}

/// A configuration in its own folder, and a registry that answers for every host.
struct Setup {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl Setup {
    fn new(config: &str, content: Content) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "digestif.yaml", format!("{HEAD}{config}"));
        Self { folder, registry: Registry::start(content) }
    }

    /// Like `new`, with the text of an example.
    fn example(name: &str, content: Content) -> Self {
        let text = fs::read_to_string(testdata("config").join(name)).expect("an example");
        Self::new(text.split_once("PinImages\n").expect("it starts so").1, content)
    }

    fn run(&self, flags: &[&str], images: &[&str]) -> Ran {
        self.run_with(&[], flags, images)
    }

    fn run_with(&self, env: &[(&str, &str)], flags: &[&str], images: &[&str]) -> Ran {
        let every_host = for_every_host(&self.registry);
        let flags: Vec<_> = flags.iter().copied().chain([every_host.as_str()]).collect();
        run_in(self.folder.path(), env, &flags, &pods(images))
    }

    /// The images that a run writes.
    #[track_caller]
    fn images(&self, flags: &[&str], images: &[&str]) -> Vec<String> {
        written(&self.run(flags, images).succeeded())
    }

    /// The status, the messages and the report of a run. The report matches the schema.
    fn reported(&self, flags: &[&str], images: &[&str]) -> (i32, String, Value) {
        let path = self.folder.path().join("report.json").display().to_string();
        let flags: Vec<_> = flags.iter().copied().chain(["--report", &path]).collect();
        let ran = self.run(&flags, images);
        let text = fs::read_to_string(&path).expect("it was written");
        let report = serde_json::from_str(&text).expect("JSON");
        assert!(schema("report").is_valid(&report), "{text}");
        (ran.status, ran.stderr, report)
    }

    /// The requests, without the parts that are always the same.
    fn requests(&self) -> Vec<String> {
        let short = |line: String| line.replace("/v2/", "").replace("?n=1000", "");
        self.registry.requests().iter().map(|request| short(request.line())).collect()
    }
}

fn written(manifests: &str) -> Vec<String> {
    let images = manifests.lines().filter_map(|line| line.strip_prefix("  - image: "));
    images.map(|image| image.trim_end_matches(" # as it was written").to_owned()).collect()
}

/// The requests that prove that a tag is absent.
fn refused(reference: &str) -> [String; 2] {
    let path = reference.replace(':', "/manifests/");
    [format!("HEAD {path}"), format!("GET {path}")]
}

fn existence(reference: &str) -> String {
    format!("HEAD {}", reference.replace(':', "/manifests/"))
}

fn schema(of: &str) -> jsonschema::Validator {
    let schema = digestif(["schema", of], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

/// True if a schema accepts a YAML text.
fn takes(schema: &jsonschema::Validator, text: &str) -> bool {
    let value = serde_yaml::from_str::<serde_yaml::Value>(text).ok();
    let value = value.and_then(|value| serde_json::to_value(value).ok());
    value.is_some_and(|value| schema.is_valid(&value))
}

/// A manifest of the projects that digestif was made for, if there is a corpus.
fn corpus(file: &str) -> Option<String> {
    let corpus = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from)?;
    Some(fs::read_to_string(corpus.join(file)).expect("the corpus has it"))
}

/// A registry that denies requests whose path has this part.
fn denied(path: &str, status: u16) -> Fault {
    let code = if status == 401 { "UNAUTHORIZED" } else { "DENIED" };
    Fault::on(path, Misbehaviour::ErrorCode(status, code))
}
