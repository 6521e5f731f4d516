//! Lists of tags (OCI distribution spec 1.1, "Content Discovery"): one page, and where the next is.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;

use super::client::{absence, refused};
use super::transport::Fetched;
use super::{Outcome, Refusal};
use crate::image::Tag;

#[derive(Deserialize)]
struct Page {
    /// `null` where the last tag of a repository was deleted.
    tags: Option<Vec<String>>,
}

/// The tags of one page. What is no valid tag is left out: nobody can ask for it.
pub(super) fn page(reply: &Fetched) -> Result<Vec<Tag>, Refusal> {
    match reply.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(absence(reply)),
        // A registry need not offer lists.
        StatusCode::METHOD_NOT_ALLOWED => {
            return Err(Refusal { outcome: Outcome::Denied, ..refused(reply) });
        }
        _ => return Err(refused(reply)),
    }
    let page: Page = serde_json::from_slice(&reply.body).map_err(|_| {
        let detail = "200 with something that is no list of tags".to_owned();
        Refusal { outcome: Outcome::Nonsense, detail }
    })?;
    let tags = page.tags.unwrap_or_default();
    Ok(tags.iter().filter_map(|tag| tag.parse().ok()).collect())
}

/// The query of the next page, which is one of the same list at the same host (RFC 8288).
pub(super) fn next(headers: &HeaderMap, path: &str) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let next = link.split(',').find(|link| {
        let parameters = link.split(';').skip(1);
        parameters.map(str::trim).any(|parameter| matches!(parameter, "rel=\"next\"" | "rel=next"))
    })?;
    let target = next.trim().strip_prefix('<')?.split('>').next()?;
    // Only the query is taken over, so the next page can't be anywhere else.
    let (target_path, query) = target.split_once('?')?;
    target_path.ends_with(path.trim_start_matches("/v2")).then(|| query.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_valid_tags() {
        let texts = |body: &str| {
            let tags = page(&Fetched::new(200, body)).expect("a page");
            tags.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(texts(r#"{"name":"a","tags":["1","a b","2"]}"#), ["1", "2"]);
        assert!(texts(r#"{"name":"a","tags":null}"#).is_empty());
        for (status, body, outcome) in [
            (200, "<html>", Outcome::Nonsense),
            (401, "", Outcome::Denied),
            (405, "", Outcome::Denied),
            (404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#, Outcome::MissingRepository),
            (404, "<html>", Outcome::Nonsense),
        ] {
            assert_eq!(
                page(&Fetched::new(status, body)).expect_err("refused").outcome,
                outcome,
                "{status}"
            );
        }
    }

    #[test]
    fn the_next_page_is_one_of_the_same_list() {
        for (link, query) in [
            ("</v2/a/b/tags/list?n=2&last=x>; rel=\"next\"", Some("n=2&last=x")),
            ("<https://r.io/v2/a/b/tags/list?last=x>;rel=next", Some("last=x")),
            ("</prefix/v2/a/b/tags/list?last=x>; rel=\"next\"", Some("last=x")),
            ("</v2/a/b/tags/list?last=x>; rel=\"prev\"", None),
            ("</v2/other/tags/list?last=x>; rel=\"next\"", None),
            ("</v2/a/b/tags/list>; rel=\"next\"", None),
            ("nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().expect("a header value"));
            assert_eq!(next(&headers, "/v2/a/b/tags/list").as_deref(), query, "{link}");
        }
    }
}
