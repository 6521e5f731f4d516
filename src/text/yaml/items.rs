//! Items: the lines that belong to each item of a block sequence.

use super::{Content, Document, NodeId};
use crate::text::{Source, Span};

/// An item of a block sequence: the lines from its dash up to the dash of the next item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockItem {
    span: Span,
    first: NodeId,
    nodes: u32,
}

impl BlockItem {
    /// Its lines.
    #[must_use]
    pub fn span(self) -> Span {
        self.span
    }

    /// Its node.
    #[must_use]
    pub fn first(self) -> NodeId {
        self.first
    }

    /// The number of its nodes: its own and those below it.
    #[must_use]
    pub fn nodes(self) -> u32 {
        self.nodes
    }
}

impl Document<'_> {
    /// The items of a block sequence, except the last one, whose end is not so clear. Items that do not
    /// have their lines for themselves are left out. There are none if the document has an alias, which
    /// may connect two items, or if the parser could not read the source as it is.
    #[must_use]
    pub fn block_items(&self, source: &Source, list: NodeId) -> Vec<BlockItem> {
        let has_alias = |node: &super::Node<'_>| {
            matches!(node.content, Content::Alias(_) | Content::UnknownAlias(_))
        };
        let Content::Sequence(items) = &self.node(list).content else { return Vec::new() };
        let text = source.text();
        if self.is_copy
            || text[self.node(list).span.start..].starts_with('[')
            || self.nodes.iter().any(has_alias)
        {
            return Vec::new();
        }
        let line = |&item: &NodeId| line_of_dash(text, self.node(item).span.start);
        let lines: Vec<_> = items.iter().map(line).collect();
        let item = |n: usize| {
            let span = Span::new(lines[n]?, lines[n + 1]?);
            Some(BlockItem { span, first: items[n], nodes: items[n + 1].0 - items[n].0 })
        };
        (0..items.len().saturating_sub(1)).filter_map(item).collect()
    }
}

/// The start of the line on which a node begins, if nothing but the dash of its item is before it.
fn line_of_dash(text: &str, node: usize) -> Option<usize> {
    let line = text[..node].rfind('\n').map_or(0, |at| at + 1);
    let after_dash = text[line..node].trim_start_matches(' ').strip_prefix('-')?;
    after_dash.bytes().all(|byte| byte == b' ').then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;
    use crate::text::yaml::documents;

    #[test]
    fn items_are_whole_lines() {
        for (text, expected) in [
            ("a:\n- b: 1\n- c: 1\n- d: 1\n", &["- b: 1\n", "- c: 1\n"][..]),
            ("a:\n  -   b\n  # c\n\n  - d\n", &["  -   b\n  # c\n\n"]),
            ("a:\n- \"- c\n  - d\"\n- e\n", &["- \"- c\n  - d\"\n"]),
            // An item that shares its first line with something else is kept.
            ("a:\n- &x b\n- - c\n- d\n- e\n", &["- - c\n", "- d\n"]),
            ("a:\n-\n  b: 1\n- c\n- d\n", &["- c\n"]),
            ("a:\n- |\n  - b\n- c\n- d\n", &["- c\n"]),
            ("a: [b,\n c, d]\n", &[]),
            ("a:\n- &x b\n- c\n- d\n- *x\n", &[]),
        ] {
            let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("text");
            let document = documents(&source, 0).next().expect("one").expect("YAML");
            let list = document.value(document.root().expect("a root"), "a").expect("a list");
            let items = document.block_items(&source, list);
            let found: Vec<_> = items.iter().map(|item| source.slice(item.span())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
