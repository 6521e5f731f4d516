//! The end of a run that pins: the lock that it writes and the summary that it prints.

use super::outcome::Error;
use crate::Run;
use crate::cli::Emit;
use crate::diagnostic::usage;
use crate::lock::{Record, Recording};
use crate::report;
use crate::settings::Settings;

/// Takes the file lock, if the run records something, and computes the new text of the lock.
pub(super) fn begin(run: &Run<'_>) -> Result<Option<Recording>, Error> {
    Ok(run.record.as_ref().map(Record::begin).transpose()?)
}

/// The last line of a successful run, after a line for each image with `-v`.
pub(super) fn summary(settings: &Settings, run: &Run<'_>) -> String {
    if settings.quiet {
        return String::new();
    }
    let pins = if settings.verbose { report::pins(&run.plan) } else { String::new() };
    let summary = report::summary(&run.plan, run.found.objects);
    let recorded = run.record.as_ref().map_or_else(String::new, |record| {
        format!("; {} recorded in {}", record.count(), record.file())
    });
    format!("{pins}digestif: {summary}{recorded}\n")
}

/// Refuses flags that a function can't obey.
pub(super) fn refuse_emit(emit: Emit) -> Result<(), Error> {
    if emit == Emit::Manifests {
        return Ok(());
    }
    let message = "a function gives its list back, so that `--emit` has no effect";
    Err(usage(message).into())
}
