//! The report for code scanning: what is wrong, and on which line, as SARIF 2.1.0 (OASIS).
//!
//! One result a place, not one a diagnostic: GitHub annotates the first location of a result and no
//! other. It shows no result without a line, so that what is about no place stands at the start of
//! the first input. Nothing of the text is in it, and no region says more than where a reference is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::finding::{Finding, FindingLocation};
use super::json;
use crate::diagnostic::RuleId;
use crate::image::{Algorithm, Digest};
use crate::places::Place;
use crate::text::{Position, Source};

/// The address of SARIF's schema (OASIS, errata 01).
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The names of our fingerprint. The number in the first changes when it is made in another way; the
/// second is the only one that GitHub reads, and would make from the line itself if it were not there.
const FINGERPRINTS: [&str; 2] = ["digestif/v1", "primaryLocationLineHash"];

/// Hexadecimal digits of a fingerprint: enough for one a result.
const FINGERPRINT_LENGTH: usize = 32;

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// SARIF counts in UTF-16 unless a report says otherwise.
    column_kind: &'static str,
    /// A lone CR ends a line of YAML, too.
    newline_sequences: [&'static str; 3],
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    information_uri: Option<&'static str>,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    /// Behind the last character.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    fully_qualified_name: String,
}

/// The report of a run, as JSON text.
pub(super) fn report(sources: &[Source], findings: &[Finding<'_>]) -> String {
    let ids: BTreeSet<_> = findings.iter().map(|finding| finding.said.rule()).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let mut seen = BTreeMap::new();
    let results = findings.iter().flat_map(|finding| outcomes(finding, sources, &ids, &mut seen));
    let results = results.collect();
    let driver = Driver {
        name: env!("CARGO_PKG_NAME"),
        semantic_version: env!("CARGO_PKG_VERSION"),
        information_uri: Some(env!("CARGO_PKG_REPOSITORY")).filter(|uri| !uri.is_empty()),
        rules: ids.iter().copied().map(rule).collect(),
    };
    let run = Run {
        tool: Tool { driver },
        column_kind: "unicodeCodePoints",
        newline_sequences: ["\r\n", "\n", "\r"],
        results,
    };
    json::text(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
}

fn rule(rule: RuleId) -> Rule {
    let message = |text: &str| Message { text: text.to_owned() };
    Rule {
        id: rule.id(),
        short_description: message(rule.about()),
        full_description: message(rule.about()),
        help: message(rule.help()),
    }
}

/// The results of a finding: one for each of its places.
fn outcomes(
    finding: &Finding<'_>,
    sources: &[Source],
    rules: &[RuleId],
    seen: &mut BTreeMap<String, usize>,
) -> Vec<Outcome> {
    let rule = finding.said.rule();
    let mut outcome = |location: Location, label: &str| {
        let fingerprint = fingerprint(finding, label, seen);
        Outcome {
            rule_id: rule.id(),
            rule_index: rules.binary_search(&rule).expect("they are those of the findings"),
            level: finding.level(),
            message: message(finding),
            locations: [location],
            partial_fingerprints: FINGERPRINTS.map(|name| (name, fingerprint.clone())).into(),
        }
    };
    if finding.locations.is_empty() {
        let file = sources.first().map_or("-".to_owned(), |first| first.origin().report_name());
        return vec![outcome(physical(&file, None, None, Vec::new()), "")];
    }
    let at = |location: &FindingLocation<'_>| {
        let FindingLocation { file, start, end, label, .. } = location;
        outcome(physical(file, *start, *end, logical(location)), label)
    };
    finding.locations.iter().map(at).collect()
}

/// All that there is to say. A bracket before a parenthesis would be a link.
fn message(finding: &Finding<'_>) -> Message {
    let text = finding.lines().collect::<Vec<_>>().join("\n");
    Message { text: text.replace("](", "\\](") }
}

fn physical(
    file: &str,
    start: Option<Position>,
    end: Option<Position>,
    logical_locations: Vec<Logical>,
) -> Location {
    let region = Region {
        start_line: start.map_or(1, |start| start.line),
        start_column: start.map(|start| start.column),
        end_line: end.map(|end| end.line),
        end_column: end.map(|end| end.column),
    };
    let artifact_location = Artifact { uri: uri(file) };
    Location { physical_location: Physical { artifact_location, region }, logical_locations }
}

/// The object and the field that a location is in.
fn logical(location: &FindingLocation<'_>) -> Vec<Logical> {
    match location.place {
        Some(place) => {
            let (object, field) = (object(place), place.path.to_string());
            let whole = format!("{object}/{field}");
            vec![
                Logical { name: Some(field), fully_qualified_name: whole },
                Logical { name: None, fully_qualified_name: object },
            ]
        }
        None if location.label.is_empty() => Vec::new(),
        None => vec![Logical { name: None, fully_qualified_name: location.label.to_owned() }],
    }
}

/// `batch/v1/Job/capsule-system/capsule-crds`.
fn object(place: &Place) -> String {
    let object = &place.object;
    let parts = [Some(&object.api_version), Some(&object.kind), object.namespace.as_ref()];
    let parts = parts.into_iter().flatten().chain([&object.name]).map(String::as_str);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The fingerprint, which does not change when lines move: rule, image and path in the object. Equal
/// fingerprints get numbers.
fn fingerprint(finding: &Finding<'_>, label: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let about = finding.image.map_or_else(|| finding.said.message.clone(), ToString::to_string);
    let whole = Digest::of(
        Algorithm::Sha256,
        [finding.said.rule().id(), &about, label].join("\n").as_bytes(),
    );
    let short = whole.hex()[..FINGERPRINT_LENGTH].to_owned();
    let n = seen.entry(short.clone()).or_default();
    *n += 1;
    format!("{short}:{n}")
}

/// A path as a relative URI, or as one of a file where it is absolute.
fn uri(path: &str) -> String {
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() };
    let path = path.strip_prefix("./").unwrap_or(&path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let encoded: String = path.bytes().map(encode).collect();
    match path {
        _ if path.starts_with('/') => format!("file://{encoded}"),
        _ if std::path::Path::new(path).is_absolute() => format!("file:///{encoded}"),
        _ => encoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_that_leads_to_it() {
        for (path, expected) in [
            ("-", "-"),
            ("deploy/web.yaml", "deploy/web.yaml"),
            ("./deploy/web.yaml", "deploy/web.yaml"),
            ("../web.yaml", "../web.yaml"),
            ("a b#c?d%e:f.yaml", "a%20b%23c%3Fd%25e%3Af.yaml"),
            ("größe.yaml", "gr%C3%B6%C3%9Fe.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
        if cfg!(unix) {
            assert_eq!(uri("/srv/web.yaml"), "file:///srv/web.yaml");
        }
    }
}
