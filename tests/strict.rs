//! `check --strict`: a gate that only the caller can configure.

mod support;

use std::fs;
use std::path::Path;

use support::registry::{Content, Registry};
use support::{Ran, command, digestif, finish, for_every_host, start, testdata};
use tempfile::TempDir;

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind:";

/// A digest that no registry has.
fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

/// A Pod with a value of `image`.
fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - name: web\n    image: {image}\n"
    )
}

/// The Pod with a digest.
fn pinned() -> String {
    pod(&format!("nginx:1@{}", digest()))
}

/// Runs the gate in a folder.
fn strict(folder: &Path, env: &[(&str, &str)], flags: &[&str], stdin: &str) -> Ran {
    let mut command = command(["check", "--strict"].iter().chain(flags));
    finish(start(command.current_dir(folder).envs(env.iter().copied())), stdin.as_bytes())
}

/// Runs the gate on a text, in an empty folder.
fn on(flags: &[&str], stdin: &str) -> Ran {
    strict(tempfile::tempdir().expect("a temporary folder").path(), &[], flags, stdin)
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }
    folder
}

#[test]
fn every_image_that_kubectl_would_start_needs_a_digest() {
    let digest = digest();
    assert_eq!(on(&[], &pinned()).status, 0);
    for image in ["nginx:1", "nginx", "''", "'  '", "", "~", "null", "${IMAGE}", "'{{ .image }}'"] {
        for gate in [&["check", "--strict"][..], &["check", "--require-digest"]] {
            let ran = digestif(gate, pod(image) + "---\n" + &pinned());
            assert_eq!(ran.status, 5, "{gate:?} {image}: {}", ran.stderr);
            assert_eq!(ran.stderr.matches("error: ").count(), 1, "{image}: {}", ran.stderr);
            assert!(ran.stderr.contains("<stdin>:7:"), "{image}: {}", ran.stderr);
        }
    }
    // A container without the key gets its image from elsewhere, for example in a patch.
    let patch = pinned() + "  - name: patched\n";
    assert_eq!(on(&[], &patch).status, 0);
    let local = pod("nginx:1").replace(
        "{name: web}",
        "{name: web, annotations: {config.kubernetes.io/local-config: 'true'}}",
    );
    assert_eq!(on(&[], &local).status, 5, "kubectl starts it");
    let skipped = ["--skip=docker.io/library/*"];
    assert_eq!(on(&skipped, &pod(&format!("nginx@{digest}"))).status, 0);
    assert_eq!(on(&skipped, &pod("nginx:1")).status, 0, "the caller excluded it");
}

#[test]
fn opt_outs_of_manifests_are_ignored() {
    let annotated = |value: &str| {
        pod("nginx:1").replace(
            "{name: web}",
            &format!("{{name: web, annotations: {{digestif.dev/skip: {value}}}}}"),
        )
    };
    let commented = pod("nginx:1 # digestif: skip");
    let block = pod("|- # digestif: skip\n      nginx:1");
    for manifest in [annotated("'true'"), annotated("web"), commented, block] {
        let checked = digestif(["check", "--require-digest"], &manifest);
        assert_eq!(checked.status, 0, "{manifest}");
        let ran = on(&[], &manifest);
        assert_eq!(ran.status, 5, "{manifest}");
        assert!(ran.stderr.contains("`docker.io/library/nginx:1` has no digest"), "{}", ran.stderr);
    }
}

#[test]
fn only_the_caller_configures_it() {
    let skip = format!("{HEAD} PinImages\nskip: ['**']\n");
    let user = folder(&[("digestif/config.yaml", &skip)]);
    let checkout = folder(&[("digestif.yaml", &skip), ("other.yaml", &skip)]);
    let user = user.path().display().to_string();
    let env = [("XDG_CONFIG_HOME", user.as_str())];
    let run = |env: &[(&str, &str)], flags: &[&str]| {
        strict(checkout.path(), env, flags, &pod("nginx:1")).status
    };
    let ordinary = |env: &[(&str, &str)]| {
        let mut command = command(["check", "--require-digest"]);
        command.current_dir(checkout.path()).envs(env.iter().copied());
        finish(start(&mut command), pod("nginx:1").as_bytes()).status
    };
    assert_eq!(ordinary(&env), 0);
    assert_eq!(run(&env, &[]), 5);
    assert_eq!(run(&[], &["-c", "other.yaml"]), 0);
    assert_eq!(run(&[("DIGESTIF_CONFIG", "other.yaml")], &[]), 0);
    assert_eq!(run(&[("DIGESTIF_SKIP", "docker.io/**")], &[]), 0);
    assert_eq!(run(&[], &["--skip=docker.io/**"]), 0);
    assert_eq!(run(&[("DIGESTIF_STRICT", "true")], &[]), 5);
    // The file of the checkout, which would be refused, is not read.
    fs::write(checkout.path().join("digestif.yml"), "").expect("writable");
    assert_eq!(run(&[], &["--skip=docker.io/**"]), 0);
    let list = format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: digestif.dev/v1alpha1\n  kind: PinImages\n  skip: ['**']\nitems:\n- {}",
        pod("nginx:1").trim_end().replace('\n', "\n  ")
    );
    assert_eq!(digestif(["check", "--require-digest"], &list).status, 0);
    assert_eq!(on(&[], &list).status, 5);
}

#[test]
fn it_makes_no_request() {
    let registry = Registry::start(Content::everything());
    let every_host = for_every_host(&registry);
    assert_eq!(on(&[&every_host], &pod("nginx:1")).status, 5);
    for flag in ["--verify", "--require-platform=linux/amd64"] {
        let said = on(&[&every_host, flag], &pinned());
        assert_eq!(said.status, 2, "{flag}");
        assert!(said.stderr.contains("`--strict` makes no request"), "{}", said.stderr);
    }
    assert_eq!(registry.requests().len(), 0);
}

#[test]
fn with_a_lock_every_image_must_be_in_it() {
    let registry = Registry::start(Content::everything());
    let folder = folder(&[]);
    let chart = fs::read_to_string(testdata("rendered/gateway.yaml")).unwrap_or_else(|_| {
        pod("nginx:1") + "---\n" + &pod("busybox") + "---\n" + &pinned().replace("nginx", "redis")
    });
    let every_host = for_every_host(&registry);
    let mut record = command([&every_host, "--lock", "images.lock.yaml"]);
    let made = finish(start(record.current_dir(folder.path())), chart.as_bytes()).succeeded();
    let run = |flags: &[&str], text: &str| {
        let flags: Vec<_> = flags.iter().chain(&["--lock", "images.lock.yaml"]).copied().collect();
        let ran = strict(folder.path(), &[], &flags, text);
        assert_eq!(ran.status == 0, !ran.stderr.contains("error: "), "{}", ran.stderr);
        ran.status
    };
    assert_eq!(run(&[], &chart), 0, "tags are enough if the lock has them all");
    assert_eq!(run(&[], &made), 0);
    assert_eq!(run(&["--require-digest"], &chart), 5, "policies add up");
    assert_eq!(run(&["--require-digest"], &made), 0);
    for image in
        ["other:1".to_owned(), format!("other@{}", digest()), "''".to_owned(), "${X}".to_owned()]
    {
        assert_eq!(run(&[], &format!("{chart}---\n{}", pod(&image))), 5, "{image}");
    }
    assert_eq!(strict(folder.path(), &[], &["--lock", "gone.yaml"], &chart).status, 2);
}

#[test]
fn a_skipped_file_fails_unless_the_caller_excluded_it() {
    let lock = format!("{HEAD} ImageLock\nimages: []\n");
    let config = format!("{HEAD} PinImages\n");
    for (name, text, message) in [
        ("deploy/chart/Chart.yaml", "", "a chart is left out"),
        ("deploy/layout/oci-layout", "", "an image layout is left out"),
        ("deploy/other.lock.yaml", &*lock, "a lock of digestif is left out"),
        ("deploy/config.yaml", &config, "a configuration of digestif is left out"),
    ] {
        let hidden = Path::new(name).parent().expect("a folder").join("hidden.yaml");
        let hidden = hidden.display().to_string();
        let files = [("deploy/a.yaml", pinned()), (name, text.to_owned())];
        let mut files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let tagged = pod("nginx:1");
        if name.contains("/chart/") || name.contains("/layout/") {
            files.push((&hidden, &tagged));
        }
        let folder = folder(&files);
        let run =
            |flags: &[&str]| strict(folder.path(), &[], &[&["-f", "deploy"], flags].concat(), "");
        let ran = run(&[]);
        assert_eq!(ran.status, 5, "{name}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("error: {message}")), "{}", ran.stderr);
        let place = name.trim_end_matches("/Chart.yaml").trim_end_matches("/oci-layout");
        assert!(ran.stderr.contains(&format!("--> {place}\n")), "{}", ran.stderr);
        assert!(ran.stdout.contains(message), "the report says it too: {}", ran.stdout);
        let glob = format!("--exclude={}", place.trim_start_matches("deploy/"));
        assert_eq!(run(&[&glob]).status, 0, "{glob}: {}", run(&[&glob]).stderr);
        // Without the flag, it is a warning.
        let mut ordinary = command(["check", "--require-digest", "-f", "deploy"]);
        let ran = finish(start(ordinary.current_dir(folder.path())), b"");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("warning: {message}")), "{}", ran.stderr);
    }
}

#[test]
fn the_callers_lock_and_configuration_may_be_next_to_the_manifests() {
    let lock = format!(
        "{HEAD} ImageLock\nimages:\n- image: docker.io/library/nginx:1\n  tag: '1'\n  digest: {}\n",
        digest()
    );
    let config = format!("{HEAD} PinImages\nlock: images.lock.yaml\n");
    let files = [("a.yaml", pod("nginx:1")), ("images.lock.yaml", lock), ("own.yaml", config)];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let folder = folder(&files);
    let ran = strict(folder.path(), &[], &["-f", ".", "-c", "own.yaml"], "");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the lock or the configuration of this run is left out"),
        "{}",
        ran.stderr
    );
}

#[test]
fn candidates_are_listed_and_fail_only_if_they_are_included() {
    let env = "    env: [{name: IMAGE, value: 'ghcr.io/acme/agent:v1'}]\n";
    let manifest = pinned() + env;
    let ran = on(&[], &manifest);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: 1 candidate is not checked"), "{}", ran.stderr);
    assert!(ran.stderr.contains("= candidates: ghcr.io/acme/agent:v1\n"), "{}", ran.stderr);
    assert_eq!(on(&["--include=env"], &manifest).status, 5);
    assert_eq!(on(&["--include=args"], &manifest).status, 0);
}

#[test]
fn the_output_of_digestif_passes() {
    let registry = Registry::start(Content::everything());
    let every_host = for_every_host(&registry);
    let mut seen = 0;
    for entry in fs::read_dir(testdata("rendered")).expect("readable") {
        let path = entry.expect("readable").path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let ran = digestif([&every_host], &text);
        if ran.status != 0 {
            continue;
        }
        seen += 1;
        let checked = on(&[], &ran.stdout);
        let is_unpinnable = ran.stderr.contains("is written unchanged");
        assert_eq!(
            checked.status,
            if is_unpinnable { 5 } else { 0 },
            "{}: {}",
            path.display(),
            checked.stderr
        );
    }
    assert!(seen > 0);
    let Some(corpus) = std::env::var_os("DIGESTIF_CORPUS") else { return };
    let names = fs::read_dir(&corpus).expect("readable").map(|entry| entry.expect("there").path());
    let aibrix: Vec<_> = names.filter(|path| path.to_string_lossy().contains("aibrix")).collect();
    assert!(!aibrix.is_empty());
    for path in aibrix.iter().filter(|path| path.is_file()) {
        let text = fs::read_to_string(path).expect("text");
        let ran = digestif([&every_host], &text);
        let checked = on(&[], &ran.succeeded());
        assert_eq!(checked.status, 0, "{}: {}", path.display(), checked.stderr);
    }
}

#[test]
fn the_caller_excludes_objects() {
    let object = |kind: &str, namespace: &str, image: &str| {
        format!(
            "---\napiVersion: batch/v1\nkind: {kind}\nmetadata: {{name: web, namespace: '{namespace}'}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: {image}\n"
        )
    };
    let config = |skip: &str| format!("{HEAD} PinImages\nskip: [{skip}]\n");
    for image in ["nginx:1", "''", "${IMAGE}", "auto", "NGINX:1"] {
        let job = object("Job", "batch", image);
        let other = object("Deployment", "batch", &format!("nginx:1@{}", digest()));
        for (flags, skip, status) in [
            (&[][..], "", 5),
            (&["--skip-kind=Job"], "", 0),
            (&["--skip-kind=Job/batch/web"], "", 0),
            (&["--skip-kind=Job/other/web"], "", 5),
            (&["--skip-kind=Job/batch/other"], "", 5),
            (&["--skip-kind=job"], "", 5),
            (&["--skip-kind=Deployment"], "", 5),
            (&["--skip-kind=Deployment", "--skip-kind=Job"], "", 0),
            (&["-c", "own.yaml"], "{kind: Job}", 0),
            (&["-c", "own.yaml"], "{group: batch}", 0),
            (&["-c", "own.yaml"], "'quay.io/**', {kind: Job, namespace: batch, name: web}", 0),
            (&["-c", "own.yaml"], "{kind: Job, namespace: other}", 5),
            (&["-c", "own.yaml"], "{group: apps}", 5),
            // This annotation is not from the caller.
            (&[], "{kind: Job}", 5),
        ] {
            let name = if flags.is_empty() { "digestif.yaml" } else { "own.yaml" };
            let folder = folder(&[(name, &config(skip))]);
            let ran = strict(folder.path(), &[], flags, &format!("{job}{other}"));
            let status = if status == 5 && image == "NGINX:1" { 3 } else { status };
            assert_eq!(ran.status, status, "{image} {flags:?} {skip}: {}", ran.stderr);
        }
    }
    // These objects have no namespace. Skipped images stay unchanged in the output.
    let job = object("Job", "", "nginx:1").replace(", namespace: ''", "");
    assert_eq!(on(&["--skip-kind=Job//web"], &job).status, 0);
    let ran = digestif(["--offline", "--skip-kind=Job"], &job);
    assert!(ran.stderr.contains("1 skipped"), "{}", ran.stderr);
    assert_eq!(ran.succeeded(), job);
    let said = digestif(["--offline", "--skip-kind=Jbo", "--skip=**"], &job).stderr;
    assert!(said.contains("`Jbo` of `--skip-kind` matches no object with an image"), "{said}");
    for wrong in ["", "Job/web", "Job/a/b/c", "/a/b", "Job/a/"] {
        let said = digestif([&*format!("--skip-kind={wrong}")], &job).failed(2);
        assert!(said.contains("expected KIND or KIND/NAMESPACE/NAME"), "{wrong}: {said}");
    }
}

#[test]
fn an_alias_of_an_image_of_an_excluded_object_is_pinned() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {kind: Job, spec: {containers: [{image: &web 'nginx:1'}]}}\n- {kind: Pod, spec: {containers: [{image: *web }]}}\n";
    let registry = Registry::start(Content::everything());
    let ran = digestif([&*for_every_host(&registry), "--skip-kind=Job"], list).succeeded();
    assert!(ran.contains("image: &web 'nginx:1'"), "{ran}");
    assert!(ran.contains("[{image: nginx:1@sha256:"), "{ran}");
}
