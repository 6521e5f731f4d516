//! The report as text: a line for each finding, and the count at the end. Messages on stderr say more.

use std::fmt::Write as _;

use super::finding::{Finding, counts, verdict};
use crate::Run;
use crate::text::escape::{inert, redacted};

/// The report of a run, as text.
pub(super) fn report(run: &Run<'_>, findings: &[Finding<'_>]) -> String {
    let mut text = String::new();
    for finding in findings {
        let said = finding.said;
        let place = finding.locations.first().map_or_else(String::new, |location| {
            let more = finding.locations.len() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            format!("{}{more}: ", location.position())
        });
        writeln!(text, "{place}{}[{}]: {}", finding.level(), said.rule().id(), said.message)
            .expect("a string takes all");
    }
    if !findings.is_empty() {
        text.push('\n');
    }
    text.push_str(&result(run, findings));
    inert(&redacted(&text)).into_owned()
}

/// The last line of the report: the verdict and the counts.
pub(super) fn result(run: &Run<'_>, findings: &[Finding<'_>]) -> String {
    format!("check {}{}\n", verdict(findings), counts(run, findings))
}
