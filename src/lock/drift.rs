//! Drift: whether registries still say what the lock says.

use std::collections::{BTreeMap, BTreeSet};

use super::conflicts::written;
use super::{Lock, Locking};
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::image::{Reference, Tagged};
use crate::places::Place;
use crate::plan::{Answers, Entry, Pin, Plan, Search, Settled, Status, Substitute};
use crate::registry::Outcome;
use crate::resolve::{Interrupted, Session};
use crate::text::escape::{escaped, quoted};
use crate::{Options, policy};

/// Asks for what supplied the digest of each image that the lock settled or that has the lock's
/// digest in the input, and for each original that a rule replaced; says what is no longer so.
///
/// # Errors
/// A signal interrupted it.
pub(super) fn drift(
    plan: &Plan,
    places: &[Place],
    locking: &Locking,
    options: &Options,
    session: &Session,
) -> Result<Vec<Diagnostic>, Interrupted> {
    let entries = locked(plan, places, &locking.lock);
    // Rules are no part of it: whether a tag exists is asked, not what could stand in for it.
    let answers = session.resolve(&questions(&entries), &[])?;
    let mut diagnostics = Vec::new();
    let drift = Drift { locking, answers: &answers, options };
    for entry in &entries {
        let at = || entry.places.iter().map(|&n| &places[n]);
        diagnostics
            .extend(drift.of(entry).into_iter().map(|diagnostic| diagnostic.locations(at())));
    }
    Ok(diagnostics)
}

/// The images of the plan that have the lock's digest, each once, also where the input has that
/// already. What has another digest there is said without asking.
fn locked(plan: &Plan, places: &[Place], lock: &Lock) -> Vec<Entry> {
    let by_supplier = lock.by_supplier();
    let status = |entry: &Entry| match &entry.status {
        Status::Pinned(_) | Status::Substituted(..) => {
            Some((entry.name.clone(), entry.status.clone()))
        }
        _ => {
            let (tagged, digest) = written(entry, places)?;
            let locked = lock.of_written(&by_supplier, &tagged);
            let locked = locked.into_iter().find(|locked| locked.digest == *digest)?;
            let status = match &locked.rule {
                Some(rule) if locked.supplier != tagged => {
                    let (tagged, pin) = (locked.supplier.clone(), locked.pin());
                    let substitute = Substitute { tagged, pin, rule: rule.clone() };
                    Status::Substituted(substitute, Search::default())
                }
                _ => Status::Pinned(locked.pin()),
            };
            Some((tagged.to_string(), status))
        }
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &plan.entries {
        let Some((name, status)) = status(entry) else { continue };
        let n = *known.entry(name.clone()).or_insert_with(|| {
            entries.push(Entry { name, status, places: Vec::new() });
            entries.len() - 1
        });
        entries[n].places.extend(&entry.places);
        entries[n].places.sort_unstable();
    }
    entries
}

/// What is to be asked, each once.
fn questions(entries: &[Entry]) -> Plan {
    let asked = entries.iter().flat_map(|entry| {
        let substitute = match &entry.status {
            Status::Substituted(found, _) => Some(found.tagged.clone()),
            _ => None,
        };
        tagged(&entry.name).into_iter().chain(substitute)
    });
    let mut known = BTreeSet::new();
    let question = |tagged: Tagged| {
        let (name, status) = (tagged.to_string(), Status::Tagged(tagged));
        known.insert(name.clone()).then_some(Entry { name, status, places: Vec::new() })
    };
    Plan { entries: asked.filter_map(question).collect(), ..Plan::default() }
}

/// What was asked for; none where its tag is invalid, which exists nowhere.
fn tagged(name: &str) -> Option<Tagged> {
    match name.parse() {
        Ok(Reference::Tagged(tagged)) => Some(tagged),
        _ => None,
    }
}

struct Drift<'r> {
    locking: &'r Locking,
    answers: &'r Answers,
    options: &'r Options,
}

impl Drift<'_> {
    fn of(&self, entry: &Entry) -> Vec<Diagnostic> {
        match &entry.status {
            Status::Pinned(pin) => self.moved(&entry.name, &entry.name, pin).into_iter().collect(),
            Status::Substituted(found, _) => {
                let moved = self.moved(&entry.name, &found.tagged.to_string(), &found.pin);
                self.appeared(&entry.name, &found.rule).into_iter().chain(moved).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether what supplied a digest has another one now.
    fn moved(&self, asked: &str, supplier: &str, pin: &Pin) -> Option<Diagnostic> {
        let name = quoted(supplier);
        match self.answers.settled.get(supplier)? {
            Settled::Pinned(now) if now.digest == pin.digest => None,
            Settled::Pinned(now) => Some(
                Diagnostic::error(Failure::Policy, format!("{name} has moved since it was locked"))
                    .of(RuleId::Drift)
                    .note("locked", pin.digest.to_string())
                    .note("now", now.digest.to_string())
                    .help(
                        self.how_to_take(asked, "to take it; to keep what is locked, do nothing"),
                    ),
            ),
            Settled::Unresolved(refusal, _) if refusal.outcome.failure() == Failure::Absent => {
                Some(
                    Diagnostic::error(
                        Failure::Policy,
                        format!("{name} is locked, and no longer exists"),
                    )
                    .of(RuleId::Drift)
                    .note("locked", pin.digest.to_string())
                    .note("now", escaped(&refusal.detail))
                    .help(self.how_to_take(
                        asked,
                        "to look for another; its digest may be gone soon as well",
                    )),
                )
            }
            other => self.unknown(supplier, other),
        }
    }

    /// Whether an original exists that a rule had to replace.
    fn appeared(&self, asked: &str, rule: &str) -> Option<Diagnostic> {
        let takes_denied = |outcome: Outcome| {
            let rules = self.options.rules.iter();
            outcome == Outcome::Denied
                && rules.into_iter().any(|own| own.name == rule && own.when.covers(Some(outcome)))
        };
        match self.answers.settled.get(asked)? {
            Settled::Pinned(now) => {
                let message =
                    format!("{} exists now, and is locked to a substitute", quoted(asked));
                Some(
                    Diagnostic::error(Failure::Policy, message)
                        .of(RuleId::Drift)
                        .note("rule", escaped(rule))
                        .note("now", now.digest.to_string())
                        .help(self.how_to_take(asked, "to take it")),
                )
            }
            Settled::Unresolved(refusal, _)
                if refusal.outcome.failure() == Failure::Absent
                    || takes_denied(refusal.outcome) =>
            {
                None
            }
            other => self.unknown(asked, other),
        }
    }

    /// What a registry could not say, in the words of any other run.
    fn unknown(&self, name: &str, answer: &Settled) -> Option<Diagnostic> {
        let Settled::Unresolved(refusal, search) = answer else { return None };
        let status = Status::Unresolved(refusal.clone(), search.clone());
        let entries = vec![Entry { name: name.to_owned(), status, places: Vec::new() }];
        let plan = Plan { entries, ..Plan::default() };
        policy::judge(&plan, &[], &self.options.policy).pop()
    }

    fn how_to_take(&self, asked: &str, purpose: &str) -> String {
        let file = escaped(&self.locking.path.display().to_string());
        let repository = asked.rsplit_once(':').map_or(asked, |(name, _)| name);
        format!("run `digestif --lock {file} --update={}` {purpose}", escaped(repository))
    }
}
