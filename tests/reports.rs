//! Reports for machines: policies as JSON, code scanning as SARIF, comments as Markdown. A library
//! of another project reads each report.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use serde_sarif::sarif::{Location, Region, ResultColumnKind, ResultLevel, Run, Sarif};
use support::accounts::{assert_tells_nothing, password};
use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, digestif, finish, for_every_host, start};

/// A Pod with containers of these images, after text with characters of several bytes.
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

/// The policy failures in a report, which matches the schema.
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
fn a_report_has_only_policy_failures_under_policy() {
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
fn a_report_has_drift_and_unused_lock_entries() {
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
    let gone = "gone: the registry no longer has the locked digest".to_owned();
    let notes = [format!("locked: {}", notes[0]), format!("now: {}", notes[1]), gone];
    assert_eq!(drifted[1]["notes"], json!(notes));
    let ran = check(folder.path(), "json", &lock, &pod(&["new:1"]));
    assert_eq!(ran.status, 5);
    assert_eq!(rules(&policy(&ran.stdout)), [("unused", "warning"), ("locked", "error")]);
}

#[test]
fn a_report_has_errors_that_happen_after_it_was_written() {
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
    assert!(report.starts_with("**digestif failed**, 1 error"), "{report}");
    assert!(report.contains("| `no/such` |\n"), "{report}");
}

/// Markdown as GitHub renders it, before GitHub looks for mentions and removes harmful parts.
fn html(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.render.r#unsafe = true;
    comrak::markdown_to_html(markdown, &options)
}

/// The text outside of code. GitHub makes links of mentions and URLs there.
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
        // The digests. GFM adds missing cells, and drops extra cells.
        assert_eq!((cells, empty), (3 * 3 + 3 * 4, 2), "{hostile:?}\n{}\n{html}", ran.stdout);
        let outside = outside_code(&html);
        for link in ["@octocat", "@evil", "#1", "://", "www.evil", "<a"] {
            assert!(!outside.contains(link), "{hostile:?}: {link}\n{outside}");
        }
    }
}

#[test]
fn a_comment_starts_with_the_substitutes() {
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

/// The only run of a report for code scanning.
#[track_caller]
fn scanned(report: &str) -> Run {
    let sarif: Sarif = serde_json::from_str(report).expect("SARIF");
    assert_eq!(serde_json::to_value(&sarif.version).expect("text"), "2.1.0");
    let [run] = <[Run; 1]>::try_from(sarif.runs).expect("one run");
    let rules = run.tool.driver.rules.as_deref().unwrap_or_default();
    for result in run.results.iter().flatten() {
        let n = usize::try_from(result.rule_index.expect("an index")).expect("not negative");
        assert_eq!(result.rule_id.as_deref(), Some(rules[n].id.as_str()));
        // The properties that GitHub requires.
        let rule = &rules[n];
        assert!(rule.short_description.is_some() && rule.full_description.is_some());
        assert!(rule.help.as_ref().is_some_and(|help| !help.text.is_empty()));
        let region = located(result.locations.as_deref().expect("a place"));
        assert!(region.1.start_line.is_some_and(|line| line > 0));
    }
    run
}

/// The file and the region of the only location.
fn located(locations: &[Location]) -> (&str, &Region) {
    let [location] = locations else { panic!("{locations:?}") };
    let place = location.physical_location.as_ref().expect("a file");
    let file = place.artifact_location.as_ref().expect("a file").uri.as_deref();
    assert!(place.context_region.is_none());
    let region = place.region.as_ref().expect("a region");
    assert!(region.snippet.is_none(), "the text may hold secrets");
    (file.expect("a name"), region)
}

/// The rule of each result, and true if the run fails for it.
fn results(run: &Run) -> Vec<(String, bool)> {
    let results = run.results.as_deref().expect("a list").iter();
    let is_error = |level: &ResultLevel| matches!(level, ResultLevel::Error);
    results
        .map(|result| {
            let level = serde_json::to_value(result.level.as_ref().expect("a level"));
            let level: ResultLevel =
                serde_json::from_value(level.expect("text")).expect("a level of SARIF");
            (result.rule_id.clone().expect("a rule"), is_error(&level))
        })
        .collect()
}

/// The text of a region of one line, in characters from 1.
fn text_of<'t>(text: &'t str, region: &Region) -> &'t str {
    let number = |n: Option<i64>| usize::try_from(n.expect("a number")).expect("not negative");
    assert_eq!(region.start_line, region.end_line);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.lines().nth(number(region.start_line) - 1).expect("a line");
    let at = |column: usize| line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column);
    let [start, end] = [region.start_column, region.end_column].map(|n| at(number(n) - 1));
    &line[start.expect("in the line")..end.expect("in the line")]
}

#[test]
fn every_region_is_the_reference_in_its_file() {
    let folder = nowhere();
    let files = [
        ("a b.yaml", pod(&["web:1", "'web:2'"])),
        ("crlf.yaml", pod(&["\"web:3\"", "größe:4"]).replace('\n', "\r\n")),
        (
            "mark.yaml",
            "\u{feff}{\"x\": \"😀é\", \"kind\": \"Pod\", \"spec\": {\"containers\": [{\"image\": \"web:5\"}]}}".to_owned(),
        ),
    ];
    fs::create_dir(folder.path().join("größe")).expect("writable");
    for (name, text) in &files {
        fs::write(folder.path().join("größe").join(name), text).expect("writable");
    }
    let ran = check(folder.path(), "sarif", &["--require-digest", "-f", "größe"], "");
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    let run = scanned(&ran.stdout);
    let kind = run.column_kind.as_ref().expect("it says how it counts");
    let counts = serde_json::to_value(ResultColumnKind::UnicodeCodePoints).expect("text");
    assert_eq!(serde_json::to_value(kind).expect("text"), counts);
    let mut seen = Vec::new();
    for result in run.results.iter().flatten().filter(|r| r.rule_id.as_deref() != Some("two-tags"))
    {
        let (uri, region) = located(result.locations.as_deref().expect("a place"));
        let name = uri.strip_prefix("gr%C3%B6%C3%9Fe/").expect("in the folder");
        let name = name.replace("%20", " ");
        let (_, text) = files.iter().find(|(file, _)| *file == name).expect("one of the files");
        seen.push(text_of(text, region).to_owned());
    }
    assert_eq!(seen, ["web:1", "web:2", "web:3", "größe:4", "web:5"]);
}

#[test]
fn a_fingerprint_survives_moved_lines_and_differs_elsewhere() {
    let folder = nowhere();
    let fingerprints = |manifests: &str| -> Vec<String> {
        let ran = check(folder.path(), "sarif", &["--require-digest"], manifests);
        let run = scanned(&ran.stdout);
        let prints = run.results.into_iter().flatten().map(|result| {
            let prints = result.partial_fingerprints.expect("there are some");
            prints.values().cloned().collect::<Vec<_>>().join(",")
        });
        prints.collect()
    };
    let once = fingerprints(&pod(&["web:1", "other:1"]));
    assert_eq!(once.len(), 2);
    assert_eq!(fingerprints(&format!("# a\n# b\n{}", pod(&["web:1", "other:1"]))), once);
    let twice = fingerprints(&pod(&["web:1", "other:1"]).repeat(2));
    let mut all = [once.clone(), fingerprints(&pod(&["web:3", "other:3"])), twice].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), once.len() * 3, "{all:?}");
}

#[test]
fn an_object_and_a_field_are_named_in_full() {
    let ran = check(nowhere().path(), "sarif", &["--require-digest"], &pod(&["web:1"]));
    let run = scanned(&ran.stdout);
    let result = &run.results.as_deref().expect("a list")[0];
    let location = &result.locations.as_deref().expect("a place")[0];
    let names = location.logical_locations.iter().flatten();
    let names: Vec<_> = names.map(|name| name.fully_qualified_name.as_deref()).collect();
    let object = "v1/Pod/shop/web";
    assert_eq!(names, [Some(&*format!("{object}/spec.containers[0].image")), Some(object)]);
    let text = "`docker.io/library/web:1` has no digest\nhelp: pin it: send the manifests through `digestif` without `--require-digest`";
    assert_eq!(result.message.text.as_deref(), Some(text));
}

#[test]
fn nothing_in_a_manifest_is_a_link_in_a_result() {
    let manifests = pod(&["'[a](https://evil.example)'"]);
    let ran = check(nowhere().path(), "sarif", &[], &manifests);
    let run = scanned(&ran.stdout);
    let text = run.results.as_deref().expect("a list")[0].message.text.as_deref();
    let expected = "`[a\\](https://evil.example)` is not a valid image reference";
    assert!(text.is_some_and(|text| text.starts_with(expected)), "{text:?}");
}

#[test]
fn a_report_is_written_with_every_exit_status() {
    let folder = nowhere();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("writable");
    };
    write("wrong.yaml", "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallback: []\n");
    write("latin.yaml", "kind: Pod\n");
    fs::write(folder.path().join("latin.yaml"), b"kind: \xe9\n").expect("writable");
    let registry = Registry::start(Content::of(&[("docker.io/library/web", &["1"])]));
    let every_host = for_every_host(&registry);
    let web = pod(&["web:1"]);
    let list = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {apiVersion: digestif.dev/v1alpha1, kind: PinImages, x: 1}\nitems: []\n";
    for (flags, stdin, status, expected) in [
        (&[&*every_host][..], &*web, 0, None),
        (&[&every_host], &pod(&["web:2"]), 1, Some(("absent", "-", 9))),
        (&["-f", "nowhere.yaml"], "", 2, Some(("file", "nowhere.yaml", 1))),
        (&["-c", "wrong.yaml"], &web, 2, Some(("config", "wrong.yaml", 3))),
        (&["-c", "nowhere.yaml"], &web, 2, Some(("file", "nowhere.yaml", 1))),
        (&["--strict", "--verify"], &web, 2, Some(("usage", "-", 1))),
        (&["-f", "latin.yaml"], "", 3, Some(("yaml", "latin.yaml", 1))),
        (&[], "", 3, Some(("empty", "-", 1))),
        (&[], "a: [", 3, Some(("yaml", "-", 1))),
        (&[], list, 2, Some(("config", "-", 3))),
        (
            &["--retries=0", "--registry=*=http://127.0.0.1:1"],
            &web,
            4,
            Some(("unavailable", "-", 9)),
        ),
        (&["--offline"], &web, 5, Some(("offline", "-", 9))),
    ] {
        let ran = check(folder.path(), "sarif", flags, stdin);
        assert_eq!(ran.status, status, "{flags:?}: {}", ran.stderr);
        let run = scanned(&ran.stdout);
        let found = results(&run);
        let is_expected = expected.map(|(rule, ..)| vec![(rule.to_owned(), true)]);
        assert_eq!(found, is_expected.unwrap_or_default(), "{flags:?}");
        if let Some((_, file, line)) = expected {
            let result = &run.results.as_deref().expect("a list")[0];
            let (uri, region) = located(result.locations.as_deref().expect("a place"));
            assert_eq!((uri, region.start_line), (file, Some(line)), "{flags:?}");
        }
        let markdown = check(folder.path(), "markdown", flags, stdin);
        let verdict = if status == 0 { "passed" } else { "failed" };
        let begins = format!("**digestif {verdict}**");
        assert!(markdown.stdout.starts_with(&begins), "{flags:?}: {}", markdown.stdout);
        assert_eq!(markdown.status, status);
    }
}

#[test]
fn no_report_shows_a_password() {
    let folder = nowhere();
    let secret = password("report");
    let manifests = format!(
        "{}---\nkind: Secret\nmetadata:\n  name: web\nspec:\n  containers:\n  - {{password: {secret}, image: web:1}}\n---\nkind: Pod\nspec:\n  containers:\n  - image: https://bob:{secret}@registry.example/web:1\n",
        pod(&["'${IMAGE}'"]),
    );
    for format in ["text", "json", "markdown", "sarif", "github", "junit"] {
        let flags = ["--require-digest", "-o", "report"];
        let ran = check(folder.path(), format, &flags, &manifests);
        assert_eq!(ran.status, 3);
        let report = fs::read_to_string(folder.path().join("report")).expect("written");
        assert!(report.contains("web:1"), "{report}");
        assert_tells_nothing(format, &report);
    }
}

#[test]
fn a_variable_also_sets_the_format() {
    let mut command = command(["check", "--require-digest"]);
    command.env("DIGESTIF_REPORT_FORMAT", "markdown");
    let ran = finish(start(&mut command), pod(&["web:1"]).as_bytes());
    assert!(ran.stdout.starts_with("**digestif failed**, 1 error"), "{}", ran.stdout);
    let ran = check(nowhere().path(), "yaml", &[], "");
    assert_eq!((ran.status, &*ran.stdout), (2, ""));
}
