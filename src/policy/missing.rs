//! Absent images: the substitute, or what was tried and what would help.

use super::{Leniency, lenient, refusals};
use crate::diagnostic::{Diagnostic, Failure};
use crate::fallback::{ProposalKind, Suggestion};
use crate::plan::{Name, Search, Substitute, Tried, Via};
use crate::registry::{Outcome, Refusal};
use crate::text::escape::{escaped, quoted};

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
pub(super) fn substituted(asked: &Name, substitute: &Substitute, search: &Search) -> Diagnostic {
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
pub(super) fn explained(mut diagnostic: Diagnostic, search: &Search) -> Diagnostic {
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

pub(super) fn unresolved(
    asked: &Name,
    refusal: &Refusal,
    search: &Search,
    leniency: Leniency,
) -> Diagnostic {
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
