//! The rules of a configuration: as they are written, and what they become.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::config::ConfiguredRule;
use super::glob::Glob;
use super::wrong::{Wrong, span};
use crate::fallback::{
    DEFAULT_SKEW, Direction, Kind, KubernetesVersion, MAX_SKEW, Prefer, Preset, Repositories, Rule,
    Scope, SemanticVersion, Template, When, WholeTag, Within,
};
use crate::text::Span;
use crate::text::escape::escaped;

/// A rule for tags that do not exist: either `preset`, or `name` and `images` with one of `try`,
/// `kubernetesVersion` and `version`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fallback {
    /// The name of the rule in messages, reports and locks.
    name: Option<String>,
    /// A rule that comes with digestif. `images` adds repositories; `when` and `enabled` change it.
    preset: Option<Preset>,
    /// The repositories that it applies to: globs over their full names. `**` is every repository.
    images: Option<Vec<Glob>>,
    /// A regular expression that must match the whole tag.
    #[schemars(with = "Option<String>")]
    tag: Option<Spanned<String>>,
    /// Tags or whole references, tried in order. They may use `$1`, `${group}`, `$tag`, `$name` (the last part of the
    /// repository's path) and `$repository` (the path).
    #[schemars(with = "Option<Vec<String>>")]
    r#try: Option<Spanned<Vec<Spanned<String>>>>,
    /// For client tools that follow Kubernetes' versions.
    kubernetes_version: Option<KubernetesSettings>,
    /// Another version of the same series.
    version: Option<VersionSettings>,
    /// The conditions under which the rule is tried. The default is `missing`, or the default of the preset.
    when: Option<Vec<Condition>>,
    /// False turns the rule off.
    enabled: Option<bool>,
}

/// How far a Kubernetes client tool may step down.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KubernetesSettings {
    /// Minor versions below the cluster's, or below the tag if the cluster's version is not known. The
    /// default is 1.
    #[schemars(with = "Option<u32>", range(max = 20))]
    max_minor_skew: Option<Spanned<u32>>,
    /// The repositories to search, in order. They may use `$name` and `$repository`. The default is
    /// the image's own.
    #[schemars(with = "Option<Vec<String>>")]
    r#in: Option<Spanned<Vec<String>>>,
}

/// The versions that may replace one that does not exist.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VersionSettings {
    /// The part of the version that must stay the same.
    within: Within,
    /// The choice if several versions exist.
    #[serde(default)]
    prefer: Prefer,
    /// Older versions, newer versions, or both.
    #[serde(default)]
    direction: Direction,
    /// True if a pre-release may be used.
    #[serde(default)]
    prerelease: bool,
    /// The repositories to search, in order. They may use `$name` and `$repository`. The default is
    /// the image's own.
    #[schemars(with = "Option<Vec<String>>")]
    r#in: Option<Spanned<Vec<String>>>,
}

impl From<&VersionSettings> for SemanticVersion {
    fn from(settings: &VersionSettings) -> Self {
        let VersionSettings { within, prefer, direction, prerelease, .. } = *settings;
        Self { within, prefer, direction, prerelease }
    }
}

/// A condition in which a rule is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Condition {
    /// The image is proved absent, or its tag is invalid.
    Missing,
    /// The registry answers 401 or 403. Some registries do this for images that do not exist.
    Denied,
}

/// Rules of one configuration. Each may have a regular expression that takes some milliseconds to compile.
const MOST: usize = 500;

/// The valid rules, and the errors in the others.
pub(super) fn checked(written: Vec<Spanned<Fallback>>) -> (Vec<ConfiguredRule>, Vec<Wrong>) {
    let (mut rules, mut wrong) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for (n, fallback) in written.into_iter().enumerate() {
        let at = span(fallback.referenced);
        if n == MOST {
            let message = format!("there are more than {MOST} rules");
            wrong.push(
                Wrong::at(at, message).help("use one rule with globs instead of several rules"),
            );
            break;
        }
        match fallback.value.checked(at) {
            Ok(rule) if names.insert(rule.rule.name.clone()) => rules.push(rule),
            Ok(rule) => {
                let message = format!("two rules are called `{}`", rule.rule.name);
                wrong.push(Wrong::at(at, message).help("messages and locks name rules"));
            }
            Err(wrongs) => wrong.extend(wrongs),
        }
    }
    (rules, wrong)
}

impl Fallback {
    fn checked(self, at: Option<Span>) -> Result<ConfiguredRule, Vec<Wrong>> {
        let max_minor_skew = self.max_minor_skew().map_err(|wrong| vec![wrong])?;
        let when = self.when().map_err(|message| vec![Wrong::at(at, message)])?;
        let repositories = self.repositories().map_err(|wrong| vec![wrong])?;
        let enabled = self.enabled.unwrap_or(true);
        let preset = self.preset;
        let skew = max_minor_skew.unwrap_or(DEFAULT_SKEW);
        let rule = match preset {
            Some(preset) => {
                self.preset(preset, skew).map_err(|message| vec![Wrong::at(at, message)])
            }
            None => self.own(skew, at),
        };
        let rule = rule?;
        let rule = Rule { when: when.unwrap_or(rule.when), repositories, ..rule };
        Ok(ConfiguredRule { rule, preset, enabled, max_minor_skew })
    }

    /// A rule that comes with the binary, for more repositories.
    fn preset(self, preset: Preset, skew: u32) -> Result<Rule, String> {
        let own = [
            ("name", self.name.is_some()),
            ("tag", self.tag.is_some()),
            ("try", self.r#try.is_some()),
            ("version", self.version.is_some()),
        ];
        if let Some((key, _)) = own.iter().find(|(_, written)| *written) {
            return Err(format!("a preset has its own `{key}`"));
        }
        let more = Glob::globs(&self.images.unwrap_or_default())?;
        let rule = Rule::preset(preset);
        match (rule.scope, rule.kind) {
            (Scope::KubernetesClients(own), Kind::KubernetesVersion(_)) => {
                let kubernetes = KubernetesVersion { cluster: None, max_minor_skew: skew };
                let (scope, kind) =
                    (Scope::KubernetesClients(own.and(more)), Kind::KubernetesVersion(kubernetes));
                Ok(Rule { scope, kind, ..Rule::preset(preset) })
            }
            _ if self.kubernetes_version.is_some() => {
                Err("`kubernetesVersion` is only for the preset `kubernetes-version`".to_owned())
            }
            (Scope::Images(own), kind) => {
                Ok(Rule { scope: Scope::Images(own.and(more)), kind, ..Rule::preset(preset) })
            }
            (scope, kind) => Ok(Rule { scope, kind, ..Rule::preset(preset) }),
        }
    }

    /// A rule of the user's own, or all errors in it.
    fn own(self, skew: u32, at: Option<Span>) -> Result<Rule, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut lacks = |message: &str| wrong.push(Wrong::at(at, message));
        match self.name.as_deref() {
            None | Some("") => lacks("the rule has no `name`"),
            Some(name) if Preset::ALL.iter().any(|preset| preset.name() == name) => {
                lacks(&format!("`{name}` is the name of a preset"));
            }
            Some(_) => {}
        }
        match self.images.as_deref() {
            None => lacks("the rule has no `images`"),
            Some([]) => lacks("`images` is empty"),
            Some(_) => {}
        }
        let kinds = [
            ("try", self.r#try.is_some()),
            ("kubernetesVersion", self.kubernetes_version.is_some()),
            ("version", self.version.is_some()),
        ];
        let kinds: Vec<_> = kinds.iter().filter(|(_, there)| *there).map(|(key, _)| *key).collect();
        match kinds[..] {
            [] => lacks("the rule has no `try`, `version` or `kubernetesVersion`"),
            ["try"] => {}
            [_] if self.tag.is_some() => lacks("`tag` is only for rules with `try`"),
            [_] => {}
            [one, other, ..] => lacks(&format!("the rule has both `{one}` and `{other}`")),
        }
        let kind = if let Some(templates) = &self.r#try {
            templated(self.tag.as_ref(), templates, &mut wrong)
        } else if let Some(version) = &self.version {
            Some(Kind::Version(version.into()))
        } else {
            let kubernetes = KubernetesVersion { cluster: None, max_minor_skew: skew };
            Some(Kind::KubernetesVersion(kubernetes))
        };
        let globs = Glob::globs(&self.images.unwrap_or_default());
        let globs = globs.map_err(|message| wrong.push(Wrong::at(at, message))).ok();
        match kind.zip(globs).filter(|_| wrong.is_empty()) {
            Some((kind, globs)) => Ok(Rule {
                name: escaped(&self.name.unwrap_or_default()),
                scope: Scope::Images(globs),
                when: When::Missing,
                repositories: Repositories::default(),
                kind,
            }),
            None => Err(wrong),
        }
    }

    fn when(&self) -> Result<Option<When>, &'static str> {
        match self.when.as_deref() {
            Some([]) => Err("`when` is empty"),
            Some(when) if !when.contains(&Condition::Missing) => Err("`when` lacks `missing`"),
            Some(when) if when.contains(&Condition::Denied) => Ok(Some(When::MissingOrDenied)),
            Some(_) => Ok(Some(When::Missing)),
            None => Ok(None),
        }
    }

    fn repositories(&self) -> Result<Repositories, Wrong> {
        let kubernetes =
            self.kubernetes_version.as_ref().and_then(|settings| settings.r#in.as_ref());
        let version = self.version.as_ref().and_then(|settings| settings.r#in.as_ref());
        match kubernetes.or(version) {
            Some(names) => Repositories::new(&names.value)
                .map_err(|message| Wrong::at(span(names.referenced), message)),
            None => Ok(Repositories::default()),
        }
    }

    fn max_minor_skew(&self) -> Result<Option<u32>, Wrong> {
        let written = self.kubernetes_version.as_ref().and_then(|k| k.max_minor_skew.as_ref());
        match written {
            Some(skew) if skew.value > MAX_SKEW => {
                let message = format!("`maxMinorSkew` is at most {MAX_SKEW}");
                Err(Wrong::at(span(skew.referenced), message))
            }
            skew => Ok(skew.map(|skew| skew.value)),
        }
    }
}

/// The rule that `tag` and `try` make.
fn templated(
    tag: Option<&Spanned<String>>,
    templates: &Spanned<Vec<Spanned<String>>>,
    wrong: &mut Vec<Wrong>,
) -> Option<Kind> {
    if templates.value.is_empty() {
        wrong.push(Wrong::at(span(templates.referenced), "`try` is empty"));
    }
    let tag = match tag.map(|tag| (tag, tag.value.parse::<WholeTag>())) {
        None => WholeTag::any(),
        Some((_, Ok(tag))) => tag,
        Some((tag, Err(error))) => {
            // The last line of it says what is wrong, those before it show where.
            let reason = error.lines().last().unwrap_or_default();
            let message = match reason.strip_prefix("error: ") {
                Some(reason) => format!("the regular expression is wrong: {reason}"),
                None => reason.to_owned(),
            };
            wrong.push(Wrong::at(span(tag.referenced), message));
            return None;
        }
    };
    let mut parsed = Vec::new();
    for text in &templates.value {
        match Template::parse(&text.value, &tag) {
            Ok(template) => parsed.push(template),
            Err(error) => wrong.push(Wrong::at(span(text.referenced), error)),
        }
    }
    Some(Kind::Try { tag, templates: parsed })
}
