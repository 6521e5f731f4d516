//! `--update`: locked images are resolved again.

use std::fs;

use crate::support::digest_of;
use crate::support::registry::Content;
use crate::{EXTPROC, KUBECTL, Setup, entry, images, lock_of, own, pinned, pods, says};

#[test]
fn the_lock_keeps_the_old_digest_until_an_update() {
    let image = format!("{EXTPROC}:v0.3.0");
    let old = format!("sha256:{}", "1".repeat(64));
    let before = lock_of(&[entry(&image, "v0.3.0", &old, None), own("docker.io/acme/web:v1")]);
    let setup = Setup::locked(Content::everything(), &before);
    let manifests = pods(&[&image]);

    let (check, cost) = setup.cost(|| setup.run(&["check"], &manifests));
    assert_eq!((check.status, cost), (0, 0), "{}", check.stderr);
    says(
        &check.stderr,
        &["warning: the lock has an image that is not used here: `docker.io/acme/web:v1`"],
    );

    let drift = setup.run(&["check", "--drift"], &manifests);
    assert_eq!(drift.status, 5);
    says(
        &drift.stderr,
        &[
            &format!("error: `{image}` has moved since it was locked"),
            "<stdin>:5:12",
            &format!("= locked: {old}"),
            &format!("= now: {}", digest_of(&image)),
            &format!("`digestif --lock images.lock.yaml --update={EXTPROC}` to use it"),
        ],
    );
    let (run, cost) = setup.cost(|| setup.run(&[], &manifests).succeeded());
    assert_eq!((images(&run), cost), (vec![&*format!("{image}@{old}")], 0));
    assert_eq!(setup.lock(), before);

    let other = setup.run(&["--update=docker.io/**"], &manifests);
    says(&other.stderr, &["`docker.io/**` of `--update` matches no image"]);
    assert_eq!(other.succeeded(), run);
    let new = setup.run(&[&format!("--update={EXTPROC}")], &manifests).succeeded();
    assert_eq!(images(&new), [pinned(&image)]);
    assert_eq!(setup.lock(), before.replace(&old, &digest_of(&image)));
    assert_eq!(setup.run(&["check", "--drift"], &manifests).status, 0);

    // A rollback: the older lock, offline.
    setup.write(&before);
    let (back, cost) = setup.cost(|| setup.run(&["--offline"], &manifests).succeeded());
    assert_eq!((back, cost), (run, 0));
    setup.run(&["--offline"], &pods(&[&image, "acme/new:v1"])).failed(5);
}

#[test]
fn an_update_changes_every_entry_with_the_same_source() {
    let (direct, kubectl) = (format!("{KUBECTL}:v1.31"), format!("{KUBECTL}:v1.32"));
    let old = format!("sha256:{}", "1".repeat(64));
    let rule = Some("kubernetes-version");
    let both = |digest: &str| {
        lock_of(&[entry(&direct, "v1.31", digest, None), entry(&kubectl, "v1.31", digest, rule)])
    };
    let content = || Content::of(&[(KUBECTL, &["v1.31"])]);
    for image in [&direct, &kubectl] {
        let setup = Setup::locked(content(), both(&old));
        let ran = setup.run(&["--update"], &pods(&[image]));
        says(&ran.stderr, &["; 2 recorded in images.lock.yaml"]);
        assert_eq!(images(&ran.succeeded()), [pinned(&direct)]);
        assert_eq!(setup.lock(), both(&digest_of(&direct)));
    }
}

#[test]
fn an_update_of_a_repository_includes_images_with_a_substitute_in_it() {
    let (web, old) = ("docker.io/acme/web:v1", "docker.io/acme/old:v1");
    let stale = format!("sha256:{}", "1".repeat(64));
    let moved = |digest: &str| {
        format!(
            "- image: {old}\n  repository: docker.io/acme/web\n  tag: v1\n  digest: {digest}\n  rule: moved\n"
        )
    };
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n- {name: moved, images: [docker.io/acme/old], try: ['docker.io/acme/web:$tag']}\n";
    let both = lock_of(&[moved(&digest_of(web)), own(web)]);
    let one = lock_of(&[moved(&digest_of(web))]);
    for (asked, after) in [(&[web][..], &both), (&[old], &one), (&[old, web], &both)] {
        let setup = Setup::locked(
            Content::of(&[("docker.io/acme/web", &["v1"])]),
            lock_of(&[moved(&stale)]),
        );
        fs::write(setup.folder.path().join("digestif.yaml"), config).expect("writable");
        let ran = setup.run(&["--update=docker.io/acme/web"], &pods(asked));
        assert!(!ran.stderr.contains("matches no image"), "{}", ran.stderr);
        let given = ran.succeeded();
        assert!(images(&given).iter().all(|image| image.ends_with(&digest_of(web))), "{given}");
        assert_eq!(setup.lock(), *after);
    }
}

#[test]
fn an_update_refreshes_files_that_were_pinned_in_place() {
    let setup = Setup::new(Content::everything());
    let old = format!("sha256:{}", "1".repeat(64));
    let before = pods(&[
        &*format!("redis:7@{old}"),
        &format!("\"docker.io/library/redis:7@{old}\""),
        "redis:7",
        &format!("redis@{old}"),
        &format!("quay.io/a/b:1@{old}"),
        &pinned("acme/web:1"),
    ]);
    let file = setup.folder.path().join("pods.yaml");
    fs::write(&file, &before).expect("writable");
    let run = |flags: &[&str]| {
        let flags: Vec<_> = ["-i", "-f", "pods.yaml"].iter().chain(flags).copied().collect();
        let ran = setup.without(&[], &flags, "");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        fs::read_to_string(&file).expect("readable")
    };
    let redis = digest_of("redis:7");
    let fresh = [
        format!("redis:7@{redis}"),
        format!("\"docker.io/library/redis:7@{redis}\""),
        format!("redis:7@{redis}"),
        format!("redis@{old}"),
        format!("quay.io/a/b:1@{old}"),
        pinned("acme/web:1"),
    ];
    let after = run(&["--update=docker.io/**"]);
    assert_eq!(images(&after), fresh);
    assert_eq!(run(&["--update=docker.io/**"]), after);
    assert_eq!(setup.registry.requests_to("library/redis"), 2, "one a run");
    assert_eq!(run(&[]), after, "without --update a digest stays");
    // With a lock, the images that are resolved again are recorded too.
    let all = run(&["--update", "--lock", "images.lock.yaml"]);
    assert_eq!(images(&all)[4], pinned("quay.io/a/b:1"));
    let recorded = ["docker.io/acme/web:1", "docker.io/library/redis:7", "quay.io/a/b:1"].map(own);
    let untagged = format!("- image: docker.io/library/redis@{old}\n  digest: {old}\n");
    let recorded = [&recorded[0], &untagged, &recorded[1], &recorded[2]];
    assert_eq!(setup.lock(), lock_of(&recorded.map(String::as_str)));
    // These entries count as used.
    let check = setup.run(&["check", "-f", "pods.yaml"], "");
    assert_eq!((check.status, check.stderr.as_str()), (0, ""));
}

#[test]
fn a_lock_may_be_in_the_folder_of_the_manifests() {
    let setup = Setup::new(Content::everything());
    let deploy = setup.folder.path().join("deploy");
    fs::create_dir(&deploy).expect("writable");
    fs::write(deploy.join("web.yaml"), pods(&["acme/web:v1"])).expect("writable");
    let run = |flags: &[&str]| {
        let named = ["-f", "deploy", "--lock", "deploy/images.lock.yaml"];
        let flags: Vec<_> = flags.iter().chain(&named).copied().collect();
        setup.without(&[], &flags, "")
    };
    let said = "warning: the lock or the configuration of this run is left out";
    assert_eq!(run(&["-i"]).stderr.matches(said).count(), 0);
    for flags in [&["-i"][..], &[], &["check"]] {
        let ran = run(flags);
        assert_eq!(ran.status, 0, "{flags:?}: {}", ran.stderr);
        says(&ran.stderr, &[said, "--> deploy/images.lock.yaml"]);
        if flags.is_empty() {
            assert_eq!(ran.stdout, pods(&[pinned("acme/web:v1")]));
        }
    }
    let path = deploy.join("images.lock.yaml");
    let lock = fs::read_to_string(&path).expect("written");
    assert_eq!(lock, lock_of(&[own("docker.io/acme/web:v1")]));
    // An error in the lock is reported as an error of the lock, even if a configuration names it.
    let config = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nlock: images.lock.yaml\n";
    fs::write(deploy.join("digestif.yaml"), config).expect("writable");
    for (text, message) in
        [("", "error: the lock is wrong: `apiVersion` or"), ("<<<<<<< ours\n", "the lock is wrong")]
    {
        fs::write(&path, text).expect("writable");
        says(&run(&[]).failed(2), &[message]);
        let named = ["-i", "-f", "deploy", "-c", "deploy/digestif.yaml"];
        says(&setup.without(&[], &named, "").failed(2), &[message]);
    }
}

#[test]
fn an_update_can_write_another_substitute() {
    let old = format!("sha256:{}", "1".repeat(64));
    let setup = Setup::new(Content::of(&[(KUBECTL, &["v1.30"])]));
    let given = setup.without(&[], &["--update"], &pods(&[format!("{KUBECTL}:v1.31@{old}")]));
    says(&given.stderr, &["`docker.io/clastix/kubectl:v1.31` does not exist"]);
    assert_eq!(images(&given.succeeded()), [pinned(&format!("{KUBECTL}:v1.30"))]);
}
