//! Fields and classes of a configuration: in a file, for a function, and as strings of a
//! `ConfigMap`.

use std::fs;

use super::support::registry::{Content, Registry};
use super::support::{Ran, command, digestif, finish, for_every_host, start};
use super::with_digests;

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";

/// An object with images in unknown fields, and in every class.
const WIDGET: &str = "apiVersion: acme.example/v2
kind: Widget
metadata:
  name: web
  annotations:
    acme.example/image: web
    note: quay.io/acme/note:1
spec:
  engines:
  - {name: a, image: engine-a}
  - {name: b, image: engine-b}
  images: {left: left, right: 'right:2'}
  template:
    spec:
      containers:
      - name: web
        image: quay.io/acme/web:1
        env: [{name: A, value: quay.io/acme/env:1}]
        args: [--a=quay.io/acme/args:1]
";

/// Runs the binary with an optional configuration, and a registry that has every image.
fn run_with(config: Option<&str>, env: &[(&str, &str)], flags: &[&str], text: &str) -> Ran {
    let registry = Registry::start(Content::everything());
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Some(config) = config {
        fs::write(folder.path().join("digestif.yaml"), format!("{HEAD}{config}"))
            .expect("writable");
    }
    let every_host = for_every_host(&registry);
    let mut command = command(flags.iter().copied().chain([every_host.as_str()]));
    command.current_dir(folder.path()).envs(env.iter().copied());
    finish(start(&mut command), text.as_bytes())
}

const WEB: &str = "quay.io/acme/web:1";

#[test]
fn fields_of_the_configuration_are_pinned() {
    for (fields, images) in [
        ("{path: spec/engines/image}", &["engine-a", "engine-b"][..]),
        ("{kind: Widget, path: '/spec/engines[]/image'}", &["engine-a", "engine-b"]),
        (
            "{group: acme.example, version: v2, kind: Widget, path: 'spec/images/*'}",
            &["left", "right:2"],
        ),
        (r"{path: metadata/annotations/acme.example\/image}", &[": web\n"]),
        ("{path: '*/engines/image'}", &["engine-a", "engine-b"]),
        // Another group, version or kind, or a missing field.
        ("{group: acme, path: spec/engines/image}", &[]),
        ("{version: v1, path: spec/engines/image}", &[]),
        ("{kind: Gadget, path: spec/engines/image}", &[]),
        ("{path: spec/engines/image/name}", &[]),
        ("{path: spec/engines}", &[]),
        ("{path: spec}", &[]),
    ] {
        let config = format!("fields:\n- {fields}\n");
        let mut expected = with_digests(WIDGET, &[WEB]);
        for image in images {
            let name = image.trim_matches([':', ' ', '\n']);
            let (before, after) = match *image {
                "left" => ("left: left", format!("left: {}", pinned("left"))),
                ": web\n" => (": web\n    note", format!(": {}\n    note", pinned("web"))),
                _ => (*image, pinned(name)),
            };
            expected = expected.replacen(before, &after, 1);
        }
        let once = run_with(Some(&config), &[], &[], WIDGET).succeeded();
        assert_eq!(once, expected, "{fields}");
        assert_eq!(run_with(Some(&config), &[], &[], &once).succeeded(), once, "{fields}");
    }
}

fn pinned(image: &str) -> String {
    with_digests(image, &[image])
}

#[test]
fn classes_add_up_and_a_flag_replaces_its_variable() {
    let [note, env, args] = ["note", "env", "args"].map(|name| format!("quay.io/acme/{name}:1"));
    let [note, env, args] = [note.as_str(), env.as_str(), args.as_str()];
    for (config, variable, flags, images) in [
        ("include: [env]\n", "", &[][..], &[env][..]),
        ("include: [env]\n", "args", &[], &[env, args]),
        ("include: [env]\n", "args", &["--include=annotations"], &[env, note]),
        ("", "args,annotations", &[], &[args, note]),
        ("", "args\nannotations\n", &[], &[args, note]),
        ("", "args,env\n\nannotations", &[], &[args, env, note]),
        ("", "", &["--include=args", "--include", "env,annotations"], &[args, env, note]),
    ] {
        let images = [&[WEB], images].concat();
        let env = [("DIGESTIF_INCLUDE", variable)];
        let ran = run_with(Some(config), &env, flags, WIDGET).succeeded();
        assert_eq!(ran, with_digests(WIDGET, &images), "{config} {variable} {flags:?}");
    }
}

#[test]
fn an_unknown_class_is_refused() {
    let said = run_with(None, &[("DIGESTIF_INCLUDE", "env\npod")], &[], WIDGET).failed(2);
    assert!(said.contains("invalid value 'pod'") && said.contains("the classes are"), "{said}");
    run_with(None, &[], &["--include=schema"], WIDGET).failed(2);
    let said = run_with(Some("include: [env, pod]\n"), &[], &[], WIDGET).failed(2);
    assert!(said.contains("unknown value `pod`") && said.contains("digestif.yaml:3:16"), "{said}");
}

#[test]
fn the_error_for_a_wrong_field_has_its_position() {
    for (field, message, at) in [
        ("{kind: Widget, path: spec//image}", "a key of the path is empty", "4:3"),
        ("{kind: Widget, path: ''}", "a key of the path is empty", "4:3"),
        ("{kind: Widget, path: 'spec/[]'}", "a key of the path is empty", "4:3"),
        ("{kind: Widget}", "the key `path` is missing", "4:4"),
        ("{kind: Widget, path: spec/image, pin: maybe}", "expected true or false", "4:41"),
        ("{kind: Widget, path: spec/image, create: true}", "unknown key `create`", "4:36"),
    ] {
        let said = run_with(Some(&format!("fields:\n- {field}\n")), &[], &[], WIDGET).failed(2);
        assert!(said.contains(message), "{field}: {said}");
        assert!(said.contains(&format!("digestif.yaml:{at}\n")), "{field}: {said}");
    }
}

#[test]
fn a_part_of_a_class_is_pinned() {
    let config = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  image: 'quay.io/a/{name}:1'\n  other: 'quay.io/a/other:1'\n---\n"
        )
    };
    let secret = "apiVersion: v1\nkind: Secret\nstringData: {image: 'quay.io/a/secret:1'}\n";
    let text = config("web") + secret;
    let [web, other, hidden] = ["web", "other", "secret"].map(|name| format!("quay.io/a/{name}:1"));
    for (config, flag, images) in [
        ("", "--include=config", &[&web, &other, &hidden][..]),
        ("", "--include=config:ConfigMap", &[&web, &other]),
        ("", "--include=config:ConfigMap:data.image", &[&web]),
        ("", "--include=config::stringData/image,config:ConfigMap:data.image", &[&web, &hidden]),
        ("include: [{class: config, kind: ConfigMap, path: data.image}]\n", "-q", &[&web]),
        ("include: [{class: config, kind: Secret}]\n", "-q", &[&hidden]),
        ("include: [{class: env}]\n", "-q", &[]),
    ] {
        let images: Vec<_> = images.iter().map(|image| image.as_str()).collect();
        let ran = run_with(Some(config).filter(|text| !text.is_empty()), &[], &[flag], &text);
        assert_eq!(ran.succeeded(), with_digests(&text, &images), "{config} {flag}");
    }
    let said =
        run_with(Some("include: [{class: config, path: 'a['}]\n"), &[], &[], &text).failed(2);
    assert!(said.contains("a bracket of the path has no end"), "{said}");
}

#[test]
fn a_field_of_a_repository_and_a_tag_is_joined() {
    let digest = |image: &str| super::support::digest_of(image);
    for (path, values, pinned) in [
        (
            "spec/values/image/tag",
            "{repository: nginx, tag: alpine}",
            Some("{repository: nginx, tag: alpine@<>}"),
        ),
        (
            "spec.values.image.tag",
            "{repository: nginx, tag: alpine}",
            Some("{repository: nginx, tag: alpine@<>}"),
        ),
        (
            "spec.values.image",
            "{repository: nginx, tag: alpine}",
            Some("{repository: nginx, tag: alpine@<>}"),
        ),
        (
            "spec.values.image.repository",
            "{repository: nginx, tag: alpine}",
            Some("{repository: nginx, tag: alpine@<>}"),
        ),
        (
            "spec.values.image.digest",
            "{repository: nginx, tag: alpine, digest: ''}",
            Some("{repository: nginx, tag: alpine, digest: '<>'}"),
        ),
        ("spec.values.image", "'nginx:alpine'", Some("'nginx:alpine@<>'")),
        ("spec.values.image", "{repository: nginx}", None),
    ] {
        let text = format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: a}}\nspec:\n  values:\n    image: {values}\n"
        );
        let expected = pinned.map_or_else(
            || text.clone(),
            |pinned| text.replace(values, &pinned.replace("<>", &digest("nginx:alpine"))),
        );
        let config = format!("fields: [{{kind: HelmRelease, path: {path}}}]\n");
        assert_eq!(run_with(Some(&config), &[], &[], &text).succeeded(), expected, "{path}");
    }
}

#[test]
fn a_field_that_matches_nothing_in_its_kind_causes_a_warning() {
    let said = |config: &str| run_with(Some(config), &[], &[], WIDGET).stderr;
    let warning = "`spec.engine` in `fields` matches nothing in any `Widget`";
    assert!(said("fields: [{kind: Widget, path: spec/engine}]\n").contains(warning));
    assert!(!said("fields: [{kind: Widget, path: spec/engines}]\n").contains("matches nothing"));
    assert!(!said("fields: [{kind: Gadget, path: spec/engine}]\n").contains("matches nothing"));
    assert!(!said("fields: [{path: spec/engine}]\n").contains("matches nothing"));
}

#[test]
fn the_error_for_a_glob_that_cannot_match_has_its_position() {
    for glob in [
        "nginx:1.27",
        "quay.io/Acme/*",
        "quay.io/a b/*",
        "https://quay.io/x",
        "quay.io/x@y",
        "quay.io/x:1",
    ] {
        let config = format!("skip: ['{glob}']\n");
        let said = run_with(Some(&config), &[], &[], WIDGET).failed(2);
        assert!(said.contains("can't match an image"), "{said}");
        assert!(said.contains("digestif.yaml:3:8"), "{said}");
    }
}

#[test]
fn a_function_can_be_configured_with_fields_and_classes() {
    let items: String = WIDGET
        .lines()
        .enumerate()
        .map(|(n, line)| format!("{} {line}\n", if n == 0 { "-" } else { " " }))
        .collect();
    let list = |function: &str| {
        format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{function}items:\n{items}"
        )
    };
    let fields = "- {kind: Widget, path: spec/engines/image}\n- {path: spec/template/spec/containers/image, pin: false}";
    for function in [
        format!("functionConfig:\n  apiVersion: digestif.dev/v1alpha1\n  kind: PinImages\n  include: [env]\n  fields:\n  {}\n", fields.replace('\n', "\n  ")),
        format!("functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data:\n    include: env\n    fields: |\n      {}\n", fields.replace('\n', "\n      ")),
        format!("functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data:\n    include: |\n      env\n    fields: |\n      {}\n", fields.replace('\n', "\n      ")),
        "functionConfig: {apiVersion: v1, kind: ConfigMap, data: {include: '[env]', fields: '[{path: spec/engines/image}, {path: spec/template/spec/containers/image, pin: false}]'}}\n".to_owned(),
    ] {
        let text = list(&function);
        let given = run_with(None, &[], &[], &text).succeeded();
        let expected = with_digests(&text, &["engine-a", "engine-b", "quay.io/acme/env:1"]);
        assert!(given.starts_with(&expected), "{given}");
    }
    let wrong = list(
        "functionConfig: {apiVersion: v1, kind: ConfigMap, data: {fields: '[{path: a//b}]'}}\n",
    );
    let ran = run_with(None, &[], &[], &wrong);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("a key of the path is empty"), "{}", ran.stderr);
    assert!(ran.stderr.contains("<stdin>:3:"), "{}", ran.stderr);
}

#[test]
fn the_schema_of_a_configuration_has_fields_and_classes() {
    let schema = digestif(["schema", "config"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    for (config, is_valid) in [
        ("fields: [{path: a}]", true),
        ("fields: [{group: a, version: b, kind: c, path: d/e, pin: false}]", true),
        ("include: [env, args, config, annotations, other]", true),
        ("fields: [{kind: a}]", false),
        ("fields: [{path: a, create: true}]", false),
        ("include: [schema]", false),
        ("include: [env, {class: config, kind: ConfigMap, path: data.image}]", true),
        ("include: [{kind: ConfigMap}]", false),
        ("include: env", false),
    ] {
        let value = serde_yaml::from_str(&format!("{HEAD}{config}\n")).expect("YAML");
        assert_eq!(schema.is_valid(&value), is_valid, "{config}");
        let status = if is_valid { 0 } else { 2 };
        let ran = run_with(Some(config), &[], &["images"], "kind: Pod\n");
        assert_eq!(ran.status, status, "{config}: {}", ran.stderr);
    }
}
