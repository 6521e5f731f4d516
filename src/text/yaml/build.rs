//! From events to the tree of a document, with its aliases and merge keys settled.

use std::collections::HashMap;

use granit_parser::Event;

use super::events::{Events, SyntaxError};
use super::scalar::resolved;
use super::{Content, Document, Merges, Node, NodeId, key_text};
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
}

/// A collection whose end has not come yet, and the key that waits for its value.
struct Open {
    id: NodeId,
    key: Option<NodeId>,
    /// The entries whose keys are merge keys.
    merges: Vec<usize>,
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
                let id = self.add(Content::Sequence(Vec::new()), span, anchor)?;
                self.open.push(Open { id, key: None, merges: Vec::new() });
            }
            Event::MappingStart(_, anchor, _) => {
                let content =
                    Content::Mapping { entries: Vec::new(), merges: None, by_key: Vec::new() };
                let id = self.add(content, span, anchor)?;
                self.open.push(Open { id, key: None, merges: Vec::new() });
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
        let Some(open) = self.open.last_mut() else {
            return 0;
        };
        match &mut self.nodes[open.id.0 as usize].content {
            Content::Sequence(items) => {
                items.push(id);
                items.len() - 1
            }
            Content::Mapping { entries, .. } => {
                match open.key.take() {
                    None => open.key = Some(id),
                    Some(key) => entries.push((key, id)),
                }
                entries.len().saturating_sub(1)
            }
            _ => 0,
        }
    }

    /// Notes that the next node is a merge key, if it is a key.
    fn merge_key(&mut self) {
        let Some(open) = self.open.last_mut().filter(|open| open.key.is_none()) else { return };
        if let Content::Mapping { entries, .. } = &self.nodes[open.id.0 as usize].content {
            open.merges.push(entries.len());
        }
    }

    fn close(&mut self, span: Span) -> Result<(), SyntaxError> {
        let Some(Open { id, merges, .. }) = self.open.pop() else {
            return Ok(());
        };
        let merged = self.merged(id, &merges)?;
        let sorted = self.sorted_by_key(id);
        let node = &mut self.nodes[id.0 as usize];
        node.span.end = span.end.max(node.span.start);
        if let Content::Mapping { merges: slot, by_key, .. } = &mut node.content {
            *slot =
                (!merges.is_empty()).then(|| Box::new(Merges { keys: merges, mappings: merged }));
            *by_key = sorted;
        }
        Ok(())
    }

    /// The entries of a large mapping in the order of their keys; of a small one none.
    fn sorted_by_key(&self, id: NodeId) -> Vec<usize> {
        match &self.node(id).content {
            Content::Mapping { entries, .. } if entries.len() > SMALL => {
                let mut sorted: Vec<_> = (0..entries.len()).collect();
                sorted.sort_by_key(|&entry| key_text(&self.nodes, entries[entry].0));
                sorted
            }
            _ => Vec::new(),
        }
    }

    /// The mappings that the merge keys of `id` bring in. An alias comes after its target, so all of
    /// them are complete, except a mapping that merges one around itself: that brings nothing.
    fn merged(&self, id: NodeId, merges: &[usize]) -> Result<Vec<NodeId>, SyntaxError> {
        let mut merged = Vec::new();
        let Content::Mapping { entries, .. } = &self.node(id).content else {
            return Ok(merged);
        };
        for (key, value) in merges.iter().map(|&entry| entries[entry]) {
            let value = self.target(value);
            let sources = match &self.node(value).content {
                Content::Sequence(items) => items.as_slice(),
                _ => std::slice::from_ref(&value),
            };
            if merged.len() + sources.len() > MAX_MERGES {
                let message = format!("a mapping merges more than {MAX_MERGES} others");
                return Err(SyntaxError { message, at: self.node(key).span });
            }
            for &source in sources {
                let source = self.target(source);
                let Content::Mapping { merges, .. } = &self.node(source).content else {
                    continue;
                };
                let further = merges.as_ref().map_or(&[][..], |merges| &merges.mappings);
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
