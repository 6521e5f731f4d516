//! Drift without a lock: whether registries still say what the digests in the input say.

use std::collections::{BTreeMap, BTreeSet};

use super::drift::DriftGate;
use super::supply::already;
use super::unchanged::without_others;
use crate::Options;
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::fallback::nearest;
use crate::image::{Asked, Pinned, Tagged};
use crate::places::Place;
use crate::plan::{Entry, Name, Plan, Search, Status};
use crate::policy;
use crate::registry::Refusal;
use crate::resolve::{Interrupted, Session};
use crate::text::escape::{escaped, quoted};

/// An image with a digest in the input.
struct Written<'p> {
    entry: &'p Entry,
    pinned: &'p Pinned,
    /// Its tag, if it has one.
    tagged: Option<Tagged>,
}

/// Asks for each image with a digest whether its tag has that digest now, and whether the registry
/// still has it. A digest that another tag near it has is said to be that tag's.
///
/// # Errors
/// A signal interrupted it.
pub fn input_drift(
    plan: &Plan,
    places: &[Place],
    options: &Options,
    session: &Session,
) -> Result<Vec<Diagnostic>, Interrupted> {
    let written = |entry| {
        let pinned = already(entry)?;
        Some(Written { entry, pinned, tagged: pinned.tagged() })
    };
    let written: Vec<_> = plan.entries.iter().filter_map(written).collect();
    let tags = written.iter().filter_map(|written| written.tagged.clone());
    let now = match options.drift {
        DriftGate::All => {
            let now = session.resolve(&asking_for(tags.collect()), &[])?;
            let before = written.iter().filter_map(|written| {
                Some((written.tagged.clone()?, written.pinned.digest.clone()))
            });
            without_others(now, before, options, session)?
        }
        DriftGate::Off | DriftGate::Vanished => BTreeMap::new(),
    };
    let doubtful = || written.iter().filter(|written| !written.is_current(&now));
    let digests: BTreeSet<_> = doubtful()
        .map(|Written { pinned, .. }| (pinned.repository.clone(), pinned.digest.clone()))
        .collect();
    let present = session.present(&digests)?;
    let behind = doubtful().filter(|written| written.is_behind(&now));
    let others = others(&behind.collect::<Vec<_>>(), session)?;
    let drift = Found { now: &now, present: &present, others: &others, options };
    let at = |written: &Written<'_>| {
        let places = written.entry.places.iter().map(|&n| &places[n]);
        drift.of(written).map(|diagnostic| diagnostic.locations(places))
    };
    Ok(written.iter().filter_map(at).collect())
}

impl Written<'_> {
    fn status<'s>(&self, now: &'s BTreeMap<Name, Status>) -> Option<&'s Status> {
        now.get(&Name::Tagged(self.tagged.clone()?))
    }

    /// True if its tag has its digest.
    fn is_current(&self, now: &BTreeMap<Name, Status>) -> bool {
        matches!(self.status(now), Some(Status::Pinned(now)) if now.digest == self.pinned.digest)
    }

    /// True if its tag has another digest.
    fn is_behind(&self, now: &BTreeMap<Name, Status>) -> bool {
        matches!(self.status(now), Some(Status::Pinned(now)) if now.digest != self.pinned.digest)
    }
}

/// A plan of tags to ask for.
fn asking_for(tags: BTreeSet<Tagged>) -> Plan {
    let entries = tags.into_iter().map(Entry::of_tag).collect();
    Plan { entries, ..Plan::default() }
}

/// For each of these images, the tag near its own that has its digest, if one has.
fn others(
    behind: &[&Written<'_>],
    session: &Session,
) -> Result<BTreeMap<Pinned, Tagged>, Interrupted> {
    let repositories = behind.iter().map(|written| &written.pinned.repository).collect();
    let lists = session.lists(&repositories)?;
    let near = |written: &&Written<'_>| {
        let tags = lists.get(&written.pinned.repository).into_iter().flat_map(|tags| tags.iter());
        let tags: Vec<_> =
            tags.filter(|tag| Some(*tag) != written.pinned.tag.as_ref()).cloned().collect();
        let asked = Asked::from(written.tagged.as_ref()?);
        let tagged = |tag| Tagged { repository: written.pinned.repository.clone(), tag };
        let near = nearest(&asked, &tags).into_iter().map(|near| tagged(near.tag));
        Some((written.pinned.clone(), near.collect::<Vec<_>>()))
    };
    let near: Vec<(Pinned, Vec<Tagged>)> = behind.iter().filter_map(near).collect();
    let asked = near.iter().flat_map(|(_, tags)| tags).cloned().collect();
    let now = session.resolve(&asking_for(asked), &[])?;
    let has = |tagged: &Tagged, pinned: &Pinned| {
        let status = now.get(&Name::Tagged(tagged.clone()));
        matches!(status, Some(Status::Pinned(pin)) if pin.digest == pinned.digest)
    };
    let owner = |(pinned, tags): (Pinned, Vec<Tagged>)| {
        let owner = tags.into_iter().find(|tagged| has(tagged, &pinned))?;
        Some((pinned, owner))
    };
    Ok(near.into_iter().filter_map(owner).collect())
}

/// The answers of the registries.
struct Found<'r> {
    now: &'r BTreeMap<Name, Status>,
    present: &'r BTreeMap<Name, Result<(), Refusal>>,
    others: &'r BTreeMap<Pinned, Tagged>,
    options: &'r Options,
}

impl Found<'_> {
    fn of(&self, written: &Written<'_>) -> Option<Diagnostic> {
        let Pinned { repository, digest, .. } = written.pinned;
        let bare = Pinned { repository: repository.clone(), tag: None, digest: digest.clone() };
        let bare = Name::Pinned(bare);
        if let Some(Err(refusal)) = self.present.get(&bare) {
            if refusal.outcome.failure() == Failure::Absent {
                return Some(vanished(written.pinned));
            }
            return self.unknown(bare, Status::Unresolved(refusal.clone(), Search::default()));
        }
        let tagged = written.tagged.as_ref()?;
        let shown = quoted(&tagged.to_string());
        match written.status(self.now)? {
            Status::Pinned(now) if now.digest == *digest => None,
            Status::Pinned(now) => {
                let (message, help) = match self.others.get(written.pinned) {
                    Some(other) => (
                        format!(
                            "{shown} is written with the digest of {}",
                            quoted(&other.to_string())
                        ),
                        "write the tag and the digest of the same image".to_owned(),
                    ),
                    None => (
                        format!("{shown} no longer has the digest in the input"),
                        how_to_take(written.pinned),
                    ),
                };
                let error = error(message, written.pinned);
                Some(error.note("now", now.digest.to_string()).help(help))
            }
            Status::Unresolved(refusal, _) if refusal.outcome.failure() == Failure::Absent => {
                let message = format!("the tag {shown} no longer exists");
                let error = error(message, written.pinned).note("now", escaped(&refusal.detail));
                Some(error.help("its digest may be deleted soon too; choose another tag"))
            }
            other => self.unknown(Name::Tagged(tagged.clone()), other.clone()),
        }
    }

    /// An error if a registry gave no usable answer, in the words of any other run.
    fn unknown(&self, name: Name, status: Status) -> Option<Diagnostic> {
        let entries = vec![Entry { name, status, places: Vec::new() }];
        let plan = Plan { entries, ..Plan::default() };
        policy::judge(&plan, &[], &self.options.policy).pop()
    }
}

fn vanished(pinned: &Pinned) -> Diagnostic {
    let message = format!("{} no longer exists in its registry", quoted(&pinned.to_string()));
    let help = format!("{}; a new node can't start this one", how_to_take(pinned));
    error(message, pinned).help(help)
}

fn error(message: String, pinned: &Pinned) -> Diagnostic {
    Diagnostic::error(Failure::Policy, message)
        .of(RuleId::Drift)
        .note("written", pinned.digest.to_string())
}

fn how_to_take(pinned: &Pinned) -> String {
    let repository = escaped(&pinned.repository.to_string());
    format!(
        "run `digestif -i --update={repository}` on the files to write the tag's current digest"
    )
}
