//! `digestif explain`: its exact text about one image, and that a run gives the same result.

mod support;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, digest_of, digestif, finish, for_every_host, start, testdata};

const KUBECTL: &str = "docker.io/clastix/kubectl";
const APP: &str = "docker.io/acme/app";
const LITELLM: &str = "ghcr.io/berriai/litellm-database";
const MAIN: &str = "main-v1.61.20-stable";
const BRANCH: &str = "litellm_stable_release_branch-v1.61.20-stable";
const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";

/// Explains an image. `REGISTRY` stands for the registry's address.
fn explain(registry: &Registry, image: &str, flags: &[&str]) -> Ran {
    let every_host = for_every_host(registry);
    let args = ["explain", image, &every_host];
    let mut ran = digestif(args.iter().chain(flags), "");
    ran.stdout = ran.stdout.replace(registry.address(), "REGISTRY");
    ran
}

/// Stderr, without the name of the configuration.
fn said(ran: &Ran) -> String {
    let is_other = |line: &&str| !line.starts_with("digestif: the configuration ");
    ran.stderr.lines().filter(is_other).collect()
}

/// The explanation, if nothing else is printed.
#[track_caller]
fn explained(registry: &Registry, image: &str, flags: &[&str], status: i32) -> String {
    let ran = explain(registry, image, flags);
    assert_eq!((ran.status, &*said(&ran)), (status, ""), "{}", ran.stdout);
    ran.stdout
}

fn explained_as_json(registry: &Registry, image: &str, flags: &[&str]) -> Value {
    let flags: Vec<_> = flags.iter().copied().chain(["--format=json"]).collect();
    let ran = explain(registry, image, &flags);
    assert_eq!(said(&ran), "");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn kubectl(tags: &[&str]) -> Registry {
    Registry::start(Content::of(&[(KUBECTL, tags)]))
}

fn litellm() -> Registry {
    Registry::start(Content::of(&[(LITELLM, &["main-v1.61.19-stable", BRANCH])]))
}

/// A registry with `acme/app:y` and `:z`. This fault answers `manifests/x`.
fn faulty(misbehaviour: Misbehaviour) -> Registry {
    let content = Content::of(&[(APP, &["y", "z"])]);
    Registry::start(content.with_fault(Fault::on("manifests/x", misbehaviour)))
}

/// A configuration in a temporary folder, which is removed with this value.
struct Configured(tempfile::TempDir);

impl Configured {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = format!("{HEAD}{config}");
        fs::write(folder.path().join("digestif.yaml"), text).expect("writable");
        Self(folder)
    }

    fn flag(&self) -> String {
        format!("--config={}", self.0.path().join("digestif.yaml").display())
    }
}

fn requests(registry: &Registry) -> Vec<String> {
    let short = |line: String| line.replace("/v2/", "").replace("?n=1000", "");
    registry.requests().iter().map(|request| short(request.line())).collect()
}

#[test]
fn capsule_sees_how_far_the_rule_searches() {
    let registry = kubectl(&["v1.31"]);
    let image = "clastix/kubectl:v1.33";
    let expected = "\
docker.io/clastix/kubectl:v1.33

as written
  docker.io/clastix/kubectl:v1.33  missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)

the tag
  version v1.33

rule kubernetes-version
  tags v1.33.*                     missing
  docker.io/clastix/kubectl:1.33   missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)
  tags 1.33.*                      missing
  docker.io/clastix/kubectl:v1.32  missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)
  tags v1.32.*                     missing
  docker.io/clastix/kubectl:1.32   missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)
  tags 1.32.*                      missing
  rule kubernetes-version stops at 1 minor version (`--max-minor-skew`)

result
  `docker.io/clastix/kubectl:v1.33` does not exist
  help: `--max-minor-skew 2` would lead to v1.31; or use a tag that exists
  nearest tags:
    v1.31  a version below

images that exist
  docker.io/clastix/kubectl:v1.31
    DIGEST
    it is for linux/amd64, linux/arm64

a rule that would help
  --max-minor-skew 2
  it leads to docker.io/clastix/kubectl:v1.31@DIGEST
  Kubernetes supports a kubectl that is one minor version older or newer than the API server, not more

the same in `fallbacks` of digestif.yaml
  - name: kubectl
    images: ['docker.io/clastix/kubectl']
    kubernetesVersion: {maxMinorSkew: 2}
";
    let expected = expected.replace("DIGEST", &digest_of(&format!("{KUBECTL}:v1.31")));
    assert_eq!(explained(&registry, image, &[], 1), expected);
    assert_eq!(registry.requests_to("tags/list"), 1);

    let found = explained(&registry, image, &["--max-minor-skew=2"], 0);
    let digest = digest_of(&format!("{KUBECTL}:v1.31"));
    let line = format!("  docker.io/clastix/kubectl:v1.31  found ({digest})\n");
    assert!(found.contains(&line), "{found}");
}

#[test]
fn litellm_sees_the_nearest_tags_and_the_rule_to_add() {
    let expected = "\
ghcr.io/berriai/litellm-database:main-v1.61.20-stable

as written
  ghcr.io/berriai/litellm-database:main-v1.61.20-stable  missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)

the tag
  channel main, version v1.61.20, channel stable

rule kubernetes-version
  it is not for this repository

result
  `ghcr.io/berriai/litellm-database:main-v1.61.20-stable` does not exist
  help: use a tag that exists, or push this one; `--allow-unresolved` writes it unchanged
  nearest tags:
    litellm_stable_release_branch-v1.61.20-stable  the same version, spelt differently
    main-v1.61.19-stable  the same minor version

images that exist
  ghcr.io/berriai/litellm-database:litellm_stable_release_branch-v1.61.20-stable
    DIGEST
    it is for linux/amd64, linux/arm64
  ghcr.io/berriai/litellm-database:main-v1.61.19-stable
    OTHER
    it is for linux/amd64, linux/arm64

a rule that would help
  --fallback 'ghcr.io/berriai/litellm-database:main-(v?[0-9].*)=litellm_stable_release_branch-$1'
  it leads to ghcr.io/berriai/litellm-database:litellm_stable_release_branch-v1.61.20-stable@DIGEST

the same in `fallbacks` of digestif.yaml
  - name: litellm-database
    images: ['ghcr.io/berriai/litellm-database']
    tag: 'main-(v?[0-9].*)'
    try: ['litellm_stable_release_branch-$1']

a rule that would help
  it leads to ghcr.io/berriai/litellm-database:main-v1.61.19-stable@OTHER

it goes into `fallbacks` of digestif.yaml
  - name: litellm-database
    images: ['ghcr.io/berriai/litellm-database']
    version: {within: minor}
";
    let digest = |tag: &str| digest_of(&format!("{LITELLM}:{tag}"));
    let expected = expected.replace("DIGEST", &digest(BRANCH));
    let expected = expected.replace("OTHER", &digest("main-v1.61.19-stable"));
    assert_eq!(explained(&litellm(), &format!("{LITELLM}:{MAIN}"), &[], 1), expected);
}

#[test]
fn the_suggested_rule_works_when_it_is_pasted() {
    for (repository, asked, existing, found) in [
        (LITELLM, MAIN, &["main-v1.61.19-stable", BRANCH][..], BRANCH),
        (APP, "1.2.3", &["v1.2.3"], "v1.2.3"),
        (APP, "v1.2.3", &["1.2.3"], "1.2.3"),
        (APP, "1.2.3+build", &["1.2.3"], "1.2.3"),
        (APP, "build-20260101", &["20260101"], "20260101"),
        ("registry.example.com:5000/team/app", "1.2.3", &["v1.2.3"], "v1.2.3"),
    ] {
        let registry = Registry::start(Content::of(&[(repository, existing)]));
        let image = format!("{repository}:{asked}");
        let status = if asked.contains('+') { 3 } else { 1 };
        let text = explained(&registry, &image, &["--no-fallback"], status);
        let digest = digest_of(&format!("{repository}:{found}"));
        let written = format!("{repository}:{found}@{digest}");

        // Paste the flag into a shell, for a new run.
        let flag =
            text.split("\na rule that would help\n").nth(1).and_then(|rest| rest.lines().next());
        let flag = flag.expect("a rule is shown").trim();
        let mut shell = Command::new("sh");
        shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {flag}"), env!("CARGO_BIN_EXE_digestif")]);
        shell.arg(for_every_host(&registry));
        let pod = format!("kind: Pod\nspec:\n  containers:\n  - image: {image}\n");
        let pinned = finish(start(&mut shell), pod.as_bytes()).succeeded();
        assert_eq!(pinned, pod.replace(&image, &written), "{flag}");

        // Paste the YAML into a file.
        let title = "\nthe same in `fallbacks` of digestif.yaml\n";
        let (_, yaml) = text.split_once(title).expect("a rule is shown");
        let yaml = yaml.split("\n\n").next().expect("a first section");
        let config = Configured::new(&format!("fallbacks:\n{yaml}\n"));
        let ran = digestif([&config.flag(), &for_every_host(&registry)], &pod);
        let name = repository.rsplit('/').next().expect("a last segment");
        assert!(ran.stderr.contains(&format!("= rule: {name}\n")), "{}", ran.stderr);
        assert_eq!(ran.succeeded(), pod.replace(&image, &written), "{yaml}");
        let again = explained(&registry, &image, &[&config.flag()], 0);
        assert!(again.contains(&format!("\nresult\n  {written}\n")), "{again}");
        assert!(!again.contains("that would help"), "{again}");
    }
}

#[test]
fn an_existing_image_needs_no_rule_and_is_shown_with_its_platforms() {
    let registry = kubectl(&["v1.32", "v1.31"]);
    let digest = digest_of(&format!("{KUBECTL}:v1.32"));
    let expected = format!(
        "\
docker.io/clastix/kubectl:v1.32

rules
  no rule is tried, because the image exists

result
  docker.io/clastix/kubectl:v1.32@{digest}
  the digest comes from a registry
  it is for linux/amd64, linux/arm64
"
    );
    let flags = ["--fallback=v1.32=v1.31"];
    assert_eq!(explained(&registry, "clastix/kubectl:v1.32", &flags, 0), expected);
    let of = |method: &str, reference: &str| format!("{method} {KUBECTL}/manifests/{reference}");
    assert_eq!(requests(&registry), [of("HEAD", "v1.32"), of("GET", &digest)]);
}

#[test]
fn a_substitute_is_shown_with_its_rule_and_the_candidates_that_were_not_tried() {
    let registry = kubectl(&["v1.32.5", "v1.32.10", "v1.31"]);
    let digest = digest_of(&format!("{KUBECTL}:v1.32.10"));
    let config = Configured::new(
        "fallbacks:\n- preset: kubernetes-version\n- {name: stable, images: ['**'], try: [stable]}\n",
    );
    let expected = format!(
        "\
docker.io/clastix/kubectl:v1.32

as written
  docker.io/clastix/kubectl:v1.32  missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)

the tag
  version v1.32

rule --fallback (.+)=$1-slim
  docker.io/clastix/kubectl:v1.32-slim  missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)

rule kubernetes-version
  tags v1.32.*: docker.io/clastix/kubectl:v1.32.10  found ({digest})
  docker.io/clastix/kubectl:1.32                    not asked
  tags 1.32.*                                       not asked
  rule kubernetes-version stops at 0 minor versions (`--max-minor-skew`)

rule stable
  not reached

result
  docker.io/clastix/kubectl:v1.32.10@{digest}
  the digest comes from a registry
  it is for linux/amd64, linux/arm64
  it is another image than was asked for, by rule kubernetes-version
"
    );
    let flags = [&config.flag(), "--max-minor-skew=0", "--fallback=(.+)=$1-slim"];
    assert_eq!(explained(&registry, "clastix/kubectl:v1.32", &flags, 0), expected);
}

#[test]
fn a_denied_image_is_explained_as_absent_or_private() {
    let config = Configured::new("fallbacks: [{name: own, images: ['**'], try: ['y']}]\n");
    for (status, code, words) in [
        (401, "UNAUTHORIZED", "401 Unauthorized from REGISTRY, code UNAUTHORIZED"),
        (403, "DENIED", "403 Forbidden from REGISTRY, code DENIED"),
    ] {
        let registry = faulty(Misbehaviour::ErrorCode(status, code));
        let text = explained(&registry, "acme/app:x", &[&config.flag()], 6);
        let expected = format!(
            "\
docker.io/acme/app:x

as written
  docker.io/acme/app:x  denied ({words})

the tag
  name x

rule own
  it does not treat a denied image as absent

rule kubernetes-version
  it is not for this repository

result
  `docker.io/acme/app:x` is absent or private: the registry does not say which
"
        );
        // This advice will change with credentials.
        let (result, help) = text.split_at(expected.len().min(text.len()));
        assert_eq!(result, expected);
        assert!(help.starts_with("  help: ") && help.lines().count() == 1, "{help}");
        let is_own = |line: &String| line.ends_with("/x") || line == "GET ";
        assert!(requests(&registry).iter().all(is_own), "{text}");
    }
}

#[test]
fn a_rule_that_treats_denied_images_as_absent_is_explained() {
    let config = Configured::new(
        "fallbacks:\n- {name: ordinary, images: ['**'], try: [z]}\n- {name: brave, images: ['**'], try: [w, 'y'], when: [missing, denied]}\n",
    );
    let registry = faulty(Misbehaviour::ErrorCode(403, "DENIED"));
    let digest = digest_of(&format!("{APP}:y"));
    let text = explained(&registry, "acme/app:x", &[&config.flag()], 0);
    let (_, rules) = text.split_once("\nrule ordinary\n").expect("it is shown");
    let expected = format!(
        "  it does not treat a denied image as absent

rule brave
  docker.io/acme/app:w  missing (404 Not Found from REGISTRY, code MANIFEST_UNKNOWN)
  docker.io/acme/app:y  found ({digest})
"
    );
    assert!(rules.starts_with(&expected), "{text}");
}

#[test]
fn a_rate_limit_is_no_proof_of_absence() {
    let expected = "\
docker.io/acme/app:x

as written
  docker.io/acme/app:x  rate-limited (429 Too Many Requests from REGISTRY)

the tag
  name x

rule --fallback x=y
  not reached

rule kubernetes-version
  not reached

result
  `docker.io/acme/app:x` could not be resolved: the registry limits requests
  help: run it again later, or name another registry with `--registry`
";
    let registry = faulty(Misbehaviour::ErrorCode(429, "TOOMANYREQUESTS"));
    let flags = ["--retries=0", "--fallback=x=y"];
    assert_eq!(explained(&registry, "acme/app:x", &flags, 4), expected);
    assert_eq!(requests(&registry), [format!("HEAD {APP}/manifests/x")]);
}

#[test]
fn a_candidate_without_a_usable_answer_ends_the_rules() {
    let content = Content::of(&[(APP, &["z"])]);
    let fault = Fault::on("manifests/y", Misbehaviour::ErrorCode(503, "UNAVAILABLE"));
    let registry = Registry::start(content.with_fault(fault));
    let flags = ["--retries=0", "--fallback=x=y", "--fallback=x=z"];
    let text = explained(&registry, "acme/app:x", &flags, 4);
    let expected = "
rule --fallback x=y
  docker.io/acme/app:y  unreachable (503 Service Unavailable from REGISTRY, code UNAVAILABLE)

rule --fallback x=z
  not reached

rule kubernetes-version
  not reached

result
  `docker.io/acme/app:x` does not exist, and `docker.io/acme/app:y` could not be checked as its substitute
  help: run it again: a later candidate is not tried, because it could hide an outage
";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn an_invalid_tag_is_explained_without_being_sent() {
    let registry = kubectl(&["v1.16"]);
    let digest = digest_of(&format!("{KUBECTL}:v1.16"));
    let expected = format!(
        "\
docker.io/clastix/kubectl:v1.16+

the tag
  version v1.16

rule kubernetes-version
  docker.io/clastix/kubectl:v1.16  found ({digest})
  tags v1.16.*                     not asked
  docker.io/clastix/kubectl:1.16   not asked
  tags 1.16.*                      not asked
  rule kubernetes-version stops at 0 minor versions (`--max-minor-skew`)

result
  docker.io/clastix/kubectl:v1.16@{digest}
  the digest comes from a registry
  it is for linux/amd64, linux/arm64
  it is another image than was asked for, by rule kubernetes-version
"
    );
    let image = "clastix/kubectl:v1.16+";
    assert_eq!(explained(&registry, image, &["--max-minor-skew=0"], 0), expected);
    let of = |method: &str, reference: &str| format!("{method} {KUBECTL}/manifests/{reference}");
    assert_eq!(requests(&registry), [of("HEAD", "v1.16"), of("GET", &digest)]);

    let expected = "\
docker.io/clastix/kubectl:v1.16+

result
  `docker.io/clastix/kubectl:v1.16+` is not a valid image reference: `+` is not allowed in tag `v1.16+`
  help: fix the value in the chart or manifest; an invalid reference is never sent to a registry
  nearest tags:
    v1.16  the same version, spelt differently

images that exist
  docker.io/clastix/kubectl:v1.16
";
    let text = explained(&registry, image, &["--no-fallback"], 3);
    assert!(text.starts_with(expected), "{text}");
    assert!(!requests(&registry).iter().any(|line| line.contains('+')), "{text}");
}

#[test]
fn images_that_are_not_resolved_cause_no_request() {
    let digest = "sha256:".to_owned() + &"a".repeat(64);
    let registry = Registry::start(Content::everything());
    for (image, flags, status, name, result) in [
        (
            &*format!("a@{digest}"),
            &[][..],
            0,
            &*format!("docker.io/library/a@{digest}"),
            "it already has a digest and stays unchanged\n",
        ),
        (
            &format!("a:1@{digest}"),
            &["--offline"],
            0,
            &format!("docker.io/library/a:1@{digest}"),
            "it already has a digest and stays unchanged\n",
        ),
        (
            "${IMAGE}",
            &[],
            0,
            "${IMAGE}",
            "`${IMAGE}` is a placeholder, and is written unchanged\n  help: pin after its value is set; `--deny-placeholders` makes this an error\n",
        ),
        (
            "acme/app:$(params.tag)",
            &["--deny-placeholders"],
            5,
            "acme/app:$(params.tag)",
            "`acme/app:$(params.tag)` is a placeholder, which `--deny-placeholders` forbids\n  help: set its value before digestif runs\n",
        ),
        (
            "quay.io/a/b:1",
            &["--skip=quay.io/**"],
            0,
            "quay.io/a/b:1",
            "it is left alone: `--skip quay.io/**`\n",
        ),
        (
            "Web:1",
            &[],
            3,
            "Web:1",
            "`Web:1` is not a valid image reference: uppercase `W` in repository `Web`\n  help: fix the value in the chart or manifest; an invalid reference is never sent to a registry\n",
        ),
        (
            "web:1",
            &["--offline"],
            5,
            "docker.io/library/web:1",
            "`docker.io/library/web:1` is in no image layout, and `--offline` forbids requests\n  help: copy the image into a folder for `--layout`, or run without `--offline`\n",
        ),
    ] {
        let text = explained(&registry, image, flags, status);
        assert!(text.starts_with(&format!("{name}\n\n")), "{text}");
        assert!(text.ends_with(&format!("\nresult\n  {result}")), "{text}");
    }
    let config = Configured::new("skip: ['quay.io/**']\n");
    let text = explained(&registry, "quay.io/a/b:1", &[&config.flag()], 0);
    let result = "\n  it is left alone: `quay.io/**` in `skip` of the configuration\n";
    assert!(text.ends_with(result), "{text}");
    assert_eq!(registry.requests().len(), 0);
}

#[test]
fn a_layout_is_explained_offline() {
    let layout = format!("--layout={}", testdata("quickstart/images").display());
    let explain = |image: &str, status| {
        let ran = digestif(["explain", image, "--offline", &layout], "");
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""), "{}", ran.stdout);
        ran.stdout
    };
    let digest = "sha256:26189d38b21c3f60e226a91c4fefb63e79893bdcd2ad109502b00ec8c90d54ac";
    assert_eq!(
        explain("nginx:1.29.1", 0),
        format!(
            "\
docker.io/library/nginx:1.29.1

rules
  no rule is tried, because the image exists

result
  docker.io/library/nginx:1.29.1@{digest}
  the digest comes from a layout
  it is for linux/amd64, linux/arm64/v8
"
        )
    );
    let missing = explain("nginx:1.29.2", 1);
    let (said, found) = missing.split_once("\nimages that exist\n").expect("one exists");
    let (found, rule) = found.split_once("\na rule that would help\n").expect("one is shown");
    let image = "docker.io/library/nginx:1.29.1";
    assert_eq!(
        found,
        format!("  {image}\n    {digest}\n    it is for linux/amd64, linux/arm64/v8\n")
    );
    assert_eq!(
        said,
        "\
docker.io/library/nginx:1.29.2

as written
  docker.io/library/nginx:1.29.2  missing (the layout has the repository without this tag)

the tag
  version 1.29.2

rule kubernetes-version
  it is not for this repository

result
  `docker.io/library/nginx:1.29.2` does not exist
  help: use a tag that exists, or push this one; `--allow-unresolved` writes it unchanged
  nearest tags:
    1.29.1  the same minor version
"
    );
    assert!(rule.contains("  it leads to docker.io/library/nginx:1.29.1@sha256:"), "{rule}");
    assert!(rule.contains("    version: {within: minor}\n"), "{rule}");
    let found = explain("clastix/kubectl:v1.32", 0);
    let result = "\nresult\n  docker.io/clastix/kubectl:v1.31@sha256:";
    assert!(found.contains(result), "{found}");
    assert!(found.contains("\n  the digest comes from a layout\n"), "{found}");
}

#[test]
fn a_skipped_rule_is_explained() {
    let config = Configured::new(
        "fallbacks:
- {name: elsewhere, images: [quay.io/**], try: ['y']}
- {name: too-few-segments, images: [docker.io/*], try: ['y']}
- {name: another-tag, images: ['**'], tag: 'v(.+)', try: [$1]}
- {name: versions, images: ['**'], version: {within: minor}}
- {name: kubernetes, images: ['**'], kubernetesVersion: {}}
- {name: 'off', images: ['**'], try: ['y'], enabled: false}
- preset: bitnamilegacy
",
    );
    let registry = Registry::start(Content::of(&[
        (APP, &["y"]),
        ("docker.io/acme/kube-scheduler", &["v1.31.0"]),
    ]));
    let text = explained(&registry, "acme/app:x", &[&config.flag()], 1);
    let (_, rules) = text.split_once("\nrule ").expect("rules are shown");
    let (rules, notes) = rules.split_once("\nnotes\n").expect("notes are shown");
    assert!(notes.starts_with("  rule versions was skipped: the tag has no version"), "{notes}");
    let expected = "\
elsewhere
  it is not for this repository

rule too-few-segments
  it is not for this repository

rule another-tag
  `v(.+)` does not match the tag

rule versions
  the tag has no version such as 1.2 or v1.2.3

rule kubernetes
  the tag is not a Kubernetes version such as 1.32 or v1.32.1

rule bitnamilegacy
  it is not for this repository

rule kubernetes-version
  it is not for this repository
";
    assert_eq!(rules, expected);
    let text = explained(&registry, "acme/kube-scheduler:v1.32.0", &[&config.flag()], 1);
    let expected = "\nrule kubernetes\n  it never changes the version of a component of the control plane or of a node\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn programs_get_the_same_as_json() {
    let registry = kubectl(&["v1.31"]);
    let digest = digest_of(&format!("{KUBECTL}:v1.31"));
    let detail = "404 Not Found from REGISTRY, code MANIFEST_UNKNOWN";
    let missing = |tag: &str, key: &str| json!({ key: format!("{KUBECTL}:{tag}"), "outcome": "missing", "detail": detail });
    let unasked = |proposal: String| json!({ "proposal": proposal, "outcome": "not asked" });
    let flags = ["--fallback=x=y"];
    assert_eq!(
        explained_as_json(&registry, "clastix/kubectl:v1.32", &flags),
        json!({
            "schema": "digestif.explain/v1",
            "image": format!("{KUBECTL}:v1.32"),
            "status": "substituted",
            "written": format!("{KUBECTL}:v1.31@{digest}"),
            "tag": "v1.31",
            "digest": digest,
            "via": "fallback",
            "rule": "kubernetes-version",
            "tried": [missing("v1.32", "reference"), missing("1.32", "reference")],
            "places": [],
            "reading": [{ "text": "v1.32", "meaning": "version" }],
            "candidates": [{
                "reference": format!("{KUBECTL}:v1.31"),
                "digest": digest,
                "platforms": ["linux/amd64", "linux/arm64"],
            }],
            "suggestions": [],
            "rules": [
                { "rule": "--fallback x=y", "note": "`x` does not match the tag", "steps": [] },
                {
                    "rule": "kubernetes-version",
                    "note": "rule kubernetes-version stops at 1 minor version (`--max-minor-skew`)",
                    "steps": [
                        { "proposal": "tags v1.32.*", "outcome": "missing" },
                        missing("1.32", "proposal"),
                        { "proposal": "tags 1.32.*", "outcome": "missing" },
                        {
                            "proposal": format!("{KUBECTL}:v1.31"),
                            "outcome": "found",
                            "detail": digest,
                        },
                        unasked("tags v1.31.*".to_owned()),
                        unasked(format!("{KUBECTL}:1.31")),
                        unasked("tags 1.31.*".to_owned()),
                    ],
                },
            ],
        })
    );

    let found = explained_as_json(&litellm(), &format!("{LITELLM}:{MAIN}"), &[]);
    assert_eq!(found["status"], "unresolved");
    assert_eq!(
        found["nearest"],
        json!([
            { "tag": BRANCH, "reason": "the same version, spelt differently" },
            { "tag": "main-v1.61.19-stable", "reason": "the same minor version" },
        ])
    );
    assert_eq!(
        found["suggestions"][0],
        json!({
            "kind": "try",
            "reference": format!("{LITELLM}:{BRANCH}"),
            "digest": digest_of(&format!("{LITELLM}:{BRANCH}")),
            "flag": "--fallback 'ghcr.io/berriai/litellm-database:main-(v?[0-9].*)=litellm_stable_release_branch-$1'",
            "yaml": "- name: litellm-database\n  images: ['ghcr.io/berriai/litellm-database']\n  tag: 'main-(v?[0-9].*)'\n  try: ['litellm_stable_release_branch-$1']",
        })
    );
    let second = &found["suggestions"][1];
    assert_eq!((&second["kind"], second.get("flag")), (&"version".into(), None));
    let schema = digestif(["schema", "explain"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    assert!(schema.is_valid(&found), "{found}");
    for (image, flags, status) in [
        ("${X}", &[][..], "placeholder"),
        ("clastix/kubectl:v1.31", &[], "pinned"),
        ("clastix/kubectl:v1.31", &["--skip=**"], "skipped"),
        ("Web", &[], "invalid"),
        ("clastix/kubectl:v1.31", &["--offline"], "indeterminate"),
    ] {
        let found = explained_as_json(&registry, image, flags);
        assert_eq!(found["status"], status, "{image}");
        assert_eq!(found["suggestions"], json!([]), "{image}");
    }
}

#[test]
fn the_exit_status_is_the_same_as_in_a_run() {
    use Misbehaviour::{ErrorCode, Html404};
    let digest = "sha256:".to_owned() + &"a".repeat(64);
    for (misbehaviour, image, flags) in [
        (None, "acme/app:y", &[][..]),
        (None, "acme/app:x", &[]),
        (None, "acme/app:x", &["--fallback=x=y"]),
        (None, "acme/app:x", &["--allow-unresolved"]),
        (None, "acme/nothing:x", &[]),
        (None, "acme/app:x+", &[]),
        (None, "acme/app:x+", &["--fallback=x\\+=y"]),
        (None, "Web", &[]),
        (None, "$(IMAGE)", &[]),
        (None, "$(IMAGE)", &["--deny-placeholders"]),
        (None, &*format!("acme/app@{digest}"), &[]),
        (None, "acme/app:x", &["--skip=docker.io/**"]),
        (None, "acme/app:x", &["--offline"]),
        (Some(ErrorCode(401, "UNAUTHORIZED")), "acme/app:x", &["--fallback=x=y"]),
        (Some(ErrorCode(403, "DENIED")), "acme/app:x", &["--allow-unresolved"]),
        (Some(ErrorCode(429, "TOOMANYREQUESTS")), "acme/app:x", &["--fallback=x=y"]),
        (Some(ErrorCode(500, "UNKNOWN")), "acme/app:x", &["--allow-unresolved"]),
        (Some(Html404), "acme/app:x", &[]),
    ] {
        let start = || match misbehaviour.clone() {
            Some(misbehaviour) => faulty(misbehaviour),
            None => Registry::start(Content::of(&[(APP, &["y", "z"])])),
        };
        let (one, other) = (start(), start());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("report.json").display().to_string();
        let pod = format!("kind: Pod\nspec:\n  containers:\n  - image: {image}\n");
        let report = ["--retries=0", "--report", &path, &for_every_host(&one)];
        let ran = digestif(flags.iter().chain(&report), pod);
        let report = fs::read_to_string(&path).expect("it was written").replace(one.address(), "");
        let mut report: Value = serde_json::from_str(&report).expect("JSON");
        let mut entry = report["images"][0].take();
        entry["places"] = json!([]);

        let every_host = for_every_host(&other);
        let explain = ["explain", image, "--retries=0", "--format=json", &every_host];
        let explained = digestif(explain.iter().chain(flags), "");
        assert_eq!((explained.status, explained.stderr.as_str()), (ran.status, ""), "{image}");
        let explained = explained.stdout.replace(other.address(), "");
        let mut explained: Value = serde_json::from_str(&explained).expect("JSON");
        let fields = explained.as_object_mut().expect("an object");
        let own = ["schema", "rules", "candidates", "suggestions", "reading"];
        fields.retain(|key, _| !own.contains(&&**key));
        assert_eq!(explained, entry, "{image} {flags:?}");
        // The later requests are for candidates only.
        assert!(requests(&other).starts_with(&requests(&one)), "{image} {flags:?}");
    }
}

#[test]
fn a_call_without_exactly_one_image_is_an_error() {
    for (args, message) in [
        (
            &["explain"][..],
            "error: the following required arguments were not provided:\n  <IMAGE>\n",
        ),
        (&["explain", "a:1", "b:1"], "error: unexpected argument 'b:1' found\n"),
        (&["explain", "a:1", "-i"], "error: unexpected argument '-i' found\n"),
        (
            &["explain", "a:1", "--format=yaml"],
            "error: invalid value 'yaml' for '--format <FORMAT>'\n",
        ),
        (&["explain", "a:1", "-c", "/nowhere"], "error: the file can't be read: No such file"),
    ] {
        let said = digestif(args, "").failed(2);
        assert!(said.starts_with(message), "{said}");
    }
}

#[test]
fn an_explanation_is_written_to_the_output_of_the_flags() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("why.txt").display().to_string();
    let registry = litellm();
    for (image, status) in [(format!("{LITELLM}:{MAIN}"), 1), (format!("{LITELLM}:{BRANCH}"), 0)] {
        let expected = explained(&registry, &image, &[], status);
        assert_eq!(explained(&registry, &image, &["-o", &path], status), "");
        let found = fs::read_to_string(&path).expect("it was written");
        assert_eq!(found.replace(registry.address(), "REGISTRY"), expected);
        assert_eq!(explained(&registry, &image, &["-q"], status), expected);
        // Stderr names the source of each setting.
        assert_eq!(explain(&registry, &image, &["-v"]).stdout, expected);
    }
    let nowhere = folder.path().join("missing/why.txt").display().to_string();
    let said = explain(&registry, "a:1", &["--offline", "-o", &nowhere]).failed(2);
    assert!(said.starts_with("error: the file can't be written: No such file"), "{said}");
}

#[test]
fn an_image_sends_no_control_characters_to_the_terminal() {
    let registry = Registry::start(Content::everything());
    for image in ["a\u{1b}[2J:1", "a:1\u{9b}2J", "${\u{1b}[2J}", ""] {
        let text = explain(&registry, image, &[]).stdout;
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
    }
    assert_eq!(registry.requests().len(), 0);
}

#[test]
fn a_rule_sends_no_control_characters_to_the_terminal() {
    let config = Configured::new(
        "fallbacks: [{name: \"a\\e[2Jb\", images: ['**'], tag: \"x\\e\", try: ['y']}, {name: c, images: ['**'], try: [\"y\\e[2J\"]}]\n",
    );
    let registry = Registry::start(Content::of(&[(APP, &["y"])]));
    let text = explained(&registry, "acme/app:x", &[&config.flag()], 1);
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn two_similar_rules_are_described_differently() {
    let config = Configured::new(
        "fallbacks:\n- {name: below, images: ['**'], version: {within: minor}}\n- {name: above, images: ['**'], version: {within: minor, direction: up}}\n",
    );
    let registry = Registry::start(Content::of(&[(APP, &["1.2.7"])]));
    let text = explained(&registry, "acme/app:1.2.5", &[&config.flag()], 0);
    let digest = digest_of(&format!("{APP}:1.2.7"));
    for lines in [
        "\nrule below\n  tags 1.2.*  missing\n".to_owned(),
        format!("\nrule above\n  tags 1.2.*: {APP}:1.2.7  found ({digest})\n"),
    ] {
        assert!(text.contains(&lines), "{text}");
    }
}

#[test]
fn a_failed_list_of_tags_is_explained() {
    let config = Configured::new(
        "fallbacks:\n- preset: kubernetes-version\n- {name: own, images: ['**'], try: [own]}\n",
    );
    for (code, status, words, own) in [
        (403, 1, "403 Forbidden", "  docker.io/clastix/kubectl:own  missing ("),
        (500, 4, "500 Internal Server Error", "  not reached\n"),
    ] {
        let fault = Fault::on("tags/list", Misbehaviour::ErrorCode(code, "DENIED"));
        let registry = Registry::start(Content::of(&[(KUBECTL, &["v1.30"])]).with_fault(fault));
        let flags = [&*config.flag(), "--retries=0"];
        let text = explained(&registry, "clastix/kubectl:v1.32", &flags, status);
        assert!(text.contains(words), "{text}");
        assert!(text.contains(&format!("\nrule own\n{own}")), "{text}");
    }
}

#[test]
fn the_explanation_names_a_denied_image_that_was_treated_as_absent() {
    let config = Configured::new(
        "fallbacks: [{name: brave, images: ['**'], try: ['y'], when: [missing, denied]}]\n",
    );
    let registry = faulty(Misbehaviour::ErrorCode(403, "DENIED"));
    let note = "rule brave treats a denied image as absent, by its `when: [missing, denied]`";
    let found = explained_as_json(&registry, "acme/app:x", &[&config.flag()]);
    assert_eq!(found["notes"], json!([note]));
    let text = explained(&registry, "acme/app:x", &[&config.flag()], 0);
    assert!(text.contains(note), "{text}");
}

#[test]
fn candidates_with_the_same_digest_are_marked_and_read_once() {
    let registry = kubectl(&["v1.32", "v1.32.1", "v1.31.9"]);
    registry.move_tag(KUBECTL, "v1.32", "v1.32.1");
    let flags = ["--no-fallback"];
    let text = explained(&registry, "clastix/kubectl:v1.32.2", &flags, 1);
    let digest = digest_of(&format!("{KUBECTL}:v1.32.1"));
    let expected = format!(
        "  {KUBECTL}:v1.32.1\n    {digest}\n    it is for linux/amd64, linux/arm64\n    the same digest as {KUBECTL}:v1.32\n"
    );
    assert!(text.contains(&expected), "{text}");
    let reads = format!("GET {KUBECTL}/manifests/{digest}");
    assert_eq!(requests(&registry).iter().filter(|line| **line == reads).count(), 1);
    let json = explained_as_json(&registry, "clastix/kubectl:v1.32.2", &flags);
    let candidates = json["candidates"].as_array().expect("a list");
    let named = |tag: &str| {
        let name = format!("{KUBECTL}:{tag}");
        candidates.iter().find(|one| one["reference"] == *name).expect("it is shown")
    };
    assert_eq!(named("v1.32")["equals"], json!([format!("{KUBECTL}:v1.32.1")]));
    assert_eq!(named("v1.31.9").get("equals"), None);
}

#[test]
fn platforms_that_cannot_be_read_do_not_fail_an_explanation() {
    let digest = digest_of(&format!("{APP}:y"));
    for (misbehaviour, reason) in [
        (Misbehaviour::ErrorCode(403, "DENIED"), "403 Forbidden from REGISTRY, code DENIED"),
        (Misbehaviour::ErrorCode(429, "TOOMANYREQUESTS"), "429 Too Many Requests from REGISTRY"),
        (Misbehaviour::WrongBody, "200 OK from REGISTRY, which hashes to"),
    ] {
        let fault = Fault::on(&format!("manifests/{digest}"), misbehaviour);
        let registry = Registry::start(Content::of(&[(APP, &["y"])]).with_fault(fault));
        let text = explained(&registry, "acme/app:y", &["--retries=0"], 0);
        let line = format!("\n  its platforms are not known: {reason}");
        assert!(text.contains(&line), "{text}");
        let json = explained_as_json(&registry, "acme/app:y", &["--retries=0"]);
        let candidate = &json["candidates"][0];
        assert_eq!((candidate.get("platforms"), &candidate["digest"]), (None, &json!(digest)));
        assert!(candidate["unknown"].as_str().is_some_and(|said| said.starts_with(reason)));
    }
}

#[test]
fn a_locked_image_causes_no_request() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lock = format!("--lock={}", folder.path().join("lock.yaml").display());
    let registry = kubectl(&["v1.32"]);
    let pod = "kind: Pod\nspec:\n  containers:\n  - image: clastix/kubectl:v1.32\n";
    digestif([&lock, &for_every_host(&registry)], pod).succeeded();
    let before = registry.requests().len();
    let text = explained(&registry, "clastix/kubectl:v1.32", &[&lock], 0);
    assert!(text.ends_with("\n  the digest comes from a lock\n"), "{text}");
    assert_eq!(registry.requests().len(), before);
}

#[test]
fn policies_judge_the_image_that_is_explained() {
    let registry = Registry::start(Content::of(&[(APP, &["latest", "1.2.3"])]));
    let expected = format!("--expect={APP}=1.2.4");
    for (image, flag, status, said) in [
        ("acme/app", "--deny-mutable", 5, "has a tag that moves: it is moved to the newest image"),
        ("acme/app:1.2.3", "--deny-mutable", 0, ""),
        ("acme/app:1.2.3", &expected, 5, "is expected with the tag `1.2.4`, but has `1.2.3`"),
        ("acme/app:1.2.3", "--expect=quay.io/a/b=1", 0, ""),
        ("acme/app:1.2.3", "--require-platform=linux/s390x", 1, "is not available for linux/s390x"),
        ("acme/app:1.2.3", "--require-platform=linux/arm64", 0, ""),
    ] {
        let text = explained(&registry, image, &[flag], status);
        assert!(text.contains(said), "{image} {flag}: {text}");
    }
}
