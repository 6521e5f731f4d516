//! Accounts: the clients that a loopback registry accepts, and the one secret that is in every
//! password and token.
//!
//! Everything that must stay secret in a test contains [`SECRET`], and `finish` fails a run that
//! shows it, plain or as base64. So no test has to look for its own secrets.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The string that every secret contains.
pub const SECRET: &str = "NeverShowThisSecret";

/// An account of a registry, and the repositories that it may read.
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
    /// A token that can be exchanged for others.
    Identity(String),
}

impl Account {
    /// The account of a client without credentials.
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

    /// The token with this name, which a registry accepts directly.
    pub fn bearer(name: &str) -> Self {
        Self { proof: Some(Proof::Header(format!("Bearer {}", password(name)))), ..Self::nobody() }
    }

    /// Limits the account to these repositories, and those below them.
    #[must_use]
    pub fn opening(mut self, repositories: &[&str]) -> Self {
        self.opens = repositories.iter().copied().map(String::from).collect();
        self
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.proof.is_none()
    }

    /// True if this Authorization header, or its absence, belongs to the account.
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

/// The lines of a text that show a secret: plain, as base64, or as base64 of base64, as in the
/// `data` of a Secret.
pub fn telling(text: &str) -> impl Iterator<Item = &str> {
    let once = encoded(SECRET);
    let twice = once.iter().flat_map(|form| encoded(form)).collect::<Vec<_>>();
    let forms: Vec<_> = [SECRET.to_owned()].into_iter().chain(once).chain(twice).collect();
    text.lines().filter(move |line| forms.iter().any(|form| line.contains(form)))
}

/// Fails if a text shows a secret.
#[track_caller]
pub fn assert_tells_nothing(what: &str, text: &str) {
    let told: Vec<_> = telling(text).collect();
    assert!(told.is_empty(), "{what} shows a secret:\n{}", told.join("\n"));
}

/// The parts that the base64 of every text with this string contains. The string may have three
/// positions in a group of three bytes, and each has its own part.
fn encoded(text: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let whole = base64([&vec![0; before], text.as_bytes()].concat());
        let (start, end) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
        whole[start..end].to_owned()
    })
}
