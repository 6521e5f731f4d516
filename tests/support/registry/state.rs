//! The state of a running registry, and the order of the steps for a request.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hyper::Response;
use tokio::sync::watch;

use super::answer::{Answer, Body};
use super::content::Content;
use super::faults::{Fault, Turn};
use super::request::{Request, Route};

pub(super) const UNPOISONED: &str = "nothing panics while it holds the lock";

pub(super) struct State {
    pub(super) scheme: &'static str,
    pub(super) address: String,
    pub(super) content: Content,
    pub(super) faults: Mutex<Vec<Fault>>,
    /// The repositories that each token gives access to.
    pub(super) tokens: Mutex<BTreeMap<String, Vec<String>>>,
    /// The tags whose images a tag has had since it was moved; the last one is current.
    pub(super) moved: Mutex<BTreeMap<(String, String), Vec<String>>>,
    pub(super) requests: Mutex<Vec<Request>>,
    /// The requests that have been answered.
    pub(super) answered: watch::Sender<Vec<Request>>,
    pub(super) connections: AtomicUsize,
    /// Cloned by each request while it waits.
    pub(super) in_flight: Arc<()>,
    pub(super) most_in_flight: AtomicUsize,
}

impl State {
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// # Errors
    /// An error is also a fault: it makes hyper drop the connection.
    pub(super) async fn answer(&self, request: Request) -> io::Result<Response<Body>> {
        let _waiting = Arc::clone(&self.in_flight);
        let waiting = Arc::strong_count(&self.in_flight) - 1;
        self.most_in_flight.fetch_max(waiting, Ordering::SeqCst);
        self.requests.lock().expect(UNPOISONED).push(request.clone());
        if self.content.most.is_some_and(|most| waiting > most) {
            return Ok(Answer::error(429, "TOOMANYREQUESTS").response(&request.method));
        }
        if !self.content.latency.is_zero() {
            tokio::time::sleep(self.content.latency).await;
        }
        let route = Route::of(&request.path);
        let length = request.authorization.as_deref().map_or(0, str::len);
        if let Some((_, misbehaviour)) =
            self.content.header_limit.as_ref().filter(|(limit, _)| length > *limit)
        {
            return self.misbehave(*misbehaviour.clone(), &route, &request).await;
        }
        if matches!(route, Route::Token) && self.hangs(&request) {
            std::future::pending::<()>().await;
        }
        let early = self.misbehaviour(&request, Turn::BeforeLogin);
        if let Some(challenge) = self.challenge(&route, &request).filter(|_| early.is_none()) {
            return Ok(self.signed(challenge).response(&request.method));
        }
        let response = match early.or_else(|| self.misbehaviour(&request, Turn::AfterLogin)) {
            Some(misbehaviour) => self.misbehave(misbehaviour, &route, &request).await,
            None => Ok(self.signed(self.honest(&route, &request)).response(&request.method)),
        };
        self.answered.send_modify(|answered| answered.push(request));
        response
    }

    /// Adds the header that registries send, if the content says so.
    fn signed(&self, answer: Answer) -> Answer {
        if self.content.api_version {
            return answer.with("docker-distribution-api-version", "registry/2.0");
        }
        answer
    }
}
