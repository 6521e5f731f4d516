//! Merged: stdout and stderr of a run that lead to one pipe or file, as `2>&1` makes them. A message would
//! then stand among the manifests.

/// True if stdout and stderr are the same pipe, file or socket. A terminal is none of these.
#[cfg(unix)]
#[must_use]
pub fn is_merged() -> bool {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

    let metadata = |stream: io::Result<std::os::fd::OwnedFd>| -> Option<Metadata> {
        File::from(stream.ok()?).metadata().ok()
    };
    let out = metadata(io::stdout().as_fd().try_clone_to_owned());
    let err = metadata(io::stderr().as_fd().try_clone_to_owned());
    let is_device = |stream: &Metadata| stream.file_type().is_char_device();
    out.zip(err).is_some_and(|(out, err)| {
        (out.dev(), out.ino()) == (err.dev(), err.ino()) && !is_device(&out)
    })
}

/// Other systems have no way to find out.
#[cfg(not(unix))]
#[must_use]
pub fn is_merged() -> bool {
    false
}
