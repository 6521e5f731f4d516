//! Platforms: which platforms an image is for, and the manifest for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oci_client::manifest::OciManifest;
use serde::Deserialize;

use super::{Interrupted, Session, Sources};
use crate::image::{Digest, Platform, Repository};
use crate::plan::Name;
use crate::registry::{Outcome, Part, Refusal};

/// Manifests that are read for one image.
const MOST: usize = 32;

/// A platform of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offered {
    /// The platform.
    pub platform: Platform,
    /// The digest of the manifest for it.
    pub manifest: Digest,
}

/// The platforms of an image, or the reason why they could not be read.
pub type Platforms = Result<Arc<[Offered]>, Refusal>;

/// The platforms of several images, by the image.
pub type PlatformsOf = BTreeMap<(Repository, Digest), Platforms>;

impl Session {
    /// The platforms of these images. Each image is asked for once in a session.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn platforms(
        &self,
        images: &BTreeSet<(Repository, Digest)>,
    ) -> Result<PlatformsOf, Interrupted> {
        self.expect(images.iter().map(|(repository, _)| repository));
        let recorded = BTreeMap::new();
        let sources = self.sources(&recorded);
        let questions = images.iter().map(|image| (&image.0, image)).collect();
        let answers = self.ask_all(questions, async |image: &(Repository, Digest)| {
            let name = Name::Text(format!("{}@{}", image.0, image.1));
            (name, (image.clone(), sources.platforms(&image.0, &image.1).await))
        })?;
        Ok(answers.into_values().collect())
    }
}

impl Sources<'_> {
    /// The platforms of an image by its digest.
    ///
    /// # Errors
    /// Its content can't be read.
    pub(super) async fn platforms(&self, repository: &Repository, digest: &Digest) -> Platforms {
        let image = (repository.clone(), digest.clone());
        let read = async || self.read_platforms(repository, digest).await.map(Arc::from);
        self.cache.platforms.get(&image, read).await
    }

    /// The platforms of an index; or that of an image, by its configuration (OCI image spec). An
    /// index need not say them: then the manifests that it lists are read.
    async fn read_platforms(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Offered>, Refusal> {
        let mut platforms = Vec::new();
        let mut open = vec![digest.clone()];
        for _ in 0..MOST {
            let Some(digest) = open.pop() else { return Ok(platforms) };
            let manifest = self.content(repository, Part::Manifest, &digest).await?;
            let manifest = serde_json::from_slice(&manifest);
            match manifest.map_err(|_| nonsense("the manifest", &digest))? {
                OciManifest::ImageIndex(index) => {
                    for entry in index.manifests {
                        let platform = entry.platform.as_ref().map(platform);
                        // Builders write attestations beside the images.
                        if platform.as_ref().is_some_and(Platform::is_unknown) {
                            continue;
                        }
                        let manifest = parsed(&entry.digest, &digest)?;
                        match platform {
                            Some(platform) => platforms.push(Offered { platform, manifest }),
                            None => open.push(manifest),
                        }
                    }
                }
                OciManifest::Image(manifest) => {
                    let config = parsed(&manifest.config.digest, &digest)?;
                    let config = self.content(repository, Part::Blob, &config).await?;
                    let config: Configuration = serde_json::from_slice(&config)
                        .map_err(|_| nonsense("the configuration", &digest))?;
                    let platform = config.platform();
                    platforms
                        .extend(platform.map(|platform| Offered { platform, manifest: digest }));
                }
            }
        }
        let detail = format!("{digest} leads to more than {MOST} manifests without a platform");
        Err(Refusal::new(Outcome::InvalidResponse, detail))
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

fn platform(platform: &oci_client::manifest::Platform) -> Platform {
    let (os, architecture) = (platform.os.to_string(), platform.architecture.to_string());
    Platform::new(&os, &architecture, platform.variant.as_deref())
}

/// The digest of an entry of a manifest.
fn parsed(text: &str, of: &Digest) -> Result<Digest, Refusal> {
    text.parse().map_err(|_| nonsense("an entry", of))
}

fn nonsense(what: &str, of: &Digest) -> Refusal {
    let detail = format!("{what} of {of} is not in the OCI image spec");
    Refusal::new(Outcome::InvalidResponse, detail)
}

/// The answer to a question about a digest that no layout has.
pub(super) fn not_here() -> Refusal {
    let detail = "no layout has it, and `--offline` forbids requests".to_owned();
    Refusal::new(Outcome::OfflineMiss, detail)
}

/// The part of an image's configuration that names its platform.
#[derive(Deserialize)]
struct Configuration {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl Configuration {
    /// None if it is no image, but a chart for example.
    fn platform(&self) -> Option<Platform> {
        let (os, architecture) = (self.os.as_ref()?, self.architecture.as_ref()?);
        Some(Platform::new(os, architecture, self.variant.as_deref()))
    }
}
