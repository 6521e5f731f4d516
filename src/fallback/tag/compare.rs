//! Comparison: which of several tags is nearest to the one that was asked for.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::difference::{Difference, OwnWords, Words, forbidden, identity};
use super::distance::{Distance, between_pre_releases, distance, refined};
use super::{Reading, Role};
/// The distance of an existing tag from the requested one. The nearest tag is the least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The reason why it must not replace the requested tag; empty if it may.
    pub forbidden: BTreeSet<Difference>,
    /// The distance of its version.
    pub distance: Distance,
    /// Its place among those of one distance: the numbers of its version, nearest first.
    detail: Vec<i128>,
    /// The difference of its spelling.
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
            return Self::respelt(asked, found);
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

    /// The same tag, perhaps with other separators.
    fn respelt(asked: &Reading, found: &Reading) -> Self {
        let cost = u32::from(asked.text() != found.text());
        let (forbidden, distance) = (BTreeSet::new(), Distance::Same);
        Self { forbidden, distance, detail: Vec::new(), cost, builds: Vec::new() }
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

    /// Its relation to the requested tag, for messages.
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

/// True if only separators differ: `alpine-3.23` and `alpine3.23`, `1.2.3+4` and `1.2.3_4`. No dot
/// between numbers is one.
fn is_respelt(asked: &Reading, found: &Reading) -> bool {
    let joined = |reading: &Reading| {
        let mut text = String::new();
        for part in &reading.parts {
            let is_number = part.text.starts_with(|c: char| c.is_ascii_digit());
            let is_behind_letter = text.ends_with(|c: char| c.is_ascii_alphabetic());
            text += match part.separator {
                _ if is_number && is_behind_letter => "",
                "+" | "_" => "-",
                separator => separator,
            };
            text += &part.text.to_ascii_lowercase();
        }
        text
    };
    joined(asked) == joined(found)
}

/// The difference of two spellings. A dropped part costs less than an added part.
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
    cost += u32::from(asked.has(Role::Metadata) != found.has(Role::Metadata));
    cost += u32::from(asked.words(Role::Base) != found.words(Role::Base));
    // The same parts in another order, or with other separators or zeros.
    cost * 2 + u32::from(asked.pattern() != found.pattern())
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
            ("1.2.3+4", "1.2.3_4", &[]),
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
            ("stable", &["1.10.0", "1.9.0"]),
            ("1.2.3.4", &["1.2.3.3", "1.2.3.5", "1.2.2.9", "1.2.3"]),
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
