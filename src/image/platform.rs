//! Platforms: what an image runs on, as `linux/arm64` (OCI image index, "platform").

use std::fmt;
use std::str::FromStr;

use super::ParseError;

/// An operating system and an architecture, with its variant where that matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// A platform by its parts, in the words of Go (`GOOS`, `GOARCH`).
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_owned);
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant }
    }

    /// True if it is none: attestations stand in an index as for `unknown/unknown`.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    /// True if an image that offers this one runs where `wanted` is asked for. The variant counts
    /// where it is asked for; `v8` of `arm64` is the only one there is, and need not be said.
    #[must_use]
    pub fn offers(&self, wanted: &Self) -> bool {
        let variant = |platform: &Self| match (platform.architecture.as_str(), &platform.variant) {
            ("arm64", None) => Some("v8".to_owned()),
            (_, variant) => variant.clone(),
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || variant(self) == variant(wanted))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = ParseError;

    /// Reads `OS/ARCH` or `OS/ARCH/VARIANT`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts: Vec<_> = text.split('/').collect();
        let is_word = |part: &&str| {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            !part.is_empty() && part.bytes().all(plain)
        };
        match parts.as_slice() {
            [os, architecture, rest @ ..] if rest.len() < 2 && parts.iter().all(is_word) => {
                Ok(Self::new(os, architecture, rest.first().copied()))
            }
            _ => Err(ParseError::new(format!("`{text}` is not a platform such as linux/amd64"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_read_and_compared() {
        let platform = |text: &str| text.parse::<Platform>().expect(text);
        for (offered, wanted, fits) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("windows/amd64", "linux/amd64", false),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm", "linux/arm/v7", false),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
        ] {
            assert_eq!(platform(offered).offers(&platform(wanted)), fits, "{offered} {wanted}");
        }
        for text in
            ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "Linux/amd64", "linux amd64"]
        {
            let message = format!("`{text}` is not a platform such as linux/amd64");
            assert_eq!(text.parse::<Platform>().expect_err(text).to_string(), message);
        }
        assert_eq!(platform("linux/arm/v7").to_string(), "linux/arm/v7");
    }
}
