//! Age: how long ago a digest was first seen, for checks and for messages.

use super::supply::already;
use super::{Key, Locked, Locking, Mode};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::places::Place;
use crate::plan::{Date, Entry, History, Plan};
use crate::text::escape::quoted;
use crate::text::path::shown;

impl Locking {
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

/// True if a day is so many days ago.
pub(super) fn is_old(seen: Date, days: u32, today: Date) -> bool {
    today.days_since(seen) >= i64::from(days)
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

/// The time since a day, as text.
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
