//! Real programs around digestif: Helm, crane and the reference registry over TLS with a CA of our
//! own. `scripts/test` builds them and says in `DIGESTIF_TEST_CLIENTS` where they are.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::judge::changes;
use support::{clients, digestif, testdata};
use tempfile::TempDir;

/// The reference registry, serving over TLS from a temporary folder until it is dropped.
struct RealRegistry {
    process: Child,
    address: String,
    clients: PathBuf,
    folder: TempDir,
}

impl RealRegistry {
    fn start(clients: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        certificates(&folder);
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:0', tls: {{certificate: {}, key: {}}}}}\n",
            path("storage"),
            path("cert.pem"),
            path("key.pem"),
        );
        fs::write(folder.path().join("config.yml"), config).expect("writable");
        let mut process = Command::new(clients.join("registry"))
            .args(["serve", &path("config.yml")])
            .env("OTEL_TRACES_EXPORTER", "none")
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
        // Nobody reads on, so the rest of the log must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, address: format!("localhost:{port}"), clients, folder }
    }

    fn ca_file(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// Runs crane, and gives back what it printed, without the line break.
    fn crane(&self, args: &[&str]) -> String {
        let output = Command::new(self.clients.join("crane"))
            .args(args)
            .env("SSL_CERT_FILE", self.ca_file())
            .output()
            .expect("scripts/clients built it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("crane prints text").trim_end().to_owned()
    }

    /// Pushes the images of the quick start, each a real index of two platforms, under these
    /// names; gives back the digest that crane says each has.
    fn fill(&self, images: &[&str]) -> BTreeMap<String, String> {
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

    fn helm(&self, args: &[&str]) -> String {
        let output = Command::new(self.clients.join("helm3"))
            .args(args)
            .output()
            .expect("scripts/clients built it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("manifests are text")
    }

    fn flags(&self) -> [String; 2] {
        let registry = format!("--registry=*=https://{}/{{host}}", self.address);
        [registry, format!("--ca-file={}", self.ca_file())]
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it was started");
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

/// The chart's images as it writes them, with the name under which the registry has them.
const GATEWAY: [(&str, &str); 4] = [
    ("docker.io/clastix/kubectl:v1.32", "docker.io/clastix/kubectl:v1.32"),
    ("docker.io/traefik:v3.5.3", "docker.io/library/traefik:v3.5.3"),
    ("busybox:1.37.0", "docker.io/library/busybox:1.37.0"),
    ("curlimages/curl:8.15.0", "docker.io/curlimages/curl:8.15.0"),
];

#[test]
fn a_chart_is_pinned_to_the_digests_that_crane_says() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start(clients);
    let digests = registry.fill(&GATEWAY.map(|(_, name)| name));
    let chart = testdata("charts/gateway").display().to_string();
    let template =
        ["template", "edge", &chart, "--namespace=gateway-system", "--kube-version=1.32.0"];
    let rendered = registry.helm(&template);

    let pinned = digestif(registry.flags(), &rendered).succeeded();
    let mut found = changes(&rendered, &pinned);
    found.sort();
    let mut expected: Vec<_> = GATEWAY
        .iter()
        .map(|(written, name)| ((*written).to_owned(), format!("{written}@{}", digests[*name])))
        .collect();
    expected.sort();
    assert_eq!(found, expected);

    let [registry_flag, ca_file] = registry.flags();
    let args = [
        format!("--post-renderer={}", env!("CARGO_BIN_EXE_digestif")),
        format!("--post-renderer-args={registry_flag}"),
        format!("--post-renderer-args={ca_file}"),
    ];
    let post_rendered = registry
        .helm(&template.into_iter().chain(args.iter().map(String::as_str)).collect::<Vec<_>>());
    let by_helm: Vec<_> =
        changes(&rendered, &post_rendered).into_iter().map(|change| change.0).collect();
    let hooks = ["docker.io/clastix/kubectl:v1.32", "curlimages/curl:8.15.0"];
    assert_eq!(by_helm.len() + hooks.len(), expected.len(), "Helm 3 shows us no hooks");
    assert!(!by_helm.iter().any(|image| hooks.contains(&image.as_str())));
}

#[test]
fn what_the_real_registry_does_not_have_is_absent() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start(clients);
    registry.fill(&["docker.io/library/web:1"]);
    let manifest = "kind: Pod\nspec: {containers: [{image: 'web:2'}, {image: 'shop:1'}]}\n";
    let said = digestif(registry.flags(), manifest).failed(1);
    assert!(said.contains("`docker.io/library/web:2` does not exist"), "{said}");
    assert!(said.contains("`docker.io/library/shop:1` does not exist"), "{said}");
    assert_eq!(said.matches("code MANIFEST_UNKNOWN").count(), 2, "{said}");
}

#[test]
fn content_is_verified_against_the_real_registry() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start(clients);
    let digests = registry.fill(&["docker.io/library/web:1"]);
    let manifest = "kind: Pod\nspec: {containers: [{image: 'web:1'}]}\n";
    let [registry_flag, ca_file] = registry.flags();
    let pinned = digestif([&registry_flag, &ca_file, "--verify-content"], manifest).succeeded();
    let digest = &digests["docker.io/library/web:1"];
    assert_eq!(pinned, manifest.replace("web:1", &format!("web:1@{digest}")));
}
