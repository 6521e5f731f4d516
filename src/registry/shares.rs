//! Shares: which repositories share one token.
//!
//! A token is first asked for with as many scopes as a URL can hold. If a server can't handle such a
//! token, shares get smaller, for all repositories of the host and until the end of the run.

use std::collections::{BTreeSet, HashMap};

/// How long the scopes of one token request may be together. Servers take at least 8 KiB of
/// request line; the rest of it needs room too.
pub(super) const MAX_SCOPES: usize = 4 << 10;

/// The repositories of a host, in groups whose scopes fit into one URL.
#[derive(Debug)]
pub(super) struct Shares {
    groups: Vec<Vec<String>>,
    /// The group of each repository, and its position there.
    places: HashMap<String, (usize, usize)>,
    /// The most repositories that share a token.
    widest: usize,
    /// Repositories that a shared token did not open.
    alone: BTreeSet<String>,
    /// True if a shared token is known to open more than one of its repositories.
    is_trusted: bool,
}

/// The repositories of one token. It is found in constant time; [`Shares::names`] lists them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Share {
    /// One repository.
    One(String),
    /// One repository, with its own realm.
    OwnRealm(String),
    /// A part of a group: its position among parts of this width.
    Part { group: usize, width: usize, part: usize },
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            places: HashMap::new(),
            widest: usize::MAX,
            alone: BTreeSet::new(),
            is_trusted: false,
        }
    }
}

impl Shares {
    /// Announces repositories that will be asked for.
    pub(super) fn expect(&mut self, mut repositories: BTreeSet<String>) {
        repositories.retain(|name| !self.places.contains_key(name));
        for group in groups(repositories) {
            let n = self.groups.len();
            let places = group.iter().enumerate().map(|(at, name)| (name.clone(), (n, at)));
            self.places.extend(places);
            self.groups.push(group);
        }
    }

    /// The share that a repository belongs to.
    pub(super) fn of(&self, repository: &str) -> Share {
        match self.places.get(repository) {
            Some(&(group, at)) if !self.alone.contains(repository) => {
                let width = self.widest.min(self.groups[group].len());
                if width > 1 {
                    return Share::Part { group, width, part: at / width };
                }
                Share::One(repository.to_owned())
            }
            _ => Share::One(repository.to_owned()),
        }
    }

    /// The repositories of a share. The one that is asked for now stands neither first nor last:
    /// some servers grant only the first scope or the last, and the answer has to show it.
    pub(super) fn names(&self, share: &Share, asked: &str) -> Vec<String> {
        match share {
            Share::One(name) | Share::OwnRealm(name) => vec![name.clone()],
            Share::Part { group, width, part } => {
                let names = self.groups[*group].chunks(*width).nth(*part).unwrap_or_default();
                let mut names = names.to_vec();
                let middle = names.len() / 2;
                if let Some(at) = names.iter().position(|name| name == asked) {
                    names.swap(at, middle);
                }
                names
            }
        }
    }

    /// Lets at most this many repositories share a token from now on.
    pub(super) fn narrow(&mut self, width: usize) {
        if width < self.widest {
            self.widest = width.max(1);
            self.is_trusted = false;
        }
    }

    /// Gives a repository a token of its own from now on.
    pub(super) fn set_alone(&mut self, repository: &str) {
        self.alone.insert(repository.to_owned());
    }

    /// Notes that a shared token opened a repository.
    pub(super) fn trust(&mut self) {
        self.is_trusted = true;
    }

    /// True if shared tokens are known to work.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted
    }
}

/// The scope that allows to read a repository.
pub(super) fn pull_scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

fn groups(repositories: BTreeSet<String>) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut room = 0;
    for repository in repositories {
        // Colons and slashes are escaped to three bytes each.
        let slashes = repository.matches('/').count();
        let cost = "&scope=".len() + pull_scope(&repository).len() + 2 * (2 + slashes);
        match groups.last_mut() {
            Some(group) if cost <= room => {
                group.push(repository);
                room -= cost;
            }
            _ => {
                groups.push(vec![repository]);
                room = MAX_SCOPES.saturating_sub(cost);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> BTreeSet<String> {
        (0..n).map(|n| format!("team/project/image-{n:03}")).collect()
    }

    #[test]
    fn scopes_are_grouped_so_that_a_request_line_holds_them() {
        let groups = groups(names(500));
        assert_eq!(groups.iter().flatten().cloned().collect::<BTreeSet<_>>(), names(500));
        for group in &groups {
            let scopes = group.iter().map(|name| ("scope", pull_scope(name)));
            let url = reqwest::Url::parse_with_params("https://a.io/t", scopes).expect("valid");
            assert!(url.as_str().len() < MAX_SCOPES + 20);
        }
        assert!(groups.len() < 10);
    }

    #[test]
    fn shares_get_smaller_and_never_larger() {
        let mut shares = Shares::default();
        shares.expect(names(10));
        let name = "team/project/image-007";
        let width = |shares: &Shares| shares.names(&shares.of(name), name).len();
        assert_eq!(width(&shares), 10);
        shares.trust();
        for (narrow, expected) in [(4, 4), (8, 4), (3, 3), (0, 1)] {
            shares.narrow(narrow);
            assert_eq!(width(&shares), expected, "{narrow}");
        }
        assert!(!shares.is_trusted());
        let share = shares.of(name);
        assert_eq!(shares.names(&share, name), [name]);
    }

    #[test]
    fn the_repository_that_is_asked_for_is_neither_first_nor_last() {
        let mut shares = Shares::default();
        shares.expect(names(5));
        for name in names(5) {
            let names = shares.names(&shares.of(&name), &name);
            assert!(names[0] != name && names[4] != name && names.contains(&name), "{names:?}");
        }
    }

    #[test]
    fn a_repository_that_is_alone_shares_nothing() {
        let mut shares = Shares::default();
        shares.expect(names(5));
        let name = "team/project/image-001";
        shares.set_alone(name);
        assert_eq!(shares.of(name), Share::One(name.to_owned()));
        assert!(matches!(shares.of("team/project/image-002"), Share::Part { .. }));
    }
}
