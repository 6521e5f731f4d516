//! Paths of fields in their objects, in the notation of kubectl.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::text::escape::{escaped, shortened};
use crate::text::yaml::{Document, NodeId};

/// A field's path from the object's root: `spec.template.spec.containers[0].image`.
///
/// All nodes below a node share its path: each of a hundred thousand images of one deep list would
/// otherwise repeat a long text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Option<Rc<Step>>);

/// The last step of a path, and the path to it.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    before: Path,
    name: Name,
}

#[derive(Debug, PartialEq, Eq)]
enum Name {
    Key(String),
    Item(usize),
}

/// The paths of a document's nodes, each made once.
#[derive(Debug, Default)]
pub(super) struct Paths(HashMap<(NodeId, NodeId), Path>);

impl Paths {
    /// The path of a node below `root`.
    pub(super) fn of(&mut self, document: &Document<'_>, root: NodeId, id: NodeId) -> Path {
        let mut open = Vec::new();
        let mut at = id;
        let mut path = loop {
            if let Some(path) = self.0.get(&(root, at)) {
                break path.clone();
            }
            match document.node(at).parent {
                Some(parent) if at != root => {
                    open.push((at, parent));
                    at = parent;
                }
                _ => break Path::default(),
            }
        };
        for (id, parent) in open.into_iter().rev() {
            let position = document.node(id).position;
            path = path.then(match document.entries(parent).get(position) {
                // A longer key than any that could be right is shown many times.
                Some(&(key, _)) => {
                    Name::Key(shortened(document.key_text(key).unwrap_or("?")).into_owned())
                }
                None => Name::Item(position),
            });
            self.0.insert((root, id), path.clone());
        }
        path
    }
}

impl Path {
    fn then(&self, name: Name) -> Self {
        Self(Some(Rc::new(Step { before: self.clone(), name })))
    }

    /// The path of a field of the `n`-th item of the list that this is the path of.
    pub(super) fn item(&self, n: usize, field: &[&str]) -> Self {
        let item = self.then(Name::Item(n));
        field.iter().fold(item, |path, &key| path.then(Name::Key(key.to_owned())))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = Vec::new();
        let mut at = self;
        while let Some(step) = &at.0 {
            steps.push(&step.name);
            at = &step.before;
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        for (n, step) in steps.into_iter().rev().enumerate() {
            match step {
                Name::Item(item) => write!(f, "[{item}]")?,
                Name::Key(key) if !key.is_empty() && key.chars().all(plain) => {
                    f.write_str(if n == 0 { "" } else { "." })?;
                    f.write_str(key)?;
                }
                Name::Key(key) => write!(f, "['{}']", escaped(&key.escape_debug().to_string()))?,
            }
        }
        Ok(())
    }
}
