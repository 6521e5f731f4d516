//! Function: pinning for kustomize and kpt, which take a `ResourceList` and get it back with
//! `results`, on failure too.

use super::destinations::Destinations;
use super::finish::{begin, images, refuse_emit, summary};
use super::outcome::{Error, Outcome, Sources};
use super::reports::Reports;
use crate::io::delivery::{deliver, record};
use crate::krm::{self, Function};
use crate::settings::Settings;

/// A call as a function.
pub(super) struct Call<'c> {
    /// The input.
    pub(super) function: Function<'c>,
    /// The source of the input.
    pub(super) sources: &'c Sources,
    /// The settings, or the reason why there are none.
    pub(super) settings: Result<Settings, Error>,
    /// The destinations of the call.
    pub(super) destinations: &'c Destinations,
}

impl Call<'_> {
    /// Pins the items of the list and gives it back with results.
    ///
    /// # Errors
    /// The settings are wrong, the run was interrupted, or its result could not be delivered.
    pub(super) fn run(self, reports: &mut Reports, outcome: &mut Outcome) -> Result<(), Error> {
        let Self { function, sources, settings, destinations } = self;
        outcome.is_function = true;
        let source = &sources[0];
        let output = destinations.output.as_deref();
        let settings = settings.and_then(|settings| refuse_emit(settings.emit).map(|()| settings));
        let mut settings = match settings {
            Ok(settings) => settings,
            Err(error) => {
                let list = function.with_results(source, &krm::failures(&error.detached()));
                // If even that fails, the list is given back unchanged.
                deliver(output, &list.unwrap_or_else(|_| source.text().to_owned()))?;
                reports.write_failure(&error, outcome);
                return Err(error);
            }
        };
        krm::expect_no_network(&mut settings.options.network);
        let form = settings.options.pin;
        // The results are added with the pins, so that one proof covers both.
        let list = function.list();
        let read = (list.number, &list.document);
        let mut run = crate::run_document(source, read, &settings.options, |found, plan| {
            function.edit(&krm::results(found, plan, form, true))
        })?;
        krm::explain_no_network(&mut run.found.diagnostics);
        outcome.requests.clone_from(&run.requests);
        outcome.images = images(&settings, &run);
        // The results say more, and kpt prints them too; `-v` is for hosts that drop them.
        let said = run.found.diagnostics.clone();
        if settings.verbose {
            outcome.say(said, sources);
        } else {
            outcome.say_shortly(said, sources);
        }
        let written = reports.write(&run, sources, outcome).map_err(Error::from);
        let is_good = outcome.failure().is_none();
        let recorded = if is_good && written.is_ok() {
            begin(&run).and_then(|lock| Ok(record(lock)?))
        } else {
            Ok(())
        };
        let done = written.and(recorded);
        match run.texts.as_deref() {
            Some([list]) if is_good && done.is_ok() => {
                deliver(output, list)?;
                outcome.is_merged = destinations.mix_with_messages();
                outcome.summary = summary(&settings, &run);
            }
            _ => {
                let mut results = krm::results(&run.found, &run.plan, form, false);
                if let Err(error) = &done {
                    results.extend(krm::failures(error.diagnostics()));
                }
                deliver(output, &function.with_results(source, &results)?)?;
            }
        }
        done
    }
}
