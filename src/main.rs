//! The binary: stdin -> [`digestif::run`] -> stdout, written once -> exit status.

use std::process::ExitCode;

use anstream::ColorChoice;
use clap::CommandFactory as _;
use digestif::cli::{Cli, Color, Command, Emit, Flags, Format, LockAction, Subject, Task};
use digestif::commands::caller::{Host, PLUGIN_NAME};
use digestif::commands::helm_plugin;
use digestif::commands::reports::Reports;
use digestif::diagnostic::{Diagnostic, verdict};
use digestif::io::atomic::{self, Rewrite};
use digestif::io::console::{
    self, Console, Done, Log, Stop, deliver, deliver_with, failed, record, replace, usage,
};
use digestif::io::{input, signals};
use digestif::lock::{self, Record, Recording};
use digestif::plan::Plan;
use digestif::report::{kustomize_images, listing};
use digestif::settings::config;
use digestif::settings::config::Config;
use digestif::text::Source;
use digestif::{Empty, Options, Run, krm, report};

/// What Helm 4 gets where a chart has no manifests: it refuses empty output.
const NO_MANIFESTS: &str = "# digestif: there are no manifests\n";

fn main() -> ExitCode {
    if let Err(error) = signals::install() {
        let error = failed(&format!("signals can't be waited for: {error}"))
            .help("look at the limits of this system for processes and open files");
        return ExitCode::from(Console::default().end(error.into()));
    }
    let plugin = std::env::var_os(PLUGIN_NAME);
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return misread(&error, Host::of(&[], plugin.as_deref())),
    };
    match cli.flags.color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
    let console = Console::new(cli.flags.quiet);
    if Host::of(&[], plugin.as_deref()) == Host::Helm4 {
        console.lose_stderr();
    }
    // Before anything else, so that a log that can't be written is known in time.
    let (log, done) = match console::check_destinations(&cli) {
        Err(error) => (None, Err(error.into())),
        Ok(()) => match cli.flags.log.as_deref().map(Log::open).transpose() {
            Ok(log) => (log, command(&cli, &console)),
            Err(error) => (None, Err(error.into())),
        },
    };
    let status = done.err().map_or(0, |stop| console.end(stop));
    console.keep(log, status);
    ExitCode::from(status)
}

/// Says what is wrong with the arguments, where it can be heard.
fn misread(error: &clap::Error, host: Host) -> ExitCode {
    let (console, status) = (Console::default(), 2);
    if host == Host::Helm4 {
        console.lose_stderr();
    }
    console.say(&error.render().ansi().to_string());
    console.keep(None, status);
    ExitCode::from(status)
}

fn command(cli: &Cli, console: &Console) -> Done {
    let (flags, to) = (&cli.flags, cli.flags.output.as_deref());
    match &cli.command {
        None => pin(flags, console),
        Some(Command::Check) => check(flags, console),
        Some(Command::Images { format }) => images(flags, console, *format),
        Some(Command::Explain { image, format }) => explain(flags, console, image, *format),
        Some(Command::Lock { action: LockAction::Diff { old, new, format } }) => {
            if old.as_os_str() == "-" && new.as_os_str() == "-" {
                return Err(usage("stdin can be one of two locks only").into());
            }
            console::check_compared(flags, [old, new])?;
            let (old, new) = (lock::read_either(old)?, lock::read_either(new)?);
            deliver(to, &lock::diff(&old, &new).text(*format))
        }
        Some(Command::HelmPlugin { action }) => {
            let said = helm_plugin::run(*action)?;
            console.show(&said.warnings, &[])?;
            deliver(to, &said.text)
        }
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "digestif", &mut script);
            deliver(to, &String::from_utf8(script).expect("names are text"))
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).expect("memory takes all");
            deliver(to, &String::from_utf8(page).expect("help is text"))
        }
        Some(Command::Schema { subject: Subject::Config }) => deliver(to, &config::schema()),
        Some(Command::Schema { subject: Subject::Report }) => deliver(to, &report::json::schema()),
        Some(Command::Schema { subject: Subject::Lock }) => deliver(to, &lock::schema()),
    }
}

fn pin(flags: &Flags, console: &Console) -> Done {
    let reports = Reports::new(flags, Task::Pin, console);
    let sources = reports.of(read(flags, console))?;
    let host = Host::of(&sources, std::env::var_os(PLUGIN_NAME).as_deref());
    if host == Host::Function {
        if flags.emit != Emit::Manifests {
            let message = "a function gives its list back, so that `--emit` has no place to go";
            return reports.of(Err(usage(message).into()));
        }
        return function(flags, console, &sources[0], &reports);
    }
    if flags.in_place {
        console::check_sources(flags, &sources)?;
    }
    let (run, shown) = run(flags, console, &sources, (host, Task::Pin), &reports)?;
    shown?;
    let done = give(flags, console, &run, &sources, host);
    reports.after(done, &run, &sources)
}

/// Gives out what a run came to that did not fail.
fn give(flags: &Flags, console: &Console, run: &Run<'_>, sources: &[Source], host: Host) -> Done {
    if flags.emit == Emit::KustomizeImages {
        let form = flags.pin.unwrap_or_default();
        let (list, warnings) = kustomize_images::kustomize_images(run, sources, form)
            .map_err(|refused| console.fail(&refused, sources))?;
        console.show(&warnings, sources)?;
        deliver_with(flags.output.as_deref(), &list, begin(run)?)?;
        summarise(flags, console, run);
        return Ok(());
    }
    let texts = run.texts.as_deref().unwrap_or_default();
    if host == Host::Helm4 && texts.iter().all(|text| text.trim().is_empty()) {
        return deliver(flags.output.as_deref(), NO_MANIFESTS);
    }
    write(flags, sources, texts, begin(run)?)?;
    summarise(flags, console, run);
    Ok(())
}

/// The lock with what a run has found, which no one else writes from here on.
fn begin(run: &Run<'_>) -> Result<Option<Recording>, Stop> {
    Ok(run.record.as_ref().map(Record::begin).transpose()?)
}

/// Says what was done, once it is done.
fn summarise(flags: &Flags, console: &Console, run: &Run<'_>) {
    if !flags.quiet {
        let pins = if flags.verbose { report::pins(&run.plan) } else { String::new() };
        let summary = report::summary(&run.plan, run.found.objects);
        let recorded = run.record.as_ref().map_or_else(String::new, |record| {
            format!("; {} recorded in {}", record.count(), record.file())
        });
        console.say(&format!("{pins}digestif: {summary}{recorded}\n"));
    }
}

fn check(flags: &Flags, console: &Console) -> Done {
    let reports = Reports::new(flags, Task::Check, console);
    if flags.emit != Emit::Manifests {
        let message = "`--emit` is about what pinning prints, and `check` prints a report";
        return reports.of(Err(usage(message).into()));
    }
    let sources = reports.of(read(flags, console))?;
    run(flags, console, &sources, (Host::Any, Task::Check), &reports)?.1
}

/// A run in which everything is said and reported, and whether it failed.
fn run<'s>(
    flags: &Flags,
    console: &Console,
    sources: &'s [Source],
    (host, task): (Host, Task),
    reports: &Reports<'_>,
) -> Result<(Run<'s>, Done), Stop> {
    let file = reports.of(file(flags, console))?;
    // A check of a function's input is one by the function's own rules.
    let own = match (Host::of(sources, None), sources) {
        (Host::Function, [source]) => {
            reports.of(krm::config(source).map_err(|errors| console.fail(&errors, sources)))?
        }
        _ => Config::default(),
    };
    reports.of(check_lock(flags, (&own, &file), sources, reports))?;
    let mut options = reports.of(options(flags, own, file, task))?;
    if host == Host::Helm4 {
        options.empty = Empty::Allowed;
    }
    let run = digestif::run(sources, &options)?;
    if host.or_seen_in(&run.found) == Host::Helm4 {
        console.lose_stderr();
    }
    let shown = console.show(&run.found.diagnostics, sources);
    let reported = reports.write(&run, sources);
    // A run that has failed already keeps its status.
    Ok((run, shown.and(reported)))
}

/// The same for kustomize and kpt, which take a list and give it back with results, on failure too.
fn function(flags: &Flags, console: &Console, source: &Source, reports: &Reports<'_>) -> Done {
    let sources = std::slice::from_ref(source);
    let mut options = match function_options(flags, console, source, reports) {
        Ok(options) => options,
        Err((diagnostics, stop)) => {
            let list = krm::with_results(source.text(), &krm::failures(&diagnostics));
            // Where even that can't be read, the list alone is better than none.
            let list = list.unwrap_or_else(|_| source.text().to_owned());
            deliver(flags.output.as_deref(), &list)?;
            return reports.of(Err(stop));
        }
    };
    krm::expect_no_network(&mut options.network);
    let mut run = digestif::run(sources, &options)?;
    krm::explain_no_network(&mut run.found.diagnostics);
    let shown = console.show(&run.found.diagnostics, sources);
    let reported = reports.write(&run, sources);
    let recorded =
        if shown.is_ok() && reported.is_ok() { begin(&run).and_then(record) } else { Ok(()) };
    let unwritten = [&reported, &recorded].into_iter().filter_map(|written| match written {
        Err(Stop::Failed(error)) => Some((**error).clone()),
        _ => None,
    });
    let unwritten = krm::failures(&unwritten.collect::<Vec<_>>());
    let done = shown.and(reported).and(recorded);
    let given = run.texts.as_deref().filter(|_| done.is_ok());
    let mut results = krm::results(&run, options.pin, given.is_some());
    results.extend(unwritten);
    let text = given.and_then(|texts| texts.first()).map_or(source.text(), AsRef::as_ref);
    deliver(flags.output.as_deref(), &krm::with_results(text, &results)?)?;
    done.inspect(|()| summarise(flags, console, &run))
}

/// How a function's run is to go; or what is wrong, for its results, and the end.
fn function_options(
    flags: &Flags,
    console: &Console,
    source: &Source,
    reports: &Reports<'_>,
) -> Result<Options, (Vec<Diagnostic>, Stop)> {
    let own = krm::config(source).map_err(|diagnostics| {
        let stop = console.fail(&diagnostics, std::slice::from_ref(source));
        (diagnostics, stop)
    })?;
    // What lies in the folder is most often this function's own configuration.
    let file = if flags.config.is_some() { file(flags, console) } else { Ok(Config::default()) };
    let options = file.and_then(|file| {
        check_lock(flags, (&own, &file), std::slice::from_ref(source), reports)?;
        options(flags, own, file, Task::Pin)
    });
    let options = options.map_err(|stop| match &stop {
        Stop::Failed(error) => (vec![(**error).clone()], stop),
        Stop::Status(_) => (vec![failed("the configuration file is wrong")], stop),
    })?;
    Ok(Options { empty: Empty::Allowed, ..options })
}

fn images(flags: &Flags, console: &Console, format: Format) -> Done {
    let sources = read(flags, console)?;
    let options = options(flags, Config::default(), file(flags, console)?, Task::Show)?;
    let found = digestif::locate(&sources, &options.scope, options.empty);
    let plan = Plan::new(&found.places, &options.skips);
    console.show(&found.diagnostics, &sources)?;
    let text = match format {
        Format::Table => listing::table(&plan, &found.places, &sources),
        Format::Json => listing::json(&plan, &found.places, &sources),
    };
    deliver(flags.output.as_deref(), &text)
}

fn explain(flags: &Flags, console: &Console, image: &str, format: Format) -> Done {
    let options = options(flags, Config::default(), file(flags, console)?, Task::Show)?;
    let explanation = digestif::commands::explain::explain(image, &options)?;
    let text = match format {
        Format::Table => explanation.text(),
        Format::Json => explanation.json(),
    };
    deliver(flags.output.as_deref(), &text)?;
    verdict(&explanation.diagnostics).map_or(Ok(()), |failure| Err(failure.into()))
}

/// How the run is to go.
fn options(flags: &Flags, function: Config, file: Config, task: Task) -> Result<Options, Stop> {
    Ok(flags.options(function, file, task)?)
}

/// Sees to it that the lock is a file of its own; where it is not, no report is written over it.
fn check_lock(
    flags: &Flags,
    (function, file): (&Config, &Config),
    sources: &[Source],
    reports: &Reports<'_>,
) -> Done {
    let Some(lock) = flags.lock(function, file) else { return Ok(()) };
    let checked = console::check_lock(flags, lock, sources);
    reports.keep_safe(checked.is_ok());
    Ok(checked?)
}

/// What the configuration file says.
fn file(flags: &Flags, console: &Console) -> Result<Config, Stop> {
    if flags.no_config {
        return Ok(Config::default());
    }
    let Some(source) = input::configuration(flags.config.as_deref())? else {
        return Ok(Config::default());
    };
    config::read(&source).map_err(|errors| console.fail(&errors, &[source]))
}

/// Everything that is to be read, whole.
fn read(flags: &Flags, console: &Console) -> Result<Vec<Source>, Stop> {
    let paths = flags.paths().map_err(|message| usage(&message))?;
    if !paths.is_empty() {
        let excluded = flags.excluded().map_err(|message| usage(&message))?;
        let file = file(flags, console)?;
        let files = input::files(paths, excluded, flags.lock(&Config::default(), &file));
        let (sources, notes) = files.map_err(|errors| console.fail(&errors, &[]))?;
        console.remember(&notes, &[]);
        console.show(&notes, &[])?;
        return Ok(sources);
    }
    if console::nothing_is_piped_in() {
        console.say(&format!("{}\n\n", Cli::command().render_usage().ansi()));
        return Err(usage(
            "stdin is a terminal, so there is nothing to read: pipe manifests in, or name files with `-f`",
        )
        .into());
    }
    Ok(vec![console::stdin()?])
}

/// Writes the new texts where the flags say: over their files, or as one stream.
fn write(
    flags: &Flags,
    sources: &[Source],
    texts: &[impl AsRef<str>],
    lock: Option<Recording>,
) -> Done {
    let texts = texts.iter().map(AsRef::as_ref);
    if !flags.in_place {
        return deliver_with(flags.output.as_deref(), &atomic::joined(texts), lock);
    }
    let rewrites = sources.iter().zip(texts).filter_map(|(source, new)| {
        let old = source.text();
        let path = source.origin().path().filter(|_| old != new)?;
        Some(Rewrite { path, old: Some(old), new })
    });
    // The lock comes last: only what stands before a failure has to be taken back.
    let lock = lock.as_ref().and_then(Recording::rewrite);
    replace(&rewrites.chain(lock).collect::<Vec<_>>())
}
