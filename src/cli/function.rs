//! Calls that mean `digestif fn` without saying so: by the program's name, or by a variable.
//!
//! kustomize before 5.7 passes no arguments to a function.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::{BoolishValueParser, TypedValueParser as _};

/// The command.
pub(super) const COMMAND: &str = "fn";

/// The name of a link to the program that stands for the command.
const PROGRAM: &str = "digestif-fn";

/// The variable that stands for the command if no command is given.
pub(super) const VARIABLE: &str = "DIGESTIF_FN";

/// True if arguments without the command mean it. Their command, if there is one, comes first.
///
/// # Errors
/// The variable is neither true nor false.
pub(super) fn is_meant(parser: &clap::Command, arguments: &[OsString]) -> Result<bool, String> {
    let first = arguments.get(1).and_then(|argument| argument.to_str());
    if first == Some(COMMAND) {
        return Ok(false);
    }
    let program = arguments.first().map(Path::new).and_then(Path::file_stem);
    if program == Some(OsStr::new(PROGRAM)) {
        return Ok(true);
    }
    let has_command = first.is_some_and(|first| parser.find_subcommand(first).is_some());
    let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let Some(value) = value.filter(|_| !has_command) else { return Ok(false) };
    BoolishValueParser::new()
        .parse_ref(parser, None, &value)
        .map_err(|_| format!("`{VARIABLE}` is neither `true` nor `false`"))
}
