//! Token: what is sent to a registry to say who asks, and what it is for.

use reqwest::header::HeaderValue;

use super::token_request::Granted;

/// A token, or a login that is sent as it is.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    pub(super) kind: Kind,
}

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A token for this many repositories, more than one.
    Shared(usize),
    /// A token for one repository.
    Own,
    /// A user and a password, and no token.
    Password,
    /// A token of an auth file.
    Given,
}

impl Token {
    /// A token that was given for this many repositories.
    pub(super) fn new(granted: Granted, repositories: usize) -> Self {
        let kind = if repositories > 1 { Kind::Shared(repositories) } else { Kind::Own };
        Self { header: granted.header, kind }
    }

    /// The part of a host that a 401 closes to a login: everything for a password (RFC 7617, 2), the
    /// repository for a token of an auth file. None if this is no login.
    pub(super) fn login_extent<'r>(&self, repository: &'r str) -> Option<&'r str> {
        match self.kind {
            Kind::Password => Some(""),
            Kind::Given => Some(repository),
            Kind::Shared(_) | Kind::Own => None,
        }
    }

    /// How many repositories it is for, if it is a token for several.
    pub(super) fn shared_by(&self) -> Option<usize> {
        match self.kind {
            Kind::Shared(width) => Some(width),
            _ => None,
        }
    }
}
