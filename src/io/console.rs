//! The console: messages on stderr, and their copy in the log.
//!
//! Some hosts discard stderr (Helm 4 always does), so that messages are also kept in a log, and a
//! failure is shown on the terminal that the host was started from.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anstream::ColorChoice;
use anstream::adapter::strip_str;

use super::log::Log;
use super::stream;
use crate::diagnostic::{Diagnostic, Severity};
use crate::report;
use crate::text::Source;
use crate::text::escape::{inert, redacted};

/// Errors that a run prints, and warnings. Nobody reads more, and a chart of a stranger may cause
/// hundreds of thousands. Substitutions are all printed.
const MOST: usize = 1000;

/// Prints messages and remembers them for the log.
#[derive(Debug, Default)]
pub struct Console {
    /// True if warnings are left out.
    quiet: bool,
    /// How many errors there were, and how many warnings.
    errors: usize,
    warnings: usize,
    /// True if stderr leads to where manifests were written.
    is_merged: bool,
    printed: String,
    log: Option<Log>,
}

impl Console {
    /// A console that prints errors and substitutions only, if it is quiet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// Opens the log that the user names, so that one that can't be written is known early.
    ///
    /// # Errors
    /// It can't be written.
    pub fn open_log(&mut self, path: Option<&Path>) -> Result<(), Diagnostic> {
        self.log = path.map(Log::open).transpose()?;
        Ok(())
    }

    /// Prints diagnostics, each followed by an empty line.
    pub fn print_all(&mut self, diagnostics: &[Diagnostic], sources: &[Source]) {
        for diagnostic in diagnostics {
            if self.counts(diagnostic.severity) {
                self.print(&report::diagnostic(diagnostic, sources));
                self.print("\n");
            }
        }
    }

    /// Counts a message; false if it is not printed.
    fn counts(&mut self, severity: Severity) -> bool {
        let count = match severity {
            Severity::Error(_) => &mut self.errors,
            Severity::Warning if self.quiet => return false,
            Severity::Warning => &mut self.warnings,
            Severity::Substitution => return true,
        };
        *count += 1;
        *count <= MOST
    }

    /// Prints how many messages were left out.
    pub fn print_left_out(&mut self) {
        for (count, what) in [(self.errors, "errors"), (self.warnings, "warnings")] {
            if count > MOST {
                let n = count - MOST;
                self.print(&format!("and {n} more {what}; `--report FILE` writes all of them\n\n"));
            }
        }
    }

    /// Prints a text on stderr.
    pub fn print(&mut self, text: &str) {
        let text = &*redacted(text);
        self.printed.push_str(text);
        if !self.is_merged {
            show(text);
        }
    }

    /// Prints nothing from now on, and keeps everything for the log: stderr leads to where the manifests
    /// are, and nothing failed.
    pub fn merge(&mut self) {
        self.is_merged = true;
    }

    /// Ends a run: writes the messages to the log, which is the default one if the host discards stderr and
    /// the user named none. A failure is then shown on the terminal too.
    pub fn finish(mut self, status: u8, stderr_is_lost: bool) {
        let stderr_is_lost = stderr_is_lost || self.is_merged;
        let printed = inert(&strip_str(&self.printed).to_string()).into_owned();
        let log = match self.log.take() {
            None if stderr_is_lost && !printed.is_empty() => Log::open_default(),
            log => Ok(log),
        };
        let kept = log.and_then(|log| log.map_or(Ok(()), |log| log.add(&printed, status)));
        if let Err(error) = kept {
            let warning = Diagnostic { severity: Severity::Warning, ..error };
            self.print(&report::diagnostic(&warning, &[]));
        }
        if stderr_is_lost && status != 0 {
            show_on_terminal(&printed);
        }
    }
}

/// Writes a text to stderr, without colours if it is no terminal.
fn show(text: &str) {
    let is_plain = anstream::stderr().current_choice() == ColorChoice::Never;
    let text = if is_plain { Cow::Owned(strip_str(text).to_string()) } else { Cow::Borrowed(text) };
    // If stderr is closed, no one can be told.
    let _ = stream::write_all(io::stderr(), inert(&text).as_bytes());
}

/// Shows a text on the terminal that this process was started from, unless stderr leads there or
/// there is none.
fn show_on_terminal(text: &str) {
    const TERMINAL: &str = if cfg!(windows) { "CONOUT$" } else { "/dev/tty" };
    if io::stderr().is_terminal() {
        return;
    }
    if let Ok(mut terminal) = OpenOptions::new().write(true).open(TERMINAL) {
        // A best effort: the log has the text too.
        let _ = terminal.write_all(text.as_bytes());
    }
}
