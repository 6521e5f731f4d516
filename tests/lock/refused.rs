//! Wrong locks, locks that lack an entry, and the schema of a lock.

use std::fs;

use crate::support::registry::Content;
use crate::support::{digest_of, digestif};
use crate::{HEAD, KUBECTL, Setup, images, lock_of, own, pods, says};

#[test]
fn a_wrong_lock_is_reported_with_its_position_and_stays_unchanged() {
    let good = lock_of(&[own("docker.io/acme/web:v1")]);
    for (lock, message, at) in [
        (good.replace("kind", "knd"), "it is not a mapping with `apiVersion` and `kind`", "2:1"),
        (good.replace("  tag", "  tga"), "unknown key `tga`, did you mean `tag`?", "5:3"),
        (
            good.replace("v1alpha1", "v2"),
            "unknown value `digestif.dev/v2`, did you mean `digestif.dev/v1alpha1`?",
            "1:13",
        ),
        (format!("{good}{}", own("docker.io/acme/web:v1")), "there are two entries", "7:10"),
        (good.replace("sha256:", "sha256:x"), "`x` is not a lower-case hex digit", "6:11"),
        (format!("{good}  digest: a\n"), "the key `digest` occurs twice", "7:3"),
        (format!("{good}<<<<<<< ours\n"), "", "7:"),
        (String::new(), "`apiVersion` or `kind` is missing", "1:1"),
        (format!("{good}---\n{good}"), "there is more than one document in it", ""),
    ] {
        let setup = Setup::locked(Content::everything(), &lock);
        let manifests = pods(&["acme/web:v1", "acme/new:v1"]);
        for flags in [&[][..], &["--locked"], &["--offline"], &["--update"]] {
            let said = setup.run(flags, &manifests).failed(2);
            says(
                &said,
                &["error: the lock is wrong: ", message, &format!("images.lock.yaml:{at}")],
            );
        }
        let report = setup.run(&["check"], &manifests);
        assert_eq!(report.status, 2);
        assert_eq!((setup.lock(), setup.registry.requests().len()), (lock, 0));
    }
    let setup = Setup::new(Content::everything());
    for (bytes, message) in [
        (&b"\xff\xfe"[..], "error: the file is UTF-16"),
        (b"\xfc", "error: the file is not UTF-8: byte 0xfc"),
        (b"\0", "error: the file holds a NUL byte"),
    ] {
        fs::write(setup.path(), bytes).expect("writable");
        let said = setup.run(&[], &pods(&["a:1"])).failed(2);
        says(&said, &[message, "--> images.lock.yaml:1:1"]);
        assert!(!said.contains("kubectl"), "{said}");
    }
}

#[test]
fn a_lock_in_another_yaml_style_is_extended_or_refused() {
    let digest = digest_of("acme/web:v1");
    let flow = format!(
        "{{apiVersion: digestif.dev/v1alpha1, kind: ImageLock, images: [{{image: docker.io/acme/web:v1, tag: v1, digest: '{digest}'}}]}}\n"
    );
    let setup = Setup::locked(Content::everything(), &flow);
    assert_eq!(images(&setup.run(&["--locked"], &pods(&["acme/web:v1"])).succeeded()).len(), 1);
    let said = setup.run(&[], &pods(&["acme/web:v1", "acme/new:v1"])).failed(2);
    says(
        &said,
        &["error: the lock is written in a way that can't be changed safely", "images.lock.yaml"],
    );
    assert_eq!(setup.lock(), flow);
    setup.write(format!("{HEAD}images: [] # none yet\n"));
    setup.run(&[], &pods(&["acme/new:v1"])).succeeded();
    assert_eq!(setup.lock(), format!("{HEAD}images: # none yet\n{}", own("docker.io/acme/new:v1")));
}

#[test]
fn a_missing_entry_fails_and_the_message_explains_how_to_add_it() {
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&["acme/web:v1", "acme/new:v1", "acme/kubectl:v1.16+", "acme/new:v1"]);
    for (flags, message, otherwise) in [
        (&["--locked"][..], "`docker.io/acme/new:v1` is not in the lock", "without `--locked`"),
        (
            &["--offline"],
            "`docker.io/acme/new:v1` is neither in the lock nor in an image layout, and `--offline` forbids requests",
            "without `--offline`",
        ),
        (&["check"], "`docker.io/acme/new:v1` is not in the lock", "without `--locked`"),
    ] {
        let (ran, cost) = setup.cost(|| setup.run(flags, &manifests));
        assert_eq!((ran.status, cost), (5, 0), "{flags:?}: {}", ran.stderr);
        let help = format!(
            "help: add it: run `digestif --lock images.lock.yaml` on these manifests, {otherwise}"
        );
        says(&ran.stderr, &[message, "docker.io/acme/kubectl:v1.16+", &help, "<stdin>:10:"]);
        assert_eq!(ran.stderr.matches("error: `docker.io/acme/new:v1`").count(), 1);
    }
    assert_eq!(setup.lock(), before);
    fs::remove_file(setup.path()).expect("ours");
    for flags in [&["--locked"][..], &["check"], &["check", "--drift"]] {
        let ran = setup.run(flags, &manifests);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        says(&ran.stderr, &["error: the lock does not exist", "--> images.lock.yaml"]);
    }
    assert_eq!(setup.files().len(), 0);
}

#[test]
fn every_accepted_lock_matches_the_schema_and_refused_ones_do_not() {
    let schema = digestif(["schema", "lock"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let fits = |text: &str| {
        let value: serde_yaml::Value = serde_yaml::from_str(text).expect("YAML");
        schema.is_valid(&serde_json::to_value(value).expect("JSON"))
    };
    let kubectl = format!("{KUBECTL}:v1.32");
    let setup = Setup::new(Content::of(&[
        (KUBECTL, &["v1.31"]),
        ("docker.io/acme/web", &["1", "1.10", "1e3", "2024-01-01", "0x1f", "on"]),
    ]));
    let tags = ["1", "1.10", "1e3", "2024-01-01", "0x1f", "on"];
    let mut images: Vec<_> = tags.iter().map(|tag| format!("acme/web:{tag}")).collect();
    images.push(kubectl);
    setup.run(&[], &pods(&images)).succeeded();
    let good = setup.lock();
    assert!(fits(&good), "{good}");
    setup.run(&["--locked"], &pods(&images)).succeeded();
    for (from, to) in [
        ("v1alpha1", "v2"),
        ("ImageLock", "PinImages"),
        ("sha256:", "sha256:x"),
        ("  rule:", "  why:"),
        ("kind: ImageLock\n", ""),
        ("  tag: v1.31\n", ""),
        ("images:", "image:"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(!fits(&bad), "{bad}");
        setup.write(&bad);
        setup.run(&["--locked"], &pods(&images)).failed(2);
    }
}
