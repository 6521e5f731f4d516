//! The checkout's configuration: which file applies, and whether it may.
//!
//! Another person may have written it: the author of a pull request, or a user of a folder that
//! everybody can write to. A file that breaks a rule here is an error and is never ignored.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Location, failed};
use crate::io::repository;
use crate::text::path::shown;

/// The names of the file.
const NAMES: [&str; 2] = ["digestif.yaml", "digestif.yml"];

/// A checkout's configuration file that may be used.
#[derive(Debug)]
pub(super) struct Checkout {
    /// The file, as messages name it.
    pub(super) path: PathBuf,
    /// The folder that everything it names has to be in, after all links.
    pub(super) root: PathBuf,
    /// The open file: what was checked is what is read.
    pub(super) file: File,
}

/// Finds the file that applies in a working directory: the nearest up to the root of the repository.
///
/// # Errors
/// A folder has both names, or the file is not one that may be used.
pub(super) fn find(working_directory: &Path) -> Result<Option<Checkout>, Diagnostic> {
    let Ok(start) = fs::canonicalize(working_directory) else { return Ok(None) };
    let root = repository::root(&start).unwrap_or_else(|| start.clone());
    for folder in start.ancestors().take_while(|folder| folder.starts_with(&root)) {
        // A link that leads nowhere was meant to lead to one.
        let there = |name: &&str| folder.join(name).symlink_metadata().is_ok();
        let found: Vec<_> = NAMES.iter().filter(|name| there(name)).collect();
        if let [name] = *found {
            return open(&folder.join(name), &root, &start).map(Some);
        }
        if !found.is_empty() {
            let message = "`digestif.yaml` and `digestif.yml` are in one folder";
            return Err(refused(folder, message).help(format!("remove one of them; {REMEDY}")));
        }
    }
    Ok(None)
}

/// The ways out if the file of a checkout can't be used.
pub(super) const REMEDY: &str = "`-c FILE` accepts a file, `--no-config` ignores it";

fn open(path: &Path, root: &Path, start: &Path) -> Result<Checkout, Diagnostic> {
    let shown = path.strip_prefix(start).unwrap_or(path);
    let no = |message: &str| Err(refused(shown, message).help(REMEDY));
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) => return no(&format!("the file can't be read: {error}")),
    };
    if !real.starts_with(root) {
        return no("the configuration is a link that leads out of the checkout");
    }
    // A pipe would be waited for.
    if !real.is_file() && !real.is_dir() {
        return no("the file can't be read: it is not a file");
    }
    let opened = File::open(&real).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return no(&format!("the file can't be read: {error}")),
    };
    if let Some(message) = distrusted(&metadata, start) {
        return no(message);
    }
    Ok(Checkout { path: shown.to_owned(), root: root.to_owned(), file })
}

/// Why a file is not trusted: git has the same rule for repositories (`safe.directory`), but takes no
/// owner of the working directory, as in jobs that run as root in somebody else's checkout.
#[cfg(unix)]
fn distrusted(file: &Metadata, working_directory: &Path) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt as _;

    const OTHERS_MAY_WRITE: u32 = 0o002;
    let own = rustix::process::geteuid().as_raw();
    let folder = fs::metadata(working_directory).map_or(own, |folder| folder.uid());
    if ![own, 0, folder].contains(&file.uid()) {
        return Some("the configuration belongs to another user");
    }
    let is_open = file.mode() & OTHERS_MAY_WRITE != 0;
    is_open.then_some("the configuration is writable for everybody")
}

#[cfg(not(unix))]
fn distrusted(_: &Metadata, _: &Path) -> Option<&'static str> {
    None
}

fn refused(path: &Path, message: &str) -> Diagnostic {
    failed(message).location(Location::File(shown(path)))
}
