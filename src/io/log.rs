//! The log: a file with the messages of stderr, because some hosts discard stderr.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use etcetera::BaseStrategy as _;

use super::rename;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::text::path::shown;

/// The size at which the default log is renamed to `….old` and a new one begins, in bytes.
const LOG_LIMIT: u64 = 1 << 20;

/// The path of the default log: in the state directory, or in the folder for application data on systems without
/// one. `None` without a home directory.
fn default_log() -> Option<PathBuf> {
    // The home directory of the password database does not count: a caller that clears the environment wants no
    // files there.
    if cfg!(unix) && ["HOME", "XDG_STATE_HOME"].iter().all(|name| std::env::var_os(name).is_none())
    {
        return None;
    }
    let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
    let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir());
    Some(folder.join("digestif").join("log"))
}

/// A log. Only its owner may read it, because messages contain details of a cluster.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens a log to append to it.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn open(path: &Path) -> Result<Self, Diagnostic> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| unwritable_log(path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Opens the default log and creates its folder. `None` without a home directory.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn open_default() -> Result<Option<Self>, Diagnostic> {
        let Some(path) = default_log() else { return Ok(None) };
        let folder = path.parent().expect("it is in a folder of ours");
        fs::create_dir_all(folder).map_err(|error| unwritable_log(&path, &error))?;
        Self::open_bounded(&path).map(Some)
    }

    /// Opens the default log. If it is large, it is renamed to `….old` first.
    fn open_bounded(path: &Path) -> Result<Self, Diagnostic> {
        let is_large = |log: &fs::Metadata| log.is_file() && log.len() > LOG_LIMIT;
        if let Ok(target) = fs::canonicalize(path)
            && fs::metadata(&target).is_ok_and(|log| is_large(&log))
        {
            let mut old = target.as_os_str().to_owned();
            old.push(".old");
            match fs::rename(&target, old) {
                // Another run has just done it, or writes to it still.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if rename::is_busy(&error) => {}
                renamed => renamed.map_err(|error| unwritable_log(path, &error))?,
            }
        }
        Self::open(path)
    }

    /// Appends the messages of a run, with the time and the exit status.
    ///
    /// # Errors
    /// It can't be written. The exit status stays the same, because the manifests are already written.
    pub(super) fn add(mut self, said: &str, status: u8) -> Result<(), Diagnostic> {
        let now = httpdate::fmt_http_date(SystemTime::now());
        let entry = format!("== {now}, exit status {status}\n{said}\n");
        let written = self.file.write_all(entry.as_bytes());
        written.map_err(|error| unwritable_log(&self.path, &error))
    }
}

fn unwritable_log(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the log can't be written: {error}"))
        .of(RuleId::File)
        .location(Location::File(shown(path)))
        .help("name another file with `--log FILE`")
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
        // A file that the user names is theirs.
        Log::open(&path).expect("writable").add("error: three\n", 1).expect("written");
        assert!(fs::metadata(&path).expect("there").len() > LOG_LIMIT + 1);
        let old = folder.path().join("log.old");
        assert!(!old.exists());
        fs::write(&path, "x".repeat(size)).expect("writable");
        Log::open_bounded(&path).expect("writable").add("error: four\n", 1).expect("written");
        assert!(fs::metadata(&path).expect("there").len() < 100);
        let old = fs::metadata(old).expect("kept");
        assert_eq!(old.len(), LOG_LIMIT + 1);
    }
}
