//! Globs over the full names of repositories: `quay.io/**`, `docker.io/library/*`.

use std::fmt;

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::Repository;
use crate::text::escape::quoted;

/// Bytes of the longest glob. The longest name of a repository has 255 (OCI distribution specification).
const LONGEST: usize = 1024;

/// Braces in braces of a glob. `globset` compiles a glob to a regular expression, which may not be nested
/// deeper than 250 groups, and panics otherwise.
const DEEPEST: usize = 10;

/// Globs of one list. Each is compared with each repository, so that this bounds the time for an image.
const MOST: usize = 1000;

/// Globs over full repository names, in which `*` stays within a path segment and `**` does not.
#[derive(Debug, Default, Clone)]
pub struct Globs(Vec<GlobMatcher>);

impl Globs {
    /// Reads them.
    ///
    /// # Errors
    /// The first that is wrong, and what is wrong with it.
    pub fn new(globs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, WrongGlob> {
        let globs = globs.into_iter().map(|glob| glob_of(glob.as_ref()));
        let globs = globs.take(MOST + 1).map(|glob| Ok(glob?.compile_matcher()));
        let globs: Vec<_> = globs.collect::<Result<_, _>>()?;
        if globs.len() > MOST {
            return Err(WrongGlob(format!("there are more than {MOST} globs in one list")));
        }
        Ok(Self(globs))
    }

    /// Reads globs that have to be able to fit something.
    ///
    /// # Errors
    /// The first that is wrong or can fit no full name, and why.
    pub fn of_names(globs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, WrongGlob> {
        let globs = Self::new(globs)?;
        for glob in globs.0.iter().map(|glob| glob.glob().glob()) {
            if glob.is_empty() {
                return Err(WrongGlob("an empty glob matches no image".to_owned()));
            }
            if let Some(reason) = no_name(glob) {
                return Err(WrongGlob(format!("{} can't match an image: {reason}", quoted(glob))));
            }
        }
        Ok(globs)
    }

    /// True if one of them fits.
    #[must_use]
    pub fn fit(&self, repository: &Repository) -> bool {
        self.fitting(repository).is_some()
    }

    /// The first of them that fits.
    #[must_use]
    pub fn fitting(&self, repository: &Repository) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let name = repository.to_string();
        self.0.iter().find(|glob| glob.is_match(&name)).map(|glob| glob.glob().glob())
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if one of them is the full name of a repository, without a wildcard.
    #[must_use]
    pub fn name(&self, repository: &Repository) -> bool {
        let name = repository.to_string();
        self.0.iter().any(|glob| glob.glob().glob() == name)
    }

    /// Those that fit none of these repositories.
    pub fn unused<'g>(
        &'g self,
        repositories: &[&Repository],
    ) -> impl Iterator<Item = &'g str> + use<'g> {
        // Without globs no name is needed.
        let repositories = if self.is_empty() { &[] } else { repositories };
        let names: Vec<_> = repositories.iter().map(ToString::to_string).collect();
        let idle = move |glob: &&GlobMatcher| !names.iter().any(|name| glob.is_match(name));
        self.0.iter().filter(idle).map(|glob| glob.glob().glob())
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

/// The reason why a glob can fit no full name, if it can't.
fn no_name(glob: &str) -> Option<&'static str> {
    if !glob.contains(['/', '{']) && !glob.contains("**") {
        return Some("a full name has a registry, for example `docker.io/library/nginx`");
    }
    // Brackets and braces may match anything.
    let is_plain = !glob.contains(['[', '{', '\\']);
    let path = glob.split_once('/').map_or(glob, |(_, path)| path);
    if glob.contains("://") {
        return Some("a name has no scheme");
    }
    if is_plain && path.contains([':', '@']) {
        return Some("it is compared with names, which have no tag and no digest");
    }
    if is_plain
        && (path.chars().any(|c| c.is_ascii_uppercase()) || glob.contains(char::is_whitespace))
    {
        return Some("a name has no capital letter and no space");
    }
    None
}

/// Reads a glob, in which `*` stays within a path segment and `**` does not.
///
/// # Errors
/// It is wrong, too long, or nested too deep.
pub(crate) fn glob_of(text: &str) -> Result<Glob, WrongGlob> {
    if text.len() > LONGEST {
        return Err(WrongGlob(format!("a glob has more than {LONGEST} bytes")));
    }
    if depth(text) > DEEPEST {
        return Err(WrongGlob(format!("a glob has more than {DEEPEST} nested braces")));
    }
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    glob.map_err(|error| WrongGlob(error.to_string()))
}

/// The depth of nested braces in a glob. An escaped brace counts too.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The error of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongGlob(String);

impl fmt::Display for WrongGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_segment_unless_it_is_doubled() {
        for (glob, repository, fits) in [
            ("docker.io/library/*", "nginx", true),
            ("docker.io/*", "nginx", false),
            ("docker.io/**", "nginx", true),
            ("registry.svc:5000/**", "registry.svc:5000/a/b", true),
            ("nginx", "nginx", false),
            ("{quay.io,ghcr.io}/**", "ghcr.io/a", true),
        ] {
            let globs = Globs::new([glob]).expect("valid");
            let repository: Repository = repository.parse().expect("a name");
            assert_eq!(globs.fit(&repository), fits, "{glob} {repository}");
        }
        assert!(Globs::new(["a["]).is_err());
    }

    #[test]
    fn a_glob_that_can_fit_no_name_says_why() {
        let wrong = |glob| Globs::of_names([glob]).err().map(|error| error.to_string());
        for glob in ["**", "a**", "{nginx,a/b}", "quay.io/*"] {
            assert_eq!(wrong(glob), None, "{glob}");
        }
        assert_eq!(wrong("").as_deref(), Some("an empty glob matches no image"));
        let nginx = "`nginx` can't match an image: a full name has a registry, for example `docker.io/library/nginx`";
        assert_eq!(wrong("nginx").as_deref(), Some(nginx));
        assert!(wrong("a/[").is_some_and(|message| message.starts_with("error parsing glob")));
    }

    #[test]
    fn globs_have_limits() {
        let nested = |depth| format!("{}a/b{}", "{".repeat(depth), "}".repeat(depth));
        assert!(Globs::new([nested(10)]).is_ok());
        assert!(Globs::new(["a".repeat(1024)]).is_ok());
        for (globs, message) in [
            (vec![nested(11)], "a glob has more than 10 nested braces"),
            (vec![nested(250)], "a glob has more than 10 nested braces"),
            (vec!["a".repeat(1025)], "a glob has more than 1024 bytes"),
            (vec!["a/b".to_owned(); 1001], "there are more than 1000 globs in one list"),
        ] {
            assert_eq!(Globs::new(globs).expect_err("refused").to_string(), message);
        }
        for worst in
            ["{a,b}".repeat(200), "**/".repeat(300), "[!a-z]".repeat(170), "?".repeat(1024)]
        {
            assert!(Globs::new([worst]).is_ok(), "it compiles");
        }
    }
}
