//! Revisions: what a file was in a commit of its git repository, as git itself says.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::text::escape::escaped;
use crate::text::{Origin, Source};

/// Bytes of the largest file that is read.
const LARGEST: u64 = 64 << 20;

/// A file as it was in a revision; none if it was not there.
///
/// # Errors
/// There is no such revision or no git, or the file was no text: why, for people.
pub fn text(revision: &str, path: &Path) -> Result<Option<Source>, String> {
    if revision.starts_with('-') || revision.contains(':') {
        return Err("it is not the name of a revision".to_owned());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let commit = format!("{revision}^{{commit}}");
    run(folder, &["rev-parse", "--verify", "--quiet", &commit])?
        .ok_or("there is no such folder or revision, or no git repository")?;
    // No filter and no program of the repository's configuration runs for a plain object.
    let object = format!("{revision}:./{name}");
    let Some(bytes) = run(folder, &["cat-file", "blob", &object])? else { return Ok(None) };
    let source = Source::new(Origin::File(path.to_owned()), bytes);
    source.map(Some).map_err(|error| error.message)
}

/// The output of git in a folder; none if git fails.
fn run(folder: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>, String> {
    let mut git = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("git can't be started: {}", escaped(&error.to_string())))?;
    let mut bytes = Vec::new();
    let stdout = git.stdout.take().expect("it is piped");
    let read = stdout.take(LARGEST + 1).read_to_end(&mut bytes);
    let status = git.wait().map_err(|error| escaped(&error.to_string()))?;
    read.map_err(|error| escaped(&error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err("the file is too large".to_owned());
    }
    Ok(status.success().then_some(bytes))
}
