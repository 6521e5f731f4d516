//! The cases: each folder of `testdata/cases` is one behaviour, and every folder is run.
//!
//! | file | content |
//! |---|---|
//! | `input.yaml` | the bytes on stdin; optional if `args` names files of the folder |
//! | `args` | the arguments, one on each line; the files that they name are also in the folder |
//! | `tags.yaml` | the registry's tags, as `full/name: [tags]`; without it, every tag exists |
//! | `expected.yaml` | the bytes on stdout of a successful run |
//! | `stderr.txt` | the messages; without it, only the summary is printed |
//! | `status` | the exit status of a failed run, whose stdout must be empty |
//! | `unread-by` | the judges that can't read the input: `libyaml`, `saphyr` |
//!
//! If a run succeeds, a second run of its output changes nothing, and the judges see only one kind
//! of change: images that got their digests.
//!
//! `UPDATE_CASES=1 cargo test --test cases` writes the expected files. Read them before you commit
//! them: they show what the program does, not what it should do.

mod support;

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use support::judge::{changed_events, changes};
use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, finish, for_every_host, start, testdata};

/// The files that a folder may contain, besides the files that its `args` name.
const KNOWN: [&str; 7] =
    ["args", "expected.yaml", "input.yaml", "status", "stderr.txt", "tags.yaml", "unread-by"];

/// The input of a case.
struct Case {
    folder: PathBuf,
    args: Vec<String>,
    input: Option<Vec<u8>>,
    unread_by: Vec<String>,
    registry: Registry,
}

/// The expected result of a run, as in the files.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    status: i32,
    stdout: Option<String>,
    stderr: Option<String>,
}

#[test]
fn every_case_has_the_result_that_its_folder_expects() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let failures = check_all(&testdata("cases"), update);
    assert!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn a_folder_without_expectations_fails() {
    let cases = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(check_all(cases.path(), false), ["there is no case"]);
    let pod = "{kind: Pod, spec: {containers: [{image: a:1}]}}\n";
    let pinned = pod.replace("a:1", &format!("a:1@{}", digest_of("a:1")));
    for (case, files, failure) in [
        ("a", &[("input.yaml", pod)][..], "needs `expected.yaml`, or `status` and `stderr.txt`"),
        (
            "b",
            &[("input.yaml", pod), ("expected.yml", pod)],
            "`expected.yml` is not a file of a case",
        ),
        ("c", &[("expected.yaml", pod)], "has neither `input.yaml` nor files in `args`"),
        ("d", &[("input.yaml", pod), ("expected.yaml", pod)], "stdout, line 1:"),
        (
            "e",
            &[("input.yaml", pod), ("expected.yaml", &pinned), ("unread-by", "saphyr")],
            "saphyr reads it, although `unread-by` names it",
        ),
        ("f", &[("input.yaml", pod), ("expected.yaml", &pinned), ("stderr.txt", "")], "stderr, "),
        ("g", &[("input.yaml", pod), ("expected.yaml", &pinned)], ""),
    ] {
        let folder = cases.path().join(case);
        fs::create_dir(&folder).expect("writable");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("writable");
        }
        let found = check_all(cases.path(), false);
        fs::remove_dir_all(&folder).expect("writable");
        match found.as_slice() {
            [] => assert_eq!(failure, "", "{case} passes"),
            [found] => assert!(!failure.is_empty() && found.contains(failure), "{found}"),
            _ => panic!("{found:?}"),
        }
    }
}

/// Checks every case in a folder, and reports what is wrong with each case that fails.
fn check_all(cases: &Path, update: bool) -> Vec<String> {
    let mut folders = entries(cases);
    folders.sort();
    if folders.is_empty() {
        return vec!["there is no case".to_owned()];
    }
    let failure = |folder: PathBuf| {
        let name = folder.file_name().expect("a folder").to_string_lossy().into_owned();
        let checked = Case::read(folder).and_then(|case| case.check(update));
        checked.err().map(|why| format!("{name}: {why}"))
    };
    folders.into_iter().filter_map(failure).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable");
    entries.map(|entry| entry.expect("readable").path()).collect()
}

impl Case {
    fn read(folder: PathBuf) -> Result<Self, String> {
        let lines = |name| -> Vec<String> {
            text(&folder, name).unwrap_or_default().lines().map(str::to_owned).collect()
        };
        let args = lines("args");
        let is_known = |name: &str| KNOWN.contains(&name) || args.iter().any(|arg| arg == name);
        for path in entries(&folder) {
            let name = path.file_name().expect("a file").to_string_lossy();
            if !is_known(&name) {
                return Err(format!("`{name}` is not a file of a case"));
            }
        }
        let input = bytes(&folder, "input.yaml");
        if input.is_none() && !args.iter().any(|arg| arg == "-f") {
            return Err("has neither `input.yaml` nor files in `args`".to_owned());
        }
        let content = text(&folder, "tags.yaml").map_or_else(Content::everything, |tags| {
            let tags: BTreeMap<String, Vec<String>> =
                serde_yaml::from_str(&tags).expect("lists of tags by name");
            let tags: Vec<(&str, Vec<&str>)> = tags
                .iter()
                .map(|(name, tags)| (name.as_str(), tags.iter().map(String::as_str).collect()))
                .collect();
            let tags: Vec<_> = tags.iter().map(|(name, tags)| (*name, tags.as_slice())).collect();
            Content::of(&tags)
        });
        let unread_by = lines("unread-by");
        Ok(Self { args, input, unread_by, registry: Registry::start(content), folder })
    }

    fn check(&self, update: bool) -> Result<(), String> {
        let ran = self.run(&self.args, self.input.as_deref().unwrap_or_default());
        let found = Expected::of(&ran);
        if update {
            found.write(&self.folder);
        }
        let expected = Expected::read(&self.folder)?;
        if expected.status != found.status {
            return Err(format!(
                "expected status {}, found {}\n{}",
                expected.status, found.status, ran.stderr
            ));
        }
        same("stdout", expected.stdout.as_deref(), found.stdout.as_deref())?;
        same("stderr", expected.stderr.as_deref(), found.stderr.as_deref())?;
        if found.status != 0 {
            return same("stdout of a run that failed", Some(""), Some(&ran.stdout));
        }
        let again = match self.input {
            Some(_) => self.run(&self.args, ran.stdout.as_bytes()),
            None => self.run(&[], ran.stdout.as_bytes()),
        };
        same("the second run's stdout", Some(&ran.stdout), Some(&again.stdout))?;
        match &self.input {
            Some(input) => self.judge(std::str::from_utf8(input).expect("it was pinned"), &ran),
            None => Ok(()),
        }
    }

    fn run(&self, args: &[String], stdin: &[u8]) -> Ran {
        let mut command = command([for_every_host(&self.registry)]);
        let child = start(command.args(args).current_dir(&self.folder));
        let mut ran = finish(child, stdin);
        ran.stderr = ran.said.replace(self.registry.address(), "REGISTRY");
        ran
    }

    /// Checks with both judges that only images changed.
    fn judge(&self, before: &str, ran: &Ran) -> Result<(), String> {
        let after = &ran.stdout;
        let (by_libyaml, by_saphyr) =
            (catch(|| Ok(changes(before, before))), changed_events(before, before));
        self.verdict("libyaml", ran, by_libyaml, || changes(before, after))?;
        self.verdict("saphyr", ran, by_saphyr, || {
            changed_events(before, after).expect("it was read before")
        })
    }

    fn verdict(
        &self,
        judge: &str,
        ran: &Ran,
        unchanged: Result<Vec<(String, String)>, String>,
        changes: impl FnOnce() -> Vec<(String, String)>,
    ) -> Result<(), String> {
        match (self.unread_by.iter().any(|name| name == judge), unchanged) {
            (true, Err(_)) => return Ok(()),
            (true, Ok(_)) => {
                return Err(format!("{judge} reads it, although `unread-by` names it"));
            }
            (false, Err(error)) => return Err(format!("{judge} can't read it: {error}")),
            (false, Ok(_)) => {}
        }
        for (old, new) in catch(|| Ok(changes()))? {
            let blank = |text: &str| text[text.trim_end().len()..].to_owned();
            let (name, digest) = new.trim_end().rsplit_once('@').unwrap_or_default();
            // If the new name is not the one in the input, it is a substitute, and a message must
            // name it.
            let rest = old.trim_end().strip_prefix(name);
            let written = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
            let said = &ran.stderr;
            let asked = if written { old.trim_end() } else { name };
            let right = catch(|| Ok(digest_of(asked)))? == digest;
            if !right
                || blank(&old) != blank(&new)
                || !(written || said.contains("is used instead"))
            {
                return Err(format!("{judge} sees {old:?} become {new:?}"));
            }
        }
        Ok(())
    }
}

impl Expected {
    fn of(ran: &Ran) -> Self {
        let is_summary = ran.stderr.starts_with("digestif: ") && ran.stderr.lines().count() == 1;
        let succeeded = ran.status == 0;
        Self {
            status: ran.status,
            stdout: succeeded.then(|| ran.stdout.clone()),
            stderr: (!(succeeded && is_summary)).then(|| ran.stderr.clone()),
        }
    }

    fn read(folder: &Path) -> Result<Self, String> {
        let stdout = text(folder, "expected.yaml");
        let stderr = text(folder, "stderr.txt");
        let status = match text(folder, "status") {
            Some(status) => {
                status.trim().parse().map_err(|_| "`status` is no number".to_owned())?
            }
            None => 0,
        };
        if (status == 0 && stdout.is_none()) || (status != 0 && stderr.is_none()) {
            return Err("needs `expected.yaml`, or `status` and `stderr.txt`".to_owned());
        }
        Ok(Self { status, stdout, stderr })
    }

    fn write(&self, folder: &Path) {
        let status = (self.status != 0).then(|| format!("{}\n", self.status));
        for (name, text) in
            [("expected.yaml", &self.stdout), ("stderr.txt", &self.stderr), ("status", &status)]
        {
            let path = folder.join(name);
            match text {
                Some(text) => fs::write(path, text).expect("writable"),
                None => match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
                    _ => {}
                },
            }
        }
    }
}

fn bytes(folder: &Path, name: &str) -> Option<Vec<u8>> {
    match fs::read(folder.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{}: {error}", folder.join(name).display()),
    }
}

fn text(folder: &Path, name: &str) -> Option<String> {
    bytes(folder, name).map(|bytes| String::from_utf8(bytes).expect("text"))
}

/// Compares two texts, and shows the first line that differs, with its line break.
fn same(what: &str, expected: Option<&str>, found: Option<&str>) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let (Some(expected), Some(found)) = (expected, found) else {
        return Err(format!("{what}, expected {expected:?}, found {found:?}"));
    };
    let lines = |text: &str| -> Vec<String> {
        text.split_inclusive('\n').map(str::to_owned).chain([String::new()]).collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    let mut pairs = expected.iter().zip(&found).enumerate();
    let (n, (old, new)) =
        pairs.find(|(_, (old, new))| old != new).expect("texts that differ have a line that does");
    Err(format!("{what}, line {}:\n  expected {old:?}\n     found {new:?}", n + 1))
}

/// Runs a judge, which panics if it finds a difference, and returns the panic's message.
fn catch<T>(judge: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let reason = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast::<&str>()
            .map_or_else(|_| "a panic".to_owned(), |text| (*text).to_owned()),
    };
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|panic| Err(reason(panic)))
}
