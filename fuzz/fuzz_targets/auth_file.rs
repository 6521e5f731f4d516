//! A host in the first line, and then any auth file. Each login that is offered has a key for this
//! host in the file, and no printable text depends on a secret.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use digestif::credentials::{Credentials, PullSecret};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The file that is read; each process has its own.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("digestif-fuzz-{}.json", std::process::id());
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) }
});

fuzz_target!(|input: &str| {
    let (host, text) = input.split_once('\n').unwrap_or(("quay.io", input));
    // A host is looked up in the form that it has in a URL.
    let Some(host) = Url::parse(&format!("https://{host}/")).ok().and_then(|url| {
        let port = url.port().map(|port| format!(":{port}"));
        Some(format!("{}{}", url.host_str()?, port.unwrap_or_default()))
    }) else {
        return;
    };
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        says_only_where_it_breaks_off(text);
        return;
    };
    let (mut one, mut other) = (value.clone(), value);
    change_secrets(&mut one, str::to_owned);
    change_secrets(&mut other, rotated);
    assert_eq!(printed(&one, &host), printed(&other, &host));
    offers_fit(&one, &host);
    helpers_fit(&one, &host);
});

fn credentials(text: &str) -> Result<Credentials, String> {
    std::fs::write(&*FILE, text).expect("writable");
    Credentials::read(&[], std::slice::from_ref(&*FILE)).map_err(|found| format!("{found:?}"))
}

fn says_only_where_it_breaks_off(text: &str) {
    std::fs::write(&*FILE, text).expect("writable");
    if let Err(found) = Credentials::read(std::slice::from_ref(&*FILE), &[]) {
        let message: String = found.message.chars().filter(|c| !c.is_ascii_digit()).collect();
        assert_eq!(message, "the auth file can't be used: line , column : it is not an auth file");
    }
}

/// All printable text about the content of an auth file.
fn printed(file: &Value, host: &str) -> String {
    let text = file.to_string();
    let mut printed = match credentials(&text) {
        Ok(credentials) => {
            let offers = credentials.of_host(host);
            let names: Vec<_> = offers.iter().map(ToString::to_string).collect();
            format!("{credentials:?} {offers:?} {names:?}")
        }
        Err(said) => said,
    };
    for is_old_form in [true, false] {
        let secret = PullSecret::read("s", &SecretString::from(text.as_str()), is_old_form);
        printed += &format!("{secret:?}");
    }
    let wrapped = json!({ "auths": file }).to_string();
    let wrapped = PullSecret::read("s", &SecretString::from(wrapped), false);
    let old = PullSecret::read("s", &SecretString::from(text), true);
    assert_eq!(format!("{old:?}"), format!("{wrapped:?}"));
    printed
}

/// Replaces the secrets in the entries of an auth file by others of the same length, in both forms
/// of the file.
fn change_secrets(file: &mut Value, change: fn(&str) -> String) {
    let Value::Object(file) = file else { return };
    for (key, value) in file {
        match (key.as_str(), value) {
            ("auths", Value::Object(entries)) => {
                entries.values_mut().for_each(|entry| change_entry(entry, change));
            }
            (_, entry) => change_entry(entry, change),
        }
    }
}

fn change_entry(entry: &mut Value, change: fn(&str) -> String) {
    let Value::Object(entry) = entry else { return };
    for (key, value) in entry {
        let Value::String(text) = value else { continue };
        match key.as_str() {
            "password" | "identitytoken" | "registrytoken" => *text = change(text),
            "auth" => {
                let pair = BASE64.decode(text.trim()).ok();
                let Some(pair) = pair.and_then(|pair| String::from_utf8(pair).ok()) else {
                    continue;
                };
                let Some((user, password)) = pair.split_once(':') else { continue };
                *text = BASE64.encode(format!("{user}:{}", change(password)));
            }
            _ => {}
        }
    }
}

/// Another string of the same length. Different strings give different results.
fn rotated(text: &str) -> String {
    let rotated = |c: char| match c {
        'a'..='m' | 'A'..='M' => char::from(c as u8 + 13),
        'n'..='z' | 'N'..='Z' => char::from(c as u8 - 13),
        '0'..='4' => char::from(c as u8 + 5),
        '5'..='9' => char::from(c as u8 - 5),
        other => other,
    };
    text.chars().map(rotated).collect()
}

/// Checks that each login that is offered for a host has a key for this host.
fn offers_fit(file: &Value, host: &str) {
    let Some(entries) = file.get("auths").and_then(Value::as_object) else { return };
    let secrets = entries.iter().filter_map(|(key, entry)| {
        // The origin of each login is its key.
        let text = json!({ "auths": { key: entry } }).to_string();
        PullSecret::read(key, &SecretString::from(text), false)
    });
    let secrets: Vec<_> = secrets.collect();
    let host = if is_hub(host) { "docker.io" } else { host };
    for offer in Credentials::default().and_pull_secrets(&secrets).of_host(host) {
        let fitting = entries.keys().find_map(|key| {
            let (own, path) = parts(key);
            let slash = if path.is_empty() { "" } else { "/" };
            let is_it =
                offer.to_string() == format!("the login for {host}{slash}{path} from {key}");
            (is_it && fits(&own, host)).then_some(path)
        });
        let path = fitting.unwrap_or_else(|| panic!("{offer}"));
        assert!(offer.is_for(path) && offer.is_for(&format!("{path}/x")), "{offer}");
        assert_eq!(offer.is_for(&format!("{path}x")), path.is_empty(), "{offer}");
        assert_eq!(offer.is_for("other"), path.is_empty() || path == "other", "{offer}");
    }
}

/// Checks that each program for a host is the store, or has a key for this host.
fn helpers_fit(file: &Value, host: &str) {
    let Ok(credentials) = credentials(&file.to_string()) else { return };
    let host = if is_hub(host) { "docker.io" } else { host };
    let helpers = file.get("credHelpers").and_then(Value::as_object);
    let helpers = helpers.into_iter().flatten().filter_map(|(key, name)| {
        let (own, path) = parts(key);
        fits(&own, host).then_some((path, name.as_str()?))
    });
    let store = file.get("credsStore").and_then(Value::as_str).map(|name| ("", name));
    let allowed = helpers.chain(store).map(|(path, name)| {
        let slash = if path.is_empty() { "" } else { "/" };
        format!("the login for {host}{slash}{path} from docker-credential-{name}")
    });
    let allowed: Vec<_> = allowed.collect();
    for offer in credentials.of_host(host).iter().map(ToString::to_string) {
        let is_login = offer.ends_with(&format!(" from {}", FILE.display()));
        assert!(is_login || allowed.contains(&offer), "{offer}");
    }
}

/// The host and the path of a key. The host is in lower case and without the port of https.
fn parts(key: &str) -> (String, &str) {
    let name = key.find("://").map_or(key, |scheme| &key[scheme + 3..]);
    let name = name.trim_end_matches('/');
    let (host, path) =
        name.find('/').map_or((name, ""), |slash| (&name[..slash], &name[slash + 1..]));
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    (host.to_owned(), if ["v1", "v2"].contains(&path) { "" } else { path })
}

/// True if a key's host matches this one. A `*` matches any characters except dots, and does not
/// match in a port.
fn fits(own: &str, host: &str) -> bool {
    let port = |host: &str| host.rfind(':').map(|colon| host[colon..].to_owned());
    own == host || is_hub(own) && is_hub(host) || port(own) == port(host) && glob_fits(own, host)
}

fn is_hub(host: &str) -> bool {
    ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&host)
}

/// Compares character by character. A glob that would take long is taken as a match.
fn glob_fits(glob: &str, text: &str) -> bool {
    if glob.matches('*').count() > 4 {
        return true;
    }
    let (mut left, mut right) = (glob.chars(), text.chars());
    match (left.next(), right.next()) {
        (None, None) => true,
        (Some('*'), c) => {
            let goes_on = c.is_some_and(|c| c != '.') && glob_fits(glob, right.as_str());
            goes_on || glob_fits(left.as_str(), text)
        }
        (l, r) => l == r && glob_fits(left.as_str(), right.as_str()),
    }
}
