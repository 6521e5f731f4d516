//! Settings: the endpoint of each repository, and how requests are made.

use std::time::Duration;

use reqwest::Url;

use super::endpoint::{Endpoint, authority, is_loopback, is_named};
use super::{Concurrency, Proxies, Tls};
use crate::credentials::{Credentials, Offer};
use crate::image::{DOCKER_HUB, Repository, canonical_host};

/// The settings for requests to registries.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses at which the registries of some hosts are reached instead; the first match applies.
    pub replacements: Vec<Replacement>,
    /// Mirrors that are asked before the registries of some hosts; all matches, in order.
    pub mirrors: Vec<Replacement>,
    /// The logins.
    pub credentials: Credentials,
    /// Hosts that are pull-through caches. An image that they do not have may exist.
    pub caches: Vec<String>,
    /// Hosts that are asked over plain HTTP.
    pub plain_http: Vec<String>,
    /// The certificates of TLS connections.
    pub tls: Tls,
    /// The proxies.
    pub proxies: Proxies,
    /// The time budget of the whole run.
    pub timeout: Duration,
    /// The number of retries of one request.
    pub retries: usize,
    /// The number of requests in flight to one host.
    pub concurrency: Concurrency,
    /// True if every manifest is fetched and hashed.
    pub verify_content: bool,
    /// True if each request is logged.
    pub log_requests: bool,
}

/// `HOST=URL`: the address at which the registry of a host is reached.
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
        let (host, url) = text
            .split_once('=')
            .ok_or("expected HOST=URL, such as `docker.io=https://mirror.example.com`")?;
        Self::new(host, url)
    }
}

impl Replacement {
    /// The registry of `host`, or of every host if it is `*`, is reached at `url`.
    ///
    /// # Errors
    /// The URL is not valid, or has more than a host and a path.
    pub fn new(host: &str, url: &str) -> Result<Self, String> {
        let example = url.replace("{host}", "docker.io");
        let parsed = Url::parse(&example)
            .map_err(|_| "it is not a URL, such as `https://mirror.example.com`".to_owned())?;
        if !matches!(parsed.scheme(), "https" | "http") || parsed.host_str().is_none() {
            return Err("the URL does not start with https:// or http://".to_owned());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("the URL must not contain credentials".to_owned());
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err("the URL has more than a host and a path".to_owned());
        }
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains("{host}")) {
            return Err("`{host}` is allowed in the path of the URL, not in its host".to_owned());
        }
        let host = match host {
            "*" => HostPattern::Any,
            "" => return Err("the host before `=` is empty".to_owned()),
            host => HostPattern::Host(canonical_host(host)),
        };
        Ok(Self { host, url: url.to_owned() })
    }

    /// The host and port that are contacted.
    #[must_use]
    pub fn contacted(&self) -> String {
        let url = Url::parse(&self.url.replace("{host}", "docker.io"));
        url.map(|url| authority(&url)).unwrap_or_default()
    }

    fn is_about(&self, host: &str) -> bool {
        match &self.host {
            HostPattern::Any => true,
            HostPattern::Host(own) => own == host,
        }
    }

    /// The endpoint for the registry of `host`; none if its name makes no valid URL. The host itself must
    /// not be asked then.
    fn endpoint(&self, host: &str) -> Option<Endpoint> {
        let url = Url::parse(&self.url.replace("{host}", host)).ok()?;
        let path = url.path().trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let origin = url.join("/").ok()?;
        Some(Endpoint { origin, prefix, plain_fallback: false })
    }
}

impl Settings {
    /// True if requests for a repository go to a pull-through cache, or its own host is one.
    pub(super) fn is_cache(&self, repository: &Repository) -> bool {
        self.caches.iter().any(|cache| cache == repository.host())
            || self
                .endpoint(repository)
                .is_some_and(|endpoint| is_named(&self.caches, &endpoint.origin))
    }

    /// The logins for the host of an endpoint; none if they must not be sent to it.
    pub(super) fn offers(&self, endpoint: &Endpoint) -> Vec<Offer> {
        if self.tls.withholds_logins(&endpoint.origin) {
            return Vec::new();
        }
        self.credentials.of_host(&authority(&endpoint.origin))
    }

    /// The mirrors of `repository`, which are asked first. Absence there proves nothing.
    pub(super) fn mirrors(&self, repository: &Repository) -> impl Iterator<Item = Endpoint> {
        let host = repository.host();
        let mirrors = self.mirrors.iter().filter(move |mirror| mirror.is_about(host));
        mirrors.filter_map(move |mirror| mirror.endpoint(host))
    }

    /// The endpoint for `repository`: its replacement, or its own host.
    pub(super) fn endpoint(&self, repository: &Repository) -> Option<Endpoint> {
        let host = repository.host();
        if let Some(replacement) = self.replacements.iter().find(|found| found.is_about(host)) {
            return replacement.endpoint(host);
        }
        let plain = self.plain_http.iter().any(|plain| plain == host);
        let scheme = if plain { "http" } else { "https" };
        let address = if host == DOCKER_HUB { "registry-1.docker.io" } else { host };
        let origin = Url::parse(&format!("{scheme}://{address}/")).ok()?;
        let plain_fallback = !plain && is_loopback(&origin);
        Some(Endpoint { origin, prefix: String::new(), plain_fallback })
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
            ("docker.io", "expected HOST=URL, such as `docker.io=https://mirror.example.com`"),
            ("=https://a", "the host before `=` is empty"),
            ("a=ftp://b", "the URL does not start with https:// or http://"),
            ("a=https://u:p@b", "the URL must not contain credentials"),
            ("*=https://{host}.b", "`{host}` is allowed in the path of the URL, not in its host"),
            ("a=https://b/?c", "the URL has more than a host and a path"),
        ] {
            assert_eq!(text.parse::<Replacement>(), Err(message.to_owned()));
        }
        assert!("a=b".parse::<Replacement>().is_err_and(|error| error.contains("is not a URL")));
    }
}
