//! A loopback OCI registry: it plays a registry honestly, and misbehaves on order.
//!
//! Manifests follow from the name and the tag alone, so [`digest_of`] knows what any registry here
//! serves. A [`Fault`] takes the place of the answer to an authorised request; of several that
//! match, the first that is not used up counts, so that faults can be queued. Nothing here takes
//! time, except [`Content::with_latency`], [`Misbehaviour::Hang`] and what comes in drops.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test crate uses a part of it")]

mod answer;
mod api;
mod authentication;
mod content;
mod faults;
mod manifests;
mod request;
mod server;
mod state;
mod tokens;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::tls::{Authority, SelfSigned};
use server::{Ending, Transport, accept};
use state::{State, UNPOISONED};

pub use content::{Content, Links};
pub use faults::{Fault, Misbehaviour};
pub use manifests::digest_of;
pub use request::Request;
pub use tokens::{ChallengeAt, ChallengeScope, ManyScopes, TokenRules, bearer};

/// A running registry on 127.0.0.1; it ends when it is dropped.
pub struct Registry {
    state: Arc<State>,
    ca_pem: Option<String>,
    /// Only empty while dropping.
    runtime: Option<tokio::runtime::Runtime>,
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

    /// The same behind a certificate that signs itself.
    pub fn start_alone(content: Content, certificate: &SelfSigned) -> Self {
        Self::launch(content, Transport::Tls(certificate.server()), Some(certificate.pem()))
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

    /// Gives a tag the image of another tag from now on. The images that it had stay, by digest.
    pub fn move_tag(&self, repository: &str, tag: &str, to: &str) {
        let mut moved = self.state.moved.lock().expect(UNPOISONED);
        let builds = moved.entry((repository.to_owned(), tag.to_owned())).or_default();
        builds.retain(|build| build != to);
        builds.push(to.to_owned());
    }

    /// Removes the image of another tag that a tag had before.
    pub fn collect(&self, repository: &str, tag: &str, build: &str) {
        let mut moved = self.state.moved.lock().expect(UNPOISONED);
        let builds = moved.entry((repository.to_owned(), tag.to_owned())).or_default();
        builds.retain(|known| known != build);
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
            moved: Mutex::default(),
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
