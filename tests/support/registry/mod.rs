//! A loopback OCI registry: it gives correct answers, and the faults that a test orders.
//!
//! Manifests depend only on the name and the tag, so [`digest_of`] knows the digests of every
//! registry here. A [`Fault`] replaces the answer to an authorised request. If several faults
//! match, the first one that is not used up applies, so faults can be queued. Only
//! [`Content::with_latency`], [`Misbehaviour::Hang`] and slow bodies take time.

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
    /// `None` only while dropping.
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

    /// Like `start_tls`, with this server, which has a certificate of this authority.
    pub fn start_behind(content: Content, authority: &Authority, server: TlsAcceptor) -> Self {
        Self::launch(content, Transport::Tls(server), Some(authority.pem().to_owned()))
    }

    /// Like `start_tls`, with a self-signed certificate.
    pub fn start_alone(content: Content, certificate: &SelfSigned) -> Self {
        Self::launch(content, Transport::Tls(certificate.server()), Some(certificate.pem()))
    }

    /// Answers each connection with exactly these bytes after the head of the request, and closes
    /// it.
    pub fn raw(answer: Vec<u8>) -> Self {
        Self::launch(Content::everything(), Transport::Raw(answer.into(), Ending::Close), None)
    }

    /// Like `raw`, but then it sends this byte again and again, slowly.
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

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect(UNPOISONED).clone()
    }

    /// The number of requests whose path has these whole segments: `library/nginx`, `token`.
    pub fn requests_to(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.is_to(path)).count()
    }

    /// The number of accepted connections, including those without a request.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The highest number of requests that waited for an answer at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
    }

    /// Gives a tag the image of another tag. Its earlier images are still available by digest.
    pub fn move_tag(&self, repository: &str, tag: &str, to: &str) {
        let mut moved = self.state.moved.lock().expect(UNPOISONED);
        let builds = moved.entry((repository.to_owned(), tag.to_owned())).or_default();
        builds.retain(|build| build != to);
        builds.push(to.to_owned());
    }

    /// Removes an earlier image of a tag, which was the image of another tag.
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
            // In the background, because a test may be asynchronous and must not block.
            runtime.shutdown_background();
        }
    }
}
