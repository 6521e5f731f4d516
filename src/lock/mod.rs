//! Lock: which digest each image had when it was recorded, and what a run makes of that.
//!
//! What is recorded costs no request and does not move. A lock is read whole before anything is
//! asked, and written last, by [`Record`]: the file is then what it was, or complete.
//!
//! | file | subject |
//! |---|---|
//! | `schema`, `entry`, `edit`, `lines` | reading, writing an entry, adding entries to what people wrote |
//! | `file` | the file, and runs that write it at the same time |
//! | `supply`, `impossible`, `unused` | comparison with the digests of the input, with the rules, with the images of the input |
//! | `cooldown`, `age` | digests that are not old enough |
//! | `drift`, `input_drift`, `unchanged` | comparison with what registries have now |
//! | `diff`, `updated` | comparison of two locks, and of an image before and after a run |
//!
//! Every image that has a digest after the run is recorded: nothing that is skipped, a placeholder, or
//! unresolved.

mod age;
mod cooldown;
mod diff;
mod drift;
mod edit;
mod entry;
mod file;
mod impossible;
mod input_drift;
mod key;
mod lines;
mod schema;
mod supply;
mod unchanged;
mod unused;
mod updated;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Options;
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::image::{Asked, Digest, Globs, Repository, Tagged};
use crate::places::Found;
use crate::plan::{Date, Entry, History, Pin, Plan, Search, Status, Substitute, Via};
use crate::registry::{Outcome, Refusal};
use crate::resolve::{Interrupted, Session};
use crate::text::escape::quoted;
use crate::text::path::shown;
use crate::text::{Position, Source};

pub use age::{ago, waiting};
pub use cooldown::{Cooldown, New};
pub use diff::{Diff, DiffFormat, diff};
pub use drift::DriftGate;
pub use file::{Record, Recording, not_there, read, read_either};
pub use input_drift::input_drift;
pub use key::{Key, Version};
pub use schema::schema;
pub use unchanged::keep_unchanged;
pub use unused::unmatched_updates;
use unused::withdrawn;
pub use updated::{Updated, updated};

/// The glob that fits every repository, which `--update` without a glob stands for.
pub const EVERYTHING: &str = "**";

/// The recorded images, by what was asked for. One tag has one digest in it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lock {
    images: BTreeMap<Key, Locked>,
}

/// The recorded result for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The tag that supplied the digest: what was asked for, or the substitute that a rule chose. None if
    /// the input had the digest without a tag.
    pub supplier: Option<Tagged>,
    /// The digest.
    pub digest: Digest,
    /// The rule; none if the digest is that of what was asked for.
    pub rule: Option<String>,
    /// When its digests were first seen.
    pub history: History,
}

/// The reason why a text is no lock, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The message.
    pub message: String,
    /// Where.
    pub at: Position,
    /// The remedy.
    pub help: Option<String>,
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// It is not YAML, has unknown or duplicate keys, or entries that contradict each other: the
    /// first of these.
    pub fn parse(source: &Source) -> Result<Self, Wrong> {
        schema::parse(source)
    }

    /// The text of a new file.
    #[must_use]
    pub fn text(&self) -> String {
        entry::whole(self)
    }

    /// The entry of an image.
    #[must_use]
    pub fn find(&self, asked: &Asked) -> Option<&Locked> {
        self.images.get(&Key::from(asked.clone()))
    }

    /// All entries, by registry, repository and tag.
    pub fn images(&self) -> impl Iterator<Item = (&Key, &Locked)> {
        self.images.iter()
    }
}

/// The lock of a run, and what the run does with it.
#[derive(Debug)]
pub struct Locking {
    /// The file, as it was named.
    pub path: PathBuf,
    /// Its content; empty if there is no file yet.
    pub lock: Lock,
    /// Tells if there is a file.
    pub state: State,
    /// The treatment of images that it does not have.
    pub mode: Mode,
    /// Tells if recorded substitutes are used.
    pub substitutes: Substitutes,
    /// The longest wait for another run that writes the file.
    pub timeout: Duration,
    /// How old a digest must be before it is used; none without a cooldown.
    pub cooldown: Option<Cooldown>,
    /// The day of the run.
    pub today: Date,
}

/// Tells if there is a lock already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The file was read.
    Read,
    /// There is no file yet.
    New,
}

/// The treatment of images that the lock does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are resolved and recorded.
    Record,
    /// They fail the run; the file is not written.
    Frozen,
    /// The same, and what is not used is said.
    Check,
    /// The same, and registries are asked whether what is recorded still holds.
    Drift,
}

/// Tells if a substitute in the lock is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Substitutes {
    /// It is, and every run says so.
    Used,
    /// It fails the run, as `--no-fallback` asks.
    Refused,
}

impl Locking {
    /// The plan with what is recorded in its place, but for repositories that are to be asked again.
    /// It also uses the lock's entries of other tags, so that no two references to one tag differ.
    #[must_use]
    pub fn settle(&self, mut plan: Plan, update: &Globs) -> Plan {
        let recorded = plan.unsettled().filter_map(|entry| {
            let asked = entry.name.asked()?;
            let locked = self
                .lock
                .find(&asked)
                .filter(|locked| is_kept(&asked.repository, locked, update))?;
            Some((entry.name.clone(), self.status(&asked, locked)))
        });
        let recorded = recorded.collect();
        plan = plan.settled(recorded);
        plan.histories = self.histories(update);
        match self.mode {
            Mode::Record => {
                let kept = self
                    .lock
                    .images()
                    .filter(|(key, locked)| is_kept(&key.repository, locked, update));
                plan.known = kept
                    .filter_map(|(_, locked)| Some((locked.supplier.clone()?, locked.pin())))
                    .collect();
                plan
            }
            Mode::Frozen | Mode::Check | Mode::Drift => self.frozen(plan),
        }
    }

    /// The age of the recorded digests that are not asked for again, by the tags that supplied them.
    fn histories(&self, update: &Globs) -> BTreeMap<Tagged, History> {
        let kept =
            self.lock.images().filter(|(key, locked)| is_kept(&key.repository, locked, update));
        let aged = kept.filter(|(_, locked)| locked.history != History::default());
        aged.filter_map(|(_, locked)| Some((locked.supplier.clone()?, locked.history.clone())))
            .collect()
    }

    /// The status of an image that is recorded.
    fn status(&self, asked: &Asked, locked: &Locked) -> Status {
        let Some((rule, tagged)) = locked.rule.as_ref().zip(locked.supplier.clone()) else {
            return Status::Pinned(locked.pin());
        };
        match self.substitutes {
            Substitutes::Used => {
                let substitute = Substitute { tagged, pin: locked.pin(), rule: rule.clone() };
                Status::Substituted(substitute, Search::default())
            }
            Substitutes::Refused => {
                let instead = quoted(&tagged.to_string());
                let detail =
                    format!("is locked to the substitute {instead}, which `--no-fallback` forbids");
                let remedy = format!(
                    "resolve it again with `--update={}`, or remove `--no-fallback`",
                    asked.repository
                );
                not_locked(detail, remedy)
            }
        }
    }

    /// An image that is not recorded fails the run.
    fn frozen(&self, plan: Plan) -> Plan {
        let detail = "is not in the lock";
        let remedy = self.how_to_add("without `--locked`");
        let missing =
            |entry: &Entry| (entry.name.clone(), not_locked(detail.to_owned(), remedy.clone()));
        let missing = plan.unsettled().map(missing).collect();
        plan.settled(missing)
    }

    fn how_to_add(&self, otherwise: &str) -> String {
        let file = shown(&self.path);
        format!("add it: run `digestif --lock {file}` on these manifests, {otherwise}")
    }

    /// The plan in which images that could not be asked for say that the lock has them neither.
    #[must_use]
    pub fn missed(&self, mut plan: Plan) -> Plan {
        for entry in &mut plan.entries {
            if let Status::Unresolved(refusal, search) = &mut entry.status
                && refusal.outcome == Outcome::OfflineMiss
                && search.stopped_in.is_none()
            {
                let is_locked =
                    entry.name.asked().is_some_and(|asked| self.lock.find(&asked).is_some());
                let (detail, remedy) = if is_locked {
                    (
                        "is in the lock, but `--update` must resolve it again, and `--offline` forbids that",
                        "remove `--offline`, or remove `--update` to use the locked digest"
                            .to_owned(),
                    )
                } else {
                    (
                        "is neither in the lock nor in an image layout, and `--offline` forbids requests",
                        self.how_to_add("without `--offline`"),
                    )
                };
                detail.clone_into(&mut refusal.detail);
                refusal.outcome = Outcome::NotLocked;
                search.remedy = Some(remedy);
                search.tried.clear();
            }
        }
        plan
    }

    /// The messages of a check about the lock: entries that are not used, and with `--drift` what registries
    /// no longer say.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn check(
        &self,
        plan: &Plan,
        found: &Found,
        options: &Options,
        session: &Session,
    ) -> Result<Vec<Diagnostic>, Interrupted> {
        let mut diagnostics = Vec::new();
        diagnostics.extend(withdrawn(plan, &found.places, &options.rules));
        diagnostics.extend(self.unsupplied(plan, &found.places));
        if matches!(self.mode, Mode::Check | Mode::Drift) {
            diagnostics.extend(self.unused(plan, &found.places));
        }
        diagnostics.extend(self.young(plan, &found.places));
        if self.mode == Mode::Drift {
            diagnostics.extend(drift::drift(plan, &found.places, self, options, session)?);
        }
        Ok(diagnostics)
    }

    /// The changes of a successful run to the lock; none if the lock has everything.
    #[must_use]
    pub fn record(&self, plan: &Plan) -> Option<Record> {
        if self.mode != Mode::Record {
            return None;
        }
        let new = |(key, locked): &(Key, Locked)| self.lock.images.get(key) != Some(locked);
        let mut changes: BTreeMap<_, _> = self.resolved(plan).filter(new).collect();
        self.carry(&mut changes);
        self.add_written(plan, &mut changes);
        if changes.is_empty() && self.state == State::Read {
            return None;
        }
        let (path, base) = (self.path.clone(), self.lock.clone());
        Some(Record { path, timeout: self.timeout, base, changes })
    }

    /// Every image of a plan that has a digest, as a lock has it. Without a cooldown, a digest that
    /// stays keeps its history, and another one has none.
    fn resolved<'p>(&'p self, plan: &'p Plan) -> impl Iterator<Item = (Key, Locked)> + 'p {
        plan.entries.iter().filter_map(|entry| {
            let (supplier, pin) = entry.supplier()?;
            let rule = match &entry.status {
                Status::Substituted(found, _) => Some(found.rule.clone()),
                _ => None,
            };
            let key = Key::from(entry.name.asked()?);
            let old = self.lock.images.get(&key).filter(|old| old.digest == pin.digest);
            let known = plan.histories.get(supplier).or(old.map(|old| &old.history));
            let history = known.cloned().unwrap_or_default();
            let (supplier, digest) = (Some(supplier.clone()), pin.digest.clone());
            Some((key, Locked { supplier, digest, rule, history }))
        })
    }

    /// Adds the entries that the input does not have, and whose digest is from a tag that has just
    /// been asked for: one tag has one digest.
    fn carry(&self, changes: &mut BTreeMap<Key, Locked>) {
        let found =
            changes.values().filter_map(|locked| Some((locked.supplier.clone()?, locked.clone())));
        let found: BTreeMap<_, _> = found.collect();
        for (asked, locked) in self.lock.images() {
            if let Some(now) = locked.supplier.as_ref().and_then(|tag| found.get(tag)) {
                let carried = Locked { rule: locked.rule.clone(), ..now.clone() };
                if carried != *locked {
                    changes.entry(asked.clone()).or_insert(carried);
                }
            }
        }
    }
}

impl Locked {
    /// The supplier of the digest, for messages.
    fn said(&self) -> String {
        let supplier = self.supplier.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{supplier}@{}", self.digest)
    }

    fn pin(&self) -> Pin {
        Pin { digest: self.digest.clone(), via: Via::Lock }
    }
}

/// True if an entry is not to be asked for again. Where what supplied its digest is, it is too: one
/// tag would have two digests otherwise.
fn is_kept(asked: &Repository, locked: &Locked, update: &Globs) -> bool {
    let supplier = locked.supplier.as_ref().map(|supplier| &supplier.repository);
    !update.fit(asked) && !supplier.is_some_and(|supplier| update.fit(supplier))
}

fn not_locked(detail: String, remedy: String) -> Status {
    let search = Search { remedy: Some(remedy), ..Search::default() };
    Status::Unresolved(Refusal::new(Outcome::NotLocked, detail), search)
}

impl Wrong {
    /// The diagnostic about a file.
    #[must_use]
    pub fn diagnostic(self, path: &Path) -> Diagnostic {
        let file = shown(path);
        let help = self.help.unwrap_or_else(|| {
            "`digestif schema lock` prints the schema; the file was not changed".to_owned()
        });
        Diagnostic::error(Failure::Usage, format!("the lock is wrong: {}", self.message))
            .of(RuleId::LockFile)
            .location(crate::diagnostic::Location::Position(file, self.at))
            .help(help)
    }
}
