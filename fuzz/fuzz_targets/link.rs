//! Any `Link` headers: the next page of a list of tags is on the same host and path, and a list
//! with more pages is never taken as complete.

#![no_main]

use digestif::registry::Next;
use libfuzzer_sys::fuzz_target;
use url::Url;

/// The ways to write a link to the next page (RFC 8288, 3.3: names and relations in any case,
/// several relations in one parameter).
const RELATIONS: [&str; 6] = [
    "rel=\"next\"",
    "rel=next",
    "REL=\"Next\"",
    "rel = \"next\"",
    "rel=\"prev next\"",
    "rel=next ,",
];

fuzz_target!(|input: &str| {
    let lines: Vec<_> = input.split('\n').collect();
    for url in ["https://r.io/v2/a/b/tags/list?n=9", "http://[::1]:5000/v2/a/tags/list"] {
        let url = Url::parse(url).expect("valid");
        if let Next::Query(query) = Next::find(lines.iter().copied(), &url) {
            stays(&url, &query);
            assert!(input.to_ascii_lowercase().contains("next"), "{query}");
        }
        goes_on(&url, lines[0], lines.last().expect("a split has a piece"));
    }
});

/// The next page has the same URL as this one, and exactly this query.
fn stays(url: &Url, query: &str) {
    let mut next = url.clone();
    next.set_query(Some(query));
    assert_eq!(next.query(), Some(query));
    assert!(query.chars().all(|c| c.is_ascii_graphic() && c != '#'), "{query}");
    let place = |url: &Url| url[..url::Position::AfterPath].to_owned();
    assert_eq!((place(&next), next.fragment()), (place(url), None));
}

/// A link to the next page is found after other links and with any title.
fn goes_on(url: &Url, query: &str, title: &str) {
    let mut next = url.clone();
    next.set_query(Some(query));
    let title = title.replace(['"', '\\'], "");
    for relation in RELATIONS {
        let header =
            format!("<?n=1>; title=\"{title}\"; rel=prev, <{next}>; title=\"{title}\"; {relation}");
        let expected = Next::Query(next.query().expect("it was set").to_owned());
        assert_eq!(Next::find([header.as_str()], url), expected, "{header}");
    }
}
