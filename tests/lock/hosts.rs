//! The lock in a configuration, in a KRM function and under Helm 4.

use std::fs;

use crate::support::registry::Content;
use crate::{Setup, lock_of, own, pinned, pods, says};

#[test]
fn a_configuration_names_a_lock_relative_to_itself() {
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
    // Another output with this path would overwrite the lock, even in a failed run.
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
    let given = setup.without(&[], &["fn"], &list("own.yaml", "acme/web:v1")).succeeded();
    says(&given, &[&pinned("acme/web:v1")]);
    let own_lock = setup.folder.path().join("own.yaml");
    let expected = lock_of(&[own("docker.io/acme/web:v1")]);
    assert_eq!(fs::read_to_string(&own_lock).expect("written"), expected);
    let flags = ["fn", "--locked", "--lock", "not-this-one.yaml"];
    let again = setup.without(&[], &flags, &list("own.yaml", "acme/web:v1"));
    assert_eq!(again.succeeded(), given);
    for (lock, image, flags, status, message) in [
        (
            "own.yaml",
            "acme/new:v1",
            &["fn", "--locked"][..],
            5,
            "`docker.io/acme/new:v1` is not in the lock",
        ),
        ("gone.yaml", "acme/web:v1", &["fn", "--locked"], 2, "the lock does not exist"),
        ("nowhere/lock.yaml", "acme/web:v1", &["fn"], 2, "the file can't be written"),
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
fn helm_4_gets_the_digests_of_the_lock() {
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
