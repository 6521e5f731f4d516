//! Unused: what a lock or a flag has that no image of the input needs.

use std::collections::BTreeSet;

use super::supply::Supply;
use super::{EVERYTHING, Key, Locked, Locking};
use crate::diagnostic::{Diagnostic, Location, RuleId};
use crate::fallback::Rule;
use crate::image::Globs;
use crate::places::Place;
use crate::plan::{Entry, Plan, Status, Substitute, Via};
use crate::text::escape::{escaped, quoted};
use crate::text::path::shown;

/// Unused images that a warning names.
const SHOWN: usize = 5;

impl Locking {
    /// A warning about entries that no image of the input needs. They are kept, as one lock may
    /// serve many inputs.
    pub(super) fn unused(&self, plan: &Plan, places: &[Place]) -> Option<Diagnostic> {
        let unused = self.unused_images(plan, places);
        let (first, n) = (unused.first()?, unused.len());
        let file = shown(&self.path);
        let message = match n {
            1 => format!(
                "the lock has an image that is not used here: {}",
                quoted(&first.to_string())
            ),
            _ => format!("the lock has {n} images that are not used here"),
        };
        let mut warning =
            Diagnostic::warning(message).of(RuleId::Unused).location(Location::File(file));
        if n > 1 {
            let mut names: Vec<_> =
                unused.iter().take(SHOWN).map(|asked| escaped(&asked.to_string())).collect();
            if n > SHOWN {
                names.push(format!("and {} more", n - SHOWN));
            }
            warning = warning.note("unused", names.join("\n"));
        }
        Some(warning.help("remove the entries that no other input needs"))
    }

    fn unused_images(&self, plan: &Plan, places: &[Place]) -> Vec<&Key> {
        let left_alone = plan
            .entries
            .iter()
            .filter(|entry| matches!(entry.status, Status::Skipped(_) | Status::Candidate));
        let left_alone: BTreeSet<_> = left_alone.flat_map(|entry| &entry.places).collect();
        let places = places.iter().enumerate().filter(|(n, _)| !left_alone.contains(n));
        let places: Vec<_> = places.map(|(_, place)| place).collect();
        let used: BTreeSet<_> =
            places.iter().filter_map(|place| place.image.asked()).map(Key::from).collect();
        let pinned = places.iter().filter_map(|place| place.image.pinned());
        let pinned: BTreeSet<_> = pinned.map(Supply::of_pinned).collect();
        let is_used = |key: &Key, locked: &Locked| {
            used.contains(key) || Supply::of_entry(key, locked).any(|one| pinned.contains(&one))
        };
        let unused = self.lock.images().filter(|(asked, locked)| !is_used(asked, locked));
        unused.map(|(asked, _)| asked).collect()
    }
}

/// Warns of substitutes whose rule is not configured any more.
pub(super) fn withdrawn(plan: &Plan, places: &[Place], rules: &[Rule]) -> Vec<Diagnostic> {
    let entries = plan.entries.iter().filter_map(|entry| match &entry.status {
        Status::Substituted(found, _) if found.pin.via == Via::Lock => Some((entry, found)),
        _ => None,
    });
    let gone = entries.filter(|(_, found)| !rules.iter().any(|rule| rule.name == found.rule));
    let warning = |(entry, found): (&Entry, &Substitute)| {
        let name = quoted(&entry.name.to_string());
        let message = format!("{name} is locked by a rule that is no longer configured");
        Diagnostic::warning(message)
            .of(RuleId::Withdrawn)
            .locations(entry.places.iter().map(|&n| &places[n]))
            .note("rule", escaped(&found.rule))
            .help("configure the rule, or resolve the image again with `--update`")
    };
    gone.map(warning).collect()
}

/// Warns of globs of `--update` that fit no image, which are slips.
pub fn unmatched_updates<'u>(
    update: &'u Globs,
    places: &[Place],
    lock: Option<&Locking>,
) -> impl Iterator<Item = Diagnostic> + use<'u> {
    // Most runs have no globs and many places.
    let places = if update.is_empty() { &[] } else { places };
    let asked = places.iter().filter_map(|place| place.image.asked());
    let repositories = asked.flat_map(|asked| {
        let locked = lock.and_then(|locking| locking.lock.find(&asked));
        let supplier = locked.and_then(|locked| Some(locked.supplier.clone()?.repository));
        std::iter::once(asked.repository).chain(supplier)
    });
    let repositories: Vec<_> = repositories.collect();
    let idle = update.unused(&repositories.iter().collect::<Vec<_>>());
    let warning = |glob: &str| {
        Diagnostic::warning(format!("{} of `--update` matches no image", quoted(glob)))
            .of(RuleId::Idle)
            .help("a glob must match the full repository name, for example `docker.io/library/*` or `quay.io/**`")
    };
    idle.filter(|glob| *glob != EVERYTHING).map(warning)
}
