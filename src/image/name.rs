//! Names: repositories and tags, and their grammar (distribution, `reference/regexp.go`), with a message
//! of its own for each way to be wrong.

use std::fmt;
use std::str::FromStr;

use crate::text::escape::escaped;

/// Docker Hub, however it was written.
pub const DOCKER_HUB: &str = "docker.io";

/// A repository by its full name: a registry host and a path in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// The registry's host and port, in lower case; `docker.io` for Docker Hub.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path in the registry, `library/nginx` for `nginx`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// A tag of the form that registries accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// The tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag that a reference without one means.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_tag(text, "")
    }
}

/// A repository and the tag that was written, which may be no valid one (`v1.16+`). Such a
/// reference is never sent to a registry; a fallback may find the one that was meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The repository.
    pub repository: Repository,
    /// The tag, valid or not.
    pub tag: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// The reason why a text is no reference, tag or digest. It says which part is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    message: String,
    asked: Option<Box<Asked>>,
}

impl ParseError {
    /// An error with this message. A valid reference is ASCII, so that the message shows any other
    /// character as its code point.
    pub(crate) fn new(message: String) -> Self {
        if message.is_ascii() {
            return Self { message, asked: None };
        }
        let mut shown = String::with_capacity(message.len());
        for c in message.chars() {
            if c.is_ascii() || c == '…' {
                shown.push(c);
            } else {
                shown.extend(c.escape_default());
            }
        }
        Self { message: shown, asked: None }
    }

    /// Adds what was asked for, when only the tag is wrong.
    pub(super) fn with_asked(self, asked: Asked) -> Self {
        Self { asked: Some(Box::new(asked)), ..self }
    }

    /// The repository and the tag, if only the tag is wrong.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_deref()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Repository {
    type Err = ParseError;

    /// Parses a name without tag and digest, and completes it.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        check_text(text)?;
        parse_name(text)
    }
}

/// A host as it is looked up: lower case, and one name for Docker Hub.
#[must_use]
pub fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        _ => host,
    }
}

/// The longest name of a repository, without the registry (distribution, `reference.go`).
const MAX_PATH: usize = 255;

/// The longest tag (OCI distribution spec 1.1, "Pulling manifests").
const MAX_TAG: usize = 128;

pub(super) fn check_text(text: &str) -> Result<(), ParseError> {
    if text.is_empty() {
        return Err(ParseError::new("empty image reference".to_owned()));
    }
    if let Some(wrong) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        let text = escaped(text);
        let what = if wrong.is_control() { "a control character" } else { "white space" };
        return Err(ParseError::new(format!("{what} in `{text}`")));
    }
    let scheme = text.split_once(':').filter(|(_, rest)| rest.starts_with("//"));
    if let Some((scheme, _)) = scheme {
        return Err(ParseError::new(format!("`{scheme}://` is not part of an image reference")));
    }
    Ok(())
}

pub(super) fn parse_tag(tag: &str, name: &str) -> Result<Tag, ParseError> {
    if tag.is_empty() {
        return Err(ParseError::new(format!("empty tag after `{name}:`")));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if let Some(wrong) = tag.chars().find(|&c| !allowed(c)) {
        return Err(ParseError::new(format!("`{wrong}` is not allowed in tag `{tag}`")));
    }
    if tag.starts_with(['.', '-']) {
        return Err(ParseError::new(format!("tag `{tag}` starts with `{}`", &tag[..1])));
    }
    if tag.len() > MAX_TAG {
        return Err(ParseError::new(format!(
            "the tag has {} characters, at most {MAX_TAG} are allowed",
            tag.len()
        )));
    }
    Ok(Tag(tag.to_owned()))
}

pub(super) fn parse_name(name: &str) -> Result<Repository, ParseError> {
    if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ParseError::new(format!("`{name}` is an image ID, not a name")));
    }
    let (host, path) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => (DOCKER_HUB, name),
    };
    check_host(host)?;
    check_path(path)?;
    let host = canonical_host(host);
    let official = host == DOCKER_HUB && !path.contains('/');
    let path = if official { format!("library/{path}") } else { path.to_owned() };
    if path.len() > MAX_PATH {
        return Err(ParseError::new(format!(
            "the repository's name has {} characters, at most {MAX_PATH} are allowed",
            path.len()
        )));
    }
    Ok(Repository { host, path })
}

/// True if a name says its registry, so that nothing has to be added to it.
#[must_use]
pub fn has_host(name: &str) -> bool {
    name.split_once('/').is_some_and(|(first, _)| is_host(first))
}

/// True if the first component of a name is a registry's host.
fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost" || is_ipv6_start(component)
}

pub(super) fn is_ipv6_start(text: &str) -> bool {
    text.starts_with('[')
}

fn check_host(host: &str) -> Result<(), ParseError> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else {
                return Err(ParseError::new(format!("`]` is missing in host `{host}`")));
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(ParseError::new(format!("`{address}` is not an IPv6 address")));
            }
            (None, (!port.is_empty()).then(|| port.strip_prefix(':').unwrap_or(port)))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (Some(name), Some(port)),
            None => (Some(host), None),
        },
    };
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(ParseError::new(format!("`{port}` is not a port in host `{host}`")));
    }
    let label = |label: &str| {
        label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match name {
        Some(name) if !name.split('.').all(label) => {
            Err(ParseError::new(format!("`{host}` is not a host name")))
        }
        _ => Ok(()),
    }
}

/// Components of lower-case letters and digits, separated within by `.`, `_`, `__` or dashes.
fn check_path(path: &str) -> Result<(), ParseError> {
    for component in path.split('/') {
        if component.is_empty() {
            return Err(ParseError::new(format!("empty component in repository `{path}`")));
        }
        if let Some(upper) = component.chars().find(char::is_ascii_uppercase) {
            return Err(ParseError::new(format!("uppercase `{upper}` in repository `{path}`")));
        }
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        if let Some(wrong) = component.chars().find(|&c| !allowed(c)) {
            return Err(ParseError::new(format!(
                "`{wrong}` is not allowed in repository `{path}`"
            )));
        }
        let mut separators = component.split(|c: char| c.is_ascii_alphanumeric());
        let outer = [separators.clone().next(), separators.clone().next_back()];
        if let Some(separator) = outer.into_iter().flatten().find(|part| !part.is_empty()) {
            return Err(ParseError::new(format!(
                "`{component}` in repository `{path}` starts or ends with `{separator}`"
            )));
        }
        let valid = |separator: &str| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        };
        if let Some(separator) = separators.find(|separator| !valid(separator)) {
            return Err(ParseError::new(format!(
                "`{separator}` is not a separator in repository `{path}`"
            )));
        }
    }
    Ok(())
}
