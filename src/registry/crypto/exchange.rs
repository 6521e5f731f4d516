//! Exchange: the exchange of keys over P-521 (RFC 8446, 4.2.8.2; RFC 8422, 5.10).

use p521::elliptic_curve::sec1::ToSec1Point as _;
use p521::elliptic_curve::zeroize::Zeroizing;
use p521::{PublicKey, SecretKey};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup, ring};
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// Bytes of a secret key: 521 bits.
const SECRET: usize = 66;

/// The first byte of a point with both coordinates. TLS has no other (RFC 8446, 4.2.8.2).
const UNCOMPRESSED: u8 = 4;

/// The exchange of keys over P-521.
#[derive(Debug)]
pub(super) struct P521;

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = new_secret()?;
        let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Box::new(Started { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

/// An exchange that waits for the other side. The secret is wiped when it is dropped.
struct Started {
    secret: SecretKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let wrong = || Error::from(PeerMisbehaved::InvalidKeyShare);
        if peer.first() != Some(&UNCOMPRESSED) {
            return Err(wrong());
        }
        let peer = PublicKey::from_sec1_bytes(peer).map_err(|_| wrong())?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

/// A secret key from the random bytes of ring, as those of other curves are.
fn new_secret() -> Result<SecretKey, Error> {
    let random = ring::default_provider().secure_random;
    loop {
        let mut bytes = Zeroizing::new([0; SECRET]);
        random.fill(bytes.as_mut())?;
        // 521 bits have one in the first byte. Nearly all numbers of that length are keys.
        bytes[0] &= 1;
        if let Ok(secret) = SecretKey::from_slice(bytes.as_ref()) {
            return Ok(secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_same_secret() {
        let [one, other] = [0, 1].map(|_| P521.start().expect("there are random bytes"));
        let [from_one, from_other] = [&one, &other].map(|side| side.pub_key().to_vec());
        assert_eq!(from_one.len(), 1 + 2 * SECRET);
        assert_ne!(from_one, from_other);
        let one = one.complete(&from_other).expect("it is a point");
        let other = other.complete(&from_one).expect("it is a point");
        assert_eq!(one.secret_bytes(), other.secret_bytes());
        assert_eq!(one.secret_bytes().len(), SECRET);
    }

    #[test]
    fn what_is_no_point_is_refused() {
        let start = || P521.start().expect("there are random bytes");
        let point = start().pub_key().to_vec();
        let mut compressed = point[..=SECRET].to_vec();
        compressed[0] = 2;
        let mut off_curve = point.clone();
        *off_curve.last_mut().expect("it is long") ^= 1;
        for wrong in [&[][..], &[0], &compressed, &off_curve, &point[..SECRET]] {
            assert!(start().complete(wrong).is_err(), "{wrong:?}");
        }
    }
}
