//! Redirects into another registry, which has a challenge of its own (lscr.io, ggcr#2360).
//!
//! Requests to the other registry are anonymous, with a token of its own realm. Logins are for the host that
//! the user named, and never go along.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use reqwest::{StatusCode, Url};

use super::send::Call;
use super::{Host, Request, Stop};
use crate::registry::challenge::Challenge;
use crate::registry::endpoint::Endpoint;
use crate::registry::transport::Fetched;
use crate::registry::trouble::Trouble;

impl Host {
    /// Asks again where a redirect led, if the registry there wants a token.
    pub(super) async fn follow(&self, call: &Call<'_>, reply: Fetched) -> Result<Fetched, Stop> {
        if reply.status != StatusCode::UNAUTHORIZED || reply.answered == self.name() {
            return Ok(reply);
        }
        let challenge = Challenge::of(&reply.headers);
        let (Some(challenge @ Challenge::Bearer(_)), Some(repository)) =
            (challenge, repository_of(reply.url.path()))
        else {
            return Ok(reply);
        };
        let host = self.elsewhere(&reply.url);
        host.common.challenges.learn(repository, challenge);
        let request = Request {
            method: call.request.method.clone(),
            repository,
            path: reply.url.path().to_owned(),
            query: reply.url.query().map(str::to_owned),
            accept: call.request.accept,
            limit: call.request.limit,
        };
        let call = Call { request: &request, transport: call.transport, retry: call.retry };
        let answer = Box::pin(host.send_as(&host.anonymous, None, &call)).await;
        answer.map_err(|stop| match stop {
            Stop::Trouble(trouble) if trouble.is_of_host() => {
                Stop::Trouble(Trouble::Elsewhere(Box::new(trouble)))
            }
            stop => stop,
        })
    }

    /// The host of a URL. Its requests count among those of this host.
    fn elsewhere(&self, url: &Url) -> Arc<Self> {
        let mut origin = url.clone();
        origin.set_path("/");
        origin.set_query(None);
        origin.set_fragment(None);
        let mut hosts = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(origin.to_string()).or_insert_with(|| {
            let endpoint = Endpoint { origin, prefix: String::new(), plain_fallback: false };
            let (in_flight, plain) = (self.common.in_flight.clone(), &self.common.plain_http);
            Arc::new(Self::new(endpoint, &BTreeSet::new(), Vec::new(), in_flight, plain))
        });
        host.clone()
    }
}

/// The repository of a path of the registry API.
fn repository_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/v2/")?;
    let (name, _) = path
        .rsplit_once("/manifests/")
        .or_else(|| path.rsplit_once("/blobs/"))
        .or_else(|| path.rsplit_once("/tags/"))?;
    Some(name)
}
