//! Explain: how one image is resolved, step by step, for `digestif explain`.
//!
//! The image takes the same way as in a run. What is shown beside the result is what each rule
//! proposes, and what became of each proposal.

mod candidates;
mod json;
mod text;
mod trace;

use std::ffi::OsStr;
use std::path::Path;

use super::destinations::Destinations;
use super::outcome::{Error, Outcome};
use super::prepare::{self, Input, prepare};
use crate::cli::{ExplainFormat, Flags};
use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, failed, verdict};
use crate::fallback::Suggestion;
use crate::io::delivery::show;
use crate::lock::{Cooldown, ago, waiting};
use crate::plan::{Entry, History, Plan};
use crate::policy::{self, Policy};
use crate::registry::Layouts;
use crate::resolve::{Interrupted, Session};
use crate::settings::Task;
use crate::text::escape::{escaped, quoted};
use crate::{Empty, Options};

use candidates::{Candidate, candidates};
use trace::{Traced, trace};

pub use json::schema;

/// The way in which an image was resolved.
#[derive(Debug)]
pub struct Explanation {
    entry: Entry,
    /// The age of its digest in a lock.
    history: Option<History>,
    /// The same for people.
    age: Option<String>,
    rules: Vec<Traced>,
    candidates: Vec<Candidate>,
    suggestions: Vec<Suggestion>,
    /// The messages of a run about it, and the files that could not be read.
    pub diagnostics: Vec<Diagnostic>,
    /// A line for each request, if the settings ask for a log.
    pub requests: String,
}

/// Explains how one image is resolved. Its diagnostics are part of the explanation, and decide the
/// exit status. If manifests are named, their pull secrets are used, and the configuration of a
/// function's list.
///
/// # Errors
/// The settings or the manifests are wrong, or the explanation can't be written.
pub(super) fn run(
    flags: Flags,
    destinations: &Destinations,
    (image, format): (&str, ExplainFormat),
    outcome: &mut Outcome,
) -> Result<(), Error> {
    if is_manifest(image) {
        let message = format!("{} is a file, and `explain` takes an image", quoted(image));
        let help = format!(
            "`digestif images {0}` lists its images, and `digestif explain IMAGE -f {0}` explains one",
            escaped(image)
        );
        return Err(failed(&message).help(help).into());
    }
    let (options, secrets) = if flags.input.files.filename.is_empty() {
        destinations.check_folders()?;
        let (settings, said) = prepare::settings(flags, Task::Explain)?;
        outcome.origins = said;
        (settings.options, Vec::new())
    } else {
        let (sources, input) = Input::read(&flags)?;
        let prepared = prepare(flags, destinations, Task::Explain, &sources, input)?;
        outcome.origins = prepared.said;
        outcome.messages.push(prepared.notes);
        let options = prepared.settings?.options;
        let found = crate::locate(&sources, &options.scope, Empty::Allowed);
        if verdict(&found.diagnostics).is_some() {
            outcome.say(found.diagnostics, &sources);
            return Ok(());
        }
        (options, found.pull_secrets)
    };
    let explanation = explain(image, &options, &secrets)?;
    outcome.requests.clone_from(&explanation.requests);
    let text = match format {
        ExplainFormat::Text => explanation.text(),
        ExplainFormat::Json => explanation.json(),
    };
    show(destinations.output.as_deref(), &text)?;
    outcome.note_failure(verdict(&explanation.diagnostics));
    Ok(())
}

/// True if a text is the path of a file with manifests.
fn is_manifest(text: &str) -> bool {
    let path = Path::new(text);
    let extension = path.extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file()
}

/// Resolves one image as a run would, and keeps what was tried.
///
/// # Errors
/// The user interrupted it.
fn explain(
    text: &str,
    options: &Options,
    secrets: &[PullSecret],
) -> Result<Explanation, Interrupted> {
    let mut plan = Plan::of(text, &options.skips);
    if let Some(lock) = &options.lock {
        plan = lock.settle(plan, &options.update);
    }
    let age = age(&plan, options);
    let asked = plan.unsettled().next().and_then(|entry| entry.name.asked());
    let session = Layouts::read(&options.layouts).and_then(|layouts| {
        Session::new(layouts, &options.network, secrets).map_err(|diagnostic| vec![diagnostic])
    });
    let (mut requests, mut found) = (String::new(), Vec::new());
    let (plan, mut diagnostics) = match session {
        Ok(session) => {
            let statuses = session.resolve(&plan, &options.rules)?;
            let plan = plan.settled(statuses);
            let mut diagnostics = inspect(&plan, options, &session)?;
            found = candidates(&plan.entries[0], &session)?;
            diagnostics.extend(policy::registry_warnings(&session.notes()));
            requests = session.request_log();
            (plan, diagnostics)
        }
        Err(diagnostics) => (plan, diagnostics),
    };
    diagnostics.extend(judged(&plan, &options.policy));
    let history = plan.entries[0].supplier().and_then(|(tagged, _)| plan.histories.get(tagged));
    let history = history.cloned();
    let entry = plan.entries.into_iter().next().expect("a plan of one text has one entry");
    let search = entry.status.search();
    let rules = match (&asked, search) {
        (Some(asked), Some(search)) => trace(&options.rules, asked, &entry.status, search),
        _ => Vec::new(),
    };
    let suggestions = search.map(|search| search.suggestions.clone()).unwrap_or_default();
    let candidates = found;
    Ok(Explanation { entry, history, age, rules, candidates, suggestions, diagnostics, requests })
}

/// The messages of a run about the image. Expectations of other repositories do not apply.
fn judged(plan: &Plan, policy: &Policy) -> Vec<Diagnostic> {
    let mut policy = policy.clone();
    let own = plan.entries[0].name.repository();
    policy.expectations.retain(|expected| own == Some(&expected.repository));
    let mut diagnostics = policy::judge(plan, &[], &policy);
    diagnostics.extend(policy::judge_tags(plan, &[], &policy));
    diagnostics
}

/// Errors about the content of the image, if a policy asks for it.
fn inspect(
    plan: &Plan,
    options: &Options,
    session: &Session,
) -> Result<Vec<Diagnostic>, Interrupted> {
    let policy = &options.policy;
    if !policy.looks_inside() {
        return Ok(Vec::new());
    }
    let inspected = session.inspect(plan, policy, &options.rules)?;
    Ok(policy::unoffered(plan, &[], policy, &inspected))
}

/// The age of the digest in the lock, and the day on which a newer one will be used.
fn age(plan: &Plan, options: &Options) -> Option<String> {
    let locking = options.lock.as_ref()?;
    let (tagged, _) = plan.entries.first()?.supplier()?;
    let history = plan.histories.get(tagged)?;
    let seen = history.seen.map(|day| format!("it was first seen {}", ago(day, locking.today)));
    let days = |own: &Cooldown| own.days(&tagged.repository);
    let next = locking.cooldown.as_ref().map(days);
    let next = next.and_then(|days| waiting(history, days, locking.today));
    let next = next.map(|next| format!("a newer digest was {next}"));
    let said: Vec<_> = [seen, next].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}
