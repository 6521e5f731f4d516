//! References: a repository with a tag or a digest, and the text that it was parsed from.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Digest;
use super::name::{
    Asked, ParseError, Repository, Tag, check_text, is_ipv6_start, parse_name, parse_tag,
};

impl FromStr for Asked {
    type Err = ParseError;

    /// Parses a reference without a digest, whose tag may be invalid.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse() {
            Ok(Reference::Tagged(tagged)) => Ok(Self::from(&tagged)),
            Ok(Reference::Pinned(_)) => {
                Err(ParseError::new(format!("`{text}` already has a digest")))
            }
            Err(error) => error.asked().cloned().ok_or(error),
        }
    }
}

impl From<&Tagged> for Asked {
    fn from(tagged: &Tagged) -> Self {
        Self { repository: tagged.repository.clone(), tag: tagged.tag.to_string() }
    }
}

impl TryFrom<&Asked> for Tagged {
    type Error = ParseError;

    /// The same reference, if its tag is valid.
    fn try_from(asked: &Asked) -> Result<Self, ParseError> {
        Ok(Self { repository: asked.repository.clone(), tag: asked.tag.parse()? })
    }
}

impl Asked {
    /// `text`, which asks for this, with a substitute and its digest: the name stays as it was
    /// written, unless the substitute is in another repository.
    #[must_use]
    pub fn substituted(
        &self,
        text: &str,
        substitute: &Tagged,
        digest: &Digest,
        form: PinForm,
    ) -> String {
        let untagged = text.strip_suffix(&self.tag).and_then(|text| text.strip_suffix(':'));
        let name = if substitute.repository == self.repository {
            untagged.unwrap_or(text).to_owned()
        } else {
            substitute.repository.to_string()
        };
        match form {
            PinForm::TagDigest => format!("{name}:{}@{digest}", substitute.tag),
            PinForm::Digest => format!("{name}@{digest}"),
        }
    }
}

/// A repository and a tag in it: what a registry is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tagged {
    /// The repository.
    pub repository: Repository,
    /// The tag; `latest` where none was written.
    pub tag: Tag,
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// A repository and the digest of a manifest in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pinned {
    /// The repository.
    pub repository: Repository,
    /// The tag beside the digest, which no one resolves any more.
    pub tag: Option<Tag>,
    /// The digest.
    pub digest: Digest,
}

impl Pinned {
    /// The repository and the tag, if there is a tag beside the digest.
    #[must_use]
    pub fn tagged(&self) -> Option<Tagged> {
        Some(Tagged { repository: self.repository.clone(), tag: self.tag.clone()? })
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        write!(f, "@{}", self.digest)
    }
}

/// An image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Names a tag, or none, which means `latest`.
    Tagged(Tagged),
    /// Names a digest.
    Pinned(Pinned),
}

impl Reference {
    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        match self {
            Self::Tagged(tagged) => &tagged.repository,
            Self::Pinned(pinned) => &pinned.repository,
        }
    }

    /// The repository, where no digest says which of its images is meant.
    #[must_use]
    pub fn tagged_repository(&self) -> Option<&Repository> {
        match self {
            Self::Tagged(tagged) => Some(&tagged.repository),
            Self::Pinned(_) => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(tagged) => tagged.fmt(f),
            Self::Pinned(pinned) => pinned.fmt(f),
        }
    }
}

impl FromStr for Reference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Ok(Written::from_str(text)?.reference)
    }
}

/// The form of a pin behind the name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PinForm {
    /// `name:tag@sha256:…`: a person can still read the version.
    #[default]
    TagDigest,
    /// `name@sha256:…`
    Digest,
}

/// A reference together with the text that it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    text: String,
    /// Bytes of the text that are the name: all before the tag or digest.
    name: usize,
    reference: Reference,
}

impl Written {
    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text without its digest, if it has one.
    #[must_use]
    pub fn undigested(&self) -> &str {
        self.text.split('@').next().unwrap_or(&self.text)
    }

    /// The name as it was written, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[..self.name]
    }

    /// The reference.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The text with `digest` in the place of any other, the name and the tag as they were written.
    #[must_use]
    pub fn pinned(&self, digest: &Digest, form: PinForm) -> String {
        let kept = match form {
            PinForm::TagDigest => self.undigested(),
            PinForm::Digest => self.name(),
        };
        format!("{kept}@{digest}")
    }
}

impl FromStr for Written {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        check_text(text)?;
        let (tagged, digest) = match text.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to a port.
        let path = tagged.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match tagged[path..].split_once(':') {
            Some((last, tag)) if !is_ipv6_start(tagged) || path > 0 => {
                (&tagged[..path + last.len()], Some(tag))
            }
            _ => (tagged, None),
        };
        let tag = tag.map(|tag| (tag, parse_tag(tag, name)));
        let repository = match (&tag, parse_name(name)) {
            (Some((_, Err(error))), Err(_)) => return Err(error.clone()),
            (_, repository) => repository?,
        };
        let tag = match tag {
            Some((tag, Err(error))) if !tag.is_empty() && digest.is_none() => {
                let asked = Asked { repository, tag: tag.to_owned() };
                return Err(error.with_asked(asked));
            }
            tag => tag.map(|(_, tag)| tag).transpose()?,
        };
        let reference = match digest {
            Some("") => return Err(ParseError::new(format!("empty digest after `{tagged}@`"))),
            Some(digest) => Reference::Pinned(Pinned { repository, tag, digest: digest.parse()? }),
            None => Reference::Tagged(Tagged { repository, tag: tag.unwrap_or_else(Tag::latest) }),
        };
        Ok(Self { name: name.len(), reference, text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "1ccb821e1a4edf4cb6b35449e1ec9d03c9098d9a19361a06c0e8f6fc6dd2117a";

    #[test]
    fn short_names_are_completed_as_docker_does() {
        for (text, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("acme/web:1", "docker.io/acme/web:1"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("index.docker.io/acme/web:1", "docker.io/acme/web:1"),
            ("registry-1.docker.io/library/redis:7", "docker.io/library/redis:7"),
            ("localhost:5000/a:1", "localhost:5000/a:1"),
            ("localhost/a", "localhost/a:latest"),
            ("host:5000/a", "host:5000/a:latest"),
            ("host:5000", "docker.io/library/host:5000"),
            ("Quay.IO/a/b/c:V1_x", "quay.io/a/b/c:V1_x"),
            ("[::1]:5000/a:1", "[::1]:5000/a:1"),
            ("registry.k8s.io/a__b/c--d/e.f:_x", "registry.k8s.io/a__b/c--d/e.f:_x"),
        ] {
            assert_eq!(text.parse::<Reference>().map(|r| r.to_string()).as_deref(), Ok(full));
        }
    }

    #[test]
    fn a_digest_makes_a_reference_pinned() {
        for (text, full) in [
            (format!("a@sha256:{HEX}"), format!("docker.io/library/a@sha256:{HEX}")),
            (format!("a:1@sha256:{HEX}"), format!("docker.io/library/a:1@sha256:{HEX}")),
            (format!("h:5/a@sha512:{HEX}{HEX}"), format!("h:5/a@sha512:{HEX}{HEX}")),
        ] {
            let reference: Reference = text.parse().expect("valid");
            assert!(matches!(reference, Reference::Pinned(_)), "{text}");
            assert_eq!(reference.to_string(), full);
        }
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        let long_tag = format!("a:{}", "t".repeat(129));
        let long_name = format!("{}n", "n/".repeat(128));
        let long_official = "n".repeat(250);
        let upper = format!("a@sha256:{}", HEX.to_uppercase());
        let md5 = "a@md5:d41d8cd98f00b204e9800998ecf8427e";
        for (text, message) in [
            ("", "empty image reference"),
            ("web:", "empty tag after `web:`"),
            ("Web:1", "uppercase `W` in repository `Web`"),
            ("web@sha256:12", "digest `sha256:12` has 2 hex digits, expected 64"),
            ("web@", "empty digest after `web@`"),
            ("web@12", "digest `12` has no algorithm"),
            (
                md5,
                "unknown algorithm `md5` in digest `md5:d41d8cd98f00b204e9800998ecf8427e`, expected sha256 or sha512",
            ),
            (
                &upper,
                &format!(
                    "`C` is not a lower-case hex digit in digest `sha256:{}`",
                    HEX.to_uppercase()
                ),
            ),
            ("web:v1.16+", "`+` is not allowed in tag `v1.16+`"),
            ("web:-1", "tag `-1` starts with `-`"),
            (&long_tag, "the tag has 129 characters, at most 128 are allowed"),
            (&long_name, "the repository's name has 257 characters, at most 255 are allowed"),
            (&long_official, "the repository's name has 258 characters, at most 255 are allowed"),
            ("a//b", "empty component in repository `a//b`"),
            ("quay.io/", "empty component in repository ``"),
            ("a/-b", "`-b` in repository `a/-b` starts or ends with `-`"),
            ("a..b", "`..` is not a separator in repository `a..b`"),
            ("a$b", "`$` is not allowed in repository `a$b`"),
            ("nginx :1", "white space in `nginx :1`"),
            ("nginx\n", "a control character in `nginx\\n`"),
            ("docker://nginx", "`docker://` is not part of an image reference"),
            ("-a.io/b", "`-a.io` is not a host name"),
            ("a.io:x/b", "`x` is not a port in host `a.io:x`"),
            ("[::1/b", "`]` is missing in host `[::1`"),
            ("[1::g]/b", "`1::g` is not an IPv6 address"),
            (HEX, &format!("`{HEX}` is an image ID, not a name")),
        ] {
            assert_eq!(text.parse::<Reference>().expect_err(text).to_string(), message);
        }
    }

    #[test]
    fn a_reference_with_an_invalid_tag_still_says_what_was_asked_for() {
        let error = "clastix/kubectl:v1.16+".parse::<Reference>().expect_err("invalid");
        assert_eq!(
            error.asked().map(ToString::to_string).as_deref(),
            Some("docker.io/clastix/kubectl:v1.16+")
        );
        for text in ["web:", "Web:1+", "web:1+@sha256:12", "nginx :1"] {
            assert_eq!(text.parse::<Reference>().expect_err("invalid").asked(), None, "{text}");
        }
    }

    #[test]
    fn a_substitute_keeps_the_name_unless_it_is_elsewhere() {
        let digest: Digest = format!("sha256:{HEX}").parse().expect("valid");
        for (text, substitute, expected) in [
            ("clastix/kubectl:v1.32", "clastix/kubectl:v1.31", "clastix/kubectl:v1.31"),
            ("redis", "redis:7", "redis:7"),
            ("h:5/a:1+", "h:5/a:1", "h:5/a:1"),
            ("bitnami/redis:7", "bitnamilegacy/redis:7", "docker.io/bitnamilegacy/redis:7"),
        ] {
            let asked: Asked = text.parse().expect("a repository and a tag");
            let Ok(Reference::Tagged(substitute)) = substitute.parse() else { panic!("a tag") };
            let written = asked.substituted(text, &substitute, &digest, PinForm::TagDigest);
            assert_eq!(written, format!("{expected}@{digest}"));
        }
    }

    #[test]
    fn a_pin_keeps_the_name_as_it_was_written() {
        let digest: Digest = format!("sha256:{HEX}").parse().expect("valid");
        for (text, tag_digest, only_digest) in [
            ("redis:7", "redis:7@", "redis@"),
            ("redis", "redis@", "redis@"),
            ("h:5/Redis".to_lowercase().as_str(), "h:5/redis@", "h:5/redis@"),
            ("docker.io/a:1", "docker.io/a:1@", "docker.io/a@"),
        ] {
            let written: Written = text.parse().expect("valid");
            assert_eq!(
                written.pinned(&digest, PinForm::TagDigest),
                format!("{tag_digest}{digest}")
            );
            assert_eq!(written.pinned(&digest, PinForm::Digest), format!("{only_digest}{digest}"));
        }
    }

    proptest! {
        #[test]
        fn a_valid_reference_keeps_its_meaning_by_its_full_name(
            text in "([a-z]{1,8}[.][a-z]{2,3}(:[1-9][0-9]{0,3})?/)?[a-z0-9]{1,8}((__|[._]|-{1,3})[a-z0-9]{1,4})?(/[a-z0-9]{1,8}){0,3}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?(@sha256:[0-9a-f]{64})?",
        ) {
            let written: Written = text.parse().expect("made by the grammar");
            prop_assert_eq!(written.text(), &text);
            let full = written.reference().to_string();
            prop_assert_eq!(&full.parse::<Reference>(), &Ok(written.reference().clone()));
            prop_assert_eq!(text.contains('@'), matches!(written.reference(), Reference::Pinned(_)));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,80}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let full = reference.to_string();
                prop_assert_eq!(full.parse::<Reference>(), Ok(reference));
            }
        }
    }
}
