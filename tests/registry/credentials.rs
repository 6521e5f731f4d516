//! Who digestif says it is: logins of auth files, of credential helpers and of pull secrets, in
//! which order, and that nobody but their registry gets to see them.
//!
//! A registry plays every host here: it is the HTTP proxy of the run, so that images and logins have
//! the names that they have in life. That no output shows a secret is not asked here: `finish` asks
//! it of every run of the whole suite.

mod files;
#[cfg(unix)]
pub(crate) mod helpers;
mod leaks;
#[cfg(unix)]
mod plain_http;
mod pull_secrets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::accounts::{Account, auth};
use crate::support::registry::{self, Content, Registry, TokenRules};
use crate::support::{Ran, command, finish, start};
use crate::{WEB, pods};

/// The hosts that are played.
const HOSTS: &str = "registry.example\nquay.example\ndocker.io\na.mirror.example\n\
    other.example\nregistry.example.other";

/// A machine with a home folder, and everything that it can reach.
pub(crate) struct Machine {
    home: TempDir,
    registry: Registry,
}

impl Machine {
    fn new(content: Content) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        Self { home, registry: Registry::start(content) }
    }

    /// A machine with one auth file, Docker's.
    pub(crate) fn with_docker(content: Content, text: &Value) -> Self {
        let machine = Self::new(content);
        machine.write(".docker/config.json", text.to_string());
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in the home")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    /// A text with the home in the place of `~`.
    fn at_home(&self, text: &str) -> String {
        text.replace('~', self.home.path().to_str().expect("a plain path"))
    }

    /// A run on this machine; of flags and variables, `~` is the home.
    fn command(&self, flags: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = command(flags.iter().map(|flag| self.at_home(flag)));
        command.env("HOME", self.home.path()).env("HTTP_PROXY", self.registry.url());
        command.env("NO_PROXY", "127.0.0.1");
        command.env("DIGESTIF_PLAIN_HTTP", HOSTS).env("DIGESTIF_RETRIES", "0");
        let bin = self.path("bin").display().to_string();
        command.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap_or_default()));
        for (name, value) in variables {
            command.env(name, self.at_home(value));
        }
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, flags: &[&str], stream: &str) -> Ran {
        finish(start(&mut self.command(flags, &[])), stream.as_bytes())
    }

    /// Has [`WEB`] pinned, and gives what was said besides.
    #[track_caller]
    fn pin_web(&self, flags: &[&str]) -> String {
        let ran = self.run(flags, &pods([WEB]));
        assert_eq!((ran.status, ran.stdout), (0, pinned([WEB])), "{}", ran.stderr);
        ran.stderr
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// As whom was asked, in order.
    pub(crate) fn asked_as(&self) -> Vec<String> {
        asked_as(&self.registry)
    }

    fn asked_for_tokens(&self) -> Vec<String> {
        let requests =
            self.registry.requests().into_iter().filter(|request| request.is_to("token"));
        requests.map(|request| request.line()).collect()
    }
}

/// The users of all requests, in order; `nobody` without a login, `a token` with one of any kind.
pub(crate) fn asked_as(registry: &Registry) -> Vec<String> {
    let user = |header: Option<String>| {
        let Some(header) = header else { return "nobody".to_owned() };
        let Some(pair) = header.strip_prefix("Basic ") else { return "a token".to_owned() };
        let pair = BASE64.decode(pair).expect("logins are sent as base64");
        let pair = String::from_utf8(pair).expect("the tests have no others");
        pair.split_once(':').expect("a user and a password").0.to_owned()
    };
    registry.requests().into_iter().map(|request| user(request.authorization)).collect()
}

/// The stream of [`pods`] as it has to come out.
pub(crate) fn pinned(images: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    pods(images.into_iter().map(|image| {
        let image = image.as_ref();
        let digestif::image::Reference::Tagged(tagged) = image.parse().expect("valid") else {
            panic!("`{image}` already has a digest");
        };
        let digest = registry::digest_of(tagged.repository.path(), &tagged.tag.to_string());
        format!("{image}@{digest}")
    }))
}

/// An auth file with these users for these keys.
pub(crate) fn auths(entries: &[(&str, &str)]) -> Value {
    let entry = |(key, user): &(&str, &str)| ((*key).to_owned(), json!({ "auth": auth(user) }));
    json!({ "auths": entries.iter().map(entry).collect::<serde_json::Map<_, _>>() })
}

/// A registry that asks for a password, which these accounts know.
pub(crate) fn basic(accounts: &[Account]) -> Content {
    Content::everything().with_basic(accounts)
}

/// A registry that asks for tokens, which these accounts get.
fn tokens(accounts: &[Account]) -> Content {
    tokens_with(accounts, TokenRules::default())
}

fn tokens_with(accounts: &[Account], rules: TokenRules) -> Content {
    Content::everything().with_tokens(TokenRules { accounts: accounts.to_vec(), ..rules })
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("it was written")
}

/// The lines that begin a message of this level.
pub(crate) fn count(said: &str, level: &str) -> usize {
    said.lines().filter(|line| line.starts_with(&format!("{level}: "))).count()
}
