//! The container image: what is in it, and how kustomize, kubectl and kpt run it.
//!
//! `scripts/test` sets `DIGESTIF_TEST_STATIC` to the static binary for the image, if podman can be
//! used. One image serves all tests. Its store is separate from the store of any other podman.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::registry::{Content, Registry};
use crate::support::{Ran, clients, digest_of, finish, start};
use crate::{Folder, differing, examples, layout, list, path, pinned, pod, results, run_in};

/// The name in the examples, and the default of `scripts/image`.
const NAME: &str = "localhost/digestif:dev";

/// Statics are not dropped: see [`CLEANER`].
static STORE: LazyLock<Store> = LazyLock::new(Store::new);

/// Removes the store when this process ends, for any reason.
const CLEANER: &str = r#"read -r _; rm -rf "$1""#;

/// Images, containers, and podman's configuration.
pub(crate) struct Store {
    folder: PathBuf,
    /// Owned so that its stdin stays open.
    _cleaner: Child,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let cleaner = Command::new("sh")
            .args(["-c", CLEANER, "cleaner"])
            .arg(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let at = |name: &str| folder.join(name).display().to_string();
        // vfs needs nothing of the system. Some systems have lower limits than podman's defaults.
        let storage = format!(
            "[storage]\ndriver = 'vfs'\ngraphroot = '{}'\nrunroot = '{}'\n",
            at("graph"),
            at("run")
        );
        let containers =
            "[containers]\ndefault_ulimits = ['nofile=1000:1000', 'nproc=1000:1000']\n";
        fs::write(folder.join("storage.conf"), storage).expect("writable");
        fs::write(folder.join("containers.conf"), containers).expect("writable");
        // kustomize calls podman by the name docker.
        let docker = folder.join("docker");
        fs::write(&docker, "#!/bin/sh\nexec podman \"$@\"\n").expect("writable");
        fs::set_permissions(docker, fs::Permissions::from_mode(0o755)).expect("writable");
        let store = Self { folder, _cleaner: cleaner };
        let binary = std::env::var_os("DIGESTIF_TEST_STATIC").expect("it was looked for before");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/image");
        let mut image = store.command(script);
        image.env("DIGESTIF_IMAGE_BUILDER", "podman").arg(NAME).arg(binary);
        assert_eq!(finish(start(&mut image), b"").succeeded(), format!("{NAME}\n"));
        store
    }

    /// A program that uses the store. Of the caller's environment, it has only the `PATH`.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", path([self.folder.clone()]));
        command.env("CONTAINERS_CONF", self.folder.join("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", self.folder.join("storage.conf"));
        command.env("KRM_FN_RUNTIME", "podman").env("HOME", &self.folder);
        command
    }

    fn client(&self, name: &str) -> Option<Command> {
        Some(self.command(clients()?.join(name)))
    }

    fn podman(&self, args: &[&str], stdin: &str) -> Ran {
        finish(start(self.command("podman").args(args)), stdin.as_bytes())
    }

    /// Runs the image.
    fn run(&self, options: &[&str], stdin: &str) -> Ran {
        self.podman(&[&["run", "--rm", "-i"], options, &[NAME, "-q"]].concat(), stdin)
    }
}

/// The store with the image; `None` without podman, which is a failure in CI.
pub(crate) fn store() -> Option<&'static Store> {
    if std::env::var_os("DIGESTIF_TEST_STATIC").is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "DIGESTIF_TEST_STATIC is not set; run scripts/test");
        eprintln!("SKIPPED: DIGESTIF_TEST_STATIC is not set; scripts/test sets it for root");
        return None;
    }
    Some(&STORE)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub(crate) fn registry_flag(registry: &Registry) -> String {
    format!("DIGESTIF_REGISTRY=*={}/{{host}}", registry.url())
}

/// A text with its images pinned to the digests of a loopback registry.
fn pinned_by_registry(text: &str) -> String {
    let pin = |text: String, image: &str| {
        text.replace(
            image,
            &format!("{image}@{}", digest_of(&format!("docker.io/library/{image}"))),
        )
    };
    ["nginx:1.29.1", "busybox:1.37"].into_iter().fold(text.to_owned(), pin)
}

#[test]
fn the_image_contains_only_digestif_certificates_and_the_user_nobody() {
    let Some(store) = store() else { return };
    let inspected = store.podman(&["image", "inspect", NAME], "").succeeded();
    let image: Value = serde_json::from_str(&inspected).expect("JSON");
    let config = &image[0]["Config"];
    assert_eq!(config["User"], "nobody");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/digestif"]));
    assert_eq!(config["Cmd"], serde_json::json!(["fn"]));
    let root = store.podman(&["image", "mount", NAME], "").succeeded();
    let root = Path::new(root.trim());
    let mut found = files(root);
    found.sort();
    // There is no shell, and no other program.
    let expected = ["digestif", "etc/passwd", "etc/ssl/certs/ca-certificates.crt"];
    assert_eq!(found, expected.map(|path| root.join(path)));
    let size: u64 = found.iter().map(|path| fs::metadata(path).expect("there").len()).sum();
    let whole = image[0]["Size"].as_u64().expect("a number");
    assert!(whole < size + 100_000, "{whole} {size}");
    store.podman(&["image", "unmount", NAME], "").succeeded();
}

#[test]
fn it_runs_as_the_user_nobody() {
    let Some(store) = store() else { return };
    let folder = Folder::new(&[]);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("writable");
    let volume = format!("--volume={}:/out", folder.path().display());
    store.run(&["--network=none", &volume, "--env=DIGESTIF_OUTPUT=/out/list"], &list("", ""));
    let owner = fs::metadata(folder.path().join("list")).expect("it was written").uid();
    assert_eq!(owner, 65534);
}

#[test]
fn the_image_resolves_host_names() {
    let Some(store) = store() else { return };
    let registry = Registry::start(Content::everything());
    let port = registry.address().rsplit(':').next().expect("a port").to_owned();
    for name in ["localhost", "registry.test"] {
        let flag = format!("--env=DIGESTIF_REGISTRY=*=http://{name}:{port}/{{host}}");
        let options = ["--network=host", "--add-host=registry.test:127.0.0.1", &flag];
        let ran = store.run(&options, &list(&pod("nginx:1.29.1"), ""));
        let given = ran.succeeded();
        let expected = pinned_by_registry(&list(&pod("nginx:1.29.1"), ""));
        assert!(given.starts_with(&expected), "{given}");
    }
    assert_eq!(registry.requests_to("library/nginx"), 2);
}

#[test]
fn its_certificates_are_the_trusted_ones() {
    let Some(store) = store() else { return };
    let registry = Registry::start_tls(Content::everything());
    let folder = Folder::new(&[("ca.pem", registry.ca_pem())]);
    let ca = folder.path().join("ca.pem").display().to_string();
    let flag = format!("--env={}", registry_flag(&registry));
    let text = list(&pod("nginx:1.29.1"), "");
    let options = ["--network=host", &flag];
    let ran = store.run(&options, &text);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("the registry's certificate is not trusted"), "{}", ran.stderr);
    let volume = format!("--volume={ca}:/etc/ssl/certs/ca-certificates.crt:ro");
    let given = store.run(&[&options[..], &[&volume]].concat(), &text).succeeded();
    assert!(given.starts_with(&pinned_by_registry(&text)), "{given}");
}

#[test]
fn without_network_the_error_explains_how_to_allow_it() {
    let Some(store) = store() else { return };
    let text = list(&(pod("nginx:1.29.1") + &pod("ghcr.io/acme/web:1")), "");
    let ran = store.run(&["--network=none", "--env=DIGESTIF_TIMEOUT=1"], &text);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    let message = "error: no registry can be reached: this function runs without network\n";
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "one message for both: {}", ran.stderr);
    assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
    for part in ["`network: true` below `container:`", "`--network`", "`--allow-network`"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert!(ran.stdout.starts_with(&format!("{text}results:\n")), "{}", ran.stdout);
    assert_eq!(results(&ran.stdout).len(), 2);
    // If no request is needed, the missing network is no error.
    let text = pinned(&list(&pod("nginx:1.29.1"), ""));
    assert_eq!(store.run(&["--network=none"], &text).succeeded(), text);
}

#[test]
fn kustomize_and_kubectl_run_the_example() {
    let Some(store) = store() else { return };
    let folder = examples();
    let registry = Registry::start(Content::everything());
    let flag = registry_flag(&registry);
    let volume = format!("type=bind,src={},dst=/images", layout());
    for (name, build) in [("kustomize", "build"), ("kubectl", "kustomize")] {
        let Some(mut plain) = store.client(name) else { return };
        let plain = run_in(folder.path(), &mut plain, [build, "examples/app"]).succeeded();
        let plain = plain.replace("name: web\n", "name: shop-web\n");
        let plain = plain.replace("name: settings-", "name: shop-settings-");
        let plugins = ["--enable-alpha-plugins", "--network", "-e"];
        let at = "examples/kustomize-container";
        let run = |flags: &[&str]| {
            let mut client = store.client(name).expect("it was there before");
            run_in(folder.path(), &mut client, [&[build, at], &plugins[..], flags].concat())
        };
        let ran = run(&[&flag]);
        assert!(ran.stderr.contains("digestif: pinned 2 images"), "{}", ran.stderr);
        let built = ran.succeeded();
        assert_eq!(built, pinned_by_registry(&plain));
        assert_eq!(differing(&plain, &built).len(), 2);
        let from_layout =
            ["DIGESTIF_LAYOUT=/images", "-e", "DIGESTIF_OFFLINE=true", "--mount", &volume];
        assert_eq!(run(&from_layout).succeeded(), pinned(&plain));
    }
}

#[test]
fn the_network_needs_the_annotation_and_the_flag() {
    let Some(store) = store() else { return };
    let folder = examples();
    let at = "examples/kustomize-container";
    let build = |flags: &[&str]| {
        let mut client = store.client("kustomize")?;
        let args = ["build", at, "--enable-alpha-plugins", "-e", "DIGESTIF_TIMEOUT=1"];
        Some(run_in(folder.path(), &mut client, args.iter().chain(flags)))
    };
    let Some(without_flag) = build(&[]) else { return };
    let said = without_flag.failed(1);
    assert!(said.contains("network required but not enabled with --network"), "{said}");
    let config = folder.read(&format!("{at}/pin.yaml"));
    folder.write(&format!("{at}/pin.yaml"), &config.replace("        network: true\n", ""));
    let said = build(&["--network"]).expect("it was there before").failed(1);
    assert!(said.starts_with("error: no registry can be reached: this function runs"), "{said}");
    assert!(said.ends_with("Error: couldn't execute function: exit status 4 \n"), "{said}");
}

#[test]
fn kpt_runs_it() {
    let Some(store) = store() else { return };
    let folder = examples();
    let before = folder.read("examples/kpt/web.yaml");
    let registry = Registry::start(Content::everything());
    let flag = registry_flag(&registry);
    let kpt = |args: &[&str]| {
        let mut kpt = store.client("kpt")?;
        let always = ["examples/kpt", "--image-pull-policy=never", "--results-dir=out"];
        Some(run_in(folder.path(), &mut kpt, ["fn"].iter().chain(args).chain(&always)))
    };
    let eval = ["eval", "--image", NAME, "-e"];
    let Some(cut_off) = kpt(&[&eval[..], &["DIGESTIF_TIMEOUT=1"]].concat()) else { return };
    assert_eq!(cut_off.status, 1, "{}", cut_off.stderr);
    assert!(folder.read("out/results.yaml").contains("add `--network` to `fn eval`"));
    assert_eq!(folder.read("examples/kpt/web.yaml"), before);

    let ran = kpt(&[&eval[..], &[&flag, "--network"]].concat()).expect("it was there before");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(folder.read("examples/kpt/web.yaml"), pinned_by_registry(&before));

    // A rendered container gets only the configuration.
    folder.write("examples/kpt/web.yaml", &before);
    let image = format!(
        "  - image: {NAME}\n    configMap:\n      registries: |\n        - host: '*'\n          url: {}/{{host}}\n",
        registry.url()
    );
    let kptfile = folder.read("examples/kpt/Kptfile");
    let (start, _) = kptfile.split_once("  - exec:").expect("it is a program there");
    folder.write("examples/kpt/Kptfile", &format!("{start}{image}"));
    let ran = kpt(&["render", "--allow-network"]).expect("it was there before");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(folder.read("examples/kpt/web.yaml"), pinned_by_registry(&before));
    assert_eq!(differing(&before, &folder.read("examples/kpt/web.yaml")).len(), 2);
}
