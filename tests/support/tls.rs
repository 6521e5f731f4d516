//! Certificates for loopback: an authority, the certificates that it signs, and TLS servers with
//! them.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::ops::Range;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{WantsServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

/// Loopback, and names that only a proxy resolves.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "registry.example", "token.example"];

/// An authority that signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A self-signed certificate, as in many guides to private registries.
pub struct SelfSigned {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl SelfSigned {
    /// A certificate for these hosts that is valid in these years. `openssl req -x509` also makes
    /// it an authority.
    pub fn new(hosts: &[&str], years: Range<i32>, is_authority: bool) -> Self {
        let names: Vec<_> = hosts.iter().copied().map(String::from).collect();
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.distinguished_name.push(DnType::CommonName, "registry");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let unconstrained = IsCa::Ca(BasicConstraints::Unconstrained);
        params.is_ca = if is_authority { unconstrained } else { IsCa::NoCa };
        let key = new_key();
        let certificate = params.self_signed(&key).expect("the key is whole");
        Self { certificate, key }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A TLS server with this certificate.
    pub fn server(&self) -> TlsAcceptor {
        let config = server_config().with_no_client_auth();
        acceptor(config, &self.certificate, &self.key, &["h2", "http/1.1"])
    }
}

/// A certificate and its key, as PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("loopback CA")
    }

    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = new_key();
        let certificate = params.self_signed(&key).expect("the key is whole");
        let pem = certificate.pem();
        Self { certificate: certificate.into(), pem, issuer: Issuer::new(params, key) }
    }

    /// The authority's certificate, to be trusted.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a client.
    pub fn client(&self) -> Signed {
        let key = new_key();
        let certificate = self.sign(&key, &["somebody"]);
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A server with these protocols. It accepts only clients with a certificate of this authority,
    /// or everyone if it is `None`.
    pub fn server(&self, protocols: &[&str], clients: Option<&Self>) -> TlsAcceptor {
        let key = new_key();
        let certificate = self.sign(&key, &NAMES);
        let config = match clients {
            None => server_config().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.certificate.clone()).expect("it is an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                let verifier = verifier.build().expect("there is a root");
                server_config().with_client_cert_verifier(verifier)
            }
        };
        acceptor(config, &certificate, &key, protocols)
    }

    fn sign(&self, key: &KeyPair, names: &[&str]) -> rcgen::Certificate {
        let names: Vec<_> = names.iter().copied().map(String::from).collect();
        CertificateParams::new(names)
            .and_then(|leaf| leaf.signed_by(key, &self.issuer))
            .expect("the names and both keys are valid")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_config() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
}

fn acceptor(
    config: ConfigBuilder<ServerConfig, WantsServerCert>,
    certificate: &rcgen::Certificate,
    key: &KeyPair,
    protocols: &[&str],
) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS #8");
    let mut config = config
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("the key belongs to the certificate");
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("ring makes keys of the default kind")
}
