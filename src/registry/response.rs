//! Replies: what the answers of a registry mean: a digest, proof of absence, or neither.

use oci_client::manifest::OciManifest;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use serde_json::Value;

use super::transport::Fetched;
use super::words::{self, Words, is_html, said};
use super::{Answer, Outcome, Refusal};
use crate::image::{Algorithm, Digest};

/// The accepted types of manifests: an index first, so that one digest serves every platform.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The digest that the headers name. None if they name none.
///
/// # Errors
/// `InvalidResponse` if it is not exactly one digest.
pub(super) fn digest_header(headers: &HeaderMap) -> Result<Option<Digest>, Refusal> {
    let wrong = |detail: &str| Refusal::new(Outcome::InvalidResponse, detail);
    let mut values = headers.get_all("docker-content-digest").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.any(|other| other != value) {
        return Err(wrong("200 with two different Docker-Content-Digest headers"));
    }
    match value.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(digest) => Ok(Some(digest)),
        None => Err(wrong("200 with a malformed Docker-Content-Digest header")),
    }
}

/// Codes that prove that a tag is absent: the OCI distribution spec's, Harbor's, and Quay's for a tag
/// that has expired (quay/clair#1554).
const MISSING_TAG: [&str; 3] = ["MANIFEST_UNKNOWN", "NOT_FOUND", "TAG_EXPIRED"];

/// The header that registries send with every answer (distribution, "API Version Check").
const API_VERSION: &str = "docker-distribution-api-version";

/// True if an answer comes from a registry, by its headers. Gateways do not send this one.
pub(super) fn is_of_registry(headers: &HeaderMap) -> bool {
    headers.contains_key(API_VERSION)
}

/// True if an answer has no words at all.
pub(super) fn is_silent(reply: &Fetched) -> bool {
    reply.body.trim_ascii().is_empty()
}

pub(super) fn is_manifest_type(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    ACCEPT.split(", ").any(|accepted| accepted.eq_ignore_ascii_case(media_type))
}

/// The digest of the manifest in a body, which has to be what the header says, if it says so.
pub(super) fn hashed(reply: &Fetched) -> Answer {
    if serde_json::from_slice::<OciManifest>(&reply.body).is_err() {
        return Err(no_manifest(reply));
    }
    let announced = digest_header(&reply.headers)?;
    let algorithm = announced.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let digest = Digest::of(algorithm, &reply.body);
    match announced {
        Some(announced) if announced != digest => {
            let detail = format!("the header says {announced}, the manifest hashes to {digest}");
            Err(Refusal::new(Outcome::InvalidResponse, detail))
        }
        _ => Ok(digest),
    }
}

/// The reason why a body is not a manifest.
fn no_manifest(reply: &Fetched) -> Refusal {
    let answered = &reply.answered;
    if is_schema_1(&reply.body) {
        let detail = format!("200 from {answered} with a manifest of schema 1");
        return Refusal::new(Outcome::OldManifest, detail);
    }
    let is_html = is_html(&reply.headers, &reply.body);
    let what = if is_html { "an HTML page" } else { "something that is not an image manifest" };
    let detail = format!("200 from {answered} with {what} ({} bytes)", reply.body.len());
    Refusal::new(Outcome::InvalidResponse, detail)
}

/// True for Docker's first kind of manifest, which clients no longer accept (moby#46143).
fn is_schema_1(body: &[u8]) -> bool {
    let manifest: Value = serde_json::from_slice(body).unwrap_or_default();
    manifest.get("schemaVersion").and_then(Value::as_u64) == Some(1)
}

/// The meaning of a 404 to a GET. A registry's error code proves absence. An empty 404 proves it if the
/// answer has the header of registries. Anything else may come from a gateway without a route
/// (istio/istio#1437), and proves nothing.
pub(super) fn absence(reply: &Fetched) -> Refusal {
    let (status, answered) = (reply.status, &reply.answered);
    if !reply.refused_to.is_empty() {
        let refusal = Refusal::new(Outcome::Denied, format!("{status} from {answered}"));
        return refusal.after(&reply.refused_to);
    }
    if is_silent(reply) {
        if is_of_registry(&reply.headers) {
            return Refusal::new(Outcome::MissingTag, format!("{status} from {answered}"));
        }
        let detail = format!("{status} from {answered}, empty and without a registry's header");
        return Refusal::new(Outcome::Unproven, detail);
    }
    let Some(words) = Words::of_registry(&reply.body) else {
        let said = Words::of_server(&reply.body);
        let detail = format!("{status} from {answered}{said}, but not in the format of a registry");
        return Refusal::new(Outcome::Unproven, detail);
    };
    let has_any = |codes: &[&str]| codes.iter().any(|code| words.has(code));
    let outcome = if has_any(&["DENIED", "UNAUTHORIZED"]) {
        Outcome::Denied
    } else if words.has("TOOMANYREQUESTS") {
        Outcome::RateLimited
    } else if words.has("NAME_UNKNOWN") {
        Outcome::MissingRepository
    } else if has_any(&MISSING_TAG) {
        Outcome::MissingTag
    } else {
        Outcome::Unproven
    };
    Refusal::new(outcome, format!("{status} from {answered}{words}"))
}

/// The meaning of a refusal by a pull-through cache: some answer 404 for an image that they have not
/// fetched yet while its registry throttles them (goharbor/harbor#23750).
pub(super) fn uncached(refusal: Refusal) -> Refusal {
    match refusal.outcome {
        Outcome::MissingTag | Outcome::MissingRepository => {
            Refusal::new(Outcome::NotCached, format!("{}, which is a cache", refusal.detail))
        }
        _ => refusal,
    }
}

/// The meaning of any other answer.
pub(super) fn refused(reply: &Fetched) -> Refusal {
    let (status, answered) = (words::status(reply.status), &reply.answered);
    let outcome = if refuses_login(reply) { Outcome::Denied } else { Outcome::InvalidResponse };
    let said = said(reply.status, &reply.headers, &reply.body);
    Refusal::new(outcome, format!("{status} from {answered}{said}")).after(&reply.refused_to)
}

/// True if an answer refuses the login, or the lack of one. A 403 in HTML is a firewall's, and a 401 in
/// HTML a login page's unless it says how to log in.
pub(super) fn refuses_login(reply: &Fetched) -> bool {
    let has_challenge = reply.headers.contains_key(WWW_AUTHENTICATE);
    let is_page = is_html(&reply.headers, &reply.body) && !has_challenge;
    matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && !is_page
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
            (code("TAG_EXPIRED"), Outcome::MissingTag),
            (String::new(), Outcome::Unproven),
            (" \r\n".to_owned(), Outcome::Unproven),
            (code("NAME_UNKNOWN"), Outcome::MissingRepository),
            (code("DENIED"), Outcome::Denied),
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN"},{"code":"DENIED"}]}"#.to_owned(),
                Outcome::Denied,
            ),
            (code("TOOMANYREQUESTS"), Outcome::RateLimited),
            (code("ARTIFACT_LOCKED"), Outcome::Unproven),
            ("<html>404</html>".to_owned(), Outcome::Unproven),
            ("{}".to_owned(), Outcome::Unproven),
            (r#"{"errors":[]}"#.to_owned(), Outcome::Unproven),
            (r#"{"errors":null}"#.to_owned(), Outcome::Unproven),
            (r#"{"message":"MANIFEST_UNKNOWN"}"#.to_owned(), Outcome::Unproven),
        ] {
            assert_eq!(absence(&Fetched::new(404, &body)).outcome, outcome, "{body}");
        }
        let mut of_registry = Fetched::new(404, "\n");
        of_registry.headers.insert(API_VERSION, "registry/2.0".parse().expect("valid"));
        assert_eq!(absence(&of_registry).outcome, Outcome::MissingTag);
        of_registry.body = b"<html>404</html>".to_vec();
        assert_eq!(absence(&of_registry).outcome, Outcome::Unproven);
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
