//! Trouble: why a request has no answer, what that means, and whether a retry may help.
//!
//! An error of the client becomes a sentence here: the innermost cause, which says most, and never a URL,
//! which may hold a token.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{StatusCode, Url};

use super::distrust::Distrust;
use super::endpoint::{address, authority};
use super::{Outcome, Refusal};

/// The reason why there is no answer that can be used.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// No connection could be made.
    Connect(String),
    /// The host's certificate is not trusted, or is wrong.
    Untrusted(Distrust),
    /// A file with certificates for the host can't be used.
    UnusableCertificates(String),
    /// The host requires a client certificate.
    ClientCertificateRequired(String),
    /// The proxy can't be reached, or refuses the connection.
    ProxyFailed(String),
    /// The proxy requires a login.
    Unknown(String),
    /// The connection broke, or the time limit passed.
    Broken(String),
    /// 408 or 5xx, with the pause that the host asks for.
    Busy(String, Option<Duration>),
    /// 429, with the pause that the host asks for and what it says about the limit.
    Limited(Option<Duration>, String),
    /// The answer can't be used. A retry would not help.
    Unusable(String),
    /// This is about another host, where a redirect led.
    Elsewhere(Box<Self>),
}

impl Trouble {
    /// Its meaning after the last retry.
    pub(super) fn refusal(&self) -> Refusal {
        let (outcome, detail) = match self {
            Self::Connect(detail) => (Outcome::NoConnection, detail.clone()),
            Self::Broken(detail) => (Outcome::Unreachable, detail.clone()),
            Self::Busy(status, _) => (Outcome::Unreachable, status.clone()),
            Self::Limited(pause, limit) => {
                let pause = pause.map(|pause| format!(", retry after {} s", pause.as_secs()));
                let status = StatusCode::TOO_MANY_REQUESTS;
                (Outcome::RateLimited, format!("{status}{limit}{}", pause.unwrap_or_default()))
            }
            Self::Untrusted(distrust) => (distrust.outcome, distrust.detail.clone()),
            Self::UnusableCertificates(detail) => (Outcome::UnusableCertificates, detail.clone()),
            Self::ClientCertificateRequired(detail) => {
                (Outcome::ClientCertificateRequired, detail.clone())
            }
            Self::ProxyFailed(detail) | Self::Unknown(detail) => {
                (Outcome::ProxyFailed, detail.clone())
            }
            Self::Unusable(detail) => (Outcome::InvalidResponse, detail.clone()),
            Self::Elsewhere(trouble) => {
                let refusal = trouble.refusal();
                (refusal.outcome, format!("by a redirect, {}", refusal.detail))
            }
        };
        Refusal::new(outcome, detail)
    }

    /// True if it is about the host, so that it holds for every request to it.
    pub(super) fn is_of_host(&self) -> bool {
        !matches!(self, Self::Elsewhere(_)) && self.refusal().outcome.is_of_host()
    }

    /// True if a retry may succeed.
    pub(super) fn may_heal(&self) -> bool {
        match self {
            Self::Elsewhere(trouble) => trouble.may_heal(),
            Self::Unusable(_)
            | Self::Untrusted(_)
            | Self::UnusableCertificates(_)
            | Self::ClientCertificateRequired(_)
            | Self::Unknown(_) => false,
            _ => true,
        }
    }

    /// The pause that the host asks for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, pause) | Self::Limited(pause, _) => *pause,
            _ => None,
        }
    }
}

/// Why a request failed. `limit` is the time that a try has.
pub(super) fn of_request(
    error: &reqwest::Error,
    proxy: Option<&str>,
    url: &Url,
    limit: Duration,
) -> Trouble {
    let detail = causes(error);
    let (address, through) = (address(url), through(proxy));
    if error.is_redirect() {
        Trouble::Unusable(detail)
    } else if let Some(mut distrust) = distrust(error, url) {
        distrust.detail.push_str(&through);
        Trouble::Untrusted(distrust)
    } else if let Some(reason) = mistrust(&detail) {
        Trouble::ClientCertificateRequired(format!("{reason}{through}"))
    } else if let Some(proxy) = proxy.filter(|_| error.is_connect()) {
        unconnected(error, proxy, url)
    } else if error.is_connect() {
        Trouble::Connect(unconnectable(&address, &detail))
    } else if error.is_timeout() {
        let seconds = limit.as_secs();
        Trouble::Broken(format!("no answer from {address} within {seconds} s{through}"))
    } else if url.scheme() == "http" && detail.contains("invalid HTTP version") {
        // A server that speaks TLS answers with an alert, which is no HTTP.
        let advice = "if it speaks TLS, ask it with `https`, without `--plain-http`";
        Trouble::Broken(format!("{address} does not speak plain HTTP; {advice}{through}"))
    } else {
        Trouble::Broken(format!("{detail}, from {address}{through}"))
    }
}

/// Why no connection could be made. A server that does not speak TLS answers a handshake with a line
/// of plain HTTP, or closes.
fn unconnectable(address: &str, detail: &str) -> String {
    if detail.contains("InvalidContentType") || detail.contains("handshake eof") {
        let flag = format!("`--plain-http {address}`");
        return format!(
            "{address} does not speak TLS; if it speaks plain HTTP, name it with {flag}"
        );
    }
    if detail == "received fatal alert: HandshakeFailure" {
        // With TLS 1.2, it is the answer to who shows no certificate, too.
        return format!(
            "{address} refuses the TLS handshake; it may ask for a client certificate, or for TLS settings that digestif does not have ({detail})"
        );
    }
    format!("no connection to {address}: {detail}")
}

/// The reason why a host refuses our certificate. HTTP/2 keeps the words of what broke a connection, and
/// not their type.
fn mistrust(detail: &str) -> Option<String> {
    let alert = detail.strip_prefix("received fatal alert: ")?;
    match alert {
        "CertificateRequired" => Some(format!("the registry asks for a certificate ({alert})")),
        "BadCertificate"
        | "UnsupportedCertificate"
        | "CertificateRevoked"
        | "CertificateExpired"
        | "CertificateUnknown"
        | "DecryptError"
        | "UnknownCA"
        | "AccessDenied" => Some(format!("the registry refuses our certificate ({alert})")),
        _ => None,
    }
}

/// The proxy that may have caused a failure instead of the host.
pub(super) fn through(proxy: Option<&str>) -> String {
    proxy.map(|proxy| format!(", through the proxy {proxy}")).unwrap_or_default()
}

/// Why no connection could be made through a proxy.
fn unconnected(error: &reqwest::Error, proxy: &str, url: &Url) -> Trouble {
    let detail = causes(error);
    let causes = std::iter::successors(error.source(), |&cause| cause_of(cause));
    // The type of this error is not public (hyper-util 0.1); tests hold its words.
    let tunnel = causes.map(ToString::to_string).find(|text| text.starts_with("tunnel error: "));
    match tunnel.as_deref().and_then(|text| text.strip_prefix("tunnel error: ")) {
        Some("proxy authorization required") => {
            let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
            Trouble::Unknown(format!("{status} from the proxy {proxy}"))
        }
        Some("unsuccessful") => {
            let host = authority(url);
            Trouble::ProxyFailed(format!("the proxy {proxy} refuses to connect to {host}"))
        }
        // A request for http has no tunnel: the connection is the one to the proxy.
        None if url.scheme() == "https" => {
            Trouble::Connect(format!("{detail}{}", through(Some(proxy))))
        }
        _ => Trouble::ProxyFailed(format!("no connection to the proxy {proxy}: {detail}")),
    }
}

type Cause<'e> = &'e (dyn std::error::Error + 'static);

/// Why TLS failed, if it was because of a certificate.
fn distrust(error: &reqwest::Error, url: &Url) -> Option<Distrust> {
    let mut causes = std::iter::successors(error.source(), |&cause| cause_of(cause));
    causes.find_map(|cause| match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(wrong)) => Some(Distrust::of(wrong, url)),
        _ => None,
    })
}

/// The next cause. An error of the system passes over what it wraps in its own `source`.
fn cause_of(cause: Cause<'_>) -> Option<Cause<'_>> {
    match cause.downcast_ref().and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

/// The innermost cause, which says most, and never a URL: it may hold a token.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match error.source() {
        Some(_) => innermost.to_string(),
        None => "the request failed".to_owned(),
    }
}
