//! Globs over the full names of repositories: `quay.io/**`, `docker.io/library/*`.

use std::fmt;

use globset::{Glob, GlobMatcher};

use super::Repository;
use crate::text::escape::quoted;

/// Globs over full repository names, in which `*` stays within a path segment and `**` does not.
#[derive(Debug, Default, Clone)]
pub struct Globs(Vec<GlobMatcher>);

impl Globs {
    /// Reads them.
    ///
    /// # Errors
    /// The first that is wrong, and what is wrong with it.
    pub fn new(globs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, WrongGlob> {
        let globs = globs.into_iter().map(|glob| compiled(glob.as_ref()));
        globs.collect::<Result<_, _>>().map(Self)
    }

    /// Reads globs that have to be able to fit something.
    ///
    /// # Errors
    /// The first that is wrong or can fit no full name, and why.
    pub fn of_names(globs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, WrongGlob> {
        let globs = Self::new(globs)?;
        // Every full name has a slash.
        let fits_none = |text: &&str| !text.contains(['/', '{']) && !text.contains("**");
        match globs.0.iter().map(|glob| glob.glob().glob()).find(fits_none) {
            None => Ok(globs),
            Some("") => Err(WrongGlob("an empty glob fits no image".to_owned())),
            Some(text) => Err(WrongGlob(format!(
                "{} can fit no image: a full name has a registry, as `docker.io/library/nginx`",
                quoted(text)
            ))),
        }
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

fn compiled(text: &str) -> Result<GlobMatcher, WrongGlob> {
    let glob = globset::GlobBuilder::new(text).literal_separator(true).build();
    glob.as_ref().map(Glob::compile_matcher).map_err(|error| WrongGlob(error.to_string()))
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
        assert_eq!(wrong("").as_deref(), Some("an empty glob fits no image"));
        let nginx =
            "`nginx` can fit no image: a full name has a registry, as `docker.io/library/nginx`";
        assert_eq!(wrong("nginx").as_deref(), Some(nginx));
        assert!(wrong("a/[").is_some_and(|message| message.starts_with("error parsing glob")));
    }
}
