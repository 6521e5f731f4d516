//! Folders with the certificates of single hosts, as docker, podman and skopeo read them.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::tls::Authority;
use crate::support::{Ran, command, finish, for_every_host, start};
use crate::{WEB, assert_web_failed, pinned, pods};

const ALL: [&str; 2] = ["h2", "http/1.1"];

/// The home of somebody who has certificates for some hosts.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn write(&self, registry: &Registry, name: &str, text: &str) -> PathBuf {
        let folder = self.0.path().join(".config/containers/certs.d").join(registry.address());
        fs::create_dir_all(&folder).expect("writable");
        fs::write(folder.join(name), text).expect("writable");
        folder.join(name)
    }

    /// Runs digestif on [`WEB`], with this registry in the place of every other.
    fn run(&self, registry: &Registry) -> Ran {
        let mut command = command([for_every_host(registry).as_str(), "--retries=0"]);
        command.env("HOME", self.0.path());
        finish(start(&mut command), pods([WEB]).as_bytes())
    }
}

#[test]
fn a_host_s_own_authority_is_trusted_for_it_alone() {
    let authority = Authority::new();
    let [one, other] = [0, 1].map(|_| {
        Registry::start_behind(Content::everything(), &authority, authority.server(&ALL, None))
    });
    let home = Home::new();
    home.write(&one, "ca.crt", authority.pem());
    home.write(&one, "README", "no certificate");
    assert_eq!(home.run(&one).succeeded(), pinned([WEB]));
    assert_web_failed("another port", &home.run(&other), 4, "certificate");
}

#[test]
fn the_authority_of_a_registry_vouches_for_its_realm() {
    let authority = Authority::new();
    let start = |content| Registry::start_behind(content, &authority, authority.server(&ALL, None));
    let realm = start(Content::everything().with_tokens(TokenRules::default()));
    let challenge = format!("Bearer realm=\"{}/token\"", realm.url());
    let asks = Misbehaviour::Status(401, vec![("www-authenticate", challenge)], String::new());
    let registry = start(Content::everything().with_fault(Fault::on("acme/web", asks).times(1)));
    let home = Home::new();
    home.write(&registry, "ca.crt", authority.pem());
    assert_eq!(home.run(&registry).succeeded(), pinned([WEB]));
    assert_eq!(realm.requests_to("token"), 1);
}

#[test]
fn the_certificate_that_a_registry_asks_for_is_sent() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = authority.server(&ALL, Some(&clients));
    let registry = Registry::start_behind(Content::everything(), &authority, server);
    let home = Home::new();
    home.write(&registry, "ca.crt", authority.pem());
    assert_web_failed("none", &home.run(&registry), 4, "the registry asks for a certificate");
    // The first by name is not the one that the registry asks for.
    for (name, signed) in [("a", Authority::named("another CA").client()), ("b", clients.client())]
    {
        home.write(&registry, &format!("{name}.cert"), &signed.certificate);
        home.write(&registry, &format!("{name}.key"), &signed.key);
    }
    assert_eq!(home.run(&registry).succeeded(), pinned([WEB]));
}

#[test]
fn a_file_that_cannot_be_used_is_status_2_and_named() {
    let authority = Authority::new();
    let server = || authority.server(&ALL, None);
    let registry = Registry::start_behind(Content::everything(), &authority, server());
    let other = Registry::start_behind(Content::everything(), &authority, server());
    let [one, two] = [authority.client(), authority.client()];
    for (files, wrong, words) in [
        (&[("ca.crt", "text")][..], "ca.crt", "it holds no PEM certificate"),
        (&[("a.cert", &*one.certificate)], "a.cert", "its key, a `.key` file, is missing"),
        (
            &[("a.key", &one.key)],
            "a.key",
            "the certificate of this key, a `.cert` file, is missing",
        ),
        (&[("a.cert", &one.certificate), ("a.key", &two.key)], "a.key", "it is not the key of `"),
        (&[("a.cert", "text"), ("a.key", &one.key)], "a.cert", "it holds no PEM certificate"),
        (&[("a.cert", &one.certificate), ("a.key", "text")], "a.key", "it holds no PEM key"),
    ] {
        let home = Home::new();
        let written: Vec<_> =
            files.iter().map(|(name, text)| home.write(&registry, name, text)).collect();
        let file = written.iter().find(|path| path.ends_with(wrong)).expect("it is written");
        let words = format!("`{}`: {words}", file.display());
        assert_web_failed(wrong, &home.run(&registry), 2, &words);
        // Nobody reads the files of other hosts.
        home.write(&other, "ca.crt", authority.pem());
        assert_eq!(home.run(&other).succeeded(), pinned([WEB]));
    }
    assert!(registry.requests().is_empty());
}
