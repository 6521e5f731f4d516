//! A loopback OCI registry: it plays a registry honestly, and misbehaves on order.
//!
//! Manifests follow from the name and the tag alone, so [`digest_of`] knows what any registry here
//! serves. A [`Fault`] takes the place of the answer to an authorised request; of several that
//! match, the first that is not used up counts, so that faults can be queued. Nothing here takes
//! time, except [`Content::with_latency`], [`Misbehaviour::Hang`] and what comes in drops.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::{pending, ready};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::accounts::{Account, SECRET};
use super::tls::Authority;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UNPOISONED: &str = "nothing panics while it holds the lock";

/// How long what comes in drops takes for each byte: never long enough for anybody to take the
/// connection for dead.
const DROP: Duration = Duration::from_millis(10);

/// A running registry on 127.0.0.1; it ends when it is dropped.
pub struct Registry {
    state: Arc<State>,
    ca_pem: Option<String>,
    /// Only empty while dropping.
    runtime: Option<tokio::runtime::Runtime>,
}

/// What a registry has, and how it behaves.
pub struct Content {
    tags: Tags,
    authentication: Authentication,
    latency: Duration,
    page_limit: usize,
    faults: Vec<Fault>,
}

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
}

/// Whether a Bearer challenge says which scope it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeScope {
    /// `scope="repository:NAME:pull"`.
    Named,
    /// No `scope` at all.
    Omitted,
}

/// A misbehaviour, with the requests that meet it.
#[derive(Debug, Clone)]
pub struct Fault {
    path: String,
    method: Option<&'static str>,
    left: Option<usize>,
    misbehaviour: Misbehaviour,
}

/// How a registry can go wrong.
#[derive(Debug, Clone)]
pub enum Misbehaviour {
    /// This status, these headers (repeats are sent as lines of their own) and this body; the
    /// length is added.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Takes the request and never answers.
    Hang,
    /// Breaks off in the middle of the body, for HTTP/1.1 by closing the connection, for HTTP/2 by
    /// ending the stream; a HEAD, which has no body, gets that instead of an answer.
    Reset,
    /// This status and the right content type, then a body without end or announced length.
    EndlessBody(u16),
    /// The same, but byte by byte.
    DrippingBody(u16),
    /// The right headers over 128 MiB, which gzip makes less than one.
    GzipBomb,
    /// 307 to this URL.
    RedirectTo(String),
    /// 307 to the very same place.
    RedirectLoop,
    /// Another digest header. Hyper refuses line breaks: see [`Registry::raw`].
    DigestHeader(Vec<u8>),
    /// No digest header.
    NoDigestHeader,
    /// Another content type.
    ContentType(String),
    /// The right digest header over another body.
    WrongBody,
    /// 404 with a page for people, as a load balancer sends it.
    Html404,
    /// 404 with neither body nor content type.
    Empty404,
    /// This status and an error envelope with this code.
    ErrorCode(u16, &'static str),
    /// This status and a Retry-After header.
    RetryAfter(u16, &'static str),
    /// Honest, but not before a request to this path has had its answer.
    After(String),
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `HEAD`, `GET`, `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as sent, percent signs and all; empty without one.
    pub query: String,
    /// The body, which only a POST to `/token` has.
    pub body: String,
    /// The Host header, or the authority of HTTP/2.
    pub host: String,
    /// The Authorization header.
    pub authorization: Option<String>,
    /// The Proxy-Authorization header, which is for proxies alone.
    pub proxy_authorization: Option<String>,
    /// The media types of all Accept headers.
    pub accept: Vec<String>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The connection it came over, counted from 0.
    pub connection: usize,
    /// When it came.
    pub at: Instant,
}

/// The Authorization header with the n-th token that a registry gives, counted from 0.
pub fn bearer(n: usize) -> String {
    format!("Bearer {}", issued(n))
}

/// The digest that every registry here serves for a tag.
pub fn digest_of(repository: &str, tag: &str) -> String {
    sha256(index(repository, tag).as_bytes())
}

impl Registry {
    /// Serves plain HTTP/1.1 and HTTP/2 (with prior knowledge).
    pub fn start(content: Content) -> Self {
        Self::launch(content, Transport::Plain, None)
    }

    /// Serves HTTP/1.1 and HTTP/2 over TLS, as `localhost`, `127.0.0.1` and names for proxies.
    pub fn start_tls(content: Content) -> Self {
        let authority = Authority::new();
        Self::start_behind(content, &authority, authority.server(&["h2", "http/1.1"], None))
    }

    /// The same behind this server, which shows a certificate of this authority.
    pub fn start_behind(content: Content, authority: &Authority, server: TlsAcceptor) -> Self {
        Self::launch(content, Transport::Tls(server), Some(authority.pem().to_owned()))
    }

    /// Answers each connection with exactly these bytes, once the request head is read, and closes.
    pub fn raw(answer: Vec<u8>) -> Self {
        Self::launch(Content::everything(), Transport::Raw(answer.into(), Ending::Close), None)
    }

    /// The same, but then goes on with this byte, drop by drop.
    pub fn dripping(answer: Vec<u8>, byte: u8) -> Self {
        Self::launch(Content::everything(), Transport::Raw(answer.into(), Ending::Drip(byte)), None)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.state.address
    }

    /// The address with its scheme, without a slash at the end.
    pub fn url(&self) -> String {
        self.state.url()
    }

    /// The certificate to trust; only a registry over TLS has one.
    pub fn ca_pem(&self) -> &str {
        self.ca_pem.as_deref().expect("the test has started this registry over TLS")
    }

    /// Everything that arrived so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect(UNPOISONED).clone()
    }

    /// How many requests arrived whose path has these whole segments: `library/nginx`, `token`.
    pub fn requests_to(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.is_to(path)).count()
    }

    /// How many connections were accepted, also those without a request.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The most requests that ever waited for their answer at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
    }

    fn launch(mut content: Content, transport: Transport, ca_pem: Option<String>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        listener.set_nonblocking(true).expect("a new socket takes options");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the machine has room for two threads");
        let state = Arc::new(State {
            scheme: if ca_pem.is_some() { "https" } else { "http" },
            address,
            faults: Mutex::new(std::mem::take(&mut content.faults)),
            content,
            tokens: Mutex::default(),
            requests: Mutex::default(),
            answered: watch::Sender::default(),
            connections: AtomicUsize::new(0),
            in_flight: Arc::new(()),
            most_in_flight: AtomicUsize::new(0),
        });
        runtime.spawn(accept(listener, transport, Arc::clone(&state)));
        Self { state, ca_pem, runtime: Some(runtime) }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // In the background, as a test may itself be asynchronous and must not block.
            runtime.shutdown_background();
        }
    }
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
            page_limit: usize::MAX,
            faults: Vec::new(),
        }
    }
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
            accounts: Vec::new(),
            refusal: 401,
        }
    }
}

impl Fault {
    /// Meets every request whose path has these whole segments, for ever: `library/nginx`,
    /// `manifests/1.27` (and not `1.27.1`), `tags/list`, `token`; `""` is every path.
    pub fn on(path: &str, misbehaviour: Misbehaviour) -> Self {
        Self { path: path.to_owned(), method: None, left: None, misbehaviour }
    }

    /// Meets only requests of this method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    /// Meets only the first `n` requests.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    fn meets(&self, request: &Request) -> bool {
        self.left != Some(0)
            && self.method.is_none_or(|method| method == request.method)
            && request.is_to(&self.path)
    }
}

impl Request {
    /// Method, path and query, as in `HEAD /v2/web/manifests/1` or `GET /token?scope=…`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target())
    }

    /// Whether its path has these whole segments.
    pub fn is_to(&self, path: &str) -> bool {
        let whole = |path: &str| format!("/{}/", path.trim_matches('/'));
        path.is_empty() || whole(&self.path).contains(&whole(path))
    }

    fn target(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.path, self.query)
    }

    fn new(parts: &hyper::http::request::Parts, body: &[u8], connection: usize) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let header = |name| parts.headers.get(name).map(text);
        let accept = parts.headers.get_all("accept").iter();
        let authority = parts.uri.authority().map(ToString::to_string);
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            host: authority.or_else(|| header("host")).unwrap_or_default(),
            authorization: header("authorization"),
            proxy_authorization: header("proxy-authorization"),
            accept: accept.flat_map(|value| media_types(&text(value))).collect(),
            version: format!("{:?}", parts.version),
            connection,
            at: Instant::now(),
        }
    }

    /// For the raw mode, which has no HTTP library that could tell.
    fn from_head(head: &str, connection: usize) -> Self {
        let mut line = head.lines().next().unwrap_or_default().split(' ').map(String::from);
        let method = line.next().unwrap_or_default();
        let target = line.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let header = |name: &str| {
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let mut values = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
            method,
            body: String::new(),
            host: header("host").unwrap_or_default(),
            authorization: header("authorization"),
            proxy_authorization: header("proxy-authorization"),
            accept: media_types(&header("accept").unwrap_or_default()),
            version: line.next().unwrap_or_default(),
            connection,
            at: Instant::now(),
        }
    }
}

type Body = BoxBody<Bytes, io::Error>;

#[derive(Clone)]
enum Transport {
    Plain,
    Tls(TlsAcceptor),
    Raw(Bytes, Ending),
}

/// What comes behind raw bytes.
#[derive(Clone, Copy)]
enum Ending {
    Close,
    Drip(u8),
}

enum Tags {
    Every,
    Listed(BTreeMap<String, BTreeSet<String>>),
}

enum Authentication {
    Open,
    Tokens(TokenRules),
    Basic(Vec<Account>),
}

enum Route<'a> {
    Ping,
    /// Repository, then tag or digest.
    Manifest(&'a str, &'a str),
    /// Repository.
    Tags(&'a str),
    Token,
    Elsewhere,
}

/// An answer of known length, which a fault may still change.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

struct State {
    scheme: &'static str,
    address: String,
    content: Content,
    faults: Mutex<Vec<Fault>>,
    /// The repositories that each token is good for.
    tokens: Mutex<BTreeMap<String, Vec<String>>>,
    requests: Mutex<Vec<Request>>,
    /// Those that have had their answer.
    answered: watch::Sender<Vec<Request>>,
    connections: AtomicUsize,
    /// Cloned by each request while it waits.
    in_flight: Arc<()>,
    most_in_flight: AtomicUsize,
}

async fn accept(listener: std::net::TcpListener, transport: Transport, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("it runs inside the runtime");
    loop {
        // A client that is gone before it is accepted is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without it, a small answer may wait for an acknowledgement.
        stream.set_nodelay(true).expect("an open socket takes options");
        let connection = state.connections.fetch_add(1, Ordering::SeqCst);
        let (transport, state) = (transport.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match transport {
                Transport::Plain => serve(stream, connection, state).await,
                Transport::Tls(acceptor) => {
                    // A client that refuses the certificate is what some tests are about.
                    match acceptor.accept(stream).into_fallible().await {
                        Ok(stream) => serve(stream, connection, state).await,
                        // What is left unread would take back the alert that says why.
                        Err((_, mut stream)) => {
                            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                        }
                    }
                }
                Transport::Raw(answer, ending) => {
                    // A client that breaks off is its own affair, here as below.
                    let _ = serve_raw(&stream, connection, &state, &answer, ending).await;
                }
            }
        });
    }
}

async fn serve<S>(stream: S, connection: usize, state: Arc<State>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let state = Arc::clone(&state);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            state.answer(Request::new(&parts, &body, connection)).await
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // Broken connections are what some tests are about.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Works on readiness alone, as tokio's extension traits need a feature that nothing else needs.
async fn serve_raw(
    stream: &TcpStream,
    connection: usize,
    state: &State,
    answer: &[u8],
    ending: Ending,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await?;
        let mut buffer = [0; 4096];
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => head.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let request = Request::from_head(&String::from_utf8_lossy(&head), connection);
    state.requests.lock().expect(UNPOISONED).push(request);
    write(stream, answer).await?;
    while let Ending::Drip(byte) = ending {
        tokio::time::sleep(DROP).await;
        write(stream, &[byte]).await?;
    }
    Ok(())
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl State {
    fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// # Errors
    /// An error is a fault too: it makes hyper drop the connection.
    async fn answer(&self, request: Request) -> io::Result<Response<Body>> {
        let _waiting = Arc::clone(&self.in_flight);
        let waiting = Arc::strong_count(&self.in_flight) - 1;
        self.most_in_flight.fetch_max(waiting, Ordering::SeqCst);
        self.requests.lock().expect(UNPOISONED).push(request.clone());
        if !self.content.latency.is_zero() {
            tokio::time::sleep(self.content.latency).await;
        }
        let route = Route::of(&request.path);
        if let Some(challenge) = self.challenge(&route, &request) {
            return Ok(challenge.response(&request.method));
        }
        let response = match self.misbehaviour(&request) {
            Some(misbehaviour) => self.misbehave(misbehaviour, &route, &request).await,
            None => Ok(self.honest(&route, &request).response(&request.method)),
        };
        self.answered.send_modify(|answered| answered.push(request));
        response
    }

    fn misbehaviour(&self, request: &Request) -> Option<Misbehaviour> {
        let mut faults = self.faults.lock().expect(UNPOISONED);
        let fault = faults.iter_mut().find(|fault| fault.meets(request))?;
        fault.left = fault.left.map(|n| n - 1);
        Some(fault.misbehaviour.clone())
    }

    async fn misbehave(
        &self,
        misbehaviour: Misbehaviour,
        route: &Route<'_>,
        request: &Request,
    ) -> io::Result<Response<Body>> {
        let honest = || self.honest(route, request);
        let answer = match misbehaviour {
            Misbehaviour::Hang => pending().await,
            Misbehaviour::Reset if request.method == "HEAD" => return Err(broken_off()),
            Misbehaviour::Reset => return Ok(honest().half()),
            Misbehaviour::EndlessBody(status) => {
                return Ok(Answer::endless(status, &request.method));
            }
            Misbehaviour::DrippingBody(status) => return Ok(Answer::dripping(status)),
            Misbehaviour::GzipBomb => {
                Answer { body: bomb().into(), ..honest() }.with("content-encoding", "gzip")
            }
            Misbehaviour::Status(status, headers, body) => Answer {
                headers: headers.iter().map(|(name, text)| (field(name), value(text))).collect(),
                ..Answer::bare(status, body)
            },
            Misbehaviour::RedirectTo(url) => Answer::bare(307, "").with("location", url),
            Misbehaviour::RedirectLoop => Answer::bare(307, "").with("location", request.target()),
            Misbehaviour::DigestHeader(bytes) => honest().with(DIGEST.as_str(), bytes),
            Misbehaviour::NoDigestHeader => {
                let mut answer = honest();
                answer.headers.remove(DIGEST);
                answer
            }
            Misbehaviour::ContentType(text) => honest().with("content-type", text),
            Misbehaviour::WrongBody => {
                Answer { body: index("another", "image").into(), ..honest() }
            }
            Misbehaviour::Html404 => {
                Answer::new(404, "text/html", "<html><body>Not found</body></html>")
            }
            Misbehaviour::Empty404 => Answer::bare(404, ""),
            Misbehaviour::ErrorCode(status, code) => Answer::error(status, code),
            Misbehaviour::RetryAfter(status, seconds) => {
                Answer::error(status, "TOOMANYREQUESTS").with("retry-after", seconds)
            }
            Misbehaviour::After(path) => {
                let is_there = |all: &Vec<Request>| all.iter().any(|other| other.is_to(&path));
                let mut answered = self.answered.subscribe();
                answered.wait_for(is_there).await.expect("the sender is `self`'s own");
                honest()
            }
        };
        Ok(answer.response(&request.method))
    }

    fn honest(&self, route: &Route<'_>, request: &Request) -> Answer {
        match (request.method.as_str(), route) {
            ("GET" | "HEAD", Route::Ping) => Answer::new(200, "application/json", "{}"),
            ("GET" | "HEAD", Route::Manifest(repository, reference)) => {
                self.manifest(repository, reference)
            }
            ("GET", Route::Tags(repository)) => self.tag_page(repository, &request.query),
            ("GET" | "POST", Route::Token) => self.token(request),
            (_, Route::Elsewhere) => Answer::error(404, "NOT_FOUND"),
            _ => Answer::error(405, "UNSUPPORTED"),
        }
    }

    fn manifest(&self, repository: &str, reference: &str) -> Answer {
        let found = if reference.contains(':') {
            self.by_digest(repository, reference)
        } else {
            let exists = match &self.content.tags {
                Tags::Every => Some(is_tag(reference)),
                Tags::Listed(listed) => listed.get(repository).map(|tags| tags.contains(reference)),
            };
            exists.map(|exists| exists.then(|| (INDEX, index(repository, reference))))
        };
        match found {
            Some(Some((media_type, bytes))) => {
                let digest = sha256(bytes.as_bytes());
                Answer::new(200, media_type, bytes).with(DIGEST.as_str(), digest)
            }
            Some(None) => Answer::error(404, "MANIFEST_UNKNOWN"),
            None => Answer::error(404, "NAME_UNKNOWN"),
        }
    }

    /// A manifest and its media type; `None` for an absent repository, `Some(None)` for a digest
    /// that it doesn't have.
    #[expect(clippy::option_option, reason = "the two absences have codes of their own")]
    fn by_digest(&self, repository: &str, digest: &str) -> Option<Option<(&'static str, String)>> {
        let mut manifests = self.tags_of(repository)?.into_iter().flat_map(|tag| {
            let [one, two] = ARCHITECTURES.map(|name| platform_manifest(repository, &tag, name));
            [(INDEX, index(repository, &tag)), (MANIFEST, one), (MANIFEST, two)]
        });
        Some(manifests.find(|(_, bytes)| sha256(bytes.as_bytes()) == digest))
    }

    /// The tags of a repository, if it exists.
    fn tags_of(&self, repository: &str) -> Option<BTreeSet<String>> {
        if let Tags::Listed(listed) = &self.content.tags {
            return listed.get(repository).cloned();
        }
        let requests = self.requests.lock().expect(UNPOISONED);
        let references = requests.iter().filter_map(|request| match Route::of(&request.path) {
            Route::Manifest(name, reference) if name == repository => Some(reference),
            _ => None,
        });
        Some(references.filter(|text| is_tag(text)).map(String::from).collect())
    }

    fn tag_page(&self, repository: &str, query: &str) -> Answer {
        let Some(tags) = self.tags_of(repository) else {
            return Answer::error(404, "NAME_UNKNOWN");
        };
        let last = parameter(query, "last").next().unwrap_or_default();
        let n = parameter(query, "n").next().and_then(|n| n.parse().ok());
        let n = n.unwrap_or(usize::MAX).min(self.content.page_limit);
        let mut rest = tags.into_iter().filter(|tag| *tag > last);
        let page: Vec<String> = rest.by_ref().take(n).collect();
        let answer = Answer::json(200, &json!({ "name": repository, "tags": page }));
        match (page.last(), rest.next()) {
            (Some(last), Some(_)) => {
                let next = format!("</v2/{repository}/tags/list?n={n}&last={last}>; rel=\"next\"");
                answer.with("link", next)
            }
            _ => answer,
        }
    }

    /// The 401 for a request that may not pass; 403 where the registry knows who asks.
    fn challenge(&self, route: &Route<'_>, request: &Request) -> Option<Answer> {
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
            Authentication::Tokens(rules) => {
                if self.is_granted(rules, authorization, repository) {
                    return None;
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

    fn token(&self, request: &Request) -> Answer {
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
            ManyScopes::FirstOnly => scopes.get(..1).unwrap_or_default(),
            ManyScopes::Granted | ManyScopes::Refused => &scopes[..],
        };
        let name = |scope: &String| {
            let (name, _actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
            account.opens(name).then(|| name.to_owned())
        };
        let mut tokens = self.tokens.lock().expect(UNPOISONED);
        let token = issued(tokens.len());
        tokens.insert(token.clone(), granted.iter().filter_map(name).collect());
        let mut body = json!({ rules.field: token });
        if let Some(seconds) = rules.expires_in {
            body["expires_in"] = seconds.into();
        }
        Answer::json(200, &body)
    }
}

impl TokenRules {
    /// Who asks for a token: with the Authorization header, or with a token to be exchanged.
    fn account(&self, request: &Request) -> Option<Account> {
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

    fn bearer(&self, url: &str, repository: Option<&str>) -> String {
        let realm = self.realm.clone().unwrap_or_else(|| format!("{url}/token"));
        let scope = match (self.challenge_scope, repository) {
            (ChallengeScope::Named, Some(name)) => format!(",scope=\"repository:{name}:pull\""),
            _ => String::new(),
        };
        format!("Bearer realm=\"{realm}\",service=\"loopback\"{scope}")
    }
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Self {
        let Some(path) = path.strip_prefix("/v2/") else {
            let is_token = path == "/token";
            return if is_token { Self::Token } else { Self::Elsewhere };
        };
        if path.is_empty() {
            Self::Ping
        } else if let Some(repository) = path.strip_suffix("/tags/list") {
            Self::Tags(repository)
        } else if let Some((repository, reference)) = path.rsplit_once("/manifests/") {
            Self::Manifest(repository, reference)
        } else {
            Self::Elsewhere
        }
    }
}

impl Answer {
    fn bare(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::bare(status, body).with("content-type", content_type)
    }

    fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    fn error(status: u16, code: &str) -> Self {
        let error = json!({ "code": code, "message": "as the test wants it", "detail": null });
        Self::json(status, &json!({ "errors": [error] }))
    }

    fn with(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.headers.insert(field(name), value(text));
        self
    }

    /// A HEAD gets the headers of the GET, its length too, and no body.
    fn response(mut self, method: &str) -> Response<Body> {
        let length = self.body.len();
        self.headers.insert(CONTENT_LENGTH, length.into());
        if method == "HEAD" {
            self.body = Bytes::new();
        }
        self.streamed(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed())
    }

    /// Announces the whole body, and ends after a half.
    fn half(mut self) -> Response<Body> {
        let length = self.body.len();
        self.headers.insert(CONTENT_LENGTH, length.into());
        self.streamed(|bytes| {
            let sent = stream::iter([Ok(Frame::data(bytes.slice(..length / 2)))]);
            // Hyper writes out what it has when a body makes it wait, and not when it breaks off.
            let flushed = stream::once(tokio::task::yield_now()).filter_map(|()| ready(None));
            BodyExt::boxed(StreamBody::new(sent.chain(flushed)))
        })
    }

    fn endless(status: u16, method: &str) -> Response<Body> {
        let spaces = Bytes::from_static(&[b' '; 16 * 1024]);
        // Over HTTP/2, hyper would send a HEAD its body too.
        let length = if method == "HEAD" { 0 } else { usize::MAX };
        Self::new(status, INDEX, spaces).streamed(|spaces| {
            let frames = stream::repeat_with(move || Ok(Frame::data(spaces.clone())));
            BodyExt::boxed(StreamBody::new(frames.take(length)))
        })
    }

    fn dripping(status: u16) -> Response<Body> {
        Self::new(status, INDEX, " ").streamed(|space| {
            let frames = stream::repeat(space).then(|space| async {
                tokio::time::sleep(DROP).await;
                Ok(Frame::data(space))
            });
            BodyExt::boxed(StreamBody::new(frames))
        })
    }

    fn streamed(self, body: impl FnOnce(Bytes) -> Body) -> Response<Body> {
        let mut response = Response::new(body(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("tests name statuses");
        *response.headers_mut() = self.headers;
        response
    }
}

fn issued(n: usize) -> String {
    format!("{SECRET}-{n}")
}

fn broken_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the test wants it so")
}

fn field(name: &str) -> HeaderName {
    name.parse().expect("tests name headers by their names")
}

fn value(text: impl AsRef<[u8]>) -> HeaderValue {
    HeaderValue::from_bytes(text.as_ref()).expect("values that hyper refuses are for `raw`")
}

fn index(repository: &str, tag: &str) -> String {
    let entry = |architecture| {
        let manifest = platform_manifest(repository, tag, architecture);
        json!({
            "mediaType": MANIFEST,
            "digest": sha256(manifest.as_bytes()),
            "size": manifest.len(),
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    let manifests = ARCHITECTURES.map(entry);
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string()
}

fn platform_manifest(repository: &str, tag: &str, architecture: &str) -> String {
    let config = format!("{repository}:{tag} for linux/{architecture}");
    let config = json!({
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": sha256(config.as_bytes()),
        "size": config.len(),
    });
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] }).to_string()
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

/// Spaces as gzip has them: one, and then again and again a copy of the last 258 bytes, in the fixed
/// codes of RFC 1951, 3.2.6. They end without a checksum, which is too late for who reads so far.
fn bomb() -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (last_block, space, copy, end) = ("110", "01010000", "1100010100000", "0000000");
    let bits = [last_block, space, &copy.repeat((128 << 20) / 258), end].concat();
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
    HEADER.into_iter().chain(bits.as_bytes().chunks(8).map(byte)).collect()
}

/// The grammar of the distribution spec.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn media_types(accept: &str) -> Vec<String> {
    let trimmed = accept.split(',').map(|text| text.trim().to_owned());
    trimmed.filter(|text| !text.is_empty()).collect()
}

/// The values of a parameter in a query or a form.
fn parameter(query: &str, name: &str) -> impl Iterator<Item = String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, text)| decoded(text))
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let mut pieces = spaced.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let hex = piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(hex.unwrap_or(b'%'));
        bytes.extend_from_slice(&piece.as_bytes()[if hex.is_some() { 2 } else { 0 }..]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
