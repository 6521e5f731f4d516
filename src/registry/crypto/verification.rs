//! Verification: signatures by keys on the curve P-521.
//!
//! Corporate authorities use it, also with the shorter hashes: `openssl req` takes SHA-256 by default.

use p521::ecdsa::signature::hazmat::PrehashVerifier as _;
use p521::ecdsa::{DerSignature, VerifyingKey};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// ECDSA over P-521 with one hash.
#[derive(Debug)]
struct EcdsaP521 {
    hash: fn(&[u8]) -> Vec<u8>,
    signature: AlgorithmIdentifier,
}

static SHA256: EcdsaP521 =
    EcdsaP521 { hash: |message| Sha256::digest(message).to_vec(), signature: alg_id::ECDSA_SHA256 };
static SHA384: EcdsaP521 =
    EcdsaP521 { hash: |message| Sha384::digest(message).to_vec(), signature: alg_id::ECDSA_SHA384 };
static SHA512: EcdsaP521 =
    EcdsaP521 { hash: |message| Sha512::digest(message).to_vec(), signature: alg_id::ECDSA_SHA512 };

impl SignatureVerificationAlgorithm for EcdsaP521 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::try_from(signature).map_err(|_| InvalidSignature)?;
        key.verify_prehash(&(self.hash)(message), &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// These algorithms and those of P-521. The lists stay in memory for ever: call it once.
pub(super) fn and_p521(known: WebPkiSupportedAlgorithms) -> WebPkiSupportedAlgorithms {
    // In TLS 1.2, a scheme names the hash alone, and the certificate has the curve. In TLS 1.3 only
    // the first algorithm of a scheme counts.
    let with_p521 = |&(scheme, own): &(SignatureScheme, &[Algorithm])| {
        let mut algorithms = own.to_vec();
        match scheme {
            SignatureScheme::ECDSA_NISTP256_SHA256 => algorithms.push(&SHA256),
            SignatureScheme::ECDSA_NISTP384_SHA384 => algorithms.push(&SHA384),
            _ => {}
        }
        leaked(scheme, algorithms)
    };
    let mut mapping: Vec<_> = known.mapping.iter().map(with_p521).collect();
    mapping.push(leaked(SignatureScheme::ECDSA_NISTP521_SHA512, vec![&SHA512]));
    let mut all = known.all.to_vec();
    all.extend([&SHA256 as Algorithm, &SHA384, &SHA512]);
    WebPkiSupportedAlgorithms { all: all.leak(), mapping: mapping.leak() }
}

fn leaked(
    scheme: SignatureScheme,
    algorithms: Vec<Algorithm>,
) -> (SignatureScheme, &'static [Algorithm]) {
    (scheme, algorithms.leak())
}
