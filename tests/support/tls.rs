//! Certificates for loopback: an authority, what it signs, and servers that show it or ask for it.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore};

/// Loopback, and names that only a proxy knows.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "registry.example", "token.example"];

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A certificate and its key, as PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "loopback CA");
        let key = new_key();
        let certificate = params.self_signed(&key).expect("the key is whole");
        let pem = certificate.pem();
        Self { certificate: certificate.into(), pem, issuer: Issuer::new(params, key) }
    }

    /// Its certificate, to be trusted.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a client.
    pub fn client(&self) -> Signed {
        let key = new_key();
        let certificate = self.sign(&key, &["somebody"]);
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A server that speaks these protocols. It lets in whoever these authorities have signed, or
    /// everyone where there is none.
    pub fn server(&self, protocols: &[&str], clients: Option<&Self>) -> TlsAcceptor {
        let key = new_key();
        let certificate = self.sign(&key, &NAMES);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3");
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.certificate.clone()).expect("it is an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("there is a root"))
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS #8");
        let mut config = config
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key belongs to the certificate");
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    fn sign(&self, key: &KeyPair, names: &[&str]) -> rcgen::Certificate {
        let names: Vec<_> = names.iter().copied().map(String::from).collect();
        CertificateParams::new(names)
            .and_then(|leaf| leaf.signed_by(key, &self.issuer))
            .expect("the names and both keys are valid")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("ring makes keys of the default kind")
}
