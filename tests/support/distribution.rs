//! The reference registry itself: a separate process, over TLS with a test CA.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::accounts::auth;
use super::testdata;

/// The user of a registry with a password.
pub const USER: &str = "ann";

/// The bcrypt hash of the password of [`USER`].
const HASH: &str = "$2a$05$abcdefghijklmnopqrstuu09OicbM2J/ivs.wY9urClg8.V9.F442";

/// The reference registry, serving over TLS from a temporary folder until it is dropped.
pub struct RealRegistry {
    process: Child,
    /// `localhost:PORT`.
    pub address: String,
    /// The folder with the clients.
    pub clients: PathBuf,
    folder: TempDir,
}

impl RealRegistry {
    /// A registry that is open to everyone.
    pub fn start(clients: PathBuf) -> Self {
        Self::launch(clients, "", &[])
    }

    /// A registry that requires the password of [`USER`].
    pub fn start_closed(clients: PathBuf) -> Self {
        let realm = "auth: {htpasswd: {realm: x, path: FOLDER/htpasswd}}";
        Self::launch(clients, realm, &[("htpasswd", format!("{USER}:{HASH}\n"))])
    }

    /// A pull-through cache of another registry.
    pub fn start_cache(origin: &Self) -> Self {
        let ca = fs::read_to_string(origin.ca_file()).expect("readable");
        let config = format!("proxy: {{remoteurl: 'https://{}'}}", origin.address);
        Self::launch(origin.clients.clone(), &config, &[("trusted.pem", ca)])
    }

    /// Starts a registry with these additions to its configuration, and these files in its folder.
    fn launch(clients: PathBuf, more: &str, files: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        certificates(&folder);
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:0', tls: {{certificate: {}, key: {}}}}}\n",
            path("storage"),
            path("cert.pem"),
            path("key.pem"),
        );
        for (name, text) in files {
            fs::write(path(name), text).expect("writable");
        }
        config.push_str(&more.replace("FOLDER", &folder.path().display().to_string()));
        fs::write(folder.path().join("config.yml"), config).expect("writable");
        let mut process = Command::new(clients.join("registry"))
            .args(["serve", &path("config.yml")])
            .env("OTEL_TRACES_EXPORTER", "none")
            .env("SSL_CERT_FILE", path("trusted.pem"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("scripts/clients built it");
        let mut log = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut seen = String::new();
        let port = loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("the log is text");
            assert!(read > 0, "the registry ended before it listened:\n{seen}");
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                break rest.chars().take_while(char::is_ascii_digit).collect::<String>();
            }
            seen.push_str(&line);
        };
        // A thread reads the rest of the log, so that the pipe does not fill up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let address = format!("localhost:{port}");
        // crane needs this login if the registry has a password.
        let login = json!({ "auths": { &*address: { "auth": auth(USER) } } });
        fs::write(folder.path().join("config.json"), login.to_string()).expect("writable");
        Self { process, address, clients, folder }
    }

    /// The file with the CA's certificate.
    pub fn ca_file(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// Stops the registry before it is dropped.
    pub fn stop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it was started");
    }

    /// Runs crane and returns its output without the line break.
    pub fn crane(&self, args: &[&str]) -> String {
        let output = Command::new(self.clients.join("crane"))
            .args(args)
            .env("SSL_CERT_FILE", self.ca_file())
            .env("DOCKER_CONFIG", self.folder.path())
            .output()
            .expect("scripts/clients built it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("crane prints text").trim_end().to_owned()
    }

    /// Pushes the images of the quick start, each a real index of two platforms, under these names.
    /// Returns the digest that crane prints for each.
    pub fn fill(&self, images: &[&str]) -> BTreeMap<String, String> {
        let seed = format!("{}/seed/all", self.address);
        let layout = testdata("quickstart/images");
        self.crane(&[
            "push",
            "--index",
            layout.to_str().expect("a plain path"),
            &format!("{seed}:1"),
        ]);
        let index = fs::read(layout.join("index.json")).expect("readable");
        let index: serde_json::Value = serde_json::from_slice(&index).expect("valid");
        let manifests = index["manifests"].as_array().expect("a list").iter().cycle();
        let mut digests = BTreeMap::new();
        for (image, manifest) in images.iter().zip(manifests) {
            let digest = manifest["digest"].as_str().expect("a text");
            let name = format!("{}/{image}", self.address);
            self.crane(&["copy", &format!("{seed}@{digest}"), &name]);
            digests.insert((*image).to_owned(), self.crane(&["digest", &name]));
        }
        digests
    }

    /// The flags that replace every other registry by this one.
    pub fn flags(&self) -> [String; 2] {
        let registry = format!("--registry=*=https://{}/{{host}}", self.address);
        [registry, format!("--ca-file={}", self.ca_file())]
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A CA, and a certificate for `localhost`.
fn certificates(folder: &TempDir) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("random numbers");
    let ca = params.self_signed(&ca_key).expect("valid parameters");
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().expect("random numbers");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).expect("valid names");
    let certificate = certificate.signed_by(&key, &issuer).expect("valid parameters");
    for (name, text) in
        [("ca.pem", ca.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
    {
        fs::write(folder.path().join(name), text).expect("writable");
    }
}
