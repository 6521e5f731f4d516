//! Jobs: the API server refuses a new image for a Job that exists (Kubernetes, "Jobs", `spec.template` is
//! immutable).

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, RuleId};
use crate::places::Place;

/// The most Jobs that the warning names.
const SHOWN: usize = 5;

/// Warns of plain Jobs with a place that changes. An upgrade of a release that has such a Job fails
/// halfway. Jobs of hooks and those with a generated name are created anew.
pub(crate) fn changed_jobs<'p>(changed: impl Iterator<Item = &'p Place>) -> Option<Diagnostic> {
    let jobs = changed.map(|place| &place.object).filter(|object| object.is_plain_job);
    let names: BTreeSet<_> = jobs.map(ToString::to_string).collect();
    let message = match names.len() {
        0 => return None,
        1 => "the image of a Job changes: the API server refuses this if the Job exists".to_owned(),
        n => format!("the images of {n} Jobs change: the API server refuses this if a Job exists"),
    };
    let more = names.len().saturating_sub(SHOWN);
    let mut shown: Vec<_> = names.into_iter().take(SHOWN).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    let warning = Diagnostic::warning(message).of(RuleId::Jobs).note("jobs", shown.join("\n"));
    Some(warning.help("before an upgrade, delete the Job, or leave it alone with `--skip-kind Job`; with a `--lock` from the first installation its image never changes"))
}
