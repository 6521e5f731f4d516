//! Certificates: those that are trusted, and those that are sent, read from the files that flags and
//! configurations name.
//!
//! An error names the flag or key and the file, and shows nothing of the file: it may be a key.

use std::fs;
use std::path::PathBuf;

use crate::io::limited;
use crate::registry::{Certificate, Identity, WrongIdentity, certificates};
use crate::text::escape::quoted;
use crate::text::path::slashed;

/// Bytes of the largest file. The bundle of all public authorities has a quarter of a megabyte.
const LARGEST: u64 = 16 << 20;

/// A PEM file.
pub(super) struct File {
    /// The flag or key that names it.
    pub(super) named_by: &'static str,
    pub(super) path: PathBuf,
}

/// Why a client certificate can't be used.
pub(super) struct Unusable {
    /// True if the fault is in the file of the key.
    pub(super) is_about_key: bool,
    pub(super) message: String,
}

/// The certificate that is sent to registries that ask for one, with its key.
///
/// # Errors
/// A file can't be read, or holds no PEM certificate or no plain PEM key; or the key belongs to
/// another certificate.
pub(super) fn identity(certificate: &File, key: &File) -> Result<Identity, Unusable> {
    let in_certificate = |message| Unusable { is_about_key: false, message };
    let in_key = |message| Unusable { is_about_key: true, message };
    let pem = certificate.read().map_err(in_certificate)?;
    let secret = key.read().map_err(in_key)?;
    Identity::from_pem(&pem, &secret).map_err(|wrong| match wrong {
        WrongIdentity::Certificate(reason) => in_certificate(certificate.failed(&reason)),
        WrongIdentity::Key(reason) => in_key(key.failed(&reason)),
        WrongIdentity::Mismatch => {
            let (key_of, other) = (key.named_by, certificate.named_by);
            in_key(key.failed(&format!("the key of `{key_of}` is not the one of `{other}`")))
        }
    })
}

/// The certificates in a PEM file, which are trusted besides the system's.
///
/// # Errors
/// It can't be read, or holds none.
pub(super) fn trusted(file: &File) -> Result<Vec<Certificate>, String> {
    certificates(&file.read()?).map_err(|reason| file.failed(&reason))
}

impl File {
    fn read(&self) -> Result<Vec<u8>, String> {
        let bytes = fs::File::open(&self.path)
            .and_then(|file| limited::read_all(file, LARGEST, "PEM file"));
        bytes.map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> String {
        let between = if self.named_by.starts_with('-') { " " } else { ": " };
        let named = format!("{}{between}{}", self.named_by, slashed(&self.path));
        format!("{}: {reason}", quoted(&named))
    }
}
