//! The short help, `-h`: the common flags, a line each. `--help` shows all.

use clap::{Arg, Command};

/// The heading of the last group, to which `-h` itself belongs.
const LAST_GROUP: &str = "Reports and messages";

/// The common flags by their ids, with a text that fits a line of 80 columns.
const COMMON: [(&str, &str); 36] = [
    ("paths", "Files and directories; `-` is stdin [default: stdin]"),
    ("filename", "Read this file or directory; repeatable"),
    ("output", "Write the result to this file"),
    ("in_place", "Rewrite the named files: all or none"),
    ("diff", "Show what would change; write nothing"),
    ("config", "Use this configuration file"),
    ("skip", "Leave images alone, such as `quay.io/**`"),
    ("include", "Also pin candidates of these classes"),
    ("fallback", "A rule for tags that are missing"),
    ("preset", "A built-in rule for images that moved"),
    ("no_fallback", "Apply no rule: a missing tag is an error"),
    ("lock", "Use recorded digests and record new ones"),
    ("locked", "Fail if the lock lacks an image"),
    ("update", "Resolve recorded images again"),
    ("drift", "Ask registries what has changed"),
    ("offline", "Make no request: use only the lock and layouts"),
    ("require_digest", "Fail if an image has no digest; make no request"),
    ("deny_mutable", "Fail on `latest`, `nightly` and branches"),
    ("expect", "Fail unless the image has this tag"),
    ("strict", "A gate for pull requests; makes no request"),
    ("registry", "Ask the registry at URL instead of HOST"),
    ("mirror", "Try this mirror of HOST first"),
    ("auth_file", "Use the logins in this file first"),
    ("report", "Also write a report to this file"),
    ("report_format", "text, json, markdown, sarif, github or junit"),
    ("format", "The format of the list"),
    ("quiet", "Print only errors and substitutions"),
    ("verbose", "Print each image; `-vv` also each request"),
    ("image", "The image, as in a manifest"),
    ("old", "The old lock"),
    ("new", "The new lock"),
    ("shell", "bash, elvish, fish, powershell or zsh"),
    ("subject", "config, report, lock or explain"),
    ("command", "The command of the page [default: digestif]"),
    ("help", "Print this help; `--help` prints all flags"),
    ("version", "Print the version"),
];

/// True if a short help is asked for.
pub(super) fn is_asked_for(arguments: &[std::ffi::OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "-h")
}

/// The parser with a short help.
pub(super) fn brief(parser: Command) -> Command {
    with_brief_help(parser, "digestif").about("Pin the images of Kubernetes manifests to digests")
}

fn with_brief_help(mut parser: Command, name: &str) -> Command {
    // Only a built command has its `--help`.
    parser.build();
    let has_groups = parser.get_arguments().any(|argument| argument.get_id() == "config");
    let pointer = format!("`{name} --help` shows every flag with its variable.");
    parser
        .mut_args(|argument| shortened(argument, has_groups))
        .mut_subcommands(|command| {
            let name = format!("{name} {}", command.get_name());
            with_brief_help(command, &name)
        })
        .after_help(pointer)
}

/// A flag on a line of its own, or none if it is not common.
fn shortened(argument: Arg, has_groups: bool) -> Arg {
    let id = argument.get_id().as_str();
    let Some((_, text)) = COMMON.iter().find(|(common, _)| *common == id) else {
        return argument.hide_short_help(true);
    };
    let is_help = id == "help";
    // The version is one of the commands.
    let is_hidden = id == "version";
    let argument = argument
        .help(*text)
        .hide_short_help(is_hidden)
        .hide_env(true)
        .hide_default_value(true)
        .hide_possible_values(true);
    if is_help && has_groups { argument.help_heading(LAST_GROUP) } else { argument }
}
