//! Results: what a function says of each image, and how that gets into its list (KRM functions
//! specification v1, `results`).
//!
//! They are added as one edit of the list.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::image::PinForm;
use crate::places::{File, Found, Object, Place};
use crate::plan::{Entry, Plan, Status, StatusWord};
use crate::text::escape::{is_plain, redacted};
use crate::text::splice::Edit;
use crate::text::yaml::{Content, Document, NodeId, TreeChange};
use crate::text::{Source, Span};
use crate::written;

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
pub fn results(found: &Found, plan: &Plan, form: PinForm, is_given: bool) -> Vec<Outcome> {
    let entries = plan.by_place(found.places.len());
    let at = |severity, message: String, n: usize| {
        let entry = entries[n].map(|entry: &Entry| (entry, is_given.then_some(form)));
        Outcome::at(&found.places[n], entry, severity, message)
    };
    let mut results = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        if let Some(Entry { name, status: Status::Pinned(pin), .. }) = entry
            && is_given
        {
            results.push(at("info", format!("pinned {name} to {}", pin.digest), n));
        }
    }
    for diagnostic in &found.diagnostics {
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

/// All that a diagnostic says, on one line. What is to be pasted needs its lines: stderr has it.
fn message(diagnostic: &Diagnostic) -> String {
    let fits = |(name, text): &&(&str, String)| *name != "rule" || !text.contains('\n');
    let notes =
        diagnostic.notes.iter().filter(fits).map(|(name, text)| format!("; {name}: {text}"));
    let help = diagnostic.help.iter().map(|help| format!("; help: {help}"));
    let rest: String = notes.chain(help).collect();
    format!("{}{rest}", diagnostic.message).replace('\n', ", ")
}

impl Outcome {
    fn general(diagnostic: &Diagnostic) -> Self {
        let at = diagnostic.locations.iter().find_map(|location| match location {
            Location::Position(file, at) => Some(format!("; at: {file}:{}:{}", at.line, at.column)),
            Location::File(file) => Some(format!("; at: {file}")),
            _ => None,
        });
        Self {
            message: message(diagnostic) + &at.unwrap_or_default(),
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
        let Object { api_version, kind, namespace, name, file, .. } = (*place.object).clone();
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

/// The place in a list where results are added: behind all that it has, or before the results that
/// it has.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    document: Span,
    span: Span,
    form: Form,
    target: Target,
}

/// The notation of results in a list.
#[derive(Debug, Clone)]
enum Form {
    /// An entry of a flow mapping, behind a comma if one is missing.
    FlowEntry { needs_comma: bool },
    /// An entry of a block mapping; the first one, or the last one.
    BlockEntry { indent: String, is_first: bool },
    /// Items of a flow sequence, before a comma if it has other items.
    FlowItems { needs_comma: bool },
    /// Items of a block sequence.
    BlockItems { indent: String },
    /// The value of a key, behind a space if there is no value yet.
    Value { needs_space: bool },
}

/// The node that gets the results.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// They become an entry of a mapping, before this key.
    EntryBefore(NodeId),
    /// They become the last entry of this mapping.
    LastEntry(NodeId),
    /// They become items before this one.
    ItemsBefore(NodeId),
    /// They become the items of this empty sequence.
    Items(NodeId),
    /// They replace this node, which has no content.
    Value(NodeId),
}

impl Slot {
    /// Finds the place in a list; none if `results` has a value that is no list.
    pub(super) fn of(source: &Source, document: &Document<'_>, root: NodeId) -> Option<Self> {
        let list = source.text();
        // Comments at the end are not in the document's own span, and results go behind them.
        let whole = Span::new(document.span().start, list.len());
        let slot = |span, form, target| Some(Self { document: whole, span, form, target });
        let Some((key, found)) = document.own_entry(root, "results") else {
            let start = document.node(root).span.start;
            if list[start..].starts_with('{') {
                let end = document.node(root).span.end - 1;
                let needs_comma = !list[..end].trim_end().ends_with(',');
                let form = Form::FlowEntry { needs_comma };
                return slot(Span::new(end, end), form, Target::LastEntry(root));
            }
            let line = list[..start].rfind('\n').map_or(0, |at| at + 1);
            let indent: String = list[line..start].chars().filter(|c| *c == ' ').collect();
            let end = end_of(list, start);
            // If the last line is not ended, a line break might become part of a value.
            let is_first = !list[..end].ends_with('\n');
            let at = if is_first { start } else { end };
            let target = match document.entries(root).first() {
                Some(&(first, _)) if is_first => Target::EntryBefore(first),
                _ => Target::LastEntry(root),
            };
            return slot(Span::new(at, at), Form::BlockEntry { indent, is_first }, target);
        };
        let at = document.node(found).span;
        match &document.node(found).content {
            Content::Sequence(items) => {
                let target = match items.first() {
                    Some(&first) => Target::ItemsBefore(first),
                    None => Target::Items(found),
                };
                if list[at.start..].starts_with('[') {
                    let span = Span::new(at.start + 1, at.start + 1);
                    return slot(span, Form::FlowItems { needs_comma: !items.is_empty() }, target);
                }
                // The first that is no comment behind the key: the dash of the first item.
                let behind = document.node(key).span.end;
                let dash = behind + dash(&list[behind..])?;
                let indent = " ".repeat(source.position(dash).column - 1);
                slot(Span::new(dash, dash), Form::BlockItems { indent }, target)
            }
            // Nothing, which may be written as `null`, or not at all.
            Content::Scalar { string: false, .. } if at.start < at.end => {
                slot(at, Form::Value { needs_space: false }, Target::Value(found))
            }
            Content::Scalar { string: false, .. } => {
                let end = document.node(key).span.end;
                let colon = end + list[end..].find(':')? + 1;
                let span = Span::new(colon, colon);
                slot(span, Form::Value { needs_space: true }, Target::Value(found))
            }
            _ => None,
        }
    }

    /// The edit that adds results to the list; none if there are no results.
    pub(super) fn edit(&self, results: &[Outcome]) -> Option<Edit> {
        if results.is_empty() {
            return None;
        }
        let items: Vec<_> = results.iter().map(json).collect();
        let values = items.iter().map(|item| serde_json::from_str(item).expect("it is JSON"));
        let changes = self.target.changes(values.collect());
        Some(Edit::of_tree(self.document, self.span, self.form.text(&items), changes))
    }
}

impl Form {
    /// The text of results, each of which is a line of JSON.
    fn text(&self, items: &[String]) -> String {
        let flow = items.join(", ");
        match self {
            Self::FlowEntry { needs_comma } => {
                format!("{}\"results\": [{flow}]", if *needs_comma { ", " } else { "" })
            }
            Self::BlockEntry { indent, is_first } => {
                let lines = items.iter().map(|item| format!("{indent}- {item}\n"));
                let lines: String = lines.collect();
                match is_first {
                    true => format!("results:\n{lines}{indent}"),
                    false => format!("{indent}results:\n{lines}"),
                }
            }
            Self::FlowItems { needs_comma } => flow + if *needs_comma { ", " } else { "" },
            Self::BlockItems { indent } => {
                items.iter().map(|item| format!("- {item}\n{indent}")).collect()
            }
            Self::Value { needs_space } => {
                format!("{}[{flow}]", if *needs_space { " " } else { "" })
            }
        }
    }
}

impl Target {
    /// The changes to the tree of the list.
    fn changes(self, values: Vec<Value>) -> Vec<TreeChange> {
        let entry = |values| vec!["results".into(), Value::Array(values)];
        match self {
            Self::EntryBefore(key) => vec![TreeChange::Insert(key, entry(values))],
            Self::LastEntry(root) => vec![TreeChange::Append(root, entry(values))],
            Self::ItemsBefore(first) => vec![TreeChange::Insert(first, values)],
            Self::Items(list) => vec![TreeChange::Append(list, values)],
            Self::Value(node) => {
                let value = vec![Value::Array(values)];
                vec![TreeChange::Remove(node), TreeChange::Insert(node, value)]
            }
        }
    }
}

/// A result as one line of JSON, which is YAML too; without the characters that YAML wants escaped.
fn json(result: &Outcome) -> String {
    let json = serde_json::to_string(result).expect("keys are strings");
    let json = redacted(&json);
    if is_plain(&json) {
        return json.into_owned();
    }
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{7f}'..='\u{9f}' | '\0'..='\u{1f}' => {
                write!(line, "\\u{:04x}", u32::from(c)).expect("a string takes all");
            }
            _ => line.push(c),
        }
    }
    line
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
    use crate::krm::Function;
    use crate::text::Origin;

    const LIST: &str =
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- kind: A\n";

    fn outcome() -> Outcome {
        let diagnostic = Diagnostic::warning("a \"b\"\u{85}".to_owned());
        Outcome::general(&diagnostic)
    }

    fn with_results(list: &str, results: &[Outcome]) -> Result<String, Diagnostic> {
        let source = Source::new(Origin::Stdin, list.as_bytes().to_vec()).expect("text");
        let sources = [source];
        let function = Function::of(&sources).expect("a list");
        function.with_results(&sources[0], results)
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
