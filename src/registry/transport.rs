//! Transport: one HTTP request with its limits of time and size, its redirects and its retries.
//!
//! A redirect takes no credentials to another host and never leads from https to http. Retries stay
//! inside the run's time budget. Nothing here knows what a registry is. Every answer is hostile until
//! it is parsed.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, Version};
use tokio::sync::Semaphore;

use super::certificates::Tls;
use super::clients::Clients;
use super::endpoint::{address, authority};
use super::request_log::RequestLog;
use super::trouble::{self, Trouble, causes, through};
use super::words::{self, said, without_secrets};
use super::{Proxies, Settings};

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

/// The most bytes that are read of the body of an error that may pass, and the time for them.
const MAX_EXCERPT: usize = 64 << 10;
const EXCERPT_TIMEOUT: Duration = Duration::from_secs(2);

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

    /// One try of one request for a registry. It follows redirects. A redirect to another host
    /// never gets the login.
    pub(super) async fn once(
        &self,
        method: Method,
        mut url: Url,
        registry: &Url,
        accept: Option<&'static str>,
        mut authorization: Option<HeaderValue>,
        limit: Limit,
    ) -> Result<Fetched, Trouble> {
        let (first, sent) = (url.origin(), authorization.clone());
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
            let answer = self.answer(request, &method, &url, sent.as_ref(), limit).await;
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

    /// One try to post a form with a login, which is sent to this URL alone. `secret` is the header that
    /// the login would have.
    pub(super) async fn post(
        &self,
        url: Url,
        registry: &Url,
        form: String,
        secret: Option<&HeaderValue>,
        limit: Limit,
    ) -> Result<Fetched, Trouble> {
        const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.may_have_logins(&url)?;
        let request =
            self.client(&url, registry)?.post(url.clone()).header(CONTENT_TYPE, FORM).body(form);
        self.answer(request, &Method::POST, &url, secret, limit).await
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

    /// The answer to a request. The body of an error does not show what was sent as a login.
    async fn answer(
        &self,
        request: RequestBuilder,
        method: &Method,
        url: &Url,
        secret: Option<&HeaderValue>,
        limit: Limit,
    ) -> Result<Fetched, Trouble> {
        let proxy = self.proxies.name(url);
        let trouble = |error| trouble::of_request(&error, proxy, url, REQUEST_TIMEOUT);
        let _permit = self.in_flight.acquire().await.expect("it is never closed");
        let started = Instant::now();
        let sent = request.timeout(REQUEST_TIMEOUT).send().await;
        let reason = sent.as_ref().err().map(causes).unwrap_or_default();
        self.log.add(method, url, started, sent.as_ref().map_err(|_| &*reason));
        let response = sent.map_err(trouble)?;
        let (status, version) = (response.status(), response.version());
        let (headers, answered) = (response.headers().clone(), authority(response.url()));
        // In a tunnel it would be the registry's, which makes no sense.
        if let Some(proxy) = proxy.filter(|_| url.scheme() == "http")
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return Err(Trouble::Unknown(format!("{status} from the proxy {proxy}")));
        }
        let mut body = match limit {
            Limit::Nothing => Vec::new(),
            Limit::Bytes(_) if may_pass(status) => excerpt(response).await,
            Limit::Bytes(limit) => whole(response, limit, trouble).await?,
        };
        if !status.is_success() {
            body = without_secrets(body, secret);
        }
        if may_pass(status) {
            let said = said(status, &headers, &body);
            let from = format!(" from {}{}{said}", address(url), through(proxy));
            return Err(passing(status, &headers, &from));
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

/// True for the status of an error that may pass. A 501 does not change within a second.
fn may_pass(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// An error that may pass. `from` is who says it, and in which words.
fn passing(status: StatusCode, headers: &HeaderMap, from: &str) -> Trouble {
    let pause = retry_after(headers);
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Trouble::Limited(pause, format!("{from}{}", limit_of(headers)));
    }
    Trouble::Busy(format!("{}{from}", words::status(status)), pause)
}

/// The body of an answer.
async fn whole(
    mut response: Response,
    limit: usize,
    trouble: impl Fn(reqwest::Error) -> Trouble,
) -> Result<Vec<u8>, Trouble> {
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(&trouble)? {
        if body.len() + chunk.len() > limit {
            let detail = format!("{status} with a body of more than {} KiB", limit >> 10);
            return Err(Trouble::Unusable(detail));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// As much of a body as comes soon. The status says enough without it.
async fn excerpt(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while body.len() < MAX_EXCERPT
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
    };
    // After the time limit, the part that was read is kept.
    let _ = tokio::time::timeout(EXCERPT_TIMEOUT, read).await;
    body.truncate(MAX_EXCERPT);
    body
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

/// The limit that a registry names: Docker Hub's `ratelimit-limit: 100;w=21600`, and whom it counts
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
