//! Crypto: the cryptography of TLS connections. It is that of ring, and the curve P-521, which ring does
//! not have: signatures of servers, client keys, and the exchange of keys.
//!
//! With TLS 1.2, a server's key has to be on a curve that keys can be exchanged with (RFC 8422, 5.1), so
//! that a server with a P-521 key needs all of it.

mod client_key;
mod exchange;
mod verification;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, ring};

/// The cryptography of all connections.
pub(super) static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = ring::default_provider();
    let known = provider.signature_verification_algorithms;
    provider.signature_verification_algorithms = verification::and_p521(known);
    // The last: it is slower than the others, and few servers want nothing else.
    provider.kx_groups.push(&exchange::P521);
    provider.key_provider = &client_key::Keys;
    Arc::new(provider)
});
