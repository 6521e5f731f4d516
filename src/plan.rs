//! Plan: the distinct images of a run, each with all its places.
//!
//! Two ways to write one reference (`nginx:1`, `docker.io/library/nginx:1`) are one image, so that
//! no two places can ever get different answers. What is pinned, skipped or filled in later is
//! settled here and never reaches a registry.

use std::collections::BTreeMap;

use globset::{Glob, GlobMatcher};

use crate::image::{ParseError, Reference, Repository, Tagged};
use crate::places::{Image, Place};
use crate::registry::Refusal;
use crate::resolve::{Pin, Pins};

/// What becomes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Names a tag that is to be resolved.
    Tagged(Tagged),
    /// Gets this digest.
    Pinned(Pin),
    /// Has a digest already.
    Already,
    /// Is left alone, as `--skip` says.
    Skipped,
    /// Is filled in by something else, later.
    Placeholder,
    /// Is no reference.
    Invalid(ParseError),
    /// Has no digest, for this reason.
    Unresolved(Refusal),
}

impl Fate {
    /// One word for it, as reports write it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tagged(_) => "tagged",
            Self::Pinned(_) => "pinned",
            Self::Already => "already",
            Self::Skipped => "skipped",
            Self::Placeholder => "placeholder",
            Self::Invalid(_) => "invalid",
            Self::Unresolved(_) => "unresolved",
        }
    }
}

/// One distinct image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The full name; for what is no reference, the text.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Indexes of its places, in the order of the input; never empty.
    pub places: Vec<usize>,
}

/// All images of a run, in the order in which they appear first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The images.
    pub entries: Vec<Entry>,
}

/// Images that are left alone: globs over the full repository name.
#[derive(Debug, Default, Clone)]
pub struct Skips(Vec<GlobMatcher>);

impl Skips {
    /// Reads globs, in which `*` stays within a path segment and `**` does not.
    ///
    /// # Errors
    /// What is wrong with the first bad one.
    pub fn new(globs: &[String]) -> Result<Self, globset::Error> {
        let glob = |text: &String| {
            let glob = globset::GlobBuilder::new(text).literal_separator(true).build();
            glob.as_ref().map(Glob::compile_matcher).map_err(Clone::clone)
        };
        globs.iter().map(glob).collect::<Result<_, _>>().map(Self)
    }

    fn fits(&self, repository: &Repository) -> bool {
        let name = repository.to_string();
        self.0.iter().any(|glob| glob.is_match(&name))
    }

    /// The globs that fit none of these repositories.
    pub fn unused<'s>(&'s self, places: &'s [Place]) -> impl Iterator<Item = &'s str> {
        let names: Vec<_> = places.iter().filter_map(repository).map(ToString::to_string).collect();
        let idle = move |glob: &&GlobMatcher| !names.iter().any(|name| glob.is_match(name));
        self.0.iter().filter(idle).map(|glob| glob.glob().glob())
    }
}

fn repository(place: &Place) -> Option<&Repository> {
    match &place.image {
        Image::Reference(written) => Some(match written.reference() {
            Reference::Tagged(tagged) => &tagged.repository,
            Reference::Pinned(pinned) => &pinned.repository,
        }),
        _ => None,
    }
}

impl Plan {
    /// Groups the places by image.
    #[must_use]
    pub fn new(places: &[Place], skips: &Skips) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (n, place) in places.iter().enumerate() {
            let (name, fate) = settle(place, skips);
            let entry = *known.entry(name.clone()).or_insert_with(|| {
                entries.push(Entry { name, fate, places: Vec::new() });
                entries.len() - 1
            });
            entries[entry].places.push(n);
        }
        Self { entries }
    }

    /// The references that need a digest.
    pub fn tagged(&self) -> impl Iterator<Item = &Tagged> {
        self.entries.iter().filter_map(|entry| match &entry.fate {
            Fate::Tagged(tagged) => Some(tagged),
            _ => None,
        })
    }

    /// The plan with every answer in its place.
    #[must_use]
    pub fn resolved(&self, pins: &Pins) -> Self {
        let mut plan = self.clone();
        for entry in &mut plan.entries {
            let Fate::Tagged(tagged) = &entry.fate else { continue };
            match pins.get(tagged) {
                Some(Ok(pin)) => entry.fate = Fate::Pinned(pin.clone()),
                Some(Err(refusal)) => entry.fate = Fate::Unresolved(refusal.clone()),
                None => {}
            }
        }
        plan
    }
}

fn settle(place: &Place, skips: &Skips) -> (String, Fate) {
    match &place.image {
        Image::Placeholder => (place.text().to_owned(), Fate::Placeholder),
        Image::Invalid(error) => (place.text().to_owned(), Fate::Invalid(error.clone())),
        Image::Reference(written) => {
            let fate = match written.reference() {
                _ if repository(place).is_some_and(|repository| skips.fits(repository)) => {
                    Fate::Skipped
                }
                Reference::Tagged(tagged) => Fate::Tagged(tagged.clone()),
                Reference::Pinned(_) => Fate::Already,
            };
            (written.reference().to_string(), fate)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_stay_within_a_segment_unless_told_otherwise() {
        for (glob, image, fits) in [
            ("docker.io/library/*", "nginx", true),
            ("docker.io/*", "nginx", false),
            ("docker.io/**", "nginx:1", true),
            ("registry.svc:5000/**", "registry.svc:5000/a/b:1", true),
            ("nginx", "nginx", false),
            ("{quay.io,ghcr.io}/**", "ghcr.io/a", true),
        ] {
            let skips = Skips::new(&[glob.to_owned()]).expect("valid");
            let Ok(Reference::Tagged(tagged)) = image.parse() else { panic!("a tag: {image}") };
            assert_eq!(skips.fits(&tagged.repository), fits, "{glob} {image}");
        }
        assert!(Skips::new(&["a[".to_owned()]).is_err());
    }
}
