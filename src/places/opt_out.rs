//! Opting out: by annotation, by comment, and by a field of a configuration.

use std::collections::HashSet;

use super::context::Context;
use super::finding::Finding;
use super::place::SkipReason;
use crate::text::yaml::{Content, NodeId, Style};
use crate::text::{Source, Span};

/// Leaves what a configuration names with `pin: false`, whichever rule found it.
pub(super) fn leave_configured(configured: &HashSet<NodeId>, images: &mut [Finding]) {
    for image in images.iter_mut().filter(|image| configured.contains(&image.node)) {
        if image.left != Some(SkipReason::Annotation) {
            image.left = Some(SkipReason::Configured);
        }
    }
}

/// Leaves images that have a comment on the line of their last character, or of the header of their
/// block scalar.
pub(super) fn leave_commented(ctx: Context<'_, '_>, comments: &Comments, images: &mut [Finding]) {
    if comments.0.is_empty() {
        return;
    }
    let text = ctx.source.text();
    for image in images {
        let node = ctx.document.node(image.node);
        let at = match node.content {
            Content::Scalar { style: Style::Block, .. } => text[..node.span.start].rfind('\n'),
            _ => Some(node.span.end),
        };
        if at.is_some_and(|at| comments.is_on_line_of(text, at)) {
            image.left = commented(image.left);
        }
    }
}

/// The reason of a place with a comment. The user's comment ranks above the table.
fn commented(left: Option<SkipReason>) -> Option<SkipReason> {
    match left {
        None | Some(SkipReason::Operator(_)) => Some(SkipReason::Comment),
        left => left,
    }
}

/// The comments `# digestif: skip` of a document: each from the start of its line to the mark.
#[derive(Default)]
pub(super) struct Comments(Vec<Span>);

impl Comments {
    /// Finds the comments of a document. A reason may follow the mark.
    pub(super) fn of(source: &Source, document: Span) -> Self {
        const MARK: &str = "digestif:";
        let text = source.slice(document);
        let asks = |&(at, _): &(usize, &str)| {
            let is_comment = text[..at].trim_end_matches([' ', '\t']).ends_with('#');
            let word = text[at + MARK.len()..].split_whitespace().next();
            is_comment
                && word.is_some_and(|word| word.trim_end_matches([',', ';', ':', '.']) == "skip")
        };
        let (mut line, mut seen) = (0, 0);
        let line = |(at, _): (usize, &str)| {
            line = text[seen..at].rfind(['\n', '\r']).map_or(line, |end| seen + end + 1);
            seen = at;
            Span::new(document.start + line, document.start + at)
        };
        Self(text.match_indices(MARK).filter(asks).map(line).collect())
    }

    /// The reason to leave a place whose reference is at `span`, after its line's comment applied.
    pub(super) fn applied(&self, left: Option<SkipReason>, span: Span) -> Option<SkipReason> {
        let has_comment = self.last_before(span.start).is_some_and(|line| line.contains(span));
        if has_comment { commented(left) } else { left }
    }

    /// True if the line of the offset `at` has a comment.
    fn is_on_line_of(&self, text: &str, at: usize) -> bool {
        self.last_before(at)
            .is_some_and(|line| line.end >= at || !text[line.end..at].contains('\n'))
    }

    /// The last comment whose line starts at or before an offset.
    fn last_before(&self, at: usize) -> Option<&Span> {
        self.0[..self.0.partition_point(|line| line.start <= at)].last()
    }
}
