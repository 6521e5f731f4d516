//! Supply: which digests of the input a lock knows.
//!
//! An image with a digest is not asked for, but `--locked` has to fail if the lock does not have it.

use std::collections::{BTreeMap, BTreeSet};

use super::key::{Key, Version};
use super::{Lock, Locked, Locking, Mode};
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::image::{Asked, Digest, Pinned, Repository, Tag, Tagged};
use crate::places::Place;
use crate::plan::{Entry, History, Name, Plan, Status};
use crate::text::escape::quoted;
use crate::text::path::shown;

/// A digest that a lock has for a repository, and for a tag if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Supply<'l> {
    repository: &'l Repository,
    tag: Option<&'l str>,
    digest: &'l Digest,
}

impl<'l> Supply<'l> {
    /// The entry that an image with a digest needs.
    pub(super) fn of_pinned(pinned: &'l Pinned) -> Self {
        let Pinned { repository, tag, digest } = pinned;
        Self { repository, tag: tag.as_ref().map(Tag::as_str), digest }
    }

    /// The supplies of an entry: its digest for the tag that supplied it, for the tag that was asked for, and
    /// for their repository without a tag.
    pub(super) fn of_entry(key: &'l Key, locked: &'l Locked) -> impl Iterator<Item = Self> {
        let digest = &locked.digest;
        let own = match &key.version {
            Version::Tag(tag) => Some(tag.as_str()),
            Version::Digest(_) => None,
        };
        let own = Self { repository: &key.repository, tag: own, digest };
        let supplier = locked.supplier.as_ref();
        let supplier = supplier.into_iter().flat_map(move |Tagged { repository, tag }| {
            [Some(tag.as_str()), None].map(|tag| Self { repository, tag, digest })
        });
        std::iter::once(own).chain(supplier)
    }
}

impl Locking {
    /// The images with a digest that the lock does not have: errors, unless the run records.
    pub(super) fn unsupplied(&self, plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
        let supplies: BTreeSet<_> =
            self.lock.images().flat_map(|(key, locked)| Supply::of_entry(key, locked)).collect();
        let by_supplier = self.lock.by_supplier();
        let wrong = |entry: &Entry| {
            let pinned = already(entry)?;
            if supplies.contains(&Supply::of_pinned(pinned)) {
                return None;
            }
            let tagged = pinned.tagged();
            let locked = tagged.and_then(|tagged| {
                let locked = self.lock.of_written(&by_supplier, &tagged);
                Some((locked.first()?.digest.clone(), tagged))
            });
            let diagnostic = match locked {
                Some((locked, tagged)) => self.contradiction(&tagged, pinned, &locked),
                None if self.mode == Mode::Record => return None,
                None => {
                    let name = quoted(&pinned.to_string());
                    Diagnostic::error(Failure::Policy, format!("{name} is not in the lock"))
                        .of(RuleId::Locked)
                        .help(self.how_to_add("without `--locked`"))
                }
            };
            Some(diagnostic.locations(entry.places.iter().map(|&n| &places[n])))
        };
        plan.entries.iter().filter_map(wrong).collect()
    }

    /// The message about a digest that is not the lock's for its tag.
    fn contradiction(&self, tagged: &Tagged, pinned: &Pinned, locked: &Digest) -> Diagnostic {
        let message = format!("{} has another digest in the lock", quoted(&tagged.to_string()));
        let diagnostic = match self.mode {
            Mode::Record => Diagnostic::warning(message).note("note", "it is not recorded"),
            _ => Diagnostic::error(Failure::Policy, message),
        };
        let help = format!(
            "write the locked digest, or use the tag's current digest in both: `digestif --lock {} --update={}`",
            shown(&self.path),
            tagged.repository
        );
        diagnostic
            .of(RuleId::Locked)
            .note("written", pinned.digest.to_string())
            .note("locked", locked.to_string())
            .help(help)
    }

    /// Adds the images that have a digest in the input. An entry that is there already stays: one tag
    /// has one digest.
    pub(super) fn add_written(&self, plan: &Plan, changes: &mut BTreeMap<Key, Locked>) {
        let mut new: BTreeMap<Key, Locked> = BTreeMap::new();
        let old = self.lock.images().filter(|(key, _)| !changes.contains_key(*key));
        let entries = old.chain(changes.iter());
        let (mut supplies, mut suppliers) = (BTreeSet::new(), BTreeSet::new());
        for (key, locked) in entries {
            supplies.extend(Supply::of_entry(key, locked));
            suppliers.extend(&locked.supplier);
        }
        for pinned in plan.entries.iter().filter_map(already) {
            let (key, supplier) = (Key::of_pinned(pinned), pinned.tagged());
            let is_known = supplies.contains(&Supply::of_pinned(pinned))
                || supplier.as_ref().is_some_and(|tagged| suppliers.contains(tagged))
                || changes.contains_key(&key)
                || self.lock.images.contains_key(&key);
            if !is_known {
                let digest = pinned.digest.clone();
                let seen = self.cooldown.as_ref().map(|_| self.today);
                let history = History { seen, ..History::default() };
                new.entry(key).or_insert(Locked { supplier, digest, rule: None, history });
            }
        }
        changes.extend(new);
    }
}

/// The reference of an image that has a digest in the input and is left as it is.
pub(super) fn already(entry: &Entry) -> Option<&Pinned> {
    match (&entry.name, &entry.status) {
        (Name::Pinned(pinned), Status::Already) => Some(pinned),
        _ => None,
    }
}

impl Lock {
    /// The entries for a tag beside a digest: for the tag itself, and for the tag as a substitute,
    /// which is written instead of the original.
    pub(super) fn of_written<'l>(
        &'l self,
        by_supplier: &BTreeMap<&Tagged, &'l Locked>,
        tagged: &Tagged,
    ) -> Vec<&'l Locked> {
        let own = self.find(&Asked::from(tagged));
        own.into_iter().chain(by_supplier.get(tagged).copied()).collect()
    }

    /// The entries by the tag that supplied the digest. All entries of one tag have one digest.
    pub(super) fn by_supplier(&self) -> BTreeMap<&Tagged, &Locked> {
        let entries = self.images.values();
        entries.filter_map(|locked| Some((locked.supplier.as_ref()?, locked))).collect()
    }
}
