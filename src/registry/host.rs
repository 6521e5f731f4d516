//! Host: one host that is asked, whatever the images call it.
//!
//! Owns how many requests are in flight to it, whether it wants tokens, and whether it speaks TLS.
//! The first request goes ahead of the others, so that these know what it learned.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url};
use tokio::sync::{Mutex, MutexGuard, Semaphore};

use super::tokens::{Token, Tokens};
use super::transport::{Fetched, Limit, Transport, Trouble};
use super::{Endpoint, Outcome, Refusal, authority};

/// How long the others wait for what the first request learns. Registries answer a HEAD in a tenth
/// of that; a host that doesn't must not keep the others from failing, or succeeding, by themselves.
const HEAD_START: Duration = Duration::from_secs(1);

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    origin: Url,
    /// Whether plain HTTP is tried where no TLS connection can be made (loopback only).
    plain_fallback: bool,
    /// Set when that was so.
    plain: AtomicBool,
    in_flight: Arc<Semaphore>,
    /// Held by the first request, which finds out how the host wants to be asked.
    first: Mutex<()>,
    known: AtomicBool,
    tokens: Tokens,
}

/// A request to a host.
#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) method: Method,
    /// The repository that it is about, as the host knows it.
    pub(super) repository: &'r str,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) accept: &'static str,
    pub(super) limit: Limit,
}

/// Whether a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Yes,
    No,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Stop {
    Trouble(Trouble),
    Refused(Refusal),
}

impl Stop {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Trouble(trouble) => trouble.refusal(),
            Self::Refused(refusal) => refusal,
        }
    }
}

impl Host {
    /// The host of an endpoint, which will be asked about these repositories.
    pub(super) fn new(endpoint: Endpoint, names: BTreeSet<String>, concurrency: usize) -> Self {
        let in_flight = Arc::new(Semaphore::new(concurrency));
        Self {
            tokens: Tokens::new(names, in_flight.clone()),
            origin: endpoint.origin,
            plain_fallback: endpoint.plain_fallback,
            plain: AtomicBool::new(false),
            in_flight,
            first: Mutex::new(()),
            known: AtomicBool::new(false),
        }
    }

    /// Sends a request, with a token if the host wants one.
    pub(super) async fn send(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        retry: Retry,
    ) -> Result<Fetched, Stop> {
        // Without a token, with one for many repositories, with one for this alone, with that one
        // renewed: more is no use.
        const ROUNDS: usize = 4;
        let repository = request.repository;
        let first = Cell::new(self.first_or_known().await);
        let go_on = || {
            self.known.store(true, Ordering::Release);
            drop(first.take());
        };
        for _ in 0..ROUNDS {
            let token = self.tokens.token(repository, &self.origin(), transport).await;
            let token = token.map_err(Stop::Refused)?;
            // What fails may take its time to heal: the others are not to wait for it.
            let once = async || {
                self.once(request, transport, token.as_ref()).await.inspect_err(|_| go_on())
            };
            let reply = match retry {
                Retry::Yes => transport.retrying(once).await,
                Retry::No => once().await,
            };
            let reply = reply.map_err(Stop::Trouble)?;
            let refused = matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let learned = refused
                && reply.answered == self.name()
                && self
                    .tokens
                    .learn(repository, token.as_ref(), reply.status, &reply.headers)
                    .await;
            go_on();
            if !learned {
                return Ok(reply);
            }
        }
        let detail = "a new token was refused as soon as it was given";
        Err(Stop::Refused(Refusal::new(Outcome::Denied, detail)))
    }

    /// One try, over plain HTTP as well where that is allowed and no TLS connection can be made.
    async fn once(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        token: Option<&Token>,
    ) -> Result<Fetched, Trouble> {
        let _permit = self.in_flight.acquire().await.expect("it is never closed");
        let send = |origin: Url| {
            let authorization: Option<HeaderValue> = token.map(|token| token.header.clone());
            let (method, mut url) = (request.method.clone(), origin);
            url.set_path(&request.path);
            url.set_query(request.query.as_deref());
            transport.once(method, url, Some(request.accept), authorization, request.limit)
        };
        let reply = send(self.origin()).await;
        let Err(Trouble::Connect(_) | Trouble::Untrusted(_)) = &reply else { return reply };
        if !self.plain_fallback || self.plain.load(Ordering::Acquire) {
            return reply;
        }
        match send(plain(&self.origin)).await {
            // What speaks TLS answers nothing sensible to plain HTTP: its own error says more.
            Err(Trouble::Connect(_) | Trouble::Broken(_)) => reply,
            Ok(plain) if plain.status == StatusCode::BAD_REQUEST => reply,
            answered => {
                self.plain.store(true, Ordering::Release);
                answered
            }
        }
    }

    /// Its name and port.
    pub(super) fn name(&self) -> String {
        authority(&self.origin())
    }

    /// Where it is asked now.
    fn origin(&self) -> Url {
        if self.plain.load(Ordering::Acquire) { plain(&self.origin) } else { self.origin.clone() }
    }

    /// The URL of a path and query at this host.
    pub(super) fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.origin();
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// Waits for the first request, but not for long; or is the first: then it holds the lock.
    async fn first_or_known(&self) -> Option<MutexGuard<'_, ()>> {
        if self.known.load(Ordering::Acquire) {
            return None;
        }
        let guard = tokio::time::timeout(HEAD_START, self.first.lock()).await.ok()?;
        (!self.known.load(Ordering::Acquire)).then_some(guard)
    }
}

fn plain(origin: &Url) -> Url {
    let mut url = origin.clone();
    url.set_scheme("http").expect("https and http are of one kind");
    url
}
