//! Listing: the images of the input, for `digestif images`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::places::Place;
use crate::plan::{Entry, Plan, Status, StatusWord};
use crate::report::json::{self, ReportedPlace};
use crate::text::Source;
use crate::text::escape::{escaped, inert, redacted, shortened};

/// The version of the JSON listing; it changes when a field changes its meaning.
const SCHEMA: &str = "digestif.images/v1";

#[derive(Serialize)]
struct Listing {
    schema: &'static str,
    images: Vec<ListedImage>,
    candidates: Vec<ListedImage>,
}

#[derive(Serialize)]
struct ListedImage {
    image: String,
    status: StatusWord,
    /// The reason why it is left unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    places: Vec<ReportedPlace>,
}

/// The images and candidates as JSON: each with its full name, its status and all its places.
#[must_use]
pub fn json(plan: &Plan, places: &[Place], sources: &[Source]) -> String {
    let (candidates, images): (Vec<&Entry>, Vec<&Entry>) =
        plan.entries.iter().partition(|entry| entry.status == Status::Candidate);
    let [images, candidates] = [images, candidates].map(|entries| {
        let listed = entries.into_iter().map(|entry| ListedImage {
            image: entry.name.to_string(),
            status: entry.status.word(),
            reason: entry.status.skip().map(ToString::to_string),
            places: entry.places.iter().map(|&n| ReportedPlace::new(&places[n], sources)).collect(),
        });
        listed.collect()
    });
    let listing = Listing { schema: SCHEMA, images, candidates };
    json::text(&listing)
}

/// The images as a table: one line a place, in the order of the input.
#[must_use]
pub fn table(plan: &Plan, places: &[Place], sources: &[Source]) -> String {
    let mut rows = Vec::new();
    for entry in &plan.entries {
        for place in entry.places.iter().map(|&n| &places[n]) {
            let source = &sources[place.source];
            let start = place.site.text().start;
            let line = source.position(start).line;
            let position = format!("{}:{line}", source.origin().display_name());
            let text = escaped(&shortened(place.text()));
            let mut field = place.label();
            if let Some(reason) = entry.status.skip() {
                write!(field, " (left: {reason})").expect("a string takes all");
            }
            rows.push((
                place.source,
                start,
                [
                    text,
                    place.class.word().to_owned(),
                    entry.status.word().as_str().to_owned(),
                    position,
                    field,
                ],
            ));
        }
    }
    rows.sort();
    let header = ["IMAGE", "CLASS", "STATUS", "PLACE", "OBJECT AND FIELD"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(header).chain(rows.into_iter().map(|row| row.2)).collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c, d] = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [image, class, status, position, field] in &rows {
        writeln!(text, "{image:a$}  {class:b$}  {status:c$}  {position:d$}  {field}")
            .expect("a string takes all");
    }
    inert(&redacted(&text)).into_owned()
}
