//! Session: everything that a run knows of registries and layouts, from its first request to its
//! last.
//!
//! The HTTP client, the deadline, tokens, answers of credential helpers, rejected logins and skipped
//! mirrors exist once per run, so that no stage of the run asks for them again. Only this module
//! and its neighbours wait.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};

use super::Interrupted;
use super::sources::{Cache, Sources};
use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, Failure};
use crate::fallback::Rule;
use crate::image::{Repository, Tagged};
use crate::io::progress::Progress;
use crate::io::signals;
use crate::plan::{Entry, Name, Pin, Plan, RegistryNotes, Status};
use crate::registry::{Layouts, Lookup, Registry, Settings};

/// Questions per host that are worked on at the same time. It is more than the requests that can be
/// in flight to one host, and few enough that 50,000 images need no memory for their futures.
const QUESTIONS_PER_HOST: usize = 128;

/// Questions of all hosts together. Each takes about 10 KB.
const QUESTIONS: usize = 512;

/// The access to registries.
#[derive(Debug)]
pub enum Network {
    /// Never.
    Offline,
    /// As these settings say.
    Online {
        /// The settings for requests.
        registries: Box<Settings>,
        /// True if the line of progress is hidden.
        quiet: bool,
    },
}

/// True if a layout has the image of an entry, so that no request is needed for it.
#[must_use]
pub fn is_in_layout(layouts: &Layouts, entry: &Entry) -> bool {
    match &entry.name {
        Name::Tagged(tagged) => matches!(layouts.find(tagged), Lookup::Found(_)),
        _ => false,
    }
}

/// The knowledge of a run about registries and layouts. Its deadline is fixed when it is made.
pub struct Session {
    layouts: Layouts,
    /// None offline.
    registry: Option<Registry>,
    cache: Cache,
    quiet: bool,
    /// Runs the requests of all stages, as they share connections. It is taken when this is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Session {
    /// Starts a session. Nothing is sent.
    ///
    /// # Errors
    /// The certificates of the settings can't be used.
    pub fn new(
        layouts: Layouts,
        network: &Network,
        secrets: &[PullSecret],
    ) -> Result<Self, Diagnostic> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime on this thread needs nothing but a poller");
        let (registry, quiet) = match network {
            Network::Offline => (None, true),
            Network::Online { registries, quiet } => {
                let registry = Registry::new(registries, secrets).map_err(|reason| {
                    let message = format!("the certificates can't be used: {reason}");
                    Diagnostic::error(Failure::Usage, message)
                        .help("check the file named with `--ca-file`")
                })?;
                (Some(registry), *quiet)
            }
        };
        Ok(Self { layouts, registry, cache: Cache::default(), quiet, runtime: Some(runtime) })
    }

    /// Finds a digest for each image of the plan that needs one, or the reason why it has none.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub fn resolve(
        &self,
        plan: &Plan,
        rules: &[Rule],
    ) -> Result<BTreeMap<Name, Status>, Interrupted> {
        let sources = self.sources(&plan.known);
        let asked = plan.unsettled().filter(|entry| !is_in_layout(&self.layouts, entry));
        self.expect(asked.filter_map(|entry| entry.name.repository()));
        let questions = plan.unsettled();
        let questions = questions.filter_map(|entry| Some((entry.name.repository()?, entry)));
        self.ask_all(questions.collect(), async |entry: &Entry| {
            (entry.name.clone(), sources.settle(entry, rules).await)
        })
    }

    /// A line for each request so far, if the settings ask for a log.
    #[must_use]
    pub fn request_log(&self) -> String {
        self.registry.as_ref().map(Registry::request_log).unwrap_or_default()
    }

    /// Logins that were rejected and mirrors that were skipped until now, and hosts that are not verified.
    #[must_use]
    pub fn notes(&self) -> RegistryNotes {
        let Some(registry) = &self.registry else { return RegistryNotes::default() };
        let tls = registry.tls();
        RegistryNotes {
            logins: registry.rejected_logins(),
            mirrors: registry.skipped_mirrors(),
            insecure: tls.insecure.iter().cloned().collect(),
            insecure_login: tls.insecure_login.iter().cloned().collect(),
        }
    }

    /// Everything that can be asked. These pins are known already.
    pub(super) fn sources<'s>(&'s self, recorded: &'s BTreeMap<Tagged, Pin>) -> Sources<'s> {
        let (layouts, registry) = (&self.layouts, self.registry.as_ref());
        Sources { layouts, registry, cache: &self.cache, recorded }
    }

    /// Announces repositories that will be asked for, so that one token may serve several.
    pub(super) fn expect<'r>(&self, repositories: impl IntoIterator<Item = &'r Repository>) {
        if let Some(registry) = &self.registry {
            registry.expect(repositories);
        }
    }

    /// Asks all questions, those of different hosts independently of each other, and collects the
    /// answers by name. Shows a line of progress.
    ///
    /// # Errors
    /// A signal interrupted it.
    pub(super) fn ask_all<Q, A>(
        &self,
        questions: Vec<(&Repository, Q)>,
        ask: impl AsyncFn(Q) -> (Name, A),
    ) -> Result<BTreeMap<Name, A>, Interrupted> {
        let progress = Progress::new(self.quiet);
        progress.expect(questions.len());
        let mut by_host: BTreeMap<&str, Vec<Q>> = BTreeMap::new();
        for (repository, question) in questions {
            by_host.entry(repository.host()).or_default().push(question);
        }
        let share = share(&by_host.values().map(Vec::len).collect::<Vec<_>>());
        let of_host = |questions: Vec<Q>| {
            Box::pin(stream::iter(questions).map(|question| ask(question)).buffer_unordered(share))
        };
        let mut answers = stream::select_all(by_host.into_values().map(of_host));
        let collected = async {
            let mut collected = BTreeMap::new();
            while let Some((name, answer)) = answers.next().await {
                progress.step();
                collected.insert(name, answer);
            }
            collected
        };
        self.wait(&progress, collected)
    }

    /// Runs a future on this thread, with a line of progress.
    ///
    /// # Errors
    /// A signal interrupted it.
    fn wait<T>(
        &self,
        progress: &Progress,
        answers: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        // The line of progress has to be cleared before a signal ends the run.
        let held = signals::hold();
        let runtime = self.runtime.as_ref().expect("it is there until this is dropped");
        let answers = runtime.block_on(async {
            tokio::select! {
                answers = answers => Ok(answers),
                never = progress.show() => match never {},
                interrupted = held.arrived() => Err(interrupted),
            }
        });
        held.release()?;
        answers
    }
}

/// How many questions of each host are worked on at the same time, if the hosts have so many. A host
/// with few leaves room for the others, and each host has one at least.
fn share(questions: &[usize]) -> usize {
    let fits = |share: &usize| {
        questions.iter().map(|of_host| of_host.min(share)).sum::<usize>() <= QUESTIONS
    };
    (1..=QUESTIONS_PER_HOST).rev().find(fits).unwrap_or(1)
}

impl Drop for Session {
    fn drop(&mut self) {
        // Names are looked up on threads of their own, which can't be stopped. If no DNS server
        // answers, waiting for them would take many times the timeout.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_share_the_questions_that_fit_into_memory() {
        let mut uneven = vec![1; 50];
        uneven.push(5_000);
        for (questions, expected) in [
            (vec![50_000], 128),
            (vec![50_000; 4], 128),
            (vec![50_000; 8], 64),
            (vec![10; 51], 128),
            (uneven, 128),
            (vec![50_000; 1_000], 1),
            (vec![], 128),
        ] {
            assert_eq!(share(&questions), expected, "{} hosts", questions.len());
        }
    }
}
