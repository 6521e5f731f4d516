//! Authentication: challenges, and the endpoint for tokens.

use serde_json::json;

use super::answer::{Answer, value};
use super::content::Authentication;
use super::request::{Request, Route, parameter};
use super::state::{State, UNPOISONED};
use super::tokens::{ChallengeAt, ManyScopes, TokenRules, issued, project};
use crate::support::accounts::Account;

impl State {
    /// The 401 for a request without permission, or a 403 if the registry knows the client.
    pub(super) fn challenge(&self, route: &Route<'_>, request: &Request) -> Option<Answer> {
        let repository = match route {
            Route::Token | Route::Elsewhere => return None,
            Route::Ping => None,
            Route::Manifest(repository, _) | Route::Tags(repository) => Some(*repository),
        };
        let authorization = request.authorization.as_deref();
        let challenges = match &self.content.authentication {
            Authentication::Open => return None,
            Authentication::Basic(accounts) => {
                match accounts.iter().find(|account| account.sends(authorization)) {
                    Some(account) if account.opens(repository.unwrap_or_default()) => return None,
                    Some(account) if !account.is_nobody() => {
                        return Some(Answer::error(403, "DENIED"));
                    }
                    _ => vec!["Basic realm=\"x\"".to_owned()],
                }
            }
            Authentication::Hidden(accounts, status, code) => {
                let is_open = repository.is_none_or(|repository| {
                    let is_in = |account: &&Account| account.sends(authorization);
                    accounts.iter().filter(is_in).any(|account| account.opens(repository))
                });
                return (!is_open).then(|| Answer::error(*status, code));
            }
            Authentication::Tokens(rules) => {
                if self.is_granted(rules, authorization, repository) {
                    return None;
                }
                if let Some((status, code)) = rules.unopened.filter(|_| authorization.is_some()) {
                    return Some(Answer::error(status, code));
                }
                let has_challenge = match rules.challenge_at {
                    ChallengeAt::Everywhere => true,
                    ChallengeAt::Get => request.method == "GET",
                    ChallengeAt::Ping => repository.is_none(),
                };
                if !has_challenge {
                    return Some(Answer::error(401, "UNAUTHORIZED"));
                }
                let own = rules.bearer(&format!("{}://{}", self.scheme, request.host), repository);
                let others = rules.other_challenges.iter().cloned();
                others.chain([own]).collect()
            }
        };
        let mut answer = Answer::error(401, "UNAUTHORIZED");
        for challenge in challenges {
            answer.headers.append("www-authenticate", value(challenge));
        }
        Some(answer)
    }

    /// True if the endpoint never answers requests for several scopes, and this is such a request.
    pub(super) fn hangs(&self, request: &Request) -> bool {
        let Authentication::Tokens(rules) = &self.content.authentication else { return false };
        let scopes = parameter(&request.query, "scope").count();
        rules.many_scopes == ManyScopes::Hangs && scopes > 1
    }

    fn is_granted(
        &self,
        rules: &TokenRules,
        authorization: Option<&str>,
        repository: Option<&str>,
    ) -> bool {
        let Some(token) = authorization.and_then(|header| header.strip_prefix("Bearer ")) else {
            return false;
        };
        let tokens = self.tokens.lock().expect(UNPOISONED);
        match tokens.get(token) {
            Some(granted) => {
                repository.is_none_or(|repository| granted.iter().any(|name| name == repository))
            }
            None => rules.accounts.iter().any(|account| {
                account.sends(authorization) && account.opens(repository.unwrap_or_default())
            }),
        }
    }

    pub(super) fn token(&self, request: &Request) -> Answer {
        let Authentication::Tokens(rules) = &self.content.authentication else {
            return Answer::error(404, "NOT_FOUND");
        };
        if let Some(status) = rules.status {
            return Answer::error(status, "TOKEN");
        }
        let query = if request.method == "POST" { &request.body } else { &request.query };
        let Some(account) = rules.account(request) else {
            return Answer::error(rules.refusal, "UNAUTHORIZED");
        };
        let scopes: Vec<String> = parameter(query, "scope")
            .flat_map(|scopes| scopes.split(' ').map(String::from).collect::<Vec<_>>())
            .collect();
        let granted = match rules.many_scopes {
            ManyScopes::Refused if scopes.len() > 1 => return Answer::error(400, "BAD_REQUEST"),
            ManyScopes::Fails(status) if scopes.len() > 1 => return Answer::error(status, "BUSY"),
            ManyScopes::FirstOnly => scopes.get(..1).unwrap_or_default(),
            ManyScopes::LastOnly => &scopes[scopes.len().saturating_sub(1)..],
            _ => &scopes[..],
        };
        let of_project = parameter(&request.query, "project").next();
        let is_other = |scope: &String| {
            let name = scope.strip_prefix("repository:").unwrap_or_default();
            of_project.as_deref().is_some_and(|own| own != project(name))
        };
        if scopes.iter().any(is_other) {
            return Answer::error(403, "DENIED");
        }
        let name = |scope: &String| {
            let (name, _actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
            account.opens(name).then(|| name.to_owned())
        };
        let mut tokens = self.tokens.lock().expect(UNPOISONED);
        let token = issued(tokens.len()) + &"x".repeat(rules.bytes_per_scope * granted.len());
        tokens.insert(token.clone(), granted.iter().filter_map(name).collect());
        let mut body = json!({ rules.field: token });
        if let Some(seconds) = rules.expires_in {
            body["expires_in"] = seconds.into();
        }
        Answer::json(200, &body)
    }
}
