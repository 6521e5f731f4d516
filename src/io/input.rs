//! Input: from paths to sources.
//!
//! Owns which files a directory gives: every `.yaml`, `.yml` and `.json` below it in the order of
//! their names, but no chart (its templates are not YAML), no image layout, no file of digestif's
//! own, nothing of a version-control system, and nothing that `--exclude` names. Links to files are taken, and links to directories only where they are named,
//! as kubectl does it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use super::repository;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::registry::is_layout;
use crate::text::escape::quoted;
use crate::text::yaml::{self, Document};
use crate::text::{Origin, Source};

/// The files that were read.
#[derive(Debug, Default)]
pub struct Files {
    /// The files.
    pub sources: Vec<Source>,
    /// Warnings about files and folders that were left out, although nobody excluded them.
    pub left_out: Vec<Diagnostic>,
    /// Warnings about globs that fit nothing.
    pub idle: Vec<Diagnostic>,
}

/// How files are read.
#[derive(Debug)]
pub struct Reading {
    /// Paths that are left out of directories.
    pub excluded: Exclusions,
    /// The lock of the run, and its configurations and image layouts: they are left out, as the caller
    /// knows them.
    pub own: Vec<PathBuf>,
    /// Tells if links to files are followed.
    pub links: Links,
}

/// Tells if links to files in a directory are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// They are followed.
    Followed,
    /// They are followed within the repository, or within the named directory: files are rewritten.
    Inside,
}

/// Reads all files that these paths name, directories recursively.
///
/// # Errors
/// Every path that can't be read, and every file that is no text.
pub fn files(paths: &[PathBuf], reading: Reading) -> Result<Files, Vec<Diagnostic>> {
    let Reading { excluded, own, links } = reading;
    // One that is not there yet can't be met.
    let own = own.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let (files, errors) = (Files::default(), Vec::new());
    let mut walk = Walk { excluded, own, links, roots: Vec::new(), files, errors };
    for path in paths {
        walk.roots = roots(path);
        walk.path(path);
    }
    let Walk { excluded, mut files, errors, .. } = walk;
    files.idle.extend(excluded.idle());
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// The folders that links of a named directory may stay in.
fn roots(named: &Path) -> Vec<PathBuf> {
    fs::canonicalize(named).into_iter().chain(repository::root(named)).collect()
}

/// The globs of `--exclude`, and which of them were of use.
#[derive(Debug)]
pub struct Exclusions {
    globs: Vec<String>,
    set: GlobSet,
    used: BTreeSet<usize>,
}

impl Exclusions {
    /// Reads globs, in which `*` stays within a path segment and `**` does not.
    ///
    /// # Errors
    /// The error of the first bad one.
    pub fn new(globs: &[String]) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let plain = glob.strip_prefix("./").unwrap_or(glob);
            let plain = plain.strip_suffix('/').unwrap_or(plain);
            set.add(GlobBuilder::new(plain).literal_separator(true).build()?);
        }
        Ok(Self { globs: globs.to_vec(), set: set.build()?, used: BTreeSet::new() })
    }

    /// True if a path is left out, by its name from the named directory on, or by its whole name.
    fn fit(&mut self, path: &Path, named: &Path) -> bool {
        let whole = path.strip_prefix(".").unwrap_or(path);
        let below = path.strip_prefix(named).unwrap_or(path);
        let fitting = [whole, below].map(|path| self.set.matches(path)).concat();
        let fits = !fitting.is_empty();
        self.used.extend(fitting);
        fits
    }

    fn idle(&self) -> impl Iterator<Item = Diagnostic> {
        let idle = self.globs.iter().enumerate().filter(|(n, _)| !self.used.contains(n));
        idle.map(|(_, glob)| {
            Diagnostic::warning(format!("{} of `--exclude` fits nothing", quoted(glob)))
                .help("a glob has to fit a whole path, as it was named or from the named directory on: `old/**`, `**/*.json`")
        })
    }
}

struct Walk {
    excluded: Exclusions,
    /// The run's own files, after resolving links.
    own: Vec<PathBuf>,
    links: Links,
    /// The folders that links may lead to, if they are to stay inside.
    roots: Vec<PathBuf>,
    files: Files,
    errors: Vec<Diagnostic>,
}

impl Walk {
    fn path(&mut self, path: &Path) {
        let known = self.files.sources.len();
        // A path that was named is taken even if it is a chart, a link or has another ending.
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
            let is_directory = entry.path().is_dir();
            if entry.depth() == 0 {
                if !is_directory {
                    let source = self.source(entry.into_path());
                    self.files.sources.extend(source);
                }
            } else if !is_directory {
                self.file(entry, path);
            } else if self.leaves_out(&entry, path) && entry.file_type().is_dir() {
                // Not for a link, as the walk has not entered it: its parent would be left.
                entries.skip_current_dir();
            }
        }
        if self.files.sources.len() == known && self.errors.is_empty() {
            let error = Diagnostic::error(
                Failure::Usage,
                "there is no manifest in this directory".to_owned(),
            );
            self.errors.push(
                error
                    .location(location(path))
                    .help("digestif takes files ending in .yaml, .yml and .json"),
            );
        }
    }

    fn file(&mut self, entry: DirEntry, named: &Path) {
        let extension = entry.path().extension().and_then(|extension| extension.to_str());
        let is_manifest = matches!(extension, Some("yaml" | "yml" | "json"));
        if !is_manifest || self.excluded.fit(entry.path(), named) {
            return;
        }
        let (is_link, path) = (entry.path_is_symlink(), entry.into_path());
        let real = fs::canonicalize(&path).ok();
        // Whatever is in it: what is wrong with such a file is said where the run reads it.
        if real.as_ref().is_some_and(|real| self.own.contains(real)) {
            let message =
                "the lock or the configuration of this run is left out, as it is no manifest";
            let note = Diagnostic::warning(message.to_owned()).location(location(&path));
            return self.files.idle.push(note.help(WITHOUT_A_WORD));
        }
        let leads_out = |real: &PathBuf| !self.roots.iter().any(|root| real.starts_with(root));
        if is_link && self.links == Links::Inside && real.as_ref().is_some_and(leads_out) {
            let message = "a link that leads out of the checkout is not rewritten";
            return self.leave_out(&path, message, "name it with `-f` to have it rewritten");
        }
        let Some(source) = self.source(path.clone()) else { return };
        match own(&source) {
            None => self.files.sources.push(source),
            Some(own) => {
                let message = format!("{own} is left out, as it is no manifest");
                self.leave_out(&path, &message, WITHOUT_A_WORD);
            }
        }
    }

    fn leave_out(&mut self, path: &Path, message: &str, help: &str) {
        let note = Diagnostic::warning(message.to_owned()).of(RuleId::LeftOut);
        self.files.left_out.push(note.location(location(path)).help(help));
    }

    fn source(&mut self, path: PathBuf) -> Option<Source> {
        let read = fs::read(&path).map_err(|error| unreadable(&path, &error.to_string()));
        let read = read.and_then(|bytes| Source::new(Origin::File(path), bytes));
        read.map_err(|error| self.errors.push(error)).ok()
    }

    fn leaves_out(&mut self, entry: &DirEntry, named: &Path) -> bool {
        let path = entry.path();
        if repository::is_of_version_control(entry.file_name()) || self.excluded.fit(path, named) {
            return true;
        }
        if fs::canonicalize(path).is_ok_and(|real| self.own.contains(&real)) {
            return true;
        }
        let (message, help) = if is_layout(path) {
            ("an image layout is left out: it holds no manifests", WITHOUT_A_WORD)
        } else if entry.path_is_symlink() {
            ("a link to a directory is not followed", "name it with `-f` to have it read")
        } else if path.join("Chart.yaml").is_file() {
            (
                "a chart is left out: its templates are not YAML yet",
                "pin what `helm template` makes of it",
            )
        } else {
            return false;
        };
        self.leave_out(path, message, help);
        true
    }
}

/// The kind of a file that digestif itself reads and nobody applies; none for any other.
fn own(source: &Source) -> Option<&'static str> {
    if !source.text().contains(GROUP) {
        return None;
    }
    let kind = |document: &Document<'_>| {
        let root = document.root()?;
        let is_own = document.string_at(root, &["apiVersion"])?.starts_with(GROUP);
        is_own.then(|| document.string_at(root, &["kind"])).flatten().and_then(named)
    };
    let documents: Vec<_> = yaml::documents(source, 0).collect::<Result<_, _>>().ok()?;
    let written: Vec<_> = documents.iter().filter(|document| document.root().is_some()).collect();
    let kinds: Option<Vec<_>> = written.into_iter().map(kind).collect();
    kinds?.first().copied()
}

fn named(kind: &str) -> Option<&'static str> {
    match kind {
        "ImageLock" => Some("a lock of digestif"),
        "PinImages" => Some("a configuration of digestif"),
        _ => None,
    }
}

/// The group of digestif's own kinds.
const GROUP: &str = "digestif.dev/";

const WITHOUT_A_WORD: &str = "`--exclude` leaves it out without a word";

fn unreadable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the file can't be read: {reason}"))
        .location(location(path))
        .help("check the path and its permissions")
}

fn location(path: &Path) -> Location {
    Location::File(Origin::File(path.to_owned()).display_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, each of which holds its own name.
    fn folder(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in paths {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().expect("a file in a folder")).expect("writable");
            fs::write(file, path).expect("writable");
        }
        folder
    }

    fn reading(excluded: Exclusions, own: &[&Path]) -> Reading {
        let own = own.iter().map(|&path| path.to_owned()).collect();
        Reading { excluded, own, links: Links::Followed }
    }

    /// The names below the folder of what is read, and the warnings.
    fn read(folder: &Path, globs: &[&str]) -> (Vec<String>, Vec<String>) {
        let globs: Vec<_> = globs.iter().map(|&glob| glob.to_owned()).collect();
        let globs = Exclusions::new(&globs).expect("valid");
        let read = files(&[folder.to_owned()], reading(globs, &[])).expect("readable");
        let name = |source: &Source| {
            let path = source.origin().path().expect("a file");
            path.strip_prefix(folder).expect("inside").display().to_string()
        };
        let notes = read.left_out.into_iter().chain(read.idle);
        (read.sources.iter().map(name).collect(), notes.map(|note| note.message).collect())
    }

    #[test]
    fn a_directory_gives_its_manifests_in_order_and_leaves_charts_and_layouts_out() {
        let folder = folder(&[
            "b.yaml",
            "a/z.json",
            "a/c.yml",
            "notes.txt",
            "chart/Chart.yaml",
            "chart/templates/d.yaml",
            "images/oci-layout",
            "images/index.json",
            "old/e.yaml",
            ".git/f.yaml",
            "a/.svn/g.yaml",
            ".hg/h.yaml",
            ".jj/i.yaml",
        ]);
        let (names, warnings) = read(folder.path(), &["**/old/**"]);
        assert_eq!(names, ["a/c.yml", "a/z.json", "b.yaml"]);
        assert_eq!(
            warnings,
            [
                "a chart is left out: its templates are not YAML yet",
                "an image layout is left out: it holds no manifests"
            ]
        );
        let named = folder.path().join("notes.txt");
        let globs = Exclusions::new(&[]).expect("none is wrong");
        assert_eq!(files(&[named], reading(globs, &[])).expect("readable").sources.len(), 1);
    }

    #[test]
    fn a_directory_gives_no_file_of_digestif() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let head = "apiVersion: digestif.dev/v1alpha1\nkind:";
        let manifest = "apiVersion: v1\nkind: Pod\n# digestif.dev/skip\n";
        for (name, text) in [
            ("a.yaml", format!("# Ours.\n---\n{head} ImageLock\nimages: []\n---\n")),
            (
                "b.json",
                r#"{"kind": "PinImages", "apiVersion": "digestif.dev/v1alpha1"}"#.to_owned(),
            ),
            ("c.yaml", "<<<<<<< ours\n".to_owned()),
            ("d.yaml", format!("{manifest}---\n{head} PinImages\n")),
            ("e.yaml", manifest.to_owned()),
            ("f.yaml", manifest.replace("v1", "digestif.dev.example/v1")),
        ] {
            fs::write(folder.path().join(name), text).expect("writable");
        }
        let (names, warnings) = read(folder.path(), &["b.json"]);
        assert_eq!(names, ["c.yaml", "d.yaml", "e.yaml", "f.yaml"]);
        let lock = "a lock of digestif is left out, as it is no manifest";
        assert_eq!(warnings, [lock]);
        let (_, warnings) = read(folder.path(), &[]);
        let configuration = "a configuration of digestif is left out, as it is no manifest";
        assert_eq!(warnings, [lock, configuration]);
        // The lock of the run is known by its path.
        let globs = Exclusions::new(&[]).expect("none is wrong");
        let broken = folder.path().join("./c.yaml");
        let given = files(&[folder.path().to_owned()], reading(globs, &[&broken]));
        let given = given.expect("readable");
        let counts = [given.sources.len(), given.left_out.len(), given.idle.len()];
        assert_eq!(counts, [3, 2, 1]);
        let named = folder.path().join("a.yaml");
        let globs = Exclusions::new(&[]).expect("none is wrong");
        assert_eq!(files(&[named], reading(globs, &[])).expect("readable").sources.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_directory_is_named_or_noted_and_hides_nothing_beside_it() {
        use std::os::unix::fs::symlink;
        let outside = folder(&["chart/Chart.yaml", "images/oci-layout", "old/x.yaml", "x/y.yaml"]);
        let inside = folder(&["a/a.yaml", "a/z.yaml", "z.yaml"]);
        let link = inside.path().join("a/link");
        for (target, globs, warnings) in [
            ("chart", &[][..], &["a link to a directory is not followed"][..]),
            ("x", &[], &["a link to a directory is not followed"]),
            ("images", &[], &["an image layout is left out: it holds no manifests"]),
            ("old", &["a/link"], &[]),
        ] {
            symlink(outside.path().join(target), &link).expect("writable");
            let (names, said) = read(inside.path(), globs);
            assert_eq!(names, ["a/a.yaml", "a/z.yaml", "z.yaml"], "{target}");
            assert_eq!(said, warnings, "{target}");
            fs::remove_file(&link).expect("ours");
        }
        symlink(outside.path().join("x"), &link).expect("writable");
        assert_eq!(read(&link, &[]).0, ["y.yaml"]);
    }

    #[test]
    fn globs_fit_whole_paths_and_those_below_the_named_directory() {
        for (glob, path, named, fits) in [
            ("old/**", "./old/b.yaml", ".", true),
            ("./old/**", "./old/b.yaml", ".", true),
            ("old/", "./old", ".", true),
            ("old/**", "deploy/old/b.yaml", "deploy", true),
            ("deploy/old/**", "deploy/old/b.yaml", "deploy", true),
            ("deploy/old/**", "deploy/old/b.yaml", "./deploy/", true),
            ("/a/old/**", "/a/old/b.yaml", "/a", true),
            ("old/**", "deploy/old/b.yaml", ".", false),
            ("*.yaml", "deploy/old/b.yaml", "deploy", false),
        ] {
            let mut globs = Exclusions::new(&[glob.to_owned()]).expect("valid");
            assert_eq!(globs.fit(Path::new(path), Path::new(named)), fits, "{glob} {path}");
            assert_eq!(globs.idle().count(), usize::from(!fits), "{glob} {path}");
        }
    }

    #[test]
    fn every_path_that_cannot_be_read_is_reported() {
        let paths = ["/nowhere/a.yaml", "/nowhere/b.yaml"].map(PathBuf::from);
        let globs = Exclusions::new(&[]).expect("none is wrong");
        let errors = files(&paths, reading(globs, &[])).expect_err("refused");
        assert_eq!(errors.len(), 2);
        assert!(errors[0].message.starts_with("the file can't be read: No such file"));
    }
}
