//! The command line: arguments and environment, read once and made into an [`Invocation`].
//!
//! Every flag is also an environment variable: `DIGESTIF_` and the flag's name in upper case.
//! Repeatable flags take one value per line there. An empty variable counts as not set, and a flag
//! wins over a variable that contradicts it. Nothing here reads a file.

mod brief;
mod completion;
mod environment;
mod flags;
mod function;
mod invocation;
mod slips;
mod words;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::diagnostic::RuleId;
use crate::lock::DiffFormat;

pub use completion::script;
pub use invocation::{Command, Invocation};

pub use flags::{
    BaseFlags, Color, ConfigFlags, ConsoleFlags, CooldownFlags, DriftFlags, Emit, FileFlags, Flags,
    FormFlags, ImageFlags, InputFlags, LockFlags, MissingTagFlags, OutputFlags, PinFlags,
    PolicyFlags, RegistryFlags, ReportFlags, StrictFlags, UpdateFlags, cooldown,
};

/// Calls for the start.
pub const EXAMPLES: [&str; 7] = [
    "helm template web ./chart | digestif | kubectl apply -f -",
    "helm upgrade --install web ./chart --post-renderer digestif",
    "digestif -i deploy/",
    "digestif -i deploy/ --diff",
    "digestif images rendered.yaml",
    "digestif --lock images.lock.yaml rendered.yaml -o pinned.yaml",
    "digestif check --lock images.lock.yaml deploy/ --report-format sarif",
];

/// Each exit status with its meaning.
pub const EXIT_STATUSES: [(&str, &str); 8] = [
    ("0", "every image is pinned, or the flags leave it alone"),
    ("1", "an image is proved absent"),
    ("2", "the call is wrong, or a file can't be read or written"),
    ("3", "the input is empty, is not YAML, or contains an invalid reference"),
    ("4", "a registry gave no usable answer; try again"),
    ("5", "a policy is not met"),
    ("6", "a registry refused: the image is absent or private"),
    ("129, 130, 143", "a signal ended the run"),
];

/// The parser. Each flag has its variable.
pub(crate) fn parser() -> clap::Command {
    environment::named(Cli::command())
}

/// The text of an error, with ANSI colours and the id that every error has.
#[must_use]
pub fn rendered(error: &clap::Error) -> String {
    let id = format!("error[{}]:", RuleId::Usage.id());
    error.render().ansi().to_string().replacen("error:", &id, 1)
}

/// The end of `--help`.
fn epilogue() -> String {
    let examples: String = EXAMPLES.iter().map(|example| format!("  {example}\n")).collect();
    let status = |(status, text): &(&str, &str)| format!("  {status}  {text}\n");
    let statuses: String = EXIT_STATUSES.iter().map(status).collect();
    format!(
        "Examples:\n{examples}\nExit status:\n{statuses}If several apply, the first of 2, 3, 5, 1, 6, 4 is \
         returned. No manifest is written,\nunless the status is 0."
    )
}

/// Pin every image of rendered Kubernetes manifests to a digest, and change no other byte.
///
/// digestif reads manifests from stdin, replaces each image tag by an immutable digest, and prints the manifests
/// on stdout. All or nothing: after a failure stdout is empty and all files are unchanged.
#[derive(Debug, Parser)]
#[command(
    name = "digestif",
    version = crate::VERSION,
    after_long_help = epilogue(),
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    pin: PinArgs,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Check, and print a report instead of the manifests
    ///
    /// The report goes to stdout with every exit status. The exit status is the result. Every image is resolved,
    /// except with `--require-digest`, `--strict`, or `--lock` without `--drift`.
    Check(CheckArgs),
    /// Run as a KRM function, and trust its `functionConfig`
    ///
    /// kustomize and kpt send a `ResourceList` to stdin and read it back with `results`. digestif also recognises
    /// such a list without this command. But then `lock` and `registries` in its `functionConfig` are an error,
    /// because the author of manifests must not choose files or hosts. A link called `digestif-fn`, or
    /// `DIGESTIF_FN=true`, means the same as this command.
    Fn(Box<FnArgs>),
    /// List every image and its place; makes no request
    Images(ImagesArgs),
    /// Print a configuration with a rule for each missing image
    Suggest(SuggestArgs),
    /// Show how one image is resolved, step by step
    ///
    /// It prints the requests, the existing tags, the rule that applies, the nearest tags, and the rule to add.
    /// With `-f`, the pull secrets of these manifests are used, and the configuration of a function's
    /// list: `digestif explain IMAGE -f - < list.yaml`.
    Explain(ExplainArgs),
    /// Compare two locks
    Lock {
        #[command(subcommand)]
        action: LockAction,
    },
    /// Install the plugin for Helm 4, or print it
    HelmPlugin(HelmPluginArgs),
    /// Print completions for a shell
    ///
    /// bash: `digestif completions bash > ~/.local/share/bash-completion/completions/digestif`.
    /// zsh: write them as `_digestif` into a directory of `$fpath`.
    /// fish: `digestif completions fish > ~/.config/fish/completions/digestif.fish`.
    Completions(CompletionsArgs),
    /// Print a manual page: `digestif man check | man -l -`
    Man(ManArgs),
    /// Print a JSON Schema
    Schema(SchemaArgs),
    /// Print the version, the commit and the target
    Version(PrintArgs),
}

#[derive(Debug, Args)]
struct PinArgs {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    pin: PinFlags,
    #[command(flatten)]
    form: FormFlags,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    missing: MissingTagFlags,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    cooldown: CooldownFlags,
    #[command(flatten)]
    update: UpdateFlags,
    #[command(flatten)]
    policy: PolicyFlags,
    #[command(flatten)]
    registries: RegistryFlags,
    #[command(flatten)]
    reports: ReportFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    missing: MissingTagFlags,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    cooldown: CooldownFlags,
    #[command(flatten)]
    drift: DriftFlags,
    #[command(flatten)]
    base: BaseFlags,
    #[command(flatten)]
    strict: StrictFlags,
    #[command(flatten)]
    policy: PolicyFlags,
    #[command(flatten)]
    registries: RegistryFlags,
    #[command(flatten)]
    reports: ReportFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

#[derive(Debug, Args)]
struct FnArgs {
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    form: FormFlags,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    missing: MissingTagFlags,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    cooldown: CooldownFlags,
    #[command(flatten)]
    update: UpdateFlags,
    #[command(flatten)]
    policy: PolicyFlags,
    #[command(flatten)]
    registries: RegistryFlags,
    #[command(flatten)]
    reports: ReportFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

#[derive(Debug, Args)]
struct ImagesArgs {
    /// The format of the list
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    registries: RegistryFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// The image, as a manifest has it
    image: String,
    /// The format of the explanation
    #[arg(long, value_enum, default_value_t)]
    format: ExplainFormat,
    #[command(flatten)]
    files: FileFlags,
    #[command(flatten)]
    flags: ExplainFlags,
}

#[derive(Debug, Args)]
struct ExplainFlags {
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    missing: MissingTagFlags,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    cooldown: CooldownFlags,
    #[command(flatten)]
    policy: PolicyFlags,
    #[command(flatten)]
    registries: RegistryFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

#[derive(Debug, Args)]
struct SuggestArgs {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    missing: MissingTagFlags,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    registries: RegistryFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

#[derive(Debug, Subcommand)]
enum LockAction {
    /// Show the images that differ between two locks; `-` is stdin
    Diff(LockDiffArgs),
}

#[derive(Debug, Args)]
struct LockDiffArgs {
    /// The old lock
    old: PathBuf,
    /// The new lock
    new: PathBuf,
    /// The format of the comparison
    #[arg(long, value_enum, default_value_t)]
    format: DiffFormat,
    #[command(flatten)]
    print: PrintArgs,
}

#[derive(Debug, Args)]
struct HelmPluginArgs {
    /// The action
    #[command(subcommand)]
    action: HelmPlugin,
    #[command(flatten)]
    print: PrintArgs,
}

#[derive(Debug, Args)]
struct CompletionsArgs {
    /// The shell
    shell: Shell,
    #[command(flatten)]
    print: PrintArgs,
}

#[derive(Debug, Args)]
struct ManArgs {
    /// The command that the page describes; without it, digestif itself
    command: Vec<String>,
    #[command(flatten)]
    print: PrintArgs,
}

#[derive(Debug, Args)]
struct SchemaArgs {
    /// The subject of the schema
    subject: Subject,
    #[command(flatten)]
    print: PrintArgs,
}

/// The flags of a command that only prints something.
#[derive(Debug, Args)]
struct PrintArgs {
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    console: ConsoleFlags,
}

/// An action for the plugin that Helm 4 needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum HelmPlugin {
    /// Write it into the first folder of `HELM_PLUGINS`, or into Helm's own folder
    Install,
    /// Print its plugin.yaml
    Print,
}

/// The subject of a JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A configuration, for example digestif.yaml
    Config,
    /// The file that `--report` writes
    Report,
    /// The file that `--lock` writes
    Lock,
    /// `digestif explain --format json`
    Explain,
}

/// The format of a list.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// One reference per line
    Refs,
    /// An `ImagesLock` for imgpkg; every image needs a digest, in the input or in the lock
    Imgpkg,
    /// A configuration for regsync; every image needs a digest
    Regsync,
    /// A bill of materials, `CycloneDX` 1.6; every image needs a digest
    Cyclonedx,
}

/// The format of an explanation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people
    #[default]
    #[value(alias = "table")]
    Text,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a line of arguments.
    fn read(line: &[&str]) -> Result<Invocation, String> {
        Invocation::read(["digestif"].iter().chain(line).copied()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_arguments_are_consistent() {
        parser().debug_assert();
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        let cli = parser();
        let commands = std::iter::once(&cli).chain(cli.get_subcommands());
        let mut seen = 0;
        for argument in commands.flat_map(clap::Command::get_arguments) {
            let Some(long) = argument.get_long() else { continue };
            if matches!(long, "help" | "version") {
                continue;
            }
            let expected = format!("DIGESTIF_{}", long.to_uppercase().replace('-', "_"));
            let found = argument.get_env().and_then(|name| name.to_str());
            assert_eq!(found, Some(expected.as_str()), "--{long}");
            seen += 1;
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn flags_may_stand_on_both_sides_of_a_command() {
        for line in [
            &["-f", "a", "images", "-f", "b"][..],
            &["images", "-f", "a", "-f", "b"],
            &["-f", "a", "-f", "b", "images"],
        ] {
            let invocation = read(line).expect("valid");
            assert_eq!(invocation.command, Command::Images(ListFormat::Table), "{line:?}");
            assert_eq!(
                invocation.flags.input.files.filename,
                ["a", "b"].map(PathBuf::from),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_command_takes_only_the_flags_that_it_obeys() {
        for (line, flag) in [
            (&["images", "--expect", "x=9"][..], "--expect"),
            (&["images", "--in-place"], "--in-place"),
            (&["check", "--update"], "--update"),
            (&["check", "-i"], "-i"),
            (&["--drift"], "--drift"),
            (&["schema", "config", "--lock", "l"], "--lock"),
            (&["explain", "nginx", "--emit", "manifests"], "--emit"),
        ] {
            let error = read(line).expect_err("refused");
            assert!(error.contains(&format!("unexpected argument '{flag}'")), "{line:?}: {error}");
        }
    }
}
