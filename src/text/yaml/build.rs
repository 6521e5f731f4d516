//! From events to the tree of a document, with its aliases and merge keys settled.

use std::collections::HashMap;

use granit_parser::Event;

use super::events::{Events, SyntaxError};
use super::scalar::resolved;
use super::{Content, Document, Node, NodeId, Rare, key_text};
use crate::text::Span;

/// The most mappings that one mapping may merge, directly or through others. Real manifests have
/// fewer than ten; without a limit, the time for a chain of merges is quadratic.
const MAX_MERGES: usize = 100;

/// Mappings with more entries have a sorted index: each of thousands of aliases of one huge mapping
/// would cost a scan of it.
const SMALL: usize = 32;

/// The tree of one document while it is read.
#[derive(Default)]
pub(super) struct Builder<'s> {
    nodes: Vec<Node<'s>>,
    anchors: HashMap<usize, NodeId>,
    open: Vec<Open>,
    /// The nodes in the open collections, those of the innermost one at the end: items, or keys and
    /// values by turns. A collection takes its own when it ends, and needs no more memory than that.
    children: Vec<NodeId>,
}

/// A collection whose end has not come yet.
struct Open {
    id: NodeId,
    is_mapping: bool,
    /// The number of nodes in the collections around it.
    start: usize,
    /// The entries whose keys are merge keys.
    merge_keys: Vec<usize>,
}

impl<'s> Builder<'s> {
    /// Reads up to the end of the next document; none at the end of the stream.
    pub(super) fn document(
        mut self,
        events: &mut Events<'s>,
    ) -> Result<Option<Document<'s>>, SyntaxError> {
        let start = events.position();
        let mut started = false;
        while let Some((event, span)) = events.next()? {
            match event {
                Event::DocumentStart(..) => started = true,
                Event::DocumentEnd => {
                    let span = Span::new(start, events.position());
                    return Ok(Some(Document { nodes: self.nodes, span, is_copy: false }));
                }
                _ if started => self.event(event, span)?,
                _ => {}
            }
        }
        Ok(None)
    }

    fn event(&mut self, event: Event<'s>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = resolved(text, style.into(), tag.as_deref());
                if scalar.merge {
                    self.merge_key();
                }
                let (text, style, string) = (scalar.text, scalar.style, scalar.string);
                self.add(Content::Scalar { text, style, string }, span, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                let id = self.add(Content::Sequence(Box::default()), span, anchor)?;
                self.open(id, false);
            }
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Mapping { entries: Box::default(), rare: None };
                let id = self.add(content, span, anchor)?;
                self.open(id, true);
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let content = target.map_or(Content::UnknownAlias("".into()), Content::Alias);
                self.add(content, span, 0)?;
            }
            Event::UnresolvedAlias(name) => {
                self.add(Content::UnknownAlias(name), span, 0)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
            _ => {}
        }
        Ok(())
    }

    fn add(
        &mut self,
        content: Content<'s>,
        span: Span,
        anchor: usize,
    ) -> Result<NodeId, SyntaxError> {
        let id = NodeId(u32::try_from(self.nodes.len()).map_err(|_| SyntaxError {
            message: "a document has more than 4 billion nodes".to_owned(),
            at: span,
        })?);
        let parent = self.open.last().map(|open| open.id);
        let position = self.append(id);
        self.nodes.push(Node { span, parent, position, content });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    /// Puts a node into the innermost open collection. Returns the number of the item or entry.
    fn append(&mut self, id: NodeId) -> usize {
        let Some(open) = self.open.last() else { return 0 };
        let before = self.children.len() - open.start;
        self.children.push(id);
        if open.is_mapping { before / 2 } else { before }
    }

    fn open(&mut self, id: NodeId, is_mapping: bool) {
        let start = self.children.len();
        self.open.push(Open { id, is_mapping, start, merge_keys: Vec::new() });
    }

    /// Notes that the next node is a merge key, if it is a key.
    fn merge_key(&mut self) {
        let Some(open) = self.open.last_mut().filter(|open| open.is_mapping) else { return };
        let before = self.children.len() - open.start;
        if before.is_multiple_of(2) {
            open.merge_keys.push(before / 2);
        }
    }

    fn close(&mut self, span: Span) -> Result<(), SyntaxError> {
        let Some(Open { id, is_mapping, start, merge_keys }) = self.open.pop() else {
            return Ok(());
        };
        let children = &self.children[start..];
        let content = if is_mapping {
            let entries: Box<[_]> = children.chunks_exact(2).map(|two| (two[0], two[1])).collect();
            let rare = self.rare(&entries, merge_keys)?;
            Content::Mapping { entries, rare }
        } else {
            Content::Sequence(children.into())
        };
        self.children.truncate(start);
        let node = &mut self.nodes[id.0 as usize];
        node.span.end = span.end.max(node.span.start);
        node.content = content;
        Ok(())
    }

    fn rare(
        &self,
        entries: &[(NodeId, NodeId)],
        merge_keys: Vec<usize>,
    ) -> Result<Option<Box<Rare>>, SyntaxError> {
        if merge_keys.is_empty() && entries.len() <= SMALL {
            return Ok(None);
        }
        let merged = self.merged(entries, &merge_keys)?;
        let by_key = self.sorted_by_key(entries);
        Ok(Some(Box::new(Rare { merge_keys, merged, by_key })))
    }

    /// The entries of a large mapping in the order of their keys; of a small one none.
    fn sorted_by_key(&self, entries: &[(NodeId, NodeId)]) -> Vec<usize> {
        if entries.len() <= SMALL {
            return Vec::new();
        }
        let mut sorted: Vec<_> = (0..entries.len()).collect();
        sorted.sort_by_key(|&entry| key_text(&self.nodes, entries[entry].0));
        sorted
    }

    /// The mappings that the merge keys of a mapping bring in. An alias comes after its target, so all of
    /// them are complete, except a mapping that merges one around itself: that brings nothing.
    fn merged(
        &self,
        entries: &[(NodeId, NodeId)],
        merge_keys: &[usize],
    ) -> Result<Vec<NodeId>, SyntaxError> {
        let mut merged = Vec::new();
        for (key, value) in merge_keys.iter().map(|&entry| entries[entry]) {
            let value = self.target(value);
            let sources = match &self.node(value).content {
                Content::Sequence(items) => items,
                _ => std::slice::from_ref(&value),
            };
            if merged.len() + sources.len() > MAX_MERGES {
                let message = format!("a mapping merges more than {MAX_MERGES} others");
                return Err(SyntaxError { message, at: self.node(key).span });
            }
            for &source in sources {
                let source = self.target(source);
                let Content::Mapping { rare, .. } = &self.node(source).content else {
                    continue;
                };
                let further = rare.as_ref().map_or(&[][..], |rare| &rare.merged);
                for &mapping in std::iter::once(&source).chain(further) {
                    if !merged.contains(&mapping) {
                        merged.push(mapping);
                    }
                }
                if merged.len() > MAX_MERGES {
                    let message = format!("a mapping merges more than {MAX_MERGES} others");
                    return Err(SyntaxError { message, at: self.node(key).span });
                }
            }
        }
        Ok(merged)
    }

    fn node(&self, id: NodeId) -> &Node<'s> {
        &self.nodes[id.0 as usize]
    }

    fn target(&self, id: NodeId) -> NodeId {
        if let Content::Alias(target) = self.node(id).content { target } else { id }
    }
}
