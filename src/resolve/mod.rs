//! Resolve: from the distinct references of a run to their digests.
//!
//! One answer a reference, however many places want it and however it is written. Layouts are
//! looked at before the network, and rules only once absence is proved. The only stage that waits.

mod inspect;

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;

use crate::Options;
use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, Failure};
use crate::fallback::{Pick, Rule, Step, nearest, remedy};
use crate::image::{Asked, Repository, Tag, Tagged};
use crate::io::progress::Progress;
use crate::io::signals;
pub use crate::io::signals::Interrupted;
use crate::plan::{
    Answers, Picked, Pin, Plan, Question, RegistryNotes, Search, Settled, Substitute, Tried, Via,
};
use crate::registry::{Layouts, Lookup, Outcome, Refusal, Registry, Settings};
use crate::text::escape::quoted;

pub use inspect::{Inspected, inspect};

/// Whether and how registries are asked.
#[derive(Debug)]
pub enum Network {
    /// Never.
    Offline,
    /// As these settings say; with a line of progress on a terminal, unless it is to be quiet.
    Online {
        /// How they are reached.
        registries: Box<Settings>,
        /// Whether nothing is to be shown while waiting.
        quiet: bool,
    },
}

/// Finds a digest for every reference of the plan that needs one; or says why nothing can be asked.
///
/// # Errors
/// A signal interrupted it.
pub fn answers(
    plan: &Plan,
    options: &Options,
    secrets: &[PullSecret],
) -> Result<Result<Answers, Vec<Diagnostic>>, Interrupted> {
    match Layouts::read(&options.layouts) {
        Ok(layouts) => resolve(plan, &options.rules, &layouts, &options.network, secrets),
        Err(diagnostics) => Ok(Err(diagnostics)),
    }
}

/// The same with layouts that are read already.
///
/// # Errors
/// A signal interrupted it.
pub fn resolve(
    plan: &Plan,
    rules: &[Rule],
    layouts: &Layouts,
    network: &Network,
    secrets: &[PullSecret],
) -> Result<Result<Answers, Vec<Diagnostic>>, Interrupted> {
    let answered = |pin: &Pin| Arc::new(OnceCell::new_with(Some(Ok(pin.clone()))));
    let known = plan.known.iter().map(|(tagged, pin)| (tagged.clone(), answered(pin)));
    let known = Mutex::new(known.collect());
    let mut sources = Sources { layouts, registry: None, known, lists: Mutex::default() };
    let mut quiet = true;
    let elsewhere: Vec<_> =
        plan.unsettled().filter(|question| !is_in(layouts, *question)).collect();
    if let Network::Online { registries, quiet: silent } = network
        && !elsewhere.is_empty()
    {
        quiet = *silent;
        let elsewhere = elsewhere.into_iter();
        match registry(registries, secrets, elsewhere.map(Question::repository)) {
            Ok(registry) => sources.registry = Some(registry),
            Err(diagnostic) => return Ok(Err(vec![diagnostic])),
        }
    }
    let progress = Progress::new(quiet);
    waited(&progress, sources.settle_all(plan, rules, &progress)).map(Ok)
}

/// The registries of these repositories; or what is wrong with the certificates.
fn registry<'r>(
    settings: &Settings,
    secrets: &[PullSecret],
    repositories: impl IntoIterator<Item = &'r Repository>,
) -> Result<Registry, Diagnostic> {
    Registry::new(settings, secrets, repositories).map_err(|reason| {
        let message = format!("the certificates can't be used: {reason}");
        Diagnostic::error(Failure::Usage, message).help("check the file named with `--ca-file`")
    })
}

/// Waits for answers on this thread, with a line of progress.
///
/// # Errors
/// A signal interrupted it.
fn waited<T>(progress: &Progress, asked: impl Future<Output = T>) -> Result<T, Interrupted> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime on this thread needs nothing but a poller");
    // The line of progress has to be cleared before a signal ends the run.
    let held = signals::hold();
    let answers = runtime.block_on(async {
        tokio::select! {
            answers = asked => Ok(answers),
            never = progress.show() => match never {},
            interrupted = held.arrived() => Err(interrupted),
        }
    });
    // Names are looked up on threads of their own, which nothing can stop: where no DNS server
    // answers, waiting for them would take many times the budget.
    runtime.shutdown_background();
    held.release()?;
    answers
}

fn is_in(layouts: &Layouts, question: Question<'_>) -> bool {
    match question {
        Question::Tagged(tagged) => matches!(layouts.find(tagged), Lookup::Found(_)),
        Question::Invalid(_) => false,
    }
}

/// Everything that can be asked, each question once a run.
struct Sources<'l> {
    layouts: &'l Layouts,
    /// None offline.
    registry: Option<Registry>,
    known: Once<Tagged, Pin>,
    lists: Once<Repository, Arc<[Tag]>>,
}

/// What a step came to.
enum Taken {
    Nothing,
    Found(Substitute),
    Stopped(Refusal),
}

/// What a note says where the tags of a repository are refused.
const CANNOT_LIST: &str = "the tags can't be listed";

/// Answers that whoever asks first fetches, while the others wait.
type Once<K, V> = Mutex<HashMap<K, Cell<V>>>;
type Cell<V> = Arc<OnceCell<Result<V, Refusal>>>;

impl Sources<'_> {
    /// Settles all references at once; the registry bounds what is in flight.
    async fn settle_all(&self, plan: &Plan, rules: &[Rule], progress: &Progress) -> Answers {
        let settle = async |question: Question<'_>| {
            (question.to_string(), self.settle(&question, rules).await)
        };
        let mut settled: FuturesUnordered<_> = plan.unsettled().map(settle).collect();
        progress.expect(settled.len());
        let mut answers = Answers::default();
        while let Some((name, answer)) = settled.next().await {
            progress.step();
            answers.settled.insert(name, answer);
        }
        if let Some(registry) = &self.registry {
            answers.idle = idle(registry);
        }
        answers
    }

    async fn settle(&self, question: &Question<'_>, rules: &[Rule]) -> Settled {
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

    /// The digest of a reference: a layout's, or else the registry's.
    async fn pin(&self, tagged: &Tagged) -> Result<Pin, Refusal> {
        let cell = cell(&self.known, tagged);
        let answer = cell.get_or_init(async || {
            let lookup = self.layouts.find(tagged);
            match (lookup, &self.registry) {
                (Lookup::Found(digest), _) => Ok(Pin { digest, via: Via::Layout }),
                (_, Some(registry)) => {
                    let digest = registry.digest(tagged).await?;
                    Ok(Pin { digest, via: Via::Registry })
                }
                (Lookup::NoSuchTag, None) => {
                    let detail = "the layout has the repository without this tag";
                    Err(Refusal { outcome: Outcome::MissingTag, detail: detail.to_owned() })
                }
                (Lookup::NoSuchRepository, None) => {
                    let detail = "no layout has the repository";
                    Err(Refusal { outcome: Outcome::OfflineMiss, detail: detail.to_owned() })
                }
            }
        });
        answer.await.clone()
    }

    /// All tags of a repository: the layouts', and the registry's.
    async fn tags(&self, repository: &Repository) -> Result<Arc<[Tag]>, Refusal> {
        let cell = cell(&self.lists, repository);
        let answer = cell.get_or_init(async || {
            let mut tags: Vec<_> = self.layouts.tags(repository).cloned().collect();
            if let Some(registry) = &self.registry {
                tags.extend(registry.tags(repository).await?);
            }
            Ok(tags.into())
        });
        answer.await.clone()
    }
}

/// The cell of a question's answer, which whoever comes first fills.
fn cell<K: Clone + Eq + Hash, V>(answers: &Once<K, V>, key: &K) -> Cell<V> {
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    answers.entry(key.clone()).or_default().clone()
}

/// The logins and mirrors that were of no use.
fn idle(registry: &Registry) -> RegistryNotes {
    RegistryNotes { logins: registry.rejected_logins(), mirrors: registry.skipped_mirrors() }
}
