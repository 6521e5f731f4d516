//! The console: messages on stderr, and their copy in the log.
//!
//! Some hosts discard stderr: Helm 4 always, Helm 3 after a success. Therefore messages are also appended to a
//! log if stderr is not a terminal. If stderr is lost, a failure is also shown on the terminal of the host.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anstream::ColorChoice;
use anstream::adapter::strip_str;

use super::log::Log;
use super::stream;
use crate::diagnostic::{Diagnostic, Severity};
use crate::report::{self, Detail};
use crate::text::Source;
use crate::text::escape::{inert, redacted};

/// The most errors, and the most warnings, that a run prints. A hostile chart may cause hundreds of thousands.
/// All substitutions are printed.
const MOST: usize = 1000;

/// Prints messages and remembers them for the log.
#[derive(Debug, Default)]
pub struct Console {
    /// True if warnings are not printed.
    quiet: bool,
    /// The number of errors.
    errors: usize,
    /// The number of warnings.
    warnings: usize,
    /// True if stderr is the same stream as stdout, and manifests were written to it.
    is_merged: bool,
    printed: String,
    log: Option<Log>,
}

impl Console {
    /// A console. If it is quiet, it prints only errors and substitutions.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// Opens the log that the user names. This is done early, because a log that can't be written is an error.
    ///
    /// # Errors
    /// The log can't be written.
    pub fn open_log(&mut self, path: Option<&Path>) -> Result<(), Diagnostic> {
        self.log = path.map(Log::open).transpose()?;
        Ok(())
    }

    /// Prints diagnostics in full, each followed by an empty line.
    pub fn print_all(&mut self, diagnostics: &[Diagnostic], sources: &[Source]) {
        self.print_each(diagnostics, sources, Detail::Full);
    }

    /// Prints diagnostics with this detail.
    pub fn print_each(&mut self, diagnostics: &[Diagnostic], sources: &[Source], detail: Detail) {
        for diagnostic in diagnostics {
            if !self.counts(diagnostic.severity) {
                continue;
            }
            match detail {
                Detail::Full => self.print(&(report::diagnostic(diagnostic, sources) + "\n")),
                Detail::Short => self.print(&report::short(diagnostic, sources)),
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

    /// Prints nothing from now on, and keeps the messages for the log. It is used if a run succeeded and stderr is
    /// the same stream as stdout.
    pub fn merge(&mut self) {
        self.is_merged = true;
    }

    /// Ends a run: appends the messages to the log. The default log is used if the user named none and stderr is
    /// not a terminal, because many hosts discard stderr. A failure is shown on the terminal if stderr is lost.
    pub fn finish(mut self, status: u8, stderr_is_lost: bool) {
        let stderr_is_lost = stderr_is_lost || self.is_merged;
        let printed = inert(&strip_str(&self.printed).to_string()).into_owned();
        if let Some(log) = self.log.take() {
            if let Err(error) = log.add(&printed, status) {
                let warning = Diagnostic { severity: Severity::Warning, ..error };
                self.print(&report::diagnostic(&warning, &[]));
            }
        } else if !printed.is_empty() && (stderr_is_lost || !io::stderr().is_terminal()) {
            // Nobody requested the default log, so a failure to write it is ignored.
            let _ = Log::open_default()
                .and_then(|log| log.map_or(Ok(()), |log| log.add(&printed, status)));
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
    // If stderr is closed, there is no other stream for messages.
    let _ = stream::write_all(io::stderr(), inert(&text).as_bytes());
}

/// Shows a text on the terminal that this process was started from, unless stderr is that terminal. Without a
/// terminal it does nothing.
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
