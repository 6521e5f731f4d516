//! Objects that the caller or a configuration leaves alone, whatever images they have.

use std::fmt;
use std::str::FromStr;

use super::finding::Finding;
use super::object::Object;
use super::place::{Place, SkipReason};

/// A pattern of objects: each part that is set has to be equal.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ObjectPattern {
    /// The API group; the core group is empty.
    pub group: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The namespace as it is written in the object; empty if none is.
    pub namespace: Option<String>,
    /// The name, or the prefix of a generated one.
    pub name: Option<String>,
}

impl ObjectPattern {
    fn matches(&self, object: &Object) -> bool {
        let is = |want: &Option<String>, is: &str| want.as_ref().is_none_or(|want| want == is);
        is(&self.group, object.group())
            && is(&self.kind, &object.kind)
            && is(&self.namespace, object.namespace.as_deref().unwrap_or_default())
            && is(&self.name, &object.name)
    }
}

impl FromStr for ObjectPattern {
    type Err = String;

    /// Parses `KIND` or `KIND/NAMESPACE/NAME`. The namespace may be empty.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split('/').map(str::to_owned).map(Some).collect();
        let pattern = match <[_; 3]>::try_from(parts) {
            Ok([kind, namespace, name]) => Self { kind, namespace, name, group: None },
            Err(parts) => match <[_; 1]>::try_from(parts) {
                Ok([kind]) => Self { kind, ..Self::default() },
                Err(_) => return Err("expected KIND or KIND/NAMESPACE/NAME".to_owned()),
            },
        };
        let is_empty = |part: &Option<String>| part.as_deref() == Some("");
        if is_empty(&pattern.kind) || is_empty(&pattern.name) {
            return Err("expected KIND or KIND/NAMESPACE/NAME".to_owned());
        }
        Ok(pattern)
    }
}

impl fmt::Display for ObjectPattern {
    /// As a flag writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_deref().unwrap_or_default())?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, "/{namespace}/{name}"),
            _ => Ok(()),
        }
    }
}

/// The objects that are left alone.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SkippedObjects {
    /// By `--skip-kind`. One of them that fits nothing is a slip.
    pub flags: Vec<ObjectPattern>,
    /// By a configuration, which may serve many inputs.
    pub configured: Vec<ObjectPattern>,
}

impl SkippedObjects {
    /// Joins two lists of each kind.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.flags.extend(other.flags);
        self.configured.extend(other.configured);
        self
    }

    /// The reason to leave an object alone, if there is one.
    pub(super) fn reason(&self, object: &Object) -> Option<SkipReason> {
        let one_of = |patterns: &[ObjectPattern]| patterns.iter().any(|one| one.matches(object));
        if one_of(&self.flags) {
            return Some(SkipReason::Kind);
        }
        one_of(&self.configured).then_some(SkipReason::Object)
    }

    /// Leaves the images of these objects, whichever rule found them.
    pub(super) fn leave(&self, images: &mut [Finding]) {
        if self.flags.is_empty() && self.configured.is_empty() {
            return;
        }
        for image in images {
            image.left = self.reason(&image.object).or(image.left);
        }
    }

    /// The patterns of `--skip-kind` that fit no object with an image.
    pub fn unused(&self, places: &[Place]) -> impl Iterator<Item = &ObjectPattern> {
        let is_idle =
            |pattern: &&ObjectPattern| !places.iter().any(|place| pattern.matches(&place.object));
        self.flags.iter().filter(is_idle)
    }
}
