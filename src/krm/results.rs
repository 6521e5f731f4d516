//! Results: what a function says of each image, and how that gets into its list (KRM functions
//! specification v1, `results`).
//!
//! They are added as one edit of the list.

use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Failure, Location, Severity};
use crate::image::PinForm;
use crate::places::{File, Object, Place};
use crate::plan::{Entry, Status, StatusWord};
use crate::text::escape::redacted;
use crate::text::splice::{self, Edit, Edits};
use crate::text::yaml::{Content, TreeChange};
use crate::text::{Origin, Source, Span};
use crate::{Run, written};

/// One result, as functions report it (KRM functions specification v1, `results`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    message: String,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_ref: Option<ResourceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Tags>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceRef {
    api_version: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    path: String,
    current_value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_value: Option<String>,
}

#[derive(Debug, Serialize)]
struct Tags {
    #[serde(rename = "digestif.dev/status")]
    status: StatusWord,
    #[serde(rename = "digestif.dev/rule", skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

/// The results of a run: one for each place that is pinned, and for each that something is to be
/// said about; and one for whatever else is to be said. `is_given` is whether the pins are given
/// out: what is not done is not reported.
#[must_use]
pub fn results(run: &Run<'_>, form: PinForm, is_given: bool) -> Vec<Outcome> {
    let entries = run.plan.by_place(run.found.places.len());
    let at = |severity, message: String, n: usize| {
        let entry = entries[n].map(|entry: &Entry| (entry, is_given.then_some(form)));
        Outcome::at(&run.found.places[n], entry, severity, message)
    };
    let mut results = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        if let Some(Entry { name, status: Status::Pinned(pin), .. }) = entry
            && is_given
        {
            results.push(at("info", format!("pinned {name} to {}", pin.digest), n));
        }
    }
    for diagnostic in &run.found.diagnostics {
        let places: Vec<_> = diagnostic.locations.iter().filter_map(Location::place).collect();
        if places.is_empty() {
            results.push(Outcome::general(diagnostic));
        }
        let outcome = |n| at(severity(diagnostic), message(diagnostic), n);
        results.extend(places.into_iter().map(outcome));
    }
    results
}

/// Results for a list that was not even looked into.
#[must_use]
pub fn failures(diagnostics: &[Diagnostic]) -> Vec<Outcome> {
    diagnostics.iter().map(Outcome::general).collect()
}

fn severity(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error(_) => "error",
        Severity::Substitution | Severity::Warning => "warning",
    }
}

/// All that a diagnostic says, on one line.
fn message(diagnostic: &Diagnostic) -> String {
    let notes = diagnostic.notes.iter().map(|(name, text)| format!("; {name}: {text}"));
    let help = diagnostic.help.iter().map(|help| format!("; help: {help}"));
    let rest: String = notes.chain(help).collect();
    format!("{}{rest}", diagnostic.message).replace('\n', ", ")
}

impl Outcome {
    fn general(diagnostic: &Diagnostic) -> Self {
        Self {
            message: message(diagnostic),
            severity: severity(diagnostic),
            resource_ref: None,
            field: None,
            file: None,
            tags: None,
        }
    }

    fn at(
        place: &Place,
        entry: Option<(&Entry, Option<PinForm>)>,
        severity: &'static str,
        message: String,
    ) -> Self {
        let Object { api_version, kind, namespace, name, file } = (*place.object).clone();
        let rule = entry.and_then(|(entry, _)| match &entry.status {
            Status::Substituted(substitute, _) => Some(substitute.rule.clone()),
            _ => None,
        });
        Self {
            message,
            severity,
            resource_ref: Some(ResourceRef { api_version, kind, namespace, name }),
            field: Some(Field {
                path: place.path.to_string(),
                current_value: place.text().to_owned(),
                proposed_value: entry
                    .and_then(|(entry, form)| written(place, &entry.status, form?)),
            }),
            file,
            tags: entry.map(|(entry, _)| Tags { status: entry.status.word(), rule }),
        }
    }
}

/// The list with results: behind all that it has, or before the results that it has.
///
/// # Errors
/// The change could not be proved right; nothing may be written then.
pub fn with_results(list: &str, results: &[Outcome]) -> Result<String, Diagnostic> {
    if results.is_empty() {
        return Ok(list.to_owned());
    }
    let defect = |message: &str| {
        let message = format!("the results could not be added: {message}");
        Diagnostic::error(Failure::Input, message)
            .help("this is a defect of digestif, please report it with this list")
    };
    let source = Source::new(Origin::Stdin, list.as_bytes().to_vec())?;
    let edit = insertion(&source, &results.iter().map(json).collect::<Vec<_>>())
        .ok_or_else(|| defect("there is no place for them"))?;
    let edits = Edits::new(vec![edit]).expect("one edit does not overlap another");
    let text = splice::apply(&source, &edits).map_err(|(message, _)| defect(&message))?;
    Ok(text.into_owned())
}

/// A result as one line of JSON, which is YAML too; without the characters that YAML wants escaped.
fn json(result: &Outcome) -> String {
    let text = serde_json::to_string(result).expect("keys are strings");
    let text = redacted(&text);
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    let escaped =
        |c: char| if is_plain(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    text.chars().map(escaped).collect()
}

/// The edit that puts results, each as a line of JSON, into a list.
fn insertion(source: &Source, items: &[String]) -> Option<Edit> {
    let (document, root) = super::list(source).ok()?;
    let list = source.text();
    let values: Vec<Value> =
        items.iter().map(|item| serde_json::from_str(item).ok()).collect::<Option<_>>()?;
    // Comments at the end are not in the document's own span, and results go behind them.
    let whole = Span::new(document.span().start, list.len());
    let edit = |span, insert, changes| Some(Edit::of_tree(whole, span, insert, changes));
    let flow = items.join(", ");
    let Some((key, found)) = document.own_entry(root, "results") else {
        let span = document.node(root).span;
        let entry = vec!["results".into(), Value::Array(values)];
        if list[span.start..].starts_with('{') {
            let end = span.end - 1;
            let comma = if list[..end].trim_end().ends_with(',') { "" } else { ", " };
            let insert = format!("{comma}\"results\": [{flow}]");
            return edit(Span::new(end, end), insert, vec![TreeChange::Append(root, entry)]);
        }
        let (span, insert) = beside_the_rest(list, span.start, items);
        let first = document.entries(root).first().map(|(key, _)| *key);
        let is_first = first.filter(|&key| document.node(key).span.start >= span.start);
        let change = match is_first {
            Some(key) => TreeChange::Insert(key, entry),
            None => TreeChange::Append(root, entry),
        };
        return edit(span, insert, vec![change]);
    };
    let node = document.node(found);
    let at = node.span;
    let replaced = |values| {
        vec![TreeChange::Remove(found), TreeChange::Insert(found, vec![Value::Array(values)])]
    };
    match &node.content {
        Content::Sequence(old) => {
            let change = match old.first() {
                Some(&first) => TreeChange::Insert(first, values),
                None => TreeChange::Append(found, values),
            };
            if list[at.start..].starts_with('[') {
                let comma = if old.is_empty() { "" } else { ", " };
                let span = Span::new(at.start + 1, at.start + 1);
                return edit(span, format!("{flow}{comma}"), vec![change]);
            }
            // The first that is no comment behind the key: the dash of the first item.
            let behind = document.node(key).span.end;
            let dash = behind + dash(&list[behind..])?;
            let indent = " ".repeat(source.position(dash).column - 1);
            let lines = items.iter().map(|item| format!("- {item}\n{indent}")).collect();
            edit(Span::new(dash, dash), lines, vec![change])
        }
        // Nothing, which may be written as `null`, or not at all.
        Content::Scalar { string: false, .. } if at.start < at.end => {
            edit(at, format!("[{flow}]"), replaced(values))
        }
        Content::Scalar { string: false, .. } => {
            let end = document.node(key).span.end;
            let colon = end + list[end..].find(':')? + 1;
            edit(Span::new(colon, colon), format!(" [{flow}]"), replaced(values))
        }
        _ => None,
    }
}

/// The end of a block mapping that is the whole of a text, and the results as its last key. Where
/// the last line is not ended, a line break might become a part of a value: they come first then.
fn beside_the_rest(list: &str, start: usize, items: &[String]) -> (Span, String) {
    let line = list[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent = " ".repeat(list[line..start].chars().filter(|c| *c == ' ').count());
    let items: String = items.iter().map(|item| format!("{indent}- {item}\n")).collect();
    let end = end_of(list, start);
    if !list[..end].ends_with('\n') {
        return (Span::new(start, start), format!("results:\n{items}{indent}"));
    }
    (Span::new(end, end), format!("{indent}results:\n{items}"))
}

/// The end of a document's own text: before a line that ends it or begins another.
fn end_of(list: &str, start: usize) -> usize {
    let mut at = start;
    for line in list[start..].split_inclusive('\n') {
        if line.starts_with("...") || line.starts_with("---") && at > start {
            return at;
        }
        at += line.len();
    }
    list.len()
}

/// The first dash of a list, with comments before it or not.
fn dash(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default();
        if let Some(found) =
            code.find("- ").or_else(|| code.trim_end().strip_suffix('-').map(str::len))
        {
            return Some(at + found);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str =
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- kind: A\n";

    fn outcome() -> Outcome {
        let diagnostic = Diagnostic::warning("a \"b\"\u{85}".to_owned());
        Outcome::general(&diagnostic)
    }

    #[test]
    fn results_go_where_the_list_has_a_place_for_them() {
        let result = r#"{"message":"a \"b\"\u0085","severity":"warning"}"#;
        for (list, expected) in [
            (LIST.to_owned(), format!("{LIST}results:\n- {result}\n")),
            (LIST.trim_end().to_owned(), format!("results:\n- {result}\n{}", LIST.trim_end())),
            (format!("{LIST}data: |+\n  a"), format!("results:\n- {result}\n{LIST}data: |+\n  a")),
            (format!("{LIST}...\n"), format!("{LIST}results:\n- {result}\n...\n")),
            (format!("---\n{LIST}# end\n"), format!("---\n{LIST}# end\nresults:\n- {result}\n")),
            (
                format!("{LIST}results:\n- message: old\nother: 1\n"),
                format!("{LIST}results:\n- {result}\n- message: old\nother: 1\n"),
            ),
            (
                format!("{LIST}results:\n  - message: old\n"),
                format!("{LIST}results:\n  - {result}\n  - message: old\n"),
            ),
            (
                format!("{LIST}results:\n- # a - comment\n  message: old\n"),
                format!("{LIST}results:\n- {result}\n- # a - comment\n  message: old\n"),
            ),
            (
                format!("{LIST}results: # a - b\n- &a-b\n  message: old\n"),
                format!("{LIST}results: # a - b\n- {result}\n- &a-b\n  message: old\n"),
            ),
            (format!("{LIST}---\n"), format!("{LIST}results:\n- {result}\n---\n")),
            (format!("{LIST}...\n# c\n"), format!("{LIST}results:\n- {result}\n...\n# c\n")),
            (format!("{LIST}results: []\n"), format!("{LIST}results: [{result}]\n")),
            (format!("{LIST}results:\n"), format!("{LIST}results: [{result}]\n")),
            (format!("{LIST}results: null\n"), format!("{LIST}results: [{result}]\n")),
            (
                format!("{LIST}results: [{{message: old}}]\n"),
                format!("{LIST}results: [{result}, {{message: old}}]\n"),
            ),
            (
                r#"{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": []}"#
                    .to_owned(),
                format!(
                    r#"{{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [], "results": [{result}]}}"#
                ),
            ),
            (
                format!("{LIST}functionConfig:\n  data: |+\n    a\n\n"),
                format!("{LIST}functionConfig:\n  data: |+\n    a\n\nresults:\n- {result}\n"),
            ),
            (
                "  apiVersion: config.kubernetes.io/v1\n  kind: ResourceList\n  items: []\n"
                    .to_owned(),
                format!(
                    "  apiVersion: config.kubernetes.io/v1\n  kind: ResourceList\n  items: []\n  results:\n  - {result}\n"
                ),
            ),
        ] {
            assert_eq!(
                with_results(&list, &[outcome()]).unwrap_or_else(|e| e.message),
                expected,
                "{list}"
            );
        }
        assert_eq!(with_results(LIST, &[]).expect("nothing to add"), LIST);
    }

    #[test]
    fn nothing_is_given_out_that_would_change_another_value() {
        assert!(with_results(&format!("{LIST}results: text\n"), &[outcome()]).is_err());
    }
}
