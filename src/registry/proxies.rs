//! Proxies: the proxy for each host, as the variables say.
//!
//! curl and the programs of Go read the variables in the same way (golang.org/x/net, `httpproxy`).
//! Requests to loopback never use a proxy. The URL of a proxy may contain a password, so messages name
//! only its host.

use std::net::IpAddr;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::endpoint::{authority, is_loopback};

/// The schemes of proxies that the HTTP client supports.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The proxies of a run.
#[derive(Debug, Default, Clone)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    direct: Vec<Direct>,
}

#[derive(Debug, Clone)]
struct Proxy {
    url: SecretString,
    /// Host and port, for messages.
    name: String,
}

/// Hosts that are reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    Every,
    /// The addresses of a network: its address and the length of its prefix.
    Network(IpAddr, u32),
    /// A host and its subdomains, on one port or on every port.
    Host(String, Option<u16>),
}

impl Proxies {
    /// Reads the variables. Upper case comes before lower case. An empty variable is not set.
    ///
    /// # Errors
    /// A variable is not the URL of a proxy. The error names the variable and does not show its value.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let value = |name: &str| {
            let names = [name.to_owned(), name.to_lowercase()];
            names.into_iter().find_map(|name| {
                let value = variable(&name).filter(|value| !value.trim().is_empty())?;
                Some((name, value))
            })
        };
        let proxy = |own| {
            let named = value(own).or_else(|| value("ALL_PROXY"));
            named.map(|(name, value)| Proxy::new(&name, &value)).transpose()
        };
        let direct = value("NO_PROXY").map(|(_, value)| value).unwrap_or_default();
        let direct = direct.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Self {
            https: proxy("HTTPS_PROXY")?,
            http: proxy("HTTP_PROXY")?,
            direct: direct.map(Direct::new).collect(),
        })
    }

    /// The URL of the proxy for a URL, with its password.
    pub(super) fn url(&self, url: &Url) -> Option<Url> {
        Url::parse(self.of(url)?.url.expose_secret()).ok()
    }

    /// The host and port of the proxy for a URL.
    pub(super) fn name(&self, url: &Url) -> Option<&str> {
        self.of(url).map(|proxy| proxy.name.as_str())
    }

    fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let is_direct = is_loopback(url) || self.direct.iter().any(|direct| direct.fits(url));
        proxy.as_ref().filter(|_| !is_direct)
    }
}

impl Proxy {
    fn new(variable: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&whole).ok().filter(|url| {
            SCHEMES.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty())
        });
        let url = url.ok_or_else(|| {
            format!("`{variable}` is not the URL of a proxy, such as `http://proxy.corp:3128`")
        })?;
        Ok(Self { name: authority(&url), url: String::from(url).into() })
    }
}

impl Direct {
    fn new(entry: &str) -> Self {
        if entry == "*" {
            return Self::Every;
        }
        let bare = |text: &str| text.trim_matches(['[', ']']).to_owned();
        if let Some((address, bits)) = entry.split_once('/')
            && let (Ok(address), Ok(bits)) = (bare(address).parse(), bits.parse())
        {
            return Self::Network(address, bits);
        }
        let (host, port) = match entry.rsplit_once(':') {
            // The last colon of `fd00::1` is no port's.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
            _ => (entry, ""),
        };
        let host = bare(host).to_lowercase();
        let host = host.strip_prefix('*').unwrap_or(&host).trim_matches('.');
        Self::Host(host.to_owned(), port.parse().ok())
    }

    fn fits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match self {
            Self::Every => true,
            Self::Network(network, bits) => {
                host.parse().is_ok_and(|address| share_bits(*network, address, *bits))
            }
            Self::Host(own, port) => {
                let parent = host.strip_suffix(own.as_str());
                let is_below = parent.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                let is_address = host.parse::<IpAddr>().is_ok();
                let fits = if is_address { host == own } else { is_below };
                fits && port.is_none_or(|port| url.port_or_known_default() == Some(port))
            }
        }
    }
}

/// True if two addresses of one kind begin with the same bits.
fn share_bits(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    let (one, other, width) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let rest: u32 = width - bits.min(width);
    (one ^ other).checked_shr(rest).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Proxies, String> {
        let value = |name: &str| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Proxies::read(value)
    }

    /// The name of the proxy for a URL.
    fn through(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = read(variables).expect("valid");
        proxies.name(&Url::parse(url).expect("valid")).map(String::from)
    }

    #[test]
    fn each_scheme_has_its_variable_in_both_cases() {
        let (https, http) = ("https://r.io/", "http://r.io/");
        for (variables, of_https, of_http) in [
            (&[][..], None, None),
            (&[("HTTPS_PROXY", "http://p:1")], Some("p:1"), None),
            (&[("https_proxy", "http://p:1")], Some("p:1"), None),
            (&[("HTTP_PROXY", "http://p:1")], None, Some("p:1")),
            (&[("http_proxy", "http://p:1")], None, Some("p:1")),
            (&[("ALL_PROXY", "http://p:1")], Some("p:1"), Some("p:1")),
            (&[("all_proxy", "p:1")], Some("p:1"), Some("p:1")),
            (&[("all_proxy", "socks5h://p:1"), ("https_proxy", "q:2")], Some("q:2"), Some("p:1")),
            (&[("HTTPS_PROXY", "p:1"), ("https_proxy", "q:2")], Some("p:1"), None),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "q:2")], Some("q:2"), None),
            (&[("HTTPS_PROXY", "https://u:p%40@p/x")], Some("p"), None),
            (&[("HTTPS_PROXY", "p:1"), ("NO_PROXY", "*")], None, None),
        ] {
            let found = (through(variables, https), through(variables, http));
            let expected = (of_https.map(String::from), of_http.map(String::from));
            assert_eq!(found, expected, "{variables:?}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_named_and_not_shown() {
        for value in ["http://", "ftp://u:hunter2@p", "socks://p:1", "u:hunter2@p:x", "http://a b"]
        {
            let said = read(&[("https_proxy", value)]).err();
            let expected =
                "`https_proxy` is not the URL of a proxy, such as `http://proxy.corp:3128`";
            assert_eq!(said.as_deref(), Some(expected), "{value}");
        }
        // Nobody asks through it.
        let all = ("ALL_PROXY", "socks://p");
        assert!(read(&[all, ("HTTPS_PROXY", "p"), ("HTTP_PROXY", "p")]).is_ok());
        assert!(read(&[all, ("HTTPS_PROXY", "p")]).is_err());
    }

    #[test]
    fn nothing_that_is_printed_shows_a_password() {
        let proxies = read(&[("ALL_PROXY", "http://bob:hunter2@p:1")]).expect("valid");
        let url = Url::parse("https://r.io/").expect("valid");
        assert_eq!(proxies.url(&url).expect("one").as_str(), "http://bob:hunter2@p:1/");
        let printed = format!("{proxies:?}");
        assert!(printed.contains("REDACTED") && !printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn some_hosts_are_asked_directly() {
        for (no_proxy, url, direct) in [
            ("r.io", "https://r.io/", true),
            ("R.IO", "https://r.io/", true),
            ("r.io", "https://a.r.io/", true),
            ("r.io", "https://ar.io/", false),
            (".r.io", "https://a.r.io/", true),
            (".r.io", "https://r.io/", true),
            ("*.r.io", "https://a.r.io/", true),
            ("*.r.io", "https://ar.io/", false),
            ("q.io, r.io", "https://r.io/", true),
            ("q.io r.io", "https://r.io/", true),
            ("r.io:443", "https://r.io/", true),
            ("r.io:5000", "https://r.io:5000/", true),
            ("r.io:5000", "https://a.r.io:5000/", true),
            ("r.io:5000", "https://r.io/", false),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("10.1.2.3", "https://10.1.2.3/", true),
            ("10.1.2.3:5000", "https://10.1.2.3:5000/", true),
            ("10.1.2.3:5000", "https://10.1.2.3/", false),
            ("1.2.3", "https://10.1.2.3/", false),
            ("0.0.0.0/0", "https://10.1.2.3/", true),
            ("0.0.0.0/0", "https://[fd00::1]/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("fd00::/8", "https://[fe00::1]/", false),
            ("fd00::1", "https://[fd00::1]/", true),
            ("[fd00::1]:5000", "https://[fd00::1]:5000/", true),
            ("[fd00::1]:5000", "https://[fd00::1]/", false),
            ("*", "https://r.io/", true),
            ("", "https://localhost/", true),
            ("", "https://127.0.0.2:5000/", true),
            ("", "https://[::1]/", true),
            ("", "https://r.io/", false),
            (", ,", "https://r.io/", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", no_proxy)];
            assert_eq!(through(&variables, url).is_none(), direct, "{no_proxy}: {url}");
        }
    }
}
