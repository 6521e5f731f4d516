//! The binary: stdin -> [`digestif::run`] -> stdout, written once -> exit status.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::{CommandFactory as _, Parser as _};
use digestif::cli::{Cli, Color, Command, Flags, Format};
use digestif::diagnostic::{Diagnostic, Failure, Severity, Spot, verdict};
use digestif::plan::Plan;
use digestif::source::{Origin, Source};
use digestif::{input, listing, output, report};

/// The exit status of a run that Ctrl-C ended, as shells give it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.flags.color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
    let done = match &cli.command {
        None => pin(&cli.flags),
        Some(Command::Images { format }) => images(&cli.flags, *format),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "digestif", &mut script);
            print(&script)
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).expect("memory takes all");
            print(&page)
        }
    };
    ExitCode::from(done.err().unwrap_or(0))
}

/// An exit status; what there is to say has been said.
type Done = Result<(), u8>;

fn pin(flags: &Flags) -> Done {
    let sources = read(flags)?;
    let options = flags.options().map_err(|message| usage(&message))?;
    let outcome = digestif::run(&sources, &options).map_err(|_| INTERRUPTED)?;
    show(&outcome.found.diagnostics, &sources, flags)?;
    let texts = outcome.texts.as_deref().unwrap_or_default();
    write(flags, &sources, texts)?;
    if !flags.quiet {
        let pins = if flags.verbose { report::pins(&outcome.plan) } else { String::new() };
        say(&format!(
            "{pins}digestif: {}\n",
            report::summary(&outcome.plan, outcome.found.objects)
        ));
    }
    Ok(())
}

fn images(flags: &Flags, format: Format) -> Done {
    let sources = read(flags)?;
    let options = flags.options().map_err(|message| usage(&message))?;
    let found = digestif::locate(&sources, options.empty);
    let plan = Plan::new(&found.places, &options.skips);
    show(&found.diagnostics, &sources, flags)?;
    let text = match format {
        Format::Table => listing::table(&plan, &found.places, &sources),
        Format::Json => listing::json(&plan, &found.places, &sources),
    };
    print(text.as_bytes())
}

/// Everything that is to be read, whole.
fn read(flags: &Flags) -> Result<Vec<Source>, u8> {
    let paths = flags.paths().map_err(|message| usage(&message))?;
    if !paths.is_empty() {
        let excluded = flags.excluded().map_err(|message| usage(&message))?;
        let files = input::files(paths, &excluded);
        let (sources, notes) =
            files.or_else(|errors| show(&errors, &[], flags).map(|()| Default::default()))?;
        show(&notes, &[], flags)?;
        return Ok(sources);
    }
    if io::stdin().is_terminal() {
        say(&format!("{}\n\n", Cli::command().render_usage().ansi()));
        return Err(usage(
            "stdin is a terminal, so there is nothing to read: pipe manifests in, or name files with `-f`",
        ));
    }
    let mut bytes = Vec::new();
    if let Err(error) = io::stdin().lock().read_to_end(&mut bytes) {
        return Err(usage(&format!("stdin can't be read: {error}")));
    }
    let source = Source::new(Origin::Stdin, bytes);
    source
        .map(|source| vec![source])
        .or_else(|error| show(&[error], &[], flags).map(|()| Vec::new()))
}

/// Writes the new texts where the flags say: over their files, into one file, or to stdout.
fn write(flags: &Flags, sources: &[Source], texts: &[impl AsRef<str>]) -> Done {
    let texts = texts.iter().map(AsRef::as_ref);
    let files: Vec<(&Path, &str)> = if flags.in_place {
        let changed = sources.iter().zip(texts).filter(|(source, text)| source.text() != *text);
        changed.filter_map(|(source, text)| Some((source.origin().path()?, text))).collect()
    } else {
        let stream = output::joined(texts);
        match &flags.output {
            None => return print(stream.as_bytes()),
            Some(path) => return replace(&[(path, &stream)]),
        }
    };
    replace(&files)
}

fn replace(files: &[(&Path, &str)]) -> Done {
    output::replace_all(files).map_err(|failed| {
        let message = format!("the file can't be written: {}", failed.error);
        let error = Diagnostic::error(Failure::Usage, message)
            .spot(Spot::File(failed.path.display().to_string()))
            .help(
                "check its folder, its permissions and the space on the disk; no file was changed",
            );
        say(&report::diagnostic(&error, &[]));
        Failure::Usage.status()
    })
}

/// Writes to stdout, once.
fn print(bytes: &[u8]) -> Done {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => usage("stdout was closed before everything was written"),
        _ => usage(&format!("stdout can't be written: {error}")),
    })
}

/// Shows diagnostics on stderr; an error where one of them fails the run.
fn show(diagnostics: &[Diagnostic], sources: &[Source], flags: &Flags) -> Done {
    for diagnostic in diagnostics {
        if !flags.quiet || diagnostic.severity != Severity::Warning {
            say(&report::diagnostic(diagnostic, sources));
            say("\n");
        }
    }
    verdict(diagnostics).map_or(Ok(()), |failure| Err(failure.status()))
}

/// Says what is wrong with the call.
fn usage(message: &str) -> u8 {
    let error = Diagnostic::error(Failure::Usage, message.to_owned())
        .help("`digestif --help` shows all flags");
    say(&report::diagnostic(&error, &[]));
    Failure::Usage.status()
}

fn say(text: &str) {
    // Where stderr is closed, nobody can be told.
    let _ = write!(anstream::stderr(), "{text}");
}
