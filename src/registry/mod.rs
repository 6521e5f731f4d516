//! Registries: who holds a digest, and what counts as proof that nobody does.
//!
//! [`Registry`] asks over HTTP, [`Layouts`] look on disk. Both answer with a [`Digest`] or a
//! [`Refusal`], whose [`Outcome`] is the only thing that later decisions are made from.

mod account;
mod certificates;
mod certs_d;
mod challenge;
mod challenges;
mod client;
mod clients;
mod crypto;
mod distrust;
mod host;
mod in_flight;
mod lists;
mod oci_layout;
mod proxies;
mod request_log;
mod response;
mod shares;
mod tags;
mod tls;
mod token_request;
mod tokens;
mod transport;
mod words;

use std::time::Duration;

use reqwest::Url;

pub use certificates::{Certificate, Identity, Tls, WrongIdentity, certificates};
pub use certs_d::certificate_folders;
pub use challenge::{Bearer, Challenge};
pub use client::{Part, Registry};
pub use in_flight::Concurrency;
pub use oci_layout::{Layouts, Lookup, is_layout};
pub use proxies::Proxies;
pub use tags::Next;

use crate::credentials::{Credentials, Offer};
use crate::diagnostic::Failure;
use crate::image::{self, Digest, Reference, Repository};
use crate::text::escape::quoted;

/// Why there is no digest for a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it means.
    pub outcome: Outcome,
    /// What was seen, for people: `404 with code MANIFEST_UNKNOWN from quay.io`.
    pub detail: String,
    /// The host that was asked, as images and logins name it. None if nobody was asked.
    pub host: Option<String>,
}

impl Refusal {
    pub(crate) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), host: None }
    }

    /// The same, from this host.
    fn from(mut self, host: &str) -> Self {
        self.host.get_or_insert_with(|| host.to_owned());
        self
    }

    /// The same, after it was asked in vain as these.
    fn after(mut self, refused_to: &[String]) -> Self {
        for who in refused_to {
            self.detail.push_str("; ");
            self.detail.push_str(who);
        }
        self
    }
}

/// A digest, or why there is none.
pub type Answer = Result<Digest, Refusal>;

/// What an answer without a digest means. Only the two kinds of `Missing` prove absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The repository exists, the tag does not; or the registry does not tell the two apart.
    MissingTag,
    /// The repository does not exist.
    MissingRepository,
    /// 401 or 403: absent or private can't be told apart.
    Denied,
    /// 429.
    RateLimited,
    /// No answer, or 408 or 5xx, to the last try.
    Unreachable,
    /// No connection to the host.
    NoConnection,
    /// The host's certificate is not one that we trust.
    Untrusted,
    /// The host's certificate is for another name or another time, or is broken.
    WrongCertificate,
    /// A file with certificates for the host can't be used.
    UnusableCertificates,
    /// The host wants a certificate of ours, or another.
    ClientCertificateRequired,
    /// The proxy can't be reached, or lets nobody through.
    ProxyFailed,
    /// An answer that makes no sense, which a proxy or a captive portal may have given.
    InvalidResponse,
    /// A manifest of Docker's schema 1, which has been retired.
    OldManifest,
    /// A 404 that a gateway may have given: it does not have what proves a registry's.
    Unproven,
    /// The tags can't be listed to their end.
    Unlistable,
    /// A pull-through cache does not have it, which proves nothing about its registry.
    NotCached,
    /// `--offline` forbids to ask, and no layout has the repository.
    OfflineMiss,
    /// The lock does not have it, and nothing may be added; or has a substitute that is refused.
    NotLocked,
}

impl Outcome {
    /// The failure that this is, where nothing else helps.
    #[must_use]
    pub fn failure(self) -> Failure {
        match self {
            Self::MissingTag | Self::MissingRepository => Failure::Absent,
            Self::Denied | Self::Unlistable => Failure::Refused,
            Self::RateLimited
            | Self::Unreachable
            | Self::NoConnection
            | Self::Untrusted
            | Self::WrongCertificate
            | Self::ClientCertificateRequired
            | Self::ProxyFailed
            | Self::InvalidResponse
            | Self::OldManifest
            | Self::Unproven
            | Self::NotCached => Failure::Unavailable,
            Self::UnusableCertificates => Failure::Usage,
            Self::OfflineMiss | Self::NotLocked => Failure::Policy,
        }
    }

    /// True if there may be rules for it: it is proved absent, or denied, which some rules take for
    /// absent.
    #[must_use]
    pub fn may_be_absent(self) -> bool {
        self.failure() == Failure::Absent || self == Self::Denied
    }

    /// True if it is about a host as a whole, so that every image of the host has it.
    #[must_use]
    pub fn is_of_host(self) -> bool {
        matches!(
            self,
            Self::NoConnection
                | Self::Untrusted
                | Self::WrongCertificate
                | Self::ClientCertificateRequired
                | Self::ProxyFailed
        )
    }

    /// One word for it, as reports write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::MissingTag | Self::MissingRepository => "missing",
            Self::Denied => "denied",
            Self::RateLimited => "rate-limited",
            Self::Unreachable
            | Self::NoConnection
            | Self::Untrusted
            | Self::WrongCertificate
            | Self::UnusableCertificates
            | Self::ClientCertificateRequired
            | Self::ProxyFailed
            | Self::NotCached => "unreachable",
            Self::InvalidResponse | Self::OldManifest | Self::Unproven | Self::Unlistable => {
                "invalid-response"
            }
            Self::OfflineMiss | Self::NotLocked => "not-recorded",
        }
    }
}

/// Reads the host of a registry as images name it; gives the name that it is looked up by.
///
/// # Errors
/// It is none.
pub fn host(text: &str) -> Result<String, String> {
    let reference = format!("{text}/x/x:x").parse::<Reference>();
    let host = image::canonical_host(text);
    match reference {
        Ok(Reference::Tagged(tagged)) if tagged.repository.host() == host => Ok(host),
        _ => Err(format!(
            "{} is no host of a registry as images name it, like `registry.local:5000`",
            quoted(text)
        )),
    }
}

/// How registries are reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the registries of some hosts are reached instead; the first that fits.
    pub replacements: Vec<Replacement>,
    /// Where the registries of some hosts are asked first; all that fit, in order.
    pub mirrors: Vec<Replacement>,
    /// Who digestif may say it is.
    pub credentials: Credentials,
    /// Hosts that are pull-through caches: what they do not have may exist all the same.
    pub caches: Vec<String>,
    /// Hosts that are asked over plain HTTP.
    pub plain_http: Vec<String>,
    /// How TLS connections are made.
    pub tls: Tls,
    /// Through whom hosts are asked.
    pub proxies: Proxies,
    /// How long the whole run may take.
    pub timeout: Duration,
    /// How often one request is tried again.
    pub retries: usize,
    /// Requests in flight to one host.
    pub concurrency: Concurrency,
    /// True if every manifest is fetched and hashed.
    pub verify_content: bool,
    /// True if each request is logged.
    pub log_requests: bool,
}

/// `HOST=URL`: where the registry of a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    host: HostPattern,
    url: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Any,
    Host(String),
}

impl std::str::FromStr for Replacement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, url) = text.split_once('=').ok_or("expected HOST=URL")?;
        Self::new(host, url)
    }
}

impl Replacement {
    /// The registry of `host`, or of every host where it is `*`, is reached at `url`.
    ///
    /// # Errors
    /// The URL is none, or holds more than a host and a path.
    pub fn new(host: &str, url: &str) -> Result<Self, String> {
        let example = url.replace("{host}", "docker.io");
        let parsed = Url::parse(&example)
            .map_err(|error| format!("it is no URL ({error}); expected https://…"))?;
        if !matches!(parsed.scheme(), "https" | "http") || parsed.host_str().is_none() {
            return Err("the URL does not start with https:// or http://".to_owned());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("credentials do not belong into the URL".to_owned());
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err("the URL has more than a host and a path".to_owned());
        }
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains("{host}")) {
            return Err("`{host}` may stand in the path of the URL, not in its host".to_owned());
        }
        let host = match host {
            "*" => HostPattern::Any,
            "" => return Err("the host before `=` is empty".to_owned()),
            host => HostPattern::Host(image::canonical_host(host)),
        };
        Ok(Self { host, url: url.to_owned() })
    }

    fn is_about(&self, host: &str) -> bool {
        match &self.host {
            HostPattern::Any => true,
            HostPattern::Host(own) => own == host,
        }
    }

    /// Where the registry of `host` is reached. None would be no reason to ask the host itself.
    fn endpoint(&self, host: &str) -> Option<Endpoint> {
        let url = Url::parse(&self.url.replace("{host}", host)).ok()?;
        let path = url.path().trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let origin = url.join("/").ok()?;
        Some(Endpoint { origin, prefix, plain_fallback: false })
    }
}

/// Where a repository is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    /// Scheme, host and port, with the path `/`.
    origin: Url,
    /// What goes before the repository's path, with a slash at its end; empty for most.
    prefix: String,
    /// True if plain HTTP is tried where no TLS connection can be made.
    plain_fallback: bool,
}

impl Endpoint {
    /// What the host calls a repository.
    fn name(&self, repository: &Repository) -> String {
        format!("{}{}", self.prefix, repository.path())
    }
}

impl Settings {
    /// True if a repository is asked for at a pull-through cache, or its own host is called one.
    fn is_cache(&self, repository: &Repository) -> bool {
        self.caches.iter().any(|cache| cache == repository.host())
            || self
                .endpoint(repository)
                .is_some_and(|endpoint| is_named(&self.caches, &endpoint.origin))
    }

    /// The logins for the host of an endpoint; none if they must not be sent to it.
    fn offers(&self, endpoint: &Endpoint) -> Vec<Offer> {
        if self.tls.withholds_logins(&endpoint.origin) {
            return Vec::new();
        }
        self.credentials.of_host(&authority(&endpoint.origin))
    }

    /// Where `repository` is asked for before anything else, and what is not there proves nothing.
    fn mirrors(&self, repository: &Repository) -> impl Iterator<Item = Endpoint> {
        let host = repository.host();
        let mirrors = self.mirrors.iter().filter(move |mirror| mirror.is_about(host));
        mirrors.filter_map(move |mirror| mirror.endpoint(host))
    }

    /// Where `repository` is asked for: at its replacement, or at its own host.
    fn endpoint(&self, repository: &Repository) -> Option<Endpoint> {
        let host = repository.host();
        if let Some(replacement) = self.replacements.iter().find(|found| found.is_about(host)) {
            return replacement.endpoint(host);
        }
        let plain = self.plain_http.iter().any(|plain| plain == host);
        let scheme = if plain { "http" } else { "https" };
        let address = if host == image::DOCKER_HUB { "registry-1.docker.io" } else { host };
        let origin = Url::parse(&format!("{scheme}://{address}/")).ok()?;
        let plain_fallback = !plain && is_loopback(&origin);
        Some(Endpoint { origin, prefix: String::new(), plain_fallback })
    }
}

/// True if a registry at this URL would be asked in plain text, other than on this machine. `{host}` in
/// the URL stands for any host.
#[must_use]
pub fn is_plain_text(url: &str) -> bool {
    let url = Url::parse(&url.replace("{host}", "docker.io"));
    url.is_ok_and(|url| url.scheme() != "https" && !is_loopback(&url))
}

/// Host and port of a URL, without anything that may be secret.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Host and port of a URL, the default port too.
fn address(url: &Url) -> String {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// True if a list of hosts has the one of a URL. The default port may be written or left out.
fn is_named(hosts: &[String], url: &Url) -> bool {
    let contacted = image::canonical_host(&authority(url));
    hosts.iter().any(|host| {
        let host = Url::parse(&format!("{}://{host}/", url.scheme()));
        host.is_ok_and(|host| image::canonical_host(&authority(&host)) == contacted)
    })
}

/// True if a URL's host is this machine by name or address.
fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Reference;

    fn settings(replacements: &[&str], plain_http: &[&str]) -> Settings {
        Settings {
            replacements: replacements.iter().map(|text| text.parse().expect("valid")).collect(),
            mirrors: Vec::new(),
            credentials: Credentials::default(),
            caches: Vec::new(),
            plain_http: plain_http.iter().map(|&host| host.to_owned()).collect(),
            tls: Tls::default(),
            proxies: Proxies::default(),
            timeout: Duration::from_secs(1),
            retries: 0,
            concurrency: Concurrency::Adaptive,
            verify_content: false,
            log_requests: false,
        }
    }

    #[test]
    fn a_repository_is_asked_for_where_the_flags_say() {
        let harbor = ["docker.io=https://harbor.corp/hub", "*=http://mirror:5000/{host}"];
        for (replacements, plain, image, url, fallback) in [
            (&[][..], &[][..], "nginx", "https://registry-1.docker.io/library/nginx", false),
            (&[], &[], "quay.io/a/b", "https://quay.io/a/b", false),
            (&[], &[], "localhost:5000/a", "https://localhost:5000/a", true),
            (&[], &[], "127.0.0.1:5000/a", "https://127.0.0.1:5000/a", true),
            (&[], &[], "[::1]:5000/a", "https://[::1]:5000/a", true),
            (&[], &["reg.corp:80"], "reg.corp:80/a", "http://reg.corp/a", false),
            (&harbor, &[], "nginx", "https://harbor.corp/hub/library/nginx", false),
            (&harbor, &[], "q.io:444/a", "http://mirror:5000/q.io:444/a", false),
        ] {
            let Reference::Tagged(tagged) = image.parse().expect("valid") else { panic!("a tag") };
            let endpoint = settings(replacements, plain).endpoint(&tagged.repository).expect("one");
            let found =
                format!("{}{}{}", endpoint.origin, endpoint.prefix, tagged.repository.path());
            assert_eq!((found.as_str(), endpoint.plain_fallback), (url, fallback), "{image}");
        }
    }

    #[test]
    fn a_cache_is_known_with_its_port_and_without() {
        for (replacement, cache, image, is_cache) in [
            ("docker.io=https://harbor.corp:443/hub", "harbor.corp:443", "nginx", true),
            ("docker.io=https://harbor.corp:443/hub", "harbor.corp", "nginx", true),
            ("docker.io=https://harbor.corp/hub", "harbor.corp:443", "nginx", true),
            ("docker.io=http://harbor.corp:80/hub", "harbor.corp", "nginx", true),
            ("docker.io=https://harbor.corp:8443/hub", "harbor.corp", "nginx", false),
            ("docker.io=https://harbor.corp/hub", "docker.io", "nginx", true),
            ("docker.io=https://harbor.corp/hub", "harbor.corp", "quay.io/a/b", false),
        ] {
            let settings =
                Settings { caches: vec![cache.to_owned()], ..settings(&[replacement], &[]) };
            let Ok(Reference::Tagged(tagged)) = image.parse() else { panic!("a tag: {image}") };
            assert_eq!(
                settings.is_cache(&tagged.repository),
                is_cache,
                "{replacement} {cache} {image}"
            );
        }
    }

    #[test]
    fn replacements_are_checked_when_they_are_read() {
        for (text, message) in [
            ("docker.io", "expected HOST=URL"),
            ("=https://a", "the host before `=` is empty"),
            ("a=ftp://b", "the URL does not start with https:// or http://"),
            ("a=https://u:p@b", "credentials do not belong into the URL"),
            ("*=https://{host}.b", "`{host}` may stand in the path of the URL, not in its host"),
            ("a=https://b/?c", "the URL has more than a host and a path"),
        ] {
            assert_eq!(text.parse::<Replacement>(), Err(message.to_owned()));
        }
        assert!("a=b".parse::<Replacement>().is_err_and(|error| error.contains("no URL")));
    }
}
