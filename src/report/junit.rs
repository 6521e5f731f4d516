//! The report for test reports in CI: XML of `JUnit`, a test case for each image.
//!
//! There is no specification; this is the part that Jenkins, GitLab and Azure read alike: `testsuite`
//! with counts, `testcase` with `failure`, `skipped` or `system-out`.

use std::fmt::Write as _;

use super::finding::{Finding, counts};
use crate::Run;
use crate::plan::{Entry, Status};
use crate::text::Source;
use crate::text::escape::{escaped_lines, inert, redacted};

/// One test case.
struct Case {
    name: String,
    file: String,
    failures: Vec<String>,
    skipped: Option<String>,
    said: String,
}

/// The report of a run, as XML.
pub(super) fn report(run: &Run<'_>, sources: &[Source], findings: &[Finding<'_>]) -> String {
    let images = run.plan.entries.iter().filter(|entry| entry.status != Status::Candidate);
    let mut cases: Vec<_> = images.map(|entry| case(entry, run, sources, findings)).collect();
    let others = findings.iter().filter(|finding| finding.image.is_none());
    cases.extend(others.map(|finding| {
        let file = finding.locations.first().map_or("-", |location| &location.file);
        let name = format!("{}: {}", finding.said.rule().id(), finding.said.message);
        Case::new(name, file.to_owned(), [finding].into_iter())
    }));
    let failures = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let skipped = cases.iter().filter(|case| case.skipped.is_some()).count();
    let tests = cases.len();
    let cases: String = cases.iter().map(Case::xml).collect();
    let said = counts(run, findings);
    let said = attribute(said.trim_start_matches([',', ':', ' ']));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"digestif\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n    \
         <properties><property name=\"summary\" value=\"{said}\"/></properties>\n{cases}  \
         </testsuite>\n</testsuites>\n"
    )
}

/// The case of an image: it fails for the errors about it, and is skipped if it is left alone.
fn case(entry: &Entry, run: &Run<'_>, sources: &[Source], findings: &[Finding<'_>]) -> Case {
    let about = findings.iter().filter(|finding| finding.image == Some(&entry.name));
    let place = entry.places.first().map(|&n| &run.found.places[n]);
    let file = place.map(|place| sources[place.source].origin().report_name());
    let mut case = Case::new(entry.name.to_string(), file.unwrap_or_default(), about);
    if case.failures.is_empty() {
        case.skipped = entry.status.skip().map(|skip| format!("left alone: {skip}"));
    }
    case
}

impl Case {
    fn new<'f, 'r: 'f>(
        name: String,
        file: String,
        findings: impl Iterator<Item = &'f Finding<'r>>,
    ) -> Self {
        let mut case =
            Self { name, file, failures: Vec::new(), skipped: None, said: String::new() };
        for finding in findings {
            let rule = finding.said.rule().id();
            let places = finding.locations.iter().map(|place| {
                let gap = if place.label.is_empty() { "" } else { "  " };
                format!("{}{gap}{}", place.position(), place.label)
            });
            let lines: Vec<_> = finding.lines().chain(places).collect();
            let text = content(&lines.join("\n"));
            if finding.said.failure().is_some() {
                let message = attribute(&finding.said.message);
                case.failures.push(format!(
                    "      <failure type=\"{rule}\" message=\"{message}\">{text}</failure>\n"
                ));
            } else {
                writeln!(case.said, "{}[{rule}]: {text}", finding.level())
                    .expect("a string takes all");
            }
        }
        case
    }

    fn xml(&self) -> String {
        let skipped = self.skipped.as_deref().map_or_else(String::new, |reason| {
            format!("      <skipped message=\"{}\"/>\n", attribute(reason))
        });
        let said = match self.said.trim_end() {
            "" => String::new(),
            said => format!("      <system-out>{said}</system-out>\n"),
        };
        let [name, file] = [&self.name, &self.file].map(|text| attribute(text));
        format!(
            "    <testcase name=\"{name}\" classname=\"{file}\">\n{skipped}{}{said}    </testcase>\n",
            self.failures.concat()
        )
    }
}

/// A text as the content of an element. Characters that XML 1.0 (section 2.2) does not have are replaced.
fn content(text: &str) -> String {
    let mut escaped = String::new();
    for c in escaped_lines(&inert(&redacted(text)), 0..0).0.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                escaped.push(c);
            }
            _ => escaped.push(char::REPLACEMENT_CHARACTER),
        }
    }
    escaped
}

/// A text as the value of an attribute. A parser makes spaces of line breaks that are not escaped.
fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_element_or_an_attribute() {
        assert_eq!(
            content("</failure> ]]> & \u{0}\u{1b}é"),
            "&lt;/failure&gt; ]]&gt; &amp; \\u{0}\\u{1b}é"
        );
        assert_eq!(attribute("a\" b='c'\n"), "a&quot; b='c'&#10;");
    }
}
