//! Token requests: the URL that asks for a token, and the answer (distribution spec, "Token
//! Authentication").
//!
//! A login goes to the realm that its registry names, and only over a connection that others can't read.

use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::challenge::Bearer;
use super::endpoint::{authority, is_loopback};
use super::in_flight::InFlight;
use super::response::refuses_login;
use super::shares::pull_scope;
use super::transport::{Fetched, Limit, Transport};
use super::trouble::Trouble;
use super::words::{self, said};
use super::{Outcome, Refusal};
use crate::credentials::Login;

/// The largest answer of a token endpoint. Real tokens stay under 20 KiB.
const MAX_TOKEN: usize = 1 << 20;

/// A token without `expires_in` is good for this long (distribution spec).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// Longer than any run, and short enough for a clock to count.
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);

/// A token is not used in the last seconds of its life, as the request itself takes time.
const MARGIN: Duration = Duration::from_secs(10);

/// A token as it came, and how long it may be used.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) header: HeaderValue,
    pub(super) expires: Instant,
}

/// A request for one token.
pub(super) struct TokenRequest<'r> {
    url: Url,
    /// The registry that the token is for.
    registry: &'r Url,
    login: Option<&'r Login>,
}

impl<'r> TokenRequest<'r> {
    /// The request for a token that opens these repositories of the registry at `origin`.
    /// `plain_http` are the hosts that the user named for plain HTTP.
    ///
    /// # Errors
    /// The realm is no URL, or a login would be readable on its way there.
    pub(super) fn new(
        origin: &'r Url,
        bearer: &Bearer,
        names: &[String],
        login: Option<&'r Login>,
        plain_http: &[String],
    ) -> Result<Self, Refusal> {
        Ok(Self { url: token_url(origin, bearer, names, plain_http)?, registry: origin, login })
    }

    /// Sends it once.
    pub(super) async fn send(
        &self,
        in_flight: &InFlight,
        transport: &Transport,
    ) -> Result<Fetched, Trouble> {
        let _permit = in_flight.acquire().await;
        let limit = Limit::Bytes(MAX_TOKEN);
        match self.login {
            Some(Login::Identity(token)) => {
                let (url, form) = exchange(&self.url, token);
                let secret = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
                transport.post(url, self.registry, form, secret.ok().as_ref(), limit).await
            }
            login => {
                let (url, basic) = (self.url.clone(), login.and_then(Login::basic));
                transport.once(Method::GET, url, self.registry, None, basic, limit).await
            }
        }
    }

    /// True if an answer says that the login itself is wrong, whatever it is asked for: a 401 (RFC 9110,
    /// 15.5.2), or 400 for an identity token (RFC 6749, 5.2, `invalid_grant`). A 403 may be about the
    /// repository alone.
    pub(super) fn is_login_wrong(&self, reply: &Result<Fetched, Trouble>) -> bool {
        let is_identity = matches!(self.login, Some(Login::Identity(_)));
        reply.as_ref().is_ok_and(|reply| match reply.status {
            StatusCode::UNAUTHORIZED => self.login.is_some() && refuses_login(reply),
            StatusCode::BAD_REQUEST => is_identity,
            _ => false,
        })
    }

    /// The token of an answer.
    ///
    /// # Errors
    /// `Denied` if the endpoint refuses the login, else what is wrong with the answer.
    pub(super) fn read(&self, reply: Result<Fetched, Trouble>) -> Result<Granted, Refusal> {
        let host = authority(&self.url);
        let reply = reply.map_err(|trouble| {
            let refusal = trouble.refusal();
            Refusal::new(refusal.outcome, format!("{} (token from {host})", refusal.detail))
        })?;
        if reply.status == StatusCode::OK {
            return granted(&reply.body).map_err(|detail| {
                Refusal::new(Outcome::InvalidResponse, format!("{detail} (token from {host})"))
            });
        }
        let is_denied = match self.login {
            // A stale identity token is a bad request (RFC 6749, 5.2); where tokens are not exchanged
            // at all, it is of no more use.
            Some(Login::Identity(_)) => reply.status.is_client_error(),
            _ => refuses_login(&reply),
        };
        let outcome = if is_denied { Outcome::Denied } else { Outcome::InvalidResponse };
        let said = said(reply.status, &reply.headers, &reply.body);
        let status = words::status(reply.status);
        Err(Refusal::new(outcome, format!("{status} from the token server {host}{said}")))
    }
}

/// The realm with service and scopes. A realm in plain text needs a registry in plain text on the
/// same host, or a user who named its host for plain HTTP.
fn token_url(
    origin: &Url,
    bearer: &Bearer,
    names: &[String],
    plain_http: &[String],
) -> Result<Url, Refusal> {
    let nonsense = |detail: String| Refusal::new(Outcome::InvalidResponse, detail);
    let mut url = Url::parse(&bearer.realm)
        .map_err(|error| nonsense(format!("the realm of the challenge is not a URL: {error}")))?;
    let same_host = url.host_str() == origin.host_str();
    let plain = url.scheme() == "http" && origin.scheme() == "http";
    let on_loopback = is_loopback(origin) && is_loopback(&url);
    let is_named = url.scheme() == "http" && plain_http.contains(&authority(&url));
    if url.scheme() != "https" && !is_named && !(plain && (same_host || on_loopback)) {
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

/// The answer of a token endpoint. The field `token` wins where both are there, as in the
/// reference implementation.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<Value>,
}

fn granted(body: &[u8]) -> Result<Granted, String> {
    let answer: TokenAnswer = serde_json::from_slice(body)
        .map_err(|_| "200, but the body is not the JSON of a token".to_owned())?;
    let text = [answer.token, answer.access_token].into_iter().flatten().find(|t| !t.is_empty());
    let text = text.ok_or("200, but without a token")?;
    let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
        .map_err(|_| "200, but the token has characters that a header can't contain".to_owned())?;
    header.set_sensitive(true);
    let lifetime = answer.expires_in.as_ref().and_then(lifetime).unwrap_or(DEFAULT_LIFETIME);
    // Short-lived tokens are used up to their end; a renewal follows the 401.
    let usable = lifetime.checked_sub(MARGIN).unwrap_or(lifetime).min(LONGEST_LIFETIME);
    Ok(Granted { header, expires: Instant::now() + usable })
}

/// The seconds of `expires_in`, which some servers write as a text or with a fraction.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    let seconds = (seconds >= 0.0).then_some(seconds)?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFETIME))
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
            // The user named it for plain HTTP, with its port.
            ("http://a.io", "http://named.io:8080/token", true),
            ("http://a.io", "http://named.io/token", false),
            ("http://a.io", "http://named.io.b.io:8080/token", false),
        ] {
            let named = ["named.io:8080".to_owned()];
            let origin = Url::parse(origin).expect("valid");
            let url =
                token_url(&origin, &Bearer::new(realm, None, None), &["x".to_owned()], &named);
            assert_eq!(url.is_ok(), allowed, "{origin} {realm}");
        }
    }

    #[test]
    fn a_token_request_names_service_and_scopes() {
        let origin = Url::parse("https://a.io").expect("valid");
        let challenge =
            Bearer::new("https://a.io/t?x=1", Some("s"), Some("repository:a/b:pull,push"));
        let one = token_url(&origin, &challenge, &["a/b".to_owned()], &[]).expect("allowed");
        assert_eq!(one.query(), Some("x=1&service=s&scope=repository%3Aa%2Fb%3Apull%2Cpush"));
        let two = token_url(&origin, &challenge, &["a/b".to_owned(), "c".to_owned()], &[]);
        let query = "x=1&service=s&scope=repository%3Aa%2Fb%3Apull&scope=repository%3Ac%3Apull";
        assert_eq!(two.expect("allowed").query(), Some(query));
        let other = token_url(&origin, &challenge, &["a".to_owned()], &[]).expect("allowed");
        assert_eq!(other.query(), Some("x=1&service=s&scope=repository%3Aa%3Apull"));
    }

    #[test]
    fn an_identity_token_goes_into_the_body_and_not_into_the_url() {
        let origin = Url::parse("https://a.io").expect("valid");
        let challenge = Bearer::new("https://a.io/t?x=1&y=a+b", Some("s s"), None);
        let names = ["a/b".to_owned(), "c".to_owned()];
        let url = token_url(&origin, &challenge, &names, &[]).expect("allowed");
        let (url, body) = exchange(&url, &SecretString::from("a&b=c"));
        assert_eq!(url.as_str(), "https://a.io/t?x=1&y=a+b");
        let expected = "grant_type=refresh_token&client_id=digestif&service=s+s\
            &scope=repository%3Aa%2Fb%3Apull+repository%3Ac%3Apull&refresh_token=a%26b%3Dc";
        assert_eq!(body, expected);
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
                Err("200, but the token has characters that a header can't contain"),
            ),
            (r#"{"token":"a","expires_in":18446744073709551615}"#, Ok("Bearer a")),
        ] {
            let found = granted(body.as_bytes());
            let found = found.as_ref().map(|token| token.header.to_str().expect("ASCII"));
            assert_eq!(found, header.map_err(str::to_owned).as_ref().copied(), "{body}");
        }
    }

    #[test]
    fn lifetimes_are_read_as_servers_write_them() {
        for (text, seconds) in [
            ("300", Some(300)),
            ("300.0", Some(300)),
            ("\"300\"", Some(300)),
            ("0", Some(0)),
            ("-1", None),
            ("\"soon\"", None),
            ("null", None),
            ("1e300", Some(86_400)),
        ] {
            let value: Value = serde_json::from_str(text).expect("valid");
            assert_eq!(lifetime(&value), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
