//! Pin and check: a run over the input, its reports, and the delivery of what it found.

use super::base;
use super::caller::Caller;
use super::destinations::Destinations;
use super::finish::{begin, images, previewed, rewritten, summary, updated};
use super::function;
use super::outcome::{Error, Outcome, Sources};
use super::prepare::{Input, Prepared, prepare};
use super::reports::Reports;
use crate::Run;
use crate::cli::{Emit, Flags};
use crate::diagnostic::Diagnostic;
use crate::io::atomic::{self, Rewrite};
use crate::io::delivery::{self, deliver_with, replace, show};
use crate::lock::Recording;
use crate::report::comments::with_substitutions;
use crate::report::diff::diff;
use crate::report::kustomize_images;
use crate::settings::{Settings, Task};

/// The output for Helm 4 if a chart has no manifests: it refuses empty output.
const NO_MANIFESTS: &str = "# digestif: there are no manifests\n";

/// Pins or checks the images of the input.
///
/// # Errors
/// The run could not begin, was interrupted, or its result could not be delivered.
pub(super) fn run(
    flags: Flags,
    destinations: &Destinations,
    task: Task,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let mut reports = Reports::new(&flags, task);
    let mut failed = |error: &Error| reports.write_failure(error, outcome);
    let base = flags.base.only_changed.clone();
    let (sources, input) = Input::read(&flags).inspect_err(&mut failed)?;
    let prepared = prepare(flags, destinations, task, &sources, input).inspect_err(failed)?;
    reports.add(&prepared.notes);
    outcome.origins.clone_from(&prepared.said);
    outcome.say(prepared.notes.diagnostics.clone(), &prepared.notes.sources);
    let Prepared { caller, function, settings, .. } = prepared;
    if let Some(function) = function
        && task != Task::Check
        && !destinations.previews
    {
        let call = function::Call { function, sources: &sources, settings, destinations };
        return call.run(&mut reports, outcome);
    }
    let mut settings = settings.inspect_err(|error| reports.write_failure(error, outcome))?;
    if let Some(base) = base {
        let images = base::images(&base, &sources, &settings.options);
        settings.options.unchanged =
            images.inspect_err(|error| reports.write_failure(error, outcome))?;
    }
    let run = crate::run(&sources, &settings.options)?;
    outcome.stderr_is_lost |= caller.or_seen_in(&run.found) == Caller::Helm4;
    outcome.requests.clone_from(&run.requests);
    outcome.images = images(&settings, &run);
    outcome.say(run.found.diagnostics.clone(), &sources);
    reports.write(&run, &sources, outcome)?;
    if outcome.failure().is_some() || task == Task::Check {
        return Ok(());
    }
    let delivery = Delivery { settings: &settings, sources: &sources, destinations };
    let given = delivery.give(&run, caller, outcome);
    given.inspect_err(|error| reports.rewrite(error, &run, &sources))
}

/// The destination of the result of a run.
struct Delivery<'r> {
    settings: &'r Settings,
    sources: &'r Sources,
    destinations: &'r Destinations,
}

impl Delivery<'_> {
    /// Delivers the result of a run that did not fail.
    fn give(&self, run: &Run<'_>, caller: Caller, outcome: &mut Outcome) -> Result<(), Error> {
        let output = self.destinations.output.as_deref();
        if self.destinations.previews {
            let texts = run.texts.as_deref().unwrap_or_default();
            show(None, &diff(self.sources, texts, delivery::reader()))?;
            outcome.summary = updated(self.settings, run) + &previewed(self.settings, run);
            return Ok(());
        }
        if self.settings.emit == Emit::KustomizeImages {
            let form = self.settings.options.pin;
            let (list, warnings) = kustomize_images::kustomize_images(run, self.sources, form)
                .map_err(|refused| Error::new(refused, self.sources.clone()))?;
            outcome.say(warnings, self.sources);
            deliver_with(output, &list, begin(run)?)?;
        } else {
            let texts = run.texts.as_deref().unwrap_or_default();
            if caller == Caller::Helm4 && texts.iter().all(|text| text.trim().is_empty()) {
                return Ok(deliver_with(output, NO_MANIFESTS, begin(run)?)?);
            }
            self.write(texts, &run.found.diagnostics, begin(run)?, outcome)?;
        }
        outcome.summary += &updated(self.settings, run);
        outcome.summary += &summary(self.settings, run);
        Ok(())
    }

    /// Writes the new texts over their files, or as one stream. If messages would stand in that stream,
    /// it gets the substitutions as comments.
    fn write(
        &self,
        texts: &[impl AsRef<str>],
        said: &[Diagnostic],
        lock: Option<Recording>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let texts = texts.iter().map(AsRef::as_ref);
        if !self.settings.in_place {
            let output = self.destinations.output.as_deref();
            let mut text = atomic::joined(texts);
            if self.destinations.mix_with_messages() {
                outcome.is_merged = true;
                text = with_substitutions(text, said);
            }
            return Ok(deliver_with(output, &text, lock)?);
        }
        let changed = self.sources.iter().zip(texts).filter(|(source, new)| source.text() != *new);
        let rewrites = changed.filter_map(|(source, new)| {
            Some(Rewrite { path: source.origin().path()?, old: Some(source.text()), new })
        });
        let rewrites: Vec<_> = rewrites.collect();
        // The lock comes last: after a failure, only what was written before has to be restored.
        let lock = lock.as_ref().and_then(Recording::rewrite);
        replace(&rewrites.iter().copied().chain(lock).collect::<Vec<_>>())?;
        outcome.summary = rewritten(self.settings, rewrites.iter().map(|rewrite| rewrite.path));
        Ok(())
    }
}
