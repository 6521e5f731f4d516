//! Words: what registries say in their errors, as far as it can be shown.
//!
//! They are from outside: bounded, escaped, and without what was sent as a login.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde_json::Value;

use super::challenge::Challenge;
use crate::text::escape::escaped;

/// Bytes of a sentence that are shown.
const LONGEST: usize = 160;

/// The shortest text that is taken for a secret: a shorter one is in too many words.
const SHORTEST_SECRET: usize = 4;

/// The error codes of an answer, and its first sentence.
#[derive(Debug, Default)]
pub(super) struct Words {
    codes: BTreeSet<String>,
    sentence: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    code: String,
    message: Option<Value>,
}

impl Words {
    /// The words of a registry (OCI distribution spec 1.1, "Error Codes"). None if the body is not of
    /// that form.
    pub(super) fn of_registry(body: &[u8]) -> Option<Self> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let mut words = Self::default();
        for Error { code, message } in envelope.errors {
            words.sentence = words.sentence.or(message.as_ref().and_then(sentence));
            words.codes.insert(code);
        }
        (!words.codes.is_empty()).then_some(words)
    }

    /// The words of any server: those of a registry, or a sentence in one of the usual fields (RFC
    /// 6749, 5.2, for `error_description`). It may be inside `error` or the first of `errors`.
    pub(super) fn of_server(body: &[u8]) -> Self {
        Self::of_registry(body).unwrap_or_else(|| {
            let answer: Value = serde_json::from_slice(body).unwrap_or_default();
            let fields = ["message", "error_description", "details", "detail", "error"];
            let inner = [answer.get("error"), answer.pointer("/errors/0")].into_iter().flatten();
            let places = [&answer].into_iter().chain(inner);
            let mut sentences = places.flat_map(|place| {
                fields.iter().filter_map(|field| sentence(place.get(field)?)).collect::<Vec<_>>()
            });
            Self { codes: BTreeSet::new(), sentence: sentences.next() }
        })
    }

    /// True if one of the codes is this.
    pub(super) fn has(&self, code: &str) -> bool {
        self.codes.contains(code)
    }

    /// True if the sentence says no more than a code does.
    fn is_repeated(&self, sentence: &str) -> bool {
        let spaced = |code: &String| code.replace('_', " ").eq_ignore_ascii_case(sentence);
        self.codes.iter().any(spaced)
    }
}

impl fmt::Display for Words {
    /// `, code DENIED: "project not found"`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |code: &&String| {
            let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            (1..=64).contains(&code.len()) && code.chars().all(is_word)
        };
        let codes: Vec<_> = self.codes.iter().filter(is_plain).map(String::as_str).collect();
        if !codes.is_empty() {
            write!(f, ", code {}", codes.join(", "))?;
        }
        match &self.sentence {
            Some(sentence) if !self.is_repeated(sentence) => write!(f, ": \"{sentence}\""),
            _ => Ok(()),
        }
    }
}

/// The text of an answer with an error: `, code DENIED: "project not found"`, or what else it is.
pub(super) fn said(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    if is_html(headers, body) {
        let sender =
            if status.is_server_error() { "a gateway" } else { "a firewall or a login page" };
        return format!(", with an HTML page, probably from {sender}");
    }
    let words = Words::of_server(body);
    if headers.contains_key(WWW_AUTHENTICATE) && Challenge::of(headers).is_none() {
        return format!("{words}, which asks for another kind of login than `Basic` and `Bearer`");
    }
    words.to_string()
}

/// True for a page for people, as firewalls, proxies and login pages send it.
pub(super) fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|text| text.trim_start().starts_with("text/html"))
        || body.trim_ascii_start().starts_with(b"<")
}

/// A status with its words: `404 Not Found`, or the number alone where it is in no standard.
pub(super) fn status(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()),
        None => status.as_str().to_owned(),
    }
}

/// A text on one line, with no more of it than is shown.
fn sentence(value: &Value) -> Option<String> {
    let words: Vec<_> = value.as_str()?.split_whitespace().collect();
    let text = words.join(" ");
    let end = (0..=LONGEST.min(text.len())).rev().find(|&at| text.is_char_boundary(at))?;
    let rest = if end < text.len() { "…" } else { "" };
    (!text.is_empty()).then(|| format!("{}{rest}", escaped(&text[..end]).replace('"', "'")))
}

/// Takes what was sent in an Authorization header out of the body of an error. Some servers repeat it,
/// and may escape it as JSON does.
pub(super) fn without_secrets(body: Vec<u8>, sent: Option<&HeaderValue>) -> Vec<u8> {
    let Some(sent) = sent.and_then(|header| header.to_str().ok()) else { return body };
    let Some((_, credentials)) = sent.split_once(' ') else { return body };
    let pair = BASE64.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
    let password = pair.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, word)| word);
    let secrets = [Some(credentials), password].into_iter().flatten();
    let secrets: Vec<_> = secrets.filter(|secret| secret.len() >= SHORTEST_SECRET).collect();
    if let Ok(mut answer) = serde_json::from_slice(&body) {
        hide(&mut answer, &secrets);
        return answer.to_string().into_bytes();
    }
    let mut text = match String::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    hide_in(&mut text, &secrets);
    text.into_bytes()
}

/// Hides secrets in all texts of a JSON value.
fn hide(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => hide_in(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide(field, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hide_in(text: &mut String, secrets: &[&str]) {
    for secret in secrets {
        if text.contains(secret) {
            *text = text.replace(secret, "***");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_and_the_sentence_of_a_registry_are_shown() {
        let long = format!(r#"{{"errors":[{{"code":"A","message":"{}"}}]}}"#, "ä".repeat(200));
        let cut = format!(", code A: \"{}…\"", "ä".repeat(LONGEST / 2));
        for (body, shown) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"project not found"}]}"#,
                ", code DENIED: \"project not found\"",
            ),
            (
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"name unknown"}]}"#,
                ", code NAME_UNKNOWN",
            ),
            (r#"{"errors":[{"code":"B"},{"code":"A","message":"x"}]}"#, ", code A, B: \"x\""),
            (
                r#"{"errors":[{"code":"a\u001b[31m","message":"a \"b\"\n\u001b[31mc"}]}"#,
                ": \"a 'b' \\u{1b}[31mc\"",
            ),
            (r#"{"errors":[{"code":"A","message":{"no":"text"}}]}"#, ", code A"),
            (
                r#"{"details":"incorrect username or password"}"#,
                ": \"incorrect username or password\"",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"it has expired"}"#,
                ": \"it has expired\"",
            ),
            (r#"{"errors":[{"code":404,"message":"no such thing"}]}"#, ": \"no such thing\""),
            (r#"{"error":{"code":403,"message":"not today"}}"#, ": \"not today\""),
            ("<html>", ""),
            ("", ""),
            (&long, &cut),
        ] {
            assert_eq!(Words::of_server(body.as_bytes()).to_string(), shown, "{body}");
        }
    }

    #[test]
    fn what_was_sent_is_not_shown() {
        let basic = format!("Basic {}", BASE64.encode("ann:NeverShowThis"));
        let basic = HeaderValue::from_str(&basic).expect("valid");
        let bearer = HeaderValue::from_static("Bearer NeverShowThis");
        for sent in [&basic, &bearer] {
            let header = sent.to_str().expect("ASCII");
            let escaped = r#"{"errors":[{"code":"A","message":"no \u004eeverShowThis here"}]}"#;
            for body in [header, "no NeverShowThis here", escaped] {
                let shown = without_secrets(body.as_bytes().to_vec(), Some(sent));
                let shown = String::from_utf8(shown).expect("text");
                let credentials = header.split_once(' ').expect("two words").1;
                assert!(!shown.contains("everShow") && !shown.contains(credentials), "{shown}");
            }
        }
        let kept = b"wrong \xff".to_vec();
        assert_eq!(without_secrets(kept.clone(), Some(&bearer)), kept);
    }
}
