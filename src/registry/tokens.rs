//! Tokens: what answers a challenge.
//!
//! Owns the rules of who may be asked for a token (distribution spec, "Token Authentication") and
//! sees to it that a token is asked for once, however many requests wait for it. A login goes to the
//! realm that its registry names, and nowhere else.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::challenge::{Bearer, Challenge};
use super::transport::{Fetched, Limit, Transport};
use super::{Outcome, Refusal, is_loopback};
use crate::credentials::Login;

/// The largest answer of a token endpoint. Real tokens stay under 20 KiB.
const MAX_TOKEN: usize = 1 << 20;

/// How long the scopes of one token request may be together. Servers take at least 8 KiB of
/// request line; the rest of it needs room too.
const MAX_SCOPES: usize = 4 << 10;

/// A token without `expires_in` is good for this long (distribution spec).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// A token is not used in the last seconds of its life, as the request itself takes time.
const MARGIN: Duration = Duration::from_secs(10);

/// A token, and how many repositories it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    breadth: Breadth,
    expires: Instant,
}

/// Whether a token is for one repository or for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breadth {
    Many,
    One,
    /// It is a user and a password, and no token at all.
    Password,
    /// It is a login too, as it was not asked for.
    Given,
}

impl Token {
    fn of_a_login(header: HeaderValue, breadth: Breadth) -> Self {
        let expires = Instant::now() + Duration::from_secs(86_400);
        Self { header, breadth, expires }
    }

    /// What a login is refused for with a 401, where this is one: a password for all that the host
    /// has (RFC 7617, 2), a token for the repository. None where it is no login.
    pub(super) fn login_extent<'r>(&self, repository: &'r str) -> Option<&'r str> {
        match self.breadth {
            Breadth::Password => Some(""),
            Breadth::Given => Some(repository),
            Breadth::Many | Breadth::One => None,
        }
    }
}

/// A slot that the first who needs the token fills, while the others wait.
type Slot = Arc<tokio::sync::Mutex<Option<Result<Token, Refusal>>>>;

/// The tokens of one registry.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Shared with the registry's other requests, as it often gives the tokens itself.
    in_flight: Arc<Semaphore>,
    asked: Asked,
    state: Mutex<State>,
}

/// What a registry has asked for, whoever asked it.
pub(super) type Asked = Arc<Mutex<Option<Challenge>>>;

#[derive(Debug, Default)]
struct State {
    /// The repositories of the run, in groups that are small enough for one request.
    groups: Vec<Arc<[String]>>,
    /// The group of each repository.
    group_of: HashMap<String, usize>,
    slots: HashMap<Arc<[String]>, Slot>,
    /// Repositories that a token for many was no good for.
    alone: BTreeSet<String>,
    /// Set where the registry does not give one token for many repositories.
    refuses_many: bool,
}

impl Tokens {
    pub(super) fn new(in_flight: Arc<Semaphore>, asked: Asked) -> Self {
        Self { in_flight, asked, state: Mutex::default() }
    }

    /// Announces repositories that will be asked for. Each token is asked for with as many scopes
    /// as one request can hold.
    pub(super) fn expect(&self, mut repositories: BTreeSet<String>) {
        let mut state = self.state();
        repositories.retain(|name| !state.group_of.contains_key(name));
        for group in groups(repositories) {
            let n = state.groups.len();
            state.group_of.extend(group.iter().map(|name| (name.clone(), n)));
            state.groups.push(group.into());
        }
    }

    /// True if the registry has asked for a token, or for a login.
    pub(super) fn are_asked_for(&self) -> bool {
        self.asked().is_some()
    }

    /// The token for a repository, by a login if there is one; none as long as the registry has not
    /// asked for one. The realm must not be less secure than `origin`, where the registry is asked.
    ///
    /// # Errors
    /// What the token endpoint said. The same for all who wait: nobody asks again.
    pub(super) async fn token(
        &self,
        repository: &str,
        login: Option<&Login>,
        origin: &Url,
        transport: &Transport,
    ) -> Result<Option<Token>, Refusal> {
        loop {
            let (bearer, names, slot) = {
                let bearer = match self.asked().clone() {
                    None => return Ok(None),
                    Some(Challenge::Basic) => {
                        let header = login.and_then(Login::basic);
                        let token = |header| Token::of_a_login(header, Breadth::Password);
                        return Ok(header.map(token));
                    }
                    Some(Challenge::Bearer(bearer)) => bearer,
                };
                if let Some(header) = login.and_then(Login::bearer) {
                    return Ok(Some(Token::of_a_login(header, Breadth::Given)));
                }
                let mut state = self.state();
                let names = Self::names(&state, repository);
                let slot = state.slots.entry(names.clone()).or_default().clone();
                (bearer, names, slot)
            };
            let mut filled = slot.lock().await;
            if Self::names(&self.state(), repository) != names {
                continue; // the one before us in this slot learned that it leads nowhere
            }
            match &*filled {
                Some(Ok(token)) if token.expires > Instant::now() => {
                    return Ok(Some(token.clone()));
                }
                Some(Err(refusal)) => return Err(refusal.clone()),
                _ => {}
            }
            let url = token_url(origin, &bearer, &names);
            let answer = self.fetch(url, login, names.len(), transport).await;
            let final_word = |refusal: &Refusal| {
                matches!(
                    refusal.outcome,
                    Outcome::RateLimited | Outcome::Unreachable | Outcome::ProxyFailed
                )
            };
            if names.len() > 1 && answer.as_ref().is_err_and(|refusal| !final_word(refusal)) {
                self.state().refuses_many = true;
                continue;
            }
            *filled = Some(answer.clone());
            return answer.map(Some);
        }
    }

    /// Learns from a 401 or 403, and says whether another token is worth a try.
    pub(super) async fn learn(
        &self,
        repository: &str,
        login: Option<&Login>,
        sent: Option<&Token>,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        let Some(sent) = sent else {
            let Some(challenge) = Challenge::of(headers) else { return false };
            let is_answered =
                challenge != Challenge::Basic || login.is_some_and(|login| login.basic().is_some());
            *self.asked() = Some(challenge);
            return status == StatusCode::UNAUTHORIZED && is_answered;
        };
        if sent.login_extent(repository).is_some() {
            return false;
        }
        let slot = {
            let mut state = self.state();
            if sent.breadth == Breadth::Many {
                state.alone.insert(repository.to_owned());
                return true;
            }
            if status != StatusCode::UNAUTHORIZED {
                return false;
            }
            let names = Self::names(&state, repository);
            state.slots.entry(names).or_default().clone()
        };
        // A token that another request brought may have been revoked: ask for a new one, once.
        let mut filled = slot.lock().await;
        let renewed = matches!(&*filled, Some(Ok(token)) if token.header != sent.header);
        if !renewed {
            *filled = None;
        }
        true
    }

    /// The repositories that a token for `repository` is asked for.
    fn names(state: &State, repository: &str) -> Arc<[String]> {
        match state.group_of.get(repository) {
            Some(&group) if !state.refuses_many && !state.alone.contains(repository) => {
                state.groups[group].clone()
            }
            _ => Arc::from([repository.to_owned()]),
        }
    }

    async fn fetch(
        &self,
        url: Result<Url, Refusal>,
        login: Option<&Login>,
        repositories: usize,
        transport: &Transport,
    ) -> Result<Token, Refusal> {
        let url = url?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let once = || async {
            let _permit = self.in_flight.acquire().await.expect("it is never closed");
            let limit = Limit::Bytes(MAX_TOKEN);
            match login {
                Some(Login::Identity(token)) => {
                    let (url, form) = exchange(&url, token);
                    transport.post(url, form, limit).await
                }
                login => {
                    let basic = login.and_then(Login::basic);
                    transport.once(Method::GET, url.clone(), None, basic, limit).await
                }
            }
        };
        let reply = transport.retrying(once).await;
        let Fetched { status, body, .. } = reply.map_err(|trouble| {
            let refusal = trouble.refusal();
            Refusal::new(refusal.outcome, format!("{} (token from {host})", refusal.detail))
        })?;
        if status == StatusCode::OK {
            return token(&body, repositories).map_err(|detail| {
                Refusal::new(Outcome::InvalidResponse, format!("{detail} (token from {host})"))
            });
        }
        let is_denied = match login {
            // A stale identity token is a bad request (RFC 6749, 5.2); where tokens are not exchanged
            // at all, it is of no more use.
            Some(Login::Identity(_)) => status.is_client_error(),
            _ => matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
        };
        let outcome = if is_denied { Outcome::Denied } else { Outcome::InvalidResponse };
        Err(Refusal::new(outcome, format!("{status} from {host}, which gives the tokens")))
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Option<Challenge>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The realm with service and scopes. A realm in plain text is good enough only for a registry
/// in plain text, and a realm elsewhere in plain text for none.
fn token_url(origin: &Url, bearer: &Bearer, names: &[String]) -> Result<Url, Refusal> {
    let nonsense = |detail: String| Refusal::new(Outcome::InvalidResponse, detail);
    let mut url = Url::parse(&bearer.realm)
        .map_err(|error| nonsense(format!("the realm of the challenge is no URL: {error}")))?;
    let same_host = url.host_str() == origin.host_str();
    let plain = url.scheme() == "http" && origin.scheme() == "http";
    let on_loopback = is_loopback(origin) && is_loopback(&url);
    if url.scheme() != "https" && !(plain && (same_host || on_loopback)) {
        let realm = url.origin().ascii_serialization();
        return Err(nonsense(format!("the challenge sends to `{realm}`, which is not https")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(nonsense("the realm of the challenge holds credentials".to_owned()));
    }
    let own_scope = bearer.scope.as_deref().filter(|_| names.len() == 1);
    let own_scope = own_scope.filter(|scope| is_about(scope, &names[0]));
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = &bearer.service {
            query.append_pair("service", service);
        }
        match own_scope {
            Some(scope) => {
                query.append_pair("scope", scope);
            }
            None => {
                query.extend_pairs(names.iter().map(|name| ("scope", pull_scope(name))));
            }
        }
    }
    Ok(url)
}

/// The request that exchanges an identity token for another (distribution, "`OAuth2` Token
/// Authentication"): what the URL asks for goes into the body.
fn exchange(url: &Url, identity: &SecretString) -> (Url, String) {
    let mut form = url.clone();
    let (asked, own): (Vec<_>, Vec<_>) =
        url.query_pairs().partition(|(name, _)| matches!(&**name, "service" | "scope"));
    let scopes = asked.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| &**scope);
    let scope = scopes.collect::<Vec<_>>().join(" ");
    form.set_query(None);
    {
        let mut pairs = form.query_pairs_mut();
        pairs.append_pair("grant_type", "refresh_token").append_pair("client_id", "digestif");
        pairs.extend_pairs(asked.iter().filter(|(name, _)| name == "service"));
        pairs.append_pair("scope", &scope).append_pair("refresh_token", identity.expose_secret());
    }
    let body = form.query().unwrap_or_default().to_owned();
    let mut realm = url.clone();
    realm.set_query(None);
    if !own.is_empty() {
        realm.query_pairs_mut().extend_pairs(own);
    }
    (realm, body)
}

/// True if one of these scopes is for this repository, and not for one whose name begins with it.
fn is_about(scopes: &str, repository: &str) -> bool {
    scopes.split(' ').any(|scope| {
        let rest = scope.strip_prefix("repository:").and_then(|name| name.strip_prefix(repository));
        rest.is_some_and(|actions| actions.starts_with(':'))
    })
}

fn pull_scope(repository: &str) -> String {
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

/// The answer of a token endpoint. The field `token` wins where both are there, as in the
/// reference implementation.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

fn token(body: &[u8], repositories: usize) -> Result<Token, String> {
    let answer: TokenAnswer = serde_json::from_slice(body)
        .map_err(|_| "200, but the body is not the JSON of a token".to_owned())?;
    let text = [answer.token, answer.access_token].into_iter().flatten().find(|t| !t.is_empty());
    let text = text.ok_or("200, but without a token")?;
    let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
        .map_err(|_| "200, but the token holds characters that no header can carry".to_owned())?;
    header.set_sensitive(true);
    let lifetime = answer.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
    // Short-lived tokens are used up to their end; a renewal follows the 401.
    let usable = lifetime.checked_sub(MARGIN).unwrap_or(lifetime).min(Duration::from_secs(86_400));
    let breadth = if repositories > 1 { Breadth::Many } else { Breadth::One };
    Ok(Token { header, breadth, expires: Instant::now() + usable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_never_less_secure_than_its_registry() {
        for (origin, realm, allowed) in [
            ("https://a.io", "https://auth.b.io/token", true),
            ("https://a.io", "http://a.io/token", false),
            ("https://a.io", "http://localhost/token", false),
            ("http://a.io", "http://a.io/token", true),
            ("http://a.io", "http://b.io/token", false),
            ("http://a.io", "http://localhost/token", false),
            ("http://127.0.0.1:5000", "http://localhost:5001/token", true),
            ("https://a.io", "file:///etc/passwd", false),
            ("https://a.io", "https://u:p@a.io/token", false),
            ("https://a.io", "/token", false),
        ] {
            let origin = Url::parse(origin).expect("valid");
            let url = token_url(&origin, &Bearer::new(realm, None, None), &["x".to_owned()]);
            assert_eq!(url.is_ok(), allowed, "{origin} {realm}");
        }
    }

    #[test]
    fn a_token_request_names_service_and_scopes() {
        let origin = Url::parse("https://a.io").expect("valid");
        let challenge =
            Bearer::new("https://a.io/t?x=1", Some("s"), Some("repository:a/b:pull,push"));
        let one = token_url(&origin, &challenge, &["a/b".to_owned()]).expect("allowed");
        assert_eq!(one.query(), Some("x=1&service=s&scope=repository%3Aa%2Fb%3Apull%2Cpush"));
        let two = token_url(&origin, &challenge, &["a/b".to_owned(), "c".to_owned()]);
        let query = "x=1&service=s&scope=repository%3Aa%2Fb%3Apull&scope=repository%3Ac%3Apull";
        assert_eq!(two.expect("allowed").query(), Some(query));
        let other = token_url(&origin, &challenge, &["a".to_owned()]).expect("allowed");
        assert_eq!(other.query(), Some("x=1&service=s&scope=repository%3Aa%3Apull"));
    }

    #[test]
    fn an_identity_token_goes_into_the_body_and_not_into_the_url() {
        let origin = Url::parse("https://a.io").expect("valid");
        let challenge = Bearer::new("https://a.io/t?x=1&y=a+b", Some("s s"), None);
        let names = ["a/b".to_owned(), "c".to_owned()];
        let url = token_url(&origin, &challenge, &names).expect("allowed");
        let (url, body) = exchange(&url, &SecretString::from("a&b=c"));
        assert_eq!(url.as_str(), "https://a.io/t?x=1&y=a+b");
        let expected = "grant_type=refresh_token&client_id=digestif&service=s+s\
            &scope=repository%3Aa%2Fb%3Apull+repository%3Ac%3Apull&refresh_token=a%26b%3Dc";
        assert_eq!(body, expected);
    }

    #[test]
    fn a_token_is_not_printed() {
        let found = token(br#"{"token": "NeverShowThisSecret"}"#, 1).expect("one");
        let tokens = Tokens::new(Arc::new(Semaphore::new(1)), Asked::default());
        let slot = Arc::new(tokio::sync::Mutex::new(Some(Ok(found.clone()))));
        tokens.state().slots.insert(Arc::from(["a".to_owned()]), slot);
        let printed = format!("{found:?} {tokens:?}");
        assert!(printed.contains("Sensitive") && !printed.contains("NeverShow"), "{printed}");
    }

    #[test]
    fn scopes_are_grouped_so_that_a_request_line_holds_them() {
        let names: BTreeSet<_> = (0..500).map(|n| format!("team/project/image-{n:03}")).collect();
        let groups = groups(names.clone());
        assert_eq!(groups.iter().flatten().cloned().collect::<BTreeSet<_>>(), names);
        let origin = Url::parse("https://a.io").expect("valid");
        for group in &groups {
            let url = token_url(&origin, &Bearer::new("https://a.io/t", None, None), group);
            assert!(url.expect("allowed").as_str().len() < MAX_SCOPES + 20);
        }
        assert!(groups.len() < 10);
    }

    #[test]
    fn token_answers_are_read_strictly() {
        for (body, header) in [
            (r#"{"token":"a","access_token":"b"}"#, Ok("Bearer a")),
            (r#"{"token":"","access_token":"b","expires_in":1}"#, Ok("Bearer b")),
            (r#"{"expires_in":300}"#, Err("200, but without a token")),
            ("<html>", Err("200, but the body is not the JSON of a token")),
            (
                r#"{"token":"a\nb: c"}"#,
                Err("200, but the token holds characters that no header can carry"),
            ),
            (r#"{"token":"a","expires_in":18446744073709551615}"#, Ok("Bearer a")),
        ] {
            let found = token(body.as_bytes(), 1);
            let found = found.as_ref().map(|token| token.header.to_str().expect("ASCII"));
            assert_eq!(found, header.map_err(str::to_owned).as_ref().copied(), "{body}");
        }
    }
}
