//! Request log: a line for each request, for `-vv`.
//!
//! A URL may hold a secret in its query, such as a signature. Only parameters of the registry API are
//! shown with their values.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::{Method, Response, Url};

use super::endpoint::authority;
use crate::text::escape::escaped;

/// Parameters whose values are shown: those of lists of tags and of token requests.
const SHOWN: [&str; 4] = ["n", "last", "scope", "service"];

/// The requests of a run.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    /// None if no log is wanted.
    lines: Option<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    text: String,
    /// The two ends of each connection that a request has used.
    connections: HashSet<(SocketAddr, SocketAddr)>,
}

impl RequestLog {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { lines: is_wanted.then(Mutex::default) }
    }

    /// Adds a request that was sent at `started`.
    pub(super) fn add(
        &self,
        method: &Method,
        url: &Url,
        started: Instant,
        reply: Result<&Response, &str>,
    ) {
        let Some(lines) = &self.lines else { return };
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match reply {
            Ok(response) => {
                let info = response.extensions().get::<HttpInfo>();
                let ends = info.map(|info| (info.local_addr(), info.remote_addr()));
                let connection = match ends.map(|ends| lines.connections.insert(ends)) {
                    Some(true) => ", new connection",
                    Some(false) => ", reused connection",
                    None => "",
                };
                format!("{} over {:?}{connection}", response.status().as_u16(), response.version())
            }
            Err(reason) => escaped(reason),
        };
        let (time, url) = (started.elapsed().as_millis(), shown(url));
        writeln!(lines.text, "digestif: {method} {url}: {result}, {time} ms")
            .expect("a string takes all");
    }

    /// All lines so far.
    pub(super) fn text(&self) -> String {
        let lines = self.lines.as_ref().map(|lines| lines.lock());
        lines.map_or_else(String::new, |lines| {
            lines.unwrap_or_else(PoisonError::into_inner).text.clone()
        })
    }
}

/// A URL without what may be secret.
fn shown(url: &Url) -> String {
    let parameter = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        let value = if SHOWN.contains(&&*name) { value } else { "…".into() };
        format!("{name}={value}")
    };
    let query: Vec<_> = url.query_pairs().map(parameter).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let (scheme, host, path) = (url.scheme(), authority(url), url.path());
    escaped(&format!("{scheme}://{host}{path}{mark}{}", query.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_secrets() {
        for (url, expected) in [
            (
                "https://r.io/v2/a/tags/list?n=100&last=b",
                "https://r.io/v2/a/tags/list?n=100&last=b",
            ),
            (
                "https://r.io/t?scope=repository%3Aa%3Apull",
                "https://r.io/t?scope=repository:a:pull",
            ),
            ("https://cdn.io/b?Signature=secret&x", "https://cdn.io/b?Signature=…&x=…"),
            ("https://u:secret@r.io:444/v2/#secret", "https://r.io:444/v2/"),
            ("https://r.io/?last=%1b%0a", "https://r.io/?last=\\u{1b}\\n"),
        ] {
            assert_eq!(shown(&Url::parse(url).expect("valid")), expected);
        }
    }
}
