//! KRM function: framing around the pipeline for kustomize and kpt.
//!
//! A function gets one `ResourceList` on stdin and gives it back (KRM functions specification v1).
//! Owns what is beside the items: `functionConfig` is read as configuration here, `results` are
//! added by the room of that name. Every other byte stays as it came, as hosts match objects by what
//! stands in them.

mod results;

use std::time::Duration;

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::places;
use crate::resolve::Network;
use crate::settings::config::Config;
use crate::settings::reading;
use crate::settings::trust::{self, Owner};
use crate::text::escape::quoted;
use crate::text::splice::{self, Edit, Edits};
use crate::text::yaml::{self, Content, Document, NodeId};
use crate::text::{Origin, Source, Span};

use results::Slot;

pub use results::{Outcome, failures, results};

/// The kind of the one document.
const KIND: &str = "ResourceList";

/// The start of its `apiVersion` (KRM functions specification v1, 'apiVersion').
const GROUP: &str = "config.kubernetes.io/";

/// The input of a function, read once.
#[derive(Debug)]
pub struct Function<'s> {
    list: List<'s>,
    config: FunctionConfig,
    /// None if `results` has a value that is no list.
    slot: Option<Slot>,
}

/// The one document of a function's input.
#[derive(Debug)]
pub struct List<'s> {
    /// The document.
    pub document: Document<'s>,
    /// Its number in the source, from 1. Documents without content may be before it.
    pub number: usize,
    root: NodeId,
}

/// The configuration of a function, as it is written in the list.
#[derive(Debug)]
enum FunctionConfig {
    None,
    /// A `PinImages` at this span.
    PinImages(Span),
    /// The data of a `ConfigMap`.
    ConfigMap(Result<Vec<Entry>, Diagnostic>),
    /// Anything else.
    Wrong(Diagnostic),
}

/// An entry of a `ConfigMap`.
#[derive(Debug)]
struct Entry {
    key: String,
    value: String,
    /// The position of the key in the source.
    at: usize,
}

impl<'s> Function<'s> {
    /// Reads the input of a function; none if the sources are something else.
    #[must_use]
    pub fn of(sources: &'s [Source]) -> Option<Self> {
        match sources {
            // Most input is none, and need not be read twice to know it.
            [source] if *source.origin() == Origin::Stdin && source.text().contains(KIND) => {
                let list = list(source).ok()?;
                let slot = Slot::of(source, &list.document, list.root);
                let config = FunctionConfig::of(source, &list.document, list.root);
                Some(Self { list, config, slot })
            }
            _ => None,
        }
    }

    /// The list, as it was read.
    #[must_use]
    pub fn list(&self) -> &List<'s> {
        &self.list
    }

    /// The function's own configuration; an empty one if there is none.
    ///
    /// # Errors
    /// It is wrong, or sets what its owner must not set.
    pub fn config(&self, source: &Source, owner: Owner<'_>) -> Result<Config, Vec<Diagnostic>> {
        match &self.config {
            FunctionConfig::None => Ok(Config::default()),
            FunctionConfig::PinImages(span) => reading::read_function(source, *span, owner),
            FunctionConfig::ConfigMap(Ok(data)) => config_map(source, data, owner),
            FunctionConfig::ConfigMap(Err(error)) | FunctionConfig::Wrong(error) => {
                Err(vec![error.clone()])
            }
        }
    }

    /// The edit that adds results to the list; none if there are no results.
    ///
    /// # Errors
    /// There is no place for them.
    pub fn edit(&self, results: &[Outcome]) -> Result<Option<Edit>, Diagnostic> {
        match &self.slot {
            Some(slot) => Ok(slot.edit(results)),
            None if results.is_empty() => Ok(None),
            None => Err(not_added("there is no place for them")),
        }
    }

    /// The list with these results, and otherwise as it came.
    ///
    /// # Errors
    /// There is no place for them, or the change could not be proved right.
    pub fn with_results(&self, source: &Source, results: &[Outcome]) -> Result<String, Diagnostic> {
        let edits = Edits::new(self.edit(results)?.into_iter().collect());
        let edits = edits.expect("one edit does not overlap another");
        let text =
            splice::apply(source, &edits, &[]).map_err(|(message, _)| not_added(&message))?;
        Ok(text.into_owned())
    }
}

fn not_added(reason: &str) -> Diagnostic {
    Diagnostic::error(Failure::Input, format!("the results could not be added: {reason}"))
        .help("this is a defect of digestif, please report it with this list")
}

/// Reads the one document of a function's input.
///
/// # Errors
/// The reason why the source is no input of a function.
pub fn list(source: &Source) -> Result<List<'_>, Diagnostic> {
    let none = |at: Option<usize>, reason: &str| {
        let error = Diagnostic::error(
            Failure::Input,
            format!("this is not the input of a function: {reason}"),
        );
        let error = error.help("a function gets one `ResourceList` of `config.kubernetes.io/v1` from kustomize or kpt; for anything else, leave out `fn`");
        match at {
            Some(at) => error.location(position(source, at)),
            None => error.location(Location::File(source.origin().display_name())),
        }
    };
    let numbered = (1..).zip(yaml::documents(source, 0));
    let mut documents = numbered.filter_map(|(number, document)| match document {
        Ok(document) => document.root().is_some().then_some(Ok((number, document))),
        Err(error) => Some(Err(error)),
    });
    let Some((number, document)) = documents.next().transpose()? else {
        return Err(none(None, "it is empty"));
    };
    if let Some((_, other)) = documents.next().transpose()? {
        return Err(none(Some(other.span().start), "it has more than one document"));
    }
    let root = document.root().expect("documents without one are left out");
    let start = Some(document.node(root).span.start);
    if document.string_at(root, &["kind"]) != Some(KIND) {
        return Err(none(start, "it is not a `ResourceList`"));
    }
    let version = document.string_at(root, &["apiVersion"]);
    if !version.is_some_and(|version| version.starts_with(GROUP)) {
        return Err(none(start, "its `apiVersion` is not `config.kubernetes.io/v1`"));
    }
    if places::is_from_helm_4(&document, root) {
        return Err(none(start, "Helm 4 made it"));
    }
    Ok(List { document, number, root })
}

impl FunctionConfig {
    fn of(source: &Source, document: &Document<'_>, root: NodeId) -> Self {
        let Some(node) = document.value(root, "functionConfig") else { return Self::None };
        let target = document.node(document.target(node));
        let kind = document.string_at(node, &["kind"]);
        let found = match (&target.content, kind) {
            (Content::Mapping { .. }, Some("PinImages")) => return Self::PinImages(target.span),
            (Content::Mapping { .. }, Some("ConfigMap")) => {
                return Self::ConfigMap(entries(source, document, node));
            }
            (Content::Scalar { text, string: false, .. }, _)
                if matches!(&**text, "" | "~" | "null") =>
            {
                return Self::None;
            }
            (_, Some(kind)) => quoted(kind),
            (Content::Mapping { .. }, None) => "without a kind".to_owned(),
            (Content::Sequence(_), None) => "a list".to_owned(),
            _ => "a text".to_owned(),
        };
        let message = format!("`functionConfig` is {found}, not a `PinImages` or `ConfigMap`");
        Self::Wrong(
            Diagnostic::error(Failure::Usage, message)
                .location(position(source, target.span.start))
                .help("give it `apiVersion: digestif.dev/v1alpha1` and `kind: PinImages`"),
        )
    }
}

/// A position without its line, which may hold a secret of another object.
fn position(source: &Source, at: usize) -> Location {
    Location::Position(source.origin().display_name(), source.position(at))
}

/// The data of a `ConfigMap`, which kpt makes of `key=value` arguments.
fn entries(
    source: &Source,
    document: &Document<'_>,
    node: NodeId,
) -> Result<Vec<Entry>, Diagnostic> {
    let data = document.value(node, "data");
    if let Some(data) = data
        && !matches!(document.node(document.target(data)).content, Content::Mapping { .. })
        && document.string(data).is_some_and(|text| !text.is_empty())
    {
        let at = document.node(data).span.start;
        return Err(wrong_value(source, at, "`data` is not a mapping"));
    }
    let text = |id: NodeId| match &document.node(document.target(id)).content {
        Content::Scalar { text, .. } => Some(text.clone().into_owned()),
        _ => None,
    };
    let written = data.map_or(&[][..], |data| document.entries(data));
    let entry = |&(key, value): &(NodeId, NodeId)| {
        let at = document.node(key).span.start;
        match (text(key), text(value)) {
            (Some(key), Some(value)) => Ok(Entry { key, value, at }),
            _ => Err(wrong_value(source, at, "the values in the data of a ConfigMap are strings")),
        }
    };
    written.iter().map(entry).collect()
}

fn config_map(
    source: &Source,
    data: &[Entry],
    owner: Owner<'_>,
) -> Result<Config, Vec<Diagnostic>> {
    for Entry { key, at, .. } in data {
        if let Some(message) = owner.refused(key) {
            return Err(vec![wrong_value(source, *at, &message).help(trust::HOW_TO_TRUST)]);
        }
    }
    let texts: Vec<_> = data.iter().map(|entry| (&*entry.key, &*entry.value)).collect();
    crate::settings::data::from_data(&texts).map_err(|wrong| {
        let diagnostic = |(n, message): (usize, String)| {
            wrong_value(source, data.get(n).map_or(0, |entry| entry.at), &message)
        };
        wrong.into_iter().map(diagnostic).collect()
    })
}

fn wrong_value(source: &Source, at: usize, message: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the configuration is wrong: {message}"))
        .of(RuleId::Config)
        .location(position(source, at))
        .help("every value is a string: a list has one value per line, deeper structures are YAML in the string")
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
