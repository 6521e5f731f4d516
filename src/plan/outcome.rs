//! Outcome: the digest of a reference, and what was tried for one that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::fallback::{Nearby, Suggestion};
use crate::image::{Digest, Repository, Tag, Tagged};
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
    /// The references that were requested and not found, in order; the one that was written is first,
    /// unless its tag is invalid.
    pub tried: Vec<Tried>,
    /// The choices among the tags of a repository.
    pub picked: Vec<Picked>,
    /// Steps that could not be taken, and what else has to be known of the others.
    pub notes: Vec<String>,
    /// The limits of the rules that apply to it, for messages.
    pub limits: Vec<String>,
    /// The nearest of the existing tags, nearest first.
    pub nearest: Vec<Nearby>,
    /// Rules that would lead to an image, best first; a search with each has found it.
    pub suggestions: Vec<Suggestion>,
    /// The change that would let a rule lead to one of them, for messages.
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

    /// Keeps the nearest tags. If none of them may stand in for what was asked for, they are no more
    /// than a note: the first of them must not be used blindly.
    pub fn show(&mut self, nearest: Vec<Nearby>) {
        if nearest.iter().any(|near| near.is_allowed) {
            self.nearest = nearest;
        } else if !nearest.is_empty() {
            let others = nearest.iter().map(|near| format!("{} ({})", near.tag, near.reason));
            let others: Vec<_> = others.collect();
            self.notes
                .push(format!("the existing tags may be other images: {}", others.join(", ")));
        }
    }

    /// Adds a suggestion, unless another leads to the same. One that leads to the same image by
    /// another name is noted there.
    pub fn add(&mut self, suggestion: Option<Suggestion>) {
        let Some(mut suggestion) = suggestion else { return };
        if self.suggestions.iter().any(|other| other.tagged == suggestion.tagged) {
            return;
        }
        let same = self.suggestions.iter().find(|other| other.digest == suggestion.digest);
        if let Some(same) = same {
            let note = format!("it has the same digest as {}", same.tagged);
            suggestion.note.get_or_insert(note);
        }
        self.suggestions.push(suggestion);
    }

    /// The suggestions that are best: one, or several that are as good.
    pub fn best(&self) -> impl Iterator<Item = &Suggestion> {
        let is_tied = self.suggestions.first().is_some_and(|first| first.is_tied);
        let is_best = move |(n, one): &(usize, &Suggestion)| *n == 0 || is_tied && one.is_tied;
        self.suggestions.iter().enumerate().filter(is_best).map(|(_, one)| one)
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
}

/// A choice among the tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// The rule that looked for it.
    pub rule: String,
    /// The repository or layout that was searched.
    pub repository: Repository,
    /// The pattern of the tags: `v1.31.*`.
    pub pattern: String,
    /// The best that there is, or why there is no list.
    pub tag: Result<Option<Tag>, Refusal>,
}

/// A reference that stands in for one that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// Its kind.
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
