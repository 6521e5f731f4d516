//! Name: which image an entry of the plan is about.

use std::fmt;

use crate::image::{Asked, Pinned, Reference, Repository, Tagged};
use crate::places::Image;

/// The name of an image. Two texts that mean the same image have one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A repository and a tag; `latest` if none was written.
    Tagged(Tagged),
    /// A repository and a tag that no registry accepts (`v1.16+`).
    InvalidTag(Asked),
    /// A repository and a digest, perhaps with a tag.
    Pinned(Pinned),
    /// The text of what is no reference: a placeholder, or an invalid name.
    Text(String),
}

impl Name {
    /// The name of what was read from `text`.
    #[must_use]
    pub fn new(image: &Image, text: &str) -> Self {
        match image {
            Image::Reference(written) => match written.reference() {
                Reference::Tagged(tagged) => Self::Tagged(tagged.clone()),
                Reference::Pinned(pinned) => Self::Pinned(pinned.clone()),
            },
            Image::Invalid(error) => error.asked().map_or_else(
                || Self::Text(text.to_owned()),
                |asked| Self::InvalidTag(asked.clone()),
            ),
            Image::Placeholder => Self::Text(text.to_owned()),
        }
    }

    /// The repository, if the name has one.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Tagged(tagged) => Some(&tagged.repository),
            Self::InvalidTag(asked) => Some(&asked.repository),
            Self::Pinned(pinned) => Some(&pinned.repository),
            Self::Text(_) => None,
        }
    }

    /// The image with a digest, if it is one.
    #[must_use]
    pub fn pinned(&self) -> Option<&Pinned> {
        match self {
            Self::Pinned(pinned) => Some(pinned),
            _ => None,
        }
    }

    /// The repository and the tag, valid or not; none if a digest decides which image is meant.
    #[must_use]
    pub fn asked(&self) -> Option<Asked> {
        match self {
            Self::Tagged(tagged) => Some(Asked::from(tagged)),
            Self::InvalidTag(asked) => Some(asked.clone()),
            Self::Pinned(_) | Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(tagged) => tagged.fmt(f),
            Self::InvalidTag(asked) => asked.fmt(f),
            Self::Pinned(pinned) => pinned.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}
