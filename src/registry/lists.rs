//! Lists of tags, page by page, to their end.
//!
//! A list that may be incomplete serves no choice: a better tag could be on the next page. Many
//! registries send no `Link`, or one that breaks the grammar (sonatype/nexus-public#117), so a page that
//! may be full is followed by `last=`, until no new tag comes.

use std::collections::HashSet;

use reqwest::{Method, StatusCode, Url};

use super::host::{Host, Request, Retry, Stop};
use super::tags::{self, MAX_TAGS, Next, Page};
use super::transport::{Fetched, Limit, Transport};
use super::{Outcome, Refusal};
use crate::image::Tag;

/// Tags that are asked for on one page; registries that allow fewer give fewer.
const PAGE: usize = 1_000;

/// Pages that are read of one list.
const MAX_PAGES: usize = 100;

/// The largest page.
const MAX_PAGE: usize = 4 << 20;

/// A list as far as it was read.
struct List<'r> {
    host: &'r Host,
    name: &'r str,
    path: String,
    transport: &'r Transport,
    tags: HashSet<Tag>,
    /// The queries of its pages.
    read: HashSet<String>,
}

/// All tags of a repository, in no order.
///
/// # Errors
/// Why there is no list. `Denied` and `Unlistable` say only that nothing can be listed.
pub(super) async fn list(
    host: &Host,
    name: &str,
    transport: &Transport,
) -> Result<Vec<Tag>, Refusal> {
    let path = format!("/v2/{name}/tags/list");
    let (tags, read) = (HashSet::new(), HashSet::new());
    let mut list = List { host, name, path, transport, tags, read };
    if list.read_to_end().await? {
        return Ok(list.tags.into_iter().collect());
    }
    let known = list.tags.len();
    let detail =
        format!("the list of tags of {} could not be read to its end ({known} tags)", host.name());
    Err(Refusal::new(Outcome::Unlistable, detail))
}

impl List<'_> {
    /// Reads all pages. False if the list has no end, or none that can be found.
    async fn read_to_end(&mut self) -> Result<bool, Refusal> {
        let mut query = format!("n={PAGE}");
        let mut is_linked = false;
        for _ in 0..MAX_PAGES {
            if self.tags.len() >= MAX_TAGS || !self.read.insert(query.clone()) {
                return Ok(false);
            }
            let mut reply = self.fetch(&query).await?;
            if self.read.len() == 1 && is_wrong_query(reply.status) {
                // Some allow no number, or none that is so high.
                query.clear();
                reply = self.fetch(&query).await?;
            }
            let page = tags::page(&reply)?;
            let url = self.host.url(&self.path, Some(&query));
            let known = self.tags.len();
            let n = asked(&url);
            // A list with links ends where there is none, unless the page is full nevertheless.
            let is_full = n.is_some_and(|n| page.names >= n)
                || !is_linked && n.is_none_or(|_| is_limit(page.names));
            // It is what the last page was, and no longer than asked for: `last` is not understood.
            let is_stuck = n == Some(page.names) && self.read.len() > 1;
            let Page { tags, last, .. } = page;
            self.tags.extend(tags);
            let is_new = self.tags.len() > known;
            let next = tags::next(&reply.headers, &url);
            is_linked = matches!(next, Next::Query(_));
            query = match (next, last) {
                (Next::Query(query), _) => query,
                (Next::End, _) if is_stuck && !is_new => return Ok(false),
                (Next::End, _) if !is_full || !is_new => return Ok(true),
                (Next::Elsewhere, _) if !is_new && self.read.len() > 1 => return Ok(false),
                (Next::End, None) => return Ok(true),
                (Next::Elsewhere, None) => return Ok(false),
                (Next::End | Next::Elsewhere, Some(last)) => behind(&url, &last),
            };
        }
        Ok(false)
    }

    async fn fetch(&self, query: &str) -> Result<Fetched, Refusal> {
        let request = Request {
            method: Method::GET,
            repository: self.name,
            path: self.path.clone(),
            query: (!query.is_empty()).then(|| query.to_owned()),
            accept: "application/json",
            limit: Limit::Bytes(MAX_PAGE),
        };
        self.host.send(&request, self.transport, Retry::Yes).await.map_err(Stop::refusal)
    }
}

/// True if a registry may answer so because of the query alone.
fn is_wrong_query(status: StatusCode) -> bool {
    let has_own_meaning = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
    );
    status.is_client_error() && !has_own_meaning
}

/// The number of tags that a URL asks for. None if it asks for no number.
fn asked(url: &Url) -> Option<usize> {
    let mut pairs = url.query_pairs();
    pairs.find(|(name, _)| name == "n").and_then(|(_, n)| n.parse().ok())
}

/// True if a page has as many names as a registry may allow on one: limits are round numbers, and some
/// registries apply theirs without a word.
fn is_limit(names: usize) -> bool {
    names > 0 && names.is_multiple_of(10)
}

/// The query of the page behind a tag (OCI distribution spec 1.1, "Listing Tags").
fn behind(url: &Url, last: &str) -> String {
    let mut next = url.clone();
    next.set_query(None);
    if let Some(n) = asked(url) {
        next.query_pairs_mut().append_pair("n", &n.to_string());
    }
    next.query_pairs_mut().append_pair("last", last);
    next.query().unwrap_or_default().to_owned()
}
