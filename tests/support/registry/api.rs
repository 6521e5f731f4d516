//! The registry's correct answers.

use std::collections::BTreeSet;

use serde_json::json;

use super::answer::{Answer, DIGEST};
use super::content::{Links, Tags};
use super::manifests::{ARCHITECTURES, INDEX, MANIFEST, index, is_tag, platform_manifest, sha256};
use super::request::{Request, Route, parameter};
use super::state::{State, UNPOISONED};

impl State {
    pub(super) fn honest(&self, route: &Route<'_>, request: &Request) -> Answer {
        match (request.method.as_str(), route) {
            ("GET" | "HEAD", Route::Ping) => Answer::new(200, "application/json", "{}"),
            ("GET" | "HEAD", Route::Manifest(repository, reference)) => {
                self.manifest(repository, reference)
            }
            ("GET", Route::Tags(repository)) => self.tag_page(repository, &request.query),
            ("GET" | "POST", Route::Token) => self.token(request),
            (_, Route::Elsewhere) => Answer::error(404, "NOT_FOUND"),
            _ => Answer::error(405, "UNSUPPORTED"),
        }
    }

    fn manifest(&self, repository: &str, reference: &str) -> Answer {
        let found = if reference.contains(':') {
            self.by_digest(repository, reference)
        } else {
            let exists = match &self.content.tags {
                Tags::Every => Some(is_tag(reference)),
                Tags::Listed(listed) => listed.get(repository).map(|tags| tags.contains(reference)),
            };
            let builds = self.builds(repository, reference);
            let build = builds.last().map_or(reference, String::as_str);
            exists.map(|exists| exists.then(|| (INDEX, index(repository, build))))
        };
        match found {
            Some(Some((media_type, bytes))) => {
                let digest = sha256(bytes.as_bytes());
                Answer::new(200, media_type, bytes).with(DIGEST.as_str(), digest)
            }
            Some(None) => Answer::error(404, "MANIFEST_UNKNOWN"),
            None => Answer::error(404, "NAME_UNKNOWN"),
        }
    }

    /// A manifest and its media type; `None` for an absent repository, `Some(None)` for a digest
    /// that it doesn't have.
    #[expect(clippy::option_option, reason = "the two absences have codes of their own")]
    fn by_digest(&self, repository: &str, digest: &str) -> Option<Option<(&'static str, String)>> {
        let tags = self.tags_of(repository)?.into_iter();
        let builds = tags.flat_map(|tag| {
            let builds = self.builds(repository, &tag);
            if builds.is_empty() { vec![tag] } else { builds }
        });
        let mut manifests = builds.flat_map(|tag| {
            let [one, two] = ARCHITECTURES.map(|name| platform_manifest(repository, &tag, name));
            [(INDEX, index(repository, &tag)), (MANIFEST, one), (MANIFEST, two)]
        });
        Some(manifests.find(|(_, bytes)| sha256(bytes.as_bytes()) == digest))
    }

    /// The tags whose images a tag has had, the newest last; empty if the tag never moved.
    fn builds(&self, repository: &str, tag: &str) -> Vec<String> {
        let moved = self.moved.lock().expect(UNPOISONED);
        moved.get(&(repository.to_owned(), tag.to_owned())).cloned().unwrap_or_default()
    }

    /// The tags of a repository, if it exists.
    fn tags_of(&self, repository: &str) -> Option<BTreeSet<String>> {
        if let Tags::Listed(listed) = &self.content.tags {
            return listed.get(repository).cloned();
        }
        let requests = self.requests.lock().expect(UNPOISONED);
        let references = requests.iter().filter_map(|request| match Route::of(&request.path) {
            Route::Manifest(name, reference) if name == repository => Some(reference),
            _ => None,
        });
        Some(references.filter(|text| is_tag(text)).map(String::from).collect())
    }

    fn tag_page(&self, repository: &str, query: &str) -> Answer {
        let Some(tags) = self.tags_of(repository) else {
            return Answer::error(404, "NAME_UNKNOWN");
        };
        let is_known = self.content.links != Links::FirstPage;
        let last = parameter(query, "last").next().filter(|_| is_known).unwrap_or_default();
        let n = parameter(query, "n").next().and_then(|n| n.parse().ok());
        if self.content.max_n.zip(n).is_some_and(|(most, n)| n > most) {
            return Answer::error(400, "PAGINATION_NUMBER_INVALID");
        }
        if self.content.links == Links::OnePage {
            return Answer::json(200, &json!({ "name": repository, "tags": tags }));
        }
        let n = n.unwrap_or(usize::MAX).min(self.content.page_limit);
        let mut rest = tags.into_iter().filter(|tag| *tag > last);
        let page: Vec<String> = rest.by_ref().take(n).collect();
        let answer = Answer::json(200, &json!({ "name": repository, "tags": page }));
        let last = match (page.last(), rest.next()) {
            (Some(last), Some(_)) => last.clone(),
            // Another name each time, so that no page is requested twice.
            _ if self.content.links == Links::Endless => {
                format!("{}~", page.last().unwrap_or(&last))
            }
            _ => return answer,
        };
        let next = format!("/v2/{repository}/tags/list?n={n}&last={last}");
        match self.content.links {
            Links::Proper | Links::Endless => {
                answer.with("link", format!("<{next}>; rel=\"next\""))
            }
            Links::WithoutRelation => answer.with("link", format!("<{next}>")),
            Links::WithoutBrackets => answer.with("link", format!("{next}; rel=\"next\"")),
            Links::SingleQuotes => answer.with("link", format!("<{next}>; rel='next'")),
            Links::Missing | Links::FirstPage | Links::OnePage => answer,
        }
    }
}
