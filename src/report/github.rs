//! The report for GitHub Actions: workflow commands, which annotate the lines of a pull request.
//!
//! The runner reads each line that begins with `::` as a command (GitHub's documentation, 'Workflow commands
//! for GitHub Actions'), so that nothing of the input may begin a line.

use std::fmt::Write as _;

use super::finding::{Finding, FindingLocation, counts, verdict};
use crate::Run;
use crate::text::escape::{redacted, without_mark};

/// Places of one finding that are annotated. GitHub shows ten errors and ten warnings of a step.
const SHOWN_PLACES: usize = 10;

/// The report of a run, as workflow commands.
pub(super) fn report(run: &Run<'_>, findings: &[Finding<'_>]) -> String {
    let mut text = String::new();
    for finding in findings {
        for location in finding.locations.iter().take(SHOWN_PLACES) {
            command(&mut text, finding, &properties(location));
        }
        if finding.locations.is_empty() {
            command(&mut text, finding, "");
        }
    }
    writeln!(text, "check {}{}", verdict(findings), counts(run, findings))
        .expect("a string takes all");
    without_mark(&redacted(&text), "\\u{23}")
}

/// A command with a finding's message, its notes and its help.
fn command(text: &mut String, finding: &Finding<'_>, properties: &str) {
    let title = property(&format!("digestif: {}", finding.said.rule().id()));
    let message = data(&finding.lines().collect::<Vec<_>>().join("\n"));
    writeln!(text, "::{} {properties}title={title}::{message}", finding.level())
        .expect("a string takes all");
}

/// The properties that say where a location is; stdin is no file of the repository.
fn properties(location: &FindingLocation<'_>) -> String {
    if location.file == "-" {
        return String::new();
    }
    let mut text = format!("file={},", property(&location.file));
    if let Some(start) = location.start {
        write!(text, "line={},col={},", start.line, start.column).expect("a string takes all");
    }
    if let (Some(start), Some(end)) = (location.start, location.end) {
        write!(text, "endLine={},", end.line).expect("a string takes all");
        // GitHub refuses a column that ends on another line.
        if start.line == end.line {
            write!(text, "endColumn={},", end.column).expect("a string takes all");
        }
    }
    text
}

/// A message, without what would end its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, without what would end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_message_or_a_property() {
        assert_eq!(data("a%\r\n::error::b"), "a%25%0D%0A::error::b");
        assert_eq!(property("a,b:c\n"), "a%2Cb%3Ac%0A");
    }
}
