//! Clients: the HTTP client for each host.
//!
//! Most hosts share one. A host that TLS treats in its own way has a client of its own, so that no
//! connection of one kind is used for the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Url};

use super::Proxies;
use super::certificates::{HostCertificates, Tls};
use super::certs_d;
use super::endpoint::authority;
use super::tls::{self, System, Trust};

/// A registry that takes longer to connect is down. Twice what a lost SYN costs (3 s, RFC 6298).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);

/// The clients of a run.
#[derive(Debug)]
pub(super) struct Clients {
    tls: Tls,
    proxies: Proxies,
    system: Arc<System>,
    /// For hosts that no folder is for.
    trust: Trust,
    shared: Client,
    /// By the host that is contacted and the registry that is meant; none for those that use the
    /// shared client.
    own: Mutex<BTreeMap<(String, String), Option<Client>>>,
}

impl Clients {
    /// Prepares them; nothing is sent.
    ///
    /// # Errors
    /// The system has no room for one.
    pub(super) fn new(tls: &Tls, proxies: &Proxies) -> Result<Self, String> {
        let system = Arc::default();
        let trust = Trust {
            named: tls.trusted.clone(),
            identities: tls.identity.iter().cloned().collect(),
            unverified: None,
        };
        let shared = client(&trust, &system, proxies)?;
        let (tls, proxies, own) = (tls.clone(), proxies.clone(), Mutex::default());
        Ok(Self { tls, proxies, system, trust, shared, own })
    }

    /// The client for a URL that a registry leads to, or that is its own. The certificates of the
    /// registry count as well if the URL's host has none, as with docker and podman.
    ///
    /// # Errors
    /// The certificates of the host can't be used.
    pub(super) fn of(&self, url: &Url, registry: &Url) -> Result<Client, String> {
        if url.scheme() != "https" {
            return Ok(self.shared.clone());
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match own.entry((authority(url), authority(registry))) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.make(url, registry)?),
        };
        Ok(made.as_ref().unwrap_or(&self.shared).clone())
    }

    /// A client of its own; none if the shared one will do.
    fn make(&self, url: &Url, registry: &Url) -> Result<Option<Client>, String> {
        let certificates = match self.of_host(url)? {
            Some(certificates) => Some(certificates),
            None => self.of_host(registry)?,
        };
        let unverified = url.host_str().filter(|_| self.tls.is_insecure(url));
        if certificates.is_none() && unverified.is_none() {
            return Ok(None);
        }
        let mut trust = self.trust.clone();
        trust.unverified = unverified.map(str::to_owned);
        if let Some(certificates) = certificates {
            trust.named.extend(certificates.trusted);
            trust.identities.splice(..0, certificates.identities);
        }
        client(&trust, &self.system, &self.proxies).map(Some)
    }

    /// The certificates of a URL's host: those of configurations, and those of a folder. None if there
    /// are none.
    fn of_host(&self, url: &Url) -> Result<Option<HostCertificates>, String> {
        let in_folder = certs_d::of_host(&self.tls.folders, &authority(url))?;
        Ok(self.tls.of_host(url).chain(in_folder).reduce(HostCertificates::and))
    }
}

fn client(trust: &Trust, system: &Arc<System>, proxies: &Proxies) -> Result<Client, String> {
    let config = tls::config(trust, system);
    let proxies = proxies.clone();
    let client = Client::builder()
        .user_agent(crate::user_agent())
        .connect_timeout(CONNECT_TIMEOUT)
        // reqwest 0.13 takes the Authorization header off if a redirect leads to another host, and
        // sends it again if that host redirects to itself: `Transport::once` follows them.
        .redirect(Policy::none())
        .proxy(Proxy::custom(move |url| proxies.url(url)))
        .tls_backend_preconfigured(config);
    client.build().map_err(|error| error.to_string())
}
