//! Fallback: which references to try for one that is absent, and in which order.
//!
//! Rules only propose. Nothing here asks anybody, and nothing is tried before absence is proved
//! (see `resolve.rs`). A rule never proposes a pre-release for a stable tag, a newer Kubernetes
//! minor than the cluster's, or a tag with another suffix.

mod kubernetes;
mod nearest;
mod template;

use std::fmt;
use std::str::FromStr;

use regex::Regex;

use crate::image::{Asked, Reference, Tag, Tagged};

pub use kubernetes::{KubernetesVersion, MinorVersion};
pub use nearest::{nearest, rule as rule_for};
use template::{Proposal, Template};

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// How messages and reports call it.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// For every image: a regular expression over the whole tag, and what to try.
    Try { tag: Regex, template: Template },
    /// For client tools that follow Kubernetes' versions.
    KubernetesVersion(KubernetesVersion),
}

/// What to try next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask for this reference.
    Ask(Tagged),
    /// List the tags of the repository, and ask for the best of them.
    Pick(Pick),
}

/// A choice among the tags of the repository that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    pattern: kubernetes::PatchOf,
}

impl Pick {
    /// The best of these tags; none where none fits.
    #[must_use]
    pub fn best<'t>(&self, tags: &'t [Tag]) -> Option<&'t Tag> {
        self.pattern.best(tags)
    }
}

impl fmt::Display for Pick {
    /// What is looked for, as people write it: `v1.31.*`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pattern.fmt(f)
    }
}

impl Rule {
    /// The rule that comes with the binary and is tried last.
    #[must_use]
    pub fn built_in(kubernetes: KubernetesVersion) -> Self {
        Self { name: "kubernetes-version".to_owned(), kind: Kind::KubernetesVersion(kubernetes) }
    }

    /// What to try for an absent or invalid tag, in order; nothing where the rule is not about it.
    #[must_use]
    pub fn steps(&self, asked: &Asked) -> Vec<Step> {
        match &self.kind {
            Kind::KubernetesVersion(kubernetes) => kubernetes.steps(asked),
            Kind::Try { tag, template } => {
                let Some(captures) = tag.captures(&asked.tag) else { return Vec::new() };
                let text = template.fill(&captures, asked);
                let proposed = match template.kind() {
                    Proposal::Tag => text
                        .parse()
                        .ok()
                        .map(|tag| Tagged { repository: asked.repository.clone(), tag }),
                    Proposal::Reference => match text.parse() {
                        Ok(Reference::Tagged(tagged)) => Some(tagged),
                        _ => None,
                    },
                };
                // What is no reference, or was asked for itself, is no proposal.
                let is_other = |tagged: &Tagged| Asked::from(tagged) != *asked;
                proposed.filter(is_other).map(Step::Ask).into_iter().collect()
            }
        }
    }

    /// Why the rule goes no further, for the message that it did not help.
    #[must_use]
    pub fn limit(&self, asked: &Asked) -> Option<String> {
        match &self.kind {
            Kind::KubernetesVersion(kubernetes) => kubernetes.limit(asked),
            Kind::Try { .. } => None,
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    /// Parses `REGEX=TRY`, split at the first `=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, template) = text.split_once('=').ok_or("expected REGEX=TRY")?;
        // Alone first: what is only whole between our anchors would escape them.
        Regex::new(pattern).map_err(|error| error.to_string())?;
        let tag = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| error.to_string())?;
        let template = Template::parse(template, &tag)?;
        Ok(Self { name: format!("--fallback {text}"), kind: Kind::Try { tag, template } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn asked(text: &str) -> Asked {
        text.parse().expect("a repository and a tag")
    }

    fn proposals(rule: &str, image: &str) -> Vec<String> {
        let rule: Rule = rule.parse().expect("a rule");
        let steps = rule.steps(&asked(image)).into_iter();
        steps
            .map(|step| match step {
                Step::Ask(tagged) => tagged.to_string(),
                Step::Pick(pick) => format!("pick {pick}"),
            })
            .collect()
    }

    #[test]
    fn a_rule_of_the_command_line_proposes_one_reference() {
        for (rule, image, proposal) in [
            (
                "main-(v.+-stable)=litellm_stable_release_branch-$1",
                "ghcr.io/b/l:main-v1-stable",
                Some("ghcr.io/b/l:litellm_stable_release_branch-v1-stable"),
            ),
            ("main-(v.+)=$1", "a/b:main-v1", Some("docker.io/a/b:v1")),
            ("(?<v>.+)-x=${v}_y", "a/b:1-x", Some("docker.io/a/b:1_y")),
            ("(.+)-x=$1_y", "a/b:1-x", Some("docker.io/a/b:1_y")),
            (
                ".*=docker.io/bitnamilegacy/$name:$tag",
                "bitnami/redis:7",
                Some("docker.io/bitnamilegacy/redis:7"),
            ),
            (".*=quay.io/$repository:$tag", "bitnami/redis:7", Some("quay.io/bitnami/redis:7")),
            (".*=$$x", "a/b:1", None),
            ("(.+)\\+.*=$1", "ghcr.io/acme/app:attacker:1.0+x", None),
            ("v=w", "a/b:v1", None),
            (".*=$tag", "a/b:1", None),
            (".*=not a tag", "a/b:1", None),
            ("v1.16\\+=v1.16.0", "a/b:v1.16+", Some("docker.io/a/b:v1.16.0")),
        ] {
            assert_eq!(proposals(rule, image), proposal.into_iter().collect::<Vec<_>>(), "{rule}");
        }
    }

    #[test]
    fn a_wrong_rule_says_what_is_wrong() {
        for (rule, message) in [
            ("v1", "expected REGEX=TRY"),
            ("a=", "there is nothing to try after `=`"),
            ("a=$1", "the regular expression has no group 1, which `$1` names"),
            ("a=$foo", "unknown `$foo`; there are $1 …, ${name}, $tag, $name and $repository"),
            ("a=${foo", "`}` is missing after `${foo`"),
            ("a=acme/b:$tag", "a whole reference starts with its registry, as in `docker.io/…`"),
            (
                "a=$repository:stable",
                "a whole reference starts with its registry, as in `docker.io/…`",
            ),
            ("a=quay.io/$repository", "a whole reference ends with a tag, as in `…:$tag`"),
        ] {
            assert_eq!(rule.parse::<Rule>().expect_err(rule), message);
        }
        assert!("(=x".parse::<Rule>().expect_err("no group").contains("unclosed group"));
        assert!("zzz)|(?:b=x".parse::<Rule>().is_err(), "the anchors hold");
    }
}
