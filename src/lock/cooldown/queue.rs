//! Queue: the newer digests of a tag that wait until they are old enough.

use std::collections::BTreeSet;

use crate::image::Digest;
use crate::lock::Locked;
use crate::lock::age::is_old;
use crate::plan::{Date, History, Seen};

/// The digests of a tag, from the one in use to the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    /// The one in use.
    pub(super) digest: Digest,
    /// When it was first seen, and those that wait.
    pub(super) history: History,
}

impl Queue {
    /// The recorded entry, and the digest that the tag has now.
    pub(super) fn new(old: &Locked, now: &Digest, today: Date) -> Self {
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
    pub(super) fn due(&self, days: u32, today: Date) -> impl Iterator<Item = &Digest> {
        let next = self.history.next.iter();
        next.filter(move |one| is_old(one.seen, days, today)).map(|one| &one.digest)
    }

    /// Takes the newest digest that is old enough and not gone, and forgets what came before it.
    pub(super) fn adopt(mut self, gone: &BTreeSet<Digest>, days: u32, today: Date) -> Self {
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
        // A removed digest is skipped; an older one that exists is used.
        let gone = BTreeSet::from([digest(2)]);
        let later = night(&further, 3, 7, day(20), &gone);
        assert_eq!(later.digest, digest(1));
        assert_eq!(later.history.next, [Seen { digest: digest(3), seen: day(20) }]);
    }
}
