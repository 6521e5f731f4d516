//! Edits of a lock's text: new entries go where they belong, changed ones change where they stand,
//! and everything else stays as people wrote it, comments and order included.

use std::collections::BTreeMap;

use serde_json::Value;

use super::entry::{self, Field, fields};
use super::lines::{behind_comments, line_end, line_start, with_comments};
use super::{Key, Locked};
use crate::text::splice::{self, Edit, Edits};
use crate::text::yaml::{self, Content, Document, NodeId, TreeChange};
use crate::text::{Source, Span};

/// The text of a lock with these entries in it; none if it is written in a way that can't be added
/// to.
pub(super) fn with_entries(source: &Source, changes: &BTreeMap<Key, Locked>) -> Option<String> {
    let document = yaml::documents(source, 0).next()?.ok()?;
    // A change of an anchored value would change its aliases, too.
    if document.ids().any(|id| matches!(document.node(id).content, Content::Alias(_))) {
        return None;
    }
    let layout = Layout::of(source.text(), &document)?;
    let mut edits = Vec::new();
    let mut is_longer = false;
    for (image, locked) in changes {
        if let Some(&n) = layout.known.get(image) {
            edits.extend(layout.changed(&layout.items[n], locked)?);
        } else {
            let insertion = layout.insertion(image, locked);
            is_longer |= insertion.span().start == layout.end;
            edits.push(insertion);
        }
    }
    if is_longer {
        // First of all, so that it stays in front of what goes there.
        edits.splice(0..0, layout.opening(changes));
    }
    let edits = Edits::new(edits).ok()?;
    let list = document.root().and_then(|root| document.own_entry(root, "images"));
    let items = list.map(|(_, list)| document.block_items(source, list)).unwrap_or_default();
    splice::apply(source, &edits, &items).ok().map(std::borrow::Cow::into_owned)
}

/// The positions of entries, and of a new one.
struct Layout<'t> {
    text: &'t str,
    document: &'t Document<'t>,
    list: List,
    line_break: &'static str,
    /// The white space before the `-` of an entry.
    indent: &'t str,
    items: Vec<Item>,
    /// The item of each image.
    known: BTreeMap<Key, usize>,
    /// For each item, the one of those up to it that comes last by its name. In a sorted lock this
    /// is the item itself.
    last: Vec<usize>,
    /// The position of an entry that comes after all others.
    end: usize,
    /// The change that must be made before an entry can stand at the end: a span and its new text.
    opening: Option<(Span, String)>,
}

/// The list of entries.
#[derive(Clone, Copy)]
enum List {
    /// The mapping, which has no key `images`.
    Absent(NodeId),
    /// The value of `images`, which has no entry: `[]`, `~` or nothing.
    Empty(NodeId),
    /// The list, which has an entry.
    Filled(NodeId),
}

/// An entry that is there.
struct Item {
    image: Key,
    node: NodeId,
    /// The start of its first line, or of the comments above it.
    start: usize,
}

impl<'t> Layout<'t> {
    fn of(text: &'t str, document: &'t Document<'t>) -> Option<Self> {
        let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let root = document.root()?;
        let empty = |list, end: usize, opening: (Span, String)| {
            let opening = Some(opening);
            let (items, known, last) = (Vec::new(), BTreeMap::new(), Vec::new());
            Self { text, document, list, line_break, indent: "", items, known, last, end, opening }
        };
        let Some((key, list)) = document.own_entry(root, "images") else {
            let last = document.entries(root).last()?.1;
            let end = line_end(text, end_of(document, last));
            let broken = if text[..end].ends_with('\n') { "" } else { line_break };
            let opening = format!("{broken}images:{line_break}");
            return Some(empty(List::Absent(root), end, (Span::new(end, end), opening)));
        };
        let nodes = document.items(list);
        let Some(last) = nodes.last() else {
            // `images: []`, `~`, or nothing at all: what remains is `images:` with its comment.
            let key = document.node(key).span.end;
            let value = document.node(list).span;
            let is_written = text.get(value.start..value.end).is_some_and(is_nothing);
            let replaced = Span::new(key, if is_written { value.end } else { key + 1 });
            let end = line_end(text, value.end);
            let opening = if text[..end].ends_with('\n') {
                (replaced, ":".to_owned())
            } else {
                (Span::new(key, end), format!(":{line_break}"))
            };
            return Some(empty(List::Empty(list), end, opening));
        };
        let mut items = Vec::new();
        let mut indent = "";
        for &node in nodes {
            let image = document.string_at(node, &["image"])?.parse().ok()?;
            let first = document.node(node).span.start;
            let dash = text[..first].rfind('-')?;
            let line = line_start(text, dash);
            indent = &text[line..dash];
            if !indent.trim_start_matches('\u{feff}').chars().all(|c| c == ' ') {
                return None;
            }
            items.push(Item { image, node, start: with_comments(text, line, indent.len()) });
        }
        let end = behind_comments(text, line_end(text, end_of(document, *last)), indent.len());
        let is_open = text[..end].ends_with('\n');
        let opening = (!is_open).then(|| (Span::new(end, end), line_break.to_owned()));
        let known = items.iter().enumerate().map(|(n, item)| (item.image.clone(), n)).collect();
        let mut last: Vec<usize> = Vec::with_capacity(items.len());
        for n in 0..items.len() {
            let before = last.last().copied().filter(|&m| items[m].image > items[n].image);
            last.push(before.unwrap_or(n));
        }
        let list = List::Filled(list);
        Some(Self { text, document, list, line_break, indent, items, known, last, end, opening })
    }

    fn edit(&self, span: Span, insert: String, changes: Vec<TreeChange>) -> Edit {
        // Comments at the end are not in the document's own span, and entries go behind them.
        let whole = Span::new(self.document.span().start, self.text.len());
        Edit::of_tree(whole, span, insert, changes)
    }

    /// The edit that makes room at the end, if one is needed. If there is no list, it adds the list,
    /// with all new entries in it as far as the tree is concerned.
    fn opening(&self, new: &BTreeMap<Key, Locked>) -> Option<Edit> {
        let (span, insert) = self.opening.clone()?;
        let all = || Value::Array(new.iter().map(|(image, locked)| value(image, locked)).collect());
        let changes = match self.list {
            List::Absent(root) => vec![TreeChange::Append(root, vec!["images".into(), all()])],
            List::Empty(list) => {
                vec![TreeChange::Remove(list), TreeChange::Insert(list, vec![all()])]
            }
            List::Filled(_) => Vec::new(),
        };
        Some(self.edit(span, insert, changes))
    }

    /// A new entry, before the first that comes after it.
    fn insertion(&self, image: &Key, locked: &Locked) -> Edit {
        let next = self.last.partition_point(|&n| self.items[n].image <= *image);
        let next = self.items.get(next);
        let at = next.map_or(self.end, |item| item.start);
        let entry = vec![value(image, locked)];
        let changes = match (next, self.list) {
            (Some(item), _) => vec![TreeChange::Insert(item.node, entry)],
            (None, List::Filled(list)) => vec![TreeChange::Append(list, entry)],
            (None, List::Absent(_) | List::Empty(_)) => Vec::new(),
        };
        let text = entry::entry(image, locked, self.indent, self.line_break);
        self.edit(Span::new(at, at), text, changes)
    }

    /// The edits that make an entry say what is recorded now. A key that goes leaves its comment
    /// behind.
    fn changed(&self, item: &Item, locked: &Locked) -> Option<Vec<Edit>> {
        let (text, document) = (self.text, self.document);
        let is_flow = text[document.node(item.node).span.start..].starts_with('{');
        let mut edits = Vec::new();
        let mut above = None;
        for (key, field) in fields(&item.image, locked) {
            let entry = document.own_entry(item.node, key);
            match (entry, field) {
                (Some((name, node)), Some(field)) => {
                    edits.extend(self.replaced(name, node, field));
                    above = entry;
                }
                (Some(_), None) | (None, Some(_)) if is_flow => return None,
                (Some((key, node)), None) => edits.push(self.removal(key, node)?),
                (None, Some(field)) => edits.push(self.added_key(item, above?, key, field)),
                (None, None) => {}
            }
        }
        Some(edits)
    }

    /// Replaces the value of a key, if it says something else.
    fn replaced(&self, key: NodeId, node: NodeId, field: Field) -> Option<Edit> {
        let (text, document) = (self.text, self.document);
        let span = document.node(node).span;
        let is_same = match &field.value {
            Value::String(value) => document.string(node) == Some(value),
            _ => text.get(span.start..span.end) == Some(&field.text),
        };
        if is_same {
            return None;
        }
        let changes = vec![TreeChange::Remove(node), TreeChange::Insert(node, vec![field.value])];
        if matches!(document.node(node).content, Content::Scalar { .. }) {
            return Some(self.edit(span, field.text, changes));
        }
        // A list may stand below its key.
        let whole = Span::new(document.node(key).span.end, self.end_of_value(node));
        Some(self.edit(whole, format!(": {}", field.text), changes))
    }

    /// Removes an entry's key and its value, which end with their line.
    fn removal(&self, key: NodeId, value: NodeId) -> Option<Edit> {
        let text = self.text;
        let start = self.document.node(key).span.start;
        let end = self.end_of_value(value);
        let lines = Span::new(line_start(text, start), line_end(text, end));
        let indent = &text[lines.start..start];
        if !indent.chars().all(|c| c == ' ') {
            return None;
        }
        let rest = text[end..lines.end].trim();
        let comment = match rest.starts_with('#') {
            true => format!("{indent}{rest}{}", self.line_break),
            false if rest.is_empty() => String::new(),
            false => return None,
        };
        Some(self.edit(lines, comment, vec![TreeChange::Remove(key), TreeChange::Remove(value)]))
    }

    /// The end of a value; of a list in brackets, behind them.
    fn end_of_value(&self, value: NodeId) -> usize {
        let span = self.document.node(value).span;
        let is_flow = self.text[span.start..].starts_with('[');
        if is_flow { span.end } else { end_of(self.document, value) }
    }

    /// Adds a key with its value below another key.
    fn added_key(
        &self,
        item: &Item,
        (above, node): (NodeId, NodeId),
        key: &str,
        field: Field,
    ) -> Edit {
        let (text, document) = (self.text, self.document);
        let start = document.node(above).span.start;
        let indent = " ".repeat(text[line_start(text, start)..start].chars().count());
        let at = line_end(text, end_of(document, node));
        let broken = if text[..at].ends_with('\n') { "" } else { self.line_break };
        let line = format!("{broken}{indent}{key}: {}{}", field.text, self.line_break);
        let entry = vec![key.into(), field.value];
        let next = document.entries(item.node).get(document.node(node).position + 1);
        let change = match next {
            Some(&(next, _)) => TreeChange::Insert(next, entry),
            None => TreeChange::Append(item.node, entry),
        };
        self.edit(Span::new(at, at), line, vec![change])
    }
}

/// An entry as data.
fn value(image: &Key, locked: &Locked) -> Value {
    let written = fields(image, locked).into_iter();
    written.filter_map(|(key, field)| Some((key.to_owned(), field?.value))).collect()
}

/// True if a value is written that stands for no entries.
fn is_nothing(value: &str) -> bool {
    value.starts_with('[') || matches!(value, "~" | "null" | "Null" | "NULL")
}

/// The end of the last scalar below a node.
fn end_of(document: &Document<'_>, node: NodeId) -> usize {
    let children: Vec<NodeId> = match &document.node(node).content {
        Content::Mapping { entries, .. } => {
            entries.iter().flat_map(|&(key, value)| [key, value]).collect()
        }
        Content::Sequence(items) => items.to_vec(),
        _ => return document.node(node).span.end,
    };
    let ends = children.into_iter().map(|child| end_of(document, child));
    ends.max().unwrap_or(document.node(node).span.end)
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::plan::History;
    use crate::text::Origin;
    use proptest::prelude::*;

    const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\n";

    fn digest(n: usize) -> String {
        format!("sha256:{n:064x}")
    }

    /// An image with its digest; a rule's where it has another tag.
    fn locked(image: &str, tag: &str, n: usize) -> (Key, Locked) {
        let asked: crate::image::Asked = image.parse().expect("an image");
        let rule = (asked.tag != tag).then(|| "step-down".to_owned());
        let supplier = crate::image::Tagged {
            repository: asked.repository.clone(),
            tag: tag.parse().expect("a tag"),
        };
        let digest = digest(n).parse().expect("a digest");
        let history = History::default();
        (asked.into(), Locked { supplier: Some(supplier), digest, rule, history })
    }

    fn edited(text: &str, changes: &[(Key, Locked)]) -> Option<String> {
        let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("text");
        schema::parse(&source).expect("a lock");
        with_entries(&source, &changes.iter().cloned().collect())
    }

    #[test]
    fn entries_go_where_they_belong_and_comments_stay() {
        let before = format!(
            "# Ours.\n{HEAD}images: # sorted\n# The first.\n- image: docker.io/a/a:v1 # one\n  tag: v1\n  digest: {} # pinned by hand\n\n# The last\n# of them.\n- image: docker.io/a/c:v1\n  tag: v0\n  digest: {}\n  rule: step-down # until March\n# The end.\n",
            digest(1),
            digest(2)
        );
        let changes = [
            locked("docker.io/a/0:v1", "v1", 3),
            locked("docker.io/a/b:v1", "v1", 4),
            locked("docker.io/a/c:v1", "v1", 5),
            locked("docker.io/a/d:v1", "v0", 6),
        ];
        let after = format!(
            "# Ours.\n{HEAD}images: # sorted\n- image: docker.io/a/0:v1\n  tag: v1\n  digest: {}\n# The first.\n- image: docker.io/a/a:v1 # one\n  tag: v1\n  digest: {} # pinned by hand\n\n- image: docker.io/a/b:v1\n  tag: v1\n  digest: {}\n# The last\n# of them.\n- image: docker.io/a/c:v1\n  tag: v1\n  digest: {}\n  # until March\n- image: docker.io/a/d:v1\n  tag: v0\n  digest: {}\n  rule: step-down\n# The end.\n",
            digest(3),
            digest(1),
            digest(4),
            digest(5),
            digest(6)
        );
        assert_eq!(edited(&before, &changes).as_deref(), Some(&*after));
        let windows = before.replace('\n', "\r\n");
        assert_eq!(edited(&windows, &changes), Some(after.replace('\n', "\r\n")));
    }

    #[test]
    fn a_comment_below_an_entry_stays_with_it() {
        let entry = |name: &str| {
            format!("- image: docker.io/a/{name}:v1\n  tag: v1\n  digest: {}\n", digest(1))
        };
        for (b, d) in [("  # of b\n  # until March\n", "  # of d"), ("  # of b\n", "  # of d\n")] {
            let head = format!("{HEAD}images:\n");
            let before = format!("{head}{}{b}# of d\n{}{d}", entry("b"), entry("d"));
            let after = |name| {
                let change = locked(&format!("docker.io/a/{name}:v1"), "v1", 1);
                edited(&before, &[change]).expect("block style")
            };
            let between = format!("{head}{}{b}{}# of d\n{}{d}", entry("b"), entry("c"), entry("d"));
            assert_eq!(after("c"), between);
            let broken = if d.ends_with('\n') { "" } else { "\n" };
            assert_eq!(after("e"), format!("{before}{broken}{}", entry("e")));
        }
    }

    #[test]
    fn in_an_unsorted_lock_an_entry_goes_before_the_first_that_comes_after_it() {
        let entry = |name: &str| {
            format!("- image: docker.io/a/{name}:v1\n  tag: v1\n  digest: {}\n", digest(1))
        };
        let lock = |names: &[&str]| {
            let entries: String = names.iter().map(|name| entry(name)).collect();
            format!("{HEAD}images:\n{entries}")
        };
        let changes =
            ["b", "d", "x"].map(|name| locked(&format!("docker.io/a/{name}:v1"), "v1", 1));
        let before = lock(&["a", "e", "c", "w", "f"]);
        let expected = lock(&["a", "b", "d", "e", "c", "w", "f", "x"]);
        assert_eq!(edited(&before, &changes), Some(expected));
    }

    #[test]
    fn a_key_that_comes_stands_in_its_place() {
        let before = format!(
            "{HEAD}images:\n  -  image: docker.io/a/a:v1\n     digest: {} # d\n     tag: v1 # t",
            digest(1)
        );
        let after = format!(
            "{HEAD}images:\n  -  image: docker.io/a/a:v1\n     digest: {} # d\n     rule: step-down\n     tag: v0 # t",
            digest(2)
        );
        let change = locked("docker.io/a/a:v1", "v0", 2);
        assert_eq!(edited(&before, &[change]), Some(after.clone()));
        let new = locked("docker.io/a/b:v1", "v1", 3);
        let entry =
            format!("\n  - image: docker.io/a/b:v1\n    tag: v1\n    digest: {}\n", digest(3));
        assert_eq!(edited(&after, &[new]), Some(after + &entry));
    }

    #[test]
    fn an_empty_list_is_opened() {
        let new = locked("docker.io/a/a:v1", "v1", 1);
        let entry = format!("- image: docker.io/a/a:v1\n  tag: v1\n  digest: {}\n", digest(1));
        for (before, after) in [
            (format!("{HEAD}images: []\n"), format!("{HEAD}images:\n{entry}")),
            (format!("{HEAD}images: []"), format!("{HEAD}images:\n{entry}")),
            (
                format!("{HEAD}images: [] # none\n# end\n"),
                format!("{HEAD}images: # none\n{entry}# end\n"),
            ),
            (format!("{HEAD}images: ~\n"), format!("{HEAD}images:\n{entry}")),
            (format!("{HEAD}images: null # none\n"), format!("{HEAD}images: # none\n{entry}")),
            (format!("{HEAD}images:\n"), format!("{HEAD}images:\n{entry}")),
            (format!("{HEAD}images:"), format!("{HEAD}images:\n{entry}")),
            (HEAD.to_owned(), format!("{HEAD}images:\n{entry}")),
            (format!("images: []\n{HEAD}"), format!("images:\n{entry}{HEAD}")),
        ] {
            assert_eq!(edited(&before, std::slice::from_ref(&new)), Some(after), "{before}");
        }
    }

    #[test]
    fn what_cannot_be_added_to_is_refused() {
        let new = locked("docker.io/a/b:v1", "v0", 1);
        for images in [
            format!("[{{image: docker.io/a/a:v1, tag: v1, digest: '{}'}}]", digest(2)),
            format!("\n- {{image: docker.io/a/b:v1, tag: v1, digest: '{}'}}", digest(2)),
            format!(
                "\n- image: docker.io/a/a:v1\n  tag: v1\n  digest: &d {}\n- image: docker.io/a/b:v1\n  digest: *d\n  tag: v1",
                digest(1)
            ),
        ] {
            let text = format!("{HEAD}images: {images}\n");
            let source = Source::new(Origin::Stdin, text.clone().into_bytes()).expect("text");
            schema::parse(&source).expect("a lock");
            let changes = [new.clone()].into_iter().collect();
            assert_eq!(with_entries(&source, &changes), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_lock_is_read_or_refused(
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..9usize, proptest::sample::select(vec![
                "", "-", "- ", "\n", "\r\n", ": ", "#", " # ä", "[", "]", "{", "}", "&a ", "*a", "'", "\"", "|\n", "---\n", "...\n",
                "!!str ", "<<: ", "\t", "  ", "\u{feff}", "rule: x\n", "images: []\n", "tag: v1\n", "repository: quay.io/a\n",
            ])), 0..4),
        ) {
            let mut text = format!(
                "# ä\n{HEAD}images:\n- image: docker.io/a/a:v1 # ö\n  tag: v1\n  digest: {}\n# ü\n- image: docker.io/a/b:v1\n  tag: v0\n  digest: {}\n  rule: step-down # ß\n",
                digest(1), digest(2)
            );
            for (at, length, insert) in cuts {
                let floor = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
                let start = floor(at.index(text.len() + 1));
                let end = floor(start + length).max(start);
                text.replace_range(start..end, insert);
            }
            let source = Source::new(Origin::Stdin, text.clone().into_bytes()).expect("text");
            if let Ok(old) = schema::parse(&source) {
                let changes = [
                    locked("docker.io/a/0:v1", "v0", 4), locked("docker.io/a/a:v1", "v0", 5),
                    locked("docker.io/a/b:v1", "v1", 6), locked("docker.io/a/c:v1", "v1", 7),
                ];
                let changes = changes.into_iter().collect();
                if let Some(text) = with_entries(&source, &changes) {
                    let mut expected = old;
                    expected.images.extend(changes);
                    let source = Source::new(Origin::Stdin, text.into_bytes()).expect("text");
                    prop_assert_eq!(schema::parse(&source), Ok(expected));
                }
            }
        }

        #[test]
        fn no_comment_is_ever_lost(
            old in proptest::collection::btree_map("[a-c]{1,2}", (0..3usize, 0..9usize, any::<bool>()), 0..6),
            new in proptest::collection::btree_map("[a-d]{1,2}", (0..3usize, 10..19usize), 1..6),
            gap in proptest::sample::select(vec!["", "\n", "# between\n"]),
            last in any::<bool>(),
        ) {
            let mut text = HEAD.to_owned() + "images:\n";
            for (name, (tag, n, comment)) in &old {
                let (asked, locked) = locked(&format!("docker.io/x/{name}:v0"), &format!("v{tag}"), *n + name.len() * 100 + usize::from(name.as_bytes()[0]) * 1000);
                for line in entry::entry(&asked, &locked, "", "\n").lines() {
                    let comment = if *comment { format!(" # {name} {line}") } else { String::new() };
                    text.extend([line, comment.as_str(), "\n", gap]);
                }
            }
            if !last {
                text.truncate(text.trim_end().len());
            }
            let changes: Vec<_> = new.iter().map(|(name, (tag, n))| {
                locked(&format!("docker.io/x/{name}:v0"), &format!("v{tag}"), *n + name.len() * 100 + usize::from(name.as_bytes()[0]) * 1000)
            }).collect();
            let after = edited(&text, &changes).expect("block style");
            for comment in text.lines().filter_map(|line| line.split_once('#')) {
                let count = |text: &str| text.lines().filter(|line| line.ends_with(&format!("#{}", comment.1))).count();
                prop_assert!(count(&after) >= count(&text), "{} is lost from\n{text}in\n{after}", comment.1);
            }
            // The same once more changes nothing.
            let again = edited(&after, &changes);
            prop_assert_eq!(again.as_ref(), Some(&after));
        }
    }
}
