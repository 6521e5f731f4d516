//! Repositories (by globs) and objects that a configuration leaves alone.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::glob::Glob;
use crate::places::ObjectPattern;

/// Images that are left alone: a glob over the full repository name, or an object.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Skipped {
    /// The images of these repositories.
    Repositories(Glob),
    /// The images of these objects.
    Objects(Objects),
}

/// Objects that match all of these parts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct Objects {
    /// The API group; empty is the core group.
    group: Option<String>,
    /// The kind, for example `Job`.
    kind: Option<String>,
    /// The namespace in the object; empty if the object has none.
    namespace: Option<String>,
    /// The name, or the prefix in `generateName`.
    name: Option<String>,
}

impl Objects {
    /// The checked form.
    pub(super) fn pattern(self) -> ObjectPattern {
        let Self { group, kind, namespace, name } = self;
        ObjectPattern { group, kind, namespace, name }
    }
}

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GlobOrObjects)
    }
}

/// Reads a string as a glob, and a mapping as objects.
struct GlobOrObjects;

impl<'de> Visitor<'de> for GlobOrObjects {
    type Value = Skipped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a glob, or an object with `group`, `kind`, `namespace` or `name`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Skipped, E> {
        Glob::new(text).map(Skipped::Repositories).map_err(E::custom)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Skipped, E> {
        Err(E::custom("expected a glob, or an object with `group`, `kind`, `namespace` or `name`"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Skipped, A::Error> {
        let objects = Objects::deserialize(MapAccessDeserializer::new(map))?;
        let Objects { group, kind, namespace, name } = &objects;
        if [group, kind, namespace, name].into_iter().all(Option::is_none) {
            return Err(A::Error::custom(
                "the object has no `kind`, `group`, `namespace` or `name`",
            ));
        }
        Ok(Skipped::Objects(objects))
    }
}
