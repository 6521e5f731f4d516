//! Destinations: no two outputs go to one file, and no output overwrites an input.
//!
//! Paths are compared after all links are resolved, and before any request.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{Emit, Flags};
use crate::diagnostic::{Diagnostic, Location, RuleId, failed};
use crate::io::atomic::{self, Destination};
use crate::io::{expand, merged};
use crate::settings::Task;
use crate::text::Source;
use crate::text::path::{shown, slashed};

/// The files that a run writes, as the flags name them.
#[derive(Debug)]
pub(super) struct Destinations {
    /// The file for the result; none is stdout.
    pub(super) output: Option<PathBuf>,
    report: Option<PathBuf>,
    log: Option<PathBuf>,
    lock: Option<PathBuf>,
    in_place: bool,
    /// True if the result is shown as a diff, and written nowhere.
    pub(super) previews: bool,
    task: Task,
    /// True if `--output` gets the manifests.
    gives_manifests: bool,
    /// The directories that are read, after all links.
    directories: Vec<PathBuf>,
}

impl Destinations {
    /// The destinations that the flags of a task name.
    pub(super) fn new(flags: &Flags, task: Task) -> Self {
        let named: Vec<_> = flags.input.paths().cloned().collect();
        let directories = expand::paths(&named).into_iter().filter(|path| path.is_dir());
        Self {
            directories: directories.filter_map(|path| fs::canonicalize(path).ok()).collect(),
            output: flags.output.output.clone(),
            report: flags.reports.report.clone(),
            log: flags.console.log.clone(),
            lock: flags.lock.lock.clone(),
            in_place: flags.pin.in_place,
            previews: flags.pin.diff,
            task,
            gives_manifests: task == Task::Pin && flags.pin.emit == Emit::Manifests,
        }
    }

    /// Checks that no two outputs go to one place.
    ///
    /// # Errors
    /// Two do, or a report goes where manifests go.
    pub(super) fn check(&self) -> Result<(), Diagnostic> {
        let is_stdout = |path: &Path| {
            atomic::destination(path).is_ok_and(|destination| destination == Destination::Stdout)
        };
        if let Some(report) = self.report.as_deref().filter(|report| is_stdout(report)) {
            let elsewhere = self.in_place || self.output.as_deref().is_some_and(|o| !is_stdout(o));
            if self.task == Task::Check || !elsewhere {
                let message =
                    format!("`--report {}` would mix with the output on stdout", slashed(report));
                return Err(
                    failed(&message).help("name a file for the report, or use `digestif check`")
                );
            }
        }
        let lock = ("--lock", &self.lock);
        let named = self.written().into_iter().chain([lock]);
        let named: Vec<_> =
            named.filter_map(|(flag, path)| Some((flag, real(path.as_deref()?)?))).collect();
        for (n, (flag, path)) in named.iter().enumerate() {
            if let Some((other, _)) = named[..n].iter().find(|(_, other)| other == path) {
                let message = format!("`{other}` and `{flag}` name one file");
                return Err(failed(&message).help("use a different file for each"));
            }
        }
        Ok(())
    }

    /// Checks that the folder of each output exists and takes new files, before any request is made for what goes there.
    ///
    /// # Errors
    /// One does not, or an output is read-only.
    pub(super) fn check_folders(&self) -> Result<(), Diagnostic> {
        let mut named =
            self.written().into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
        named.try_for_each(|(flag, path)| {
            check_folder(flag, path)?;
            // The log is open already, and is not replaced.
            if flag == "--log" || flag == "--output" && self.previews {
                return Ok(());
            }
            unwritable(flag, path, &mut BTreeSet::new()).map_or(Ok(()), Err)
        })
    }

    /// The reason why the lock can't be written, if the task writes it.
    pub(super) fn unwritable_lock(&self, lock: &Path) -> Option<Diagnostic> {
        let is_written = matches!(self.task, Task::Pin | Task::Function) && !self.previews;
        is_written.then(|| unwritable("--lock", lock, &mut BTreeSet::new())).flatten()
    }

    /// The sources that `-i` can't rewrite, each with the reason.
    pub(super) fn unwritable_sources(&self, sources: &[Source]) -> BTreeMap<usize, Diagnostic> {
        if !self.in_place || self.previews {
            return BTreeMap::new();
        }
        let mut folders = BTreeSet::new();
        let unwritable = |(n, source): (usize, &Source)| {
            Some((n, unwritable("-i", source.origin().path()?, &mut folders)?))
        };
        sources.iter().enumerate().filter_map(unwritable).collect()
    }

    /// Checks that no output overwrites an input. Only pinning may write to its own input: `-i`, and
    /// `--output` if the input is that one file. A result below a directory that is read would be input
    /// of the next run.
    ///
    /// # Errors
    /// An output would overwrite one of the sources or a configuration file, or is below a directory that
    /// is read.
    pub(super) fn check_inputs(
        &self,
        sources: &[Source],
        configs: &[PathBuf],
    ) -> Result<(), Diagnostic> {
        let real_output =
            |(flag, path): (_, &Option<PathBuf>)| Some((flag, real(path.as_deref()?)?));
        let outputs: Vec<_> = self.written().into_iter().filter_map(real_output).collect();
        if outputs.is_empty() {
            return Ok(());
        }
        let real_path = |source: &Source| real(source.origin().path()?);
        let read: Vec<_> = sources.iter().filter_map(real_path).collect();
        let configs: Vec<_> = configs.iter().filter_map(|path| real(path)).collect();
        for (flag, path) in outputs {
            if flag == "--output" && self.directories.iter().any(|read| path.starts_with(read)) {
                let message = "`--output` names a file below a directory that is read";
                return Err(failed(message)
                    .location(Location::File(shown(&path)))
                    .help("name a file elsewhere; `-i` rewrites manifests in place"));
            }
            let is_own = flag == "--output" && self.gives_manifests && read.len() == 1;
            if configs.contains(&path) || read.contains(&path) && !is_own {
                let what = if read.contains(&path) { "an input" } else { "the configuration" };
                let message = format!("`{flag}` names {what}, which it would overwrite");
                return Err(failed(&message)
                    .location(Location::File(shown(&path)))
                    .help("use another file; `-i` rewrites manifests in place"));
            }
        }
        Ok(())
    }

    /// Checks that the lock is a file to which nothing else is written.
    ///
    /// # Errors
    /// It is no file, or an output or an input.
    pub(super) fn check_lock(&self, lock: &Path, sources: &[Source]) -> Result<(), Diagnostic> {
        let at = |message: &str| {
            failed(message).location(Location::File(shown(lock))).help("use another file")
        };
        let Destination::File(_) = atomic::destination(lock).map_err(|error| *error)? else {
            return Err(at("the lock must be a file"));
        };
        check_folder("--lock", lock)?;
        let Some(own) = real(lock) else { return Ok(()) };
        for (flag, path) in self.written() {
            if path.as_deref().and_then(real).as_ref() == Some(&own) {
                return Err(at(&format!("`{flag}` names the lock")));
            }
        }
        let mut paths = sources.iter().filter_map(|source| source.origin().path());
        // Resolving the links of each file would cost more than reading it.
        let has_its_name = |path: &Path| match (path.file_name(), own.file_name()) {
            (Some(name), Some(own)) => name.eq_ignore_ascii_case(own),
            _ => true,
        };
        let may_be_own = |path: &Path| has_its_name(path) || path.is_symlink();
        if paths.any(|path| may_be_own(path) && real(path).as_ref() == Some(&own)) {
            return Err(at("the lock is also an input, but it is not a manifest"));
        }
        Ok(())
    }

    /// Checks that the comparison of two locks overwrites neither.
    ///
    /// # Errors
    /// It would.
    pub(super) fn check_compared(&self, locks: [&Path; 2]) -> Result<(), Diagnostic> {
        let locks = locks.map(real);
        for (flag, path) in self.written() {
            let path = path.as_deref().and_then(real);
            if path.is_some() && locks.contains(&path) {
                let message = format!("`{flag}` names one of the locks that are compared");
                return Err(failed(&message).help("use another file"));
            }
        }
        Ok(())
    }

    /// True if the result goes to stdout, and messages go there as well.
    pub(super) fn mix_with_messages(&self) -> bool {
        let is_stdout =
            |path: &PathBuf| atomic::destination(path).ok() == Some(Destination::Stdout);
        self.output.as_ref().is_none_or(is_stdout) && merged::is_merged()
    }

    /// The files that a run writes besides the lock, with their flags.
    fn written(&self) -> [(&'static str, &Option<PathBuf>); 3] {
        [("--output", &self.output), ("--report", &self.report), ("--log", &self.log)]
    }
}

fn check_folder(flag: &str, path: &Path) -> Result<(), Diagnostic> {
    let Destination::File(file) = atomic::destination(path).map_err(|error| *error)? else {
        return Ok(());
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.map(fs::metadata) {
        None => Ok(()),
        Some(Ok(folder)) if folder.is_dir() => Ok(()),
        Some(found) => {
            let reason =
                found.err().map_or("it is not a folder".to_owned(), |error| error.to_string());
            let message = format!("the folder of `{flag}` can't be used: {reason}");
            Err(failed(&message)
                .of(RuleId::File)
                .location(Location::File(shown(path)))
                .help("make the folder, or name a file elsewhere"))
        }
    }
}

/// The reason why a file can't be written, if it can't. `folders` are those that are known to take new
/// files.
fn unwritable(flag: &str, path: &Path, folders: &mut BTreeSet<PathBuf>) -> Option<Diagnostic> {
    let error = atomic::check_writable(path, folders).err()?;
    let error = failed(&format!("`{flag}` can't write the file: {error}"))
        .of(RuleId::File)
        .location(Location::File(shown(path)))
        .help("check the permissions of the file and its folder, and the space on the disk");
    Some(error)
}

/// The path of a file after all links, also of one that does not exist yet; none for what is no file.
fn real(path: &Path) -> Option<PathBuf> {
    let Ok(Destination::File(path)) = atomic::destination(path) else { return None };
    if let Ok(real) = fs::canonicalize(&path) {
        return Some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
    Some(folder.join(path.file_name()?))
}
