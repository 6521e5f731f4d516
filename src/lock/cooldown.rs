//! Cooldown: a digest is used only when it was first seen some days ago.
//!
//! A tag that is built daily is never old enough by itself. So a run records each new digest with its
//! day under `next`, and a later run takes the newest of them that is old enough and that the registry
//! still has. If the tag goes back to a digest that was seen before, whoever publishes it has taken back
//! what came after, and that is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::supply::already;
use super::{Key, Locked, Locking, Mode};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::image::{Digest, Globs, Pinned, Repository, Tagged};
use crate::places::Place;
use crate::plan::{Date, Entry, History, Name, Pin, Plan, Seen, Status, Via};
use crate::registry::Refusal;
use crate::resolve::{Interrupted, Session};
use crate::text::escape::{escaped, quoted};
use crate::text::path::shown;

/// How old a digest has to be before it is used.
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

    /// What it is called where it was set.
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

/// The digests of a tag, from the one in use to the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Queue {
    digest: Digest,
    history: History,
}

impl Queue {
    /// What was recorded, with the digest that the tag has now.
    fn new(old: &Locked, now: &Digest, today: Date) -> Self {
        let (digest, mut history) = (old.digest.clone(), old.history.clone());
        if *now == digest {
            history.next.clear();
        } else if let Some(at) = history.next.iter().position(|one| one.digest == *now) {
            history.next.truncate(at + 1);
        } else {
            history.next.push(Seen { digest: now.clone(), seen: today });
        }
        Self { digest, history }
    }

    /// The newer digests that are old enough.
    fn due(&self, days: u32, today: Date) -> impl Iterator<Item = &Digest> {
        let next = self.history.next.iter();
        next.filter(move |one| is_old(one.seen, days, today)).map(|one| &one.digest)
    }

    /// Takes the newest digest that is old enough and not gone, and forgets what came before it.
    fn adopt(mut self, gone: &BTreeSet<Digest>, days: u32, today: Date) -> Self {
        self.history.next.retain(|one| !gone.contains(&one.digest));
        let newest = self.history.next.iter().rposition(|one| is_old(one.seen, days, today));
        if let Some(at) = newest {
            let Seen { digest, seen } = self.history.next[at].clone();
            let next = self.history.next.split_off(at + 1);
            return Self { digest, history: History { seen: Some(seen), next } };
        }
        self
    }
}

fn is_old(seen: Date, days: u32, today: Date) -> bool {
    today.days_since(seen) >= i64::from(days)
}

/// What a cooldown has found in a run.
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
            match locked.or_else(|| written(entry, tagged, places)) {
                Some(old) => {
                    let queue = Queue::new(&old, &pin.digest, self.today);
                    queues.insert(tagged.clone(), (old.digest, pin.clone(), queue));
                }
                None => drop(new.insert(tagged.clone(), pin.clone())),
            }
        }
        (queues, new)
    }

    /// Whether registries still have the digests that are old enough. What a tag has now is there.
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

    /// Errors about digests that are younger than the caller asks for. Nothing is asked.
    pub(super) fn young(&self, plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
        let is_check = matches!(self.mode, Mode::Check | Mode::Drift);
        let asked_for = self.cooldown.as_ref().filter(|cooldown| cooldown.is_asked_for && is_check);
        let Some(cooldown) = asked_for else { return Vec::new() };
        let by_supplier = self.lock.by_supplier();
        let error = |entry: &Entry| {
            let locked = match already(entry) {
                Some(pinned) => {
                    let own = self.lock.images.get(&Key::of_pinned(pinned));
                    let tagged = pinned.tagged();
                    let of_tag =
                        tagged.iter().flat_map(|tag| self.lock.of_written(&by_supplier, tag));
                    own.into_iter().chain(of_tag).find(|locked| locked.digest == pinned.digest)
                }
                None => entry.supplier().and(self.lock.find(&entry.name.asked()?)),
            }?;
            let days = cooldown.days(entry.name.repository()?);
            let age = match locked.history.seen {
                _ if days == 0 => return None,
                Some(seen) if is_old(seen, days, self.today) => return None,
                Some(seen) => format!("was first seen {}", ago(seen, self.today)),
                None => "has no `seen` in the lock, so its age is not known".to_owned(),
            };
            let name = quoted(&entry.name.to_string());
            Some(
                Diagnostic::error(Failure::Policy, format!("the digest of {name} {age}"))
                    .of(RuleId::Cooldown)
                    .locations(entry.places.iter().map(|&n| &places[n]))
                    .note("cooldown", count(i64::from(days)))
                    .help("wait until it is old enough, or lock an older digest"),
            )
        };
        plan.entries.iter().filter_map(error).collect()
    }

    /// The error about a day in the lock that is still to come: a clock is wrong, and no age is known.
    #[must_use]
    pub fn future(&self) -> Option<Diagnostic> {
        let late = |locked: &Locked| locked.history.days().find(|day| *day > self.today);
        let (key, day) = self.lock.images().find_map(|(key, locked)| Some((key, late(locked)?)))?;
        let message = format!(
            "the lock has {} as first seen on {day}, but today is {}",
            quoted(&key.to_string()),
            self.today
        );
        Some(
            Diagnostic::error(Failure::Usage, message)
                .location(Location::File(shown(&self.path)))
                .help("a clock is wrong, here or where the lock was written; days are in UTC"),
        )
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

/// When the newest digest that waits will be used, for people; none if none waits.
#[must_use]
pub fn waiting(history: &History, days: u32, today: Date) -> Option<String> {
    let next = history.next.first()?;
    let newest = history.next.last()?;
    let adopted = next.seen.after(days);
    let more = match history.next.len() {
        1 => String::new(),
        n => format!(", the first of {n}; the newest was first seen {}", ago(newest.seen, today)),
    };
    Some(format!("first seen {}; will be adopted on {adopted}{more}", ago(next.seen, today)))
}

/// How long ago a day was, for people.
#[must_use]
pub fn ago(seen: Date, today: Date) -> String {
    match today.days_since(seen) {
        0 => "today".to_owned(),
        days => format!("{} ago", count(days)),
    }
}

fn count(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
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
fn written(entry: &Entry, tagged: &Tagged, places: &[Place]) -> Option<Locked> {
    let pinned = entry.places.iter().find_map(|&n| places[n].image.pinned())?;
    let supplier = Some(tagged.clone());
    let is_own = pinned.tagged().as_ref() == Some(tagged);
    is_own.then(|| Locked {
        supplier,
        digest: pinned.digest.clone(),
        rule: None,
        history: History::default(),
    })
}

/// Gives every image of a tag this digest.
fn pin(plan: &mut Plan, tagged: &Tagged, pin: &Pin) {
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
fn settle(plan: &mut Plan, tagged: &Tagged, status: &Status) {
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

    fn digest(n: u32) -> Digest {
        format!("sha256:{n:064x}").parse().expect("a digest")
    }

    fn day(n: u32) -> Date {
        let first: Date = "2026-01-01".parse().expect("a day");
        first.after(n)
    }

    fn start() -> Locked {
        let history = History { seen: Some(day(0)), next: Vec::new() };
        Locked { supplier: None, digest: digest(0), rule: None, history }
    }

    /// One nightly run, on which the tag has the digest of this number.
    fn night(old: &Locked, now: u32, days: u32, today: Date, gone: &BTreeSet<Digest>) -> Locked {
        let queue = Queue::new(old, &digest(now), today).adopt(gone, days, today);
        Locked { digest: queue.digest, history: queue.history, ..old.clone() }
    }

    #[test]
    fn in_a_year_of_nightly_runs_every_digest_is_adopted_at_the_age_of_the_window() {
        const WINDOW: u32 = 7;
        let mut measured = Vec::new();
        for rebuilt in [1, 2, 3, 7] {
            let (mut lock, mut adoptions, mut ages) = (start(), 0, 0);
            for n in 1..=365 {
                let before = lock.digest.clone();
                // The n-th build is first seen on the day on which it is made.
                lock = night(&lock, n / rebuilt, WINDOW, day(n), &BTreeSet::new());
                let seen = lock.history.seen.expect("a run with a cooldown wrote it");
                if lock.digest != before {
                    adoptions += 1;
                    assert_eq!(day(n).days_since(seen), i64::from(WINDOW), "{rebuilt}: day {n}");
                }
                ages += day(n).days_since(seen);
            }
            let newest = (365 - WINDOW) / rebuilt;
            assert_eq!(lock.digest, digest(newest), "{rebuilt}");
            measured.push((rebuilt, adoptions, ages / 365));
        }
        assert_eq!(measured, [(1, 358, 6), (2, 179, 7), (3, 119, 7), (7, 51, 9)]);
    }

    #[test]
    fn what_a_tag_goes_back_from_and_what_is_gone_is_never_adopted() {
        let none = BTreeSet::new();
        // The tag has 1 for a day and goes back.
        let lock = night(&start(), 1, 7, day(1), &none);
        assert_eq!(lock.history.next, [Seen { digest: digest(1), seen: day(1) }]);
        let back = night(&lock, 0, 7, day(2), &none);
        assert_eq!((&back.digest, &back.history.next[..]), (&digest(0), &[][..]));
        // It goes on to 2, and back to 1.
        let further = night(&lock, 2, 7, day(2), &none);
        let back = night(&further, 1, 7, day(3), &none);
        assert_eq!(back.history.next, lock.history.next);
        // What the registry has removed is passed over; an older one that it has is used.
        let gone = BTreeSet::from([digest(2)]);
        let later = night(&further, 3, 7, day(20), &gone);
        assert_eq!(later.digest, digest(1));
        assert_eq!(later.history.next, [Seen { digest: digest(3), seen: day(20) }]);
    }

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
