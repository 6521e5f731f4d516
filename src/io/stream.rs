//! Stream: everything that is written to stdout or stderr arrives. Who reads a pipe may have made it
//! non-blocking for all who share it (Node.js does), so that a full one is an error instead of a wait.

use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::AsFd;

/// Writes all of a text, and waits while the stream accepts nothing.
///
/// # Errors
/// It can't be written.
#[cfg(unix)]
pub(super) fn write_all(mut stream: impl Write + AsFd, mut text: &[u8]) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    while !text.is_empty() {
        match stream.write(text) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => text = &text[n..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut ready = [PollFd::new(&stream, PollFlags::OUT)];
                match poll(&mut ready, None) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    stream.flush()
}

#[cfg(not(unix))]
pub(super) fn write_all(mut stream: impl Write, text: &[u8]) -> io::Result<()> {
    stream.write_all(text)?;
    stream.flush()
}
