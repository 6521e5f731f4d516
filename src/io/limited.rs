//! Limited: files and streams are read up to a limit, as a device or a pipe may never end.

use std::io::{self, Read};

/// Bytes of the largest input. A hundred megabytes of Deployments take a release build a quarter of the
/// default time of a run (`cargo bench`), and memory for nine times as much.
pub(crate) const LARGEST_INPUT: u64 = 256 << 20;

/// Reads everything; none if it is larger than this.
///
/// # Errors
/// It can't be read.
pub(crate) fn read(from: impl Read, largest: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(largest + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= largest).then_some(bytes))
}

/// Reads everything, and fails if it is larger than this.
///
/// # Errors
/// It can't be read, or is larger than `what` can be.
pub(crate) fn read_all(from: impl Read, largest: u64, what: &str) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::other(format!("it is larger than any {what}"));
    read(from, largest)?.ok_or_else(too_large)
}
