//! Digests and substitutes in the input: each tag has one digest, and a rule may have chosen
//! another tag.

use std::fs;

use crate::support::digest_of;
use crate::support::registry::Content;
use crate::{KUBECTL, Setup, corpus, entry, images, lock_of, own, pinned, pods, says};

#[test]
fn digests_in_the_input_are_compared_with_the_lock() {
    let web = "docker.io/acme/web:v1";
    let old = format!("sha256:{}", "1".repeat(64));
    let setup = Setup::locked(Content::everything(), lock_of(&[entry(web, "v1", &old, None)]));
    let manifests = pods(&[format!("{web}@{old}")]);
    for flags in [&["check"][..], &["--locked"]] {
        let (ran, cost) = setup.cost(|| setup.run(flags, &manifests));
        assert_eq!((ran.status, cost), (0, 0), "{flags:?}: {}", ran.stderr);
    }

    // The registry has another digest. There is one message for all places of a tag.
    for manifests in [&manifests, &pods(&[&*format!("{web}@{old}"), "acme/web:v1"])] {
        let (drift, cost) = setup.cost(|| setup.run(&["check", "--drift"], manifests));
        // The requests: the tag, and the digest that it no longer has, with a HEAD and a GET as
        // proof.
        assert_eq!((drift.status, cost), (5, 3), "{}", drift.stderr);
        says(
            &drift.stderr,
            &[&format!("error: `{web}` has moved since it was locked"), "<stdin>:5:12"],
        );
        assert_eq!(drift.stderr.matches("error: ").count(), 1, "{}", drift.stderr);
    }

    // The digest in the input differs from the lock.
    let by_hand = format!("sha256:{}", "2".repeat(64));
    let manifests = pods(&[format!("acme/web:v1@{by_hand}"), "acme/web:v1".to_owned()]);
    for flags in [&["check"][..], &["check", "--drift"], &["--locked"]] {
        let ran = setup.run(flags, &manifests);
        assert_eq!(ran.status, 5, "{flags:?}: {}", ran.stderr);
        says(
            &ran.stderr,
            &[
                &format!("error: `{web}` has another digest in the lock"),
                &format!("= written: {by_hand}"),
                &format!("= locked: {old}"),
                "`digestif --lock images.lock.yaml --update=docker.io/acme/web`",
                "<stdin>:5:12",
            ],
        );
    }
    let taken = setup.run(&["--update=docker.io/acme/web"], &manifests).succeeded();
    assert_eq!(setup.run(&["check", "--drift"], &taken).status, 0);

    let other = format!("acme/other:v1@{old}");
    setup.run(&["--locked"], &pods(&[&other])).failed(5);
    // A skipped image need not be in the lock.
    let skip = ["--locked", "--skip=docker.io/acme/*"];
    setup.run(&skip, &pods(&[format!("acme/web:v1@{by_hand}")])).succeeded();
}

#[test]
fn a_substitute_in_the_input_is_compared_with_its_entry() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let setup = Setup::new(Content::of(&[(KUBECTL, &["v1.31"])]));
    let first = setup.run(&[], &pods(&[&kubectl])).succeeded();
    assert_eq!(images(&first), [pinned(&format!("{KUBECTL}:v1.31"))]);
    for flags in [&["check"][..], &["check", "--drift"]] {
        let ran = setup.run(flags, &first);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{flags:?}");
    }
    let other = format!("{KUBECTL}:v1.31@sha256:{}", "2".repeat(64));
    let ran = setup.run(&["check"], &pods(&[&other]));
    assert_eq!(ran.status, 5);
    says(&ran.stderr, &["`docker.io/clastix/kubectl:v1.31` has another digest in the lock"]);

    let old = format!("sha256:{}", "1".repeat(64));
    setup.write(lock_of(&[entry(&kubectl, "v1.31", &old, Some("kubernetes-version"))]));
    let drift = setup.run(&["check", "--drift"], &pods(&[format!("{KUBECTL}:v1.31@{old}")]));
    assert_eq!(drift.status, 5);
    says(&drift.stderr, &["`docker.io/clastix/kubectl:v1.31` has moved since it was locked"]);
}

#[test]
fn a_substitute_stays_until_an_update_requests_the_original() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let mut runs = vec![pods(&[&kubectl, &kubectl])];
    runs.extend(corpus().map(|corpus| {
        fs::read_to_string(corpus.join("capsule-v0.7.2-kube1.32.yaml")).expect("readable")
    }));
    for manifests in runs {
        let capsule = ("ghcr.io/projectcapsule/capsule", &["v0.7.2"][..]);
        let setup = Setup::new(Content::of(&[(KUBECTL, &["v1.31"]), capsule]));
        let first = setup.run(&[], &manifests).succeeded();
        let lock = setup.lock();
        let substitute = entry(
            &kubectl,
            "v1.31",
            &digest_of("clastix/kubectl:v1.31"),
            Some("kubernetes-version"),
        );
        says(&lock, &[&substitute]);
        assert_eq!(setup.run(&["check", "--drift"], &manifests).status, 0);

        let published =
            Setup::locked(Content::of(&[(KUBECTL, &["v1.31", "v1.32"]), capsule]), &lock);
        assert_eq!(published.run(&[], &manifests).succeeded(), first);
        assert_eq!(published.run(&["check"], &manifests).status, 0);
        assert_eq!(published.registry.requests().len(), 0);
        let drift = published.run(&["check", "--drift"], &manifests);
        assert_eq!(drift.status, 5);
        says(
            &drift.stderr,
            &["error: `docker.io/clastix/kubectl:v1.32` exists now, but the lock has a substitute"],
        );
        assert_eq!(drift.stderr.matches("error: ").count(), 1, "{}", drift.stderr);
        let updated = published.run(&["--update=docker.io/clastix/*"], &manifests).succeeded();
        assert_eq!(updated.matches(&pinned(&kubectl)).count(), manifests.matches(&kubectl).count());
        says(&published.lock(), &[&own(&kubectl)]);
        assert!(!published.lock().contains("rule"), "{}", published.lock());
    }
}

#[test]
fn a_substitute_in_the_lock_obeys_the_rules_of_the_run() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let digest = digest_of("clastix/kubectl:v1.31");
    let lock = lock_of(&[entry(&kubectl, "v1.31", &digest, Some("gone"))]);
    let setup = Setup::locked(Content::everything(), &lock);
    let (ran, cost) = setup.cost(|| setup.run(&["--no-fallback"], &pods(&[&kubectl])));
    assert_eq!(cost, 0);
    let message = "error: `docker.io/clastix/kubectl:v1.32` is locked to the substitute `docker.io/clastix/kubectl:v1.31`, which `--no-fallback` forbids";
    says(&ran.failed(5), &[message, "--update=docker.io/clastix/kubectl"]);
    let used = setup.run(&["--locked"], &pods(&[&kubectl]));
    says(&used.stderr, &["is locked by a rule that is no longer configured", "rule: gone"]);
    assert_eq!(images(&used.succeeded()), [pinned(&format!("{KUBECTL}:v1.31"))]);
    let updated = setup.run(&["--no-fallback", "--update"], &pods(&[&kubectl]));
    assert_eq!(images(&updated.succeeded()), [pinned(&kubectl)]);
}

#[test]
fn one_tag_has_one_digest_for_all_its_images() {
    let kubectl = format!("{KUBECTL}:v1.32");
    let old = format!("sha256:{}", "1".repeat(64));
    let lock = lock_of(&[entry(&kubectl, "v1.31", &old, Some("kubernetes-version"))]);
    let setup = Setup::locked(Content::of(&[(KUBECTL, &["v1.31"])]), &lock);
    let direct = format!("{KUBECTL}:v1.31");
    let (given, cost) = setup.cost(|| setup.run(&[], &pods(&[&direct, &kubectl])).succeeded());
    assert_eq!((images(&given), cost), (vec![&*format!("{direct}@{old}"); 2], 0));
    assert_eq!(
        setup.lock(),
        lock_of(&[
            entry(&direct, "v1.31", &old, None),
            entry(&kubectl, "v1.31", &old, Some("kubernetes-version"))
        ])
    );
}

#[test]
fn a_substitute_elsewhere_is_recorded_with_its_repository() {
    let setup = Setup::new(Content::of(&[("docker.io/bitnamilegacy/redis", &["7.2"])]));
    let rule = "--fallback=.+=docker.io/bitnamilegacy/$name:$tag";
    let first = setup.run(&[rule], &pods(&["bitnami/redis:7.2"])).succeeded();
    let expected = format!(
        "- image: docker.io/bitnami/redis:7.2\n  repository: docker.io/bitnamilegacy/redis\n  tag: '7.2'\n  digest: {}\n  rule: '--fallback .+=docker.io/bitnamilegacy/$name:$tag'\n",
        digest_of("docker.io/bitnamilegacy/redis:7.2")
    );
    assert_eq!(setup.lock(), lock_of(&[expected]));
    let again = setup.run(&["--locked"], &pods(&["bitnami/redis:7.2"])).succeeded();
    assert_eq!(again, first);
}

#[test]
fn an_entry_that_its_rule_cannot_have_made_is_refused_before_any_request() {
    let digest = format!("sha256:{}", "e".repeat(64));
    let elsewhere = |image: &str, repository: &str, tag: &str, rule: &str| {
        format!(
            "- image: {image}\n  repository: {repository}\n  tag: {tag}\n  digest: {digest}\n  rule: '{rule}'\n"
        )
    };
    let here = |image: &str, tag: &str, rule: &str| entry(image, tag, &digest, Some(rule));
    let kubectl = format!("{KUBECTL}:v1.32");
    let miner = "docker.io/evil/miner";
    let rule = "--fallback docker.io/acme/*:main-(.+)=$1";
    let flag = format!("--fallback={}", &rule["--fallback ".len()..]);
    let nginx = "docker.io/library/nginx:1.25";
    for (wrong, image, flags) in [
        // The built-in rule only matches clients of Kubernetes. It keeps the repository, the suffix
        // and most of the minor version.
        (elsewhere(nginx, miner, "v1", "kubernetes-version"), nginx, &[][..]),
        (elsewhere(&kubectl, miner, "v1.31", "kubernetes-version"), &kubectl, &[]),
        (here(&kubectl, "v1.30", "kubernetes-version"), &kubectl, &[]),
        (here(&kubectl, "v1.31-debug", "kubernetes-version"), &kubectl, &[]),
        (here(&kubectl, "v1.31", "kubernetes-version"), &kubectl, &["--kube-version=1.33"]),
        // A preset leads to its own places, whether it is on or off.
        (
            elsewhere("docker.io/bitnami/redis:v7", miner, "v7", "bitnamilegacy"),
            "bitnami/redis:v7",
            &[],
        ),
        (
            elsewhere(
                "docker.io/bitnami/redis:v7",
                "docker.io/bitnamilegacy/redis",
                "v8",
                "bitnamilegacy",
            ),
            "bitnami/redis:v7",
            &["--preset=bitnamilegacy"],
        ),
        // A rule of this run.
        (here("docker.io/acme/web:main-v1", "v2", rule), "acme/web:main-v1", &[&flag]),
        // The entry is also used by the tag that supplied the digest, and by the digest itself.
        (elsewhere(nginx, "docker.io/acme/web", "v1", "kubernetes-version"), "acme/web:v1", &[]),
        (elsewhere(nginx, miner, "v1", "kubernetes-version"), &format!("{miner}@{digest}"), &[]),
    ] {
        let setup = Setup::locked(Content::everything(), lock_of(&[&*wrong]));
        for command in [&[][..], &["--locked"], &["--offline"], &["check"], &["--require-digest"]] {
            let ran = setup.run(&[command, flags].concat(), &pods(&[image]));
            assert_eq!(ran.status, 2, "{command:?} {wrong}: {}", ran.stderr);
            says(&ran.stderr, &["that its rule can't choose", "--> images.lock.yaml", "= rule: "]);
        }
        assert_eq!((setup.registry.requests().len(), setup.lock()), (0, lock_of(&[&*wrong])));
        // A run of another image does not use the entry, and neither does an update of this one.
        setup.run(&[], &pods(&["quay.io/acme/other:v1"])).succeeded();
        if !image.contains('@') {
            let update = setup.run(&[&["--update"], flags].concat(), &pods(&[image]));
            assert_eq!(update.status, 0, "{}", update.stderr);
        }
    }
}

#[test]
fn an_entry_that_its_rule_can_have_made_is_used() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let here = |image: &str, tag: &str| entry(image, tag, &digest, Some("kubernetes-version"));
    for (image, tag, flags) in [
        (format!("{KUBECTL}:v1.32"), "v1.31", &[][..]),
        (format!("{KUBECTL}:v1.32"), "v1.32.7", &[]),
        (format!("{KUBECTL}:v1.32"), "v1.30.1", &["--max-minor-skew=2"]),
        (format!("{KUBECTL}:v1.32"), "v1.30.1", &["--kube-version=1.31"]),
        (format!("{KUBECTL}:v1.32.4+k3s1"), "v1.32.4", &[]),
    ] {
        let setup = Setup::locked(Content::everything(), lock_of(&[here(&image, tag)]));
        let ran = setup.run(&[&["--locked"], flags].concat(), &pods(&[&image]));
        assert_eq!(images(&ran.succeeded()), [format!("{KUBECTL}:{tag}@{digest}")]);
    }
}
