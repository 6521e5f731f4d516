//! Drift: whether registries still say what the lock says.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::unchanged::without_others;
use super::{Lock, Locking};
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::image::{Digest, Pinned, Repository, Tagged};
use crate::places::Place;
use crate::plan::{Entry, Name, Pin, Plan, Search, Status, Substitute};
use crate::registry::{Outcome, Refusal};
use crate::resolve::{Interrupted, Session};
use crate::text::escape::{escaped, quoted};
use crate::text::path::shown;
use crate::{Options, policy};

/// The differences between registry and lock that fail a check.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum DriftGate {
    /// Nothing is asked.
    #[default]
    Off,
    /// Tags that moved, vanished digests, and originals that exist now.
    All,
    /// Vanished digests alone.
    Vanished,
}

impl DriftGate {
    /// True if registries are asked.
    #[must_use]
    pub fn is_on(self) -> bool {
        self != Self::Off
    }
}

impl FromStr for DriftGate {
    type Err = String;

    /// Reads what stands behind `--drift=`, or in a variable.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" | "true" | "1" | "yes" | "on" => Ok(Self::All),
            "vanished" => Ok(Self::Vanished),
            "off" | "false" | "0" | "no" | "" => Ok(Self::Off),
            _ => Err("expected `vanished`, or nothing".to_owned()),
        }
    }
}

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
    let entries = locked(plan, &locking.lock);
    // Rules are no part of it: whether a tag exists is asked, not what could stand in for it.
    let now = match options.drift {
        DriftGate::All => {
            let now = session.resolve(&questions(&entries), &[])?;
            let before = entries.iter().filter_map(Entry::supplier);
            let before = before.map(|(tagged, pin)| (tagged.clone(), pin.digest.clone()));
            without_others(now, before, options, session)?
        }
        DriftGate::Off | DriftGate::Vanished => BTreeMap::new(),
    };
    let present = session.present(&doubtful(&entries, &now))?;
    let mut diagnostics = Vec::new();
    let drift = Drift { locking, now: &now, present: &present, options };
    for entry in &entries {
        let at = || entry.places.iter().map(|&n| &places[n]);
        diagnostics
            .extend(drift.of(entry).into_iter().map(|diagnostic| diagnostic.locations(at())));
    }
    Ok(diagnostics)
}

/// The images of the plan that have the lock's digest, each once, also if the input has that
/// digest already. Those with another digest are errors of their own.
fn locked(plan: &Plan, lock: &Lock) -> Vec<Entry> {
    let by_supplier = lock.by_supplier();
    let settled = |entry: &Entry| match &entry.status {
        Status::Pinned(_) | Status::Substituted(..) => {
            Some((entry.name.clone(), entry.status.clone()))
        }
        _ => {
            let (tagged, digest) = entry.tag_with_digest()?;
            let locked = lock.of_written(&by_supplier, &tagged);
            let locked = locked.into_iter().find(|locked| locked.digest == *digest)?;
            let status = match locked.rule.as_ref().zip(locked.supplier.as_ref()) {
                Some((rule, supplier)) if *supplier != tagged => {
                    let (tagged, pin) = (supplier.clone(), locked.pin());
                    let substitute = Substitute { tagged, pin, rule: rule.clone() };
                    Status::Substituted(substitute, Search::default())
                }
                _ => Status::Pinned(locked.pin()),
            };
            Some((Name::Tagged(tagged), status))
        }
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut known: BTreeMap<Name, usize> = BTreeMap::new();
    for entry in &plan.entries {
        let Some((name, status)) = settled(entry) else { continue };
        let n = *known.entry(name.clone()).or_insert_with(|| {
            entries.push(Entry { name, status, places: Vec::new() });
            entries.len() - 1
        });
        entries[n].places.extend(&entry.places);
        entries[n].places.sort_unstable();
    }
    entries
}

/// The tags to ask for, each once: what was asked for, unless its tag is invalid and exists nowhere,
/// and the substitutes.
fn questions(entries: &[Entry]) -> Plan {
    let tags = entries.iter().flat_map(|entry| {
        let asked = match &entry.name {
            Name::Tagged(tagged) => Some(tagged),
            _ => None,
        };
        asked.into_iter().chain(entry.supplier().map(|(supplier, _)| supplier))
    });
    let tags: BTreeSet<_> = tags.collect();
    let entries = tags.into_iter().cloned().map(Entry::of_tag).collect();
    Plan { entries, ..Plan::default() }
}

/// The digests of which the tags' own answers do not say that they are there.
fn doubtful(entries: &[Entry], now: &BTreeMap<Name, Status>) -> BTreeSet<(Repository, Digest)> {
    let suppliers = entries.iter().filter_map(Entry::supplier);
    let doubtful = suppliers.filter(|(tagged, pin)| {
        let status = now.get(&Name::Tagged((*tagged).clone()));
        !matches!(status, Some(Status::Pinned(now)) if now.digest == pin.digest)
    });
    doubtful.map(|(tagged, pin)| (tagged.repository.clone(), pin.digest.clone())).collect()
}

struct Drift<'r> {
    locking: &'r Locking,
    /// The statuses by the registries' answers now.
    now: &'r BTreeMap<Name, Status>,
    /// True for each digest that its registry still has, although its tag has another one.
    present: &'r BTreeMap<Name, Result<(), Refusal>>,
    options: &'r Options,
}

impl Drift<'_> {
    fn of(&self, entry: &Entry) -> Vec<Diagnostic> {
        let Some((supplier, pin)) = entry.supplier() else { return Vec::new() };
        if self.options.drift == DriftGate::Vanished {
            return self.vanished(&entry.name, supplier, pin).into_iter().collect();
        }
        let moved = self.moved(&entry.name, supplier, pin);
        let appeared = match &entry.status {
            Status::Substituted(found, _) => self.appeared(&entry.name, &found.rule),
            _ => None,
        };
        appeared.into_iter().chain(moved).collect()
    }

    /// The registry's answer to the digest itself, if it was asked for.
    fn presence(&self, supplier: &Tagged, pin: &Pin) -> Option<(Name, &Result<(), Refusal>)> {
        let (repository, digest) = (supplier.repository.clone(), pin.digest.clone());
        let name = Name::Pinned(Pinned { repository, tag: None, digest });
        self.present.get(&name).map(|found| (name, found))
    }

    /// True if the registry no longer has the locked digest.
    fn is_gone(&self, supplier: &Tagged, pin: &Pin) -> bool {
        let found = self.presence(supplier, pin).map(|(_, found)| found);
        matches!(found, Some(Err(refusal)) if refusal.outcome.failure() == Failure::Absent)
    }

    /// An error if the registry no longer has the locked digest.
    fn vanished(&self, asked: &Name, supplier: &Tagged, pin: &Pin) -> Option<Diagnostic> {
        let (name, found) = self.presence(supplier, pin)?;
        let refusal = found.as_ref().err()?;
        if !self.is_gone(supplier, pin) {
            return self.unknown(&name, &Status::Unresolved(refusal.clone(), Search::default()));
        }
        let message =
            format!("the locked digest of {} no longer exists", quoted(&supplier.to_string()));
        Some(
            Diagnostic::error(Failure::Policy, message)
                .of(RuleId::Drift)
                .note("locked", pin.digest.to_string())
                .help(self.how_to_take(asked, "to lock another; a new node can't start this one")),
        )
    }

    /// An error if the tag that supplied a digest has another digest now, or is gone.
    fn moved(&self, asked: &Name, supplier: &Tagged, pin: &Pin) -> Option<Diagnostic> {
        let name = Name::Tagged(supplier.clone());
        let shown = quoted(&supplier.to_string());
        let (message, now, purpose) = match self.now.get(&name)? {
            Status::Pinned(now) if now.digest == pin.digest => return None,
            Status::Pinned(now) => (
                format!("{shown} has moved since it was locked"),
                now.digest.to_string(),
                "to use it; to keep the locked digest, do nothing",
            ),
            Status::Unresolved(refusal, _) if refusal.outcome.failure() == Failure::Absent => (
                format!("{shown} is locked, and no longer exists"),
                escaped(&refusal.detail),
                "to look for another; its digest may be deleted soon too",
            ),
            other => return self.unknown(&name, other),
        };
        let error = Diagnostic::error(Failure::Policy, message)
            .of(RuleId::Drift)
            .note("locked", pin.digest.to_string())
            .note("now", now);
        let gone =
            self.is_gone(supplier, pin).then_some("the registry no longer has the locked digest");
        let error = gone.into_iter().fold(error, |error, gone| error.note("gone", gone.to_owned()));
        Some(error.help(self.how_to_take(asked, purpose)))
    }

    /// An error if an original exists now that a rule had to replace.
    fn appeared(&self, asked: &Name, rule: &str) -> Option<Diagnostic> {
        let takes_denied = |outcome: Outcome| {
            let rules = self.options.rules.iter();
            outcome == Outcome::Denied
                && rules.into_iter().any(|own| own.name == rule && own.when.covers(Some(outcome)))
        };
        match self.now.get(asked)? {
            Status::Pinned(now) => {
                let asked_for = quoted(&asked.to_string());
                let message = format!("{asked_for} exists now, but the lock has a substitute");
                Some(
                    Diagnostic::error(Failure::Policy, message)
                        .of(RuleId::Drift)
                        .note("rule", escaped(rule))
                        .note("now", now.digest.to_string())
                        .help(self.how_to_take(asked, "to take it")),
                )
            }
            Status::Unresolved(refusal, _)
                if refusal.outcome.failure() == Failure::Absent
                    || takes_denied(refusal.outcome) =>
            {
                None
            }
            other => self.unknown(asked, other),
        }
    }

    /// An error if a registry gave no usable answer, in the words of any other run.
    fn unknown(&self, name: &Name, status: &Status) -> Option<Diagnostic> {
        let (name, status) = (name.clone(), status.clone());
        let entries = vec![Entry { name, status, places: Vec::new() }];
        let plan = Plan { entries, ..Plan::default() };
        policy::judge(&plan, &[], &self.options.policy).pop()
    }

    fn how_to_take(&self, asked: &Name, purpose: &str) -> String {
        let file = shown(&self.locking.path);
        let repository = asked.repository().map(ToString::to_string).unwrap_or_default();
        format!("run `digestif --lock {file} --update={}` {purpose}", escaped(&repository))
    }
}
