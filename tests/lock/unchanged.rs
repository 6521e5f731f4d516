//! `--require-platform` and updates: an index without changes for these platforms is not updated.

use std::fs;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::{Setup, entry, images, lock_of, pods, says};

const WEB: &str = "docker.io/acme/web";
const AMD64: &str = "--require-platform=linux/amd64";
const ARM64: &str = "--require-platform=linux/arm64";

fn hash(text: &str) -> String {
    let hex = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{hex}")
}

/// An index with these builds for amd64 and arm64.
fn index(amd64: &str, arm64: &str) -> String {
    let manifest = |architecture, build| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": hash(build),
            "size": 1,
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest("amd64", amd64), manifest("arm64", arm64)],
    })
    .to_string()
}

/// A registry in which `acme/web:v1` is the new index. It still has the old one, by its digest.
fn serving(old: &str, new: &str) -> Content {
    let answer = |text: &str| {
        let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
        Misbehaviour::Status(200, vec![("content-type", media_type)], text.to_owned())
    };
    Content::of(&[(WEB, &["v1"])])
        .with_fault(Fault::on("manifests/v1", answer(new)))
        .with_fault(Fault::on(&hash(new), answer(new)))
        .with_fault(Fault::on(&hash(old), answer(old)))
}

#[test]
fn an_index_without_changes_for_the_required_platforms_is_not_updated() {
    let (old, new) = (index("a1", "b1"), index("a1", "b2"));
    let image = format!("{WEB}:v1");
    let before = lock_of(&[entry(&image, "v1", &hash(&old), None)]);
    let setup = Setup::locked(serving(&old, &new), &before);
    let (tag, written) = (pods(&[&image]), pods(&[format!("{image}@{}", hash(&old))]));
    for manifests in [&tag, &written] {
        for (flags, digest) in
            [(&[AMD64][..], &old), (&[AMD64, ARM64], &new), (&[ARM64], &new), (&[], &new)]
        {
            setup.write(&before);
            let flags = [&["--update"], flags].concat();
            let ran = setup.run(&flags, manifests);
            let line = format!("digestif: {image} {} -> {}\n", hash(&old), hash(&new));
            assert_eq!(ran.stderr.contains(&line), digest == &new, "{flags:?}: {}", ran.stderr);
            assert_eq!(
                images(&ran.succeeded()),
                [format!("{image}@{}", hash(digest))],
                "{flags:?}"
            );
            assert_eq!(setup.lock(), before.replace(&hash(&old), &hash(digest)), "{flags:?}");
        }
    }
    // The same without a lock.
    let updated = setup.without(&[], &["--update", AMD64], &written).succeeded();
    assert_eq!(updated, written);
    let updated = setup.without(&[], &["--update", ARM64], &written).succeeded();
    assert_eq!(images(&updated), [format!("{image}@{}", hash(&new))]);
}

#[test]
fn drift_also_considers_only_the_required_platforms() {
    let (old, new) = (index("a1", "b1"), index("a1", "b2"));
    let image = format!("{WEB}:v1");
    let before = lock_of(&[entry(&image, "v1", &hash(&old), None)]);
    let setup = Setup::locked(serving(&old, &new), &before);
    let (tag, written) = (pods(&[&image]), pods(&[format!("{image}@{}", hash(&old))]));
    for (flag, status) in [(AMD64, 0), (ARM64, 5)] {
        let ran = setup.run(&["check", "--drift", flag], &tag);
        assert_eq!(ran.status, status, "{flag}: {}", ran.stderr);
        let ran = setup.without(&[], &["check", "--drift", flag], &written);
        assert_eq!(ran.status, status, "{flag}: {}", ran.stderr);
    }
}

#[test]
fn a_missing_digest_is_updated_and_an_unreadable_one_fails() {
    let (old, new) = (index("a1", "b1"), index("a1", "b2"));
    let image = format!("{WEB}:v1");
    let before = lock_of(&[entry(&image, "v1", &hash(&old), None)]);
    for (misbehaviour, status) in [
        (Misbehaviour::ErrorCode(404, "MANIFEST_UNKNOWN"), 0),
        (Misbehaviour::ErrorCode(503, "UNAVAILABLE"), 4),
        (Misbehaviour::ErrorCode(403, "DENIED"), 6),
    ] {
        let fault = Fault::on(&hash(&old), misbehaviour);
        let mut content = Content::of(&[(WEB, &["v1"])]).with_fault(fault);
        for path in ["manifests/v1", &hash(&new)] {
            let headers =
                vec![("content-type", "application/vnd.oci.image.index.v1+json".to_owned())];
            let answer = Misbehaviour::Status(200, headers, new.clone());
            content = content.with_fault(Fault::on(path, answer));
        }
        let setup = Setup::locked(content, &before);
        let ran = setup.run(&["--update", "--retries=0", AMD64], &pods(&[&image]));
        assert_eq!(ran.status, status, "{}", ran.stderr);
        let digest = if status == 0 { hash(&new) } else { hash(&old) };
        assert_eq!(setup.lock(), before.replace(&hash(&old), &digest));
    }
}

#[test]
fn an_update_in_place_prints_the_old_and_the_new_digest() {
    let (old, new) = (index("a1", "b1"), index("a2", "b2"));
    let image = format!("{WEB}:v1");
    let setup = Setup::new(serving(&old, &new));
    let file = setup.folder.path().join("web.yaml");
    let written = pods(&[format!("{image}@{}", hash(&old))]);
    let change = format!("digestif: {image} {} -> {}\n", hash(&old), hash(&new));
    for (flags, shows) in [
        (&["-i", "--update", "--diff"][..], true),
        (&["-i", "--update", "-q"], false),
        (&["-i", "--update"], true),
        (&["-i"], false),
    ] {
        fs::write(&file, &written).expect("writable");
        let ran = setup.without(&[], &[flags, &["web.yaml"]].concat(), "");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert_eq!(ran.stderr.contains(&change), shows, "{flags:?}: {}", ran.stderr);
    }
    fs::write(&file, &written).expect("writable");
    let ran = setup.without(&[], &["-i", "--update", "web.yaml"], "");
    says(&ran.stderr, &["digestif: rewrote web.yaml\n", &change, "digestif: pinned 1 image"]);
}
