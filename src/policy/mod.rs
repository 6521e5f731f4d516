//! Policy: what each image's status means for the run.
//!
//! Turns a resolved plan into diagnostics, one an image, with all its places, what was asked, and
//! what to do next. Every sentence about an image that a user reads stands here.

mod content;
mod jobs;
mod refusals;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId, Severity};
use crate::fallback::{ProposalKind, Suggestion};
use crate::image::{Platform, Repository, Tag};
use crate::places::{Found, Place, Scope, SkipReason};
use crate::plan::{
    Entry, Name, Plan, RegistryNotes, Search, Skip, Skips, Status, Substitute, Tried, Via,
};
use crate::registry::{Outcome, Refusal};
use crate::text::escape::{escaped, quoted, shortened};

/// Candidates that a message names.
const SHOWN_CANDIDATES: usize = 20;

/// Tags of one repository that a message names.
const SHOWN_TAGS: usize = 5;

pub use content::unoffered;
pub(crate) use jobs::changed_jobs;
pub use tags::{Expectation, Mutable};

/// The rules of the user about images.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The treatment of absent and invalid images.
    pub unresolved: Leniency,
    /// The treatment of placeholders.
    pub placeholders: Placeholders,
    /// The treatment of images without a digest.
    pub digests: Digests,
    /// Tags that images have to have.
    pub expectations: Vec<Expectation>,
    /// Tags that no image may have.
    pub mutable: Mutable,
    /// Platforms that every image has to offer.
    pub platforms: Vec<Platform>,
    /// The treatment of digests that the input has already.
    pub written: WrittenDigests,
    /// Tells if images that digestif can't pin pass.
    pub unpinnable: Unpinnable,
}

/// Tells if images that digestif can't pin pass: empty ones, and those that their operator could not read
/// with a digest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Unpinnable {
    /// They are left unchanged.
    #[default]
    Allowed,
    /// They fail the run.
    Denied,
}

/// The treatment of digests that the input has already.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum WrittenDigests {
    /// They are believed.
    #[default]
    Believed,
    /// They have to exist.
    Verified,
}

impl Policy {
    /// True if it asks for more than tags and digests.
    #[must_use]
    pub fn looks_inside(&self) -> bool {
        self.written == WrittenDigests::Verified || !self.platforms.is_empty()
    }
}

/// The treatment of images that are absent or invalid.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Leniency {
    /// They fail the run.
    #[default]
    Strict,
    /// They are written as they came, with a warning.
    WriteUnchanged,
}

/// The treatment of images without a digest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Digests {
    /// They get one.
    #[default]
    Given,
    /// They fail the run, and nobody is asked.
    Required,
}

/// The treatment of placeholders.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Placeholders {
    /// They are written as they came, with a warning.
    #[default]
    Allowed,
    /// They fail the run.
    Denied,
}

/// Judges every image of a plan.
#[must_use]
pub fn judge(plan: &Plan, places: &[Place], policy: &Policy) -> Vec<Diagnostic> {
    let (of_hosts, entries) = refusals::by_host(&plan.entries);
    let of_hosts = of_hosts.into_iter().map(|entries| refusals::of_host(&entries, places));
    let entries = entries.into_iter().filter_map(|entry| {
        let diagnostic = judge_entry(entry, policy)?;
        Some(diagnostic.locations(entry.places.iter().map(|&n| &places[n])))
    });
    of_hosts.chain(entries).chain(tags_beside_each_other(plan, places)).collect()
}

/// Errors about empty images, and a warning that names what only looks like an image, if every image has
/// to have a digest.
#[must_use]
pub fn uncounted(plan: &Plan, found: &Found, policy: &Policy) -> Vec<Diagnostic> {
    if policy.unpinnable == Unpinnable::Allowed {
        return Vec::new();
    }
    let empty = |location: &Location| {
        Diagnostic::error(Failure::Policy, "an image is empty".to_owned())
            .of(RuleId::RequireDigest)
            .location(location.clone())
            .help("set it before the check")
    };
    let candidates = plan.entries.iter().filter(|entry| entry.status == Status::Candidate);
    let candidates: Vec<_> = candidates.collect();
    let mut diagnostics: Vec<_> = found.empty.iter().map(empty).collect();
    if !candidates.is_empty() {
        let names = candidates.iter().take(SHOWN_CANDIDATES);
        let mut names: Vec<_> = names.map(|entry| escaped(&entry.name.to_string())).collect();
        if candidates.len() > SHOWN_CANDIDATES {
            names.push(format!("and {} more", candidates.len() - SHOWN_CANDIDATES));
        }
        let n = candidates.len();
        let message = match n {
            1 => "1 candidate is not checked: it only looks like an image".to_owned(),
            _ => format!("{n} candidates are not checked: they only look like images"),
        };
        let warning = Diagnostic::warning(message).note("candidates", names.join("\n"));
        diagnostics.push(
            warning
                .help("`--include CLASS` checks them; `digestif images` lists them with classes"),
        );
    }
    diagnostics
}

/// Judges the tags of a run: whether they are those that are expected, and none of those that move.
#[must_use]
pub fn judge_tags(plan: &Plan, places: &[Place], policy: &Policy) -> Vec<Diagnostic> {
    let mut diagnostics = tags::unexpected(plan, places, &policy.expectations);
    diagnostics.extend(tags::moving(plan, places, policy.mutable));
    diagnostics
}

/// Warns of values of `--skip` and `--skip-kind` that fit no image, which are slips.
#[must_use]
pub fn idle(skips: &Skips, scope: &Scope, places: &[Place]) -> Vec<Diagnostic> {
    let globs = skips.unused(places).map(|glob| {
        Diagnostic::warning(format!("{} of `--skip` matches no image", quoted(glob)))
            .of(RuleId::Idle)
            .help("a glob must match the full repository name, for example `docker.io/library/*` or `quay.io/**`")
    });
    let objects = scope.skipped.unused(places).map(|object| {
        let object = quoted(&object.to_string());
        Diagnostic::warning(format!("{object} of `--skip-kind` matches no object with an image"))
            .of(RuleId::Idle)
            .help("the namespace is the one in the object, or empty: `Job//migrate`")
    });
    globs.chain(objects).collect()
}

/// Warns of what was of no use in finding the answers: logins that did not open what opened
/// without them, and mirrors that did not answer.
pub fn registry_warnings(idle: &RegistryNotes) -> impl Iterator<Item = Diagnostic> {
    let logins = idle.logins.iter().map(|reason| {
        Diagnostic::warning(format!("a login did not work: {reason}"))
            .of(RuleId::Login)
            .help("log in again, or remove the login; the images were found without it")
    });
    let mirrors = idle.mirrors.iter().map(|(mirror, reason)| {
        Diagnostic::warning(format!("the mirror {} was skipped: {reason}", quoted(mirror)))
            .of(RuleId::Mirror)
            .help("digestif asked its registry instead; repair the mirror, or remove it")
    });
    let insecure = idle.insecure.iter().map(|host| {
        let (logins, help) = if idle.insecure_login.contains(host) {
            ("logins are sent to it", "name its certificate with `--ca-file` instead".to_owned())
        } else {
            let help = format!(
                "name its certificate with `--ca-file` instead; `--insecure-login {host}` sends logins"
            );
            ("no login is sent to it", help)
        };
        let message = format!("the certificate of {} is not verified; {logins}", quoted(host));
        Diagnostic::warning(message).of(RuleId::Insecure).help(help)
    });
    logins.chain(mirrors).chain(insecure)
}

/// Warns of repositories that one release asks for by more than one tag: a Deployment and its migration
/// Job that were meant to be the same.
fn tags_beside_each_other(plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
    type Tags<'p> = BTreeMap<usize, (&'p Tag, &'p Place)>;
    let mut releases: BTreeMap<(&Repository, Release<'_>), Tags<'_>> = BTreeMap::new();
    for (n, entry) in plan.entries.iter().enumerate() {
        if matches!(entry.status, Status::Skipped(_) | Status::Candidate | Status::Placeholder) {
            continue;
        }
        let Name::Tagged(tagged) = &entry.name else { continue };
        for place in entry.places.iter().map(|&place| &places[place]) {
            for release in Release::of(place) {
                let tags = releases.entry((&tagged.repository, release)).or_default();
                tags.entry(n).or_insert((&tagged.tag, place));
            }
        }
    }
    let mut known: BTreeSet<Vec<usize>> = BTreeSet::new();
    let several = releases.into_iter().filter(|(_, tags)| tags.len() > 1);
    // Labels and stream may say the same.
    let new = several.filter(|(_, tags)| known.insert(tags.keys().copied().collect()));
    let warning = |((repository, _), tags): ((&Repository, Release<'_>), Tags<'_>)| {
        let mut shown: Vec<_> =
            tags.values().take(SHOWN_TAGS).map(|(tag, _)| quoted(tag.as_str())).collect();
        if tags.len() > SHOWN_TAGS {
            shown.push(format!("and {} more", tags.len() - SHOWN_TAGS));
        }
        let repository = quoted(&repository.to_string());
        let message = format!("{repository} has {} tags here: {}", tags.len(), shown.join(", "));
        Diagnostic::warning(message)
            .of(RuleId::TwoTags)
            .locations(tags.values().map(|&(_, place)| place))
            .help("if these are parts of one release, use the same tag")
    };
    new.map(warning).collect()
}

/// What objects of one release have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Release<'p> {
    /// A label and a namespace.
    Label(&'p str, Option<&'p str>),
    /// The source and a namespace.
    Stream(usize, Option<&'p str>),
}

impl<'p> Release<'p> {
    fn of(place: &'p Place) -> impl Iterator<Item = Self> {
        let object = &place.object;
        let namespace = object.namespace.as_deref();
        let labels = object.release.iter().flatten();
        let labels = labels.map(move |label| Self::Label(label, namespace));
        labels.chain([Self::Stream(place.source, namespace)])
    }
}

fn judge_entry(entry: &Entry, policy: &Policy) -> Option<Diagnostic> {
    let name = quoted(&entry.name.to_string());
    match &entry.status {
        Status::Placeholder
            if policy.digests == Digests::Required
                && policy.placeholders == Placeholders::Allowed =>
        {
            let message = format!("{name} is a placeholder, and has no digest");
            let help = "set its value and pin it before the check";
            let error = Diagnostic::error(Failure::Policy, message);
            Some(error.of(RuleId::RequireDigest).help(help))
        }
        Status::Placeholder => Some(placeholder(&name, policy.placeholders)),
        Status::Substituted(substitute, search) => {
            Some(substituted(&entry.name, substitute, search))
        }
        Status::Invalid(error, search) => {
            let reason = error.to_string();
            let message = format!("{name} is not a valid image reference: {}", shortened(&reason));
            let diagnostic = lenient(policy.unresolved, Failure::Input, message);
            let diagnostic = explained(diagnostic, search);
            let help = "fix the value in the chart or manifest; an invalid reference is never sent to a registry";
            Some(diagnostic.help(help))
        }
        Status::Unresolved(refusal, search) => {
            let said = unresolved(&entry.name, refusal, search, policy.unresolved);
            Some(match refusal.outcome {
                Outcome::NotLocked => said.of(RuleId::Locked),
                Outcome::OfflineMiss => said.of(RuleId::Offline),
                _ => said,
            })
        }
        Status::Tagged if policy.digests == Digests::Required => {
            let error = Diagnostic::error(Failure::Policy, format!("{name} has no digest"));
            let help = "pin it: send the manifests through `digestif` without `--require-digest`";
            Some(error.of(RuleId::RequireDigest).help(help))
        }
        Status::Skipped(Skip::Place(SkipReason::Operator(reason))) => {
            Some(unpinnable(&name, reason, policy.unpinnable))
        }
        Status::Skipped(skip @ Skip::Place(SkipReason::Sops))
            if policy.unpinnable == Unpinnable::Denied =>
        {
            Some(unpinnable(&name, &skip.to_string(), policy.unpinnable))
        }
        Status::Tagged
        | Status::Pinned(_)
        | Status::Already
        | Status::Skipped(_)
        | Status::Candidate => None,
    }
}

fn lenient(leniency: Leniency, failure: Failure, message: String) -> Diagnostic {
    match leniency {
        Leniency::Strict => Diagnostic::error(failure, message),
        Leniency::WriteUnchanged => Diagnostic::warning(message)
            .of(RuleId::of(Severity::Error(failure)))
            .note("note", "it is written unchanged"),
    }
}

fn placeholder(name: &str, placeholders: Placeholders) -> Diagnostic {
    match placeholders {
        Placeholders::Allowed => {
            Diagnostic::warning(format!("{name} is a placeholder, and is written unchanged"))
                .of(RuleId::Placeholders)
                .help("pin after its value is set; `--deny-placeholders` makes this an error")
        }
        Placeholders::Denied => {
            let message = format!("{name} is a placeholder, which `--deny-placeholders` forbids");
            Diagnostic::error(Failure::Policy, message)
                .of(RuleId::Placeholders)
                .help("set its value before digestif runs")
        }
    }
}

/// An image without a digest that its operator could not read with one.
fn unpinnable(name: &str, reason: &str, unpinnable: Unpinnable) -> Diagnostic {
    match unpinnable {
        Unpinnable::Allowed => {
            Diagnostic::warning(format!("{name} is written unchanged: {reason}"))
                .of(RuleId::Unpinnable)
                .help("use a tag that never moves")
        }
        Unpinnable::Denied => {
            let error = Diagnostic::error(Failure::Policy, format!("{name} has no digest"));
            error
                .of(RuleId::RequireDigest)
                .note("note", format!("digestif does not pin it: {reason}"))
                .help("to accept this, leave its repository alone with `--skip`")
        }
    }
}

/// The reason why a substitute is used or searched for.
fn what_is_wrong(asked: &Name, search: &Search) -> &'static str {
    let refusal = match asked {
        Name::Tagged(tagged) => search.refusal_of(tagged),
        _ => return "is not a valid reference",
    };
    match refusal {
        Some(refusal) if refusal.outcome == Outcome::Denied => "is absent or private",
        _ => "does not exist",
    }
}

/// A substitution is never silent, not even with `--quiet`.
fn substituted(asked: &Name, substitute: &Substitute, search: &Search) -> Diagnostic {
    let (name, what) = (quoted(&asked.to_string()), what_is_wrong(asked, search));
    let instead = quoted(&substitute.tagged.to_string());
    if substitute.pin.via == Via::Lock {
        let message = format!("{name} is locked to a substitute: {instead} is used instead");
        return Diagnostic::substitution(message)
            .note("rule", escaped(&substitute.rule))
            .help("`digestif check --drift` shows if it exists now; `--update` resolves it again, `--no-fallback` forbids this");
    }
    let message = format!("{name} {what}: {instead} is used instead");
    let diagnostic = Diagnostic::substitution(message).note("rule", substitute.rule.clone());
    explained(diagnostic, search).help("use a tag that exists, or forbid this with `--no-fallback`")
}

/// Adds what was tried, what could not be, where the rules end, and what exists instead.
fn explained(mut diagnostic: Diagnostic, search: &Search) -> Diagnostic {
    if !search.tried.is_empty() {
        let tried = search.tried.iter().map(|Tried { target, refusal }| {
            format!(
                "{} ({}: {})",
                quoted(&target.to_string()),
                refusal.outcome.word(),
                refusal.detail
            )
        });
        diagnostic = diagnostic.note("tried", tried.collect::<Vec<_>>().join("\n"));
    }
    for note in search.notes.iter().chain(&search.limits) {
        diagnostic = diagnostic.note("note", escaped(note));
    }
    if !search.nearest.is_empty() {
        let nearest = search.nearest.iter().map(|near| format!("{} ({})", near.tag, near.reason));
        diagnostic = diagnostic.note("nearest", nearest.collect::<Vec<_>>().join("\n"));
    }
    let best: Vec<_> = search.best().collect();
    if best.len() > 1 {
        diagnostic = diagnostic.note("note", "these rules are as good as each other: choose one");
    }
    best.into_iter().fold(diagnostic, suggested)
}

/// Adds a rule that would help.
fn suggested(diagnostic: Diagnostic, suggestion: &Suggestion) -> Diagnostic {
    let leads_to = quoted(&suggestion.tagged.to_string());
    let yaml = suggestion.yaml();
    let digest = &suggestion.digest;
    let diagnostic = if let Some(flag) = &suggestion.flag {
        diagnostic
            .note("rule", format!("`{flag}` would use {leads_to} ({digest})"))
            .note("rule", format!("the same in `fallbacks` of digestif.yaml:\n{yaml}"))
    } else {
        let file = "this in `fallbacks` of digestif.yaml";
        diagnostic.note("rule", format!("{file} would use {leads_to} ({digest}):\n{yaml}"))
    };
    match &suggestion.note {
        Some(note) => diagnostic.note("note", note.clone()),
        None => diagnostic,
    }
}

/// The help that the first suggestion gives, if it says more than the message.
fn remedy(search: &Search) -> Option<String> {
    let first = search.suggestions.first()?;
    match (first.kind, &first.flag) {
        (ProposalKind::Preset, _) => {
            let place = quoted(&first.tagged.repository.to_string());
            Some(format!("the image has moved to {place}: use the rule above, or change the image"))
        }
        (ProposalKind::MaxMinorSkew, Some(flag)) => {
            Some(format!("`{flag}` would lead to {}; or use a tag that exists", first.tagged.tag))
        }
        _ => None,
    }
}

fn unresolved(asked: &Name, refusal: &Refusal, search: &Search, leniency: Leniency) -> Diagnostic {
    let failure = refusal.outcome.failure();
    let name = quoted(&asked.to_string());
    if search.stopped_in.is_some() {
        let what = what_is_wrong(asked, search);
        let last = search.tried.last().map(|tried| quoted(&tried.target.to_string()));
        let last = last.as_ref().unwrap_or(&name);
        let message = format!("{name} {what}, and {last} could not be checked as its substitute");
        let diagnostic = Diagnostic::error(failure, message);
        let help = match refusal.outcome {
            Outcome::OfflineMiss => {
                "copy it into a folder for `--layout`, or run without `--offline`"
            }
            Outcome::Unlistable => "name a tag of it with `try`: its list of tags is too long",
            Outcome::Denied => {
                "make it readable: a later candidate is not tried, because it could be the wrong one"
            }
            _ => "run it again: a later candidate is not tried, because it could hide an outage",
        };
        return explained(diagnostic, search).help(help);
    }
    let (what, help) = refusals::described(refusal);
    let message = format!("{name} {what}");
    let diagnostic = match failure {
        Failure::Absent => lenient(leniency, failure, message),
        _ => Diagnostic::error(failure, message),
    };
    let remedy = search.remedy.clone().or_else(|| remedy(search));
    let help = remedy.as_deref().unwrap_or(&help);
    explained(diagnostic, search).help(help)
}
