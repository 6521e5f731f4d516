//! Updated: images that have another digest after a run than before.

use std::collections::BTreeSet;

use super::Lock;
use crate::image::Digest;
use crate::places::Place;
use crate::plan::{Entry, Plan};

/// An image with another digest than before.
#[derive(Debug)]
pub struct Updated<'p> {
    /// The image.
    pub entry: &'p Entry,
    /// A digest that it had in the input or in the lock.
    pub old: Digest,
    /// The digest that it has now.
    pub new: &'p Digest,
}

/// The images that have another digest than before, in the order of the input. An image that had
/// several is in it several times.
#[must_use]
pub fn updated<'p>(plan: &'p Plan, places: &[Place], lock: Option<&Lock>) -> Vec<Updated<'p>> {
    let changes = plan.entries.iter().flat_map(|entry| {
        let new = entry.supplier().map(|(_, pin)| &pin.digest);
        let written = entry.places.iter().filter_map(|&n| places[n].image.pinned());
        let written = written.map(|pinned| pinned.digest.clone());
        let locked = lock.zip(entry.name.asked()).and_then(|(lock, asked)| lock.find(&asked));
        let old: BTreeSet<_> = written.chain(locked.map(|locked| locked.digest.clone())).collect();
        let changed = move |old: Digest| {
            let new = new.filter(|new| **new != old)?;
            Some(Updated { entry, old, new })
        };
        old.into_iter().filter_map(changed)
    });
    changes.collect()
}
