//! Releases with several tags of one repository.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, RuleId};
use crate::image::{Repository, Tag};
use crate::places::Place;
use crate::plan::{Name, Plan, Status};
use crate::text::escape::quoted;

/// Tags of one repository that a message names.
const SHOWN_TAGS: usize = 5;

/// Warns of repositories that one release asks for by more than one tag: a Deployment and its migration
/// Job that were meant to be the same.
pub(super) fn with_several_tags(plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
    type Tags<'p> = BTreeMap<usize, (&'p Tag, &'p Place)>;
    let mut releases: BTreeMap<(&Repository, Release<'_>), Tags<'_>> = BTreeMap::new();
    for (n, entry) in plan.entries.iter().enumerate() {
        if matches!(entry.status, Status::Skipped(_) | Status::Candidate | Status::Placeholder) {
            continue;
        }
        let Name::Tagged(tagged) = &entry.name else { continue };
        for place in entry.places.iter().map(|&place| &places[place]) {
            for release in Release::of(place) {
                let tags = releases.entry((&tagged.repository, release)).or_default();
                tags.entry(n).or_insert((&tagged.tag, place));
            }
        }
    }
    let mut known: BTreeSet<Vec<usize>> = BTreeSet::new();
    let several = releases.into_iter().filter(|(_, tags)| tags.len() > 1);
    // Labels and stream may say the same.
    let new = several.filter(|(_, tags)| known.insert(tags.keys().copied().collect()));
    let warning = |((repository, _), tags): ((&Repository, Release<'_>), Tags<'_>)| {
        let mut shown: Vec<_> =
            tags.values().take(SHOWN_TAGS).map(|(tag, _)| quoted(tag.as_str())).collect();
        if tags.len() > SHOWN_TAGS {
            shown.push(format!("and {} more", tags.len() - SHOWN_TAGS));
        }
        let repository = quoted(&repository.to_string());
        let message = format!("{repository} has {} tags here: {}", tags.len(), shown.join(", "));
        Diagnostic::warning(message)
            .of(RuleId::TwoTags)
            .locations(tags.values().map(|&(_, place)| place))
            .help("if these are parts of one release, use the same tag")
    };
    new.map(warning).collect()
}

/// The mark that objects of one release share.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Release<'p> {
    /// A label and a namespace.
    Label(&'p str, Option<&'p str>),
    /// The source and a namespace.
    Stream(usize, Option<&'p str>),
}

impl<'p> Release<'p> {
    fn of(place: &'p Place) -> impl Iterator<Item = Self> {
        let object = &place.object;
        let namespace = object.namespace.as_deref();
        let labels = object.release.iter().flatten();
        let labels = labels.map(move |label| Self::Label(label, namespace));
        labels.chain([Self::Stream(place.source, namespace)])
    }
}
