//! Edits of a lock's text: new entries go where they belong, changed ones change where they stand,
//! and everything else stays as people wrote it, comments and order included.
//!
//! What comes out is read again, and given out only when it says what it is meant to say.

use std::collections::BTreeMap;
use std::ops::Range;

use super::schema::{self, fields, scalar};
use super::{Key, Lock, Locked};
use crate::text::yaml::{self, Content, Document, NodeId};
use crate::text::{Origin, Source};

/// The text with these entries in it; none where it is written in a way that can't be added to.
pub(super) fn with_entries(
    text: &str,
    old: &Lock,
    changes: &BTreeMap<Key, Locked>,
) -> Option<String> {
    let mut expected = old.clone();
    expected.images.extend(changes.iter().map(|(key, locked)| (key.clone(), locked.clone())));
    let new = spliced(text, changes)?;
    let source = Source::new(Origin::Stdin, new.into_bytes()).ok()?;
    (schema::parse(&source).ok()? == expected).then(|| source.text().to_owned())
}

/// One change: a range of the text becomes another text.
type Edit = (Range<usize>, String);

fn spliced(text: &str, changes: &BTreeMap<Key, Locked>) -> Option<String> {
    let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).ok()?;
    let document = yaml::documents(&source, 0).next()?.ok()?;
    // A change of an anchored value would change its aliases, too.
    if document.ids().any(|id| matches!(document.node(id).content, Content::Alias(_))) {
        return None;
    }
    let layout = Layout::of(text, &document)?;
    let mut edits: Vec<Edit> = Vec::new();
    let mut is_longer = false;
    for (key, locked) in changes {
        if let Some(&n) = layout.known.get(key) {
            layout.items[n].change(text, &document, locked, layout.line_break, &mut edits)?;
        } else {
            let insertion = layout.insertion(key, locked);
            is_longer |= insertion.0.start == layout.end;
            edits.push(insertion);
        }
    }
    if is_longer {
        // First of all, so that it stays in front of what goes there.
        edits.splice(0..0, layout.opening.clone());
    }
    // Stable, so that entries which go to one place keep their order.
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + 300 * edits.len());
    let mut done = 0;
    for (range, insert) in edits {
        out.push_str(text.get(done..range.start)?);
        out.push_str(&insert);
        done = range.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

/// Where entries stand, and where another one goes.
struct Layout<'t> {
    line_break: &'static str,
    /// What stands before the `-` of an entry.
    indent: &'t str,
    items: Vec<Item>,
    /// Which item an image has.
    known: BTreeMap<Key, usize>,
    /// For each item, the one that comes last by its name of those up to it. In a sorted lock this
    /// is the item itself.
    last: Vec<usize>,
    /// Where an entry goes that comes after all others.
    end: usize,
    /// What has to be there first, so that there can be entries.
    opening: Option<Edit>,
}

/// An entry that is there.
struct Item {
    key: Key,
    node: NodeId,
    /// The start of its first line, or of the comments above it.
    start: usize,
}

impl<'t> Layout<'t> {
    fn of(text: &'t str, document: &Document<'_>) -> Option<Self> {
        let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let root = document.root()?;
        let empty = |end: usize, opening: Edit| {
            let opening = Some(opening);
            let (known, last) = (BTreeMap::new(), Vec::new());
            Self { line_break, indent: "", items: Vec::new(), known, last, end, opening }
        };
        let Some((key, list)) = document.own_entry(root, "images") else {
            let last = document.entries(root).last()?.1;
            let end = line_end(text, end_of(document, last));
            let broken = if text[..end].ends_with('\n') { "" } else { line_break };
            return Some(empty(end, (end..end, format!("{broken}images:{line_break}"))));
        };
        let nodes = document.items(list);
        let Some(last) = nodes.last() else {
            // `images: []`, `~`, or nothing at all: what remains is `images:` with its comment.
            let key = document.node(key).span.end;
            let value = document.node(list).span;
            let is_written = !matches!(document.node(list).content, Content::Alias(_))
                && text.get(value.start..value.end).is_some_and(is_nothing);
            let value = if is_written { key..value.end } else { key..key + 1 };
            let end = line_end(text, value.end);
            if !text[..end].ends_with('\n') {
                return Some(empty(end, (value.start..end, format!(":{line_break}"))));
            }
            return Some(empty(end, (value, ":".to_owned())));
        };
        let mut items = Vec::new();
        let mut indent = "";
        for &node in nodes {
            let key = document.string_at(node, &["image"])?.parse().ok()?;
            let first = document.node(node).span.start;
            let dash = text[..first].rfind('-')?;
            let line = line_start(text, dash);
            indent = &text[line..dash];
            if !indent.trim_start_matches('\u{feff}').chars().all(|c| c == ' ') {
                return None;
            }
            items.push(Item { key, node, start: with_comments(text, line, indent.len()) });
        }
        let end = behind_comments(text, line_end(text, end_of(document, *last)), indent.len());
        let opening = (!text[..end].ends_with('\n')).then(|| (end..end, line_break.to_owned()));
        let known = items.iter().enumerate().map(|(n, item)| (item.key.clone(), n)).collect();
        let mut last: Vec<usize> = Vec::with_capacity(items.len());
        for n in 0..items.len() {
            let before = last.last().copied().filter(|&m| items[m].key > items[n].key);
            last.push(before.unwrap_or(n));
        }
        Some(Self { line_break, indent, items, known, last, end, opening })
    }

    /// A new entry, before the first that comes after it.
    fn insertion(&self, key: &Key, locked: &Locked) -> Edit {
        let next = self.last.partition_point(|&n| self.items[n].key <= *key);
        let at = self.items.get(next).map_or(self.end, |item| item.start);
        (at..at, schema::entry(key, locked, self.indent, self.line_break))
    }
}

impl Item {
    /// Makes each key say what it is to say. A key that goes leaves its comment behind.
    fn change(
        &self,
        text: &str,
        document: &Document<'_>,
        locked: &Locked,
        line_break: &str,
        edits: &mut Vec<Edit>,
    ) -> Option<()> {
        let is_flow = text[document.node(self.node).span.start..].starts_with('{');
        let mut above = None;
        for (key, value) in fields(&self.key, locked) {
            let entry = document.own_entry(self.node, key);
            match (entry, value) {
                (Some((_, node)), Some(value)) => {
                    if document.string(node) != Some(&value) {
                        let span = document.node(node).span;
                        edits.push((span.into(), scalar(&value)));
                    }
                    above = Some((entry?.0, node));
                }
                (Some(_), None) | (None, Some(_)) if is_flow => return None,
                (Some((key, node)), None) => {
                    let (start, end) = (document.node(key).span.start, end_of(document, node));
                    let lines = line_start(text, start)..line_end(text, end);
                    let indent = &text[lines.start..start];
                    if !indent.chars().all(|c| c == ' ') {
                        return None;
                    }
                    let rest = text[end..lines.end].trim();
                    let comment = match rest.starts_with('#') {
                        true => format!("{indent}{rest}{line_break}"),
                        false if rest.is_empty() => String::new(),
                        false => return None,
                    };
                    edits.push((lines, comment));
                }
                (None, Some(value)) => {
                    let (above, node) = above?;
                    let start = document.node(above).span.start;
                    let indent = " ".repeat(text[line_start(text, start)..start].chars().count());
                    let at = line_end(text, end_of(document, node));
                    let broken = if text[..at].ends_with('\n') { "" } else { line_break };
                    let line = format!("{broken}{indent}{key}: {}{line_break}", scalar(&value));
                    edits.push((at..at, line));
                }
                (None, None) => {}
            }
        }
        Some(())
    }
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
        Content::Sequence(items) => items.clone(),
        _ => return document.node(node).span.end,
    };
    let ends = children.into_iter().map(|child| end_of(document, child));
    ends.max().unwrap_or(document.node(node).span.end)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// The start of the next line; the end of the text where there is none.
fn line_end(text: &str, at: usize) -> usize {
    if at > 0 && text[..at].ends_with('\n') {
        return at;
    }
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

/// The start of a line, or of the comments that stand right above it and are no deeper than this:
/// those that are belong to the entry before.
fn with_comments(text: &str, line: usize, depth: usize) -> usize {
    let mut start = line;
    while start > 0 {
        let above = line_start(text, start - 1);
        if comment_depth(&text[above..start]).is_none_or(|own| own > depth) {
            break;
        }
        start = above;
    }
    start
}

/// The start of a line, or behind the comments that stand right there and are deeper than this.
fn behind_comments(text: &str, line: usize, depth: usize) -> usize {
    let mut end = line;
    while end < text.len() {
        let below = line_end(text, end + 1);
        if comment_depth(&text[end..below]).is_none_or(|own| own <= depth) {
            break;
        }
        end = below;
    }
    end
}

/// How far a comment is indented; none for a line that is not one.
fn comment_depth(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    trimmed.starts_with('#').then(|| line.len() - trimmed.len())
}

#[cfg(test)]
mod tests {
    use super::*;
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
        (
            asked.into(),
            Locked { supplier: Some(supplier), digest: digest(n).parse().expect("a digest"), rule },
        )
    }

    fn edited(text: &str, changes: &[(Key, Locked)]) -> Option<String> {
        let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("text");
        let old = schema::parse(&source).expect("a lock");
        with_entries(text, &old, &changes.iter().cloned().collect())
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
            let old = schema::parse(&source).expect("a lock");
            let changes = [new.clone()].into_iter().collect();
            assert_eq!(with_entries(&text, &old, &changes), None, "{text}");
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
                // What is given out is proved; that there is an answer at all is the point here.
                let _ = with_entries(&text, &old, &changes.into_iter().collect());
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
                for line in schema::entry(&asked, &locked, "", "\n").lines() {
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
