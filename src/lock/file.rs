//! The lock file: read with a limit, and written so that no one's entries are lost.
//!
//! A file is replaced by renaming a complete one over it (`io/atomic.rs`), so that a program that reads it or
//! pulls the plug finds the old text or the new one; a symbolic link stays a link. Whoever writes
//! holds an advisory lock on the *folder*, reads the file again, and adds to what it finds.
//!
//! Why the folder: a lock on the file itself would be one on an inode that the rename has just taken
//! out of the folder, and a file beside it would lie about in people's repositories or be removed
//! under those who wait for it. A folder is there already, and stays.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Key, Lock, Locked, edit};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId, Severity};
use crate::io::atomic::{self, Destination, Rewrite};
use crate::io::{device, limited};
use crate::text::escape::quoted;
use crate::text::path::shown;
use crate::text::{Origin, Source};

/// The largest lock in bytes, read or written. An entry has about 170 bytes, so that it has room for more
/// than a hundred thousand images.
const LARGEST: u64 = 32 << 20;

/// The changes of a run to a lock.
#[derive(Debug, Clone)]
pub struct Record {
    pub(super) path: PathBuf,
    /// The longest wait for another run that writes it.
    pub(super) timeout: Duration,
    /// The lock as the run read it.
    pub(super) base: Lock,
    pub(super) changes: BTreeMap<Key, Locked>,
}

/// A lock that is about to be written; no one else writes it while this lives.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    old: Option<String>,
    new: String,
    /// Holds the advisory lock; none if the system gives none.
    _folder: Option<File>,
}

/// Reads a lock; nothing where there is none yet.
///
/// # Errors
/// It can't be read, is no file that could be replaced, or is wrong.
pub fn read(path: &Path) -> Result<Option<Lock>, Diagnostic> {
    let Some(text) = text(path)? else { return Ok(None) };
    parsed(path, text).map(Some)
}

/// Reads one of two locks that are compared: `-` is stdin, and an empty text is a lock without
/// entries, as `/dev/null` stands for a file that is not there.
///
/// # Errors
/// It can't be read, or is wrong.
pub fn read_either(path: &Path) -> Result<Lock, Diagnostic> {
    let bytes = if path.as_os_str() == "-" {
        limited(io::stdin().lock())
    } else {
        File::open(device::of(path).as_deref().unwrap_or(path)).and_then(limited)
    };
    let text = bytes.map_err(|error| unreadable(path, &error))?;
    if text.is_empty() { Ok(Lock::default()) } else { parsed(path, text) }
}

fn parsed(path: &Path, bytes: Vec<u8>) -> Result<Lock, Diagnostic> {
    let source = Source::new(Origin::Configuration(path.to_owned()), bytes)
        .map_err(|error| Diagnostic { severity: Severity::Error(Failure::Usage), ..error })?;
    Lock::parse(&source).map_err(|wrong| wrong.diagnostic(path))
}

fn text(path: &Path) -> Result<Option<Vec<u8>>, Diagnostic> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A pipe would be waited for, and none of them can be replaced.
        Ok(found) if !found.is_file() && !found.is_dir() => {
            let error = io::Error::other("it is a device or a pipe");
            return Err(unreadable(path, &error));
        }
        _ => {}
    }
    match File::open(path).and_then(limited) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn limited(file: impl io::Read) -> io::Result<Vec<u8>> {
    limited::read_all(file, LARGEST, "lock")
}

impl Record {
    /// The number of images that are new or changed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// The file, for messages.
    #[must_use]
    pub fn file(&self) -> String {
        shown(&self.path)
    }

    /// Waits until no one else writes the lock, reads it again and adds to it. Of two runs that
    /// record one image the first to get here is right: the other fails if it found anything else,
    /// and finds that answer when it is run again.
    ///
    /// # Errors
    /// The file can't be read, is wrong, is written in a way that can't be added to, another run holds
    /// it for too long, or has recorded something else in the meantime.
    pub fn begin(&self) -> Result<Recording, Diagnostic> {
        let folder = self.hold()?;
        let old = match text(&self.path)? {
            None => None,
            Some(bytes) => {
                let source = Source::new(Origin::Configuration(self.path.clone()), bytes);
                Some(source.map_err(|error| Diagnostic {
                    severity: Severity::Error(Failure::Usage),
                    ..error
                })?)
            }
        };
        let found = match &old {
            None => Lock::default(),
            Some(source) => Lock::parse(source).map_err(|wrong| wrong.diagnostic(&self.path))?,
        };
        let changes = self.merged(&found)?;
        let new = match &old {
            None => Lock { images: changes }.text(),
            Some(source) if changes.is_empty() => source.text().to_owned(),
            Some(source) => {
                edit::with_entries(source, &changes).ok_or_else(|| self.not_editable())?
            }
        };
        if new.len() as u64 > LARGEST {
            return Err(self.too_large());
        }
        let old = old.map(|source| source.text().to_owned());
        Ok(Recording { path: self.path.clone(), old, new, _folder: folder })
    }

    /// The changes to make in a lock that may differ from the one that the run read.
    fn merged(&self, found: &Lock) -> Result<BTreeMap<Key, Locked>, Diagnostic> {
        let mut changes = BTreeMap::new();
        for (key, locked) in &self.changes {
            match found.images.get(key) {
                now if now == self.base.images.get(key) => {
                    changes.insert(key.clone(), locked.clone());
                }
                // The same, perhaps by a rule of another name: who came first is right.
                Some(now) if now.digest == locked.digest && now.supplier == locked.supplier => {
                    let history = now.history.merged(&locked.history);
                    if history != now.history {
                        changes.insert(key.clone(), Locked { history, ..now.clone() });
                    }
                }
                now => return Err(self.overtaken(key, now, locked)),
            }
        }
        let facts = changes.values().map(|locked| (&locked.supplier, &locked.digest));
        let facts: BTreeMap<_, _> = facts.filter(|(supplier, _)| supplier.is_some()).collect();
        for (key, other) in found.images().filter(|(key, _)| !changes.contains_key(*key)) {
            if facts.get(&other.supplier).is_some_and(|digest| **digest != other.digest) {
                let ours = changes.iter().find(|(_, locked)| locked.supplier == other.supplier);
                let (_, ours) = ours.expect("that is where the digest is from");
                return Err(self.overtaken(key, Some(other), ours));
            }
        }
        Ok(changes)
    }

    fn overtaken(&self, key: &Key, now: Option<&Locked>, ours: &Locked) -> Diagnostic {
        let now = now.map_or_else(|| "nothing any more".to_owned(), Locked::said);
        let name = quoted(&key.to_string());
        let message = format!("the lock has another entry for {name} than this run found");
        Diagnostic::error(Failure::Unavailable, message)
            .location(Location::File(self.file()))
            .note("recorded", now)
            .note("found", ours.said())
            .help("another run recorded it first: run it again to use the recorded digest, or with `--update`")
    }

    fn too_large(&self) -> Diagnostic {
        let message = format!("the lock would be larger than {} MiB", LARGEST >> 20);
        Diagnostic::error(Failure::Usage, message)
            .of(RuleId::LockFile)
            .location(Location::File(self.file()))
            .help("use a lock for each cluster or team; the file was not changed")
    }

    fn not_editable(&self) -> Diagnostic {
        let message = "the lock is written in a way that can't be changed safely".to_owned();
        Diagnostic::error(Failure::Usage, message).of(RuleId::LockFile).location(Location::File(self.file())).help(
            "write `images` as a list with one `- image: …` per line and each key on its own line, without anchors; the file was not changed",
        )
    }

    /// Takes the advisory lock, or waits for it as long as it may.
    fn hold(&self) -> Result<Option<File>, Diagnostic> {
        let Destination::File(file) = atomic::destination(&self.path).map_err(|error| *error)?
        else {
            return Err(unreadable(&self.path, &io::Error::other("it is a device or a pipe")));
        };
        // Where there are no such locks (some network file systems have none for folders), what
        // remains is that the file must not have changed right before it is replaced.
        let Ok(folder) = guard(&file) else { return Ok(None) };
        match folder.try_lock() {
            Ok(()) => Ok(Some(folder)),
            Err(TryLockError::Error(_)) => Ok(None),
            Err(TryLockError::WouldBlock) => self.wait(folder),
        }
    }

    /// Waits on a thread of its own, as nothing ends the wait of this one. What that thread gets too
    /// late goes when it does, or with the process.
    fn wait(&self, folder: File) -> Result<Option<File>, Diagnostic> {
        let (held, holder) = mpsc::channel();
        let wait = move || {
            let folder = folder.lock().ok().map(|()| folder);
            // Nobody listens any more where it was too late.
            let _ = held.send(folder);
        };
        let waiting = thread::Builder::new().name("lock".to_owned()).spawn(wait);
        waiting.map_err(|error| unreadable(&self.path, &error))?;
        holder.recv_timeout(self.timeout).map_err(|_| self.held())
    }

    fn held(&self) -> Diagnostic {
        let message =
            format!("another run still holds the lock after {} s", self.timeout.as_secs());
        Diagnostic::error(Failure::Unavailable, message)
            .location(Location::File(self.file()))
            .help("run it again after the other run, or wait longer with `--timeout`; nothing was written")
    }
}

/// The lock of a file: its folder, unless it was moved.
#[cfg(unix)]
fn guard(file: &Path) -> io::Result<File> {
    File::open(file.parent().unwrap_or(Path::new(".")))
}

/// Elsewhere folders can't be locked, and a file among the temporary ones stands for it.
#[cfg(not(unix))]
fn guard(file: &Path) -> io::Result<File> {
    use crate::image::{Algorithm, Digest};
    let name = Digest::of(Algorithm::Sha256, file.as_os_str().as_encoded_bytes());
    let name = format!("digestif-{}.lock", name.hex());
    File::options().create(true).append(true).open(std::env::temp_dir().join(name))
}

impl Recording {
    /// The file with its new text; nothing where another run has recorded all of it.
    #[must_use]
    pub fn rewrite(&self) -> Option<Rewrite<'_>> {
        let Self { path, old, new, .. } = self;
        (old.as_ref() != Some(new)).then(|| Rewrite { path, old: old.as_deref(), new })
    }
}

/// The error of a run that needs a lock which is not there.
#[must_use]
pub fn not_there(path: &Path) -> Diagnostic {
    let file = shown(path);
    let help = format!(
        "check the path (in a container, its folder must be mounted); `digestif --lock {file}` writes a lock"
    );
    Diagnostic::error(Failure::Usage, "the lock does not exist".to_owned())
        .of(RuleId::LockFile)
        .location(Location::File(file))
        .help(help)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let message = format!("the lock can't be read: {error}");
    Diagnostic::error(Failure::Usage, message)
        .of(RuleId::LockFile)
        .location(Location::File(shown(path)))
        .help("name a file with `--lock FILE`; a new file is created")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::Tagged;
    use crate::plan::{Date, History, Seen};

    fn day(n: u32) -> Date {
        "2026-01-01".parse::<Date>().expect("a day").after(n)
    }

    /// An entry of one of three tags: its digest, its first day, and newer digests with theirs.
    fn entries() -> impl Strategy<Value = BTreeMap<Key, Locked>> {
        let digest = |n: u8| format!("sha256:{n:064x}").parse().expect("a digest");
        let history =
            (prop::option::of(0u32..9), prop::collection::btree_map(2u8..5, 0u32..9, 0..3));
        let entry = (0u8..2, history).prop_map(move |(own, (seen, next))| {
            let mut next: Vec<_> = next
                .into_iter()
                .map(|(n, seen)| Seen { digest: digest(n), seen: day(seen) })
                .collect();
            next.sort_by_key(|one| one.seen);
            (digest(own), History { seen: seen.map(day), next })
        });
        prop::collection::btree_map(0u8..3, entry, 0..4).prop_map(|entries| {
            let locked = |(tag, (digest, history))| {
                let name = format!("docker.io/acme/web:v{tag}");
                let supplier: Tagged = match name.parse() {
                    Ok(crate::image::Reference::Tagged(tagged)) => tagged,
                    other => panic!("{other:?}"),
                };
                let key = name.parse().expect("a key");
                (key, Locked { supplier: Some(supplier), digest, rule: None, history })
            };
            entries.into_iter().map(locked).collect()
        })
    }

    proptest! {
        /// Two runs read one lock; the first has written its changes when the second merges its own.
        #[test]
        fn merging_two_concurrent_runs_loses_no_day_on_which_a_digest_was_first_seen(
            base in entries(), first in entries(), second in entries(),
        ) {
            let base = Lock { images: base };
            let mut written = base.clone();
            written.images.extend(first.clone());
            let record = Record {
                path: PathBuf::new(),
                timeout: Duration::ZERO,
                base: base.clone(),
                changes: second.clone(),
            };
            // Different results of two runs are an error, and nothing is lost then.
            let Ok(changes) = record.merged(&written) else { return Ok(()) };
            let mut merged = written.images.clone();
            merged.extend(changes);
            for (key, found) in first.iter().chain(&second) {
                let after = &merged[key];
                let both = first.contains_key(key) && second.contains_key(key);
                // A run that begins with what the other has written replaces it knowingly.
                if both && written.images.get(key) == base.images.get(key) {
                    continue;
                }
                prop_assert_eq!(&after.digest, &found.digest);
                let known = |history: &History, digest: &crate::image::Digest| {
                    history.next.iter().find(|one| one.digest == *digest).map(|one| one.seen)
                };
                if let Some(seen) = found.history.seen {
                    prop_assert!(after.history.seen.is_some_and(|after| after <= seen));
                }
                for one in &found.history.next {
                    let kept = known(&after.history, &one.digest);
                    prop_assert!(kept.is_some_and(|kept| kept <= one.seen), "{:?}", one);
                }
            }
        }
    }
}
