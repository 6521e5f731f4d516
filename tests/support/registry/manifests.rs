//! The manifests of every tag. They depend only on the name and the tag.

use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest as _, Sha256};

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// The digest that every registry here serves for a tag.
pub fn digest_of(repository: &str, tag: &str) -> String {
    sha256(index(repository, tag).as_bytes())
}

pub(super) fn index(repository: &str, tag: &str) -> String {
    let entry = |architecture| {
        let manifest = platform_manifest(repository, tag, architecture);
        json!({
            "mediaType": MANIFEST,
            "digest": sha256(manifest.as_bytes()),
            "size": manifest.len(),
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    let manifests = ARCHITECTURES.map(entry);
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string()
}

pub(super) fn platform_manifest(repository: &str, tag: &str, architecture: &str) -> String {
    let config = format!("{repository}:{tag} for linux/{architecture}");
    let config = json!({
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": sha256(config.as_bytes()),
        "size": config.len(),
    });
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] }).to_string()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

/// The grammar of the distribution spec.
pub(super) fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}
