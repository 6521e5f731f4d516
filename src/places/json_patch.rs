//! JSON 6902 patches in files of their own: the images that they set. They apply to manifests that are
//! elsewhere, so nothing is changed there.

use std::rc::Rc;

use super::context::Context;
use super::finding::{Finding, Findings, Owner};
use super::image_like::says_image;
use super::image_triggers::ImageTriggers;
use super::object::Object;
use super::place::{Class, Image, SkipReason};
use super::skip_annotation::OptOut;
use crate::text::yaml::NodeId;

/// The images that a list of patches sets; none if it is no such list.
pub(super) fn find(ctx: Context<'_, '_>, root: NodeId) -> Option<Findings> {
    let document = ctx.document;
    let items = document.items(root);
    let is_patch = |&item: &NodeId| {
        ["op", "path"].iter().all(|key| document.string_at(item, &[key]).is_some())
    };
    if items.is_empty() || !items.iter().all(is_patch) {
        return None;
    }
    let owner = Owner {
        root,
        object: Rc::new(Object::default()),
        has_patterns: false,
        opt_out: OptOut::default(),
        triggers: ImageTriggers::default(),
        mappings: Vec::new(),
        objects: Vec::new(),
        texts: Vec::new(),
    };
    let mut found = Findings::default();
    for &item in items {
        let path = document.string_at(item, &["path"]).unwrap_or_default();
        let key = path.rsplit('/').next().unwrap_or_default();
        for value in document.values(item, "value") {
            image(ctx, &owner, (key, value), &mut found);
        }
    }
    Some(found)
}

/// Adds a value if its key says image, and those in it.
fn image(ctx: Context<'_, '_>, owner: &Owner, field: (&str, NodeId), found: &mut Findings) {
    let document = ctx.document;
    let mut open = vec![(field.0.to_owned(), field.1)];
    while let Some((key, node)) = open.pop() {
        open.extend(document.items(node).iter().map(|&item| (key.clone(), item)));
        open.extend(
            document
                .entries(node)
                .iter()
                .map(|&(key, value)| (document.string(key).unwrap_or_default().to_owned(), value)),
        );
        let Some(text) = document.string(node).filter(|_| says_image(&key)) else { continue };
        if matches!(Image::read(text), Image::Reference(_)) && found.take(node) {
            let left = Some(SkipReason::Candidate);
            let finding = Finding::of_field(owner, node, text);
            found.images.push(Finding { class: Class::Other, left, ..finding });
        }
    }
}
