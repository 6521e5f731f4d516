//! Nearest: the existing tags that are nearest to an absent one, each with the reason.

use super::tag::{Distance, Near, OwnWords, Reading};
use crate::image::{Asked, Tag};

/// Tags that a message shows.
const SHOWN: usize = 5;

/// The longest tag that there is; nothing is near a text that is longer.
const LONGEST: usize = 128;

/// An existing tag that is near to an absent one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// The tag.
    pub tag: Tag,
    /// The difference, for messages.
    pub reason: String,
    /// True if it may stand in for the absent one.
    pub is_allowed: bool,
}

/// A tag with what it means.
pub(super) struct Ranked<'t> {
    pub(super) near: Near,
    pub(super) reading: Reading,
    pub(super) tag: &'t Tag,
}

/// The tags that can be compared with an absent one, nearest first. Signatures and attestations are
/// no images, and are left out.
pub(super) fn ranked<'t>(asked: &Asked, tags: &'t [Tag]) -> Vec<Ranked<'t>> {
    if asked.tag.len() > LONGEST {
        return Vec::new();
    }
    let (wanted, own) = (Reading::of(&asked.tag), OwnWords::of(&asked.repository));
    let rank = |tag: &'t Tag| {
        let reading = Reading::of(tag.as_str());
        let near = Near::of(&wanted, &reading, &own);
        let can_be_compared = near.distance != Distance::Unknown || near.is_moving();
        let is_image = !reading.is_signature() && can_be_compared;
        is_image.then_some(Ranked { near, reading, tag })
    };
    let mut ranked: Vec<_> = tags.iter().filter_map(rank).collect();
    ranked.sort_by(|one, other| one.near.cmp(&other.near).then_with(|| one.tag.cmp(other.tag)));
    ranked.dedup_by(|one, other| one.tag == other.tag);
    ranked
}

/// The existing tags that are nearest to an absent one: those that may stand in for it first.
#[must_use]
pub fn nearest(asked: &Asked, tags: &[Tag]) -> Vec<Nearby> {
    let nearby = |ranked: &Ranked<'_>| Nearby {
        tag: ranked.tag.clone(),
        reason: ranked.near.reason(),
        is_allowed: ranked.near.is_allowed(),
    };
    ranked(asked, tags).iter().take(SHOWN).map(nearby).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::tests::{asked, tags};

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
                    "litellm_stable_release_branch-v1.61.20-stable: the same version, spelt differently",
                    "main-v1.61.21-stable: the same minor version",
                    "main-v1.61.2-stable: the same minor version",
                    "main-v1.61.20-nightly: a pre-release or development build",
                ][..],
            ),
            (
                "a/kubectl:v1.33",
                &["v1.30", "v1.31", "latest"],
                &["v1.31: a version below", "v1.30: a version below", "latest: a tag that moves"],
            ),
            (
                "a/b:1.2",
                &["1.20", "11.2", "v1.2.0"],
                &[
                    "v1.2.0: a patch of the version",
                    "1.20: a version above",
                    "11.2: another major version",
                ],
            ),
            (
                "a/b:1.2.3",
                &["1.2.3-arm64", "1.2.2", "v1.2.3.sig", "3f2c1ab"],
                &["1.2.2: the same minor version", "1.2.3-arm64: another architecture"],
            ),
            ("a/b:x", &[], &[]),
        ] {
            let nearest: Vec<_> = nearest(&asked(image), &tags(existing))
                .iter()
                .map(|near| format!("{}: {}", near.tag, near.reason))
                .collect();
            assert_eq!(nearest, found, "{image}");
        }
    }
}
