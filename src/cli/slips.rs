//! Slips: what people type instead of what digestif has, each with the way to say it.

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::environment::variable;
use crate::text::escape::quoted;

/// Words that people try instead of a command, with what does it.
const WORDS: [(&[&str], &str); 12] = [
    (&["pin"], "digestif pins without a command: leave `pin` out"),
    (&["fix", "write", "apply"], "digestif pins without a command; `-i` rewrites files"),
    (&["update", "upgrade"], "`digestif --update` resolves recorded images again"),
    (&["help"], "`digestif --help` shows all flags, `digestif COMMAND --help` those of a command"),
    (
        &["diff", "preview", "plan"],
        "`digestif --diff` shows what would change; `digestif lock diff OLD NEW` compares locks",
    ),
    (
        &["verify", "validate", "lint", "scan", "test"],
        "`digestif check` reports what is wrong, and writes nothing",
    ),
    (&["list", "ls", "find", "extract"], "`digestif images` lists the images"),
    (&["resolve", "digest", "inspect", "show"], "`digestif explain IMAGE` shows one image"),
    (&["install"], "`digestif helm-plugin install` installs the plugin for Helm 4"),
    (&["login", "auth"], "digestif uses the logins of `docker login` and `podman login`"),
    (
        &["init", "config"],
        "`digestif suggest` prints a configuration, and `digestif schema config` its schema",
    ),
    (&["function", "krm"], "`digestif fn` runs as a KRM function"),
];

/// Flags that people try, with what does it.
const FLAGS: [(&[&str], &str); 16] = [
    (
        &["--dry-run", "--dryrun", "--preview", "--what-if", "-n"],
        "`--diff` shows what would change, and writes nothing",
    ),
    (&["--write", "--inplace", "-w"], "`-i` rewrites the named files"),
    (&["--file", "--files", "--input", "--manifest"], "name the file as an argument, or with `-f`"),
    (
        &["--recursive", "-R", "-r"],
        "directories are read with everything below them, without a flag",
    ),
    (
        &["--username", "--user", "--password", "-u", "-p", "--token", "--creds"],
        "log in with `docker login HOST`, or name a file with `--auth-file`",
    ),
    (
        &["--tls-verify", "--skip-tls-verify", "--insecure-skip-tls-verify", "--insecure-registry"],
        "`--insecure HOST` does not verify the certificate of one host",
    ),
    (&["--platform", "--arch", "--os"], "`--require-platform OS/ARCH` checks that an image has it"),
    (&["--ignore", "--exclude-image"], "`--skip GLOB` leaves images alone"),
    (&["--debug", "--trace"], "`-vv` prints each request"),
    (&["--silent", "-s"], "`-q` prints errors and substitutions only"),
    (&["--lockfile", "--lock-file"], "`--lock FILE` names the lock"),
    (
        &["--frozen", "--frozen-lockfile", "--immutable"],
        "`--locked` fails if the lock lacks an image",
    ),
    (&["--no-network", "--no-net"], "`--offline` makes no request"),
    (
        &["--json", "--output-format", "--format"],
        "`--report-format json` sets the format of a report",
    ),
    (
        &["--namespace", "--context", "--kubeconfig"],
        "digestif reads manifests and no cluster: `kubectl get … -o yaml | digestif`",
    ),
    (&["--no-color", "--no-colour"], "`--color never`, or `NO_COLOR=1`"),
];

/// Values of `-o` and `--report` that are formats, and no files.
const FORMATS: [&str; 9] =
    ["json", "yaml", "text", "table", "wide", "markdown", "sarif", "junit", "github"];

/// The way to say what a word means that is no command.
pub(super) fn of_word(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, help)| *help)
}

/// Finds a value that would be taken for something else: `--update GLOB`, which needs `=`, and a format in
/// place of a file.
///
/// # Errors
/// There is one.
pub(super) fn check_values(parser: &Command, arguments: &[OsString]) -> Result<(), clap::Error> {
    let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    for pair in texts.windows(2).take_while(|pair| pair[0] != "--") {
        let [flag, value] = [&*pair[0], &*pair[1]];
        let exists = Path::new(value).exists();
        if needs_equals(parser, flag) && could_be_value(parser, flag, value) && !exists {
            let message = format!("{} is neither a command nor a file", quoted(value));
            let help = format!("write `{flag}={value}` if it is the value of `{flag}`");
            return Err(error(parser, ErrorKind::InvalidValue, &message, &help));
        }
        let is_file = matches!(flag, "-o" | "--output" | "--report");
        if is_file && FORMATS.contains(&value) && !exists {
            let message = format!("`{flag}` takes a file, and {} is a format", quoted(value));
            let help = format!(
                "`--report-format` sets the format of a report; a file of this name is `{flag} ./{value}`"
            );
            return Err(error(parser, ErrorKind::InvalidValue, &message, &help));
        }
    }
    Ok(())
}

/// The same error with the way to say it, if that is known.
pub(super) fn hinted(parser: &Command, arguments: &[OsString], wrong: clap::Error) -> clap::Error {
    let text = |kind| match wrong.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let Some(named) = text(ContextKind::InvalidArg) else { return wrong };
    match wrong.kind() {
        ErrorKind::UnknownArgument => {
            let typed = arguments.iter().map(|typed| typed.to_string_lossy());
            let mut whole = typed.filter(|typed| typed.starts_with(named));
            let whole = whole.next().unwrap_or_else(|| named.into());
            let known = FLAGS.iter().find(|(flags, _)| flags.contains(&named));
            let help = known.map(|(_, help)| (*help).to_owned());
            let help = help.or_else(|| elsewhere(parser, named, arguments));
            let help = help.or_else(|| with_two_dashes(parser, &whole));
            let message = format!("unexpected argument '{named}' found");
            help.map_or(wrong, |help| error(parser, ErrorKind::UnknownArgument, &message, &help))
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let flag = named.split([' ', '[', '=']).next().unwrap_or(named);
            let is_typed =
                arguments.iter().any(|typed| is_flag(parser, &typed.to_string_lossy(), flag));
            let variable = variable(flag.trim_start_matches('-'));
            if is_typed || std::env::var_os(&variable).is_none() {
                return wrong;
            }
            let said = wrong.to_string();
            let message = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let help = format!("the value comes from the variable `{variable}`");
            error(parser, wrong.kind(), message, &help)
        }
        _ => wrong,
    }
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
fn elsewhere(parser: &Command, flag: &str, arguments: &[OsString]) -> Option<String> {
    let has = |command: &&Command| command.get_arguments().any(|own| is_named(own, flag));
    let own = arguments.get(1).and_then(|first| first.to_str());
    let own = own.and_then(|first| parser.find_subcommand(first));
    if own.is_some() && has(&parser) {
        return Some(format!("{} is a flag of `digestif` without a command", quoted(flag)));
    }
    let owner = parser.get_subcommands().find(has)?;
    Some(format!("{} is a flag of `digestif {}`", quoted(flag), owner.get_name()))
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
