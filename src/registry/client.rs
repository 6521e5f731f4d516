//! Registry: asks registries for digests, and tells proof of absence from everything else.
//!
//! One HEAD a tag, without a ping; a GET follows only where the HEAD leaves a doubt. What each
//! answer means stands in [`absence`] and [`Registry::digest`], and in the README.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use oci_client::errors::{OciEnvelope, OciErrorCode};
use oci_client::manifest::OciManifest;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};

use super::host::{Host, Request, Retry, Stop};
use super::tags::{self, MAX_TAGS, Next};
use super::transport::{Fetched, Limit, Transport, Trouble};
use super::{Answer, Endpoint, Outcome, PullSecret, Refusal, Settings, authority};
use crate::diagnostic::Failure;
use crate::digest::{Algorithm, Digest};
use crate::image::{Repository, Tag, Tagged};

/// What a manifest may be: an index first, so that one digest serves every platform.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The largest manifest (OCI distribution spec 1.1, "Pushing Manifests": at least 4 MiB).
const MAX_MANIFEST: usize = 4 << 20;

/// Tags that are asked for on one page; registries that allow fewer give fewer.
const PAGE: usize = 1_000;

/// Pages that are read of one list.
const MAX_PAGES: usize = 100;

/// What a registry keeps by its digest.
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
    expected: BTreeMap<String, BTreeSet<String>>,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
    /// Mirrors that are not asked again in this run, by their origins, and why.
    idle_mirrors: Mutex<BTreeMap<String, String>>,
}

impl Registry {
    /// Prepares to ask about these repositories first of all. Nothing is sent.
    ///
    /// # Errors
    /// The certificates of the settings can't be used.
    pub fn new<'r>(
        settings: &Settings,
        secrets: &[PullSecret],
        repositories: impl IntoIterator<Item = &'r Repository>,
    ) -> Result<Self, String> {
        let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for repository in repositories {
            for endpoint in settings.mirrors(repository).chain(settings.endpoint(repository)) {
                let name = endpoint.name(repository);
                expected.entry(endpoint.origin.to_string()).or_default().insert(name);
            }
        }
        let transport = Transport::new(settings)?;
        let credentials = settings.credentials.clone().and_pull_secrets(secrets);
        let settings = Settings { credentials, ..settings.clone() };
        let (hosts, idle_mirrors) = (Mutex::default(), Mutex::default());
        Ok(Self { transport, settings, expected, hosts, idle_mirrors })
    }

    /// The digest of what a tag names now: of the index, where there is one.
    ///
    /// # Errors
    /// Why there is none. `Missing…` is proof of absence, anything else is not.
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
    /// Why there is no list. `Denied` and `Missing…` say only that nothing can be listed.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, Refusal> {
        self.in_time(self.list(repository)).await
    }

    /// Whether a repository has a manifest with this digest.
    ///
    /// # Errors
    /// `Missing…` is proof that it has not, anything else is not.
    pub async fn has(&self, repository: &Repository, digest: &Digest) -> Result<(), Refusal> {
        let found = self.in_turn(repository, async |host, name, retry| {
            let found = self.ask_at(host, name, digest.to_string(), retry).await?;
            if found == *digest {
                return Ok(());
            }
            let detail = format!("{found} from {} in its stead", host.name());
            Err(Refusal::new(Outcome::Nonsense, detail))
        });
        found.await
    }

    /// The content of a manifest or blob, whose hash is its digest.
    ///
    /// # Errors
    /// As [`Self::has`]; and `Nonsense` for content with another hash.
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
                Err(Refusal::new(Outcome::Nonsense, detail))
            }
            StatusCode::NOT_FOUND => Err(absence(&reply)),
            _ => Err(refused(&reply)),
        }
    }

    /// Asks the mirrors of a repository, and then its registry. What a mirror has not is no word
    /// about its registry, and a mirror that is down or refuses is passed over, from then on.
    async fn in_turn<T>(
        &self,
        repository: &Repository,
        ask: impl AsyncFn(&Host, &str, Retry) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let asked = async {
            for endpoint in self.settings.mirrors(repository) {
                let origin = authority(&endpoint.origin);
                if self.idle_mirrors().contains_key(&origin) {
                    continue;
                }
                let (host, name) = self.host_at(endpoint, repository);
                match ask(&host, &name, Retry::No).await {
                    Ok(found) => return Ok(found),
                    Err(refusal) if refusal.outcome.failure() == Failure::Absent => {}
                    Err(refusal) => {
                        let idle = self.idle_mirrors.lock();
                        let mut idle = idle.unwrap_or_else(PoisonError::into_inner);
                        idle.entry(origin).or_insert(refusal.detail);
                    }
                }
            }
            let (host, name) = self.host(repository)?;
            ask(&host, &name, Retry::Yes).await
        };
        let cache = self.settings.is_cache(repository);
        self.in_time(asked).await.map_err(|refusal| if cache { uncached(refusal) } else { refusal })
    }

    /// Logins that did not open what opened without them, and why.
    #[must_use]
    pub fn idle_logins(&self) -> BTreeSet<String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().flat_map(|host| host.idle_logins()).collect()
    }

    /// Mirrors that were passed over, and why.
    #[must_use]
    pub fn idle_mirrors(&self) -> BTreeMap<String, String> {
        self.idle_mirrors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let in_time = tokio::time::timeout_at(self.transport.deadline().into(), asked);
        in_time.await.unwrap_or_else(|_| {
            let detail = "no answer before the time of `--timeout` was up";
            Err(Refusal::new(Outcome::Unreachable, detail))
        })
    }

    /// The host that has a repository, and what it calls it.
    fn host(&self, repository: &Repository) -> Result<(Arc<Host>, String), Refusal> {
        let endpoint = self.settings.endpoint(repository).ok_or_else(|| {
            let detail = format!("`{}` is no host that a URL can hold", repository.host());
            Refusal::new(Outcome::Nonsense, detail)
        })?;
        Ok(self.host_at(endpoint, repository))
    }

    fn host_at(&self, endpoint: Endpoint, repository: &Repository) -> (Arc<Host>, String) {
        let name = endpoint.name(repository);
        let origin = endpoint.origin.to_string();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(origin).or_insert_with_key(|origin| {
            let none = BTreeSet::new();
            let expected = self.expected.get(origin).unwrap_or(&none);
            let offers = self.settings.credentials.of_host(&authority(&endpoint.origin));
            Arc::new(Host::new(endpoint, expected, offers, self.settings.concurrency))
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
            Ok(head) if doubtful(head.status) => question.get(retry, Prior::Unclear).await,
            Ok(head) => Err(refused(&head)),
            // The server has had its retries; a GET may go another way through a proxy.
            Err(Stop::Trouble(Trouble::Busy(..))) => question.get(Retry::No, Prior::Unclear).await,
            Err(stop) => Err(stop.refusal()),
        }
    }

    async fn list(&self, repository: &Repository) -> Result<Vec<Tag>, Refusal> {
        let (host, name) = self.host(repository)?;
        let path = format!("/v2/{name}/tags/list");
        let mut query = format!("n={PAGE}");
        let mut read = BTreeSet::from([query.clone()]);
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = Request {
                method: Method::GET,
                repository: &name,
                path: path.clone(),
                query: Some(query.clone()),
                accept: "application/json",
                limit: Limit::Bytes(MAX_MANIFEST),
            };
            let reply = host.send(&request, &self.transport, Retry::Yes).await;
            let reply = reply.map_err(Stop::refusal)?;
            tags.extend(tags::page(&reply)?);
            let url = host.url(&path, Some(&query));
            match tags::next(&reply.headers, &url) {
                _ if tags.len() >= MAX_TAGS => break,
                Next::End => return Ok(tags),
                Next::Query(next) if read.insert(next.clone()) => query = next,
                _ => break,
            }
        }
        // What is not known to the end must not pass for all there is.
        let detail = format!("the list of tags could not be read to its end ({} tags)", tags.len());
        Err(Refusal::new(Outcome::Nonsense, detail))
    }
}

/// Statuses to a HEAD that only a GET explains.
fn doubtful(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED)
}

/// What a HEAD has said before a manifest is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prior {
    /// There was none.
    Nothing,
    /// 404.
    Missing,
    /// 200, without a digest that can be used.
    Found,
    /// 403, 405 or 5xx.
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

    /// What a 404 proves, by what the HEAD before it said: one that says nothing confirms another,
    /// and is no proof by itself.
    async fn absence(&self, reply: &Fetched, prior: Prior) -> Refusal {
        let is_silent = reply.body.trim_ascii().is_empty();
        let elsewhere = reply.answered != self.host.name();
        let doubt = match prior {
            Prior::Found => Some("but 200 to HEAD"),
            _ if !is_silent => None,
            _ if elsewhere => Some("which says nothing, by a redirect"),
            Prior::Missing => None,
            Prior::Unclear => Some("which says nothing, and HEAD was refused"),
            Prior::Nothing => match self.send(Method::HEAD, Limit::Nothing, Retry::Yes).await {
                Ok(head) if head.status == StatusCode::NOT_FOUND => None,
                _ => Some("which says nothing, and which HEAD does not confirm"),
            },
        };
        match doubt {
            None => absence(reply),
            Some(doubt) => {
                let detail = format!("{} from {}, {doubt}", reply.status, reply.answered);
                Refusal::new(Outcome::Nonsense, detail)
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

/// The digest that the headers name; an error where it is not exactly a digest.
fn digest_header(headers: &HeaderMap) -> Result<Option<Digest>, Refusal> {
    let mut values = headers.get_all("docker-content-digest").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    match parsed {
        Some(digest) if values.next().is_none() => Ok(Some(digest)),
        _ => Err(Refusal::new(
            Outcome::Nonsense,
            "200 with a malformed Docker-Content-Digest header",
        )),
    }
}

fn is_manifest_type(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    ACCEPT.split(", ").any(|accepted| accepted.eq_ignore_ascii_case(media_type))
}

/// The digest of the manifest in a body, which has to be what the header says, if it says so.
fn hashed(reply: &Fetched) -> Answer {
    if serde_json::from_slice::<OciManifest>(&reply.body).is_err() {
        let detail =
            format!("200 with something that is no image manifest ({} bytes)", reply.body.len());
        return Err(Refusal::new(Outcome::Nonsense, detail));
    }
    let announced = digest_header(&reply.headers)?;
    let algorithm = announced.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let digest = Digest::of(algorithm, &reply.body);
    match announced {
        Some(announced) if announced != digest => {
            let detail = format!("the header says {announced}, the manifest hashes to {digest}");
            Err(Refusal::new(Outcome::Nonsense, detail))
        }
        _ => Ok(digest),
    }
}

/// What a 404 to a GET proves: absence, where a registry says so in a registry's words or says
/// nothing at all; nothing, where a proxy or a web server may have said it.
pub(super) fn absence(reply: &Fetched) -> Refusal {
    let (status, answered) = (reply.status, &reply.answered);
    if !reply.refused_to.is_empty() {
        let refusal = Refusal::new(Outcome::Denied, format!("{status} from {answered}"));
        return refusal.after(&reply.refused_to);
    }
    if reply.body.trim_ascii().is_empty() {
        return Refusal::new(Outcome::MissingTag, format!("{status} from {answered}"));
    }
    let Some(codes) = error_codes(&reply.body) else {
        let detail = format!("{status} from {answered}, but not in the words of a registry");
        return Refusal::new(Outcome::Nonsense, detail);
    };
    let has = |code: &OciErrorCode| codes.contains(code);
    let outcome = if has(&OciErrorCode::Denied) || has(&OciErrorCode::Unauthorized) {
        Outcome::Denied
    } else if has(&OciErrorCode::Toomanyrequests) {
        Outcome::RateLimited
    } else if has(&OciErrorCode::NameUnknown) {
        Outcome::MissingRepository
    } else if has(&OciErrorCode::ManifestUnknown) || has(&OciErrorCode::NotFound) {
        Outcome::MissingTag
    } else {
        Outcome::Nonsense
    };
    Refusal::new(outcome, format!("{status} from {answered}{}", listed(&codes)))
}

/// What a refusal of a pull-through cache means: some answer 404 for an image that they have not
/// fetched yet while its registry throttles them (goharbor/harbor#23750).
fn uncached(refusal: Refusal) -> Refusal {
    match refusal.outcome {
        Outcome::MissingTag | Outcome::MissingRepository => {
            Refusal::new(Outcome::NotCached, format!("{}, which is a cache", refusal.detail))
        }
        _ => refusal,
    }
}

/// What any other answer means.
pub(super) fn refused(reply: &Fetched) -> Refusal {
    let (status, answered) = (reply.status, &reply.answered);
    let codes = error_codes(&reply.body).unwrap_or_default();
    let outcome = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Denied,
        _ => Outcome::Nonsense,
    };
    Refusal::new(outcome, format!("{status} from {answered}{}", listed(&codes)))
        .after(&reply.refused_to)
}

fn error_codes(body: &[u8]) -> Option<Vec<OciErrorCode>> {
    let envelope: OciEnvelope = serde_json::from_slice(body).ok()?;
    (!envelope.errors.is_empty())
        .then(|| envelope.errors.into_iter().map(|error| error.code).collect())
}

/// Codes as registries spell them. One that the spec does not know may be anything, so it is not
/// repeated to a terminal.
fn listed(codes: &[OciErrorCode]) -> String {
    let words = codes.iter().filter(|code| !matches!(code, OciErrorCode::Other(_)));
    let words: BTreeSet<_> = words
        .filter_map(|code| serde_json::to_value(code).ok()?.as_str().map(str::to_owned))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!(", code {}", words.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registrys_clear_word_proves_absence() {
        let code = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#);
        for (body, outcome) in [
            (code("MANIFEST_UNKNOWN"), Outcome::MissingTag),
            (code("NOT_FOUND"), Outcome::MissingTag),
            (String::new(), Outcome::MissingTag),
            (" \r\n".to_owned(), Outcome::MissingTag),
            (code("NAME_UNKNOWN"), Outcome::MissingRepository),
            (code("DENIED"), Outcome::Denied),
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN"},{"code":"DENIED"}]}"#.to_owned(),
                Outcome::Denied,
            ),
            (code("TOOMANYREQUESTS"), Outcome::RateLimited),
            (code("ARTIFACT_LOCKED"), Outcome::Nonsense),
            ("<html>404</html>".to_owned(), Outcome::Nonsense),
            ("{}".to_owned(), Outcome::Nonsense),
            (r#"{"errors":[]}"#.to_owned(), Outcome::Nonsense),
            (r#"{"errors":null}"#.to_owned(), Outcome::Nonsense),
            (r#"{"message":"MANIFEST_UNKNOWN"}"#.to_owned(), Outcome::Nonsense),
        ] {
            assert_eq!(absence(&Fetched::new(404, &body)).outcome, outcome, "{body}");
        }
    }

    #[test]
    fn a_digest_header_is_a_digest_or_nothing() {
        let hex = "0".repeat(64);
        let good = format!("sha256:{hex}");
        for (value, expected) in [
            (good.clone(), Ok(true)),
            (format!(" {good}"), Err(())),
            (format!("{good} "), Err(())),
            (format!("sha256:{}", &hex[1..]), Err(())),
            (format!("sha256:{}", "A".repeat(64)), Err(())),
            (format!("sha256:\"}}]\tinjected # {hex}"), Err(())),
            (String::new(), Err(())),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("docker-content-digest", value.parse().expect("a header value"));
            let found = digest_header(&headers).map(|digest| digest.is_some()).map_err(|_| ());
            assert_eq!(found, expected, "{value:?}");
        }
        assert_eq!(digest_header(&HeaderMap::new()), Ok(None));
    }
}
