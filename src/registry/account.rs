//! Account: a login for a host, or none, and what is known about it.
//!
//! The first request that sends a login to a host goes alone, and the others wait for its result. A login
//! that was refused is not sent again. Hosts lock users out after a few wrong passwords, and a stream
//! has hundreds of tags.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::token::Token;
use super::tokens::{Common, Tokens};
use crate::credentials::Offer;

/// A login for a host, or none.
#[derive(Debug)]
pub(super) struct Account {
    /// None for anonymous requests.
    pub(super) offer: Option<Offer>,
    pub(super) tokens: Tokens,
    standings: Mutex<HashMap<String, Shared>>,
}

/// The state of a login. The request that tries the login holds the lock.
pub(super) type Shared = Arc<tokio::sync::Mutex<Standing>>;

/// The state of a login.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Untried,
    /// The host accepts it, though perhaps not for every repository.
    Known,
    Refused,
}

impl Account {
    /// The account of an offer; an anonymous one without an offer.
    pub(super) fn new(offer: Option<Offer>, common: Arc<Common>) -> Self {
        Self { tokens: Tokens::new(common), offer, standings: Mutex::default() }
    }

    /// Announces repositories that will be requested. Those that the login is not for are left out.
    pub(super) fn expect(&self, names: &BTreeSet<String>) {
        let is_for = |name: &&String| self.offer.as_ref().is_none_or(|offer| offer.is_for(name));
        self.tokens.expect(names.iter().filter(is_for).cloned().collect());
    }

    /// The state of the login for a repository; none if there is no login for it.
    pub(super) fn standing(&self, token: Option<&Token>, repository: &str) -> Option<Shared> {
        let extent = token?.login_extent(repository)?;
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        Some(standings.entry(extent.to_owned()).or_default().clone())
    }
}
