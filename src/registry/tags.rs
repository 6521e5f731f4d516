//! Lists of tags (OCI distribution spec 1.1, "Content Discovery"): one page, and where the next is.

use std::fmt;
use std::iter;

use reqwest::header::{HeaderMap, LINK};
use reqwest::{StatusCode, Url};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::response::{absence, refused};
use super::transport::Fetched;
use super::{Outcome, Refusal};
use crate::image::Tag;

/// Tags that are kept of one list. Repositories with more than 50,000 tags exist; ten times that
/// would take 100 MB.
pub(super) const MAX_TAGS: usize = 100_000;

/// The longest query of a next page: servers take at least 8 KiB of request line.
const MAX_QUERY: usize = 8 << 10;

/// One page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The names that are valid tags, and no more of them than are kept: a page of 4 MiB may have a
    /// million, which would take 100 MB before anybody could count them.
    pub(super) tags: Vec<Tag>,
    /// The number of its names.
    pub(super) names: usize,
    /// The last name.
    pub(super) last: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    /// `null` where the last tag of a repository was deleted. An answer without the key is no list.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Names>,
}

struct Names(Page);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kept;

        impl<'de> Visitor<'de> for Kept {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Names, A::Error> {
                let mut page = Page::default();
                while page.tags.len() < MAX_TAGS
                    && let Some(name) = names.next_element::<String>()?
                {
                    page.names += 1;
                    page.tags.extend(name.parse().ok());
                    page.last = Some(name);
                }
                while names.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Names(page))
            }
        }

        deserializer.deserialize_seq(Kept)
    }
}

/// The tags of one page. Texts that are no valid tags are left out.
///
/// # Errors
/// `Denied` and `Unlistable` say only that nothing can be listed, anything else is a failure.
pub(super) fn page(reply: &Fetched) -> Result<Page, Refusal> {
    match reply.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            let refusal = absence(reply);
            // A registry need not offer lists, and has no words for that.
            let is_none = matches!(refusal.outcome, Outcome::MissingTag | Outcome::Unproven);
            let outcome = if is_none { Outcome::Denied } else { refusal.outcome };
            return Err(Refusal { outcome, ..refusal });
        }
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            return Err(Refusal { outcome: Outcome::Denied, ..refused(reply) });
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(refused(reply)),
        status if status.is_client_error() => {
            return Err(Refusal { outcome: Outcome::Unlistable, ..refused(reply) });
        }
        _ => return Err(refused(reply)),
    }
    let answer: Answer = serde_json::from_slice(&reply.body).map_err(|_| {
        let detail = "200 with something that is not a list of tags".to_owned();
        Refusal::new(Outcome::InvalidResponse, detail)
    })?;
    Ok(answer.tags.map(|Names(page)| page).unwrap_or_default())
}

/// The next page of a list.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nowhere: this was the last page.
    End,
    /// At the same host, with this query.
    Query(String),
    /// A page that is not followed, or that can't be read.
    Elsewhere,
}

/// The next page after the page at `url`, from the headers of that page.
pub(super) fn next(headers: &HeaderMap, url: &Url) -> Next {
    Next::find(headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok()), url)
}

impl Next {
    /// Where the list goes on behind a page that was read at `url`, by the lines of all `Link`
    /// headers (RFC 8288). Only the query of the link is taken over, so the next page can't be
    /// anywhere else. A link without a target or a relation may be meant to lead there.
    pub fn find<'h>(links: impl IntoIterator<Item = &'h str>, url: &Url) -> Self {
        let mut is_clear = true;
        for link in links.into_iter().flat_map(links_of) {
            match link {
                Some((target, Relation::Next)) => return Self::at(target, url),
                Some((_, Relation::Other)) => {}
                Some((_, Relation::Missing)) | None => is_clear = false,
            }
        }
        if is_clear { Self::End } else { Self::Elsewhere }
    }

    fn at(target: &str, url: &Url) -> Self {
        match url.join(target) {
            // Other schemes write a query in another way.
            Ok(next) if matches!(next.scheme(), "http" | "https") => match next.query() {
                Some(query) if next.path().ends_with("/tags/list") && query.len() <= MAX_QUERY => {
                    Self::Query(query.to_owned())
                }
                _ => Self::Elsewhere,
            },
            _ => Self::Elsewhere,
        }
    }
}

/// The relation of a link to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// It is the next page.
    Next,
    /// It is something else.
    Other,
    /// Nothing.
    Missing,
}

/// The targets of a `Link` header, each with its relation. None for what has no target.
fn links_of(mut header: &str) -> impl Iterator<Item = Option<(&str, Relation)>> {
    iter::from_fn(move || {
        header = header.trim_start_matches([' ', '\t', ',']);
        if header.is_empty() {
            return None;
        }
        let Some((target, behind)) =
            header.strip_prefix('<').and_then(|header| header.split_once('>'))
        else {
            header = unquoted(header, ',').1;
            return Some(None);
        };
        let (parameters, rest) = unquoted(behind, ',');
        header = rest;
        Some(Some((target, relation(parameters))))
    })
}

/// The relation of a link (RFC 8288, 3.3): words in any case. Some servers write single quotes.
fn relation(mut parameters: &str) -> Relation {
    while !parameters.is_empty() {
        let (parameter, rest) = unquoted(parameters, ';');
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("rel")
        {
            let words = value.trim().trim_matches(['"', '\'']);
            let mut words = words.split_ascii_whitespace();
            let is_next = words.any(|word| word.eq_ignore_ascii_case("next"));
            return if is_next { Relation::Next } else { Relation::Other };
        }
        parameters = rest;
    }
    Relation::Missing
}

/// The parts before and after the first separator outside quotes.
fn unquoted(text: &str, separator: char) -> (&str, &str) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = |c: char| {
        let is_end = c == separator && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && is_quoted && !is_escaped;
        is_end
    };
    text.find(is_end).map_or((text, ""), |end| (&text[..end], &text[end + separator.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_valid_tags() {
        let texts = |body: &str| {
            let page = page(&Fetched::new(200, body)).expect("a page");
            page.tags.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(texts(r#"{"name":"a","tags":["1","a b","2"]}"#), ["1", "2"]);
        assert!(texts(r#"{"name":"a","tags":null}"#).is_empty());
        for (status, body, outcome) in [
            (200, "<html>", Outcome::InvalidResponse),
            (200, r#"{"name":"a"}"#, Outcome::InvalidResponse),
            (200, r#"{"errors":[{"code":"UNKNOWN"}]}"#, Outcome::InvalidResponse),
            (401, "", Outcome::Denied),
            (405, "", Outcome::Denied),
            (400, "", Outcome::Unlistable),
            (404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#, Outcome::MissingRepository),
            (404, "<html>", Outcome::Denied),
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
        let url = Url::parse("https://r.io/v2/docker.io/a/b/tags/list?n=2").expect("valid");
        let query = |text: &str| Next::Query(text.to_owned());
        for (link, expected) in [
            ("</v2/docker.io/a/b/tags/list?n=2&last=x>; rel=\"next\"", query("n=2&last=x")),
            ("<https://r.io/v2/docker.io/a/b/tags/list?last=x>;rel=next", query("last=x")),
            ("<?last=x>; rel=\"next\"", query("last=x")),
            ("<?last=a,b>; rel=\"next\"", query("last=a,b")),
            ("</v2/a/b/tags/list?last=x>; rel=\"next\"", query("last=x")),
            ("<?last=y>; rel=\"prev\", <?last=x>; title=\"a\"; rel=\"next\"", query("last=x")),
            ("<?last=x>; title=\"a, <b>; c\"; REL = \"prev Next\"", query("last=x")),
            ("<?last=y>; title=\"\\\"; rel=next\", <?last=x>; rel=next", query("last=x")),
            ("<?last=x>; rel=\"prev\"", Next::End),
            ("<?last=x>; title=\"; rel=next\"; rel=prev", Next::End),
            ("<?last=x>; rel='next'", query("last=x")),
            ("", Next::End),
            // It may be meant to lead on.
            ("nonsense", Next::Elsewhere),
            ("/v2/docker.io/a/b/tags/list?last=x; rel=\"next\"", Next::Elsewhere),
            ("<?last=x>", Next::Elsewhere),
            ("x, <?last=x>; rel=next", query("last=x")),
            ("</v2/other?last=x>; rel=\"next\"", Next::Elsewhere),
            ("</v2/docker.io/a/b/tags/list>; rel=\"next\"", Next::Elsewhere),
            ("<http://[>; rel=\"next\"", Next::Elsewhere),
            (&format!("<?last={}>; rel=next", "x".repeat(MAX_QUERY)), Next::Elsewhere),
            ("<ftp:/v2/a/b/tags/list?last='x>; rel=\"next\"", Next::Elsewhere),
            ("<x:/v2/a/b/tags/list?last='x>; rel=\"next\"", Next::Elsewhere),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(LINK, "<?n=1>; rel=\"first\"".parse().expect("a header value"));
            headers.append(LINK, link.parse().expect("a header value"));
            assert_eq!(next(&headers, &url), expected, "{link}");
        }
    }
}
