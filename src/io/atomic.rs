//! Output: texts to files, whole or not at all.
//!
//! A file is replaced by renaming a complete new one over it, so that a reader, a crash or a full
//! disk never meets half of it. Its permissions and owner stay, and a symbolic link stays a link.
//! A signal stops the work before the first rename, or comes too late; what is unfinished is
//! removed on every way out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::io::signals::{self, Interrupted};
use crate::io::{device, rename};
use crate::text::Origin;
use crate::text::path::shown;

/// The start of the names of temporary files.
const PREFIX: &str = ".digestif-";

/// Symbolic links from one to the next that are followed, as Linux does (`path_resolution(7)`).
const LONGEST_CHAIN: usize = 40;

/// The destination of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// This process's standard output.
    Stdout,
    /// This process's standard error.
    Stderr,
    /// A device, a pipe, or what another program has open: it is written to, not replaced.
    Stream(PathBuf),
    /// A file, which may not be there yet, and to which no link leads any further.
    File(PathBuf),
}

/// A file with its new text.
#[derive(Debug, Clone, Copy)]
pub struct Rewrite<'t> {
    /// The file, as it was named.
    pub path: &'t Path,
    /// The text that it has to have still; none if it does not matter.
    pub old: Option<&'t str>,
    /// The text that it gets.
    pub new: &'t str,
}

/// The reason why nothing was written, or not all.
#[derive(Debug)]
pub enum Unwritten {
    /// A signal came before the first file was replaced.
    Interrupted(Interrupted),
    /// A file could not be written.
    Failed(Box<Diagnostic>),
    /// A stream got a part of the text, perhaps none.
    Partly(Box<Diagnostic>),
}

impl From<Interrupted> for Unwritten {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

impl From<Diagnostic> for Unwritten {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Failed(Box::new(diagnostic))
    }
}

/// One stream of all texts: a separator stands between two of them unless the second brings its
/// own, and a byte order mark only at the very start, as YAML allows it nowhere else.
#[must_use]
pub fn joined<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut out = String::new();
    for text in texts {
        if out.is_empty() {
            out.push_str(text);
            continue;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !out.ends_with('\n') {
            out.push('\n');
        }
        if starts_with_directive(text) {
            out.push_str("...\n");
        } else if !text.starts_with("---") {
            out.push_str("---\n");
        }
        out.push_str(text);
    }
    out
}

/// True if a directive comes first; comments and blank lines may stand before it (YAML 1.2.2, 9.1).
fn starts_with_directive(text: &str) -> bool {
    let mut lines = text.split(['\n', '\r']);
    let first = lines.find(|line| {
        let line = line.trim_start_matches([' ', '\t']);
        !line.is_empty() && !line.starts_with('#')
    });
    first.is_some_and(|line| line.starts_with('%'))
}

/// Follows a path to where a text for it has to go; `-` is standard output.
///
/// # Errors
/// Its folder can't be found, it is a folder itself, or its links go round in a circle.
pub fn destination(path: &Path) -> Result<Destination, Box<Diagnostic>> {
    if path.as_os_str() == "-" {
        return Ok(Destination::Stdout);
    }
    follow(path).map_err(|error| Box::new(unwritable(path, &error)))
}

/// Checks that a file can be written: neither it nor its folder is read-only. A stream is not checked.
/// A folder is checked once and added to `folders`.
///
/// # Errors
/// It can't be written, or its folder takes no file.
pub fn check_writable(path: &Path, folders: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let Destination::File(file) = follow(path)? else { return Ok(()) };
    if fs::metadata(&file).is_ok_and(|old| old.permissions().readonly()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    if folders.contains(folder) {
        return Ok(());
    }
    // Only the attempt shows what permissions, mounts and access lists forbid. The file has no name, if
    // the system has such files.
    tempfile::tempfile_in(folder).map_err(|error| without_path(&error))?;
    folders.insert(folder.to_owned());
    Ok(())
}

/// Writes a text to a device, a pipe, or what another program has open.
///
/// # Errors
/// It can't be opened or written.
pub fn write_stream(path: &Path, text: &str) -> Result<(), Box<Diagnostic>> {
    // Linux opens `/dev/fd/3` anew, at its start: behind `>> file` stands what must not be lost.
    let stream = fs::OpenOptions::new().append(true).open(path);
    let written = stream.and_then(|mut stream| stream.write_all(text.as_bytes()));
    written.map_err(|error| Box::new(unwritable(path, &error)))
}

/// Writes every text to its file; all of them, or none.
///
/// Every new file is complete on disk before the first old one is replaced. If a replacement
/// fails all the same, those before it are taken back.
///
/// # Errors
/// A signal came in time, the first file that can't be written, or the first that has changed.
/// Every file then has its old content, unless the diagnostic names it.
pub fn replace_all(files: &[Rewrite<'_>]) -> Result<(), Unwritten> {
    let held = signals::hold();
    let mut staged = Vec::new();
    for file in files {
        held.check()?;
        staged.push(Staged::new(file).map_err(|error| unwritable(file.path, &error))?);
    }
    for (file, staged) in files.iter().zip(&staged) {
        unchanged(file, &staged.target)?;
    }
    held.ignore()?;
    for (n, staged) in staged.into_iter().enumerate() {
        if let Err(error) = staged.commit() {
            return Err(unwritten(&error, &files[n], &restore(&files[..n])).into());
        }
    }
    Ok(())
}

/// A file that has another text than was read must not lose it.
fn unchanged(file: &Rewrite<'_>, target: &Path) -> Result<(), Diagnostic> {
    let Some(old) = file.old else { return Ok(()) };
    match fs::read(target) {
        Ok(text) if text == old.as_bytes() => Ok(()),
        Ok(_) => Err(failed(file.path, "the file changed while digestif ran")
            .help("run digestif again when nothing else writes to it; no file was changed")),
        Err(error) => Err(unwritable(file.path, &error)),
    }
}

/// Gives files their old text back, and those for which that failed, and why.
fn restore<'f>(files: &'f [Rewrite<'_>]) -> Vec<(&'f Path, io::Error)> {
    let restored = files.iter().rev().filter_map(|file| {
        let back = Rewrite { new: file.old?, ..*file };
        let restored = Staged::new(&back).and_then(Staged::commit);
        restored.err().map(|error| (file.path, error))
    });
    restored.collect()
}

/// A new text that is on disk beside its target.
struct Staged {
    target: PathBuf,
    /// No open file, as there may be more of them than a process may have open.
    new: TempPath,
}

impl Staged {
    fn new(file: &Rewrite<'_>) -> io::Result<Self> {
        let Destination::File(target) = follow(file.path)? else {
            return Err(io::Error::other("it is a device or a pipe, which can't be replaced"));
        };
        let old = match fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let mut new = empty_file(&target, old.as_ref())?;
        new.as_file_mut().write_all(file.new.as_bytes())?;
        new.as_file().sync_all()?;
        Ok(Self { target, new: new.into_temp_path() })
    }

    fn commit(self) -> io::Result<()> {
        rename::over(self.new, &self.target).map_err(|error| without_path(&error))
    }
}

fn follow(path: &Path) -> io::Result<Destination> {
    if let Some(device) = device::of(path) {
        return Ok(Destination::Stream(device));
    }
    let mut path = path.to_owned();
    for _ in 0..LONGEST_CHAIN {
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = fs::canonicalize(parent.unwrap_or(Path::new(".")))?;
        if let Some(stream) = descriptor(&folder, name) {
            return Ok(stream);
        }
        let at = folder.join(name);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => path = folder.join(fs::read_link(&at)?),
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => return Ok(Destination::Stream(at)),
            Ok(_) => return Ok(Destination::File(at)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Destination::File(at));
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// The target of `/dev/fd/N` and `/proc/PID/fd/N`, to which `/dev/stdout` leads as well. It
/// is followed no further, as the name behind it may be a pipe's, or a file's that others write.
fn descriptor(folder: &Path, name: &OsStr) -> Option<Destination> {
    let own = Path::new("/proc").join(std::process::id().to_string()).join("fd");
    let is_own = folder == own || folder == Path::new("/dev/fd");
    let is_other = folder.starts_with("/proc") && folder.ends_with("fd");
    match name.to_str() {
        Some("1") if is_own => Some(Destination::Stdout),
        Some("2") if is_own => Some(Destination::Stderr),
        _ if is_own || is_other => Some(Destination::Stream(folder.join(name))),
        _ => None,
    }
}

/// An empty file beside its target, with the same permissions for reading.
#[cfg(unix)]
fn empty_file(target: &Path, old: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    // A file that is new gets what the user's umask leaves.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let file = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(target.parent().unwrap_or(Path::new(".")))
        .map_err(|error| without_path(&error))?;
    if let Some(old) = old {
        keep_owner(old, file.as_file());
        file.as_file().set_permissions(old.permissions())?;
    }
    Ok(file)
}

#[cfg(not(unix))]
fn empty_file(target: &Path, _: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder);
    file.map_err(|error| without_path(&error))
}

/// An error of `tempfile` without the name of the temporary file, which the user did not choose.
fn without_path(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(unix)]
fn keep_owner(old: &fs::Metadata, file: &fs::File) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    // Only root may give files away; for anyone else the file becomes theirs, as with an editor.
    let _ = fchown(file, Some(old.uid()), Some(old.gid()));
}

fn failed(path: &Path, message: &str) -> Diagnostic {
    let location = Location::File(Origin::File(path.to_owned()).display_name());
    Diagnostic::error(Failure::Usage, message.to_owned()).of(RuleId::File).location(location)
}

fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    unwritten(error, &Rewrite { path, old: None, new: "" }, &[])
}

fn unwritten(
    error: &io::Error,
    file: &Rewrite<'_>,
    not_restored: &[(&Path, io::Error)],
) -> Diagnostic {
    let mut diagnostic = failed(file.path, &format!("the file can't be written: {error}"));
    for (path, error) in not_restored {
        let text = format!("{}: {error}", shown(path));
        diagnostic = diagnostic.note("changed", text);
    }
    diagnostic.help(if not_restored.is_empty() {
        "check its folder, its permissions and the space on the disk; no file was changed"
    } else {
        "the files above already have their new content, which could not be undone; no other file was changed"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite<'t>(path: &'t Path, old: &'t str) -> Rewrite<'t> {
        Rewrite { path, old: Some(old), new: "new" }
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).expect("readable")
    }

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).expect("readable").count()
    }

    #[track_caller]
    fn refused(files: &[Rewrite<'_>]) -> Diagnostic {
        match replace_all(files) {
            Err(Unwritten::Failed(diagnostic)) => *diagnostic,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_are_joined_into_one_stream() {
        for (texts, joined_text) in [
            (&["a: 1\n"][..], "a: 1\n"),
            (&["a: 1", "b: 2\n"], "a: 1\n---\nb: 2\n"),
            (&["a: 1\n", "---\nb: 2\n"], "a: 1\n---\nb: 2\n"),
            (&["\u{feff}a: 1\n", "\u{feff}b: 2\n"], "\u{feff}a: 1\n---\nb: 2\n"),
            (&["a: 1\n", "%YAML 1.2\n---\nb: 2\n"], "a: 1\n...\n%YAML 1.2\n---\nb: 2\n"),
            (&["a: 1\n", "# b\n\n %\n"], "a: 1\n---\n# b\n\n %\n"),
            (
                &["a: 1\n", "# b\r\n \t\r\n\t# c\n%YAML 1.2\n---\nb: 2\n"],
                "a: 1\n...\n# b\r\n \t\r\n\t# c\n%YAML 1.2\n---\nb: 2\n",
            ),
        ] {
            assert_eq!(joined(texts.iter().copied()), joined_text);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_others_as_they_were() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&first, "old").expect("writable");
        fs::create_dir(&second).expect("writable");
        let error = refused(&[rewrite(&first, "old"), rewrite(&second, "old")]);
        assert_eq!(error.locations, [Location::File(second.display().to_string())]);
        assert!(error.help.expect("there is").ends_with("no file was changed"));
        assert_eq!((read(&first).as_str(), entries(folder.path())), ("old", 2));
    }

    #[test]
    fn a_file_that_changed_meanwhile_keeps_its_text_and_so_do_the_others() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&first, "old").expect("writable");
        fs::write(&second, "another's").expect("writable");
        let error = refused(&[rewrite(&first, "old"), rewrite(&second, "old")]);
        assert_eq!(error.message, "the file changed while digestif ran");
        assert_eq!((read(&first).as_str(), read(&second).as_str()), ("old", "another's"));
        assert_eq!(entries(folder.path()), 2);
    }

    #[test]
    fn what_cannot_be_taken_back_is_named_and_the_rest_is_taken_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [a, b, c] = ["a", "gone/b", "c"].map(|name| folder.path().join(name));
        for file in [&a, &c] {
            fs::write(file, "new").expect("writable");
        }
        let files = [rewrite(&a, "old a"), rewrite(&b, "old b"), rewrite(&c, "old c")];
        let lost = restore(&files);
        assert_eq!((read(&a).as_str(), read(&c).as_str()), ("old a", "old c"));
        assert_eq!(lost.iter().map(|(path, _)| *path).collect::<Vec<_>>(), [&b]);
        let error = unwritten(&io::ErrorKind::StorageFull.into(), &files[2], &lost);
        let note = format!("{}: No such file or directory (os error 2)", b.display());
        assert_eq!(error.notes, [("changed", note)]);
        assert!(!error.help.expect("there is").contains("no file was changed"));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [file, link, chain] = ["file", "link", "chain"].map(|name| folder.path().join(name));
        symlink("file", &link).expect("writable");
        symlink("link", &chain).expect("writable");
        replace_all(&[Rewrite { path: &chain, old: None, new: "first" }]).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
        replace_all(&[rewrite(&chain, "first")]).expect("written");
        assert_eq!((read(&file).as_str(), entries(folder.path())), ("new", 3));
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        for link in [&link, &chain] {
            assert!(fs::symlink_metadata(link).expect("there").is_symlink());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_path_is_followed_to_a_file_or_a_stream() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = fs::canonicalize(folder.path()).expect("there");
        for (name, target) in [
            ("out", "/dev/stdout"),
            ("fds", "/dev/fd"),
            ("circle", "circle"),
            ("null", "/dev/null"),
        ] {
            symlink(target, base.join(name)).expect("writable");
        }
        let own = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
        for (path, expected) in [
            (PathBuf::from("-"), Destination::Stdout),
            ("/dev/stdout".into(), Destination::Stdout),
            ("/dev/fd/1".into(), Destination::Stdout),
            ("/proc/self/fd/1".into(), Destination::Stdout),
            (base.join("out"), Destination::Stdout),
            (base.join("fds/1"), Destination::Stdout),
            ("/dev/stderr".into(), Destination::Stderr),
            ("/dev/fd/63".into(), Destination::Stream(own.join("63"))),
            (base.join("null"), Destination::Stream("/dev/null".into())),
            (base.join("new"), Destination::File(base.join("new"))),
        ] {
            assert_eq!(destination(&path).expect("followed"), expected, "{}", path.display());
        }
        for (path, reason) in [
            (base.join("circle"), "too many levels of symbolic links"),
            (base.join("no/file"), "No such file or directory (os error 2)"),
            (base, "is a directory"),
            ("/".into(), "is a directory"),
        ] {
            let error = destination(&path).expect_err("refused");
            assert_eq!(error.message, format!("the file can't be written: {reason}"));
        }
    }
}
