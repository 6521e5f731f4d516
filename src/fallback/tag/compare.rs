//! Comparison: what differs between a tag that was asked for and one that exists, whether that may
//! differ, and which of several tags is nearest.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use super::{Reading, Role, Version};
use crate::image::Repository;

/// A difference by which a tag may be another image. No rule and no proposal crosses one, with two
/// exceptions that [`Near::of`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// It is not released yet, or the other is not.
    PreRelease,
    /// Another base system, or another version of it.
    Base,
    /// Another flavour: `slim`, `fips`, `jdk17`.
    Flavour,
    /// Another architecture.
    Architecture,
    /// A word that only one of them has: it may be another product.
    Product,
    /// It moves, and was not asked for.
    Moving,
    /// One of them has no version, or their versions can't be compared.
    Version,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreRelease => "a pre-release or development build",
            Self::Base => "another base system",
            Self::Flavour => "another flavour",
            Self::Architecture => "another architecture",
            Self::Product => "perhaps another product",
            Self::Moving => "a tag that moves",
            Self::Version => "no version to compare",
        })
    }
}

/// Where a version is, seen from the one that was asked for; nearest first.
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
    /// Another minor as a whole, where a patch was asked for; it moves.
    OtherLine,
    /// Another major.
    Major,
    /// The newest release, where `latest` was asked for.
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

/// The words of an image's own name. A tag may have them or not: `litellm-v1.2.3` of `litellm`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnWords(BTreeSet<String>);

impl OwnWords {
    /// Those of a repository: the words of its last segment.
    #[must_use]
    pub fn of(repository: &Repository) -> Self {
        let name = repository.path().rsplit('/').next().unwrap_or_default();
        Self(name.split(['-', '_', '.']).map(str::to_owned).collect())
    }
}

/// How near an existing tag is to the one that was asked for. The nearest is the least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Why it must not stand in; empty if it may.
    pub forbidden: BTreeSet<Difference>,
    /// Where its version is.
    pub distance: Distance,
    /// Its place among those of one distance: the numbers of its version, nearest first.
    detail: Vec<i128>,
    /// How much its spelling differs.
    cost: u32,
    /// Its builds, the last first.
    builds: Vec<i128>,
}

impl Near {
    /// Compares an existing tag with the one that was asked for.
    ///
    /// Two differences are no obstacle, as they lead to what the author of the tag meant in a more
    /// general form: a base system without its version (`alpine3.19` → `alpine`), and the final
    /// release of a pre-release.
    #[must_use]
    pub fn of(asked: &Reading, found: &Reading, own: &OwnWords) -> Self {
        if is_respelt(asked, found) {
            let (distance, cost) = (Distance::Same, cost(asked, found, own));
            return Self {
                forbidden: BTreeSet::new(),
                distance,
                detail: Vec::new(),
                cost,
                builds: Vec::new(),
            };
        }
        let (distance, mut detail) = distance(asked, found);
        let distance = refined(distance, asked, found);
        if distance == Distance::Build {
            detail = between_pre_releases(&asked.pre_release(), &found.pre_release());
        }
        let forbidden = forbidden(asked, found, own, distance);
        let builds = found.builds().into_iter().map(|n| -i128::from(n)).collect();
        Self { forbidden, distance, detail, cost: cost(asked, found, own), builds }
    }

    /// True if it may stand in for what was asked for.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.forbidden.is_empty()
    }

    /// True if it is only named, not proposed, as it moves.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.forbidden.contains(&Difference::Moving)
    }

    /// True if the other is as good.
    #[must_use]
    pub fn is_as_near_as(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }

    /// What it is to the one that was asked for, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.is_allowed() {
            let spelt = self.distance == Distance::Same && self.cost > 0;
            return format!("{}{}", self.distance, if spelt { ", spelt differently" } else { "" });
        }
        let differences: Vec<_> = self.forbidden.iter().map(ToString::to_string).collect();
        differences.join(", ")
    }
}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |near: &Self| (near.forbidden.len(), near.distance);
        let own = key(self).cmp(&key(other));
        own.then_with(|| self.detail.cmp(&other.detail))
            .then_with(|| self.cost.cmp(&other.cost))
            .then_with(|| self.builds.cmp(&other.builds))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// True if only separators between a word and its number differ: `alpine-3.23` and `alpine3.23`.
fn is_respelt(asked: &Reading, found: &Reading) -> bool {
    let joined = |reading: &Reading| {
        let mut text = String::new();
        for part in &reading.parts {
            let is_number = part.text.starts_with(|c: char| c.is_ascii_digit());
            let is_behind_letter = text.ends_with(|c: char| c.is_ascii_alphabetic());
            text += if is_number && is_behind_letter { "" } else { part.separator };
            text += &part.text.to_ascii_lowercase();
        }
        text
    };
    joined(asked) == joined(found)
}

/// Where a version is, with its place among those of the same distance.
fn distance(asked: &Reading, found: &Reading) -> (Distance, Vec<i128>) {
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
            _ if is_moving => (Distance::Line, vec![-i128::from(common as u64)]),
            Ordering::Less if !asked.is_exact() => (Distance::Within, downwards(new)),
            // `1.2.3` and `1.2.3.4`: the fourth number counts builds.
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
fn between_pre_releases(old: &[(bool, u64, String)], new: &[(bool, u64, String)]) -> Vec<i128> {
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
fn refined(distance: Distance, asked: &Reading, found: &Reading) -> Distance {
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

/// Why a tag must not stand in for the one that was asked for.
fn forbidden(
    asked: &Reading,
    found: &Reading,
    own: &OwnWords,
    distance: Distance,
) -> BTreeSet<Difference> {
    let mut forbidden = BTreeSet::new();
    let mut forbid = |is: bool, difference| is.then(|| forbidden.insert(difference));
    forbid(asked.architectures() != found.architectures(), Difference::Architecture);
    forbid(!is_same_base(asked, found), Difference::Base);
    let (old, old_own) = identity(asked, own);
    let (new, new_own) = identity(found, own);
    forbid(old.1 != new.1, Difference::Flavour);
    let is_other_part = !old_own.is_empty() && !new_own.is_empty() && old_own != new_own;
    let is_other = is_other_part || is_other_distribution(asked, found);
    forbid(old.0 != new.0 || is_other, Difference::Product);
    let is_final = distance == Distance::Final;
    forbid(asked.is_pre_release() != found.is_pre_release() && !is_final, Difference::PreRelease);
    let moves = found.version().is_none() && found.commit().is_none() && distance != Distance::Same;
    forbid(moves, Difference::Moving);
    let is_unknown = found.is_signature() || distance == Distance::Unknown;
    forbid(is_unknown && !moves, Difference::Version);
    let is_branch = |word: &String| !["v", "release", "version", "ver"].contains(&word.as_str());
    let is_built_from_branch = found.words(Role::Channel).iter().any(is_branch);
    forbid(distance == Distance::Newest && is_built_from_branch, Difference::Moving);
    forbidden
}

/// True if both are built on the same system; or on the same without its version, which follows the
/// newest.
fn is_same_base(asked: &Reading, found: &Reading) -> bool {
    let (old, new) = (asked.words(Role::Base), found.words(Role::Base));
    let without_version =
        |word: &String| word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned();
    old == new || old.iter().map(without_version).collect::<BTreeSet<_>>() == new
}

type Words = BTreeSet<String>;

/// The names and the flavours that a tag has, and apart from them the words of the image's own name.
fn identity(reading: &Reading, own: &OwnWords) -> ((Words, Words), Words) {
    let is_own = |word: &String| own.0.contains(word);
    let (own_names, names): (Words, Words) =
        reading.words(Role::Product).into_iter().partition(is_own);
    // `node-1.2.3` of `node` says nothing that the image's name does not say.
    let (own_flavours, flavours): (Words, Words) =
        reading.words(Role::Flavour).into_iter().partition(is_own);
    ((names, flavours), own_names.union(&own_flavours).cloned().collect())
}

/// True if both name a distribution of Kubernetes, and not the same.
fn is_other_distribution(asked: &Reading, found: &Reading) -> bool {
    matches!((asked.distribution(), found.distribution()), (Some(old), Some(new)) if old != new)
}

/// How much a spelling differs; what is dropped costs less than what is added.
fn cost(asked: &Reading, found: &Reading, own: &OwnWords) -> u32 {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let differing = |old: &Words, new: &Words| {
        count(old.difference(new).count()) + 2 * count(new.difference(old).count())
    };
    let mut cost = differing(&asked.words(Role::Channel), &found.words(Role::Channel));
    cost += differing(&identity(asked, own).1, &identity(found, own).1);
    let v = |reading: &Reading| reading.version().is_some_and(|version| version.v);
    cost += u32::from(v(asked) != v(found));
    cost += match (asked.distribution(), found.distribution()) {
        (None, Some(_)) => 2,
        (Some(_), None) => 1,
        _ => 0,
    };
    cost += u32::from(asked.builds().is_empty() != found.builds().is_empty());
    cost += u32::from(asked.words(Role::Base) != found.words(Role::Base));
    // The same parts in another order, or with other separators or zeros.
    cost * 2 + u32::from(asked.pattern() != found.pattern())
}

/// True if two tags name one commit, of which one may be abbreviated; or if neither names one.
fn is_same_commit(asked: &Reading, found: &Reading) -> bool {
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

/// True for `latest`, which means the newest release.
fn asks_for_newest(reading: &Reading) -> bool {
    reading.version().is_none()
        && reading.commit().is_none()
        && reading.parts.iter().any(|part| part.text == "latest")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(asked: &str, found: &str) -> Near {
        let own = OwnWords::of(&"ghcr.io/acme/litellm-app".parse().expect("a name"));
        Near::of(&Reading::of(asked), &Reading::of(found), &own)
    }

    #[test]
    fn what_may_not_differ_is_known() {
        use Difference::{Architecture, Base, Flavour, Moving, PreRelease, Product, Version};
        for (asked, found, expected) in [
            ("arm64-1.2.3", "amd64-1.2.3", &[Architecture][..]),
            ("1.2.3", "1.2.3-arm64", &[Architecture]),
            ("1.2.3-aarch64", "1.2.3-arm64", &[]),
            ("alpine-3.23", "alpine3.23", &[]),
            ("1.2.3-jdk-17", "1.2.3-jdk17", &[]),
            ("1.2.3-b1", "1.2.3b1", &[PreRelease]),
            ("alpine-1.2.3", "debian-1.2.3", &[Base]),
            ("1.2.3-alpine3.19", "1.2.3-alpine", &[]),
            ("1.2.3-alpine", "1.2.3-alpine3.19", &[Base]),
            ("1.2.3-alpine3.19", "1.2.3", &[Base]),
            ("1.2.3-debian-12-r1", "1.2.3-debian-11-r1", &[Base]),
            ("fips-1.2.3", "1.2.3", &[Flavour]),
            ("cuda12-1.2.3", "cuda11-1.2.3", &[Flavour]),
            ("1.2.3", "debug-1.2.3", &[Flavour]),
            ("1.2.3", "1.2.3.fips", &[Flavour]),
            ("1.2.3", "rc-1.2.3", &[PreRelease]),
            ("1.2.3", "1.2.3-rc.1", &[PreRelease]),
            ("1.2.3", "pr-1.2.3", &[PreRelease]),
            ("1.2.3", "1.2.3-5-gabc1234", &[PreRelease]),
            ("1.2.3-rc.1", "1.2.3", &[]),
            ("1.2.3-rc.1", "1.2.2", &[PreRelease]),
            ("api-v1.2.3", "web-v1.2.3", &[Product]),
            ("api-v1.2.3", "v1.2.3", &[Product]),
            ("litellm-v1.2.3", "v1.2.3", &[]),
            ("litellm-v1.2.3", "app-v1.2.3", &[Product]),
            ("main-v1.2.3", "v1.2.3", &[]),
            ("v1.2.3", "latest", &[Moving]),
            ("v1.2.3", "abc1234", &[Version]),
            ("v1.8.7-rancher1", "v1.8.7", &[]),
            ("v1.8.7-gke.1", "v1.8.7-eks-1", &[Product]),
            ("1.2.3", "20240101", &[Version]),
            ("latest", "1.2.3", &[]),
            ("latest", "main-7", &[Moving]),
        ] {
            let forbidden: Vec<_> = near(asked, found).forbidden.into_iter().collect();
            assert_eq!(forbidden, expected, "{asked} {found}");
        }
    }

    #[test]
    fn the_nearest_tag_is_the_least() {
        for (asked, ordered) in [
            (
                "1.2.5",
                &[
                    "v1.2.5",
                    "1.2.4",
                    "1.2.6",
                    "1.2.3",
                    "1.1.9",
                    "1.1.2",
                    "1.0.9",
                    "1.3.0",
                    "1.2",
                    "1",
                    "1.1",
                    "2.0.0",
                    "1.2.5-rc.1",
                ][..],
            ),
            ("main-1.86.2", &["1.86.2", "v1.86.2", "main-1.86.1"]),
            (
                "main-v1.61.20-stable",
                &["litellm_stable_release_branch-v1.61.20-stable", "main-v1.61.19-stable"],
            ),
            ("v1.33", &["1.33", "v1.33.4", "v1.33.1", "v1.32", "v1.32.9", "v1.31"]),
            ("postgres-9.6.25", &["postgres-9.6.24", "postgres-19.6.25"]),
            ("v0.21.0", &["v0.21.1", "v0.20.3", "release-0.21", "main"]),
            (
                "1.2.5-debian-12-r3",
                &[
                    "v1.2.5-debian-12-r3",
                    "1.2.5-debian-12-r12",
                    "1.2.5-debian-12-r1",
                    "1.2.4-debian-12-r9",
                ],
            ),
            (
                "RELEASE.2021-10-07T04-19-58Z",
                &[
                    "RELEASE.2021-10-06T23-36-31Z",
                    "RELEASE.2021-10-08T23-58-24Z",
                    "RELEASE.2021-10-08T23-58-24Z.fips",
                ],
            ),
            ("2024.01.15", &["2024.1.15", "2024.01.14", "2023.12.20", "2024.02.01"]),
            ("1.2.0-rc.3", &["1.2.0-rc3", "1.2.0", "1.2.0-rc.2"]),
            ("latest", &["1.10.0", "1.9.0", "main"]),
        ] {
            let nears: Vec<_> = ordered.iter().map(|found| near(asked, found)).collect();
            for pair in nears.windows(2).zip(ordered.windows(2)) {
                assert!(pair.0[0] < pair.0[1], "{asked}: {:?} {:?}", pair.1, pair.0);
            }
        }
    }

    fn tag() -> impl Strategy<Value = String> {
        "(main-|arm64-|api-|alpine-|rc-)?v?[0-3]?[0-9](\\.[0-3]){0,3}(-(rc\\.?1|slim|r[0-2]|alpine3?|amd64|gabc1234))?|[a-zA-Z0-9._+-]{0,12}|RELEASE\\.202[0-3]-0[1-3]-1[0-3]T04-19-58Z"
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_stable(asked in tag(), tags in prop::collection::vec(tag(), 3)) {
            let nears: Vec<_> = tags.iter().map(|found| near(&asked, found)).collect();
            let [a, b, c] = &nears[..] else { unreachable!("three tags") };
            prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
            prop_assert_eq!(a, &near(&asked, &tags[0]));
        }

        #[test]
        fn a_tag_is_nearest_to_itself(asked in tag(), other in tag()) {
            let own = near(&asked, &asked);
            prop_assert!(own <= near(&asked, &other), "{:?} {:?}", own, near(&asked, &other));
        }

        #[test]
        fn every_text_can_be_read(text in "\\PC{0,40}") {
            let reading = Reading::of(&text);
            let around = reading.around().map(|(before, after)| before.len() + after.len());
            prop_assert!(around.unwrap_or_default() <= text.len());
        }
    }
}
