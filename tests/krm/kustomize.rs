//! kustomize, alone and in kubectl, with digestif as a program. kubectl starts no programs, so a
//! test shows that it skips the function. [`crate::container`] shows what kubectl can run.

use crate::support::{Ran, digestif};
use crate::{Folder, client, differing, offline, pinned, run_in};

const FLAGS: [&str; 3] = ["build", "--enable-alpha-plugins", "--enable-exec"];

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      serviceAccountName: web
      containers:
      - name: nginx
        image: nginx:1.29.1
        env:
        - {name: LIMIT, value: \"1e3\"}
        envFrom:
        - configMapRef: {name: settings}
      - name: hooks
        image: docker.io/clastix/kubectl:v1.32
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
";

const KUSTOMIZATION: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namePrefix: shop-
nameSuffix: -blue
namespace: prod
resources: [deployment.yaml]
configMapGenerator:
- name: settings
  literals: [GREETING=hello]
";

/// A configuration for a program, with these further keys.
fn config(rest: &str) -> String {
    format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nmetadata:\n  name: pin\n  annotations:\n    config.kubernetes.io/function: |\n      exec:\n        path: digestif\n{rest}"
    )
}

/// A kustomization with these configurations for transformers and for validators.
fn kustomization(transformer: Option<&str>, validator: Option<&str>) -> Folder {
    let folder = Folder::new(&[("deployment.yaml", DEPLOYMENT)]);
    let lists = [("transformers", transformer), ("validators", validator)];
    let lines = lists.into_iter().filter_map(|(list, config)| {
        folder.write(&format!("{list}.yaml"), config?);
        Some(format!("{list}: [{list}.yaml]\n"))
    });
    folder.write("kustomization.yaml", &(KUSTOMIZATION.to_owned() + &lines.collect::<String>()));
    folder
}

fn build(folder: &Folder, args: &[&str]) -> Option<Ran> {
    let mut kustomize = client("kustomize")?;
    Some(run_in(folder.path(), kustomize.envs(offline()), args))
}

#[test]
fn only_image_lines_differ_from_a_build_without_digestif() {
    let Some(plain) = build(&kustomization(None, None), &FLAGS) else { return };
    let plain = plain.succeeded();
    assert!(plain.contains("name: shop-settings-blue-"), "there is a hash suffix: {plain}");
    for rest in ["", "kubeVersion: '1.32'\npin: tag-digest\n"] {
        let folder = kustomization(Some(&config(rest)), None);
        let ran = build(&folder, &FLAGS).expect("it was there before");
        let said = "digestif: pinned 1 image at 1 place in 3 objects; 1 substituted at 1 place\n";
        assert!(ran.stderr.ends_with(said), "{}", ran.stderr);
        let built = ran.succeeded();
        assert_eq!(built, pinned(&plain));
        assert_eq!(differing(&plain, &built).len(), 2);
    }
}

#[test]
fn arguments_and_variables_reach_the_function() {
    let annotated = config("").replace(
        "path: digestif\n",
        "path: digestif\n        args: [--pin=digest]\n        envs: [DIGESTIF_QUIET=true]\n",
    );
    let folder = kustomization(Some(&annotated), None);
    let Some(ran) = build(&folder, &FLAGS) else { return };
    // A substitution always causes a warning.
    assert!(ran.stderr.starts_with("warning: ") && !ran.stderr.contains("digestif: pinned"));
    assert!(ran.succeeded().contains("        image: nginx@sha256:"));
}

#[test]
fn a_missing_tag_ends_the_build_and_is_explained() {
    let folder = kustomization(
        Some(&config("fallbacks:\n- preset: kubernetes-version\n  enabled: false\n")),
        None,
    );
    let Some(ran) = build(&folder, &FLAGS) else { return };
    let said = ran.failed(1);
    assert!(
        said.starts_with("error: `docker.io/clastix/kubectl:v1.32` does not exist\n"),
        "{said}"
    );
    assert!(said.contains("Deployment prod/shop-web-blue, container `hooks`"), "{said}");
    assert!(said.contains("= nearest: v1.31 (a version below)\n"), "{said}");
    assert!(said.ends_with("Error: couldn't execute function: exit status 1 \n"), "{said}");
}

#[test]
fn a_wrong_configuration_ends_the_build_and_is_explained() {
    let folder = kustomization(Some(&config("kubeVersoin: '1.32'\n")), None);
    let Some(ran) = build(&folder, &FLAGS) else { return };
    let said = ran.failed(1);
    let message = "error: the configuration is wrong: unknown key `kubeVersoin`, did you mean `kubeVersion`?\n";
    assert!(said.starts_with(message), "{said}");
    // kustomize generates the list, so only the position in the list is known.
    assert!(said.contains("--> <stdin>:"), "{said}");
    assert!(said.ends_with("Error: couldn't execute function: exit status 2 \n"), "{said}");
}

#[test]
fn validators_see_the_output_of_transformers() {
    let policy = config("policy: {requireDigest: true}\n").replace("name: pin", "name: check");
    let both = kustomization(Some(&config("")), Some(&policy));
    let Some(ran) = build(&both, &FLAGS) else { return };
    let plain = build(&kustomization(None, None), &FLAGS).expect("it was there before").succeeded();
    assert_eq!(ran.succeeded(), pinned(&plain));
    let alone = kustomization(None, Some(&policy));
    let said = build(&alone, &FLAGS).expect("it was there before").failed(1);
    assert!(said.starts_with("error: `docker.io/library/nginx:1.29.1` has no digest\n"), "{said}");
    assert!(said.contains("error: `docker.io/clastix/kubectl:v1.32` has no digest\n"), "{said}");
    assert!(said.ends_with("Error: couldn't execute function: exit status 5 \n"), "{said}");
}

#[test]
fn the_gate_finds_images_if_a_host_skips_the_function() {
    let folder = kustomization(Some(&config("")), Some(&config("policy: {requireDigest: true}\n")));
    let skipped = "--enable-alpha-plugins";
    for (name, args) in [("kustomize", ["build", skipped]), ("kubectl", ["kustomize", skipped])] {
        let Some(mut client) = client(name) else { return };
        let ran = run_in(folder.path(), client.envs(offline()), args);
        assert_eq!(ran.stderr, "", "it prints no message");
        let built = ran.succeeded();
        assert!(built.contains("image: nginx:1.29.1\n"), "{built}");
        let checked = digestif(["check", "--require-digest"], &built);
        assert_eq!(checked.status, 5);
        let message = "error: `docker.io/library/nginx:1.29.1` has no digest\n";
        assert!(checked.stderr.starts_with(message), "{}", checked.stderr);
        assert_eq!(digestif(["check", "--require-digest"], pinned(&built)).status, 0);
    }
}

#[test]
fn the_example_runs_as_it_stands() {
    let folder = crate::examples();
    let [command, plugins, exec] = FLAGS;
    let at = |path| build(&folder, &[command, plugins, exec, path]);
    let Some(plain) = at("examples/app") else { return };
    let built = at("examples/kustomize-exec").expect("it was there before");
    let built = built.succeeded();
    assert!(built.contains("  name: shop-settings-"), "{built}");
    let plain = plain.succeeded().replace("name: web\n", "name: shop-web\n");
    assert_eq!(built, pinned(&plain.replace("name: settings-", "name: shop-settings-")));
}
