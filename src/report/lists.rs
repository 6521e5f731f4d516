//! Lists of images for other tools: each image once, by its digest, sorted by name.
//!
//! | format | read by | source |
//! |---|---|---|
//! | `refs` | shell scripts | – |
//! | `imgpkg` | `imgpkg push --lock`, `imgpkg copy` | carvel.dev, its configuration `ImagesLock` |
//! | `regsync` | `regsync once -c` | regclient.org, "regsync configuration" |
//! | `cyclonedx` | scanners and SBOM stores | cyclonedx.org, version 1.6; package-url, type `oci` |
//!
//! digestif copies nothing: it says what has to be there.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use super::json;
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::image::{Algorithm, Digest, Repository, Tag, Tagged};
use crate::places::Place;
use crate::plan::{Entry, Name, Plan, Status};
use crate::text::escape::{escaped, quoted};

/// An image with its digest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pinned<'p> {
    repository: &'p Repository,
    tag: Option<&'p Tag>,
    digest: &'p Digest,
    /// The requested image.
    asked: String,
}

/// The variable that says where regsync copies to.
const MIRROR: &str = "MIRROR";

/// One reference a line, `name@digest` or `name:tag`; sorted, each once. What is left alone, and what
/// another tool fills in, is not in it.
#[must_use]
pub fn refs(plan: &Plan) -> String {
    let reference = |entry: &Entry| match (pinned(entry), &entry.name) {
        (Some(Pinned { repository, digest, .. }), _) => Some(format!("{repository}@{digest}")),
        (None, Name::Tagged(Tagged { repository, tag })) => {
            let is_listed = matches!(entry.status, Status::Tagged | Status::Unresolved(..));
            is_listed.then(|| format!("{repository}:{tag}"))
        }
        _ => None,
    };
    let references: BTreeSet<_> = plan.entries.iter().filter_map(reference).collect();
    references.into_iter().map(|line| line + "\n").collect()
}

/// The images that no list with digests can have: those without one.
#[must_use]
pub fn unlisted(plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
    let is_open = |entry: &&Entry| {
        let is_left = matches!(entry.status, Status::Skipped(_) | Status::Candidate);
        !is_left && pinned(entry).is_none()
    };
    let error = |entry: &Entry| {
        let message = format!("{} has no digest", quoted(&entry.name.to_string()));
        Diagnostic::error(Failure::Policy, message)
            .of(RuleId::RequireDigest)
            .locations(entry.places.iter().map(|&n| &places[n]))
            .help("list pinned manifests, or name the lock that has it with `--lock FILE`")
    };
    plan.entries.iter().filter(is_open).map(error).collect()
}

/// An `ImagesLock` of Carvel.
#[must_use]
pub fn imgpkg(plan: &Plan) -> String {
    let mut text =
        "---\napiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:".to_owned();
    let images = all(plan);
    if images.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    for Pinned { repository, digest, asked, .. } in images {
        writeln!(
            text,
            "- image: {repository}@{digest}\n  annotations:\n    kbld.carvel.dev/id: '{asked}'"
        )
        .expect("a string takes all");
    }
    text
}

/// A configuration of regsync, which copies to the registry and path that `$MIRROR` names. What has no
/// tag goes there by its digest.
#[must_use]
pub fn regsync(plan: &Plan) -> String {
    let mut text = format!(
        "# Copies these images: {MIRROR}=registry.example.com/mirror regsync once -c FILE\nversion: 1\nsync:"
    );
    let images = all(plan);
    if images.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    let mut seen = BTreeSet::new();
    for Pinned { repository, tag, digest, .. } in images {
        // No path has a port in it.
        let path = repository.to_string().replace(':', "-").replace(['[', ']'], "");
        let version = tag.map_or_else(|| format!("@{digest}"), |tag| format!(":{tag}"));
        let target = format!("{path}{version}");
        // A tag that is written with two digests has only one place there.
        let target = if seen.insert(target.clone()) { target } else { format!("{path}@{digest}") };
        writeln!(
            text,
            "- source: {repository}@{digest}\n  target: '{{{{ env \"{MIRROR}\" }}}}/{target}'\n  type: image"
        )
        .expect("a string takes all");
    }
    text
}

/// A bill of materials: `CycloneDX` 1.6 with a component for each image.
#[must_use]
pub fn cyclonedx(plan: &Plan) -> String {
    let component = |Pinned { repository, tag, digest, .. }: &Pinned<'_>| {
        let purl = purl(repository, *tag, digest);
        let algorithm = match digest.algorithm() {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
        };
        json!({
            "type": "container",
            "bom-ref": purl,
            "name": repository.to_string(),
            "version": tag.map_or_else(|| digest.to_string(), ToString::to_string),
            "hashes": [{ "alg": algorithm, "content": digest.hex() }],
            "purl": purl,
        })
    };
    let components: Vec<_> = all(plan).iter().map(component).collect();
    json::text(&json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": components,
    }))
}

/// The package URL of an image: `pkg:oci/nginx@sha256%3A…?repository_url=docker.io/library/nginx&tag=1`.
fn purl(repository: &Repository, tag: Option<&Tag>, digest: &Digest) -> String {
    let encoded = |text: &str| text.replace(':', "%3A").replace('[', "%5B").replace(']', "%5D");
    let path = repository.path();
    let name = path.rsplit('/').next().unwrap_or(path);
    let url = encoded(&repository.to_string());
    let tag = tag.map_or_else(String::new, |tag| format!("&tag={tag}"));
    format!("pkg:oci/{name}@{}?repository_url={url}{tag}", encoded(&digest.to_string()))
}

/// The images that have a digest, sorted, each once.
fn all(plan: &Plan) -> Vec<Pinned<'_>> {
    let mut images: Vec<_> = plan.entries.iter().filter_map(pinned).collect();
    images.sort();
    images.dedup_by(|one, other| {
        (one.repository, one.tag, one.digest) == (other.repository, other.tag, other.digest)
    });
    images
}

/// The image of an entry, if it has a digest in the input or by a lock.
fn pinned(entry: &Entry) -> Option<Pinned<'_>> {
    let asked = escaped(&entry.name.to_string());
    match (entry.supplier(), &entry.name, &entry.status) {
        (Some((Tagged { repository, tag }, pin)), ..) => {
            Some(Pinned { repository, tag: Some(tag), digest: &pin.digest, asked })
        }
        (None, Name::Pinned(pinned), Status::Already) => {
            let crate::image::Pinned { repository, tag, digest } = pinned;
            Some(Pinned { repository, tag: tag.as_ref(), digest, asked })
        }
        _ => None,
    }
}
