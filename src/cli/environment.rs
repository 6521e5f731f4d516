//! Where arguments and environment meet: empty variables count as not set, the command line wins
//! over the environment, and what contradicts itself is refused.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::str::FromStr;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, Emit};

impl Cli {
    /// Reads arguments, the first of which is the program's name, and the environment.
    ///
    /// # Errors
    /// They are wrong, or ask for help or the version, which the error prints.
    pub fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let mut command = Self::command();
        command = command.mut_args(filled).mut_subcommands(|command| command.mut_args(filled));
        let matches = command.try_get_matches_from_mut(&arguments)?;
        let wrong = |message| Self::command().error(ErrorKind::ArgumentConflict, message);
        if let Some((flag, name)) = on_both_sides(&arguments) {
            return Err(wrong(format!(
                "the argument '--{flag}' stands both before and behind '{name}'; put all of them behind it"
            )));
        }
        let mut cli = Self::from_arg_matches(&matches)?;
        cli.settle(&matches).map_err(wrong)?;
        Ok(cli)
    }

    /// Lets the command line win where the environment contradicts it.
    fn settle(&mut self, matches: &ArgMatches) -> Result<(), String> {
        let typed = |flag| matches.value_source(flag) == Some(ValueSource::CommandLine);
        let flags = &mut self.flags;
        // Policies add up, where other flags take the place of their variable.
        if typed("expect") {
            flags.expect.extend(listed("DIGESTIF_EXPECT")?);
        }
        if typed("require_platform") {
            flags.require_platform.extend(listed("DIGESTIF_REQUIRE_PLATFORM")?);
        }
        if typed("deny_mutable") {
            let environment = listed("DIGESTIF_DENY_MUTABLE")?.into_iter().max();
            flags.deny_mutable = flags.deny_mutable.max(environment);
        }
        if flags.in_place && self.command.is_some() {
            if typed("in_place") {
                return Err("the argument '--in-place' is only for pinning".to_owned());
            }
            flags.in_place = false;
        }
        if flags.in_place && flags.emit != Emit::Manifests {
            match (typed("in_place"), typed("emit")) {
                (true, false) => flags.emit = Emit::Manifests,
                (false, true) => flags.in_place = false,
                _ => return Err(contradiction("in-place", "emit")),
            }
        }
        if flags.in_place && flags.output.is_some() {
            match (typed("in_place"), typed("output")) {
                (true, false) => flags.output = None,
                (false, true) => flags.in_place = false,
                _ => return Err(contradiction("in-place", "output")),
            }
        }
        if flags.no_config && flags.config.is_some() {
            match (typed("no_config"), typed("config")) {
                (true, false) => flags.config = None,
                (false, true) => flags.no_config = false,
                _ => return Err(contradiction("no-config", "config")),
            }
        }
        let is_check = matches!(self.command, Some(Command::Check));
        if flags.drift && !is_check {
            if typed("drift") {
                return Err("the argument '--drift' is only for `digestif check`".to_owned());
            }
            flags.drift = false;
        }
        if !flags.update.is_empty() && is_check {
            if typed("update") {
                return Err("the argument '--update' is only for pinning; `digestif check --drift` says what it would change".to_owned());
            }
            flags.update.clear();
        }
        if !flags.update.is_empty() && flags.locked {
            match (typed("update"), typed("locked")) {
                (true, false) => flags.locked = false,
                (false, true) => flags.update.clear(),
                _ => return Err(contradiction("update", "locked")),
            }
        }
        if flags.drift && flags.offline {
            match (typed("drift"), typed("offline")) {
                (true, false) => flags.offline = false,
                (false, true) => flags.drift = false,
                _ => return Err(contradiction("drift", "offline")),
            }
        }
        if flags.quiet && flags.verbose {
            match (typed("quiet"), typed("verbose")) {
                (true, false) => flags.verbose = false,
                (false, true) => flags.quiet = false,
                _ => return Err(contradiction("quiet", "verbose")),
            }
        }
        Ok(())
    }
}

/// The values that a variable has, one a line.
fn listed<T: FromStr<Err: Display>>(variable: &str) -> Result<Vec<T>, String> {
    let text = std::env::var(variable).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let value = |line: &str| {
        line.parse().map_err(|error| format!("invalid value '{line}' for '{variable}': {error}"))
    };
    lines.map(value).collect()
}

fn contradiction(one: &str, other: &str) -> String {
    format!("the argument '--{one}' cannot be used with '--{other}'")
}

const NO_VARIABLE: Resettable<clap::builder::OsStr> = Resettable::Reset;

/// An argument with what its environment variable really says: CI systems set variables to nothing,
/// and a block of YAML ends with a line break.
fn filled(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(std::env::var_os);
    let Some(value) = value.as_deref().and_then(OsStr::to_str) else { return argument };
    if value.is_empty() {
        return argument.env(NO_VARIABLE);
    }
    let blank = |line: &str| line.trim().is_empty();
    if !matches!(argument.get_action(), ArgAction::Append) || !value.contains('\n') {
        return argument;
    }
    let items: Vec<_> = value.split('\n').filter(|line| !blank(line)).map(String::from).collect();
    // The command line still wins over a default, as it does over the variable.
    argument.env(NO_VARIABLE).default_values(items).hide_default_value(true)
}

/// A flag that stands both before and behind a command, and that command. Clap keeps the values
/// behind it and forgets those before, so the two sides are parsed as if they had nothing in common.
fn on_both_sides(arguments: &[OsString]) -> Option<(String, String)> {
    let plain = |argument: Arg| argument.global(false).env(NO_VARIABLE);
    let command = Cli::command().mut_args(plain);
    let flags: Vec<_> = command.get_arguments().cloned().collect();
    let command = command.mut_subcommands(|command| command.args(flags.clone()));
    // What is wrong with the call, the real parser has said.
    let matches = command.try_get_matches_from(arguments).ok()?;
    let (name, behind) = matches.subcommand()?;
    let typed =
        |matches: &ArgMatches, flag| matches.value_source(flag) == Some(ValueSource::CommandLine);
    let both = flags.iter().find(|flag| {
        let flag = flag.get_id().as_str();
        typed(&matches, flag) && typed(behind, flag)
    })?;
    Some((both.get_long()?.to_owned(), name.to_owned()))
}
