//! Function: pinning for kustomize and kpt, which take a `ResourceList` and get it back with
//! `results`, on failure too.

use super::destinations::Destinations;
use super::finish::{begin, refuse_emit, summary};
use super::outcome::{Error, Outcome};
use super::prepare::Prepared;
use super::reports::Reports;
use crate::Run;
use crate::io::delivery::{deliver, record};
use crate::krm;
use crate::settings::Settings;
use crate::text::Source;

/// Pins the items of a list and gives it back with results.
///
/// # Errors
/// The settings are wrong, the run was interrupted, or its result could not be delivered.
pub(super) fn run(
    prepared: Prepared,
    destinations: &Destinations,
    reports: &mut Reports,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let Prepared { sources, settings, .. } = prepared;
    let source = &sources[0];
    let output = destinations.output.as_deref();
    let settings = settings.and_then(|settings| refuse_emit(settings.emit).map(|()| settings));
    let mut settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            let list = krm::with_results(source.text(), &krm::failures(error.diagnostics()));
            // If even the list can't be read, it is given back unchanged.
            deliver(output, &list.unwrap_or_else(|_| source.text().to_owned()))?;
            reports.write_failure(&error);
            return Err(error);
        }
    };
    krm::expect_no_network(&mut settings.options.network);
    let mut run = crate::run(&sources, &settings.options)?;
    krm::explain_no_network(&mut run.found.diagnostics);
    outcome.say(run.found.diagnostics.clone(), &sources);
    let written = reports.write(&run, &sources).map_err(Error::from);
    let is_good = outcome.failure().is_none();
    let recorded = if is_good && written.is_ok() {
        begin(&run).and_then(|lock| Ok(record(lock)?))
    } else {
        Ok(())
    };
    let done = written.and(recorded);
    let list = with_results(&run, &settings, source, is_good, &done)?;
    deliver(output, &list)?;
    if is_good && done.is_ok() {
        outcome.summary = summary(&settings, &run);
    }
    done
}

/// The list with the results of a run. Pins are given out only if everything was written.
fn with_results(
    run: &Run<'_>,
    settings: &Settings,
    source: &Source,
    is_good: bool,
    done: &Result<(), Error>,
) -> Result<String, Error> {
    let given = run.texts.as_deref().filter(|_| is_good && done.is_ok());
    let mut results = krm::results(run, settings.options.pin, given.is_some());
    if let Err(error) = done {
        results.extend(krm::failures(error.diagnostics()));
    }
    let text = given.and_then(|texts| texts.first()).map_or(source.text(), AsRef::as_ref);
    Ok(krm::with_results(text, &results)?)
}
