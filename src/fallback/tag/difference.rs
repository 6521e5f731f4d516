//! The differences that forbid one tag to replace another.

use std::collections::BTreeSet;
use std::fmt;

use super::distance::Distance;
use super::{Reading, Role};
use crate::image::Repository;

/// A difference by which a tag may be another image. No rule and no proposal crosses one, with two
/// exceptions that `Near::of` names.
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

/// The reason why a tag must not replace the requested one.
pub(super) fn forbidden(
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

pub(super) type Words = BTreeSet<String>;

/// The names and the flavours that a tag has, and apart from them the words of the image's own name.
pub(super) fn identity(reading: &Reading, own: &OwnWords) -> ((Words, Words), Words) {
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
