//! Token authentication: the rules of a registry, and its tokens.

use super::request::{Request, parameter};
use crate::support::accounts::{Account, SECRET};

/// The rules for the tokens of a registry.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// The result of a token request with several scopes.
    pub many_scopes: ManyScopes,
    /// Says if the challenge names the scope.
    pub challenge_scope: ChallengeScope,
    /// Challenges to send before the Bearer challenge, each as a separate header line.
    pub other_challenges: Vec<String>,
    /// Another realm instead of the registry's own `/token`.
    pub realm: Option<String>,
    /// The name of the token's field: `token` or `access_token`.
    pub field: &'static str,
    /// In seconds; `None` leaves the field out. The registry itself never forgets a token.
    pub expires_in: Option<u64>,
    /// The status of every token request, instead of a token.
    pub status: Option<u16>,
    /// The number of bytes that each scope adds to a token.
    pub bytes_per_scope: usize,
    /// Gives each project, the first part of a name, its own realm. It gives no token for another
    /// project.
    pub realm_per_project: bool,
    /// The answers that have the challenge.
    pub challenge_at: ChallengeAt,
    /// The status and code for a repository that a token gives no access to, instead of a 401.
    pub unopened: Option<(u16, &'static str)>,
    /// The accounts that get tokens, with their repositories; if it is empty, everyone gets tokens
    /// for everything.
    pub accounts: Vec<Account>,
    /// The status for all other accounts.
    pub refusal: u16,
}

/// The result of a token request with several scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManyScopes {
    /// One token for all scopes.
    Granted,
    /// Status 400.
    Refused,
    /// A token for the first scope only. The answer does not mention the others.
    FirstOnly,
    /// A token for the last scope only.
    LastOnly,
    /// This status.
    Fails(u16),
    /// No answer.
    Hangs,
}

/// The answers to requests without a token that have the challenge. The others are a bare 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeAt {
    /// All answers.
    Everywhere,
    /// Only answers to GET.
    Get,
    /// Only the answer to `/v2/`.
    Ping,
}

/// Says if a Bearer challenge names the scope that it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeScope {
    /// `scope="repository:NAME:pull"`.
    Named,
    /// No `scope` at all.
    Omitted,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            many_scopes: ManyScopes::Granted,
            challenge_scope: ChallengeScope::Named,
            other_challenges: Vec::new(),
            realm: None,
            field: "token",
            expires_in: Some(300),
            status: None,
            bytes_per_scope: 0,
            realm_per_project: false,
            challenge_at: ChallengeAt::Everywhere,
            unopened: None,
            accounts: Vec::new(),
            refusal: 401,
        }
    }
}

/// The Authorization header with the n-th token of a registry, counted from 0.
pub fn bearer(n: usize) -> String {
    format!("Bearer {}", issued(n))
}

pub(super) fn issued(n: usize) -> String {
    format!("{SECRET}-{n}")
}

/// The first part of a repository's name.
pub(super) fn project(repository: &str) -> &str {
    repository.split('/').next().unwrap_or_default()
}

impl TokenRules {
    /// The account of a token request, by its Authorization header or by the token to be exchanged.
    pub(super) fn account(&self, request: &Request) -> Option<Account> {
        if self.accounts.is_empty() {
            return Some(Account::nobody());
        }
        let field = |name: &str| parameter(&request.body, name).next().unwrap_or_default();
        let identity = field("refresh_token");
        let exchange = request.method == "POST" && field("grant_type") == "refresh_token";
        let asks = |account: &&Account| match request.method.as_str() {
            "POST" => exchange && account.exchanges(&identity),
            _ => account.sends(request.authorization.as_deref()),
        };
        self.accounts.iter().find(asks).cloned()
    }

    pub(super) fn bearer(&self, url: &str, repository: Option<&str>) -> String {
        let mut realm = self.realm.clone().unwrap_or_else(|| format!("{url}/token"));
        if self.realm_per_project {
            realm.push_str("?project=");
            realm.push_str(project(repository.unwrap_or_default()));
        }
        let scope = match (self.challenge_scope, repository) {
            (ChallengeScope::Named, Some(name)) => format!(",scope=\"repository:{name}:pull\""),
            _ => String::new(),
        };
        format!("Bearer realm=\"{realm}\",service=\"loopback\"{scope}")
    }
}
