//! Findings: the diagnostics of a run as reports for machines have them, with lines and columns instead
//! of spans, and without any text of the input.

use super::counted;
use crate::Run;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::places::Place;
use crate::plan::{Entry, Name, Status};
use crate::text::escape::escaped;
use crate::text::{Position, Source};

/// The name of standard input in messages, and in reports.
const STDIN: [&str; 2] = ["<stdin>", "-"];

/// One failure or warning.
pub(super) struct Finding<'r> {
    /// The diagnostic.
    pub(super) said: &'r Diagnostic,
    /// The full name of the image that it is about, if it is about one.
    pub(super) image: Option<&'r Name>,
    /// Where.
    pub(super) locations: Vec<FindingLocation<'r>>,
}

/// A place in a file.
pub(super) struct FindingLocation<'r> {
    /// The file as it was named, or `-`.
    pub(super) file: String,
    /// Its start; none if the whole file is meant.
    pub(super) start: Option<Position>,
    /// Its end, behind the last character; none if it is not known.
    pub(super) end: Option<Position>,
    /// The object and field, as messages have it; may be empty.
    pub(super) label: &'r str,
    /// The image place, if it is one.
    pub(super) place: Option<&'r Place>,
}

/// All that a run has to say, and before it what was said besides.
pub(super) fn findings<'r>(
    run: &'r Run<'_>,
    sources: &[Source],
    besides: &'r [Diagnostic],
) -> Vec<Finding<'r>> {
    let images = Images::new(run);
    let said = besides.iter().chain(&run.found.diagnostics);
    said.map(|diagnostic| Finding::new(diagnostic, sources, &images)).collect()
}

impl<'r> Finding<'r> {
    fn new(said: &'r Diagnostic, sources: &[Source], images: &Images<'r>) -> Self {
        let locations =
            said.locations.iter().map(|location| FindingLocation::new(location, sources, images));
        let places = said.locations.iter().filter_map(Location::place);
        let mut named = places.filter_map(|place| images.entries[place]);
        let image = named.next().filter(|first| named.all(|other| other == *first));
        Self { said, image: image.map(|entry| &entry.name), locations: locations.collect() }
    }

    /// The message, each note and the help.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let said = self.said;
        let notes = said.notes.iter().map(|(name, text)| format!("{name}: {text}"));
        let help = said.help.iter().map(|help| format!("help: {help}"));
        std::iter::once(said.message.clone()).chain(notes).chain(help)
    }

    /// `error` or `warning`.
    pub(super) fn level(&self) -> &'static str {
        match self.said.severity {
            Severity::Error(_) => "error",
            Severity::Substitution | Severity::Warning => "warning",
        }
    }
}

/// `failed` if there is an error, else `passed`.
pub(super) fn verdict(findings: &[Finding<'_>]) -> &'static str {
    let failed = findings.iter().any(|finding| finding.said.failure().is_some());
    if failed { "failed" } else { "passed" }
}

/// The numbers of errors and warnings, and what was looked at: `, 1 error: 2 images at 3 places in
/// 1 object`.
pub(super) fn counts(run: &Run<'_>, findings: &[Finding<'_>]) -> String {
    let levels = ["error", "warning"].map(|level| {
        match findings.iter().filter(|finding| finding.level() == level).count() {
            0 => String::new(),
            count => format!(", {}", counted(count, level)),
        }
    });
    let images = run.plan.entries.iter().filter(|entry| entry.status != Status::Candidate);
    let places = images.clone().map(|entry| entry.places.len()).sum();
    let [images, places, objects] = [
        counted(images.count(), "image"),
        counted(places, "place"),
        counted(run.found.objects, "object"),
    ];
    format!("{}: {images} at {places} in {objects}", levels.concat())
}

impl<'r> FindingLocation<'r> {
    /// The file for people, with line and column if they are known.
    pub(super) fn position(&self) -> String {
        let file = escaped(&self.file);
        match self.start {
            Some(at) => format!("{file}:{}:{}", at.line, at.column),
            None => file,
        }
    }

    fn new(location: &'r Location, sources: &[Source], images: &Images<'r>) -> Self {
        let whole = |name: &String| {
            let file = if name == STDIN[0] { STDIN[1].to_owned() } else { name.clone() };
            Self { file, start: None, end: None, label: "", place: None }
        };
        match location {
            Location::Source { source, span, label }
            | Location::Hidden { source, span, label }
            | Location::Place { source, span, label, .. } => {
                let source = &sources[*source];
                Self {
                    file: source.origin().report_name(),
                    start: Some(source.position(span.start)),
                    end: Some(source.position(span.end)),
                    label,
                    place: location.place().map(|place| &images.places[place]),
                }
            }
            Location::Position(file, at) => Self { start: Some(*at), ..whole(file) },
            Location::File(file) => whole(file),
        }
    }
}

/// The image places of a run, and the image of each.
struct Images<'r> {
    entries: Vec<Option<&'r Entry>>,
    places: &'r [Place],
}

impl<'r> Images<'r> {
    fn new(run: &'r Run<'_>) -> Self {
        Self { entries: run.plan.by_place(run.found.places.len()), places: &run.found.places }
    }
}

/// A diagnostic that does not need its sources any more: it says where things begin.
pub(crate) fn detached(diagnostic: &Diagnostic, sources: &[Source]) -> Diagnostic {
    let location = |location: &Location| match location.span() {
        Some((n, span)) => {
            let source = &sources[n];
            Location::Position(source.origin().display_name(), source.position(span.start))
        }
        None => location.clone(),
    };
    let locations = diagnostic.locations.iter().map(location).collect();
    Diagnostic { locations, ..diagnostic.clone() }
}
