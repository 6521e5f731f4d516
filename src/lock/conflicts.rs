//! Written: digests that the input has already, which are not asked for and have to be the lock's.

use std::collections::BTreeMap;

use super::{Lock, Locked, Locking};
use crate::diagnostic::{Diagnostic, Failure};
use crate::image::{Asked, Tagged};
use crate::places::Place;
use crate::plan::{Entry, Plan};
use crate::text::escape::{escaped, quoted};

impl Locking {
    /// Errors about digests in the input that are not those which the lock has for their tags.
    pub(super) fn contradicted(&self, plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
        let by_supplier = self.lock.by_supplier();
        let wrong = |entry: &Entry| {
            let (tagged, digest) = entry.tag_with_digest()?;
            let locked = self.lock.of_written(&by_supplier, &tagged);
            let first = locked.first()?;
            if locked.iter().any(|locked| locked.digest == *digest) {
                return None;
            }
            let name = quoted(&tagged.to_string());
            let help = format!(
                "write the digest that is locked, or take the one that the tag has now, in both: `digestif --lock {} --update={}`",
                escaped(&self.path.display().to_string()),
                tagged.repository
            );
            Some(
                Diagnostic::error(
                    Failure::Policy,
                    format!("{name} has another digest in the lock"),
                )
                .locations(entry.places.iter().map(|&n| &places[n]))
                .note("written", digest.to_string())
                .note("locked", first.digest.to_string())
                .help(help),
            )
        };
        plan.entries.iter().filter_map(wrong).collect()
    }
}

impl Lock {
    /// What is recorded for a tag that stands beside a digest: for the tag itself, and, as a
    /// substitute's tag is written in the place of the original, where the tag supplied the digest.
    pub(super) fn of_written<'l>(
        &'l self,
        by_supplier: &BTreeMap<&Tagged, &'l Locked>,
        tagged: &Tagged,
    ) -> Vec<&'l Locked> {
        let own = self.find(&Asked::from(tagged));
        own.into_iter().chain(by_supplier.get(tagged).copied()).collect()
    }

    /// What is recorded, by what supplied the digest; all entries of one supplier have the same.
    pub(super) fn by_supplier(&self) -> BTreeMap<&Tagged, &Locked> {
        self.images.values().map(|locked| (&locked.supplier, locked)).collect()
    }
}
