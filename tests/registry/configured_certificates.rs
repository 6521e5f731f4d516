//! Certificates that `registries` of a configuration names for single hosts.

use std::fs;

#[cfg(unix)]
use serde_json::json;
use tempfile::TempDir;

#[cfg(unix)]
use crate::support::accounts::SECRET;
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::tls::Authority;
use crate::support::{Ran, command, finish, start};
use crate::{WEB, assert_web_failed, pinned, pods};

const ALL: [&str; 2] = ["h2", "http/1.1"];

/// A folder with a configuration and what it names.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("writable");
        }
        Self(folder)
    }

    /// Runs digestif with these entries of `registries`, in another folder.
    fn run(&self, entries: &str) -> Ran {
        let text =
            format!("apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nregistries:\n{entries}\n");
        let config = self.0.path().join("own.yaml");
        fs::write(&config, text).expect("writable");
        let mut command = command(["-c", &config.display().to_string(), "--retries=0"]);
        let elsewhere = tempfile::tempdir().expect("a temporary folder");
        finish(start(command.current_dir(&elsewhere)), pods([WEB]).as_bytes())
    }
}

/// The entry that has this registry in the place of every other, with more keys.
fn every_host(registry: &Registry, keys: &str) -> String {
    format!("- {{host: '*', url: '{}/{{host}}'{keys}}}", registry.url())
}

#[test]
fn the_authority_of_an_entry_is_trusted_for_its_host_alone() {
    let authority = Authority::new();
    let start = |content| Registry::start_behind(content, &authority, authority.server(&ALL, None));
    let [one, other] = [0, 1].map(|_| start(Content::everything()));
    let folder = Folder::new(&[("ca.pem", authority.pem())]);
    let of_host =
        |registry: &Registry| format!("- {{host: '{}', caFile: ca.pem}}", registry.address());
    assert_web_failed("nothing", &folder.run(&every_host(&one, "")), 4, "certificate");
    // Either for the host of `url`, or for the host that images and `url`s name.
    let ran = folder.run(&every_host(&one, ", caFile: ca.pem"));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    let ran = folder.run(&format!("{}\n{}", every_host(&one, ""), of_host(&one)));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    let ran = folder.run(&format!("{}\n{}", every_host(&other, ""), of_host(&one)));
    assert_web_failed("another port", &ran, 4, "certificate");
    // A mirror is a host of its own.
    let mirror = |keys: &str| {
        format!("- {{host: registry.example, mirrors: ['{}/registry.example']{keys}}}", one.url())
    };
    let origin = every_host(&other, ", caFile: ca.pem");
    let asked = one.requests().len();
    let ran = folder.run(&format!("{}\n{origin}", mirror(", caFile: ca.pem")));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    assert_eq!((one.requests().len(), other.requests().len()), (asked, 1));
    let ran = folder.run(&format!("{}\n{}\n{origin}", mirror(""), of_host(&one)));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    assert_eq!((one.requests().len(), other.requests().len()), (asked + 1, 1));
}

#[test]
fn the_authority_of_an_entry_vouches_for_the_realm_of_its_host() {
    let authority = Authority::new();
    let start = |content| Registry::start_behind(content, &authority, authority.server(&ALL, None));
    let realm = start(Content::everything().with_tokens(TokenRules::default()));
    let challenge = format!("Bearer realm=\"{}/token\"", realm.url());
    let asks = Misbehaviour::Status(401, vec![("www-authenticate", challenge)], String::new());
    let registry = start(Content::everything().with_fault(Fault::on("acme/web", asks).times(1)));
    let folder = Folder::new(&[("ca.pem", authority.pem())]);
    let ran = folder.run(&every_host(&registry, ", caFile: ca.pem"));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    assert_eq!(realm.requests_to("token"), 1);
}

#[test]
fn the_client_certificate_of_an_entry_is_sent_to_its_host_alone() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let closed = || {
        let server = authority.server(&ALL, Some(&clients));
        Registry::start_behind(Content::everything(), &authority, server)
    };
    let [one, other] = [closed(), closed()];
    let signed = clients.client();
    let folder = Folder::new(&[
        ("ca.pem", authority.pem()),
        ("c.pem", &signed.certificate),
        ("k.pem", &signed.key),
    ]);
    let identity = "clientCert: c.pem, clientKey: k.pem";
    let ran = folder.run(&every_host(&one, ", caFile: ca.pem"));
    assert_web_failed("none", &ran, 4, "the registry asks for a certificate");
    let ran = folder.run(&every_host(&one, &format!(", caFile: ca.pem, {identity}")));
    assert_eq!(ran.succeeded(), pinned([WEB]));
    let of_one = format!("- {{host: '{}', {identity}}}", one.address());
    let ran = folder.run(&format!("{of_one}\n{}", every_host(&one, ", caFile: ca.pem")));
    assert_eq!(ran.succeeded(), pinned([WEB]), "what several entries name for a host adds up");
    let ran = folder.run(&format!("{of_one}\n{}", every_host(&other, ", caFile: ca.pem")));
    assert_web_failed("another host", &ran, 4, "the registry asks for a certificate");
    assert!(other.requests().is_empty());
}

// The messages of the system, and its paths, are other ones on Windows.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_used_is_status_2_with_its_key_and_place() {
    let authority = Authority::new();
    let server = authority.server(&ALL, None);
    let registry = Registry::start_behind(Content::everything(), &authority, server);
    let [one, two] = [authority.client(), authority.client()];
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let folder = Folder::new(&[
        ("ca.pem", authority.pem()),
        ("c.pem", &one.certificate),
        ("k.pem", &one.key),
        ("other.pem", &two.key),
        ("text", &format!("{SECRET}\n")),
        ("broken", broken),
        ("auths", &json!({ "auths": { "a.io": { "auth": SECRET } } }).to_string()),
    ]);
    fs::create_dir(folder.0.path().join("folder")).expect("writable");
    for (keys, key, file, words) in [
        ("caFile: nowhere.pem", "caFile", "nowhere.pem", "No such file"),
        ("caFile: folder", "caFile", "folder", "Is a directory"),
        ("caFile: text", "caFile", "text", "it holds no PEM certificate"),
        ("caFile: auths", "caFile", "auths", "it holds no PEM certificate"),
        ("caFile: k.pem", "caFile", "k.pem", "it holds no PEM certificate"),
        ("caFile: broken", "caFile", "broken", "certificate 1 of 1 can't be read"),
        ("clientCert: gone, clientKey: k.pem", "clientCert", "gone", "No such file"),
        ("clientKey: gone, clientCert: c.pem", "clientKey", "gone", "No such file"),
        ("clientCert: text, clientKey: k.pem", "clientCert", "text", "no PEM certificate"),
        ("clientKey: text, clientCert: c.pem", "clientKey", "text", "it holds no PEM key"),
        (
            "clientKey: other.pem, clientCert: c.pem",
            "clientKey",
            "other.pem",
            "the key of `clientKey` is not the one of `clientCert`",
        ),
    ] {
        let entry = every_host(&registry, &format!(", {keys}"));
        let said = folder.run(&entry).failed(2);
        let path = folder.0.path().join(file);
        let message = format!("the configuration is wrong: `{key}: {}`: ", path.display());
        assert!(said.contains(&message) && said.contains(words), "{keys}: {said}");
        let before = format!("{key}: ");
        let column = entry.find(&before).expect("it is in the entry") + before.len() + 1;
        let place = format!("{}:4:{column}\n", folder.0.path().join("own.yaml").display());
        assert!(said.contains(&place), "no `{place}` in\n{said}");
    }
    for (keys, words) in [
        ("clientCert: c.pem", "`clientCert` needs `clientKey`, the file with its key"),
        ("clientKey: k.pem", "`clientKey` needs `clientCert`, the file with its certificate"),
        ("caFile: ''", "`caFile` names no file"),
        ("clientCert: ' ', clientKey: k.pem", "`clientCert` names no file"),
    ] {
        let said = folder.run(&every_host(&registry, &format!(", {keys}"))).failed(2);
        assert!(said.contains(words) && said.contains("own.yaml:4:"), "{keys}: {said}");
    }
    let said = folder.run("- {host: '*', caFile: ca.pem, mirrors: ['https://b.io']}").failed(2);
    assert!(said.contains("certificates need the name of one host, or a `url`"), "{said}");
    assert_eq!(registry.connections(), 0);
}
