//! The order in which logins are sent to a host.
//!
//! How a request is sent: `send_as_any` goes through the logins that match the repository, and ends
//! without a login. `send_and_follow` goes on if a redirect leads to another registry. `send_as` sends it as one account, with other tokens until one is good or none is
//! left. `ask_as` sends it once, with the token that there is. Nothing is concluded from a 401, 403
//! or 404 before every login was tried: some registries hide what is private behind a 404.

use std::cell::Cell;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use reqwest::{Method, StatusCode};
use tokio::sync::MutexGuard;

use super::{HEAD_START, Host, Request, Retry, Stop};
use crate::credentials::{Login, Offer};
use crate::registry::account::{Account, Standing};
use crate::registry::challenge::Challenge;
use crate::registry::challenges::Wanted;
use crate::registry::token::Token;
use crate::registry::tokens::{Failed, FailedShare, is_closed};
use crate::registry::transport::{Fetched, Transport};
use crate::registry::trouble::Trouble;
use crate::registry::words::is_html;
use crate::registry::{Outcome, Refusal};

/// Logins that are tried for one repository. People have two or three; thousands, as a stream may
/// bring them, would have the registry shut its doors.
const MAX_LOGINS: usize = 8;

/// Tries of one account: without a token, with a shared one, with its own, with a new one; and
/// twice that, if the repository turns out to have a realm of its own.
const ROUNDS: usize = 8;

/// Tokens of one repository that are refused before the account is given up.
const MAX_REFUSED: usize = 3;

/// A request, and what sends it.
pub(super) struct Call<'r> {
    pub(super) request: &'r Request<'r>,
    pub(super) transport: &'r Transport,
    pub(super) retry: Retry,
}

/// An answer, by what the other accounts mean for it.
enum Verdict {
    /// The answer counts, whatever other accounts would get.
    Stands(Result<Fetched, Stop>),
    /// The account is not let in.
    Refused(Result<Fetched, Stop>),
    /// A 404, which may hide what this account may not see.
    Missing(Fetched),
}

/// The result of the logins that were tried.
#[derive(Default)]
struct Tried {
    logins: usize,
    /// Those that were refused or could not be tried, and why.
    refused: Vec<String>,
    /// The first 404 to one of them.
    missing: Option<Fetched>,
}

/// The result of one request.
struct Asked {
    /// None if there was no token, or the request failed, which a shared token may be the reason for.
    reply: Option<Fetched>,
    token: Option<Token>,
    /// True if another token is worth a try.
    is_open: bool,
}

impl Host {
    /// Sends a request as the first account that the host accepts. A refused login does not stand in the
    /// way of the next, nor of what anybody may read (moby#8376).
    pub(in crate::registry) async fn send(
        &self,
        request: &Request<'_>,
        transport: &Transport,
        retry: Retry,
    ) -> Result<Fetched, Stop> {
        let call = Call { request, transport, retry };
        let answer = self.send_as_any(&call).await;
        if let Err(Stop::Trouble(trouble)) = &answer
            && trouble.is_of_host()
        {
            // Another request may have found out first.
            let _ = self.down.set(trouble.clone());
        }
        answer
    }

    async fn send_as_any(&self, call: &Call<'_>) -> Result<Fetched, Stop> {
        let accounts = self.accounts.iter().filter_map(|one| Some((one, one.offer.as_ref()?)));
        let accounts: Vec<_> =
            accounts.filter(|(_, offer)| offer.is_for(call.request.repository)).collect();
        if accounts.is_empty() {
            return self.send_as_nobody(call).await;
        }
        let mut open = None;
        let first = self.first_or_known().await;
        // A program that knows a login may ask a server, or a person: not without need.
        if self.common.challenges.is_any_known() {
            drop(first);
        } else {
            let reply = self.ask_as(&self.anonymous, None, first, call).await?.reply;
            let reply = reply.expect("only a token can be too long");
            let (answer, is_refusal) = match verdict(call, self.follow(call, reply).await) {
                Verdict::Stands(Ok(reply)) if may_be_for_nobody(call, &reply) => (Ok(reply), false),
                Verdict::Stands(answer) => return answer,
                Verdict::Refused(answer) => (answer, true),
                Verdict::Missing(reply) => (Ok(reply), true),
            };
            if !self.common.challenges.is_any_known() {
                self.ping(call.transport).await;
            }
            if !is_refusal && !self.common.challenges.is_any_known() {
                return answer;
            }
            open = Some(answer);
        }
        let tried = match self.send_as_each(&accounts, call).await? {
            Ok(reply) => return Ok(reply),
            Err(tried) => tried,
        };
        let is_asked = self.common.challenges.is_any_known();
        let answer = match open {
            Some(answer) if !is_asked => answer,
            _ => self.send_and_follow(&self.anonymous, None, call).await,
        };
        self.concluded(call, answer, tried)
    }

    /// Sends a request as each account in turn, until one is let in. If none is, gives what was tried.
    async fn send_as_each(
        &self,
        accounts: &[(&Account, &Offer)],
        call: &Call<'_>,
    ) -> Result<Result<Fetched, Tried>, Stop> {
        let mut tried = Tried::default();
        for (n, (account, offer)) in accounts.iter().enumerate() {
            if tried.logins == MAX_LOGINS {
                let more = accounts.len() - n;
                tried.refused.push(format!("{more} more logins are not tried"));
                break;
            }
            let login = match offer.login(call.transport.deadline()).await {
                Ok(Some(login)) => login,
                Ok(None) => continue,
                Err(reason) => {
                    tried.refused.push(reason);
                    continue;
                }
            };
            tried.logins += 1;
            let answer = self.send_and_follow(account, Some(&login), call).await;
            match verdict(call, answer) {
                Verdict::Stands(answer) => {
                    let is_found = answer.as_ref().is_ok_and(|reply| reply.status.is_success());
                    if is_found && !self.common.challenges.is_any_known() {
                        // It hides what is private: the login goes first from now on.
                        self.common.challenges.learn("", Challenge::Basic);
                    }
                    return self.settled(answer, tried.refused).map(Ok);
                }
                Verdict::Refused(Ok(reply)) if reply.answered != self.name() => {
                    let refuses = format!("{offer} leads to {}, which refuses", reply.answered);
                    tried.refused.push(refuses);
                }
                Verdict::Refused(_) => tried.refused.push(format!("{offer} is refused")),
                Verdict::Missing(reply) => {
                    tried.missing.get_or_insert(reply);
                }
            }
        }
        Ok(Err(tried))
    }

    /// The answer without a login, after what was tried. The logins that were refused go with it: a
    /// 404 proves nothing then.
    fn concluded(
        &self,
        call: &Call<'_>,
        answer: Result<Fetched, Stop>,
        tried: Tried,
    ) -> Result<Fetched, Stop> {
        let Tried { refused: refused_to, missing, .. } = tried;
        let missing = missing.filter(|_| refused_to.is_empty());
        match (verdict(call, answer), missing) {
            // It is absent for a login, so the answer without a login does not matter.
            (Verdict::Refused(_) | Verdict::Missing(_), Some(reply)) => Ok(reply),
            (Verdict::Stands(Err(Stop::Refused(refusal))), Some(reply))
                if refusal.outcome == Outcome::InvalidResponse =>
            {
                Ok(reply)
            }
            (Verdict::Stands(answer), _) => self.settled(answer, refused_to),
            (Verdict::Missing(reply) | Verdict::Refused(Ok(reply)), None) => {
                Ok(Fetched { refused_to, ..reply })
            }
            (Verdict::Refused(Err(Stop::Refused(refusal))), None) => {
                Err(Stop::Refused(refusal.after(&refused_to)))
            }
            (Verdict::Refused(Err(stop)), None) => Err(stop),
        }
    }

    /// An answer that stands, after others were refused.
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
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(refused_to);
                answer
            }
        }
    }

    /// Sends a request without a login. A 401 without a challenge leads to `/v2/`, which may have one.
    async fn send_as_nobody(&self, call: &Call<'_>) -> Result<Fetched, Stop> {
        let reply = self.send_and_follow(&self.anonymous, None, call).await?;
        let is_final = call.request.method == Method::HEAD
            || call.retry == Retry::No
            || reply.status != StatusCode::UNAUTHORIZED
            || reply.answered != self.name();
        if is_final || self.common.challenges.is_any_known() {
            return Ok(reply);
        }
        self.ping(call.transport).await;
        match self.common.challenges.of(call.request.repository) {
            Wanted::Answer(Challenge::Bearer(_)) => {
                self.send_and_follow(&self.anonymous, None, call).await
            }
            _ => Ok(reply),
        }
    }

    /// Sends a request as one account, and goes on where a redirect leads.
    async fn send_and_follow(
        &self,
        account: &Account,
        login: Option<&Login>,
        call: &Call<'_>,
    ) -> Result<Fetched, Stop> {
        let reply = Box::pin(self.send_as(account, login, call)).await?;
        self.follow(call, reply).await
    }

    /// Sends a request as one account, with a token if the host wants one.
    pub(super) async fn send_as(
        &self,
        account: &Account,
        login: Option<&Login>,
        call: &Call<'_>,
    ) -> Result<Fetched, Stop> {
        let (tokens, repository) = (&account.tokens, call.request.repository);
        let mut trial = None;
        let mut failed: Option<FailedShare> = None;
        let mut refused = 0;
        for _ in 0..ROUNDS {
            let first = self.first_or_known().await;
            if trial.is_none() {
                trial = tokens.trial(repository, HEAD_START).await;
            }
            let Asked { reply, token, is_open } = self.ask_as(account, login, first, call).await?;
            let shared_by = token.as_ref().and_then(Token::shared_by);
            let Some(reply) = reply else {
                failed = shared_by.map(|width| (width, Failed::Broken)).or(failed);
                continue;
            };
            if !is_open {
                // A redirect shows that the token is good here.
                let is_own = reply.answered == self.name();
                let status = if is_own { reply.status } else { StatusCode::OK };
                tokens.conclude(token.as_ref(), failed, status);
                return Ok(reply);
            }
            match (shared_by, token) {
                (Some(width), _) => failed = Some((width, Failed::Status(reply.status))),
                (None, Some(_)) => refused += 1,
                (None, None) => {}
            }
            if refused == MAX_REFUSED {
                break;
            }
        }
        let detail = "a new token was refused as soon as it was given";
        Err(Stop::Refused(Refusal::new(Outcome::Denied, detail)))
    }

    /// Sends a request as one account, with the token that there is. Whoever is the first has the
    /// others wait until there is an answer.
    async fn ask_as(
        &self,
        account: &Account,
        login: Option<&Login>,
        first: Option<MutexGuard<'_, ()>>,
        call: &Call<'_>,
    ) -> Result<Asked, Stop> {
        if let Some(trouble) = self.down.get() {
            return Err(Stop::Trouble(trouble.clone()));
        }
        let (request, transport) = (call.request, call.transport);
        let (repository, tokens) = (request.repository, &account.tokens);
        let first = Cell::new(first);
        let token = match tokens.token(repository, login, &self.origin(), transport).await {
            Ok(token) => token,
            // The realm may be the one of other repositories.
            Err(_) if self.common.challenges.doubt_unseen(repository) => {
                return Ok(Asked { reply: None, token: None, is_open: true });
            }
            Err(refusal) => return Err(Stop::Refused(refusal)),
        };
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
        let is_shared = token.as_ref().is_some_and(|token| token.shared_by().is_some());
        let once = async || match self.once(request, transport, token.as_ref()).await {
            Ok(reply) => Ok(Some(reply)),
            Err(Trouble::Broken(_)) if is_shared => Ok(None),
            // A gateway may have no other answer to a long header.
            Err(Trouble::Busy(..)) if is_shared && !tokens.is_trusted() => Ok(None),
            Err(trouble) => {
                // The other requests do not wait for one that failed.
                go_on();
                Err(trouble)
            }
        };
        let reply = match call.retry {
            Retry::Yes => transport.retrying(once).await,
            Retry::No => once().await,
        };
        let Some(reply) = reply.map_err(Stop::Trouble)? else {
            tokens.set_alone(repository);
            go_on();
            return Ok(Asked { reply: None, token, is_open: true });
        };
        let is_own = reply.answered == self.name();
        if let Some(mut standing) = untried.take() {
            let is_refused = is_own && reply.status == StatusCode::UNAUTHORIZED;
            *standing = if is_refused { Standing::Refused } else { Standing::Known };
        }
        let (status, headers) = (reply.status, &reply.headers);
        let is_open =
            is_own && tokens.learn(repository, login, token.as_ref(), status, headers).await;
        go_on();
        Ok(Asked { reply: Some(reply), token, is_open })
    }
}

/// True if a login may get another answer than this one, though it is none of the refusals that registries
/// have: a page for people, or any other error. Other clients ask `/v2/` first, and see what it wants.
fn may_be_for_nobody(call: &Call<'_>, reply: &Fetched) -> bool {
    call.request.method == Method::GET
        && (reply.status.is_client_error() || is_html(&reply.headers, &reply.body))
}

/// The meaning of an answer for the other accounts. A 404 to HEAD is kept, because a GET follows it.
fn verdict(call: &Call<'_>, answer: Result<Fetched, Stop>) -> Verdict {
    match answer {
        Ok(reply) if reply.status == StatusCode::NOT_FOUND => {
            if call.request.method == Method::HEAD {
                Verdict::Stands(Ok(reply))
            } else {
                Verdict::Missing(reply)
            }
        }
        Ok(reply) if is_closed(reply.status) => Verdict::Refused(Ok(reply)),
        Err(Stop::Refused(refusal)) if refusal.outcome == Outcome::Denied => {
            Verdict::Refused(Err(Stop::Refused(refusal)))
        }
        answer => Verdict::Stands(answer),
    }
}
