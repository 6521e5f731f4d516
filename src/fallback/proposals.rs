//! Proposals: rules that would lead from an absent tag to an existing one, for a person to choose.
//!
//! Each is a rule like any other. It is shown only after a search with it has found an image.

#[cfg(test)]
mod laws;

use super::generalised::Rewrite;
use super::kubernetes::{self, KubernetesVersion};
use super::nearest::{Ranked, ranked};
use super::tag::{Distance, Near, OwnWords, Reading};
use super::{
    DEFAULT_SKEW, Direction, Kind, Prefer, Preset, Repositories, Rule, Scope, SemanticVersion,
    Step, Template, When, Within, presets,
};
use crate::image::{Asked, Digest, Globs, Repository, Tag, Tagged};
use crate::registry::Outcome;

/// Kubernetes' own copy of its client, and what differs there.
const OWN_KUBECTL: (&str, &str) =
    ("registry.k8s.io/kubectl", "registry.k8s.io/kubectl has no shell");

/// Tags of the image's own repository for which a rule is proposed.
const MOST: usize = 2;

/// The kind of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalKind {
    /// The tag in another form.
    Try,
    /// Another version.
    Version,
    /// A rule that comes with the binary.
    Preset,
    /// More minor versions down.
    MaxMinorSkew,
    /// A version in another repository.
    Repository,
}

impl ProposalKind {
    /// A word for it, as reports write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Try => "try",
            Self::Version => "version",
            Self::Preset => "preset",
            Self::MaxMinorSkew => "max-minor-skew",
            Self::Repository => "repository",
        }
    }
}

/// A rule that may lead to an image.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Its kind.
    pub kind: ProposalKind,
    /// The rule.
    pub rule: Rule,
    /// The lines of its YAML behind `name`; for a preset, all of them.
    body: String,
    /// The flag with the same meaning, if there is one.
    flag: Option<String>,
    /// The difference there, for messages.
    note: Option<&'static str>,
    /// True if another proposal is as good.
    is_tied: bool,
}

/// A proposal that leads to an image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Its kind.
    pub kind: ProposalKind,
    /// The reference that it leads to.
    pub tagged: Tagged,
    /// The digest of that.
    pub digest: Digest,
    /// The flag with the same meaning, ready for a shell; none if no flag can express it.
    pub flag: Option<String>,
    /// A note for messages: what to know before choosing it.
    pub note: Option<String>,
    /// True if another suggestion is as good, so that a person has to choose.
    pub is_tied: bool,
    name: String,
    body: String,
}

impl Suggestion {
    /// An item of `fallbacks` in a configuration.
    #[must_use]
    pub fn yaml(&self) -> String {
        self.yaml_named(&self.name)
    }

    /// The same with another name.
    #[must_use]
    pub fn yaml_named(&self, name: &str) -> String {
        match self.kind {
            ProposalKind::Preset => format!("- {}", self.body),
            _ => format!("- name: {name}\n  {}", self.body),
        }
    }

    /// The name of the rule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Proposal {
    /// The suggestion, if the rule leads where a proposal may lead.
    #[must_use]
    pub fn found(self, asked: &Asked, tagged: Tagged, digest: Digest) -> Option<Suggestion> {
        let own = OwnWords::of(&asked.repository);
        let near = Near::of(&Reading::of(&asked.tag), &Reading::of(tagged.tag.as_str()), &own);
        let is_same_tag = tagged.tag.as_str() == asked.tag;
        (is_same_tag || near.is_allowed()).then(|| Suggestion {
            kind: self.kind,
            tagged,
            digest,
            flag: self.flag,
            note: self.note.map(str::to_owned),
            is_tied: self.is_tied,
            name: self.rule.name,
            body: self.body,
        })
    }
}

/// Rules that may lead to an image, best first. `tags` are those of the image's own repository, none
/// if it has no list.
#[must_use]
pub fn proposals(
    asked: &Asked,
    outcome: Option<Outcome>,
    rules: &[Rule],
    tags: &[Tag],
) -> Vec<Proposal> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    // Proposals are pasted into a shell or YAML.
    if !asked.tag.chars().all(is_plain) {
        return Vec::new();
    }
    let proposer = Proposer::new(asked, outcome, rules);
    // `--no-fallback` leaves no rule: then no other repository is asked either.
    let may_ask_others = !rules.is_empty();
    let mut proposals = if may_ask_others { proposer.presets() } else { Vec::new() };
    proposals.extend(proposer.own(tags));
    if may_ask_others {
        proposals.extend(proposer.repositories());
    }
    proposals.extend(proposer.skew(tags));
    proposals
}

struct Proposer<'a> {
    asked: &'a Asked,
    reading: Reading,
    outcome: Option<Outcome>,
    rules: &'a [Rule],
    /// The name of the rules: the last segment of the repository, unless a preset has that name.
    name: String,
    is_client: bool,
    is_kubectl: bool,
    is_component: bool,
    kubernetes: KubernetesVersion,
}

impl<'a> Proposer<'a> {
    fn new(asked: &'a Asked, outcome: Option<Outcome>, rules: &'a [Rule]) -> Self {
        let reading = Reading::of(&asked.tag);
        let is_client =
            kubernetes::is_client(&asked.repository) && kubernetes::is_version(&reading);
        let configured = rules.iter().find_map(|rule| match &rule.kind {
            Kind::KubernetesVersion(kubernetes) => Some(*kubernetes),
            _ => None,
        });
        let last = asked.repository.path().rsplit('/').next().unwrap_or_default();
        let default = KubernetesVersion { cluster: None, max_minor_skew: DEFAULT_SKEW };
        Self {
            asked,
            reading,
            outcome,
            rules,
            name: match Preset::named(last) {
                Some(_) => format!("{last}-tags"),
                None => last.to_owned(),
            },
            is_kubectl: is_client && last == "kubectl",
            is_client,
            is_component: kubernetes::is_component(&asked.repository),
            kubernetes: configured.unwrap_or(default),
        }
    }

    /// A rule for the image's own repository, which is tried whatever a registry said of it.
    fn rule(&self, kind: Kind, repositories: Repositories) -> Rule {
        let images = Globs::new([self.asked.repository.to_string()]).expect("a name is a glob");
        let (scope, when) = (Scope::Images(images), When::MissingOrDenied);
        Rule { name: self.name.clone(), scope, when, repositories, kind }
    }

    fn proposal(&self, kind: ProposalKind, rule: Rule, body: &str) -> Proposal {
        let repository = &self.asked.repository;
        let when =
            if self.outcome == Some(Outcome::Denied) { "\n  when: [missing, denied]" } else { "" };
        let body = format!("images: ['{repository}']{when}\n  {body}");
        Proposal { kind, rule, body, flag: None, note: None, is_tied: false }
    }

    /// Presets for the image that no rule names.
    fn presets(&self) -> Vec<Proposal> {
        let is_named = |preset: &Preset| self.rules.iter().any(|rule| rule.name == preset.name());
        let repository = &self.asked.repository;
        let unnamed = Preset::ALL.into_iter().filter(|preset| !is_named(preset));
        let moved =
            unnamed.filter(|preset| !presets::targets(preset.moves(), repository).is_empty());
        let proposal = |preset: Preset| {
            let own = Rule::preset(preset);
            let is_own = own.scope.covers(repository);
            let is_denied = self.outcome == Some(Outcome::Denied);
            let needs_when = is_denied && preset.when() == When::Missing;
            let images = format!("\n  images: ['{repository}']");
            let images = if is_own { "" } else { &images };
            let when = if needs_when { "\n  when: [missing, denied]" } else { "" };
            let body = format!("preset: {}{images}{when}", preset.name());
            let flag = format!("--preset {}", preset.name());
            let rule = Rule {
                name: preset.name().to_owned(),
                ..self.rule(own.kind, Repositories::default())
            };
            Proposal {
                kind: ProposalKind::Preset,
                rule,
                body,
                flag: (is_own && !needs_when).then_some(flag),
                note: preset.difference(),
                is_tied: false,
            }
        };
        moved.map(proposal).collect()
    }

    /// Rules for the nearest tags of the image's own repository.
    fn own(&self, tags: &[Tag]) -> Vec<Proposal> {
        let ranked = ranked(self.asked, tags);
        let mut proposals = Vec::new();
        let candidates = ranked.iter().filter(|found| self.may_propose(found.near.distance));
        let candidates: Vec<_> = candidates.take_while(|found| found.near.is_allowed()).collect();
        for (n, found) in candidates.iter().take(MOST).enumerate() {
            let others = candidates.iter().enumerate().filter(|(other, _)| *other != n);
            let is_tied = others.take(MOST).any(|(_, other)| other.near.is_as_near_as(&found.near));
            let version = || self.version(found, tags);
            let proposal = match found.near.distance {
                Distance::Same | Distance::Line => self.rewrite(found, true),
                Distance::Build
                | Distance::Within
                | Distance::Patch
                | Distance::MinorBelow
                | Distance::MinorAbove => version().or_else(|| self.rewrite(found, false)),
                _ => self.rewrite(found, false),
            };
            proposals.extend(proposal.map(|proposal| Proposal { is_tied, ..proposal }));
        }
        proposals
    }

    /// True if a rule for a tag at this distance may be proposed.
    fn may_propose(&self, distance: Distance) -> bool {
        match distance {
            Distance::Same => true,
            Distance::Final
            | Distance::Build
            | Distance::Newest
            | Distance::Within
            | Distance::Patch => !self.is_component,
            // How far a client of Kubernetes may be from its cluster is a rule's own setting.
            Distance::MinorBelow | Distance::MinorAbove | Distance::Line => {
                !self.is_component && !self.is_client
            }
            Distance::OtherLine | Distance::Major | Distance::Unknown => false,
        }
    }

    /// A rule with a regular expression: a general one if that leads to the same tag.
    fn rewrite(&self, found: &Ranked<'_>, may_be_general: bool) -> Option<Proposal> {
        let general = Rewrite::general(&self.reading, &found.reading).filter(|_| may_be_general);
        let literal = Rewrite::literal(&self.reading, &found.reading);
        general.into_iter().chain([literal]).find_map(|Rewrite { tag, template }| {
            let pattern = tag.parse().ok()?;
            let templates = vec![Template::parse(&template, &pattern).ok()?];
            let rule = self.rule(Kind::Try { tag: pattern, templates }, Repositories::default());
            let steps = rule.steps(self.asked).ok()?;
            let leads_there = matches!(&steps[..], [Step::Ask(tagged)] if tagged.tag == *found.tag);
            let body = format!("tag: '{tag}'\n  try: ['{template}']");
            let proposal = self.proposal(ProposalKind::Try, rule, &body);
            let flag = format!("--fallback '{}:{tag}={template}'", self.asked.repository);
            leads_there.then_some(Proposal { flag: Some(flag), ..proposal })
        })
    }

    /// A rule for another version of the same series, with the narrowest settings that lead there.
    fn version(&self, found: &Ranked<'_>, tags: &[Tag]) -> Option<Proposal> {
        let own = &self.asked.repository;
        let widths = [(Within::Patch, "patch"), (Within::Minor, "minor"), (Within::Major, "major")];
        let directions = [(Direction::Down, ""), (Direction::Up, ", direction: up")];
        let searched = [(Repositories::default(), String::new()), here(own)?];
        for (repositories, names) in searched {
            for (within, width) in widths {
                for (direction, word) in directions {
                    let settings = SemanticVersion {
                        within,
                        direction,
                        prefer: Prefer::Closest,
                        prerelease: self.reading.is_pre_release(),
                    };
                    let rule = self.rule(Kind::Version(settings), repositories.clone());
                    if first(&rule, self.asked, tags) != Some(found.tag) {
                        continue;
                    }
                    let early = if settings.prerelease { ", prerelease: true" } else { "" };
                    let body = format!("version: {{within: {width}{word}{early}{names}}}");
                    return Some(self.proposal(ProposalKind::Version, rule, &body));
                }
            }
        }
        None
    }

    /// Rules for a version in the repositories to which the image has moved, and in Kubernetes' own
    /// for its client.
    fn repositories(&self) -> Vec<Proposal> {
        let own = &self.asked.repository;
        let moved = Preset::ALL.into_iter().flat_map(|preset| {
            let targets = presets::targets(preset.moves(), own).into_iter();
            targets.map(move |target| (target, preset.difference()))
        });
        let (name, note) = OWN_KUBECTL;
        let is_denied = self.outcome == Some(Outcome::Denied);
        let is_kubectl = self.is_kubectl && !is_denied;
        let kubectl = name.parse().ok().filter(|_| is_kubectl).map(|name| (name, Some(note)));
        let others = moved.chain(kubectl).filter(|(target, _)| target != own);
        let others = others.filter(|_| !self.is_component && self.reading.version().is_some());
        others.filter_map(|(target, note)| self.elsewhere(&target, note)).collect()
    }

    fn elsewhere(&self, target: &Repository, note: Option<&'static str>) -> Option<Proposal> {
        let repositories = Repositories::new([target.to_string()]).ok()?;
        let (kind, body) = if self.is_client {
            let kind = Kind::KubernetesVersion(self.kubernetes);
            (kind, format!("kubernetesVersion: {{in: [{target}]}}"))
        } else {
            let settings = SemanticVersion {
                within: Within::Major,
                direction: Direction::Down,
                prefer: Prefer::Closest,
                prerelease: false,
            };
            (Kind::Version(settings), format!("version: {{within: major, in: [{target}]}}"))
        };
        let rule = self.rule(kind, repositories);
        Some(Proposal { note, ..self.proposal(ProposalKind::Repository, rule, &body) })
    }

    /// A rule that steps farther down than the skew allows.
    fn skew(&self, tags: &[Tag]) -> Option<Proposal> {
        if !self.is_client {
            return None;
        }
        let (skew, _) = self.kubernetes.farther(self.asked, tags)?;
        let settings = KubernetesVersion { max_minor_skew: skew, ..self.kubernetes };
        let rule = self.rule(Kind::KubernetesVersion(settings), Repositories::default());
        let body = format!("kubernetesVersion: {{maxMinorSkew: {skew}}}");
        let proposal = self.proposal(ProposalKind::MaxMinorSkew, rule, &body);
        let flag = Some(format!("--max-minor-skew {skew}"));
        Some(Proposal { flag, note: (skew > 1).then_some(SKEW_POLICY), ..proposal })
    }
}

/// The note on a version that is more than one minor away (Kubernetes version skew policy, kubectl).
const SKEW_POLICY: &str = "Kubernetes supports a kubectl that is one minor version older or newer than the API server, not more";

/// The image's own repository as one that a rule names, so that `v` may come and go.
fn here(own: &Repository) -> Option<(Repositories, String)> {
    let repositories = Repositories::new([own.to_string()]).ok()?;
    Some((repositories, format!(", in: [{own}]")))
}

/// The tag of a repository to which a rule leads.
fn first<'t>(rule: &Rule, asked: &Asked, tags: &'t [Tag]) -> Option<&'t Tag> {
    rule.steps(asked).ok()?.iter().find_map(|step| match step {
        Step::Ask(tagged) => tags.iter().find(|tag| **tag == tagged.tag),
        Step::Pick(pick) => pick.best(tags),
        Step::Unusable(..) => None,
    })
}
