//! kpt with digestif as a program: `fn eval` and `fn render`, in place.

use serde_json::{Value, json};

use crate::support::Ran;
use crate::{Folder, client, differing, examples, offline, pinned, run_in};

/// A file in kpt's own style, so that every difference comes from digestif.
const PACKAGE: &str = "\
# Deployed by hand.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # the shop
spec:
  template:
    spec:
      containers:
      - name: nginx
        image: nginx:1.29.1 # not 1.29
        env:
        - {name: LIMIT, value: \"1e3\"}
      - name: hooks
        image: docker.io/clastix/kubectl:v1.32
---
apiVersion: v1
kind: Pod
metadata: {name: once}
spec:
  containers:
  - {name: once, image: \"busybox:1.37\"}
";

const KPTFILE: &str = "\
apiVersion: kpt.dev/v1
kind: Kptfile
metadata:
  name: shop
pipeline:
  mutators:
";

fn package(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(&[("web.yaml", PACKAGE)]);
    for (name, text) in files {
        folder.write(name, text);
    }
    folder
}

fn kpt(folder: &Folder, args: &[&str]) -> Option<Ran> {
    let mut kpt = client("kpt")?;
    kpt.envs(offline());
    Some(run_in(folder.path(), &mut kpt, args))
}

/// The results that kpt wrote.
fn written(folder: &Folder) -> Value {
    serde_yaml::from_str(&folder.read("out/results.yaml")).expect("YAML")
}

#[test]
fn only_image_lines_of_a_file_change() {
    for args in [
        &["fn", "eval", ".", "--exec", "digestif"][..],
        &["fn", "eval", ".", "--exec", "digestif --kube-version 1.32", "--", "pin=tag-digest"],
        &["fn", "eval", ".", "--exec", "digestif fn --pin=digest", "--fn-config", "pin.yaml"],
    ] {
        let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nmetadata:\n  name: pin\n  annotations: {config.kubernetes.io/local-config: 'true'}\npin: tag-digest\n";
        let folder = package(&[("pin.yaml", config)]);
        let Some(ran) = kpt(&folder, args) else { return };
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("[PASS] "), "{}", ran.stderr);
        assert_eq!(folder.read("web.yaml"), pinned(PACKAGE));
        assert_eq!(differing(PACKAGE, &folder.read("web.yaml")).len(), 3);
    }
}

#[test]
fn arguments_become_the_configuration() {
    for (data, image) in [
        (&["pin=digest"][..], "nginx@sha256:"),
        (&["skip=docker.io/library/nginx\ndocker.io/clastix/*"], "nginx:1.29.1 #"),
        (&["skip=['docker.io/library/nginx', quay.io/a]", "pin=digest"], "nginx:1.29.1 #"),
    ] {
        let folder = package(&[]);
        let args = ["fn", "eval", ".", "--exec", "digestif", "--"];
        let Some(ran) = kpt(&folder, &[&args[..], data].concat()) else { return };
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(folder.read("web.yaml").contains(&format!("image: {image}")), "{data:?}");
    }
}

#[test]
fn a_package_is_rendered() {
    let exec = format!("{KPTFILE}  - exec: digestif fn --pin=digest\n    ");
    for (kptfile, config) in [
        (format!("{exec}configMap:\n      pin: tag-digest\n"), ""),
        (format!("{exec}configPath: pin.yaml\n"), "pin: tag-digest\n"),
    ] {
        let config = format!(
            "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nmetadata:\n  name: pin\n{config}"
        );
        let folder = package(&[("Kptfile", &kptfile), ("pin.yaml", &config)]);
        let args = ["fn", "render", ".", "--allow-exec", "--results-dir", "out"];
        let Some(ran) = kpt(&folder, &args) else { return };
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert_eq!(folder.read("web.yaml"), pinned(PACKAGE));
        let kept = |name: &str, text: &str| assert!(folder.read(name).starts_with(text), "{name}");
        kept("Kptfile", &kptfile);
        kept("pin.yaml", &config);
        assert_eq!(written(&folder)["items"][0]["results"].as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn kpt_keeps_the_result_of_each_image() {
    let folder = package(&[]);
    let args = ["fn", "eval", ".", "--exec", "digestif -q", "--results-dir", "out"];
    let Some(ran) = kpt(&folder, &args) else { return };
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let written = written(&folder);
    assert_eq!(
        json!([written["exitCode"], written["items"][0]["exec"]]),
        json!([0, "digestif -q"])
    );
    let results = written["items"][0]["results"].as_array().cloned().unwrap_or_default();
    let short = |result: &Value| {
        let message = result["message"].as_str().unwrap_or_default();
        let message = message.split(" to sha256:").next().unwrap_or_default();
        let message = message.split(';').next().unwrap_or_default();
        json!([
            message,
            result["severity"],
            result["resourceRef"]["name"],
            result["field"],
            result["file"],
            result["tags"]["digestif.dev/status"]
        ])
    };
    let field = |path: &str, image: &str| json!({"path": path, "currentValue": image, "proposedValue": pinned(image)});
    let expected = [
        json!(["pinned docker.io/library/nginx:1.29.1", "info", "web",
               field("spec.template.spec.containers[0].image", "nginx:1.29.1"),
               {"path": "web.yaml"}, "pinned"]),
        json!(["pinned docker.io/library/busybox:1.37", "info", "once",
               field("spec.containers[0].image", "busybox:1.37"),
               {"path": "web.yaml", "index": 1}, "pinned"]),
        json!(["`docker.io/clastix/kubectl:v1.32` does not exist: `docker.io/clastix/kubectl:v1.31` is used instead",
               "warning", "web",
               field("spec.template.spec.containers[1].image", "docker.io/clastix/kubectl:v1.32"),
               {"path": "web.yaml"}, "substituted"]),
    ];
    assert_eq!(results.iter().map(short).collect::<Vec<_>>(), expected);
    assert!(ran.stderr.contains("[Results]: [info] apps/v1/Deployment/web spec.template"));
}

#[test]
fn a_failure_leaves_every_file_unchanged() {
    let kptfile = format!("{KPTFILE}  - exec: digestif --no-fallback\n");
    let kptfile = kptfile.as_str();
    for (args, code, message) in [
        (
            &["fn", "eval", ".", "--exec", "digestif --no-fallback"][..],
            1,
            "`docker.io/clastix/kubectl:v1.32` does not exist",
        ),
        (
            &["fn", "render", ".", "--allow-exec"],
            1,
            "`docker.io/clastix/kubectl:v1.32` does not exist",
        ),
        (
            &["fn", "eval", ".", "--exec", "digestif", "--", "pni=digest"],
            2,
            "the configuration is wrong: unknown key `pni`, did you mean `pin`?",
        ),
        (
            &["fn", "eval", ".", "--exec", "digestif", "--", "policy=requireDigest: true"],
            5,
            "`docker.io/library/nginx:1.29.1` has no digest",
        ),
    ] {
        let folder = package(&[("Kptfile", kptfile)]);
        let (command, data) =
            args.split_at(args.iter().position(|&a| a == "--").unwrap_or(args.len()));
        let Some(ran) = kpt(&folder, &[command, &["--results-dir", "out"], data].concat()) else {
            return;
        };
        assert_eq!(ran.status, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("[FAIL] ") && ran.stderr.contains(message), "{}", ran.stderr);
        assert_eq!(
            (folder.read("web.yaml").as_str(), folder.read("Kptfile").as_str()),
            (PACKAGE, kptfile)
        );
        let written = written(&folder);
        assert_eq!(written["items"][0]["exitCode"], code, "{written}");
        let results = written["items"][0]["results"].as_array().cloned().unwrap_or_default();
        let errors: Vec<_> =
            results.iter().filter(|result| result["severity"] == "error").collect();
        let said =
            |result: &Value| result["message"].as_str().is_some_and(|m| m.starts_with(message));
        assert!(errors.iter().any(|result| said(result)), "{results:?}");
        let said = written["items"][0]["stderr"].as_str().unwrap_or_default();
        assert!(said.contains(&format!("]: {message}\n")), "{said}");
    }
}

#[test]
fn manifests_on_stdin_are_returned_with_pins_only() {
    let Some(mut kpt) = client("kpt") else { return };
    kpt.envs(offline()).args(["fn", "eval", "-", "--exec", "digestif", "-o", "unwrap"]);
    let given = crate::finish(crate::start(&mut kpt), PACKAGE.as_bytes()).succeeded();
    assert_eq!(given, pinned(PACKAGE));
}

#[test]
fn the_example_runs_as_it_stands() {
    let folder = examples();
    let before = folder.read("examples/kpt/web.yaml");
    let args = ["fn", "render", "examples/kpt", "--allow-exec"];
    let Some(ran) = kpt(&folder, &args) else { return };
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(folder.read("examples/kpt/web.yaml"), pinned(&before));
    assert_eq!(differing(&before, &folder.read("examples/kpt/web.yaml")).len(), 2);
}
