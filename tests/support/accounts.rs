//! Accounts: whom a loopback registry lets in, and the one text that is in every secret.
//!
//! Whatever has to stay secret in a test holds [`SECRET`], and `finish` fails a run that shows it,
//! plain or as base64. So no test has to look for its own.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The text that every secret holds.
pub const SECRET: &str = "NeverShowThisSecret";

/// One who may ask a registry, and what is opened to it.
#[derive(Debug, Clone)]
pub struct Account {
    proof: Option<Proof>,
    opens: Vec<String>,
}

/// How an account proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Proof {
    /// An Authorization header.
    Header(String),
    /// A token that is exchanged for others.
    Identity(String),
}

impl Account {
    /// Whoever says nothing.
    pub fn nobody() -> Self {
        Self { proof: None, opens: vec![String::new()] }
    }

    /// A user with [`password`].
    pub fn user(user: &str) -> Self {
        Self { proof: Some(Proof::Header(basic(user))), ..Self::nobody() }
    }

    /// The identity token with this name.
    pub fn identity(name: &str) -> Self {
        Self { proof: Some(Proof::Identity(password(name))), ..Self::nobody() }
    }

    /// The token with this name, which a registry takes as it is.
    pub fn bearer(name: &str) -> Self {
        Self { proof: Some(Proof::Header(format!("Bearer {}", password(name)))), ..Self::nobody() }
    }

    /// The same, with these repositories alone, and those below them.
    #[must_use]
    pub fn opening(mut self, repositories: &[&str]) -> Self {
        self.opens = repositories.iter().copied().map(String::from).collect();
        self
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.proof.is_none()
    }

    /// Whether this Authorization header, or its absence, is the account's.
    pub(super) fn sends(&self, authorization: Option<&str>) -> bool {
        match &self.proof {
            None => authorization.is_none(),
            Some(Proof::Header(header)) => authorization == Some(header),
            Some(Proof::Identity(_)) => false,
        }
    }

    pub(super) fn exchanges(&self, identity: &str) -> bool {
        matches!(&self.proof, Some(Proof::Identity(own)) if own == identity)
    }

    pub(super) fn opens(&self, repository: &str) -> bool {
        self.opens.iter().any(|open| {
            let rest = repository.strip_prefix(&**open);
            open.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The password of a user, or a token of this name.
pub fn password(name: &str) -> String {
    format!("{SECRET}-of-{name}")
}

/// The `auth` of a user in an auth file.
pub fn auth(user: &str) -> String {
    base64(format!("{user}:{}", password(user)))
}

/// The Authorization header of a user.
pub fn basic(user: &str) -> String {
    format!("Basic {}", auth(user))
}

pub fn base64(text: impl AsRef<[u8]>) -> String {
    BASE64.encode(text)
}

/// The lines of a text that show a secret: as it is, as base64, or as base64 of base64, as it is in
/// the `data` of a Secret.
pub fn telling(text: &str) -> impl Iterator<Item = &str> {
    let once = encoded(SECRET);
    let twice = once.iter().flat_map(|form| encoded(form)).collect::<Vec<_>>();
    let forms: Vec<_> = [SECRET.to_owned()].into_iter().chain(once).chain(twice).collect();
    text.lines().filter(move |line| forms.iter().any(|form| line.contains(form)))
}

/// Fails where a text shows a secret.
#[track_caller]
pub fn assert_tells_nothing(what: &str, text: &str) {
    let told: Vec<_> = telling(text).collect();
    assert!(told.is_empty(), "{what} shows a secret:\n{}", told.join("\n"));
}

/// What is certain to be in the base64 of any text with this one in it, wherever it stands there.
fn encoded(text: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let whole = base64([&vec![0; before], text.as_bytes()].concat());
        let (start, end) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
        whole[start..end].to_owned()
    })
}
