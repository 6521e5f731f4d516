//! The data of a `ConfigMap`: every value is a text, so lists and booleans are read from texts.

use std::path::Path;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Error as _, IntoDeserializer, Visitor};
use serde::{Deserialize as _, Deserializer, forward_to_deserialize_any};
use serde_saphyr::Error;

use super::config::Config;
use super::pin_images::PinImages;
use super::wrong::Wrong;

/// A key and its text.
pub type Entry<'de> = (&'de str, &'de str);

/// Reads the data of a `ConfigMap`. A list of texts has one value a line, as environment variables
/// have it, or is YAML; anything deeper is YAML.
///
/// # Errors
/// Errors, each with the index of its entry.
pub fn from_data(entries: &[Entry<'_>]) -> Result<Config, Vec<(usize, String)>> {
    // One at a time first, so that an error names its key.
    let wrong: Vec<_> = entries
        .iter()
        .enumerate()
        .flat_map(|(n, entry)| {
            let wrong = read(std::slice::from_ref(entry)).err().unwrap_or_default();
            wrong.into_iter().map(move |wrong| (n, wrong.to_string()))
        })
        .collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    read(entries).map_err(|wrong| wrong.into_iter().map(|wrong| (0, wrong.to_string())).collect())
}

fn read(entries: &[Entry<'_>]) -> Result<Config, Vec<Wrong>> {
    let entries = entries.iter().map(|&(key, text)| (key, Text(text)));
    let raw = PinImages::deserialize(MapDeserializer::<_, Error>::new(entries));
    raw.map_err(|error| vec![Wrong::of(&error, "")])?.checked(Path::new(""))
}

/// A value of a `ConfigMap`.
#[derive(Clone, Copy)]
struct Text<'de>(&'de str);

impl<'de> IntoDeserializer<'de, Error> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Text<'de> {
    fn is_yaml_list(self) -> bool {
        let text = self.0.trim();
        text.starts_with("- ")
            || text.starts_with("-\n")
            || text.starts_with('[') && text.ends_with(']')
    }

    /// The text read as YAML.
    fn yaml<R>(
        self,
        read: impl for<'e> FnOnce(serde_saphyr::Deserializer<'de, 'e>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let options = serde_saphyr::options! { with_snippet: false, no_schema: true };
        serde_saphyr::with_deserializer_from_str_with_options(self.0, options, read)
    }
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.0.trim().parse();
        visitor.visit_bool(value.map_err(|_| Error::custom("expected true or false"))?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_yaml_list() {
            return self.yaml(|yaml| yaml.deserialize_seq(visitor));
        }
        let lines = self.0.lines().map(str::trim).filter(|line| !line.is_empty());
        visitor.visit_seq(SeqDeserializer::new(lines.map(Text)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.yaml(|yaml| yaml.deserialize_map(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.yaml(|yaml| yaml.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.yaml(|yaml| yaml.deserialize_newtype_struct(name, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.trim().into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::Preset;
    use crate::image::{PinForm, Repository};

    #[test]
    fn lists_are_read_from_texts() {
        let fallbacks =
            "- name: a\n  images: [docker.io/a/*]\n  try: [b]\n- preset: bitnamilegacy\n";
        for skip in [
            "quay.io/**\nghcr.io/**\n",
            "['quay.io/**', 'ghcr.io/**']",
            "- quay.io/**\n- ghcr.io/**",
        ] {
            let data = [
                ("kubeVersion", "1.32"),
                ("pin", "digest"),
                ("skip", skip),
                ("fallbacks", fallbacks),
                ("registries", "- host: harbor.corp\n  cache: true"),
            ];
            let config = from_data(&data).expect("valid");
            assert_eq!(config.kube_version, "1.32".parse().ok());
            assert_eq!(config.pin, Some(PinForm::Digest));
            for (image, fits) in [("quay.io/a", true), ("ghcr.io/a/b", true), ("nginx", false)] {
                let repository: Repository = image.parse().expect("a name");
                assert_eq!(config.skip.fit(&repository), fits, "{image} {skip}");
            }
            assert_eq!(config.rules.len(), 2);
            assert_eq!(config.rules[1].preset, Some(Preset::BitnamiLegacy));
            assert_eq!(config.caches, ["harbor.corp"]);
        }
        let single = from_data(&[("skip", "**/kubectl")]).expect("a glob is no alias");
        assert!(single.skip.fit(&"docker.io/a/kubectl".parse().expect("a name")));
        assert!(from_data(&[]).is_ok());
    }

    #[test]
    fn an_error_names_its_key() {
        let wrong = |data: &[Entry<'_>]| from_data(data).expect_err("wrong");
        let message = |text: &str| text.to_owned();
        assert_eq!(
            wrong(&[("kubeVersion", "1.32"), ("skp", "a"), ("pin", "tag")]),
            [
                (1, message("unknown key `skp`, did you mean `skip`?")),
                (2, message("unknown value `tag`")),
            ]
        );
        assert_eq!(
            wrong(&[("fallbacks", "- name: a\n  imags: [b]")]),
            [(0, message("unknown key `imags`, did you mean `images`?"))]
        );
        assert_eq!(wrong(&[("fallbacks", "a")]), [(0, message("expected a mapping"))]);
        assert_eq!(wrong(&[("registries", "- {host: a.io, cache: maybe}")]).len(), 1);
    }
}
