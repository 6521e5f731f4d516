//! Repositories: where a rule searches for a version, `in` of a configuration.

use std::fmt;

use crate::image::{Repository, has_host};

/// The repositories that a rule searches; the image's own repository if it names none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Repositories(Vec<String>);

impl Repositories {
    /// Reads the names, which may contain `$name` and `$repository`.
    ///
    /// # Errors
    /// The first that is wrong, and why.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, String> {
        let names: Vec<_> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
        if names.is_empty() {
            return Err("`in` is empty".to_owned());
        }
        let example: Repository = "example.com/a/b".parse().expect("a name");
        names.iter().try_for_each(|name| {
            if !has_host(name) {
                return Err(format!(
                    "`{name}` in `in` starts with its registry, for example `docker.io/…`"
                ));
            }
            filled(name, &example).map(drop)
        })?;
        Ok(Self(names))
    }

    /// True if only the repository of the image itself is searched.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.0.is_empty()
    }

    /// The repositories to search for an image of this one, in order, each once.
    #[must_use]
    pub fn of(&self, repository: &Repository) -> Vec<Repository> {
        if self.0.is_empty() {
            return vec![repository.clone()];
        }
        let mut found: Vec<Repository> = Vec::new();
        for name in &self.0 {
            // A name that another fits can be too long for this one.
            if let Ok(name) = filled(name, repository)
                && !found.contains(&name)
            {
                found.push(name);
            }
        }
        found
    }
}

impl fmt::Display for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// A name with its variables filled in.
fn filled(name: &str, repository: &Repository) -> Result<Repository, String> {
    let path = repository.path();
    let last = path.rsplit('/').next().unwrap_or(path);
    let text = name.replace("$repository", path).replace("$name", last);
    if text.contains('$') {
        return Err(format!("unknown variable in `{name}`; there are $name and $repository"));
    }
    text.parse().map_err(|error| format!("`{name}` in `in` is not a repository: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in() {
        let asked: Repository = "docker.io/acme/tools/kubectl".parse().expect("a name");
        for (name, found) in [
            ("registry.k8s.io/kubectl", "registry.k8s.io/kubectl"),
            ("docker.io/bitnamilegacy/$name", "docker.io/bitnamilegacy/kubectl"),
            ("quay.io/$repository", "quay.io/acme/tools/kubectl"),
        ] {
            let repositories = Repositories::new([name, name]).expect("valid");
            let found: Vec<Repository> = vec![found.parse().expect("a name")];
            assert_eq!(repositories.of(&asked), found, "{name}");
        }
        assert_eq!(Repositories::default().of(&asked), [asked]);
    }

    #[test]
    fn a_wrong_name_says_what_is_wrong() {
        for (name, message) in [
            (
                "acme/kubectl",
                "`acme/kubectl` in `in` starts with its registry, for example `docker.io/…`",
            ),
            ("quay.io/$tag", "unknown variable in `quay.io/$tag`; there are $name and $repository"),
            (
                "quay.io/A",
                "`quay.io/A` in `in` is not a repository: uppercase `A` in repository `A`",
            ),
        ] {
            assert_eq!(Repositories::new([name]).expect_err(name), message);
        }
        assert!(Repositories::new(Vec::<String>::new()).is_err());
    }
}
