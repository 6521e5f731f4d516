//! Candidates, which only look like images: where they are found, and how they are pinned. Also
//! texts that are not even candidates.

use super::support::digest_of;
use super::{EVERY_CLASS, assert_pinned, entries, listed, places, run, statuses};

/// A Deployment with these lines in its container.
fn container(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n{lines}"
    )
}

fn config(data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: größer\ndata:\n{data}")
}

/// Asserts that these images are candidates of a class, and that they are pinned with this class
/// only, not by default and not with every other class. Line endings of Windows change nothing.
#[track_caller]
fn assert_class(class: &str, text: &str, images: &[&str]) {
    let classes = ["values", "env", "args", "config", "annotations", "other"];
    let others: Vec<_> = classes.into_iter().filter(|other| *other != class).collect();
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        let found = places(&text);
        assert!(found.len() >= images.len(), "{found:#?}");
        assert!(found.iter().all(|place| place.class.word() == class && place.is_candidate()));
        assert_eq!(run(&[], &text).succeeded(), text);
        let others = format!("--include={}", others.join(","));
        assert_eq!(run(&[&others], &text).succeeded(), text);
        assert_pinned(&[&format!("--include={class}")], &text, images);
    }
}

#[test]
fn variables_are_pinned_with_their_class() {
    let text = container(
        "env:
- {name: SIDECAR, value: quay.io/acme/env:1}  # as it was
- name: WEB_IMAGE
  value: 'acme/web:2'
- {name: PLACE, value: a/b:1}
- {name: BOTH, value: \"quay.io/acme/one:1,quay.io/acme/two:2\"}
- {name: OLD, value: \"quay.io/acme/old@sha256:0000000000000000000000000000000000000000000000000000000000000000\"}",
    );
    let images = ["quay.io/acme/env:1", "acme/web:2", "quay.io/acme/one:1", "quay.io/acme/two:2"];
    assert_class("env", &text, &images);
}

#[test]
fn arguments_are_pinned_with_their_class() {
    let text = container(
        "command: [sh, -c, 'exec run quay.io/acme/d:1 && true']
args:
- --sidecar=quay.io/acme/a:1
- --image
- nginx:1
- \"--images=quay.io/acme/b:1;quay.io/acme/c:2\"
- --proxy-image=acme/proxy
- nothing:1",
    );
    let images =
        ["quay.io/acme/d:1", "quay.io/acme/a:1", "nginx:1", "quay.io/acme/b:1", "quay.io/acme/c:2"];
    // `acme/proxy` may get its tag from elsewhere.
    assert_class("args", &text, &images);
}

#[test]
fn annotations_are_pinned_with_their_class() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    acme.example/image: acme/web:1\n    other: '[{\"image\": \"nginx:2\"}]'\nspec: {}\n";
    assert_class("annotations", text, &["acme/web:1", "nginx:2"]);
}

#[test]
fn fields_of_unknown_resources_are_pinned_with_their_class() {
    let text = "apiVersion: acme.example/v1\nkind: Widget\nspec:\n  engine: {image: acme/engine:1}\n  mirror: quay.io/acme/mirror:2\n  values:\n    sidecarImage: acme/side\n";
    assert_class("other", text, &["acme/engine:1", "quay.io/acme/mirror:2"]);
}

#[test]
fn a_candidate_without_a_tag_is_listed_and_never_pinned() {
    let text = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values: {sidecarImage: quay.io/acme/web}\n";
    assert_eq!(run(&[EVERY_CLASS], text).succeeded(), text);
    assert_eq!(statuses(text), [("candidate", "quay.io/acme/web".to_owned())]);
}

#[test]
fn groups_that_end_like_groups_of_kubernetes_have_candidates() {
    let text = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nspec:\n  sparkConf: {spark.container.image: 'quay.io/acme/web:2'}\n";
    assert_class("other", text, &["quay.io/acme/web:2"]);
    let policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {annotations: {a: 'quay.io/acme/a:1'}}\nspec: {rules: [{x: 'quay.io/acme/x:1'}]}\n";
    assert_class("annotations", policy, &["quay.io/acme/a:1"]);
}

#[test]
fn strings_are_pinned_in_every_notation() {
    let (web, db) = ("quay.io/acme/web:1", "quay.io/acme/db:2");
    for data in [
        format!(
            "  a: |\n    # größer — 漢字\n    web: {web}  # and {web}\n\n      db: {db}\n  b: 'x'\n"
        ),
        format!("  a: |2-\n      web: {web}\n    db: {db}\n"),
        format!("  a: >-\n    first {web}\n    second\n    {db}\n\n    third\n"),
        format!("  a: one {web}\n    two\n\n    {db}\n"),
        format!("  a: 'it''s {web}, isn''t\n    it: ''{db}'''\n"),
        format!("  a: \"ü \\u00fc\\t{web} \\\n    and \\x41 {db}\\n\"\n"),
        format!("  a: \"{{\\\"image\\\": \\\"{web}\\\",\\n \\\"größer\\\": [\\\"{db}\\\"]}}\"\n"),
        format!("  a: {{x: 1}}\n  b: !!str '{web},{db}'\n"),
        format!("  a: &a '{web}'\n  b: \"{db}\"\n  c: 1\n"),
        format!("  a: |\n\t\n    {web}\n\t\n    {db}\n").replace("\t\n", "\n"),
        format!("  a: |+\n    {web} {db}\n\n\n"),
    ] {
        assert_class("config", &config(&data), &[web, db]);
    }
}

#[test]
fn json_in_json_is_pinned() {
    let inner = serde_json::json!({"größer": "\u{1f980}", "image": "nginx:1.27", "tab": "\t"});
    let outer = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"a.json": inner.to_string(), "list": "quay.io/acme/web:1\nquay.io/acme/db:2\n"},
    });
    let images = ["nginx:1.27", "quay.io/acme/web:1", "quay.io/acme/db:2"];
    assert_class("config", &outer.to_string(), &images);
    // In ASCII, a character outside the basic plane is two escapes.
    let text = outer.to_string().replace('\u{1f980}', "\\ud83e\\udd80").replace('ö', "\\u00f6");
    assert_class("config", &text, &images);
}

#[test]
fn an_escape_inside_an_image_is_refused() {
    let text = config("  a: \"x quay.io\\/acme\\/web:1\"\n");
    let said = run(&["--include=config"], &text).failed(3);
    assert!(said.contains("can't be changed safely"), "{said}");
    let whole = config("  a: \"quay.io\\/acme\\/web:1\"\n");
    let pin = format!(":1@{}", digest_of("quay.io/acme/web:1"));
    assert_eq!(run(&["--include=config"], &whole).succeeded(), whole.replace(":1", &pin));
}

#[test]
fn names_templates_and_defaults_are_listed_and_never_pinned() {
    let text = config("  a: |\n    image: proxyv2\n    image: \"{{ .Values.hub }}/web\"\n")
        + "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  versions:\n  - schema:\n      openAPIV3Schema:\n        description: default is quay.io/acme/no:1\n        properties:\n          image: {type: string, default: 'quay.io/acme/web:1', example: 'quay.io/acme/no:1'}\n          spec: {default: {image: 'acme/db:2'}}\n";
    let expected = [
        ("candidate", "proxyv2"),
        ("candidate", "{{ .Values.hub }}/web"),
        ("candidate", "quay.io/acme/web:1"),
        ("candidate", "docker.io/acme/db:2"),
    ];
    assert_eq!(statuses(&text), expected.map(|(word, name)| (word, name.to_owned())));
    assert_eq!(run(&[EVERY_CLASS], &text).succeeded(), text);
    let said = run(&[EVERY_CLASS, "--deny-placeholders"], &text).failed(5);
    assert!(said.contains("`{{ .Values.hub }}/web` is a placeholder"), "{said}");
    run(&["--deny-placeholders"], &text).succeeded();
}

#[test]
fn a_listing_names_the_class_that_would_pin_a_candidate() {
    let text = container("image: nginx:1\nenv: [{name: A, value: quay.io/acme/web:1}]");
    let listing = listed(&[], &text);
    assert_eq!(listing["images"].as_array().map(Vec::len), Some(1));
    assert_eq!(listing["candidates"][0]["places"][0]["class"], "env");
    let line = text.lines().position(|line| line.contains("quay.io")).expect("it is there") + 1;
    assert_eq!(listing["candidates"][0]["places"][0]["line"], line);
    assert_eq!(listing["candidates"][0]["places"][0]["column"], 32);
    let table = run(&["images"], &text).succeeded();
    assert!(table.contains("quay.io/acme/web:1  env    candidate  <stdin>:11  Deployment web, container `web`, spec.template.spec.containers[0].env[0].value"), "{table}");
    let listing = listed(&["--include=env"], &text);
    assert!(entries(&listing).iter().all(|(_, status, _)| status == "tagged"), "{listing}");
}

/// Texts that are not images in any field.
const NONE: [&str; 48] = [
    // URLs
    "https://quay.io/acme/web:1",
    "http://quay.io:8080/acme/web:1",
    "oci://ghcr.io/acme/chart:1",
    "tcp://10.0.0.1:2376/a:1",
    "s3://bucket.example/key:1",
    "git@github.com:acme/web.git",
    "git::https://acme.example/a.git//b?ref=v1:2",
    "user:password@host.example/a:1",
    "user@acme.example:a/b:1",
    "mailto:jane@acme.example/x:1",
    "spiffe://cluster.local/ns/a:b",
    // import paths of Go
    "github.com/acme/web:v1",
    "github.com/acme/web/pkg/a:Type",
    "k8s.io/api/core/v1:Pod",
    "sigs.k8s.io/controller-runtime:v0.1",
    "golang.org/x/net:v1",
    "gopkg.in/yaml.v3:1",
    // names and addresses with ports
    "web.acme.svc.cluster.local:8080",
    "prometheus.monitoring.svc:9090/api/v1",
    "10.0.0.1:5000",
    "10.0.0.0/8",
    "1.2.3.4/5:6",
    "[::1]:80/x:1",
    "localhost:8080",
    // file paths
    "/etc/acme.d/web:ro",
    "./acme.io/web:1",
    "../acme.io/web:1",
    "/var/run/acme.sock:/var/run/acme.sock",
    "~/acme.io/web:1",
    "C:\\acme.io\\web:1",
    // label keys and taints
    "app.kubernetes.io/name:web",
    "node-role.kubernetes.io/control-plane:NoSchedule",
    "acme.example/dedicated:NoExecute",
    "acme.example/dedicated=web:PreferNoSchedule",
    "node.kubernetes.io/instance-type",
    // parts of something else
    "quay.io/acme/*:1",
    "quay.io/acme/web:1*",
    "quay.io/acme/web:{{ .Tag }}",
    "quay.io/acme/web:$TAG",
    "${REGISTRY}quay.io/acme/web:1",
    "quay.io/acme/web",
    "<quay.io/acme/web:1>",
    "nginx:1.27",
    "system:serviceaccount:acme:web",
    "arn:aws:iam::1234:role/web.example/a:b",
    "2026-01-01T10:00:00/a:1",
    "acme.example/a:1:2",
    "quay.io/Acme/web:1",
];

#[test]
fn texts_that_only_look_like_images_are_ignored() {
    for none in NONE {
        let quoted = format!("'{none}'");
        for text in [
            container(&format!("env: [{{name: PLACE, value: {quoted}}}]")),
            container(&format!("args: [{quoted}, '--place={none}', --place, {quoted}]")),
            config(&format!(
                "  place: {quoted}\n  file: |\n    place: {none}\n    - {none}\n    {{\"place\": \"{none}\"}}\n"
            )),
            format!(
                "kind: Pod\nmetadata: {{annotations: {{place: {quoted}}}, labels: {{place: {quoted}}}}}\n"
            ),
            format!(
                "apiVersion: acme.example/v1\nkind: Widget\nspec: {{place: {quoted}, places: [{quoted}]}}\n"
            ),
        ] {
            let found: Vec<_> = places(&text).iter().map(|place| place.text().to_owned()).collect();
            assert_eq!(found, [""; 0], "{text}");
        }
    }
}

#[test]
fn some_fields_are_never_searched() {
    let image = "quay.io/acme/web:1";
    for text in [
        format!(
            "apiVersion: acme.example/v1\nkind: Widget\nstatus: {{image: '{image}', containers: [{{image: '{image}'}}]}}\n"
        ),
        format!(
            "apiVersion: acme.example/v1\nkind: Widget\nspec: {{volumes: [{{rbd: {{image: '{image}'}}}}]}}\n"
        ),
        "apiVersion: acme.example/v1\nkind: Widget\nspec: {imagePullPolicy: Always, imagePullSecrets: [{name: 'a/b:1'}]}\n".to_owned(),
        format!(
            "apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\nstringData: {{release: 'image: {image}'}}\nmetadata: {{annotations: {{a: '{image}'}}}}\n"
        ),
        "apiVersion: v1\nkind: Secret\ndata: {image: 'acme/web0', a: 'image: nginx:1'}\n"
            .to_owned(),
        format!(
            "apiVersion: kpt.dev/v1\nkind: Kptfile\npipeline: {{mutators: [{{image: '{image}'}}]}}\n"
        ),
        format!(
            "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: {{rules: [{{validate: {{pattern: {{spec: {{containers: [{{image: '*:*'}}]}}}}}}, verifyImages: [{{image: '{image}'}}]}}]}}\n"
        ),
        format!("apiVersion: v1\nkind: ConfigMap\nbinaryData: {{a: '{image}'}}\nimmutable: true\n"),
        format!("apiVersion: apps/v1\nkind: Deployment\nspec: {{other: '{image}'}}\n"),
        format!(
            "kind: Pod\nmetadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {{\"spec\":{{\"containers\":[{{\"image\":\"{image}\"}}]}}}}\n"
        ),
    ] {
        let found: Vec<_> = places(&text).iter().map(|place| place.text().to_owned()).collect();
        assert_eq!(found, [""; 0], "{text}");
        assert_eq!(run(&[EVERY_CLASS], &text).succeeded(), text);
    }
}
