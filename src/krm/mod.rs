//! KRM function: framing around the pipeline for kustomize and kpt.
//!
//! A function gets one `ResourceList` on stdin and gives it back (KRM functions specification v1).
//! Owns what is beside the items: `functionConfig` is read as configuration here, `results` are
//! added by the room of that name. Every other byte stays as it came, as hosts match objects by what
//! stands in them.

mod results;

use std::time::Duration;

use crate::diagnostic::{Diagnostic, Failure, Location};
use crate::places;
use crate::resolve::Network;
use crate::settings::config::Config;
use crate::settings::reading;
use crate::settings::trust::{self, Owner};
use crate::text::Source;
use crate::text::escape::quoted;
use crate::text::yaml::{self, Content, Document, NodeId};

pub use results::{Outcome, failures, results, with_results};

/// The kind of the one document.
const KIND: &str = "ResourceList";

/// The start of its `apiVersion` (KRM functions specification v1, 'apiVersion').
const GROUP: &str = "config.kubernetes.io/";

/// True if a source is the input of a function.
#[must_use]
pub fn is_function(source: &Source) -> bool {
    // Most input is none, and need not be read twice to know it.
    source.text().contains(KIND) && list(source).is_ok()
}

/// The one document of a function's input, and its root.
///
/// # Errors
/// The reason why the source is no input of a function.
pub fn list(source: &Source) -> Result<(Document<'_>, NodeId), Diagnostic> {
    let none = |at: Option<usize>, reason: &str| {
        let error =
            Diagnostic::error(Failure::Input, format!("this is no function's input: {reason}"));
        let error = error.help("a function gets one `ResourceList` of `config.kubernetes.io/v1` from kustomize or kpt; for anything else, leave out `fn`");
        match at {
            Some(at) => error.location(position(source, at)),
            None => error.location(Location::File(source.origin().display_name())),
        }
    };
    let written = |document: &Result<Document<'_>, _>| {
        document.as_ref().map_or(true, |document| document.root().is_some())
    };
    let mut documents = yaml::documents(source, 0).filter(written);
    let Some(document) = documents.next().transpose()? else {
        return Err(none(None, "it is empty"));
    };
    if let Some(other) = documents.next().transpose()? {
        return Err(none(Some(other.span().start), "it has more than one document"));
    }
    let root = document.root().expect("documents without one are left out");
    let start = Some(document.node(root).span.start);
    if document.string_at(root, &["kind"]) != Some(KIND) {
        return Err(none(start, "it is no `ResourceList`"));
    }
    let version = document.string_at(root, &["apiVersion"]);
    if !version.is_some_and(|version| version.starts_with(GROUP)) {
        return Err(none(start, "its `apiVersion` is not `config.kubernetes.io/v1`"));
    }
    if places::is_from_helm_4(&document, root) {
        return Err(none(start, "Helm 4 made it"));
    }
    Ok((document, root))
}

/// What `functionConfig` says; nothing if there is none.
///
/// # Errors
/// It is wrong, or sets what its owner must not set.
pub fn config(source: &Source, owner: Owner<'_>) -> Result<Config, Vec<Diagnostic>> {
    let (document, root) = list(source).map_err(|error| vec![error])?;
    let Some(node) = document.value(root, "functionConfig") else { return Ok(Config::default()) };
    let span = document.node(document.target(node)).span;
    let kind = document.string_at(node, &["kind"]);
    match (&document.node(document.target(node)).content, kind) {
        (Content::Mapping { .. }, Some("PinImages")) => reading::read_function(source, span, owner),
        (Content::Mapping { .. }, Some("ConfigMap")) => config_map(source, &document, node, owner),
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

/// The data of a `ConfigMap`, which kpt makes of `key=value` arguments.
fn config_map(
    source: &Source,
    document: &Document<'_>,
    node: NodeId,
    owner: Owner<'_>,
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
        if let Some(message) = owner.refused(name) {
            let error = wrong_value(source, document.node(key).span.start, &message);
            return Err(vec![error.help(trust::HOW_TO_TRUST)]);
        }
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
