//! The binary with lists on stdin: as hosts write them, and in other forms.

use std::fs;

use serde_json::{Value, json};

use crate::support::registry::{Content, Fault, Misbehaviour, Registry};
use crate::support::{command, digestif, finish, for_every_host, start, testdata};
use crate::{Folder, list, pinned, pod, results, run};

const CONFIG: &str = "functionConfig:\n  apiVersion: digestif.dev/v1alpha1\n  kind: PinImages\n";

/// A list as kustomize 5.8.1 and kpt 1.0.0-beta.61 sent it.
fn sent(name: &str) -> String {
    fs::read_to_string(testdata("krm").join(name)).expect("readable")
}

/// The text that was inserted into another text, in one piece.
#[track_caller]
fn inserted<'t>(before: &str, after: &'t str) -> &'t str {
    let same = before.bytes().zip(after.bytes()).take_while(|(b, a)| b == a).count();
    let rest = after.strip_suffix(&before[same..]);
    &rest.unwrap_or_else(|| panic!("more than one change:\n{before}\n{after}"))[same..]
}

#[test]
fn a_list_is_returned_byte_for_byte_except_images() {
    for name in ["kustomize.yaml", "kpt.yaml"] {
        let list = sent(name);
        for list in [list.clone(), list.replace('\n', "\r\n")] {
            let list = format!("{list}x-unknown: {{b: 1e3, 'a': [~, \"\\u00e9\"]}}   # kept\n");
            let given = run(&[], &list).succeeded();
            let results = given.strip_prefix(&pinned(&list)).expect("the list with its pins");
            assert!(results.starts_with("results:\n- {"), "{results}");
        }
    }
}

#[test]
fn a_list_in_json_is_returned_as_json() {
    for name in ["kustomize.yaml", "kpt.yaml"] {
        let list: Value = serde_yaml::from_str(&sent(name)).expect("YAML");
        for list in [list.to_string(), serde_json::to_string_pretty(&list).expect("JSON")] {
            let given = run(&[], &list).succeeded();
            let results = inserted(&pinned(&list), &given);
            assert!(results.starts_with(", \"results\": [{"), "{results}");
            serde_json::from_str::<Value>(&given).expect("still JSON");
        }
    }
}

#[test]
fn each_image_has_a_result() {
    let given = run(&["--skip=ghcr.io/**"], &sent("kpt.yaml")).succeeded();
    let tried = "`docker.io/clastix/kubectl:v1.32` (missing: the layout has the repository without this tag), `docker.io/clastix/kubectl:1.32` (missing: the layout has the repository without this tag)";
    let result = |message: &str, severity, item: Value, field, tags: Value| {
        json!({"message": message, "severity": severity, "resourceRef": item["ref"],
               "field": field, "file": item["file"], "tags": tags})
    };
    let web = json!({"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                     "file": {"path": "deploy.yaml", "index": 0}});
    let job = json!({"ref": {"apiVersion": "v1", "kind": "Pod", "name": "a"},
                     "file": {"path": "job.yaml", "index": 0}});
    let local = json!({"ref": {"apiVersion": "v1", "kind": "Pod", "name": "b"},
                       "file": {"path": "job.yaml", "index": 1}});
    let (nginx, busybox, kubectl) =
        (pinned("nginx:1.29.1"), pinned("busybox:1.37"), pinned("docker.io/clastix/kubectl:v1.32"));
    let digest = |pin: &str| pin.split('@').next_back().unwrap_or_default().to_owned();
    let expected = [
        result(
            &format!("pinned docker.io/library/nginx:1.29.1 to {}", digest(&nginx)),
            "info",
            web.clone(),
            json!({"path": "spec.template.spec.containers[0].image",
                   "currentValue": "nginx:1.29.1", "proposedValue": nginx}),
            json!({"digestif.dev/status": "pinned"}),
        ),
        result(
            &format!("pinned docker.io/library/busybox:1.37 to {}", digest(&busybox)),
            "info",
            job,
            json!({"path": "spec.containers[0].image",
                   "currentValue": "busybox:1.37", "proposedValue": busybox}),
            json!({"digestif.dev/status": "pinned"}),
        ),
        result(
            &format!("pinned docker.io/library/busybox:1.37 to {}", digest(&busybox)),
            "info",
            local,
            json!({"path": "spec.containers[0].image",
                   "currentValue": "busybox:1.37", "proposedValue": busybox}),
            json!({"digestif.dev/status": "pinned"}),
        ),
        // This result is about the whole list, so it has no place.
        json!({"message": "`ghcr.io/**` of `--skip` matches no image; help: a glob must match the full repository name, for example `docker.io/library/*` or `quay.io/**`",
               "severity": "warning"}),
        result(
            &format!(
                "`docker.io/clastix/kubectl:v1.32` does not exist: `docker.io/clastix/kubectl:v1.31` is used instead; rule: kubernetes-version; tried: {tried}; help: use a tag that exists, or forbid this with `--no-fallback`"
            ),
            "warning",
            web,
            json!({"path": "spec.template.spec.containers[1].image",
                   "currentValue": "docker.io/clastix/kubectl:v1.32", "proposedValue": kubectl}),
            json!({"digestif.dev/status": "substituted", "digestif.dev/rule": "kubernetes-version"}),
        ),
    ];
    assert_eq!(results(&given), expected);
}

#[test]
fn results_are_added_to_the_results_of_earlier_functions() {
    let before = "results:\n- message: another's\n  severity: warning\n- {message: and one more}\n";
    for rest in [format!("{before}{CONFIG}"), format!("{CONFIG}{before}")] {
        let text = list(&pod("nginx:1.29.1"), &rest);
        let given = run(&[], &text).succeeded();
        let new = inserted(&pinned(&text), &given);
        assert!(new.contains("\"pinned docker.io/library/nginx:1.29.1 to "), "{new}");
        let messages: Vec<_> = results(&given).iter().map(|r| r["message"].clone()).collect();
        assert_eq!(messages[1..], ["another's", "and one more"]);
    }
}

#[test]
fn a_failed_run_returns_the_unchanged_list_with_results() {
    let registry = Registry::start(
        Content::of(&[("docker.io/library/web", &["1"])])
            .with_fault(Fault::on("library/limited", Misbehaviour::RetryAfter(429, "100")))
            .with_fault(Fault::on("library/private", Misbehaviour::ErrorCode(401, "UNAUTHORIZED"))),
    );
    let every_host = for_every_host(&registry);
    for (image, flags, status, message, word) in [
        ("web:2", &[][..], 1, "`docker.io/library/web:2` does not exist", "unresolved"),
        ("'web:'", &[], 3, "`web:` is not a valid image reference: empty tag", "invalid"),
        (
            "limited:1",
            &["--retries=0"],
            4,
            "`docker.io/library/limited:1` could not",
            "indeterminate",
        ),
        ("web:1", &["--offline"], 5, "`docker.io/library/web:1` is in no image", "indeterminate"),
        ("web:1", &["--require-digest"], 5, "`docker.io/library/web:1` has no digest", "tagged"),
        ("${WEB}", &["--deny-placeholders"], 5, "`${WEB}` is a placeholder", "placeholder"),
        (
            "private:1",
            &[],
            6,
            "`docker.io/library/private:1` is absent or private",
            "indeterminate",
        ),
    ] {
        let annotations = "{internal.config.kubernetes.io/path: a/b.yaml, internal.config.kubernetes.io/index: '3'}";
        let named = format!("metadata: {{name: web, namespace: shop, annotations: {annotations}}}");
        let text = list(&pod(image).replace("metadata: {name: web}", &named), CONFIG);
        let flags = flags.iter().copied().chain(["-q", &every_host]);
        let ran = digestif(flags, &text);
        assert_eq!(ran.status, status, "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert!(inserted(&text, &ran.stdout).starts_with("results:\n- {"), "{}", ran.stdout);
        let results = results(&ran.stdout);
        assert_eq!(results.len(), 1, "{results:?}");
        assert!(results[0]["message"].as_str().is_some_and(|said| said.starts_with(message)));
        assert_eq!(results[0]["severity"], "error");
        let item = json!({"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web"});
        assert_eq!(results[0]["resourceRef"], item);
        let written = image.trim_matches('\'');
        let field = json!({"path": "spec.containers[0].image", "currentValue": written});
        assert_eq!(results[0]["field"], field);
        assert_eq!(results[0]["file"], json!({"path": "a/b.yaml", "index": 3}));
        assert_eq!(results[0]["tags"], json!({"digestif.dev/status": word}));
    }
}

#[test]
fn one_failed_image_leaves_the_others_unchanged() {
    let text = list(&(pod("nginx:1.29.1") + &pod("nginx:9")), "");
    let ran = run(&[], &text);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(inserted(&text, &ran.stdout).starts_with("results:\n- {"), "{}", ran.stdout);
    let severities: Vec<_> = results(&ran.stdout).iter().map(|r| r["severity"].clone()).collect();
    assert!(severities.contains(&json!("error")), "{severities:?}");
}

#[test]
fn the_error_for_a_wrong_function_config_has_its_position() {
    let config = |rest: &str| format!("{CONFIG}{rest}");
    let data = |data: &str| {
        format!(
            "functionConfig:\n  metadata:\n    name: function-input\n  data: {data}\n  kind: ConfigMap\n  apiVersion: v1\n"
        )
    };
    let wrong = "the configuration is wrong:";
    for (rest, message, place) in [
        (config("  pni: digest\n"), "unknown key `pni`, did you mean `pin`?", "13:3"),
        (config("  pin: digets\n"), "unknown value `digets`, did you mean `digest`?", "13:8"),
        (config("  pin: digest\n  pin: digest\n"), "the key `pin` occurs twice", "14:3"),
        (config("  skip:\n  - quay.io/**\n  - 'a['\n"), "error parsing glob 'a['", "15:5"),
        (config("  policy: {requireDigest: maybe}\n"), "", "13:27"),
        (
            "functionConfig: {apiVersion: digestif.dev/v2, kind: PinImages}\n".to_owned(),
            "unknown value `digestif.dev/v2`, did you mean `digestif.dev/v1alpha1`?",
            "10:30",
        ),
        (
            "functionConfig: {apiVersion: digestif.dev/v1alpha1, kind: PinImages, pni: a}\n"
                .to_owned(),
            "unknown key `pni`, did you mean `pin`?",
            "10:70",
        ),
        (data("{pin: digest, pni: \"a\"}"), "unknown key `pni`, did you mean `pin`?", "13:23"),
        (data("{kubeVersion: \"new\"}"), "`new` is not a version such as 1.32", "13:10"),
        (data("\n    policy: |\n      requireDigest: maybe"), "", "14:5"),
        (
            data("\n    skip: [quay.io/**]"),
            "the values in the data of a ConfigMap are strings",
            "14:5",
        ),
    ] {
        // Windows' line endings do not change positions.
        for end in ["\n", "\r\n"] {
            let text = list(&pod("nginx:1.29.1"), &rest).replace('\n', end);
            let ran = run(&[], &text);
            let said = format!("error: {wrong} {message}");
            assert!(ran.stderr.starts_with(&said), "{rest}\n{}", ran.stderr);
            assert!(ran.stderr.contains(&format!("--> <stdin>:{place}\n")), "{}", ran.stderr);
            assert_eq!(ran.status, 2);
            inserted(&text, &ran.stdout);
            let results = results(&ran.stdout);
            assert_eq!((results.len(), &results[0]["severity"]), (1, &json!("error")));
            let said = results[0]["message"].as_str().unwrap_or_default();
            assert!(said.starts_with(&format!("{wrong} {message}")), "{said}");
        }
    }
}

#[test]
fn a_function_config_is_pin_images_or_a_config_map() {
    for (config, what) in [
        ("[a]", ""),
        ("PinImages", ""),
        ("{apiVersion: digestif.dev/v1alpha1}", "without a kind"),
        ("{apiVersion: v1, kind: Secret}", "`Secret`"),
        ("{apiVersion: digestif.dev/v1alpha1, kind: PinImage}", "`PinImage`"),
    ] {
        let text = list(&pod("nginx:1.29.1"), &format!("functionConfig: {config}\n"));
        let ran = run(&[], &text);
        let message = format!("`functionConfig` is {what}");
        assert!(ran.stderr.starts_with(&format!("error: {message}")), "{}", ran.stderr);
        assert!(ran.stderr.contains(", not a `PinImages` or `ConfigMap`\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--> <stdin>:10:17\n"), "{}", ran.stderr);
        assert_eq!(ran.status, 2);
        inserted(&text, &ran.stdout);
        let said = results(&ran.stdout)[0]["message"].as_str().map(str::to_owned);
        assert!(said.is_some_and(|said| said.starts_with(&message)), "{}", ran.stdout);
    }
}

#[test]
fn a_list_may_be_written_in_any_way() {
    let digest = "{apiVersion: digestif.dev/v1alpha1, kind: PinImages, pin: digest}";
    let version = "apiVersion: config.kubernetes.io/v1\n";
    let json = "\"apiVersion\": \"config.kubernetes.io/v1\"\n";
    let head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n";
    let item = pod("nginx:1.29.1");
    let plain = list(&item, "");
    for (text, pin) in [
        (format!("{plain}functionConfig: null\n"), "tag-digest"),
        (format!("{plain}functionConfig: ~\n"), "tag-digest"),
        (format!("{plain}functionConfig:\n"), "tag-digest"),
        (format!("{plain}functionConfig: {digest}\n"), "digest"),
        (format!("{plain}functionConfig: !!map {digest}\n"), "digest"),
        (format!("{plain}functionConfig: &config {digest}\nagain: *config\n"), "digest"),
        (
            format!("{head}config: &config {digest}\nitems:\n{item}functionConfig: *config\n"),
            "digest",
        ),
        (format!("functionConfig: {digest}\n{plain}"), "digest"),
        (format!("{plain}{CONFIG}  pin: &pin digest\n  metadata: {{name: *pin }}\n"), "digest"),
        (format!("items:\n{item}functionConfig: {digest}\n{head}"), "digest"),
        (
            format!(
                "{json}\"functionConfig\": {digest}\n'items':\n{item}\"kind\": \"ResourceList\"\n"
            ),
            "digest",
        ),
        (format!("{version}x: &kind ResourceList\nitems:\n{item}kind: *kind\n"), "tag-digest"),
        (
            format!(
                "{version}? kind\n: ResourceList\n? items\n: {}",
                item.replace('\n', "\n  ").trim_end()
            ),
            "tag-digest",
        ),
        (format!("---\n{plain}"), "tag-digest"),
        (format!("--- # one\n{plain}"), "tag-digest"),
        (format!("%YAML 1.2\n---\n{plain}"), "tag-digest"),
        (format!("# one\n\n# two\n{plain}# three\n"), "tag-digest"),
        (format!("\u{feff}{plain}"), "tag-digest"),
        (format!("{plain}...\n"), "tag-digest"),
        (plain.trim_end().to_owned(), "tag-digest"),
        (plain.trim_end().replace('\n', "\r\n"), "tag-digest"),
        (format!("{plain}text: |+\n  kept\n\n\n"), "tag-digest"),
        (format!("{plain}text: |+\n  kept\n\n\n  # and this"), "tag-digest"),
        (format!("{head}results:\n{}", &plain[head.len()..]), "tag-digest"),
        (format!("{head}results: []\n{}", &plain[head.len()..]), "tag-digest"),
        (
            format!(
                "{{apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: [{}]}}",
                item_in_flow()
            ),
            "tag-digest",
        ),
        (
            format!(
                "--- {{apiVersion: config.kubernetes.io/v1beta1, kind: ResourceList, items: [{}],}}\n",
                item_in_flow()
            ),
            "tag-digest",
        ),
    ] {
        let ran = run(&["-q"], &text);
        assert_eq!(ran.stderr, "", "{text}");
        let given = ran.succeeded();
        let mut expected = pinned(&text);
        if pin == "digest" {
            expected = expected.replace("nginx:1.29.1@", "nginx@");
        }
        let new = inserted(&expected, &given);
        assert_eq!(new.matches("\"digestif.dev/status\":\"pinned\"").count(), 1, "{text}\n{new}");
        assert_eq!(results(&given).len(), 1, "{given}");
    }
}

fn item_in_flow() -> &'static str {
    "{kind: Pod, spec: {containers: [{image: 'nginx:1.29.1'}]}}"
}

#[test]
fn a_list_with_other_documents_is_a_manifest() {
    for second in ["kind: Pod\n", "kind: ResourceList\nitems: []\n"] {
        let config = format!("{CONFIG}  pin: digest\n");
        let text = format!("{}---\n{second}", list(&pod("nginx:1.29.1"), &config));
        assert_eq!(run(&[], &text).succeeded(), pinned(&text), "no results and no configuration");
        let said = run(&["fn"], &text).failed(3);
        let message = "error: this is not the input of a function: it has more than one document\n";
        assert!(said.starts_with(message) && said.contains("--> <stdin>:14:"), "{said}");
    }
}

#[test]
fn an_empty_list_is_not_an_error() {
    for text in [
        list("", ""),
        list("", CONFIG),
        r#"{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": []}"#
            .to_owned(),
        list("- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n", ""),
        list("- metadata: {name: of no kind}\n", ""),
    ] {
        assert_eq!(run(&[], &text).succeeded(), text);
    }
}

#[test]
fn objects_that_are_not_for_a_cluster_stay_unchanged() {
    let containers = "spec: {containers: [{image: 'nginx:1.29.1'}]}";
    let items = [
        format!(
            "- apiVersion: kpt.dev/v1\n  kind: Kptfile\n  metadata: {{name: a}}\n  {containers}\n"
        ),
        format!("- apiVersion: kpt.dev/v1alpha2\n  kind: Other\n  {containers}\n"),
    ];
    let text = list(&items.concat(), "");
    assert_eq!(run(&[], &text).succeeded(), text);
}

#[test]
fn images_are_searched_only_in_items() {
    let containers = "containers: [{image: 'nginx:1.29.1'}]";
    for rest in [
        format!("{CONFIG}  metadata: {{name: a, {containers}}}\n"),
        format!("functionConfig:\n  kind: ConfigMap\n  data: {{}}\n  spec: {{{containers}}}\n"),
        format!("results:\n- message: a\n  field: {{{containers}}}\n"),
        format!("x: {{{containers}}}\n{containers}\nspec: {{{containers}}}\n"),
    ] {
        let text = list("", &rest);
        assert_eq!(run(&[], &text).succeeded(), text);
        let text = list(&pod("busybox:1.37"), &rest);
        let given = run(&[], &text).succeeded();
        inserted(&text.replace("busybox:1.37", &pinned("busybox:1.37")), &given);
    }
}

#[test]
fn a_validator_returns_the_list_unchanged() {
    for policy in [
        format!("{CONFIG}  policy: {{requireDigest: true}}\n"),
        "functionConfig:\n  kind: ConfigMap\n  data: {policy: 'requireDigest: true'}\n".to_owned(),
    ] {
        for text in [list(&pinned(&pod("nginx:1.29.1")), &policy), list("", &policy)] {
            assert_eq!(run(&[], &text).succeeded(), text);
        }
        let text = list(&pod("nginx:1.29.1"), &policy);
        let ran = run(&[], &text);
        let said = "error: `docker.io/library/nginx:1.29.1` has no digest\n = in: Pod web, spec.containers[0].image\n";
        assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
        assert_eq!(ran.status, 5);
        inserted(&text, &ran.stdout);
    }
}

#[test]
fn a_function_config_can_tighten_policy_but_not_loosen_it() {
    let text = list(&pod("nginx:1.29.1"), &format!("{CONFIG}  policy: {{requireDigest: false}}\n"));
    assert_eq!(run(&["--require-digest"], &text).status, 5);
    assert_eq!(run(&[], &text).status, 0);
}

#[test]
fn only_a_trusted_function_config_overrides_flags() {
    let kubectl = "docker.io/clastix/kubectl";
    let registry = Registry::start(Content::of(&[(kubectl, &["v1.29", "v1.30", "v1.31"])]));
    let every_host = for_every_host(&registry);
    let run = |env: &[(&str, &str)], flags: &[&str], config: &str| {
        let text = list(&pod("clastix/kubectl:v1.32"), config);
        let mut command = command(flags.iter().copied().chain([every_host.as_str()]));
        let given = finish(start(command.envs(env.iter().copied())), text.as_bytes()).succeeded();
        let image = given.lines().find_map(|line| line.strip_prefix("    - image: "));
        image.and_then(|image| image.split("sha256").next()).unwrap_or_default().to_owned()
    };
    let env = &[("DIGESTIF_KUBE_VERSION", "1.29"), ("DIGESTIF_PIN", "digest")];
    let flags = &["--kube-version=1.30", "--pin=tag-digest"];
    let config = format!("{CONFIG}  kubeVersion: '1.31'\n  pin: digest\n");
    let data = "functionConfig: {kind: ConfigMap, data: {kubeVersion: '1.31', pin: digest}}\n";
    assert_eq!(run(&[], &[], ""), "clastix/kubectl:v1.31@");
    assert_eq!(run(&[("DIGESTIF_KUBE_VERSION", "1.29")], &[], ""), "clastix/kubectl:v1.29@");
    assert_eq!(run(env, &[], ""), "clastix/kubectl@");
    assert_eq!(run(env, flags, ""), "clastix/kubectl:v1.30@");
    let trusted = [&flags[..], &["fn"]].concat();
    for config in [&config, data] {
        assert_eq!(run(&[], &[], config), "clastix/kubectl@");
        assert_eq!(run(env, flags, config), "clastix/kubectl:v1.30@");
        assert_eq!(run(env, &trusted, config), "clastix/kubectl@");
    }
    let config = format!("{CONFIG}  kubeVersion: '1.31'\n");
    assert_eq!(run(env, &[], &config), "clastix/kubectl@", "a variable wins too");
    assert_eq!(run(env, &trusted, &config), "clastix/kubectl:v1.31@");
    let text = list("", &format!("{CONFIG}  kubeVersion: '1.31'\n"));
    assert_eq!(digestif(&trusted, &text).succeeded(), text);
}

#[test]
fn a_configuration_in_the_folder_is_used_only_if_it_is_named() {
    let digest = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npin: digest\n";
    let folder = Folder::new(&[("digestif.yaml", digest)]);
    let text = list(&pod("nginx:1.29.1"), "");
    let layout = crate::layout();
    for (flags, image) in [
        (&[][..], "image: nginx:1.29.1@sha256:"),
        (&["-c", "digestif.yaml"], "image: nginx@sha256:"),
    ] {
        let mut command = command(["--offline", "--layout", &layout].iter().chain(flags));
        let given = finish(start(command.current_dir(folder.path())), text.as_bytes()).succeeded();
        assert!(given.contains(image), "{given}");
    }
}

#[test]
fn a_report_is_written_in_addition_to_the_list() {
    let folder = Folder::new(&[]);
    let report = folder.path().join("report.json").display().to_string();
    let schema = digestif(["schema", "report"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    for (items, config, status, counts) in [
        (pod("nginx:1.29.1"), "", 0, json!([1, 0])),
        (pod("nginx:1.29.1") + &pod("nginx:9"), "", 1, json!([1, 1])),
        (pod("nginx:1.29.1"), "functionConfig: wrong\n", 2, json!([0, 0])),
    ] {
        let ran = run(&["--report", &report], &list(&items, config));
        assert_eq!(ran.status, status, "{}", ran.stderr);
        let report: Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
        assert!(schema.is_valid(&report), "{report}");
        let summary = &report["summary"];
        assert_eq!(json!([summary["pinned"], summary["unresolved"]]), counts, "{report}");
    }
}

#[test]
fn a_list_is_written_to_the_output_file() {
    let folder = Folder::new(&[]);
    let output = folder.path().join("list.yaml").display().to_string();
    let text = list(&pod("nginx:1.29.1"), "");
    assert_eq!(run(&["-o", &output], &text).succeeded(), "");
    inserted(&pinned(&text), &folder.read("list.yaml"));
}

#[test]
fn a_list_in_a_file_is_a_manifest() {
    let folder = Folder::new(&[]);
    let path = folder.path().join("list.yaml").display().to_string();
    let config = format!("{CONFIG}  pin: digest\n");
    folder.write("list.yaml", &list(&pod("nginx:1.29.1"), &config));
    let given = run(&["-f", &path], "").succeeded();
    assert_eq!(given, pinned(&folder.read("list.yaml")));
    folder.write("list.yaml", &list(&pod("nginx:9"), "functionConfig: wrong\n"));
    run(&["-f", &path], "").failed(1);
}

#[test]
fn thousands_of_items_are_handled() {
    let items = |n: usize| (0..n).map(|_| pod("nginx:1.29.1")).collect::<String>();
    let text = list(&items(5_000), "results:\n- message: another's\n");
    let given = run(&["-q"], &text).succeeded();
    let status = "\"digestif.dev/status\":\"pinned\"";
    assert_eq!(inserted(&pinned(&text), &given).matches(status).count(), 5_000);
    let text = list(&items(1_000), "").replace("nginx:1.29.1", "nginx:9");
    let ran = run(&["-q"], &text);
    assert_eq!(ran.status, 1);
    let status = "\"digestif.dev/status\":\"unresolved\"";
    assert_eq!(inserted(&text, &ran.stdout).matches(status).count(), 1_000);
}

#[test]
fn a_check_of_a_list_uses_its_own_policy() {
    let policy = "functionConfig:\n  apiVersion: digestif.dev/v1alpha1\n  kind: PinImages\n  policy: {requireDigest: true}\n";
    let text = list(&pod("nginx:1.29.1"), policy);
    let ran = run(&["check"], &text);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    let behind_nothing = format!("---\n---\n{text}");
    assert_eq!(run(&[], &behind_nothing).status, 5, "it is still a function's list");
}

#[test]
fn a_failed_run_does_not_report_pinned_images() {
    let pods = format!("{}{}", pod("nginx:1.29.1"), pod("nginx:absent"));
    let ran = run(&[], &list(&pods, ""));
    assert_eq!(ran.status, 1);
    let messages: Vec<_> = results(&ran.stdout).iter().map(|r| r["severity"].clone()).collect();
    assert!(!messages.iter().any(|severity| severity == "info"), "{}", ran.stdout);
}

#[test]
fn a_wrong_call_returns_the_list_with_a_result() {
    let text = list(&pod("nginx:1.29.1"), "");
    for flags in [&["--skip=a["][..], &["-c", "/nowhere.yaml"], &["--report=/nowhere/report"]] {
        let ran = run(flags, &text);
        assert_eq!(ran.status, 2, "{flags:?}");
        inserted(&text, &ran.stdout);
        let last = results(&ran.stdout).pop().expect("a result");
        assert_eq!(last["severity"], "error", "{flags:?}: {}", ran.stdout);
    }
}

#[test]
fn an_error_in_its_configuration_shows_no_line_of_a_list() {
    let text = r#"{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList","items":[{"kind":"Secret","stringData":{"password":"hunter2"}}],"functionConfig":{"apiVersion":"digestif.dev/v1alpha1","kind":"PinImages","foo":1}}"#;
    let ran = run(&[], text);
    assert_eq!(ran.status, 2);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    let broken = r#"{"kind":"Secret","stringData":{"password":"hunter2"} "x":1}"#;
    assert!(!run(&[], broken).stderr.contains("hunter2"));
}

#[test]
fn the_results_have_the_full_error_of_a_wrong_configuration_file() {
    let folder = Folder::new(&[(
        "wrong.yaml",
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npni: digest\n",
    )]);
    let config = folder.path().join("wrong.yaml").display().to_string();
    let ran = run(&["-c", &config], &list(&pod("web:1"), ""));
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    let [result] = &*results(&ran.stdout) else { panic!("one result: {}", ran.stdout) };
    let message = "the configuration is wrong: unknown key `pni`, did you mean `pin`?";
    let said = result["message"].as_str().expect("text");
    assert!(said.starts_with(message) && said.ends_with("wrong.yaml:3:1"), "{result}");
    assert!(
        ran.stderr.contains(message) && ran.stderr.contains("wrong.yaml:3:1"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_list_of_images_uses_the_functions_own_configuration() {
    let config = format!("{CONFIG}  skip: ['docker.io/library/**']\n");
    let listed = digestif(["images"], list(&pod("web:1"), &config).as_str()).succeeded();
    let row = listed.lines().find(|line| line.starts_with("web:1")).expect("the image");
    assert!(row.contains(" skipped "), "{row}");
}

#[test]
fn an_explanation_uses_the_functions_own_configuration() {
    let config = format!("{CONFIG}  skip: [docker.io/library/nginx]\n");
    let text = list(&pod("nginx:1.29.1"), &config);
    let explained = run(&["explain", "nginx:1.29.1", "-f", "-"], &text).succeeded();
    let result = "\n  it is left alone: `docker.io/library/nginx` in `skip` of the configuration\n";
    assert!(explained.ends_with(result), "{explained}");
    let explained = run(&["explain", "nginx:1.29.1"], &text).succeeded();
    assert!(explained.contains("\n  the digest comes from a layout\n"), "stdin is not read");
    let wrong = list(&pod("nginx:1.29.1"), &format!("{CONFIG}  lock: a.yaml\n"));
    let said = run(&["explain", "nginx:1.29.1", "-f", "-"], &wrong).failed(2);
    assert!(said.contains("needs `digestif fn`"), "{said}");
    let said = run(&["explain", "nginx:1.29.1", "-f", "-"], "a: [\n").failed(3);
    assert!(said.starts_with("error: "), "{said}");
}

#[test]
fn stderr_is_short_because_the_results_have_all_details() {
    let text = list(&pod("docker.io/clastix/kubectl:v1.99").repeat(3), "");
    let ran = run(&["fn"], &text);
    let expected = "\
error: `docker.io/clastix/kubectl:v1.99` does not exist
 = in: Pod web, spec.containers[0].image
 = note: and 2 more places
 = nearest: v1.31 (a version below)
 = help: use a tag that exists, or push this one; `--allow-unresolved` writes it unchanged
digestif: 1 error; the list was given back without changes. Next: `digestif suggest` prints rules for the missing images, with the same input
";
    assert_eq!((ran.status, &*ran.stderr), (1, expected));
    let result = results(&ran.stdout)[0].to_string();
    assert!(result.contains("; tried: `docker.io/clastix/kubectl:v1.99`"), "{result}");
    let verbose = run(&["fn", "-v"], &text).stderr;
    assert!(verbose.contains(" = tried: ") && verbose.contains("--> <stdin>:"), "{verbose}");
}
