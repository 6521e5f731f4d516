//! Trace: what each rule proposes for an image, and the result of each proposal.

use schemars::JsonSchema;
use serde::Serialize;

use crate::fallback::{Rule, Step};
use crate::image::{Asked, Tagged};
use crate::plan::{Picked, Search, Status};

/// The result of a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Traced {
    /// The rule's name.
    pub(super) rule: String,
    /// The reason why it was not tried, or where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// Its candidates, in order; empty if it was skipped.
    steps: Vec<Taken>,
}

/// One proposal of a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Taken {
    /// A reference, or what is looked for among the tags: `v1.31.*`.
    proposal: String,
    /// `found`, `missing`, `denied`, `rate-limited`, `unreachable`, `invalid-response`, `not-recorded`,
    /// `invalid`, or `not asked`.
    outcome: &'static str,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The result of each rule. Its proposals are made again, as they are the same each time.
pub(super) fn trace(
    rules: &[Rule],
    asked: &Asked,
    status: &Status,
    search: &Search,
) -> Vec<Traced> {
    let found = match status {
        Status::Substituted(substitute, _) => Some(substitute),
        _ => None,
    };
    let refusal = Tagged::try_from(asked).ok().and_then(|own| search.refusal_of(&own));
    let outcome = refusal.map(|refusal| refusal.outcome);
    let mut over = outcome.is_some_and(|outcome| !outcome.may_be_absent());
    let mut traced = Vec::new();
    for rule in rules {
        let passed = |note: &str| Traced {
            rule: rule.name.clone(),
            note: Some(note.to_owned()),
            steps: Vec::new(),
        };
        let steps = match rule.steps(asked) {
            _ if over => {
                traced.push(passed("not reached"));
                continue;
            }
            Ok(_) if !rule.when.covers(outcome) => {
                traced.push(passed("it does not treat a denied image as absent"));
                continue;
            }
            Ok(steps) => steps,
            Err(reason) => {
                traced.push(passed(&reason));
                continue;
            }
        };
        let steps =
            steps.into_iter().map(|step| taken(step, rule, asked, status, search)).collect();
        over = search.stopped_in.as_ref() == Some(&rule.name)
            || found.is_some_and(|found| found.rule == rule.name);
        traced.push(Traced { rule: rule.name.clone(), note: rule.limit(asked), steps });
    }
    traced
}

fn taken(step: Step, rule: &Rule, asked: &Asked, status: &Status, search: &Search) -> Taken {
    let tagged = match &step {
        Step::Ask(tagged) => tagged.clone(),
        Step::Unusable(text, reason) => {
            let detail = Some(reason.clone());
            return Taken { proposal: text.clone(), outcome: "invalid", detail };
        }
        Step::Pick(pick) => {
            let pattern = pick.to_string();
            // The last of them is the one that counts: those before it were gone.
            let is_own = |picked: &&Picked| {
                picked.rule == rule.name
                    && picked.pattern == pattern
                    && picked.repository == pick.repository
            };
            let picked = search.picked.iter().rfind(is_own);
            let proposal = if pick.repository == asked.repository {
                format!("tags {pattern}")
            } else {
                format!("tags {pattern} of {}", pick.repository)
            };
            match picked.map(|picked| &picked.tag) {
                None => return Taken { proposal, outcome: "not asked", detail: None },
                Some(Ok(None)) => return Taken { proposal, outcome: "missing", detail: None },
                Some(Ok(Some(tag))) => {
                    Tagged { repository: pick.repository.clone(), tag: tag.clone() }
                }
                Some(Err(refusal)) => {
                    let detail = Some(refusal.detail.clone());
                    return Taken { proposal, outcome: refusal.outcome.word(), detail };
                }
            }
        }
    };
    let proposal = match step {
        Step::Pick(pick) => format!("tags {pick}: {tagged}"),
        _ => tagged.to_string(),
    };
    if let Status::Substituted(found, _) = status
        && found.tagged == tagged
    {
        let detail = Some(found.pin.digest.to_string());
        return Taken { proposal, outcome: "found", detail };
    }
    match search.refusal_of(&tagged) {
        Some(refusal) => {
            let detail = Some(refusal.detail.clone());
            Taken { proposal, outcome: refusal.outcome.word(), detail }
        }
        None => Taken { proposal, outcome: "not asked", detail: None },
    }
}

impl Traced {
    /// Its steps, in columns.
    pub(super) fn lines(&self) -> Vec<String> {
        let width = self.steps.iter().map(|step| step.proposal.chars().count()).max().unwrap_or(0);
        let line = |step: &Taken| {
            let detail = step.detail.iter().map(|detail| format!(" ({detail})"));
            let detail: String = detail.collect();
            format!("{:width$}  {}{detail}", step.proposal, step.outcome)
        };
        self.steps.iter().map(line).collect()
    }
}
