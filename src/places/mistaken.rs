//! Files that people take for manifests: what they are, and the command that makes manifests of them.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::text::Source;
use crate::text::path::slashed;
use crate::text::yaml::{Content, Document, NodeId, documents};

/// A file that is no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A template of a Helm chart.
    Template,
    /// `Chart.yaml`.
    Chart,
    /// Values for a Helm chart.
    Values,
    /// A file for Docker Compose.
    Compose,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Template => "this is a template of a Helm chart",
            Self::Chart => "this is the `Chart.yaml` of a Helm chart",
            Self::Values => "these are values for a Helm chart",
            Self::Compose => "this is a Compose file",
        }
    }

    /// The command that makes manifests of a file with this path.
    fn command(self, path: Option<&Path>) -> String {
        let folder = path.and_then(|path| match self {
            Self::Template => path.ancestors().find(|path| path.ends_with("templates"))?.parent(),
            Self::Chart => path.parent(),
            Self::Values | Self::Compose => None,
        });
        let folder = match folder {
            Some(folder) if folder.as_os_str().is_empty() => ".".to_owned(),
            Some(folder) => slashed(folder),
            None => "CHART".to_owned(),
        };
        match self {
            Self::Template | Self::Chart => {
                format!("render it: `helm template NAME {folder} | digestif`")
            }
            Self::Values => {
                format!(
                    "render the chart with them: `helm template NAME {folder} --values FILE | digestif`; or pin the images in the values themselves with `--include values`"
                )
            }
            Self::Compose => "convert it: `kompose convert --stdout | digestif`".to_owned(),
        }
    }
}

const TEMPLATE: &str = "a template is not a manifest";

/// True for the error of a template.
pub(super) fn is_template(error: &Diagnostic) -> bool {
    error.message == TEMPLATE
}

/// Names the file in an error that ended its reading, if it is a template.
pub(super) fn explain_syntax_error(source: &Source, error: Diagnostic) -> Diagnostic {
    let Some(Location::Source { span, .. }) = error.locations.first() else { return error };
    // The parser may notice what is wrong at the start of the next line.
    let (lines, _) = source.lines_of(*span);
    let before = source.text()[..lines.start].trim_end().rsplit('\n').next().unwrap_or_default();
    if !source.slice(lines).contains("{{") && !before.contains("{{") {
        return error;
    }
    let reason = error.message;
    let explained = Diagnostic::error(Failure::Input, TEMPLATE.to_owned());
    explained
        .of(RuleId::Yaml)
        .locations(error.locations)
        .note("note", Kind::Template.name())
        .note("note", reason)
        .help(Kind::Template.command(source.origin().path()))
}

/// Names the file in the error for input without any object, if all of it is one such file.
#[must_use]
pub fn explain_no_object(sources: &[Source], error: Diagnostic) -> Option<Diagnostic> {
    let [source] = sources else { return None };
    let document = documents(source, 0).next()?.ok()?;
    let path = source.origin().path();
    let kind = kind(&document, document.root()?, path)?;
    Some(error.note("note", kind.name()).help(kind.command(path)))
}

fn kind(document: &Document<'_>, root: NodeId, path: Option<&Path>) -> Option<Kind> {
    let has = |key| document.value(root, key).is_some();
    let is_chart = matches!(document.string_at(root, &["apiVersion"]), Some("v1" | "v2"));
    if is_chart && has("name") && has("version") {
        return Some(Kind::Chart);
    }
    let services = document.value(root, "services").map(|services| document.entries(services));
    let is_service = |&(_, service): &(NodeId, NodeId)| {
        ["image", "build"].iter().any(|key| document.value(service, key).is_some())
    };
    if services.is_some_and(|services| services.iter().any(is_service)) {
        return Some(Kind::Compose);
    }
    let name = path.and_then(|path| path.file_stem()?.to_str());
    let is_mapping = matches!(document.node(root).content, Content::Mapping { .. });
    let is_values = name.is_some_and(|name| name.starts_with("values") || name.ends_with("values"));
    (is_values && is_mapping).then_some(Kind::Values)
}
