//! Expand: names the files that a glob fits, on Windows, where neither `cmd` nor PowerShell does it for a
//! program. Elsewhere the shell has done so, and what it left is a name.

use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::image::glob_of;

/// The characters that make a glob of a path. Windows has no file with the first two.
const WILD: [char; 3] = ['*', '?', '['];

/// The help for a glob that matches no file.
pub(crate) const HELP: &str = if cfg!(windows) {
    "nothing fits the glob; check it, or name the directory"
} else {
    "digestif does not expand globs: let the shell expand it, without quotes, or name the directory"
};

/// The files that these paths name.
pub(crate) fn paths(paths: &[PathBuf]) -> Vec<PathBuf> {
    if cfg!(windows) { expanded(paths) } else { paths.to_vec() }
}

/// Each path, or in the place of a glob what it fits, sorted; the glob itself if that is nothing.
fn expanded(paths: &[PathBuf]) -> Vec<PathBuf> {
    let fitting = |path: &PathBuf| {
        let found = if path.exists() { Vec::new() } else { fitting(path) };
        if found.is_empty() { vec![path.clone()] } else { found }
    };
    paths.iter().flat_map(fitting).collect()
}

/// The paths that a glob matches: `*` stays within a path segment and `**` does not.
fn fitting(glob: &Path) -> Vec<PathBuf> {
    let is_wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(WILD);
    let folder: PathBuf = glob.components().take_while(|part| !is_wild(part)).collect();
    let rest: Vec<_> = glob.components().skip_while(|part| !is_wild(part)).collect();
    let names: Vec<_> = rest.iter().map(|part| part.as_os_str().to_string_lossy()).collect();
    let Ok(matching) = glob_of(&names.join("/")) else { return Vec::new() };
    let matching = matching.compile_matcher();
    let is_deep = names.iter().any(|name| name.contains("**"));
    let root = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let entries = WalkDir::new(root)
        .min_depth(1)
        .max_depth(if is_deep { usize::MAX } else { names.len() })
        .sort_by_file_name();
    let below = entries.into_iter().filter_map(Result::ok).filter_map(|entry| {
        let below = entry.path().strip_prefix(root).ok()?;
        matching.is_match(below).then(|| folder.join(below))
    });
    if names.is_empty() { Vec::new() } else { below.collect() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn globs_fit_files_and_what_fits_nothing_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in ["b.yaml", "a.yaml", "a.json", "deep/c.yaml", "deep/er/d.yaml"] {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().expect("a file in a folder")).expect("writable");
            fs::write(file, "").expect("writable");
        }
        for (glob, expected) in [
            ("*.yaml", &["a.yaml", "b.yaml"][..]),
            ("?.json", &["a.json"]),
            ("[ab].yaml", &["a.yaml", "b.yaml"]),
            ("d*/*.yaml", &["deep/c.yaml"]),
            ("deep/**/*.yaml", &["deep/c.yaml", "deep/er/d.yaml"]),
            ("*.{yaml", &["*.{yaml"]),
            ("*.txt", &["*.txt"]),
            ("gone/*.yaml", &["gone/*.yaml"]),
            ("a.yaml", &["a.yaml"]),
            ("gone.yaml", &["gone.yaml"]),
        ] {
            let named = [folder.path().join(glob)];
            let expected: Vec<_> = expected.iter().map(|path| folder.path().join(path)).collect();
            assert_eq!(expanded(&named), expected, "{glob}");
        }
    }

    #[test]
    fn elsewhere_a_glob_is_a_name() {
        let glob = [PathBuf::from("src/*.nothing")];
        assert_eq!(paths(&glob), glob);
    }
}
