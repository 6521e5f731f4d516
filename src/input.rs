//! Input: from paths to sources.
//!
//! Owns which files a directory gives: every `.yaml`, `.yml` and `.json` below it in the order of
//! their names, but no chart (its templates are not YAML), no image layout, and nothing that
//! `--exclude` names.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::diagnostic::{Diagnostic, Failure, Spot};
use crate::registry::is_layout;
use crate::source::{Origin, Source};

/// Reads all files that these paths name, directories recursively.
///
/// # Errors
/// Every path that can't be read, and every file that is no text.
pub fn files(
    paths: &[PathBuf],
    excluded: &GlobSet,
) -> Result<(Vec<Source>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut walk = Walk { excluded, files: Vec::new(), notes: Vec::new(), errors: Vec::new() };
    for path in paths {
        walk.path(path);
    }
    let Walk { files, notes, mut errors, .. } = walk;
    let mut sources = Vec::new();
    for path in files {
        let read = fs::read(&path).map_err(|error| unreadable(&path, &error.to_string()));
        match read.and_then(|bytes| Source::new(Origin::File(path), bytes)) {
            Ok(source) => sources.push(source),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok((sources, notes)) } else { Err(errors) }
}

/// Reads the globs of `--exclude`, which are matched against whole paths.
///
/// # Errors
/// What is wrong with the first bad one.
pub fn excluded(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    set.build()
}

struct Walk<'g> {
    excluded: &'g GlobSet,
    files: Vec<PathBuf>,
    notes: Vec<Diagnostic>,
    errors: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn path(&mut self, path: &Path) {
        let known = self.files.len();
        // A path that was named is taken even if it is a chart or has another ending.
        let mut entries = WalkDir::new(path).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_owned();
                    let reason =
                        error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                    self.errors.push(unreadable(&at, &reason));
                    continue;
                }
            };
            let named = entry.depth() == 0;
            if entry.path().is_dir() {
                if !named && self.leaves_out(&entry) {
                    entries.skip_current_dir();
                }
            } else if named || self.is_manifest(entry.path()) {
                self.files.push(entry.into_path());
            }
        }
        if self.files.len() == known && self.errors.is_empty() {
            let error = Diagnostic::error(
                Failure::Usage,
                "there is no manifest in this directory".to_owned(),
            );
            self.errors.push(
                error
                    .spot(Spot::File(path.display().to_string()))
                    .help("digestif takes files ending in .yaml, .yml and .json"),
            );
        }
    }

    fn leaves_out(&mut self, entry: &DirEntry) -> bool {
        let path = entry.path();
        let chart = path.join("Chart.yaml").is_file();
        if chart {
            self.notes.push(
                Diagnostic::warning(
                    "a chart is left out: its templates are not YAML yet".to_owned(),
                )
                .spot(Spot::File(path.display().to_string()))
                .help("pin what `helm template` makes of it"),
            );
        }
        chart || is_layout(path) || self.excluded.is_match(path)
    }

    fn is_manifest(&self, path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml" | "json")) && !self.excluded.is_match(path)
    }
}

fn unreadable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the file can't be read: {reason}"))
        .spot(Spot::File(path.display().to_string()))
        .help("check the path and its permissions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_its_manifests_in_order_and_leaves_charts_and_layouts_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in [
            ("b.yaml", "b"),
            ("a/z.json", "{}"),
            ("a/c.yml", "c"),
            ("notes.txt", "no"),
            ("chart/Chart.yaml", "name: x"),
            ("chart/templates/d.yaml", "{{ no }}"),
            ("images/oci-layout", "{}"),
            ("images/index.json", "{}"),
            ("old/e.yaml", "e"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("writable");
            fs::write(path, text).expect("writable");
        }
        let globs = excluded(&["**/old/**".to_owned()]).expect("valid");
        let (sources, notes) = files(&[folder.path().to_owned()], &globs).expect("readable");
        let names: Vec<_> = sources
            .iter()
            .map(|source| {
                source.origin().path().expect("a file").strip_prefix(folder.path()).expect("inside")
            })
            .collect();
        assert_eq!(names, ["a/c.yml", "a/z.json", "b.yaml"].map(Path::new));
        assert_eq!(notes.len(), 1);
        let named = folder.path().join("notes.txt");
        assert_eq!(files(&[named], &globs).expect("readable").0.len(), 1);
    }

    #[test]
    fn every_path_that_cannot_be_read_is_reported() {
        let paths = ["/nowhere/a.yaml", "/nowhere/b.yaml"].map(PathBuf::from);
        let errors = files(&paths, &GlobSet::empty()).expect_err("refused");
        assert_eq!(errors.len(), 2);
        assert!(errors[0].message.starts_with("the file can't be read: No such file"));
    }
}
