//! Roles: what each part of a tag is, by its form, its word and its neighbours.

use super::Part;
use super::scan::{Form, Token};
use super::words::{self, Meaning};

/// The role of a part of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
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

impl Role {
    /// A word for it, as reports write it.
    pub(super) fn name(self) -> &'static str {
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

/// The token that is the version: the first with a `v`, else the first day or number with a dot, else
/// the first number. A number that belongs to the word before it is the last choice: `12` in
/// `debian-12`, but `1.2.3` in `alpine-1.2.3`.
pub(super) fn version_token(tokens: &[Token]) -> Option<usize> {
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

/// The role of a token. `before` is the part before it, `chosen` the token that is the version.
pub(super) fn role(
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

#[cfg(test)]
mod tests {
    use crate::fallback::tag::Reading;

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
}
