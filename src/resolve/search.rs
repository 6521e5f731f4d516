//! Search: a digest for one reference, or for the substitute that a rule finds.
//!
//! A rule is tried only after absence is proved, or if its `when` says so for a refusal.

use std::borrow::Cow;

use super::Sources;
use crate::diagnostic::Failure;
use crate::fallback::{Pick, Rule, Step, nearest, remedy};
use crate::image::{Asked, Tagged};
use crate::plan::{Picked, Question, Search, Settled, Substitute, Tried};
use crate::registry::{Lookup, Outcome, Refusal};
use crate::text::escape::quoted;

/// What a step came to.
enum Taken {
    Nothing,
    Found(Substitute),
    Stopped(Refusal),
}

/// What a note says where the tags of a repository are refused.
const CANNOT_LIST: &str = "the tags can't be listed";

impl Sources<'_> {
    /// Resolves one reference; searches for a substitute if it does not exist.
    pub(super) async fn settle(&self, question: &Question<'_>, rules: &[Rule]) -> Settled {
        let mut search = Search::default();
        let tagged = match question {
            Question::Invalid(asked) => return self.search(asked, None, rules, search).await,
            Question::Tagged(tagged) => *tagged,
        };
        let refusal = match self.pin(tagged).await {
            Ok(pin) => return Settled::Pinned(pin),
            Err(refusal) => refusal,
        };
        search.tried.push(Tried { reference: tagged.to_string(), refusal: refusal.clone() });
        if refusal.outcome.may_be_absent() {
            return self.search(&Asked::from(tagged), Some(refusal), rules, search).await;
        }
        Settled::Unresolved(refusal, search)
    }

    /// Tries what the rules propose, in order, and keeps the first that exists. `refusal` is the
    /// proof that what was asked for does not exist, or says that it was denied, which only the
    /// rules count as absent that say so; without one the tag is invalid.
    async fn search(
        &self,
        asked: &Asked,
        refusal: Option<Refusal>,
        rules: &[Rule],
        mut search: Search,
    ) -> Settled {
        let outcome = refusal.as_ref().map(|refusal| refusal.outcome);
        for rule in rules.iter().filter(|rule| rule.when.covers(outcome)) {
            let Ok(steps) = rule.steps(asked) else { continue };
            if outcome == Some(Outcome::Denied) {
                let note = format!("rule {} takes what is denied for absent", rule.name);
                search.notes.push(format!("{note}, by its `when: [missing, denied]`"));
            }
            for step in steps {
                match self.take(step, asked, outcome, rule, &mut search).await {
                    Taken::Nothing => {}
                    Taken::Found(substitute) => return Settled::Substituted(substitute, search),
                    Taken::Stopped(refusal) => {
                        search.stopped_in = Some(rule.name.clone());
                        return Settled::Unresolved(refusal, search);
                    }
                }
            }
            search.limits.extend(rule.limit(asked));
        }
        if !matches!(outcome, Some(Outcome::MissingRepository | Outcome::Denied)) {
            match self.tags(&asked.repository).await {
                Ok(tags) => {
                    search.nearest = nearest(asked, &tags);
                    search.remedy = remedy(rules, asked, &tags);
                }
                Err(refusal) if !search.notes.iter().any(|note| note.contains(CANNOT_LIST)) => {
                    search.notes.push(format!("{CANNOT_LIST} ({})", refusal.detail));
                }
                Err(_) => {}
            }
        }
        match refusal {
            Some(refusal) => Settled::Unresolved(refusal, search),
            None => Settled::Invalid(search),
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
        let no_repository = outcome == Some(Outcome::MissingRepository);
        match step {
            Step::Pick(_) if no_repository => Taken::Nothing,
            Step::Pick(pick) => self.pick(&pick, asked, rule, search).await,
            Step::Ask(tagged) => {
                // What the registry says of the repository is no word about a layout.
                let elsewhere = tagged.repository != asked.repository
                    || matches!(self.layouts.find(&tagged), Lookup::Found(_));
                if no_repository && !elsewhere {
                    return Taken::Nothing;
                }
                self.try_candidate(tagged, rule, search).await
            }
            Step::Unusable(text, reason) => {
                let made = format!("rule {} makes {}", rule.name, quoted(&text));
                search.notes.push(format!("{made}, which is no image: {reason}"));
                Taken::Nothing
            }
        }
    }

    /// Tries the best of a repository's tags. A list may be older than what it lists, so the next
    /// best is tried where that is gone.
    async fn pick(&self, pick: &Pick, asked: &Asked, rule: &Rule, search: &mut Search) -> Taken {
        const MOST: usize = 3;
        let picked = |tag| Picked { rule: rule.name.clone(), pattern: pick.to_string(), tag };
        let tags = match self.tags(&asked.repository).await {
            Ok(tags) => tags,
            Err(refusal) if refusal.outcome.failure() == Failure::Unavailable => {
                let reference = format!("the tags of {}", asked.repository);
                search.tried.push(Tried { reference, refusal: refusal.clone() });
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
            let tagged = Tagged { repository: asked.repository.clone(), tag: tag.clone() };
            match self.try_candidate(tagged, rule, search).await {
                Taken::Nothing => left.to_mut().retain(|other| *other != tag),
                taken => return taken,
            }
        }
        Taken::Nothing
    }

    /// Asks for a candidate. One that is denied or can't be asked for ends the search, as a later
    /// one must not hide an outage; unless the rule takes what is denied for absent.
    async fn try_candidate(&self, tagged: Tagged, rule: &Rule, search: &mut Search) -> Taken {
        let reference = tagged.to_string();
        if search.tried.iter().any(|tried| tried.reference == reference) {
            return Taken::Nothing;
        }
        match self.pin(&tagged).await {
            Ok(pin) => Taken::Found(Substitute { tagged, pin, rule: rule.name.clone() }),
            Err(refusal) => {
                search.tried.push(Tried { reference, refusal: refusal.clone() });
                if rule.when.covers(Some(refusal.outcome)) {
                    Taken::Nothing
                } else {
                    Taken::Stopped(refusal)
                }
            }
        }
    }
}
