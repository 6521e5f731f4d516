//! A run with only the lock gives the same bytes.

use std::fs;

use proptest::prelude::*;

use crate::support::registry::Content;
use crate::{KUBECTL, Setup, corpus, pods};

/// Makes a run with its lock, and then a run with only that lock, which must give the same.
fn by_the_lock_alone(setup: &Setup, manifests: &str) {
    let first = setup.run(&[], manifests).succeeded();
    let requests = setup.registry.requests().len();
    let lock = setup.path().exists().then(|| setup.lock());
    let flags: &[&str] = if lock.is_some() { &["--locked", "--offline"] } else { &[] };
    assert_eq!(setup.run(flags, manifests).succeeded(), first);
    assert_eq!(setup.run(flags, &first).succeeded(), first, "a second run changes nothing");
    assert_eq!(setup.registry.requests().len(), requests);
    assert_eq!(setup.path().exists().then(|| setup.lock()), lock);
    if lock.is_some() {
        let check = setup.run(&["check"], manifests);
        assert_eq!(check.status, 0, "{}", check.stderr);
        assert!(!check.stderr.contains("not used here"), "{}", check.stderr);
    }
}

#[test]
fn the_corpus_is_pinned_the_same_with_only_its_lock() {
    let Some(corpus) = corpus() else {
        eprintln!("DIGESTIF_CORPUS is not set: this was checked on made manifests alone");
        return;
    };
    let registry = Content::everything();
    let setup = Setup::new(registry);
    let entries = fs::read_dir(corpus).expect("readable").map(|entry| entry.expect("readable"));
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() > 40);
    for path in paths {
        by_the_lock_alone(&setup, &fs::read_to_string(&path).expect("readable"));
        // Each manifest has its own lock.
        if setup.path().exists() {
            fs::remove_file(setup.path()).expect("ours");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_run_with_only_the_lock_gives_the_same_bytes(
        chosen in proptest::collection::vec(proptest::sample::select(vec![
            "nginx", "nginx:1.27", "docker.io/library/nginx:1.27", "'quay.io/a/b:on'", "\"a/b:1e3\"",
            "clastix/kubectl:v1.32", "clastix/kubectl:v1.31", "clastix/kubectl:v1.32+k3s1",
            "${LATER}", "localhost:5000/a:1", "a/kubectl:v1.16+",
        ]), 0..12),
        rule in any::<bool>(),
    ) {
        let content = Content::of(&[
            (KUBECTL, &["v1.31"]),
            ("docker.io/a/kubectl", &["v1.16"]),
            ("docker.io/library/nginx", &["latest", "1.27"]),
            ("quay.io/a/b", &["on"]),
            ("docker.io/a/b", &["1e3"]),
            ("localhost:5000/a", &["1"]),
        ]);
        let setup = Setup::new(content);
        let mut manifests = pods(&chosen);
        manifests.push_str("---\nkind: Namespace\n");
        if rule {
            manifests.push_str("# the end");
        }
        by_the_lock_alone(&setup, &manifests);
    }
}
