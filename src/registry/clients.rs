//! Clients: the HTTP client for each host.
//!
//! Most hosts share one. A host that TLS treats in its own way has a client of its own, so that no
//! connection of one kind is used for the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Url};

use super::certificates::Tls;
use super::tls::{self, System};
use super::{Proxies, authority};

/// A registry that takes longer to connect is down. Twice what a lost SYN costs (3 s, RFC 6298).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);

/// The clients of a run.
#[derive(Debug)]
pub(super) struct Clients {
    tls: Tls,
    proxies: Proxies,
    system: Arc<System>,
    shared: Client,
    /// By host and port; none for a host that uses the shared client.
    own: Mutex<BTreeMap<String, Option<Client>>>,
}

impl Clients {
    /// Prepares them; nothing is sent.
    ///
    /// # Errors
    /// The system has no room for one.
    pub(super) fn new(tls: &Tls, proxies: &Proxies) -> Result<Self, String> {
        let system = Arc::default();
        let shared = client(tls, None, &system, proxies)?;
        let (tls, proxies, own) = (tls.clone(), proxies.clone(), Mutex::default());
        Ok(Self { tls, proxies, system, shared, own })
    }

    /// The client for a URL.
    ///
    /// # Errors
    /// The system has no room for one.
    pub(super) fn of(&self, url: &Url) -> Result<Client, String> {
        if url.scheme() != "https" {
            return Ok(self.shared.clone());
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let host = authority(url);
        if let Some(known) = own.get(&host) {
            return Ok(known.as_ref().unwrap_or(&self.shared).clone());
        }
        let made = self.make(url)?;
        let client = made.clone().unwrap_or_else(|| self.shared.clone());
        own.insert(host, made);
        Ok(client)
    }

    /// The client of a host of its own; none if it uses the shared one.
    fn make(&self, url: &Url) -> Result<Option<Client>, String> {
        let unverified = url.host_str().filter(|_| self.tls.is_insecure(url));
        let make = |host| client(&self.tls, Some(host), &self.system, &self.proxies);
        unverified.map(make).transpose()
    }
}

fn client(
    tls: &Tls,
    unverified: Option<&str>,
    system: &Arc<System>,
    proxies: &Proxies,
) -> Result<Client, String> {
    let config = tls::config(&tls.trusted, tls.identity.as_ref(), unverified, system);
    let proxies = proxies.clone();
    let client = Client::builder()
        .user_agent(concat!("digestif/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // reqwest 0.13 takes the Authorization header off if a redirect leads to another host, and
        // sends it again if that host redirects to itself: `Transport::once` follows them.
        .redirect(Policy::none())
        .proxy(Proxy::custom(move |url| proxies.url(url)))
        .tls_backend_preconfigured(config);
    client.build().map_err(|error| error.to_string())
}
