//! Endpoint: the address for requests about a repository, and what URLs and hosts say.

use reqwest::Url;

use crate::image::{self, Reference, Repository};
use crate::text::escape::quoted;

/// The address for requests about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Scheme, host and port, with the path `/`.
    pub(super) origin: Url,
    /// The text before the repository's path, with a slash at its end; most often empty.
    pub(super) prefix: String,
    /// True if plain HTTP is tried when no TLS connection can be made.
    pub(super) plain_fallback: bool,
}

impl Endpoint {
    /// The host's own name for a repository.
    pub(super) fn name(&self, repository: &Repository) -> String {
        format!("{}{}", self.prefix, repository.path())
    }
}

/// Reads the host of a registry as images name it; gives the name by which it is looked up.
///
/// # Errors
/// The text is no host.
pub fn host(text: &str) -> Result<String, String> {
    let reference = format!("{text}/x/x:x").parse::<Reference>();
    let host = image::canonical_host(text);
    match reference {
        Ok(Reference::Tagged(tagged)) if tagged.repository.host() == host => Ok(host),
        _ => Err(format!(
            "{} is not the host of a registry, such as `registry.local:5000`",
            quoted(text)
        )),
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
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Host and port of a URL, the default port too.
pub(super) fn address(url: &Url) -> String {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// True if a list of hosts has the one of a URL. The default port may be written or left out.
pub(super) fn is_named(hosts: &[String], url: &Url) -> bool {
    let contacted = image::canonical_host(&authority(url));
    hosts.iter().any(|host| {
        let host = Url::parse(&format!("{}://{host}/", url.scheme()));
        host.is_ok_and(|host| image::canonical_host(&authority(&host)) == contacted)
    })
}

/// True if a URL's host is this machine by name or address.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
