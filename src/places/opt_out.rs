//! Opting out: by annotation, by comment, and by a field of a configuration.

use super::SkipReason;
use super::walk::{Pending, Walk};
use crate::text::yaml::{Content, Document, NodeId, Style};
use crate::text::{Source, Span};

/// The annotation by which an object has its images left alone.
#[derive(Debug, Default)]
pub(super) struct OptOut {
    all: bool,
    containers: Vec<String>,
}

impl OptOut {
    /// `digestif.dev/skip: "true"`, or the names of containers.
    pub(super) fn of(document: &Document<'_>, root: NodeId) -> Self {
        let annotation = ["metadata", "annotations", "digestif.dev/skip"];
        let text = document.string_at(root, &annotation).unwrap_or_default();
        Self {
            all: text.trim() == "true",
            containers: text.split(',').map(|name| name.trim().to_owned()).collect(),
        }
    }

    pub(super) fn takes(&self, container: Option<&str>) -> bool {
        self.all || container.is_some_and(|name| self.containers.iter().any(|skip| skip == name))
    }
}

impl Walk<'_, '_> {
    /// Leaves what a configuration names with `pin: false`, whichever rule has found it.
    pub(super) fn leave_configured(&mut self) {
        let is_configured = |place: &&mut Pending| self.configured.contains(&place.node);
        for place in self.places.iter_mut().filter(is_configured) {
            self.scalars.remove(&place.node);
            if place.left != Some(SkipReason::Annotation) {
                place.left = Some(SkipReason::Configured);
            }
        }
    }

    /// Leaves what has a comment on the line of its last character, or of the header of its block.
    pub(super) fn leave_commented(&mut self, comments: &[Span]) {
        if comments.is_empty() {
            return;
        }
        let text = self.source.text();
        let on_line_of = |at: usize| {
            let behind = comments.partition_point(|line| line.start <= at);
            comments[..behind]
                .last()
                .filter(|line| line.end >= at || !text[line.end..at].contains('\n'))
        };
        for place in &mut self.places {
            let node = self.document.node(place.node);
            let at = match node.content {
                Content::Scalar { style: Style::Block, .. } => text[..node.span.start].rfind('\n'),
                _ => Some(node.span.end),
            };
            let is_asked = at.and_then(on_line_of).is_some();
            if is_asked && matches!(place.left, None | Some(SkipReason::Operator(_))) {
                place.left = Some(SkipReason::Comment);
                self.scalars.remove(&place.node);
            }
        }
    }
}

/// From the start of a line to a comment `# digestif: skip` on it, for each there is.
pub(super) fn skip_comments(source: &Source, document: Span) -> Vec<Span> {
    const MARK: &str = "digestif:";
    let text = source.slice(document);
    let asks = |&(at, _): &(usize, &str)| {
        let is_comment = text[..at].trim_end_matches([' ', '\t']).ends_with('#');
        let word = text[at + MARK.len()..].split_whitespace().next();
        // A reason may follow.
        is_comment && word.is_some_and(|word| word.trim_end_matches([',', ';', ':', '.']) == "skip")
    };
    let (mut line, mut seen) = (0, 0);
    let line = |(at, _): (usize, &str)| {
        line = text[seen..at].rfind(['\n', '\r']).map_or(line, |end| seen + end + 1);
        seen = at;
        Span::new(document.start + line, document.start + at)
    };
    text.match_indices(MARK).filter(asks).map(line).collect()
}
