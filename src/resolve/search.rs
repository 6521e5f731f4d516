//! Search: a digest for one reference, or for the substitute that a rule finds.
//!
//! A rule is tried only after absence is proved, or if its `when` says so for a refusal.

use std::borrow::Cow;
use std::sync::Arc;

use super::Sources;
use crate::diagnostic::Failure;
use crate::fallback::{Pick, Rule, Step, nearest, proposals};
use crate::image::{Asked, Repository, Tagged};
use crate::plan::{Entry, Name, Picked, Search, Status, Substitute, Target, Tried};
use crate::registry::{Lookup, Outcome, Refusal};
use crate::text::escape::quoted;

/// The result of a step, or of a whole search.
enum Taken {
    /// It found nothing; the next step is tried.
    Nothing,
    /// It found a substitute.
    Found(Substitute),
    /// A candidate could not be asked for, which ends the search.
    Stopped(Refusal),
}

impl Taken {
    /// The status of the image that was searched for; `nothing` gives it if nothing was found.
    fn status(self, search: Search, nothing: impl FnOnce(Search) -> Status) -> Status {
        match self {
            Self::Found(substitute) => Status::Substituted(substitute, search),
            Self::Stopped(refusal) => Status::Unresolved(refusal, search),
            Self::Nothing => nothing(search),
        }
    }
}

/// Suggestions for one image. Each costs some requests.
const MOST_SUGGESTIONS: usize = 4;

/// The start of a note if the tags of a repository are refused.
const CANNOT_LIST: &str = "the tags can't be listed";

impl Sources<'_> {
    /// Resolves one image; searches for a substitute if it does not exist or its tag is invalid.
    /// An image with another name keeps its status.
    pub(super) async fn settle(&self, entry: &Entry, rules: &[Rule]) -> Status {
        let mut search = Search::default();
        match (&entry.name, &entry.status) {
            (Name::Tagged(tagged), _) => {
                let refusal = match self.pin(tagged).await {
                    Ok(pin) => return Status::Pinned(pin),
                    Err(refusal) => refusal,
                };
                let target = Target::Tag(tagged.clone());
                search.tried.push(Tried { target, refusal: refusal.clone() });
                let (outcome, asked) = (refusal.outcome, Asked::from(tagged));
                if !outcome.may_be_absent() {
                    return Status::Unresolved(refusal, search);
                }
                let taken = self.search(&asked, Some(outcome), rules, &mut search).await;
                taken.status(search, |search| Status::Unresolved(refusal, search))
            }
            (Name::InvalidTag(asked), Status::Invalid(error, _)) => {
                let taken = self.search(asked, None, rules, &mut search).await;
                taken.status(search, |search| Status::Invalid(error.clone(), search))
            }
            _ => entry.status.clone(),
        }
    }

    /// Tries what the rules propose, in order, and keeps the first that exists. `outcome` is the
    /// proof that what was asked for does not exist, or says that it was denied; only rules with
    /// `when: [missing, denied]` then apply. Without an outcome, the tag is invalid.
    async fn search(
        &self,
        asked: &Asked,
        outcome: Option<Outcome>,
        rules: &[Rule],
        search: &mut Search,
    ) -> Taken {
        for rule in rules.iter().filter(|rule| rule.when.covers(outcome)) {
            let steps = match rule.steps(asked) {
                Ok(steps) => steps,
                Err(reason) => {
                    // A rule for versions that covers the image, and can't read its tag, may be a slip.
                    let is_meant = rule.is_about_versions() && rule.scope.covers(&asked.repository);
                    let note = format!("rule {} was skipped: {reason}", rule.name);
                    search.notes.extend(is_meant.then_some(note));
                    continue;
                }
            };
            if outcome == Some(Outcome::Denied) {
                let note = format!("rule {} treats a denied image as absent", rule.name);
                search.notes.push(format!("{note}, by its `when: [missing, denied]`"));
            }
            match self.follow(rule, steps, asked, outcome, search).await {
                Taken::Nothing => search.limits.extend(rule.limit(asked)),
                Taken::Stopped(refusal) => {
                    search.stopped_in = Some(rule.name.clone());
                    return Taken::Stopped(refusal);
                }
                found @ Taken::Found(_) => return found,
            }
        }
        self.suggest(asked, outcome, rules, search).await;
        Taken::Nothing
    }

    /// Takes the steps of a rule, up to the first that finds an image or can't be taken.
    async fn follow(
        &self,
        rule: &Rule,
        steps: Vec<Step>,
        asked: &Asked,
        outcome: Option<Outcome>,
        search: &mut Search,
    ) -> Taken {
        for step in steps {
            match self.take(step, asked, outcome, rule, search).await {
                Taken::Nothing => {}
                taken => return taken,
            }
        }
        Taken::Nothing
    }

    /// Finds the nearest tags, and rules that would lead to an image: each is tried in a search of its
    /// own, so that nothing is shown that does not exist.
    async fn suggest(
        &self,
        asked: &Asked,
        outcome: Option<Outcome>,
        rules: &[Rule],
        search: &mut Search,
    ) {
        let has_list = !matches!(outcome, Some(Outcome::MissingRepository | Outcome::Denied));
        let none = || Arc::from([]);
        let tags = if has_list { self.tags(&asked.repository).await } else { Ok(none()) };
        let tags = tags.unwrap_or_else(|refusal| {
            if !search.notes.iter().any(|note| note.contains(CANNOT_LIST)) {
                search.notes.push(format!("{CANNOT_LIST} ({})", refusal.detail));
            }
            none()
        });
        search.show(nearest(asked, &tags));
        for proposal in proposals(asked, outcome, rules, &tags) {
            let Ok(steps) = proposal.rule.steps(asked) else { continue };
            let mut own = Search::default();
            let rule = proposal.rule.clone();
            let taken = self.follow(&rule, steps, asked, outcome, &mut own).await;
            if let Taken::Found(Substitute { tagged, pin, .. }) = taken {
                search.add(proposal.found(asked, tagged, pin.digest));
            }
            if search.suggestions.len() == MOST_SUGGESTIONS {
                break;
            }
        }
    }

    /// Takes one step of a rule.
    async fn take(
        &self,
        step: Step,
        asked: &Asked,
        outcome: Option<Outcome>,
        rule: &Rule,
        search: &mut Search,
    ) -> Taken {
        let is_gone = |repository: &Repository| {
            let is_own = *repository == asked.repository;
            is_own && outcome == Some(Outcome::MissingRepository) || search.lacks(repository)
        };
        match step {
            Step::Pick(pick) if is_gone(&pick.repository) => Taken::Nothing,
            Step::Pick(pick) => self.pick(&pick, asked, rule, search).await,
            // An answer of a registry proves nothing about a layout.
            Step::Ask(tagged)
                if is_gone(&tagged.repository)
                    && !matches!(self.layouts.find(&tagged), Lookup::Found(_)) =>
            {
                Taken::Nothing
            }
            Step::Ask(tagged) => self.try_candidate(tagged, rule, search).await,
            Step::Unusable(text, reason) => {
                let made = format!("rule {} makes {}", rule.name, quoted(&text));
                search.notes.push(format!("{made}, which is not an image: {reason}"));
                Taken::Nothing
            }
        }
    }

    /// Tries the best of a repository's tags. A list may be older than what it lists, so the next
    /// best is tried where that is gone.
    async fn pick(&self, pick: &Pick, asked: &Asked, rule: &Rule, search: &mut Search) -> Taken {
        const MOST: usize = 3;
        let picked = |tag| {
            let (rule, repository) = (rule.name.clone(), pick.repository.clone());
            Picked { rule, repository, pattern: pick.to_string(), tag }
        };
        let is_own = pick.repository == asked.repository;
        let tags = match self.tags(&pick.repository).await {
            Ok(tags) => tags,
            Err(refusal) if refusal.outcome.failure() == Failure::Absent && !is_own => {
                let target = Target::Tags(pick.repository.clone());
                search.tried.push(Tried { target, refusal: refusal.clone() });
                search.picked.push(picked(Ok(None)));
                return Taken::Nothing;
            }
            // Another repository that refuses its list could have the tag: a later one must not hide
            // that. In the image's own, the other steps need no list.
            Err(refusal) if refusal.outcome.failure() == Failure::Unavailable || !is_own => {
                let target = Target::Tags(pick.repository.clone());
                search.tried.push(Tried { target, refusal: refusal.clone() });
                search.picked.push(picked(Err(refusal.clone())));
                return Taken::Stopped(refusal);
            }
            Err(refusal) => {
                search.picked.push(picked(Err(refusal.clone())));
                search.notes.push(format!("{pick}: {CANNOT_LIST} ({})", refusal.detail));
                return Taken::Nothing;
            }
        };
        let mut left = Cow::Borrowed(&*tags);
        for _ in 0..MOST {
            let tag = pick.best(&left).cloned();
            search.picked.push(picked(Ok(tag.clone())));
            let Some(tag) = tag else { break };
            let tagged = Tagged { repository: pick.repository.clone(), tag: tag.clone() };
            match self.try_candidate(tagged, rule, search).await {
                Taken::Nothing => left.to_mut().retain(|other| *other != tag),
                taken => return taken,
            }
        }
        Taken::Nothing
    }

    /// Asks for a candidate. One that is denied or can't be asked for ends the search, as a later
    /// one must not hide an outage; unless the rule treats a denied image as absent.
    async fn try_candidate(&self, tagged: Tagged, rule: &Rule, search: &mut Search) -> Taken {
        if search.refusal_of(&tagged).is_some() {
            return Taken::Nothing;
        }
        match self.pin(&tagged).await {
            Ok(pin) => Taken::Found(Substitute { tagged, pin, rule: rule.name.clone() }),
            Err(refusal) => {
                let target = Target::Tag(tagged);
                search.tried.push(Tried { target, refusal: refusal.clone() });
                if rule.when.covers(Some(refusal.outcome)) {
                    Taken::Nothing
                } else {
                    Taken::Stopped(refusal)
                }
            }
        }
    }
}
