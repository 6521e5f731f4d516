//! Images with a digest in the input: they are recorded without a request. A gate fails for a
//! digest that is not in the lock.

use crate::support::registry::Content;
use crate::{HEAD, Setup, entry, lock_of, own, pinned, pods, says};

/// A digest that no registry has.
fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

/// The entry of an image with a digest and no tag.
fn untagged(repository: &str, digest: &str) -> String {
    format!("- image: {repository}@{digest}\n  digest: {digest}\n")
}

const GATES: [&[&str]; 5] = [
    &["--locked"],
    &["check"],
    &["check", "--drift"],
    &["check", "--require-digest"],
    &["--require-digest"],
];

#[test]
fn written_digests_are_recorded_without_a_request_and_pass_every_gate() {
    let (a, b) = (digest('a'), digest('b'));
    let setup = Setup::new(Content::everything());
    let images = [
        format!("web:1@{a}"),
        format!("nginx@{a}"),
        format!("nginx@{b}"),
        format!("nginx:1.27@{b}"),
        format!("docker.io/library/nginx@{b}"),
        format!("quay.io/a/b@{a}"),
    ];
    let (ran, cost) = setup.cost(|| setup.run(&[], &pods(&images)));
    assert_eq!((ran.status, cost), (0, 0), "{}", ran.stderr);
    says(&ran.stderr, &["; 5 recorded in images.lock.yaml"]);
    let nginx = "docker.io/library/nginx";
    let expected = lock_of(&[
        untagged(nginx, &a),
        untagged(nginx, &b),
        entry("docker.io/library/nginx:1.27", "'1.27'", &b, None),
        entry("docker.io/library/web:1", "'1'", &a, None),
        untagged("quay.io/a/b", &a),
    ]);
    assert_eq!(setup.lock(), expected);
    for gate in GATES.iter().filter(|gate| !gate.contains(&"--drift")) {
        let (ran, cost) = setup.cost(|| setup.run(gate, &pods(&images)));
        assert_eq!((ran.status, cost), (0, 0), "{gate:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("not used"), "{}", ran.stderr);
    }
    let (again, _) = setup.cost(|| setup.run(&[], &pods(&images)));
    assert!(!again.stderr.contains("recorded"), "{}", again.stderr);
    assert_eq!(setup.lock(), expected);
}

#[test]
fn a_written_digest_that_is_not_in_the_lock_fails_every_gate() {
    let (a, b) = (digest('a'), digest('b'));
    let known = lock_of(&[
        untagged("docker.io/acme/other", &a),
        own("docker.io/acme/web:v1"),
        untagged("quay.io/acme/web", &a),
    ]);
    let setup = Setup::locked(Content::everything(), &known);
    let web = pinned("acme/web:v1");
    let of_web = web.rsplit_once('@').expect("it has a digest").1.to_owned();
    for (image, passes) in [
        (web.clone(), true),
        (format!("acme/web@{of_web}"), true),
        (format!("acme/other@{a}"), true),
        (format!("docker.io/evil/miner:1@{a}"), false),
        (format!("nginx@{a}"), false),
        (format!("acme/web@{a}"), false),
        (format!("acme/other@{b}"), false),
        (format!("acme/other:1@{a}"), false),
        (format!("acme/web:v2@{of_web}"), false),
        (format!("quay.io/acme/web:v1@{of_web}"), false),
    ] {
        let manifests = pods(&[&web, &image]);
        for gate in GATES {
            let ran = setup.run(gate, &manifests);
            let expected = if passes { 0 } else { 5 };
            assert_eq!(ran.status, expected, "{gate:?} {image}: {}", ran.stderr);
            if !passes {
                says(
                    &ran.stderr,
                    &["is not in the lock\n  --> <stdin>:10:12\n", "help: add it: run"],
                );
            }
        }
        let expected = if passes { known.clone() } else { setup.lock() };
        assert_eq!(setup.lock(), expected, "a gate writes nothing");
    }
    let skipped = pods(&[&web, &format!("nginx@{a}")]);
    setup.run(&["--locked", "--skip=docker.io/library/*"], &skipped).succeeded();
}

#[test]
fn the_command_in_the_message_of_a_gate_adds_the_digest() {
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/acme/web:v1")]));
    let a = digest('a');
    let manifests = pods(&[pinned("acme/web:v1"), format!("nginx:1@{a}"), format!("nginx@{a}")]);
    let said = setup.run(&["--locked"], &manifests).failed(5);
    says(&said, &["add it: run `digestif --lock images.lock.yaml` on these manifests"]);
    setup.run(&[], &manifests).succeeded();
    setup.run(&["--locked"], &manifests).succeeded();
}

#[test]
fn a_digest_in_the_input_does_not_change_a_recorded_one() {
    let setup = Setup::locked(Content::everything(), lock_of(&[own("docker.io/acme/web:v1")]));
    let before = setup.lock();
    let manifests = pods(&[format!("acme/web:v1@{}", digest('a'))]);
    let ran = setup.run(&[], &manifests);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    says(
        &ran.stderr,
        &["warning: `docker.io/acme/web:v1` has another digest in the lock", "it is not recorded"],
    );
    assert_eq!(setup.lock(), before);
    // If one tag has two digests, the first is recorded.
    let two = pods(&[format!("nginx:1@{}", digest('a')), format!("nginx:1@{}", digest('b'))]);
    setup.run(&[], &two).succeeded();
    says(&setup.lock(), &[&digest('a')]);
    setup.run(&["--locked"], &two).failed(5);
}

#[test]
fn an_entry_of_a_digest_is_checked() {
    let a = digest('a');
    let setup = Setup::new(Content::everything());
    let good = untagged("docker.io/acme/web", &a);
    for (bad, message, place) in [
        (good.replace("docker.io/acme", "acme"), "is not the full name of an image", "4:10"),
        (
            good.replace("  digest: sha256:aa", "  digest: sha256:ab"),
            "the digest is not that of `image`",
            "5:11",
        ),
        (
            format!("{good}  tag: v1\n"),
            "an image that has a digest has only `image`, `digest` and `seen`",
            "6:8",
        ),
        (format!("{good}  rule: a\n"), "has only `image`, `digest` and `seen`", "6:9"),
        (format!("{good}{good}"), "there are two entries for", "6:10"),
        (good.replace("@sha256", ":v1@sha256"), "already has a digest", "4:10"),
    ] {
        setup.write(format!("{HEAD}images:\n{bad}"));
        let said = setup.run(&["--locked"], &pods(&["acme/web:v1"])).failed(2);
        says(&said, &["error: the lock is wrong: ", message, &format!("images.lock.yaml:{place}")]);
    }
}
