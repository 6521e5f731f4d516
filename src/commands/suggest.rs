//! Suggest: one configuration with a rule for every image of the input that does not exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::destinations::Destinations;
use super::outcome::{Error, Outcome};
use super::prepare::{Input, Prepared, prepare};
use crate::cli::Flags;
use crate::fallback::{ProposalKind, Suggestion};
use crate::io::delivery::show;
use crate::plan::{Entry, Plan, Status};
use crate::policy;
use crate::settings::Task;
use crate::text::escape::{escaped, inert};

/// The start of a configuration.
const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";

/// Prints the configuration. Images for which there is no rule, or none that is best, are errors.
///
/// # Errors
/// The run could not begin, was interrupted, or its result could not be delivered.
pub(super) fn run(
    flags: Flags,
    destinations: &Destinations,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let (sources, input) = Input::read(&flags)?;
    let prepared = prepare(flags, destinations, Task::Show, &sources, input)?;
    let Prepared { settings, said, notes, .. } = prepared;
    outcome.origins = said;
    outcome.messages.push(notes);
    let options = settings?.options;
    let run = crate::run(&sources, &options)?;
    if !run.found.complete {
        outcome.say(run.found.diagnostics, &sources);
        return Ok(());
    }
    let text = configuration(&run.plan);
    let is_open = |entry: &Entry| is_missing(entry) && covering(entry).is_none();
    let open = run.plan.entries.into_iter().filter(is_open).collect();
    let open = Plan { entries: open, ..Plan::default() };
    outcome.say(policy::judge(&open, &run.found.places, &options.policy), &sources);
    Ok(show(destinations.output.as_deref(), &text)?)
}

fn is_missing(entry: &Entry) -> bool {
    matches!(entry.status, Status::Unresolved(..) | Status::Invalid(..))
}

/// The rules that are best for an image.
fn best(entry: &Entry) -> Vec<&Suggestion> {
    entry.status.search().map(|search| search.best().collect()).unwrap_or_default()
}

/// The rule for an image, if there is one that is best.
fn covering(entry: &Entry) -> Option<&Suggestion> {
    match best(entry)[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// The whole configuration, with a comment for each image.
fn configuration(plan: &Plan) -> String {
    let mut text = HEAD.to_owned();
    let missing: Vec<_> = plan.entries.iter().filter(|entry| is_missing(entry)).collect();
    if missing.iter().any(|entry| covering(entry).is_some()) {
        text.push_str("fallbacks:\n");
    }
    let (mut names, mut written) = (BTreeSet::new(), BTreeSet::new());
    for entry in missing {
        let name = inert(&escaped(&entry.name.to_string())).into_owned();
        match &best(entry)[..] {
            [] => line(&mut text, &format!("# {name}: no rule was found")),
            [one] => {
                comment(&mut text, &name, one);
                // A rule may serve two images.
                if written.insert(one.yaml()) {
                    line(&mut text, &item(one, &mut names));
                }
            }
            several => {
                line(&mut text, &format!("# {name}: choose one of these"));
                for one in several {
                    comment(&mut text, &name, one);
                    let item = item(one, &mut names);
                    item.lines().for_each(|item| line(&mut text, &format!("# {item}")));
                }
            }
        }
    }
    text
}

/// A line about where a rule leads.
fn comment(text: &mut String, name: &str, suggestion: &Suggestion) {
    let Suggestion { tagged, digest, .. } = suggestion;
    line(text, &format!("# {name} does not exist: {tagged} ({digest})"));
    if let Some(note) = &suggestion.note {
        line(text, &format!("# {}", escaped(note)));
    }
}

/// A rule with a name that no other has.
fn item(suggestion: &Suggestion, names: &mut BTreeSet<String>) -> String {
    if suggestion.kind == ProposalKind::Preset {
        return suggestion.yaml();
    }
    let name = suggestion.name();
    let numbered = (2_u32..).map(|n| format!("{name}-{n}"));
    let mut free = std::iter::once(name.to_owned()).chain(numbered);
    let free = free.find(|name| !names.contains(name)).expect("numbers do not end");
    names.insert(free.clone());
    suggestion.yaml_named(&free)
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all");
}
