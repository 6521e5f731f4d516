//! Certificates: what is trusted, and what is sent to registries that ask who connects.
//!
//! Owns how PEM is read. A certificate or key that can't be read is refused here, so that TLS has
//! no such errors later.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Url;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::crypto::PROVIDER;
use super::endpoint::is_named;

/// A certificate that is trusted.
pub type Certificate = CertificateDer<'static>;

/// A client certificate with its key.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}

/// The certificates for one host.
#[derive(Debug, Default, Clone)]
pub struct HostCertificates {
    /// Those that are trusted in addition to the others of a run.
    pub trusted: Vec<Certificate>,
    /// Those that may be sent, in order.
    pub identities: Vec<Identity>,
}

/// The settings of TLS connections.
#[derive(Debug, Default, Clone)]
pub struct Tls {
    /// Certificates that are trusted in addition to the system's.
    pub trusted: Vec<Certificate>,
    /// The certificate that is sent to registries that ask for one.
    pub identity: Option<Identity>,
    /// Hosts, each with its certificates. A host may occur several times.
    pub hosts: Vec<(String, HostCertificates)>,
    /// Folders with certificates for single hosts, in order.
    pub folders: Vec<PathBuf>,
    /// Hosts whose certificates are not verified.
    pub insecure: Vec<String>,
    /// Those of them that logins are sent to.
    pub insecure_login: Vec<String>,
}

impl Tls {
    /// The certificates that a URL's host has by its name.
    pub(super) fn of_host(&self, url: &Url) -> impl Iterator<Item = HostCertificates> {
        let named = |host: &String| is_named(std::slice::from_ref(host), url);
        self.hosts.iter().filter(move |(host, _)| named(host)).map(|(_, found)| found.clone())
    }

    /// True if the certificate of a URL's host is not verified.
    pub(super) fn is_insecure(&self, url: &Url) -> bool {
        is_named(&self.insecure, url)
    }

    /// True if no login may be sent to a URL's host, as its certificate is not verified.
    pub(super) fn withholds_logins(&self, url: &Url) -> bool {
        url.scheme() == "https" && self.is_insecure(url) && !is_named(&self.insecure_login, url)
    }
}

impl HostCertificates {
    /// Both, in this order.
    pub(super) fn and(mut self, more: Self) -> Self {
        self.trusted.extend(more.trusted);
        self.identities.extend(more.identities);
        self
    }
}

/// The reason why a certificate and its key can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongIdentity {
    /// The fault is in the certificates.
    Certificate(String),
    /// The fault is in the key.
    Key(String),
    /// The key belongs to another certificate.
    Mismatch,
}

/// Reads the certificates of a PEM text. Other things in it are passed over.
///
/// # Errors
/// It has none, or one that can't be read.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| wrong_pem(&error))?;
    if found.is_empty() {
        return Err("it holds no PEM certificate".to_owned());
    }
    for (n, certificate) in found.iter().enumerate() {
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|_| format!("certificate {} of {} can't be read", n + 1, found.len()))?;
    }
    Ok(found)
}

impl Identity {
    /// Reads a certificate, with those between it and its authority, and its key.
    ///
    /// # Errors
    /// One of the two can't be read, or the key belongs to another certificate.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, WrongIdentity> {
        let chain = certificates(certificate).map_err(WrongIdentity::Certificate)?;
        let wrong_key = |reason: &str| WrongIdentity::Key(reason.to_owned());
        // The older form of PEM has the word in a header, which PEM readers pass over.
        if key.windows(9).any(|word| word == b"ENCRYPTED") {
            return Err(wrong_key("the key is encrypted; `openssl pkey -in FILE` decrypts it"));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => wrong_key("it holds no PEM key"),
            error => WrongIdentity::Key(wrong_pem(&error)),
        })?;
        let identity = CertifiedKey::from_der(chain, key, &PROVIDER);
        identity.map(|identity| Self(Arc::new(identity))).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => WrongIdentity::Mismatch,
            _ => wrong_key(
                "the key can't be read, or is of a kind that can't be used (RSA, ECDSA with P-256, P-384 or P-521, and Ed25519 can)",
            ),
        })
    }
}

fn wrong_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no end".to_owned(),
        _ => "a PEM section can't be read".to_owned(),
    }
}
