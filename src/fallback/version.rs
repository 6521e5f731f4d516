//! Versions in tags, and the rule that takes another version.

use std::fmt;

use schemars::JsonSchema;
use semver::Prerelease;
use serde::Deserialize;

use super::{Pattern, Pick, Step};
use crate::image::{Asked, Tag};

/// How a suffix starts that says that a version is not released yet.
const PRERELEASES: [&str; 9] =
    ["alpha", "beta", "rc", "pre", "preview", "dev", "snapshot", "nightly", "canary"];

/// Which other versions may stand in for one that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SemanticVersion {
    /// What stays the same.
    pub within: Within,
    /// Which of several is taken.
    #[serde(default)]
    pub prefer: Prefer,
    /// On which side of what was asked for.
    #[serde(default)]
    pub direction: Direction,
    /// True if a pre-release may be taken.
    #[serde(default)]
    pub prerelease: bool,
}

/// What stays the same.
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

/// Which of several versions is taken.
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
    /// One choice among the tags.
    pub(super) fn steps(self, asked: &Asked) -> Result<Vec<Step>, String> {
        let version = Version::parse(&asked.tag).and_then(|version| Owned::new(&version));
        let asked = version.ok_or("the tag is no version like 1.2 or v1.2.3")?;
        let near = Near { asked, settings: self };
        Ok(vec![Step::Pick(Pick(Pattern::Version(near)))])
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

/// The versions that may stand in for one: with the same prefix and the same flavour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Near {
    asked: Owned,
    settings: SemanticVersion,
}

/// A version with its suffix taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    v: bool,
    major: u32,
    minor: u32,
    patch: Option<u32>,
    prerelease: Prerelease,
    /// What is left of the suffix, without a build's number.
    flavour: String,
    /// The number of a build.
    revision: Option<u32>,
}

/// The order of versions: a release comes after its pre-releases.
type Order<'v> = (u32, u32, u32, &'v Prerelease);

impl Owned {
    fn new(version: &Version<'_>) -> Option<Self> {
        let (prerelease, flavour) = prerelease(version.suffix)?;
        let Version { v, major, minor, patch, .. } = *version;
        let revision = revision(flavour).map(|(_, revision)| revision);
        let flavour = without_revision(flavour).to_owned();
        Some(Self { v, major, minor, patch, prerelease, flavour, revision })
    }

    /// Where it stands; `patch` is that of a tag without one, which moves.
    fn order(&self, patch: u32) -> Order<'_> {
        (self.major, self.minor, self.patch.unwrap_or(patch), &self.prerelease)
    }

    fn distance(&self, other: &Self) -> (u32, u32, u32) {
        let patch = |version: &Self| version.patch.unwrap_or(u32::MAX);
        (
            self.major.abs_diff(other.major),
            self.minor.abs_diff(other.minor),
            patch(self).abs_diff(patch(other)),
        )
    }
}

impl Near {
    pub(super) fn best<'t>(&self, tags: &'t [Tag]) -> Option<&'t Tag> {
        let mut found: Vec<_> = tags
            .iter()
            .filter_map(|tag| Some((Owned::new(&Version::parse(tag.as_str())?)?, tag)))
            .filter(|(version, _)| self.fits(version))
            .collect();
        // Of two builds of one version the higher, of two ways to write one the first by name.
        found.sort_by(|(a, tag), (b, other)| {
            let order = a.order(u32::MAX).cmp(&b.order(u32::MAX));
            order.then(a.revision.cmp(&b.revision)).then(other.cmp(tag))
        });
        // A tag that moves, as `1.2`, stands for every patch of its minor.
        let (lowest, highest) = (self.asked.order(0), self.asked.order(u32::MAX));
        let below = found.iter().rfind(|(version, _)| version.order(u32::MAX) <= highest);
        // What asks for `1.2` is met by any patch of it, best by the highest.
        let at = below.filter(|(version, _)| version.order(u32::MAX) >= lowest);
        let next = || found.iter().find(|(version, _)| version.order(u32::MAX) > highest);
        // The builds of one version stand together: the last of them is the highest.
        let above = at.or_else(|| {
            let first = next()?.0.order(u32::MAX);
            found.iter().rfind(|(version, _)| version.order(u32::MAX) == first)
        });
        let highest_above = found.last().filter(|(version, _)| version.order(u32::MAX) >= lowest);
        let chosen = match (self.settings.direction, self.settings.prefer) {
            (Direction::Down, _) => below,
            (Direction::Up, Prefer::Closest) => above,
            (Direction::Up, Prefer::Highest) => highest_above,
            (Direction::Any, Prefer::Highest) => found.last(),
            (Direction::Any, Prefer::Closest) => {
                let near = |found: &&(Owned, _)| self.asked.distance(&found.0);
                // `min_by_key` takes the first of two that are as near.
                [below, above].into_iter().flatten().min_by_key(near)
            }
        };
        chosen.map(|(_, tag)| *tag)
    }

    /// True if a version may be taken at all, on whichever side it is.
    fn fits(&self, version: &Owned) -> bool {
        let asked = &self.asked;
        let same_name = version.v == asked.v && version.flavour == asked.flavour;
        // Who asks for one patch does not get a tag that moves.
        let as_exact = version.patch.is_some() || asked.patch.is_none();
        let released = version.prerelease.is_empty() || self.settings.prerelease;
        let same_builds = version.revision.is_some() == asked.revision.is_some();
        let within = match self.settings.within {
            Within::Patch => {
                (version.major, version.minor, version.patch)
                    == (asked.major, asked.minor, asked.patch)
            }
            Within::Minor => (version.major, version.minor) == (asked.major, asked.minor),
            Within::Major => version.major == asked.major,
        };
        same_name && as_exact && released && same_builds && within
    }
}

impl fmt::Display for Near {
    /// What is looked for: `v1.32.*-slim`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owned { v, major, minor, patch, flavour, revision, .. } = &self.asked;
        f.write_str(if *v { "v" } else { "" })?;
        match (self.settings.within, patch) {
            (Within::Patch, Some(patch)) => write!(f, "{major}.{minor}.{patch}")?,
            (Within::Patch, None) => write!(f, "{major}.{minor}")?,
            (Within::Minor, _) => write!(f, "{major}.{minor}.*")?,
            (Within::Major, _) => write!(f, "{major}.*")?,
        }
        f.write_str(flavour)?;
        f.write_str(if revision.is_some() { "-r*" } else { "" })
    }
}

/// The part of a suffix that says that a version is not released yet, and the rest. None where the
/// first is not as semantic versions have it (semver 2.0.0, 9).
fn prerelease(suffix: &str) -> Option<(Prerelease, &str)> {
    let part = suffix.strip_prefix('-').unwrap_or_default();
    let part = part.split('-').next().unwrap_or_default();
    let word = part.find(|c: char| !c.is_ascii_alphabetic()).map_or(part, |end| &part[..end]);
    if !PRERELEASES.contains(&word.to_ascii_lowercase().as_str()) {
        return Some((Prerelease::EMPTY, suffix));
    }
    let prerelease = Prerelease::new(part).ok()?;
    Some((prerelease, &suffix[1 + part.len()..]))
}

/// `[v]MAJOR.MINOR[.PATCH][suffix]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version<'t> {
    pub(super) v: bool,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: Option<u32>,
    pub(super) suffix: &'t str,
}

impl<'t> Version<'t> {
    /// Parses a tag, also one that is none for its `+` and what follows: that is dropped.
    pub(super) fn parse(tag: &'t str) -> Option<Self> {
        let (tag, build) = tag.split_once('+').unwrap_or((tag, ""));
        // Behind a dash would be an architecture or a flavour, which must not be lost.
        if build.contains('-') {
            return None;
        }
        let (v, rest) = tag.strip_prefix('v').map_or((false, tag), |rest| (true, rest));
        let (major, rest) = number(rest)?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let (patch, suffix) = match rest.strip_prefix('.').and_then(number) {
            Some((patch, suffix)) => (Some(patch), suffix),
            None => (None, rest),
        };
        let valid = suffix.is_empty() || suffix.starts_with('-');
        valid.then_some(Self { v, major, minor, patch, suffix })
    }
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = if self.v { "v" } else { "" };
        write!(f, "{v}{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{patch}")?;
        }
        f.write_str(self.suffix)
    }
}

/// A number without leading zeros, and what follows it.
pub(super) fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let digits = &text[..end];
    let canonical = digits == "0" || !digits.starts_with('0');
    Some((digits.parse().ok().filter(|_| canonical)?, &text[end..]))
}

/// bitnami numbers the builds of one version (`-debian-12-r3`): the same software on the same
/// base, so any build may stand for any other, and the highest has the latest fixes.
pub(super) fn revision(suffix: &str) -> Option<(&str, u32)> {
    let (base, digits) = suffix.rsplit_once("-r")?;
    let (revision, rest) = number(digits)?;
    rest.is_empty().then_some((base, revision))
}

pub(super) fn without_revision(suffix: &str) -> &str {
    revision(suffix).map_or(suffix, |(base, _)| base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::tests::asked;

    fn best(image: &str, settings: SemanticVersion, published: &[&str]) -> Option<String> {
        let tags: Vec<Tag> = published.iter().map(|tag| tag.parse().expect("a tag")).collect();
        let steps = settings.steps(&asked(image)).unwrap_or_default();
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
            // Who asks for a patch gets one; who asks for a minor gets its highest.
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
            (Major, Closest, Any, "1", &["1.2.3"], None),
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
            ("1.2.5", &["1.2.5-rc.01"], None),
        ] {
            let image = format!("a/b:{tag}");
            assert_eq!(best(&image, settings, published).as_deref(), found, "{tag}");
        }
    }
}
