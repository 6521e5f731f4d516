//! The report for programs: what became of each image, as JSON.
//!
//! One type is serialised and gives the JSON Schema, so that the two can't disagree.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::finding::{Finding, FindingLocation};
use crate::Run;
use crate::fallback::Nearby;
use crate::places::{Class, Place};
use crate::plan::{Entry, History, Search, Seen, Status, StatusWord, Tried, Via};
use crate::text::escape::{escaped_with, redacted, without_mark};
use crate::text::{Position, Source};

/// The version of the report; it changes when a field changes its meaning.
const SCHEMA: &str = "digestif.report/v1";

/// The result for every image of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "digestif report")]
pub struct Report {
    /// Always `digestif.report/v1`.
    schema: String,
    summary: Summary,
    /// The distinct images, in the order in which they appear first.
    images: Vec<Reported>,
    /// Texts that only look like images and were left unchanged.
    candidates: Vec<Reported>,
    /// The findings of policies and of the comparison with a lock.
    policy: Vec<Judged>,
}

/// Counts; an image with several places counts once.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Summary {
    /// Kubernetes objects, items of lists included.
    objects: usize,
    /// Image places.
    places: usize,
    /// Distinct images.
    images: usize,
    pinned: usize,
    substituted: usize,
    /// Images that had a digest already.
    already: usize,
    skipped: usize,
    placeholder: usize,
    /// Images without a digest: absent, invalid, or not to be found out now.
    unresolved: usize,
    /// Distinct texts that only look like images.
    candidates: usize,
}

/// One image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reported {
    /// The full name of what was asked for; the text itself where it is no reference.
    image: String,
    status: StatusWord,
    /// The full name of what it was pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    /// The tag that supplied the digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// `registry`, `layout`, `fallback` where a rule chose it, or `lock` where that was in an earlier
    /// run.
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'static str>,
    /// The rule that chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The day on which a run with a cooldown first saw the digest, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    /// Newer digests that are not old enough, in the order in which they were seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<Waiting>,
    /// The reason why it was left unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The references that led to no digest, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<Attempt>,
    /// Steps that could not be taken, and where the rules end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// The nearest of the existing tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nearest: Vec<Neighbour>,
    places: Vec<ReportedPlace>,
}

/// A newer digest that is not old enough.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waiting {
    digest: String,
    /// The day on which it was first seen, in UTC.
    seen: String,
}

/// An existing tag that is near to an absent one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Neighbour {
    tag: String,
    /// The difference.
    reason: String,
}

/// One reference that was requested and not found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Attempt {
    reference: String,
    /// `missing`, `denied`, `rate-limited`, `unreachable`, `invalid-response` or `not-recorded`.
    outcome: &'static str,
    /// The answer, for messages.
    detail: String,
}

/// A finding of a policy.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Which: `require-digest`, `drift`, …; `policy` where it has no name of its own.
    rule: &'static str,
    severity: Level,
    /// The message.
    message: String,
    /// Details, each with its name and a colon in front.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// The full name of the image, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    places: Vec<JudgedPlace>,
}

/// The level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It does, with status 5.
    Error,
    /// It does not.
    Warning,
}

/// The place of a finding.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum JudgedPlace {
    /// An image.
    Image(ReportedPlace),
    /// Anything else in a file.
    Text {
        /// The file, or `-` for stdin.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
    },
    /// A file, such as the lock.
    File {
        /// The file, or `-` for stdin.
        file: String,
    },
}

/// The place of an image.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedPlace {
    /// The file, or `-` for stdin.
    file: String,
    /// The line of the reference itself, from 1.
    line: usize,
    /// The column of the reference itself, from 1, in characters.
    column: usize,
    /// The document in its file, from 1.
    document: usize,
    api_version: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    /// The field, from the object's root.
    path: String,
    class: Class,
}

impl ReportedPlace {
    /// A place with its position in its source.
    #[must_use]
    pub fn new(place: &Place, sources: &[Source]) -> Self {
        let source = &sources[place.source];
        let at = source.position(place.site.text().start);
        Self {
            file: source.origin().report_name(),
            line: at.line,
            column: at.column,
            document: place.document,
            api_version: place.object.api_version.clone(),
            kind: place.object.kind.clone(),
            namespace: place.object.namespace.clone(),
            name: place.object.name.clone(),
            path: place.path.to_string(),
            class: place.class,
        }
    }
}

/// The report of a run, as JSON text.
pub(super) fn report(run: &Run<'_>, sources: &[Source], findings: &[Finding<'_>]) -> String {
    let place = |&n: &usize| ReportedPlace::new(&run.found.places[n], sources);
    let reported = |entry: &Entry| {
        let image = image(entry, entry.places.iter().map(place).collect());
        let history = entry.supplier().and_then(|(tagged, _)| run.plan.histories.get(tagged));
        history.into_iter().fold(image, Reported::aged)
    };
    let entries = |candidates: bool| {
        let entries = run.plan.entries.iter();
        entries.filter(move |entry| (entry.status == Status::Candidate) == candidates)
    };
    let images: Vec<_> = entries(false).map(reported).collect();
    let candidates: Vec<_> = entries(true).map(reported).collect();
    let count = |statuses: &[StatusWord]| {
        images.iter().filter(|image| statuses.contains(&image.status)).count()
    };
    let summary = Summary {
        objects: run.found.objects,
        places: entries(false).map(|entry| entry.places.len()).sum(),
        images: images.len(),
        pinned: count(&[StatusWord::Pinned]),
        substituted: count(&[StatusWord::Substituted]),
        already: count(&[StatusWord::Already]),
        skipped: count(&[StatusWord::Skipped]),
        placeholder: count(&[StatusWord::Placeholder]),
        unresolved: count(&[
            StatusWord::Unresolved,
            StatusWord::Indeterminate,
            StatusWord::Invalid,
        ]),
        candidates: candidates.len(),
    };
    let policy = findings.iter().filter(|finding| finding.said.is_policy());
    let policy = policy.map(|finding| judged(finding, sources)).collect();
    text(&Report { schema: SCHEMA.to_owned(), summary, images, candidates, policy })
}

fn judged(finding: &Finding<'_>, sources: &[Source]) -> Judged {
    let place = |location: &FindingLocation<'_>| {
        let file = location.file.clone();
        match (location.place, location.start) {
            (Some(place), _) => JudgedPlace::Image(ReportedPlace::new(place, sources)),
            (None, Some(Position { line, column })) => JudgedPlace::Text { file, line, column },
            (None, None) => JudgedPlace::File { file },
        }
    };
    let said = finding.said;
    Judged {
        rule: said.rule().id(),
        severity: if said.failure().is_some() { Level::Error } else { Level::Warning },
        message: said.message.clone(),
        notes: said.notes.iter().map(|(name, text)| format!("{name}: {text}")).collect(),
        help: said.help.clone(),
        image: finding.image.map(ToString::to_string),
        places: finding.locations.iter().map(place).collect(),
    }
}

/// The JSON Schema of the report, as JSON text.
#[must_use]
pub fn schema() -> String {
    schema_of::<Report>()
}

/// The JSON Schema of a type as it is written: what may be left out there is not required.
pub(crate) fn schema_of<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    text(&settings.into_generator().into_root_schema_for::<T>())
}

/// A value as indented JSON with a final line break.
pub(crate) fn text(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("keys are strings");
    text.push('\n');
    // Characters that are no markup of JSON can only be in a text, where each may be an escape.
    let text = escaped_with(&redacted(&text), |c, out| match c {
        '\n' => out.push(c),
        c => out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
    });
    without_mark(&text, "\\u0023")
}

/// The result for an image at these places.
pub(crate) fn image(entry: &Entry, places: Vec<ReportedPlace>) -> Reported {
    let supplier = entry.supplier();
    let mut image = Reported {
        image: entry.name.to_string(),
        status: entry.status.word(),
        written: supplier.map(|(tagged, pin)| format!("{tagged}@{}", pin.digest)),
        tag: supplier.map(|(tagged, _)| tagged.tag.to_string()),
        digest: supplier.map(|(_, pin)| pin.digest.to_string()),
        via: supplier.map(|(_, pin)| pin.via.word()),
        rule: None,
        seen: None,
        next: Vec::new(),
        reason: entry.status.skip().map(ToString::to_string),
        tried: Vec::new(),
        notes: Vec::new(),
        nearest: Vec::new(),
        places,
    };
    if let Status::Substituted(substitute, _) = &entry.status {
        image.via = Some(if substitute.pin.via == Via::Lock { "lock" } else { "fallback" });
        image.rule = Some(substitute.rule.clone());
    }
    if let Some(search) = entry.status.search() {
        image.searched(search);
    }
    image
}

impl Reported {
    /// The same with the age of its digests.
    pub(crate) fn aged(mut self, history: &History) -> Self {
        self.seen = history.seen.map(|day| day.to_string());
        let waiting =
            |one: &Seen| Waiting { digest: one.digest.to_string(), seen: one.seen.to_string() };
        self.next = history.next.iter().map(waiting).collect();
        self
    }

    fn searched(&mut self, search: &Search) {
        let attempt = |Tried { target, refusal }: &Tried| Attempt {
            reference: target.to_string(),
            outcome: refusal.outcome.word(),
            detail: refusal.detail.clone(),
        };
        self.tried = search.tried.iter().map(attempt).collect();
        self.notes = search.notes.iter().chain(&search.limits).cloned().collect();
        let neighbour =
            |near: &Nearby| Neighbour { tag: near.tag.to_string(), reason: near.reason.clone() };
        self.nearest = search.nearest.iter().map(neighbour).collect();
    }
}
