//! Flags about reports and messages.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::report;

/// When output has colours.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Reports in files.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reports and messages")]
pub struct ReportFlags {
    /// Also write a report to this file, after success and failure
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// The format of the report in a file and of `check` [default: json in a file, text from `check`]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub report_format: Option<report::Format>,
}

/// Messages on stderr.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reports and messages")]
pub struct ConsoleFlags {
    /// Append the messages on stderr to this file. If stderr is not a terminal, the default is `digestif/log` in
    /// the state directory
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Print only errors and substitutions
    #[arg(short, long)]
    pub quiet: bool,

    /// Print a line for each image; `-vv` also each request
    #[arg(short, long, action = ArgAction::Count, value_parser = verbosity)]
    pub verbose: u8,

    /// When to use colours
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

/// Reads `DIGESTIF_VERBOSE`: a number, or a word such as `true` or `off`.
fn verbosity(text: &str) -> Result<u8, String> {
    match text {
        "true" | "yes" | "on" | "y" | "t" => Ok(1),
        "false" | "no" | "off" | "n" | "f" => Ok(0),
        _ => text.parse().map_err(|_| "expected a number, `true` or `false`".to_owned()),
    }
}
