//! The reference registry itself, over TLS: with a password, as a pull-through cache of another
//! registry, and with the repositories of other hosts below their names.

#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::accounts::{auth, base64, password};
use support::distribution::{RealRegistry, USER};
use support::{Ran, clients, command, digestif, finish, start};
use tempfile::TempDir;

const IMAGE: &str = "team/web:1";

/// Runs digestif on a Pod with [`IMAGE`]. A folder is its home.
fn run(registry: &RealRegistry, home: &Path, before: &str) -> Ran {
    let ca_file = format!("--ca-file={}", registry.ca_file());
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = command([ca_file]);
    command.env("HOME", home).env("PATH", format!("{}:{path}", home.display()));
    finish(start(&mut command), (before.to_owned() + &pod(registry, "")).as_bytes())
}

fn pod(registry: &RealRegistry, digest: &str) -> String {
    let image = format!("{}/{IMAGE}{digest}", registry.address);
    format!("---\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n")
}

fn home(file: &Value) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(home.path().join(".docker")).expect("writable");
    fs::write(home.path().join(".docker/config.json"), file.to_string()).expect("writable");
    home
}

#[test]
fn the_real_registry_accepts_the_right_password() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start_closed(clients);
    let digest = format!("@{}", registry.fill(&[IMAGE])[IMAGE]);
    let entry = |user: &str| json!({ "auths": { &*registry.address: { "auth": auth(user) } } });

    let with_auths = home(&entry(USER));
    assert_eq!(run(&registry, with_auths.path(), "").succeeded(), pod(&registry, &digest));

    let with_helper = home(&json!({ "credHelpers": { &*registry.address: "test" } }));
    let program = with_helper.path().join("docker-credential-test");
    let answer = json!({ "ServerURL": "x", "Username": USER, "Secret": password(USER) });
    // The CA is trusted for this registry only. A child process writes the file, so that no other
    // process has it open when it runs.
    let script = format!(
        "#!/bin/sh\nread -r server\n[ \"$1 $server\" = 'get {}' ] || exit 1\necho '{answer}'\n",
        registry.address
    );
    let written = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$0\" && chmod +x \"$0\""])
        .args([program.as_os_str(), script.as_ref()])
        .status();
    assert!(written.expect("every Unix has it").success());
    assert_eq!(run(&registry, with_helper.path(), "").succeeded(), pod(&registry, &digest));

    let nobody = home(&json!({}));
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: pull}}\ntype: kubernetes.io/dockerconfigjson\ndata: {{.dockerconfigjson: {}}}\n",
        base64(entry(USER).to_string())
    );
    let stdout = run(&registry, nobody.path(), &secret).succeeded();
    assert_eq!(stdout, secret + &pod(&registry, &digest));

    for (home, words) in [
        (nobody, "(denied: 401 Unauthorized from localhost:"),
        (home(&entry("bob")), "/.docker/config.json is refused)"),
    ] {
        let said = run(&registry, home.path(), "").failed(6);
        assert!(said.contains(words), "{said}");
    }
}

/// A registry that has [`IMAGE`], and an empty cache of that registry.
struct Cached {
    origin: RealRegistry,
    cache: RealRegistry,
    /// The digest of [`IMAGE`], with `@` before it.
    digest: String,
    folder: TempDir,
}

impl Cached {
    fn start(clients: std::path::PathBuf) -> Self {
        let origin = RealRegistry::start(clients);
        let cache = RealRegistry::start_cache(&origin);
        let digest = format!("@{}", origin.fill(&[IMAGE])[IMAGE]);
        Self { origin, cache, digest, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Runs digestif with these `registries`. It trusts the certificates of both.
    fn run(&self, registries: &[String], flags: &[&str], stream: &str) -> Ran {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let authorities = [&self.origin, &self.cache];
        let authorities = authorities.map(|one| fs::read_to_string(one.ca_file()).expect("a CA"));
        fs::write(path("ca.pem"), authorities.concat()).expect("writable");
        let config = format!(
            "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nregistries:\n- {}\n",
            registries.join("\n- ")
        );
        fs::write(path("digestif.yaml"), config).expect("writable");
        let own = [
            format!("--ca-file={}", path("ca.pem")),
            format!("--config={}", path("digestif.yaml")),
            "--retries=0".to_owned(),
        ];
        digestif(own.iter().map(String::as_str).chain(flags.iter().copied()), stream)
    }

    /// A configuration with the cache as a mirror of the origin.
    fn as_mirror(&self) -> [String; 1] {
        let (origin, cache) = (&self.origin.address, &self.cache.address);
        [format!("{{host: '{origin}', mirrors: ['https://{cache}']}}")]
    }

    /// A configuration with the cache as the URL of a registry. It does not say that this is a
    /// cache.
    fn as_replacement(&self) -> String {
        format!("{{host: registry.example, url: 'https://{}'}}", self.cache.address)
    }

    /// A configuration that also says that this is a cache.
    fn as_cache(&self) -> String {
        format!("{{host: '{}', cache: true}}", self.cache.address)
    }
}

fn pod_at(host: &str, image: &str) -> String {
    format!("---\nkind: Pod\nspec: {{containers: [{{image: '{host}/{image}'}}]}}\n")
}

#[test]
fn a_404_of_a_real_mirror_is_never_proof_of_absence() {
    let Some(clients) = clients() else { return };
    let mut cached = Cached::start(clients);
    let (address, digest) = (cached.origin.address.clone(), cached.digest.clone());
    let (mirror, stream) = (cached.as_mirror(), pod_at(&address, IMAGE));
    let expected = pod_at(&address, &format!("{IMAGE}{digest}"));
    assert_eq!(cached.run(&mirror, &[], &stream).succeeded(), expected);

    let absent = pod_at(&address, "team/web:2");
    let said = cached.run(&mirror, &[], &absent).failed(1);
    assert!(
        said.contains(&format!("404 Not Found from {address}, code MANIFEST_UNKNOWN")),
        "{said}"
    );
    assert!(!said.contains("passed over"), "{said}");
    let ran = cached.run(&mirror, &["--fallback=2=1"], &absent);
    assert_eq!(ran.succeeded(), expected);

    cached.origin.stop();
    // The cache already has this image, and not the other one.
    assert_eq!(cached.run(&mirror, &[], &stream).succeeded(), expected);
    cached.run(&mirror, &["--fallback=2=1"], &absent).failed(4);
    cached.cache.stop();
    let said = cached.run(&mirror, &[], &stream).failed(4);
    assert!(said.contains(&format!("the mirror `{}` was skipped", cached.cache.address)));
}

#[test]
fn a_404_of_a_configured_real_cache_is_no_proof_of_absence() {
    let Some(clients) = clients() else { return };
    let mut cached = Cached::start(clients);
    let (stream, absent) =
        (pod_at("registry.example", IMAGE), pod_at("registry.example", "team/web:2"));
    let expected = pod_at("registry.example", &format!("{IMAGE}{}", cached.digest));
    let not_called = [cached.as_replacement()];
    let called = [cached.as_replacement(), cached.as_cache()];
    for registries in [&called[..], &not_called] {
        assert_eq!(cached.run(registries, &[], &stream).succeeded(), expected);
    }
    let fallback = &["--fallback=2=1"][..];
    for stop in [false, true] {
        if stop {
            cached.origin.stop();
        }
        let said = cached.run(&called, fallback, &absent).failed(4);
        assert!(said.contains("code MANIFEST_UNKNOWN, which is a cache"), "{said}");
        // The key `cache` is needed for this: the cache's 404 looks the same as the 404 of any
        // other registry.
        assert_eq!(cached.run(&not_called, fallback, &absent).succeeded(), expected);
    }
}

#[test]
fn a_real_mirror_that_wants_a_password_is_skipped() {
    let Some(clients) = clients() else { return };
    let origin = RealRegistry::start(clients.clone());
    let digest = format!("@{}", origin.fill(&[IMAGE])[IMAGE]);
    let cache = RealRegistry::start_closed(clients);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cached = Cached { origin, cache, digest, folder };
    let stream = pod_at(&cached.origin.address, IMAGE);
    let ran = cached.run(&cached.as_mirror(), &[], &stream);
    let note = format!("warning: the mirror `{}` was skipped: 401", cached.cache.address);
    assert!(ran.stderr.contains(&note), "{}", ran.stderr);
    let expected = pod_at(&cached.origin.address, &format!("{IMAGE}{}", cached.digest));
    assert_eq!(ran.succeeded(), expected);
}

#[test]
fn the_images_of_every_host_may_be_below_the_hosts_name() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start_closed(clients);
    let images = ["docker.io/library/nginx:1", "quay.io/acme/web:2"];
    let digests = registry.fill(&images);
    let stream = pod_at("docker.io", "library/nginx:1").replace("docker.io/library/", "")
        + &pod_at("quay.io", "acme/web:2");
    let expected = stream
        .replace("nginx:1", &format!("nginx:1@{}", digests[images[0]]))
        .replace("web:2", &format!("web:2@{}", digests[images[1]]));
    let address = &registry.address;
    let key = |path: &str| format!("{address}{path}");
    for (logins, status, idle) in [
        (&[(key(""), USER)][..], 0, None),
        // The most specific entry wins. If it fails, the others are tried.
        (&[(key("/docker.io"), USER), (key("/quay.io/acme"), USER), (key(""), "bob")], 0, None),
        (&[(key("/docker.io"), "bob"), (key(""), USER)], 0, Some("/docker.io")),
        // An entry with a path matches only repositories below the path.
        (&[(key("/docker.io"), USER)], 6, None),
        (&[(key("/docker.io/library"), USER), (key("/quay"), USER)], 6, None),
        // The requests go to another host than the one in the reference.
        (&[("docker.io".to_owned(), USER), ("quay.io".to_owned(), USER)], 6, None),
    ] {
        let auths = logins.iter().map(|(key, user)| (key.clone(), json!({ "auth": auth(user) })));
        let auths: serde_json::Map<_, _> = auths.collect();
        let home = home(&json!({ "auths": auths }));
        let mut command = command(registry.flags());
        let ran = finish(start(command.env("HOME", home.path())), stream.as_bytes());
        let stdout = if status == 0 { expected.as_str() } else { "" };
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (status, stdout),
            "{logins:?} {}",
            ran.stderr
        );
        let warning = "warning: a login did not work: the login for ";
        assert_eq!(ran.stderr.contains(warning), idle.is_some(), "{}", ran.stderr);
        if let Some(path) = idle {
            assert!(ran.stderr.contains(&format!("{warning}{address}{path} from ")));
        }
    }
}
