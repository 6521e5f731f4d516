//! The end of a run that pins: the lock that it writes, and what `-v` and the summary say.

use std::path::Path;

use super::outcome::Error;
use crate::Run;
use crate::cli::Emit;
use crate::diagnostic::usage;
use crate::lock::{self, Record, Recording, Updated};
use crate::report;
use crate::settings::Settings;
use crate::text::escape::escaped;
use crate::text::path::shown;

/// Takes the file lock, if the run records something, and computes the new text of the lock.
pub(super) fn begin(run: &Run<'_>) -> Result<Option<Recording>, Error> {
    Ok(run.record.as_ref().map(Record::begin).transpose()?)
}

/// The last line of a successful run.
pub(super) fn summary(settings: &Settings, run: &Run<'_>) -> String {
    if settings.quiet {
        return String::new();
    }
    let summary = report::summary(&run.plan, run.found.objects);
    let recorded = run.record.as_ref().map_or_else(String::new, |record| {
        format!("; {} recorded in {}", record.count(), record.file())
    });
    format!("digestif: {summary}{recorded}\n")
}

/// The last line of a run whose result is only shown.
pub(super) fn previewed(settings: &Settings, run: &Run<'_>) -> String {
    if settings.quiet {
        return String::new();
    }
    let summary = report::summary(&run.plan, run.found.objects);
    format!("digestif: would have {summary}; nothing was written\n")
}

/// A line for each file that was rewritten.
pub(super) fn rewritten<'p>(settings: &Settings, files: impl Iterator<Item = &'p Path>) -> String {
    if settings.quiet {
        return String::new();
    }
    let line = |file: &Path| format!("digestif: rewrote {}\n", shown(file));
    files.map(line).collect()
}

/// A line for each image that has another digest than before, in the input or in the lock.
pub(super) fn updated(settings: &Settings, run: &Run<'_>) -> String {
    if settings.quiet {
        return String::new();
    }
    let lock = settings.options.lock.as_ref().map(|locking| &locking.lock);
    let line = |change: Updated<'_>| {
        let Updated { entry, old, new } = change;
        format!("digestif: {} {old} -> {new}\n", escaped(&entry.name.to_string()))
    };
    lock::updated(&run.plan, &run.found.places, lock).into_iter().map(line).collect()
}

/// A line for each image with its result, with `-v`.
pub(super) fn images(settings: &Settings, run: &Run<'_>) -> String {
    if settings.verbose { report::images(&run.plan) } else { String::new() }
}

/// Refuses flags that a function can't obey.
pub(super) fn refuse_emit(emit: Emit) -> Result<(), Error> {
    if emit == Emit::Manifests {
        return Ok(());
    }
    let message = "a function returns its list, so `--emit` has no effect";
    Err(usage(message).into())
}
