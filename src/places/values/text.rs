//! Images that a text of YAML names in several fields, with their positions in the text.

use std::ops::Range;

use crate::places::chart_image::{ChartImage, Fields, chart_image};
use crate::places::place::Writing;
use crate::text::splice::missing_value;
use crate::text::yaml::{Content, Document, NodeId, Style, documents};
use crate::text::{Origin, Source};

/// An image that several fields of a text name.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::places) struct TextImage {
    /// The reference that the fields make.
    pub(in crate::places) name: String,
    /// The bytes of the text that a digest is written to.
    pub(in crate::places) part: Range<usize>,
    /// The form of what is written there.
    pub(in crate::places) writing: Writing,
    /// False if no digest can be written there.
    pub(in crate::places) can_pin: bool,
    /// The bytes of all its fields.
    pub(in crate::places) fields: Vec<Range<usize>>,
    /// The path of the field that is written, with dots.
    pub(in crate::places) path: String,
}

/// The images that mappings of a text name in several fields, in the order of the text. A text that
/// is no YAML has none.
pub(in crate::places) fn images_in(text: &str) -> Vec<TextImage> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // A repository has a key of its own, or a tag beside it. Few texts have either.
    if !text.contains(':') || !has(&["repo", "Repo", "tag", "Tag"]) {
        return Vec::new();
    }
    let Ok(source) = Source::new(Origin::Stdin, text.as_bytes().to_vec()) else {
        return Vec::new();
    };
    let mut images: Vec<_> = documents(&source, 0)
        .map_while(Result::ok)
        .flat_map(|document| images_of(&source, &document))
        .collect();
    images.sort_by_key(|image| image.part.start);
    images.dedup_by(|next, image| next.part.start < image.part.end || next.part == image.part);
    images
}

fn images_of(source: &Source, document: &Document<'_>) -> Vec<TextImage> {
    let mappings = document.ids().filter(|&id| !document.entries(id).is_empty());
    let mappings = mappings.filter(|&id| document.target(id) == id);
    mappings.filter_map(|holder| image_of(source, document, holder)).collect()
}

fn image_of(source: &Source, document: &Document<'_>, holder: NodeId) -> Option<TextImage> {
    let image = chart_image(document, &Fields::Of(holder))?;
    let ChartImage { name, nodes, node, writing, can_pin } = image;
    let fields = nodes.iter().filter_map(|&node| bytes(source, document, node)).collect();
    // Changing the target of an alias may be wrong at its own position.
    let is_own = document.target(node) == node;
    let part = bytes(source, document, node)?;
    let path = path_of(document, node).join(".");
    Some(TextImage { name, part, writing, can_pin: can_pin && is_own, fields, path })
}

/// The keys from the root of a document to a node; items of lists have none.
fn path_of(document: &Document<'_>, node: NodeId) -> Vec<String> {
    let mut keys = Vec::new();
    let mut at = node;
    while let Some(parent) = document.node(at).parent {
        let entry = document.entries(parent).get(document.node(at).position);
        keys.extend(entry.and_then(|&(key, _)| document.key_text(key)).map(str::to_owned));
        at = parent;
    }
    keys.reverse();
    keys
}

/// The bytes of a scalar without its quotes; none if they are not its text.
fn bytes(source: &Source, document: &Document<'_>, node: NodeId) -> Option<Range<usize>> {
    let target = document.node(document.target(node));
    let Content::Scalar { text, style, .. } = &target.content else { return None };
    let span = target.span;
    if let Some(at) = missing_value(source.text(), span) {
        return Some(at..at);
    }
    let range = match style {
        Style::Plain => span.start..span.end,
        Style::SingleQuoted | Style::DoubleQuoted => span.start + 1..span.end - 1,
        Style::Block => return None,
    };
    (source.text().get(range.clone())? == text).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        let images = images_in(text).into_iter();
        images.map(|image| (image.name, &text[image.part])).collect()
    }

    #[test]
    fn fields_of_a_text_make_an_image() {
        for (text, name, part) in [
            ("image:\n  repository: nginx\n  tag: 1.27\n", "nginx:1.27", "1.27"),
            ("image: {repository: a/b, tag: \"4.20\"}\n", "a/b:4.20", "4.20"),
            ("image: {registry: quay.io, repository: a/b, tag: 'c'}", "quay.io/a/b:c", "c"),
            ("image: {repository: a/b, tag: c, digest: \"\"}", "a/b:c", ""),
            ("image: {name: agent, tag: 7}", "agent:7", "7"),
            ("{\"image\": {\"repo\": \"a/b\", \"tag\": \"1\"}}", "a/b:1", "1"),
        ] {
            assert_eq!(found(text), [(name.to_owned(), part)], "{text}");
        }
    }

    #[test]
    fn what_is_no_image_of_several_fields_is_none() {
        for text in [
            "repository: https://charts.example.com\nname: web\nversion: 1.0\n",
            "name: web\ntag: 1\n",
            "git: {repository: acme/web, branch: main}\n",
            "image: [",
            "plain text: repository and tag",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
