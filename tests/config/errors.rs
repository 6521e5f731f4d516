//! Wrong configurations: the binary and the schema agree about them, and the message has the
//! position.

use std::fs;

use crate::support::{digestif, testdata};
use crate::{HEAD, NOTHING, schema, takes, write};

#[test]
fn the_schema_and_the_binary_accept_every_example() {
    let schema = schema("config");
    let examples = fs::read_dir(testdata("config")).expect("readable");
    let mut n = 0;
    for example in examples {
        let path = example.expect("readable").path();
        let text = fs::read_to_string(&path).expect("readable");
        assert!(takes(&schema, &text), "{}", path.display());
        let ran = digestif(["-q", "-c", &path.display().to_string()], NOTHING);
        assert_eq!((ran.stderr.as_str(), ran.stdout.as_str()), ("", NOTHING), "{}", path.display());
        n += 1;
    }
    assert!(n >= 8, "{n} examples");
}

/// The result of the schema for a wrong configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schema {
    /// The schema refuses it, as the binary does.
    Refuses,
    /// The schema cannot express the rule, and accepts it.
    Takes,
}

#[test]
fn the_binary_and_if_possible_the_schema_refuse_what_is_wrong() {
    use Schema::{Refuses, Takes};
    let schema = schema("config");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (config, by_schema, message, line, column) in [
        (
            "kubeVersio: '1.32'",
            Refuses,
            "unknown key `kubeVersio`, did you mean `kubeVersion`?",
            3,
            1,
        ),
        (
            "fallbacks:\n- preset: bitnamilegacy\n  enable: false",
            Refuses,
            "unknown key `enable`, did you mean `enabled`?",
            5,
            3,
        ),
        (
            "fallbacks:\n- name: a\n  images: ['**']\n  version: {with: minor}",
            Refuses,
            "unknown key `with`, did you mean `within`?",
            6,
            13,
        ),
        (
            "fallbacks:\n- name: a\n  images: ['**']\n  kubernetesVersion: {maxMinorSkw: 2}",
            Refuses,
            "unknown key `maxMinorSkw`, did you mean `maxMinorSkew`?",
            6,
            23,
        ),
        (
            "registries:\n- {host: a.io, Cache: true}",
            Refuses,
            "unknown key `Cache`, did you mean `cache`?",
            4,
            16,
        ),
        ("pin: tag", Refuses, "unknown value `tag`", 3, 6),
        ("skip: quay.io/**", Refuses, "expected a list", 3, 7),
        ("fallbacks: {preset: bitnamilegacy}", Refuses, "expected a list", 3, 12),
        ("fallbacks: [bitnamilegacy]", Refuses, "expected a mapping", 3, 13),
        ("registries: {a.io: 'https://b.io'}", Refuses, "expected a list", 3, 13),
        ("fallbacks:\n- {name: a, images: b.io/c, try: [x]}", Refuses, "expected a list", 4, 21),
        ("fallbacks:\n- {name: a, images: ['**'], try: x}", Refuses, "expected a list", 4, 34),
        (
            "fallbacks:\n- {name: a, images: ['**'], try: [x], when: missing}",
            Refuses,
            "expected a list",
            4,
            45,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], version: minor}",
            Refuses,
            "expected a mapping",
            4,
            38,
        ),
        ("fallbacks:\n- preset: bitnami", Refuses, "unknown value `bitnami`", 4, 11),
        (
            "fallbacks:\n- preset: kube-rbac-prox",
            Refuses,
            "unknown value `kube-rbac-prox`, did you mean `kube-rbac-proxy`?",
            4,
            11,
        ),
        (
            "fallbacks:\n- {preset: bitnamilegacy, when: [missing, absent]}",
            Refuses,
            "unknown value `absent`",
            4,
            43,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], kubernetesVersion: {maxMinorSkew: 21}}",
            Refuses,
            "`maxMinorSkew` is at most 20",
            4,
            63,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], kubernetesVersion: {maxMinorSkew: -1}}",
            Refuses,
            "expected a whole number",
            4,
            63,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], version: {prefer: closest}}",
            Refuses,
            "the key `within` is missing",
            4,
            39,
        ),
        ("registries:\n- {url: 'https://a.io'}", Refuses, "the key `host` is missing", 4, 4),
        ("pin: digest\npin: digest", Refuses, "the key `pin` occurs twice", 4, 1),
        ("kubeVersion: new", Takes, "`new` is not a version such as 1.32", 3, 14),
        ("fallbacks:\n- {name: a, try: [x]}", Takes, "the rule has no `images`", 4, 3),
        ("fallbacks:\n- {images: ['**'], try: [x]}", Takes, "the rule has no `name`", 4, 3),
        (
            "fallbacks:\n- {name: a, images: ['**']}",
            Takes,
            "the rule has no `try`, `version` or `kubernetesVersion`",
            4,
            3,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], tag: '(', try: [x]}",
            Takes,
            "the regular expression is wrong: unclosed group",
            4,
            34,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], tag: 'v(.+)', try: [$1, $2]}",
            Takes,
            "the regular expression has no group 2, which `$2` names",
            4,
            53,
        ),
        (
            "fallbacks:\n- {name: a, images: ['**'], try: [x], when: [denied]}",
            Takes,
            "`when` lacks `missing`",
            4,
            3,
        ),
        (
            "registries:\n- {host: '*', cache: true}",
            Takes,
            "`cache` needs the name of one host",
            4,
            10,
        ),
        ("skip:\n- {}", Refuses, "the object has no `kind`, `group`, `namespace` or `name`", 4, 3),
        ("skip:\n- {knd: Job}", Refuses, "unknown key `knd`, did you mean `kind`?", 4, 4),
        (
            "registries:\n- {host: '*', insecure: true}",
            Takes,
            "`insecure` needs the name of one host",
            4,
            10,
        ),
        (
            "registries:\n- {host: a.io, url: 'https://b.io', insecure: true}",
            Takes,
            "`insecure` needs an entry for the host of `url`",
            4,
            10,
        ),
        (
            "registries:\n- {host: a.io, insecureLogin: true}",
            Takes,
            "`insecureLogin: true` does nothing without `insecure: true`",
            4,
            10,
        ),
        (
            "registries:\n- {host: a.io, url: 'https://u:p@b.io'}",
            Takes,
            "the URL must not contain credentials",
            4,
            21,
        ),
    ] {
        let text = format!("{HEAD}{config}\n");
        assert_eq!(takes(&schema, &text), by_schema == Takes, "{text}");
        let path = write(folder.path(), "wrong.yaml", &text);
        let said = digestif(["-c", &path], NOTHING).failed(2);
        let expected =
            format!("error: the configuration is wrong: {message}\n --> {path}:{line}:{column}\n");
        // If the line is not shown, the arrow is in the first column.
        let said = said.replacen("\n-->", "\n -->", 1);
        assert!(said.starts_with(&expected), "{text}{said}");
        assert!(said.contains(" = help: "), "{said}");
        assert!(!said.contains("u:p@"), "{said}");
    }
}

#[test]
fn a_configuration_names_its_schema() {
    let schema = schema("config");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (text, said) in [
        ("kind: PinImages\npin: digest\n", "`apiVersion`"),
        ("apiVersion: digestif.dev/v1alpha1\npin: digest\n", "`kind`"),
        ("pin: digest\n", "`apiVersion` and `kind` are missing"),
        (
            "apiVersion: digestif.dev/v1\nkind: PinImages\n",
            "unknown value `digestif.dev/v1`, did you mean `digestif.dev/v1alpha1`?",
        ),
        (
            "apiVersion: digestif.dev/v1alpha1\nkind: PinImage\n",
            "unknown value `PinImage`, did you mean `PinImages`?",
        ),
    ] {
        assert!(!takes(&schema, text), "{text}");
        let path = write(folder.path(), "wrong.yaml", text);
        let message = digestif(["-c", &path], NOTHING).failed(2);
        let message = message.lines().next().unwrap_or_default();
        let is_said = message.starts_with("error: the configuration is wrong: ");
        assert!(is_said && message.contains(said), "{text}{message}");
    }
}

#[test]
fn an_error_in_the_yaml_has_its_position() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (config, line) in [
        ("fallbacks:\n- preset: bitnamilegacy\n\tenabled: false\n", 4), // the value it would go on
        ("pin: digest\nskip: [a, b\n", 4),
        ("pin: digest\nskip: ['a]\n", 4),
        ("pin: digest\nskip: *globs\n", 4),
        ("pin: digest\n skip: []\n", 3), // one text over two lines
    ] {
        let path = write(folder.path(), "wrong.yaml", format!("{HEAD}{config}"));
        let said = digestif(["-c", &path], NOTHING).failed(2);
        // An unclosed collection is found only at the end of the file.
        let places = [line, line + 1].map(|line| format!(" --> {path}:{line}:"));
        assert!(places.iter().any(|place| said.contains(place)), "{config}{said}");
    }
}

#[test]
fn one_run_reports_every_wrong_rule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = "fallbacks:\n- {name: a, images: ['**'], try: [$1]}\n- {name: c, try: [x]}\nregistries: [{host: a.io}]\n";
    let path = write(folder.path(), "wrong.yaml", format!("{HEAD}{rules}"));
    let said = digestif(["-c", &path], NOTHING).failed(2);
    for place in ["4:35", "5:3", "6:14"] {
        assert!(said.contains(&format!(" --> {path}:{place}\n")), "{said}");
    }
    assert_eq!(said.matches("error: ").count(), 3, "{said}");
}
