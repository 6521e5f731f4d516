//! Reports: where they go, and that they go there however a run ends.

use std::cell::Cell;
use std::path::Path;

use crate::Run;
use crate::cli::{Flags, Task};
use crate::diagnostic::Diagnostic;
use crate::io::atomic::{self, Destination};
use crate::io::console::{Console, Done, Stop, deliver};
use crate::io::signals;
use crate::report::{self, Format};
use crate::text::Source;

/// The reports of a run.
#[derive(Debug)]
pub struct Reports<'f> {
    /// `None` is stdout.
    to: Vec<Option<&'f Path>>,
    format: Format,
    console: &'f Console,
    /// Whether none of them goes where something else is kept.
    is_safe: Cell<bool>,
}

impl<'f> Reports<'f> {
    /// Those that the flags name; a check prints one, too.
    #[must_use]
    pub fn new(flags: &'f Flags, task: Task, console: &'f Console) -> Self {
        let mut to: Vec<_> = flags.report.iter().map(|path| Some(&**path)).collect();
        if task == Task::Check {
            to.push(flags.output.as_deref());
        }
        Self { to, format: flags.report_format, console, is_safe: Cell::new(true) }
    }

    /// Takes note of whether a report could be written over something else; then none is.
    pub fn keep_safe(&self, is_safe: bool) {
        self.is_safe.set(is_safe);
    }

    /// Writes them.
    ///
    /// # Errors
    /// One of them can't be written, or a signal came first.
    pub fn write(&self, run: &Run<'_>, sources: &[Source]) -> Done {
        self.write_to(&self.to, run, sources)
    }

    fn write_to(&self, to: &[Option<&Path>], run: &Run<'_>, sources: &[Source]) -> Done {
        let text = report::text(self.format, run, sources, &self.console.besides());
        for path in to {
            deliver(*path, &text)?;
            signals::heed();
        }
        Ok(())
    }

    /// Writes what there is to say where there was nothing to run.
    ///
    /// # Errors
    /// As it was prepared.
    pub fn of<T>(&self, prepared: Result<T, Stop>) -> Result<T, Stop> {
        if let Err(stop) = &prepared {
            self.note(stop);
            if self.is_safe.get() {
                // That it can't be written either is not what the user has to mend first.
                let _ = self.write(&Run::default(), &[]);
            }
        }
        prepared
    }

    /// Writes them once more where the end of a run failed, after they were written. What has gone
    /// into a stream can't be taken back, so that only files get it.
    ///
    /// # Errors
    /// As it is done.
    pub fn after<T>(
        &self,
        done: Result<T, Stop>,
        run: &Run<'_>,
        sources: &[Source],
    ) -> Result<T, Stop> {
        if let Err(stop) = &done {
            self.note(stop);
            let is_file =
                |path: &Path| matches!(atomic::destination(path), Ok(Destination::File(_)));
            let files: Vec<_> =
                self.to.iter().copied().filter(|to| to.is_some_and(is_file)).collect();
            // As above.
            let _ = self.write_to(&files, run, sources);
        }
        done
    }

    /// What is still to be said belongs into them as well.
    fn note(&self, stop: &Stop) {
        if let Stop::Failed(diagnostic) = stop {
            self.console.remember(std::slice::from_ref::<Diagnostic>(diagnostic), &[]);
        }
    }
}
