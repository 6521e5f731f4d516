//! Account: as whom a host is asked, and what came of it.
//!
//! A login that is sent as it is, and not to a token endpoint, is tried by one request alone, while
//! the others wait; once it is refused it is not sent again. Hosts lock out who sends a wrong
//! password a few times, and a stream has hundreds of tags.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::tokens::{Common, Token, Tokens};
use crate::credentials::Offer;

/// As whom a host is asked.
#[derive(Debug)]
pub(super) struct Account {
    /// None is nobody.
    pub(super) offer: Option<Offer>,
    pub(super) tokens: Tokens,
    standings: Mutex<HashMap<String, Shared>>,
}

/// What is known of a login; whoever finds out holds it.
pub(super) type Shared = Arc<tokio::sync::Mutex<Standing>>;

/// What is known of a login.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Untried,
    /// The host knows who it is, though it may not open everything.
    Known,
    Refused,
}

impl Account {
    /// The account of an offer, or of nobody.
    pub(super) fn new(offer: Option<Offer>, common: Arc<Common>) -> Self {
        Self { tokens: Tokens::new(common), offer, standings: Mutex::default() }
    }

    /// Announces repositories that the host will be asked for; those that the login is not for are
    /// left out.
    pub(super) fn expect(&self, names: &BTreeSet<String>) {
        let is_for = |name: &&String| self.offer.as_ref().is_none_or(|offer| offer.is_for(name));
        self.tokens.expect(names.iter().filter(is_for).cloned().collect());
    }

    /// What is known of the login that is about to be sent for a repository; none where it is none.
    pub(super) fn standing(&self, token: Option<&Token>, repository: &str) -> Option<Shared> {
        let extent = token?.login_extent(repository)?;
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        Some(standings.entry(extent.to_owned()).or_default().clone())
    }
}
