//! Policy: turns the status of each image into a message.
//!
//! There is one message for each image, with all its places, what was asked and what to do next. This
//! folder has all messages about images. `missing` has those about absent images and their substitutes,
//! `refusals` those about registries, `releases` and `tags` those about tags, `unused` those about
//! settings without an effect, `jobs` and `content` those about Jobs and platforms.

mod content;
mod jobs;
mod missing;
mod refusals;
mod releases;
mod tags;
mod unused;

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId, Severity};
use crate::image::Platform;
use crate::places::{Found, Place, SkipReason};
use crate::plan::{Entry, Plan, Skip, Status};
use crate::registry::Outcome;
use crate::text::escape::{escaped, quoted, shortened};

/// Candidates that a message names.
const SHOWN_CANDIDATES: usize = 20;

pub use content::unoffered;
pub(crate) use jobs::changed_jobs;
pub use tags::{Expectation, Mutable};
pub use unused::{registry_warnings, unused};

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
    /// They fail the run. digestif makes no request.
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
    of_hosts.chain(entries).chain(releases::with_several_tags(plan, places)).collect()
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
            Some(missing::substituted(&entry.name, substitute, search))
        }
        Status::Invalid(error, search) => {
            let reason = error.to_string();
            let message = format!("{name} is not a valid image reference: {}", shortened(&reason));
            let diagnostic = lenient(policy.unresolved, Failure::Input, message);
            let diagnostic = missing::explained(diagnostic, search);
            let help = "fix the value in the chart or manifest; an invalid reference is never sent to a registry";
            Some(diagnostic.help(help))
        }
        Status::Unresolved(refusal, search) => {
            let said = missing::unresolved(&entry.name, refusal, search, policy.unresolved);
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
