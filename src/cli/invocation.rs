//! Invocation: a call after its arguments and the environment were read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::FromArgMatches as _;
use clap_complete::Shell;

use super::{
    CheckArgs, Cli, ExplainArgs, ExplainFlags, ExplainFormat, Flags, FnArgs, HelmPlugin,
    ImagesArgs, InputFlags, ListFormat, LockAction, PinArgs, PrintArgs, Subcommands, Subject,
    SuggestArgs, brief, environment, function, parser, slips, words,
};
use crate::lock::DiffFormat;

/// A parsed call.
#[derive(Debug)]
pub struct Invocation {
    /// The command.
    pub command: Command,
    /// The flags; groups that the command lacks have their defaults.
    pub flags: Flags,
    /// Variables that no flag has, each with the one that is meant.
    pub misspelt: Vec<(String, String)>,
}

/// The command of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Pin the images.
    Pin,
    /// Pin the images of a function's list, and trust its configuration.
    Function,
    /// Check the images and print a report.
    Check,
    /// List the images.
    Images(ListFormat),
    /// Print a configuration with rules for the images that do not exist.
    Suggest,
    /// Explain how this image is resolved.
    Explain(String, ExplainFormat),
    /// Compare an old lock with a new one.
    LockDiff(PathBuf, PathBuf, DiffFormat),
    /// Install or print the Helm 4 plugin.
    HelmPlugin(HelmPlugin),
    /// Print a completion script.
    Completions(Shell),
    /// Print the manual page of the command with these words.
    Man(Vec<String>),
    /// Print a JSON Schema.
    Schema(Subject),
    /// Print the version.
    Version,
}

impl Invocation {
    /// Reads arguments, the first of which is the program's name, and the environment.
    ///
    /// # Errors
    /// They are wrong, or ask for help or the version, which the error prints.
    pub fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let mut parser = environment::apply(parser());
        slips::check_values(&parser, &arguments)?;
        let mut arguments = words::command_first(&parser, arguments)?;
        let is_function = function::is_meant(&parser, &arguments)
            .map_err(|message| parser.error(clap::error::ErrorKind::InvalidValue, message))?;
        if is_function {
            arguments.insert(1, function::COMMAND.into());
        }
        if brief::is_asked_for(&arguments) {
            parser = brief::brief(parser);
        }
        let matches = parser
            .try_get_matches_from_mut(&arguments)
            .map_err(|error| slips::hinted(&parser, &arguments, error))?;
        let Self { command, mut flags, .. } = Cli::from_arg_matches(&matches)?.into();
        let own = std::iter::successors(Some(&matches), |matches| Some(matches.subcommand()?.1));
        let own = own.last().expect("the first one exists");
        environment::settle(&mut flags, own)
            .map_err(|message| parser.error(clap::error::ErrorKind::ArgumentConflict, message))?;
        flags.origins = environment::origins(&parser, &matches);
        let misspelt = environment::misspelt(&parser);
        Ok(Self { command, flags, misspelt })
    }
}

impl From<Cli> for Invocation {
    fn from(cli: Cli) -> Self {
        let Some(command) = cli.command else {
            return Self { command: Command::Pin, flags: cli.pin.into(), misspelt: Vec::new() };
        };
        let (command, flags) = match command {
            Subcommands::Check(args) => (Command::Check, args.into()),
            Subcommands::Fn(args) => (Command::Function, (*args).into()),
            Subcommands::Images(args) => (Command::Images(args.format), args.into()),
            Subcommands::Suggest(args) => (Command::Suggest, args.into()),
            Subcommands::Explain(args) => {
                (Command::Explain(args.image.clone(), args.format), args.into())
            }
            Subcommands::Lock { action: LockAction::Diff(args) } => {
                (Command::LockDiff(args.old, args.new, args.format), args.print.into())
            }
            Subcommands::HelmPlugin(args) => (Command::HelmPlugin(args.action), args.print.into()),
            Subcommands::Completions(args) => (Command::Completions(args.shell), args.print.into()),
            Subcommands::Man(args) => (Command::Man(args.command), args.print.into()),
            Subcommands::Version(print) => (Command::Version, print.into()),
            Subcommands::Schema(args) => (Command::Schema(args.subject), args.print.into()),
        };
        Self { command, flags, misspelt: Vec::new() }
    }
}

/// Moves the groups of flags that a command has into the flags of a call.
macro_rules! flags_of {
    ($arguments:ty: $($group:ident),+) => {
        impl From<$arguments> for Flags {
            fn from(arguments: $arguments) -> Self {
                Self { $($group: arguments.$group,)+ ..Self::default() }
            }
        }
    };
}

flags_of!(PinArgs: input, output, pin, form, config, images, missing, lock, cooldown, update, policy, registries, reports, console);
flags_of!(CheckArgs: input, output, config, images, missing, lock, cooldown, drift, base, strict, policy, registries, reports, console);
flags_of!(FnArgs: output, form, config, images, missing, lock, cooldown, update, policy, registries, reports, console);
flags_of!(ImagesArgs: input, output, config, images, lock, registries, console);
flags_of!(SuggestArgs: input, output, config, images, missing, lock, registries, console);
flags_of!(PrintArgs: output, console);

impl From<ExplainArgs> for Flags {
    fn from(arguments: ExplainArgs) -> Self {
        let input = InputFlags { files: arguments.files, ..InputFlags::default() };
        Self { input, ..arguments.flags.into() }
    }
}

flags_of!(ExplainFlags: output, config, images, missing, lock, cooldown, policy, registries, console);
