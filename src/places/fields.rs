//! Fields that a configuration names, and the paths of fields.
//!
//! A path is written as in kustomize's field specs (kustomize, `api/types/fieldspec.go`): keys
//! between slashes, `\/` for a slash in a key. A list is searched item by item, with `[]` or without.
//! `*` stands for every key of a mapping.

use std::collections::HashSet;

use crate::text::yaml::{Content, Document, NodeId};

/// A field of a kind of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The API group; empty for every group.
    pub group: String,
    /// The API version; empty for every version.
    pub version: String,
    /// The kind; empty for every kind.
    pub kind: String,
    /// The path from the object's root.
    pub path: FieldPath,
    /// True if it is pinned; false if it is only reported.
    pub pin: bool,
}

impl Field {
    /// True if objects of this group, version and kind have the field.
    #[must_use]
    pub fn is_of(&self, group: &str, version: &str, kind: &str) -> bool {
        let matches = |want: &str, is: &str| want.is_empty() || want == is;
        matches(&self.group, group) && matches(&self.version, version) && matches(&self.kind, kind)
    }
}

/// The path of a field from the root of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Vec<String>);

impl std::str::FromStr for FieldPath {
    type Err = String;

    /// Reads a path of a field spec.
    ///
    /// # Errors
    /// A key of the path is empty.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = vec![String::new()];
        let mut parts = text.strip_prefix('/').unwrap_or(text).split('/').peekable();
        while let Some(part) = parts.next() {
            let key = keys.last_mut().expect("the list starts with one key");
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
    /// Every node at the end of the path, as it is written: a value or an alias. `passed` is called
    /// with each node on the way, before its alias is followed.
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

/// Replaces each list by its items. Each node is given once, although many aliases may lead to it.
/// Each alias of a text is given, because the text may be an image in one place only.
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
}
