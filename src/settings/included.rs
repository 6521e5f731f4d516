//! The candidates that a configuration pins: a class, or the part of a class in one kind or field.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::places::{Include, Inclusion};

/// Candidates that are also pinned.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Included {
    /// All candidates of this class.
    Class(Include),
    /// The candidates in one kind or field.
    Part(Part),
}

/// The candidates of a class in one kind or field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Part {
    /// The class.
    class: Include,
    /// The kind of the objects. If it is missing: every kind.
    #[serde(default)]
    kind: String,
    /// The path of the field, for example `data.image`, which includes everything below it. If it is missing: every
    /// field.
    #[serde(default)]
    path: Option<String>,
}

impl Included {
    /// The checked form.
    ///
    /// # Errors
    /// The path is wrong.
    pub(super) fn inclusion(self) -> Result<Inclusion, String> {
        let (class, kind, path) = match self {
            Self::Class(class) => (class, String::new(), None),
            Self::Part(Part { class, kind, path }) => (class, kind, path),
        };
        let path = path.map(|path| path.parse()).transpose()?;
        Ok(Inclusion { class: class.class(), kind, path })
    }
}

impl<'de> Deserialize<'de> for Included {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClassOrPart)
    }
}

/// Reads a string as a class, and a mapping as a part of a class.
struct ClassOrPart;

impl<'de> Visitor<'de> for ClassOrPart {
    type Value = Included;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a class, or a mapping with `class`, `kind` and `path`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Included, E> {
        Include::deserialize(text.into_deserializer()).map(Included::Class)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Included, A::Error> {
        Part::deserialize(MapAccessDeserializer::new(map)).map(Included::Part)
    }
}
