//! Globs of a configuration, checked when they are read.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::image::Globs;

/// A glob over the full name of a repository: `*` stays within a segment, `**` does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub(super) struct Glob(String);

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// It is wrong, and why.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        Globs::of_names([text]).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// All of them.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn globs(globs: &[Self]) -> Result<Globs, String> {
        Globs::new(globs.iter().map(|glob| &glob.0)).map_err(|error| error.to_string())
    }
}
