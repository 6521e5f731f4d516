//! Configuration files: the one that the caller names, the checkout's, and the user's.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::checkout;
use super::config::Config;
use super::reading;
use super::trust::Owner;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId, Severity, failed};
use crate::io::limited;
use crate::text::path::shown;
use crate::text::{Origin, Source};

/// Bytes of the largest configuration: some thousand rules, which are read in a second.
const LARGEST: u64 = 1 << 20;

/// The user's file in the folder for configurations.
const OF_USER: &str = "digestif/config.yaml";

/// A configuration file that was read.
#[derive(Debug)]
pub struct ConfigFile {
    /// The file, as messages name it.
    pub path: PathBuf,
    /// Its content.
    pub config: Config,
}

/// Errors about a file, and the file if lines of it may be shown.
pub type Errors = (Vec<Diagnostic>, Vec<Source>);

/// Reads the file that the caller names.
///
/// # Errors
/// It can't be read, or is wrong.
pub fn named(path: &Path) -> Result<ConfigFile, Errors> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    parsed(path, file, Owner::Caller)
}

/// Reads the checkout's file, if there is one.
///
/// # Errors
/// It must not be used, can't be read, is wrong, or sets what a checkout must not set.
pub fn of_checkout(working_directory: &Path) -> Result<Option<ConfigFile>, Errors> {
    let found = checkout::find(working_directory).map_err(|error| (vec![error], Vec::new()))?;
    let Some(checkout) = found else { return Ok(None) };
    let owner = Owner::Checkout { root: &checkout.root };
    parsed(&checkout.path, checkout.file, owner).map(Some)
}

/// Reads the user's file, if there is one.
///
/// # Errors
/// It can't be read, or is wrong.
pub fn of_user() -> Result<Option<ConfigFile>, Errors> {
    let Some(path) = folder_of_user().map(|folder| folder.join(OF_USER)) else { return Ok(None) };
    match File::open(&path) {
        Ok(file) => parsed(&path, file, Owner::User).map(Some),
        Err(error) if is_absent(&error) && path.symlink_metadata().is_err() => Ok(None),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

/// The folder for a user's configurations (XDG Base Directory Specification; on Windows, `APPDATA`).
fn folder_of_user() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    // The specification has relative paths ignored.
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("APPDATA");
    }
    absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parsed(path: &Path, file: File, owner: Owner<'_>) -> Result<ConfigFile, Errors> {
    let bytes = limited::read_all(file, LARGEST, "configuration");
    let bytes = bytes.map_err(|error| unreadable(path, &error))?;
    let source = Source::new(Origin::Configuration(path.to_owned()), bytes).map_err(|error| {
        (vec![Diagnostic { severity: Severity::Error(Failure::Usage), ..error }], Vec::new())
    })?;
    match reading::read(&source, owner) {
        Ok(config) => Ok(ConfigFile { path: path.to_owned(), config }),
        Err(errors) => Err((errors, vec![source])),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Errors {
    let error = failed(&format!("the file can't be read: {error}"))
        .of(RuleId::File)
        .location(Location::File(shown(path)))
        .help("check the path and its permissions");
    (vec![error], Vec::new())
}
