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
mod scan;
mod words;

use std::collections::BTreeSet;
use std::fmt;

use scan::{Form, Token};
use words::Meaning;

pub use compare::{Difference, Distance, Near, OwnWords};

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

/// What a part of a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Version,
    /// Not released yet: a word, or the number behind it.
    PreRelease,
    /// The number of a build, or the word before it.
    Build,
    /// A distribution of Kubernetes, or its number.
    Distribution,
    /// Build metadata without a meaning: what stands behind a `+`, which no registry takes.
    Metadata,
    Hash,
    Channel,
    Architecture(&'static str),
    /// A base system, or its version.
    Base,
    /// A flavour, or its version.
    Flavour,
    /// A word that is not known.
    Product,
    Nothing,
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

    /// What follows the version, without what a distribution of Kubernetes has added and without
    /// metadata.
    #[must_use]
    pub fn suffix_without_distribution(&self) -> String {
        self.suffix_without(&[Role::Distribution, Role::Metadata])
    }

    /// What follows the version, without the numbers of builds.
    #[must_use]
    pub fn suffix_without_builds(&self) -> String {
        self.suffix_without(&[Role::Build])
    }

    /// What follows the version as a regular expression that fits what a distribution of Kubernetes
    /// adds to the next version as well; and what a template has instead, without that.
    #[must_use]
    pub fn generalised_suffix(&self) -> (String, String) {
        let behind = self.parts.iter().skip_while(|part| part.role != Role::Version).skip(1);
        let (mut pattern, mut kept) = (String::new(), String::new());
        let mut is_metadata = false;
        for part in behind {
            let is_dropped = matches!(part.role, Role::Distribution | Role::Metadata);
            is_metadata |= part.separator == "+";
            if is_dropped && part.separator == "+" {
                pattern.push_str("\\+[^-]*");
            } else if is_dropped && is_metadata && part.separator == "." {
                // The pattern for the piece before it fits it as well.
            } else if is_dropped {
                pattern.push_str(&regex::escape(part.separator).replace("\\-", "-"));
                pattern.push_str(&numbers_generalised(&part.text));
            } else {
                let separator = part.separator.replace('+', "-");
                kept.extend([&separator, &part.text].map(String::as_str));
                let separator = if part.separator == "+" { "\\+" } else { part.separator };
                pattern.push_str(&separator.replace('.', "\\."));
                pattern.push_str(&regex::escape(&part.text).replace("\\-", "-"));
            }
        }
        if self.text.ends_with('+') {
            pattern.push_str("\\+");
        }
        (pattern, kept)
    }

    /// The tag without what stands behind a `+`, which no registry takes, if it has one. A flavour
    /// or an architecture there stays.
    #[must_use]
    pub fn without_metadata(self) -> Self {
        match self.around() {
            Some((before, after)) if after.contains('+') => {
                let version = self.version_text().unwrap_or_default();
                Self::of(&format!("{before}{version}{}", self.suffix_without_distribution()))
            }
            _ => self,
        }
    }

    fn suffix_without(&self, roles: &[Role]) -> String {
        let behind = self.parts.iter().skip_while(|part| part.role != Role::Version).skip(1);
        let kept = behind.filter(|part| !roles.contains(&part.role));
        // No tag has a `+`.
        let separated = |part: &Part| part.separator.replace('+', "-") + &part.text;
        kept.map(separated).collect()
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

    /// The tag with a mark in place of each part that the next release changes: its version, the
    /// numbers of pre-releases and builds, a distribution's version and a commit. Tags of one series
    /// have one pattern.
    #[must_use]
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        let mut last = None;
        for part in &self.parts {
            let role = part.role;
            // `r` in `-r12` and `eks` in `-eks-1-27` say which kind of number it is.
            let word = part.text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
            let mark = match role {
                Role::Version => self.version_mark().to_owned(),
                Role::Build => format!("{word}{{build}}"),
                Role::Distribution => format!("{word}{{distribution}}"),
                Role::Hash => "{commit}".to_owned(),
                // `1.2.3` and `1.2.3-rc.1` are of one series; a rule says whether it takes both.
                Role::PreRelease | Role::Metadata => String::new(),
                _ => part.text.clone(),
            };
            // One mark stands for all pieces of `eks-1-27-10`.
            let is_marked = matches!(role, Role::Build | Role::Distribution);
            let is_more_of_it = is_marked && last == Some(role);
            if !is_more_of_it && !mark.is_empty() {
                pattern.push_str(part.separator);
                pattern.push_str(&mark);
            }
            last = Some(role);
        }
        pattern
    }

    /// The same pattern with or without a `v` before the version.
    #[must_use]
    pub fn pattern_with(&self, v: bool) -> String {
        let pattern = self.pattern();
        let mark = self.version_mark();
        let plain = mark.trim_start_matches('v');
        pattern.replacen(mark, &if v { format!("v{plain}") } else { plain.to_owned() }, 1)
    }

    fn version_mark(&self) -> &'static str {
        match &self.version {
            Some(Version { is_date: true, v: true, .. }) => "v{date}",
            Some(Version { is_date: true, .. }) => "{date}",
            Some(Version { v: true, .. }) => "v{version}",
            _ => "{version}",
        }
    }

    /// The text before the version and the text behind it; the `v` belongs to the first.
    #[must_use]
    pub fn around(&self) -> Option<(&str, &str)> {
        let mut at = 0;
        for part in &self.parts {
            let start = at + self.text[at..].find(&part.text)?;
            let end = start + part.text.len();
            if part.role == Role::Version {
                let v = usize::from(self.version.as_ref()?.v);
                return Some((&self.text[..start + v], &self.text[end..]));
            }
            at = end;
        }
        None
    }

    /// The version as it is written, without `v`.
    #[must_use]
    pub fn version_text(&self) -> Option<&str> {
        let (before, after) = self.around()?;
        Some(&self.text[before.len()..self.text.len() - after.len()])
    }

    /// The parts and what they mean, for people.
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
    /// The number at a place; none where it is not written, as the patch of `1.2`.
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

impl Role {
    /// A word for it, as reports write it.
    fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::PreRelease => "pre-release",
            Self::Build => "build",
            Self::Distribution => "distribution",
            Self::Metadata => "metadata",
            Self::Hash => "commit",
            Self::Channel => "channel",
            Self::Architecture(_) => "architecture",
            Self::Base => "base",
            Self::Flavour => "flavour",
            Self::Product => "name",
            Self::Nothing => "system",
        }
    }
}

/// A word as a regular expression in which every number, and every commit, is any.
fn numbers_generalised(word: &str) -> String {
    if scan::is_hash(word) {
        return "[0-9a-f]+".to_owned();
    }
    let mut pattern = String::new();
    let mut is_number = false;
    for c in word.chars() {
        match c {
            '0'..='9' if is_number => {}
            '0'..='9' => pattern.push_str("[0-9]+"),
            c => pattern.push_str(&regex::escape(&c.to_string())),
        }
        is_number = c.is_ascii_digit();
    }
    pattern
}

/// A pattern as people write it, with a star for each mark.
#[must_use]
pub fn with_stars(pattern: &str) -> String {
    ["{version}", "{date}", "{build}", "{distribution}", "{commit}"]
        .iter()
        .fold(pattern.to_owned(), |pattern, mark| pattern.replace(mark, "*"))
}

/// The token that is the version: the first with a `v`, else the first day or number with a dot, else
/// the first number. A number that belongs to the word before it is the last choice: `12` in
/// `debian-12`, but `1.2.3` in `alpine-1.2.3`.
fn version_token(tokens: &[Token]) -> Option<usize> {
    let rank = |n: usize| {
        let token = &tokens[n];
        let (parts, v, is_date) = match &token.form {
            Form::Numbers(numbers, v) => (numbers.len(), *v, false),
            Form::Date(_, v) => (1, *v, true),
            _ => return None,
        };
        let is_behind_word = n > 0
            && matches!(token.separator, "-" | "_" | ".")
            && is_word_without_number(&tokens[n - 1])
            && !matches!(
                words::meaning(&tokens[n - 1].text),
                None | Some(Meaning::Channel | Meaning::Nothing)
            );
        // `10` in `jdk-12.0.2_10` is the build of the version before it.
        let is_build = n > 0 && token.separator == "_" && is_number(&tokens[n - 1]);
        let is_first_behind_nothing = token.separator.is_empty() && n > 0;
        let has_owner =
            is_behind_word && !v || is_build || is_first_behind_nothing || token.is_metadata;
        Some((has_owner, !v, !(is_date || parts > 1), n))
    };
    (0..tokens.len()).filter_map(rank).min().map(|(.., n)| n)
}

/// True for `debian`, whose number may follow; false for `debian12`, which has it.
fn is_word_without_number(token: &Token) -> bool {
    token.form == Form::Word && !token.text.ends_with(|c: char| c.is_ascii_digit())
}

fn is_number(token: &Token) -> bool {
    matches!(token.form, Form::Numbers(..))
}

/// What a token is. `before` is the part before it, `chosen` the token that is the version.
fn role(
    token: &Token,
    before: Option<&Part>,
    n: usize,
    chosen: Option<usize>,
    after: Option<&Token>,
) -> Role {
    if chosen == Some(n) {
        return Role::Version;
    }
    let is_after_version = chosen.is_some_and(|chosen| chosen < n);
    let last = before.map(|part| part.role);
    match token.form {
        Form::Word => word_role(token, is_after_version, last, after),
        Form::Hash if last == Some(Role::Distribution) => Role::Distribution,
        Form::Hash if token.is_metadata => Role::Metadata,
        Form::Hash => Role::Hash,
        Form::Numbers(..) | Form::Date(..) => {
            match words::meaning(&token.text) {
                Some(Meaning::Architecture(name))
                    if is_after_version && last != Some(Role::Build) =>
                {
                    return Role::Architecture(name);
                }
                _ => {}
            }
            match last {
                Some(
                    last @ (Role::PreRelease
                    | Role::Distribution
                    | Role::Base
                    | Role::Flavour
                    | Role::Product
                    | Role::Metadata
                    | Role::Build),
                ) => last,
                _ if token.is_metadata => Role::Metadata,
                _ if is_after_version => Role::Build,
                // Before the version: `15` in `15-3.4` says with which database a tool goes.
                _ => Role::Product,
            }
        }
    }
}

fn word_role(
    token: &Token,
    is_after_version: bool,
    last: Option<Role>,
    after: Option<&Token>,
) -> Role {
    let is_number = |after: &Token| after.form != Form::Word;
    let has_number =
        token.text.ends_with(|c: char| c.is_ascii_digit()) || after.is_some_and(is_number);
    // `a1` and `b2` are pre-releases only where they touch the version (PEP 440).
    let is_attached = token.separator.is_empty() && last == Some(Role::Version);
    let letters = token.text.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase();
    if is_attached && matches!(letters.as_str(), "a" | "b" | "c") && has_number {
        return Role::PreRelease;
    }
    if matches!(letters.as_str(), "sha" | "git" | "commit")
        && after.is_some_and(|after| after.form == Form::Hash)
    {
        return Role::Channel;
    }
    match words::meaning(&token.text) {
        // `735.pro3`, `1.fc39`: what stands behind the number of a build and a dot counts it further.
        None if last == Some(Role::Build) && token.separator == "." && has_number => Role::Build,
        Some(Meaning::Architecture(name)) => Role::Architecture(name),
        Some(Meaning::Base) => Role::Base,
        Some(Meaning::Flavour) => Role::Flavour,
        Some(Meaning::PreRelease) => Role::PreRelease,
        Some(Meaning::Channel) => Role::Channel,
        Some(Meaning::Nothing) => Role::Nothing,
        Some(Meaning::Build) if is_after_version && has_number => Role::Build,
        Some(Meaning::Build) if letters == "build" => Role::Channel,
        Some(Meaning::Distribution) if is_after_version && (has_number || token.is_metadata) => {
            Role::Distribution
        }
        _ if token.is_metadata => Role::Metadata,
        _ => Role::Product,
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
    fn the_parts_of_a_tag_are_known() {
        for (tag, expected) in [
            ("v1.2.3", "version v1.2.3"),
            ("1.2.3-rc.1", "version 1.2.3, pre-release rc, pre-release 1"),
            ("1.2.3rc1", "version 1.2.3, pre-release rc1"),
            ("1.2.3b2", "version 1.2.3, pre-release b2"),
            ("15-alpine3.19", "version 15, base alpine3.19"),
            ("7.0.11-debian-11-r12", "version 7.0.11, base debian, base 11, build r12"),
            ("RELEASE.2021-10-07T04-19-58Z", "channel RELEASE, version 2021-10-07T04-19-58Z"),
            ("v20231226-1a7112e06", "version v20231226, commit 1a7112e06"),
            ("main-v1.61.20-stable", "channel main, version v1.61.20, channel stable"),
            ("litellm_v1", "name litellm, version v1"),
            ("arm64-1.2.3", "architecture arm64, version 1.2.3"),
            ("alpine-1.2.3", "base alpine, version 1.2.3"),
            ("cuda12-1.2.3", "flavour cuda12, version 1.2.3"),
            ("pr-45", "pre-release pr, version 45"),
            ("v1.8.7-rancher1", "version v1.8.7, distribution rancher1"),
            ("1.34.1-eks-d96d92f", "version 1.34.1, distribution eks, distribution d96d92f"),
            ("v1.29.6-gke.1038001", "version v1.29.6, distribution gke, distribution 1038001"),
            (
                "v1.32.4+vmware.1-fips.1",
                "version v1.32.4, distribution vmware, distribution 1, flavour fips, flavour 1",
            ),
            ("1.27.4+k3s1-arm64", "version 1.27.4, distribution k3s1, architecture arm64"),
            ("1.2.3+build", "version 1.2.3, channel build"),
            ("1.2.3+x", "version 1.2.3, metadata x"),
            ("v2.176.3-151", "version v2.176.3, build 151"),
            ("2024.04.0-735.pro3", "version 2024.04.0, build 735, build pro3"),
            ("ubuntu2204-2024.04.0-735", "base ubuntu2204, version 2024.04.0, build 735"),
            ("1.2.3-735.web", "version 1.2.3, build 735, name web"),
            ("jdk-12.0.2_10-slim", "flavour jdk, version 12.0.2, build 10, flavour slim"),
            ("jdk8u262-b10", "flavour jdk, version 8u262, build b10"),
            (
                "3.9.6-eclipse-temurin-17",
                "version 3.9.6, name eclipse, flavour temurin, flavour 17",
            ),
            ("15-3.4-alpine", "name 15, version 3.4, base alpine"),
            ("1.2.3-linux-amd64", "version 1.2.3, system linux, architecture amd64"),
            ("sha-3f2c1ab", "channel sha, commit 3f2c1ab"),
            ("1.2.3-386", "version 1.2.3, architecture 386"),
            ("latest", "channel latest"),
        ] {
            let parts = Reading::of(tag);
            let parts: Vec<_> =
                parts.described().map(|(role, text)| format!("{role} {text}")).collect();
            assert_eq!(parts.join(", "), expected, "{tag}");
        }
    }

    #[test]
    fn tags_of_one_series_have_one_pattern() {
        for (one, other, same) in [
            ("v1.2.3", "v1.3.0", true),
            ("v1.2.3", "1.3.0", false),
            ("main-v1.2.3", "main-v1.2.2", true),
            ("15-alpine", "16-alpine", true),
            ("15-alpine3.19", "16-alpine3.20", false),
            ("1.2.5-debian-12-r3", "1.2.4-debian-12-r10", true),
            ("1.2.5-debian-12-r3", "1.2.4-debian-12", false),
            ("2024.01.15", "2024.02.01", true),
            ("RELEASE.2021-10-07T04-19-58Z", "RELEASE.2021-10-08T23-58-24Z", true),
            ("v20231226-1a7112e06", "v20231011-8b53cabe0", true),
            ("1.2.3", "1.2.3-rc.1", true),
            ("release-1.21", "release-1.20", true),
        ] {
            let equal = Reading::of(one).pattern() == Reading::of(other).pattern();
            assert_eq!(equal, same, "{one} {other}");
        }
    }

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
