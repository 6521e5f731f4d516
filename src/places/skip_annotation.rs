//! The annotation `digestif.dev/skip` of an object.

use crate::text::yaml::{Document, NodeId};

/// The images that the annotation of an object leaves alone.
#[derive(Debug, Default)]
pub(super) struct OptOut {
    all: bool,
    containers: Vec<String>,
}

impl OptOut {
    /// Reads `digestif.dev/skip`: `"true"`, or names of containers.
    pub(super) fn of(document: &Document<'_>, root: NodeId) -> Self {
        let annotation = ["metadata", "annotations", "digestif.dev/skip"];
        let text = document.string_at(root, &annotation).unwrap_or_default();
        // A container may have an empty name, which no annotation means.
        let names = text.split(',').map(str::trim);
        Self {
            all: text.trim() == "true",
            containers: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        }
    }

    /// True if the images of this container are left alone; `None` is an image outside containers.
    pub(super) fn applies_to(&self, container: Option<&str>) -> bool {
        self.all || container.is_some_and(|name| self.containers.iter().any(|skip| skip == name))
    }
}
