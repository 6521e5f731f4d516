//! Help, version, manual pages and completions.

mod support;

use std::process::Command;

use digestif::cli::EXIT_STATUSES;
use support::{command, digestif, finish, start, testdata};

const COMMANDS: [&str; 11] = [
    "check",
    "completions",
    "explain",
    "fn",
    "helm-plugin",
    "images",
    "lock",
    "man",
    "schema",
    "suggest",
    "version",
];

/// The short help, in a terminal of 80 columns.
fn short_help(words: &[&str]) -> String {
    let mut command = command(words.iter().chain(&["-h"]));
    finish(start(command.env("COLUMNS", "80")), b"").succeeded()
}

#[test]
fn the_short_help_fits_a_screen() {
    let help = short_help(&[]);
    assert!(help.lines().count() <= 60, "{help}");
    for group in [
        "Input and output:",
        "Images:",
        "Missing tags:",
        "Lock:",
        "Policy:",
        "Registries:",
        "Reports and messages:",
    ] {
        assert!(help.lines().any(|line| line == group), "{group}\n{help}");
    }
    assert!(help.ends_with("\n`digestif --help` shows every flag with its variable.\n"), "{help}");
    for name in COMMANDS {
        assert!(help.contains(&format!("\n  {name} ")), "{name}");
        let own = short_help(&[name]);
        assert!(own.lines().count() <= 60, "{own}");
        let pointer = format!("`digestif {name} --help` shows every flag with its variable.\n");
        assert!(own.ends_with(&pointer), "{own}");
    }
    for line in COMMANDS
        .iter()
        .flat_map(|name| short_help(&[name]).lines().map(str::to_owned).collect::<Vec<_>>())
    {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_command_shows_only_the_flags_that_it_obeys() {
    for (words, shown, hidden) in [
        (&["check"][..], "--drift", "--in-place"),
        (&["images"], "--skip", "--expect"),
        (&["schema"], "--output", "--config"),
        (&["version"], "--quiet", "--config"),
        (&["lock", "diff"], "--format", "--registry"),
    ] {
        let help = digestif(words.iter().chain(&["--help"]), "").succeeded();
        assert!(help.contains(shown) && !help.contains(hidden), "{words:?}: {help}");
    }
}

#[test]
fn the_version_names_the_build() {
    let version = digestif(["version"], "").succeeded();
    assert!(
        version.starts_with(concat!("digestif ", env!("CARGO_PKG_VERSION"), " (")),
        "{version}"
    );
    assert!(version.trim_end().ends_with(')') && version.contains(", "), "{version}");
    assert_eq!(digestif(["--version"], "").succeeded(), version);
}

#[test]
fn each_command_has_a_manual_page() {
    let whole = digestif(["man"], "").succeeded();
    for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
        assert!(
            whole.contains(&format!(".SH \"{section}\""))
                || whole.contains(&format!(".SH {section}\n")),
            "{section}\n{whole}"
        );
    }
    for name in COMMANDS {
        let page = digestif(["man", name], "").succeeded();
        let page = page.replace("\\-", "-").replace("\\*(Aq", "'");
        assert!(page.contains(&format!("digestif-{name}")), "{name}: {page}");
        for (status, text) in EXIT_STATUSES {
            assert!(page.contains(status) && page.contains(text), "{name}: {status}");
        }
        assert!(page.matches(".TP").count() >= EXIT_STATUSES.len(), "a paragraph for each: {page}");
    }
    let page = digestif(["man", "lock", "diff"], "").succeeded().replace("\\-", "-");
    assert!(page.contains("digestif-lock-diff"), "{page}");
    let said = digestif(["man", "chekc"], "").failed(2);
    assert!(said.contains("`chekc` is not a command of `digestif`"), "{said}");
    assert!(said.contains("did you mean `check`?"), "{said}");
}

#[test]
fn completions_offer_values_files_and_directories() {
    let zsh = digestif(["completions", "zsh"], "").succeeded();
    assert!(zsh.contains(":FILE:_files'"), "{zsh}");
    assert!(zsh.contains(":DIR:_files -/'"), "{zsh}");
    let fish = digestif(["completions", "fish"], "").succeeded();
    let line = |flag: &str| {
        let named = format!(" -l {flag} ");
        fish.lines()
            .find(|line| line.contains(&named))
            .unwrap_or_else(|| panic!("{flag}"))
            .to_owned()
    };
    assert!(line("layout").contains("__fish_complete_directories"), "{}", line("layout"));
    assert!(line("include").contains(" -r -f "), "no files: {}", line("include"));
    assert!(line("skip").contains(" -r"), "{}", line("skip"));
}

#[test]
fn bash_completes_classes_and_formats() {
    let script = "eval \"$(\"$0\" completions bash)\"\nCOMP_WORDS=(digestif \"$@\"); COMP_CWORD=$#\nprev=$#\n_digestif digestif \"${!#}\" \"${@:prev-1:1}\" 2>/dev/null\nprintf '%s\\n' \"${COMPREPLY[@]}\"";
    for (words, expected) in [
        (&["--include", "e"][..], "env\n"),
        (&["--include", "env,a"], "env,args\nenv,annotations\n"),
        (&["check", "--report-format", "j"], "json\njunit\n"),
        (&["che"], "check\n"),
        (&["--layout", "qui"], "\n"),
    ] {
        let mut bash = Command::new("bash");
        bash.args(["-c", script, env!("CARGO_BIN_EXE_digestif")]).args(words);
        let Ok(ran) = bash.current_dir(testdata("")).output() else {
            return eprintln!("SKIPPED: bash is not installed");
        };
        let said = String::from_utf8(ran.stdout).expect("text");
        assert_eq!(said, expected, "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
