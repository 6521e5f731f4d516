//! Token authentication: the rules of a registry, and the tokens that it issues.

use super::request::{Request, parameter};
use crate::support::accounts::{Account, SECRET};

/// How a registry with token authentication hands out tokens.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// What a token request with several scopes gets.
    pub many_scopes: ManyScopes,
    /// Whether the challenge names the scope.
    pub challenge_scope: ChallengeScope,
    /// Challenges to send before the Bearer one, each as a header line of its own.
    pub other_challenges: Vec<String>,
    /// Another realm than the registry's own `/token`.
    pub realm: Option<String>,
    /// The name of the token's field: `token` or `access_token`.
    pub field: &'static str,
    /// Seconds; the field is left out for `None`. The registry itself never forgets a token.
    pub expires_in: Option<u64>,
    /// Answer each token request with this status instead of a token.
    pub status: Option<u16>,
    /// Bytes that each scope adds to a token.
    pub bytes_per_scope: usize,
    /// A realm for each project, the first part of a name; it gives no token for another project.
    pub realm_per_project: bool,
    /// Which answers have the challenge.
    pub challenge_at: ChallengeAt,
    /// The status and code of a repository that a token does not open, instead of a 401.
    pub unopened: Option<(u16, &'static str)>,
    /// Who gets tokens, and for what; where there is nobody, everyone does for everything.
    pub accounts: Vec<Account>,
    /// The status for all others.
    pub refusal: u16,
}

/// What a token request with several scopes gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManyScopes {
    /// One token for all of them.
    Granted,
    /// Status 400.
    Refused,
    /// A token for the first scope alone, without a word about the others.
    FirstOnly,
    /// A token for the last scope alone.
    LastOnly,
    /// This status.
    Fails(u16),
    /// No answer.
    Hangs,
}

/// Which answers to requests without a token have the challenge. The others are a bare 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeAt {
    /// All of them.
    Everywhere,
    /// Those to GET.
    Get,
    /// That of `/v2/`.
    Ping,
}

/// Whether a Bearer challenge says which scope it wants.
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

/// The Authorization header with the n-th token that a registry gives, counted from 0.
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
    /// Who asks for a token: with the Authorization header, or with a token to be exchanged.
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
