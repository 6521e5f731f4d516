//! Fields that a configuration names, and the paths of fields.
//!
//! A path is written as in kustomize's field specs (kustomize, `api/types/fieldspec.go`): keys
//! between slashes, `\/` for a slash in a key. Or it is written as digestif prints paths: keys between
//! dots, `['acme.io/image']` for a key with other characters, and `[0]` for one item of a list. A list
//! is searched item by item, with `[]` or without. `*` stands for every key of a mapping.

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
pub struct FieldPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    /// Every key.
    Any,
    /// One item of a list.
    Item(usize),
}

impl Step {
    fn of(key: &str) -> Result<Self, String> {
        match key {
            "" => Err("a key of the path is empty".to_owned()),
            "*" => Ok(Self::Any),
            key => Ok(Self::Key(key.to_owned())),
        }
    }
}

impl std::str::FromStr for FieldPath {
    type Err = String;

    /// Reads a path of a field spec, or one that digestif prints.
    ///
    /// # Errors
    /// A key of the path is empty, or a bracket has no end.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_printed = !text.contains('/') || text.contains("['");
        let steps = if is_printed { printed(text) } else { field_spec(text) };
        steps.map(Self)
    }
}

/// The steps of a path with slashes between its keys.
fn field_spec(text: &str) -> Result<Vec<Step>, String> {
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
    keys.iter().map(|key| Step::of(key.strip_suffix("[]").unwrap_or(key))).collect()
}

/// The steps of a path with dots between its keys.
fn printed(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix("['") {
            let (key, after) = quoted.split_once("']").ok_or("a bracket of the path has no end")?;
            steps.push(Step::of(key)?);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::of(&rest[..end])?);
            rest = &rest[end..];
        }
        while let Some(item) = rest.strip_prefix('[').filter(|item| !item.starts_with('\'')) {
            let (item, after) = item.split_once(']').ok_or("a bracket of the path has no end")?;
            if !item.is_empty() {
                let n =
                    item.parse().map_err(|_| format!("`{item}` is not the number of an item"))?;
                steps.push(Step::Item(n));
            }
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(steps),
            None if rest.starts_with('[') => {}
            None => return Err(format!("a dot is missing before `{rest}`")),
        }
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(item) => write!(f, "[{item}]")?,
                Step::Any => write!(f, "{}*", if n == 0 { "" } else { "." })?,
                Step::Key(key) if key.contains(['.', '/', ' ']) => write!(f, "['{key}']")?,
                Step::Key(key) => write!(f, "{}{key}", if n == 0 { "" } else { "." })?,
            }
        }
        Ok(())
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
        for step in &self.0 {
            if let Step::Item(n) = step {
                for &list in &open {
                    passed(list);
                }
                let item = |list: NodeId| document.items(list).get(*n).copied();
                open = open.into_iter().filter_map(item).collect();
                continue;
            }
            let holders = unlisted(document, open, &mut passed);
            open = Vec::new();
            for holder in holders {
                if let Step::Key(key) = step {
                    open.extend(document.values(holder, key));
                } else {
                    let mappings = document.with_merged(holder);
                    open.extend(mappings.flat_map(|mapping| {
                        document.entries(mapping).iter().map(|&(_, value)| value)
                    }));
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
    let content = |node: NodeId| &document.node(document.target(node)).content;
    if let [node] = nodes[..]
        && !matches!(content(node), Content::Sequence(_))
    {
        passed(node);
        return nodes;
    }
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

    fn path(keys: &[&str]) -> FieldPath {
        let step = |key: &&str| match (*key, key.parse()) {
            ("*", _) => Step::Any,
            (_, Ok(n)) => Step::Item(n),
            (key, _) => Step::Key(key.to_owned()),
        };
        FieldPath(keys.iter().map(step).collect())
    }

    #[test]
    fn a_path_is_read_as_kustomize_writes_it_and_as_digestif_prints_it() {
        for (text, keys) in [
            ("spec/image", &["spec", "image"][..]),
            ("/spec/image", &["spec", "image"]),
            ("spec/items[]/image", &["spec", "items", "image"]),
            ("spec/images/*", &["spec", "images", "*"]),
            (r"metadata/annotations/acme.io\/image", &["metadata", "annotations", "acme.io/image"]),
            (r"a\/b\/c/d", &["a/b/c", "d"]),
            (r"a\", &[r"a\"]),
            ("spec/sparkConf/a.b", &["spec", "sparkConf", "a.b"]),
            ("spec.image", &["spec", "image"]),
            ("spec.items[1].image", &["spec", "items", "1", "image"]),
            ("spec.items[].image", &["spec", "items", "image"]),
            (
                "metadata.annotations['acme.io/image']",
                &["metadata", "annotations", "acme.io/image"],
            ),
            ("data['a.yaml'].b[0]['c d']", &["data", "a.yaml", "b", "0", "c d"]),
        ] {
            assert_eq!(text.parse(), Ok(path(keys)), "{text}");
        }
        for text in
            ["", "/", "spec//image", "spec/", "spec/[]", "spec.", ".spec", "a[b]", "a[0", "a[0]b"]
        {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
    }
}
