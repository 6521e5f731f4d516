//! The choice of a patch among the tags of a repository.

use std::cmp::Reverse;
use std::fmt;

use super::{Wanted, prefix};
use crate::fallback::tag::{Reading, with_stars};
use crate::image::Tag;

/// The highest stable patch of a minor, with this prefix and suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fallback) struct PatchOf {
    v: bool,
    minor: u32,
    /// The pattern of such tags.
    pattern: String,
}

impl PatchOf {
    pub(super) fn new(v: bool, minor: u32, suffix: &str) -> Self {
        let pattern = Reading::of(&format!("{}1.0.0{suffix}", prefix(v))).pattern();
        Self { v, minor, pattern }
    }

    pub(in crate::fallback) fn best<'t>(&self, tags: &'t [Tag]) -> Option<&'t Tag> {
        let fitting = tags.iter().filter_map(|tag| {
            let found = Reading::of(tag.as_str());
            let is_one = Wanted::of(&found).is_some_and(|found| found.minor == self.minor);
            let fits = is_one && !found.is_pre_release() && found.pattern() == self.pattern;
            let patch = found.version()?.number(2).filter(|_| fits)?;
            Some((patch, found.builds(), tag))
        });
        let best =
            fitting.min_by_key(|(patch, builds, tag)| (Reverse((*patch, builds.clone())), *tag));
        best.map(|(.., tag)| tag)
    }
}

impl fmt::Display for PatchOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = self.pattern.split_once("{version}").map_or("", |(_, suffix)| suffix);
        let suffix = with_stars(suffix);
        write!(f, "{}1.{}.*{suffix}", prefix(self.v), self.minor)
    }
}
