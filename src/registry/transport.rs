//! Transport: one HTTP request with its limits of time and size, its redirects and its retries.
//!
//! A redirect takes no credentials to another host and never leads from https to http. Retries stay
//! inside the run's time budget. Nothing here knows what a registry is. Every answer is hostile until
//! it is parsed.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, Version};
use tokio::sync::Semaphore;

use super::certificates::Tls;
use super::clients::Clients;
use super::distrust::Distrust;
use super::endpoint::{address, authority};
use super::request_log::RequestLog;
use super::words;
use super::{Outcome, Proxies, Refusal, Settings};

/// The time limit of one try with its body. It is a third of the default budget, so that a request to a
/// server that hangs can be repeated. The slowest registries answer a manifest in 2 to 3 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The first pause before a retry, doubled each time and then shortened at random (full jitter).
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that the back-off alone makes; Retry-After may ask for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The most redirects of one request. registry.k8s.io needs one.
const MAX_REDIRECTS: usize = 5;

/// The most requests in flight to all hosts together. macOS gives a process 256 open files.
const MAX_IN_FLIGHT: usize = 128;

/// The limit of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Nothing: the headers are enough.
    Nothing,
    /// This many bytes; a longer body is an error.
    Bytes(usize),
}

/// An answer with any status but 408, 429 and 5xx.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The URL that answered, after redirects. It may contain a secret.
    pub(super) url: Url,
    /// The host and port that answered, after redirects.
    pub(super) answered: String,
    /// The logins that were refused before, each as a sentence.
    pub(super) refused_to: Vec<String>,
}

#[cfg(test)]
impl Fetched {
    /// An answer without headers, for tests.
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("valid"),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            url: Url::parse("https://r.io/").expect("valid"),
            answered: "r.io".to_owned(),
            refused_to: Vec::new(),
        }
    }
}

/// The reason why there is no such answer.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// No connection could be made.
    Connect(String),
    /// The host's certificate is not trusted, or is wrong.
    Untrusted(Distrust),
    /// A file with certificates for the host can't be used.
    UnusableCertificates(String),
    /// The host requires a client certificate.
    ClientCertificateRequired(String),
    /// The proxy can't be reached, or refuses the connection.
    ProxyFailed(String),
    /// The proxy requires a login.
    Unknown(String),
    /// The connection broke, or the time limit passed.
    Broken(String),
    /// 408 or 5xx, with the pause that the host asks for.
    Busy(String, Option<Duration>),
    /// 429, with the pause that the host asks for and what it says about the limit.
    Limited(Option<Duration>, String),
    /// The answer can't be used. A retry would not help.
    Unusable(String),
    /// This is about another host, where a redirect led.
    Elsewhere(Box<Self>),
}

impl Trouble {
    /// Its meaning after the last retry.
    pub(super) fn refusal(&self) -> Refusal {
        let (outcome, detail) = match self {
            Self::Connect(detail) => (Outcome::NoConnection, detail.clone()),
            Self::Broken(detail) => (Outcome::Unreachable, detail.clone()),
            Self::Busy(status, _) => (Outcome::Unreachable, status.clone()),
            Self::Limited(pause, limit) => {
                let pause = pause.map(|pause| format!(", retry after {} s", pause.as_secs()));
                let status = StatusCode::TOO_MANY_REQUESTS;
                (Outcome::RateLimited, format!("{status}{limit}{}", pause.unwrap_or_default()))
            }
            Self::Untrusted(distrust) => (distrust.outcome, distrust.detail.clone()),
            Self::UnusableCertificates(detail) => (Outcome::UnusableCertificates, detail.clone()),
            Self::ClientCertificateRequired(detail) => {
                (Outcome::ClientCertificateRequired, detail.clone())
            }
            Self::ProxyFailed(detail) | Self::Unknown(detail) => {
                (Outcome::ProxyFailed, detail.clone())
            }
            Self::Unusable(detail) => (Outcome::InvalidResponse, detail.clone()),
            Self::Elsewhere(trouble) => {
                let refusal = trouble.refusal();
                (refusal.outcome, format!("by a redirect, {}", refusal.detail))
            }
        };
        Refusal::new(outcome, detail)
    }

    /// True if it is about the host, so that it holds for every request to it.
    pub(super) fn is_of_host(&self) -> bool {
        !matches!(self, Self::Elsewhere(_)) && self.refusal().outcome.is_of_host()
    }

    /// True if a retry may succeed.
    pub(super) fn may_heal(&self) -> bool {
        match self {
            Self::Elsewhere(trouble) => trouble.may_heal(),
            Self::Unusable(_)
            | Self::Untrusted(_)
            | Self::UnusableCertificates(_)
            | Self::ClientCertificateRequired(_)
            | Self::Unknown(_) => false,
            _ => true,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, pause) | Self::Limited(pause, _) => *pause,
            _ => None,
        }
    }
}

/// The HTTP client of a run.
#[derive(Debug)]
pub(super) struct Transport {
    clients: Clients,
    tls: Tls,
    proxies: Proxies,
    in_flight: Semaphore,
    log: RequestLog,
    retries: usize,
    deadline: Instant,
}

impl Transport {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// The certificates can't be used.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let clients = Clients::new(&settings.tls, &settings.proxies)?;
        let deadline = Instant::now() + settings.timeout;
        let in_flight = Semaphore::new(MAX_IN_FLIGHT);
        let (tls, proxies) = (settings.tls.clone(), settings.proxies.clone());
        let log = RequestLog::new(settings.log_requests);
        Ok(Self { clients, tls, proxies, in_flight, log, retries: settings.retries, deadline })
    }

    /// A line for each request so far, if the settings ask for a log.
    pub(super) fn request_log(&self) -> String {
        self.log.text()
    }

    /// When the run's budget ends.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// One try of one request for a registry. Redirects are followed; as soon as one leads to another
    /// host, nobody is told any more who asks.
    pub(super) async fn once(
        &self,
        method: Method,
        mut url: Url,
        registry: &Url,
        accept: Option<&'static str>,
        mut authorization: Option<HeaderValue>,
        limit: Limit,
    ) -> Result<Fetched, Trouble> {
        let first = url.origin();
        for _ in 0..=MAX_REDIRECTS {
            if authorization.as_ref().is_some_and(is_login) {
                self.may_have_logins(&url)?;
            }
            let mut request = self.client(&url, registry)?.request(method.clone(), url.clone());
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(authorization) = &authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let answer = self.answer(request, &method, &url, limit).await;
            let fetched = answer.map_err(|trouble| {
                let is_elsewhere = trouble.is_of_host() && url.origin() != first;
                if is_elsewhere { Trouble::Elsewhere(Box::new(trouble)) } else { trouble }
            })?;
            let Some(target) = target(&url, &fetched)? else { return Ok(fetched) };
            if target.origin() != url.origin() {
                authorization = None;
            }
            url = target;
        }
        Err(Trouble::Unusable("too many redirects".to_owned()))
    }

    /// One try to post a form with a login, which is sent to this URL alone.
    pub(super) async fn post(
        &self,
        url: Url,
        registry: &Url,
        form: String,
        limit: Limit,
    ) -> Result<Fetched, Trouble> {
        const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.may_have_logins(&url)?;
        let request =
            self.client(&url, registry)?.post(url.clone()).header(CONTENT_TYPE, FORM).body(form);
        self.answer(request, &Method::POST, &url, limit).await
    }

    fn client(&self, url: &Url, registry: &Url) -> Result<Client, Trouble> {
        self.clients.of(url, registry).map_err(Trouble::UnusableCertificates)
    }

    /// Nothing if a login may be sent to a URL's host.
    fn may_have_logins(&self, url: &Url) -> Result<(), Trouble> {
        if !self.tls.withholds_logins(url) {
            return Ok(());
        }
        let host = authority(url);
        Err(Trouble::Unusable(format!(
            "no login is sent to {host}, whose certificate is not verified, without `--insecure-login {host}`"
        )))
    }

    async fn answer(
        &self,
        request: RequestBuilder,
        method: &Method,
        url: &Url,
        limit: Limit,
    ) -> Result<Fetched, Trouble> {
        let proxy = self.proxies.name(url);
        let trouble = |error| trouble(&error, proxy, url);
        let _permit = self.in_flight.acquire().await.expect("it is never closed");
        let started = Instant::now();
        let sent = request.timeout(REQUEST_TIMEOUT).send().await;
        let reason = sent.as_ref().err().map(causes).unwrap_or_default();
        self.log.add(method, url, started, sent.as_ref().map_err(|_| &*reason));
        let mut response = sent.map_err(trouble)?;
        let (status, version) = (response.status(), response.version());
        let headers = response.headers().clone();
        let answered = authority(response.url());
        if status == StatusCode::TOO_MANY_REQUESTS {
            let limit = format!(" from {}{}", address(url), limit_of(&headers));
            return Err(Trouble::Limited(retry_after(&headers), limit));
        }
        // In a tunnel it would be the registry's, which makes no sense.
        if let Some(proxy) = proxy.filter(|_| url.scheme() == "http")
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return Err(Trouble::Unknown(format!("{status} from the proxy {proxy}")));
        }
        // What is not implemented now will not be in a second.
        let is_busy = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
        if status == StatusCode::REQUEST_TIMEOUT || is_busy {
            let status = words::status(status);
            let detail = format!("{status} from {}{}", address(url), through(proxy));
            return Err(Trouble::Busy(detail, retry_after(&headers)));
        }
        let mut body = Vec::new();
        if let Limit::Bytes(limit) = limit {
            while let Some(chunk) = response.chunk().await.map_err(trouble)? {
                if body.len() + chunk.len() > limit {
                    let detail = format!("{status} with a body of more than {} KiB", limit >> 10);
                    return Err(Trouble::Unusable(detail));
                }
                body.extend_from_slice(&chunk);
            }
        }
        let url = url.clone();
        Ok(Fetched { status, version, headers, body, url, answered, refused_to: Vec::new() })
    }

    /// Tries again after what may heal, as often as the flags say, while the budget lasts.
    pub(super) async fn retrying<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        request: impl FnMut() -> F,
    ) -> Result<T, Trouble> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(self.retries);
        request
            .retry(pauses)
            .when(Trouble::may_heal)
            .adjust(|trouble, pause| {
                let own = pause?.mul_f64(fastrand::f64());
                let pause =
                    trouble.retry_after().map_or(own, |asked| asked.saturating_add(own / 4));
                let left = self.deadline.saturating_duration_since(Instant::now());
                (pause < left).then_some(pause)
            })
            .await
    }
}

/// True if a header is a login, and not a token that was given for one.
fn is_login(authorization: &HeaderValue) -> bool {
    authorization.as_bytes().starts_with(b"Basic ")
}

/// Where a redirect leads; none if what came is an answer itself.
fn target(from: &Url, fetched: &Fetched) -> Result<Option<Url>, Trouble> {
    if !matches!(fetched.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = fetched.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| from.join(location).ok());
    match (from.scheme(), target.as_ref().map(Url::scheme)) {
        ("https", Some("http")) => {
            Err(Trouble::Unusable("a redirect from https to http".to_owned()))
        }
        (_, Some("http" | "https")) => Ok(target),
        _ => Ok(None),
    }
}

/// Retry-After, in seconds or as a date (RFC 9110, 10.2.3); a date that is over is no pause.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What a registry says of its limit: Docker Hub's `ratelimit-limit: 100;w=21600`, and whom it counts
/// (`docker-ratelimit-source`, an address or an account).
fn limit_of(headers: &HeaderMap) -> String {
    let number = |text: &str| text.parse::<u32>().ok();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut said = String::new();
    if let Some((count, window)) = header("ratelimit-limit").and_then(|text| text.split_once(";w="))
        && let (Some(count), Some(window)) = (number(count), number(window))
    {
        write!(said, ", {count} in {} minutes", window / 60).expect("a string takes all");
    }
    let is_name = |text: &&str| {
        text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || ".:-_".contains(c))
    };
    if let Some(source) = header("docker-ratelimit-source").filter(is_name) {
        write!(said, " for {source}").expect("a string takes all");
    }
    said
}

fn trouble(error: &reqwest::Error, proxy: Option<&str>, url: &Url) -> Trouble {
    let detail = causes(error);
    let (address, through) = (address(url), through(proxy));
    if error.is_redirect() {
        Trouble::Unusable(detail)
    } else if let Some(mut distrust) = distrust(error, url) {
        distrust.detail.push_str(&through);
        Trouble::Untrusted(distrust)
    } else if let Some(reason) = mistrust(&detail) {
        Trouble::ClientCertificateRequired(format!("{reason}{through}"))
    } else if let Some(proxy) = proxy.filter(|_| error.is_connect()) {
        unconnected(error, proxy, url)
    } else if error.is_connect() {
        Trouble::Connect(unconnectable(&address, &detail))
    } else if error.is_timeout() {
        let seconds = REQUEST_TIMEOUT.as_secs();
        Trouble::Broken(format!("no answer from {address} within {seconds} s{through}"))
    } else if url.scheme() == "http" && detail.contains("invalid HTTP version") {
        // A server that speaks TLS answers with an alert, which is no HTTP.
        let advice = "if it speaks TLS, ask it with `https`, without `--plain-http`";
        Trouble::Broken(format!("{address} does not speak plain HTTP; {advice}{through}"))
    } else {
        Trouble::Broken(format!("{detail}, from {address}{through}"))
    }
}

/// Why no connection could be made. A server that does not speak TLS answers a handshake with a line
/// of plain HTTP, or closes.
fn unconnectable(address: &str, detail: &str) -> String {
    if detail.contains("InvalidContentType") || detail.contains("handshake eof") {
        let flag = format!("`--plain-http {address}`");
        return format!(
            "{address} does not speak TLS; if it speaks plain HTTP, name it with {flag}"
        );
    }
    if detail == "received fatal alert: HandshakeFailure" {
        // With TLS 1.2, it is the answer to who shows no certificate, too.
        return format!(
            "{address} refuses the TLS handshake; it may ask for a client certificate, or for TLS settings that digestif does not have ({detail})"
        );
    }
    format!("no connection to {address}: {detail}")
}

/// What a host has against our certificate. HTTP/2 keeps the words of what broke a connection, and
/// not their type.
fn mistrust(detail: &str) -> Option<String> {
    let alert = detail.strip_prefix("received fatal alert: ")?;
    match alert {
        "CertificateRequired" => Some(format!("the registry asks for a certificate ({alert})")),
        "BadCertificate"
        | "UnsupportedCertificate"
        | "CertificateRevoked"
        | "CertificateExpired"
        | "CertificateUnknown"
        | "DecryptError"
        | "UnknownCA"
        | "AccessDenied" => Some(format!("the registry refuses our certificate ({alert})")),
        _ => None,
    }
}

/// Whose fault it may be besides the host's.
fn through(proxy: Option<&str>) -> String {
    proxy.map(|proxy| format!(", through the proxy {proxy}")).unwrap_or_default()
}

/// Why no connection could be made through a proxy.
fn unconnected(error: &reqwest::Error, proxy: &str, url: &Url) -> Trouble {
    let detail = causes(error);
    let causes = std::iter::successors(error.source(), |&cause| cause_of(cause));
    // The type of this error is not public (hyper-util 0.1); tests hold its words.
    let tunnel = causes.map(ToString::to_string).find(|text| text.starts_with("tunnel error: "));
    match tunnel.as_deref().and_then(|text| text.strip_prefix("tunnel error: ")) {
        Some("proxy authorization required") => {
            let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
            Trouble::Unknown(format!("{status} from the proxy {proxy}"))
        }
        Some("unsuccessful") => {
            let host = authority(url);
            Trouble::ProxyFailed(format!("the proxy {proxy} refuses to connect to {host}"))
        }
        // A request for http has no tunnel: the connection is the one to the proxy.
        None if url.scheme() == "https" => {
            Trouble::Connect(format!("{detail}{}", through(Some(proxy))))
        }
        _ => Trouble::ProxyFailed(format!("no connection to the proxy {proxy}: {detail}")),
    }
}

type Cause<'e> = &'e (dyn std::error::Error + 'static);

/// Why TLS failed, if it was because of a certificate.
fn distrust(error: &reqwest::Error, url: &Url) -> Option<Distrust> {
    let mut causes = std::iter::successors(error.source(), |&cause| cause_of(cause));
    causes.find_map(|cause| match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(wrong)) => Some(Distrust::of(wrong, url)),
        _ => None,
    })
}

/// The next cause. An error of the system passes over what it wraps in its own `source`.
fn cause_of(cause: Cause<'_>) -> Option<Cause<'_>> {
    match cause.downcast_ref().and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

/// The innermost cause, which says most, and never a URL: it may hold a token.
fn causes(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match error.source() {
        Some(_) => innermost.to_string(),
        None => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_seconds() {
        for (text, seconds) in [("7", Some(7)), (" 0 ", Some(0)), ("-1", None), ("soon", None)] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).expect("valid"));
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
