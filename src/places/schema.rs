//! Custom resource definitions: references in the defaults of their schemas. They are never pinned.

use super::candidates::add;
use super::context::Context;
use super::finding::{Findings, Owner};
use super::image_like;
use super::place::Class;
use crate::text::yaml::Content;

/// Adds the texts among the defaults of a definition that look like images.
pub(super) fn find(ctx: Context<'_, '_>, owners: &[Owner], mut found: Findings) -> Findings {
    for owner in owners.iter().filter(|owner| owner.is_definition()) {
        defaults(ctx, owner, &mut found);
    }
    found
}

fn defaults(ctx: Context<'_, '_>, owner: &Owner, found: &mut Findings) {
    let document = ctx.document;
    let mut open = vec![(owner.root, "", false)];
    while let Some((node, key, is_default)) = open.pop() {
        match &document.node(node).content {
            Content::Sequence(items) => {
                open.extend(items.iter().map(|&item| (item, key, is_default)));
            }
            Content::Mapping { entries, .. } => {
                for &(name, value) in entries {
                    let name = document.string(name).unwrap_or_default();
                    // A property may have the name `default`.
                    let is_here = name == "default" && key != "properties";
                    let key = if is_here { key } else { name };
                    open.push((value, key, is_default || is_here));
                }
            }
            Content::Scalar { text, string: true, .. } if is_default => {
                let shapes = image_like::find(text, key);
                add(ctx, owner, node, Class::Schema, (Vec::new(), shapes), |_| None, found);
            }
            _ => {}
        }
    }
}
