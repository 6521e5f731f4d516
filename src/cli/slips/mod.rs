//! Slips: what people type instead of what digestif has, each with the way to say it.

mod tables;

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::environment::variable;
use crate::text::escape::{closest, quoted};
use tables::{FLAGS, WORDS};

/// Values of `-o` and `--report` that are formats, and no files.
const FORMATS: [&str; 9] =
    ["json", "yaml", "text", "table", "wide", "markdown", "sarif", "junit", "github"];

/// The way to say what a word means that is no command.
pub(super) fn of_word(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, help)| *help)
}

/// Finds a value that would be taken for something else: `--update GLOB`, which needs `=`; a format in
/// place of a file; a file in place of a host.
///
/// # Errors
/// There is one.
pub(super) fn check_values(parser: &Command, arguments: &[OsString]) -> Result<(), clap::Error> {
    let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let command = command_of(parser, arguments);
    let next = texts.iter().skip(1).map(Some).chain([None]);
    for (typed, next) in texts.iter().zip(next).take_while(|(typed, _)| *typed != "--") {
        let (flag, attached) = parts(typed);
        let Some(value) = attached.or(next.map(|next| &**next)) else { continue };
        let exists = Path::new(value).exists();
        let needs_equals = attached.is_none() && needs_equals(parser, flag);
        if needs_equals && could_be_value(parser, flag, value) && !exists {
            let message = format!("{} is neither a command nor a file", quoted(value));
            let help = format!("write `{flag}={value}` if it is the value of `{flag}`");
            return Err(error(parser, ErrorKind::InvalidValue, &message, &help));
        }
        let is_file = matches!(flag, "-o" | "--output" | "--report");
        if is_file && FORMATS.contains(&value) && !exists {
            let message = format!("`{flag}` takes a file, and {} is a format", quoted(value));
            let help =
                format!("{}; a file of this name is `{flag} ./{value}`", how_to_format(command));
            return Err(error(parser, ErrorKind::InvalidValue, &message, &help));
        }
        if takes_host(parser, flag) && Path::new(value).is_file() {
            let message = format!("`{flag}` takes a host, and {} is a file", quoted(value));
            let help = format!("write `{flag} HOST {value}`");
            return Err(error(parser, ErrorKind::InvalidValue, &message, &help));
        }
    }
    Ok(())
}

/// A flag and the value that is attached to it: `--output=json`, `-ojson`.
fn parts(typed: &str) -> (&str, Option<&str>) {
    match typed.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
        _ if typed.starts_with("-o") && typed.len() > 2 => (&typed[..2], Some(&typed[2..])),
        _ => (typed, None),
    }
}

/// The command of a call, if it is named.
fn command_of<'p>(parser: &'p Command, arguments: &[OsString]) -> Option<&'p Command> {
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    words.find_map(|word| parser.find_subcommand(word))
}

/// How a command is told the format of what it prints.
fn how_to_format(command: Option<&Command>) -> &'static str {
    let has = |flag: &str| {
        command.is_some_and(|command| command.get_arguments().any(|own| is_long(own, flag)))
    };
    match command {
        _ if has("--format") => "`--format` sets the format, for example `--format json`",
        _ if has("--report-format") => {
            "`--report-format` sets the format of a report, for example `--report-format json`"
        }
        None => {
            "the manifests go to stdout as they came; `--report FILE` writes a report, and `--report-format json` sets its format"
        }
        Some(_) => "it has no other format",
    }
}

/// The same error with the way to say it, if that is known. Suggestions of the parser that are far from
/// what was typed are left out, as they mislead.
pub(super) fn hinted(parser: &Command, arguments: &[OsString], wrong: clap::Error) -> clap::Error {
    let named = match wrong.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let kind = wrong.kind();
    let said = wrong.to_string();
    let said = said.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let with = |help: &str| error(parser, kind, said, help);
    let command = command_of(parser, arguments);
    match (kind, named) {
        (ErrorKind::UnknownArgument, Some(named)) => {
            unknown_argument(parser, (arguments, command), &named, wrong)
        }
        (ErrorKind::ValueValidation | ErrorKind::InvalidValue, Some(named)) => {
            wrong_value(parser, arguments, &named, wrong)
        }
        (ErrorKind::TooManyValues, Some(named)) if named.starts_with("--verbose") => {
            with("write `-v`, or `-vv` for each request")
        }
        (ErrorKind::TooManyValues, Some(named)) => {
            let flag = named.split([' ', '.']).next().unwrap_or_default();
            let variable = variable(flag.trim_start_matches('-'));
            with(&format!(
                "`{flag}` takes no value: leave it out to turn it off; `{variable}=false` is for variables"
            ))
        }
        (ErrorKind::MissingRequiredArgument, Some(named)) => {
            missing(parser, command, &named).map_or(wrong, |help| with(&help))
        }
        (ErrorKind::InvalidSubcommand, _) => nested(command).map_or(wrong, |help| with(&help)),
        _ => wrong,
    }
}

/// The error about an argument that the command does not have.
fn unknown_argument(
    parser: &Command,
    (arguments, command): (&[OsString], Option<&Command>),
    named: &str,
    wrong: clap::Error,
) -> clap::Error {
    let typed = arguments.iter().map(|typed| typed.to_string_lossy());
    let mut whole = typed.filter(|typed| typed.starts_with(named));
    let whole = whole.next().unwrap_or_else(|| named.into());
    let is_format = matches!(named, "--json" | "--output-format" | "--format");
    let known = FLAGS.iter().find(|(flags, _)| flags.contains(&named));
    let help = is_format.then(|| how_to_format(command).to_owned());
    let help = help.or_else(|| known.map(|(_, help)| (*help).to_owned()));
    let help = help.or_else(|| is_negative(&whole).then(|| NO_NEGATIVE.to_owned()));
    let help = help.or_else(|| elsewhere(parser, named, command));
    let help = help.or_else(|| with_two_dashes(parser, &whole));
    let help = help.or_else(|| near(command.unwrap_or(parser), named));
    let help = help.or_else(|| {
        let takes_image = command.is_some_and(|command| command.get_name() == "explain");
        (takes_image && !named.starts_with('-'))
            .then(|| "`explain` takes one image, with its tag: `NAME:TAG`".to_owned())
    });
    let message = format!("unexpected argument '{named}' found");
    match help {
        Some(help) => error(parser, ErrorKind::UnknownArgument, &message, &help),
        None if named.starts_with('-') => {
            let name = command.map_or_else(String::new, |own| format!("{} ", own.get_name()));
            let help = format!("`digestif {name}--help` shows all flags");
            error(parser, ErrorKind::UnknownArgument, &message, &help)
        }
        None => wrong,
    }
}

/// The remedy if a number is negative.
const NO_NEGATIVE: &str = "numbers are not negative here";

fn is_negative(typed: &str) -> bool {
    typed.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The flag of the command that is near to what was typed.
fn near(command: &Command, named: &str) -> Option<String> {
    let flags = command.get_arguments().filter_map(Arg::get_long);
    closest(named.strip_prefix("--")?, flags).map(|flag| format!("did you mean `--{flag}`?"))
}

/// The error about a value, with the variable that it comes from.
fn wrong_value(
    parser: &Command,
    arguments: &[OsString],
    named: &str,
    wrong: clap::Error,
) -> clap::Error {
    let said = wrong.to_string();
    let flag = named.split([' ', '[', '=']).next().unwrap_or(named);
    let is_typed = arguments.iter().any(|typed| is_flag(parser, &typed.to_string_lossy(), flag));
    let variable = variable(flag.trim_start_matches('-'));
    if !is_typed && std::env::var_os(&variable).is_some() {
        let message = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let help = format!("the value comes from the variable `{variable}`");
        return error(parser, wrong.kind(), message, &help);
    }
    // The words of Rust's own parser of numbers.
    if let Some((message, _)) = said.split_once(": invalid digit found in string") {
        let message = message.trim_start_matches("error: ");
        return error(parser, wrong.kind(), message, "it takes a whole number");
    }
    wrong
}

/// The way to give an argument that is required.
fn missing(parser: &Command, command: Option<&Command>, named: &str) -> Option<String> {
    let command = command?;
    let name = command.get_name();
    if name == "explain" {
        return Some("name an image: `digestif explain nginx:1.27`; `digestif images` lists those of manifests".to_owned());
    }
    let argument = command.get_arguments().find(|own| {
        own.get_value_names().is_some_and(|names| named.contains(&format!("<{}>", names[0])))
            && own.is_positional()
    })?;
    let values = argument.get_possible_values();
    let values: Vec<_> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
    let first = values.first()?;
    let parser = parser.get_name();
    Some(format!(
        "write for example `{parser} {name} {first}`; possible here: {}",
        values.join(", ")
    ))
}

/// The commands below a command.
fn nested(command: Option<&Command>) -> Option<String> {
    let command = command?;
    let name = command.get_name();
    if name == "lock" {
        return Some("`digestif --lock FILE PATH…` records images, with `--update` again; `digestif lock diff OLD NEW` compares two locks".to_owned());
    }
    let below =
        command.get_subcommands().map(|below| format!("`digestif {name} {}`", below.get_name()));
    let below: Vec<_> = below.collect();
    (!below.is_empty()).then(|| format!("there is {}", below.join(" and ")))
}

/// An error with a line of help.
pub(super) fn error(parser: &Command, kind: ErrorKind, message: &str, help: &str) -> clap::Error {
    parser.clone().error(kind, format!("{message}\n\n  help: {help}"))
}

fn needs_equals(parser: &Command, flag: &str) -> bool {
    let mut commands = std::iter::once(parser).chain(parser.get_subcommands());
    commands.any(|command| {
        let mut arguments = command.get_arguments();
        arguments.any(|own| own.is_require_equals_set() && is_long(own, flag))
    })
}

/// True if a word is meant as the value of the flag before it: no flag, no command, and no file.
fn could_be_value(parser: &Command, flag: &str, value: &str) -> bool {
    let is_word = !value.starts_with('-') && parser.find_subcommand(value).is_none();
    let is_glob = value.contains('*');
    // A path that does not exist is most often a slip in the path.
    is_word && (is_glob || flag != "--update" || !value.contains(['/', '.']))
}

/// The command that has a flag which this one lacks.
fn elsewhere(parser: &Command, flag: &str, own: Option<&Command>) -> Option<String> {
    let has = |command: &&Command| command.get_arguments().any(|own| is_named(own, flag));
    if own.is_some() && has(&parser) {
        return Some(format!("{} is a flag of `digestif` without a command", quoted(flag)));
    }
    let owner = parser.get_subcommands().find(has)?;
    Some(format!("{} is a flag of `digestif {}`", quoted(flag), owner.get_name()))
}

/// True if the value of a flag is the host of a registry.
fn takes_host(parser: &Command, flag: &str) -> bool {
    let is_host = |own: &Arg| {
        own.get_value_names().is_some_and(|names| names.iter().any(|name| name == "HOST"))
    };
    parser.get_arguments().any(|own| is_long(own, flag) && is_host(own))
}

/// A long flag that was written with one dash.
fn with_two_dashes(parser: &Command, typed: &str) -> Option<String> {
    let name = typed.strip_prefix('-')?.split('=').next()?;
    let is_known = parser.get_arguments().any(|own| is_long(own, &format!("--{name}")));
    (is_known && name.len() > 1).then(|| format!("write it with two dashes: `--{name}`"))
}

fn is_long(argument: &Arg, flag: &str) -> bool {
    argument.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long))
}

fn is_named(argument: &Arg, flag: &str) -> bool {
    is_long(argument, flag) || argument.get_short().is_some_and(|short| flag == format!("-{short}"))
}

/// True if an argument is this flag, also in its short form.
fn is_flag(parser: &Command, typed: &str, flag: &str) -> bool {
    let short = parser.get_arguments().find(|own| is_long(own, flag)).and_then(Arg::get_short);
    let rest = typed.strip_prefix(flag);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        || short.is_some_and(|short| {
            !typed.starts_with("--") && typed.starts_with('-') && typed.contains(short)
        })
}
