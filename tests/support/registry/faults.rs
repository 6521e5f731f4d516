//! Faults that a test can order.

use std::future::pending;
use std::io;

use hyper::Response;

use super::answer::{Answer, Body, DIGEST, bomb, broken_off, field, value};
use super::manifests::index;
use super::request::{Request, Route};
use super::state::{State, UNPOISONED};

/// A misbehaviour, and the requests that get it.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) path: String,
    pub(super) method: Option<&'static str>,
    pub(super) left: Option<usize>,
    pub(super) turn: Turn,
    pub(super) misbehaviour: Misbehaviour,
}

/// The time at which a misbehaviour happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Instead of a challenge.
    BeforeLogin,
    /// Instead of the answer to an authorised request.
    AfterLogin,
}

/// How a registry can go wrong.
#[derive(Debug, Clone)]
pub enum Misbehaviour {
    /// This status, these headers (repeated headers are sent on separate lines) and this body; the
    /// length is added.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Takes the request and never answers.
    Hang,
    /// Breaks off in the middle of the body: it closes the connection for HTTP/1.1, and ends the
    /// stream for HTTP/2. A HEAD has no body, so it gets no answer at all.
    Reset,
    /// This status and the right content type, then an endless body without a length.
    EndlessBody(u16),
    /// The same, but byte by byte.
    DrippingBody(u16),
    /// The right headers with a body of 128 MiB, which gzip compresses to less than 1 MiB.
    GzipBomb,
    /// 307 to this URL.
    RedirectTo(String),
    /// 307 to the same URL.
    RedirectLoop,
    /// Another digest header. Hyper refuses line breaks: see [`super::Registry::raw`].
    DigestHeader(Vec<u8>),
    /// No digest header.
    NoDigestHeader,
    /// Another content type.
    ContentType(String),
    /// The right digest header over another body.
    WrongBody,
    /// 404 with an HTML page, as from a load balancer.
    Html404,
    /// 404 with neither body nor content type.
    Empty404,
    /// This status and an error envelope with this code.
    ErrorCode(u16, &'static str),
    /// This status and a Retry-After header.
    RetryAfter(u16, &'static str),
    /// The correct answer, but only after a request to this path got its answer.
    After(String),
}

impl Fault {
    /// Applies to every request whose path has these whole segments, without an end:
    /// `library/nginx`, `manifests/1.27` (and not `1.27.1`), `tags/list`, `token`. `""` is every
    /// path, and `/v2/` is only the ping.
    pub fn on(path: &str, misbehaviour: Misbehaviour) -> Self {
        Self {
            path: path.to_owned(),
            method: None,
            left: None,
            turn: Turn::AfterLogin,
            misbehaviour,
        }
    }

    /// Applies only to requests with this method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    /// Applies only to the first `n` requests.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    /// Applies to requests before their credentials are checked.
    #[must_use]
    pub fn before_login(mut self) -> Self {
        self.turn = Turn::BeforeLogin;
        self
    }

    pub(super) fn meets(&self, request: &Request) -> bool {
        self.left != Some(0)
            && self.method.is_none_or(|method| method == request.method)
            && request.is_to(&self.path)
    }
}

impl State {
    pub(super) fn misbehaviour(&self, request: &Request, turn: Turn) -> Option<Misbehaviour> {
        let mut faults = self.faults.lock().expect(UNPOISONED);
        let fault = faults.iter_mut().find(|fault| fault.turn == turn && fault.meets(request))?;
        fault.left = fault.left.map(|n| n - 1);
        Some(fault.misbehaviour.clone())
    }

    pub(super) async fn misbehave(
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
}
