//! Certificates: those that are trusted, and the one that is sent, as the flags name them.

use std::path::Path;

use reqwest::{Certificate, Identity};

/// The certificate that is sent to registries that ask for one, with its key.
///
/// # Errors
/// A file can't be read, or holds no PEM certificate or no plain PEM key.
pub(super) fn identity(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let read = |flag: &str, path: &Path| {
        std::fs::read(path).map_err(|error| format!("`{flag} {}`: {error}", path.display()))
    };
    let wrong = |flag: &str, path: &Path, reason: &str| {
        Err(format!("`{flag} {}`: {reason}", path.display()))
    };
    let holds = |pem: &[u8], word: &[u8]| pem.windows(word.len()).any(|text| text == word);
    let mut pem = read("--client-cert", certificate)?;
    if !holds(&pem, b"BEGIN CERTIFICATE") {
        return wrong("--client-cert", certificate, "it holds no PEM certificate");
    }
    let secret = read("--client-key", key)?;
    if holds(&secret, b"ENCRYPTED") {
        let reason = "the key is encrypted; `openssl pkey -in FILE` decrypts it";
        return wrong("--client-key", key, reason);
    }
    if !holds(&secret, b"PRIVATE KEY") {
        return wrong("--client-key", key, "it holds no PEM key");
    }
    pem.push(b'\n');
    pem.extend(secret);
    Identity::from_pem(&pem).map_err(|_| {
        "`--client-cert` and `--client-key` hold no PEM certificate and key".to_owned()
    })
}

/// The certificates in a PEM file, which are trusted besides the system's.
///
/// # Errors
/// It can't be read, or holds none.
pub(super) fn trusted(path: &Path) -> Result<Vec<Certificate>, String> {
    let failed = |reason: String| format!("`--ca-file {}`: {reason}", path.display());
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|_| failed("it holds no PEM certificates".to_owned()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no PEM certificates".to_owned()));
    }
    Ok(certificates)
}
