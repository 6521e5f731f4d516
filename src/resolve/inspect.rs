//! Inspect: what stands behind digests: whether they exist, and which platforms they are for. Only
//! asked where a policy wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::platforms::not_here;
use super::{Interrupted, Session, Sources};
use crate::fallback::{Preset, Rule, moved_to};
use crate::image::{Digest, Pinned, Platform, Repository, Tag};
use crate::plan::{Entry, Name, Plan, Status};
use crate::policy::{Policy, WrittenDigests};
use crate::registry::Refusal;

/// The content behind the digests of a run.
#[derive(Debug, Default)]
pub struct Inspected {
    /// The platforms of each, by its name; none were asked for where only its existence was.
    pub platforms: BTreeMap<Name, Result<Vec<Platform>, Refusal>>,
    /// Where images with a digest in the input, that are gone or denied, are by the same digest; with the
    /// preset that says so.
    pub moved: BTreeMap<Name, (Repository, Preset)>,
}

/// The question about a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Existence,
    Platforms,
}

impl Session {
    /// Asks for the images of a plan what a policy wants to know of them.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn inspect(
        &self,
        plan: &Plan,
        policy: &Policy,
        rules: &[Rule],
    ) -> Result<Inspected, Interrupted> {
        let question = |entry| {
            let (repository, digest) = pinned(entry)?;
            let wanted = wanted(entry, policy)?;
            Some((repository, (entry, wanted, repository, digest)))
        };
        let questions: Vec<_> = plan.entries.iter().filter_map(question).collect();
        self.expect(questions.iter().map(|(repository, _)| *repository));
        let recorded = BTreeMap::new();
        let sources = self.sources(&recorded);
        let ask = async |(entry, wanted, repository, digest): (&Entry, _, _, _)| {
            (entry.name.clone(), sources.inspect(wanted, repository, digest).await)
        };
        let platforms = self.ask_all(questions, ask)?;
        // `--no-fallback` leaves no rule: then no other repository is asked either.
        let moved = if rules.is_empty() { BTreeMap::new() } else { self.moved(plan, &platforms)? };
        Ok(Inspected { platforms, moved })
    }

    /// Looks for images that are gone or denied, and have their digest in the input, where presets say that
    /// they have moved.
    fn moved(
        &self,
        plan: &Plan,
        platforms: &BTreeMap<Name, Result<Vec<Platform>, Refusal>>,
    ) -> Result<BTreeMap<Name, (Repository, Preset)>, Interrupted> {
        let is_lost = |entry: &&Entry| {
            let answer = platforms.get(&entry.name);
            matches!(answer, Some(Err(refusal)) if refusal.outcome.may_be_absent())
        };
        let mut moves = Vec::new();
        for entry in plan.entries.iter().filter(is_lost) {
            if let (Name::Pinned(pinned), Status::Already) = (&entry.name, &entry.status) {
                let targets = moved_to(&pinned.repository);
                moves.extend(targets.map(|(preset, to)| (&entry.name, preset, to, &pinned.digest)));
            }
        }
        let wanted =
            moves.iter().map(|(_, _, to, digest)| (to.clone(), (*digest).clone())).collect();
        let present = self.present(&wanted)?;
        let is_there = |to: &Repository, digest: &Digest| {
            let (repository, digest) = (to.clone(), digest.clone());
            let name = Name::Pinned(Pinned { repository, tag: None, digest });
            matches!(present.get(&name), Some(Ok(())))
        };
        let found = moves.into_iter().rev().filter(|(_, _, to, digest)| is_there(to, digest));
        Ok(found.map(|(name, preset, to, _)| (name.clone(), (to, preset))).collect())
    }
}

impl Session {
    /// Tells for each digest if its repository has it, by its name without a tag.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn present(
        &self,
        digests: &BTreeSet<(Repository, Digest)>,
    ) -> Result<BTreeMap<Name, Result<(), Refusal>>, Interrupted> {
        self.expect(digests.iter().map(|(repository, _)| repository));
        let recorded = BTreeMap::new();
        let sources = self.sources(&recorded);
        let questions =
            digests.iter().map(|(repository, digest)| (repository, (repository, digest)));
        self.ask_all(questions.collect(), async |(repository, digest): (&Repository, &Digest)| {
            let found = sources.inspect(Wanted::Existence, repository, digest).await.map(drop);
            let (repository, digest) = (repository.clone(), digest.clone());
            (Name::Pinned(Pinned { repository, tag: None, digest }), found)
        })
    }
}

impl Session {
    /// The tags of these repositories; none of one that gives no list.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn lists(
        &self,
        repositories: &BTreeSet<&Repository>,
    ) -> Result<BTreeMap<Repository, Arc<[Tag]>>, Interrupted> {
        let recorded = BTreeMap::new();
        let sources = self.sources(&recorded);
        let questions = repositories.iter().map(|repository| (*repository, *repository)).collect();
        let lists = self.ask_all(questions, async |repository: &Repository| {
            let tags = sources.tags(repository).await.ok();
            (Name::Text(repository.to_string()), (repository.clone(), tags))
        })?;
        let listed = |(repository, tags): (Repository, Option<_>)| Some((repository, tags?));
        Ok(lists.into_values().filter_map(listed).collect())
    }
}

fn wanted(entry: &Entry, policy: &Policy) -> Option<Wanted> {
    if !policy.platforms.is_empty() {
        return Some(Wanted::Platforms);
    }
    let is_asked = policy.written == WrittenDigests::Verified && entry.status == Status::Already;
    is_asked.then_some(Wanted::Existence)
}

/// The repository and the digest that an image has after the run.
fn pinned(entry: &Entry) -> Option<(&Repository, &Digest)> {
    match (entry.supplier(), &entry.name, &entry.status) {
        (Some((tagged, pin)), ..) => Some((&tagged.repository, &pin.digest)),
        (None, Name::Pinned(pinned), Status::Already) => Some((&pinned.repository, &pinned.digest)),
        _ => None,
    }
}

impl Sources<'_> {
    async fn inspect(
        &self,
        wanted: Wanted,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Platform>, Refusal> {
        match (wanted, self.registry) {
            (Wanted::Platforms, _) => {
                let offered = self.platforms(repository, digest).await?;
                Ok(offered.iter().map(|offered| offered.platform.clone()).collect())
            }
            (Wanted::Existence, _) if self.layouts.content(digest).is_some() => Ok(Vec::new()),
            (Wanted::Existence, Some(registry)) => {
                registry.has(repository, digest).await.map(|()| Vec::new())
            }
            (Wanted::Existence, None) => Err(not_here()),
        }
    }
}
