//! The repositories and tags of a registry, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::faults::{Fault, Misbehaviour};
use super::tokens::TokenRules;
use crate::support::accounts::Account;

/// What a registry has, and how it behaves.
pub struct Content {
    pub(super) tags: Tags,
    pub(super) authentication: Authentication,
    pub(super) latency: Duration,
    /// The most requests that may wait for their answers at the same time.
    pub(super) most: Option<usize>,
    pub(super) page_limit: usize,
    pub(super) links: Links,
    /// The most tags that a page may be asked for.
    pub(super) max_n: Option<usize>,
    pub(super) api_version: bool,
    pub(super) header_limit: Option<(usize, Box<Misbehaviour>)>,
    pub(super) faults: Vec<Fault>,
}

/// How a list of tags leads to its next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// By a `Link` header.
    Proper,
    /// By nothing.
    Missing,
    /// By a header without `rel`.
    WithoutRelation,
    /// By a header without `<` and `>`.
    WithoutBrackets,
    /// By a header with single quotes.
    SingleQuotes,
    /// By nothing, and `last` is not understood: there is only the first page.
    FirstPage,
    /// Not at all: there is one page, whatever `n` and `last` are.
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
    /// Open to these accounts alone, with this status and code for others and no challenge.
    Hidden(Vec<Account>, u16, &'static str),
}

impl Content {
    /// Every repository with every valid tag; the lists have the tags that were asked for so far.
    pub fn everything() -> Self {
        Self::with(Tags::Every)
    }

    /// These repositories with these tags and nothing else.
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

    /// Requires a user and a password of one of these; none of them denies everyone.
    #[must_use]
    pub fn with_basic(mut self, accounts: &[Account]) -> Self {
        self.authentication = Authentication::Basic(accounts.to_vec());
        self
    }

    /// Hides everything from others than these: they get this status and code, and no challenge.
    #[must_use]
    pub fn hidden(mut self, accounts: &[Account], status: u16, code: &'static str) -> Self {
        self.authentication = Authentication::Hidden(accounts.to_vec(), status, code);
        self
    }

    /// Meets each request with a longer Authorization header so.
    #[must_use]
    pub fn with_header_limit(mut self, limit: usize, misbehaviour: Misbehaviour) -> Self {
        self.header_limit = Some((limit, Box::new(misbehaviour)));
        self
    }

    /// Answers 429 to a request while so many others wait for their answers.
    #[must_use]
    pub fn refusing_above(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Delays every answer, those for tokens too.
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

    /// Leads to the next page of a list so.
    #[must_use]
    pub fn with_links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// Answers 400 to a list with a higher `n`.
    #[must_use]
    pub fn with_max_n(mut self, max_n: usize) -> Self {
        self.max_n = Some(max_n);
        self
    }

    /// Sends the header Docker-Distribution-Api-Version with every answer that is no fault.
    #[must_use]
    pub fn with_api_version(mut self) -> Self {
        self.api_version = true;
        self
    }

    /// Adds a fault behind those already there.
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
