//! Sources: what the lock, the layouts and the registries say of one reference or repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::platforms::Platforms;
use super::single_flight::SingleFlight;
use crate::image::{Digest, Repository, Tag, Tagged};
use crate::plan::{Pin, Via};
use crate::registry::{Layouts, Lookup, Outcome, Refusal, Registry};

/// The answers that a session has so far.
#[derive(Default)]
pub(super) struct Cache {
    pins: SingleFlight<Tagged, Result<Pin, Refusal>>,
    lists: SingleFlight<Repository, Result<Arc<[Tag]>, Refusal>>,
    pub(super) platforms: SingleFlight<(Repository, Digest), Platforms>,
}

/// Everything that can be asked for a digest or a list of tags.
pub(super) struct Sources<'s> {
    pub(super) layouts: &'s Layouts,
    /// None offline.
    pub(super) registry: Option<&'s Registry>,
    pub(super) cache: &'s Cache,
    /// Pins that are known without a request, by a lock.
    pub(super) recorded: &'s BTreeMap<Tagged, Pin>,
}

impl Sources<'_> {
    /// The digest of a reference: a recorded one, or a layout's, or else the registry's.
    ///
    /// # Errors
    /// The reason why there is none.
    pub(super) async fn pin(&self, tagged: &Tagged) -> Result<Pin, Refusal> {
        match self.recorded.get(tagged) {
            Some(pin) => Ok(pin.clone()),
            None => self.cache.pins.get(tagged, async || self.ask(tagged).await).await,
        }
    }

    async fn ask(&self, tagged: &Tagged) -> Result<Pin, Refusal> {
        match (self.layouts.find(tagged), self.registry) {
            (Lookup::Found(digest), _) => Ok(Pin { digest, via: Via::Layout }),
            (_, Some(registry)) => {
                let digest = registry.digest(tagged).await?;
                Ok(Pin { digest, via: Via::Registry })
            }
            (Lookup::NoSuchTag, None) => {
                let detail = "the layout has the repository without this tag";
                Err(Refusal::new(Outcome::MissingTag, detail))
            }
            (Lookup::NoSuchRepository, None) => {
                Err(Refusal::new(Outcome::OfflineMiss, "no layout has the repository"))
            }
        }
    }

    /// All tags of a repository: those of the layouts and those of the registry.
    ///
    /// # Errors
    /// The reason why there is no list. `Denied` and `Missing…` say only that nothing can be listed.
    pub(super) async fn tags(&self, repository: &Repository) -> Result<Arc<[Tag]>, Refusal> {
        let list = async || {
            let mut tags: Vec<_> = self.layouts.tags(repository).cloned().collect();
            if let Some(registry) = self.registry {
                tags.extend(registry.tags(repository).await?);
            }
            Ok(tags.into())
        };
        self.cache.lists.get(repository, list).await
    }
}
