//! The repositories and tags of a registry, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::faults::{Fault, Misbehaviour};
use super::tokens::TokenRules;
use crate::support::accounts::Account;

/// The content of a registry, and how it behaves.
pub struct Content {
    pub(super) tags: Tags,
    pub(super) authentication: Authentication,
    pub(super) latency: Duration,
    /// The most requests that may wait for their answers at the same time.
    pub(super) most: Option<usize>,
    pub(super) page_limit: usize,
    pub(super) links: Links,
    /// The highest `n` that a request for a list may have.
    pub(super) max_n: Option<usize>,
    pub(super) api_version: bool,
    pub(super) header_limit: Option<(usize, Box<Misbehaviour>)>,
    pub(super) faults: Vec<Fault>,
}

/// How a page of a list points to the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// With a `Link` header.
    Proper,
    /// Without any header.
    Missing,
    /// With a header without `rel`.
    WithoutRelation,
    /// With a header without `<` and `>`.
    WithoutBrackets,
    /// With a header with single quotes.
    SingleQuotes,
    /// With a header on every page, also on the empty pages after the last.
    Endless,
    /// Without any header, and `last` is ignored, so every request gets the first page.
    FirstPage,
    /// There is only one page, whatever `n` and `last` are.
    OnePage,
}

pub(super) enum Tags {
    Every,
    Listed(BTreeMap<String, BTreeSet<String>>),
}

pub(super) enum Authentication {
    Open,
    Tokens(TokenRules),
    Basic(Vec<Account>),
    /// Only for these accounts. Others get this status and code, and no challenge.
    Hidden(Vec<Account>, u16, &'static str),
}

impl Content {
    /// Every repository with every valid tag. The lists have the tags that were requested so far.
    pub fn everything() -> Self {
        Self::with(Tags::Every)
    }

    /// Only these repositories with these tags.
    pub fn of(repositories: &[(&str, &[&str])]) -> Self {
        let owned = |tags: &[&str]| tags.iter().copied().map(String::from).collect();
        let listed = repositories.iter();
        let listed = listed.map(|(name, tags)| ((*name).to_owned(), owned(tags)));
        Self::with(Tags::Listed(listed.collect()))
    }

    /// Requires a Bearer token for each repository.
    #[must_use]
    pub fn with_tokens(mut self, rules: TokenRules) -> Self {
        self.authentication = Authentication::Tokens(rules);
        self
    }

    /// Requires a user and a password of one of these accounts. An empty list denies everyone.
    #[must_use]
    pub fn with_basic(mut self, accounts: &[Account]) -> Self {
        self.authentication = Authentication::Basic(accounts.to_vec());
        self
    }

    /// Hides everything from all but these accounts. Others get this status and code, and no
    /// challenge.
    #[must_use]
    pub fn hidden(mut self, accounts: &[Account], status: u16, code: &'static str) -> Self {
        self.authentication = Authentication::Hidden(accounts.to_vec(), status, code);
        self
    }

    /// Applies this fault to each request with a longer Authorization header.
    #[must_use]
    pub fn with_header_limit(mut self, limit: usize, misbehaviour: Misbehaviour) -> Self {
        self.header_limit = Some((limit, Box::new(misbehaviour)));
        self
    }

    /// Answers 429 to a request while this many others wait for their answers.
    #[must_use]
    pub fn refusing_above(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Delays every answer, including those for tokens.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Puts at most this many tags on a page, whatever `n` asks for.
    #[must_use]
    pub fn with_page_limit(mut self, page_limit: usize) -> Self {
        self.page_limit = page_limit;
        self
    }

    /// Sets how a list points to its next page.
    #[must_use]
    pub fn with_links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// Answers 400 to a request for a list with a higher `n`.
    #[must_use]
    pub fn with_max_n(mut self, max_n: usize) -> Self {
        self.max_n = Some(max_n);
        self
    }

    /// Sends the header Docker-Distribution-Api-Version with every answer that is not a fault.
    #[must_use]
    pub fn with_api_version(mut self) -> Self {
        self.api_version = true;
        self
    }

    /// Adds a fault after the existing ones.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    fn with(tags: Tags) -> Self {
        Self {
            tags,
            authentication: Authentication::Open,
            latency: Duration::ZERO,
            most: None,
            page_limit: usize::MAX,
            links: Links::Proper,
            max_n: None,
            api_version: false,
            header_limit: None,
            faults: Vec::new(),
        }
    }
}
