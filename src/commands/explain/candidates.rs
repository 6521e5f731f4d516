//! Candidates: the images that exist and could be used, each with its digest and its platforms.
//!
//! They are the few that an explanation shows: the result, the images of suggested rules, and the nearest tags.

use std::collections::BTreeSet;

use super::Explanation;
use crate::fallback::Nearby;
use crate::image::{Digest, Platform, Tagged};
use crate::plan::{Entry, Name, Plan, Status, Via};
use crate::resolve::{Interrupted, Session};
use crate::text::escape::escaped;

/// An image that exists and could be used.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The image.
    pub(super) tagged: Tagged,
    /// Its digest.
    pub(super) digest: Digest,
    /// Its platforms, or the reason why they could not be read.
    pub(super) platforms: Result<Vec<Platform>, String>,
}

/// Finds the candidates of an image, and reads their platforms. An image that a lock settles has none, as
/// it must not cost a request.
///
/// # Errors
/// A signal interrupted it.
pub(super) fn candidates(entry: &Entry, session: &Session) -> Result<Vec<Candidate>, Interrupted> {
    let images = existing(entry, session)?;
    let questions =
        images.iter().map(|(tagged, digest)| (tagged.repository.clone(), digest.clone()));
    let platforms = session.platforms(&questions.collect())?;
    let candidate = |(tagged, digest): (Tagged, Digest)| {
        let image = (tagged.repository.clone(), digest.clone());
        // Two tags may have one digest.
        let read = platforms.get(&image)?.clone();
        let names = read.map(|offered| offered.iter().map(|one| one.platform.clone()).collect());
        let platforms = names.map_err(|refusal| refusal.detail);
        Some(Candidate { tagged, digest, platforms })
    };
    Ok(images.into_iter().filter_map(candidate).collect())
}

/// The images that exist, in the order in which they are shown, each once.
fn existing(entry: &Entry, session: &Session) -> Result<Vec<(Tagged, Digest)>, Interrupted> {
    if let Some((tagged, pin)) = entry.supplier() {
        let image = (tagged.clone(), pin.digest.clone());
        return Ok(if pin.via == Via::Lock { Vec::new() } else { vec![image] });
    }
    let Some((asked, search)) = entry.name.asked().zip(entry.status.search()) else {
        return Ok(Vec::new());
    };
    let suggested = search.suggestions.iter();
    let suggested = suggested.map(|one| (one.tagged.clone(), one.digest.clone()));
    let tag =
        |near: &Nearby| Tagged { repository: asked.repository.clone(), tag: near.tag.clone() };
    let nearest: Vec<_> = search.nearest.iter().map(tag).collect();
    let entries = nearest.iter().cloned().map(Entry::of_tag).collect();
    let mut found = session.resolve(&Plan { entries, ..Plan::default() }, &[])?;
    let nearest = nearest.into_iter().filter_map(|tagged| {
        match found.remove(&Name::Tagged(tagged.clone()))? {
            Status::Pinned(pin) => Some((tagged, pin.digest)),
            // A list may name what is gone.
            _ => None,
        }
    });
    let mut known = BTreeSet::new();
    Ok(suggested.chain(nearest).filter(|(tagged, _)| known.insert(tagged.clone())).collect())
}

impl Candidate {
    /// Its platforms, for people.
    pub(super) fn said(&self) -> String {
        match &self.platforms {
            Ok(platforms) if platforms.is_empty() => {
                "it names no platform: it may not be an image".to_owned()
            }
            Ok(platforms) => {
                let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
                format!("it is for {}", escaped(&names.join(", ")))
            }
            Err(reason) => format!("its platforms are not known: {}", escaped(reason)),
        }
    }
}

impl Explanation {
    /// The other candidates with the digest of this one.
    pub(super) fn equal_to(&self, candidate: &Candidate) -> impl Iterator<Item = &Candidate> {
        let others = self.candidates.iter().filter(|other| other.tagged != candidate.tagged);
        others.filter(|other| other.digest == candidate.digest)
    }
}
