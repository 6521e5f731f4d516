//! Commands: one file for each thing that `digestif` does.

mod base;
pub mod caller;
mod closing;
mod destinations;
pub mod explain;
mod finish;
mod function;
pub mod helm_plugin;
mod manual;
pub(crate) mod outcome;
mod pin;
mod prepare;
mod reports;
mod suggest;

use crate::cli::{self, Command, Flags, Invocation, ListFormat, Subject};
use crate::diagnostic::{Diagnostic, RuleId, usage};
use crate::image::Globs;
use crate::io::delivery::show;
use crate::plan::Plan;
use crate::report::{listing, lists};
use crate::settings::{Task, reading};
use crate::text::escape::quoted;
use crate::{Empty, lock, report};

use closing::Closing;
use destinations::Destinations;
use outcome::Sources;
pub use outcome::{Error, Messages, Outcome};
use prepare::{Input, Prepared, prepare};

/// Runs the command of a call. Results are delivered; messages are returned.
#[must_use]
pub fn run(invocation: Invocation) -> Outcome {
    let mut outcome = Outcome::default();
    let closing = Closing::new(&invocation);
    outcome.say(misspelt(&invocation), &Sources::from([]));
    if let Err(error) = dispatch(invocation, &mut outcome) {
        outcome.fail(error);
    }
    outcome.closing = closing.line(&outcome);
    outcome
}

/// Warns of variables that look like those of flags, and are none.
fn misspelt(invocation: &Invocation) -> Vec<Diagnostic> {
    let warning = |(name, near): &(String, String)| {
        Diagnostic::warning(format!("{} is not a variable of digestif", quoted(name)))
            .of(RuleId::Idle)
            .help(format!("did you mean `{near}`?"))
    };
    invocation.misspelt.iter().map(warning).collect()
}

/// The outcome of a call that could not begin.
#[must_use]
pub fn refused(invocation: &Invocation, error: Diagnostic) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.fail(error.into());
    outcome.closing = Closing::of_refused(invocation).line(&outcome);
    outcome
}

/// Checks that no two outputs of a call go to one file.
///
/// # Errors
/// Two do.
pub fn check_destinations(invocation: &Invocation) -> Result<(), Diagnostic> {
    Destinations::new(&invocation.flags, invocation.command.task()).check()
}

fn dispatch(invocation: Invocation, outcome: &mut Outcome) -> Result<(), Error> {
    let Invocation { command, flags, .. } = invocation;
    let task = command.task();
    let destinations = Destinations::new(&flags, task);
    let output = flags.output.output.clone();
    let print = |text: &str| Ok(show(output.as_deref(), text)?);
    match command {
        Command::Pin | Command::Function | Command::Check => {
            pin::run(flags, &destinations, task, outcome)
        }
        Command::Images(format) => images(flags, &destinations, format, outcome),
        Command::Suggest => suggest::run(flags, &destinations, outcome),
        Command::Explain(image, format) => {
            explain::run(flags, &destinations, (&image, format), outcome)
        }
        Command::LockDiff(old, new, format) => {
            if old.as_os_str() == "-" && new.as_os_str() == "-" {
                return Err(usage("only one of the two locks can be stdin").into());
            }
            destinations.check_compared([&old, &new])?;
            let (old, new) = (lock::read_either(&old)?, lock::read_either(&new)?);
            print(&lock::diff(&old, &new).text(format))
        }
        Command::HelmPlugin(action) => {
            let said = helm_plugin::run(action)?;
            outcome.say(said.warnings, &Sources::from([]));
            print(&said.text)
        }
        Command::Completions(shell) => print(&cli::script(shell)),
        Command::Man(words) => print(&manual::page(&words)?),
        Command::Version => print(&format!("digestif {}\n", crate::VERSION)),
        Command::Schema(Subject::Config) => print(&reading::schema()),
        Command::Schema(Subject::Report) => print(&report::json::schema()),
        Command::Schema(Subject::Lock) => print(&lock::schema()),
        Command::Schema(Subject::Explain) => print(&explain::schema()),
    }
}

impl Command {
    /// The purpose of the flags.
    fn task(&self) -> Task {
        match self {
            Self::Pin => Task::Pin,
            Self::Function => Task::Function,
            Self::Check => Task::Check,
            _ => Task::Show,
        }
    }
}

/// Lists the images of the input.
fn images(
    flags: Flags,
    destinations: &Destinations,
    format: ListFormat,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let task = match format {
        ListFormat::Table | ListFormat::Json => Task::Show,
        // A recorded image has a digest.
        _ => Task::Explain,
    };
    let (sources, input) = Input::read(&flags)?;
    let prepared = prepare(flags, destinations, task, &sources, input)?;
    let Prepared { settings, said, notes, .. } = prepared;
    outcome.origins = said;
    outcome.messages.push(notes);
    let options = settings?.options;
    let empty = match options.empty {
        Empty::Refused => Empty::WithImages,
        empty => empty,
    };
    let found = crate::locate(&sources, &options.scope, empty);
    let mut plan = Plan::new(&found.places, &options.skips);
    if let Some(lock) = &options.lock {
        plan = lock.settle(plan, &Globs::default());
    }
    if matches!(format, ListFormat::Imgpkg | ListFormat::Regsync | ListFormat::Cyclonedx) {
        outcome.say(lists::unlisted(&plan, &found.places), &sources);
    }
    outcome.say(found.diagnostics, &sources);
    if outcome.failure().is_some() {
        return Ok(());
    }
    let text = match format {
        ListFormat::Table => listing::table(&plan, &found.places, &sources),
        ListFormat::Json => listing::json(&plan, &found.places, &sources),
        ListFormat::Refs => lists::refs(&plan),
        ListFormat::Imgpkg => lists::imgpkg(&plan),
        ListFormat::Regsync => lists::regsync(&plan),
        ListFormat::Cyclonedx => lists::cyclonedx(&plan),
    };
    Ok(show(destinations.output.as_deref(), &text)?)
}
