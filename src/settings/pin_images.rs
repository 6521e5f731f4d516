//! The schema of a configuration, and its checks. Editors show the doc comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::config::Config;
use super::cooldown::Cooldown;
use super::glob::Glob;
use super::included::Included;
use super::registry_entry::Registry;
use super::rules::{self, Fallback};
use super::skipped::Skipped;
use super::wrong::{Wrong, span};
use crate::fallback::MinorVersion;
use crate::image::PinForm;
use crate::places::ChartKey;
use crate::places::fields::Field;
use crate::policy::Mutable;

/// How digestif handles the images of manifests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "digestif configuration", extend("required" = ["apiVersion", "kind"]))]
pub(super) struct PinImages {
    /// The version of this schema.
    #[schemars(required)]
    pub(super) api_version: Option<ApiVersion>,
    /// The kind, always `PinImages`.
    #[schemars(required)]
    pub(super) kind: Option<Kind>,
    /// A name and annotations, as in Kubernetes objects. digestif ignores them.
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    metadata: Option<IgnoredAny>,
    /// The cluster's version, for example 1.32. Rules for Kubernetes client tools count from it.
    #[serde(deserialize_with = "parsed")]
    #[schemars(with = "Option<String>")]
    kube_version: Option<MinorVersion>,
    /// How a pin is written: `tag-digest` or `digest`.
    pin: Option<PinForm>,
    /// Rules for tags that do not exist. The first rule that finds an existing image is used.
    #[schemars(with = "Option<Vec<Fallback>>")]
    fallbacks: Option<Vec<Spanned<Fallback>>>,
    /// Images that are left alone: globs over the full repository name, for example `quay.io/**`, and
    /// objects, for example `{kind: Job, namespace: batch}`.
    skip: Option<Vec<Skipped>>,
    /// Fields of custom resources that are images, in addition to the built-in table.
    #[schemars(with = "Option<Vec<FieldSpec>>")]
    fields: Option<Vec<Spanned<FieldSpec>>>,
    /// Keys in the values of charts that fail on a digest, in addition to the built-in table.
    values: Option<Vec<ValueSpec>>,
    /// Candidates that are also pinned: classes, or parts of them.
    #[schemars(with = "Option<Vec<Included>>")]
    include: Option<Vec<Spanned<Included>>>,
    /// Policies that fail a run. Flags and other configurations can add policies, not remove them.
    policy: Option<Policy>,
    /// How registries are reached.
    #[schemars(with = "Option<Vec<Registry>>")]
    pub(super) registries: Option<Vec<Spanned<Registry>>>,
    /// The file with recorded digests. Its path is relative to the folder of the configuration.
    #[schemars(with = "Option<String>")]
    pub(super) lock: Option<Spanned<String>>,
    /// With a lock: how old a digest must be before it is used.
    cooldown: Option<Cooldown>,
}

/// The version of the schema.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// The first version.
    #[serde(rename = "digestif.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of the object.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// A configuration.
    PinImages,
}

/// A field of objects, in the form of kustomize's field specs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldSpec {
    /// The API group. If it is missing: every group.
    #[serde(default)]
    group: String,
    /// The API version. If it is missing: every version.
    #[serde(default)]
    version: String,
    /// The kind. If it is missing: every kind.
    #[serde(default)]
    kind: String,
    /// The path of the field, with slashes between the keys: `spec/engines[]/image`. Write a slash in a key as `\/`.
    /// `*` is every key.
    path: String,
    /// False if the field is only reported, for example because its operator fails on a digest.
    #[serde(default = "yes")]
    pin: bool,
}

/// A key in the values of a chart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ValueSpec {
    /// The name of the chart. If it is missing: every chart.
    #[serde(default)]
    chart: String,
    /// The path of the tag, or of the whole reference, in the values: `image.tag`.
    key: String,
    /// False if the image is only reported, because the chart fails on a digest there.
    #[serde(default = "yes")]
    pin: bool,
}

fn yes() -> bool {
    true
}

/// Policies that fail a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Policy {
    /// True if every image must already have a digest. Then no tag is resolved and nothing is changed.
    #[serde(default)]
    require_digest: bool,
    /// True if tags that move are refused: `latest`, `nightly`, branches.
    #[serde(default)]
    deny_mutable: bool,
    /// True if tags that move with every patch are refused too, for example `1` and `1.27`.
    #[serde(default)]
    deny_mutable_versions: bool,
    /// The tag that every image of a repository must have. A repository that does not occur also fails.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    expect: BTreeMap<String, Spanned<String>>,
    /// Platforms for which every image must be available, for example linux/arm64.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    require_platforms: Vec<Spanned<String>>,
}

/// Parses a string as another type.
fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

impl PinImages {
    /// The checked configuration. Relative paths of certificates count from `folder`.
    pub(super) fn checked(self, folder: &Path) -> Result<Config, Vec<Wrong>> {
        let keys = self.keys();
        let (rules, mut wrong) = rules::checked(self.fallbacks.unwrap_or_default());
        let mut config = Config {
            kube_version: self.kube_version,
            pin: self.pin,
            rules,
            keys,
            ..Config::default()
        };
        let mut globs = Vec::new();
        for skipped in self.skip.unwrap_or_default() {
            match skipped {
                Skipped::Repositories(glob) => globs.push(glob),
                Skipped::Objects(objects) => {
                    config.scope.skipped.configured.push(objects.pattern());
                }
            }
        }
        match Glob::globs(&globs) {
            Ok(globs) => config.skip = globs,
            Err(message) => wrong.push(Wrong::at(None, format!("`skip`: {message}"))),
        }
        if let Some(policy) = self.policy {
            wrong.extend(policy.add_to(&mut config));
        }
        if let Some(lock) = self.lock {
            match lock.value.trim() {
                "" | "-" => wrong.push(Wrong::at(span(lock.referenced), "`lock` names no file")),
                path => config.lock = Some(path.into()),
            }
        }
        match self.cooldown.map(Cooldown::checked).transpose() {
            Ok(cooldown) => config.cooldown = cooldown,
            Err(message) => wrong.push(Wrong::at(None, format!("`cooldown`: {message}"))),
        }
        for field in self.fields.unwrap_or_default() {
            let at = span(field.referenced);
            match field.value.path.parse() {
                Ok(path) => {
                    let FieldSpec { group, version, kind, pin, .. } = field.value;
                    config.scope.fields.push(Field { group, version, kind, path, pin });
                }
                Err(message) => wrong.push(Wrong::at(at, message)),
            }
        }
        for ValueSpec { chart, key, pin } in self.values.unwrap_or_default() {
            config.scope.values.push(ChartKey { chart, key, pin });
        }
        for included in self.include.unwrap_or_default() {
            let at = span(included.referenced);
            match included.value.inclusion() {
                Ok(inclusion) => config.scope.include.push(inclusion),
                Err(message) => wrong.push(Wrong::at(at, message)),
            }
        }
        let mut hosts = BTreeSet::new();
        for registry in self.registries.unwrap_or_default() {
            let at = span(registry.referenced);
            wrong.extend(registry.value.add_to(&mut config, &mut hosts, at, folder).err());
        }
        if wrong.is_empty() { Ok(config) } else { Err(wrong) }
    }
}

impl PinImages {
    /// The keys that are set.
    fn keys(&self) -> Vec<&'static str> {
        let policy = self.policy.as_ref();
        let is_set = |of: fn(&Policy) -> bool| policy.is_some_and(of);
        let keys = [
            ("kubeVersion", self.kube_version.is_some()),
            ("pin", self.pin.is_some()),
            ("fallbacks", self.fallbacks.is_some()),
            ("skip", self.skip.is_some()),
            ("fields", self.fields.is_some()),
            ("values", self.values.is_some()),
            ("include", self.include.is_some()),
            ("policy.requireDigest", is_set(|policy| policy.require_digest)),
            (
                "policy.denyMutable",
                is_set(|policy| policy.deny_mutable || policy.deny_mutable_versions),
            ),
            ("policy.expect", is_set(|policy| !policy.expect.is_empty())),
            ("policy.requirePlatforms", is_set(|policy| !policy.require_platforms.is_empty())),
            ("registries", self.registries.is_some()),
            ("lock", self.lock.is_some()),
            ("cooldown", self.cooldown.is_some()),
        ];
        keys.into_iter().filter_map(|(key, is_set)| is_set.then_some(key)).collect()
    }
}

impl Policy {
    fn add_to(self, config: &mut Config) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        config.require_digest = self.require_digest;
        config.mutable = match (self.deny_mutable, self.deny_mutable_versions) {
            (_, true) => Mutable::Versions,
            (true, false) => Mutable::Words,
            (false, false) => Mutable::Allowed,
        };
        for (repository, tag) in self.expect {
            match format!("{repository}={}", tag.value).parse() {
                Ok(expectation) => config.expectations.push(expectation),
                Err(error) => wrong.push(Wrong::at(span(tag.referenced), error.to_string())),
            }
        }
        for platform in self.require_platforms {
            match platform.value.parse() {
                Ok(platform) => config.platforms.push(platform),
                Err(error) => wrong.push(Wrong::at(span(platform.referenced), format!("{error}"))),
            }
        }
        wrong
    }
}
