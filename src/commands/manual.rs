//! Manual pages, one for each command.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{self, EXAMPLES, EXIT_STATUSES};
use crate::diagnostic::{Diagnostic, usage};
use crate::text::escape::{closest, quoted};

/// Variables besides those of the flags.
const VARIABLES: [(&str, &str); 10] = [
    (
        "DIGESTIF_…",
        "Each flag is also a variable: DIGESTIF_ and the flag's name in upper case, with _ for -. A flag that is repeatable takes one value per line there. An empty variable counts as not set. A flag replaces its variable; policies add up.",
    ),
    ("DIGESTIF_FN", "If it is true, a call without a command is `digestif fn`."),
    (
        "DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR",
        "The folder or file with logins, as Docker and Podman use it.",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "The proxies for requests, and the hosts that need none; also in lower case.",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificates that are trusted instead of the system's."),
    ("HELM_PLUGIN_NAME", "Helm sets it for its plugins; `digestif` means Helm 4."),
    ("HELM_PLUGINS", "The folder for the plugin of `digestif helm-plugin install`."),
    ("XDG_CONFIG_HOME", "The folder of the user's configuration [default: ~/.config]."),
    ("XDG_STATE_HOME", "The folder of the log [default: ~/.local/state]."),
    ("NO_COLOR", "If it is set, the output has no colours."),
];

const FILES: [(&str, &str); 6] = [
    (
        "digestif.yaml, digestif.yml",
        "The configuration of a checkout: in the working directory, or in the repository above it.",
    ),
    ("~/.config/digestif/config.yaml", "The user's configuration."),
    ("~/.local/state/digestif/log", "The messages of runs whose stderr was not a terminal."),
    ("~/.docker/config.json", "Logins of Docker."),
    (
        "$XDG_RUNTIME_DIR/containers/auth.json, ~/.config/containers/auth.json",
        "Logins of Podman, Skopeo and others.",
    ),
    ("/etc/docker/certs.d, /etc/containers/certs.d", "Certificates of registries."),
];

/// The manual page of the command with these words; of digestif itself without any.
///
/// # Errors
/// There is no such command.
pub(super) fn page(words: &[String]) -> Result<String, Diagnostic> {
    let mut parser = cli::parser();
    parser.build();
    let mut command = &parser;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            let names = command.get_subcommands().map(clap::Command::get_name);
            let near = closest(word, names).map(|name| format!("did you mean `{name}`?"));
            usage(&format!("{} is not a command of `{}`", quoted(word), command.get_name()))
                .help(near.unwrap_or_else(|| "`digestif -h` lists the commands".to_owned()))
        })?;
    }
    let mut page = Vec::new();
    render(command, words.is_empty(), &mut page).expect("memory takes all");
    Ok(String::from_utf8(page).expect("help is text"))
}

fn render(command: &clap::Command, is_whole: bool, page: &mut Vec<u8>) -> std::io::Result<()> {
    let reads_settings = command.get_arguments().any(|argument| argument.get_id() == "config");
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    let statuses = EXIT_STATUSES.map(|(status, text)| (status.to_string(), text));
    list("EXIT STATUS", &statuses).to_writer(page)?;
    if reads_settings {
        list("ENVIRONMENT", &VARIABLES).to_writer(page)?;
        list("FILES", &FILES).to_writer(page)?;
    }
    if is_whole {
        let mut examples = Roff::new();
        examples.control("SH", ["EXAMPLES"]);
        for example in EXAMPLES {
            examples.control("PP", []).text([roman(example)]);
        }
        examples.to_writer(page)?;
    }
    Ok(())
}

/// A section with a paragraph for each item.
fn list(title: &str, items: &[(impl AsRef<str>, &str)]) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [title]);
    for (name, text) in items {
        section.control("TP", []).text([bold(name.as_ref())]).text([roman(*text)]);
    }
    section
}
