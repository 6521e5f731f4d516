//! Rules that search for a version.

use crate::support::registry::Content;
use crate::{APP, Setup, existence, pinned, refused, written};

#[test]
fn a_version_rule_chooses_the_version_that_it_describes() {
    const DOWN: &str = "within: minor";
    const UP: &str = "within: minor, direction: up";
    const ANY: &str = "within: minor, direction: any, prefer: closest";
    const HIGHEST: &str = "within: minor, direction: any, prefer: highest";
    const MAJOR: &str = "within: major";
    const PATCH: &str = "within: patch";
    for (settings, asked, existing, found) in [
        (DOWN, "v1.2.5", &["v1.2.3", "v1.2.4", "v1.2.6"][..], Some("v1.2.4")),
        (DOWN, "v1.2.5", &["v1.1.9", "v1.2.6", "v1.3.0"], None),
        (DOWN, "1.2.11", &["1.2.9", "1.2.10"], Some("1.2.10")),
        (UP, "v1.2.5", &["v1.2.4", "v1.2.9", "v1.2.7", "v1.3.0"], Some("v1.2.7")),
        (UP, "v1.2.5", &["v1.2.4"], None),
        (
            "within: minor, direction: up, prefer: highest",
            "v1.2.5",
            &["v1.2.7", "v1.2.10", "v1.3.0"],
            Some("v1.2.10"),
        ),
        (ANY, "v1.2.5", &["v1.2.6", "v1.2.3"], Some("v1.2.6")),
        // Two versions are equally near, so the lower one is used.
        (ANY, "v1.2.5", &["v1.2.6", "v1.2.4"], Some("v1.2.4")),
        (HIGHEST, "v1.2.5", &["v1.2.4", "v1.2.9", "v1.2.10"], Some("v1.2.10")),
        (MAJOR, "1.2.5", &["1.1.9", "1.1.10", "2.0.0", "0.9.9"], Some("1.1.10")),
        (MAJOR, "1.2.5", &["1.2.1", "1.1.9"], Some("1.2.1")),
        (MAJOR, "1.2.5", &["2.0.0", "0.9.9"], None),
        // The prefix stays.
        (DOWN, "v1.2.5", &["1.2.4", "v1.2.3"], Some("v1.2.3")),
        (DOWN, "1.2.5", &["v1.2.4", "v1.2.3"], None),
        // The suffix stays.
        (DOWN, "1.2.5-slim", &["1.2.4", "1.2.3-slim"], Some("1.2.3-slim")),
        (DOWN, "1.2.5-arm64", &["1.2.4", "1.2.4-amd64"], None),
        (DOWN, "1.2.5", &["1.2.4-slim", "1.2.3-arm64"], None),
        // bitnami's build numbers: each build of a version may replace another, but never with
        // another base.
        (
            PATCH,
            "1.2.5-debian-12-r3",
            &["1.2.5-debian-12-r2", "1.2.5-debian-12-r12", "1.2.5-debian-11-r20"],
            Some("1.2.5-debian-12-r12"),
        ),
        (PATCH, "1.2.5-debian-12-r3", &["1.2.4-debian-12-r9", "1.2.5-debian-12", "1.2.5"], None),
        (
            DOWN,
            "1.2.5-debian-12-r3",
            &["1.2.4-debian-12-r0", "1.2.4-debian-12-r10"],
            Some("1.2.4-debian-12-r10"),
        ),
        // A mutable tag can be replaced by a patch of its minor version. It never replaces a patch.
        (DOWN, "v1.32", &["v1.32.4", "v1.32.10", "v1.31"], Some("v1.32.10")),
        (MAJOR, "v1.32", &["v1.31", "v1.31.9", "v1.30"], Some("v1.31")),
        (MAJOR, "v1.32.1", &["v1.31", "v1.31.9"], Some("v1.31.9")),
        (ANY, "v1.32.1", &["v1.32", "v1.31.9"], None),
        // A pre-release is used only if the rule or the tag asks for it.
        (DOWN, "1.2.5", &["1.2.5-rc.1", "1.2.4-beta.2", "1.2.3"], Some("1.2.3")),
        (UP, "1.2.0-rc.3", &["1.2.0-rc.4", "1.2.0"], Some("1.2.0")),
        (
            "within: minor, prerelease: true",
            "1.2.5",
            &["1.2.5-rc.2", "1.2.5-rc.10", "1.2.4"],
            Some("1.2.5-rc.10"),
        ),
        (HIGHEST, "latest", &["1.2.3"], None),
    ] {
        let rule = format!("- {{name: other, images: [{APP}], version: {{{settings}}}}}");
        let setup = Setup::new(&format!("fallbacks:\n{rule}\n"), Content::of(&[(APP, existing)]));
        let reference = format!("{APP}:{asked}");
        let ran = setup.run(&[], &[&reference]);
        let [head, get] = refused(&reference);
        let mut requests = vec![head, get, format!("GET {APP}/tags/list")];
        match found {
            Some(tag) => {
                let expected = pinned(&format!("{APP}:{tag}"));
                assert_eq!(written(&ran.succeeded()), [expected], "{settings} {asked}");
                requests.push(existence(&format!("{APP}:{tag}")));
            }
            None => assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{settings} {asked}"),
        }
        // The tags of proposals are requested after the rules.
        let made = setup.requests();
        assert!(made.starts_with(&requests), "{settings} {asked}: {made:?}");
        assert!(found.is_none() || made.len() == requests.len(), "{settings} {asked}: {made:?}");
    }
}

#[test]
fn a_version_rule_reads_the_tags_of_a_repository_once() {
    const CONFIG: &str = "fallbacks:\n- {name: patch, images: ['**'], version: {within: patch}}\n- {name: minor, images: ['**'], version: {within: minor}}\n";
    let setup = Setup::new(CONFIG, Content::of(&[(APP, &["1.2.3", "1.3.1", "1.4.7"])]));
    let images = ["1.2.4", "1.3.9", "1.2.9", "1.4.8"].map(|tag| format!("{APP}:{tag}"));
    let found = setup.images(&[], &images.each_ref().map(String::as_str));
    let expected = ["1.2.3", "1.3.1", "1.2.3", "1.4.7"].map(|tag| pinned(&format!("{APP}:{tag}")));
    assert_eq!(found, expected);
    assert_eq!(setup.registry.requests_to("tags/list"), 1);
    // Two requests for each absent tag, and one for each existing tag.
    assert_eq!(setup.requests().len(), 4 * 2 + 1 + 3);
}

#[test]
fn a_version_rule_corrects_an_invalid_tag() {
    const CONFIG: &str = "fallbacks:\n- {name: minor, images: ['**'], version: {within: minor}}\n";
    let setup = Setup::new(CONFIG, Content::of(&[(APP, &["v1.27.4", "v1.27.3"])]));
    let ran = setup.run(&[], &[&format!("{APP}:v1.27.4+k3s1")]);
    let said = format!("warning: `{APP}:v1.27.4+k3s1` is not a valid reference: `{APP}:v1.27.4` ");
    assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
    assert_eq!(written(&ran.succeeded()), [pinned(&format!("{APP}:v1.27.4"))]);
    let expected = [format!("GET {APP}/tags/list"), existence(&format!("{APP}:v1.27.4"))];
    assert_eq!(setup.requests(), expected);
}

#[test]
fn the_example_for_an_outdated_mirror_works() {
    let tags: &[&str] = &["v1.32.1", "v1.32.2-rc.1", "v1.31.9"];
    let content = Content::of(&[
        ("docker.io/rancher/kubectl", tags),
        ("mirror.example.com/team/app", &["2.0.1", "2.1.0"]),
        ("ghcr.io/acme/web", &["1.4.0", "1.5.0-nightly.7"]),
    ]);
    let setup = Setup::example("patch-behind.yaml", content);
    let images =
        ["rancher/kubectl:v1.32.4", "mirror.example.com/team/app:2.0.3", "ghcr.io/acme/web:1.3.0"];
    let expected = [
        "rancher/kubectl:v1.32.1",
        "mirror.example.com/team/app:2.0.1",
        "ghcr.io/acme/web:1.5.0-nightly.7",
    ];
    assert_eq!(setup.images(&[], &images), expected.map(pinned));
}
