//! Words of the command line: which of them is the command.
//!
//! The command is the first argument that is neither a flag nor a flag's value; flags may stand before
//! it and after it. A word that is neither a command nor a path gets a hint.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction};

use super::slips;
use crate::text::escape::{closest, quoted};

/// The arguments with the command, if there is one, moved to the front.
///
/// # Errors
/// The first word is neither a command nor a path.
pub(super) fn command_first(
    parser: &clap::Command,
    mut arguments: Vec<OsString>,
) -> Result<Vec<OsString>, clap::Error> {
    let words = words(parser, &arguments);
    let Some(&at) = words.first() else { return Ok(arguments) };
    let Some(word) = arguments[at].to_str() else { return Ok(arguments) };
    if let Some(command) = parser.find_subcommand(word) {
        if takes_paths(command) {
            check_order(parser, &arguments, &words[1..])?;
        }
        let command = arguments.remove(at);
        arguments.insert(1, command);
        return Ok(arguments);
    }
    if is_path(word) {
        // Every word after a path is a path, even one that is spelt like a command.
        return check_order(parser, &arguments, &words[1..]).map(|()| arguments);
    }
    if asks_for_help(&arguments) {
        return Ok(arguments);
    }
    let mut parser = parser.clone();
    Err(parser.error(ErrorKind::InvalidSubcommand, unknown(&parser, word)))
}

/// Finds a command that comes after a path, unless a file has its name.
///
/// # Errors
/// There is one.
fn check_order(
    parser: &clap::Command,
    arguments: &[OsString],
    rest: &[usize],
) -> Result<(), clap::Error> {
    let mut words = rest.iter().filter_map(|&at| arguments[at].to_str());
    let is_late = |word: &&str| {
        parser.find_subcommand(word).is_some() && !Path::new(OsStr::new(word)).exists()
    };
    let Some(command) = words.find(is_late) else { return Ok(()) };
    let message = format!("there is no file {}", quoted(command));
    let help = format!("a command comes before the paths: `digestif {command} PATH…`");
    Err(slips::error(parser, ErrorKind::InvalidSubcommand, &message, &help))
}

fn takes_paths(command: &clap::Command) -> bool {
    command.get_positionals().any(|own| own.get_id() == "paths")
}

fn asks_for_help(arguments: &[OsString]) -> bool {
    let mut flags = arguments.iter().take_while(|word| *word != "--");
    flags.any(|word| matches!(word.to_str(), Some("-h" | "--help" | "-V" | "--version")))
}

/// The indexes of the arguments that are neither flags nor values of flags, up to a flag that is not known:
/// the word after it may be its value, and the flag is the error.
fn words(parser: &clap::Command, arguments: &[OsString]) -> Vec<usize> {
    let values = flags_with_values(parser);
    let mut words = Vec::new();
    let mut rest = arguments.iter().enumerate().skip(1);
    while let Some((at, argument)) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--" {
            break;
        }
        if text == "-" || !text.starts_with('-') {
            words.push(at);
            continue;
        }
        match takes_next_word(&values, &text) {
            Some(true) => drop(rest.next()),
            Some(false) => {}
            None => break,
        }
    }
    words
}

/// True if the word after a flag is its value; none if the flag is not known.
fn takes_next_word(values: &BTreeMap<String, bool>, text: &str) -> Option<bool> {
    if text.starts_with("--") {
        let flag = text.split('=').next().unwrap_or_default();
        return Some(*values.get(flag)? && flag == text);
    }
    // A cluster of short flags: the first that takes a value takes the rest of the word.
    let mut letters = text.chars().skip(1);
    for letter in letters.by_ref() {
        if *values.get(&format!("-{letter}"))? {
            return Some(letters.next().is_none());
        }
    }
    Some(false)
}

/// The flags of all commands by their names, and whether each takes the next argument as its value.
fn flags_with_values(parser: &clap::Command) -> BTreeMap<String, bool> {
    let mut flags: BTreeMap<_, _> =
        ["-h", "--help", "-V", "--version"].map(|own| (own.to_owned(), false)).into();
    let mut commands = vec![parser];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands());
        for argument in command.get_arguments() {
            let takes_value = takes_next(argument);
            if let Some(long) = argument.get_long() {
                flags.insert(format!("--{long}"), takes_value);
            }
            if let Some(short) = argument.get_short() {
                flags.insert(format!("-{short}"), takes_value);
            }
        }
    }
    flags
}

fn takes_next(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
        && !argument.is_require_equals_set()
        && argument.get_num_args().is_none_or(|n| n.takes_values())
}

/// A word that can only be a path: it exists, or is written as a path.
fn is_path(word: &str) -> bool {
    let looks_like_one = word == "-" || word.contains(['/', '\\', '.', ':', '*']);
    looks_like_one || word.is_empty() || Path::new(OsStr::new(word)).exists()
}

fn unknown(parser: &clap::Command, word: &str) -> String {
    let shown = quoted(word);
    let slip = slips::of_word(word).map(str::to_owned);
    let commands = parser.get_subcommands().map(clap::Command::get_name);
    let nearest =
        closest(word, commands).map(|command| format!("did you mean `digestif {command}`?"));
    let path = format!("if it is a file, write `./{}`", word.escape_default());
    let help: Vec<_> = slip.or(nearest).into_iter().chain([path]).collect();
    format!("{shown} is neither a command nor a file\n\n  help: {}", help.join("\n  help: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments as the parser gets them, or the error.
    fn ordered(line: &[&str]) -> Result<Vec<String>, String> {
        let arguments = ["digestif"].iter().chain(line).map(OsString::from).collect();
        let ordered = command_first(&crate::cli::parser(), arguments).map_err(|e| e.to_string())?;
        Ok(ordered.into_iter().skip(1).map(|text| text.into_string().expect("ASCII")).collect())
    }

    #[test]
    fn the_command_is_the_first_word_that_is_no_flag_and_no_value() {
        for (line, expected) in [
            (&["-f", "images", "images"][..], &["images", "-f", "images"][..]),
            (&["-qf", "a", "check"], &["check", "-qf", "a"]),
            (&["-fcheck", "images"], &["images", "-fcheck"]),
            (&["--update", "check"], &["check", "--update"]),
            (&["--lock=check", "images"], &["images", "--lock=check"]),
            (&["./images", "./check"], &["./images", "./check"]),
            (&["--", "images"], &["--", "images"]),
            (&["-f", "images"], &["-f", "images"]),
            (&["lock", "diff", "a", "b"], &["lock", "diff", "a", "b"]),
        ] {
            assert_eq!(
                ordered(line).as_deref(),
                Ok(&*expected.iter().map(|&s| s.to_owned()).collect::<Vec<_>>()),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_word_that_is_neither_gets_the_nearest_command_and_the_way_to_name_a_file() {
        for (word, hints) in [
            ("imagse", &["did you mean `digestif images`?", "./imagse"][..]),
            ("pin", &["digestif pins without a command", "./pin"]),
            ("zzzzzz", &["`zzzzzz` is neither a command nor a file"]),
        ] {
            let error = ordered(&[word]).expect_err("refused");
            for hint in hints {
                assert!(error.contains(hint), "{word}: {error}");
            }
        }
    }
}
