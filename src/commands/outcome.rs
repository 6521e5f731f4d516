//! Outcome: everything that a command has to say, and how it ends. `main` prints it.

use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Failure, verdict};
use crate::io::atomic::Unwritten;
use crate::io::delivery::show;
use crate::io::signals::Interrupted;
use crate::report::{Detail, detached};
use crate::text::Source;

/// The sources that diagnostics point into.
pub(crate) type Sources = Rc<[Source]>;

/// Diagnostics together with the sources that they point into.
#[derive(Debug, Clone)]
pub struct Messages {
    /// The diagnostics, in the order in which they are printed.
    pub diagnostics: Vec<Diagnostic>,
    /// Their sources; empty if none points into one.
    pub sources: Sources,
    /// How much of them is printed.
    pub detail: Detail,
}

/// The reason why a command ended early.
#[derive(Debug)]
pub enum Error {
    /// For these reasons.
    Failed(Messages),
    /// For this reason, which forbids to write a report: the report could overwrite something.
    Clash(Box<Diagnostic>),
    /// For this reason, after a part of the result was written.
    Partly(Box<Diagnostic>),
    /// By a signal.
    Interrupted(Interrupted),
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    Failure(Failure),
    Interrupted(Interrupted),
}

impl Error {
    /// Diagnostics that fail a run, with the sources that they point into.
    pub fn new(diagnostics: Vec<Diagnostic>, sources: Sources) -> Self {
        Self::Failed(Messages { diagnostics, sources, detail: Detail::Full })
    }

    /// The diagnostics, with positions instead of spans of their sources.
    #[must_use]
    pub(super) fn detached(&self) -> Vec<Diagnostic> {
        match self {
            Self::Failed(Messages { diagnostics, sources, .. }) => {
                diagnostics.iter().map(|said| detached(said, sources)).collect()
            }
            _ => self.diagnostics().to_vec(),
        }
    }

    /// The diagnostics; empty after a signal.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Failed(messages) => &messages.diagnostics,
            Self::Clash(diagnostic) | Self::Partly(diagnostic) => std::slice::from_ref(diagnostic),
            Self::Interrupted(_) => &[],
        }
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::from(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Error {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::new(diagnostics, Rc::new([]))
    }
}

impl From<Interrupted> for Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

impl From<Unwritten> for Error {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Interrupted(interrupted) => interrupted.into(),
            Unwritten::Failed(diagnostic) => (*diagnostic).into(),
            Unwritten::Partly(diagnostic) => Self::Partly(diagnostic),
        }
    }
}

/// Everything that a command has to say, and how it ends.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Outcome {
    /// The messages to print, in order.
    pub messages: Vec<Messages>,
    /// A line for each request, with `-vv`.
    pub requests: String,
    /// The sources of the settings, as stderr shows them.
    pub origins: String,
    /// A line for each image, with `-v`.
    pub images: String,
    /// The report of a check as text. It follows the messages, on stdout.
    pub(crate) report: String,
    /// The last lines of a run that succeeded.
    pub summary: String,
    /// The last line of a run that failed.
    pub closing: String,
    /// The failure or signal that ended the command early.
    failure: Option<Failure>,
    interrupted: Option<Interrupted>,
    partly_written: bool,
    /// True if the input is the list of a function, which is given back on a failure too.
    pub(super) is_function: bool,
    /// True if the host discards stderr.
    pub stderr_is_lost: bool,
    /// True if manifests were written to where stderr leads as well.
    pub is_merged: bool,
}

impl Outcome {
    /// Adds diagnostics, which decide the exit status if there are errors among them.
    pub(super) fn say(&mut self, diagnostics: Vec<Diagnostic>, sources: &Sources) {
        self.note_failure(verdict(&diagnostics));
        self.print(diagnostics, sources, Detail::Full);
    }

    /// The same for diagnostics that stand in full elsewhere.
    pub(super) fn say_shortly(&mut self, diagnostics: Vec<Diagnostic>, sources: &Sources) {
        self.note_failure(verdict(&diagnostics));
        self.print(diagnostics, sources, Detail::Short);
    }

    fn print(&mut self, diagnostics: Vec<Diagnostic>, sources: &Sources, detail: Detail) {
        self.messages.push(Messages { diagnostics, sources: sources.clone(), detail });
    }

    /// Adds the reason why the command ended.
    pub(super) fn fail(&mut self, error: Error) {
        match error {
            Error::Failed(Messages { diagnostics, sources, .. }) => {
                let failure = verdict(&diagnostics).unwrap_or(Failure::Usage);
                self.say(diagnostics, &sources);
                self.note_failure(Some(failure));
            }
            Error::Clash(diagnostic) => self.say(vec![*diagnostic], &Rc::from([])),
            Error::Partly(diagnostic) => {
                self.partly_written = true;
                self.say(vec![*diagnostic], &Rc::from([]));
            }
            Error::Interrupted(interrupted) => self.interrupted = Some(interrupted),
        }
    }

    /// Lets a failure decide the exit status, unless a greater one does.
    pub(super) fn note_failure(&mut self, failure: Option<Failure>) {
        self.failure = self.failure.max(failure);
    }

    /// Prints the report of a check as text, if there is one. If that fails, the run does.
    ///
    /// # Errors
    /// It can't be written.
    pub fn print_report(&mut self) -> Result<(), Diagnostic> {
        if self.report.is_empty() {
            return Ok(());
        }
        match show(None, &self.report) {
            Err(Unwritten::Failed(error) | Unwritten::Partly(error)) => {
                self.note_failure(error.failure());
                Err(*error)
            }
            Err(Unwritten::Interrupted(interrupted)) => {
                self.interrupted = Some(interrupted);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// All messages.
    pub(super) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.messages.iter().flat_map(|messages| &messages.diagnostics)
    }

    /// True if a stream got a part of the result, and no more.
    pub(super) fn is_partly_written(&self) -> bool {
        self.partly_written
    }

    /// The end of the run.
    pub(super) fn ending(&self) -> Ending {
        match (self.interrupted, self.failure) {
            (Some(interrupted), _) => Ending::Interrupted(interrupted),
            (None, Some(failure)) => Ending::Failure(failure),
            (None, None) => Ending::Success,
        }
    }

    /// The failure so far.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// The exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self.ending() {
            Ending::Interrupted(interrupted) => interrupted.status(),
            Ending::Failure(failure) => failure.status(),
            Ending::Success => 0,
        }
    }
}
