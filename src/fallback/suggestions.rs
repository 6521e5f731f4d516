//! Nearest: which of the existing tags an absent one may have meant, and the rule that says so.

use std::cmp::Reverse;

use crate::image::{Asked, Tag};

/// Tags that a message shows.
const SHOWN: usize = 5;

/// Tags whose distance is measured, which takes some microseconds each.
const COMPARED: usize = 1_000;

/// Digits of a version without a dot that says enough: a year and a month.
const DATE: usize = 6;

/// The longest tag that there is; what is longer can have no neighbours.
const LONGEST: usize = 128;

/// The existing tags that are nearest to an absent one: those that hold the same version first,
/// then by edit distance.
#[must_use]
pub fn nearest(asked: &Asked, tags: &[Tag]) -> Vec<Tag> {
    if asked.tag.len() > LONGEST {
        return Vec::new();
    }
    let version = version(&asked.tag);
    // Tags of another length are farther away, and cheap to leave out of ten thousands.
    let rough = |tag: &&Tag| {
        let same_version = version.is_some_and(|version| holds(tag.as_str(), version));
        (Reverse(same_version), tag.as_str().len().abs_diff(asked.tag.len()))
    };
    let key = |tag: &&Tag| {
        let text = tag.as_str();
        let same_version = version.is_some_and(|version| holds(text, version));
        (Reverse(same_version), strsim::damerau_levenshtein(text, &asked.tag), text.to_owned())
    };
    let mut nearest: Vec<_> = tags.iter().collect();
    if nearest.len() > COMPARED {
        nearest.select_nth_unstable_by_key(COMPARED, rough);
        nearest.truncate(COMPARED);
    }
    nearest.sort_by_cached_key(key);
    nearest.dedup();
    nearest.into_iter().take(SHOWN).cloned().collect()
}

/// A rule that would have found one of the existing tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The regular expression over the tag.
    tag: String,
    /// What to try.
    template: String,
    asked: Asked,
}

impl Suggestion {
    /// What `--fallback` takes.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("{}={}", self.tag, self.template)
    }

    /// An item of `fallbacks` in a configuration.
    #[must_use]
    pub fn yaml(&self) -> String {
        let repository = &self.asked.repository;
        let name = repository.path().rsplit('/').next().unwrap_or_default();
        let Self { tag, template, .. } = self;
        format!("- name: {name}\n  images: ['{repository}']\n  tag: '{tag}'\n  try: ['{template}']")
    }
}

/// The rule that would have found `tag`: what differs around the longest text that the two share.
/// None where they share too little to make a rule of.
#[must_use]
pub fn suggestion(asked: &Asked, tag: &Tag) -> Option<Suggestion> {
    let (old, new) = (asked.tag.as_str(), tag.as_str());
    // The rule is to be pasted into a shell or YAML, and is split at its first `=`.
    let without_controls =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    if old.len() > LONGEST || !old.chars().all(without_controls) {
        return None;
    }
    // A rule for one version serves the next; one that changes the version, or makes one of a bare
    // number, would be wrong for it.
    let same = version(old).filter(|same| version(new) == Some(same))?;
    if !same.contains('.') && same.len() < DATE {
        return None;
    }
    let ((mut before, after), (mut new_before, new_after)) =
        (old.split_once(same)?, new.split_once(same)?);
    // What follows says what is inside: another architecture, flavour or pre-release is another
    // image. A registry takes no `+`, so that what follows one is lost anyway.
    let (kept, lost) =
        after.split_once('+').map_or((after, ""), |(kept, _)| (kept, &after[kept.len()..]));
    if kept != new_after {
        return None;
    }
    if let (Some(rest), Some(new_rest)) = (before.strip_suffix('v'), new_before.strip_suffix('v')) {
        (before, new_before) = (rest, new_rest);
    }
    let is_whole = |text: &str| text.is_empty() || text == "v" || text.ends_with(['-', '_', '.']);
    if !is_whole(before) || !is_whole(new_before) {
        return None;
    }
    let escape = |text: &str| regex::escape(text).replace("\\-", "-");
    Some(Suggestion {
        tag: format!("{}(.+){}", escape(before), escape(lost)),
        template: format!("{new_before}$1"),
        asked: asked.clone(),
    })
}

/// The first run of digits and dots in a tag that has a dot, or else the first number.
fn version(tag: &str) -> Option<&str> {
    let runs =
        || tag.split(|c: char| !c.is_ascii_digit() && c != '.').map(|run| run.trim_matches('.'));
    runs().find(|run| run.contains('.')).or_else(|| runs().find(|run| !run.is_empty()))
}

/// True if a tag holds a version, with no digit on either side of it.
fn holds(tag: &str, version: &str) -> bool {
    tag.match_indices(version).any(|(at, _)| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        !digit(tag[..at].chars().next_back()) && !digit(tag[at + version.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::Rule;
    use crate::fallback::tests::asked;

    fn tags(texts: &[&str]) -> Vec<Tag> {
        texts.iter().map(|tag| tag.parse().expect("a tag")).collect()
    }

    #[test]
    fn tags_of_the_same_version_come_first() {
        for (image, existing, found) in [
            (
                "ghcr.io/b/litellm-database:main-v1.61.20-stable",
                &[
                    "main-v1.61.21-stable",
                    "main-v1.61.2-stable",
                    "litellm_stable_release_branch-v1.61.20-stable",
                    "main-v1.61.20-nightly",
                ][..],
                &[
                    "main-v1.61.20-nightly",
                    "litellm_stable_release_branch-v1.61.20-stable",
                    "main-v1.61.2-stable",
                    "main-v1.61.21-stable",
                ][..],
            ),
            ("a/kubectl:v1.33", &["v1.30", "v1.31", "latest"], &["v1.30", "v1.31", "latest"]),
            ("a/b:1.2", &["1.20", "11.2", "v1.2.0"], &["v1.2.0", "1.20", "11.2"]),
            ("a/b:x", &[], &[]),
        ] {
            assert_eq!(nearest(&asked(image), &tags(existing)), tags(found), "{image}");
        }
    }

    #[test]
    fn the_rule_that_is_shown_finds_the_tag_it_is_shown_for() {
        for (image, tag, expected) in [
            (
                "a/b:main-v1.61.20-stable",
                "litellm_stable_release_branch-v1.61.20-stable",
                Some("main-(.+)=litellm_stable_release_branch-$1"),
            ),
            ("a/b:1.2.3", "v1.2.3", Some("(.+)=v$1")),
            ("a/b:v1.2.3", "1.2.3", Some("v(.+)=$1")),
            ("a/b:1.2.3+x", "1.2.3", Some("(.+)\\+x=$1")),
            ("a/b:x'1.2.3", "1.2.3", None),
            ("a/b:a=b-v1.2.3", "v1.2.3", None),
            ("a/b:v1.33", "v1.31", None),
            ("a/b:1", "1.29.1", None),
            ("a/b:1.2", "1.2.9", None),
            ("a/b:build-7", "7", None),
            ("a/b:1.2.5-arm64", "1.2.5-amd64", None),
            ("a/b:1.2.5", "1.2.5-rc.1", None),
            ("a/b:1.2.5", "1.2.5-windows", None),
            ("a/b:1.2.5-alpine", "1.2.5", None),
            ("a/b:1.2.5", "1.2.5-abc123f", None),
            ("a/b:xv1.2.5", "yv1.2.5", None),
            ("a/b:build-20260101", "20260101", Some("build-(.+)=$1")),
            ("a/b:main", "latest", None),
        ] {
            let tag = &tags(&[tag])[0];
            let found = suggestion(&asked(image), tag).map(|found| found.flag());
            assert_eq!(found.as_deref(), expected, "{image}");
            if let Some(found) = found {
                let rule: Rule = found.parse().expect("a rule that can be pasted");
                let steps = rule.steps(&asked(image)).expect("it is about every image");
                assert!(
                    matches!(&steps[..], [crate::fallback::Step::Ask(tagged)] if tagged.tag == *tag)
                );
            }
        }
    }
}
