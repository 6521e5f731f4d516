//! History: when a run first saw each digest of a tag, so that a cooldown can tell how old it is.
//!
//! Registries publish no time that can be trusted. What counts is the day on which a run with a
//! cooldown first found the digest behind the tag.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::image::Digest;

/// A day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1 January 1970.
    days: i64,
}

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

impl Date {
    /// The day of a point in time; 1 January 1970 for what is before it.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { days: i64::try_from(since.as_secs() / DAY).unwrap_or(i64::MAX / 2) }
    }

    /// Whole days from another day to this one.
    #[must_use]
    pub fn days_since(self, other: Self) -> i64 {
        self.days - other.days
    }

    /// The day that is so many days later.
    #[must_use]
    pub fn after(self, days: u32) -> Self {
        Self { days: self.days + i64::from(days) }
    }

    /// Year, month and day of the Gregorian calendar, by counting eras of 400 years from 1 March, so
    /// that the leap day is the last of its year.
    fn civil(self) -> (i64, i64, i64) {
        let days = self.days + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (era * 400 + year + i64::from(month <= 2), month, day)
    }

    fn of_civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        Self { days: era * 146_097 + day_of_era - 719_468 }
    }
}

impl fmt::Display for Date {
    /// As ISO 8601 writes it: `2026-11-29`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a day such as 2026-11-29");
        let number = |part: &str, digits: usize| {
            let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i64>().ok().filter(|_| is_number)
        };
        let mut parts = text.splitn(3, '-');
        let mut next = |digits| parts.next().and_then(|part| number(part, digits));
        let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else {
            return Err(wrong());
        };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
            return Err(wrong());
        }
        // There is no 31 November: it would be another day.
        Some(Self::of_civil(year, month, day))
            .filter(|date| date.to_string() == text)
            .ok_or_else(wrong)
    }
}

/// A digest, and the day on which it was first seen behind its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The digest.
    pub digest: Digest,
    /// The day.
    pub seen: Date,
}

/// The known days of a tag's digests.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct History {
    /// The day on which the digest in use was first seen; none if no run with a cooldown recorded it.
    pub seen: Option<Date>,
    /// Newer digests that are not old enough yet, in the order in which they were seen.
    pub next: Vec<Seen>,
}

impl History {
    /// Both histories of one digest: of each digest the day on which either of them saw it first.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let seen = self.seen.into_iter().chain(other.seen).min();
        let mut next: Vec<Seen> = Vec::new();
        for one in self.next.iter().chain(&other.next) {
            match next.iter_mut().find(|known| known.digest == one.digest) {
                Some(known) => known.seen = known.seen.min(one.seen),
                None => next.push(one.clone()),
            }
        }
        next.sort_by_key(|one| one.seen);
        Self { seen, next }
    }

    /// Every day in it.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        self.seen.into_iter().chain(self.next.iter().map(|one| one.seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_read_as_iso_8601_writes_them() {
        for text in ["1970-01-01", "2024-02-29", "2026-11-29", "2100-03-01", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().expect("a day").to_string(), text);
        }
        for text in [
            "",
            "2026-11-31",
            "2023-02-29",
            "2100-02-29",
            "26-11-29",
            "2026-1-1",
            "2026-11-29 ",
            "1969-12-31",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        let leap: Date = "2024-02-28".parse().expect("a day");
        assert_eq!(leap.after(2).to_string(), "2024-03-01");
        let midnight = UNIX_EPOCH + Duration::from_secs(1_795_910_400 - 1);
        assert_eq!(Date::of(midnight).to_string(), "2026-11-28");
    }

    fn history() -> impl Strategy<Value = History> {
        let seen = (0u8..6, 0u32..9).prop_map(|(digest, day)| Seen {
            digest: format!("sha256:{digest:064x}").parse().expect("a digest"),
            seen: Date { days: 20_000 }.after(day),
        });
        (prop::option::of(0u32..9), prop::collection::vec(seen, 0..4)).prop_map(|(seen, next)| {
            History { seen: seen.map(|day| Date { days: 20_000 }.after(day)), next }
        })
    }

    proptest! {
        #[test]
        fn every_day_is_written_and_read(days in 0i64..2_900_000) {
            let date = Date { days };
            prop_assert_eq!(date.to_string().parse::<Date>().expect("a day"), date);
        }

        #[test]
        fn no_merge_loses_when_a_digest_was_first_seen(one in history(), other in history()) {
            let merged = one.merged(&other);
            prop_assert_eq!(merged.seen, one.seen.into_iter().chain(other.seen).min());
            for seen in one.next.iter().chain(&other.next) {
                let found: Vec<_> =
                    merged.next.iter().filter(|known| known.digest == seen.digest).collect();
                prop_assert_eq!(found.len(), 1);
                prop_assert!(found[0].seen <= seen.seen);
            }
            prop_assert!(merged.next.is_sorted_by_key(|one| one.seen));
            prop_assert_eq!(merged.days().min(), one.days().chain(other.days()).min());
        }
    }
}
