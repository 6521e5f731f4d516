//! Input: from paths to sources.
//!
//! Owns which files a directory gives: every `.yaml`, `.yml` and `.json` below it in the order of
//! their names, but no chart (its templates are not YAML), no image layout, no file of digestif's
//! own, no device or pipe, nothing of a version-control system, and nothing that `--exclude` names.
//! Links to files are taken, and links to directories only where they are named, as kubectl does it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::exclusions::Exclusions;
use super::expand;
use super::limited::{self, LARGEST_INPUT};
use super::repository;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId, failed};
use crate::image::Reference;
use crate::registry::is_layout;
use crate::text::escape::escaped;
use crate::text::yaml::{self, Document};
use crate::text::{Origin, Source};

/// The files that were read.
#[derive(Debug, Default)]
pub struct Files {
    /// The files.
    pub sources: Vec<Source>,
    /// Warnings about files and folders that were left out without `--exclude`.
    pub left_out: Vec<Diagnostic>,
    /// Warnings about globs that fit nothing.
    pub idle: Vec<Diagnostic>,
}

/// The treatment of files.
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
    let room = Some(LARGEST_INPUT);
    let mut walk = Walk { excluded, own, links, roots: Vec::new(), files, errors, room };
    for path in expand::paths(paths) {
        walk.roots = links_may_lead_to(&path);
        walk.path(&path);
    }
    let Walk { excluded, mut files, errors, .. } = walk;
    files.idle.extend(excluded.idle());
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// The folders that links of a named directory may stay in.
fn links_may_lead_to(named: &Path) -> Vec<PathBuf> {
    fs::canonicalize(named).into_iter().chain(repository::root(named)).collect()
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
    /// Bytes that may still be read; none once there were more.
    room: Option<u64>,
}

impl Walk {
    fn path(&mut self, path: &Path) {
        let (known, left_out) = (self.files.sources.len(), self.files.left_out.len());
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
            self.errors.push(no_manifest(path, &self.files.left_out[left_out..]));
        }
    }

    fn file(&mut self, entry: DirEntry, named: &Path) {
        let extension = entry.path().extension().and_then(|extension| extension.to_str());
        let is_manifest = matches!(extension, Some("yaml" | "yml" | "json"));
        if !is_manifest || self.excluded.fit(entry.path(), named) {
            return;
        }
        let (is_link, path) = (entry.path_is_symlink(), entry.into_path());
        // A pipe would be waited for, and a device may never end.
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            let message = "a device or a pipe is left out";
            return self.leave_out(&path, message, "name it with `-f` to read it");
        }
        // Resolving the links of each file would cost more than reading it.
        let may_be_own = is_link || self.own.iter().any(|own| own.file_name() == path.file_name());
        let real = if may_be_own { fs::canonicalize(&path).ok() } else { None };
        // Whatever is in it: what is wrong with such a file is said where the run reads it.
        if real.as_ref().is_some_and(|real| self.own.contains(real)) {
            let message = "the lock or the configuration of this run is left out, because it is not a manifest";
            let note = Diagnostic::warning(message.to_owned()).location(location(&path));
            return self.files.idle.push(note.help(WITHOUT_A_WORD));
        }
        let leads_out = |real: &PathBuf| !self.roots.iter().any(|root| real.starts_with(root));
        if is_link && self.links == Links::Inside && real.as_ref().is_some_and(leads_out) {
            let message = "a link that leads out of the checkout is not rewritten";
            return self.leave_out(&path, message, "name it with `-f` to rewrite it");
        }
        let Some(source) = self.source(path.clone()) else { return };
        match own(&source) {
            None => self.files.sources.push(source),
            Some(own) => {
                let message = format!("{own} is left out, because it is not a manifest");
                self.leave_out(&path, &message, WITHOUT_A_WORD);
            }
        }
    }

    fn leave_out(&mut self, path: &Path, message: &str, help: &str) {
        let note = Diagnostic::warning(message.to_owned()).of(RuleId::LeftOut);
        self.files.left_out.push(note.location(location(path)).help(help));
    }

    fn source(&mut self, path: PathBuf) -> Option<Source> {
        let room = self.room?;
        let read = File::open(&path).and_then(|file| limited::read(file, room));
        let read = match read {
            Err(error) => Err(unreadable(&path, &error.to_string())),
            Ok(None) => {
                self.room = None;
                Err(too_large().location(location(&path)))
            }
            Ok(Some(bytes)) => {
                self.room = Some(room - bytes.len() as u64);
                Source::new(Origin::File(path), bytes)
            }
        };
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
            ("a link to a directory is not followed", "name it with `-f` to read it")
        } else if path.join("Chart.yaml").is_file() {
            (
                "a chart is left out: its templates are not YAML yet",
                "pin the output of `helm template`",
            )
        } else {
            return false;
        };
        self.leave_out(path, message, help);
        true
    }
}

/// The kind of a file that only digestif reads; none for any other.
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

/// Reads a stream up to the limit for an input.
///
/// # Errors
/// It can't be read, is too large, or is no text.
pub(super) fn stream(origin: Origin, from: impl Read) -> Result<Source, Diagnostic> {
    let name = origin.display_name();
    match limited::read(from, LARGEST_INPUT) {
        Err(error) => Err(failed(&format!("stdin can't be read: {error}"))),
        Ok(None) => Err(too_large().location(Location::File(name))),
        Ok(Some(bytes)) => Source::new(origin, bytes),
    }
}

fn too_large() -> Diagnostic {
    let message = format!("the input is larger than {} MiB", LARGEST_INPUT >> 20);
    Diagnostic::error(Failure::Input, message).help("pin it in parts")
}

/// The error about a directory that gives nothing. What was left out there may be the reason.
fn no_manifest(path: &Path, left_out: &[Diagnostic]) -> Diagnostic {
    let message = "there is no manifest in this directory".to_owned();
    let error = Diagnostic::error(Failure::Usage, message).location(location(path));
    let Some(first) = left_out.first() else {
        return error.help("digestif reads files ending in .yaml, .yml and .json");
    };
    let name = |at: &Location| match at {
        Location::File(name) => name.clone(),
        _ => String::new(),
    };
    let line = |note: &Diagnostic| {
        let names: Vec<_> = note.locations.iter().map(name).collect();
        format!("{}: {}", names.join(", "), note.message)
    };
    let lines: Vec<_> = left_out.iter().map(line).collect();
    let error = error.note("left out", lines.join("\n"));
    match &first.help {
        Some(help) if help != WITHOUT_A_WORD => error.help(help.clone()),
        _ => error,
    }
}

const WITHOUT_A_WORD: &str = "`--exclude` leaves it out without a warning";

fn unreadable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the file can't be read: {reason}"))
        .of(RuleId::File)
        .location(location(path))
        .help(remedy(path))
}

/// The remedy for a path that can't be read. It may be something other than a path.
fn remedy(path: &Path) -> String {
    let text = path.to_string_lossy();
    let name = escaped(&text);
    let is_url = ["http://", "https://", "oci://"].iter().any(|scheme| text.starts_with(scheme));
    if path.exists() {
        "check its permissions".to_owned()
    } else if is_url {
        format!(
            "digestif does not read URLs: `curl -fsSL {name} | digestif`, or render a chart with `helm template`"
        )
    } else if text.contains(['*', '?', '[']) {
        expand::HELP.to_owned()
    } else if text.contains([':', '@']) && text.parse::<Reference>().is_ok() {
        format!("if it is an image, `digestif explain {name}` shows how it is resolved")
    } else {
        "check the path and its permissions".to_owned()
    }
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
        let lock = "a lock of digestif is left out, because it is not a manifest";
        assert_eq!(warnings, [lock]);
        let (_, warnings) = read(folder.path(), &[]);
        let configuration = "a configuration of digestif is left out, because it is not a manifest";
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
    fn every_path_that_cannot_be_read_is_reported() {
        let paths = ["/nowhere/a.yaml", "/nowhere/b.yaml"].map(PathBuf::from);
        let globs = Exclusions::new(&[]).expect("none is wrong");
        let errors = files(&paths, reading(globs, &[])).expect_err("refused");
        assert_eq!(errors.len(), 2);
        assert!(errors[0].message.starts_with("the file can't be read: No such file"));
    }
}
