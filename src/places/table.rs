//! The table of fields of custom resources that are images: `fields.csv`, one field a line, each with
//! its source. Kinds that share a field stand in one line, with `|` between them. The table has no field
//! of the core group.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::fields::FieldPath;

/// The text of the table, with its header.
pub const TABLE: &str = include_str!("fields.csv");

/// The form of the value in a field of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A reference.
    Reference,
    /// A reference whose tag the operator reads: there has to be one.
    Tagged,
    /// A reference that means another tag than `latest` if it has none.
    Versioned,
    /// A reference after `docker://` or `oci://`.
    Url,
    /// A mapping with a reference in `name`, if its `kind` is `DockerImage` (OpenShift).
    DockerImage,
    /// A mapping with a reference in several fields.
    Parts(&'static str, PartsPin),
    /// A reference that only a controller should change, or nothing.
    Reported,
    /// No image.
    NoImage,
}

/// The way to pin a reference in several fields so that its operator can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartsPin {
    /// The digest is appended to the last field: `1.0@sha256:…`.
    Append,
    /// The digest replaces the last field: `sha256:…`.
    Replace,
    /// Never.
    Never,
}

/// A line of the table, for one of its kinds.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) version: &'static str,
    pub(super) path: FieldPath,
    pub(super) form: Form,
    /// The reason why it is not changed or only reported, or a note about it.
    pub(super) note: &'static str,
}

/// The lines of a group, and its kinds with their rows, which are made when the first object of the
/// group is found: a run meets few of the groups.
struct Group {
    lines: Vec<&'static str>,
    kinds: OnceLock<HashMap<&'static str, Vec<Row>>>,
}

impl Group {
    fn kinds(&self) -> &HashMap<&'static str, Vec<Row>> {
        self.kinds.get_or_init(|| {
            let mut table: HashMap<_, Vec<Row>> = HashMap::new();
            for line in &self.lines {
                let ((_, kinds), row) = row(line).expect("the tests read every line");
                for kind in kinds.split('|') {
                    table.entry(kind).or_default().push(row.clone());
                }
            }
            table
        })
    }
}

/// The lines of the table by their group.
static GROUPS: LazyLock<HashMap<&str, Group>> = LazyLock::new(|| {
    let lines: Vec<&str> = TABLE.lines().skip(1).collect();
    let group = |line: &&'static str| line.split(',').next().unwrap_or_default();
    let groups = lines.chunk_by(|a, b| group(a) == group(b));
    let groups = groups
        .map(|lines| (group(&lines[0]), Group { lines: lines.to_vec(), kinds: OnceLock::new() }));
    groups.collect()
});

/// The rows for a group and kind, in the order of the table.
pub(super) fn rows(group: &str, kind: &str) -> &'static [Row] {
    // OpenShift's kinds were in no group at first.
    let group = match (group, kind) {
        ("", "ImageStream") => "image.openshift.io",
        ("", "BuildConfig") => "build.openshift.io",
        _ => group,
    };
    if !group.contains('.') {
        return &[];
    }
    GROUPS.get(group).and_then(|group| group.kinds().get(kind)).map_or(&[], Vec::as_slice)
}

fn row(line: &'static str) -> Option<((&'static str, &'static str), Row)> {
    let columns: Vec<_> = line.split(',').collect();
    let [group, kind, version, path, form, join, _source, note] = columns[..] else { return None };
    let form = match form {
        "reference" => Form::Reference,
        "tagged" => Form::Tagged,
        "versioned" => Form::Versioned,
        "url" => Form::Url,
        "docker-image" => Form::DockerImage,
        "parts" => Form::Parts(join, PartsPin::Never),
        "parts-tag" => Form::Parts(join, PartsPin::Append),
        "parts-digest" => Form::Parts(join, PartsPin::Replace),
        "reported" => Form::Reported,
        "left" => Form::NoImage,
        _ => return None,
    };
    Some(((group, kind), Row { version, path: path.parse().ok()?, form, note }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_complete_in_order_and_there_once() {
        let mut last = "";
        let mut seen = HashSet::new();
        for line in TABLE.lines().skip(1) {
            let ((group, kind), row) = row(line).unwrap_or_else(|| panic!("not a row: {line}"));
            assert!(group.contains('.') && !kind.is_empty(), "{line}");
            let columns: Vec<_> = line.split(',').collect();
            assert!(!columns[6].is_empty(), "no source: {line}");
            assert_eq!(columns[5].is_empty(), !matches!(row.form, Form::Parts(..)), "{line}");
            let has_reason = matches!(row.form, Form::Reference) || !row.note.is_empty();
            assert!(has_reason, "no reason: {line}");
            for kind in kind.split('|') {
                let field = (group, kind, columns[2], columns[3], columns[5]);
                assert!(seen.insert(field), "twice: {line}");
            }
            assert!(last <= line, "not in order: {line}");
            last = line;
        }
        assert!(seen.len() > 1600, "the table has shrunk to {}", seen.len());
    }
}
