//! Cooldown: a digest is used only when it was first seen some days ago.
//!
//! A tag that is built daily is never old enough. So a run records each new digest with its
//! day under `next`, and a later run takes the newest of them that is old enough and that the registry
//! still has. If the tag goes back to a digest that was seen before, its publisher has taken back
//! what came after, and that is forgotten.

mod queue;

use std::collections::{BTreeMap, BTreeSet};

use super::age::waiting;
use super::{Locked, Locking, Mode};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::image::{Digest, Globs, Pinned, Repository, Tagged};
use crate::places::Place;
use crate::plan::{Date, Entry, History, Name, Pin, Plan, Status, Via};
use crate::registry::Refusal;
use crate::resolve::{Interrupted, Session};
use crate::text::escape::{escaped, quoted};
use crate::text::path::shown;
use queue::Queue;

/// How old a digest must be before it is used.
#[derive(Debug, Clone)]
pub struct Cooldown {
    /// Days for images that no glob fits.
    pub default: u32,
    /// Days for the images that a glob fits, the longest glob first.
    pub images: Vec<(Globs, u32)>,
    /// The treatment of images that the lock does not have yet.
    pub new: New,
    /// True if the caller named it for this run. Only then a check fails for young digests: a
    /// configuration says when digests are taken, and a new image is taken at once.
    pub is_asked_for: bool,
}

/// The treatment of images that the lock does not have yet: nothing is known of their age.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum New {
    /// They are taken, and the run says so.
    #[default]
    Accept,
    /// They fail the run.
    Deny,
}

impl Cooldown {
    /// The one that counts, of a configuration above the flags, a flag, and a configuration below.
    /// A flag says the days of all images, and nothing of those that are new.
    #[must_use]
    pub fn strongest(above: Option<Self>, flag: Option<u32>, below: Option<Self>) -> Option<Self> {
        let Some(days) = flag.filter(|_| above.is_none()) else { return above.or(below) };
        let new = below.map(|below| below.new).unwrap_or_default();
        Some(Self { default: days, images: Vec::new(), new, is_asked_for: true })
    }

    /// The name of the setting: a flag or a key.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.is_asked_for { "--cooldown" } else { "cooldown" }
    }

    /// Days for the images of a repository.
    #[must_use]
    pub fn days(&self, repository: &Repository) -> u32 {
        let own = self.images.iter().find(|(globs, _)| globs.fit(repository));
        own.map_or(self.default, |(_, days)| *days)
    }
}

/// The results of a cooldown in a run.
#[derive(Default)]
struct Findings {
    new: Vec<Tagged>,
    waiting: Vec<String>,
    at_once: Vec<String>,
    gone: Vec<String>,
    errors: Vec<Diagnostic>,
}

impl Locking {
    /// The plan with digests that are old enough, instead of those that the tags have now; and what
    /// has to be said of it.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn cool(
        &self,
        mut plan: Plan,
        places: &[Place],
        session: &Session,
    ) -> Result<(Plan, Vec<Diagnostic>), Interrupted> {
        let Some(cooldown) = self.cooldown.as_ref().filter(|_| self.mode == Mode::Record) else {
            return Ok((plan, Vec::new()));
        };
        let (queues, new) = self.queues(&plan, places);
        let mut findings = Findings::default();
        for (tagged, pin) in new {
            let days = cooldown.days(&tagged.repository);
            if cooldown.new == New::Deny && days > 0 {
                findings.errors.push(denied(&plan, places, &tagged));
            } else if days > 0 {
                findings.new.push(tagged.clone());
            }
            let history = History { seen: Some(self.today), next: Vec::new() };
            plan.histories.insert(tagged, history);
            debug_assert!(pin.via != Via::Lock, "what the lock has is not new");
        }
        let present = self.present(&queues, cooldown, session)?;
        for (tagged, (old, now, queue)) in queues {
            let days = cooldown.days(&tagged.repository);
            let mut gone = BTreeSet::new();
            let mut unknown = None;
            for digest in queue.due(days, self.today) {
                match present.get(&name(&tagged.repository, digest)) {
                    Some(Err(refusal)) if refusal.outcome.failure() == Failure::Absent => {
                        gone.insert(digest.clone());
                    }
                    Some(Err(refusal)) => unknown = Some(refusal.clone()),
                    Some(Ok(())) | None => {}
                }
            }
            findings.gone.extend(gone.iter().map(|digest| format!("{tagged}: {digest}")));
            if let Some(refusal) = unknown {
                settle(
                    &mut plan,
                    &tagged,
                    &Status::Unresolved(refusal, crate::plan::Search::default()),
                );
                continue;
            }
            let queue = queue.adopt(&gone, days, self.today);
            findings.say(&tagged, &queue, days, self.today, &old);
            let via = if queue.digest == now.digest { now.via } else { Via::Lock };
            pin(&mut plan, &tagged, &Pin { digest: queue.digest, via });
            plan.histories.insert(tagged, queue.history);
        }
        Ok((plan, findings.diagnostics(self)))
    }

    /// The queue of each tag that was asked for and already has a digest, in the lock or in the input,
    /// and the tags of which nothing is known.
    #[expect(clippy::type_complexity, reason = "each is named where it is used")]
    fn queues(
        &self,
        plan: &Plan,
        places: &[Place],
    ) -> (BTreeMap<Tagged, (Digest, Pin, Queue)>, BTreeMap<Tagged, Pin>) {
        let by_supplier = self.lock.by_supplier();
        let (mut queues, mut new) = (BTreeMap::new(), BTreeMap::new());
        for entry in &plan.entries {
            let Some((tagged, pin)) = entry.supplier().filter(|(_, pin)| pin.via != Via::Lock)
            else {
                continue;
            };
            let locked = by_supplier.get(tagged).map(|locked| (*locked).clone());
            let own = || Some(unknown(tagged, written(entry, tagged, places)?));
            match locked.or_else(own) {
                Some(old) => {
                    let queue = Queue::new(&old, &pin.digest, self.today);
                    queues.insert(tagged.clone(), (old.digest, pin.clone(), queue));
                }
                None => drop(new.insert(tagged.clone(), pin.clone())),
            }
        }
        (queues, new)
    }

    /// True if registries still have a digest that is old enough. The present digest of a tag exists.
    fn present(
        &self,
        queues: &BTreeMap<Tagged, (Digest, Pin, Queue)>,
        cooldown: &Cooldown,
        session: &Session,
    ) -> Result<BTreeMap<Name, Result<(), Refusal>>, Interrupted> {
        let mut wanted = BTreeSet::new();
        for (tagged, (_, now, queue)) in queues {
            let days = cooldown.days(&tagged.repository);
            let due = queue.due(days, self.today).filter(|digest| **digest != now.digest);
            wanted.extend(due.map(|digest| (tagged.repository.clone(), digest.clone())));
        }
        session.present(&wanted)
    }
}

impl Findings {
    /// Notes what is said of a tag.
    fn say(&mut self, tagged: &Tagged, queue: &Queue, days: u32, today: Date, old: &Digest) {
        if days == 0 && queue.digest != *old {
            self.at_once.push(tagged.to_string());
        }
        self.waiting.extend(
            waiting(&queue.history, days, today).map(|waiting| format!("{tagged}: {waiting}")),
        );
    }

    fn diagnostics(self, locking: &Locking) -> Vec<Diagnostic> {
        let file = shown(&locking.path);
        let warning = |names: Vec<String>, one: &str, many: &str, help: &str| {
            let about = match names.len() {
                0 => return None,
                1 => one.to_owned(),
                n => format!("{n} {many}"),
            };
            Some(
                Diagnostic::warning(about)
                    .of(RuleId::Cooldown)
                    .location(Location::File(file.clone()))
                    .note("images", escaped(&names.join("\n")))
                    .help(help),
            )
        };
        let new = self.new.iter().map(ToString::to_string).collect();
        let found = [
            warning(
                new,
                "an image is new to the lock, and is used at once",
                "images are new to the lock, and are used at once",
                "their age is not known; `cooldown: {new: deny}` refuses them",
            ),
            warning(
                self.waiting,
                "an image has a newer digest that is not old enough",
                "images have a newer digest that is not old enough",
                "run with `--update` on that day or later; `--update=GLOB --cooldown 0d` uses it now",
            ),
            warning(
                self.at_once,
                "an image gets a new digest at once, because its cooldown is 0 days",
                "images get a new digest at once, because their cooldown is 0 days",
                "review the change",
            ),
            warning(
                self.gone,
                "a waiting digest no longer exists in its registry, and is not used",
                "waiting digests no longer exist in their registries, and are not used",
                "find out why they were removed",
            ),
        ];
        self.errors.into_iter().chain(found.into_iter().flatten()).collect()
    }
}

fn denied(plan: &Plan, places: &[Place], tagged: &Tagged) -> Diagnostic {
    let name = quoted(&tagged.to_string());
    let entries = plan.entries.iter();
    let of_it = entries.filter(|entry| entry.supplier().is_some_and(|(own, _)| own == tagged));
    let at: Vec<_> = of_it.flat_map(|entry| &entry.places).map(|&n| &places[n]).collect();
    let help = format!(
        "if it can be trusted, take it with `--update={} --cooldown 0d`",
        escaped(&tagged.repository.to_string())
    );
    Diagnostic::error(
        Failure::Policy,
        format!("{name} is new to the lock, and its age is not known"),
    )
    .of(RuleId::Cooldown)
    .locations(at)
    .note("policy", "cooldown: {new: deny}")
    .help(help)
}

/// The digest that the input has beside a tag that is asked for again.
pub(super) fn written(entry: &Entry, tagged: &Tagged, places: &[Place]) -> Option<Digest> {
    let pinned = entry.places.iter().find_map(|&n| places[n].image.pinned())?;
    (pinned.tagged().as_ref() == Some(tagged)).then(|| pinned.digest.clone())
}

/// An entry for a digest of which no lock knows the age.
fn unknown(tagged: &Tagged, digest: Digest) -> Locked {
    Locked { supplier: Some(tagged.clone()), digest, rule: None, history: History::default() }
}

/// Gives every image of a tag this digest.
pub(super) fn pin(plan: &mut Plan, tagged: &Tagged, pin: &Pin) {
    for entry in &mut plan.entries {
        let is_own = entry.supplier().is_some_and(|(own, _)| own == tagged);
        match &mut entry.status {
            Status::Pinned(own) if is_own => *own = pin.clone(),
            Status::Substituted(own, _) if is_own => own.pin = pin.clone(),
            _ => {}
        }
    }
}

/// Gives every image of a tag this status.
pub(super) fn settle(plan: &mut Plan, tagged: &Tagged, status: &Status) {
    for entry in &mut plan.entries {
        if entry.supplier().is_some_and(|(own, _)| own == tagged) {
            entry.status = status.clone();
        }
    }
}

fn name(repository: &Repository, digest: &Digest) -> Name {
    Name::Pinned(Pinned { repository: repository.clone(), tag: None, digest: digest.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_glob_says_how_many_days() {
        let globs = |glob: &str| Globs::new([glob]).expect("a glob");
        let images = vec![(globs("ghcr.io/acme/web"), 3), (globs("ghcr.io/**"), 0)];
        let cooldown = Cooldown { default: 7, images, new: New::Accept, is_asked_for: false };
        for (name, days) in [("ghcr.io/acme/web", 3), ("ghcr.io/acme/api", 0), ("redis", 7)] {
            let repository: Repository = name.parse().expect("a name");
            assert_eq!(cooldown.days(&repository), days, "{name}");
        }
    }
}
