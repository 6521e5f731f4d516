//! Paths: where a field is in its object, as kubectl writes it.

use std::fmt;
use std::rc::Rc;

use crate::yaml::{Document, NodeId};

/// A field's path from the object's root: `spec.template.spec.containers[0].image`.
///
/// The part up to the list is shared by all fields below it: ten thousand containers of one deep
/// list would otherwise repeat a long text each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    list: Rc<str>,
    rest: String,
}

impl Path {
    /// The path of a node below `root`.
    pub(super) fn of(document: &Document<'_>, root: NodeId, id: NodeId) -> Self {
        let mut steps = Vec::new();
        let mut at = document.node(id);
        let end = document.node(root);
        while !std::ptr::eq(at, end)
            && let Some(parent) = at.parent
        {
            steps.push(match document.entries(parent).get(at.position) {
                Some(&(key, _)) => document.string(key).unwrap_or("?").to_owned(),
                None => format!("[{}]", at.position),
            });
            at = document.node(parent);
        }
        let path = steps.iter().rev().fold(String::new(), |path, step| join(path, step));
        Self { list: path.into(), rest: String::new() }
    }

    /// The path of a field of the `n`-th item of the list that this is the path of.
    pub(super) fn item(&self, n: usize, field: &str) -> Self {
        Self { list: self.list.clone(), rest: format!("{}[{n}].{field}", self.rest) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.list, self.rest)
    }
}

fn join(mut path: String, step: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if step.starts_with('[') {
        path.push_str(step);
    } else if !step.is_empty() && step.chars().all(plain) {
        path.extend((!path.is_empty()).then_some('.'));
        path.push_str(step);
    } else {
        path.extend(["['", &step.escape_debug().to_string(), "']"]);
    }
    path
}
