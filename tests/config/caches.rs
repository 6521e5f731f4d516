//! Pull-through caches, whose 404 is no proof of absence.

use crate::support::digestif;
use crate::support::registry::{Content, Registry};
use crate::{HEAD, pods, write, written};

#[test]
fn the_404_of_a_cache_is_no_proof_of_absence() {
    const RULE: &str =
        "fallbacks: [{name: own, images: ['**'], try: ['y'], when: [missing, denied]}]\n";
    const MESSAGE: &str =
        "could not be resolved: the cache does not have it, which proves nothing\n";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::start(Content::of(&[("a/b", &["y"]), ("hub/a/b", &["y"])]));
    let (address, url) = (registry.address(), registry.url());
    let direct = format!("{address}/a/b");
    let cache = format!("{{host: '{address}', cache: true}}");
    let flag = format!("docker.io={url}/hub");
    let same = format!("{{host: docker.io, url: '{url}/hub', cache: true}}");
    let two = format!("{{host: docker.io, url: '{url}/hub'}}, {cache}");
    for (registries, flags, repository) in [
        (&cache, &[][..], direct.as_str()),
        (&cache, &["--registry", &flag], "docker.io/a/b"),
        (&same, &[], "docker.io/a/b"),
        (&two, &[], "docker.io/a/b"),
    ] {
        let config = format!("{HEAD}{RULE}registries: [{registries}]\n");
        let path = write(folder.path(), "config.yaml", config);
        let flags: Vec<_> = flags.iter().copied().chain(["-c", &path]).collect();
        let run = |tag: &str| digestif(&flags, pods(&[&format!("{repository}:{tag}")]));
        let before = registry.requests().len();
        let said = run("x").failed(4);
        assert!(said.starts_with(&format!("error: `{repository}:x` {MESSAGE}")), "{said}");
        let requests = registry.requests();
        assert!(requests.len() > before, "it was asked");
        assert!(
            requests[before..].iter().all(|line| line.path.ends_with("/manifests/x")),
            "{said}"
        );
        let found = written(&run("y").succeeded());
        let name = if repository == direct { "a/b" } else { "hub/a/b" };
        let digest = crate::support::registry::digest_of(name, "y");
        assert_eq!(found, [format!("{repository}:y@{digest}")]);
    }
    // Without `cache: true`, its 404 is a proof of absence.
    let path = write(folder.path(), "config.yaml", format!("{HEAD}{RULE}"));
    let ran = digestif(["-c", &path, "--registry", &flag], pods(&["docker.io/a/b:x"]));
    let digest = crate::support::registry::digest_of("hub/a/b", "y");
    assert_eq!(written(&ran.succeeded()), [format!("docker.io/a/b:y@{digest}")]);
}

#[test]
fn a_candidate_that_a_cache_does_not_have_ends_the_search() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::start(Content::of(&[("a/b", &["y", "z"])]));
    let cache = Registry::start(Content::of(&[("a/b", &["w"])]));
    let (origin, address) = (registry.address(), cache.address());
    let config = format!(
        "{HEAD}fallbacks: [{{name: own, images: ['**'], try: ['{address}/a/b:y', z], when: [missing, denied]}}]\nregistries: [{{host: '{address}', cache: true}}]\n"
    );
    let path = write(folder.path(), "config.yaml", config);
    let said = digestif(["-c", &path], pods(&[&format!("{origin}/a/b:x")])).failed(4);
    let message = format!(
        "error: `{origin}/a/b:x` does not exist, and `{address}/a/b:y` could not be checked as its substitute\n"
    );
    assert!(said.starts_with(&message), "{said}");
    assert!(!registry.requests().iter().any(|line| line.path.ends_with("/z")), "{said}");
}
