//! Fallback: which references to try for one that is absent, and in which order.
//!
//! Rules only propose. Nothing here asks anybody, and nothing is tried before absence is proved
//! (see `resolve/`). No rule proposes a pre-release for a stable tag unless it says so, a newer
//! Kubernetes minor than the cluster's, or a tag with another suffix.

mod generalised;
mod kubernetes;
mod nearest;
mod presets;
mod proposals;
mod repositories;
pub mod tag;
mod template;
mod version;

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use crate::diagnostic::Failure;
use crate::image::{Asked, Globs, Repository, Tag, Tagged};
use crate::registry::Outcome;
use crate::text::escape::quoted;

pub use kubernetes::{DEFAULT_SKEW, KubernetesVersion, MAX_SKEW, MinorVersion};
pub use nearest::{Nearby, nearest};
pub use presets::{Move, Preset, moved_to};
pub use proposals::{Proposal, ProposalKind, Suggestion, proposals};
pub use repositories::Repositories;
pub use template::Template;
pub use version::{Direction, Prefer, SemanticVersion, Within};

/// Bytes of a compiled regular expression. One for tags has some thousand; `(?:\w{100}){10}` has
/// millions and takes a tenth of a second to compile. All of a configuration take some seconds at most.
const LARGEST_REGEX: usize = 256 << 10;

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name in messages and reports.
    pub name: String,
    /// The repositories that it is about.
    pub scope: Scope,
    /// The condition for trying the rule.
    pub when: When,
    /// The repositories that a rule about versions searches.
    pub repositories: Repositories,
    /// Its proposal.
    pub kind: Kind,
}

/// The repositories that a rule is about.
#[derive(Debug, Clone)]
pub enum Scope {
    /// All of them.
    Every,
    /// Those whose full name one of these fits.
    Images(Globs),
    /// Client tools that follow Kubernetes' versions, and those whose full name one of these fits.
    KubernetesClients(Globs),
}

/// The condition for trying a rule.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It is proved absent, or its tag is invalid.
    #[default]
    Missing,
    /// The same, or a registry denied it: for registries that hide absence so.
    MissingOrDenied,
}

impl When {
    /// True if it holds for an outcome; none is that of an invalid tag.
    #[must_use]
    pub fn covers(self, outcome: Option<Outcome>) -> bool {
        match outcome {
            Some(Outcome::Denied) => self == Self::MissingOrDenied,
            Some(outcome) => outcome.failure() == Failure::Absent,
            None => true,
        }
    }
}

/// The proposal of a rule.
#[derive(Debug, Clone)]
pub enum Kind {
    /// References made from the tag, where a regular expression fits the whole of it.
    Try {
        /// The regular expression.
        tag: WholeTag,
        /// The candidates, in order; never empty.
        templates: Vec<Template>,
    },
    /// The same tag where an image has moved to.
    Moved(&'static [Move]),
    /// Other versions of a client tool that follows Kubernetes' versions.
    KubernetesVersion(KubernetesVersion),
    /// Other versions.
    Version(SemanticVersion),
}

/// The next candidate, or the list of tags that is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask for this reference.
    Ask(Tagged),
    /// List the tags of the repository, and ask for the best of them.
    Pick(Pick),
    /// The rule makes this text, which is no reference, for this reason.
    Unusable(String, String),
}

/// A choice among the tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The repository.
    pub repository: Repository,
    pattern: Pattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Patch(kubernetes::PatchOf),
    Version(version::NearVersion),
}

impl Pick {
    /// The best of these tags; none if none fits.
    #[must_use]
    pub fn best<'t>(&self, tags: &'t [Tag]) -> Option<&'t Tag> {
        match &self.pattern {
            Pattern::Patch(pattern) => pattern.best(tags),
            Pattern::Version(pattern) => pattern.best(tags),
        }
    }
}

impl fmt::Display for Pick {
    /// The pattern of the tags as text: `v1.31.*`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Pattern::Patch(pattern) => pattern.fmt(f),
            Pattern::Version(pattern) => pattern.fmt(f),
        }
    }
}

impl Scope {
    /// True if a repository is one of these.
    #[must_use]
    pub fn covers(&self, repository: &Repository) -> bool {
        match self {
            Self::Every => true,
            Self::Images(globs) => globs.fit(repository),
            Self::KubernetesClients(more) => {
                kubernetes::is_client(repository) || more.fit(repository)
            }
        }
    }
}

impl Scope {
    /// True if it names a repository without a glob.
    fn names(&self, repository: &Repository) -> bool {
        match self {
            Self::Every => false,
            Self::Images(globs) | Self::KubernetesClients(globs) => globs.name(repository),
        }
    }
}

impl Rule {
    /// The rule that comes with the binary and is tried last.
    #[must_use]
    pub fn built_in(kubernetes: KubernetesVersion) -> Self {
        Self {
            name: Preset::KubernetesVersion.name().to_owned(),
            scope: Scope::KubernetesClients(Globs::default()),
            when: When::Missing,
            repositories: Repositories::default(),
            kind: Kind::KubernetesVersion(kubernetes),
        }
    }

    /// A rule that comes with the binary, for its own images.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        if preset == Preset::KubernetesVersion {
            return Self::built_in(KubernetesVersion {
                cluster: None,
                max_minor_skew: DEFAULT_SKEW,
            });
        }
        Self {
            name: preset.name().to_owned(),
            scope: Scope::Images(Globs::new(preset.images()).expect("each is tested")),
            when: preset.when(),
            repositories: Repositories::default(),
            kind: Kind::Moved(preset.moves()),
        }
    }

    /// True if it chooses another version.
    #[must_use]
    pub fn is_about_versions(&self) -> bool {
        matches!(self.kind, Kind::KubernetesVersion(_) | Kind::Version(_))
    }

    /// The candidates for an absent or invalid tag, in order.
    ///
    /// # Errors
    /// The reason why the rule does not match it, for messages.
    pub fn steps(&self, asked: &Asked) -> Result<Vec<Step>, String> {
        if !self.scope.covers(&asked.repository) {
            return Err("it is not for this repository".to_owned());
        }
        if self.is_about_versions()
            && kubernetes::is_component(&asked.repository)
            && !self.scope.names(&asked.repository)
        {
            return Err(
                "it never changes the version of a component of the control plane or of a node"
                    .to_owned(),
            );
        }
        let repositories = || self.repositories.of(&asked.repository);
        match &self.kind {
            Kind::KubernetesVersion(kubernetes) => kubernetes.steps(asked, &repositories()),
            Kind::Moved(moves) => Ok(presets::steps(moves, asked)),
            Kind::Version(version) => {
                version.steps(asked, &repositories(), self.repositories.is_own())
            }
            Kind::Try { tag, templates } => {
                let Some(captures) = tag.0.captures(&asked.tag) else {
                    return Err(format!("{} does not match the tag", quoted(&tag.to_string())));
                };
                let proposals =
                    templates.iter().map(|template| template.proposal(&captures, asked));
                // The reference itself is no proposal.
                let is_other = |step: &Step| !matches!(step, Step::Ask(tagged) if Asked::from(tagged) == *asked);
                Ok(proposals.filter(is_other).collect())
            }
        }
    }

    /// True if one of its steps can lead from an absent or invalid tag to this one.
    #[must_use]
    pub fn proposes(&self, asked: &Asked, substitute: &Tagged) -> bool {
        let leads_there = |step: &Step| match step {
            Step::Ask(tagged) => tagged == substitute,
            Step::Pick(pick) => {
                pick.repository == substitute.repository
                    && pick.best(std::slice::from_ref(&substitute.tag)).is_some()
            }
            Step::Unusable(..) => false,
        };
        self.steps(asked).is_ok_and(|steps| steps.iter().any(leads_there))
    }

    /// Where the rule ends, for the message that it did not help; none if it is not about this
    /// image, or has nothing to say.
    #[must_use]
    pub fn limit(&self, asked: &Asked) -> Option<String> {
        let limit = match &self.kind {
            Kind::KubernetesVersion(kubernetes) => kubernetes.limit(),
            Kind::Version(version) => version.limit(),
            Kind::Try { .. } | Kind::Moved(_) => return None,
        };
        self.steps(asked).is_ok().then(|| format!("rule {} {limit}", self.name))
    }
}

/// A regular expression that has to fit a whole tag.
#[derive(Debug, Clone)]
pub struct WholeTag(Regex);

impl WholeTag {
    /// The one that fits every tag.
    #[must_use]
    pub fn any() -> Self {
        Self(Regex::new("^(?s:.*)$").expect("it is one"))
    }

    fn groups(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.capture_names()
    }
}

impl FromStr for WholeTag {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        // Alone first: what is only whole between our anchors would escape them.
        compiled(pattern)?;
        let whole = compiled(&format!("^(?:{pattern})$"))?;
        let taken = |name: &&str| template::VARIABLES.contains(name);
        if let Some(name) = whole.capture_names().flatten().find(taken) {
            return Err(format!("a group can't be called `{name}`, which is a built-in variable"));
        }
        Ok(Self(whole))
    }
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(pattern).size_limit(LARGEST_REGEX).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "the regular expression is too large; counted repetitions make it large".to_owned()
        }
        error => error.to_string(),
    })
}

impl fmt::Display for WholeTag {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.as_str();
        let written = whole.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
        f.write_str(written.unwrap_or(".*"))
    }
}

impl FromStr for Rule {
    type Err = String;

    /// Parses `[GLOB:]REGEX=TRY`, split at the first `=`. A glob has a `/`, and ends at the first `:`
    /// behind its last one.
    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, template) = text.split_once('=').ok_or("expected [GLOB:]REGEX=TRY")?;
        let glob = pattern.rfind('/').and_then(|slash| {
            let end = slash + pattern[slash..].find(':')?;
            Some((&pattern[..end], &pattern[end + 1..]))
        });
        let (scope, pattern) = match glob {
            Some((glob, pattern)) => {
                let globs = Globs::of_names([glob]).map_err(|error| error.to_string())?;
                (Scope::Images(globs), pattern)
            }
            None => (Scope::Every, pattern),
        };
        let tag: WholeTag = pattern.parse()?;
        if template.is_empty() {
            return Err("there is nothing to try after `=`".to_owned());
        }
        let templates = vec![Template::parse(template, &tag)?];
        Ok(Self {
            name: format!("--fallback {text}"),
            scope,
            when: When::Missing,
            repositories: Repositories::default(),
            kind: Kind::Try { tag, templates },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn asked(text: &str) -> Asked {
        text.parse().expect("a repository and a tag")
    }

    pub(super) fn tags(texts: &[&str]) -> Vec<Tag> {
        texts.iter().map(|tag| tag.parse().expect("a tag")).collect()
    }

    fn proposals(rule: &str, image: &str) -> Vec<String> {
        let rule: Rule = rule.parse().expect("a rule");
        let steps = rule.steps(&asked(image)).unwrap_or_default().into_iter();
        steps
            .map(|step| match step {
                Step::Ask(tagged) => tagged.to_string(),
                Step::Pick(pick) => format!("pick {pick}"),
                Step::Unusable(text, reason) => format!("unusable {text}: {reason}"),
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
            (".*=$$x", "a/b:1", Some("unusable $x: `$` is not allowed in tag `$x`")),
            (
                "(.+)\\+.*=$1",
                "ghcr.io/acme/app:attacker:1.0+x",
                Some("unusable attacker:1.0: `:` is not allowed in tag `attacker:1.0`"),
            ),
            ("v=w", "a/b:v1", None),
            (".*=$tag", "a/b:1", None),
            ("v1.16\\+=v1.16.0", "a/b:v1.16+", Some("docker.io/a/b:v1.16.0")),
            ("docker.io/a/*:main-(.+)=$1", "a/b:main-1", Some("docker.io/a/b:1")),
            ("docker.io/a/*:main-(.+)=$1", "b/b:main-1", None),
            ("localhost:5000/a:(?:v)(.+)=$1", "localhost:5000/a:v1", Some("localhost:5000/a:1")),
        ] {
            assert_eq!(proposals(rule, image), proposal.into_iter().collect::<Vec<_>>(), "{rule}");
        }
    }

    #[test]
    fn a_wrong_rule_says_what_is_wrong() {
        for (rule, message) in [
            ("v1", "expected [GLOB:]REGEX=TRY"),
            ("a=", "there is nothing to try after `=`"),
            ("a=$1", "the regular expression has no group 1, which `$1` names"),
            ("a=$foo", "unknown `$foo`; there are $1 …, ${group}, $tag, $name and $repository"),
            ("a=$nmae", "unknown `$nmae`, did you mean `$name`?"),
            ("(?<major>a)=$mayor", "unknown `$mayor`, did you mean `$major`?"),
            ("a=${foo", "`}` is missing after `${foo`"),
            (
                "a=acme/b:$tag",
                "a whole reference starts with its registry, for example `docker.io/…`",
            ),
            (
                "a=$repository:stable",
                "a whole reference starts with its registry, for example `docker.io/…`",
            ),
            ("a=quay.io/$repository", "a whole reference ends with a tag, for example `…:$tag`"),
        ] {
            assert_eq!(rule.parse::<Rule>().expect_err(rule), message);
        }
        assert!("(=x".parse::<Rule>().expect_err("no group").contains("unclosed group"));
        assert!("zzz)|(?:b=x".parse::<Rule>().is_err(), "the anchors hold");
    }
}
