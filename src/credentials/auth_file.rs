//! Auth files, of containers (`containers-auth.json(5)`) and of Docker (`config.json`), and pull
//! secrets, which hold one of them or its older form.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretBox, SecretSlice, SecretString};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{BASE64, Helper, Kind, Login, Owner, Scope, Source};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::image::canonical_host;
use crate::text::escape::quoted;
use crate::text::path::shown;

/// The user name that marks the password as an identity token (docker, `credentials` package).
pub(super) const TOKEN_USER: &str = "<token>";

/// The largest auth file in bytes. It is also the limit of a secret in Kubernetes.
const MAX_FILE: usize = 1 << 20;

/// The auth files in their order: `REGISTRY_AUTH_FILE`, those of containers, and that of Docker. The files
/// of the first list are named by a variable and must exist. The others are read if they exist.
#[must_use]
pub fn default_files() -> (Vec<PathBuf>, Vec<PathBuf>) {
    default_files_in(|name| env::var_os(name), user_id())
}

/// The same for these variables and this user.
fn default_files_in(
    variable: impl Fn(&str) -> Option<OsString>,
    user: Option<u32>,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let folder =
        |name: &str| variable(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let home = folder("HOME").or_else(|| folder("USERPROFILE"));
    let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
    // containers-auth.json(5): podman and skopeo write here if the variable is not set.
    let of_user = || user.map(|user| PathBuf::from(format!("/run/containers/{user}")));
    let runtime =
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers")).or_else(of_user);
    let config = folder("XDG_CONFIG_HOME").or_else(|| in_home(".config"));
    let config = config.map(|folder| folder.join("containers"));
    let containers = runtime.into_iter().chain(config).map(|folder| folder.join("auth.json"));
    let docker = folder("DOCKER_CONFIG").or_else(|| in_home(".docker"));
    let docker = docker.map(|folder| folder.join("config.json"));
    (folder("REGISTRY_AUTH_FILE").into_iter().collect(), containers.chain(docker).collect())
}

/// The number of the user, which names a folder in `/run/containers`. Only Linux has it.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
fn user_id() -> Option<u32> {
    Some(rustix::process::getuid().as_raw())
}

#[cfg(not(target_os = "linux"))]
fn user_id() -> Option<u32> {
    None
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthFile {
    #[serde(default)]
    auths: Distinct<Option<Auth>>,
    #[serde(default)]
    cred_helpers: Distinct<String>,
    creds_store: Option<String>,
}

/// An object without duplicate keys, as one of two logins would be lost. It may be `null`.
struct Distinct<V>(BTreeMap<String, V>);

impl<V> Default for Distinct<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Distinct<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Distinct<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Distinct::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    if entries.insert(key, value).is_some() {
                        return Err(A::Error::custom("a key is there twice"));
                    }
                }
                Ok(Distinct(entries))
            }
        }

        deserializer.deserialize_any(Entries(PhantomData))
    }
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "it is what the file calls it")]
struct Auth {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
    registrytoken: Option<SecretString>,
}

/// The content of a file; none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Source>>, Diagnostic> {
    let text = match contents(path) {
        Ok(text) => text,
        // `DOCKER_CONFIG=/dev/null` is a way to say that there is none.
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(unusable(path, &error.to_string())),
    };
    if text.expose_secret().len() > MAX_FILE {
        return Err(unusable(path, &format!("it is larger than {} KiB", MAX_FILE >> 10)));
    }
    // An empty file has no logins, as for docker.
    if text.expose_secret().trim_ascii().is_empty() {
        return Ok(Some(Vec::new()));
    }
    // A message of serde may repeat the value.
    let nonsense = |error: serde_json::Error| {
        unusable(
            path,
            &format!("line {}, column {}: it is not an auth file", error.line(), error.column()),
        )
    };
    let file: AuthFile = serde_json::from_slice(text.expose_secret()).map_err(nonsense)?;
    let origin = shown(path);
    let mut sources = Vec::new();
    // An empty name is Docker's way to say that a host has no helper.
    for (key, name) in file.cred_helpers.0.iter().filter(|(_, name)| !name.is_empty()) {
        let helper = Helper::new(name).map_err(|error| unusable(path, &error))?;
        sources.push(helper_source(scope(key), helper));
    }
    if let Some(name) = file.creds_store.as_deref().filter(|name| !name.is_empty()) {
        let helper = Helper::new(name).map_err(|error| unusable(path, &error))?;
        sources.push(helper_source(Scope::Every, helper));
    }
    let logins = logins(&file.auths, Owner::User, &origin);
    sources.extend(logins.map_err(|key| {
        // The part before the host in a URL may be a login.
        let host = quoted(key.rsplit('@').next().unwrap_or_default());
        unusable(path, &format!("the entry for {host} has no readable login"))
    })?);
    Ok(Some(sources))
}

/// Reads at most one byte more than is allowed.
fn contents(path: &Path) -> io::Result<SecretBox<Vec<u8>>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(MAX_FILE).min(MAX_FILE);
    // Where a file is as long as it says, this never grows, and leaves no copy behind.
    let mut text = Vec::with_capacity(length + 1);
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut text)?;
    Ok(SecretBox::new(Box::new(text)))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn helper_source(scope: Scope, helper: Helper) -> Source {
    let origin = helper.to_string();
    Source { owner: Owner::User, scope, origin, kind: Kind::Helper(helper) }
}

/// The logins of a file, or the first key with an invalid login.
fn logins(
    auths: &Distinct<Option<Auth>>,
    owner: Owner,
    origin: &str,
) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for (key, auth) in &auths.0 {
        let Some(auth) = auth else { continue };
        // Docker writes empty entries where a store has the login.
        if let Some(login) = login(auth).map_err(|()| key.clone())? {
            let kind = Kind::Login(login);
            sources.push(Source { owner, scope: scope(key), origin: origin.to_owned(), kind });
        }
    }
    Ok(sources)
}

fn login(auth: &Auth) -> Result<Option<Login>, ()> {
    let given =
        |text: &Option<SecretString>| text.clone().filter(|text| !text.expose_secret().is_empty());
    if let Some(token) = given(&auth.identitytoken) {
        return Ok(Some(Login::Identity(token)));
    }
    if let Some(token) = given(&auth.registrytoken) {
        let login = Login::Bearer(token);
        return if login.bearer().is_some() { Ok(Some(login)) } else { Err(()) };
    }
    let Some(pair) = given(&auth.auth) else {
        let user = auth.username.clone().filter(|user| !user.is_empty());
        let pair = user.zip(auth.password.clone());
        return Ok(pair.map(|(user, password)| password_or_token(user, password)));
    };
    let pair = SecretSlice::from(BASE64.decode(pair.expose_secret().trim()).map_err(|_| ())?);
    let pair = std::str::from_utf8(pair.expose_secret()).map_err(|_| ())?;
    let (user, password) = pair.split_once(':').ok_or(())?;
    // Some writers of these files end the password with NUL bytes (containers/image).
    let password = SecretString::from(password.trim_end_matches('\0'));
    Ok(Some(password_or_token(user.to_owned(), password)))
}

pub(super) fn password_or_token(user: String, password: SecretString) -> Login {
    if user == TOKEN_USER { Login::Identity(password) } else { Login::Password { user, password } }
}

/// The host and path of a key: `quay.io`, `quay.io/org`, `https://index.docker.io/v1/`.
fn scope(key: &str) -> Scope {
    let name = key.split_once("://").map_or(key, |(_, name)| name).trim_end_matches('/');
    let (host, path) = name.split_once('/').unwrap_or((name, ""));
    // URLs of requests leave the port out that https has anyway.
    let host = canonical_host(host.strip_suffix(":443").unwrap_or(host));
    // Docker wrote the version of the registry's API behind the host.
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    Scope::Name { host, path: path.to_owned() }
}

/// A pull secret of the input: an auth file in a `Secret`.
#[derive(Debug, Clone)]
pub struct PullSecret {
    sources: Vec<Source>,
}

impl PullSecret {
    /// Reads the text of `.dockerconfigjson`, or of `.dockercfg`, which has the entries alone. `name` is the
    /// secret's name in messages. None if the text is not valid.
    #[must_use]
    pub fn read(name: &str, text: &SecretString, is_old_form: bool) -> Option<Self> {
        let text = text.expose_secret();
        let auths = if is_old_form {
            serde_json::from_str(text).ok()?
        } else {
            // Helpers are programs of the caller, not of the author of a manifest.
            serde_json::from_str::<AuthFile>(text).ok()?.auths
        };
        Some(Self { sources: logins(&auths, Owner::Input, name).ok()? })
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.sources.iter().cloned()
    }
}

pub(super) fn missing(path: &Path) -> Diagnostic {
    unusable(path, "there is no such file")
}

fn unusable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the auth file can't be used: {reason}"))
        .of(RuleId::Login)
        .location(Location::File(shown(path)))
        .help("write it again with `docker login`, `podman login` or `crane auth login`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "NeverShowThisSecret";

    #[test]
    fn auth_files_are_read_where_podman_skopeo_and_docker_write_them() {
        let home = ("HOME", "/h");
        let runtime = ("XDG_RUNTIME_DIR", "/r");
        let of_user = "/run/containers/1000/auth.json";
        let [config, docker] = ["/h/.config/containers/auth.json", "/h/.docker/config.json"];
        for (variables, user, expected) in [
            (&[home][..], Some(1000), &[of_user, config, docker][..]),
            (&[home, ("XDG_RUNTIME_DIR", "")], Some(1000), &[of_user, config, docker]),
            (&[home, runtime], Some(1000), &["/r/containers/auth.json", config, docker]),
            (&[home], None, &[config, docker]),
            (&[], Some(0), &["/run/containers/0/auth.json"]),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(own, _)| *own == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            let found = default_files_in(variable, user);
            assert_eq!(found, (Vec::new(), expected), "{variables:?} {user:?}");
        }
    }

    #[test]
    fn keys_say_which_host_and_which_path() {
        for (key, host, path) in [
            ("quay.io", "quay.io", ""),
            ("quay.io/org", "quay.io", "org"),
            ("https://quay.io/org/app/", "quay.io", "org/app"),
            ("https://Quay.io:443", "quay.io", ""),
            ("quay.io:8443/org", "quay.io:8443", "org"),
            ("https://index.docker.io/v1/", "docker.io", ""),
            ("https://quay.io/v2", "quay.io", ""),
            ("quay.io/v2/app", "quay.io", "v2/app"),
            ("quay.io/org/v1", "quay.io", "org/v1"),
            ("registry-1.docker.io/library", "docker.io", "library"),
            ("[::1]:5000", "[::1]:5000", ""),
            ("", "", ""),
        ] {
            let (host, path) = (host.to_owned(), path.to_owned());
            assert_eq!(scope(key), Scope::Name { host, path }, "{key}");
        }
    }

    /// An entry of an auth file without its secrets.
    fn kind_of(entry: &str) -> Result<String, ()> {
        let auth: Auth = serde_json::from_str(entry).map_err(|_| ())?;
        Ok(match login(&auth)? {
            None => "none".to_owned(),
            Some(Login::Password { user, password }) => {
                format!("{user}:{}", password.expose_secret().replace(SECRET, "*"))
            }
            Some(Login::Identity(token)) => {
                format!("identity {}", token.expose_secret().replace(SECRET, "*"))
            }
            Some(Login::Bearer(token)) => {
                format!("bearer {}", token.expose_secret().replace(SECRET, "*"))
            }
        })
    }

    #[test]
    fn an_entry_holds_one_login() {
        let auth = |pair: &str| {
            let pair = BASE64.encode(pair.replace('*', SECRET));
            format!(r#"{{"auth": "{pair}", "username": "other", "password": "other"}}"#)
        };
        let plain = |text: &str| text.replace('*', SECRET);
        for (entry, expected) in [
            (auth("ann:*"), Ok("ann:*")),
            (auth("ann:*:*"), Ok("ann:*:*")),
            (auth("ann:*\0\0"), Ok("ann:*")),
            (auth("ann:"), Ok("ann:")),
            (auth("<token>:*"), Ok("identity *")),
            (auth("*"), Err(())),
            (plain(r#"{"auth": "*!"}"#), Err(())),
            (plain(r#"{"username": "ann", "password": "*"}"#), Ok("ann:*")),
            (plain(r#"{"username": "<token>", "password": "*"}"#), Ok("identity *")),
            (plain(r#"{"password": "*"}"#), Ok("none")),
            (plain(r#"{"auth": "", "username": "ann"}"#), Ok("none")),
            (plain(r#"{"identitytoken": "*", "registrytoken": "other"}"#), Ok("identity *")),
            (plain(r#"{"identitytoken": "", "registrytoken": "*"}"#), Ok("bearer *")),
            (plain(r#"{"registrytoken": "*\r\nX-Header: *"}"#), Err(())),
            (plain(r#"{"email": "*"}"#), Ok("none")),
            (plain(r#"{"auth": "", "auth": "*"}"#), Err(())),
            ("5".to_owned(), Err(())),
        ] {
            assert_eq!(kind_of(&entry).as_deref(), expected.as_deref(), "{entry}");
        }
    }

    #[test]
    fn a_pull_secret_holds_logins_and_no_programs() {
        let text = format!(
            r#"{{"credsStore": "x", "credHelpers": {{"a.io": "x"}}, "auths": {{"a.io": {{"username": "u", "password": "{SECRET}"}}}}}}"#
        );
        let secret = PullSecret::read("Secret s", &SecretString::from(text), false);
        let sources: Vec<_> = secret.expect("it is one").sources().collect();
        assert_eq!(sources.len(), 1);
        assert!(matches!(sources[0].kind, Kind::Login(Login::Password { .. })));
        assert_eq!(sources[0].origin, "Secret s");
    }

    #[test]
    fn a_file_without_a_login_is_no_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("auth.json");
        for text in ["", " \n", "{}", r#"{"auths": null}"#, r#"{"auths": {"a.io": null}}"#] {
            std::fs::write(&path, text).expect("writable");
            let sources = read(&path).expect("it can be read").expect("it is there");
            assert!(sources.is_empty(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic_or_show_what_it_holds(
            text in r#"(\{|\}|"|:|,|auths|credHelpers|credsStore|auth|[a-z.]|NeverShowThisSecret|\PC){0,40}"#,
            entry in r"\PC*",
        ) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("auth.json");
            let entry = serde_json::to_string(&entry).expect("texts are JSON");
            for text in [
                text,
                format!(r#"{{"auths": {{"a.io": {{"auth": "{SECRET}", "auth": {entry}}}}}}}"#),
                format!(r#"{{"auths": {{"u:{SECRET}@a.io": {{"auth": {entry}}}}}}}"#),
                format!(r#"{{"credHelpers": {{"{SECRET}": {entry}}}, "credsStore": {entry}}}"#),
            ] {
                std::fs::write(&path, &text).expect("writable");
                if let Err(diagnostic) = read(&path) {
                    prop_assert!(!format!("{diagnostic:?}").contains(SECRET), "{:?}", diagnostic);
                }
                for is_old_form in [true, false] {
                    let secret = SecretString::from(text.as_str());
                    let printed = format!("{:?}", PullSecret::read("s", &secret, is_old_form));
                    prop_assert!(!printed.contains(SECRET));
                }
            }
        }
    }
}
