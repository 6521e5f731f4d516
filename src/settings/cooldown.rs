//! `cooldown` of a configuration.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::glob::Glob;
use crate::cli::cooldown;
use crate::lock::{self, New};

/// How old a digest must be before it is used, in whole days (UTC) since a run first saw it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Cooldown {
    /// The cooldown of images that no glob matches, for example `7d`.
    #[serde(default)]
    default: Days,
    /// Cooldowns by globs over the full repository name. If several globs match, the longest one applies.
    #[serde(default)]
    images: BTreeMap<Glob, Days>,
    /// The treatment of images that the lock does not have yet.
    #[serde(default)]
    new: NewImages,
}

/// Whole days: `7d`.
#[derive(Debug, Default, Clone, Copy, JsonSchema)]
#[schemars(inline, transparent)]
struct Days(#[schemars(with = "String", regex(pattern = r"^\d+d$"))] u32);

/// The treatment of images that the lock does not have yet.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NewImages {
    /// They are used at once, with a warning.
    #[default]
    Accept,
    /// They fail the run.
    Deny,
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        cooldown(&text).map(Self).map_err(D::Error::custom)
    }
}

impl Cooldown {
    /// The checked form.
    ///
    /// # Errors
    /// A glob is too long to be used.
    pub(super) fn checked(self) -> Result<lock::Cooldown, String> {
        let mut images: Vec<_> = self.images.into_iter().collect();
        images.sort_by_key(|(glob, _)| Reverse(glob.text().len()));
        let images = images.into_iter().map(|(glob, days)| Ok((Glob::globs(&[glob])?, days.0)));
        Ok(lock::Cooldown {
            default: self.default.0,
            images: images.collect::<Result<_, String>>()?,
            new: match self.new {
                NewImages::Accept => New::Accept,
                NewImages::Deny => New::Deny,
            },
            is_asked_for: false,
        })
    }
}
