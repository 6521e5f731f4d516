//! Outcome: the digest of a reference, and what was tried for one that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::fallback::{Suggestion, suggestion};
use crate::image::{Asked, Digest, Repository, Tag, Tagged};
use crate::registry::{Outcome, Refusal};

/// The source of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A registry.
    Registry,
    /// An image layout on disk.
    Layout,
    /// A lock, in which an earlier run recorded it.
    Lock,
}

impl Via {
    /// One word for it, as reports write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Layout => "layout",
            Self::Lock => "lock",
        }
    }
}

/// The digest of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The digest.
    pub digest: Digest,
    /// Its source.
    pub via: Via,
}

/// A question to a registry or a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The digest of a tag.
    Tag(Tagged),
    /// The tags of a repository.
    Tags(Repository),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tagged) => tagged.fmt(f),
            Self::Tags(repository) => write!(f, "the tags of {repository}"),
        }
    }
}

/// A question that led to no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The question.
    pub target: Target,
    /// The reason.
    pub refusal: Refusal,
}

/// The search of the fallback rules for a reference that is absent, or whose tag is invalid.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Search {
    /// The references that were asked for in vain, in order; the one that was written is first,
    /// unless its tag is invalid.
    pub tried: Vec<Tried>,
    /// The choices among the tags of a repository.
    pub picked: Vec<Picked>,
    /// Steps that could not be taken, and what else has to be known of the others.
    pub notes: Vec<String>,
    /// The limits of the rules that apply to it, for people.
    pub limits: Vec<String>,
    /// The nearest of the existing tags, nearest first.
    pub nearest: Vec<Tag>,
    /// The change that would let a rule lead to one of them, for people.
    pub remedy: Option<String>,
    /// The rule in which the search ended, as the last that was tried could not be asked for.
    pub stopped_in: Option<String>,
}

impl Search {
    /// The reason why a tag led to no digest, if it was asked for.
    #[must_use]
    pub fn refusal_of(&self, tagged: &Tagged) -> Option<&Refusal> {
        let is_it = |tried: &&Tried| matches!(&tried.target, Target::Tag(tag) if tag == tagged);
        self.tried.iter().find(is_it).map(|tried| &tried.refusal)
    }

    /// True if a repository is proved absent.
    #[must_use]
    pub fn lacks(&self, repository: &Repository) -> bool {
        self.tried.iter().any(|Tried { target, refusal }| {
            let asked = match target {
                Target::Tag(tagged) => &tagged.repository,
                Target::Tags(repository) => repository,
            };
            asked == repository && refusal.outcome == Outcome::MissingRepository
        })
    }

    /// The rule to add, which would have found one of the nearest tags.
    #[must_use]
    pub fn suggestion(&self, asked: &Asked) -> Option<Suggestion> {
        self.nearest.iter().find_map(|tag| suggestion(asked, tag))
    }
}

/// A choice among the tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// The rule that looked for it.
    pub rule: String,
    /// Where it was looked for.
    pub repository: Repository,
    /// The pattern of the tags: `v1.31.*`.
    pub pattern: String,
    /// The best that there is, or why there is no list.
    pub tag: Result<Option<Tag>, Refusal>,
}

/// A reference that stands in for one that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// What it is.
    pub tagged: Tagged,
    /// Its digest.
    pub pin: Pin,
    /// The rule that proposed it.
    pub rule: String,
}

/// Notes about registries: rejected logins, skipped mirrors, hosts that are not verified.
#[derive(Debug, Default)]
pub struct RegistryNotes {
    /// Logins that were rejected or could not be read, with the reason.
    pub logins: BTreeSet<String>,
    /// Mirrors that were skipped, with the reason.
    pub mirrors: BTreeMap<String, String>,
    /// Hosts whose certificates are not verified.
    pub insecure: BTreeSet<String>,
    /// Those of them that logins are sent to.
    pub insecure_login: BTreeSet<String>,
}
