//! A request, and the part of the API that it is for.

use std::time::Instant;

use hyper::header::HeaderValue;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `HEAD`, `GET`, `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as sent, with percent signs; empty without a query.
    pub query: String,
    /// The body, which only a POST to `/token` has.
    pub body: String,
    /// The Host header, or the authority of HTTP/2.
    pub host: String,
    /// The Authorization header.
    pub authorization: Option<String>,
    /// The Proxy-Authorization header, which is only for proxies.
    pub proxy_authorization: Option<String>,
    /// The User-Agent header.
    pub user_agent: Option<String>,
    /// The media types of all Accept headers.
    pub accept: Vec<String>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The number of its connection, counted from 0.
    pub connection: usize,
    /// The time of its arrival.
    pub at: Instant,
}

pub(super) enum Route<'a> {
    Ping,
    /// Repository, then tag or digest.
    Manifest(&'a str, &'a str),
    /// Repository.
    Tags(&'a str),
    Token,
    Elsewhere,
}

impl Request {
    /// Method, path and query, for example `HEAD /v2/web/manifests/1` or `GET /token?scope=…`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target())
    }

    /// True if its path has these whole segments; `/v2/` is only the ping.
    pub fn is_to(&self, path: &str) -> bool {
        if path == "/v2/" {
            return self.path == path;
        }
        let whole = |path: &str| format!("/{}/", path.trim_matches('/'));
        path.is_empty() || whole(&self.path).contains(&whole(path))
    }

    pub(super) fn target(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.path, self.query)
    }

    pub(super) fn new(parts: &hyper::http::request::Parts, body: &[u8], connection: usize) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let header = |name| parts.headers.get(name).map(text);
        let accept = parts.headers.get_all("accept").iter();
        let authority = parts.uri.authority().map(ToString::to_string);
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            host: authority.or_else(|| header("host")).unwrap_or_default(),
            authorization: header("authorization"),
            proxy_authorization: header("proxy-authorization"),
            user_agent: header("user-agent"),
            accept: accept.flat_map(|value| media_types(&text(value))).collect(),
            version: format!("{:?}", parts.version),
            connection,
            at: Instant::now(),
        }
    }

    /// For raw answers, which use no HTTP library.
    pub(super) fn from_head(head: &str, connection: usize) -> Self {
        let mut line = head.lines().next().unwrap_or_default().split(' ').map(String::from);
        let method = line.next().unwrap_or_default();
        let target = line.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let header = |name: &str| {
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let mut values = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
            method,
            body: String::new(),
            host: header("host").unwrap_or_default(),
            authorization: header("authorization"),
            proxy_authorization: header("proxy-authorization"),
            user_agent: header("user-agent"),
            accept: media_types(&header("accept").unwrap_or_default()),
            version: line.next().unwrap_or_default(),
            connection,
            at: Instant::now(),
        }
    }
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let Some(path) = path.strip_prefix("/v2/") else {
            let is_token = path == "/token";
            return if is_token { Self::Token } else { Self::Elsewhere };
        };
        if path.is_empty() {
            Self::Ping
        } else if let Some(repository) = path.strip_suffix("/tags/list") {
            Self::Tags(repository)
        } else if let Some((repository, reference)) = path.rsplit_once("/manifests/") {
            Self::Manifest(repository, reference)
        } else {
            Self::Elsewhere
        }
    }
}

fn media_types(accept: &str) -> Vec<String> {
    let trimmed = accept.split(',').map(|text| text.trim().to_owned());
    trimmed.filter(|text| !text.is_empty()).collect()
}

/// The values of a parameter in a query or a form.
pub(super) fn parameter(query: &str, name: &str) -> impl Iterator<Item = String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, text)| decoded(text))
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let mut pieces = spaced.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let hex = piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(hex.unwrap_or(b'%'));
        bytes.extend_from_slice(&piece.as_bytes()[if hex.is_some() { 2 } else { 0 }..]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
