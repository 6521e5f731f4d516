//! Completion scripts for shells.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ValueHint};
use clap_complete::Shell;

use super::parser;

/// The classes of `--include`.
const CLASSES: [&str; 6] = ["values", "env", "args", "config", "annotations", "other"];

/// The script for a shell, which completes commands, flags, values, files and directories.
#[must_use]
pub fn script(shell: Shell) -> String {
    let hinted = |command: clap::Command| command.mut_args(hinted);
    let mut parser =
        hinted(parser()).mut_subcommands(|command| hinted(command).mut_subcommands(hinted));
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut parser, "digestif", &mut script);
    let script = String::from_utf8(script).expect("names are text");
    if shell == Shell::Bash { completing_lists(&parser, &script) } else { script }
}

/// The script for bash, which also completes what follows a comma in a list of values.
fn completing_lists(parser: &clap::Command, script: &str) -> String {
    const WHOLE: &str = r#"-- "${cur}"))"#;
    const LAST: &str = r#"-P "${cur%"${cur##*,}"}" -- "${cur##*,}"))"#;
    let is_list = |argument: &&Arg| argument.get_value_delimiter() == Some(',');
    let lists = parser.get_arguments().filter(is_list).filter_map(Arg::get_long);
    let cases: Vec<_> = lists.map(|flag| format!("--{flag})")).collect();
    let mut is_case = false;
    let line = |line: &str| {
        let line = if is_case { line.replace(WHOLE, LAST) } else { line.to_owned() };
        is_case = cases.iter().any(|case| case == line.trim());
        line
    };
    script.split_inclusive('\n').map(line).collect()
}

/// A flag that says whether it takes a file or a directory. Its value's name tells.
fn hinted(argument: Arg) -> Arg {
    let name = argument.get_value_names().and_then(|names| names.first());
    if name.is_some_and(|name| name.starts_with("CLASS")) {
        // A kind and a path may follow a class, which no script can know.
        return argument.value_parser(PossibleValuesParser::new(CLASSES));
    }
    let hint = match name.map(clap::builder::Str::as_str) {
        Some("FILE" | "OLD" | "NEW") => ValueHint::FilePath,
        Some("DIR") => ValueHint::DirPath,
        Some("PATH") => ValueHint::AnyPath,
        _ if argument.get_possible_values().is_empty() => ValueHint::Other,
        _ => return argument,
    };
    if argument.get_action().takes_values() { argument.value_hint(hint) } else { argument }
}
