//! Reports: written however a run ends, unless one could overwrite something.

use std::path::{Path, PathBuf};

use super::outcome::{Error, Messages};
use crate::Run;
use crate::cli::Flags;
use crate::diagnostic::Diagnostic;
use crate::io::atomic::{self, Destination, Unwritten};
use crate::io::delivery::deliver;
use crate::io::signals;
use crate::report::{self, Format};
use crate::settings::Task;
use crate::text::Source;

/// The reports of a run, and what they contain besides the run's own diagnostics.
#[derive(Debug)]
pub(super) struct Reports {
    /// `None` is stdout.
    to: Vec<Option<PathBuf>>,
    format: Format,
    /// Diagnostics that are not about the manifests.
    extra: Vec<Diagnostic>,
}

impl Reports {
    /// The reports that the flags name; a check also prints one.
    pub(super) fn new(flags: &Flags, task: Task) -> Self {
        let mut to: Vec<_> = flags.reports.report.iter().cloned().map(Some).collect();
        if task == Task::Check {
            to.push(flags.output.output.clone());
        }
        Self { to, format: flags.reports.report_format, extra: Vec::new() }
    }

    /// Adds diagnostics that are not about the manifests.
    pub(super) fn add(&mut self, messages: &Messages) {
        let detached = |said: &Diagnostic| report::detached(said, &messages.sources);
        self.extra.extend(messages.diagnostics.iter().map(detached));
    }

    /// Writes the reports of a run.
    ///
    /// # Errors
    /// One of them can't be written, or a signal came first.
    pub(super) fn write(&self, run: &Run<'_>, sources: &[Source]) -> Result<(), Unwritten> {
        self.write_to(self.to.iter().map(Option::as_deref), run, sources)
    }

    /// Writes the reports of a run that failed before it began.
    pub(super) fn write_failure(&mut self, error: &Error) {
        match error {
            Error::Failed(messages) => self.add(messages),
            Error::Interrupted(_) => {}
            Error::Clash(_) => return,
        }
        // The user has to fix the first error first, so that this one is not reported.
        let _ = self.write(&Run::default(), &[]);
    }

    /// Writes the reports once more after the end of a run failed. A stream can't be rewritten, so that
    /// only files are.
    pub(super) fn rewrite(&mut self, error: &Error, run: &Run<'_>, sources: &[Source]) {
        if let Error::Failed(messages) = error {
            self.add(messages);
        }
        let is_file = |path: &&Path| matches!(atomic::destination(path), Ok(Destination::File(_)));
        let files = self.to.iter().filter_map(Option::as_deref).filter(is_file).map(Some);
        // As above.
        let _ = self.write_to(files, run, sources);
    }

    fn write_to<'p>(
        &self,
        to: impl Iterator<Item = Option<&'p Path>>,
        run: &Run<'_>,
        sources: &[Source],
    ) -> Result<(), Unwritten> {
        let mut to = to.peekable();
        if to.peek().is_none() {
            return Ok(());
        }
        let text = report::text(self.format, run, sources, &self.extra);
        for path in to {
            deliver(path, &text)?;
            signals::heed();
        }
        Ok(())
    }
}
