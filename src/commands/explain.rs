//! Explain: how one image is resolved, step by step, for `digestif explain`.
//!
//! The image takes the same way as in a run. What is shown beside the result is what each rule
//! proposes, and what became of each proposal.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::fallback::tag::Reading;
use crate::fallback::{Nearby, Rule, Step, Suggestion};
use crate::image::{Asked, Tagged};
use crate::lock::{Cooldown, ago, waiting};
use crate::plan::{Entry, History, Name, Picked, Plan, Search, Status};
use crate::registry::Layouts;
use crate::report::json::{self, Reported};
use crate::resolve::{Interrupted, Session};
use crate::text::escape::{escaped, inert, redacted};
use crate::{Options, policy};

/// The version of the JSON form; it changes when a field changes its meaning.
const SCHEMA: &str = "digestif.explain/v1";

/// How an image was resolved.
#[derive(Debug)]
pub struct Explanation {
    entry: Entry,
    /// What a lock knows of the age of its digest.
    history: Option<History>,
    /// The same for people.
    age: Option<String>,
    rules: Vec<Traced>,
    suggestions: Vec<Suggestion>,
    /// What a run says of it, and what could not be read.
    pub diagnostics: Vec<Diagnostic>,
    /// A line for each request, if the settings ask for a log.
    pub requests: String,
}

/// What became of a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Traced {
    /// The rule's name.
    rule: String,
    /// Why it was not tried; or where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What it proposes, in order; empty where it was passed over.
    steps: Vec<Taken>,
}

/// One proposal of a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Taken {
    /// A reference, or what is looked for among the tags: `v1.31.*`.
    proposal: String,
    /// `found`, `missing`, `denied`, `rate-limited`, `unreachable`, `invalid-response`, `not-recorded`,
    /// `invalid`, or `not asked`.
    outcome: &'static str,
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// An explanation as JSON.
#[derive(Serialize, JsonSchema)]
pub struct Json {
    /// `digestif.explain/v1`.
    schema: &'static str,
    #[serde(flatten)]
    image: Reported,
    /// The parts of the tag with their meanings, in order.
    reading: Vec<Part>,
    /// The result of each rule, in order.
    rules: Vec<Traced>,
    /// Rules that would lead to an image, best first.
    suggestions: Vec<Suggested>,
}

/// A part of a tag.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Part {
    text: String,
    /// `version`, `pre-release`, `build`, `distribution`, `metadata`, `commit`, `channel`,
    /// `architecture`, `base`, `flavour`, `system`, or `name` for a word that is not known.
    meaning: &'static str,
}

/// A rule to add.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Suggested {
    /// `try`, `version`, `preset`, `max-minor-skew` or `repository`.
    kind: &'static str,
    /// Where it leads.
    reference: String,
    /// The digest of that.
    digest: String,
    /// The flag with the same meaning, ready for a shell; absent if no flag can express it.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
    /// An item of `fallbacks` in a configuration.
    yaml: String,
    /// What has to be known before it is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// True if another suggestion is as good, so that none is recommended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tied: bool,
}

impl From<&Suggestion> for Suggested {
    fn from(suggestion: &Suggestion) -> Self {
        Self {
            kind: suggestion.kind.word(),
            reference: suggestion.tagged.to_string(),
            digest: suggestion.digest.to_string(),
            flag: suggestion.flag.clone(),
            yaml: suggestion.yaml(),
            note: suggestion.note.clone(),
            tied: suggestion.is_tied,
        }
    }
}

/// The JSON Schema of the JSON form.
#[must_use]
pub fn schema() -> String {
    json::schema_of::<Json>()
}

/// Resolves one image as a run would, and keeps what was tried.
///
/// # Errors
/// The user interrupted it.
pub fn explain(text: &str, options: &Options) -> Result<Explanation, Interrupted> {
    let mut plan = Plan::of(text, &options.skips);
    if let Some(lock) = &options.lock {
        plan = lock.settle(plan, &options.update);
    }
    let age = age(&plan, options);
    let asked = plan.unsettled().next().and_then(|entry| entry.name.asked());
    let session = Layouts::read(&options.layouts).and_then(|layouts| {
        Session::new(layouts, &options.network, &[]).map_err(|diagnostic| vec![diagnostic])
    });
    let mut requests = String::new();
    let (plan, mut diagnostics) = match session {
        Ok(session) => {
            let statuses = session.resolve(&plan, &options.rules)?;
            requests = session.request_log();
            (plan.settled(statuses), policy::registry_warnings(&session.notes()).collect())
        }
        Err(diagnostics) => (plan, diagnostics),
    };
    diagnostics.extend(policy::judge(&plan, &[], &options.policy));
    let history = plan.entries[0].supplier().and_then(|(tagged, _)| plan.histories.get(tagged));
    let history = history.cloned();
    let entry = plan.entries.into_iter().next().expect("a plan of one text has one entry");
    let search = entry.status.search();
    let rules = match (&asked, search) {
        (Some(asked), Some(search)) => trace(&options.rules, asked, &entry.status, search),
        _ => Vec::new(),
    };
    let suggestions = search.map(|search| search.suggestions.clone()).unwrap_or_default();
    Ok(Explanation { entry, history, age, rules, suggestions, diagnostics, requests })
}

/// How old the digest in the lock is, and when a newer one will be used.
fn age(plan: &Plan, options: &Options) -> Option<String> {
    let locking = options.lock.as_ref()?;
    let (tagged, _) = plan.entries.first()?.supplier()?;
    let history = plan.histories.get(tagged)?;
    let seen = history.seen.map(|day| format!("it was first seen {}", ago(day, locking.today)));
    let days = |own: &Cooldown| own.days(&tagged.repository);
    let next = locking.cooldown.as_ref().map(days);
    let next = next.and_then(|days| waiting(history, days, locking.today));
    let next = next.map(|next| format!("a newer digest was {next}"));
    let said: Vec<_> = [seen, next].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The result of each rule. Its proposals are made again, as they are the same each time.
fn trace(rules: &[Rule], asked: &Asked, status: &Status, search: &Search) -> Vec<Traced> {
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
                traced.push(passed("it does not take what is denied for absent"));
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

impl Explanation {
    /// As JSON: the image as a report has it, what its tag means, the rules, and rules to add.
    #[must_use]
    pub fn json(&self) -> String {
        json::text(&Json {
            schema: SCHEMA,
            image: self.history.iter().fold(json::image(&self.entry, Vec::new()), Reported::aged),
            reading: self.reading(),
            suggestions: self.suggestions.iter().map(Suggested::from).collect(),
            rules: self.rules.clone(),
        })
    }

    /// What the parts of the tag mean.
    fn reading(&self) -> Vec<Part> {
        let Some(asked) = self.entry.name.asked() else { return Vec::new() };
        let part = |(meaning, text): (_, &str)| Part { text: text.to_owned(), meaning };
        Reading::of(&asked.tag).described().map(part).collect()
    }

    /// As text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", escaped(&self.entry.name.to_string()));
        let mut section = |title: &str, lines: &[String]| {
            write!(text, "\n{}\n", escaped(title)).expect("a string takes all");
            for line in lines.iter().flat_map(|line| line.split('\n')) {
                writeln!(text, "  {}", escaped(line)).expect("a string takes all");
            }
        };
        if let (Name::Tagged(tagged), Some(search)) = (&self.entry.name, self.entry.status.search())
            && let Some(refusal) = search.refusal_of(tagged)
        {
            let outcome = format!("{tagged}  {} ({})", refusal.outcome.word(), refusal.detail);
            section("as written", &[outcome]);
        }
        let reading = self.reading();
        if !self.rules.is_empty() && !reading.is_empty() {
            let parts = reading.iter().map(|part| format!("{} {}", part.meaning, part.text));
            section("the tag", &[parts.collect::<Vec<_>>().join(", ")]);
        }
        for rule in &self.rules {
            let mut lines = rule.lines();
            lines.extend(rule.note.clone());
            section(&format!("rule {}", rule.rule), &lines);
        }
        if matches!(self.entry.status, Status::Pinned(_)) {
            section("rules", &["none is tried, as the image exists".to_owned()]);
        }
        let notes = self.entry.status.search().map(|search| &search.notes[..]).unwrap_or_default();
        if !notes.is_empty() {
            section("notes", notes);
        }
        section("result", &self.result());
        for suggestion in &self.suggestions {
            let title = if suggestion.is_tied {
                "one of the rules that would help"
            } else {
                "a rule that would help"
            };
            let leads_to = format!("it leads to {}@{}", suggestion.tagged, suggestion.digest);
            let lines: Vec<_> = suggestion
                .flag
                .iter()
                .cloned()
                .chain([leads_to])
                .chain(suggestion.note.clone())
                .collect();
            section(title, &lines);
            let title = match suggestion.flag {
                Some(_) => "the same in `fallbacks` of digestif.yaml",
                None => "it goes into `fallbacks` of digestif.yaml",
            };
            section(title, &[suggestion.yaml()]);
        }
        inert(&redacted(&text)).into_owned()
    }

    fn result(&self) -> Vec<String> {
        let via = |via: &str| format!("the digest comes from a {via}");
        match &self.entry.status {
            Status::Pinned(pin) => {
                let lines =
                    vec![format!("{}@{}", self.entry.name, pin.digest), via(pin.via.word())];
                lines.into_iter().chain(self.age.clone()).collect()
            }
            Status::Substituted(found, _) => {
                let lines = vec![
                    format!("{}@{}", found.tagged, found.pin.digest),
                    via(found.pin.via.word()),
                    format!("it is another image than was asked for, by rule {}", found.rule),
                ];
                lines.into_iter().chain(self.age.clone()).collect()
            }
            Status::Already => vec!["it has a digest already, and stays as it is".to_owned()],
            Status::Skipped(skip) => vec![format!("it is left alone: {skip}")],
            _ => {
                let said = |diagnostic: &Diagnostic| {
                    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
                    std::iter::once(diagnostic.message.clone()).chain(help).collect::<Vec<_>>()
                };
                let mut lines: Vec<_> = self.diagnostics.iter().flat_map(said).collect();
                let nearest = self.entry.status.search().map(|search| &search.nearest[..]);
                if let Some(nearest @ [_, ..]) = nearest {
                    lines.push("nearest tags:".to_owned());
                    let near = |near: &Nearby| format!("  {}  {}", near.tag, near.reason);
                    lines.extend(nearest.iter().map(near));
                }
                lines
            }
        }
    }
}

impl Traced {
    /// Its steps, in columns.
    fn lines(&self) -> Vec<String> {
        let width = self.steps.iter().map(|step| step.proposal.chars().count()).max().unwrap_or(0);
        let line = |step: &Taken| {
            let detail = step.detail.iter().map(|detail| format!(" ({detail})"));
            let detail: String = detail.collect();
            format!("{:width$}  {}{detail}", step.proposal, step.outcome)
        };
        self.steps.iter().map(line).collect()
    }
}
