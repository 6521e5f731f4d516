//! Tokens of one account at one host.
//!
//! How a token is shared: `expect` announces all repositories of a run, and [`Shares`] puts them into
//! groups. `token` asks for one token per group, once, however many requests wait for it: each group
//! has a slot, and the first request that locks an empty slot fills it. `learn` reads how the host
//! answered a token. A wide token that is too long or opens too little makes the groups smaller.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};

use super::challenge::{Bearer, Challenge};
use super::challenges::{Challenges, Wanted};
use super::in_flight::InFlight;
use super::proofs::{Proof, Proofs, Proven};
use super::shares::{Share, Shares};
use super::token::{Kind, Token};
use super::token_request::TokenRequest;
use super::transport::Transport;
use super::trouble::Trouble;
use super::{Outcome, Refusal};
use crate::credentials::Login;

/// The longest header with a token for several repositories. Servers take 8 KiB of a header by
/// default (nginx `large_client_header_buffers`, Apache `LimitRequestFieldSize`).
const MAX_SHARED_TOKEN: usize = 7 << 10;

/// How long an endpoint may take for a token for several repositories, and no longer than a third of
/// the time that the run has left. Then it is asked for one repository.
const SHARED_TOKEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The state that all accounts of a host share.
#[derive(Debug)]
pub(super) struct Common {
    /// Shared with the registry's other requests, as it often gives the tokens itself.
    pub(super) in_flight: Arc<InFlight>,
    pub(super) challenges: Challenges,
    /// Hosts that the user named for plain HTTP, which may give tokens.
    pub(super) plain_http: Vec<String>,
}

/// How a shared token failed for a repository.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failed {
    /// With this status.
    Status(StatusCode),
    /// The connection broke.
    Broken,
}

/// A shared token that failed, and how many repositories it was for.
pub(super) type FailedShare = (usize, Failed);

/// Trials of shared tokens after which each repository gets its own: a token for several that opens
/// none of two is of little use.
const TRIALS: usize = 2;

/// A token and its end, or why there is none. The first request that needs it fills it.
type Slot = Arc<tokio::sync::Mutex<Option<Result<(Token, Instant), Refusal>>>>;

/// The tokens of one account at one host.
#[derive(Debug)]
pub(super) struct Tokens {
    common: Arc<Common>,
    /// Held by the request that tries the first shared token.
    trial: tokio::sync::Mutex<()>,
    proofs: Proofs,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shares: Shares,
    slots: HashMap<Share, Slot>,
    /// Trials that did not show whether tokens can be shared.
    vain_trials: usize,
}

/// The parameters of a token request.
struct Ask<'r> {
    repository: &'r str,
    bearer: Bearer,
    login: Option<&'r Login>,
    origin: &'r Url,
    transport: &'r Transport,
}

impl Tokens {
    pub(super) fn new(common: Arc<Common>) -> Self {
        let (trial, proofs, state) = Default::default();
        Self { common, trial, proofs, state }
    }

    /// Announces repositories that will be asked for, so that they can share tokens.
    pub(super) fn expect(&self, repositories: BTreeSet<String>) {
        self.state().shares.expect(repositories);
    }

    /// The token for a repository, with a login if there is one. None if the host has not asked for
    /// one; but then a login is sent as a password, as the host may hide what is private.
    ///
    /// # Errors
    /// The answer of the token endpoint. All waiting requests get it, without another request.
    pub(super) async fn token(
        &self,
        repository: &str,
        login: Option<&Login>,
        origin: &Url,
        transport: &Transport,
    ) -> Result<Option<Token>, Refusal> {
        let as_it_is = |header, kind| Token { header, kind };
        let given = || login.and_then(Login::bearer).map(|header| as_it_is(header, Kind::Given));
        let password =
            || login.and_then(Login::basic).map(|header| as_it_is(header, Kind::Password));
        match self.common.challenges.of(repository) {
            Wanted::Nothing => Ok(None),
            Wanted::Unknown => Ok(password().or_else(given)),
            Wanted::Answer(Challenge::Basic) => Ok(password()),
            Wanted::Answer(Challenge::Bearer(bearer)) => match given() {
                Some(token) => Ok(Some(token)),
                None => self
                    .issued(&Ask { repository, bearer, login, origin, transport })
                    .await
                    .map(Some),
            },
        }
    }

    /// The token of a slot, which is filled if it is empty or its token has expired.
    async fn issued(&self, ask: &Ask<'_>) -> Result<Token, Refusal> {
        loop {
            let share = self.share(ask.repository);
            let slot = self.slot(&share);
            let mut filled = slot.lock().await;
            if self.share(ask.repository) != share {
                continue; // the one before us learned that this share leads nowhere
            }
            match &*filled {
                Some(Ok((token, expires))) if *expires > Instant::now() => {
                    return Ok(token.clone());
                }
                Some(Err(refusal)) => return Err(refusal.clone()),
                _ => {}
            }
            let answer = match share {
                Share::One(_) | Share::OwnRealm(_) => Some(self.own(ask).await),
                Share::Part { .. } => self.shared(&share, ask).await,
            };
            if let Some(answer) = answer {
                *filled = Some(answer.clone());
                return answer.map(|(token, _)| token);
            }
        }
    }

    /// A token for one repository. The first request with a login goes alone, and a login that is wrong
    /// is not sent to the realm again.
    async fn own(&self, ask: &Ask<'_>) -> Result<(Token, Instant), Refusal> {
        let request = self.request(ask, &[ask.repository.to_owned()])?;
        let proof = self.proof(ask);
        let mut proven = match &proof {
            Some(proof) => Some(proof.lock().await),
            None => None,
        };
        match proven.as_deref() {
            Some(Proven::Wrong(refusal)) => return Err(refusal.clone()),
            Some(Proven::Right) => proven = None,
            Some(Proven::Untried) | None => {}
        }
        let once = || request.send(&self.common.in_flight, ask.transport);
        let reply = ask.transport.retrying(once).await;
        let is_wrong = request.is_login_wrong(&reply);
        let granted = request.read(reply);
        if let Some(proven) = &mut proven {
            **proven = match &granted {
                Err(refusal) if is_wrong => Proven::Wrong(refusal.clone()),
                _ => Proven::Right,
            };
        }
        let granted = granted?;
        let expires = granted.expires;
        Ok((Token::new(granted, 1), expires))
    }

    /// Tries a password that its realm has not seen, for one repository: an endpoint that refuses a login for
    /// many may be one that refuses the many.
    ///
    /// # Errors
    /// The login is wrong, or the endpoint gives no usable answer.
    async fn try_login(&self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let is_password = matches!(ask.login, Some(Login::Password { .. }));
        let Some(proof) = self.proof(ask).filter(|_| is_password) else { return Ok(()) };
        let proven = proof.lock().await.clone();
        match proven {
            Proven::Right => return Ok(()),
            Proven::Wrong(refusal) => return Err(refusal),
            Proven::Untried => {}
        }
        let own = self.own(ask).await;
        let is_wrong = matches!(*proof.lock().await, Proven::Wrong(_));
        let failed = own.as_ref().err().filter(|refusal| is_wrong || is_outage(refusal)).cloned();
        let slot = self.slot(&Share::One(ask.repository.to_owned()));
        *slot.lock().await = Some(own);
        failed.map_or(Ok(()), Err)
    }

    /// The state of the login of a request at its realm; none without a login.
    fn proof(&self, ask: &Ask<'_>) -> Option<Proof> {
        ask.login.map(|_| self.proofs.of(&ask.bearer.realm))
    }

    /// A token for a share. None if the share has to be smaller. An endpoint that fails is asked
    /// for one repository; if it fails then too, no other request tries.
    async fn shared(
        &self,
        share: &Share,
        ask: &Ask<'_>,
    ) -> Option<Result<(Token, Instant), Refusal>> {
        if let Err(refusal) = self.try_login(ask).await {
            return Some(Err(refusal));
        }
        let names = self.state().shares.names(share, ask.repository);
        let request = match self.request(ask, &names) {
            Ok(request) => request,
            Err(refusal) => return Some(Err(refusal)),
        };
        let sent = request.send(&self.common.in_flight, ask.transport);
        let left = ask.transport.deadline().saturating_duration_since(Instant::now());
        let timeout = SHARED_TOKEN_TIMEOUT.min(left / 3);
        let reply = tokio::time::timeout(timeout, sent).await.unwrap_or_else(|_| {
            Err(Trouble::Broken(format!("no answer within {:.1} s", timeout.as_secs_f32())))
        });
        if reply.as_ref().is_ok_and(|reply| LENGTH.contains(&reply.status.as_u16())) {
            self.narrow(names.len() / 2);
            return None;
        }
        match request.read(reply) {
            Ok(granted) if granted.header.len() > MAX_SHARED_TOKEN => {
                // About as many as fit, and fewer in any case.
                let fit = names.len() * MAX_SHARED_TOKEN / granted.header.len();
                self.narrow(fit.min(names.len() - 1));
                None
            }
            Ok(granted) => {
                let expires = granted.expires;
                Some(Ok((Token::new(granted, names.len()), expires)))
            }
            Err(refusal) if is_outage(&refusal) => match self.own(ask).await {
                Err(own) if is_outage(&own) => Some(Err(own)),
                own => {
                    self.narrow(1);
                    let slot = self.slot(&Share::One(ask.repository.to_owned()));
                    *slot.lock().await = Some(own);
                    None
                }
            },
            Err(_) => {
                self.narrow(1);
                None
            }
        }
    }

    fn request<'r>(&self, ask: &Ask<'r>, names: &[String]) -> Result<TokenRequest<'r>, Refusal> {
        TokenRequest::new(ask.origin, &ask.bearer, names, ask.login, &self.common.plain_http)
    }

    /// Learns from an answer with an error. True if another token is worth a try.
    pub(super) async fn learn(
        &self,
        repository: &str,
        login: Option<&Login>,
        sent: Option<&Token>,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        let is_unauthorized = status == StatusCode::UNAUTHORIZED;
        match sent.map(|token| token.kind) {
            None if is_closed(status) => {
                let Some(challenge) = Challenge::of(headers) else {
                    return self.common.challenges.settle(repository);
                };
                let is_basic = challenge == Challenge::Basic;
                self.common.challenges.learn(repository, challenge);
                let has_password = login.is_some_and(|login| login.basic().is_some());
                is_unauthorized && (!is_basic || has_password)
            }
            Some(Kind::Shared(_)) if is_closed(status) || is_too_long(status) => {
                self.state().shares.set_alone(repository);
                true
            }
            Some(Kind::Own) if is_unauthorized => {
                if let Some(seen) = Challenge::of(headers) {
                    self.common.challenges.doubt(repository, &seen);
                }
                self.renew(repository, sent).await;
                true
            }
            _ => false,
        }
    }

    /// True if shared tokens are known to work.
    pub(super) fn is_trusted(&self) -> bool {
        self.state().shares.is_trusted()
    }

    /// Gives a repository a token of its own from now on.
    pub(super) fn set_alone(&self, repository: &str) {
        self.state().shares.set_alone(repository);
    }

    /// Takes a refused token out of its slot, unless another request has brought a new one.
    async fn renew(&self, repository: &str, sent: Option<&Token>) {
        let slot = self.slot(&self.share(repository));
        let mut filled = slot.lock().await;
        let is_renewed = matches!((&*filled, sent),
            (Some(Ok((token, _))), Some(sent)) if token.header != sent.header);
        if !is_renewed {
            *filled = None;
        }
    }

    /// Waits while another request tries the first shared token of this account. Gives a guard if
    /// this request has to try it.
    pub(super) async fn trial(
        &self,
        repository: &str,
        patience: Duration,
    ) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let is_due = || {
            let is_shared = matches!(self.share(repository), Share::Part { .. });
            is_shared && !self.state().shares.is_trusted()
        };
        let is_asked =
            matches!(self.common.challenges.of(repository), Wanted::Answer(Challenge::Bearer(_)));
        if !is_asked || !is_due() {
            return None;
        }
        let guard = tokio::time::timeout(patience, self.trial.lock()).await.ok()?;
        is_due().then_some(guard)
    }

    /// Concludes from the last answer for a repository whether tokens can be shared, and by how many.
    pub(super) fn conclude(
        &self,
        sent: Option<&Token>,
        failed: Option<FailedShare>,
        status: StatusCode,
    ) {
        let mut state = self.state();
        let is_open = !is_closed(status) && !is_too_long(status);
        match (sent.map(|token| token.kind), failed) {
            (Some(Kind::Shared(_)), _) if is_open => state.shares.trust(),
            // Its own token opened what a shared one did not.
            (Some(Kind::Own), Some((width, Failed::Status(status))))
                if is_open && is_too_long(status) =>
            {
                state.shares.narrow(width / 2);
            }
            (Some(Kind::Own), Some((width, failed))) if !state.shares.is_trusted() => {
                match failed {
                    Failed::Broken if is_open => state.shares.narrow(width / 2),
                    _ if is_open => state.shares.narrow(1),
                    _ => {
                        state.vain_trials += 1;
                        if state.vain_trials >= TRIALS {
                            state.shares.narrow(1);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn share(&self, repository: &str) -> Share {
        if self.common.challenges.is_own(repository) {
            return Share::OwnRealm(repository.to_owned());
        }
        self.state().shares.of(repository)
    }

    fn slot(&self, share: &Share) -> Slot {
        self.state().slots.entry(share.clone()).or_default().clone()
    }

    fn narrow(&self, width: usize) {
        self.state().shares.narrow(width);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statuses about the length of a request. Jetty answered 413 to long headers until version 9.3, and 494
/// is nginx's own.
const LENGTH: [u16; 4] = [413, 414, 431, 494];

/// True for statuses that servers give to a request that is too long.
fn is_too_long(status: StatusCode) -> bool {
    status == StatusCode::BAD_REQUEST || LENGTH.contains(&status.as_u16())
}

/// Statuses that a repository may have because it is closed to this account.
pub(super) fn is_closed(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}

/// True if a token endpoint gave no usable answer.
fn is_outage(refusal: &Refusal) -> bool {
    matches!(refusal.outcome, Outcome::RateLimited | Outcome::Unreachable | Outcome::ProxyFailed)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::registry::Concurrency;

    #[test]
    fn a_token_is_not_printed() {
        let mut header = HeaderValue::from_static("Bearer NeverShowThisSecret");
        header.set_sensitive(true);
        let token = Token { header, kind: Kind::Own };
        let common = Common {
            in_flight: Arc::new(InFlight::new(Concurrency::AtMost(1))),
            challenges: Challenges::default(),
            plain_http: Vec::new(),
        };
        let tokens = Tokens::new(Arc::new(common));
        let filled = Some(Ok((token.clone(), Instant::now())));
        let slot = Arc::new(tokio::sync::Mutex::new(filled));
        tokens.state().slots.insert(Share::One("a".to_owned()), slot);
        let printed = format!("{token:?} {tokens:?}");
        assert!(printed.contains("Sensitive") && !printed.contains("NeverShow"), "{printed}");
    }
}
