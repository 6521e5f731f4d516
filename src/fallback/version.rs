//! The rule that takes another version of the same series.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::tag::{Reading, with_stars};
use super::{Pattern, Pick, Step};
use crate::image::{Asked, Repository, Tag, Tagged};

/// The versions that may replace one that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemanticVersion {
    /// The part of the version that must stay the same.
    pub within: Within,
    /// The choice if several versions exist.
    pub prefer: Prefer,
    /// On which side of what was asked for.
    pub direction: Direction,
    /// True if a pre-release may be taken.
    pub prerelease: bool,
}

/// The part of the version that must stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Within {
    /// The patch: only another build or pre-release of one version.
    Patch,
    /// The minor: another patch.
    Minor,
    /// The major: another minor.
    Major,
}

/// The choice if several versions exist.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The nearest in the order of versions; of two that are as near, the lower.
    #[default]
    Closest,
    /// The highest.
    Highest,
}

/// On which side of what was asked for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Below it.
    #[default]
    Down,
    /// Above it.
    Up,
    /// On either side.
    Any,
}

impl SemanticVersion {
    /// The steps to try in these repositories. If the rule names them, first the tag as written
    /// in each of them; then the choice among the tags of each, for the minor before the major.
    pub(super) fn steps(
        self,
        asked: &Asked,
        repositories: &[Repository],
        is_own: bool,
    ) -> Result<Vec<Step>, String> {
        let reading = Reading::of(&asked.tag).without_metadata();
        let version = reading.version().ok_or("the tag has no version such as 1.2 or v1.2.3")?;
        let v = version.v;
        let pick = |repository: &Repository, within: Within, v: bool| {
            let settings = Self { within, ..self };
            let near =
                NearVersion { pattern: reading.pattern_with(v), asked: reading.clone(), settings };
            Step::Pick(Pick { repository: repository.clone(), pattern: Pattern::Version(near) })
        };
        if is_own {
            return Ok(repositories.iter().map(|own| pick(own, self.within, v)).collect());
        }
        let mut steps: Vec<_> = repositories.iter().filter_map(|other| ask(other, asked)).collect();
        for within in self.stages() {
            for repository in repositories {
                steps.extend([v, !v].map(|v| pick(repository, within, v)));
            }
        }
        Ok(steps)
    }

    /// How far to go in all repositories before going farther in the first: another repository
    /// is better than another minor.
    fn stages(self) -> Vec<Within> {
        match (self.within, self.prefer) {
            (Within::Major, Prefer::Closest) => vec![Within::Minor, Within::Major],
            (within, _) => vec![within],
        }
    }

    pub(super) fn limit(self) -> String {
        let within = match self.within {
            Within::Patch => "patch",
            Within::Minor => "minor",
            Within::Major => "major",
        };
        let direction = match self.direction {
            Direction::Down => ", going down",
            Direction::Up => ", going up",
            Direction::Any => "",
        };
        format!("stays within the {within} version{direction}")
    }
}

/// The tag as written in another repository.
fn ask(repository: &Repository, asked: &Asked) -> Option<Step> {
    let tag = asked.tag.parse().ok().filter(|_| *repository != asked.repository)?;
    Some(Step::Ask(Tagged { repository: repository.clone(), tag }))
}

/// The versions that may stand in for one: tags of the same pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NearVersion {
    asked: Reading,
    pattern: String,
    settings: SemanticVersion,
}

/// The order of versions: a release comes after its pre-releases, a tag that moves after every
/// patch.
type Order = (Vec<u64>, (bool, Vec<(bool, u64, String)>));

/// Numbers that are compared: the longest have a day and a time.
const COMPARED: usize = 6;

/// The numbers of a release: what is behind them counts builds.
const RELEASE: usize = 3;

/// Where a version stands; `missing` is each number that a tag without it stands for.
fn order(reading: &Reading, missing: u64) -> Order {
    let mut numbers = reading.version().map(|version| version.numbers.clone()).unwrap_or_default();
    let release = numbers.len().max(RELEASE);
    numbers.resize(release, missing);
    numbers.resize(COMPARED.max(release), 0);
    (numbers, (!reading.is_pre_release(), reading.pre_release()))
}

fn distance(one: &Reading, other: &Reading) -> Vec<u64> {
    let (one, other) = (order(one, u64::MAX).0, order(other, u64::MAX).0);
    one.iter().zip(&other).map(|(one, other)| one.abs_diff(*other)).collect()
}

impl NearVersion {
    pub(super) fn best<'t>(&self, tags: &'t [Tag]) -> Option<&'t Tag> {
        let mut found: Vec<_> = tags
            .iter()
            .map(|tag| (Reading::of(tag.as_str()), tag))
            .filter(|(version, _)| self.fits(version))
            .collect();
        // Of two builds of one version the higher, of two ways to write one the first by name.
        let own = |reading: &Reading| order(reading, u64::MAX);
        found.sort_by_cached_key(|(version, tag)| {
            (own(version), version.builds(), std::cmp::Reverse(*tag))
        });
        // A tag that moves, as `1.2`, stands for every patch of its minor.
        let (lowest, highest) = (order(&self.asked, 0), own(&self.asked));
        let below = found.iter().rfind(|(version, _)| own(version) <= highest);
        // Any patch of `1.2` satisfies a request for `1.2`; the highest is best.
        let at = below.filter(|(version, _)| own(version) >= lowest);
        let next = || found.iter().find(|(version, _)| own(version) > highest);
        // The builds of one version stand together: the last of them is the highest.
        let above = at.or_else(|| {
            let first = own(&next()?.0);
            found.iter().rfind(|(version, _)| own(version) == first)
        });
        let highest_above = found.last().filter(|(version, _)| own(version) >= lowest);
        let chosen = match (self.settings.direction, self.settings.prefer) {
            (Direction::Down, _) => below,
            (Direction::Up, Prefer::Closest) => above,
            (Direction::Up, Prefer::Highest) => highest_above,
            (Direction::Any, Prefer::Highest) => found.last(),
            (Direction::Any, Prefer::Closest) => {
                let near = |found: &&(Reading, _)| distance(&self.asked, &found.0);
                // `min_by_key` takes the first of two that are as near.
                [below, above].into_iter().flatten().min_by_key(near)
            }
        };
        chosen.map(|(_, tag)| *tag)
    }

    /// True if a version may be taken at all, on whichever side it is.
    fn fits(&self, found: &Reading) -> bool {
        let (Some(asked), Some(version)) = (self.asked.version(), found.version()) else {
            return false;
        };
        // A request for one patch never gets a tag that moves.
        let is_exact_enough = version.is_exact() || !asked.is_exact();
        let is_final = !found.is_pre_release();
        let is_same_length = asked.numbers.len().max(RELEASE) == version.numbers.len().max(RELEASE);
        let kept = match self.settings.within {
            Within::Patch => RELEASE,
            Within::Minor => 2,
            Within::Major => 1,
        };
        let kept = kept.min(asked.numbers.len());
        let is_within = version.numbers.starts_with(&asked.numbers[..kept]);
        found.pattern() == self.pattern
            && is_exact_enough
            && is_same_length
            && (is_final || self.settings.prerelease)
            && is_within
    }
}

impl fmt::Display for NearVersion {
    /// The pattern of the tags: `v1.32.*-slim`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.asked.version().map(|version| &version.numbers[..]).unwrap_or_default();
        let kept = match self.settings.within {
            Within::Patch => RELEASE,
            Within::Minor => 2,
            Within::Major => 1,
        };
        let mut version: Vec<_> = numbers.iter().take(kept).map(ToString::to_string).collect();
        if kept < RELEASE {
            version.push("*".to_owned());
        }
        let marked = ["{version}", "{date}"]
            .iter()
            .fold(self.pattern.clone(), |text, mark| text.replacen(mark, &version.join("."), 1));
        f.write_str(&with_stars(&marked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::tests::asked;

    fn best(image: &str, settings: SemanticVersion, published: &[&str]) -> Option<String> {
        let tags: Vec<Tag> = published.iter().map(|tag| tag.parse().expect("a tag")).collect();
        let steps =
            settings.steps(&asked(image), &[asked(image).repository], true).unwrap_or_default();
        steps.iter().find_map(|step| match step {
            Step::Pick(pick) => pick.best(&tags).map(ToString::to_string),
            _ => None,
        })
    }

    #[test]
    fn the_version_that_the_settings_say_is_found() {
        use Direction::{Any, Down, Up};
        use Prefer::{Closest, Highest};
        use Within::{Major, Minor, Patch};
        for (within, prefer, direction, tag, published, found) in [
            (Minor, Closest, Down, "v1.2.5", &["v1.2.3", "v1.2.4", "v1.2.6"][..], Some("v1.2.4")),
            (Minor, Closest, Down, "v1.2.5", &["v1.2.6", "v1.1.9"], None),
            (Minor, Closest, Up, "v1.2.5", &["v1.2.9", "v1.2.7", "v1.2.4"], Some("v1.2.7")),
            (Minor, Highest, Up, "v1.2.5", &["v1.2.7", "v1.2.10", "v1.3.0"], Some("v1.2.10")),
            (Minor, Highest, Up, "v1.2.5", &["v1.2.4"], None),
            (Minor, Closest, Any, "v1.2.5", &["v1.2.7", "v1.2.4"], Some("v1.2.4")),
            (Minor, Closest, Any, "v1.2.5", &["v1.2.6", "v1.2.4"], Some("v1.2.4")),
            (Minor, Closest, Any, "v1.2.5", &["v1.2.6", "v1.2.3"], Some("v1.2.6")),
            (Minor, Highest, Any, "v1.2.5", &["v1.2.4", "v1.2.9"], Some("v1.2.9")),
            (Major, Closest, Down, "1.2.5", &["1.1.9", "1.1.2", "1.0.40"], Some("1.1.9")),
            (Major, Closest, Any, "1.2.5", &["1.4.0", "1.1.9"], Some("1.1.9")),
            (Major, Highest, Any, "1.2.5", &["1.9.0", "1.10.0", "2.0.0"], Some("1.10.0")),
            // The prefix and the flavour stay.
            (Major, Highest, Any, "1.2.5", &["v1.2.4"], None),
            (Minor, Closest, Down, "1.2.5-slim", &["1.2.4", "1.2.3-slim"], Some("1.2.3-slim")),
            (Minor, Closest, Down, "1.2.5-arm64", &["1.2.4-amd64", "1.2.4"], None),
            // A request for a patch gets a patch; a request for a minor gets its highest patch.
            (Minor, Closest, Any, "1.2.5", &["1.2"], None),
            (Minor, Closest, Down, "1.2", &["1.2.3", "1.2.10"], Some("1.2.10")),
            (Minor, Closest, Up, "1.2", &["1.2.3", "1.2.10", "1.1.9"], Some("1.2.10")),
            (Major, Closest, Down, "1.2", &["1.1", "1.1.7"], Some("1.1")),
            // Builds of one version: the highest, on whichever side.
            (
                Patch,
                Closest,
                Down,
                "1.2.5-debian-12-r3",
                &["1.2.5-debian-12-r1", "1.2.5-debian-12-r12"],
                Some("1.2.5-debian-12-r12"),
            ),
            (
                Patch,
                Closest,
                Up,
                "1.2.5-debian-12-r3",
                &["1.2.5-debian-12-r1", "1.2.5-debian-12-r2"],
                Some("1.2.5-debian-12-r2"),
            ),
            (
                Patch,
                Closest,
                Any,
                "1.2.5-debian-12-r3",
                &["1.2.4-debian-12-r9", "1.2.5-debian-11-r9"],
                None,
            ),
            // A pre-release never stands in for a release.
            (Minor, Highest, Any, "1.2.5", &["1.2.6-rc.1", "1.2.4"], Some("1.2.4")),
            (Minor, Closest, Down, "1.2.0-rc.3", &["1.2.0-rc.2"], None),
            (Minor, Closest, Up, "1.2.0-rc.3", &["1.2.0-rc.4", "1.2.0"], Some("1.2.0")),
            (Major, Closest, Any, "latest", &["1.2.3"], None),
            (Major, Closest, Any, "1", &["1.2.3", "2.0.0"], Some("1.2.3")),
            // Every prefix and suffix stays.
            (Major, Closest, Down, "main-v1.2.3", &["main-v1.2.2", "v1.2.2"], Some("main-v1.2.2")),
            (Major, Closest, Down, "release-1.21", &["release-1.20"], Some("release-1.20")),
            (Major, Closest, Down, "15-alpine", &["15.2-alpine", "15.2"], Some("15.2-alpine")),
            (Minor, Closest, Down, "2024.01.15", &["2024.01.09", "2024.02.01"], Some("2024.01.09")),
            (
                Major,
                Closest,
                Down,
                "RELEASE.2021-10-07T04-19-58Z",
                &["RELEASE.2021-10-06T23-36-31Z", "RELEASE.2021-10-06T23-36-31Z.fips"],
                Some("RELEASE.2021-10-06T23-36-31Z"),
            ),
            (
                Major,
                Closest,
                Down,
                "v20231226-1a7112e06",
                &["v20231011-8b53cabe0"],
                Some("v20231011-8b53cabe0"),
            ),
        ] {
            let settings = SemanticVersion { within, prefer, direction, prerelease: false };
            let image = format!("a/b:{tag}");
            assert_eq!(best(&image, settings, published).as_deref(), found, "{settings:?} {tag}");
        }
    }

    #[test]
    fn a_pre_release_is_taken_only_where_the_rule_says_so() {
        let settings = SemanticVersion {
            within: Within::Minor,
            prefer: Prefer::Closest,
            direction: Direction::Down,
            prerelease: true,
        };
        for (tag, published, found) in [
            ("1.2.5", &["1.2.5-rc.2", "1.2.5-rc.10", "1.2.4"][..], Some("1.2.5-rc.10")),
            ("1.2.0-rc.3", &["1.2.0-rc.2", "1.2.0-beta.9", "1.2.0"], Some("1.2.0-rc.2")),
            ("1.2.5-slim", &["1.2.5-rc.1", "1.2.5-rc.1-slim"], Some("1.2.5-rc.1-slim")),
            ("1.2.5", &["1.2.5-rc.01"], Some("1.2.5-rc.01")),
        ] {
            let image = format!("a/b:{tag}");
            assert_eq!(best(&image, settings, published).as_deref(), found, "{tag}");
        }
    }
}
