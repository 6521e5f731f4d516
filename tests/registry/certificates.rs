//! Which certificates of registries are trusted: those of the flags, the system's, and what either
//! has signed.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::support::accounts::{Account, auth, password};
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::tls::SelfSigned;
use crate::support::{Ran, command, finish, for_every_host, start};
use crate::{WEB, assert_web_failed, authorizations, pinned, pods};

const NOW: std::ops::Range<i32> = 2020..2900;

/// Who names a certificate.
#[derive(Debug, Clone, Copy)]
enum By {
    Flag,
    System,
}

/// A machine whose system trusts no authority.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("none.pem"), "").expect("writable");
        Self(folder)
    }

    /// Runs digestif on [`WEB`], with this registry in the place of every other.
    fn run(&self, registry: &Registry, trusted: Option<(By, &str)>, flags: &[&str]) -> Ran {
        let mut command = command([for_every_host(registry).as_str(), "--retries=0"]);
        command.args(flags).env("SSL_CERT_FILE", self.0.path().join("none.pem"));
        if let Some((by, pem)) = trusted {
            let file = self.0.path().join("trusted.pem");
            fs::write(&file, pem).expect("writable");
            match by {
                By::Flag => command.arg("--ca-file").arg(file),
                By::System => command.env("SSL_CERT_FILE", file),
            };
        }
        finish(start(&mut command), pods([WEB]).as_bytes())
    }
}

#[test]
fn a_named_certificate_is_trusted_if_the_registry_shows_just_that_one() {
    let machine = Machine::new();
    for is_authority in [true, false] {
        let certificate = SelfSigned::new(&["127.0.0.1"], NOW, is_authority);
        let registry = Registry::start_alone(Content::everything(), &certificate);
        for by in [By::Flag, By::System] {
            let ran = machine.run(&registry, Some((by, &certificate.pem())), &[]);
            assert_eq!(ran.succeeded(), pinned([WEB]), "{by:?} {is_authority}");
        }
        // The same names and another key.
        let other = SelfSigned::new(&["127.0.0.1"], NOW, is_authority);
        for by in [By::Flag, By::System] {
            let ran = machine.run(&registry, Some((by, &other.pem())), &[]);
            assert_web_failed("another key", &ran, 4, "certificate");
        }
    }
}

#[test]
fn a_named_certificate_has_to_be_for_the_host_and_for_today() {
    let machine = Machine::new();
    for is_authority in [true, false] {
        for (hosts, years, words) in [
            (&["registry.example"][..], NOW, "is for other names: registry.example"),
            (&[], NOW, "is for no host: it has no `subjectAltName`"),
            (&["127.0.0.1"], 2000..2001, "expired on Mon, 01 Jan 2001 00:00:00 GMT"),
            (&["127.0.0.1"], 2800..2900, "is not valid before Sat, 01 Jan 2800 00:00:00 GMT"),
        ] {
            let certificate = SelfSigned::new(hosts, years, is_authority);
            let registry = Registry::start_alone(Content::everything(), &certificate);
            for by in [By::Flag, By::System] {
                let ran = machine.run(&registry, Some((by, &certificate.pem())), &[]);
                let words = format!("the certificate of {} {words}", registry.address());
                assert_web_failed(&words, &ran, 4, &words);
                assert!(ran.stderr.contains("= help: renew the certificate"), "{}", ran.stderr);
            }
            assert!(registry.requests().is_empty());
        }
    }
}

#[test]
fn a_machine_without_authorities_fails_only_where_it_needs_them() {
    let machine = Machine::new();
    let plain = Registry::start(Content::everything());
    assert_eq!(machine.run(&plain, None, &[]).succeeded(), pinned([WEB]));
    let tls = Registry::start_tls(Content::everything());
    let ran = machine.run(&tls, Some((By::Flag, tls.ca_pem())), &[]);
    assert_eq!(ran.succeeded(), pinned([WEB]));
    let ran = machine.run(&tls, None, &[]);
    assert_web_failed("none", &ran, 4, "this machine has no CA certificates");
    assert!(ran.stderr.contains("`ca-certificates`"), "{}", ran.stderr);
}

#[test]
fn what_is_no_certificate_is_status_2() {
    let machine = Machine::new();
    let registry = Registry::start_tls(Content::everything());
    let der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let second = format!("{}{der}", registry.ca_pem());
    for (pem, words) in [
        ("", "it holds no PEM certificate"),
        ("text", "it holds no PEM certificate"),
        (der, "certificate 1 of 1 can't be read"),
        (&second, "certificate 2 of 2 can't be read"),
        (&der[..40], "a PEM section has no end"),
        ("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n", "can't be read"),
    ] {
        let said = machine.run(&registry, Some((By::Flag, pem)), &[]).failed(2);
        assert!(said.contains("`--ca-file ") && said.contains(words), "{pem}: {said}");
    }
    assert_eq!(registry.connections(), 0);
}

/// OpenSSL as a registry, whose authority has a key on the curve P-521; it ends when it is dropped.
struct OpenSsl {
    server: Child,
    port: u16,
    folder: TempDir,
}

impl OpenSsl {
    /// None if it is not installed.
    fn start(hash: &str, protocol: &str, curve: &str) -> Option<Self> {
        Self::start_with(hash, protocol, curve, "-extfile leaf.cnf -extensions leaf")
    }

    /// The same with these options for the certificate.
    fn start_with(hash: &str, protocol: &str, curve: &str, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let extensions = "[leaf]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        fs::write(folder.path().join("leaf.cnf"), extensions).expect("writable");
        let manifests = folder.path().join("v2/registry.example/acme/web/manifests");
        fs::create_dir_all(&manifests).expect("writable");
        let head = "HTTP/1.0 200 OK\r\ncontent-type: application/vnd.oci.image.index.v1+json";
        let index = r#"{"schemaVersion": 2, "manifests": []}"#;
        fs::write(manifests.join("1"), format!("{head}\r\n\r\n{index}")).expect("writable");
        let new_key = |curve| format!("-newkey ec -pkeyopt ec_paramgen_curve:{curve} -nodes");
        let [authority, own] = ["P-521", curve].map(new_key);
        for line in [
            format!("req -x509 {authority} -{hash} -subj /CN=CA -keyout ca.key -out ca.pem"),
            format!("req {own} -subj /CN=registry -keyout key.pem -out leaf.csr"),
            format!(
                "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -{hash} {options} -out cert.pem"
            ),
        ] {
            openssl(folder.path(), &line)?;
        }
        // The port is free now, and nobody else is told of it.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let line = format!(
            "s_server -accept 127.0.0.1:{port} -cert cert.pem -key key.pem -{protocol} -HTTP"
        );
        let mut server = Command::new("openssl")
            .args(line.split(' '))
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // It says `ACCEPT` when it listens.
        let mut said = Vec::new();
        let mut stdout = server.stdout.take().expect("it is piped");
        while !said.ends_with(b"ACCEPT\n") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).expect("it listens, or has said why not");
            said.extend(byte);
        }
        // What it says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Some(Self { server, port, folder })
    }

    /// Runs digestif on [`WEB`], with this registry in the place of every other.
    fn run(&self, flags: &[&str]) -> Ran {
        let registry = format!("--registry=*=https://127.0.0.1:{}/{{host}}", self.port);
        let mut command = command([registry.as_str(), "--retries=0", "--verify-content"]);
        command.arg("--ca-file").arg(self.folder.path().join("ca.pem")).args(flags);
        finish(start(&mut command), pods([WEB]).as_bytes())
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Runs a command of OpenSSL; none if it is not installed.
fn openssl(folder: &Path, line: &str) -> Option<()> {
    let ran = Command::new("openssl").args(line.split(' ')).current_dir(folder).output().ok()?;
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    Some(())
}

#[test]
fn keys_on_the_curve_p_521_are_trusted_with_every_hash() {
    for hash in ["sha256", "sha384", "sha512"] {
        for (protocol, curve, options) in [
            ("tls1_2", "P-256", ""),
            ("tls1_2", "P-521", ""),
            ("tls1_3", "P-521", ""),
            // Nothing else is used to exchange keys.
            ("tls1_2", "P-521", " -groups P-521"),
            ("tls1_2", "P-256", " -groups P-521:P-256"),
            ("tls1_3", "P-256", " -groups P-521"),
        ] {
            let protocol = format!("{protocol}{options}");
            let Some(openssl) = OpenSsl::start(hash, &protocol, curve) else {
                eprintln!("\nSKIPPED: P-521, because openssl is not installed\n");
                return;
            };
            let stdout = openssl.run(&[]).succeeded();
            assert!(stdout.contains(&format!("{WEB}@sha256:")), "{hash} {protocol}: {stdout}");
        }
    }
}

#[test]
fn a_client_certificate_may_have_a_key_on_the_curve_p_521() {
    for (protocol, without) in [
        ("tls1_2", "refuses the TLS handshake; it may ask for a client certificate"),
        ("tls1_3", "the registry asks for a certificate"),
    ] {
        let asks = format!("{protocol} -Verify 1 -verify_return_error -CAfile ca.pem");
        let Some(openssl) = OpenSsl::start("sha512", &asks, "P-521") else {
            eprintln!("\nSKIPPED: P-521, because openssl is not installed\n");
            return;
        };
        // The server's certificate has no purpose of its own, so that it will do for a client.
        let path = |name: &str| openssl.folder.path().join(name).display().to_string();
        let certificate = format!("--client-cert={}", path("cert.pem"));
        let said = openssl.run(&[]).failed(4);
        assert!(said.contains(without), "{protocol}: {said}");
        self::openssl(openssl.folder.path(), "ec -in key.pem -out sec1.pem").expect("it is there");
        for key in ["key.pem", "sec1.pem"] {
            let ran = openssl.run(&[&certificate, &format!("--client-key={}", path(key))]);
            let stdout = ran.succeeded();
            assert!(stdout.contains(&format!("{WEB}@sha256:")), "{protocol} {key}: {stdout}");
        }
        let other = format!("--client-key={}", path("ca.key"));
        let said = openssl.run(&[&certificate, &other]).failed(2);
        assert!(said.contains("is not the one of `--client-cert`"), "{said}");
    }
}

#[test]
fn a_registry_without_a_common_cipher_refuses_the_handshake() {
    // rustls has no cipher suite with CBC.
    let protocol = "tls1_2 -cipher ECDHE-ECDSA-AES128-SHA";
    let Some(openssl) = OpenSsl::start("sha256", protocol, "P-256") else {
        eprintln!("\nSKIPPED: TLS 1.2, because openssl is not installed\n");
        return;
    };
    let said = openssl.run(&[]).failed(4);
    let host = format!("127.0.0.1:{} refuses the TLS handshake", openssl.port);
    assert!(said.contains(&host), "{said}");
    assert!(said.contains("or for TLS settings that digestif does not have"), "{said}");
}

/// The flag that names this registry.
fn flag(name: &str, registry: &Registry) -> String {
    format!("{name}={}", registry.address())
}

#[test]
fn the_certificate_of_an_insecure_host_is_not_verified_and_each_run_says_so() {
    let machine = Machine::new();
    for (hosts, years) in [
        (&["127.0.0.1"][..], NOW),
        (&["registry.example"], NOW),
        (&[], NOW),
        (&["127.0.0.1"], 2000..2001),
        (&["127.0.0.1"], 2800..2900),
    ] {
        let certificate = SelfSigned::new(hosts, years, true);
        let registry = Registry::start_alone(Content::everything(), &certificate);
        let ran = machine.run(&registry, None, &[&flag("--insecure", &registry)]);
        let warning = format!("the certificate of `{}` is not verified", registry.address());
        assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
        assert_eq!(ran.succeeded(), pinned([WEB]), "{hosts:?}");
        let plain = Registry::start(Content::everything());
        let ran = machine.run(&plain, None, &[&flag("--insecure", &registry)]);
        assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    }
}

#[test]
fn the_users_configuration_names_insecure_hosts_too() {
    let machine = Machine::new();
    let ann = [Account::user("ann")];
    let registry = Registry::start_tls(Content::everything().with_basic(&ann));
    let host = registry.address();
    let logins = machine.0.path().join("config.json");
    let text = json!({ "auths": { host: { "auth": auth("ann") } } });
    fs::write(&logins, text.to_string()).expect("writable");
    let logins = format!("--auth-file={}", logins.display());
    let own = machine.0.path().join("own.yaml");
    let config = format!("--config={}", own.display());
    let write = |keys: &str| {
        let text = format!(
            "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nregistries: [{{host: '{host}', {keys}}}]\n"
        );
        fs::write(&own, text).expect("writable");
    };
    let allowed = flag("--insecure-login", &registry);
    write("insecure: true");
    let ran = machine.run(&registry, None, &[&logins, &config]);
    assert_web_failed("withheld", &ran, 6, "401");
    assert_eq!(authorizations(&registry), [None]);
    let ran = machine.run(&registry, None, &[&logins, &config, &allowed]);
    assert_eq!(ran.succeeded(), pinned([WEB]));
    write("insecure: true, insecureLogin: true");
    let ran = machine.run(&registry, None, &[&logins, &config]);
    let warning = format!("the certificate of `{host}` is not verified; logins are sent to it");
    assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned([WEB]));
}

#[test]
fn a_host_is_insecure_only_if_it_is_named() {
    let machine = Machine::new();
    let registry = Registry::start_tls(Content::everything());
    let other = Registry::start_tls(Content::everything());
    let ran = machine.run(&registry, None, &[&flag("--insecure", &other)]);
    assert_web_failed("another port", &ran, 4, "certificate");

    let path = "/v2/registry.example/acme/web/manifests/1";
    let redirect = Misbehaviour::RedirectTo(format!("{}{path}", other.url()));
    let content = Content::everything().with_fault(Fault::on("acme/web", redirect));
    let registry = Registry::start_tls(content);
    let ran = machine.run(&registry, None, &[&flag("--insecure", &registry)]);
    assert_web_failed("a redirect", &ran, 4, "certificate");
    assert!(other.requests().is_empty());
    let both = [flag("--insecure", &registry), flag("--insecure", &other)];
    let ran = machine.run(&registry, None, &[&both[0], &both[1]]);
    assert_eq!(ran.succeeded(), pinned([WEB]));
}

#[test]
fn a_certificate_that_cannot_be_read_is_accepted_from_an_insecure_host() {
    // Version 1, as `openssl x509 -req` made it until 3.0.
    let openssl = OpenSsl::start_with("sha256", "tls1_3", "P-256", "-days 2");
    let Some(openssl) = openssl else {
        eprintln!("\nSKIPPED: version 1, because openssl is not installed\n");
        return;
    };
    let host = format!("127.0.0.1:{}", openssl.port);
    let said = openssl.run(&[]).failed(4);
    assert!(said.contains("certificate"), "{said}");
    let ran = openssl.run(&[&format!("--insecure={host}")]);
    assert!(ran.succeeded().contains(&format!("{WEB}@sha256:")));
}

#[test]
fn no_login_is_sent_to_an_insecure_host_unless_a_flag_says_so() {
    let machine = Machine::new();
    let ann = [Account::user("ann")];
    let registry = Registry::start_tls(Content::everything().with_basic(&ann));
    let file = machine.0.path().join("config.json");
    let logins = json!({ "auths": { registry.address(): { "auth": auth("ann") } } });
    fs::write(&file, logins.to_string()).expect("writable");
    let logins = format!("--auth-file={}", file.display());
    let insecure = flag("--insecure", &registry);
    let allowed = flag("--insecure-login", &registry);

    let ran = machine.run(&registry, None, &[&logins, &insecure]);
    assert_web_failed("withheld", &ran, 6, "401");
    assert!(ran.stderr.contains("no login is sent to it"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&allowed.replace('=', " ")), "{}", ran.stderr);
    assert_eq!(authorizations(&registry), [None]);

    let ran = machine.run(&registry, None, &[&logins, &insecure, &allowed]);
    assert!(ran.stderr.contains("logins are sent to it"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), pinned([WEB]));

    let said = machine.run(&registry, None, &[&allowed]).failed(2);
    assert!(said.contains("does nothing without `--insecure "), "{said}");
}

#[test]
fn no_login_is_sent_to_an_insecure_realm() {
    let machine = Machine::new();
    let rules = || TokenRules { accounts: vec![Account::user("ann")], ..TokenRules::default() };
    let realm = Registry::start_tls(Content::everything().with_tokens(rules()));
    let token = Some(format!("{}/token", realm.url()));
    let content = Content::everything().with_tokens(TokenRules { realm: token, ..rules() });
    let registry = Registry::start_tls(content);
    for login in [json!({ "auth": auth("ann") }), json!({ "identitytoken": password("ann") })] {
        let file = machine.0.path().join("config.json");
        let logins = json!({ "auths": { registry.address(): login } });
        fs::write(&file, logins.to_string()).expect("writable");
        let logins = format!("--auth-file={}", file.display());
        let flags = [logins.as_str(), &flag("--insecure", &realm)];
        let ran = machine.run(&registry, Some((By::Flag, registry.ca_pem())), &flags);
        assert_web_failed("realm", &ran, 4, "no login is sent to 127.0.0.1:");
    }
    assert!(authorizations(&realm).iter().all(Option::is_none));
}
