//! Reports: written however a run ends, unless one could overwrite something.

use std::path::{Path, PathBuf};

use super::outcome::{Error, Messages, Outcome};
use crate::Run;
use crate::cli::Flags;
use crate::diagnostic::Diagnostic;
use crate::io::atomic::{self, Destination, Unwritten};
use crate::io::delivery::{deliver, output_is_terminal, show};
use crate::io::signals;
use crate::report::{self, Format};
use crate::settings::Task;
use crate::text::Source;

/// The reports of a run, and what they contain besides the run's own diagnostics.
#[derive(Debug)]
pub(super) struct Reports {
    /// The file of `--report`, with its format.
    file: Option<(PathBuf, Format)>,
    /// The format of the report that a check prints.
    printed: Option<Format>,
    /// The file that gets what a check prints; none is stdout.
    output: Option<PathBuf>,
    /// Diagnostics that are not about the manifests.
    extra: Vec<Diagnostic>,
}

impl Reports {
    /// The reports that the flags name; a check also prints one.
    pub(super) fn new(flags: &Flags, task: Task) -> Self {
        let format = flags.reports.report_format;
        let file = flags.reports.report.clone();
        Self {
            file: file.map(|file| (file, format.unwrap_or(Format::Json))),
            printed: (task == Task::Check).then(|| format.unwrap_or(Format::Text)),
            output: flags.output.output.clone(),
            extra: Vec::new(),
        }
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
    pub(super) fn write(
        &self,
        run: &Run<'_>,
        sources: &[Source],
        outcome: &mut Outcome,
    ) -> Result<(), Unwritten> {
        self.write_file(run, sources)?;
        let Some(format) = self.printed else { return Ok(()) };
        if self.output.is_none() && format == Format::Text {
            // A person reads the messages first, and needs no line for each of them again.
            outcome.report = if output_is_terminal() {
                report::result(run, sources, &self.extra)
            } else {
                report::text(format, run, sources, &self.extra)
            };
            return Ok(());
        }
        let text = report::text(format, run, sources, &self.extra);
        show(self.output.as_deref(), &text)?;
        signals::heed();
        Ok(())
    }

    /// Writes the reports of a run that failed before it began.
    pub(super) fn write_failure(&mut self, error: &Error, outcome: &mut Outcome) {
        match error {
            Error::Failed(messages) => self.add(messages),
            Error::Interrupted(_) => {}
            Error::Clash(_) | Error::Partly(_) => return,
        }
        // The user has to fix the first error first, so that this one is not reported.
        let _ = self.write(&Run::default(), &[], outcome);
    }

    /// Writes the file once more after the end of a run failed. A stream can't be rewritten.
    pub(super) fn rewrite(&mut self, error: &Error, run: &Run<'_>, sources: &[Source]) {
        match error {
            Error::Failed(messages) => self.add(messages),
            Error::Clash(said) | Error::Partly(said) => self.extra.push((**said).clone()),
            Error::Interrupted(_) => {}
        }
        let is_file = |path: &Path| matches!(atomic::destination(path), Ok(Destination::File(_)));
        if self.file.as_ref().is_some_and(|(file, _)| is_file(file)) {
            // As above.
            let _ = self.write_file(run, sources);
        }
    }

    fn write_file(&self, run: &Run<'_>, sources: &[Source]) -> Result<(), Unwritten> {
        let Some((file, format)) = &self.file else { return Ok(()) };
        deliver(Some(file), &report::text(*format, run, sources, &self.extra))?;
        signals::heed();
        Ok(())
    }
}
