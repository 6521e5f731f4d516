//! Tags: which one an image has to have (`--expect`), and which ones no image may have
//! (`--deny-mutable`).

use std::str::FromStr;

use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::image::{ParseError, Pinned, Repository, Tag, Tagged};
use crate::places::Place;
use crate::plan::{Entry, Name, Plan, Status};
use crate::text::escape::quoted;

/// Words by which a tag says that it will be moved, and to what.
const MOVING: [(&str, &str); 32] = [
    ("latest", "the newest image"),
    ("stable", "the newest release"),
    ("release", "the newest release"),
    ("lts", "the newest release of a line"),
    ("current", "the newest release"),
    ("rolling", "the newest release"),
    ("mainline", "the newest release"),
    ("production", "what is in production"),
    ("prod", "what is in production"),
    ("staging", "what is in staging"),
    ("nightly", "the build of last night"),
    ("daily", "the build of the day"),
    ("weekly", "the build of the week"),
    ("snapshot", "the newest build"),
    ("edge", "the newest build"),
    ("canary", "the newest build"),
    ("next", "the newest build"),
    ("preview", "the newest build"),
    ("insiders", "the newest build"),
    ("experimental", "the newest build"),
    ("unstable", "the newest build"),
    ("testing", "the newest build"),
    ("tip", "the newest build"),
    ("head", "the newest build of a branch"),
    ("main", "the newest build of a branch"),
    ("master", "the newest build of a branch"),
    ("trunk", "the newest build of a branch"),
    ("develop", "the newest build of a branch"),
    ("development", "the newest build of a branch"),
    ("devel", "the newest build of a branch"),
    ("dev", "the newest build of a branch"),
    ("default", "the newest build of a branch"),
];

/// A tag that the images of a repository have to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
}

impl FromStr for Expectation {
    type Err = ParseError;

    /// Reads `REPOSITORY=TAG`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let Some((repository, tag)) = text.split_once('=') else {
            return Err(ParseError::new(format!("{} is not REPOSITORY=TAG", quoted(text))));
        };
        Ok(Self { repository: repository.parse()?, tag: tag.parse()? })
    }
}

/// The tags that are refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutable {
    /// None.
    #[default]
    Allowed,
    /// Those that say that they are moved: `latest`, `nightly`, branches.
    Words,
    /// And those that are moved with every patch: `1`, `1.27`.
    Versions,
}

impl FromStr for Mutable {
    type Err = String;

    /// Reads what stands behind `--deny-mutable=`, or in a variable.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tags" | "true" | "1" | "yes" | "on" => Ok(Self::Words),
            "versions" => Ok(Self::Versions),
            "false" | "0" | "no" | "off" => Ok(Self::Allowed),
            _ => Err("expected `tags` or `versions`".to_owned()),
        }
    }
}

impl Mutable {
    /// The reason why a tag is refused, if it is.
    fn objection(self, tag: &str) -> Option<String> {
        if self == Self::Allowed {
            return None;
        }
        let tag = tag.to_ascii_lowercase();
        let words: Vec<_> = tag.split(['-', '_', '+']).collect();
        let parts = || words.iter().flat_map(|word| word.split('.'));
        // A build of a branch at a version, a date or a commit does not move.
        let is_fixed = words.iter().any(|word| is_release(word))
            || words.windows(3).any(is_date)
            || parts().any(is_commit);
        let moving = MOVING.iter().find(|(moving, _)| parts().any(|part| part == *moving));
        if let Some((_, what)) = moving.filter(|_| !is_fixed) {
            return Some(format!("it is moved to {what}"));
        }
        if self == Self::Versions && is_line(&tag) {
            return Some("it is moved to the newest patch of its line".to_owned());
        }
        None
    }
}

/// A whole version, or the number of a build or a day: `v1.55.0`, `20241120`; not `22.04`, `386`.
fn is_release(word: &str) -> bool {
    let numbers: Vec<_> = word.strip_prefix('v').unwrap_or(word).split('.').collect();
    let is_number = |number: &&str| number.starts_with(|c: char| c.is_ascii_digit());
    let is_build = |number: &str| number.len() > 5 && number.bytes().all(|b| b.is_ascii_digit());
    numbers.len() > 2 && numbers.iter().take(3).all(is_number) || is_build(word)
}

/// `2024-11-20`.
fn is_date(words: &[&str]) -> bool {
    let is = |word: &str, digits| word.len() == digits && word.bytes().all(|b| b.is_ascii_digit());
    is(words[0], 4) && is(words[1], 2) && is(words[2], 2)
}

/// Seven or more hex digits, with a digit and a letter among them.
fn is_commit(word: &str) -> bool {
    let word = word.strip_prefix("sha").unwrap_or(word);
    word.len() >= 7
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// A major version or a minor one, with what follows it: `1`, `v1.27`, `3.12-slim`.
fn is_line(tag: &str) -> bool {
    let version = tag.strip_prefix('v').unwrap_or(tag).split(['-', '_', '+']).next();
    let numbers: Vec<_> = version.unwrap_or_default().split('.').collect();
    // A date or a build number is no line of versions.
    let is_number = |number: &&str| {
        !number.is_empty() && number.len() < 5 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    numbers.len() < 3 && numbers.iter().all(is_number)
}

/// The repository and the tag that are used for an image; the tag is none if only a digest is written.
fn used(entry: &Entry, places: &[Place]) -> Option<(Repository, Option<String>)> {
    match &entry.status {
        Status::Candidate | Status::Placeholder => None,
        Status::Substituted(found, _) => {
            Some((found.tagged.repository.clone(), Some(found.tagged.tag.to_string())))
        }
        _ => match &entry.name {
            Name::Tagged(Tagged { repository, tag }) => {
                Some((repository.clone(), Some(tag.to_string())))
            }
            Name::InvalidTag(asked) => Some((asked.repository.clone(), Some(asked.tag.clone()))),
            Name::Pinned(Pinned { repository, tag, .. }) => {
                Some((repository.clone(), tag.as_ref().map(ToString::to_string)))
            }
            Name::Text(_) => {
                let image = &places[*entry.places.first()?].image;
                let asked = image.asked().map(|asked| (asked.repository, Some(asked.tag)));
                asked.or_else(|| Some((image.repository()?.clone(), None)))
            }
        },
    }
}

/// Images that have another tag than is expected of them, or that are not there at all.
pub(super) fn unexpected(
    plan: &Plan,
    places: &[Place],
    expectations: &[Expectation],
) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for Expectation { repository, tag } in expectations {
        let (name, tag) = (quoted(&repository.to_string()), tag.to_string());
        let mut is_there = false;
        for entry in &plan.entries {
            let asks = asked(entry, places).is_some_and(|asked| asked == *repository);
            let used = used(entry, places);
            let is_it = used.as_ref().is_some_and(|(used, _)| used == repository);
            if !asks && !is_it || matches!(entry.status, Status::Candidate) {
                continue;
            }
            is_there = true;
            let found = match used {
                Some((used, Some(found))) if used == *repository => {
                    if found == tag {
                        continue;
                    }
                    quoted(&found)
                }
                Some((used, None)) if used == *repository => "a digest without a tag".to_owned(),
                Some((used, _)) => format!("an image of {}", quoted(&used.to_string())),
                None => "a placeholder".to_owned(),
            };
            let message =
                format!("{name} is expected with the tag {}, but has {found}", quoted(&tag));
            diagnostics.push(
                Diagnostic::error(Failure::Policy, message)
                    .of(RuleId::Expect)
                    .locations(entry.places.iter().map(|&n| &places[n]))
                    .help("the manifest may be older than its tag: render it again, or correct the expectation"),
            );
        }
        if !is_there {
            let message =
                format!("{name} is expected with the tag {}, but does not occur", quoted(&tag));
            diagnostics.push(
                Diagnostic::error(Failure::Policy, message).of(RuleId::Expect).help(
                    "`digestif images` lists all images; the image may have another name now",
                ),
            );
        }
    }
    diagnostics
}

/// The repository that an entry asks for.
fn asked(entry: &Entry, places: &[Place]) -> Option<Repository> {
    if let Some(repository) = entry.name.repository() {
        return Some(repository.clone());
    }
    let image = &places[*entry.places.first()?].image;
    image.repository().cloned().or_else(|| Some(image.asked()?.repository))
}

/// Images whose tag is moved, also beside a digest: what is read there is no version.
pub(super) fn moving(plan: &Plan, places: &[Place], mutable: Mutable) -> Vec<Diagnostic> {
    let objection = |entry: &Entry| {
        if matches!(entry.status, Status::Skipped(_)) {
            return None;
        }
        let (repository, tag) = used(entry, places)?;
        let tag = tag?;
        let why = mutable.objection(&tag)?;
        let message =
            format!("{} has a tag that moves: {why}", quoted(&format!("{repository}:{tag}")));
        Some(
            Diagnostic::error(Failure::Policy, message)
                .of(RuleId::DenyMutable)
                .locations(entry.places.iter().map(|&n| &places[n]))
                .help("use the tag of a version; `--skip` exempts a repository"),
        )
    };
    plan.entries.iter().filter_map(objection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_moves_is_told_from_one_that_does_not() {
        use Mutable::{Versions, Words};
        for (tag, denied_by) in [
            ("latest", Some(Words)),
            ("stable", Some(Words)),
            ("Nightly", Some(Words)),
            ("main", Some(Words)),
            ("main-latest", Some(Words)),
            ("stable-alpine", Some(Words)),
            ("edge_amd64", Some(Words)),
            ("latest-py3", Some(Words)),
            ("HEAD", Some(Words)),
            ("stable-alpine3.19", Some(Words)),
            ("mainline-alpine3.20", Some(Words)),
            ("latest-x86_64", Some(Words)),
            ("latest-386", Some(Words)),
            ("main-py3.11", Some(Words)),
            ("nightly-ubuntu-22.04", Some(Words)),
            ("release-1.30", Some(Words)),
            ("dev-1", Some(Words)),
            ("latest.amd64", Some(Words)),
            ("nightly-2024-11-20", None),
            ("1.27.3-stable", None),
            ("main.1a2b3c4d5e", None),
            ("main-v1.55.0", None),
            ("nightly-20240101", None),
            ("master-3f2c1ab", None),
            ("main-sha3f2c1ab", None),
            ("v1.2.3", None),
            ("1.27.4-alpine", None),
            ("maintenance", None),
            ("headless-1.2.3", None),
            ("20241120", None),
            ("deadbeef", None),
            ("1", Some(Versions)),
            ("v1", Some(Versions)),
            ("1.27", Some(Versions)),
            ("3.12-slim", Some(Versions)),
            ("v1.31", Some(Versions)),
            ("2024.1", Some(Versions)),
            ("alpine", None),
        ] {
            assert_eq!(Words.objection(tag).is_some(), denied_by == Some(Words), "{tag}");
            assert_eq!(Versions.objection(tag).is_some(), denied_by.is_some(), "{tag}");
            assert_eq!(Mutable::Allowed.objection(tag), None);
        }
    }

    #[test]
    fn an_expectation_is_a_repository_and_a_tag() {
        let expectation: Expectation = "nginx=1.27".parse().expect("valid");
        assert_eq!(expectation.repository.to_string(), "docker.io/library/nginx");
        assert_eq!(expectation.tag.to_string(), "1.27");
        for (text, message) in [
            ("nginx:1.27", "`nginx:1.27` is not REPOSITORY=TAG"),
            ("nginx=", "empty tag after `:`"),
            ("Nginx=1", "uppercase `N` in repository `Nginx`"),
            ("nginx=a b", "` ` is not allowed in tag `a b`"),
        ] {
            assert_eq!(text.parse::<Expectation>().expect_err(text).to_string(), message);
        }
    }
}
