//! The binary: arguments in, a command, its messages on stderr, and the exit status.

use std::process::ExitCode;

use anstream::ColorChoice;
use digestif::cli::{self, Color, Invocation};
use digestif::commands;
use digestif::commands::caller::Caller;
use digestif::diagnostic::{Diagnostic, Failure};
use digestif::io::console::Console;
use digestif::io::{panics, signals};

fn main() -> ExitCode {
    panics::guarded(run).unwrap_or(ExitCode::from(panics::STATUS))
}

fn run() -> ExitCode {
    let stderr_is_lost = Caller::discards_stderr();
    if let Err(error) = signals::install() {
        let error = Diagnostic::error(
            Failure::Usage,
            format!("signal handlers can't be installed: {error}"),
        )
        .help("check the limits of this system for processes and open files");
        return fail(Console::default(), &error, stderr_is_lost);
    }
    let invocation = match Invocation::read(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let mut console = Console::default();
            console.print(&cli::rendered(&error));
            console.finish(Failure::Usage.status(), stderr_is_lost);
            return ExitCode::from(Failure::Usage.status());
        }
    };
    let flags = &invocation.flags.console;
    set_colors(flags.color);
    let mut console = Console::new(flags.quiet);
    // First of all, so that a log that can't be written is known before anything else is.
    let checked = commands::check_destinations(&invocation)
        .and_then(|()| console.open_log(flags.log.as_deref()));
    let mut outcome = match checked {
        Ok(()) => commands::run(invocation),
        Err(error) => commands::refused(&invocation, error),
    };
    if outcome.is_merged && outcome.status() == 0 {
        console.merge();
    }
    console.print(&outcome.requests);
    for messages in &outcome.messages {
        console.print_each(&messages.diagnostics, &messages.sources, messages.detail);
    }
    console.print_left_out();
    console.print(&outcome.origins);
    console.print(&outcome.images);
    if let Err(error) = outcome.print_report() {
        console.print_all(std::slice::from_ref(&error), &[]);
    }
    console.print(&outcome.summary);
    console.print(&outcome.closing);
    console.finish(outcome.status(), stderr_is_lost || outcome.stderr_is_lost);
    ExitCode::from(outcome.status())
}

/// Ends a run that could not begin.
fn fail(mut console: Console, error: &Diagnostic, stderr_is_lost: bool) -> ExitCode {
    let status = error.failure().unwrap_or(Failure::Usage).status();
    console.print_all(std::slice::from_ref(error), &[]);
    console.finish(status, stderr_is_lost);
    ExitCode::from(status)
}

fn set_colors(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
}
