//! The environment beside the arguments: an empty variable counts as not set, a flag wins over a
//! variable, and flags that contradict each other are refused.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::str::FromStr;

use clap::builder::{BoolishValueParser, Resettable};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use super::{Emit, Flags, function};
use crate::lock::DriftGate;
use crate::text::escape::closest;

/// The start of each variable's name.
const PREFIX: &str = "DIGESTIF_";

/// The parser in which each flag has its variable, and a repeatable one takes one value a line.
pub(super) fn named(parser: clap::Command) -> clap::Command {
    let parser = parser.mut_args(with_name);
    parser.mut_subcommands(named)
}

fn with_name(argument: Arg) -> Arg {
    let Some(variable) = argument.get_long().map(variable) else { return argument };
    let argument = argument.env(variable);
    match argument.get_action() {
        ArgAction::SetTrue => argument.value_parser(BoolishValueParser::new()),
        ArgAction::Append if argument.get_value_delimiter().is_none() => {
            argument.value_delimiter('\n')
        }
        _ => argument,
    }
}

/// The parser, with the values that environment variables really have.
pub(super) fn apply(parser: clap::Command) -> clap::Command {
    let parser = parser.mut_args(with_variable);
    parser.mut_subcommands(apply)
}

/// Lets the command line win if the environment contradicts it. `matches` are those of the command.
///
/// # Errors
/// Two flags contradict each other, or a variable can't be read.
pub(super) fn settle(flags: &mut Flags, matches: &ArgMatches) -> Result<(), String> {
    let typed = |flag: &str| {
        let known = matches.try_contains_id(flag).is_ok();
        known && matches.value_source(flag) == Some(ValueSource::CommandLine)
    };
    // Policies add up; other flags replace their variable.
    if typed("expect") {
        flags.policy.expect.extend(listed("DIGESTIF_EXPECT")?);
    }
    if typed("require_platform") {
        flags.policy.require_platform.extend(listed("DIGESTIF_REQUIRE_PLATFORM")?);
    }
    if typed("deny_mutable") {
        let environment = listed("DIGESTIF_DENY_MUTABLE")?.into_iter().max();
        flags.policy.deny_mutable = flags.policy.deny_mutable.max(environment);
    }
    // The typed one of two that contradict each other stays.
    let winner = |one: &str, other: &str| match (typed(one), typed(other)) {
        (true, false) => Ok(Winner::First),
        (false, true) => Ok(Winner::Second),
        _ => {
            let [one, other] = [one, other].map(|flag| flag.replace('_', "-"));
            Err(format!("the argument '--{one}' cannot be used with '--{other}'"))
        }
    };
    if flags.pin.in_place && flags.pin.emit != Emit::Manifests {
        match winner("in_place", "emit")? {
            Winner::First => flags.pin.emit = Emit::Manifests,
            Winner::Second => flags.pin.in_place = false,
        }
    }
    if flags.pin.diff && flags.pin.emit != Emit::Manifests {
        match winner("diff", "emit")? {
            Winner::First => flags.pin.emit = Emit::Manifests,
            Winner::Second => flags.pin.diff = false,
        }
    }
    if flags.pin.in_place && flags.output.output.is_some() {
        match winner("in_place", "output")? {
            Winner::First => flags.output.output = None,
            Winner::Second => flags.pin.in_place = false,
        }
    }
    if flags.config.no_config && flags.config.config.is_some() {
        match winner("no_config", "config")? {
            Winner::First => flags.config.config = None,
            Winner::Second => flags.config.no_config = false,
        }
    }
    if !flags.update.update.is_empty() && flags.lock.locked {
        match winner("update", "locked")? {
            Winner::First => flags.lock.locked = false,
            Winner::Second => flags.update.update.clear(),
        }
    }
    if flags.drift.drift.is_on() && flags.lock.offline {
        match winner("drift", "offline")? {
            Winner::First => flags.lock.offline = false,
            Winner::Second => flags.drift.drift = DriftGate::Off,
        }
    }
    if flags.console.quiet && flags.console.verbose > 0 {
        match winner("quiet", "verbose")? {
            Winner::First => flags.console.verbose = 0,
            Winner::Second => flags.console.quiet = false,
        }
    }
    Ok(())
}

/// The flags that are set, each with its source: the flag itself or its variable.
pub(super) fn origins(parser: &clap::Command, matches: &ArgMatches) -> Vec<(String, String)> {
    if let Some((name, matches)) = matches.subcommand() {
        let parser = parser.find_subcommand(name).expect("it was parsed by this parser");
        return origins(parser, matches);
    }
    let origin = |argument: &Arg| {
        let flag = argument.get_long()?;
        let variable = variable(flag);
        let is_set = || std::env::var_os(&variable).is_some_and(|value| !value.is_empty());
        let source = matches
            .try_contains_id(argument.get_id().as_str())
            .ok()
            .and_then(|_| matches.value_source(argument.get_id().as_str()));
        match source {
            Some(ValueSource::CommandLine) => Some((flag.to_owned(), format!("--{flag}"))),
            // A variable with several lines is read as a default.
            Some(_) if is_set() => Some((flag.to_owned(), variable)),
            _ => None,
        }
    };
    parser.get_arguments().filter_map(origin).collect()
}

/// The name of a flag's variable.
pub(super) fn variable(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"))
}

/// Variables that are set and that no flag has, each with the one that is near. Others may belong to
/// somebody else: Kubernetes sets `DIGESTIF_PORT…` and `DIGESTIF_SERVICE_…` for a service of that name.
pub(super) fn misspelt(parser: &clap::Command) -> Vec<(String, String)> {
    let set = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let set = set.filter_map(|(name, _)| name.into_string().ok());
    let set: Vec<_> = set.filter(|name| name.starts_with(PREFIX)).collect();
    if set.is_empty() {
        return Vec::new();
    }
    let commands = std::iter::once(parser).chain(parser.get_subcommands());
    let flags = commands.flat_map(clap::Command::get_arguments).filter_map(Arg::get_long);
    let known: BTreeSet<_> = flags.map(variable).chain([function::VARIABLE.to_owned()]).collect();
    let near = |name: String| {
        let rest = name.strip_prefix(PREFIX).filter(|_| !known.contains(&name))?;
        let is_of_kubernetes = ["PORT", "SERVICE_"].iter().any(|start| rest.starts_with(start));
        let known = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
        let near = closest(rest, known).filter(|_| !is_of_kubernetes)?;
        Some((format!("{PREFIX}{rest}"), format!("{PREFIX}{near}")))
    };
    let mut misspelt: Vec<_> = set.into_iter().filter_map(near).collect();
    misspelt.sort();
    misspelt
}

/// The flag that is kept, of two that conflict.
enum Winner {
    First,
    Second,
}

/// The values of a variable, one per line.
fn listed<T: FromStr<Err: Display>>(variable: &str) -> Result<Vec<T>, String> {
    let text = std::env::var(variable).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let value = |line: &str| {
        line.parse().map_err(|error| format!("invalid value '{line}' for '{variable}': {error}"))
    };
    lines.map(value).collect()
}

const NO_VARIABLE: Resettable<clap::builder::OsStr> = Resettable::Reset;

/// An argument with the value that its environment variable really has: CI systems set variables to
/// nothing, and a block of YAML ends with a line break.
fn with_variable(argument: Arg) -> Arg {
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
