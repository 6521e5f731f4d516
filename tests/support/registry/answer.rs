//! Answers: a status, headers and a body, and bodies that stop early or never end.

use std::future::ready;
use std::io;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::manifests::INDEX;

pub(super) type Body = BoxBody<Bytes, io::Error>;

pub(super) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The time for each byte of a slow body. It is too short for any client to see a dead connection.
pub(super) const DROP: Duration = Duration::from_millis(10);

/// An answer of known length, which a fault may still change.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn bare(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::bare(status, body).with("content-type", content_type)
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        // Most registries send only the code.
        let message = code.replace('_', " ").to_lowercase();
        let error = json!({ "code": code, "message": message, "detail": null });
        Self::json(status, &json!({ "errors": [error] }))
    }

    pub(super) fn with(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.headers.insert(field(name), value(text));
        self
    }

    /// A HEAD gets the headers of the GET, including its length, and no body.
    pub(super) fn response(mut self, method: &str) -> Response<Body> {
        let length = self.body.len();
        self.headers.insert(CONTENT_LENGTH, length.into());
        if method == "HEAD" {
            self.body = Bytes::new();
        }
        self.streamed(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed())
    }

    /// Announces the whole body, and stops in the middle.
    pub(super) fn half(mut self) -> Response<Body> {
        let length = self.body.len();
        self.headers.insert(CONTENT_LENGTH, length.into());
        self.streamed(|bytes| {
            let sent = stream::iter([Ok(Frame::data(bytes.slice(..length / 2)))]);
            // Hyper flushes its buffer if a body makes it wait, but not if the body breaks off.
            let flushed = stream::once(tokio::task::yield_now()).filter_map(|()| ready(None));
            BodyExt::boxed(StreamBody::new(sent.chain(flushed)))
        })
    }

    pub(super) fn endless(status: u16, method: &str) -> Response<Body> {
        let spaces = Bytes::from_static(&[b' '; 16 * 1024]);
        // Over HTTP/2, hyper would also send the body of a HEAD.
        let length = if method == "HEAD" { 0 } else { usize::MAX };
        Self::new(status, INDEX, spaces).streamed(|spaces| {
            let frames = stream::repeat_with(move || Ok(Frame::data(spaces.clone())));
            BodyExt::boxed(StreamBody::new(frames.take(length)))
        })
    }

    pub(super) fn dripping(status: u16) -> Response<Body> {
        Self::new(status, INDEX, " ").streamed(|space| {
            let frames = stream::repeat(space).then(|space| async {
                tokio::time::sleep(DROP).await;
                Ok(Frame::data(space))
            });
            BodyExt::boxed(StreamBody::new(frames))
        })
    }

    fn streamed(self, body: impl FnOnce(Bytes) -> Body) -> Response<Body> {
        let mut response = Response::new(body(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("tests name statuses");
        *response.headers_mut() = self.headers;
        response
    }
}

pub(super) fn broken_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the test wants it so")
}

pub(super) fn field(name: &str) -> HeaderName {
    name.parse().expect("tests name headers by their names")
}

pub(super) fn value(text: impl AsRef<[u8]>) -> HeaderValue {
    HeaderValue::from_bytes(text.as_ref()).expect("values that hyper refuses are for `raw`")
}

/// Compressed spaces: one space, and then many copies of the last 258 bytes, in the fixed codes of
/// RFC 1951, 3.2.6. The checksum is missing, but a reader would notice that only at the end.
pub(super) fn bomb() -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (last_block, space, copy, end) = ("110", "01010000", "1100010100000", "0000000");
    let bits = [last_block, space, &copy.repeat((128 << 20) / 258), end].concat();
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
    HEADER.into_iter().chain(bits.as_bytes().chunks(8).map(byte)).collect()
}
