//! Unchanged: an index that has changed for other platforms than those that are required is no update.
//!
//! Builders push a new index when they rebuild one platform, or when an attestation changes. With
//! `--require-platform`, what counts is the manifest for each of these platforms.

use std::collections::{BTreeMap, BTreeSet};

use super::cooldown::{settle, written};
use crate::Options;
use crate::diagnostic::Failure;
use crate::image::{Digest, Platform, Tagged};
use crate::places::Place;
use crate::plan::{Name, Pin, Plan, Search, Status};
use crate::registry::Refusal;
use crate::resolve::{Interrupted, Offered, Session};

/// The digests that a tag had before.
type Before = BTreeMap<Tagged, BTreeSet<Digest>>;

/// The plan in which an image keeps its digest, in the lock or in the input, if its new index has the same
/// manifests for the required platforms.
///
/// # Errors
/// A signal interrupted it.
pub fn keep_unchanged(
    mut plan: Plan,
    places: &[Place],
    options: &Options,
    session: &Session,
) -> Result<Plan, Interrupted> {
    let locked = options.lock.as_ref().map(|lock| lock.lock.by_supplier());
    let (mut before, mut now) = (Before::new(), BTreeMap::new());
    for entry in &plan.entries {
        let Some((tagged, pin)) = entry.supplier() else { continue };
        now.insert(tagged.clone(), pin.clone());
        let locked = locked.as_ref().and_then(|locked| locked.get(tagged));
        let known = before.entry(tagged.clone()).or_default();
        known.extend(locked.map(|locked| locked.digest.clone()));
        known.extend(written(entry, tagged, places));
    }
    for (tagged, kept) in kept(&before, &now, &options.policy.platforms, session)? {
        match kept {
            Ok(digest) => {
                let via = now[&tagged].via;
                super::cooldown::pin(&mut plan, &tagged, &Pin { digest, via });
            }
            Err(refusal) => {
                let status = Status::Unresolved(refusal, Search::default());
                settle(&mut plan, &tagged, &status);
            }
        }
    }
    Ok(plan)
}

/// The answers of registries in which a tag has its digest of before, if the new one is no update.
///
/// # Errors
/// A signal interrupted it.
pub(super) fn without_others(
    mut answers: BTreeMap<Name, Status>,
    before: impl IntoIterator<Item = (Tagged, Digest)>,
    options: &Options,
    session: &Session,
) -> Result<BTreeMap<Name, Status>, Interrupted> {
    let mut known = Before::new();
    for (tagged, digest) in before {
        known.entry(tagged).or_default().insert(digest);
    }
    let pins = answers.iter().filter_map(|(name, status)| match (name, status) {
        (Name::Tagged(tagged), Status::Pinned(pin)) => Some((tagged.clone(), pin.clone())),
        _ => None,
    });
    let now = pins.collect();
    for (tagged, kept) in kept(&known, &now, &options.policy.platforms, session)? {
        // A digest that can't be read is asked for again, and its error is said then.
        if let Ok(digest) = kept {
            let via = now[&tagged].via;
            answers.insert(Name::Tagged(tagged), Status::Pinned(Pin { digest, via }));
        }
    }
    Ok(answers)
}

/// The tags whose new digest is no update, each with the digest that it keeps; or with the reason why that
/// is not known. A digest that is gone can't be kept.
fn kept(
    before: &Before,
    now: &BTreeMap<Tagged, Pin>,
    platforms: &[Platform],
    session: &Session,
) -> Result<BTreeMap<Tagged, Result<Digest, Refusal>>, Interrupted> {
    if platforms.is_empty() {
        return Ok(BTreeMap::new());
    }
    let moved = before.iter().filter_map(|(tagged, known)| {
        // Of two digests in the input, none is the one to keep.
        let [old] = &known.iter().collect::<Vec<_>>()[..] else { return None };
        let new = &now.get(tagged)?.digest;
        (*old != new).then_some((tagged, *old, new))
    });
    let moved: Vec<_> = moved.collect();
    let images = moved.iter().flat_map(|(tagged, old, new)| {
        [old, new].map(|digest| (tagged.repository.clone(), (*digest).clone()))
    });
    let read = session.platforms(&images.collect())?;
    let compared = moved.into_iter().filter_map(|(tagged, old, new)| {
        let of = |digest: &Digest| read.get(&(tagged.repository.clone(), digest.clone()));
        let kept = match (of(old)?, of(new)?) {
            (Ok(old_ones), Ok(new_ones)) => {
                is_same(old_ones, new_ones, platforms).then(|| Ok(old.clone()))
            }
            (Err(refusal), _) if refusal.outcome.failure() == Failure::Absent => None,
            (Err(refusal), _) | (_, Err(refusal)) => Some(Err(refusal.clone())),
        };
        Some((tagged.clone(), kept?))
    });
    Ok(compared.collect())
}

/// True if both indexes have the same manifests for each of these platforms.
fn is_same(old: &[Offered], new: &[Offered], platforms: &[Platform]) -> bool {
    let manifests = |offered: &[Offered], wanted: &Platform| {
        let fitting = offered.iter().filter(|one| one.platform.offers(wanted));
        fitting.map(|one| one.manifest.clone()).collect::<Vec<_>>()
    };
    platforms.iter().all(|wanted| {
        let old = manifests(old, wanted);
        !old.is_empty() && old == manifests(new, wanted)
    })
}
