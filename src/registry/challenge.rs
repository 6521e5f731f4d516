//! Challenges: what a registry asks for with a 401 (RFC 7235; distribution spec, "Token
//! Authentication").

use http_auth::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The longest challenge header that is read. Real ones stay under 500 bytes.
const MAX_CHALLENGE: usize = 8 << 10;

/// The challenge of a registry in a 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A token from the realm.
    Bearer(Bearer),
    /// A user and a password.
    Basic,
}

/// A challenge that a token answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The URL of the token server, not checked yet.
    pub realm: String,
    /// The service, as the token server names it.
    pub service: Option<String>,
    /// The actions that the token must allow.
    pub scope: Option<String>,
}

impl Challenge {
    /// The challenge to answer, of all that the headers of an answer hold.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        Self::find(values.filter_map(|value| value.to_str().ok()))
    }

    /// True if what answers this one answers the other too, but for the scope.
    pub(super) fn is_answered_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bearer(one), Self::Bearer(other)) => {
                one.realm == other.realm && one.service == other.service
            }
            (one, other) => one == other,
        }
    }

    /// The challenge to answer, of the lines of all `WWW-Authenticate` headers: a token where one
    /// is offered. Lines that break the grammar are passed over, as are very long ones, and tokens
    /// that are asked for with control characters.
    pub fn find<'h>(headers: impl IntoIterator<Item = &'h str>) -> Option<Self> {
        let mut basic = None;
        let headers = headers.into_iter().filter(|text| text.len() <= MAX_CHALLENGE);
        for found in headers.flat_map(|text| ChallengeParser::new(text).map_while(Result::ok)) {
            let parameter = |name: &str| {
                let values = found.params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
                values.map(|(_, value)| value.to_unescaped()).next()
            };
            if found.scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            } else if found.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameter("realm")
            {
                let (service, scope) = (parameter("service"), parameter("scope"));
                let bearer = Bearer { realm, service, scope };
                if bearer.is_plain() {
                    return Some(Challenge::Bearer(bearer));
                }
            }
        }
        basic
    }
}

impl Bearer {
    /// True if it can be sent and shown. Quotes may hold a tab, which URLs lose without a word.
    fn is_plain(&self) -> bool {
        let parts = [Some(&self.realm), self.service.as_ref(), self.scope.as_ref()];
        !parts.into_iter().flatten().any(|part| part.contains(char::is_control))
    }
}

#[cfg(test)]
impl Bearer {
    /// A challenge of these parts, for tests.
    pub(super) fn new(realm: &str, service: Option<&str>, scope: Option<&str>) -> Self {
        Self {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn challenges_are_found_in_all_headers_and_forms() {
        let hub = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/nginx:pull\"";
        let hub_bearer = Bearer::new(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:library/nginx:pull"),
        );
        let short = Bearer::new("https://a/t", None, None);
        for (headers, expected) in [
            (&[hub][..], Some(Challenge::Bearer(hub_bearer))),
            // A realm without quotes breaks the grammar.
            (&["Basic realm=\"x\"", "bearer realm=https://a/t"], Some(Challenge::Basic)),
            (
                &["Basic realm=\"x\"", "bEARER REALM=\"https://a/t\""],
                Some(Challenge::Bearer(short.clone())),
            ),
            (
                &["Basic realm=\"a, b\", Bearer realm=\"https:\\/\\/a/t\""],
                Some(Challenge::Bearer(short)),
            ),
            (&["Basic realm=\"x\""], Some(Challenge::Basic)),
            (&["Negotiate", "Bearer service=\"x\""], None),
            (&["Bearer realm=\"https://a/\tt\"", "Basic realm=\"a\tb\""], Some(Challenge::Basic)),
            (&["Bearer realm=\"https://a/t\",scope=\"a\\\tb\""], None),
            (&["", "Bearer realm=\"https://a", "\u{7f}"], None),
        ] {
            assert_eq!(Challenge::find(headers.iter().copied()), expected, "{headers:?}");
        }
        let long = format!("Bearer realm=\"https://a/{}\"", "x".repeat(MAX_CHALLENGE));
        assert_eq!(Challenge::find([long.as_str()].into_iter()), None);
    }

    proptest! {
        #[test]
        fn no_challenge_makes_the_parser_panic(text in "\\PC*", bearer in "Bearer realm=\"[^\"]*\"?,?.*") {
            Challenge::find([text.as_str(), bearer.as_str()].into_iter());
        }

        #[test]
        fn a_realm_comes_out_as_it_was_quoted(realm in "[ -~]{0,40}") {
            let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Basic realm=\"b\", Bearer realm=\"{escaped}\", service=x");
            let found = Challenge::find([header.as_str()].into_iter());
            let expected = Bearer { realm, service: Some("x".to_owned()), scope: None };
            prop_assert_eq!(found, Some(Challenge::Bearer(expected)));
        }
    }
}
