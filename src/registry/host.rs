//! Host: one host that is asked, whatever the images call it.
//!
//! Owns how many requests are in flight to it, whether it wants tokens, and whether it speaks TLS.
//! The first request goes ahead of the others, so that these know what it learned. `send` says who
//! asks, and in which order.

mod elsewhere;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url, Version};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::account::Account;
use super::challenge::Challenge;
use super::challenges::Challenges;
use super::endpoint::{Endpoint, authority};
use super::in_flight::InFlight;
use super::response::{absence, is_of_registry, is_silent};
use super::token::Token;
use super::tokens::Common;
use super::transport::{Fetched, Limit, Transport};
use super::trouble::Trouble;
use super::{Outcome, Refusal};
use crate::credentials::Offer;
use crate::image::canonical_host;

/// How long the others wait for what the first request learns. Registries answer a HEAD in a tenth
/// of that; a host that doesn't must not keep the others from failing, or succeeding, by themselves.
const HEAD_START: Duration = Duration::from_secs(1);

/// Longer than any run, and short enough for a clock to count.
const LONGEST_REST: Duration = Duration::from_secs(100_000);

/// The pause after a host limits requests without a time.
const DEFAULT_REST: Duration = Duration::from_secs(1);

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    origin: Url,
    /// True if plain HTTP is tried where no TLS connection can be made (loopback only).
    plain_fallback: bool,
    /// Set when that was so.
    plain: AtomicBool,
    common: Arc<Common>,
    /// Held by the first request, which finds out how the host wants to be asked.
    first: Mutex<()>,
    known: AtomicBool,
    /// True if `/v2/` is answered as registries answer it; asked once, when it matters.
    is_registry: OnceCell<bool>,
    /// Until when it wants to be left alone.
    rests_until: std::sync::Mutex<Option<Instant>>,
    /// The logins that may be tried, in order.
    accounts: Vec<Account>,
    /// Requests without a login.
    anonymous: Account,
    /// Hosts that redirects of this one lead to, by their origins.
    elsewhere: std::sync::Mutex<BTreeMap<String, Arc<Self>>>,
    /// The reason why no connection can be made. Then the host is not asked again.
    down: OnceLock<Trouble>,
    /// Logins that did not open what opened without them.
    idle: std::sync::Mutex<BTreeSet<String>>,
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

/// Tells if a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Yes,
    No,
}

/// The reason why a request has no answer.
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
    pub(super) fn new(
        endpoint: Endpoint,
        names: &BTreeSet<String>,
        offers: Vec<Offer>,
        in_flight: Arc<InFlight>,
        plain_http: &[String],
    ) -> Self {
        let (challenges, plain_http) = (Challenges::default(), plain_http.to_vec());
        let common = Arc::new(Common { in_flight, challenges, plain_http });
        let account = |offer| Account::new(offer, common.clone());
        let host = Self {
            accounts: offers.into_iter().map(Some).map(account).collect(),
            anonymous: account(None),
            elsewhere: std::sync::Mutex::default(),
            down: OnceLock::new(),
            idle: std::sync::Mutex::default(),
            rests_until: std::sync::Mutex::default(),
            origin: endpoint.origin,
            plain_fallback: endpoint.plain_fallback,
            plain: AtomicBool::new(false),
            common,
            first: Mutex::new(()),
            known: AtomicBool::new(false),
            is_registry: OnceCell::new(),
        };
        host.expect(names);
        host
    }

    /// Announces repositories that will be asked for, so that one token may serve several.
    pub(super) fn expect(&self, names: &BTreeSet<String>) {
        for account in self.accounts.iter().chain([&self.anonymous]) {
            account.expect(names);
        }
    }

    /// Logins that did not open what opened without them, and why.
    pub(super) fn rejected_logins(&self) -> BTreeSet<String> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One try. A host that is asked too much at the same time is asked again as soon as there is
    /// less; this ends, as each 429 halves what it is asked.
    async fn once(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        token: Option<&Token>,
    ) -> Result<Fetched, Trouble> {
        loop {
            let permit = self.common.in_flight.acquire().await;
            self.rest(transport.deadline()).await?;
            let reply = self.sent(request, transport, token).await;
            match &reply {
                Err(Trouble::Limited(pause, _)) => {
                    if permit.limited() && pause.is_none() {
                        continue;
                    }
                    let until = Instant::now() + pause.unwrap_or(DEFAULT_REST).min(LONGEST_REST);
                    *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
                }
                Err(_) => permit.failed(),
                Ok(reply) if reply.version == Version::HTTP_2 => permit.answered(),
                Ok(_) => {}
            }
            return reply;
        }
    }

    /// The answer to a request, over plain HTTP as well where that is allowed and no TLS connection
    /// can be made.
    async fn sent(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        token: Option<&Token>,
    ) -> Result<Fetched, Trouble> {
        let send = |origin: Url| {
            let authorization: Option<HeaderValue> = token.map(|token| token.header.clone());
            let (method, mut url) = (request.method.clone(), origin);
            url.set_path(&request.path);
            url.set_query(request.query.as_deref());
            let (accept, limit) = (Some(request.accept), request.limit);
            transport.once(method, url, &self.origin, accept, authorization, limit)
        };
        let reply = send(self.origin()).await;
        let Err(Trouble::Connect(_) | Trouble::Untrusted(_)) = &reply else { return reply };
        if !self.plain_fallback || self.plain.load(Ordering::Acquire) {
            return reply;
        }
        match send(plain(&self.origin)).await {
            // A TLS server sends no useful answer to plain HTTP: the error of TLS says more.
            Err(Trouble::Connect(_) | Trouble::Broken(_)) => reply,
            Ok(plain) if plain.status == StatusCode::BAD_REQUEST => reply,
            answered => {
                self.plain.store(true, Ordering::Release);
                answered
            }
        }
    }

    /// The proof in a 404 of this host. If the 404 is empty, `/v2/` shows if the host is a registry.
    pub(super) async fn absence(&self, reply: &Fetched, transport: &Transport) -> Refusal {
        let refusal = absence(reply);
        let may_be_proof = refusal.outcome == Outcome::Unproven && is_silent(reply);
        if may_be_proof && reply.answered == self.name() && self.ping(transport).await {
            return Refusal::new(
                Outcome::MissingTag,
                format!("{} from {}", reply.status, reply.answered),
            );
        }
        refusal
    }

    /// Asks for `/v2/`, once in a run (OCI distribution spec 1.1, "Determining Support"), and takes
    /// the challenge of the answer if there has been none. True if a registry has answered.
    async fn ping(&self, transport: &Transport) -> bool {
        let ask = || async {
            let request = Request {
                method: Method::GET,
                repository: "",
                path: "/v2/".to_owned(),
                query: None,
                accept: "*/*",
                limit: Limit::Nothing,
            };
            let once = async || self.once(&request, transport, None).await;
            let Ok(reply) = transport.retrying(once).await else { return false };
            if reply.answered != self.name() {
                return false;
            }
            let is_new = !self.common.challenges.is_any_known();
            if let Some(challenge) = Challenge::of(&reply.headers).filter(|_| is_new) {
                self.common.challenges.learn("", challenge);
            }
            is_of_registry(&reply.headers)
        };
        *self.is_registry.get_or_init(ask).await
    }

    /// Waits until the host may be asked again: what limits one request limits them all.
    async fn rest(&self, deadline: Instant) -> Result<(), Trouble> {
        loop {
            let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(left) = until.and_then(|until| until.checked_duration_since(Instant::now()))
            else {
                return Ok(());
            };
            // Spread, so that the host is not asked by all at once then.
            let left = left + DEFAULT_REST.mul_f64(fastrand::f64());
            if Instant::now() + left > deadline {
                return Err(Trouble::Limited(Some(left), String::new()));
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Its name and port.
    pub(super) fn name(&self) -> String {
        authority(&self.origin())
    }

    /// The name that logins and images have for it.
    pub(super) fn login_name(&self) -> String {
        canonical_host(&self.name())
    }

    /// The URL of the current request.
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
