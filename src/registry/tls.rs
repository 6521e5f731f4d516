//! TLS: which certificates of registries are trusted.
//!
//! A certificate is trusted if the user or the system names it, or if its chain leads to such a
//! certificate. Host name and time are always checked. The rule for a named certificate is that of
//! Go (`crypto/x509`, `Certificate.Verify`), and so that of podman, skopeo and crane: the guides of
//! private registries have people make certificates that sign themselves. The system's certificates
//! are read at the first handshake, as plain HTTP needs none.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage};

use super::certificates::{Certificate, Identity};
use super::crypto::PROVIDER;

/// This machine has no certificates of authorities.
#[derive(Debug)]
pub(super) struct NoAuthorities;

impl fmt::Display for NoAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this machine has no CA certificates")
    }
}

impl std::error::Error for NoAuthorities {}

/// The certificates that a client trusts in addition to the system's, and the one that it sends.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) named: Vec<Certificate>,
    /// The certificates to send; the first that a registry may accept is sent.
    pub(super) identities: Vec<Identity>,
    /// The host whose certificates are not verified.
    pub(super) unverified: Option<String>,
}

/// The TLS settings of a client.
pub(super) fn config(trust: &Trust, system: &Arc<System>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(trust, system)))
        .with_client_cert_resolver(Arc::new(Identities(trust.identities.clone())));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Chooses the certificate that is sent.
#[derive(Debug)]
struct Identities(Vec<Identity>);

impl ResolvesClientCert for Identities {
    fn resolve(
        &self,
        authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let is_usable = |identity: &&Identity| identity.0.key.choose_scheme(schemes).is_some();
        let is_from = |identity: &&Identity| {
            let certificates = identity
                .0
                .cert
                .iter()
                .filter_map(|certificate| EndEntityCert::try_from(certificate).ok());
            let mut issuers = certificates.map(|certificate| certificate.issuer().to_vec());
            // The name of an authority has a tag and a length in front.
            issuers.any(|issuer| authorities.iter().any(|name| name.ends_with(&issuer)))
        };
        let usable = || self.0.iter().filter(is_usable);
        let chosen = usable().find(is_from).or_else(|| usable().next());
        chosen.or(self.0.first()).map(|identity| Arc::clone(&identity.0))
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The system's trusted certificates, read when they are first needed.
#[derive(Debug, Default)]
pub(super) struct System {
    verifier: OnceLock<Result<rustls_platform_verifier::Verifier, Error>>,
    certificates: OnceLock<Vec<Certificate>>,
}

impl System {
    fn verifier(&self) -> Result<&rustls_platform_verifier::Verifier, Error> {
        let made = self.verifier.get_or_init(|| {
            rustls_platform_verifier::Verifier::new(PROVIDER.clone()).map_err(|error| {
                if self.certificates().is_empty() { no_authorities() } else { error }
            })
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// The certificates one by one. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace those of the system.
    fn certificates(&self) -> &[Certificate] {
        self.certificates.get_or_init(|| rustls_native_certs::load_native_certs().certs)
    }
}

fn no_authorities() -> Error {
    CertificateError::Other(OtherError(Arc::new(NoAuthorities))).into()
}

/// Decides whether a registry's certificate is trusted.
#[derive(Debug)]
struct Verifier {
    named: Vec<Certificate>,
    /// Trusts the named certificates as authorities; none if none is named.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// The host whose certificates are not verified. A proxy's still are.
    unverified: Option<String>,
    system: Arc<System>,
}

impl Verifier {
    fn new(trust: &Trust, system: &Arc<System>) -> Self {
        let named = &trust.named;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(named.iter().cloned());
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), PROVIDER.clone()).build();
        let unverified =
            trust.unverified.as_ref().map(|host| host.trim_matches(['[', ']']).to_owned());
        // It fails only if there is no certificate.
        Self {
            named: named.clone(),
            authorities: authorities.ok(),
            unverified,
            system: Arc::clone(system),
        }
    }

    /// Accepts a certificate that can't be read, such as one of version 1, if it is not verified.
    fn or_unreadable(&self, error: Error) -> Result<HandshakeSignatureValid, Error> {
        match &error {
            Error::InvalidCertificate(CertificateError::BadSignature) => Err(error),
            Error::InvalidCertificate(_) if self.unverified.is_some() => {
                Ok(HandshakeSignatureValid::assertion())
            }
            _ => Err(error),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.unverified.as_deref() == Some(&*host.to_str()) {
            return Ok(ServerCertVerified::assertion());
        }
        if self.named.iter().any(|named| named == certificate) {
            return verify_alone(certificate, host, now);
        }
        let by_named = match &self.authorities {
            Some(verifier) => verifier.verify_server_cert(certificate, others, host, ocsp, now),
            None => Err(no_authorities()),
        };
        let Err(unnamed) = by_named else { return by_named };
        let by_system = self
            .system
            .verifier()
            .and_then(|verifier| verifier.verify_server_cert(certificate, others, host, ocsp, now));
        let Err(unknown) = by_system else { return by_system };
        if self.system.certificates().iter().any(|known| known == certificate) {
            return verify_alone(certificate, host, now);
        }
        // Of two reasons, the one about an authority that signed the certificate says more.
        let is_about_issuer = matches!(
            &unnamed,
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
        );
        let has_system = self.system.verifier().is_ok();
        Err(if is_about_issuer && (has_system || self.named.is_empty()) {
            unknown
        } else {
            unnamed
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        let verified = crypto::verify_tls12_signature(message, certificate, signature, algorithms);
        verified.or_else(|error| self.or_unreadable(error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        let verified = crypto::verify_tls13_signature(message, certificate, signature, algorithms);
        verified.or_else(|error| self.or_unreadable(error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies the host name and the time of a certificate that is trusted itself.
fn verify_alone(
    certificate: &CertificateDer<'_>,
    host: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    verify_server_name(&ParsedCertificate::try_from(certificate)?, host)?;
    let unreadable = |_| Error::from(CertificateError::BadEncoding);
    let leaf = EndEntityCert::try_from(certificate).map_err(unreadable)?;
    let algorithms = PROVIDER.signature_verification_algorithms.all;
    let usage = KeyUsage::server_auth();
    // webpki looks at the time first. Then it says that this is an authority, which is how
    // `openssl req -x509` makes certificates, or that it knows no issuer.
    match leaf.verify_for_usage(algorithms, &[], &[], now, usage, None, None) {
        Ok(_) | Err(webpki::Error::CaUsedAsEndEntity | webpki::Error::UnknownIssuer) => {
            Ok(ServerCertVerified::assertion())
        }
        Err(webpki::Error::CertExpired { time, not_after }) => {
            Err(CertificateError::ExpiredContext { time, not_after }.into())
        }
        Err(webpki::Error::CertNotValidYet { time, not_before }) => {
            Err(CertificateError::NotValidYetContext { time, not_before }.into())
        }
        Err(error) => Err(CertificateError::Other(OtherError(Arc::new(error))).into()),
    }
}
