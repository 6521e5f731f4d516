//! Flags, environment and file: which one wins, and which settings add up.

use crate::support::digest_of;
use crate::support::registry::{Content, Registry};
use crate::{APP, HEAD, KUBECTL, Setup, existence, pinned, pods, refused, run_in, write, written};

#[test]
fn the_clusters_version_comes_from_flag_then_environment_then_file() {
    let content = || Content::of(&[(KUBECTL, &["v1.29", "v1.30", "v1.31", "v1.32"])]);
    for (config, env, flags, tag) in [
        ("", &[][..], &[][..], "v1.32"),
        ("kubeVersion: '1.31'", &[], &[], "v1.31"),
        ("kubeVersion: '1.31'", &[("DIGESTIF_KUBE_VERSION", "1.30")], &[], "v1.30"),
        ("kubeVersion: '1.31'", &[("DIGESTIF_KUBE_VERSION", "")], &[], "v1.31"),
        (
            "kubeVersion: '1.31'",
            &[("DIGESTIF_KUBE_VERSION", "1.30")],
            &["--kube-version=1.29"],
            "v1.29",
        ),
        ("kubeVersion: '1.31'", &[], &["--kube-version=1.32"], "v1.32"),
    ] {
        let setup = Setup::new(config, content());
        let ran = setup.run_with(env, flags, &[&format!("{KUBECTL}:v1.33")]);
        let expected = [pinned(&format!("{KUBECTL}:{tag}"))];
        assert_eq!(written(&ran.succeeded()), expected, "{config} {env:?} {flags:?}");
    }
}

#[test]
fn the_form_of_a_pin_comes_from_flag_then_environment_then_file() {
    let digest = digest_of("web:1");
    for (config, env, flags, form) in [
        ("", &[][..], &[][..], "web:1@"),
        ("pin: tag-digest", &[], &[], "web:1@"),
        ("pin: digest", &[], &[], "web@"),
        ("pin: digest", &[("DIGESTIF_PIN", "tag-digest")], &[], "web:1@"),
        ("pin: digest", &[("DIGESTIF_PIN", "")], &[], "web@"),
        ("pin: tag-digest", &[("DIGESTIF_PIN", "tag-digest")], &["--pin=digest"], "web@"),
        ("pin: digest", &[("DIGESTIF_PIN", "digest")], &["--pin=tag-digest"], "web:1@"),
    ] {
        let setup = Setup::new(config, Content::of(&[("docker.io/library/web", &["1"])]));
        let ran = setup.run_with(env, flags, &["web:1"]);
        assert_eq!(written(&ran.succeeded()), [format!("{form}{digest}")], "{config} {flags:?}");
    }
}

#[test]
fn the_skew_comes_from_flag_then_environment_then_rule() {
    const RULE: &str = "fallbacks: [{name: a, images: [docker.io/clastix/*], kubernetesVersion: {maxMinorSkew: N}}]";
    const PRESET: &str =
        "fallbacks: [{preset: kubernetes-version, kubernetesVersion: {maxMinorSkew: N}}]";
    for rule in [RULE, PRESET] {
        for (skew, env, flags, found) in [
            ("1", "", &[][..], false),
            ("3", "", &[], true),
            ("1", "3", &[], true),
            ("3", "1", &[], false),
            ("1", "1", &["--max-minor-skew=3"], true),
            ("3", "3", &["--max-minor-skew=0"], false),
            ("0", "", &["--max-minor-skew=3"], true),
        ] {
            let setup = Setup::new(&rule.replace('N', skew), Content::of(&[(KUBECTL, &["v1.30"])]));
            let env = [("DIGESTIF_MAX_MINOR_SKEW", env)];
            let ran = setup.run_with(&env, flags, &[&format!("{KUBECTL}:v1.33")]);
            assert_eq!(ran.status, i32::from(!found), "{skew} {env:?} {flags:?}");
        }
    }
    // The skew of a rule applies to that rule only.
    let elsewhere = RULE.replace("clastix", "acme").replace('N', "3");
    let setup = Setup::new(&elsewhere, Content::of(&[(KUBECTL, &["v1.30"])]));
    let said = setup.run(&[], &[&format!("{KUBECTL}:v1.33")]).failed(1);
    assert!(said.contains("rule kubernetes-version stops at 1 minor version"), "{said}");
}

#[test]
fn images_to_skip_add_up() {
    let content = || Content::everything();
    let images = ["quay.io/a/b:1", "ghcr.io/a/b:1", "docker.io/a/b:1"];
    for (config, env, flags, skipped) in [
        ("", "", &[][..], [false, false, false]),
        ("skip: ['quay.io/**']", "", &[], [true, false, false]),
        ("skip: ['quay.io/**']", "", &["--skip=ghcr.io/**"], [true, true, false]),
        ("skip: ['quay.io/**']", "ghcr.io/**", &[], [true, true, false]),
        ("skip: [quay.io/*, ghcr.io/a/*]", "", &["--skip=docker.io/**"], [false, true, true]),
    ] {
        let setup = Setup::new(config, content());
        let ran = setup.run_with(&[("DIGESTIF_SKIP", env)], flags, &images);
        assert!(!ran.stderr.contains("warning"), "{config}: {}", ran.stderr);
        let found: Vec<_> =
            written(&ran.succeeded()).iter().map(|image| !image.contains('@')).collect();
        assert_eq!(found, skipped, "{config} {flags:?}");
    }
    // A glob of the file may be for other inputs. A glob of the command line that matches nothing
    // is a mistake.
    let setup = Setup::new("skip: ['quay.io/**']", content());
    let said = setup.run(&["-q", "--skip=ghcr.io/**"], &["docker.io/a/b:1"]);
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
    let said = setup.run(&["--skip=ghcr.io/**"], &["docker.io/a/b:1"]).stderr;
    assert!(said.starts_with("warning: `ghcr.io/**` of `--skip` matches no image\n"), "{said}");
    assert!(!said.contains("`quay.io/**` of"), "{said}");
}

#[test]
fn registries_add_up_and_a_flag_wins_over_the_file() {
    let one = Registry::start(Content::of(&[("one/a/b", &["1"])]));
    let two = Registry::start(Content::of(&[("two/a/b", &["1"]), ("rest/quay.io/a/b", &["1"])]));
    let (one, two) = ((one.url(), one), (two.url(), two));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (&one.0, &two.0);
    let config = format!(
        "registries:\n- {{host: docker.io, url: '{second}/two'}}\n- {{host: ghcr.io, url: '{second}/two/'}}\n- {{host: '*', url: '{second}/rest/{{host}}'}}\n"
    );
    write(folder.path(), "digestif.yaml", format!("{HEAD}{config}"));
    let flag = format!("docker.io={first}/one");
    for (env, flags, hub) in [
        (&[][..], &[][..], "two"),
        (&[("DIGESTIF_REGISTRY", flag.as_str())], &[], "one"),
        (&[], &["--registry", &flag], "one"),
    ] {
        let before = [one.1.requests().len(), two.1.requests().len()];
        let images = ["docker.io/a/b:1", "ghcr.io/a/b:1", "quay.io/a/b:1"];
        let ran = run_in(folder.path(), env, flags, &pods(&images));
        let digest = |name: &str| crate::support::registry::digest_of(name, "1");
        assert_eq!(
            written(&ran.succeeded()),
            [
                format!("docker.io/a/b:1@{}", digest(&format!("{hub}/a/b"))),
                format!("ghcr.io/a/b:1@{}", digest("two/a/b")),
                format!("quay.io/a/b:1@{}", digest("rest/quay.io/a/b")),
            ]
        );
        let after = [one.1.requests().len(), two.1.requests().len()];
        let asked = if hub == "one" { [1, 2] } else { [0, 3] };
        assert_eq!([after[0] - before[0], after[1] - before[1]], asked, "{flags:?}");
    }
}

#[test]
fn rules_of_flags_come_first_then_rules_of_the_file_in_their_order() {
    const FILE: &str = "fallbacks:\n- {name: one, images: ['**'], tag: x, try: [one, uno]}\n- {name: two, images: [docker.io/acme/*], try: [two]}\n";
    let asked = format!("{APP}:x");
    for (existing, flags, rule, tried) in [
        (
            &["flag", "one", "two"][..],
            &["--fallback=x=flag"][..],
            "--fallback x=flag",
            &["flag"][..],
        ),
        (&["one", "two"], &["--fallback=x=flag"], "one", &["flag", "one"]),
        (&["one", "two", "flag"], &[], "one", &["one"]),
        (&["uno", "two"], &[], "one", &["one", "uno"]),
        (&["two"], &["--fallback=y=flag"], "two", &["one", "uno", "two"]),
    ] {
        let setup = Setup::new(FILE, Content::of(&[(APP, existing)]));
        let (status, said, report) = setup.reported(flags, &[&asked]);
        let found = tried.last().expect("at least one");
        let entry = &report["images"][0];
        assert_eq!((status, &entry["tag"], &entry["rule"]), (0, &(*found).into(), &rule.into()));
        assert!(said.contains(&format!("= rule: {rule}\n")), "{said}");
        let mut requests = refused(&asked).to_vec();
        for tag in &tried[..tried.len() - 1] {
            requests.extend(refused(&format!("{APP}:{tag}")));
        }
        requests.push(existence(&format!("{APP}:{found}")));
        assert_eq!(setup.requests(), requests, "{existing:?} {flags:?}");
    }
}
