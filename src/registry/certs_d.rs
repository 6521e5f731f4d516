//! certs.d: folders with the certificates of single hosts, as docker, podman and skopeo read them.
//!
//! `HOST:PORT/*.crt` are trusted, `HOST:PORT/NAME.cert` and `NAME.key` are sent. Of several folders
//! the first that has the host counts (containers-certs.d(5); Docker, "Verify repository client
//! with certificates").

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::certificates::{HostCertificates, Identity, WrongIdentity, certificates};
use crate::image::canonical_host;
use crate::text::path::slashed;

/// The system's folders for all users, in order.
const SYSTEM: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/// The folders that are searched for hosts, in order: the user's own, and those of the system.
#[must_use]
pub fn certificate_folders(home: Option<&Path>) -> Vec<PathBuf> {
    let own = home.map(|home| home.join(".config/containers/certs.d"));
    own.into_iter().chain(SYSTEM.map(PathBuf::from)).collect()
}

/// The certificates for a host and port, as URLs name it; none if no folder has it.
///
/// # Errors
/// A file can't be read or is not valid. It is named.
pub(super) fn of_host(folders: &[PathBuf], host: &str) -> Result<Option<HostCertificates>, String> {
    let names = names(host);
    let places = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    for folder in places {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(failed(&folder, &error.to_string())),
        };
        let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(|error| failed(&folder, &error.to_string()))?;
        paths.sort();
        return read(&paths).map(Some);
    }
    Ok(None)
}

/// The possible names of a host's folder: with or without the default port, and `docker.io` for Docker Hub.
fn names(host: &str) -> Vec<String> {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let with_port = (!has_port).then(|| format!("{host}:443"));
    let mut names = vec![canonical_host(host), host.to_owned()];
    names.extend(with_port);
    names.dedup();
    names
}

/// A folder of root's is none for other users.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidFilename)
}

fn read(paths: &[PathBuf]) -> Result<HostCertificates, String> {
    let mut found = HostCertificates::default();
    for path in paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => {
                let certificates = certificates(&content(path)?);
                found.trusted.extend(certificates.map_err(|reason| failed(path, &reason))?);
            }
            Some("cert") => found.identities.push(identity(path, &path.with_extension("key"))?),
            Some("key") if !paths.contains(&path.with_extension("cert")) => {
                return Err(failed(
                    path,
                    "the certificate of this key, a `.cert` file, is missing",
                ));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, String> {
    if !key.exists() {
        let reason =
            "its key, a `.key` file, is missing; the certificate of an authority ends in `.crt`";
        return Err(failed(certificate, reason));
    }
    Identity::from_pem(&content(certificate)?, &content(key)?).map_err(|wrong| match wrong {
        WrongIdentity::Certificate(reason) => failed(certificate, &reason),
        WrongIdentity::Key(reason) => failed(key, &reason),
        WrongIdentity::Mismatch => {
            failed(key, &format!("it is not the key of `{}`", slashed(certificate)))
        }
    })
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| failed(path, &error.to_string()))
}

fn failed(path: &Path, reason: &str) -> String {
    format!("`{}`: {reason}", slashed(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_be_called_as_docker_and_podman_call_it() {
        for (host, expected) in [
            ("registry.corp:5000", &["registry.corp:5000"][..]),
            ("registry.corp", &["registry.corp", "registry.corp:443"]),
            ("[::1]", &["[::1]", "[::1]:443"]),
            ("[::1]:5000", &["[::1]:5000"]),
            (
                "registry-1.docker.io",
                &["docker.io", "registry-1.docker.io", "registry-1.docker.io:443"],
            ),
        ] {
            assert_eq!(names(host), expected, "{host}");
        }
    }

    #[test]
    fn the_user_s_own_folder_comes_before_those_of_the_system() {
        let folders = certificate_folders(Some(Path::new("/home/ann")));
        let expected = [
            "/home/ann/.config/containers/certs.d",
            "/etc/containers/certs.d",
            "/etc/docker/certs.d",
        ];
        assert_eq!(folders, expected.map(PathBuf::from));
        assert_eq!(
            certificate_folders(None),
            expected[1..].iter().map(PathBuf::from).collect::<Vec<_>>()
        );
    }
}
