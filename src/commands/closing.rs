//! Closing: the last line of a run that failed. It counts errors and warnings, says that nothing was
//! written, and names the next command.

use std::path::{Path, PathBuf};

use super::outcome::{Ending, Outcome};
use crate::cli::{Command, Invocation};
use crate::diagnostic::{Failure, RuleId, Severity};
use crate::report::counted;
use crate::text::path::slashed;

/// The longest list of paths that a command for the user repeats, in characters.
const LONGEST_PATHS: usize = 60;

/// The parts of a call that its last line depends on.
#[derive(Debug)]
pub(super) struct Closing {
    command: Command,
    quiet: bool,
    report: bool,
    paths: Vec<PathBuf>,
    lock: Option<PathBuf>,
}

impl Closing {
    /// The parts of this call.
    pub(super) fn new(invocation: &Invocation) -> Self {
        let flags = &invocation.flags;
        Self {
            command: invocation.command.clone(),
            quiet: flags.console.quiet,
            report: flags.reports.report.is_some(),
            paths: flags.input.paths().cloned().collect(),
            lock: flags.lock.lock.clone(),
        }
    }

    /// The parts of a call that could not begin, so that it writes no report.
    pub(super) fn of_refused(invocation: &Invocation) -> Self {
        Self { report: false, ..Self::new(invocation) }
    }

    /// The line; empty if the run succeeded or messages are not wanted.
    pub(super) fn line(&self, outcome: &Outcome) -> String {
        let said = match outcome.ending() {
            Ending::Success => return String::new(),
            Ending::Interrupted(interrupted) => format!("interrupted by {}", interrupted.name()),
            Ending::Failure(_) if self.quiet => return String::new(),
            Ending::Failure(_) => {
                let warnings = outcome.diagnostics().filter(|d| d.failure().is_none()).count();
                let errors = outcome.diagnostics().filter(|d| d.failure().is_some()).count();
                if errors == 0 {
                    // The explanation has the errors that `explain` found.
                    return String::new();
                }
                let errors = counted(errors, "error");
                match warnings {
                    0 => errors,
                    n => format!("{errors}, {}", counted(n, "warning")),
                }
            }
        };
        let written = self.written(outcome).map_or_else(String::new, |said| format!("; {said}"));
        let next = self.next(outcome).map_or_else(String::new, |next| format!(". Next: {next}"));
        format!("digestif: {said}{written}{next}\n")
    }

    /// Says what was written, if the command writes manifests.
    fn written(&self, outcome: &Outcome) -> Option<&'static str> {
        match self.command {
            _ if outcome.is_partly_written() => Some("only a part of the result was written"),
            Command::Pin | Command::Function if outcome.is_function => {
                Some("the list was given back without changes")
            }
            Command::Pin if self.report => Some("only the report was written"),
            Command::Pin | Command::Function => Some("nothing was written"),
            _ => None,
        }
    }

    /// The command that helps most.
    fn next(&self, outcome: &Outcome) -> Option<String> {
        let Ending::Failure(failure) = outcome.ending() else { return None };
        let errors = || outcome.diagnostics().filter(|d| matches!(d.severity, Severity::Error(_)));
        let has = |rule: RuleId| errors().any(|error| error.rule() == rule);
        match (&self.command, failure) {
            (Command::Suggest, Failure::Absent) => {
                Some("`digestif explain IMAGE` shows one image in detail".to_owned())
            }
            (Command::Explain(..), _) => None,
            (_, Failure::Refused) => Some("`docker login REGISTRY`, then run it again".to_owned()),
            (_, Failure::Unavailable) => Some("run it again; `-vv` shows each request".to_owned()),
            (_, Failure::Policy) if has(RuleId::RequireDigest) && !self.paths.is_empty() => {
                Some(self.command("digestif -i", "pins the files"))
            }
            (_, Failure::Policy) if has(RuleId::Locked) => {
                Some(self.command(&self.with_lock(""), "records the images"))
            }
            (_, Failure::Policy) if has(RuleId::Drift) => {
                Some(self.command(&self.with_lock(" --update"), "accepts what registries have now"))
            }
            _ if has(RuleId::Absent) => {
                Some(self.command("digestif suggest", "prints rules for the missing images"))
            }
            _ => None,
        }
    }

    fn with_lock(&self, flag: &str) -> String {
        let lock = self.lock.as_ref().filter(|lock| is_plain(lock));
        let lock = lock.map_or_else(|| "FILE".to_owned(), |lock| slashed(lock));
        format!("digestif --lock {lock}{flag}")
    }

    /// A command over the same input, and its effect.
    fn command(&self, command: &str, effect: &str) -> String {
        let paths: Vec<_> = self.paths.iter().map(|path| slashed(path)).collect();
        let shown = paths.join(" ");
        let is_short = shown.len() <= LONGEST_PATHS && self.paths.iter().all(|path| is_plain(path));
        match &*shown {
            "" | "-" => format!("`{command}` {effect}, with the same input"),
            _ if is_short => format!("`{command} {shown}` {effect}"),
            _ => format!("`{command} PATH…` {effect}"),
        }
    }
}

/// True if a path means itself in every shell.
fn is_plain(path: &Path) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    path.to_str().is_some_and(|path| !path.starts_with('-') && path.chars().all(is_plain))
}
