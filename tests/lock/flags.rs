//! The flags and variables that go with `--lock`.

use std::fs;

use crate::support::digest_of;
use crate::support::registry::Content;
use crate::{Setup, entry, lock_of, own, pinned, pods, says};

#[test]
fn the_variable_for_updates_accepts_the_same_words_as_others() {
    let old = entry("docker.io/a/b:v1", "v1", &format!("sha256:{}", "1".repeat(64)), None);
    let setup = Setup::new(Content::everything());
    for (word, is_updated) in
        [("true", true), ("yes", true), ("on", true), ("TRUE", true), ("no", false), ("0", false)]
    {
        setup.write(lock_of(&[&*old]));
        let env = [("DIGESTIF_LOCK", "images.lock.yaml"), ("DIGESTIF_UPDATE", word)];
        let ran = setup.without(&env, &[], &pods(&["a/b:v1"]));
        assert!(!ran.stderr.contains("warning"), "{word}: {}", ran.stderr);
        ran.succeeded();
        assert_eq!(setup.lock() == lock_of(&[own("docker.io/a/b:v1")]), is_updated, "{word}");
    }
}

#[test]
fn an_offline_update_is_an_error() {
    let before = lock_of(&[own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let said = setup.run(&["--update", "--offline"], &pods(&["acme/web:v1"])).failed(5);
    says(
        &said,
        &[
            "error: `docker.io/acme/web:v1` is in the lock, but `--update` must resolve it again, and `--offline` forbids that",
            "help: remove `--offline`, or remove `--update` to use the locked digest",
        ],
    );
    assert!(!said.contains("neither"), "{said}");
    assert_eq!(setup.lock(), before);
}

#[test]
fn flags_that_need_a_lock_or_contradict_each_other_are_refused() {
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/a/b:v1")]));
    let manifests = pods(&["a/b:v1"]);
    for (flags, message) in [
        (&["--locked"][..], "`--locked` needs a lock: name it with `--lock FILE`"),
        (&["check", "--drift=moved"], "expected `vanished`, or nothing"),
        (&["--drift"], "unexpected argument '--drift' found"),
        (&["check", "--update"], "unexpected argument '--update' found"),
        (&["--locked", "--update"], "'--update' cannot be used with '--locked'"),
        (&["check", "--drift", "--offline"], "'--drift' cannot be used with '--offline'"),
        (&["--update=["], "`--update`: error parsing glob"),
        (&["--update="], "`--update`: an empty glob matches no image"),
        (
            &["--update=nginx"],
            "`--update`: `nginx` can't match an image: a full name has a registry",
        ),
        (&["--lock", "-"], "the lock must be a file"),
        (
            &["--lock", "images.lock.yaml", "-o", "./images.lock.yaml"],
            "`--output` and `--lock` name one file",
        ),
        (
            &["--lock", "images.lock.yaml", "--report", "images.lock.yaml"],
            "`--report` and `--lock` name one file",
        ),
        (
            &["--lock", "images.lock.yaml", "-f", "./images.lock.yaml"],
            "the lock is also an input, but it is not a manifest",
        ),
        (&["--lock", "images.lock.yaml", "-f", "."], "there is no manifest in this directory"),
    ] {
        let ran = setup.without(&[], flags, &manifests);
        assert_eq!(ran.status, 2, "{flags:?}: {}", ran.stderr);
        says(&ran.stderr, &[message]);
    }
    // A pipeline may set these variables for all commands. Commands that they do not apply to must
    // not fail.
    let env = [("DIGESTIF_LOCK", "images.lock.yaml"), ("DIGESTIF_UPDATE", "true")];
    assert_eq!(setup.without(&env, &["check"], &manifests).status, 0);
    assert_eq!(setup.registry.requests().len(), 0);
    setup.without(&env, &[], &manifests).succeeded();
    assert_eq!(setup.registry.requests().len(), 1);
    let env = [("DIGESTIF_LOCK", "images.lock.yaml"), ("DIGESTIF_DRIFT", "true")];
    setup.without(&env, &["--locked"], &manifests).succeeded();
    assert_eq!(setup.registry.requests().len(), 1);
}

#[test]
fn requiring_digests_does_not_switch_other_gates_off() {
    let known = "a/b:v1";
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/a/b:v1")]));
    let config =
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\npolicy: {requireDigest: true}\n";
    fs::write(setup.folder.path().join("c.yaml"), config).expect("writable");
    let other = format!("docker.io/evil/miner:1@sha256:{}", "e".repeat(64));
    for (env, flags) in [
        (&[][..], &["--require-digest"][..]),
        (&[], &["--locked", "--require-digest"]),
        (&[("DIGESTIF_REQUIRE_DIGEST", "true")], &["check"]),
        (&[], &["check", "-c", "c.yaml"]),
        (&[], &["check", "--drift", "--require-digest"]),
        (&[("DIGESTIF_DRIFT", "true")], &["check", "-c", "c.yaml"]),
    ] {
        let flags: Vec<_> = flags.iter().chain(&["--lock", "images.lock.yaml"]).copied().collect();
        let ran = setup.without(env, &flags, &pods(&[pinned(known)]));
        assert_eq!(ran.status, 0, "{flags:?}: {}", ran.stderr);
        let ran = setup.without(env, &flags, &pods(&[known, &other]));
        assert_eq!(ran.status, 5, "{flags:?}: {}", ran.stderr);
        says(
            &ran.stderr,
            &["`docker.io/a/b:v1` has no digest", &format!("`{other}` is not in the lock")],
        );
    }
    let moved = lock_of(&[own("docker.io/a/b:v1").replace(&digest_of(known), &other[23..])]);
    setup.write(&moved);
    let flags = ["check", "--drift", "--require-digest", "--lock", "images.lock.yaml"];
    let input = pods(&[format!("{known}@{}", &other[23..])]);
    let ran = setup.without(&[], &flags, &input);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    says(&ran.stderr, &["`docker.io/a/b:v1` has moved since it was locked"]);
    let env = [("DIGESTIF_LOCKED", "true")];
    setup.without(&env, &["images"], &input).succeeded();
}
