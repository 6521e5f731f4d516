//! Report: diagnostics and the summary, as people read them on stderr; each report of a run has a
//! file of its own (`plain`, `json`, `markdown`, `sarif`, `github`, `junit`).

pub mod comments;
pub mod diff;
mod finding;
mod github;
pub mod json;
mod junit;
pub mod kustomize_images;
pub mod listing;
pub mod lists;
mod markdown;
mod plain;
mod sarif;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use anstream::adapter::strip_str;
use clap::ValueEnum;

use crate::Run;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::plan::{Plan, Status, StatusWord};
use crate::text::escape::{escaped, escaped_lines, redacted, shortened};
use crate::text::{Origin as SourceOrigin, Source, Span};

pub(crate) use finding::detached;
pub(crate) use markdown::code;

/// Places that one diagnostic shows in full; a chart's shared image may have hundreds.
const SHOWN_SPOTS: usize = 10;

/// The longest stretch of a source that an excerpt shows. JSON may have megabytes on one line.
const MAX_EXCERPT: usize = 400;

/// The longest object and field on one line, so that the line has at most 100 characters.
const LONGEST_LABEL: usize = 85;

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: a line for each error and warning, and a count
    Text,
    /// For programs: what became of each image
    Json,
    /// For a pull request
    Markdown,
    /// For code scanning: what is wrong on which line (SARIF 2.1.0)
    Sarif,
    /// For GitHub Actions: annotations of a pull request
    Github,
    /// For test reports in CI: a test case for each image
    Junit,
}

/// How much of a diagnostic is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// All of it.
    Full,
    /// The message, its first place and the remedy.
    Short,
}

/// The report of a run; `besides` is what was said of anything but the manifests.
#[must_use]
pub fn text(format: Format, run: &Run<'_>, sources: &[Source], besides: &[Diagnostic]) -> String {
    let findings = finding::findings(run, sources, besides);
    match format {
        Format::Text => plain::report(run, &findings),
        Format::Json => json::report(run, sources, &findings),
        Format::Markdown => markdown::report(run, sources, &findings),
        Format::Sarif => sarif::report(sources, &findings),
        Format::Github => github::report(run, &findings),
        Format::Junit => junit::report(run, sources, &findings),
    }
}

/// The last line of the report as text: the verdict and the counts.
#[must_use]
pub fn result(run: &Run<'_>, sources: &[Source], besides: &[Diagnostic]) -> String {
    plain::result(run, &finding::findings(run, sources, besides))
}

/// Renders a diagnostic with its excerpts, with ANSI colours; the stream strips them where there
/// is no terminal.
#[must_use]
pub fn diagnostic(diagnostic: &Diagnostic, sources: &[Source]) -> String {
    let mut elements: Vec<Element<'_>> = Vec::new();
    for location in diagnostic.locations.iter().take(SHOWN_SPOTS) {
        match location {
            Location::Source { source, span, label }
            | Location::Place { source, span, label, shown: true, .. } => {
                excerpt(&sources[*source], *span, label, &mut elements);
                elements.extend(object(label));
            }
            Location::Hidden { source, span, label }
            | Location::Place { source, span, label, shown: false, .. } => {
                elements.push(heading(&sources[*source], *span));
                elements.extend(object(label));
            }
            Location::Position(file, at) => {
                elements.push(Origin::path(format!("{file}:{}:{}", at.line, at.column)).into());
            }
            Location::File(file) => elements.push(Origin::path(file.clone()).into()),
        }
    }
    let more = diagnostic.locations.len().saturating_sub(SHOWN_SPOTS);
    if more > 0 {
        elements.push(Level::NOTE.message(format!("and {}", counted_more(more))).into());
    }
    for (name, text) in &diagnostic.notes {
        elements.push(Level::NOTE.with_name(*name).message(text.clone()).into());
    }
    if let Some(help) = &diagnostic.help {
        elements.push(Level::HELP.message(help.clone()).into());
    }
    rendered(diagnostic, elements)
}

/// Renders a diagnostic without excerpts: its message, its first place, the nearest tags and the remedy.
#[must_use]
pub fn short(diagnostic: &Diagnostic, sources: &[Source]) -> String {
    let mut elements: Vec<Element<'_>> = Vec::new();
    match diagnostic.locations.first() {
        Some(
            Location::Source { source, span, label }
            | Location::Hidden { source, span, label }
            | Location::Place { source, span, label, .. },
        ) => match object(label) {
            Some(object) => elements.push(object),
            None => elements.push(heading(&sources[*source], *span)),
        },
        Some(Location::Position(file, at)) => {
            elements.push(Origin::path(format!("{file}:{}:{}", at.line, at.column)).into());
        }
        Some(Location::File(file)) => elements.push(Origin::path(file.clone()).into()),
        None => {}
    }
    let more = diagnostic.locations.len().saturating_sub(1);
    if more > 0 {
        elements.push(Level::NOTE.message(format!("and {}", counted_more(more))).into());
    }
    // kustomize drops the results of a failed function, which have the other notes.
    let nearest = diagnostic.notes.iter().filter(|(name, _)| *name == "nearest");
    elements.extend(
        nearest.map(|(name, text)| Level::NOTE.with_name(*name).message(text.clone()).into()),
    );
    if let Some(help) = &diagnostic.help {
        elements.push(Level::HELP.message(help.clone()).into());
    }
    let text = rendered(diagnostic, elements);
    let is_gap = |line: &&str| strip_str(line).to_string().trim() == "|";
    text.split_inclusive('\n').filter(|line| !is_gap(line)).collect()
}

fn rendered(diagnostic: &Diagnostic, elements: Vec<Element<'_>>) -> String {
    let level = match diagnostic.severity {
        Severity::Error(_) => Level::ERROR,
        Severity::Substitution | Severity::Warning => Level::WARNING,
    };
    let rule = diagnostic.rule();
    let title = level.primary_title(diagnostic.message.clone()).id(rule.id());
    let title = rule.page().map_or(title.clone(), |page| title.id_url(page));
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    let text = renderer.render(&[title.elements(elements)]) + "\n";
    // An excerpt whose position is said before it has no name, for which the renderer writes nothing else.
    let is_empty_name = |line: &&str| strip_str(line).to_string().trim() == ":::";
    text.split_inclusive('\n').filter(|line| !is_empty_name(line)).collect()
}

fn counted_more(n: usize) -> String {
    format!("{n} more place{}", if n == 1 { "" } else { "s" })
}

/// The line of the span, with the span underlined. Where the line is in flow style, as JSON has it,
/// an image gets no more than its position, as a password may stand beside it; of any other very
/// long line a part is shown.
fn excerpt<'s>(source: &'s Source, span: Span, label: &str, elements: &mut Vec<Element<'s>>) {
    let (lines, first) = source.lines_of(span);
    let name = name(source, span);
    let at = source.position(span.start);
    // The user's own configuration has no passwords.
    let is_own = matches!(source.origin(), SourceOrigin::Configuration(_));
    // An image may stand beside anything; what is wrong with the YAML may be no YAML at all, as the
    // message of another program, which should be read.
    let hides =
        if label.is_empty() { is_json(source, lines) } else { is_flow(source, lines, span) };
    if hides && !is_own {
        elements.push(heading(source, span));
        return;
    }
    let redacted = redacted(source.slice(lines));
    let snippet = |shown: Span| {
        let within = within(source, shown, span);
        // Of a long line, a part may begin behind the `://`.
        let shown = &redacted[shown.start - lines.start..shown.end - lines.start];
        let (shown, within) = escaped_lines(shown, within.start..within.end);
        let annotation = AnnotationKind::Primary.span(within);
        Snippet::source(shown).line_start(first).annotation(annotation)
    };
    let is_shown_as_it_is = escaped_lines(source.slice(lines), 0..0).0 == source.slice(lines);
    if lines.end - lines.start <= MAX_EXCERPT && is_shown_as_it_is {
        elements.push(snippet(lines).path(name).into());
        return;
    }
    let text = source.text();
    let start = floor(text, lines.start.max(span.start.saturating_sub(MAX_EXCERPT / 4)));
    let end = floor(text, lines.end.min(start + MAX_EXCERPT)).max(start);
    // The shown part may not start at the first column, so the message has the column.
    elements.push(Origin::path(name).line(at.line).char_column(at.column).into());
    elements.push(snippet(Span::new(start, end)).into());
}

/// The name of the file at a span, for messages. A stream on stdin has the template in front, if that is known.
fn name(source: &Source, span: Span) -> String {
    let stream = source.origin().display_name();
    if source.origin() != &SourceOrigin::Stdin {
        return stream;
    }
    match source.template(span.start) {
        Some(file) => format!("{} in {stream}", escaped(&shortened(file))),
        None => stream,
    }
}

/// The position, without the text.
fn heading(source: &Source, span: Span) -> Element<'static> {
    let (name, at) = (name(source, span), source.position(span.start));
    Origin::path(format!("{name}:{}:{}", at.line, at.column)).into()
}

/// The object and the field on a line of their own, or on two where they are long; none if the label is
/// empty.
fn object(label: &str) -> Option<Element<'static>> {
    let text = match label.rsplit_once(", ") {
        Some((object, field)) if label.chars().count() > LONGEST_LABEL => {
            format!("{object},\n{field}")
        }
        _ => label.to_owned(),
    };
    (!label.is_empty()).then(|| Level::NOTE.with_name("in").message(text).into())
}

/// True if something in brackets stands beside the span.
fn is_flow(source: &Source, lines: Span, span: Span) -> bool {
    // An error may point into the middle of a character.
    let at = |offset: usize| floor(source.text(), offset.clamp(lines.start, lines.end));
    let before = source.slice(Span::new(lines.start, at(span.start)));
    let after = source.slice(Span::new(at(span.end), lines.end));
    [before, after].iter().any(|text| text.contains(['{', '[', '}', ']']))
}

/// True if lines hold a collection in brackets.
fn is_json(source: &Source, lines: Span) -> bool {
    let text = source.slice(lines).trim_start_matches([' ', '-', '\u{feff}']);
    text.starts_with(['{', '[']) || [": {", ": ["].iter().any(|flow| text.contains(flow))
}

/// The part of `span` that is shown, in offsets of what is shown.
fn within(source: &Source, shown: Span, span: Span) -> Span {
    let clamp = |at: usize| floor(source.text(), at.clamp(shown.start, shown.end)) - shown.start;
    Span::new(clamp(span.start), clamp(span.end))
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

/// One line about a run in which nothing failed.
#[must_use]
pub fn summary(plan: &Plan, objects: usize) -> String {
    let mut counts: BTreeMap<StatusWord, (usize, usize)> = BTreeMap::new();
    for entry in &plan.entries {
        let (images, places) = counts.entry(entry.status.word()).or_default();
        *images += 1;
        *places += entry.places.len();
    }
    let count = |status| counts.get(&status).copied().unwrap_or_default();
    let (images, places) = count(StatusWord::Pinned);
    let mut line = format!(
        "pinned {} at {} in {}",
        counted(images, "image"),
        counted(places, "place"),
        counted(objects, "object"),
    );
    let (images, places) = count(StatusWord::Substituted);
    if images > 0 {
        let places = counted(places, "place");
        write!(line, "; {images} substituted at {places}").expect("a string takes all");
    }
    for (status, text) in [
        (StatusWord::Already, "pinned already"),
        (StatusWord::Skipped, "skipped"),
        (StatusWord::Placeholder, "left as placeholder"),
        (StatusWord::Unresolved, "left unresolved"),
        (StatusWord::Invalid, "left invalid"),
        (StatusWord::Candidate, "that may be images left alone, as `digestif images` lists them"),
    ] {
        let (images, _) = count(status);
        if images > 0 {
            write!(line, "; {images} {text}").expect("a string takes all");
        }
    }
    line
}

/// One line about each image with its result, for `-v`.
#[must_use]
pub fn images(plan: &Plan) -> String {
    let mut lines = String::new();
    for entry in &plan.entries {
        let name = escaped(&entry.name.to_string());
        let places = counted(entry.places.len(), "place");
        let result = if let Some((supplier, pin)) = entry.supplier() {
            let instead = match entry.status {
                Status::Substituted(..) => format!(" of {supplier}"),
                _ => String::new(),
            };
            format!("-> {}{instead} ({}, {places})", pin.digest, pin.via.word())
        } else {
            let reason = entry.status.skip().map(|skip| format!(" by {skip}"));
            let word = entry.status.word().as_str();
            format!("{word}{} ({places})", reason.unwrap_or_default())
        };
        writeln!(lines, "{name} {result}").expect("a string takes all");
    }
    lines
}

/// A number with its noun: `1 image`, `2 images`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Failure;
    use crate::text::Origin;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_diagnostic_reads_like_a_compilers() {
        let text = "kind: Pod\nspec:\n  containers:\n  - image: web:1 # ours\n";
        let sources = [Source::new(Origin::File("pod.yaml".into()), text.into()).expect("valid")];
        let start = text.find("web:1").expect("in the text");
        let span = Span::new(start, start + 5);
        let error = Diagnostic::error(Failure::Absent, "`web:1` does not exist".to_owned())
            .location(Location::Source {
                source: 0,
                span,
                label: "Pod p, spec.containers[0].image".to_owned(),
            })
            .note("tried", "web:1 (missing)")
            .help("push it");
        let expected = "\
error[absent]: `web:1` does not exist
 --> pod.yaml:4:12
  |
4 |   - image: web:1 # ours
  |            ^^^^^
  |
  = in: Pod p, spec.containers[0].image
  = tried: web:1 (missing)
  = help: push it
";
        assert_eq!(plain(&diagnostic(&error, &sources)), expected);
    }

    #[test]
    fn what_stands_beside_an_image_on_its_line_is_not_shown() {
        let text = r#"{"env": [{"value": "hunter2"}], "image": "web:1"}"#;
        let start = text.find("web:1").expect("in the text");
        let sources = [Source::new(Origin::Stdin, text.into()).expect("valid")];
        let span = Span::new(start, start + 5);
        let location = Location::Source {
            source: 0,
            span,
            label: "Pod p, spec.containers[0].image".to_owned(),
        };
        let error = Diagnostic::error(Failure::Absent, "`web:1` does not exist".to_owned())
            .location(location);
        let expected = "\
error[absent]: `web:1` does not exist
--> <stdin>:1:43
 = in: Pod p, spec.containers[0].image
";
        assert_eq!(plain(&diagnostic(&error, &sources)), expected);
    }

    #[test]
    fn an_excerpt_of_a_long_line_stays_short() {
        let text = format!("a: {} web:1 {}\n", "é".repeat(9_000), "x".repeat(9_000));
        let start = text.find("web:1").expect("in the text");
        let sources = [Source::new(Origin::Stdin, text.into_bytes()).expect("valid")];
        let location =
            Location::Source { source: 0, span: Span::new(start, start + 5), label: String::new() };
        let error = Diagnostic::error(Failure::Absent, "x".to_owned()).location(location);
        let rendered = plain(&diagnostic(&error, &sources));
        assert!(rendered.contains("web:1") && rendered.contains("^^^^^"), "{rendered}");
        assert!(rendered.len() < 1_000, "{rendered}");
    }
}
