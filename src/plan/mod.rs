//! Plan: the distinct images of a run, each with all its places.
//!
//! Two ways to write one reference (`nginx:1`, `docker.io/library/nginx:1`) are one image, so that
//! no two places can ever get different answers. What is pinned, skipped or filled in later is
//! settled here and never reaches a registry.

mod history;
mod name;
mod outcome;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use crate::image::{Digest, Globs, Repository, Tagged};
use crate::places::{Image, Place, SkipReason};

pub use history::{Date, History, Seen};
pub use name::Name;
pub use outcome::{Picked, Pin, RegistryNotes, Search, Substitute, Target, Tried, Via};
pub use status::{Skip, Status, StatusWord};

/// One distinct image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// Its result.
    pub status: Status,
    /// Indexes of its places, in the order of the input; empty only for an image of
    /// `explain`.
    pub places: Vec<usize>,
}

impl Entry {
    /// A tag that is to be resolved, without a place.
    #[must_use]
    pub fn of_tag(tagged: Tagged) -> Self {
        Self { name: Name::Tagged(tagged), status: Status::Tagged, places: Vec::new() }
    }

    /// True if a registry, a layout or a rule can still find a digest for it.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        match self.status {
            Status::Tagged => true,
            Status::Invalid(..) => matches!(self.name, Name::InvalidTag(_)),
            _ => false,
        }
    }

    /// The tag that supplied its digest in this run, and the digest.
    #[must_use]
    pub fn supplier(&self) -> Option<(&Tagged, &Pin)> {
        match (&self.name, &self.status) {
            (Name::Tagged(tagged), Status::Pinned(pin)) => Some((tagged, pin)),
            (_, Status::Substituted(found, _)) => Some((&found.tagged, &found.pin)),
            _ => None,
        }
    }

    /// The tag and the digest that the input has for it already.
    #[must_use]
    pub fn tag_with_digest(&self) -> Option<(Tagged, &Digest)> {
        match (&self.name, &self.status) {
            (Name::Pinned(pinned), Status::Already) => {
                pinned.tagged().map(|tagged| (tagged, &pinned.digest))
            }
            _ => None,
        }
    }
}

/// All images of a run, in the order in which they appear first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The images.
    pub entries: Vec<Entry>,
    /// Digests of tags that cost no request.
    pub known: BTreeMap<Tagged, Pin>,
    /// The age of digests by a lock, by the tags that supplied them.
    pub histories: BTreeMap<Tagged, History>,
}

/// Images that are left alone.
#[derive(Debug, Default, Clone)]
pub struct Skips {
    /// By `--skip`. One of them that fits nothing is a slip.
    pub flags: Globs,
    /// By a configuration, which may serve many inputs.
    pub configured: Globs,
}

impl Skips {
    fn skip(&self, repository: &Repository) -> Option<Skip> {
        let flag = self.flags.fitting(repository).map(|glob| Skip::Flag(glob.to_owned()));
        let configured = || self.configured.fitting(repository);
        flag.or_else(|| configured().map(|glob| Skip::Configuration(glob.to_owned())))
    }

    /// The globs of `--skip` that fit no image.
    pub fn unused<'s>(&'s self, places: &[Place]) -> impl Iterator<Item = &'s str> + use<'s> {
        let repositories: Vec<_> =
            places.iter().filter_map(|place| place.image.repository()).collect();
        self.flags.unused(&repositories)
    }
}

impl Plan {
    /// Groups the places by image.
    #[must_use]
    pub fn new(places: &[Place], skips: &Skips) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        // An image that is left unchanged at one place may be pinned at another.
        let mut known: BTreeMap<(Name, Option<SkipReason>), usize> = BTreeMap::new();
        for (n, place) in places.iter().enumerate() {
            let mut entry = Entry::new(&place.image, place.text(), skips);
            if let Some(left) = place.left {
                let by_operator = matches!(left, SkipReason::Operator(_));
                if by_operator || left == SkipReason::Candidate && place.image.is_bare() {
                    // An operator or a program need not mean `latest` if there is no tag.
                    entry.name = Name::Text(place.text().to_owned());
                }
                if !(by_operator && matches!(entry.status, Status::Skipped(_))) {
                    entry.status = left_unchanged(left);
                }
            }
            let key = (entry.name.clone(), place.left);
            let entry = *known.entry(key).or_insert_with(|| {
                entries.push(entry);
                entries.len() - 1
            });
            entries[entry].places.push(n);
        }
        Self { entries, ..Self::default() }
    }

    /// The plan without these images.
    #[must_use]
    pub fn without(mut self, images: &BTreeSet<Name>) -> Self {
        self.entries.retain(|entry| !images.contains(&entry.name));
        self
    }

    /// The image at each of this many places; none at places that belong to no image.
    #[must_use]
    pub fn by_place(&self, places: usize) -> Vec<Option<&Entry>> {
        let mut entries = vec![None; places];
        for entry in &self.entries {
            for &place in &entry.places {
                entries[place] = Some(entry);
            }
        }
        entries
    }

    /// The plan in which the tags beside digests, of these repositories, are to be resolved again.
    #[must_use]
    pub fn reopened(self, update: &Globs) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: BTreeMap<Name, usize> = BTreeMap::new();
        for mut entry in self.entries {
            if let Some((tagged, _)) = entry.tag_with_digest()
                && update.fit(&tagged.repository)
            {
                entry = Entry { places: entry.places, ..Entry::of_tag(tagged) };
            }
            // An image that is left alone stays so in every place.
            let is_asked = entry.status == Status::Tagged;
            let same = known.get(&entry.name).filter(|_| is_asked);
            if let Some(&n) = same {
                entries[n].places.append(&mut entry.places);
                entries[n].places.sort_unstable();
            } else {
                if is_asked {
                    known.insert(entry.name.clone(), entries.len());
                }
                entries.push(entry);
            }
        }
        Self { entries, ..self }
    }

    /// The plan for one text, wherever it stands.
    #[must_use]
    pub fn of(text: &str, skips: &Skips) -> Self {
        Self { entries: vec![Entry::new(&Image::read(text), text, skips)], ..Self::default() }
    }

    /// The images that still need a digest, and those whose tag alone is invalid.
    pub fn unsettled(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.is_unsettled())
    }

    /// The plan with these results for its unsettled images.
    #[must_use]
    pub fn settled(mut self, mut results: BTreeMap<Name, Status>) -> Self {
        for entry in self.entries.iter_mut().filter(|entry| entry.is_unsettled()) {
            if let Some(status) = results.remove(&entry.name) {
                entry.status = status;
            }
        }
        self
    }
}

impl Entry {
    /// The image of a text, before anything is resolved.
    fn new(image: &Image, text: &str, skips: &Skips) -> Self {
        let name = Name::new(image, text);
        let status = match (image, &name) {
            (Image::Placeholder, _) => Status::Placeholder,
            (Image::Invalid(error), _) => Status::Invalid(error.clone(), Search::default()),
            (Image::Reference(_), Name::Pinned(_)) => Status::Already,
            (Image::Reference(_), _) => Status::Tagged,
        };
        let skip = name.repository().and_then(|repository| skips.skip(repository));
        let status = skip.map_or(status, Status::Skipped);
        Self { name, status, places: Vec::new() }
    }
}

fn left_unchanged(left: SkipReason) -> Status {
    if left == SkipReason::Candidate {
        Status::Candidate
    } else {
        Status::Skipped(Skip::Place(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Scope;
    use crate::text::{Origin, Source};

    #[test]
    fn reopened_images_have_their_places_in_the_order_of_the_input() {
        let digest = |digit: &str| format!("web:1@sha256:{}", digit.repeat(64));
        let images =
            [digest("a"), "web:1".to_owned(), digest("a"), "api:1".to_owned(), digest("b")];
        let pod = |image: &String| {
            format!(
                "---\napiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n"
            )
        };
        let text: String = images.iter().map(pod).collect();
        let source = Source::new(Origin::Stdin, text.into_bytes()).expect("text");
        let found = crate::locate(&[source], &Scope::default(), crate::Empty::Refused);
        let plan = Plan::new(&found.places, &Skips::default());
        assert_eq!(plan.entries.len(), 4);
        let plan = plan.reopened(&Globs::new(["**"]).expect("a glob"));
        let places: Vec<_> = plan
            .entries
            .iter()
            .map(|entry| (entry.name.to_string(), entry.places.clone()))
            .collect();
        let expected =
            [("docker.io/library/web:1", vec![0, 1, 2, 4]), ("docker.io/library/api:1", vec![3])];
        assert_eq!(places, expected.map(|(name, places)| (name.to_owned(), places)));
    }
}
