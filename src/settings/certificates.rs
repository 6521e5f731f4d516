//! Certificates: those that are trusted, and the one that is sent, as the flags name them.

use std::path::Path;

use crate::registry::{Certificate, Identity, WrongIdentity, certificates};
use crate::text::path::slashed;

/// The certificate that is sent to registries that ask for one, with its key.
///
/// # Errors
/// A file can't be read, or holds no PEM certificate or no plain PEM key; or the key belongs to
/// another certificate.
pub(super) fn identity(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let (certificate_flag, key_flag) = ("--client-cert", "--client-key");
    let pem = read(certificate_flag, certificate)?;
    let secret = read(key_flag, key)?;
    Identity::from_pem(&pem, &secret).map_err(|wrong| match wrong {
        WrongIdentity::Certificate(reason) => failed(certificate_flag, certificate, &reason),
        WrongIdentity::Key(reason) => failed(key_flag, key, &reason),
        WrongIdentity::Mismatch => {
            "the key of `--client-key` is not the one of `--client-cert`".to_owned()
        }
    })
}

/// The certificates in a PEM file, which are trusted besides the system's.
///
/// # Errors
/// It can't be read, or holds none.
pub(super) fn trusted(path: &Path) -> Result<Vec<Certificate>, String> {
    let flag = "--ca-file";
    certificates(&read(flag, path)?).map_err(|reason| failed(flag, path, &reason))
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| failed(flag, path, &error.to_string()))
}

fn failed(flag: &str, path: &Path, reason: &str) -> String {
    format!("`{flag} {}`: {reason}", slashed(path))
}
