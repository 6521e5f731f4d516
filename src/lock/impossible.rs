//! Impossible: entries that their own rule can't have made.
//!
//! A lock is a file that a pull request may change. An entry names the rule that chose its substitute;
//! if digestif knows that rule, the substitute has to be one that the rule proposes for that image.

use std::collections::BTreeSet;

use super::supply::Supply;
use super::{Key, Locked, Locking, is_kept};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::fallback::{Preset, Rule};
use crate::image::{Asked, Globs, Tagged};
use crate::plan::{Name, Plan, Status};
use crate::text::escape::{escaped, quoted};
use crate::text::path::shown;

/// The images of a run that may get a digest from the lock.
struct Wanted<'p> {
    tags: BTreeSet<Asked>,
    digests: BTreeSet<Supply<'p>>,
}

impl Locking {
    /// The entries that this run uses and that their own rule can't have made: errors. An entry that is
    /// resolved again is not used, and neither is one whose rule is unknown to this run.
    #[must_use]
    pub fn impossible(&self, plan: &Plan, rules: &[Rule], update: &Globs) -> Vec<Diagnostic> {
        let wanted = Wanted::of(plan);
        let kept = self.lock.images().filter(|(key, locked)| {
            wanted.uses(key, locked) && is_kept(&key.repository, locked, update)
        });
        let wrong = kept.filter_map(|(key, locked)| {
            let (rule, supplier) = locked.rule.as_ref().zip(locked.supplier.as_ref())?;
            let asked = key.asked()?;
            (!is_possible(rule, &asked, supplier, rules))
                .then(|| self.not_of_rule(&asked, supplier, rule))
        });
        wrong.collect()
    }

    fn not_of_rule(&self, asked: &Asked, supplier: &Tagged, rule: &str) -> Diagnostic {
        let message = format!(
            "the lock has a substitute for {} that its rule can't choose",
            quoted(&asked.to_string())
        );
        let help = format!(
            "find out who wrote this entry; `--update={}` resolves the image again",
            asked.repository
        );
        Diagnostic::error(Failure::Usage, message)
            .of(RuleId::LockFile)
            .location(Location::File(shown(&self.path)))
            .note("substitute", escaped(&supplier.to_string()))
            .note("rule", escaped(rule))
            .help(help)
    }
}

impl<'p> Wanted<'p> {
    fn of(plan: &'p Plan) -> Self {
        let is_left = |status: &Status| matches!(status, Status::Skipped(_) | Status::Candidate);
        let names =
            || plan.entries.iter().filter(move |one| !is_left(&one.status)).map(|one| &one.name);
        Self {
            tags: names().filter_map(Name::asked).collect(),
            digests: names().filter_map(Name::pinned).map(Supply::of_pinned).collect(),
        }
    }

    /// True if an entry decides an image: by its name, by the tag that supplied its digest, or as the
    /// record of a digest that the input has.
    fn uses(&self, key: &Key, locked: &Locked) -> bool {
        let names = key.asked().into_iter().chain(locked.supplier.as_ref().map(Asked::from));
        names.into_iter().any(|name| self.tags.contains(&name))
            || Supply::of_entry(key, locked).any(|supply| self.digests.contains(&supply))
    }
}

/// True if a rule of this name proposes the substitute, or if no rule of this name is known. A preset
/// is known even if the run does not apply it.
fn is_possible(name: &str, asked: &Asked, substitute: &Tagged, rules: &[Rule]) -> bool {
    let mut configured = rules.iter().filter(|rule| rule.name == name).peekable();
    if configured.peek().is_some() {
        return configured.any(|rule| rule.proposes(asked, substitute));
    }
    Preset::named(name).is_none_or(|preset| Rule::preset(preset).proposes(asked, substitute))
}
