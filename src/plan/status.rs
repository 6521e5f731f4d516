//! Status: the result for an image, with one vocabulary for the plan, the report and the listing.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Pin, Search, Substitute};
use crate::diagnostic::Failure;
use crate::image::ParseError;
use crate::places::SkipReason;
use crate::registry::Refusal;

/// The result for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It names a tag that is not resolved yet.
    Tagged,
    /// It gets this digest.
    Pinned(Pin),
    /// It does not exist or its tag is invalid; a rule found a substitute.
    Substituted(Substitute, Search),
    /// It already has a digest.
    Already,
    /// It is left unchanged on request.
    Skipped(Skip),
    /// It only looks like an image, and is left unchanged.
    Candidate,
    /// Another program fills it in later.
    Placeholder,
    /// It is no reference, for this reason. If only the tag is invalid, the search says what the
    /// rules tried.
    Invalid(ParseError, Search),
    /// It has no digest, for this reason. If the search stopped at a candidate of a rule, the
    /// reason is about the last one tried.
    Unresolved(Refusal, Search),
}

impl Status {
    /// The word for it in reports and listings.
    #[must_use]
    pub fn word(&self) -> StatusWord {
        match self {
            Self::Tagged => StatusWord::Tagged,
            Self::Pinned(_) => StatusWord::Pinned,
            Self::Substituted(..) => StatusWord::Substituted,
            Self::Already => StatusWord::Already,
            Self::Skipped(_) => StatusWord::Skipped,
            Self::Candidate => StatusWord::Candidate,
            Self::Placeholder => StatusWord::Placeholder,
            Self::Invalid(..) => StatusWord::Invalid,
            Self::Unresolved(refusal, _) => match refusal.outcome.failure() {
                Failure::Absent => StatusWord::Unresolved,
                _ => StatusWord::Indeterminate,
            },
        }
    }

    /// The search of the rules, if any rule could apply.
    #[must_use]
    pub fn search(&self) -> Option<&Search> {
        match self {
            Self::Substituted(_, search)
            | Self::Unresolved(_, search)
            | Self::Invalid(_, search) => Some(search),
            _ => None,
        }
    }

    /// The reason why it is skipped, if it is.
    #[must_use]
    pub fn skip(&self) -> Option<&Skip> {
        match self {
            Self::Skipped(skip) => Some(skip),
            _ => None,
        }
    }
}

/// The result for an image, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusWord {
    /// It gets the digest of what was asked for.
    Pinned,
    /// It does not exist or is invalid, and gets the digest of a substitute.
    Substituted,
    /// It had a digest already.
    Already,
    /// It was left unchanged, as `reason` says.
    Skipped,
    /// It only looks like an image, and was left unchanged.
    Candidate,
    /// Another program fills it in later.
    Placeholder,
    /// It is proved absent.
    Unresolved,
    /// A registry refused, or gave no usable answer.
    Indeterminate,
    /// It is no reference.
    Invalid,
    /// It names a tag that was not resolved, as no registry was asked.
    Tagged,
}

impl StatusWord {
    /// The word as reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Substituted => "substituted",
            Self::Already => "already",
            Self::Skipped => "skipped",
            Self::Candidate => "candidate",
            Self::Placeholder => "placeholder",
            Self::Unresolved => "unresolved",
            Self::Indeterminate => "indeterminate",
            Self::Invalid => "invalid",
            Self::Tagged => "tagged",
        }
    }
}

/// The reason why an image is left unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// This glob of `--skip`.
    Flag(String),
    /// This glob of a configuration.
    Configuration(String),
    /// Something at its place.
    Place(SkipReason),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(glob) => write!(f, "`--skip {glob}`"),
            Self::Configuration(glob) => write!(f, "`{glob}` in `skip` of the configuration"),
            Self::Place(SkipReason::Annotation) => {
                f.write_str("the annotation `digestif.dev/skip`")
            }
            Self::Place(SkipReason::Comment) => f.write_str("the comment `# digestif: skip`"),
            Self::Place(SkipReason::Configured) => {
                f.write_str("`pin: false` in `fields` of the configuration")
            }
            Self::Place(SkipReason::Candidate) => {
                f.write_str("`--include` does not name its class")
            }
            Self::Place(SkipReason::Operator(reason)) => f.write_str(reason),
            Self::Place(SkipReason::Kind) => f.write_str("`--skip-kind`"),
            Self::Place(SkipReason::Object) => f.write_str("`skip` of the configuration"),
            Self::Place(SkipReason::Sops) => {
                f.write_str("the MAC of SOPS, which covers plain values of its document")
            }
        }
    }
}
