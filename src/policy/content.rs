//! Content: what is behind a digest: whether it exists (`--verify`), and the platforms that it is for
//! (`--require-platform`).

use super::Policy;
use super::refusals::how_to_log_in;
use crate::diagnostic::{Diagnostic, Failure, RuleId};
use crate::fallback::Preset;
use crate::image::{Platform, Repository};
use crate::places::Place;
use crate::plan::{Entry, Plan, Status, Via};
use crate::registry::Refusal;
use crate::resolve::Inspected;
use crate::text::escape::{escaped, quoted};

/// Images that do not exist by their digest, or not for every platform that is asked for.
#[must_use]
pub fn unoffered(
    plan: &Plan,
    places: &[Place],
    policy: &Policy,
    inspected: &Inspected,
) -> Vec<Diagnostic> {
    let is_asked = |entry: &&Entry| {
        matches!(entry.status, Status::Pinned(_) | Status::Substituted(..) | Status::Already)
    };
    let judged = plan.entries.iter().filter(is_asked).filter_map(|entry| {
        let diagnostic = match inspected.platforms.get(&entry.name)? {
            Ok(offered) => missing_platforms(entry, offered, &policy.platforms),
            Err(refusal) => {
                let moved = inspected.moved.get(&entry.name);
                Some(at_its_new_name(unknown(entry, refusal, policy), moved))
            }
        };
        Some(diagnostic?.locations(entry.places.iter().map(|&n| &places[n])))
    });
    judged.collect()
}

fn missing_platforms(
    entry: &Entry,
    offered: &[Platform],
    wanted: &[Platform],
) -> Option<Diagnostic> {
    let listed = |platforms: Vec<&Platform>| {
        let names: Vec<_> =
            platforms.iter().map(|platform| escaped(&platform.to_string())).collect();
        names.join(", ")
    };
    let is_missing = |wanted: &&Platform| !offered.iter().any(|offered| offered.offers(wanted));
    let missing: Vec<_> = wanted.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return None;
    }
    let message =
        format!("{} is not available for {}", quoted(&entry.name.to_string()), listed(missing));
    let offers = if offered.is_empty() {
        "it names no platform: it may not be an image".to_owned()
    } else {
        format!("it is available for {}", listed(offered.iter().collect()))
    };
    Some(
        Diagnostic::error(Failure::Absent, message)
            .of(RuleId::RequirePlatform)
            .note("note", offers)
            .help("use an image that is built for it, or keep its pods off these nodes and do not require the platform"),
    )
}

/// The same with the name that the image has now, if it has moved.
fn at_its_new_name(error: Diagnostic, moved: Option<&(Repository, Preset)>) -> Diagnostic {
    let Some((to, preset)) = moved else { return error };
    let error = error.note("moved", format!("{to} has the same digest (preset {})", preset.name()));
    let note =
        preset.difference().map(|difference| error.clone().note("note", difference.to_owned()));
    note.unwrap_or(error)
        .help(format!("write {} instead; it is the same image", quoted(&to.to_string())))
}

/// An error about a digest whose content could not be read.
fn unknown(entry: &Entry, refusal: &Refusal, policy: &Policy) -> Diagnostic {
    let name = quoted(&entry.name.to_string());
    let failure = refusal.outcome.failure();
    let rule = if policy.platforms.is_empty() { RuleId::Verify } else { RuleId::RequirePlatform };
    let digest = entry.supplier().map(|(_, pin)| pin);
    let login = how_to_log_in(refusal);
    let (message, help) = match failure {
        Failure::Absent if digest.is_some_and(|pin| pin.via == Via::Lock) => (
            format!("the locked digest of {name} does not exist"),
            "the registry deleted it: resolve the tag again with `--update`",
        ),
        Failure::Absent => (
            format!("the digest of {name} does not exist"),
            "pin it again: the digest was deleted from the registry, or never pushed there",
        ),
        Failure::Refused => {
            (format!("{name} can't be inspected: the registry refuses it"), login.as_str())
        }
        Failure::Policy => (
            format!("{name} can't be inspected without the network"),
            "copy it into a folder for `--layout`, or run without `--offline`",
        ),
        _ => (format!("{name} could not be inspected"), "run it again"),
    };
    let diagnostic = Diagnostic::error(failure, message).of(rule);
    let diagnostic = match digest {
        Some(pin) => diagnostic.note("digest", pin.digest.to_string()),
        None => diagnostic,
    };
    diagnostic
        .note("tried", format!("{}: {}", refusal.outcome.word(), escaped(&refusal.detail)))
        .help(help)
}
