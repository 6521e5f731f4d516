//! An image place: one text of the input that names an image, and how it may be changed.

use std::ops::Range;
use std::rc::Rc;

use super::object::Object;
use super::path::Path;
use super::placeholder::is_placeholder;
use crate::diagnostic::Location;
use crate::image::{Asked, ParseError, Pinned, Reference, Repository, Written};
use crate::text::escape::{escaped, quoted, shortened};
use crate::text::splice::Site;

/// The rule that found a place.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Containers and image volumes.
    Pod,
    /// Fields of custom resources, by the table or a configuration.
    Field,
    /// A reference in several fields, by the table.
    Parts,
    /// Candidates in the values of Helm charts.
    Values,
    /// Candidates in environment variables.
    Env,
    /// Candidates in arguments and commands.
    Args,
    /// Candidates in texts of `ConfigMap`s, and of `Secret`s that are written as text.
    Config,
    /// Candidates in annotations and labels.
    Annotations,
    /// Candidates in other fields of custom resources.
    Other,
    /// Candidates in the defaults of custom resource definitions; never pinned.
    Schema,
}

impl Class {
    /// The word that reports write for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Field => "field",
            Self::Parts => "parts",
            Self::Values => "values",
            Self::Env => "env",
            Self::Args => "args",
            Self::Config => "config",
            Self::Annotations => "annotations",
            Self::Other => "other",
            Self::Schema => "schema",
        }
    }
}

/// The reason why a known image is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// Its object has the annotation `digestif.dev/skip`.
    Annotation,
    /// Its line has the comment `# digestif: skip`.
    Comment,
    /// The configuration names the field with `pin: false`.
    Configured,
    /// It looks like an image, and its class is not included.
    Candidate,
    /// Its operator could not read a pinned reference, for this reason.
    Operator(&'static str),
    /// Its document has a MAC of SOPS that covers it.
    Sops,
    /// Its object is one of `--skip-kind`.
    Kind,
    /// Its object is one of `skip` in the configuration.
    Object,
}

/// The form of what is written at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// The reference.
    Reference,
    /// The reference, always with its tag.
    Tagged,
    /// The reference, always without its tag.
    Untagged,
    /// The tag alone, followed by the digest.
    Tag,
    /// The digest alone.
    Digest,
}

/// The meaning of the text at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// A reference.
    Reference(Written),
    /// A text that another tool replaces before a cluster reads it.
    Placeholder,
    /// Neither.
    Invalid(ParseError),
}

impl Image {
    /// Reads the text of a place.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if is_placeholder(text) {
            return Self::Placeholder;
        }
        text.parse().map_or_else(Self::Invalid, Self::Reference)
    }

    /// The image that a reference means: its tag may be another tool's placeholder.
    pub(super) fn of(written: Written) -> Self {
        if is_placeholder(written.text()) { Self::Placeholder } else { Self::Reference(written) }
    }

    /// The repository of a valid reference.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Reference(written) => Some(written.reference().repository()),
            Self::Placeholder | Self::Invalid(_) => None,
        }
    }

    /// The repository and the tag, valid or not, also beside a digest.
    #[must_use]
    pub fn asked(&self) -> Option<Asked> {
        match self {
            Self::Reference(written) => match written.reference() {
                Reference::Tagged(tagged) => Some(Asked::from(tagged)),
                Reference::Pinned(pinned) => {
                    let tag = pinned.tag.as_ref()?.to_string();
                    Some(Asked { repository: pinned.repository.clone(), tag })
                }
            },
            Self::Invalid(error) => error.asked().cloned(),
            Self::Placeholder => None,
        }
    }

    /// The reference, if it has a digest.
    #[must_use]
    pub fn pinned(&self) -> Option<&Pinned> {
        let Self::Reference(written) = self else { return None };
        match written.reference() {
            Reference::Pinned(pinned) => Some(pinned),
            Reference::Tagged(_) => None,
        }
    }

    /// True for a reference with neither a tag nor a digest.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        matches!(self, Self::Reference(written) if written.text() == written.name())
    }

    /// True for a reference with a digest.
    pub(super) fn is_pinned(&self) -> bool {
        matches!(self, Self::Reference(_)) && !self.is_tagged()
    }

    /// True for a reference without a digest.
    pub(super) fn is_tagged(&self) -> bool {
        match self {
            Self::Reference(written) => written.reference().tagged_repository().is_some(),
            Self::Placeholder | Self::Invalid(_) => false,
        }
    }
}

/// One image place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its index in [`Found::places`](super::Found::places).
    pub index: usize,
    /// Index of the source in the run's input.
    pub source: usize,
    /// Number of the document in its source, from 1.
    pub document: usize,
    /// The object that contains it.
    pub object: Rc<Object>,
    /// The container's name, if it has one.
    pub container: Option<String>,
    /// The field, from the object's root: `spec.template.spec.containers[0].image`.
    pub path: Path,
    /// The rule that found it.
    pub class: Class,
    /// Its position in the source.
    pub site: Site,
    /// The whole decoded scalar.
    pub value: Rc<str>,
    /// The bytes of the scalar that are changed.
    pub part: Range<usize>,
    /// The meaning of its text.
    pub image: Image,
    /// The whole reference, if it is joined from several fields.
    pub name: Option<String>,
    /// The form of what is written there.
    pub writing: Writing,
    /// The reason why it is not changed, if it is not.
    pub left: Option<SkipReason>,
}

impl Place {
    /// The reference as it is written, or as it is joined from several fields.
    #[must_use]
    pub fn text(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.value[self.part.clone()])
    }

    /// True for a text that looks like an image and stays as it is.
    #[must_use]
    pub fn is_candidate(&self) -> bool {
        self.left == Some(SkipReason::Candidate)
    }

    /// Object, the file that a function's host took it from, container and field, for messages.
    #[must_use]
    pub fn label(&self) -> String {
        let file = self.object.file.as_ref();
        let file = file.map(|file| format!(" in {}", escaped(&shortened(&file.path))));
        let container = self.container.as_ref();
        let container = container.map(|name| format!(", container {}", quoted(name)));
        let path = self.path.to_string();
        format!(
            "{}{}{}, {}",
            self.object,
            file.unwrap_or_default(),
            container.unwrap_or_default(),
            shortened(&path)
        )
    }
}

impl From<&Place> for Location {
    fn from(place: &Place) -> Self {
        Self::Place {
            place: place.index,
            source: place.source,
            span: place.site.text(),
            label: place.label(),
            shown: place.object.kind != "Secret",
        }
    }
}
