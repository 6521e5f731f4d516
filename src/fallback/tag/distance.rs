//! The distance between the version of a tag and the requested version.

use std::cmp::Ordering;
use std::fmt;

use super::{Part, Reading, Version};

/// The distance of a version from the requested one; the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Distance {
    /// The same version.
    Same,
    /// The final release of the pre-release.
    Final,
    /// The same version, built again.
    Build,
    /// A patch of the minor, or a minor of the major, that was asked for.
    Within,
    /// Another patch of the same minor.
    Patch,
    /// A minor below; for days, an earlier one.
    MinorBelow,
    /// A minor above; for days, a later one.
    MinorAbove,
    /// The minor or major of the patch that was asked for; it moves.
    Line,
    /// Another minor as a whole, if a patch was requested; it moves.
    OtherLine,
    /// Another major.
    Major,
    /// The newest release, if `latest` was requested.
    Newest,
    /// Not to be said.
    Unknown,
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "the same version",
            Self::Build => "another build of the same version",
            Self::Final => "the final release",
            Self::Within => "a patch of the version",
            Self::Patch => "the same minor version",
            Self::MinorBelow => "a version below",
            Self::MinorAbove => "a version above",
            Self::Line => "the version's line, which moves",
            Self::OtherLine => "another line of versions, which moves",
            Self::Major => "another major version",
            Self::Newest => "the newest release",
            Self::Unknown => "another name",
        })
    }
}

/// A distance, with an order among versions of the same distance.
pub(super) fn distance(asked: &Reading, found: &Reading) -> (Distance, Vec<i128>) {
    match (asked.version(), found.version()) {
        (Some(asked), Some(found)) if asked.is_calendar() == found.is_calendar() => {
            between(asked, found)
        }
        (None, Some(found)) if asks_for_newest(asked) => {
            (Distance::Newest, downwards(&found.numbers))
        }
        (None, None)
            if asked.commit().is_some() && is_same_commit(asked, found)
                || names(asked) == names(found) =>
        {
            (Distance::Same, Vec::new())
        }
        _ => (Distance::Unknown, Vec::new()),
    }
}

fn between(asked: &Version, found: &Version) -> (Distance, Vec<i128>) {
    let (old, new) = (&asked.numbers[..], &found.numbers[..]);
    let common = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let is_moving = asked.is_exact() && !found.is_exact();
    if common == old.len() || common == new.len() {
        return match old.len().cmp(&new.len()) {
            Ordering::Equal => (Distance::Same, Vec::new()),
            // `1.2.3` moves where a fourth number counts builds.
            Ordering::Greater if asked.is_exact() => (Distance::Line, vec![-(common as i128)]),
            Ordering::Less if !asked.is_exact() => (Distance::Within, downwards(new)),
            _ => (Distance::Build, downwards(new)),
        };
    }
    let is_below = new[common] < old[common];
    let upwards = || new.iter().map(|&n| i128::from(n)).collect::<Vec<_>>();
    let apart = i128::from(old[common].abs_diff(new[common]));
    // A line that was asked for is met by another line first, by its patches then.
    let is_longer = i128::from(new.len() > old.len() && !asked.is_exact());
    let detail = |first: &[i128]| {
        let minor: Vec<_> = new[..=common].iter().map(|&n| i128::from(n)).collect();
        let minor = if is_below { minor.iter().map(|n| -n).collect() } else { minor };
        [first, &minor, &[is_longer], &downwards(new)].concat()
    };
    let lowest = usize::from(!asked.is_calendar());
    match common {
        _ if is_moving => (Distance::OtherLine, detail(&[i128::from(!is_below)])),
        // The farther behind the first difference is, the nearer they are.
        2.. if is_below => {
            (Distance::Patch, [vec![-(common as i128), apart, 0], downwards(new)].concat())
        }
        2.. => (Distance::Patch, [vec![-(common as i128), apart, 1], upwards()].concat()),
        _ if common < lowest => (Distance::Major, detail(&[apart, i128::from(!is_below)])),
        _ if is_below => (Distance::MinorBelow, detail(&[])),
        _ => (Distance::MinorAbove, detail(&[])),
    }
}

/// How far apart two pre-releases of one version are: by the first number that differs, of two
/// that are as near the lower first. Those of another stage are farther.
pub(super) fn between_pre_releases(
    old: &[(bool, u64, String)],
    new: &[(bool, u64, String)],
) -> Vec<i128> {
    let differing = old.iter().zip(new).find(|(old, new)| old != new);
    match differing {
        _ if old.len() != new.len() => vec![1],
        None => vec![0],
        Some(((false, old, _), (false, new, _))) => {
            vec![0, i128::from(old.abs_diff(*new)), i128::from(new > old)]
        }
        Some(_) => vec![1],
    }
}

/// Numbers so that the highest comes first.
fn downwards(numbers: &[u64]) -> Vec<i128> {
    numbers.iter().map(|&n| -i128::from(n)).collect()
}

/// The distance of two tags whose versions are the same, by the builds and pre-releases beside them.
pub(super) fn refined(distance: Distance, asked: &Reading, found: &Reading) -> Distance {
    if distance != Distance::Same {
        return distance;
    }
    let (old, new) = (asked.pre_release(), found.pre_release());
    if asked.is_pre_release() && !found.is_pre_release() {
        Distance::Final
    } else if old != new || asked.builds() != found.builds() || !is_same_commit(asked, found) {
        Distance::Build
    } else {
        Distance::Same
    }
}

/// True if two tags name one commit, of which one may be abbreviated; or if neither names one.
pub(super) fn is_same_commit(asked: &Reading, found: &Reading) -> bool {
    match (asked.commit(), found.commit()) {
        (Some(old), Some(new)) => old.starts_with(new) || new.starts_with(old),
        (None, None) => true,
        // A day with the commit of that day.
        _ => asked.version().is_some(),
    }
}

/// The words of a tag without a version, in lower case.
fn names(reading: &Reading) -> Vec<String> {
    reading.parts.iter().map(|part| part.text.to_ascii_lowercase()).collect()
}

/// True for `latest` and `stable`, which mean the newest release.
fn asks_for_newest(reading: &Reading) -> bool {
    let is_newest = |part: &Part| matches!(part.text.as_str(), "latest" | "stable");
    reading.version().is_none() && reading.commit().is_none() && reading.parts.iter().any(is_newest)
}
