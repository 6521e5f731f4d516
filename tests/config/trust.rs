//! Who may set which key: the caller and the user may set every key, a checkout only some.
//!
//! `tests/krm/trust.rs` is about manifests, `tests/registry/credentials/` about logins.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::Ran;
use crate::support::registry::{Content, Registry};
use crate::support::tls::{Authority, Signed};
use crate::{HEAD, NOTHING, pods, run_in, write, written};

/// A folder with these files. A name that ends with a slash is a folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("writable");
        if name.ends_with('/') {
            fs::create_dir_all(&path).expect("writable");
        } else {
            fs::write(&path, format!("{HEAD}{text}")).expect("writable");
        }
    }
    folder
}

/// Runs in a folder of a folder, with a registry.
fn run(at: &Path, registry: &Registry, env: &[(&str, &str)], flags: &[&str]) -> Ran {
    let every_host = format!("*={}/{{host}}", registry.url());
    let env = [&[("DIGESTIF_REGISTRY", every_host.as_str())], env].concat();
    run_in(at, &env, flags, &pods(&["web:1"]))
}

/// The pinned form that a run writes: `web@` if a configuration with `pin: digest` applies.
#[track_caller]
fn form(ran: Ran) -> String {
    let images = written(&ran.succeeded());
    images[0].split_inclusive('@').next().expect("it is pinned").to_owned()
}

fn registry() -> Registry {
    Registry::start(Content::of(&[("docker.io/library/web", &["1"])]))
}

const DIGEST: &str = "pin: digest\n";

#[test]
fn the_nearest_file_up_to_the_root_of_the_repository_applies_and_is_named() {
    let registry = registry();
    for (files, named) in [
        (&[("a/b/digestif.yaml", DIGEST)][..], Some("digestif.yaml")),
        (&[("a/b/digestif.yml", DIGEST)], Some("digestif.yml")),
        (&[("a/digestif.yaml", DIGEST)], None),
        (&[(".git/", ""), ("a/digestif.yaml", DIGEST)], Some("/a/digestif.yaml")),
        (&[(".git/", ""), ("digestif.yml", DIGEST)], Some("/digestif.yml")),
        (&[(".git", ""), ("digestif.yaml", DIGEST)], Some("/digestif.yaml")),
        (&[(".jj/", ""), ("digestif.yaml", DIGEST)], Some("/digestif.yaml")),
        (&[(".hg/", ""), ("digestif.yaml", DIGEST)], Some("/digestif.yaml")),
        (&[("a/.git/", ""), ("digestif.yaml", DIGEST)], None),
        (&[("a/b/.git/", ""), ("a/digestif.yaml", DIGEST)], None),
        (&[(".svn/", ""), ("digestif.yaml", DIGEST)], None),
        (
            &[(".git/", ""), ("digestif.yaml", "pin: tag-digest\n"), ("a/digestif.yaml", DIGEST)],
            Some("/a/digestif.yaml"),
        ),
    ] {
        let folder = folder(files);
        let at = folder.path().join("a/b");
        fs::create_dir_all(&at).expect("writable");
        let ran = run(&at, &registry, &[], &[]);
        let is_named = ran.stderr.contains(" of this checkout applies\n");
        assert_eq!(is_named, named.is_some(), "{files:?}: {}", ran.stderr);
        let line = format!("{} of this checkout applies\n", named.unwrap_or_default());
        assert!(named.is_none() || ran.stderr.contains(&line), "{}", ran.stderr);
        assert_eq!(form(ran), if named.is_some() { "web@" } else { "web:1@" }, "{files:?}");
        let ignored = run(&at, &registry, &[], &["--no-config"]);
        assert_eq!(ignored.stderr.matches("checkout").count(), 0);
        assert_eq!(form(ignored), "web:1@");
        for flags in [["check"], ["images"]] {
            let said = run(&at, &registry, &[], &flags).stderr;
            assert_eq!(said.contains(&line), named.is_some(), "{flags:?}: {said}");
        }
    }
}

#[test]
fn a_file_that_breaks_a_rule_is_an_error_with_the_ways_out() {
    let registry = registry();
    let elsewhere = folder(&[("real.yaml", DIGEST)]);
    let outside = elsewhere.path().join("real.yaml");
    let check = |folder: &TempDir, message: &str| {
        let ran = run(folder.path(), &registry, &[], &[]);
        let said = ran.failed(2);
        assert!(said.contains(message), "{message}: {said}");
        assert!(said.contains("`-c FILE`") && said.contains("`--no-config`"), "{said}");
        assert_eq!(form(run(folder.path(), &registry, &[], &["--no-config"])), "web:1@");
        let empty = tempfile::tempdir().expect("a temporary folder");
        let other = write(empty.path(), "own.yaml", format!("{HEAD}{DIGEST}"));
        assert_eq!(form(run(folder.path(), &registry, &[], &["-c", &other])), "web@");
    };
    let both = folder(&[("digestif.yaml", DIGEST), ("digestif.yml", DIGEST)]);
    check(&both, "`digestif.yaml` and `digestif.yml` are in one folder");

    let linked = folder(&[]);
    symlink(&outside, linked.path().join("digestif.yaml")).expect("writable");
    check(&linked, "the configuration is a link that leads out of the checkout");
    let accepted = run(linked.path(), &registry, &[], &["-c", "digestif.yaml"]);
    assert_eq!(form(accepted), "web@", "a path that the caller names is followed");

    let broken = folder(&[]);
    symlink("nowhere.yaml", broken.path().join("digestif.yaml")).expect("writable");
    check(&broken, "the file can't be read");

    let open = folder(&[("digestif.yaml", DIGEST)]);
    let mode = fs::Permissions::from_mode(0o666);
    fs::set_permissions(open.path().join("digestif.yaml"), mode).expect("ours");
    check(&open, "the configuration is writable for everybody");

    let inside = folder(&[(".git/", ""), ("real.yaml", DIGEST)]);
    symlink("real.yaml", inside.path().join("digestif.yaml")).expect("writable");
    assert_eq!(form(run(inside.path(), &registry, &[], &[])), "web@");
}

#[test]
fn a_file_of_another_user_is_an_error_unless_the_folder_is_theirs_too() {
    let registry = registry();
    let other = 12_345;
    let folder = folder(&[("digestif.yaml", DIGEST)]);
    let file = folder.path().join("digestif.yaml");
    if std::os::unix::fs::chown(&file, Some(other), None).is_err() {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    let said = run(folder.path(), &registry, &[], &[]).failed(2);
    assert!(said.starts_with("error: the configuration belongs to another user\n"), "{said}");
    // This is usual in a container job, which runs as root in a checkout of another user.
    std::os::unix::fs::chown(folder.path(), Some(other), None).expect("we are root");
    assert_eq!(form(run(folder.path(), &registry, &[], &[])), "web@");
}

#[test]
fn a_checkout_stays_within_its_root_and_reaches_registries_over_https() {
    let registry = registry();
    let url = registry.url();
    for (config, accepted, message) in [
        ("lock: images.lock.yaml".to_owned(), true, ""),
        ("lock: sub/../images.lock.yaml".to_owned(), true, ""),
        ("lock: ../images.lock.yaml".to_owned(), false, "inside it"),
        ("lock: ../../x/images.lock.yaml".to_owned(), false, "inside it"),
        ("lock: /nowhere/images.lock.yaml".to_owned(), false, "inside it"),
        ("lock: out/lock.yaml".to_owned(), false, "inside it"),
        ("lock: gone.yaml".to_owned(), false, "inside it"),
        (format!("registries: [{{host: a.io, url: '{url}'}}]"), true, ""),
        ("registries: [{host: a.io, url: 'https://b.io'}]".to_owned(), true, ""),
        ("registries: [{host: a.io, cache: true}]".to_owned(), true, ""),
        ("registries: [{host: a.io, url: 'http://b.io'}]".to_owned(), false, "only over https"),
        (
            "registries: [{host: '*', url: 'http://b.io/{host}'}]".to_owned(),
            false,
            "only over https",
        ),
        (
            "registries: [{host: a.io, mirrors: ['http://b.io']}]".to_owned(),
            false,
            "only over https",
        ),
        ("registries: [{host: a.io, plainHttp: true}]".to_owned(), false, "only over https"),
    ] {
        let folder = folder(&[(".git/", ""), ("sub/", ""), ("digestif.yaml", &config)]);
        let outside = tempfile::tempdir().expect("a temporary folder");
        symlink(outside.path(), folder.path().join("out")).expect("writable");
        symlink(outside.path().join("gone"), folder.path().join("gone.yaml")).expect("writable");
        let ran = run(folder.path(), &registry, &[], &[]);
        if accepted {
            assert_eq!(ran.status, 0, "{config}: {}", ran.stderr);
            continue;
        }
        let said = ran.failed(2);
        assert!(said.starts_with("error: the configuration is wrong: "), "{config}: {said}");
        assert!(said.contains(message) && said.contains("`--no-config` ignores it"), "{said}");
        // The caller may use the same configuration.
        let ran = run(folder.path(), &registry, &[], &["-c", "digestif.yaml", "check", "-q"]);
        assert!(!ran.stderr.contains("of a checkout"), "{config}: {}", ran.stderr);
    }
}

#[test]
fn a_checkout_can_tighten_policy_but_not_loosen_it() {
    let registry = registry();
    let loose =
        folder(&[("digestif.yaml", "policy: {requireDigest: false, denyMutable: false}\n")]);
    assert_eq!(run(loose.path(), &registry, &[], &["--require-digest"]).status, 5);
    let strict = folder(&[("digestif.yaml", "policy: {requireDigest: true}\n")]);
    assert_eq!(run(strict.path(), &registry, &[], &[]).status, 5);
    assert_eq!(run(strict.path(), &registry, &[], &["--no-config"]).status, 0);
}

#[test]
fn the_users_file_has_the_lowest_precedence_and_may_set_every_key() {
    let registry = registry();
    let home = folder(&[(".config/digestif/config.yaml", "pin: digest\nkubeVersion: '1.30'\n")]);
    let xdg = folder(&[("digestif/config.yaml", DIGEST)]);
    let [home, xdg] = [&home, &xdg].map(|folder| folder.path().display().to_string());
    let empty = folder(&[]);
    let checkout = folder(&[("digestif.yaml", "pin: tag-digest\n")]);
    for (at, env, flags, expected) in [
        (&empty, &[("HOME", home.as_str())][..], &[][..], "web@"),
        (&empty, &[("XDG_CONFIG_HOME", &xdg)], &[], "web@"),
        (&empty, &[("XDG_CONFIG_HOME", "relative"), ("HOME", &home)], &[], "web@"),
        (&empty, &[("HOME", &home)], &["--no-config"], "web:1@"),
        (&empty, &[("HOME", &home)], &["--pin=tag-digest"], "web:1@"),
        (&checkout, &[("HOME", &home)], &[], "web:1@"),
        (&checkout, &[("HOME", &home)], &["-c", "digestif.yaml"], "web:1@"),
    ] {
        let ran = run(at.path(), &registry, env, flags);
        let applies = !env.is_empty() && !flags.contains(&"--no-config") && env[0].1 != "relative";
        let named = ran.stderr.contains("digestif/config.yaml applies");
        assert_eq!(named, applies || env.len() > 1, "{}", ran.stderr);
        assert_eq!(form(ran), expected, "{env:?} {flags:?}");
    }
    let free = "lock: /nowhere/lock.yaml\nregistries: [{host: a.io, plainHttp: true}]\n";
    let free = folder(&[("digestif/config.yaml", free)]);
    let free = free.path().display().to_string();
    let said = run(empty.path(), &registry, &[("XDG_CONFIG_HOME", &free)], &[]).failed(2);
    assert!(!said.contains("the configuration is wrong"), "{said}");
    let wrong = folder(&[("digestif/config.yaml", "pni: digest\n")]);
    let wrong = wrong.path().display().to_string();
    let said = run(empty.path(), &registry, &[("XDG_CONFIG_HOME", &wrong)], &[]).failed(2);
    assert!(said.contains("unknown key `pni`") && said.contains("config.yaml:3:1"), "{said}");
}

#[test]
fn verbose_shows_where_each_setting_comes_from() {
    let registry = registry();
    let home = folder(&[(".config/digestif/config.yaml", "pin: digest\nskip: [quay.io/*]\n")]);
    let home = home.path().display().to_string();
    let checkout = folder(&[("digestif.yaml", "kubeVersion: '1.30'\nskip: ['ghcr.io/**']\n")]);
    let env = [
        ("HOME", home.as_str()),
        ("DIGESTIF_KUBE_VERSION", "1.31"),
        ("DIGESTIF_SKIP", "a.io/a\nb.io/b"),
    ];
    let flags = ["-v", "--pin=tag-digest"];
    let said = run(checkout.path(), &registry, &env, &flags).stderr;
    let user = format!("{home}/.config/digestif/config.yaml");
    for line in [
        "the configuration digestif.yaml of this checkout applies".to_owned(),
        format!("pin comes from --pin, not from {user}"),
        "kubeVersion comes from DIGESTIF_KUBE_VERSION, not from digestif.yaml".to_owned(),
        format!("skip comes from DIGESTIF_SKIP and digestif.yaml and {user}"),
        "registries comes from DIGESTIF_REGISTRY".to_owned(),
    ] {
        assert!(said.contains(&format!("digestif: {line}\n")), "{line}\n{said}");
    }
    let quiet = run(checkout.path(), &registry, &env, &["-q"]).stderr;
    assert!(!quiet.contains("comes from") && !quiet.contains("applies"), "{quiet}");
}

/// The files that configurations name: an authority, and a client certificate with its key.
struct Certificates {
    authority: Authority,
    client: Signed,
}

impl Certificates {
    fn new() -> Self {
        let authority = Authority::new();
        Self { client: authority.client(), authority }
    }

    /// Writes the files to a folder, and one authority to the folder above it.
    fn write_to(&self, folder: &Path) {
        for (name, text) in [
            ("ca.pem", self.authority.pem()),
            ("../above.pem", self.authority.pem()),
            ("c.pem", &self.client.certificate),
            ("k.pem", &self.client.key),
        ] {
            fs::write(folder.join(name), text).expect("writable");
        }
    }
}

#[test]
fn a_checkout_names_authorities_inside_it_and_no_client_certificate() {
    let registry = Registry::start_tls(Content::of(&[("docker.io/library/web", &["1"])]));
    let certificates = Certificates::new();
    let outside = tempfile::tempdir().expect("a temporary folder");
    fs::write(outside.path().join("ca.pem"), registry.ca_pem()).expect("writable");
    let absolute = outside.path().join("ca.pem").display().to_string();
    let inside = "`caFile` of a checkout must be a file inside it";
    let chosen = "a checkout can't choose a certificate that is sent to a registry";
    for (keys, message) in [
        ("caFile: sub/ca.pem", None),
        ("caFile: sub/../sub/ca.pem", None),
        ("caFile: link.pem", None),
        ("caFile: ../above.pem", Some(inside)),
        ("caFile: out/ca.pem", Some(inside)),
        ("caFile: out.pem", Some(inside)),
        ("caFile: gone.pem", Some(inside)),
        ("caFile: pipe", Some(inside)),
        ("caFile: sub", Some(inside)),
        (&format!("caFile: '{absolute}'"), Some(inside)),
        ("clientCert: sub/c.pem, clientKey: sub/k.pem", Some(chosen)),
        ("clientKey: sub/k.pem", Some(chosen)),
        ("caFile: sub/ca.pem, clientCert: sub/c.pem, clientKey: sub/k.pem", Some(chosen)),
    ] {
        let config = format!(
            "registries: [{{host: '*', url: 'https://{}/{{host}}', {keys}}}]\n",
            registry.address()
        );
        let folder = folder(&[(".git/", ""), ("sub/", ""), ("digestif.yaml", &config)]);
        let path = |name: &str| folder.path().join(name);
        certificates.write_to(&path("sub"));
        fs::write(path("sub/ca.pem"), registry.ca_pem()).expect("writable");
        symlink("sub/ca.pem", path("link.pem")).expect("writable");
        symlink(outside.path(), path("out")).expect("writable");
        symlink(outside.path().join("ca.pem"), path("out.pem")).expect("writable");
        symlink(outside.path().join("gone.pem"), path("gone.pem")).expect("writable");
        let made = Command::new("mkfifo").arg(path("pipe")).status().expect("it is installed");
        assert!(made.success());
        let ran = run_in(folder.path(), &[], &[], &pods(&["web:1"]));
        let Some(message) = message else {
            assert_eq!(form(ran), "web:1@", "{keys}");
            continue;
        };
        let said = ran.failed(2);
        assert!(said.contains(&format!("the configuration is wrong: {message}\n")), "{said}");
        assert!(said.contains("digestif.yaml:3:"), "{keys}: {said}");
        assert!(said.contains("`--no-config` ignores it"), "{said}");
    }
}

/// The owners that may set a key. The caller and the user always may; the two constants are for the
/// checkout and the manifests.
#[test]
fn each_owner_can_set_only_the_allowed_keys() {
    const CHECKOUT: bool = true;
    const MANIFESTS: bool = true;
    let certificates = Certificates::new();
    for (config, checkout, manifests) in [
        ("kubeVersion: '1.32'", CHECKOUT, MANIFESTS),
        ("pin: digest", CHECKOUT, MANIFESTS),
        ("fallbacks: [{preset: bitnamilegacy}]", CHECKOUT, MANIFESTS),
        ("skip: ['quay.io/**']", CHECKOUT, MANIFESTS),
        ("fields: [{group: a.io, kind: A, path: spec/image}]", CHECKOUT, MANIFESTS),
        ("include: [env]", CHECKOUT, MANIFESTS),
        ("policy: {denyMutable: true}", CHECKOUT, MANIFESTS),
        ("lock: images.lock.yaml", CHECKOUT, !MANIFESTS),
        ("lock: ../images.lock.yaml", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, cache: true}]", CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, url: 'https://b.io'}]", CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, url: 'http://127.0.0.1:5000'}]", CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, mirrors: ['https://b.io']}]", CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, url: 'http://b.io'}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, mirrors: ['http://b.io']}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, plainHttp: true}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, insecure: true}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: 127.0.0.1, insecure: true}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, insecure: true, insecureLogin: true}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, caFile: ca.pem}]", CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, caFile: ../above.pem}]", !CHECKOUT, !MANIFESTS),
        ("registries: [{host: a.io, clientCert: c.pem, clientKey: k.pem}]", !CHECKOUT, !MANIFESTS),
    ] {
        let text = format!("{HEAD}{config}\n");
        let at = |name: &str| {
            let folder = folder(&[("in/web/", "")]);
            let path = folder.path().join("in").join(name);
            let beside = path.parent().expect("it is in the folder");
            fs::create_dir_all(beside).expect("writable");
            // For a function, the working directory is used instead of the folder of a file.
            for folder in [beside, &folder.path().join("in/web")] {
                certificates.write_to(folder);
            }
            fs::write(&path, &text).expect("writable");
            folder
        };
        let run = |folder: &TempDir, env: &[(&str, &str)], flags: &[&str], stdin: &str| {
            let ran = run_in(&folder.path().join("in/web"), env, flags, stdin);
            let is_refused = ran.stderr.contains("the configuration is wrong");
            assert_eq!(ran.status, if is_refused { 2 } else { 0 }, "{config}: {}", ran.stderr);
            !is_refused
        };
        let own = at("own.yaml");
        assert!(run(&own, &[], &["images", "-c", "../own.yaml"], NOTHING), "-c: {config}");
        let env = [("DIGESTIF_CONFIG", "../own.yaml")];
        assert!(run(&own, &env, &["images"], NOTHING), "DIGESTIF_CONFIG: {config}");
        let user = at("digestif/config.yaml");
        let home = user.path().join("in").display().to_string();
        let env = [("XDG_CONFIG_HOME", home.as_str())];
        assert!(run(&user, &env, &["images"], NOTHING), "the user: {config}");
        let there = at("web/digestif.yaml");
        assert_eq!(run(&there, &[], &["images"], NOTHING), checkout, "the checkout: {config}");
        assert!(run(&there, &[], &["images", "--no-config"], NOTHING), "--no-config: {config}");
        let own = text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        let list = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n{own}items: []\n"
        );
        assert!(run(&there, &[], &["fn"], &list), "digestif fn: {config}");
        assert_eq!(run(&there, &[], &[], &list), manifests, "the manifests: {config}");
    }
}
