//! Inspect: what stands behind digests: whether they exist, and which platforms they are for. Only
//! asked where a policy wants to know.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use oci_client::manifest::OciManifest;
use serde::Deserialize;

use super::{Interrupted, Network, registry, waited};
use crate::Options;
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::image::{Platform, Reference, Repository};
use crate::places::{Found, Image, Place};
use crate::plan::{Entry, Fate, Plan};
use crate::policy::{Policy, WrittenDigests};
use crate::progress::Progress;
use crate::registry::{Layouts, Outcome, Part, Refusal, Registry};

/// The platforms of each image, by its name; none were asked for where only its existence was.
pub type Inspected = BTreeMap<String, Result<Vec<Platform>, Refusal>>;

/// What is to be found out about a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Existence,
    Platforms,
}

/// Asks for the images of a plan what a policy wants to know of them.
///
/// # Errors
/// A signal interrupted it.
pub fn inspect(
    plan: &Plan,
    found: &Found,
    options: &Options,
) -> Result<Result<Inspected, Vec<Diagnostic>>, Interrupted> {
    let layouts = match Layouts::read(&options.layouts) {
        Ok(layouts) => layouts,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let questions: Vec<_> = plan
        .entries
        .iter()
        .filter_map(|entry| {
            let (repository, digest) = pinned(entry, &found.places)?;
            Some((entry, wanted(entry, &options.policy)?, repository, digest))
        })
        .collect();
    let mut quiet = true;
    let repositories = questions.iter().map(|(_, _, repository, _)| repository);
    let asked = match &options.network {
        Network::Online { registries, quiet: silent } if !questions.is_empty() => {
            quiet = *silent;
            match registry(registries, &found.pull_secrets, repositories) {
                Ok(registry) => Some(registry),
                Err(diagnostic) => return Ok(Err(vec![diagnostic])),
            }
        }
        _ => None,
    };
    let progress = Progress::new(quiet);
    let sources = Sources { layouts: &layouts, registry: asked.as_ref() };
    let inspected = async {
        let ask = async |(entry, wanted, repository, digest): &(&Entry, _, _, _)| {
            (entry.name.clone(), sources.ask(*wanted, repository, digest).await)
        };
        let mut asked: FuturesUnordered<_> = questions.iter().map(ask).collect();
        progress.expect(asked.len());
        let mut inspected = Inspected::new();
        while let Some((name, answer)) = asked.next().await {
            progress.step();
            inspected.insert(name, answer);
        }
        inspected
    };
    waited(&progress, inspected).map(Ok)
}

fn wanted(entry: &Entry, policy: &Policy) -> Option<Wanted> {
    if !policy.platforms.is_empty() {
        return Some(Wanted::Platforms);
    }
    let is_asked = policy.written == WrittenDigests::Verified && entry.fate == Fate::Already;
    is_asked.then_some(Wanted::Existence)
}

/// The repository and digest that an image has in the end.
fn pinned(entry: &Entry, places: &[Place]) -> Option<(Repository, Digest)> {
    match &entry.fate {
        Fate::Pinned(pin) => match entry.name.parse() {
            Ok(Reference::Tagged(tagged)) => Some((tagged.repository, pin.digest.clone())),
            _ => None,
        },
        Fate::Substituted(found, _) => {
            Some((found.tagged.repository.clone(), found.pin.digest.clone()))
        }
        Fate::Already => match &places[*entry.places.first()?].image {
            Image::Reference(written) => match written.reference() {
                Reference::Pinned(pinned) => {
                    Some((pinned.repository.clone(), pinned.digest.clone()))
                }
                Reference::Tagged(_) => None,
            },
            _ => None,
        },
        _ => None,
    }
}

struct Sources<'r> {
    layouts: &'r Layouts,
    /// None offline.
    registry: Option<&'r Registry>,
}

impl Sources<'_> {
    async fn ask(
        &self,
        wanted: Wanted,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Platform>, Refusal> {
        match (wanted, self.registry) {
            (Wanted::Platforms, _) => self.platforms(repository, digest).await,
            (Wanted::Existence, _) if self.layouts.content(digest).is_some() => Ok(Vec::new()),
            (Wanted::Existence, Some(registry)) => {
                registry.has(repository, digest).await.map(|()| Vec::new())
            }
            (Wanted::Existence, None) => Err(not_here()),
        }
    }

    /// The platforms of an index; or that of an image, by its configuration (OCI image spec).
    async fn platforms(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Platform>, Refusal> {
        let manifest = self.content(repository, Part::Manifest, digest).await?;
        let nonsense = |what: &str| {
            let detail = format!("{what} of {digest} is none that the OCI image spec knows");
            Refusal { outcome: Outcome::Nonsense, detail }
        };
        match serde_json::from_slice(&manifest).map_err(|_| nonsense("the manifest"))? {
            OciManifest::ImageIndex(index) => {
                let platforms = index.manifests.iter().filter_map(|entry| entry.platform.as_ref());
                let platform = |platform: &oci_client::manifest::Platform| {
                    let (os, architecture) = (&platform.os, &platform.architecture);
                    let variant = platform.variant.as_deref();
                    Platform::new(&os.to_string(), &architecture.to_string(), variant)
                };
                // Attestations stand beside the images, as for `unknown/unknown`.
                Ok(platforms.map(platform).collect())
            }
            OciManifest::Image(manifest) => {
                let digest = manifest.config.digest.parse();
                let digest = digest.map_err(|_| nonsense("the configuration"))?;
                let config = self.content(repository, Part::Blob, &digest).await?;
                let config: Configuration =
                    serde_json::from_slice(&config).map_err(|_| nonsense("the configuration"))?;
                // What is no image, a chart for one, is for no platform.
                let platform = config.os.zip(config.architecture).map(|(os, architecture)| {
                    Platform::new(&os, &architecture, config.variant.as_deref())
                });
                Ok(platform.into_iter().collect())
            }
        }
    }

    async fn content(
        &self,
        repository: &Repository,
        part: Part,
        digest: &Digest,
    ) -> Result<Vec<u8>, Refusal> {
        match (self.layouts.content(digest), self.registry) {
            (Some(content), _) => Ok(content),
            (None, Some(registry)) => registry.content(repository, part, digest).await,
            (None, None) => Err(not_here()),
        }
    }
}

fn not_here() -> Refusal {
    let detail = "no layout has it, and `--offline` forbids to ask for it".to_owned();
    Refusal { outcome: Outcome::NotRecorded, detail }
}

/// The part of an image's configuration that says where it runs.
#[derive(Deserialize)]
struct Configuration {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}
