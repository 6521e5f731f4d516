//! Streams: standard input, output and error, and the log that keeps what stderr showed.
//!
//! Stdin is read whole, stdout is written once. What is said to a person goes to stderr; some hosts
//! throw that away (Helm 4 always does), so it can be kept in a log, and be shown on the terminal
//! behind the host.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use etcetera::BaseStrategy as _;

use crate::cli::{Cli, Command, Flags};
use crate::diagnostic::{Diagnostic, Failure, Location, Severity, verdict};
use crate::io::atomic::{self, Destination, Rewrite, Unwritten};
use crate::io::signals::{self, Interrupted};
use crate::lock::Recording;
use crate::report;
use crate::text::escape::{escaped, redacted};
use crate::text::{Origin, Source};

/// The size at which a log is put aside for a new one, in bytes. One old one is kept.
const LOG_LIMIT: u64 = 1 << 20;

/// The end of a run that did not succeed.
#[derive(Debug)]
pub enum Stop {
    /// With this exit status; what there is to say has been said.
    Status(u8),
    /// Because of this, which is still to be said.
    Failed(Box<Diagnostic>),
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Failed(Box::new(diagnostic))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Status(failure.status())
    }
}

impl From<Interrupted> for Stop {
    fn from(interrupted: Interrupted) -> Self {
        Self::Status(interrupted.status())
    }
}

/// Nothing, or the end.
pub type Done = Result<(), Stop>;

/// What is said to a person, and what of it is kept.
#[derive(Debug, Default)]
pub struct Console {
    /// Whether warnings stay unsaid.
    quiet: bool,
    said: RefCell<String>,
    /// What was said of anything but the manifests, which a run does not know.
    besides: RefCell<Vec<Diagnostic>>,
    is_lost: Cell<bool>,
}

impl Console {
    /// A console that says errors and substitutions only, where it is to be quiet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// Takes note that the host throws stderr away.
    pub fn lose_stderr(&self) {
        self.is_lost.set(true);
    }

    /// Keeps what was said in a log: in this one, or where stderr is lost in the default one. A
    /// failure is then shown on the terminal too.
    pub fn keep(&self, log: Option<Log>, status: u8) {
        let said = anstream::adapter::strip_str(&self.said.borrow()).to_string();
        let lost = self.is_lost.get();
        let log = match log {
            None if lost && !said.is_empty() => Log::open_default(),
            log => Ok(log),
        };
        let kept = log.and_then(|log| log.map_or(Ok(()), |log| log.add(&said, status)));
        if let Err(error) = kept {
            let warning = Diagnostic { severity: Severity::Warning, ..error };
            self.say(&report::diagnostic(&warning, &[]));
        }
        if lost && status != 0 {
            show_on_terminal(&said);
        }
    }

    /// Says a text on stderr.
    pub fn say(&self, text: &str) {
        let text = &*redacted(text);
        self.said.borrow_mut().push_str(text);
        // Where stderr is closed, nobody can be told.
        let _ = write!(anstream::stderr(), "{text}");
    }

    /// Says diagnostics.
    ///
    /// # Errors
    /// One of them fails the run.
    pub fn show(&self, diagnostics: &[Diagnostic], sources: &[Source]) -> Done {
        for diagnostic in diagnostics {
            if !self.quiet || diagnostic.severity != Severity::Warning {
                self.say(&report::diagnostic(diagnostic, sources));
                self.say("\n");
            }
        }
        verdict(diagnostics).map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Keeps diagnostics for the reports, of which the run itself does not know.
    pub fn remember(&self, diagnostics: &[Diagnostic], sources: &[Source]) {
        let detached = diagnostics.iter().map(|said| report::detached(said, sources));
        self.besides.borrow_mut().extend(detached);
    }

    /// What was kept for the reports.
    #[must_use]
    pub fn besides(&self) -> Vec<Diagnostic> {
        self.besides.borrow().clone()
    }

    /// Says diagnostics that end the run, whatever they are.
    #[must_use]
    pub fn fail(&self, diagnostics: &[Diagnostic], sources: &[Source]) -> Stop {
        self.remember(diagnostics, sources);
        self.show(diagnostics, sources).err().unwrap_or(Stop::Status(Failure::Usage.status()))
    }

    /// Says why the run ends, unless that has been said; gives the exit status.
    #[must_use]
    pub fn end(&self, stop: Stop) -> u8 {
        match stop {
            Stop::Status(status) => status,
            Stop::Failed(diagnostic) => {
                self.say(&report::diagnostic(&diagnostic, &[]));
                diagnostic.failure().unwrap_or(Failure::Usage).status()
            }
        }
    }
}

/// An error about the call or about a file.
#[must_use]
pub fn failed(message: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, message.to_owned())
}

/// An error about the call.
#[must_use]
pub fn usage(message: &str) -> Diagnostic {
    failed(message).help("`digestif --help` shows all flags")
}

/// Sees to it that no two outputs get in each other's way.
///
/// # Errors
/// Two of them go to one place, or a report goes where manifests go.
pub fn check_destinations(cli: &Cli) -> Result<(), Diagnostic> {
    let flags = &cli.flags;
    let is_check = matches!(cli.command, Some(Command::Check));
    let is_stdout = |path: &Path| {
        atomic::destination(path).is_ok_and(|destination| destination == Destination::Stdout)
    };
    if let Some(report) = flags.report.as_deref().filter(|report| is_stdout(report)) {
        let elsewhere = flags.in_place || flags.output.as_deref().is_some_and(|o| !is_stdout(o));
        if is_check || !elsewhere {
            let message =
                format!("`--report {}` would mix with what stdout gets", report.display());
            return Err(
                failed(&message).help("name a file for the report, or use `digestif check`")
            );
        }
    }
    let (output, report) = (("--output", &flags.output), ("--report", &flags.report));
    let named = [output, report, ("--log", &flags.log), ("--lock", &flags.lock)];
    let named: Vec<_> =
        named.iter().filter_map(|(flag, path)| Some((*flag, real(path.as_deref()?)?))).collect();
    for (n, (flag, path)) in named.iter().enumerate() {
        if let Some((other, _)) = named[..n].iter().find(|(_, other)| other == path) {
            let message = format!("`{other}` and `{flag}` name one file");
            return Err(failed(&message).help("give each a file of its own"));
        }
    }
    Ok(())
}

/// Sees to it that no report or log is written over a file that is to be rewritten.
///
/// # Errors
/// One would be.
pub fn check_sources(flags: &Flags, sources: &[Source]) -> Result<(), Diagnostic> {
    let sources: Vec<_> = sources.iter().filter_map(|s| real(s.origin().path()?)).collect();
    for (flag, path) in [("--report", &flags.report), ("--log", &flags.log)] {
        let path = path.as_deref().and_then(real);
        if path.is_some_and(|path| sources.contains(&path)) {
            let message = format!("`{flag}` names a file that `--in-place` rewrites");
            return Err(failed(&message).help("give it a file of its own"));
        }
    }
    Ok(())
}

/// Sees to it that the lock is no file that anything else is written to.
///
/// # Errors
/// It is.
pub fn check_lock(flags: &Flags, lock: &Path, sources: &[Source]) -> Result<(), Diagnostic> {
    let at = |path: &Path| {
        let file = Location::File(escaped(&path.display().to_string()));
        move |message: &str| failed(message).location(file).help("give it a file of its own")
    };
    let Destination::File(_) = atomic::destination(lock).map_err(|error| *error)? else {
        return Err(at(lock)("the lock has to be a file"));
    };
    let own = real(lock);
    for (flag, path) in
        [("--output", &flags.output), ("--report", &flags.report), ("--log", &flags.log)]
    {
        if own.is_some() && path.as_deref().and_then(real) == own {
            return Err(at(lock)(&format!("`{flag}` names the lock")));
        }
    }
    let mut sources = sources.iter().filter_map(|source| real(source.origin().path()?));
    if sources.any(|source| Some(source) == own) {
        return Err(at(lock)("the lock is named with `-f` as well, and is no manifest"));
    }
    Ok(())
}

/// Sees to it that what is said of two locks goes into neither.
///
/// # Errors
/// It would.
pub fn check_compared(flags: &Flags, locks: [&Path; 2]) -> Result<(), Diagnostic> {
    let locks = locks.map(real);
    for (flag, path) in [("--output", &flags.output), ("--log", &flags.log)] {
        let path = path.as_deref().and_then(real);
        if path.is_some() && locks.contains(&path) {
            let message = format!("`{flag}` names one of the locks that are compared");
            return Err(failed(&message).help("give it a file of its own"));
        }
    }
    Ok(())
}

/// Where a file is or would be, whatever links lead there; none for what is no file.
fn real(path: &Path) -> Option<PathBuf> {
    let Ok(Destination::File(path)) = atomic::destination(path) else { return None };
    if let Ok(real) = fs::canonicalize(&path) {
        return Some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
    Some(folder.join(path.file_name()?))
}

/// All of stdin.
///
/// # Errors
/// It can't be read, or is no text.
pub fn stdin() -> Result<Source, Diagnostic> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| usage(&format!("stdin can't be read: {error}")))?;
    Source::new(Origin::Stdin, bytes)
}

/// Whether somebody types on stdin, so that there is nothing to read.
#[must_use]
pub fn nothing_is_piped_in() -> bool {
    io::stdin().is_terminal()
}

/// Writes a lock, and lets others write it.
///
/// # Errors
/// It can't be written, or a signal came first.
pub fn record(lock: Option<Recording>) -> Done {
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
pub fn deliver(path: Option<&Path>, text: &str) -> Done {
    deliver_with(path, text, None)
}

/// The same, together with a lock that has to be written first: where that is impossible nothing is
/// given out.
///
/// # Errors
/// As [`deliver`].
pub fn deliver_with(path: Option<&Path>, text: &str, lock: Option<Recording>) -> Done {
    let destination = path.map_or(Ok(Destination::Stdout), atomic::destination);
    let destination = destination.map_err(Stop::Failed)?;
    if let (Destination::File(_), Some(path)) = (&destination, path) {
        let text = Rewrite { path, old: None, new: text };
        let lock = lock.as_ref().and_then(Recording::rewrite);
        return replace(&[text].into_iter().chain(lock).collect::<Vec<_>>());
    }
    // It ends here: whoever reads what is printed may take all day, and others wait for the lock.
    record(lock)?;
    match destination {
        Destination::Stdout => print(text),
        Destination::Stderr => io::stderr().write_all(text.as_bytes()).map_err(|error| {
            // Perhaps nobody reads this; the status says it as well.
            failed(&format!("stderr can't be written: {error}")).into()
        }),
        Destination::Stream(path) => atomic::write_stream(&path, text).map_err(Stop::Failed),
        Destination::File(_) => unreachable!("files were written above"),
    }
}

/// Replaces files, all of them or none.
///
/// # Errors
/// One of them can't be written, or a signal came first.
pub fn replace(files: &[Rewrite<'_>]) -> Done {
    atomic::replace_all(files).map_err(|unwritten| match unwritten {
        Unwritten::Interrupted(interrupted) => interrupted.into(),
        Unwritten::Failed(error) => Stop::Failed(error),
    })
}

/// Writes to stdout, once.
fn print(text: &str) -> Done {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| {
        match error.kind() {
            io::ErrorKind::BrokenPipe => failed("stdout was closed before everything was written")
                .help("the command behind the pipe ended early; see what it says"),
            _ => failed(&format!("stdout can't be written: {error}")).help(
                "check what stdout leads to, and its space; what is there already is not the whole",
            ),
        }
        .into()
    })
}

/// Where the log is when nobody names one: in the state directory, or where the system keeps such
/// files; none where there is no home.
fn default_log() -> Option<PathBuf> {
    let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
    let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir());
    Some(folder.join("digestif").join("log"))
}

/// A log, which only its owner may read, as manifests say a lot about a cluster.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens a log to add to it; one that has grown large is put aside first, as `….old`.
    ///
    /// # Errors
    /// It can't be written.
    pub fn open(path: &Path) -> Result<Self, Diagnostic> {
        let unusable = |error: io::Error| unwritable_log(path, &error);
        let is_large = |log: &fs::Metadata| log.is_file() && log.len() > LOG_LIMIT;
        if let Ok(target) = fs::canonicalize(path)
            && fs::metadata(&target).is_ok_and(|log| is_large(&log))
        {
            let mut old = target.as_os_str().to_owned();
            old.push(".old");
            match fs::rename(&target, old) {
                // Another run has just done it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed.map_err(unusable)?,
            }
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { path: path.to_owned(), file: options.open(path).map_err(unusable)? })
    }

    /// Opens the log of this user, in a folder that is made for it.
    fn open_default() -> Result<Option<Self>, Diagnostic> {
        let Some(path) = default_log() else { return Ok(None) };
        let folder = path.parent().expect("it is in a folder of ours");
        fs::create_dir_all(folder).map_err(|error| unwritable_log(&path, &error))?;
        Self::open(&path).map(Some)
    }

    /// Adds what a run said, with the time and the exit status.
    ///
    /// # Errors
    /// It can't be written. The run is over then, and its status is about the manifests.
    fn add(mut self, said: &str, status: u8) -> Result<(), Diagnostic> {
        let now = httpdate::fmt_http_date(SystemTime::now());
        let entry = format!("== {now}, exit status {status}\n{said}\n");
        let written = self.file.write_all(entry.as_bytes());
        written.map_err(|error| unwritable_log(&self.path, &error))
    }
}

fn unwritable_log(path: &Path, error: &io::Error) -> Diagnostic {
    failed(&format!("the log can't be written: {error}"))
        .location(Location::File(path.display().to_string()))
        .help("name another with `--log FILE`")
}

/// Shows a text on the terminal that this process was started from, whatever its host does with
/// stderr. Not where stderr leads there anyway, nor where there is no terminal.
fn show_on_terminal(text: &str) {
    const TERMINAL: &str = if cfg!(windows) { "CONOUT$" } else { "/dev/tty" };
    if io::stderr().is_terminal() {
        return;
    }
    if let Ok(mut terminal) = OpenOptions::new().write(true).open(TERMINAL) {
        // It is shown as well as it can be; the log has it too.
        let _ = terminal.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_its_owners_and_stays_small() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        Log::open(&path).expect("writable").add("error: one\n", 1).expect("written");
        Log::open(&path).expect("writable").add("error: two\n", 4).expect("written");
        let text = fs::read_to_string(&path).expect("it was written");
        let entries: Vec<_> = text.split("== ").skip(1).collect();
        assert!(entries[0].ends_with("GMT, exit status 1\nerror: one\n\n"), "{text}");
        assert!(entries[1].ends_with("GMT, exit status 4\nerror: two\n\n"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let size = usize::try_from(LOG_LIMIT).expect("small") + 1;
        fs::write(&path, "x".repeat(size)).expect("writable");
        Log::open(&path).expect("writable").add("error: three\n", 1).expect("written");
        assert!(fs::metadata(&path).expect("there").len() < 100);
        let old = fs::metadata(folder.path().join("log.old")).expect("kept");
        assert_eq!(old.len(), LOG_LIMIT + 1);
    }
}
