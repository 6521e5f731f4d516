//! The binary: stdin -> [`digestif::run`] -> stdout, written once -> exit status.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::CommandFactory as _;
use digestif::cli::{Cli, Color, Command, Flags, Format, Subject};
use digestif::config::Config;
use digestif::diagnostic::{Diagnostic, Failure, Severity, verdict};
use digestif::interrupt::{self, Interrupted};
use digestif::output::{self, Destination, Rewrite, Unwritten};
use digestif::plan::Plan;
use digestif::source::{Origin, Source};
use digestif::{Options, config, input, listing, report};

fn main() -> ExitCode {
    if let Err(error) = interrupt::install() {
        let error = failed(&format!("signals can't be waited for: {error}"))
            .help("look at the limits of this system for processes and open files");
        return ExitCode::from(end(&error));
    }
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match cli.flags.color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
    let done = match &cli.command {
        None => pin(&cli.flags),
        Some(Command::Images { format }) => images(&cli.flags, *format),
        Some(Command::Explain { image, format }) => explain(&cli.flags, image, *format),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "digestif", &mut script);
            deliver(
                cli.flags.output.as_deref(),
                &String::from_utf8(script).expect("names are text"),
            )
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).expect("memory takes all");
            deliver(cli.flags.output.as_deref(), &String::from_utf8(page).expect("help is text"))
        }
        Some(Command::Schema { subject }) => {
            let schema = match subject {
                Subject::Config => config::schema(),
                Subject::Report => report::json::schema(),
            };
            deliver(cli.flags.output.as_deref(), &schema)
        }
    };
    ExitCode::from(done.err().unwrap_or(0))
}

/// An exit status; what there is to say has been said.
type Done = Result<(), u8>;

fn pin(flags: &Flags) -> Done {
    let sources = read(flags)?;
    let options = options(flags)?;
    let run = digestif::run(&sources, &options).map_err(Interrupted::status)?;
    let shown = show(&run.found.diagnostics, &sources, flags);
    if let Some(path) = &flags.report {
        let report = report::json::report(&run, &sources);
        // A run that has failed already keeps its status.
        deliver(Some(path), &report).or_else(|status| shown.and(Err(status)))?;
        interrupt::heed();
    }
    shown?;
    let texts = run.texts.as_deref().unwrap_or_default();
    write(flags, &sources, texts)?;
    if !flags.quiet {
        let pins = if flags.verbose { report::pins(&run.plan) } else { String::new() };
        say(&format!("{pins}digestif: {}\n", report::summary(&run.plan, run.found.objects)));
    }
    Ok(())
}

fn images(flags: &Flags, format: Format) -> Done {
    let sources = read(flags)?;
    let options = options(flags)?;
    let found = digestif::locate(&sources, options.empty);
    let plan = Plan::new(&found.places, &options.skips);
    show(&found.diagnostics, &sources, flags)?;
    let text = match format {
        Format::Table => listing::table(&plan, &found.places, &sources),
        Format::Json => listing::json(&plan, &found.places, &sources),
    };
    deliver(flags.output.as_deref(), &text)
}

fn explain(flags: &Flags, image: &str, format: Format) -> Done {
    let options = options(flags)?;
    let explanation = digestif::explain::explain(image, &options).map_err(Interrupted::status)?;
    let text = match format {
        Format::Table => explanation.text(),
        Format::Json => explanation.json(),
    };
    deliver(flags.output.as_deref(), &text)?;
    verdict(&explanation.diagnostics).map_or(Ok(()), |failure| Err(failure.status()))
}

/// How the run is to go.
fn options(flags: &Flags) -> Result<Options, u8> {
    let mut file = Config::default();
    if !flags.no_config
        && let Some(source) =
            input::configuration(flags.config.as_deref()).map_err(|error| end(&error))?
    {
        match config::read(&source) {
            Ok(config) => file = config,
            Err(errors) => show(&errors, &[source], flags)?,
        }
    }
    flags.options(Config::default(), file).map_err(|message| usage(&message))
}

/// Everything that is to be read, whole.
fn read(flags: &Flags) -> Result<Vec<Source>, u8> {
    let paths = flags.paths().map_err(|message| usage(&message))?;
    if !paths.is_empty() {
        let excluded = flags.excluded().map_err(|message| usage(&message))?;
        let files = input::files(paths, excluded);
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

/// Writes the new texts where the flags say: over their files, or as one stream.
fn write(flags: &Flags, sources: &[Source], texts: &[impl AsRef<str>]) -> Done {
    let texts = texts.iter().map(AsRef::as_ref);
    if !flags.in_place {
        return deliver(flags.output.as_deref(), &output::joined(texts));
    }
    let rewrites = sources.iter().zip(texts).filter_map(|(source, new)| {
        let old = source.text();
        let path = source.origin().path().filter(|_| old != new)?;
        Some(Rewrite { path, old: Some(old), new })
    });
    replace(&rewrites.collect::<Vec<_>>())
}

/// Writes a text to a file, or to stdout where none is named.
fn deliver(path: Option<&Path>, text: &str) -> Done {
    let Some(path) = path else { return print(text) };
    match output::destination(path).map_err(|error| end(&error))? {
        Destination::Stdout => print(text),
        Destination::Stderr => io::stderr().write_all(text.as_bytes()).map_err(|error| {
            // Perhaps nobody reads this; the status says it as well.
            end(&failed(&format!("stderr can't be written: {error}")))
        }),
        Destination::Stream(path) => output::write_stream(&path, text).map_err(|error| end(&error)),
        Destination::File(_) => replace(&[Rewrite { path, old: None, new: text }]),
    }
}

fn replace(files: &[Rewrite<'_>]) -> Done {
    output::replace_all(files).map_err(|unwritten| match unwritten {
        Unwritten::Interrupted(interrupted) => interrupted.status(),
        Unwritten::Failed(error) => end(&error),
    })
}

/// Writes to stdout, once.
fn print(text: &str) -> Done {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| {
        end(&match error.kind() {
            io::ErrorKind::BrokenPipe => failed("stdout was closed before everything was written")
                .help("the command behind the pipe ended early; see what it says"),
            _ => failed(&format!("stdout can't be written: {error}")).help(
                "check what stdout leads to, and its space; what is there already is not the whole",
            ),
        })
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
    end(&failed(message).help("`digestif --help` shows all flags"))
}

fn failed(message: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, message.to_owned())
}

/// Says what is wrong with the call, a file or a stream, and gives the status for it.
fn end(error: &Diagnostic) -> u8 {
    say(&report::diagnostic(error, &[]));
    Failure::Usage.status()
}

fn say(text: &str) {
    // Where stderr is closed, nobody can be told.
    let _ = write!(anstream::stderr(), "{text}");
}
