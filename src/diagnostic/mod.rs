//! Diagnostic: one thing that a person should know, where it is, and what to do about it.
//!
//! Every failure and every warning of a run is one of these. Stages collect them; nothing is
//! printed here (see `report/`), and nothing decides the exit status but [`Failure`].

mod rule;

use std::cmp::Ordering;

use crate::text::{Position, Span};

pub use rule::RuleId;

/// Why a run failed, from the one that a retry may heal to the one that needs most work. Where
/// several apply, the greatest gives the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// A registry could not say for now: rate limited, unreachable, timed out, invalid response.
    Unavailable,
    /// A registry refused: 401 or 403 with the credentials there are.
    Refused,
    /// An image is proved absent.
    Absent,
    /// A policy is not met; a person decides.
    Policy,
    /// The input is empty, is not YAML, or contains an invalid reference.
    Input,
    /// The call is wrong, or a file can't be read or written.
    Usage,
}

impl Failure {
    /// The exit status, as the README lists them.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Absent => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Unavailable => 4,
            Self::Policy => 5,
            Self::Refused => 6,
        }
    }
}

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Error(Failure),
    /// The run goes on with another image than was asked for, which is always said.
    Substitution,
    /// The run goes on.
    Warning,
}

/// The position of a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A span of the source with this index, and what stands there.
    Source {
        /// Index of the source in the run's input.
        source: usize,
        /// The text to underline.
        span: Span,
        /// The object and field, for the line above the excerpt; may be empty.
        label: String,
    },
    /// An image place.
    Place {
        /// Index among all places of the run.
        place: usize,
        /// Index of the source in the run's input.
        source: usize,
        /// The reference.
        span: Span,
        /// The object and field.
        label: String,
        /// False if the line must not be shown, since a secret may be on it.
        shown: bool,
    },
    /// A span of a source that is not shown, since a secret may be beside it.
    Hidden {
        /// Index of the source in the run's input.
        source: usize,
        /// The hidden text.
        span: Span,
        /// The object and field.
        label: String,
    },
    /// A position in a text that can't be shown, as it could not be read.
    Position(String, Position),
    /// A whole file.
    File(String),
}

impl Location {
    /// The source and span, if it points into a source.
    #[must_use]
    pub fn span(&self) -> Option<(usize, Span)> {
        match self {
            Self::Source { source, span, .. }
            | Self::Hidden { source, span, .. }
            | Self::Place { source, span, .. } => Some((*source, *span)),
            Self::Position(..) | Self::File(_) => None,
        }
    }

    /// The index of the image place, if it is one.
    #[must_use]
    pub fn place(&self) -> Option<usize> {
        match self {
            Self::Place { place, .. } => Some(*place),
            _ => None,
        }
    }
}

/// One failure or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its weight: it fails the run or not.
    pub severity: Severity,
    /// The rule, if it is not the one of its severity.
    pub rule: Option<RuleId>,
    /// The problem, with the culprit in backticks; lower case, no final period.
    pub message: String,
    /// Its locations, in the order of the input; empty if it is about none.
    pub locations: Vec<Location>,
    /// Notes: a name (`tried`, `note`) and a text each.
    pub notes: Vec<(&'static str, String)>,
    /// The next step for the user.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic that fails the run.
    #[must_use]
    pub fn error(failure: Failure, message: String) -> Self {
        Self::new(Severity::Error(failure), message)
    }

    /// A diagnostic that does not.
    #[must_use]
    pub fn warning(message: String) -> Self {
        Self::new(Severity::Warning, message)
    }

    /// A diagnostic about an image that was substituted.
    #[must_use]
    pub fn substitution(message: String) -> Self {
        Self::new(Severity::Substitution, message)
    }

    fn new(severity: Severity, message: String) -> Self {
        Self { severity, rule: None, message, locations: Vec::new(), notes: Vec::new(), help: None }
    }

    /// Names its rule.
    #[must_use]
    pub fn of(mut self, rule: RuleId) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Adds where it is.
    #[must_use]
    pub fn location(mut self, location: impl Into<Location>) -> Self {
        self.locations.push(location.into());
        self
    }

    /// Adds all the locations it is about.
    #[must_use]
    pub fn locations(mut self, locations: impl IntoIterator<Item = impl Into<Location>>) -> Self {
        self.locations.extend(locations.into_iter().map(Into::into));
        self
    }

    /// Adds what was tried or seen.
    #[must_use]
    pub fn note(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((name, text.into()));
        self
    }

    /// Sets what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        self.rule.unwrap_or_else(|| RuleId::of(self.severity))
    }

    /// True if it is about a policy or the lock, and not about what can't be done.
    #[must_use]
    pub fn is_policy(&self) -> bool {
        self.rule().is_policy()
    }

    /// The failure, unless this is a warning.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self.severity {
            Severity::Error(failure) => Some(failure),
            Severity::Substitution | Severity::Warning => None,
        }
    }
}

/// An error about the call or about a file.
#[must_use]
pub fn failed(message: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, message.to_owned())
}

/// An error about the call.
#[must_use]
pub fn usage(message: &str) -> Diagnostic {
    failed(message).help("`digestif --help` shows all flags")
}

/// The failure that decides the exit status; none if there are only warnings.
#[must_use]
pub fn verdict(diagnostics: &[Diagnostic]) -> Option<Failure> {
    diagnostics.iter().filter_map(Diagnostic::failure).max()
}

/// Sorts by position in the input; what is about no position in it comes first.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| match (position(a), position(b)) {
        (None, None) => Ordering::Equal,
        (a, b) => a.cmp(&b),
    });
}

fn position(diagnostic: &Diagnostic) -> Option<(usize, Span)> {
    diagnostic.locations.first()?.span()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_furthest_from_a_retry_decides() {
        let all = [
            Failure::Unavailable,
            Failure::Refused,
            Failure::Absent,
            Failure::Policy,
            Failure::Input,
            Failure::Usage,
        ];
        assert_eq!(all.map(Failure::status), [4, 6, 1, 5, 3, 2]);
        let diagnostics: Vec<_> =
            all.iter().map(|&f| Diagnostic::error(f, String::new())).collect();
        for n in 1..=all.len() {
            assert_eq!(verdict(&diagnostics[..n]), Some(all[n - 1]));
        }
        assert_eq!(verdict(&[Diagnostic::warning(String::new())]), None);
    }
}
