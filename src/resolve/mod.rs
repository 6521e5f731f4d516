//! Resolve: from the distinct references of a run to their digests.
//!
//! One answer a reference, however many places want it and however it is written. Layouts are
//! looked at before the network, and rules only once absence is proved. The only stage that waits.

mod inspect;
mod search;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;

use crate::Options;
use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, Failure};
use crate::fallback::Rule;
use crate::image::{Repository, Tag, Tagged};
use crate::io::progress::Progress;
use crate::io::signals;
pub use crate::io::signals::Interrupted;
use crate::plan::{Answers, Pin, Plan, Question, RegistryNotes, Via};
use crate::registry::{Layouts, Lookup, Outcome, Refusal, Registry, Settings};

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
