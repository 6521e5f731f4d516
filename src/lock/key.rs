//! Key: the name under which an image is recorded.

use std::fmt;
use std::str::FromStr;

use crate::image::{Asked, Digest, ParseError, Pinned, Reference, Repository};

/// The name of an entry. A lock is sorted by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The repository that was asked for.
    pub repository: Repository,
    /// The tag or digest in it.
    pub version: Version,
}

/// A tag or a digest of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// This digest, without a tag.
    Digest(Digest),
    /// This tag, valid or not.
    Tag(String),
}

impl Key {
    /// The key of an image that has a digest in the input.
    #[must_use]
    pub fn of_pinned(pinned: &Pinned) -> Self {
        let version = match &pinned.tag {
            Some(tag) => Version::Tag(tag.to_string()),
            None => Version::Digest(pinned.digest.clone()),
        };
        Self { repository: pinned.repository.clone(), version }
    }

    /// The repository and the tag that were asked for; none if that was a digest.
    #[must_use]
    pub fn asked(&self) -> Option<Asked> {
        match &self.version {
            Version::Tag(tag) => {
                Some(Asked { repository: self.repository.clone(), tag: tag.clone() })
            }
            Version::Digest(_) => None,
        }
    }
}

impl From<Asked> for Key {
    fn from(Asked { repository, tag }: Asked) -> Self {
        Self { repository, version: Version::Tag(tag) }
    }
}

impl FromStr for Key {
    type Err = ParseError;

    /// Parses a name with a tag, valid or not, or a name with a digest and no tag.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse() {
            Ok(Reference::Pinned(pinned)) if pinned.tag.is_none() => Ok(Self::of_pinned(&pinned)),
            _ => text.parse::<Asked>().map(Self::from),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Digest(digest) => write!(f, "{}@{digest}", self.repository),
            Version::Tag(tag) => write!(f, "{}:{tag}", self.repository),
        }
    }
}
