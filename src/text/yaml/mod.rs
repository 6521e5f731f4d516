//! YAML: text to documents of nodes with byte spans.
//!
//! Only this folder knows the parser. This file has the tree of a document. Its nodes are in one list,
//! so that depth costs no stack. `events` reads, `compare` compares two texts, `build` makes trees, `scalar` tells
//! strings from what only looks like one, `items` finds the lines of list items, `repair` makes the parser read what go-yaml reads. Nothing
//! here decides about images.
//!
//! Bounds: nesting is limited to a thousand levels, aliases are never expanded, and a document is
//! dropped before the next is read, so memory follows the largest document.

mod build;
mod compare;
mod events;
mod items;
mod repair;
mod scalar;

use std::borrow::Cow;

use crate::diagnostic::Diagnostic;
use crate::text::{Source, Span};

use build::Builder;
use events::{Events, SyntaxError};
use repair::{repaired, unseen_line_break, with_line_breaks};
use scalar::is_null;

pub use compare::{Difference, Expected, NewText, TreeChange, equal_but_for};
pub use items::BlockItem;

/// A node's index in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// The notation of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|` or `>`
    Block,
}

/// The kind of a node, with its content.
#[derive(Debug)]
pub enum Content<'s> {
    /// A scalar, with its decoded text.
    Scalar {
        /// The text after unescaping and folding.
        text: Cow<'s, str>,
        /// Its notation.
        style: Style,
        /// True if it is a string to those who read Kubernetes manifests.
        string: bool,
    },
    /// A sequence.
    Sequence(Box<[NodeId]>),
    /// A mapping.
    Mapping {
        /// Keys and values as written, duplicates included.
        entries: Box<[(NodeId, NodeId)]>,
        /// Its merge keys and an index of its keys; few mappings have them.
        rare: Option<Box<Rare>>,
    },
    /// An alias of an earlier node of the document.
    Alias(NodeId),
    /// An alias whose anchor the document does not have. Helm 4 makes these when it takes a
    /// `List` apart (helm#32203).
    UnknownAlias(Cow<'s, str>),
}

/// Merge keys, and an index of many keys. Few mappings have them; a separate allocation keeps a node
/// small: a release has a hundred thousand of them.
#[derive(Debug)]
pub struct Rare {
    /// The entries whose keys are merge keys, in the order of the text.
    merge_keys: Vec<usize>,
    /// The mappings that the merge keys bring in, nearest first, without repetition.
    merged: Vec<NodeId>,
    /// The entries in the order of their keys, if there are many.
    by_key: Vec<usize>,
}

/// One node.
#[derive(Debug)]
pub struct Node<'s> {
    /// Its bytes: a scalar with its quotes, without tag and anchor.
    pub span: Span,
    /// The collection that holds it; none at the root.
    pub parent: Option<NodeId>,
    /// The number of the item or entry of that collection, from 0.
    pub position: usize,
    /// Its kind and content.
    pub content: Content<'s>,
}

/// One document of a stream.
#[derive(Debug)]
pub struct Document<'s> {
    nodes: Vec<Node<'s>>,
    span: Span,
    /// True if it was read from a copy of the source that was made readable for the parser.
    is_copy: bool,
}

impl<'s> Document<'s> {
    /// The document's text, from the end of the one before it. It is a complete YAML text: directives,
    /// separator and all.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Tells the document that it was read from a copy. Spans that end between the blanks of the copy move
    /// to the start of a character of the source.
    fn read_from_copy(&mut self, text: &str) {
        self.is_copy = true;
        self.span = self.span.at_characters(text);
        for node in &mut self.nodes {
            node.span = node.span.at_characters(text);
        }
    }

    /// The root node; none if the document is empty.
    #[must_use]
    pub fn root(&self) -> Option<NodeId> {
        let root = NodeId(0);
        let empty = match &self.nodes.first()?.content {
            Content::Scalar { text, style: Style::Plain, string: false } => is_null(text),
            _ => false,
        };
        (!empty).then_some(root)
    }

    /// The node itself; an alias is not followed.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node<'s> {
        &self.nodes[id.0 as usize]
    }

    /// All nodes, in the order of the text.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        (0..u32::try_from(self.nodes.len()).expect("checked as nodes are added")).map(NodeId)
    }

    /// The node that an alias stands for; any other node itself.
    #[must_use]
    pub fn target(&self, id: NodeId) -> NodeId {
        match self.node(id).content {
            Content::Alias(target) => target,
            _ => id,
        }
    }

    /// The text of a scalar that is a string, also behind an alias.
    #[must_use]
    pub fn string(&self, id: NodeId) -> Option<&str> {
        match &self.node(self.target(id)).content {
            Content::Scalar { text, string: true, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar as it is written, whatever its type is, also behind an alias.
    #[must_use]
    pub fn scalar(&self, id: NodeId) -> Option<&str> {
        match &self.node(self.target(id)).content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a key, whatever its type is; none if a collection is the key.
    #[must_use]
    pub fn key_text(&self, id: NodeId) -> Option<&str> {
        key_text(&self.nodes, id)
    }

    /// The items of a sequence, also behind an alias; of anything else none.
    #[must_use]
    pub fn items(&self, id: NodeId) -> &[NodeId] {
        match &self.node(self.target(id)).content {
            Content::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping as written, also behind an alias; of anything else none.
    #[must_use]
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.node(self.target(id)).content {
            Content::Mapping { entries, .. } => entries,
            _ => &[],
        }
    }

    /// A mapping, also behind an alias, and those merged into it.
    pub fn with_merged(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let merged = self.rare(id).map_or(&[][..], |rare| &rare.merged);
        std::iter::once(self.target(id)).chain(merged.iter().copied())
    }

    /// The values of a mapping's own merge keys.
    pub fn merge_values(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let keys = self.rare(id).map_or(&[][..], |rare| &rare.merge_keys);
        keys.iter().map(move |&key| self.entries(id)[key].1)
    }

    fn rare(&self, id: NodeId) -> Option<&Rare> {
        match &self.node(self.target(id)).content {
            Content::Mapping { rare, .. } => rare.as_deref(),
            _ => None,
        }
    }

    /// The merge keys of a mapping, and the mappings that they bring in; none if it has no merge key.
    fn merging(&self, id: NodeId) -> Option<&Rare> {
        self.rare(id).filter(|rare| !rare.merge_keys.is_empty())
    }

    /// Every value that a reader may take for that of `key` in a mapping, also behind an alias.
    ///
    /// yaml.v3, as YAML says, takes the mapping's own value, or else that of the nearest mapping merged
    /// into it. yaml.v2, with which kubectl reads, takes the last one in the order of the text, and a
    /// merge key sets all keys that it brings in. Duplicates are included.
    pub fn values<'d>(&'d self, id: NodeId, key: &'d str) -> impl Iterator<Item = NodeId> + 'd {
        let has_key = |&mapping: &NodeId| self.own_value(mapping, key).is_some();
        let (holder, last) = match self.merging(id) {
            None => (Some(id), None),
            Some(_) => (self.with_merged(id).find(has_key), self.value(id, key)),
        };
        let own = holder.into_iter().flat_map(move |mapping| self.own_entries(mapping, key));
        let last = last.filter(|&last| self.node(last).parent != holder);
        own.map(|(_, value)| value).chain(last)
    }

    /// The values that yaml.v3 and kubectl read for `key`, if they differ.
    #[must_use]
    pub fn disagreement(&self, id: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        self.merging(id)?;
        let own = self.with_merged(id).find_map(|mapping| self.own_value(mapping, key))?;
        let last = self.value(id, key)?;
        (self.target(own) != self.target(last)).then_some((own, last))
    }

    fn own_value(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.own_entries(id, key).map(|(_, value)| value).last()
    }

    /// A mapping's own entries with this key, in the order of the text.
    fn own_entries<'d>(
        &'d self,
        id: NodeId,
        key: &'d str,
    ) -> impl Iterator<Item = (NodeId, NodeId)> + 'd {
        let entries = self.entries(id);
        let by_key = self.rare(id).map_or(&[][..], |rare| &rare.by_key);
        let text = |entry: usize| key_text(&self.nodes, entries[entry].0);
        let start = by_key.partition_point(|&entry| text(entry) < Some(key));
        let found = by_key[start..].iter().copied();
        let all = if by_key.is_empty() { 0..entries.len() } else { 0..0 };
        let found = found.take_while(move |&entry| text(entry) == Some(key));
        found.chain(all.filter(move |&entry| text(entry) == Some(key))).map(|entry| entries[entry])
    }

    /// The value of `key` that kubectl ends up with (go-yaml v2, `decoder.mapping`).
    #[must_use]
    pub fn value(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let mut seen = Vec::new();
        self.last_value(self.target(id), key, &mut seen)
    }

    /// The value that was set last: by an entry of the mapping or by one of its merge keys. `seen` are
    /// the mappings that are merged and were searched; there are at most as many as may be merged.
    fn last_value(&self, id: NodeId, key: &str, seen: &mut Vec<NodeId>) -> Option<NodeId> {
        let own = self.own_value(id, key);
        let Some(rare) = self.merging(id) else { return own };
        let position = own.map(|own| self.node(own).position);
        let later = rare.merge_keys.iter().rev().take_while(|&&entry| Some(entry) > position);
        let sources = later.map(|&entry| self.entries(id)[entry].1).flat_map(|value| {
            // The first mapping of a list is the last one to be set.
            let items = self.items(value);
            if items.is_empty() { vec![value] } else { items.to_vec() }
        });
        for source in sources.map(|source| self.target(source)).collect::<Vec<_>>() {
            if seen.contains(&source) {
                continue;
            }
            seen.push(source);
            if let Some(value) = self.last_value(source, key, seen) {
                return Some(value);
            }
        }
        own
    }

    /// The last entry of `key` that a mapping itself has, not one that is merged into it.
    #[must_use]
    pub fn own_entry(&self, id: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        self.own_entries(id, key).last()
    }

    /// The string at the end of a path of keys.
    #[must_use]
    pub fn string_at(&self, id: NodeId, path: &[&str]) -> Option<&str> {
        let end = path.iter().try_fold(id, |id, key| self.value(id, key))?;
        self.string(end)
    }
}

/// The documents of a source, one after the other, as go-yaml reads them. Ends after the first error.
pub fn documents(
    source: &Source,
    index: usize,
) -> impl Iterator<Item = Result<Document<'_>, Diagnostic>> {
    let text = source.line_copy(|text| into_owned(with_line_breaks(text)));
    let mut events = Events::new(text);
    let mut is_copy = !std::ptr::eq(text, source.text());
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let start = events.position();
        let mut document = Builder::default().document(&mut events);
        if document.is_err()
            && let Some(copy) = source.repaired_copy(|| repaired(text))
        {
            events = Events::starting_at(copy, start);
            document = Builder::default().document(&mut events);
            is_copy = true;
        }
        failed = document.is_err();
        if is_copy && let Ok(Some(document)) = &mut document {
            document.read_from_copy(source.text());
        }
        document.map_err(|error| refused(source, index, error)).transpose()
    })
}

/// The diagnostic for an error, which may be inside a character if it was found in a copy.
fn refused(source: &Source, index: usize, mut error: SyntaxError) -> Diagnostic {
    error.at = error.at.at_characters(source.text());
    let c = unseen_line_break(&source.text()[..error.at.start]).map(u32::from);
    let diagnostic = error.diagnostic(source, index);
    match c {
        Some(c) => {
            let note = format!("U+{c:04X} on this line is a line break to kubectl and kustomize");
            diagnostic.note("note", note)
        }
        None => diagnostic,
    }
}

fn into_owned(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

/// The text of a key, also behind an alias; none if a collection is the key.
fn key_text<'n>(nodes: &'n [Node<'_>], id: NodeId) -> Option<&'n str> {
    let node = &nodes[id.0 as usize];
    let node = match node.content {
        Content::Alias(target) => &nodes[target.0 as usize],
        _ => node,
    };
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Location;
    use crate::text::Origin;
    use std::ops::Range;

    fn read<T>(text: &str, look: impl Fn(&Document<'_>) -> T) -> Vec<T> {
        let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("valid text");
        documents(&source, 0).map(|document| look(&document.expect("valid YAML"))).collect()
    }

    fn error(text: &str) -> (String, usize) {
        let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("valid text");
        let error = documents(&source, 0).find_map(Result::err).expect("refused");
        let Some(Location::Source { span, .. }) = error.locations.first() else {
            panic!("no place: {error:?}")
        };
        (error.message, source.position(span.start).line)
    }

    #[test]
    fn spans_are_exact_in_every_style() {
        let text =
            "\u{feff}a: ä\r\nb: &x 'two'   # c\r\nc: !!str \"th\\x72ee\"\r\nd: |-\r\n  four\r\n";
        let spans = read(text, |document| {
            let leaf = |id| match &document.node(id).content {
                Content::Scalar { text: value, .. } => {
                    let span = document.node(id).span;
                    Some((value.to_string(), text[span.start..span.end].to_owned()))
                }
                _ => None,
            };
            document.ids().filter_map(leaf).filter(|(value, _)| value.len() > 1).collect::<Vec<_>>()
        });
        let pairs =
            [("ä", "ä"), ("two", "'two'"), ("three", "\"th\\x72ee\""), ("four", "four\r\n")];
        assert_eq!(spans, [pairs.map(|(value, raw)| (value.to_owned(), raw.to_owned()))]);
    }

    #[test]
    fn strings_are_told_from_what_only_looks_like_one() {
        for (scalar, string) in [
            ("nginx:1", true),
            ("'1.5'", true),
            ("!!str 1", true),
            ("! 1", true),
            ("!x y", true),
            ("1", false),
            ("1.5", false),
            ("0x1f", false),
            ("1e3", false),
            ("-.inf", false),
            ("1_000", false),
            ("~", false),
            ("null", false),
            ("", false),
            ("true", false),
            ("True", false),
            ("!!int 1", false),
            ("!!binary \"!\"", false),
            (".5_", true),
            ("Off", true),
            ("y", true),
            ("tRUE", true),
            ("!!seq 1", true),
            ("!!map x", true),
            ("!!timestamp 2001-01-01", true),
            ("!<tag:yaml.org,2002:x> 1", true),
            ("1e999", true),
            ("0xfffffffffffffffff", true),
            ("1.2.3", true),
            ("infinity", true),
            ("1e", true),
            ("nan", true),
            ("0xg", true),
        ] {
            let found = read(&format!("a: {scalar}\n"), |document| {
                let root = document.root().expect("a mapping");
                document.string(document.value(root, "a").expect("a value")).is_some()
            });
            assert_eq!(found, [string], "{scalar}");
        }
    }

    #[test]
    fn merge_keys_bring_in_the_nearest_mapping_that_has_the_key() {
        let text = "x: &x {i: 1a}\ny: &y {i: 2a, j: 3a}\nz: &z {<<: [*x, *y]}\nw: {!!merge <<: *z, k: v}\nv: {<<: *y, i: own}\nq: {'<<': *x}\n";
        let found = read(text, |document| {
            let root = document.root().expect("a mapping");
            [["w", "i"], ["w", "j"], ["v", "i"], ["v", "j"], ["q", "i"]]
                .map(|path| document.string_at(root, &path).map(str::to_owned))
        });
        let expected = [Some("1a"), Some("3a"), Some("own"), Some("3a"), None];
        assert_eq!(found, [expected.map(|text| text.map(str::to_owned))]);
    }

    #[test]
    fn the_last_of_duplicate_keys_is_the_value() {
        let found = read("kind: first\nkind: last\n", |document| {
            let root = document.root().expect("a mapping");
            document.string_at(root, &["kind"]).map(str::to_owned)
        });
        assert_eq!(found, [Some("last".to_owned())]);
    }

    #[test]
    fn separators_glued_to_content_separate() {
        let text = "---apiVersion: v1\nkind: A\n---apiVersion: v1\nkind: B\nkey: |\n  ---apiVersion\n---# note\nkind: C\n";
        let kinds = read(text, |document| {
            document.root().and_then(|root| document.string_at(root, &["kind"]).map(str::to_owned))
        });
        let kinds: Vec<_> = kinds.into_iter().flatten().collect();
        assert_eq!(kinds, ["A", "B", "C"]);
    }

    #[test]
    fn a_document_is_yaml_by_itself() {
        let text = "\u{feff}# one\r\na: &x 1\r\n---\nb: |+\n  two\n\n\n# end\n...\n%TAG ! tag:x,2000:\n---\nc: !y 3\n--- # four\n- d\n---e: 5\n";
        let whole = read(text, |document| (document.span(), document.ids().count()));
        assert_eq!(whole.len(), 5);
        for (span, nodes) in whole {
            let alone = read(&text[Range::from(span)], |document| document.ids().count());
            assert_eq!(alone, [nodes], "{:?}", &text[Range::from(span)]);
        }
    }

    #[test]
    fn spans_end_at_characters_although_a_copy_is_read() {
        const PIECES: [&str; 9] =
            ["a", ": ", "{", "-", "\u{2028}", "\u{85}", " 'b'", "#\u{e4}", "\n"];
        for n in 0..PIECES.len().pow(5) {
            let digits = (0..5).map(|digit| n / PIECES.len().pow(digit) % PIECES.len());
            let text: String = digits.map(|digit| PIECES[digit]).collect();
            let source = Source::new(Origin::Stdin, text.clone().into()).expect("valid text");
            for document in documents(&source, 0) {
                let spans: Vec<_> = match &document {
                    Ok(document) => document.nodes.iter().map(|node| node.span).collect(),
                    Err(error) => {
                        error.locations.iter().filter_map(|at| Some(at.span()?.1)).collect()
                    }
                };
                for span in spans {
                    assert!(text.get(Range::from(span)).is_some(), "{text:?}: {span:?}");
                }
            }
        }
    }

    #[test]
    fn broken_text_is_refused_with_its_line() {
        for (text, message, line) in [
            ("a: [1, 2\nb: 3\n", "the input is not YAML: ", 2),
            ("a: 1\nb: \"x\n", "the input is not YAML: ", 2),
            ("a: 1\nb: c: 2\n", "the input is not YAML: ", 2),
        ] {
            let (found, at) = error(text);
            assert!(found.starts_with(message), "{found}");
            assert_eq!(at, line, "{text:?}: {found}");
        }
        assert_eq!(error(&"[".repeat(100_000)).1, 1);
        assert!(error(&"- ".repeat(100_000)).0.starts_with("the input is not YAML"));
    }

    #[test]
    fn anchors_that_go_yaml_ends_earlier_are_refused() {
        for text in [
            "a: &iminx:1 .27\n",
            "a: &iminx:1&a .27\n",
            "a: &i:1 # &b\n  nginx\n",
            "a: &i:1 !b&c nginx\n",
            "[&i:1 a, &x b]\n",
            "a: &i:1\n",
        ] {
            let message = error(text).0;
            assert!(message.contains("an anchor may have letters"), "{text}: {message}");
        }
        for text in [
            "a: &x !b&c nginx\n",
            "a: &x # b & c:d\n  nginx\n",
            "# &y:z\na: &x nginx\n",
            "{a: &x , b: '&y:z'}\n",
            "a: &m\n  &k b: c\n",
            "{\"a\":&x b}\n",
        ] {
            assert_eq!(read(text, |document| document.root().is_some()), [true], "{text}");
        }
    }

    #[test]
    fn merges_are_bounded() {
        use std::fmt::Write as _;
        let mut text = "m0: &m0 {a: 1}\n".to_owned();
        for n in 1..200 {
            writeln!(text, "m{n}: &m{n} {{<<: *m{}}}", n - 1).expect("a string takes all");
        }
        assert_eq!(error(&text).0, "the input is not YAML: a mapping merges more than 100 others");
    }
}
