//! Client certificates: shown to registries that ask for one, and checked before anybody is asked.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::registry::{Content, Registry};
use crate::support::tls::{Authority, Signed};
use crate::support::{Ran, command, digestif, finish, for_every_host, start};
use crate::{WEB, assert_web_failed, lines, pinned, pods};

const ALL: [&str; 2] = ["h2", "http/1.1"];

/// A registry that asks for a certificate, and what opens it.
struct Closed {
    registry: Registry,
    clients: Authority,
    folder: TempDir,
}

impl Closed {
    fn start(protocols: &[&str]) -> Self {
        let (authority, clients) = (Authority::new(), Authority::new());
        let server = authority.server(protocols, Some(&clients));
        let registry = Registry::start_behind(Content::everything(), &authority, server);
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("ca.pem"), registry.ca_pem()).expect("writable");
        Self { registry, clients, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("writable");
        self.path(name).display().to_string()
    }

    /// The flags that name these two files.
    fn identity(&self, signed: &Signed) -> [String; 2] {
        let certificate = self.write("cert.pem", &signed.certificate);
        let key = self.write("key.pem", &signed.key);
        [format!("--client-cert={certificate}"), format!("--client-key={key}")]
    }

    fn run(&self, flags: &[impl AsRef<str>]) -> Ran {
        let own = [
            for_every_host(&self.registry),
            format!("--ca-file={}", self.path("ca.pem").display()),
        ];
        digestif(own.iter().map(String::as_str).chain(flags.iter().map(AsRef::as_ref)), pods([WEB]))
    }
}

#[test]
fn a_registry_that_asks_for_a_certificate_is_shown_one() {
    for protocols in [&ALL[..], &["http/1.1"], &[]] {
        let closed = Closed::start(protocols);
        let flags = closed.identity(&closed.clients.client());
        assert_eq!(closed.run(&flags).succeeded(), pinned([WEB]), "{protocols:?}");
        assert_eq!(lines(&closed.registry).len(), 1);
    }
}

#[test]
fn variables_name_a_certificate_too() {
    let closed = Closed::start(&ALL);
    let signed = closed.clients.client();
    let mut command = command([for_every_host(&closed.registry)]);
    command
        .env("DIGESTIF_CA_FILE", closed.path("ca.pem"))
        .env("DIGESTIF_CLIENT_CERT", closed.write("cert.pem", &signed.certificate))
        .env("DIGESTIF_CLIENT_KEY", closed.write("key.pem", &signed.key));
    let ran = finish(start(&mut command), pods([WEB]).as_bytes());
    assert_eq!(ran.succeeded(), pinned([WEB]));
}

#[test]
fn a_certificate_and_its_key_may_be_in_one_file() {
    let closed = Closed::start(&ALL);
    let signed = closed.clients.client();
    let both = closed.write("both.pem", &format!("{}{}", signed.key, signed.certificate));
    let flags = [format!("--client-cert={both}"), format!("--client-key={both}")];
    assert_eq!(closed.run(&flags).succeeded(), pinned([WEB]));
}

#[test]
fn a_registry_that_asks_for_another_certificate_is_status_4_at_once() {
    for protocols in [&ALL[..], &["http/1.1"]] {
        let closed = Closed::start(protocols);
        let stranger = closed.identity(&Authority::new().client());
        for (name, flags, words) in [
            ("none", &[][..], "the registry asks for a certificate (CertificateRequired)"),
            ("another's", &stranger, "the registry refuses our certificate ("),
        ] {
            let before = closed.registry.connections();
            let ran = closed.run(flags);
            assert_web_failed(name, &ran, 4, words);
            assert!(
                ran.stderr.contains("name one that the registry trusts, with `--client-cert`"),
                "{}",
                ran.stderr
            );
            assert_eq!(closed.registry.connections() - before, 1, "asking again is no use");
        }
        assert!(closed.registry.requests().is_empty());
    }
}

#[test]
fn what_is_no_certificate_and_key_is_status_2() {
    let closed = Closed::start(&ALL);
    let [one, other] = [closed.clients.client(), closed.clients.client()];
    let certificate = closed.write("cert.pem", &one.certificate);
    let key = closed.write("key.pem", &one.key);
    let others = closed.write("other.pem", &other.key);
    let text = closed.write("text", "no PEM");
    let encrypted = closed.write("encrypted", &one.key.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let old = closed.write("old", old);
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let broken = closed.write("broken", broken);
    for (certificate, key, words) in [
        (&certificate, &others, "the key of `--client-key` is not the one of `--client-cert`"),
        (&certificate, &"/nowhere".to_owned(), "`--client-key /nowhere`: No such file"),
        (&"/nowhere".to_owned(), &key, "`--client-cert /nowhere`: No such file"),
        (&certificate, &text, "it holds no PEM key"),
        (&text, &key, "it holds no PEM certificate"),
        (&key, &key, "it holds no PEM certificate"),
        (&certificate, &certificate, "it holds no PEM key"),
        (&certificate, &encrypted, "the key is encrypted; `openssl pkey -in FILE` decrypts it"),
        (&certificate, &old, "the key is encrypted; `openssl pkey -in FILE` decrypts it"),
        (&certificate, &broken, "the key can't be read, or is of a kind that can't be used"),
    ] {
        let flags = [format!("--client-cert={certificate}"), format!("--client-key={key}")];
        let said = closed.run(&flags).failed(2);
        assert!(said.contains(words), "{words}: {said}");
    }
    for flag in ["--client-cert", "--client-key"] {
        let said = closed.run(&[format!("{flag}={certificate}")]).failed(2);
        assert!(said.contains("--client-cert <FILE>") && said.contains("--client-key"), "{said}");
    }
    assert!(closed.registry.requests().is_empty());
}
