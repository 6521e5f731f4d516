//! Digests: an algorithm and a hash, built only by parsing or by hashing.

use std::fmt;
use std::str::FromStr;

use crate::image::ParseError;

/// The hash function of a digest (OCI image spec 1.1, "Registered algorithms").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `sha256`, 64 hex digits.
    Sha256,
    /// `sha512`, 128 hex digits.
    Sha512,
}

impl Algorithm {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The name, as it stands before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// A digest whose algorithm is known and whose hex is lower case and of the right length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash in lower-case hex.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The digest of `content`.
    #[must_use]
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        use fmt::Write as _;
        use sha2::Digest as _;
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("a string takes all");
                hex
            })
        };
        let hex = match algorithm {
            Algorithm::Sha256 => hex(&sha2::Sha256::digest(content)),
            Algorithm::Sha512 => hex(&sha2::Sha512::digest(content)),
        };
        Self { algorithm, hex }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let Some((name, hex)) = text.split_once(':') else {
            return Err(ParseError::new(format!("digest `{text}` has no algorithm")));
        };
        let Some(algorithm) = Algorithm::parse(name) else {
            return Err(ParseError::new(format!(
                "unknown algorithm `{name}` in digest `{text}`, expected sha256 or sha512"
            )));
        };
        if let Some(wrong) = hex.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(ParseError::new(format!(
                "`{wrong}` is not a lower-case hex digit in digest `{text}`"
            )));
        }
        if hex.len() != algorithm.hex_digits() {
            return Err(ParseError::new(format!(
                "digest `{text}` has {} hex digits, expected {}",
                hex.len(),
                algorithm.hex_digits()
            )));
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_content_are_those_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), format!("sha256:{empty}"));
        assert_eq!(Digest::of(Algorithm::Sha512, b"").hex().len(), 128);
    }
}
