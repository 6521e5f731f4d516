//! Repository: the root of a checkout, and what is inside a folder after all links.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders and files that mark the root of a repository. `.git` is a file in a worktree.
const MARKS: [&str; 3] = [".git", ".jj", ".hg"];

/// The folders in which a version-control system keeps its own files.
const FOLDERS: [&str; 4] = [".git", ".jj", ".hg", ".svn"];

/// The root of the repository that a folder is in, after all links.
#[must_use]
pub fn root(folder: &Path) -> Option<PathBuf> {
    let folder = fs::canonicalize(folder).ok()?;
    let is_root = |folder: &&Path| MARKS.iter().any(|mark| folder.join(mark).exists());
    folder.ancestors().find(is_root).map(Path::to_owned)
}

/// True if a folder of this name belongs to a version-control system.
pub(super) fn is_of_version_control(name: &std::ffi::OsStr) -> bool {
    FOLDERS.iter().any(|folder| name == *folder)
}

/// True if a path is in a folder after all links, also if there is nothing at the path yet. `root` has no
/// links.
#[must_use]
pub fn is_inside(root: &Path, path: &Path) -> bool {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match fs::canonicalize(path) {
        Ok(real) => real.starts_with(root),
        // A link that leads nowhere could lead anywhere once it is written to.
        Err(_) if path.symlink_metadata().is_ok() => false,
        Err(_) => {
            let named = path.file_name().is_some();
            named && path.parent().is_some_and(|parent| is_inside(root, parent))
        }
    }
}
