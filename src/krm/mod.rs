//! KRM function: framing around the pipeline for kustomize and kpt.
//!
//! A function gets one `ResourceList` on stdin and gives it back (KRM functions specification v1).
//! Owns what is beside the items: `functionConfig` is read as configuration here, `results` are
//! added by the room of that name. Every other byte stays as it came, as hosts match objects by what
//! stands in them.

mod results;

use std::time::Duration;

use crate::diagnostic::{Diagnostic, Failure, Location};
use crate::resolve::Network;
use crate::settings::config::Config;
use crate::settings::reading;
use crate::text::Source;
use crate::text::escape::quoted;
use crate::text::yaml::{self, Content, Document, NodeId};

pub use results::{Outcome, failures, results, with_results};

/// The kind of the one document.
const KIND: &str = "ResourceList";

/// True if a source is the input of a function.
#[must_use]
pub fn is_function(source: &Source) -> bool {
    // Most input is none, and need not be read twice to know it.
    source.text().contains(KIND)
        && first_document(source)
            .is_some_and(|document| document.is_ok_and(|document| root(&document).is_some()))
}

fn root(document: &Document<'_>) -> Option<NodeId> {
    document.root().filter(|&root| document.string_at(root, &["kind"]) == Some(KIND))
}

/// What `functionConfig` says; nothing where there is none.
///
/// # Errors
/// It is wrong, or the list is not the only document.
pub fn config(source: &Source) -> Result<Config, Vec<Diagnostic>> {
    let document = only_document(source).map_err(|error| vec![error])?;
    let root = root(&document).expect("it was found to be a function's");
    let Some(node) = document.value(root, "functionConfig") else { return Ok(Config::default()) };
    let span = document.node(document.target(node)).span;
    let kind = document.string_at(node, &["kind"]);
    match (&document.node(document.target(node)).content, kind) {
        (Content::Mapping { .. }, Some("PinImages")) => reading::read_function(source, span),
        (Content::Mapping { .. }, Some("ConfigMap")) => config_map(source, &document, node),
        (Content::Scalar { text, string: false, .. }, _)
            if matches!(&**text, "" | "~" | "null") =>
        {
            Ok(Config::default())
        }
        (_, kind) => {
            let kind = match (&document.node(document.target(node)).content, kind) {
                (_, Some(kind)) => quoted(kind),
                (Content::Mapping { .. }, None) => "without a kind".to_owned(),
                (Content::Sequence(_), None) => "a list".to_owned(),
                _ => "a text".to_owned(),
            };
            let message = format!("`functionConfig` is {kind}, not a `PinImages` or `ConfigMap`");
            Err(vec![
                Diagnostic::error(Failure::Usage, message)
                    .location(position(source, span.start))
                    .help("give it `apiVersion: digestif.dev/v1alpha1` and `kind: PinImages`"),
            ])
        }
    }
}

/// A position without its line, which may hold a secret of another object.
fn position(source: &Source, at: usize) -> Location {
    Location::Position(source.origin().display_name(), source.position(at))
}

/// The first document in which there is something.
fn first_document(source: &Source) -> Option<Result<Document<'_>, Diagnostic>> {
    let is_something = |document: &Result<Document<'_>, _>| {
        document.as_ref().map_or(true, |document| document.root().is_some())
    };
    yaml::documents(source, 0).find(is_something)
}

fn only_document(source: &Source) -> Result<Document<'_>, Diagnostic> {
    let first = first_document(source).expect("it was found to be a function's")?;
    let behind = |document: &Result<Document<'_>, _>| {
        document.as_ref().map_or(true, |document| document.span().start >= first.span().end)
    };
    let mut documents = yaml::documents(source, 0).filter(behind);
    match documents.find(|document| document.as_ref().map_or(true, |d| d.root().is_some())) {
        None => Ok(first),
        Some(Err(error)) => Err(error),
        Some(Ok(other)) => {
            let start = other.span().start;
            let message = "a `ResourceList` has to be the only document".to_owned();
            Err(Diagnostic::error(Failure::Input, message)
                .location(position(source, start))
                .help("look at what the host or the pipe puts behind it"))
        }
    }
}

/// The data of a `ConfigMap`, which kpt makes of `key=value` arguments.
fn config_map(
    source: &Source,
    document: &Document<'_>,
    node: NodeId,
) -> Result<Config, Vec<Diagnostic>> {
    let data = document.value(node, "data");
    if let Some(data) = data
        && !matches!(document.node(document.target(data)).content, Content::Mapping { .. })
        && document.string(data).is_some_and(|text| !text.is_empty())
    {
        let at = document.node(data).span.start;
        return Err(vec![wrong_value(source, at, "`data` is no mapping")]);
    }
    let written = data.map_or(&[][..], |data| document.entries(data));
    let text = |id: NodeId| match &document.node(document.target(id)).content {
        Content::Scalar { text, .. } => Some(&**text),
        _ => None,
    };
    let mut entries = Vec::new();
    for &(key, value) in written {
        let (Some(name), Some(value)) = (text(key), text(value)) else {
            let at = document.node(key).span.start;
            return Err(vec![wrong_value(source, at, "the data of a ConfigMap are texts")]);
        };
        entries.push((name, value));
    }
    crate::settings::data::from_data(&entries).map_err(|wrong| {
        let diagnostic = |(n, message): (usize, String)| {
            let at = written.get(n).map_or(0, |(key, _)| document.node(*key).span.start);
            wrong_value(source, at, &message)
        };
        wrong.into_iter().map(diagnostic).collect()
    })
}

fn wrong_value(source: &Source, at: usize, message: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the configuration is wrong: {message}"))
        .location(position(source, at))
        .help("every value is a text: lists have one value a line, deeper ones are YAML in it")
}

/// Keeps a run from waiting for what can't be reached: without any network, a look-up of a name
/// takes its full time, and so does every retry.
pub fn expect_no_network(network: &mut Network) {
    const LONG_ENOUGH: Duration = Duration::from_secs(2);
    if let Network::Online { registries, .. } = network
        && !has_route()
    {
        registries.retries = 0;
        registries.timeout = registries.timeout.min(LONG_ENOUGH);
    }
}

/// Puts one message in the place of one an image, where no registry can be reached as there is no
/// network at all: containers have none unless it is asked for.
pub fn explain_no_network(diagnostics: &mut Vec<Diagnostic>) {
    let is_unreachable = |d: &Diagnostic| d.failure() == Some(Failure::Unavailable);
    if !diagnostics.iter().any(is_unreachable) || has_route() {
        return;
    }
    let (cut_off, rest): (Vec<_>, Vec<_>) = diagnostics.drain(..).partition(is_unreachable);
    let message = "no registry can be reached: this function runs without network".to_owned();
    let mut error = Diagnostic::error(Failure::Unavailable, message).help(
        "kustomize: write `network: true` below `container:` in the annotation config.kubernetes.io/function, and add `--network`; kpt: add `--network` to `fn eval`, `--allow-network` to `fn render`",
    );
    error.locations = cut_off.into_iter().flat_map(|diagnostic| diagnostic.locations).collect();
    *diagnostics = rest;
    diagnostics.push(error);
}

/// True if anything but this machine can be reached, as Linux tells it (`proc_net(5)`); elsewhere
/// it counts as so.
fn has_route() -> bool {
    let rows = |path: &str| std::fs::read_to_string(path).ok();
    let Some(routes) = rows("/proc/net/route") else { return true };
    let routes_6 = rows("/proc/net/ipv6_route").unwrap_or_default();
    let beyond = |row: &str| row.split_whitespace().last().is_some_and(|device| device != "lo");
    routes.lines().count() > 1 || routes_6.lines().any(beyond)
}
