//! Output: texts to files, whole or not at all.
//!
//! A file is replaced by renaming a complete new one over it, so that a reader, a crash or a full
//! disk never meets half of it. Its permissions and owner stay, and a symbolic link stays a link.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that could not be written, and why.
#[derive(Debug)]
pub struct WriteError {
    /// The file, as it was named.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
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
        if text.starts_with('%') {
            out.push_str("...\n");
        } else if !text.starts_with("---") {
            out.push_str("---\n");
        }
        out.push_str(text);
    }
    out
}

/// Writes every text to its file; all of them, or none.
///
/// Every new file is complete on disk before the first old one is replaced. If a replacement
/// fails all the same, those before it are taken back.
///
/// # Errors
/// The first file that can't be written. Every file then has its old content.
pub fn replace_all(files: &[(&Path, &str)]) -> Result<(), WriteError> {
    let staged: Vec<_> =
        files.iter().map(|(path, text)| Staged::new(path, text)).collect::<Result<_, _>>()?;
    let mut done: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
    for staged in staged {
        let (path, old) = (staged.target.clone(), staged.old.clone());
        if let Err(error) = staged.commit() {
            for (path, old) in done.iter().rev() {
                restore(path, old.as_deref())?;
            }
            return Err(error);
        }
        done.push((path, old));
    }
    Ok(())
}

fn restore(path: &Path, old: Option<&[u8]>) -> Result<(), WriteError> {
    let failed = |error| WriteError { path: path.to_owned(), error };
    match old {
        Some(old) => fs::write(path, old).map_err(failed),
        None => fs::remove_file(path).map_err(failed),
    }
}

/// A new text that is on disk beside its target, or ready for a target that is no file.
struct Staged {
    named: PathBuf,
    target: PathBuf,
    old: Option<Vec<u8>>,
    new: New,
}

enum New {
    File(NamedTempFile),
    /// For a device or a pipe, such as `/dev/stdout`, which must not be replaced.
    Stream(File, String),
}

impl Staged {
    fn new(path: &Path, text: &str) -> Result<Self, WriteError> {
        Self::stage(path, text).map_err(|error| WriteError { path: path.to_owned(), error })
    }

    fn stage(path: &Path, text: &str) -> io::Result<Self> {
        let named = path.to_owned();
        // A link to a file that is not there yet is followed as well.
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::read_link(path)
                .map_or_else(
                    |_| named.clone(),
                    |link| path.parent().unwrap_or(Path::new("")).join(link),
                ),
            Err(error) => return Err(error),
        };
        let metadata = match fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            let stream = fs::OpenOptions::new().write(true).open(&target)?;
            return Ok(Self {
                named,
                target,
                old: None,
                new: New::Stream(stream, text.to_owned()),
            });
        }
        if metadata.as_ref().is_some_and(|metadata| metadata.permissions().readonly()) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let old = metadata.as_ref().map(|_| fs::read(&target)).transpose()?;
        let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = new_file(folder.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        if let Some(metadata) = &metadata {
            keep_owner(metadata, file.as_file());
            file.as_file().set_permissions(metadata.permissions())?;
        }
        file.as_file().sync_all()?;
        Ok(Self { named, target, old, new: New::File(file) })
    }

    fn commit(self) -> Result<(), WriteError> {
        let written = match self.new {
            New::File(file) => file.persist(&self.target).map(drop).map_err(|error| error.error),
            New::Stream(mut stream, text) => stream.write_all(text.as_bytes()),
        };
        written.map_err(|error| WriteError { path: self.named, error })
    }
}

/// An empty file with the permissions that the user's umask gives.
#[cfg(unix)]
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".digestif-").permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".digestif-").tempfile_in(folder)
}

#[cfg(unix)]
fn keep_owner(old: &fs::Metadata, file: &File) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    // Only root may give files away; for anyone else the file becomes theirs, as with an editor.
    let _ = fchown(file, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &fs::Metadata, _: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_into_one_stream() {
        for (texts, joined_text) in [
            (&["a: 1\n"][..], "a: 1\n"),
            (&["a: 1", "b: 2\n"], "a: 1\n---\nb: 2\n"),
            (&["a: 1\n", "---\nb: 2\n"], "a: 1\n---\nb: 2\n"),
            (&["\u{feff}a: 1\n", "\u{feff}b: 2\n"], "\u{feff}a: 1\n---\nb: 2\n"),
            (&["a: 1\n", "%YAML 1.2\n---\nb: 2\n"], "a: 1\n...\n%YAML 1.2\n---\nb: 2\n"),
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
        let error = replace_all(&[(&first, "new"), (&second, "new")]).expect_err("refused");
        assert_eq!(error.path, second);
        assert_eq!(fs::read_to_string(&first).expect("readable"), "old");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
        symlink("file", &link).expect("writable");
        replace_all(&[(&link, "new")]).expect("written");
        assert_eq!(fs::read_to_string(&file).expect("readable"), "new");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        replace_all(&[(Path::new("/dev/null"), "new")]).expect("written");
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
    }
}
