//! Fields: where custom resources keep their images, by the built-in table and by configuration.
//!
//! The table is `fields.csv`, one field a line, each with its source. Its paths, and those of a
//! configuration, are written as kustomize's field specs are (kustomize, `api/types/fieldspec.go`):
//! keys between slashes, `\/` for a slash in a key, lists gone through by themselves, with `[]` or
//! without. `*` stands for every key of a mapping.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::text::yaml::{Content, Document, NodeId};

/// The table as it is kept, header and all.
pub const TABLE: &str = include_str!("fields.csv");

/// A field of a kind of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The API group; empty for every group where a configuration says it, and for none in the
    /// table, which has no field of the core group.
    pub group: String,
    /// The API version; empty for every version.
    pub version: String,
    /// The kind; empty for every kind.
    pub kind: String,
    /// The way to it from the object's root.
    pub path: FieldPath,
    /// Whether it is pinned, or reported only.
    pub pin: bool,
}

impl Field {
    /// Whether objects of this group, version and kind have the field.
    #[must_use]
    pub fn is_of(&self, group: &str, version: &str, kind: &str) -> bool {
        let fits = |want: &str, is: &str| want.is_empty() || want == is;
        fits(&self.group, group) && fits(&self.version, version) && fits(&self.kind, kind)
    }
}

/// The way to a field from the root of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Vec<String>);

impl std::str::FromStr for FieldPath {
    type Err = String;

    /// Reads a path of a field spec.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = vec![String::new()];
        let mut parts = text.strip_prefix('/').unwrap_or(text).split('/').peekable();
        while let Some(part) = parts.next() {
            let key = keys.last_mut().expect("one is there from the start");
            match part.strip_suffix('\\') {
                Some(part) if parts.peek().is_some() => key.extend([part, "/"]),
                _ => {
                    key.push_str(part);
                    keys.extend(parts.peek().map(|_| String::new()));
                }
            }
        }
        let bare = |key: String| key.strip_suffix("[]").map_or(key.clone(), str::to_owned);
        let keys: Vec<_> = keys.into_iter().map(bare).collect();
        if keys.iter().any(String::is_empty) {
            return Err("a key of the path is empty".to_owned());
        }
        Ok(Self(keys))
    }
}

impl FieldPath {
    /// Every node at the end of the path, as it is written: a value or an alias of one. `passed` is
    /// told each node on the way, aliases unfollowed.
    pub(super) fn ends(
        &self,
        document: &Document<'_>,
        root: NodeId,
        mut passed: impl FnMut(NodeId),
    ) -> Vec<NodeId> {
        let mut open = vec![root];
        for key in &self.0 {
            let holders = unlisted(document, open, &mut passed);
            open = Vec::new();
            for holder in holders {
                if key == "*" {
                    let mappings = document.with_merged(holder);
                    open.extend(mappings.flat_map(|mapping| {
                        document.entries(mapping).iter().map(|&(_, value)| value)
                    }));
                } else {
                    open.extend(document.values(holder, key));
                }
            }
        }
        unlisted(document, open, &mut passed)
    }
}

/// The nodes with the items of lists in the stead of the lists, each once, however many aliases
/// lead to it. Aliases of a text are nodes of their own: it may be no image where it stands.
fn unlisted(
    document: &Document<'_>,
    nodes: Vec<NodeId>,
    passed: &mut impl FnMut(NodeId),
) -> Vec<NodeId> {
    let mut open = nodes;
    open.reverse();
    let mut seen = HashSet::new();
    let mut ends = Vec::new();
    while let Some(node) = open.pop() {
        passed(node);
        let target = document.target(node);
        let content = &document.node(target).content;
        let is_text = matches!(content, Content::Scalar { .. });
        if !seen.insert(if is_text { node } else { target }) {
            continue;
        }
        match content {
            Content::Sequence(items) => open.extend(items.iter().rev()),
            _ => ends.push(node),
        }
    }
    ends
}

/// What stands in a field of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A reference.
    Reference,
    /// A reference whose tag the operator reads: there has to be one.
    Tagged,
    /// A reference that means another tag than `latest` where it has none.
    Versioned,
    /// A reference behind `docker://` or `oci://`.
    Url,
    /// A mapping with a reference in `name`, where its `kind` is `DockerImage` (OpenShift).
    DockerImage,
    /// A mapping with a reference in several fields.
    Parts(&'static str, PartsPin),
    /// A reference that no one but a controller, or no one at all, should change.
    Reported,
    /// No image.
    SkipReason,
}

/// How a reference in several fields is pinned, so that it stays valid for its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartsPin {
    /// With the digest behind the last field: `1.0@sha256:…`.
    Behind,
    /// With the digest in the stead of the last field: `sha256:…`.
    Instead,
    /// Not at all.
    Never,
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) version: &'static str,
    pub(super) path: FieldPath,
    pub(super) form: Form,
    /// Why it is left alone or only reported, and what is special about it.
    pub(super) note: &'static str,
}

/// Groups with their kinds, and these with their rows.
type Table = HashMap<&'static str, HashMap<&'static str, Vec<Row>>>;

/// The rows for a group and kind, in the order of the table. Read once, and only where an object
/// has a group that may be in it.
pub(super) fn rows(group: &str, kind: &str) -> &'static [Row] {
    static ROWS: LazyLock<Table> = LazyLock::new(|| {
        let mut table = Table::new();
        for line in TABLE.lines().skip(1) {
            let ((group, kind), row) = row(line).expect("the tests read every line");
            table.entry(group).or_default().entry(kind).or_default().push(row);
        }
        table
    });
    // OpenShift's kinds were in no group at first.
    let group = match (group, kind) {
        ("", "ImageStream") => "image.openshift.io",
        ("", "BuildConfig") => "build.openshift.io",
        _ => group,
    };
    if !group.contains('.') {
        return &[];
    }
    ROWS.get(group).and_then(|kinds| kinds.get(kind)).map_or(&[], Vec::as_slice)
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
        "parts-tag" => Form::Parts(join, PartsPin::Behind),
        "parts-digest" => Form::Parts(join, PartsPin::Instead),
        "reported" => Form::Reported,
        "left" => Form::SkipReason,
        _ => return None,
    };
    Some(((group, kind), Row { version, path: path.parse().ok()?, form, note }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_kustomize_reads_it() {
        for (text, keys) in [
            ("spec/image", &["spec", "image"][..]),
            ("/spec/image", &["spec", "image"]),
            ("spec/items[]/image", &["spec", "items", "image"]),
            ("spec/images/*", &["spec", "images", "*"]),
            (r"metadata/annotations/acme.io\/image", &["metadata", "annotations", "acme.io/image"]),
            (r"a\/b\/c/d", &["a/b/c", "d"]),
            (r"a\", &[r"a\"]),
        ] {
            let path: FieldPath = text.parse().expect(text);
            assert_eq!(path.0, keys, "{text}");
        }
        for text in ["", "/", "spec//image", "spec/", "spec/[]"] {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
    }

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
            assert!(
                seen.insert((group, kind, columns[2], columns[3], columns[5])),
                "twice: {line}"
            );
            assert!(last <= line, "not in order: {line}");
            last = line;
        }
        assert!(seen.len() > 500, "the table has shrunk to {}", seen.len());
    }
}
