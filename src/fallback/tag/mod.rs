//! Tags: what the parts of a tag mean.
//!
//! A tag is a text without a grammar. This module reads the forms that people publish:
//!
//! | form | examples | source |
//! |---|---|---|
//! | semantic version | `1.2.3`, `v1.2.3-rc.1`, `1.2.3+k3s1` | semver.org 2.0.0 |
//! | two or four parts, or one | `16.2`, `7.0.11.4`, `15-alpine` | Docker's official images |
//! | Python's versions | `1.2.3rc1`, `1.2.3.post1`, `1.2.3.dev4` | PEP 440 |
//! | calendar version, date, time | `2024.01.15`, `20240115`, `RELEASE.2024-01-15T10-20-30Z` | calver.org, `minio/minio` |
//! | date or version with a commit | `v20231226-1a7112e06`, `1.2.3-5-gabc1234` | Kubernetes' image builds, `git describe` |
//! | update of Java 8 | `8u262-b10`, `jdk8u262` | JEP 322 |
//! | build number | `1.2.3-debian-12-r3`, `1.2.3-ls45`, `1.2.3-151`, `17.0.8_7`, `1.2.3-735.pro3` | Bitnami, linuxserver.io, Eclipse Temurin, RPM |
//! | a distribution's version of Kubernetes | `v1.27.4-eks-d96d92f`, `v1.8.7-rancher1` | the distributions' release notes |
//! | branch or commit | `main`, `main-3f2c1ab`, `sha-3f2c1ab` | docker/metadata-action |
//! | signature, attestation | `sha256-….sig`, `.att`, `.sbom` | cosign; OCI distribution spec 1.1, "Referrers tag schema" |
//!
//! Everything that decides between tags goes by a [`Reading`]: their order, which of them is near
//! another, and which differences are forbidden (`compare.rs`). A word that this module does not know
//! belongs to the identity of the image, as it may name another product.

mod compare;
mod difference;
mod distance;
mod pattern;
mod roles;
mod scan;
mod words;

use std::collections::BTreeSet;
use std::fmt;

use roles::{Role, role, version_token};
use scan::Form;

pub use compare::Near;
pub use difference::{Difference, OwnWords};
pub use distance::Distance;
pub use pattern::with_stars;

/// A tag, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    text: String,
    parts: Vec<Part>,
    version: Option<Version>,
    /// True for the signature or an attestation of another image.
    is_signature: bool,
}

/// A version without what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its numbers, at least one.
    pub numbers: Vec<u64>,
    /// True if a `v` stands before it.
    pub v: bool,
    /// True for a day or a point in time.
    pub is_date: bool,
}

/// A part of a tag, with the separator before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    separator: &'static str,
    text: String,
    role: Role,
}

impl Reading {
    /// Reads a tag. Every text can be read; what is no version has none.
    #[must_use]
    pub fn of(tag: &str) -> Self {
        let tokens = scan::tokens(tag);
        let chosen = version_token(&tokens);
        let version = chosen.and_then(|n| match &tokens[n].form {
            Form::Numbers(numbers, v) => {
                Some(Version { numbers: numbers.clone(), v: *v, is_date: false })
            }
            Form::Date(numbers, v) => {
                Some(Version { numbers: numbers.clone(), v: *v, is_date: true })
            }
            _ => None,
        });
        let mut parts: Vec<Part> = Vec::new();
        for (n, token) in tokens.iter().enumerate() {
            let before = parts.last();
            let role = role(token, before, n, chosen, tokens.get(n + 1));
            parts.push(Part { separator: token.separator, text: token.text.clone(), role });
        }
        Self { text: tag.to_owned(), parts, version, is_signature: is_signature(tag) }
    }

    /// The tag.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// True for the signature or an attestation of another image.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        self.is_signature
    }

    /// True if it is not released yet. A commit behind a version says that as well, as the version
    /// alone is the release.
    #[must_use]
    pub fn is_pre_release(&self) -> bool {
        let is_development = self.version.as_ref().is_some_and(|version| !version.is_date);
        self.parts.iter().any(|part| match part.role {
            Role::PreRelease => true,
            Role::Hash => is_development,
            _ => false,
        })
    }

    /// True if it names one image and is not expected to move: a version with a patch, a day, a build
    /// or a commit.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let is_exact = self.version.as_ref().is_some_and(Version::is_exact);
        is_exact || self.has(Role::Hash) || self.version.is_some() && !self.builds().is_empty()
    }

    /// The commit that it names.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        let part = self.parts.iter().find(|part| part.role == Role::Hash)?;
        Some(scan::hash(&part.text))
    }

    /// The distribution of Kubernetes that has added its own version.
    #[must_use]
    pub fn distribution(&self) -> Option<String> {
        let part = self.parts.iter().find(|part| part.role == Role::Distribution)?;
        let name = part.text.trim_end_matches(|c: char| c.is_ascii_digit());
        Some(name.to_ascii_lowercase())
    }

    /// The numbers of its builds, in order.
    #[must_use]
    pub fn builds(&self) -> Vec<u64> {
        self.numbers_of(Role::Build)
    }

    /// The words and numbers that say that it is not released yet, in the order of semantic
    /// versions: numbers before words.
    pub(super) fn pre_release(&self) -> Vec<(bool, u64, String)> {
        let parts = self.parts.iter().filter(|part| part.role == Role::PreRelease);
        let pieces = parts.flat_map(|part| {
            let text = part.text.to_ascii_lowercase();
            let word = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned();
            let numbers: Vec<_> =
                text[word.len()..].split('.').filter_map(|n| n.parse().ok()).collect();
            let word = (!word.is_empty()).then_some((true, 0, word));
            word.into_iter().chain(numbers.into_iter().map(|n| (false, n, String::new())))
        });
        pieces.collect()
    }

    fn numbers_of(&self, role: Role) -> Vec<u64> {
        let parts = self.parts.iter().filter(|part| part.role == role);
        let digits = |part: &Part| {
            let at = part.text.find(|c: char| c.is_ascii_digit()).unwrap_or(part.text.len());
            part.text[at..].split('.').filter_map(|n| n.parse().ok()).collect::<Vec<u64>>()
        };
        parts.flat_map(digits).collect()
    }

    fn has(&self, role: Role) -> bool {
        self.parts.iter().any(|part| part.role == role)
    }

    /// The architecture that it names.
    fn architectures(&self) -> BTreeSet<&'static str> {
        let architecture = |part: &Part| match part.role {
            Role::Architecture(name) => Some(name),
            _ => None,
        };
        self.parts.iter().filter_map(architecture).collect()
    }

    /// The words of a role, in lower case. A number belongs to the word before it.
    fn words(&self, role: Role) -> BTreeSet<String> {
        let mut words: Vec<String> = Vec::new();
        let mut is_open = false;
        for part in &self.parts {
            let is_own = part.role == role;
            let is_number = part.text.starts_with(|c: char| c.is_ascii_digit());
            match words.last_mut() {
                Some(last) if is_own && is_open && is_number => last.push_str(&part.text),
                _ if is_own => words.push(part.text.to_ascii_lowercase()),
                _ => {}
            }
            is_open = is_own;
        }
        words.into_iter().collect()
    }

    /// The parts and their meaning, for `explain`.
    pub fn described(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.parts.iter().map(|part| (part.role.name(), part.text.as_str()))
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Version {
    /// The number at a place; none if it is not written, as the patch of `1.2`.
    #[must_use]
    pub fn number(&self, n: usize) -> Option<u64> {
        self.numbers.get(n).copied()
    }

    /// True if it has a patch, or is a day.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_date || self.numbers.len() > 2
    }

    /// True if its first number is a year.
    #[must_use]
    pub fn is_calendar(&self) -> bool {
        self.is_date || (1990..2100).contains(&self.numbers[0])
    }
}

/// True for what cosign and the referrers API write beside an image: `sha256-….sig`.
fn is_signature(tag: &str) -> bool {
    let hex = tag.strip_prefix("sha256-").or_else(|| tag.strip_prefix("sha512-"));
    let is_digest = hex.is_some_and(|hex| {
        hex.len() >= 64 && hex.bytes().take(64).all(|byte| byte.is_ascii_hexdigit())
    });
    let suffixes = [".sig", ".att", ".sbom", ".cosign"];
    is_digest || suffixes.iter().any(|suffix| tag.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_told_from_images() {
        let digest = "0".repeat(64);
        for (tag, is) in [
            (format!("sha256-{digest}.sig"), true),
            (format!("sha256-{digest}"), true),
            ("v1.2.3.sbom".to_owned(), true),
            ("sha256-3f2c1ab".to_owned(), false),
            ("v1.2.3".to_owned(), false),
        ] {
            assert_eq!(Reading::of(&tag).is_signature(), is, "{tag}");
        }
    }
}
