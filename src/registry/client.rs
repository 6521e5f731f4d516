//! Registry: asks registries for digests, and tells proof of absence from everything else.
//!
//! One HEAD a tag, without a ping; a GET follows only where the HEAD leaves a doubt. What each
//! answer means stands in `response.rs` and [`Registry::digest`], and in the README.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use reqwest::{Method, StatusCode};

use super::challenge::Challenge;
use super::endpoint::{Endpoint, authority};
use super::host::{Host, Request, Retry, Stop};
use super::in_flight::InFlight;
use super::lists::list;
use super::response::{
    ACCEPT, digest_header, hashed, is_manifest_type, is_silent, refused, uncached,
};
use super::transport::{Fetched, Limit, Transport};
use super::trouble::Trouble;
use super::{Answer, Outcome, Refusal, Settings, Tls};
use crate::credentials::PullSecret;
use crate::diagnostic::Failure;
use crate::image::{Digest, Repository, Tag, Tagged};

/// The largest manifest (OCI distribution spec 1.1, "Pushing Manifests": at least 4 MiB).
const MAX_MANIFEST: usize = 4 << 20;

/// A kind of content with a digest in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An index or manifest.
    Manifest,
    /// Anything else, an image's configuration for one.
    Blob,
}

/// The registries of one run.
#[derive(Debug)]
pub struct Registry {
    transport: Transport,
    settings: Settings,
    /// Names of repositories that will be asked for, by the origin that has them.
    expected: Mutex<BTreeMap<String, BTreeSet<String>>>,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
    mirrors: Mutex<Mirrors>,
}

/// The failures of mirrors, by their hosts.
#[derive(Debug, Default)]
struct Mirrors {
    /// The first reason for each.
    reasons: BTreeMap<String, String>,
    /// Those that are not asked again in this run.
    closed: BTreeSet<String>,
}

impl Registry {
    /// Prepares to ask registries. The deadline counts from here. Nothing is sent.
    ///
    /// # Errors
    /// The certificates of the settings can't be used.
    pub fn new(settings: &Settings, secrets: &[PullSecret]) -> Result<Self, String> {
        let transport = Transport::new(settings)?;
        let credentials = settings.credentials.clone().and_pull_secrets(secrets);
        let settings = Settings { credentials, ..settings.clone() };
        let (expected, hosts, mirrors) = Default::default();
        Ok(Self { transport, settings, expected, hosts, mirrors })
    }

    /// Announces repositories that will be asked for, so that one token may serve several.
    pub fn expect<'r>(&self, repositories: impl IntoIterator<Item = &'r Repository>) {
        let mut announced: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for repository in repositories {
            let settings = &self.settings;
            for endpoint in settings.mirrors(repository).chain(settings.endpoint(repository)) {
                let name = endpoint.name(repository);
                announced.entry(endpoint.origin.to_string()).or_default().insert(name);
            }
        }
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        for (origin, names) in announced {
            match hosts.get(&origin) {
                Some(host) => host.expect(&names),
                None => expected.entry(origin).or_default().extend(names),
            }
        }
    }

    /// The digest of what a tag names now: of the index, if there is one.
    ///
    /// # Errors
    /// The reason why there is none. `Missing…` is proof of absence, anything else is not.
    pub async fn digest(&self, tagged: &Tagged) -> Answer {
        let tag = tagged.tag.to_string();
        let digest = self.in_turn(&tagged.repository, async |host, name, retry| {
            self.ask_at(host, name, tag.clone(), retry).await
        });
        digest.await
    }

    /// All tags of a repository, in no order.
    ///
    /// # Errors
    /// Why there is no list. `Denied`, `Unlistable` and `Missing…` say only that nothing can be listed.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, Refusal> {
        let listed = async {
            let (host, name) = self.host(repository)?;
            let listed = list(&host, &name, &self.transport).await;
            listed.map_err(|refusal| refusal.from(&host.login_name()))
        };
        self.in_time(listed).await
    }

    /// Tells if a repository has a manifest with this digest.
    ///
    /// # Errors
    /// `Missing…` is proof that it has not, anything else is not.
    pub async fn has(&self, repository: &Repository, digest: &Digest) -> Result<(), Refusal> {
        let found = self.in_turn(repository, async |host, name, retry| {
            let found = self.ask_at(host, name, digest.to_string(), retry).await?;
            if found == *digest {
                return Ok(());
            }
            let detail = format!("{found} from {} instead", host.name());
            Err(Refusal::new(Outcome::InvalidResponse, detail))
        });
        found.await
    }

    /// The content of a manifest or blob, whose hash is its digest.
    ///
    /// # Errors
    /// As [`Self::has`]; and `InvalidResponse` for content with another hash.
    pub async fn content(
        &self,
        repository: &Repository,
        part: Part,
        digest: &Digest,
    ) -> Result<Vec<u8>, Refusal> {
        let content = self.in_turn(repository, async |host, name, retry| {
            self.fetch(host, name, part, digest, retry).await
        });
        content.await
    }

    async fn fetch(
        &self,
        host: &Host,
        name: &str,
        part: Part,
        digest: &Digest,
        retry: Retry,
    ) -> Result<Vec<u8>, Refusal> {
        let (folder, accept) = match part {
            Part::Manifest => ("manifests", ACCEPT),
            Part::Blob => ("blobs", "*/*"),
        };
        let request = Request {
            method: Method::GET,
            repository: name,
            path: format!("/v2/{name}/{folder}/{digest}"),
            query: None,
            accept,
            limit: Limit::Bytes(MAX_MANIFEST),
        };
        let reply = host.send(&request, &self.transport, retry).await.map_err(Stop::refusal)?;
        match reply.status {
            StatusCode::OK => {
                let found = Digest::of(digest.algorithm(), &reply.body);
                if found == *digest {
                    return Ok(reply.body);
                }
                let detail =
                    format!("{} from {}, which hashes to {found}", reply.status, reply.answered);
                Err(Refusal::new(Outcome::InvalidResponse, detail))
            }
            StatusCode::NOT_FOUND => Err(host.absence(&reply, &self.transport).await),
            _ => Err(refused(&reply)),
        }
    }

    /// Asks the mirrors of a repository, and then its registry. A 404 of a mirror, proved or not,
    /// says nothing about the registry. A mirror that is down or refuses is not asked again.
    async fn in_turn<T>(
        &self,
        repository: &Repository,
        ask: impl AsyncFn(&Host, &str, Retry) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let asked = async {
            for endpoint in self.settings.mirrors(repository) {
                let origin = authority(&endpoint.origin);
                if self.mirrors().closed.contains(&origin) {
                    continue;
                }
                let (host, name) = self.host_at(endpoint, repository);
                match ask(&host, &name, Retry::No).await {
                    Ok(found) => return Ok(found),
                    Err(refusal) if refusal.outcome.failure() == Failure::Absent => {}
                    Err(refusal) => {
                        let mut mirrors = self.mirrors();
                        if refusal.outcome != Outcome::Unproven {
                            mirrors.closed.insert(origin.clone());
                        }
                        mirrors.reasons.entry(origin).or_insert(refusal.detail);
                    }
                }
            }
            let (host, name) = self.host(repository)?;
            let answer = ask(&host, &name, Retry::Yes).await;
            answer.map_err(|refusal| refusal.from(&host.login_name()))
        };
        let cache = self.settings.is_cache(repository);
        self.in_time(asked).await.map_err(|refusal| if cache { uncached(refusal) } else { refusal })
    }

    /// Logins that did not open what opened without them, and why.
    #[must_use]
    pub fn rejected_logins(&self) -> BTreeSet<String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().flat_map(|host| host.rejected_logins()).collect()
    }

    /// A line for each request so far, if the settings ask for a log.
    #[must_use]
    pub fn request_log(&self) -> String {
        self.transport.request_log()
    }

    /// The settings of TLS connections.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.settings.tls
    }

    /// Mirrors that were passed over, and why.
    #[must_use]
    pub fn skipped_mirrors(&self) -> BTreeMap<String, String> {
        self.mirrors().reasons.clone()
    }

    fn mirrors(&self) -> MutexGuard<'_, Mirrors> {
        self.mirrors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let deadline = self.transport.deadline();
        // A future is polled once even after its deadline, and could send a request.
        if Instant::now() < deadline
            && let Ok(answer) = tokio::time::timeout_at(deadline.into(), asked).await
        {
            return answer;
        }
        let detail = "no answer within the time of `--timeout`";
        Err(Refusal::new(Outcome::Unreachable, detail))
    }

    /// The host that has a repository, and what it calls it.
    fn host(&self, repository: &Repository) -> Result<(Arc<Host>, String), Refusal> {
        let endpoint = self.settings.endpoint(repository).ok_or_else(|| {
            let detail = format!("`{}` is not a host that a URL can contain", repository.host());
            Refusal::new(Outcome::InvalidResponse, detail)
        })?;
        Ok(self.host_at(endpoint, repository))
    }

    fn host_at(&self, endpoint: Endpoint, repository: &Repository) -> (Arc<Host>, String) {
        let name = endpoint.name(repository);
        let origin = endpoint.origin.to_string();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(origin).or_insert_with_key(|origin| {
            let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
            let expected = expected.remove(origin).unwrap_or_default();
            let offers = self.settings.offers(&endpoint);
            let in_flight = Arc::new(InFlight::new(self.settings.concurrency));
            let plain_http = &self.settings.plain_http;
            Arc::new(Host::new(endpoint, &expected, offers, in_flight, plain_http))
        });
        (host.clone(), name)
    }

    /// Asks one host, which calls the repository so, for a tag or a digest.
    async fn ask_at(&self, host: &Host, name: &str, target: String, retry: Retry) -> Answer {
        let transport = &self.transport;
        let question = Question { transport, host, name, target };
        if self.settings.verify_content {
            return question.get(retry, Prior::Nothing).await;
        }
        match question.send(Method::HEAD, Limit::Nothing, retry).await {
            Ok(head) if head.status == StatusCode::OK => match digest_header(&head.headers)? {
                Some(digest) if is_manifest_type(&head.headers) => Ok(digest),
                _ => question.get(retry, Prior::Found).await,
            },
            Ok(head) if head.status == StatusCode::NOT_FOUND => {
                question.get(retry, Prior::Missing).await
            }
            // Every login was tried for it.
            Ok(head) if head.status == StatusCode::UNAUTHORIZED && has_challenge(&head) => {
                Err(refused(&head))
            }
            // Some servers know no HEAD, and say so in many ways (ggcr#971).
            Ok(_) => question.get(retry, Prior::Unclear).await,
            // The server has had its retries; a GET may go another way through a proxy.
            Err(Stop::Trouble(Trouble::Busy(..) | Trouble::Broken(_))) => {
                question.get(Retry::No, Prior::Unclear).await
            }
            Err(stop) => Err(stop.refusal()),
        }
    }
}

/// True if an answer says how to log in.
fn has_challenge(reply: &Fetched) -> bool {
    Challenge::of(&reply.headers).is_some()
}

/// The answer to HEAD, before a manifest is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prior {
    /// There was none.
    Nothing,
    /// 404.
    Missing,
    /// 200, without a digest that can be used.
    Found,
    /// Any other error.
    Unclear,
}

/// One tag or digest of one repository at one host.
struct Question<'r> {
    transport: &'r Transport,
    host: &'r Host,
    name: &'r str,
    target: String,
}

impl Question<'_> {
    /// Fetches the manifest and hashes it.
    async fn get(&self, retry: Retry, prior: Prior) -> Answer {
        let reply = self.send(Method::GET, Limit::Bytes(MAX_MANIFEST), retry).await;
        let reply = reply.map_err(Stop::refusal)?;
        match reply.status {
            StatusCode::OK => hashed(&reply),
            StatusCode::NOT_FOUND => Err(self.absence(&reply, prior).await),
            _ => Err(refused(&reply)),
        }
    }

    /// The meaning of a 404 after the HEAD before it: one without a code confirms another one,
    /// and alone it proves nothing.
    async fn absence(&self, reply: &Fetched, prior: Prior) -> Refusal {
        let is_silent = is_silent(reply);
        let elsewhere = reply.answered != self.host.name();
        let doubt = match prior {
            Prior::Found => Some("but 200 to HEAD"),
            _ if !is_silent => None,
            _ if elsewhere => Some("which proves nothing, by a redirect"),
            Prior::Missing => None,
            Prior::Unclear => Some("which proves nothing, and HEAD was refused"),
            Prior::Nothing => match self.send(Method::HEAD, Limit::Nothing, Retry::Yes).await {
                Ok(head) if head.status == StatusCode::NOT_FOUND => None,
                _ => Some("which proves nothing, because HEAD does not confirm it"),
            },
        };
        match doubt {
            None => self.host.absence(reply, self.transport).await,
            Some(doubt) => {
                let detail = format!("{} from {}, {doubt}", reply.status, reply.answered);
                Refusal::new(Outcome::InvalidResponse, detail)
            }
        }
    }

    async fn send(&self, method: Method, limit: Limit, retry: Retry) -> Result<Fetched, Stop> {
        let path = format!("/v2/{}/manifests/{}", self.name, self.target);
        let request =
            Request { method, repository: self.name, path, query: None, accept: ACCEPT, limit };
        self.host.send(&request, self.transport, retry).await
    }
}
