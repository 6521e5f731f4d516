//! Host: one host that is asked, whatever the images call it.
//!
//! Owns how many requests are in flight to it, whether it wants tokens, and whether it speaks TLS.
//! The first request goes ahead of the others, so that these know what it learned.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url};
use tokio::sync::{Mutex, MutexGuard, OnceCell, Semaphore};

use super::account::{Account, Standing};
use super::response::{absence, is_of_registry, is_silent};
use super::tokens::{Asked, Token};
use super::transport::{Fetched, Limit, Transport, Trouble};
use super::{Endpoint, Outcome, Refusal, authority};
use crate::credentials::{Login, Offer};

/// How long the others wait for what the first request learns. Registries answer a HEAD in a tenth
/// of that; a host that doesn't must not keep the others from failing, or succeeding, by themselves.
const HEAD_START: Duration = Duration::from_secs(1);

/// Longer than any run, and short enough for a clock to count.
const LONGEST_REST: Duration = Duration::from_secs(100_000);

/// How long a host is left alone that limits requests and does not say for how long.
const DEFAULT_REST: Duration = Duration::from_secs(1);

/// Logins that are tried for one repository. People have two or three; thousands, as a stream may
/// bring them, would have the registry shut its doors.
const MAX_LOGINS: usize = 16;

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    origin: Url,
    /// True if plain HTTP is tried where no TLS connection can be made (loopback only).
    plain_fallback: bool,
    /// Set when that was so.
    plain: AtomicBool,
    in_flight: Arc<Semaphore>,
    /// Held by the first request, which finds out how the host wants to be asked.
    first: Mutex<()>,
    known: AtomicBool,
    /// True if `/v2/` is answered as registries answer it; asked once, when it matters.
    is_registry: OnceCell<bool>,
    /// Until when it wants to be left alone.
    rests_until: std::sync::Mutex<Option<Instant>>,
    /// As whom it can be asked, in order; the last is nobody.
    accounts: Vec<Account>,
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
    pub(super) fn new(
        endpoint: Endpoint,
        names: &BTreeSet<String>,
        offers: Vec<Offer>,
        concurrency: usize,
    ) -> Self {
        let in_flight = Arc::new(Semaphore::new(concurrency));
        let asked = Asked::default();
        let account = |offer| Account::new(offer, in_flight.clone(), asked.clone());
        let accounts = offers.into_iter().map(Some).chain([None]).map(account).collect();
        let host = Self {
            accounts,
            idle: std::sync::Mutex::default(),
            rests_until: std::sync::Mutex::default(),
            origin: endpoint.origin,
            plain_fallback: endpoint.plain_fallback,
            plain: AtomicBool::new(false),
            in_flight,
            first: Mutex::new(()),
            known: AtomicBool::new(false),
            is_registry: OnceCell::new(),
        };
        host.expect(names);
        host
    }

    /// Announces repositories that will be asked for, so that one token may serve several.
    pub(super) fn expect(&self, names: &BTreeSet<String>) {
        for account in &self.accounts {
            account.expect(names);
        }
    }

    /// Sends a request as whoever may: a login that is refused must not stand in the way of the
    /// next, nor of what anybody may read (moby#8376).
    pub(super) async fn send(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        retry: Retry,
    ) -> Result<Fetched, Stop> {
        let mut refused_to = Vec::new();
        let nobody = self.accounts.last().expect("it is always there");
        let offers = self.accounts.iter().filter_map(|one| Some((one, one.offer.as_ref()?)));
        let offers: Vec<_> = offers.filter(|(_, offer)| offer.is_for(request.repository)).collect();
        if !offers.is_empty() {
            let first = self.first_or_known().await;
            // A program that knows a login may ask a server, or a person: not without need.
            if !nobody.tokens.are_asked_for() {
                let asked = self.ask_as(nobody, None, first, request, transport, retry).await;
                let (reply, _) = asked?;
                if !is_refusal(reply.status) || !nobody.tokens.are_asked_for() {
                    return Ok(reply);
                }
            }
        }
        for (account, offer) in offers.iter().take(MAX_LOGINS) {
            let login = match offer.login(transport.deadline()).await {
                Ok(Some(login)) => login,
                Ok(None) => continue,
                Err(reason) => {
                    refused_to.push(reason);
                    continue;
                }
            };
            let answer = self.send_as(account, Some(&login), request, transport, retry).await;
            if !is_denied(&answer) {
                return self.settled(answer, refused_to);
            }
            refused_to.push(format!("{offer} is refused"));
        }
        if offers.len() > MAX_LOGINS {
            let more = offers.len() - MAX_LOGINS;
            refused_to.push(format!("{more} more logins are not tried"));
        }
        let answer = self.send_as(nobody, None, request, transport, retry).await;
        if !is_denied(&answer) {
            return self.settled(answer, refused_to);
        }
        match answer {
            Ok(reply) => Ok(Fetched { refused_to, ..reply }),
            Err(Stop::Refused(refusal)) => Err(Stop::Refused(refusal.after(&refused_to))),
            Err(stop) => Err(stop),
        }
    }

    /// An answer to somebody, after others were refused. Some registries hide what is private behind
    /// a 404, so that whoever was refused goes with it.
    fn settled(
        &self,
        answer: Result<Fetched, Stop>,
        refused_to: Vec<String>,
    ) -> Result<Fetched, Stop> {
        match answer {
            Ok(reply) if reply.status == StatusCode::NOT_FOUND => {
                Ok(Fetched { refused_to, ..reply })
            }
            answer => {
                self.note(&refused_to);
                answer
            }
        }
    }

    fn note(&self, refused_to: &[String]) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(refused_to.iter().cloned());
    }

    /// Logins that did not open what opened without them, and why.
    pub(super) fn rejected_logins(&self) -> BTreeSet<String> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request as one account, with a token if the host wants one.
    async fn send_as(
        &self,
        account: &Account,
        login: Option<&Login>,
        request: &Request<'_>,
        transport: &Transport,
        retry: Retry,
    ) -> Result<Fetched, Stop> {
        // Without a token, with one for many repositories, with one for this alone, with that one
        // renewed: more is no use.
        const ROUNDS: usize = 4;
        for _ in 0..ROUNDS {
            let first = self.first_or_known().await;
            let asked = self.ask_as(account, login, first, request, transport, retry).await;
            let (reply, learned) = asked?;
            if !learned {
                return Ok(reply);
            }
        }
        let detail = "a new token was refused as soon as it was given";
        Err(Stop::Refused(Refusal::new(Outcome::Denied, detail)))
    }

    /// Sends a request as one account, with the token that there is; says too whether another one is
    /// worth a try. Whoever is the first has the others wait until there is an answer.
    async fn ask_as(
        &self,
        account: &Account,
        login: Option<&Login>,
        first: Option<MutexGuard<'_, ()>>,
        request: &Request<'_>,
        transport: &Transport,
        retry: Retry,
    ) -> Result<(Fetched, bool), Stop> {
        let repository = request.repository;
        let first = Cell::new(first);
        let token = account.tokens.token(repository, login, &self.origin(), transport).await;
        let token = token.map_err(Stop::Refused)?;
        let standing = account.standing(token.as_ref(), repository);
        let untried = match &standing {
            Some(standing) => Some(standing.lock().await),
            None => None,
        };
        if untried.as_deref() == Some(&Standing::Refused) {
            let detail = "the login was refused before";
            return Err(Stop::Refused(Refusal::new(Outcome::Denied, detail)));
        }
        let untried = Cell::new(untried.filter(|standing| **standing == Standing::Untried));
        let go_on = || {
            self.known.store(true, Ordering::Release);
            drop((first.take(), untried.take()));
        };
        // What fails may take its time to heal: the others are not to wait for it.
        let once =
            async || self.once(request, transport, token.as_ref()).await.inspect_err(|_| go_on());
        let reply = match retry {
            Retry::Yes => transport.retrying(once).await,
            Retry::No => once().await,
        };
        let reply = reply.map_err(Stop::Trouble)?;
        let is_own = reply.answered == self.name();
        if let Some(mut standing) = untried.take() {
            let is_refused = is_own && reply.status == StatusCode::UNAUTHORIZED;
            *standing = if is_refused { Standing::Refused } else { Standing::Known };
        }
        let learned = is_refusal(reply.status)
            && is_own
            && account
                .tokens
                .learn(repository, login, token.as_ref(), reply.status, &reply.headers)
                .await;
        go_on();
        Ok((reply, learned))
    }

    /// One try, over plain HTTP as well where that is allowed and no TLS connection can be made.
    async fn once(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        token: Option<&Token>,
    ) -> Result<Fetched, Trouble> {
        let _permit = self.in_flight.acquire().await.expect("it is never closed");
        self.rest(transport.deadline()).await?;
        let send = |origin: Url| {
            let authorization: Option<HeaderValue> = token.map(|token| token.header.clone());
            let (method, mut url) = (request.method.clone(), origin);
            url.set_path(&request.path);
            url.set_query(request.query.as_deref());
            transport.once(method, url, Some(request.accept), authorization, request.limit)
        };
        let reply = send(self.origin()).await;
        if let Err(Trouble::Limited(pause, _)) = &reply {
            let until = Instant::now() + pause.unwrap_or(DEFAULT_REST).min(LONGEST_REST);
            *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
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

    /// What a 404 of this host proves. If it is empty, `/v2/` shows whether a registry is there.
    pub(super) async fn absence(&self, reply: &Fetched, transport: &Transport) -> Refusal {
        let refusal = absence(reply);
        let may_be_proof = refusal.outcome == Outcome::Unproven && is_silent(reply);
        if may_be_proof && reply.answered == self.name() && self.is_registry(transport).await {
            return Refusal::new(
                Outcome::MissingTag,
                format!("{} from {}", reply.status, reply.answered),
            );
        }
        refusal
    }

    /// Asks for `/v2/`, once in a run (OCI distribution spec 1.1, "Determining Support").
    async fn is_registry(&self, transport: &Transport) -> bool {
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
            let reply = transport.retrying(once).await;
            reply.is_ok_and(|reply| reply.answered == self.name() && is_of_registry(&reply.headers))
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

/// True if somebody else may be let in.
fn is_denied(answer: &Result<Fetched, Stop>) -> bool {
    match answer {
        Ok(reply) => is_refusal(reply.status),
        Err(Stop::Refused(refusal)) => refusal.outcome == Outcome::Denied,
        Err(Stop::Trouble(_)) => false,
    }
}

fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn plain(origin: &Url) -> Url {
    let mut url = origin.clone();
    url.set_scheme("http").expect("https and http are of one kind");
    url
}
