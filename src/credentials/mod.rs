//! Credentials: the logins for hosts and repositories, and their order.
//!
//! The user's logins come before the pull secrets of the input. Among each, the most specific path comes
//! first, then the order of the sources (auth files of containers, those of Docker). A login is sent only
//! to the host that its source names. Secrets can't be printed, and are wiped from memory when they are
//! dropped.

mod auth_file;
mod helper;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use crate::diagnostic::Diagnostic;
use crate::image::canonical_host;

pub use auth_file::{PullSecret, default_files};
use helper::Helper;

/// The decoder of auth files: with padding or without (kubelet, `decodeDockerConfigFieldAuth`).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The logins, in the order of their sources.
#[derive(Debug, Default, Clone)]
pub struct Credentials(Vec<Source>);

/// One login, or a program that has one.
#[derive(Debug, Clone)]
struct Source {
    owner: Owner,
    scope: Scope,
    /// Its source, for messages.
    origin: String,
    kind: Kind,
}

/// The owner of a login. The user's logins are tried first, as the input may have any number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// The user's files and helpers.
    User,
    /// A pull secret of the input.
    Input,
}

/// The hosts and repositories of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// Every host: a store of credentials makes the choice.
    Every,
    /// A host and the start of its repositories' names; empty for all of them.
    Name { host: String, path: String },
}

#[derive(Debug, Clone)]
enum Kind {
    Login(Login),
    Helper(Helper),
}

impl Kind {
    /// Everything that distinguishes it from another.
    fn parts(&self) -> (&'static str, &str, &str) {
        match self {
            Self::Login(Login::Password { user, password }) => {
                ("password", user, password.expose_secret())
            }
            Self::Login(Login::Identity(token)) => ("identity", "", token.expose_secret()),
            Self::Login(Login::Bearer(token)) => ("bearer", "", token.expose_secret()),
            Self::Helper(helper) => ("helper", helper.program(), ""),
        }
    }
}

/// The secret of a login.
#[derive(Debug, Clone)]
pub(super) enum Login {
    /// A user and a password.
    Password { user: String, password: SecretString },
    /// A token that is exchanged for others (`identitytoken`).
    Identity(SecretString),
    /// A token that is sent as it is (`registrytoken`).
    Bearer(SecretString),
}

impl Login {
    /// The header of RFC 7617; none without a password.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { user, password } = self else { return None };
        let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
        let text = SecretString::from(format!("Basic {}", BASE64.encode(pair.expose_secret())));
        secret_header(&text)
    }

    /// The header of RFC 6750; none without such a token.
    pub(super) fn bearer(&self) -> Option<HeaderValue> {
        let Self::Bearer(token) = self else { return None };
        secret_header(&SecretString::from(format!("Bearer {}", token.expose_secret())))
    }
}

/// A header that is never printed; none if it has a character that a header can't have.
fn secret_header(text: &SecretString) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text.expose_secret()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

impl Credentials {
    /// Reads auth files. The default ones need not exist.
    ///
    /// # Errors
    /// A file can't be read, is not valid, or was named and does not exist. The error names the file and
    /// does not show its content.
    pub fn read(named: &[PathBuf], defaults: &[PathBuf]) -> Result<Self, Diagnostic> {
        let mut sources = Vec::new();
        for path in named {
            sources.extend(auth_file::read(path)?.ok_or_else(|| auth_file::missing(path))?);
        }
        for path in defaults.iter().filter(|path| !named.contains(path)) {
            sources.extend(auth_file::read(path)?.unwrap_or_default());
        }
        Ok(Self(sources))
    }

    /// These, followed by the logins in pull secrets of the input.
    #[must_use]
    pub fn and_pull_secrets(mut self, secrets: &[PullSecret]) -> Self {
        self.0.extend(secrets.iter().flat_map(PullSecret::sources));
        self
    }

    /// The logins for a host: the user's before those of the input, and among each the most specific
    /// first.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Vec<Offer> {
        let host = canonical_host(host);
        let is_for = |source: &&Source| match &source.scope {
            Scope::Every => true,
            Scope::Name { host: own, .. } => fits(own, &host),
        };
        let mut sources: Vec<_> = self.0.iter().filter(is_for).collect();
        // Sorting is stable: of two that are as specific, the source decides.
        sources.sort_by_key(|source| (source.owner, source.scope.rank()));
        // A login that several files or pull secrets have is tried once.
        let mut known = HashSet::new();
        sources.retain(|source| known.insert((source.scope.path(), source.kind.parts())));
        sources.into_iter().map(|source| Offer::new(source, &host)).collect()
    }
}

impl Scope {
    /// The start of the repositories' names.
    fn path(&self) -> &str {
        match self {
            Self::Every => "",
            Self::Name { path, .. } => path,
        }
    }

    /// The order of logins: a path before its parents, a name before a glob.
    fn rank(&self) -> (Reverse<usize>, bool) {
        let is_glob = matches!(self, Self::Name { host, .. } if host.contains('*'));
        (Reverse(self.path().len()), is_glob)
    }
}

/// True if a host matches the host of a login. `*` stands for any text between two dots, as the kubelet
/// reads pull secrets (Kubernetes, "Images", "Interpretation of config.json").
fn fits(pattern: &str, host: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == host;
    }
    let ((pattern, own_port), (host, port)) = (parts(pattern), parts(host));
    own_port == port
        && pattern.len() == host.len()
        && pattern.iter().zip(host).all(|(pattern, part)| part_fits(pattern, part))
}

/// The parts of a host's name, and its port, which may be empty.
fn parts(host: &str) -> (Vec<&str>, &str) {
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    (name.split('.').collect(), port)
}

fn part_fits(pattern: &str, part: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().expect("a split has a first piece");
    let Some(mut rest) = part.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// A login for one host. A program may have to be asked for it.
#[derive(Debug)]
pub struct Offer {
    /// The start of the repositories' names.
    path: String,
    origin: String,
    host: String,
    kind: Kind,
    /// The answer of the program, once for the host.
    asked: OnceCell<Result<Option<Login>, String>>,
}

impl Offer {
    fn new(source: &Source, host: &str) -> Self {
        Self {
            path: source.scope.path().to_owned(),
            origin: source.origin.clone(),
            host: host.to_owned(),
            kind: source.kind.clone(),
            asked: OnceCell::new(),
        }
    }

    /// True if it is for a repository, which is named as the host names it.
    #[must_use]
    pub fn is_for(&self, repository: &str) -> bool {
        let rest = repository.strip_prefix(&*self.path);
        self.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The login; none if the program has none. `deadline` is the end of the run.
    ///
    /// # Errors
    /// The reason why the program gave no answer, for messages.
    pub(super) async fn login(&self, deadline: Instant) -> Result<Option<Login>, String> {
        match &self.kind {
            Kind::Login(login) => Ok(Some(login.clone())),
            Kind::Helper(helper) => {
                self.asked.get_or_init(|| helper.login(&self.host, deadline)).await.clone()
            }
        }
    }
}

impl fmt::Display for Offer {
    /// Its source, for messages, without any secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "the login for {}{slash}{} from {}", self.host, self.path, self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "NeverShowThisSecret";

    fn read(texts: &[&str]) -> Credentials {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |(n, text): (usize, &&str)| {
            let path = folder.path().join(format!("{n}.json"));
            std::fs::write(&path, text).expect("writable");
            path
        };
        let paths: Vec<_> = texts.iter().enumerate().map(write).collect();
        Credentials::read(&[], &paths).expect("they make sense")
    }

    /// An auth file in which the user of each key is the key.
    fn file(keys: &[&str]) -> String {
        let entries = keys.iter().map(|key| {
            format!("\"{key}\": {{\"username\": \"{key}\", \"password\": \"{SECRET}\"}}")
        });
        format!("{{\"auths\": {{{}}}}}", entries.collect::<Vec<_>>().join(","))
    }

    /// The logins for a host, in order.
    fn tried(credentials: &Credentials, host: &str) -> Vec<String> {
        let offers = credentials.of_host(host).into_iter();
        let name = offers.map(|offer| match offer.kind {
            Kind::Login(Login::Password { user, .. }) => user,
            Kind::Login(_) => "token".to_owned(),
            Kind::Helper(helper) => helper.to_string(),
        });
        name.collect()
    }

    #[test]
    fn logins_are_tried_from_the_most_specific_to_the_least() {
        let first = file(&["a.io", "*.io", "*.*", "b.io", "a.io/x"]);
        let second = file(&["a.io/x/y", "https://a.io/v1/"]);
        let credentials = read(&[&first, &second]);
        let all = ["a.io/x/y", "a.io/x", "a.io", "https://a.io/v1/", "*.*", "*.io"];
        assert_eq!(tried(&credentials, "a.io"), all);
        assert_eq!(tried(&credentials, "A.IO"), all);
        assert_eq!(tried(&credentials, "b.io"), ["b.io", "*.*", "*.io"]);
        assert_eq!(tried(&credentials, "b.io:5000"), Vec::<String>::new());
    }

    #[test]
    fn docker_hub_has_many_names() {
        let keys =
            ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"];
        for key in keys {
            let credentials = read(&[&file(&[key])]);
            for host in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
                assert_eq!(tried(&credentials, host), [key], "{host}");
            }
            for host in ["hub.docker.com", "auth.docker.io", "docker.io:5000", "docker.io.example"]
            {
                assert_eq!(tried(&credentials, host), Vec::<String>::new(), "{host}");
            }
        }
    }

    #[test]
    fn what_is_there_twice_is_tried_once() {
        let both =
            r#"{"credsStore": "x", "credHelpers": {"a.io": "x", "a.io/y": "x", "b.io": "z"}}"#;
        let credentials = read(&[both, r#"{"credsStore": "x"}"#, r#"{"credsStore": "y"}"#]);
        let name = |name: &str| format!("docker-credential-{name}");
        // For a path it may know another login.
        assert_eq!(tried(&credentials, "a.io"), [name("x"), name("x"), name("y")]);
        assert_eq!(tried(&credentials, "b.io"), [name("z"), name("x"), name("y")]);

        let other = file(&["a.io"]).replace(SECRET, "another password");
        let credentials = read(&[&file(&["a.io", "a.io/x"]), &file(&["a.io"]), &other]);
        assert_eq!(tried(&credentials, "a.io"), ["a.io/x", "a.io", "a.io"]);
    }

    #[test]
    fn a_glob_stands_for_whole_parts_of_a_host_at_most() {
        for (pattern, host, fitting) in [
            ("*.io", "a.io", true),
            ("*.io", "a.b.io", false),
            ("*.*.io", "a.b.io", true),
            ("a*.io", "a.io", true),
            ("a*.io", "ab.io", true),
            ("a*b*c.io", "a-b-c.io", true),
            ("a*b*c.io", "abc.io", true),
            ("a*b*c.io", "ac.io", false),
            ("a*a.io", "a.io", false),
            ("*a*a*.io", "a.io", false),
            ("*.io:80", "a.io:80", true),
            ("*.io", "a.io:80", false),
            ("*.*", "a.io:80", false),
            ("*.io:*", "a.io:80", false),
            ("*", "localhost", true),
            ("*", "a.io", false),
        ] {
            assert_eq!(fits(pattern, host), fitting, "{pattern} {host}");
        }
        // As hostile as a pull secret may be.
        let (pattern, host) = ("*a".repeat(10_000), "a".repeat(10_000));
        assert!(fits(&pattern, &host) && !fits(&format!("{pattern}b"), &host));
    }

    #[test]
    fn a_login_is_for_a_path_and_all_below_it() {
        let credentials = read(&[&file(&["a.io/x/y"])]);
        let offers = credentials.of_host("a.io");
        for (repository, is_for) in [
            ("x/y", true),
            ("x/y/z", true),
            ("x/yz", false),
            ("x", false),
            ("y", false),
            ("", false),
        ] {
            assert_eq!(offers[0].is_for(repository), is_for, "{repository}");
        }
    }

    #[test]
    fn nothing_that_is_printed_shows_a_secret() {
        let entry =
            |entry: &str| format!("{{\"auths\": {{\"a.io\": {{\"{entry}\": \"{SECRET}\"}}}}}}");
        let password = format!(
            "{{\"auths\": {{\"a.io\": {{\"auth\": \"{}\"}}}}}}",
            BASE64.encode(format!("u:{SECRET}"))
        );
        for text in [file(&["a.io"]), password, entry("identitytoken"), entry("registrytoken")] {
            let credentials = read(&[&text]);
            let offers = credentials.of_host("a.io");
            let Kind::Login(login) = &offers[0].kind else { panic!("a login") };
            let secret =
                PullSecret::read("s", &SecretString::from(text.as_str()), false).expect("the same");
            let printed = format!(
                "{credentials:?} {offers:?} {} {secret:?} {login:?} {:?} {:?}",
                offers[0],
                login.basic(),
                login.bearer()
            );
            assert!(printed.contains("REDACTED") && !printed.contains(SECRET), "{printed}");
            assert!(!printed.contains(&BASE64.encode(format!("u:{SECRET}"))), "{printed}");
        }
    }
}
