//! Tags that do not exist: the proof of absence, the candidates, the substitute and the messages.
//! The manifests are in the style of the projects that digestif was made for. The projects' own
//! manifests are used if there is a corpus (`DIGESTIF_CORPUS`).

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use support::{digest_of, digestif, pinned, run_against as run};

const KUBECTL: &str = "docker.io/clastix/kubectl";
const LITELLM: &str = "ghcr.io/berriai/litellm-database";
const RULE: &str = "main-(v.+-stable)=litellm_stable_release_branch-$1";
const RIGHT: &str = "litellm_stable_release_branch-v1.61.20-stable";

/// A stream of Jobs, each with one image.
fn jobs(images: &[&str]) -> String {
    let job = |(n, image): (usize, &&str)| {
        format!(
            "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: job-{n}}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: {image} # as the chart wrote it\n"
        )
    };
    images.iter().enumerate().map(job).collect()
}

fn corpus(file: &str) -> Option<String> {
    let corpus = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from)?;
    Some(fs::read_to_string(corpus.join(file)).expect("the corpus has it"))
}

fn lines(registry: &Registry) -> Vec<String> {
    let short = |line: String| line.replace("/v2/docker.io/clastix/kubectl/", "");
    registry.requests().iter().map(|request| short(request.line())).collect()
}

#[test]
fn a_client_tool_gets_the_minor_below_with_a_warning() {
    let registry = Registry::start(Content::of(&[(KUBECTL, &["v1.31", "v1.30"])]));
    let image = format!("{KUBECTL}:v1.32");
    let manifest = jobs(&[&image, &image, &image]);
    let ran = run(&registry, &[], &manifest);
    assert_eq!(ran.stdout, manifest.replace(&image, &pinned(&format!("{KUBECTL}:v1.31"))));
    let said = ran.stderr;
    for part in [
        "warning: `docker.io/clastix/kubectl:v1.32` does not exist: `docker.io/clastix/kubectl:v1.31` is used instead",
        "rule: kubernetes-version",
        "tried: `docker.io/clastix/kubectl:v1.32` (missing: 404 Not Found",
        "digestif: pinned 0 images at 0 places in 3 objects; 1 substituted at 3 places",
    ] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let quiet = run(&registry, &["-q"], &manifest).stderr;
    assert!(quiet.contains("is used instead"), "a substitution is never silent: {quiet}");
    assert_eq!(
        lines(&registry)[..8],
        [
            "HEAD manifests/v1.32",
            "GET manifests/v1.32",
            "GET tags/list?n=1000",
            "HEAD manifests/1.32",
            "GET manifests/1.32",
            "HEAD manifests/v1.31",
            "HEAD manifests/v1.32",
            "GET manifests/v1.32",
        ]
    );
}

#[test]
fn the_report_is_complete_on_failure_and_on_success() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json").display().to_string();
    let schema = digestif(["schema", "report"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let read = || -> serde_json::Value {
        let text = fs::read_to_string(&path).expect("it was written");
        let report = serde_json::from_str(&text).expect("JSON");
        assert!(schema.is_valid(&report), "{text}");
        report
    };
    let registry = Registry::start(Content::of(&[(KUBECTL, &["v1.31"])]));
    let image = format!("{KUBECTL}:v1.32");
    let digest = digest_of("clastix/kubectl:v1.31");
    run(&registry, &["--report", &path], &jobs(&[&image, &image])).succeeded();
    let report = read();
    assert_eq!(report["schema"], "digestif.report/v1");
    assert_eq!(report["summary"]["substituted"], 1);
    let entry = &report["images"][0];
    assert_eq!(
        (&entry["image"], &entry["status"]),
        (&image.as_str().into(), &"substituted".into())
    );
    assert_eq!(entry["written"], format!("{KUBECTL}:v1.31@{digest}"));
    assert_eq!((&entry["tag"], &entry["digest"]), (&"v1.31".into(), &digest.as_str().into()));
    assert_eq!((&entry["via"], &entry["rule"]), (&"fallback".into(), &"kubernetes-version".into()));
    assert_eq!(
        (&entry["tried"][0]["reference"], &entry["tried"][0]["outcome"]),
        (&image.as_str().into(), &"missing".into())
    );
    assert_eq!(
        (&entry["places"][1]["line"], &entry["places"][1]["column"]),
        (&20.into(), &16.into())
    );

    let flags = ["--report", &path, "--no-fallback"];
    run(&registry, &flags, &jobs(&[&image, "nginx", "${X}", "Web"])).failed(3);
    let report = read();
    let statuses =
        report["images"].as_array().expect("a list").iter().map(|image| &image["status"]);
    assert_eq!(
        statuses.collect::<Vec<_>>(),
        ["unresolved", "unresolved", "placeholder", "invalid"]
    );
    assert_eq!(report["summary"]["unresolved"], 3);

    let nowhere = folder.path().join("missing/report.json").display().to_string();
    run(&registry, &["--report", &nowhere], &jobs(&[&image])).failed(2);
}

#[test]
fn capsules_own_manifest_gets_substitutes_at_three_places() {
    let Some(manifest) = corpus("capsule-v0.7.2-kube1.32.yaml") else { return };
    let registry = Registry::start(Content::of(&[
        (KUBECTL, &["v1.31"]),
        ("ghcr.io/projectcapsule/capsule", &["v0.7.2"]),
    ]));
    let ran = run(&registry, &[], &manifest);
    assert!(ran.stderr.contains("; 1 substituted at 3 places\n"), "{}", ran.stderr);
    let found = ran.succeeded();
    assert_eq!(found.matches(&pinned(&format!("{KUBECTL}:v1.31"))).count(), 3);
    assert_eq!(found.matches("@sha256:").count(), 4);
}

#[test]
fn a_flag_sets_the_limit_of_the_skew() {
    let registry = Registry::start(Content::of(&[(KUBECTL, &["v1.31"])]));
    let image = format!("{KUBECTL}:v1.33");
    let said = run(&registry, &[], &jobs(&[&image])).failed(1);
    for part in [
        "error: `docker.io/clastix/kubectl:v1.33` does not exist",
        "`docker.io/clastix/kubectl:v1.32` (missing",
        "note: rule kubernetes-version stops at 1 minor version",
        "nearest: v1.31",
    ] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let further = run(&registry, &["--max-minor-skew=2"], &jobs(&[&image])).succeeded();
    assert!(further.contains(&pinned(&format!("{KUBECTL}:v1.31"))), "{further}");
    let cluster = run(&registry, &["--kube-version=v1.31.4"], &jobs(&[&image])).succeeded();
    assert!(cluster.contains(&pinned(&format!("{KUBECTL}:v1.31"))), "{cluster}");
}

#[test]
fn an_invalid_tag_is_never_sent_and_loses_its_plus() {
    let registry = Registry::start(Content::of(&[(KUBECTL, &["v1.16"])]));
    let image = format!("{KUBECTL}:v1.16+");
    let ran = run(&registry, &[], &jobs(&[&image]));
    assert!(
        ran.stderr.contains("is not a valid reference: `docker.io/clastix/kubectl:v1.16` is used")
    );
    assert!(ran.succeeded().contains(&pinned(&format!("{KUBECTL}:v1.16"))));
    assert_eq!(lines(&registry), ["HEAD manifests/v1.16"]);
    let said = run(&registry, &["--no-fallback"], &jobs(&[&image])).failed(3);
    assert!(said.contains("`+` is not allowed in tag `v1.16+`"), "{said}");
    assert_eq!(lines(&registry).iter().filter(|line| line.contains('+')).count(), 0);
}

#[test]
fn a_substitute_needs_a_proof_of_absence() {
    use Misbehaviour::{EndlessBody, ErrorCode, Hang, Html404, RedirectLoop, RetryAfter, Status};
    let image = format!("{KUBECTL}:v1.32");
    for (name, misbehaviour, status) in [
        ("429", ErrorCode(429, "TOOMANYREQUESTS"), 4),
        ("429 for an hour", RetryAfter(429, "3600"), 4),
        ("500", Status(500, Vec::new(), String::new()), 4),
        ("a proxy's 404", Html404, 4),
        ("a redirect loop", RedirectLoop, 4),
        ("an endless error", EndlessBody(404), 4),
        ("no answer", Hang, 4),
        ("401", ErrorCode(401, "UNAUTHORIZED"), 6),
        ("403", ErrorCode(403, "DENIED"), 6),
    ] {
        let content = Content::of(&[(KUBECTL, &["v1.31"])]);
        let fault = Fault::on("manifests/v1.32", misbehaviour);
        let registry = Registry::start(content.with_fault(fault));
        let said = run(&registry, &["--timeout=1", "--retries=0"], &jobs(&[&image])).failed(status);
        assert!(said.contains(&image) && !said.contains("instead"), "{name}: {said}");
        let is_own = |line: &String| line.contains("v1.32") || line == "GET /v2/";
        assert!(lines(&registry).iter().all(is_own), "{name}: {:?}", lines(&registry));
    }
}

#[test]
fn a_candidate_without_a_usable_answer_ends_the_search() {
    use Misbehaviour::{ErrorCode, Html404};
    let image = format!("{KUBECTL}:v1.32");
    for (misbehaviour, status) in
        [(ErrorCode(503, "UNAVAILABLE"), 4), (Html404, 4), (ErrorCode(403, "DENIED"), 6)]
    {
        let content = Content::of(&[(KUBECTL, &["v1.31", "1.31"])]);
        let fault = Fault::on("manifests/v1.31", misbehaviour);
        let registry = Registry::start(content.with_fault(fault));
        let said = run(&registry, &["--retries=0"], &jobs(&[&image])).failed(status);
        let message = "`docker.io/clastix/kubectl:v1.32` does not exist, and `docker.io/clastix/kubectl:v1.31` could not be checked as its substitute";
        assert!(said.contains(message), "{said}");
        assert!(!lines(&registry).iter().any(|line| line.contains("manifests/1.31")));
    }
}

#[test]
fn a_refused_list_skips_a_step_and_a_failed_list_ends_the_search() {
    use Misbehaviour::ErrorCode;
    let image = format!("{KUBECTL}:v1.32");
    for code in [401, 403, 404, 405] {
        let content = Content::of(&[(KUBECTL, &["v1.31"])]);
        let fault = Fault::on("tags/list", ErrorCode(code, "UNSUPPORTED"));
        let registry = Registry::start(content.with_fault(fault));
        let ran = run(&registry, &[], &jobs(&[&image]));
        assert_eq!(ran.status, 0, "{code}: {}", ran.stderr);
        assert!(ran.stderr.contains("v1.32.*: the tags can't be listed"), "{code}");
    }
    for code in [429, 500] {
        let content = Content::of(&[(KUBECTL, &["v1.31"])]);
        let fault = Fault::on("tags/list", ErrorCode(code, "UNKNOWN"));
        let registry = Registry::start(content.with_fault(fault));
        run(&registry, &["--retries=0"], &jobs(&[&image])).failed(4);
    }
}

#[test]
fn an_incomplete_list_is_not_used() {
    let image = format!("{KUBECTL}:v1.32");
    for link in
        ["<http://[>; rel=\"next\"", "</v2/other?last=x>; rel=\"next\"", "<?n=1000>; rel=\"next\""]
    {
        let headers = vec![("link", link.to_owned())];
        let page = Misbehaviour::Status(200, headers, r#"{"tags":["v1.32.9"]}"#.to_owned());
        let content =
            Content::of(&[(KUBECTL, &["v1.31"])]).with_fault(Fault::on("tags/list", page));
        let registry = Registry::start(content);
        // Only the steps that need the list are skipped.
        let ran = run(&registry, &[], &jobs(&[&image]));
        let said = &ran.stderr;
        assert!(said.contains("could not be read to its end (1 tags)"), "{link}: {said}");
        assert!(ran.stdout.contains(&pinned(&format!("{KUBECTL}:v1.31"))), "{link}: {said}");
        assert!(!lines(&registry).iter().any(|line| line.contains("manifests/v1.32.9")), "{link}");
    }
}

#[test]
fn a_rule_of_the_command_line_applies_to_deployment_and_migration() {
    let registry = Registry::start(Content::of(&[(LITELLM, &[RIGHT, "main-v1.61.21-stable"])]));
    let image = format!("{LITELLM}:main-v1.61.20-stable");
    let quoted = format!("\"{image}\"");
    let manifest = jobs(&[&quoted, &image]);
    let ran = run(&registry, &["--fallback", RULE], &manifest);
    assert!(ran.stderr.contains(&format!("rule: --fallback {RULE}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 substituted at 2 places"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), manifest.replace(&image, &pinned(&format!("{LITELLM}:{RIGHT}"))));
}

#[test]
fn without_a_rule_the_message_shows_the_right_tag_and_a_rule_for_it() {
    let existing = ["main-v1.61.21-stable", "main-v1.61.19-stable", RIGHT, "main-latest"];
    let registry = Registry::start(Content::of(&[(LITELLM, &existing)]));
    let image = format!("{LITELLM}:main-v1.61.20-stable");
    let manifest = jobs(&[&image, &image]);
    let said = run(&registry, &[], &manifest).failed(1);
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    assert_eq!(said.matches("<stdin>:").count(), 2, "{said}");
    let nearest = format!("nearest: {RIGHT} (the same version, spelt differently)\n");
    assert!(said.contains(&nearest), "{said}");
    let rule = said.split("`--fallback '").nth(1).and_then(|rest| rest.split('\'').next());
    let found = run(&registry, &["--fallback", rule.expect("a rule")], &manifest).succeeded();
    assert_eq!(found.matches(&pinned(&format!("{LITELLM}:{RIGHT}"))).count(), 2);
}

#[test]
fn rules_are_tried_in_order_and_only_for_absent_images() {
    let registry = Registry::start(Content::of(&[(
        "docker.io/a/b",
        &["1.86.2", "v1.86.2", "main-1.86.3", "1.86.3"],
    )]));
    let rules = ["--fallback", "main-(.+)=$1", "--fallback", "main-(.+)=v$1"];
    let found = run(&registry, &rules, &jobs(&["a/b:main-1.86.2", "a/b:main-1.86.3"])).succeeded();
    assert!(found.contains(&format!("a/b:1.86.2@{}", digest_of("a/b:1.86.2"))), "{found}");
    assert!(found.contains(&pinned("a/b:main-1.86.3")), "a tag that exists is never substituted");
}

#[test]
fn a_moved_repository_is_written_with_its_full_name() {
    let registry = Registry::start(Content::of(&[("docker.io/bitnamilegacy/redis", &["7.2"])]));
    let rule = "--fallback=.+=docker.io/bitnamilegacy/$name:$tag";
    let ran = run(&registry, &[rule], &jobs(&["bitnami/redis:7.2"]));
    assert!(ran.succeeded().contains(&pinned("docker.io/bitnamilegacy/redis:7.2")));
    assert!(lines(&registry).iter().all(|line| !line.contains("tags/list")));
}

#[test]
fn no_other_tag_of_an_absent_repository_is_requested() {
    let registry = Registry::start(Content::of(&[("docker.io/a/b", &["1"])]));
    let said = run(&registry, &[], &jobs(&[&format!("{KUBECTL}:v1.32")])).failed(1);
    assert!(said.contains("the registry has no such repository"), "{said}");
    let own = lines(&registry);
    let own: Vec<_> = own.iter().filter(|line| !line.contains("registry.k8s.io")).collect();
    assert_eq!(own, ["HEAD manifests/v1.32", "GET manifests/v1.32"]);
}

#[test]
fn a_private_repository_is_reported_as_absent_or_private() {
    let rules = TokenRules { status: Some(403), ..TokenRules::default() };
    let registry = Registry::start(Content::of(&[(LITELLM, &[RIGHT])]).with_tokens(rules));
    let image = format!("{LITELLM}:main-v1.61.20-stable");
    let said = run(&registry, &["--fallback", RULE], &jobs(&[&image])).failed(6);
    assert!(said.contains("is absent or private: the registry does not say which"), "{said}");
}

#[test]
fn the_order_of_answers_does_not_change_the_output() {
    let images =
        ["a/kubectl:v1.32", "b/kubectl:v1.32", "a/kubectl:v1.31", "c/kubectl:1.32.9", "d/web:1"];
    let content = || {
        Content::of(&[
            ("docker.io/a/kubectl", &["v1.31"]),
            ("docker.io/b/kubectl", &["v1.32.4", "v1.32.10"]),
            ("docker.io/c/kubectl", &["1.32.2"]),
            ("docker.io/d/web", &["1"]),
        ])
    };
    let run = |content| {
        let ran = run(&Registry::start(content), &["-v"], &jobs(&images));
        let port = |line: &&str| !line.contains("127.0.0.1");
        (ran.stdout, ran.stderr.lines().filter(port).map(str::to_owned).collect::<Vec<_>>())
    };
    let expected = run(content());
    assert!(expected.0.contains(&pinned("b/kubectl:v1.32.10")), "{}", expected.0);
    for slow in ["a/kubectl", "b/kubectl", "manifests/v1.31", "tags/list", "d/web"] {
        let fault = Fault::on(slow, Misbehaviour::Status(503, Vec::new(), String::new())).times(1);
        let content = content().with_latency(Duration::from_millis(1)).with_fault(fault);
        assert_eq!(run(content), expected, "{slow} answers late");
    }
}

#[test]
fn an_existing_tag_causes_only_one_request() {
    let registry = Registry::start(Content::of(&[(KUBECTL, &["v1.32", "v1.31"])]));
    let found = run(&registry, &[], &jobs(&[&format!("{KUBECTL}:v1.32")])).succeeded();
    assert!(found.contains(&pinned(&format!("{KUBECTL}:v1.32"))));
    assert_eq!(lines(&registry), ["HEAD manifests/v1.32"]);
}

#[test]
fn a_list_of_many_pages_is_read_once_for_all_rules() {
    let tags: Vec<String> = (0..250).map(|n| format!("v1.32.{n}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let content = Content::of(&[(KUBECTL, &tags)]).with_page_limit(100);
    let registry = Registry::start(content);
    let images = ["v1.32", "1.32", "v1.32.900"].map(|tag| format!("{KUBECTL}:{tag}"));
    let found = run(&registry, &[], &jobs(&images.each_ref().map(String::as_str))).succeeded();
    assert_eq!(found.matches(&pinned(&format!("{KUBECTL}:v1.32.249"))).count(), 3, "{found}");
    assert_eq!(lines(&registry).iter().filter(|line| line.contains("tags/list")).count(), 3);
}
