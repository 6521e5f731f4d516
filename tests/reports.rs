//! Reports for machines: what policies say as JSON, and comments as Markdown, read back by
//! somebody else's code.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::accounts::{assert_tells_nothing, password};
use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, digestif, finish, for_every_host, start};

/// A Pod with containers of these images, behind text of more than one byte a character.
fn pod(images: &[&str]) -> String {
    let container = |image: &&str| format!("  - {{name: größe, image: {image}}} # ours\n");
    let containers: String = images.iter().map(container).collect();
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  containers:\n{containers}"
    )
}

/// A check in a folder, with the report in this format on stdout.
fn check(folder: &Path, format: &str, flags: &[&str], stdin: &str) -> Ran {
    let mut command = command(["check", "-q", "--report-format", format]);
    finish(start(command.args(flags).current_dir(folder)), stdin.as_bytes())
}

fn nowhere() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What policies say in a report, which fits the schema.
#[track_caller]
fn policy(report: &str) -> Vec<Value> {
    let schema = digestif(["schema", "report"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let report: Value = serde_json::from_str(report).expect("JSON");
    let errors: Vec<_> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    report["policy"].as_array().expect("a list").clone()
}

fn rules(policy: &[Value]) -> Vec<(&str, &str)> {
    let text = |value: &'_ Value| value.as_str().expect("text").to_owned().leak() as &str;
    policy.iter().map(|said| (text(&said["rule"]), text(&said["severity"]))).collect()
}

#[test]
fn a_report_has_what_policies_say_and_nothing_else_as_policy() {
    let manifests = pod(&["web:1", "'${IMAGE}'", "web:2", "Not valid"]);
    let flags = ["--require-digest", "--deny-placeholders"];
    let ran = check(nowhere().path(), "json", &flags, &manifests);
    assert_eq!(ran.status, 3);
    let policy = policy(&ran.stdout);
    assert_eq!(
        rules(&policy),
        [
            ("require-digest", "error"),
            ("two-tags", "warning"),
            ("placeholders", "error"),
            ("require-digest", "error"),
        ]
    );
    let expected = json!({
        "rule": "require-digest",
        "severity": "error",
        "message": "`docker.io/library/web:1` has no digest",
        "help": "pin it: send the manifests through `digestif` without `--require-digest`",
        "image": "docker.io/library/web:1",
        "places": [{
            "file": "-", "line": 9, "column": 26, "document": 1,
            "apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web",
            "path": "spec.containers[0].image", "class": "pod",
        }],
    });
    assert_eq!(policy[0], expected);
    assert_eq!(policy[1].get("image"), None, "it is about two");
    assert_eq!(policy[1]["places"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_report_has_what_has_drifted_and_what_a_lock_has_too_much() {
    let folder = nowhere();
    let registry = Registry::start(Content::of(&[("docker.io/library/web", &["1"])]));
    let lock = format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\nimages:\n- image: docker.io/library/old:1\n  tag: '1'\n  digest: {0}\n- image: docker.io/library/web:1\n  tag: '1'\n  digest: {0}\n",
        digest_of("docker.io/library/old:1")
    );
    fs::write(folder.path().join("images.lock.yaml"), lock).expect("writable");
    let every_host = for_every_host(&registry);
    let lock = ["--lock", "images.lock.yaml"];
    let flags = [&every_host, lock[0], lock[1], "--drift"];
    let ran = check(folder.path(), "json", &flags, &pod(&["web:1"]));
    assert_eq!(ran.status, 5);
    let drifted = policy(&ran.stdout);
    assert_eq!(rules(&drifted), [("unused", "warning"), ("drift", "error")]);
    assert_eq!(drifted[0]["places"], json!([{"file": "images.lock.yaml"}]));
    assert_eq!(drifted[1]["image"], "docker.io/library/web:1");
    let notes = ["old", "web"].map(|name| digest_of(&format!("docker.io/library/{name}:1")));
    let notes = [format!("locked: {}", notes[0]), format!("now: {}", notes[1])];
    assert_eq!(drifted[1]["notes"], json!(notes));
    let ran = check(folder.path(), "json", &lock, &pod(&["new:1"]));
    assert_eq!(ran.status, 5);
    assert_eq!(rules(&policy(&ran.stdout)), [("unused", "warning"), ("locked", "error")]);
}

#[test]
fn a_report_has_what_went_wrong_after_it_was_written() {
    let folder = nowhere();
    let registry = Registry::start(Content::of(&[("docker.io/library/web", &["1", "2"])]));
    let run = |flags: &[&str], images: &[&str]| {
        let mut command = command([for_every_host(&registry).as_str(), "--report", "report"]);
        let child = start(command.args(flags).current_dir(folder.path()));
        let ran = finish(child, pod(images).as_bytes());
        (ran.status, fs::read_to_string(folder.path().join("report")).expect("written"))
    };
    let (status, report) = run(&["--emit", "kustomize-images"], &["web:1", "web:2"]);
    assert_eq!(status, 5);
    let policy = policy(&report);
    assert_eq!(rules(&policy), [("kustomize-images", "error"), ("two-tags", "warning")]);
    let at = |line| json!({"file": "-", "line": line, "column": 26});
    assert_eq!(policy[0]["places"], json!([at(9), at(10)]));
    let (status, report) = run(&["-o", "no/such", "--report-format=markdown"], &["web:1"]);
    assert_eq!(status, 2);
    assert!(report.starts_with("**digestif failed**, 1 error: 1 image "), "{report}");
    assert!(report.contains("| `no/such` |\n"), "{report}");
}

/// Markdown as GitHub renders it, before it looks for mentions and removes what it thinks harmful.
fn html(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.render.r#unsafe = true;
    comrak::markdown_to_html(markdown, &options)
}

/// What stands outside of code, where mentions, and what looks like a link, would become links.
fn outside_code(html: &str) -> String {
    let parts = html.split("<code>").map(|part| part.rsplit("</code>").next().expect("a last"));
    parts.collect()
}

const HOSTILE: &[&str] = &[
    "a|b",
    "a\\|b | c",
    "`a` ` |@octocat",
    "@octocat",
    "<img src=x onerror=y>",
    "<!-- </td>",
    "[a](https://evil.example)",
    "![a](https://evil.example/x.png)",
    "https://evil.example www.evil.example a@evil.example",
    "**a** _b_ ~~c~~ # d",
    "acme/web#1 &lt;b&gt;",
    "</details></table>",
    "a\n\n# b\n| c |",
    "\u{202e}a\u{1b}[31m",
];

#[test]
fn nothing_in_a_manifest_is_markup_in_a_comment() {
    let object = |text: &&str| {
        let text = serde_json::to_string(text).expect("JSON");
        format!(
            "{{\"kind\": {text}, \"metadata\": {{\"name\": {text}, \"namespace\": {text}}}, \"spec\": {{\"containers\": [{{\"name\": {text}, \"image\": {text}}}, {{\"name\": {text}, \"image\": \"web:1\"}}]}}}}\n---\n"
        )
    };
    for hostile in HOSTILE {
        let flags = ["--require-digest"];
        let ran = check(nowhere().path(), "markdown", &flags, &object(hostile));
        assert!(matches!(ran.status, 3 | 5), "{hostile:?}: {ran:?}");
        let html = html(&ran.stdout);
        let tags = html.split('<').skip(1).filter_map(|tag| tag.split(['>', ' ']).next());
        let known = ["p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code", "br"];
        for tag in tags.map(|tag| tag.trim_start_matches('/')) {
            assert!(known.contains(&tag), "{hostile:?}: <{tag}>\n{}\n{html}", ran.stdout);
        }
        let rows = |html: &str| html.matches("<tr>").count();
        let plain = check(nowhere().path(), "markdown", &flags, &object(&"Some thing")).stdout;
        assert_eq!(rows(&html), rows(&self::html(&plain)), "{hostile:?}\n{}\n{html}", ran.stdout);
        let cells = html.matches("<td>").count() + html.matches("<th>").count();
        let empty = html.matches("<td></td>").count();
        // The digests; GFM fills up what is missing, and drops what is too much.
        assert_eq!((cells, empty), (3 * 3 + 3 * 4, 2), "{hostile:?}\n{}\n{html}", ran.stdout);
        let outside = outside_code(&html);
        for link in ["@octocat", "@evil", "#1", "://", "www.evil", "<a"] {
            assert!(!outside.contains(link), "{hostile:?}: {link}\n{outside}");
        }
    }
}

#[test]
fn a_comment_says_what_was_substituted_before_all_else() {
    let images = [("docker.io/clastix/kubectl", &["v1.31"][..])];
    let registry = Registry::start(Content::of(&images));
    let every_host = for_every_host(&registry);
    let image = "clastix/kubectl:v1.32";
    let text = check(nowhere().path(), "markdown", &[&every_host], &pod(&[image])).succeeded();
    let digest = digest_of("docker.io/clastix/kubectl:v1.31");
    let image = "`docker.io/clastix/kubectl:v1.32`";
    let expected = format!(
        "**digestif passed**, 1 warning: 1 image at 1 place in 1 object\n\n**⚠ 1 image substituted**\n\n| substitution | place |\n|---|---|\n| {image} does not exist: `docker.io/clastix/kubectl:v1.31` is used instead<br>rule: kubernetes-version<br>"
    );
    assert!(text.starts_with(&expected), "{text}");
    let expected = format!(
        "\n| image | status | digest | places |\n|---|---|---|---|\n| {image} | **substituted** by `docker.io/clastix/kubectl:v1.31` | `{}…` | `-:9` |\n",
        &digest[..19]
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn no_report_tells_a_password() {
    let folder = nowhere();
    let secret = password("report");
    let manifests = format!(
        "{}---\nkind: Secret\nmetadata:\n  name: web\nspec:\n  containers:\n  - {{password: {secret}, image: web:1}}\n---\nkind: Pod\nspec:\n  containers:\n  - image: https://bob:{secret}@registry.example/web:1\n",
        pod(&["'${IMAGE}'"]),
    );
    for format in ["json", "markdown"] {
        let flags = ["--require-digest", "-o", "report"];
        let ran = check(folder.path(), format, &flags, &manifests);
        assert_eq!(ran.status, 3);
        let report = fs::read_to_string(folder.path().join("report")).expect("written");
        assert!(report.contains("web:1"), "{report}");
        assert_tells_nothing(format, &report);
    }
}

#[test]
fn the_environment_says_the_format_too() {
    let mut command = command(["check", "--require-digest"]);
    command.env("DIGESTIF_REPORT_FORMAT", "markdown");
    let ran = finish(start(&mut command), pod(&["web:1"]).as_bytes());
    assert!(ran.stdout.starts_with("**digestif failed**, 1 error"), "{}", ran.stdout);
    let ran = check(nowhere().path(), "yaml", &[], "");
    assert_eq!((ran.status, &*ran.stdout), (2, ""));
}
