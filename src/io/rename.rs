//! Rename: puts a finished file in the place of an old one. On Windows that is refused while another
//! program has the old one open, as a virus scanner does for a moment: it is tried again for some seconds,
//! as rustup, cargo and uv do it.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use backon::{BlockingRetryable as _, ExponentialBuilder};
use tempfile::TempPath;

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Tries after the first. The pauses are 5 s together, as long as cargo and rustup wait.
const TRIES: usize = 11;

/// `ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION` of Windows: what a file says
/// that another program has open.
const BUSY: [i32; 3] = [5, 32, 33];

/// Renames a temporary file over its target. It is removed if that fails.
///
/// # Errors
/// The target can't be replaced.
pub(crate) fn over(new: TempPath, target: &Path) -> io::Result<()> {
    let mut new = Some(new);
    again(|| once(&mut new, target), is_busy, thread::sleep)
}

/// Renames a file, or puts it back for another try.
fn once(new: &mut Option<TempPath>, target: &Path) -> io::Result<()> {
    let path = new.take().expect("a try that failed has put it back");
    path.persist(target).map_err(|failed| {
        *new = Some(failed.path);
        failed.error
    })
}

/// True if another program has a file open that is to be renamed or replaced.
pub(super) fn is_busy(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error().is_some_and(|code| BUSY.contains(&code))
}

fn again(
    attempt: impl FnMut() -> io::Result<()>,
    is_worth_it: impl FnMut(&io::Error) -> bool,
    sleep: impl Fn(Duration) + 'static,
) -> io::Result<()> {
    let pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(TRIES);
    attempt.retry(pauses).sleep(sleep).when(is_worth_it).call()
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::*;

    /// The result for a file that is busy this many times, and the pauses.
    fn tried(busy: usize, code: i32) -> (Result<(), Option<i32>>, Vec<Duration>) {
        let (left, pauses) = (Cell::new(busy), Rc::new(RefCell::new(Vec::new())));
        let attempt = || match left.get() {
            0 => Ok(()),
            n => {
                left.set(n - 1);
                Err(io::Error::from_raw_os_error(code))
            }
        };
        let seen = Rc::clone(&pauses);
        let is_worth_it =
            |error: &io::Error| error.raw_os_error().is_some_and(|code| BUSY.contains(&code));
        let result = again(attempt, is_worth_it, move |pause| seen.borrow_mut().push(pause));
        (result.map_err(|error| error.raw_os_error()), pauses.take())
    }

    #[test]
    fn a_busy_file_is_tried_again_for_some_seconds() {
        assert_eq!(tried(0, 5), (Ok(()), vec![]));
        assert_eq!(tried(2, 32), (Ok(()), [10, 20].map(Duration::from_millis).to_vec()));
        let (result, pauses) = tried(usize::MAX, 5);
        assert_eq!(result, Err(Some(5)));
        let all: Duration = pauses.iter().sum();
        assert!((4..=8).contains(&all.as_secs()), "{all:?}");
    }

    #[test]
    fn another_error_is_final() {
        assert_eq!(tried(1, 2), (Err(Some(2)), vec![]));
        assert!(cfg!(windows) || !is_busy(&io::Error::from_raw_os_error(5)));
    }

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let new = tempfile::NamedTempFile::new_in(folder.path()).expect("writable");
        over(new.into_temp_path(), &folder.path().join("gone/file")).expect_err("no such folder");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    /// Another program has the file open, without leave to remove it, until the first pause.
    #[cfg(windows)]
    #[test]
    fn a_file_that_another_program_has_open_is_replaced_in_the_end() {
        use std::fs;
        use std::os::windows::fs::OpenOptionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("file");
        fs::write(&target, "old").expect("writable");
        let open = fs::OpenOptions::new().read(true).share_mode(1).open(&target);
        let open = RefCell::new(Some(open.expect("readable")));
        let new = tempfile::NamedTempFile::new_in(folder.path()).expect("writable");
        fs::write(new.path(), "new").expect("writable");
        let mut new = Some(new.into_temp_path());
        let rename = || once(&mut new, &target);
        again(rename, is_busy, move |_| drop(open.take())).expect("replaced");
        assert_eq!(fs::read_to_string(&target).expect("readable"), "new");
    }
}
