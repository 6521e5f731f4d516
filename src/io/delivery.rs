//! Delivery: stdin is read whole, and a result goes to stdout once or into files atomically.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use super::atomic::{self, Destination, Rewrite, Unwritten};
use super::{input, signals, stream};
use crate::diagnostic::{Diagnostic, failed};
use crate::lock::Recording;
use crate::report::diff::Reader;
use crate::text::{Origin, Source};

/// Reads all of stdin.
///
/// # Errors
/// It can't be read, is too large, or is no text.
pub fn stdin() -> Result<Source, Diagnostic> {
    input::stream(Origin::Stdin, io::stdin().lock())
}

/// True if stdin is a terminal, so there is no input.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// True if stdout and stderr are terminals, so that a person sees both.
#[must_use]
pub fn output_is_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// True if stdin is a pipe.
#[cfg(unix)]
#[must_use]
pub fn stdin_is_pipe() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;
    let stdin = io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let kind = stdin.and_then(|stdin| stdin.metadata()).map(|data| data.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

/// True if stdin is no terminal: pipes and files can't be told apart here.
#[cfg(not(unix))]
#[must_use]
pub fn stdin_is_pipe() -> bool {
    !stdin_is_terminal()
}

/// Writes a lock, and lets others write it.
///
/// # Errors
/// It can't be written, or a signal came first.
pub fn record(lock: Option<Recording>) -> Result<(), Unwritten> {
    let Some(lock) = lock else { return Ok(()) };
    if let Some(rewrite) = lock.rewrite() {
        replace(&[rewrite])?;
        signals::heed();
    }
    Ok(())
}

/// Writes a text to a file, or to stdout where none is named.
///
/// # Errors
/// It can't be written, or a signal came first.
pub fn deliver(path: Option<&Path>, text: &str) -> Result<(), Unwritten> {
    deliver_with(path, text, None)
}

/// The same, together with a lock that has to be written first: where that is impossible nothing is
/// given out.
///
/// # Errors
/// As [`deliver`].
pub fn deliver_with(
    path: Option<&Path>,
    text: &str,
    lock: Option<Recording>,
) -> Result<(), Unwritten> {
    let destination = path.map_or(Ok(Destination::Stdout), atomic::destination);
    let destination = destination.map_err(Unwritten::Failed)?;
    if let (Destination::File(_), Some(path)) = (&destination, path) {
        let text = Rewrite { path, old: None, new: text };
        let lock = lock.as_ref().and_then(Recording::rewrite);
        return replace(&[text].into_iter().chain(lock).collect::<Vec<_>>());
    }
    // Other runs wait for the lock, and the reader of stdout may be slow.
    record(lock)?;
    match destination {
        Destination::Stdout => print(text).map_err(|error| unprinted(&error)),
        Destination::Stderr => stream::write_all(io::stderr(), text.as_bytes()).map_err(|error| {
            // The message may be lost; the status is not.
            partly(failed(&format!("stderr can't be written: {error}")))
        }),
        Destination::Stream(path) => atomic::write_stream(&path, text).map_err(Unwritten::Partly),
        Destination::File(_) => unreachable!("files were written above"),
    }
}

/// Writes a text for a reader who may stop early, as `head` does. That is no error.
///
/// # Errors
/// As [`deliver`].
pub fn show(path: Option<&Path>, text: &str) -> Result<(), Unwritten> {
    let destination = path.map_or(Ok(Destination::Stdout), atomic::destination);
    if destination.map_err(Unwritten::Failed)? != Destination::Stdout {
        return deliver(path, text);
    }
    match print(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|error| unprinted(&error)),
    }
}

/// Tells for what reader stdout is: a terminal or not, and with colours or without.
#[must_use]
pub fn reader() -> Reader {
    let stdout = io::stdout();
    let colors = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    Reader { colors, is_terminal: stdout.is_terminal() }
}

/// Replaces files, all of them or none.
///
/// # Errors
/// One of them can't be written, or a signal came first.
pub fn replace(files: &[Rewrite<'_>]) -> Result<(), Unwritten> {
    atomic::replace_all(files)
}

/// Writes to stdout, once.
fn print(text: &str) -> io::Result<()> {
    signals::printing();
    stream::write_all(stdout()?, text.as_bytes())
}

/// Stdout without the buffer of [`io::Stdout`], which could lose what a full pipe refuses.
#[cfg(unix)]
fn stdout() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd as _;
    io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

/// Stdout, which a console of Windows needs: it writes UTF-16 there.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it may fail on Unix")]
fn stdout() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}

/// The error of a reader who needs the whole.
fn unprinted(error: &io::Error) -> Unwritten {
    partly(match error.kind() {
        io::ErrorKind::BrokenPipe => failed("stdout was closed before everything was written")
            .help("the command after the pipe ended early; read its messages"),
        _ => failed(&format!("stdout can't be written: {error}"))
            .help("check the target of stdout and its space; the output is incomplete"),
    })
}

fn partly(diagnostic: Diagnostic) -> Unwritten {
    Unwritten::Partly(Box::new(diagnostic))
}
