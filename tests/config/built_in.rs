//! The built-in rule, and `--no-fallback`.

use crate::support::registry::Content;
use crate::{KUBECTL, Setup, denied, pinned, refused};

#[test]
fn the_built_in_rule_is_last_unless_the_file_gives_it_another_place() {
    const OWN: &str = "- {name: own, images: ['**/kubectl'], try: [own]}\n";
    const PRESET: &str = "- preset: kubernetes-version\n";
    for (rules, existing, found) in [
        (OWN.to_owned(), &["own", "v1.31"][..], Some(("own", "own"))),
        (OWN.to_owned(), &["v1.31"], Some(("v1.31", "kubernetes-version"))),
        (format!("{OWN}{PRESET}"), &["own", "v1.31"], Some(("own", "own"))),
        (format!("{PRESET}{OWN}"), &["own", "v1.31"], Some(("v1.31", "kubernetes-version"))),
        (format!("{PRESET}{OWN}"), &["own", "v1.30"], Some(("own", "own"))),
        (
            format!("{PRESET}  enabled: true\n{OWN}"),
            &["v1.31"],
            Some(("v1.31", "kubernetes-version")),
        ),
        (format!("{PRESET}  enabled: false\n{OWN}"), &["own", "v1.31"], Some(("own", "own"))),
        (format!("{PRESET}  enabled: false\n"), &["v1.31"], None),
        (OWN.replace('}', ", enabled: false}"), &["own"], None),
    ] {
        let setup =
            Setup::new(&format!("fallbacks:\n{rules}"), Content::of(&[(KUBECTL, existing)]));
        let (status, _, report) = setup.reported(&[], &[&format!("{KUBECTL}:v1.32")]);
        let entry = &report["images"][0];
        let chosen = entry["tag"].as_str().zip(entry["rule"].as_str());
        assert_eq!((status, chosen), (i32::from(found.is_none()), found), "{rules}");
    }
}

#[test]
fn the_built_in_rule_accepts_more_images_and_keeps_its_own() {
    let images = ["acme/k8s-tools:1.33", "clastix/kubectl:v1.33", "acme/other:1.33"];
    let repositories =
        images.map(|image| format!("docker.io/{}", image.split(':').next().expect("a name")));
    let tags: [&[&str]; 3] = [&["1.31", "stable"], &["v1.31"], &["1.31"]];
    let content: Vec<_> = repositories.iter().map(String::as_str).zip(tags).collect();
    let setup = Setup::example("more-kubernetes-clients.yaml", Content::of(&content));
    let expected = [pinned("acme/k8s-tools:1.31"), pinned("clastix/kubectl:v1.31")];
    assert_eq!(setup.images(&[], &images[..2]), expected);
    let said = setup.run(&[], &images[2..]).failed(1);
    assert!(said.starts_with("error: `docker.io/acme/other:1.33` does not exist\n"), "{said}");
    // The next rule is the configuration's own.
    let found = setup.images(&["--max-minor-skew=0"], &images[..1]);
    assert_eq!(found, [pinned("acme/k8s-tools:stable")]);

    let setup = Setup::example("moved-images-only.yaml", Content::of(&[(KUBECTL, &["v1.31"])]));
    let said = setup.run(&["--max-minor-skew=5"], &[&format!("{KUBECTL}:v1.32")]).failed(1);
    assert!(!said.contains("kubernetes-version"), "{said}");
}

#[test]
fn no_rule_is_stronger_than_no_fallback() {
    const FILE: &str = "fallbacks:\n- {name: own, images: ['**'], try: [own], when: [missing, denied]}\n- {preset: kubernetes-version, enabled: true}\n";
    let asked = format!("{KUBECTL}:v1.32");
    for (env, flags) in [
        (&[][..], &["--no-fallback", "--fallback=.+=own"][..]),
        (&[("DIGESTIF_NO_FALLBACK", "true")], &["--fallback=.+=own"]),
        (&[("DIGESTIF_FALLBACK", ".+=own")], &["--no-fallback"]),
    ] {
        let setup = Setup::new(FILE, Content::of(&[(KUBECTL, &["own", "v1.31"])]));
        let said = setup.run_with(env, flags, &[&asked]).failed(1);
        assert!(said.starts_with(&format!("error: `{asked}` does not exist\n")), "{said}");
        let [head, get] = refused(&asked);
        assert_eq!(setup.requests(), [head, get, format!("GET {KUBECTL}/tags/list")]);
    }
    let content = Content::of(&[(KUBECTL, &["own"])]).with_fault(denied("manifests/v1.32", 403));
    Setup::new(FILE, content).run(&["--no-fallback"], &[&asked]).failed(6);
}
