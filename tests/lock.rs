//! The lock: what is recorded and what that saves, what may not change, what has drifted, and that
//! nothing is ever lost of it, whoever writes at the same time and whatever ends a run.

mod support;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, command, digest_of, digestif, finish, finish_within, for_every_host, start};

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\n";
const KUBECTL: &str = "docker.io/clastix/kubectl";
const EXTPROC: &str = "ghcr.io/vllm-project/semantic-router/extproc";

/// A stream of Pods, each with one image.
fn pods(images: &[impl AsRef<str>]) -> String {
    let pod = |image: &str| {
        format!("---\nkind: Pod\nspec:\n  containers:\n  - image: {image} # as it was written\n")
    };
    images.iter().map(|image| pod(image.as_ref())).collect()
}

fn images(manifests: &str) -> Vec<&str> {
    let images = manifests.lines().filter_map(|line| line.strip_prefix("  - image: "));
    images.map(|image| image.trim_end_matches(" # as it was written")).collect()
}

fn pinned(reference: &str) -> String {
    format!("{reference}@{}", digest_of(reference))
}

/// An entry of a lock: what was asked for, and what supplied the digest by which rule.
fn entry(image: &str, tag: &str, digest: &str, rule: Option<&str>) -> String {
    let rule = rule.map_or(String::new(), |rule| format!("  rule: {rule}\n"));
    format!("- image: {image}\n  tag: {tag}\n  digest: {digest}\n{rule}")
}

/// The entry of an image that exists.
fn own(image: &str) -> String {
    let tag = image.rsplit_once(':').expect("it has a tag").1;
    let tag = if tag.starts_with(|c: char| c.is_ascii_digit()) {
        format!("'{tag}'")
    } else {
        tag.to_owned()
    };
    entry(image, &tag, &digest_of(image), None)
}

fn lock_of(entries: &[impl Borrow<str>]) -> String {
    format!("{HEAD}images:\n{}", entries.concat())
}

fn corpus() -> Option<PathBuf> {
    std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from)
}

/// A folder with a lock, and a registry that answers for every host.
struct Setup {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl Setup {
    fn new(content: Content) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, registry: Registry::start(content) }
    }

    fn locked(content: Content, lock: impl AsRef<str>) -> Self {
        let setup = Self::new(content);
        setup.write(lock);
        setup
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("images.lock.yaml")
    }

    fn write(&self, lock: impl AsRef<str>) {
        fs::write(self.path(), lock.as_ref()).expect("writable");
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.path()).expect("there is a lock")
    }

    fn child(&self, flags: &[&str]) -> Child {
        let mut command = command([for_every_host(&self.registry).as_str()]);
        command.args(["--lock", "images.lock.yaml"]).args(flags);
        start(command.current_dir(self.folder.path()))
    }

    fn run(&self, flags: &[&str], manifests: &str) -> Ran {
        finish(self.child(flags), manifests.as_bytes())
    }

    /// The same without a lock.
    fn without(&self, env: &[(&str, &str)], flags: &[&str], manifests: &str) -> Ran {
        let mut command = command([for_every_host(&self.registry).as_str()]);
        command.args(flags).envs(env.iter().copied()).current_dir(self.folder.path());
        finish(start(&mut command), manifests.as_bytes())
    }

    /// How many requests a run has cost.
    fn cost<T>(&self, run: impl FnOnce() -> T) -> (T, usize) {
        let before = self.registry.requests().len();
        let value = run();
        (value, self.registry.requests().len() - before)
    }

    /// The names of everything in the folder.
    fn files(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path()).expect("readable");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| name(entry.expect("readable"))).collect()
    }
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}

/// The inode, which another one takes the place of where a file is written.
#[cfg(unix)]
fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).expect("there"))
}

#[cfg(unix)]
#[test]
fn what_is_recorded_costs_no_request_and_no_write() {
    let setup = Setup::new(Content::of(&[
        (KUBECTL, &["v1.31"]),
        ("docker.io/library/nginx", &["1.27", "latest"]),
    ]));
    let kubectl = format!("{KUBECTL}:v1.32");
    let manifests =
        pods(&["nginx:1.27", &kubectl, "nginx", "docker.io/library/nginx:1.27", "${LATER}"]);
    let first = setup.run(&[], &manifests);
    says(&first.stderr, &["; 3 recorded in images.lock.yaml\n"]);
    let expected = lock_of(&[
        entry(&kubectl, "v1.31", &digest_of("clastix/kubectl:v1.31"), Some("kubernetes-version")),
        own("docker.io/library/nginx:1.27"),
        own("docker.io/library/nginx:latest"),
    ]);
    assert_eq!(setup.lock(), expected);
    assert_eq!(setup.files().len(), 1, "nothing is left beside it: {:?}", setup.files());
    let before = inode(&setup.path());
    for flags in [&[][..], &["--locked"], &["--offline"], &["--locked", "--offline"]] {
        let (again, cost) = setup.cost(|| setup.run(flags, &manifests));
        assert_eq!(cost, 0, "{flags:?}");
        says(
            &again.stderr,
            &[
                "warning: `docker.io/clastix/kubectl:v1.32` is locked to a substitute: `docker.io/clastix/kubectl:v1.31` is used instead",
                "rule: kubernetes-version",
            ],
        );
        assert!(!again.stderr.contains("recorded in"), "{}", again.stderr);
        assert_eq!(again.succeeded(), first.stdout, "{flags:?}");
    }
    assert_eq!((inode(&setup.path()), setup.lock()), (before, expected));
    let quiet = setup.run(&["-q"], &manifests).stderr;
    says(&quiet, &["is used instead"]);
}

#[test]
fn a_report_says_that_the_lock_supplied_it() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let manifests = pods(&["nginx:1.27", &kubectl]);
    let setup =
        Setup::new(Content::of(&[(KUBECTL, &["v1.31"]), ("docker.io/library/nginx", &["1.27"])]));
    let report = |flags: &[&str]| -> Vec<(Value, Value)> {
        let flags: Vec<_> = flags.iter().copied().chain(["--report", "r.json"]).collect();
        setup.run(&flags, &manifests).succeeded();
        let text = fs::read_to_string(setup.folder.path().join("r.json")).expect("written");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let images = report["images"].as_array().expect("a list").iter();
        images.map(|image| (image["status"].clone(), image["via"].clone())).collect()
    };
    let pair = |status: &str, via: &str| (Value::from(status), Value::from(via));
    assert_eq!(report(&[]), [pair("pinned", "registry"), pair("substituted", "fallback")]);
    assert_eq!(report(&[]), [pair("pinned", "lock"), pair("substituted", "lock")]);
    says(&setup.run(&["-v"], &manifests).stderr, &["(lock, 1 place)"]);
}

#[test]
fn a_new_image_is_one_more_entry_and_comments_stay() {
    let before = format!(
        "# What production runs.\n{HEAD}images:\n{} # until March\n{}",
        own("docker.io/acme/api:v1").trim_end(),
        own("docker.io/acme/web:v1")
    );
    let setup = Setup::locked(Content::everything(), &before);
    let aside = setup.folder.path().join("aside");
    fs::hard_link(setup.path(), &aside).expect("writable");
    setup.run(&[], &pods(&["acme/proxy:v1", "acme/web:v1"])).succeeded();
    let replaced = fs::read_to_string(aside).expect("there");
    assert_eq!(replaced, before, "a new file takes the place of the old one, which stays whole");
    let after = before.replace(
        "- image: docker.io/acme/web",
        &(own("docker.io/acme/proxy:v1") + "- image: docker.io/acme/web"),
    );
    assert_eq!(setup.lock(), after);
    assert_eq!(setup.registry.requests().len(), 1);
}

#[test]
fn what_is_left_alone_is_not_recorded() {
    let setup = Setup::new(Content::everything());
    let manifests = pods(&[&pinned("acme/pinned:v1"), "quay.io/a/skipped:v1", "${LATER}"]);
    setup.run(&["--skip", "quay.io/**"], &manifests).succeeded();
    assert_eq!(setup.files().len(), 0);
    let ran = setup.run(&["--allow-unresolved"], &pods(&["Web", "acme/web:v1"]));
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[own("docker.io/acme/web:v1")]));
}

#[test]
fn a_lock_that_is_wrong_is_said_with_line_and_column_and_stays_as_it_is() {
    let good = lock_of(&[own("docker.io/acme/web:v1")]);
    for (lock, message, at) in [
        (good.replace("kind", "knd"), "unknown key `knd`, did you mean `kind`?", "2:1"),
        (good.replace("  tag", "  tga"), "unknown key `tga`, did you mean `tag`?", "5:3"),
        (
            good.replace("v1alpha1", "v2"),
            "unknown value `digestif.dev/v2`, did you mean `digestif.dev/v1alpha1`?",
            "1:13",
        ),
        (format!("{good}{}", own("docker.io/acme/web:v1")), "there are two entries", "7:10"),
        (good.replace("sha256:", "sha256:x"), "`x` is no lower-case hex digit", "6:11"),
        (format!("{good}  digest: a\n"), "the key `digest` is given twice", "7:3"),
        (format!("{good}<<<<<<< ours\n"), "", "7:"),
        (String::new(), "`apiVersion` or `kind` is missing", "1:1"),
        (format!("{good}---\n{good}"), "there is more than one document in it", ""),
    ] {
        let setup = Setup::locked(Content::everything(), &lock);
        let manifests = pods(&["acme/web:v1", "acme/new:v1"]);
        for flags in [&[][..], &["--locked"], &["--offline"], &["--update"]] {
            let said = setup.run(flags, &manifests).failed(2);
            says(
                &said,
                &["error: the lock is wrong: ", message, &format!("images.lock.yaml:{at}")],
            );
        }
        let report = setup.run(&["check"], &manifests);
        assert_eq!(report.status, 2);
        assert_eq!((setup.lock(), setup.registry.requests().len()), (lock, 0));
    }
    let setup = Setup::new(Content::everything());
    for (bytes, message) in [
        (&b"\xff\xfe"[..], "error: the file is UTF-16"),
        (b"\xfc", "error: the file is not UTF-8: byte 0xfc"),
        (b"\0", "error: the file holds a NUL byte"),
    ] {
        fs::write(setup.path(), bytes).expect("writable");
        let said = setup.run(&[], &pods(&["a:1"])).failed(2);
        says(&said, &[message, "--> images.lock.yaml:1:1"]);
        assert!(!said.contains("kubectl"), "{said}");
    }
}

#[test]
fn a_lock_in_another_style_is_added_to_or_refused() {
    let digest = digest_of("acme/web:v1");
    let flow = format!(
        "{{apiVersion: digestif.dev/v1alpha1, kind: ImageLock, images: [{{image: docker.io/acme/web:v1, tag: v1, digest: '{digest}'}}]}}\n"
    );
    let setup = Setup::locked(Content::everything(), &flow);
    assert_eq!(images(&setup.run(&["--locked"], &pods(&["acme/web:v1"])).succeeded()).len(), 1);
    let said = setup.run(&[], &pods(&["acme/web:v1", "acme/new:v1"])).failed(2);
    says(
        &said,
        &["error: the lock is written in a way that can't be added to", "images.lock.yaml"],
    );
    assert_eq!(setup.lock(), flow);
    setup.write(format!("{HEAD}images: [] # none yet\n"));
    setup.run(&[], &pods(&["acme/new:v1"])).succeeded();
    assert_eq!(setup.lock(), format!("{HEAD}images: # none yet\n{}", own("docker.io/acme/new:v1")));
}

#[test]
fn what_is_missing_fails_and_the_message_says_how_to_add_it() {
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&["acme/web:v1", "acme/new:v1", "acme/kubectl:v1.16+", "acme/new:v1"]);
    for (flags, message, otherwise) in [
        (&["--locked"][..], "`docker.io/acme/new:v1` is not in the lock", "without `--locked`"),
        (
            &["--offline"],
            "`docker.io/acme/new:v1` is neither in the lock nor in an image layout, and `--offline` forbids to ask for it",
            "without `--offline`",
        ),
        (&["check"], "`docker.io/acme/new:v1` is not in the lock", "without `--locked`"),
    ] {
        let (ran, cost) = setup.cost(|| setup.run(flags, &manifests));
        assert_eq!((ran.status, cost), (5, 0), "{flags:?}: {}", ran.stderr);
        let help = format!(
            "help: add it: run `digestif --lock images.lock.yaml` on these manifests, {otherwise}"
        );
        says(&ran.stderr, &[message, "docker.io/acme/kubectl:v1.16+", &help, "<stdin>:10:"]);
        assert_eq!(ran.stderr.matches("error: `docker.io/acme/new:v1`").count(), 1);
    }
    assert_eq!(setup.lock(), before);
    fs::remove_file(setup.path()).expect("ours");
    for flags in [&["--locked"][..], &["check"], &["check", "--drift"]] {
        let ran = setup.run(flags, &manifests);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        says(&ran.stderr, &["error: there is no lock", "--> images.lock.yaml"]);
    }
    assert_eq!(setup.files().len(), 0);
}

#[test]
fn a_variable_switches_the_update_by_the_words_of_all_others() {
    let old = entry("docker.io/a/b:v1", "v1", &format!("sha256:{}", "1".repeat(64)), None);
    let setup = Setup::new(Content::everything());
    for (word, is_updated) in
        [("true", true), ("yes", true), ("on", true), ("TRUE", true), ("no", false), ("0", false)]
    {
        setup.write(lock_of(&[&*old]));
        let env = [("DIGESTIF_LOCK", "images.lock.yaml"), ("DIGESTIF_UPDATE", word)];
        let ran = setup.without(&env, &[], &pods(&["a/b:v1"]));
        assert!(!ran.stderr.contains("warning"), "{word}: {}", ran.stderr);
        ran.succeeded();
        assert_eq!(setup.lock() == lock_of(&[own("docker.io/a/b:v1")]), is_updated, "{word}");
    }
}

#[test]
fn an_update_that_may_ask_nobody_says_so() {
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let said = setup.run(&["--update", "--offline"], &pods(&["acme/web:v1"])).failed(5);
    says(
        &said,
        &[
            "error: `docker.io/acme/web:v1` is in the lock, but `--update` asks for it again, and `--offline` forbids that",
            "help: leave out `--offline`, or leave out `--update` to take what is locked",
        ],
    );
    assert!(!said.contains("neither"), "{said}");
    assert_eq!(setup.lock(), before);
}

#[test]
fn flags_that_need_a_lock_or_contradict_each_other_are_refused() {
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/a/b:v1")]));
    let manifests = pods(&["a/b:v1"]);
    for (flags, message) in [
        (&["--locked"][..], "`--locked` needs a lock: name it with `--lock FILE`"),
        (&["check", "--drift"], "`--drift` needs a lock"),
        (&["--drift"], "'--drift' is only for `digestif check`"),
        (&["check", "--update"], "'--update' is only for pinning"),
        (&["--locked", "--update"], "'--update' cannot be used with '--locked'"),
        (&["check", "--drift", "--offline"], "'--drift' cannot be used with '--offline'"),
        (&["--update=["], "`--update`: error parsing glob"),
        (&["--update="], "`--update`: an empty glob fits no image"),
        (&["--update=nginx"], "`--update`: `nginx` can fit no image: a full name has a registry"),
        (&["--lock", "-"], "the lock has to be a file"),
        (
            &["--lock", "images.lock.yaml", "-o", "./images.lock.yaml"],
            "`--output` and `--lock` name one file",
        ),
        (
            &["--lock", "images.lock.yaml", "--report", "images.lock.yaml"],
            "`--report` and `--lock` name one file",
        ),
        (
            &["--lock", "images.lock.yaml", "-f", "./images.lock.yaml"],
            "the lock is named with `-f` as well, and is no manifest",
        ),
        (&["--lock", "images.lock.yaml", "-f", "."], "there is no manifest in this directory"),
    ] {
        let ran = setup.without(&[], flags, &manifests);
        assert_eq!(ran.status, 2, "{flags:?}: {}", ran.stderr);
        says(&ran.stderr, &[message]);
    }
    // What a pipeline sets for all commands does not break the one that it is not for.
    let env = [("DIGESTIF_LOCK", "images.lock.yaml"), ("DIGESTIF_UPDATE", "true")];
    assert_eq!(setup.without(&env, &["check"], &manifests).status, 0);
    assert_eq!(setup.registry.requests().len(), 0);
    setup.without(&env, &[], &manifests).succeeded();
    assert_eq!(setup.registry.requests().len(), 1);
    let env = [("DIGESTIF_LOCK", "images.lock.yaml"), ("DIGESTIF_DRIFT", "true")];
    setup.without(&env, &["--locked"], &manifests).succeeded();
    assert_eq!(setup.registry.requests().len(), 1);
}

#[test]
fn a_digest_that_is_required_turns_no_other_gate_off() {
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/a/b:v1")]));
    let manifests = pods(&[pinned("a/b:v1")]);
    let config =
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npolicy: {requireDigest: true}\n";
    fs::write(setup.folder.path().join("c.yaml"), config).expect("writable");
    for (env, flags, message) in [
        (
            &[][..],
            &["check", "--drift", "--require-digest"][..],
            "`--drift` would do nothing beside `--require-digest`",
        ),
        (
            &[("DIGESTIF_REQUIRE_DIGEST", "true")],
            &["--locked"],
            "`--locked` would do nothing beside `--require-digest`",
        ),
        (
            &[("DIGESTIF_DRIFT", "true")],
            &["check", "-c", "c.yaml"],
            "`--drift` would do nothing beside `requireDigest` of the configuration",
        ),
    ] {
        let flags: Vec<_> = flags.iter().chain(&["--lock", "images.lock.yaml"]).copied().collect();
        let ran = setup.without(env, &flags, &manifests);
        assert_eq!(ran.status, 2, "{flags:?}: {}", ran.stderr);
        says(&ran.stderr, &[message, "asks nobody and reads no lock", "help: leave one of them"]);
    }
    setup.run(&["--require-digest"], &manifests).succeeded();
    let env = [("DIGESTIF_LOCKED", "true")];
    let listed = setup.without(&env, &["images", "--require-digest"], &manifests);
    listed.succeeded();
}

#[test]
fn the_lock_keeps_what_moved_until_it_is_updated() {
    let image = format!("{EXTPROC}:v0.3.0");
    let old = format!("sha256:{}", "1".repeat(64));
    let before = lock_of(&[entry(&image, "v0.3.0", &old, None), own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&[&image]);

    let (check, cost) = setup.cost(|| setup.run(&["check"], &manifests));
    assert_eq!((check.status, cost), (0, 0), "{}", check.stderr);
    says(
        &check.stderr,
        &["warning: the lock has an image that is not used here: `docker.io/acme/web:v1`"],
    );

    let drift = setup.run(&["check", "--drift"], &manifests);
    assert_eq!(drift.status, 5);
    says(
        &drift.stderr,
        &[
            &format!("error: `{image}` has moved since it was locked"),
            "<stdin>:5:12",
            &format!("= locked: {old}"),
            &format!("= now: {}", digest_of(&image)),
            &format!("`digestif --lock images.lock.yaml --update={EXTPROC}` to take it"),
        ],
    );
    let (run, cost) = setup.cost(|| setup.run(&[], &manifests).succeeded());
    assert_eq!((images(&run), cost), (vec![&*format!("{image}@{old}")], 0));
    assert_eq!(setup.lock(), before);

    let other = setup.run(&["--update=docker.io/**"], &manifests);
    says(&other.stderr, &["`docker.io/**` of `--update` fits no image"]);
    assert_eq!(other.succeeded(), run);
    let new = setup.run(&[&format!("--update={EXTPROC}")], &manifests).succeeded();
    assert_eq!(images(&new), [pinned(&image)]);
    assert_eq!(setup.lock(), before.replace(&old, &digest_of(&image)));
    assert_eq!(setup.run(&["check", "--drift"], &manifests).status, 0);

    // Rolling back: the older lock, offline.
    setup.write(&before);
    let (back, cost) = setup.cost(|| setup.run(&["--offline"], &manifests).succeeded());
    assert_eq!((back, cost), (run, 0));
    setup.run(&["--offline"], &pods(&[&image, "acme/new:v1"])).failed(5);
}

#[test]
fn digests_in_the_input_are_held_to_the_lock() {
    let web = "docker.io/acme/web:v1";
    let old = format!("sha256:{}", "1".repeat(64));
    let setup = Setup::locked(Content::everything(), lock_of(&[entry(web, "v1", &old, None)]));
    let manifests = pods(&[format!("{web}@{old}")]);
    for flags in [&["check"][..], &["--locked"]] {
        let (ran, cost) = setup.cost(|| setup.run(flags, &manifests));
        assert_eq!((ran.status, cost), (0, 0), "{flags:?}: {}", ran.stderr);
    }

    // The registry has another one. However often a tag is written, it is said once.
    for manifests in [&manifests, &pods(&[&*format!("{web}@{old}"), "acme/web:v1"])] {
        let (drift, cost) = setup.cost(|| setup.run(&["check", "--drift"], manifests));
        assert_eq!((drift.status, cost), (5, 1), "{}", drift.stderr);
        says(
            &drift.stderr,
            &[&format!("error: `{web}` has moved since it was locked"), "<stdin>:5:12"],
        );
        assert_eq!(drift.stderr.matches("error: ").count(), 1, "{}", drift.stderr);
    }

    // The input has another one than the lock.
    let by_hand = format!("sha256:{}", "2".repeat(64));
    let manifests = pods(&[format!("acme/web:v1@{by_hand}"), "acme/web:v1".to_owned()]);
    for flags in [&["check"][..], &["check", "--drift"], &["--locked"]] {
        let ran = setup.run(flags, &manifests);
        assert_eq!(ran.status, 5, "{flags:?}: {}", ran.stderr);
        says(
            &ran.stderr,
            &[
                &format!("error: `{web}` has another digest in the lock"),
                &format!("= written: {by_hand}"),
                &format!("= locked: {old}"),
                "`digestif --lock images.lock.yaml --update=docker.io/acme/web`",
                "<stdin>:5:12",
            ],
        );
    }
    let taken = setup.run(&["--update=docker.io/acme/web"], &manifests).succeeded();
    assert_eq!(setup.run(&["check", "--drift"], &taken).status, 0);

    // What is left alone is nobody's business, and what the lock does not have neither.
    let other = format!("acme/other:v1@{old}");
    setup.run(&["--locked"], &pods(&[&other])).succeeded();
    let skip = ["--locked", "--skip=docker.io/acme/*"];
    setup.run(&skip, &pods(&[format!("acme/web:v1@{by_hand}")])).succeeded();
}

#[test]
fn a_substitute_in_the_input_is_held_to_the_entry_that_chose_it() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let setup = Setup::new(Content::of(&[(KUBECTL, &["v1.31"])]));
    let first = setup.run(&[], &pods(&[&kubectl])).succeeded();
    assert_eq!(images(&first), [pinned(&format!("{KUBECTL}:v1.31"))]);
    for flags in [&["check"][..], &["check", "--drift"]] {
        let ran = setup.run(flags, &first);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{flags:?}");
    }
    let other = format!("{KUBECTL}:v1.31@sha256:{}", "2".repeat(64));
    let ran = setup.run(&["check"], &pods(&[&other]));
    assert_eq!(ran.status, 5);
    says(&ran.stderr, &["`docker.io/clastix/kubectl:v1.31` has another digest in the lock"]);

    let old = format!("sha256:{}", "1".repeat(64));
    setup.write(lock_of(&[entry(&kubectl, "v1.31", &old, Some("kubernetes-version"))]));
    let drift = setup.run(&["check", "--drift"], &pods(&[format!("{KUBECTL}:v1.31@{old}")]));
    assert_eq!(drift.status, 5);
    says(&drift.stderr, &["`docker.io/clastix/kubectl:v1.31` has moved since it was locked"]);
}

#[test]
fn a_substitute_stays_until_the_original_is_asked_for_again() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let mut runs = vec![pods(&[&kubectl, &kubectl])];
    runs.extend(corpus().map(|corpus| {
        fs::read_to_string(corpus.join("capsule-v0.7.2-kube1.32.yaml")).expect("readable")
    }));
    for manifests in runs {
        let capsule = ("ghcr.io/projectcapsule/capsule", &["v0.7.2"][..]);
        let setup = Setup::new(Content::of(&[(KUBECTL, &["v1.31"]), capsule]));
        let first = setup.run(&[], &manifests).succeeded();
        let lock = setup.lock();
        let substitute = entry(
            &kubectl,
            "v1.31",
            &digest_of("clastix/kubectl:v1.31"),
            Some("kubernetes-version"),
        );
        says(&lock, &[&substitute]);
        assert_eq!(setup.run(&["check", "--drift"], &manifests).status, 0);

        let published =
            Setup::locked(Content::of(&[(KUBECTL, &["v1.31", "v1.32"]), capsule]), &lock);
        assert_eq!(published.run(&[], &manifests).succeeded(), first);
        assert_eq!(published.run(&["check"], &manifests).status, 0);
        assert_eq!(published.registry.requests().len(), 0);
        let drift = published.run(&["check", "--drift"], &manifests);
        assert_eq!(drift.status, 5);
        says(
            &drift.stderr,
            &["error: `docker.io/clastix/kubectl:v1.32` exists now, and is locked to a substitute"],
        );
        assert_eq!(drift.stderr.matches("error: ").count(), 1, "{}", drift.stderr);
        let updated = published.run(&["--update=docker.io/clastix/*"], &manifests).succeeded();
        assert_eq!(updated.matches(&pinned(&kubectl)).count(), manifests.matches(&kubectl).count());
        says(&published.lock(), &[&own(&kubectl)]);
        assert!(!published.lock().contains("rule"), "{}", published.lock());
    }
}

#[test]
fn drift_says_what_is_gone_and_what_cannot_be_known() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let digest = digest_of("clastix/kubectl:v1.31");
    let lock = lock_of(&[
        entry(&kubectl, "v1.31", &digest, Some("kubernetes-version")),
        own("docker.io/library/nginx:1.27"),
    ]);
    let setup = Setup::locked(Content::of(&[(KUBECTL, &["v1.30"])]), &lock);
    let drift = setup.run(&["check", "--drift"], &pods(&[&kubectl, "nginx:1.27"]));
    assert_eq!(drift.status, 5);
    says(
        &drift.stderr,
        &[
            "`docker.io/clastix/kubectl:v1.31` is locked, and no longer exists",
            "`docker.io/library/nginx:1.27` is locked, and no longer exists",
        ],
    );
    for (code, status) in [(403, 6), (503, 4)] {
        let fault = Fault::on("manifests/v1.32", Misbehaviour::ErrorCode(code, "DENIED"));
        let content = Content::of(&[(KUBECTL, &["v1.31"])]).with_fault(fault);
        let setup = Setup::locked(content, &lock);
        let drift = setup.run(&["check", "--drift", "--retries=0"], &pods(&[&kubectl]));
        assert_eq!(drift.status, status, "{}", drift.stderr);
        says(&drift.stderr, &["docker.io/clastix/kubectl:v1.32"]);
        assert_eq!(setup.lock(), lock);
    }
    // A rule that takes what is denied for absent has done so before.
    let fault = Fault::on("manifests/v1.32", Misbehaviour::ErrorCode(403, "DENIED"));
    let setup = Setup::locked(
        Content::of(&[(KUBECTL, &["v1.31"])]).with_fault(fault),
        lock.replace("kubernetes-version", "denied"),
    );
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n- {name: denied, images: ['**'], try: [v1.31], when: [missing, denied]}\n";
    fs::write(setup.folder.path().join("digestif.yaml"), config).expect("writable");
    assert_eq!(setup.run(&["check", "--drift"], &pods(&[&kubectl])).status, 0);
}

#[test]
fn a_substitute_in_the_lock_obeys_the_rules_of_the_run() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let digest = digest_of("clastix/kubectl:v1.31");
    let lock = lock_of(&[entry(&kubectl, "v1.31", &digest, Some("gone"))]);
    let setup = Setup::locked(Content::everything(), &lock);
    let (ran, cost) = setup.cost(|| setup.run(&["--no-fallback"], &pods(&[&kubectl])));
    assert_eq!(cost, 0);
    let message = "error: `docker.io/clastix/kubectl:v1.32` is locked to the substitute `docker.io/clastix/kubectl:v1.31`, which `--no-fallback` forbids";
    says(&ran.failed(5), &[message, "--update=docker.io/clastix/kubectl"]);
    let used = setup.run(&["--locked"], &pods(&[&kubectl]));
    says(&used.stderr, &["is locked by a rule that is not configured any more", "rule: gone"]);
    assert_eq!(images(&used.succeeded()), [pinned(&format!("{KUBECTL}:v1.31"))]);
    let updated = setup.run(&["--no-fallback", "--update"], &pods(&[&kubectl]));
    assert_eq!(images(&updated.succeeded()), [pinned(&kubectl)]);
}

#[test]
fn one_tag_has_one_digest_whoever_asks_for_it() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let old = format!("sha256:{}", "1".repeat(64));
    let lock = lock_of(&[entry(&kubectl, "v1.31", &old, Some("kubernetes-version"))]);
    let setup = Setup::locked(Content::of(&[(KUBECTL, &["v1.31"])]), &lock);
    let direct = format!("{KUBECTL}:v1.31");
    let (given, cost) = setup.cost(|| setup.run(&[], &pods(&[&direct, &kubectl])).succeeded());
    assert_eq!((images(&given), cost), (vec![&*format!("{direct}@{old}"); 2], 0));
    assert_eq!(
        setup.lock(),
        lock_of(&[
            entry(&direct, "v1.31", &old, None),
            entry(&kubectl, "v1.31", &old, Some("kubernetes-version"))
        ])
    );
}

#[test]
fn an_update_carries_a_digest_into_every_entry_that_has_it_from_there() {
    let (direct, kubectl) = (format!("{KUBECTL}:v1.31"), format!("{KUBECTL}:v1.32"));
    let old = format!("sha256:{}", "1".repeat(64));
    let rule = Some("kubernetes-version");
    let both = |digest: &str| {
        lock_of(&[entry(&direct, "v1.31", digest, None), entry(&kubectl, "v1.31", digest, rule)])
    };
    let content = || Content::of(&[(KUBECTL, &["v1.31"])]);
    for image in [&direct, &kubectl] {
        let setup = Setup::locked(content(), both(&old));
        let ran = setup.run(&["--update"], &pods(&[image]));
        says(&ran.stderr, &["; 2 recorded in images.lock.yaml"]);
        assert_eq!(images(&ran.succeeded()), [pinned(&direct)]);
        assert_eq!(setup.lock(), both(&digest_of(&direct)));
    }
}

#[test]
fn an_update_of_one_repository_reaches_what_has_its_substitute_there() {
    let (web, old) = ("docker.io/acme/web:v1", "docker.io/acme/old:v1");
    let stale = format!("sha256:{}", "1".repeat(64));
    let moved = |digest: &str| {
        format!(
            "- image: {old}\n  repository: docker.io/acme/web\n  tag: v1\n  digest: {digest}\n  rule: moved\n"
        )
    };
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n- {name: moved, images: [docker.io/acme/old], try: ['docker.io/acme/web:$tag']}\n";
    let both = lock_of(&[moved(&digest_of(web)), own(web)]);
    let one = lock_of(&[moved(&digest_of(web))]);
    for (asked, after) in [(&[web][..], &both), (&[old], &one), (&[old, web], &both)] {
        let setup = Setup::locked(
            Content::of(&[("docker.io/acme/web", &["v1"])]),
            lock_of(&[moved(&stale)]),
        );
        fs::write(setup.folder.path().join("digestif.yaml"), config).expect("writable");
        let ran = setup.run(&["--update=docker.io/acme/web"], &pods(asked));
        assert!(!ran.stderr.contains("fits no image"), "{}", ran.stderr);
        let given = ran.succeeded();
        assert!(images(&given).iter().all(|image| image.ends_with(&digest_of(web))), "{given}");
        assert_eq!(setup.lock(), *after);
    }
}

#[test]
fn a_substitute_elsewhere_is_recorded_with_its_repository() {
    let setup = Setup::new(Content::of(&[("docker.io/bitnamilegacy/redis", &["7.2"])]));
    let rule = "--fallback=.+=docker.io/bitnamilegacy/$name:$tag";
    let first = setup.run(&[rule], &pods(&["bitnami/redis:7.2"])).succeeded();
    let expected = format!(
        "- image: docker.io/bitnami/redis:7.2\n  repository: docker.io/bitnamilegacy/redis\n  tag: '7.2'\n  digest: {}\n  rule: '--fallback .+=docker.io/bitnamilegacy/$name:$tag'\n",
        digest_of("docker.io/bitnamilegacy/redis:7.2")
    );
    assert_eq!(setup.lock(), lock_of(&[expected]));
    let again = setup.run(&["--locked"], &pods(&["bitnami/redis:7.2"])).succeeded();
    assert_eq!(again, first);
}

#[test]
fn files_that_are_pinned_in_place_are_kept_fresh() {
    let setup = Setup::new(Content::everything());
    let old = format!("sha256:{}", "1".repeat(64));
    let before = pods(&[
        &*format!("redis:7@{old}"),
        &format!("\"docker.io/library/redis:7@{old}\""),
        "redis:7",
        &format!("redis@{old}"),
        &format!("quay.io/a/b:1@{old}"),
        &pinned("acme/web:1"),
    ]);
    let file = setup.folder.path().join("pods.yaml");
    fs::write(&file, &before).expect("writable");
    let run = |flags: &[&str]| {
        let flags: Vec<_> = ["-i", "-f", "pods.yaml"].iter().chain(flags).copied().collect();
        let ran = setup.without(&[], &flags, "");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        fs::read_to_string(&file).expect("readable")
    };
    let redis = digest_of("redis:7");
    let fresh = [
        format!("redis:7@{redis}"),
        format!("\"docker.io/library/redis:7@{redis}\""),
        format!("redis:7@{redis}"),
        format!("redis@{old}"),
        format!("quay.io/a/b:1@{old}"),
        pinned("acme/web:1"),
    ];
    let after = run(&["--update=docker.io/**"]);
    assert_eq!(images(&after), fresh);
    assert_eq!(run(&["--update=docker.io/**"]), after);
    assert_eq!(setup.registry.requests_to("library/redis"), 2, "one a run");
    assert_eq!(run(&[]), after, "without --update a digest stays");
    // With a lock, what is resolved again is recorded as well.
    let all = run(&["--update", "--lock", "images.lock.yaml"]);
    assert_eq!(images(&all)[4], pinned("quay.io/a/b:1"));
    let recorded = ["docker.io/acme/web:1", "docker.io/library/redis:7", "quay.io/a/b:1"].map(own);
    assert_eq!(setup.lock(), lock_of(&recorded));
    // And then counts as used.
    let check = setup.run(&["check", "-f", "pods.yaml"], "");
    assert_eq!((check.status, check.stderr.as_str()), (0, ""));
}

#[test]
fn a_lock_may_stand_among_the_files_that_are_pinned() {
    let setup = Setup::new(Content::everything());
    let deploy = setup.folder.path().join("deploy");
    fs::create_dir(&deploy).expect("writable");
    fs::write(deploy.join("web.yaml"), pods(&["acme/web:v1"])).expect("writable");
    let run = |flags: &[&str]| {
        let named = ["-f", "deploy", "--lock", "deploy/images.lock.yaml"];
        let flags: Vec<_> = flags.iter().chain(&named).copied().collect();
        setup.without(&[], &flags, "")
    };
    let said = "warning: a lock of digestif is left out, as it is no manifest";
    assert_eq!(run(&["-i"]).stderr.matches(said).count(), 0);
    for flags in [&["-i"][..], &[], &["check"]] {
        let ran = run(flags);
        assert_eq!(ran.status, 0, "{flags:?}: {}", ran.stderr);
        says(&ran.stderr, &[said, "--> deploy/images.lock.yaml"]);
        if flags.is_empty() {
            assert_eq!(ran.stdout, pods(&[pinned("acme/web:v1")]));
        }
    }
    let path = deploy.join("images.lock.yaml");
    let lock = fs::read_to_string(&path).expect("written");
    assert_eq!(lock, lock_of(&[own("docker.io/acme/web:v1")]));
    // What is wrong with it is said of the lock, also where a configuration names it.
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nlock: images.lock.yaml\n";
    fs::write(deploy.join("digestif.yaml"), config).expect("writable");
    for (text, message) in
        [("", "error: the lock is wrong: `apiVersion` or"), ("<<<<<<< ours\n", "the lock is wrong")]
    {
        fs::write(&path, text).expect("writable");
        says(&run(&[]).failed(2), &[message]);
        let named = ["-i", "-f", "deploy", "-c", "deploy/digestif.yaml"];
        says(&setup.without(&[], &named, "").failed(2), &[message]);
    }
}

#[test]
fn an_update_that_finds_another_substitute_writes_that() {
    let old = format!("sha256:{}", "1".repeat(64));
    let setup = Setup::new(Content::of(&[(KUBECTL, &["v1.30"])]));
    let given = setup.without(&[], &["--update"], &pods(&[format!("{KUBECTL}:v1.31@{old}")]));
    says(&given.stderr, &["`docker.io/clastix/kubectl:v1.31` does not exist"]);
    assert_eq!(images(&given.succeeded()), [pinned(&format!("{KUBECTL}:v1.30"))]);
}

#[test]
fn a_run_that_fails_records_nothing() {
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let fault = Fault::on("acme/busy", Misbehaviour::ErrorCode(429, "TOOMANYREQUESTS"));
    let content = Content::of(&[("docker.io/acme/new", &["v1"]), ("docker.io/acme/busy", &["v1"])]);
    let setup = Setup::locked(content.with_fault(fault), &before);
    for (images, flags, status) in [
        (&["acme/new:v1", "acme/busy:v1"][..], &["--retries=0"][..], 4),
        (&["acme/new:v1", "acme/gone:v1"], &[], 1),
        (&["acme/new:v1", "Web"], &[], 3),
        (&["acme/new:v1", "${X}"], &["--deny-placeholders"], 5),
        (&["acme/new:v1"], &["-o", "nowhere/out.yaml"], 2),
        (&["acme/new:v1"], &["--report", "nowhere/r.json"], 2),
    ] {
        setup.run(flags, &pods(images)).failed(status);
        assert_eq!(setup.lock(), before, "{flags:?}");
    }
    let check = setup.run(&["check", "--allow-unresolved"], &pods(&["acme/new:v1"]));
    assert_eq!((check.status, setup.lock()), (5, before.clone()));
    setup.run(&["images"], &pods(&["acme/new:v1"])).succeeded();
    setup.run(&["explain", "acme/new:v1"], "").succeeded();
    assert_eq!(setup.lock(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_cannot_be_written_keeps_its_text_and_nothing_is_given_out() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&["acme/new:v1"]);
    let out = setup.folder.path().join("out.yaml");
    fs::write(&out, "old").expect("writable");

    // No room: no file may grow beyond nothing.
    let registry = for_every_host(&setup.registry);
    for flags in [&[][..], &["-o", "out.yaml"]] {
        let mut full = std::process::Command::new("sh");
        full.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_digestif"))
            .args(["--lock", "images.lock.yaml", &registry])
            .args(flags)
            .current_dir(setup.folder.path());
        let said = finish(start(&mut full), manifests.as_bytes()).failed(2);
        says(&said, &["the file can't be written: File too large", "no file was changed"]);
        assert_eq!(setup.lock(), before);
    }
    assert_eq!(fs::read_to_string(&out).expect("there"), "old");
    assert_eq!(setup.files().len(), 2, "{:?}", setup.files());

    let file = setup.path();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).expect("ours");
    let said = setup.run(&[], &manifests).failed(2);
    says(&said, &["the file can't be written: permission denied", "--> images.lock.yaml"]);
    assert_eq!(setup.lock(), before);
    fs::remove_file(&file).expect("ours");

    // A folder in which nobody can make files, not even root.
    for (lock, message) in [
        ("/proc/images.lock.yaml", "the file can't be written: "),
        (".", "the file can't be written: is a directory"),
        ("/dev/null", "the lock has to be a file"),
        ("nowhere/images.lock.yaml", "the file can't be written: No such file or directory"),
    ] {
        let said = setup.without(&[], &["--lock", lock], &manifests).failed(2);
        says(&said, &[message]);
    }

    // A link stays a link, and what it leads to is written.
    fs::create_dir(setup.folder.path().join("shared")).expect("writable");
    symlink("shared/lock.yaml", &file).expect("writable");
    for image in ["acme/new:v1", "acme/other:v1"] {
        setup.run(&[], &pods(&[image])).succeeded();
        assert!(fs::symlink_metadata(&file).expect("there").is_symlink());
    }
    let both = lock_of(&[own("docker.io/acme/new:v1"), own("docker.io/acme/other:v1")]);
    let target = setup.folder.path().join("shared/lock.yaml");
    assert_eq!(fs::read_to_string(target).expect("written"), both);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_breaks_later_finds_a_lock_that_is_true() {
    let setup = Setup::new(Content::everything());
    let mut child = setup.child(&[]);
    drop(child.stdout.take());
    let mut manifests = pods(&["acme/web:v1"]);
    writeln!(manifests, "# {}", "x".repeat(1 << 20)).expect("a string takes all");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), manifests.as_bytes())
        .expect("it reads all");
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
    assert_eq!(setup.lock(), lock_of(&[own("docker.io/acme/web:v1")]));
}

#[cfg(unix)]
#[test]
fn whoever_reads_slowly_keeps_nobody_from_recording() {
    let setup = Setup::new(Content::everything());
    let mut slow = setup.child(&[]);
    let mut input = slow.stdin.take().expect("piped");
    // More than a pipe holds, so that it waits for its reader.
    let manifests = pods(&["acme/slow:v1"]) + &format!("# {}\n", "x".repeat(1 << 20));
    std::io::Write::write_all(&mut input, manifests.as_bytes()).expect("it reads all");
    drop(input);
    let clock = Instant::now();
    while !setup.path().exists() {
        let ended = slow.try_wait().expect("ours").is_some();
        if ended || clock.elapsed() > Duration::from_secs(60) {
            slow.kill().expect("ours");
            panic!("it does not record before it prints");
        }
        std::thread::yield_now();
    }
    setup.run(&["--timeout=5"], &pods(&["acme/web:v1"])).succeeded();
    let given = slow.wait_with_output().expect("it ends");
    assert_eq!((given.status.code(), given.stdout.len() > 1 << 20), (Some(0), true));
    let both = ["docker.io/acme/slow:v1", "docker.io/acme/web:v1"].map(own);
    assert_eq!(setup.lock(), lock_of(&both));
}

#[test]
fn runs_that_record_at_once_lose_nothing() {
    let setup = Setup::new(Content::everything());
    let images: Vec<_> = (0..8).map(|n| format!("docker.io/acme/web-{n}:v1")).collect();
    let children: Vec<_> = images.iter().map(|_| setup.child(&[])).collect();
    let ended = children.into_iter().zip(&images).map(|(child, image)| {
        let manifests = pods(&[image, "acme/shared:v1"]);
        std::thread::spawn(move || finish(child, manifests.as_bytes()).succeeded())
    });
    for run in ended.collect::<Vec<_>>() {
        run.join().expect("it succeeds");
    }
    let mut entries = vec![own("docker.io/acme/shared:v1")];
    entries.extend(images.iter().map(|image| own(image)));
    assert_eq!(setup.lock(), lock_of(&entries));
    assert_eq!(setup.files().len(), 1, "{:?}", setup.files());
}

#[cfg(unix)]
#[test]
fn a_lock_that_another_run_holds_is_waited_for_with_an_end() {
    let setup = Setup::new(Content::everything());
    let folder = fs::File::open(setup.folder.path()).expect("readable");
    folder.lock().expect("nobody holds it");
    let manifests = pods(&["acme/web:v1"]);
    let child = setup.child(&["--timeout=1"]);
    let limit = Duration::from_secs(60);
    let said = finish_within("a run without the lock", child, manifests.as_bytes(), limit);
    says(
        &said.failed(4),
        &[
            "error: another run still holds the lock after 1 s",
            "--> images.lock.yaml",
            "`--timeout`",
        ],
    );
    assert_eq!(setup.files().len(), 0);
    // What needs no new entry needs no lock.
    setup.write(lock_of(&[own("docker.io/acme/web:v1")]));
    setup.run(&["--timeout=1"], &manifests).succeeded();
    let child = setup.child(&["--timeout=3600"]);
    let manifests = pods(&["acme/new:v1"]);
    let run = std::thread::spawn(move || finish(child, manifests.as_bytes()));
    while setup.registry.requests_to("acme/new") == 0 {
        assert!(!run.is_finished(), "it ends before it asks: {:?}", run.join());
        std::thread::yield_now();
    }
    folder.unlock().expect("ours");
    run.join().expect("it ends").succeeded();
    let both = ["docker.io/acme/new:v1", "docker.io/acme/web:v1"].map(own);
    assert_eq!(setup.lock(), lock_of(&both));
}

/// A run that has read the lock, and waits for its registry until the function has done its work.
fn overtaken(before: &str, flags: &[&str], meanwhile: impl FnOnce(&Setup)) -> (Ran, Setup) {
    let after = Misbehaviour::After("acme/gate".to_owned());
    let content = Content::everything().with_fault(Fault::on("acme/slow", after));
    let setup = Setup::locked(content, before);
    let child = setup.child(flags);
    let manifests = pods(&["acme/slow:v1"]);
    let run = std::thread::spawn(move || finish(child, manifests.as_bytes()));
    while setup.registry.requests_to("acme/slow") == 0 {
        assert!(!run.is_finished(), "it ends before it asks: {:?}", run.join());
        std::thread::yield_now();
    }
    meanwhile(&setup);
    setup.without(&[], &["explain", "acme/gate:v1"], "").succeeded();
    (run.join().expect("it ends"), setup)
}

#[test]
fn what_another_run_recorded_meanwhile_is_kept() {
    let empty = format!("{HEAD}images: []\n");
    let slow = || own("docker.io/acme/slow:v1");
    let (ran, setup) = overtaken(&empty, &[], |setup| {
        setup.run(&[], &pods(&["acme/web:v1"])).succeeded();
    });
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[slow(), own("docker.io/acme/web:v1")]));

    // The same, found by both.
    let (ran, setup) = overtaken(&empty, &[], |setup| setup.write(lock_of(&[slow()])));
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[slow()]));

    // Another digest: the first is right, and the second run says so.
    let other = slow().replace(&digest_of("acme/slow:v1"), &format!("sha256:{}", "2".repeat(64)));
    let (ran, setup) = overtaken(&empty, &[], |setup| setup.write(lock_of(&[&*other])));
    let said = ran.failed(4);
    says(
        &said,
        &[
            "error: the lock says something else of `docker.io/acme/slow:v1` than this run has found",
        ],
    );
    assert_eq!(setup.lock(), lock_of(&[&*other]));
    let again = setup.run(&[], &pods(&["acme/slow:v1"])).succeeded();
    assert!(images(&again)[0].ends_with("2222"), "{again}");

    // An update is overtaken by nothing but another answer.
    let (ran, setup) = overtaken(&lock_of(&[&*other]), &["--update"], |_| {});
    ran.succeeded();
    assert_eq!(setup.lock(), lock_of(&[slow()]));
    let third = other.replace(&"2".repeat(64), &"3".repeat(64));
    let (ran, setup) = overtaken(&lock_of(&[other]), &["--update"], |setup| {
        setup.write(lock_of(&[&*third]));
    });
    ran.failed(4);
    assert_eq!(setup.lock(), lock_of(&[third]));

    // A file that is broken meanwhile stays so.
    let (ran, setup) = overtaken(&empty, &[], |setup| setup.write("<<<<<<<\n"));
    says(&ran.failed(2), &["the lock is wrong"]);
    assert_eq!(setup.lock(), "<<<<<<<\n");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_leaves_the_old_lock_or_the_new_one() {
    let entries: Vec<_> = (100..400).map(|n| own(&format!("docker.io/acme/web-{n}:v1"))).collect();
    let before = lock_of(&entries);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&["docker.io/acme/a:v1", "docker.io/acme/z:v1"]);
    let clock = Instant::now();
    setup.run(&[], &manifests).succeeded();
    let whole = clock.elapsed();
    let after = setup.lock();
    assert_ne!(before, after);
    let steps = 60;
    let mut left = (0, 0);
    for n in 0..steps {
        setup.write(&before);
        let mut child = setup.child(&[]);
        let input = child.stdin.take().expect("piped");
        let text = manifests.clone();
        // A child that is killed closes its end.
        let feed = std::thread::spawn(move || {
            let mut input = input;
            let _ = std::io::Write::write_all(&mut input, text.as_bytes());
        });
        // Later each time, up to the time that a whole run took.
        let (clock, until) = (Instant::now(), whole * n / steps);
        while clock.elapsed() < until {
            std::hint::spin_loop();
        }
        child.kill().expect("ours");
        child.wait().expect("ours");
        feed.join().expect("it can't panic");
        match setup.lock() {
            lock if lock == before => left.0 += 1,
            lock if lock == after => left.1 += 1,
            lock => panic!("a mixture: {} bytes", lock.len()),
        }
    }
    println!("of {steps} killed runs {} left the old lock, {} the new one", left.0, left.1);
    // What they left behind is in nobody's way.
    setup.write(&before);
    setup.run(&[], &manifests).succeeded();
    assert_eq!(setup.lock(), after);
}

#[test]
fn every_lock_fits_the_schema_and_what_is_refused_does_not() {
    let schema = digestif(["schema", "lock"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let fits = |text: &str| {
        let value: serde_yaml::Value = serde_yaml::from_str(text).expect("YAML");
        schema.is_valid(&serde_json::to_value(value).expect("JSON"))
    };
    let kubectl = format!("{KUBECTL}:v1.32");
    let setup = Setup::new(Content::of(&[
        (KUBECTL, &["v1.31"]),
        ("docker.io/acme/web", &["1", "1.10", "1e3", "2024-01-01", "0x1f", "on"]),
    ]));
    let tags = ["1", "1.10", "1e3", "2024-01-01", "0x1f", "on"];
    let mut images: Vec<_> = tags.iter().map(|tag| format!("acme/web:{tag}")).collect();
    images.push(kubectl);
    setup.run(&[], &pods(&images)).succeeded();
    let good = setup.lock();
    assert!(fits(&good), "{good}");
    setup.run(&["--locked"], &pods(&images)).succeeded();
    for (from, to) in [
        ("v1alpha1", "v2"),
        ("ImageLock", "PinImages"),
        ("sha256:", "sha256:x"),
        ("  rule:", "  why:"),
        ("kind: ImageLock\n", ""),
        ("  tag: v1.31\n", ""),
        ("images:", "image:"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(!fits(&bad), "{bad}");
        setup.write(&bad);
        setup.run(&["--locked"], &pods(&images)).failed(2);
    }
}

#[test]
fn a_difference_is_shown_for_people_and_for_pull_requests() {
    let setup = Setup::new(Content::everything());
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    let kubectl = format!("{KUBECTL}:v1.32");
    let rule = Some("kubernetes-version");
    let old = lock_of(&[
        own("docker.io/acme/same:v1"),
        entry("docker.io/acme/web:v1", "v1", &digest("1"), None),
        entry(&kubectl, "v1.31", &digest("2"), rule),
        entry(&format!("{EXTPROC}:v0.3.0"), "v0.3.0", &digest("3"), None),
    ]);
    let new = lock_of(&[
        own("docker.io/acme/same:v1"),
        entry("docker.io/acme/web:v2", "v2", &digest("4"), None),
        entry(&kubectl, "v1.32", &digest("5"), None),
        entry(&format!("{EXTPROC}:v0.3.0"), "v0.3.0", &digest("6"), None),
    ]);
    fs::write(setup.folder.path().join("old.yaml"), &old).expect("writable");
    fs::write(setup.folder.path().join("new.yaml"), &new).expect("writable");
    let diff = |flags: &[&str], stdin: &str| {
        let flags: Vec<_> = ["lock", "diff"].iter().chain(flags).copied().collect();
        setup.without(&[], &flags, stdin)
    };
    let text = format!(
        "- docker.io/acme/web:v1\n    - {}\n+ docker.io/acme/web:v2\n    + {}\n~ {kubectl}\n    - {}, of v1.31 by rule kubernetes-version\n    + {}\n~ {EXTPROC}:v0.3.0\n    - {}\n    + {}\n1 added, 1 removed, 2 changed\n",
        digest("1"),
        digest("4"),
        digest("2"),
        digest("5"),
        digest("3"),
        digest("6"),
    );
    assert_eq!(diff(&["old.yaml", "new.yaml"], "").succeeded(), text);
    assert_eq!(diff(&["-", "new.yaml"], &old).succeeded(), text);
    let markdown = format!(
        "**Image lock**: 1 added, 1 removed, 2 changed\n\n| | image | before | after |\n|---|---|---|---|\n| removed | `docker.io/acme/web:v1` | `{}` |  |\n| added | `docker.io/acme/web:v2` |  | `{}` |\n| changed | `{kubectl}` | `{}`, of `v1.31` by rule `kubernetes-version` | `{}` |\n| changed | `{EXTPROC}:v0.3.0` | `{}` | `{}` |\n",
        digest("1"),
        digest("4"),
        digest("2"),
        digest("5"),
        digest("3"),
        digest("6"),
    );
    assert_eq!(diff(&["old.yaml", "new.yaml", "--format=markdown"], "").succeeded(), markdown);
    assert_eq!(diff(&["old.yaml", "old.yaml"], "").succeeded(), "no image differs\n");
    says(&diff(&["/dev/null", "new.yaml"], "").succeeded(), &["\n4 added\n"]);
    says(&diff(&["nowhere", "new.yaml"], "").failed(2), &["the lock can't be read", "nowhere"]);
    for flags in [["-o", "old.yaml"], ["-o", "./new.yaml"]] {
        let said = diff(&["old.yaml", "new.yaml", flags[0], flags[1]], "").failed(2);
        says(&said, &["error: `--output` names one of the locks that are compared"]);
    }
    let kept =
        ["old.yaml", "new.yaml"].map(|name| fs::read_to_string(setup.folder.path().join(name)));
    assert_eq!(kept.map(|text| text.expect("there")), [old.clone(), new.clone()]);
    diff(&["old.yaml", "new.yaml", "-o", "diff.txt"], "").succeeded();
    says(&diff(&["-", "-"], &old).failed(2), &["stdin can be one of two locks only"]);
    says(&diff(&["-", "new.yaml"], "x: 1").failed(2), &["unknown key `x`"]);
}

#[test]
fn a_configuration_names_the_lock_beside_it() {
    let setup = Setup::new(Content::everything());
    let config =
        |lock: &str| format!("apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nlock: {lock}\n");
    let deploy = setup.folder.path().join("deploy");
    fs::create_dir(&deploy).expect("writable");
    fs::write(deploy.join("digestif.yaml"), config("locks/images.yaml")).expect("writable");
    fs::create_dir(deploy.join("locks")).expect("writable");
    let manifests = pods(&["acme/web:v1"]);
    let expected = lock_of(&[own("docker.io/acme/web:v1")]);
    let flags = ["-c", "deploy/digestif.yaml"];
    setup.without(&[], &flags, &manifests).succeeded();
    assert_eq!(fs::read_to_string(deploy.join("locks/images.yaml")).expect("written"), expected);
    let env = [("DIGESTIF_LOCK", "by-env.yaml")];
    setup.without(&env, &flags, &manifests).succeeded();
    setup.without(&env, &["-c", flags[1], "--lock", "by-flag.yaml"], &manifests).succeeded();
    assert_eq!(setup.files().iter().collect::<Vec<_>>(), ["by-env.yaml", "by-flag.yaml", "deploy"]);
    // What else goes there would be written over it, also where the run fails.
    fs::write(deploy.join("digestif.yaml"), config("../by-env.yaml")).expect("writable");
    for flags in [
        &["--report", "by-env.yaml"][..],
        &["-o", "by-env.yaml"],
        &["check", "--report", "by-env.yaml"],
    ] {
        let flags: Vec<_> = ["-c", "deploy/digestif.yaml"].iter().chain(flags).copied().collect();
        let ran = setup.without(&[], &flags, &manifests);
        assert_eq!(ran.status, 2);
        says(&ran.stderr, &["names the lock"]);
        let kept = fs::read_to_string(setup.folder.path().join("by-env.yaml"));
        assert_eq!(kept.expect("there"), expected, "{flags:?}");
    }
    for wrong in ["''", "'-'"] {
        fs::write(deploy.join("digestif.yaml"), config(wrong)).expect("writable");
        let said = setup.without(&[], &flags, &manifests).failed(2);
        says(&said, &["`lock` names no file", "digestif.yaml:3:7"]);
    }
}

#[test]
fn a_function_reads_and_writes_the_lock_that_its_configuration_names() {
    let setup = Setup::new(Content::everything());
    let list = |lock: &str, image: &str| {
        format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: digestif.dev/v1alpha1\n  kind: PinImages\n  lock: {lock}\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {{name: p}}\n  spec:\n    containers:\n    - image: {image}\n"
        )
    };
    let given = setup.without(&[], &[], &list("own.yaml", "acme/web:v1")).succeeded();
    says(&given, &[&pinned("acme/web:v1")]);
    let own_lock = setup.folder.path().join("own.yaml");
    let expected = lock_of(&[own("docker.io/acme/web:v1")]);
    assert_eq!(fs::read_to_string(&own_lock).expect("written"), expected);
    let flags = ["--locked", "--lock", "not-this-one.yaml"];
    let again = setup.without(&[], &flags, &list("own.yaml", "acme/web:v1"));
    assert_eq!(again.succeeded(), given);
    for (lock, image, flags, status, message) in [
        (
            "own.yaml",
            "acme/new:v1",
            &["--locked"][..],
            5,
            "`docker.io/acme/new:v1` is not in the lock",
        ),
        ("gone.yaml", "acme/web:v1", &["--locked"], 2, "there is no lock"),
        ("nowhere/lock.yaml", "acme/web:v1", &[], 2, "the file can't be written"),
    ] {
        let input = list(lock, image);
        let ran = setup.without(&[], flags, &input);
        assert_eq!(ran.status, status, "{}", ran.stderr);
        let rest = ran.stdout.strip_prefix(&input).expect("the list as it came, and results");
        says(rest, &["results:", message]);
        assert!(!rest.contains("pinned"), "{rest}");
    }
    assert_eq!(fs::read_to_string(&own_lock).expect("there"), expected);
}

#[test]
fn helm_4_gets_what_the_lock_says() {
    let setup = Setup::new(Content::everything());
    let lock = setup.path().display().to_string();
    let home = setup.folder.path().display().to_string();
    let env = [("HELM_PLUGIN_NAME", "digestif"), ("DIGESTIF_LOCK", lock.as_str()), ("HOME", &home)];
    let first = setup.without(&env, &[], &pods(&["acme/web:v1"])).succeeded();
    assert_eq!(setup.lock(), lock_of(&[own("docker.io/acme/web:v1")]));
    let (again, cost) = setup.cost(|| setup.without(&env, &[], &pods(&["acme/web:v1"])));
    assert_eq!((again.succeeded(), cost), (first, 0));
    assert_eq!(
        setup.without(&env, &["--locked"], "").succeeded(),
        "# digestif: there are no manifests\n"
    );
}

/// A run, its lock, and the run by that lock alone, which has to give the same.
fn by_the_lock_alone(setup: &Setup, manifests: &str) {
    let first = setup.run(&[], manifests).succeeded();
    let requests = setup.registry.requests().len();
    let lock = setup.path().exists().then(|| setup.lock());
    let flags: &[&str] = if lock.is_some() { &["--locked", "--offline"] } else { &[] };
    assert_eq!(setup.run(flags, manifests).succeeded(), first);
    assert_eq!(setup.run(flags, &first).succeeded(), first, "a second run changes nothing");
    assert_eq!(setup.registry.requests().len(), requests);
    assert_eq!(setup.path().exists().then(|| setup.lock()), lock);
    if lock.is_some() {
        let check = setup.run(&["check"], manifests);
        assert_eq!(check.status, 0, "{}", check.stderr);
        assert!(!check.stderr.contains("not used here"), "{}", check.stderr);
    }
}

#[test]
fn the_corpus_is_pinned_the_same_by_its_lock_alone() {
    let Some(corpus) = corpus() else {
        eprintln!("DIGESTIF_CORPUS is not set: this was checked on made manifests alone");
        return;
    };
    let registry = Content::everything();
    let setup = Setup::new(registry);
    let entries = fs::read_dir(corpus).expect("readable").map(|entry| entry.expect("readable"));
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() > 40);
    for path in paths {
        by_the_lock_alone(&setup, &fs::read_to_string(&path).expect("readable"));
        // Each has a lock of its own.
        if setup.path().exists() {
            fs::remove_file(setup.path()).expect("ours");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_lock_alone_gives_the_same_bytes(
        chosen in proptest::collection::vec(proptest::sample::select(vec![
            "nginx", "nginx:1.27", "docker.io/library/nginx:1.27", "'quay.io/a/b:on'", "\"a/b:1e3\"",
            "clastix/kubectl:v1.32", "clastix/kubectl:v1.31", "clastix/kubectl:v1.32+k3s1",
            "${LATER}", "localhost:5000/a:1", "a/kubectl:v1.16+",
        ]), 0..12),
        rule in any::<bool>(),
    ) {
        let content = Content::of(&[
            (KUBECTL, &["v1.31"]),
            ("docker.io/a/kubectl", &["v1.16"]),
            ("docker.io/library/nginx", &["latest", "1.27"]),
            ("quay.io/a/b", &["on"]),
            ("docker.io/a/b", &["1e3"]),
            ("localhost:5000/a", &["1"]),
        ]);
        let setup = Setup::new(content);
        let mut manifests = pods(&chosen);
        manifests.push_str("---\nkind: Namespace\n");
        if rule {
            manifests.push_str("# the end");
        }
        by_the_lock_alone(&setup, &manifests);
    }
}
