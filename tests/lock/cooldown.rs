//! A cooldown: a digest is used only if a run first saw it some days ago.

use std::fs;

use crate::support::registry::Content;
use crate::support::{Ran, command, digest_of, finish, for_every_host, start};
use crate::{Setup, images, lock_of, pods, says};

const WEB: &str = "docker.io/acme/web";

/// The n-th day from the start of November 2026, for a year.
fn day(mut n: u32) -> String {
    let months = (11..=12).map(|month| (2026, month)).chain((1..=11).map(|month| (2027, month)));
    for (year, month) in months {
        let days = match month {
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if n <= days {
            return format!("{year}-{month:02}-{n:02}");
        }
        n -= days;
    }
    panic!("more than a year")
}

/// A run on this day.
fn on(setup: &Setup, day: &str, flags: &[&str], manifests: &str) -> Ran {
    let mut command = command([for_every_host(&setup.registry).as_str()]);
    command.args(flags).env("DIGESTIF_TODAY", day).current_dir(setup.folder.path());
    if !flags.iter().any(|flag| flag.starts_with("--config")) {
        command.args(["--lock", "images.lock.yaml"]);
    }
    finish(start(&mut command), manifests.as_bytes())
}

/// The digest of the n-th build of a repository.
fn build(repository: &str, n: u32) -> String {
    digest_of(&format!("{repository}:build-{n}"))
}

fn entry(repository: &str, digest: &str, more: &str) -> String {
    format!("- image: {repository}:v1\n  tag: v1\n  digest: {digest}\n{more}")
}

#[test]
fn a_digest_is_used_when_it_is_old_enough() {
    let setup = Setup::new(Content::everything());
    let manifests = pods(&[format!("{WEB}:v1")]);
    let move_to = |n: u32| setup.registry.move_tag(WEB, "v1", &format!("build-{n}"));
    let nightly = |n: u32| on(&setup, &day(n), &["--update", "--cooldown=7d"], &manifests);

    move_to(1);
    let first = nightly(1);
    says(&first.stderr, &["warning: an image is new to the lock, and is used at once", WEB]);
    assert_eq!(images(&first.succeeded()), [format!("{WEB}:v1@{}", build(WEB, 1))]);
    assert_eq!(setup.lock(), lock_of(&[entry(WEB, &build(WEB, 1), "  seen: 2026-11-01\n")]));

    move_to(2);
    let second = nightly(2);
    says(
        &second.stderr,
        &[
            "warning: an image has a newer digest that is not old enough",
            &format!("{WEB}:v1: first seen today; will be adopted on 2026-11-09"),
        ],
    );
    assert_eq!(images(&second.succeeded()), [format!("{WEB}:v1@{}", build(WEB, 1))]);
    let next = |n: u32, seen: u32| format!("{{digest: {}, seen: {}}}", build(WEB, n), day(seen));
    let waiting = format!("  seen: 2026-11-01\n  next: [{}]\n", next(2, 2));
    assert_eq!(setup.lock(), lock_of(&[entry(WEB, &build(WEB, 1), &waiting)]));

    move_to(3);
    let third = nightly(8).succeeded();
    assert_eq!(images(&third), [format!("{WEB}:v1@{}", build(WEB, 1))]);
    let fourth = nightly(9).succeeded();
    assert_eq!(images(&fourth), [format!("{WEB}:v1@{}", build(WEB, 2))]);
    let waiting = format!("  seen: 2026-11-02\n  next: [{}]\n", next(3, 8));
    assert_eq!(setup.lock(), lock_of(&[entry(WEB, &build(WEB, 2), &waiting)]));

    // A run without a cooldown does not change these entries. An update uses the current digest of
    // the tag.
    let before = setup.lock();
    let plain = on(&setup, &day(9), &[], &manifests).succeeded();
    assert_eq!((plain, setup.lock()), (fourth, before));
    let now = on(&setup, &day(9), &["--update"], &manifests).succeeded();
    assert_eq!(images(&now), [format!("{WEB}:v1@{}", build(WEB, 3))]);
    assert_eq!(setup.lock(), lock_of(&[entry(WEB, &build(WEB, 3), "")]));
}

#[test]
fn a_removed_build_or_one_that_the_tag_left_is_not_used() {
    let setup = Setup::new(Content::everything());
    let manifests = pods(&[format!("{WEB}:v1")]);
    let move_to = |n: u32| setup.registry.move_tag(WEB, "v1", &format!("build-{n}"));
    let nightly = |n: u32| on(&setup, &day(n), &["--update", "--cooldown=7d"], &manifests);
    for n in 1..=3 {
        move_to(n);
        nightly(n).succeeded();
    }
    // Build 3 is removed, and build 4 replaces it.
    setup.registry.collect(WEB, "v1", "build-3");
    move_to(4);
    let late = nightly(12);
    says(&late.stderr, &["no longer exists in its registry", &build(WEB, 3)]);
    assert_eq!(images(&late.succeeded()), [format!("{WEB}:v1@{}", build(WEB, 2))]);
    assert!(!setup.lock().contains(&build(WEB, 3)), "{}", setup.lock());
    // The tag moves back to build 2, so the later builds are forgotten.
    move_to(2);
    let back = nightly(13).succeeded();
    assert_eq!(images(&back), [format!("{WEB}:v1@{}", build(WEB, 2))]);
    let expected = entry(WEB, &build(WEB, 2), "  seen: 2026-11-02\n");
    assert_eq!(setup.lock(), lock_of(&[expected]));
}

#[test]
fn an_override_uses_a_digest_at_once_with_a_warning() {
    let setup = Setup::new(Content::everything());
    let manifests = pods(&[format!("{WEB}:v1")]);
    setup.registry.move_tag(WEB, "v1", "build-1");
    on(&setup, &day(1), &["--cooldown=7d"], &manifests).succeeded();
    setup.registry.move_tag(WEB, "v1", "build-2");
    let glob = format!("--update={WEB}");
    let taken = on(&setup, &day(2), &[&glob, "--cooldown=0d"], &manifests);
    says(
        &taken.stderr,
        &["an image gets a new digest at once, because its cooldown is 0 days", WEB],
    );
    assert_eq!(images(&taken.succeeded()), [format!("{WEB}:v1@{}", build(WEB, 2))]);
    assert_eq!(setup.lock(), lock_of(&[entry(WEB, &build(WEB, 2), "  seen: 2026-11-02\n")]));
}

#[test]
fn a_check_fails_for_young_digests_without_a_request() {
    let (old, api) = ("docker.io/acme/old", "docker.io/acme/api");
    let lock = lock_of(&[
        entry(api, &build(api, 1), ""),
        entry(old, &build(old, 1), "  seen: 2026-11-01\n"),
        entry(WEB, &build(WEB, 1), "  seen: 2026-11-05\n"),
    ]);
    let setup = Setup::locked(Content::everything(), &lock);
    let written = format!("{WEB}:v1@{}", build(WEB, 1));
    let manifests = pods(&[format!("{api}:v1"), format!("{old}:v1"), written]);
    let (check, cost) = setup.cost(|| on(&setup, &day(8), &["check", "--cooldown=7d"], &manifests));
    assert_eq!((check.status, cost), (5, 0), "{}", check.stderr);
    says(
        &check.stderr,
        &[
            &format!("the digest of `{WEB}:v1@{}` was first seen 3 days ago", build(WEB, 1)),
            &format!("the digest of `{api}:v1` has no `seen` in the lock"),
            "= cooldown: 7 days",
        ],
    );
    assert!(!check.stderr.contains(&format!("`{old}:v1`")), "{}", check.stderr);
    let passed = on(&setup, &day(8), &["check", "--cooldown=0d"], &manifests);
    assert_eq!(passed.status, 0, "{}", passed.stderr);
}

#[test]
fn a_configuration_sets_the_days_of_each_repository_and_of_new_images() {
    let setup = Setup::new(Content::everything());
    let config = |cooldown: &str| {
        let text = format!(
            "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nlock: images.lock.yaml\ncooldown: {cooldown}\n"
        );
        fs::write(setup.folder.path().join("digestif.yaml"), text).expect("writable");
    };
    let (own, other) = ("ghcr.io/acme/web", "docker.io/other/web");
    let manifests = pods(&[format!("{own}:v1"), format!("{other}:v1")]);
    let run = |n: u32, flags: &[&str]| {
        on(&setup, &day(n), &[&["--config=digestif.yaml"], flags].concat(), &manifests)
    };
    config("{default: 7d, images: {'ghcr.io/acme/**': 0d}, new: deny}");
    let refused = run(1, &[]);
    assert_eq!(refused.status, 5, "{}", refused.stderr);
    says(
        &refused.stderr,
        &[
            &format!("error: `{other}:v1` is new to the lock, and its age is not known"),
            &format!("`--update={other} --cooldown 0d`"),
        ],
    );
    assert!(!refused.stderr.contains(&format!("`{own}:v1`")), "{}", refused.stderr);

    config("{default: 7d, images: {'ghcr.io/acme/**': 0d}}");
    run(1, &[]).succeeded();
    for repository in [own, other] {
        setup.registry.move_tag(repository, "v1", "build-2");
    }
    let updated = run(2, &["--update"]).succeeded();
    let first = digest_of(&format!("{other}:v1"));
    let expected = [format!("{own}:v1@{}", build(own, 2)), format!("{other}:v1@{first}")];
    assert_eq!(images(&updated), expected);
    for (cooldown, message) in [
        ("{default: '7'}", "expected whole days"),
        ("{default: 7d, image: {}}", "unknown key `image`"),
        ("{new: refuse}", "unknown value `refuse`"),
    ] {
        config(cooldown);
        let wrong = run(2, &[]);
        assert_eq!(wrong.status, 2, "{}", wrong.stderr);
        says(&wrong.stderr, &[message]);
    }
}

#[test]
fn a_call_or_a_lock_that_makes_no_sense_is_refused() {
    let lock = lock_of(&[entry(WEB, &build(WEB, 1), "  seen: 2026-11-09\n")]);
    let setup = Setup::locked(Content::everything(), &lock);
    let manifests = pods(&[format!("{WEB}:v1")]);
    for flags in [&["--cooldown=7d"][..], &[], &["check"]] {
        let ran = on(&setup, "2026-11-08", flags, &manifests);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        says(&ran.stderr, &["as first seen on 2026-11-09, but today is 2026-11-08"]);
    }
    assert_eq!(on(&setup, "2026-11-09", &[], &manifests).status, 0);
    for (flags, message) in [
        (&["--cooldown=7"][..], "expected whole days, such as `7d`"),
        (&["--cooldown=36h"], "expected whole days, such as `7d`"),
    ] {
        let ran = on(&setup, "2026-11-09", flags, &manifests);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        says(&ran.stderr, &[message]);
    }
    let ran = setup.without(&[], &["--cooldown=7d"], &manifests);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    says(&ran.stderr, &["`--cooldown` needs a lock"]);
    let again = format!("  next: [{{digest: {}, seen: 2026-11-09}}]\n", build(WEB, 1));
    for (more, message) in [
        ("  seen: 2026-11-31\n", "`2026-11-31` is not a day such as 2026-11-29"),
        (&*again, "`next` has a digest that the entry has already"),
    ] {
        setup.write(lock_of(&[entry(WEB, &build(WEB, 1), more)]));
        let ran = on(&setup, "2026-12-01", &[], &manifests);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        says(&ran.stderr, &[message]);
    }
}

#[test]
fn explain_report_and_lock_diff_show_the_age_of_digests() {
    let next = format!("  next: [{{digest: {}, seen: 2026-11-05}}]\n", build(WEB, 2));
    let lock = lock_of(&[entry(WEB, &build(WEB, 1), &format!("  seen: 2026-11-01\n{next}"))]);
    let setup = Setup::locked(Content::everything(), &lock);
    let image = format!("{WEB}:v1");
    let (explained, cost) =
        setup.cost(|| on(&setup, &day(8), &["explain", &image, "--cooldown=7d"], ""));
    let explained = explained.succeeded();
    assert_eq!(cost, 0, "{explained}");
    says(
        &explained,
        &[
            "the digest comes from a lock",
            "it was first seen 7 days ago; a newer digest was first seen 3 days ago; will be adopted on 2026-11-12",
        ],
    );
    let json = on(&setup, &day(8), &["explain", &image, "--format=json"], "").succeeded();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["seen"], &json["next"][0]["seen"]),
        (&"2026-11-01".into(), &"2026-11-05".into())
    );

    let flags = ["check", "--cooldown=7d", "--report-format=json"];
    let report = on(&setup, &day(8), &flags, &pods(&[&image])).succeeded();
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["images"][0]["next"][0]["digest"], build(WEB, 2));

    fs::write(setup.folder.path().join("old.yaml"), lock_of(&[] as &[&str])).expect("writable");
    let diff = command(["lock", "diff", "old.yaml", "images.lock.yaml"])
        .current_dir(setup.folder.path())
        .output()
        .expect("it runs");
    says(
        &String::from_utf8_lossy(&diff.stdout),
        &[", first seen 2026-11-01, 1 newer, the last first seen 2026-11-05"],
    );
}

/// A year of nightly runs for tags that are built every 1, 2, 3 and 7 days.
#[test]
fn nightly_runs_use_each_digest_at_the_age_of_the_window() {
    let setup = Setup::new(Content::everything());
    let repositories: Vec<_> =
        [1, 2, 3, 7].map(|every| (every, format!("docker.io/acme/every-{every}"))).into();
    let tags: Vec<_> = repositories.iter().map(|(_, name)| format!("{name}:v1")).collect();
    let manifests = pods(&tags);
    for n in 0..365 {
        for (every, name) in &repositories {
            setup.registry.move_tag(name, "v1", &format!("build-{}", n / every));
        }
        let flags = ["--update", "--cooldown=7d"];
        let pinned = on(&setup, &day(n + 1), &flags, &manifests).succeeded();
        let due = |every: u32| n.saturating_sub(7) / every;
        let expected: Vec<_> = repositories
            .iter()
            .map(|(every, name)| format!("{name}:v1@{}", build(name, due(*every))))
            .collect();
        assert_eq!(images(&pinned), expected, "day {n}");
    }
}
