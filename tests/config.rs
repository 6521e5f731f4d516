//! Configurations: which one is read, what is wrong with one, who wins over whom, and what their
//! rules lead to. The examples stand in `testdata/config`; the schema that the binary prints has to
//! agree with the binary about all of them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, command, digest_of, digestif, finish, for_every_host, start, testdata};

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";
const NOTHING: &str = "kind: Namespace\n";
const KUBECTL: &str = "docker.io/clastix/kubectl";
const APP: &str = "docker.io/acme/app";
const LITELLM: &str = "ghcr.io/berriai/litellm-database";
const MAIN: &str = "main-v1.61.20-stable";
const BRANCH: &str = "litellm_stable_release_branch-v1.61.20-stable";

/// A stream of Pods, each with one image.
fn pods(images: &[&str]) -> String {
    let pod = |image: &&str| {
        format!("---\nkind: Pod\nspec:\n  containers:\n  - image: {image} # as it was written\n")
    };
    images.iter().map(pod).collect()
}

/// What is written for an image that exists, or for a substitute.
fn pinned(reference: &str) -> String {
    format!("{reference}@{}", digest_of(reference))
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a temporary folder is writable");
    path.display().to_string()
}

/// Runs the binary in a folder, with this environment.
fn run_in(folder: &Path, env: &[(&str, &str)], args: &[&str], stdin: &str) -> Ran {
    let mut command = command(args);
    command.current_dir(folder).envs(env.iter().copied());
    finish(start(&mut command), stdin.as_bytes())
}

/// A configuration in a folder of its own, and a registry that answers for every host.
struct Setup {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl Setup {
    fn new(config: &str, content: Content) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "digestif.yaml", format!("{HEAD}{config}"));
        Self { folder, registry: Registry::start(content) }
    }

    /// With the text of an example instead.
    fn example(name: &str, content: Content) -> Self {
        let text = fs::read_to_string(testdata("config").join(name)).expect("an example");
        Self::new(text.split_once("PinImages\n").expect("it starts so").1, content)
    }

    fn run(&self, flags: &[&str], images: &[&str]) -> Ran {
        self.run_with(&[], flags, images)
    }

    fn run_with(&self, env: &[(&str, &str)], flags: &[&str], images: &[&str]) -> Ran {
        let every_host = for_every_host(&self.registry);
        let flags: Vec<_> = flags.iter().copied().chain([every_host.as_str()]).collect();
        run_in(self.folder.path(), env, &flags, &pods(images))
    }

    /// The images that a run writes.
    #[track_caller]
    fn images(&self, flags: &[&str], images: &[&str]) -> Vec<String> {
        written(&self.run(flags, images).succeeded())
    }

    /// A run's status and what it says, and its report, which fits the schema.
    fn reported(&self, flags: &[&str], images: &[&str]) -> (i32, String, Value) {
        let path = self.folder.path().join("report.json").display().to_string();
        let flags: Vec<_> = flags.iter().copied().chain(["--report", &path]).collect();
        let ran = self.run(&flags, images);
        let text = fs::read_to_string(&path).expect("it was written");
        let report = serde_json::from_str(&text).expect("JSON");
        assert!(schema("report").is_valid(&report), "{text}");
        (ran.status, ran.stderr, report)
    }

    /// What was asked, without what is the same each time.
    fn requests(&self) -> Vec<String> {
        let short = |line: String| line.replace("/v2/", "").replace("?n=1000", "");
        self.registry.requests().iter().map(|request| short(request.line())).collect()
    }
}

fn written(manifests: &str) -> Vec<String> {
    let images = manifests.lines().filter_map(|line| line.strip_prefix("  - image: "));
    images.map(|image| image.trim_end_matches(" # as it was written").to_owned()).collect()
}

/// The requests after which a tag is known to be denied: only a GET explains a 403.
fn denial(reference: &str, status: u16) -> Vec<String> {
    refused(reference).into_iter().take(if status == 401 { 1 } else { 2 }).collect()
}

/// The requests after which a tag is known to be absent.
fn refused(reference: &str) -> [String; 2] {
    let path = reference.replace(':', "/manifests/");
    [format!("HEAD {path}"), format!("GET {path}")]
}

fn existence(reference: &str) -> String {
    format!("HEAD {}", reference.replace(':', "/manifests/"))
}

fn denied(path: &str, status: u16) -> Fault {
    let code = if status == 401 { "UNAUTHORIZED" } else { "DENIED" };
    Fault::on(path, Misbehaviour::ErrorCode(status, code))
}

fn schema(of: &str) -> jsonschema::Validator {
    let schema = digestif(["schema", of], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

/// Whether a schema takes a YAML text.
fn takes(schema: &jsonschema::Validator, text: &str) -> bool {
    let value = serde_yaml::from_str::<serde_yaml::Value>(text).ok();
    let value = value.and_then(|value| serde_json::to_value(value).ok());
    value.is_some_and(|value| schema.is_valid(&value))
}

/// The text of a manifest of the projects that digestif was made for, where the corpus lies beside
/// the checkout.
fn corpus(file: &str) -> Option<String> {
    let corpus = std::env::var_os("DIGESTIF_CORPUS").map(PathBuf::from)?;
    Some(fs::read_to_string(corpus.join(file)).expect("the corpus has it"))
}

#[test]
fn one_configuration_is_read_and_the_command_line_says_which() {
    const OWN: &str = "web@";
    const OTHER: &str = "web:1";
    const NONE: &str = "web:1@";
    let content = Content::of(&[("docker.io/library/web", &["1"])]);
    let setup = Setup::new("pin: digest\n", content);
    write(setup.folder.path(), "other.yaml", format!("{HEAD}skip: ['**']\n"));
    let digest = digest_of("web:1");
    for (env, flags, read) in [
        (&[][..], &[][..], OWN),
        (&[], &["-c", "other.yaml"], OTHER),
        (&[], &["--config=digestif.yaml"], OWN),
        (&[], &["--no-config"], NONE),
        (&[("DIGESTIF_CONFIG", "other.yaml")], &[], OTHER),
        (&[("DIGESTIF_CONFIG", "")], &[], OWN),
        (&[("DIGESTIF_CONFIG", "other.yaml")], &["-c", "digestif.yaml"], OWN),
        (&[("DIGESTIF_CONFIG", "nowhere.yaml")], &["--no-config"], NONE),
        (&[("DIGESTIF_NO_CONFIG", "true")], &[], NONE),
        (&[("DIGESTIF_NO_CONFIG", "false")], &[], OWN),
        (&[("DIGESTIF_NO_CONFIG", "")], &[], OWN),
        (&[("DIGESTIF_NO_CONFIG", "true")], &["-c", "other.yaml"], OTHER),
    ] {
        let ran = setup.run_with(env, flags, &["web:1"]);
        let digest = if read == OTHER { "" } else { &digest };
        assert_eq!(written(&ran.succeeded()), [format!("{read}{digest}")], "{env:?} {flags:?}");
    }
    let both = [("DIGESTIF_CONFIG", "other.yaml"), ("DIGESTIF_NO_CONFIG", "true")];
    let contradiction = "error: the argument '--no-config' cannot be used with '--config'\n";
    let no_value = "error: a value is required for '--config <FILE>' but none was supplied\n";
    for (env, flags, message) in [
        (&[][..], &["-c", "other.yaml", "--no-config"][..], contradiction),
        (&both, &[], contradiction),
        (&[], &["-c="], no_value),
    ] {
        let said = setup.run_with(env, flags, &["web:1"]).failed(2);
        assert!(said.starts_with(message), "{said}");
    }
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let every_host = for_every_host(&setup.registry);
    let ran = run_in(elsewhere.path(), &[], &[&every_host], &pods(&["web:1"]));
    assert_eq!(written(&ran.succeeded()), [format!("web:1@{digest}")]);
}

#[test]
fn commands_that_need_no_configuration_read_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "digestif.yaml", "wrong");
    for args in [&["schema", "config"][..], &["man"], &["completions", "bash"]] {
        assert!(!run_in(folder.path(), &[], args, "").succeeded().is_empty(), "{args:?}");
    }
    for args in [&[][..], &["images"], &["explain", "a:1", "--offline"]] {
        let said = run_in(folder.path(), &[], args, &pods(&["a:1"])).failed(2);
        let expected =
            "error: the configuration is wrong: expected a mapping\n --> digestif.yaml:1:1";
        assert!(said.starts_with(expected), "{args:?}: {said}");
    }
    write(folder.path(), "digestif.yaml", format!("{HEAD}skip: [docker.io/library/a]\n"));
    let listed = run_in(folder.path(), &[], &["images"], &pods(&["a:1"])).succeeded();
    assert!(listed.contains("  skipped  "), "{listed}");
}

#[test]
fn a_file_that_is_no_configuration_is_refused_with_its_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("folder.yaml")).expect("writable");
    let utf_16: Vec<u8> =
        "\u{feff}kind: PinImages".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let file = |name: &str, text: &[u8]| write(folder.path(), name, text);
    file("utf-16.yaml", &utf_16);
    file("latin.yaml", b"a: 1\nb: \xfc\n");
    file("empty.yaml", b"");
    file("comment.yaml", b"# nothing\n");
    file("text.yaml", b"hello\n");
    file("list.yaml", b"- a\n");
    file("two.yaml", format!("{HEAD}---\n{HEAD}").as_bytes());
    file("pod.yaml", b"apiVersion: v1\nkind: Pod\n");
    let missing = "error: the configuration is wrong: `apiVersion` and `kind` are missing\n";
    for (name, message, place) in [
        (
            "nowhere.yaml",
            "error: the file can't be read: No such file or directory (os error 2)\n",
            "--> nowhere.yaml\n",
        ),
        (
            "folder.yaml",
            "error: the file can't be read: Is a directory (os error 21)\n",
            "--> folder.yaml\n",
        ),
        ("utf-16.yaml", "error: the file is UTF-16\n", "--> utf-16.yaml:1:1\n"),
        ("latin.yaml", "error: the file is not UTF-8: byte 0xfc\n", "--> latin.yaml:2:4\n"),
        ("empty.yaml", missing, " --> empty.yaml:1:1\n"),
        ("comment.yaml", missing, " --> comment.yaml:1:1\n"),
        (
            "text.yaml",
            "error: the configuration is wrong: expected a mapping\n",
            " --> text.yaml:1:1\n",
        ),
        (
            "list.yaml",
            "error: the configuration is wrong: expected a mapping\n",
            " --> list.yaml:1:1\n",
        ),
        (
            "two.yaml",
            "error: the configuration is wrong: there is more than one document in it\n",
            " --> two.yaml:4:1\n",
        ),
        (
            "pod.yaml",
            "error: the configuration is wrong: unknown value `v1`\n",
            " --> pod.yaml:1:13\n",
        ),
    ] {
        let said = run_in(folder.path(), &[], &["-c", name], NOTHING).failed(2);
        assert!(said.starts_with(&format!("{message}{place}")), "{name}: {said}");
        // Also where nobody names it: it is there, so it was meant.
        let own = tempfile::tempdir().expect("a temporary folder");
        if name != "nowhere.yaml" {
            let there = folder.path().join(name);
            fs::rename(there, own.path().join("digestif.yaml")).expect("one file system");
            let said = run_in(own.path(), &[], &[], NOTHING).failed(2);
            let place = place.replace(name, "digestif.yaml");
            assert!(said.starts_with(&format!("{message}{place}")), "{name}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_may_be_a_symbolic_link() {
    let content = Content::of(&[("docker.io/library/web", &["1"])]);
    let setup = Setup::new("pin: digest\n", content);
    let linked = Setup { folder: tempfile::tempdir().expect("a temporary folder"), ..setup };
    let target = write(linked.folder.path(), "real.yaml", format!("{HEAD}pin: digest\n"));
    let link = linked.folder.path().join("digestif.yaml");
    std::os::unix::fs::symlink(target, link).expect("writable");
    let expected = [format!("web@{}", digest_of("web:1"))];
    assert_eq!(linked.images(&[], &["web:1"]), expected);
    assert_eq!(linked.images(&["-c", "digestif.yaml"], &["web:1"]), expected);
}

#[test]
fn every_example_is_taken_by_the_schema_and_by_the_binary() {
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

/// What the schema can tell about a wrong configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schema {
    /// It refuses it, as the binary does.
    Refuses,
    /// It can't say what is wrong.
    Takes,
}

#[test]
fn what_is_wrong_is_refused_by_the_binary_and_where_it_can_be_by_the_schema() {
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
        ("pin: digest\npin: digest", Refuses, "the key `pin` is given twice", 4, 1),
        ("kubeVersion: new", Takes, "`new` is no version like 1.32", 3, 14),
        ("fallbacks:\n- {name: a, try: [x]}", Takes, "the rule has no `images`", 4, 3),
        ("fallbacks:\n- {images: ['**'], try: [x]}", Takes, "the rule has no `name`", 4, 3),
        ("fallbacks:\n- {name: a, images: ['**']}", Takes, "the rule says nothing to try", 4, 3),
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
            "`cache` needs the host that is one",
            4,
            10,
        ),
        (
            "registries:\n- {host: a.io, url: 'https://u:p@b.io'}",
            Takes,
            "credentials do not belong into the URL",
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
        // Where the line is not shown, the arrow stands at the margin.
        let said = said.replacen("\n-->", "\n -->", 1);
        assert!(said.starts_with(&expected), "{text}{said}");
        assert!(said.contains(" = help: "), "{said}");
        assert!(!said.contains("u:p@"), "{said}");
    }
}

#[test]
fn a_configuration_says_which_schema_it_follows() {
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
fn a_slip_in_the_yaml_is_shown_where_it_is() {
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
        // The end of the file is where something that is never closed comes to light.
        let places = [line, line + 1].map(|line| format!(" --> {path}:{line}:"));
        assert!(places.iter().any(|place| said.contains(place)), "{config}{said}");
    }
}

#[test]
fn every_wrong_rule_is_said_in_one_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = "fallbacks:\n- {name: a, images: ['**'], try: [$1]}\n- {name: c, try: [x]}\nregistries: [{host: a.io}]\n";
    let path = write(folder.path(), "wrong.yaml", format!("{HEAD}{rules}"));
    let said = digestif(["-c", &path], NOTHING).failed(2);
    for place in ["4:35", "5:3", "6:14"] {
        assert!(said.contains(&format!(" --> {path}:{place}\n")), "{said}");
    }
    assert_eq!(said.matches("error: ").count(), 3, "{said}");
}

#[test]
fn the_clusters_version_is_the_flags_then_the_environments_then_the_files() {
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
fn the_form_of_a_pin_is_the_flags_then_the_environments_then_the_files() {
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
fn the_skew_is_the_flags_then_the_environments_then_the_rules() {
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
    // A rule's skew is its own, and no other's.
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
    // A glob of the file may be for other inputs, one of the command line is a slip.
    let setup = Setup::new("skip: ['quay.io/**']", content());
    let said = setup.run(&["-q", "--skip=ghcr.io/**"], &["docker.io/a/b:1"]);
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
    let said = setup.run(&["--skip=ghcr.io/**"], &["docker.io/a/b:1"]).stderr;
    assert!(said.starts_with("warning: `ghcr.io/**` of `--skip` fits no image\n"), "{said}");
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
        let digest = |name: &str| support::registry::digest_of(name, "1");
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
fn rules_of_flags_come_before_those_of_the_file_and_these_in_their_order() {
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

#[test]
fn the_built_in_rule_is_last_unless_the_file_gives_it_another_place() {
    const OWN: &str = "- {name: own, images: ['**/kubectl'], try: [own]}\n";
    const PRESET: &str = "- preset: kubernetes-version\n";
    for (rules, existing, found) in [
        (OWN.to_owned(), &["own", "v1.31"][..], Some(("own", "own"))),
        (OWN.to_owned(), &["v1.31"], Some(("v1.31", "kubernetes-version"))),
        (format!("{OWN}{PRESET}"), &["own", "v1.31"], Some(("own", "own"))),
        (format!("{PRESET}{OWN}"), &["own", "v1.31"], Some(("v1.31", "kubernetes-version"))),
        (format!("{PRESET}{OWN}"), &["own", "v1.30"], Some(("own", "own"))),
        (
            format!("{PRESET}  enabled: true\n{OWN}"),
            &["v1.31"],
            Some(("v1.31", "kubernetes-version")),
        ),
        (format!("{PRESET}  enabled: false\n{OWN}"), &["own", "v1.31"], Some(("own", "own"))),
        (format!("{PRESET}  enabled: false\n"), &["v1.31"], None),
        (OWN.replace('}', ", enabled: false}"), &["own"], None),
    ] {
        let setup =
            Setup::new(&format!("fallbacks:\n{rules}"), Content::of(&[(KUBECTL, existing)]));
        let (status, _, report) = setup.reported(&[], &[&format!("{KUBECTL}:v1.32")]);
        let entry = &report["images"][0];
        let chosen = entry["tag"].as_str().zip(entry["rule"].as_str());
        assert_eq!((status, chosen), (i32::from(found.is_none()), found), "{rules}");
    }
}

#[test]
fn the_built_in_rule_takes_more_images_and_keeps_its_own() {
    let images = ["acme/k8s-tools:1.33", "clastix/kubectl:v1.33", "acme/other:1.33"];
    let repositories =
        images.map(|image| format!("docker.io/{}", image.split(':').next().expect("a name")));
    let tags: [&[&str]; 3] = [&["1.31", "stable"], &["v1.31"], &["1.31"]];
    let content: Vec<_> = repositories.iter().map(String::as_str).zip(tags).collect();
    let setup = Setup::example("more-kubernetes-clients.yaml", Content::of(&content));
    let expected = [pinned("acme/k8s-tools:1.31"), pinned("clastix/kubectl:v1.31")];
    assert_eq!(setup.images(&[], &images[..2]), expected);
    let said = setup.run(&[], &images[2..]).failed(1);
    assert!(said.starts_with("error: `docker.io/acme/other:1.33` does not exist\n"), "{said}");
    // Its own rule is the next.
    let found = setup.images(&["--max-minor-skew=0"], &images[..1]);
    assert_eq!(found, [pinned("acme/k8s-tools:stable")]);

    let setup = Setup::example("moved-images-only.yaml", Content::of(&[(KUBECTL, &["v1.31"])]));
    let said = setup.run(&["--max-minor-skew=5"], &[&format!("{KUBECTL}:v1.32")]).failed(1);
    assert!(!said.contains("kubernetes-version"), "{said}");
}

#[test]
fn no_rule_is_stronger_than_no_fallback() {
    const FILE: &str = "fallbacks:\n- {name: own, images: ['**'], try: [own], when: [missing, denied]}\n- {preset: kubernetes-version, enabled: true}\n";
    let asked = format!("{KUBECTL}:v1.32");
    for (env, flags) in [
        (&[][..], &["--no-fallback", "--fallback=.+=own"][..]),
        (&[("DIGESTIF_NO_FALLBACK", "true")], &["--fallback=.+=own"]),
        (&[("DIGESTIF_FALLBACK", ".+=own")], &["--no-fallback"]),
    ] {
        let setup = Setup::new(FILE, Content::of(&[(KUBECTL, &["own", "v1.31"])]));
        let said = setup.run_with(env, flags, &[&asked]).failed(1);
        assert!(said.starts_with(&format!("error: `{asked}` does not exist\n")), "{said}");
        let [head, get] = refused(&asked);
        assert_eq!(setup.requests(), [head, get, format!("GET {KUBECTL}/tags/list")]);
    }
    let content = Content::of(&[(KUBECTL, &["own"])]).with_fault(denied("manifests/v1.32", 403));
    Setup::new(FILE, content).run(&["--no-fallback"], &[&asked]).failed(6);
}

#[test]
fn what_is_denied_is_substituted_only_by_a_rule_that_says_so() {
    const ORDINARY: &str = "- {name: ordinary, images: ['**'], try: [z]}\n";
    const BRAVE: &str = "- {name: brave, images: ['**'], try: ['y'], when: [missing, denied]}\n";
    let asked = format!("{APP}:x");
    for status in [401, 403] {
        for rules in [BRAVE.to_owned(), format!("{ORDINARY}{BRAVE}"), format!("{BRAVE}{ORDINARY}")]
        {
            let content =
                Content::of(&[(APP, &["y", "z"])]).with_fault(denied("manifests/x", status));
            let setup = Setup::new(&format!("fallbacks:\n{rules}"), content);
            let (code, said, report) = setup.reported(&["-q"], &[&asked]);
            assert_eq!(code, 0, "{said}");
            let note =
                "rule brave takes what is denied for absent, by its `when: [missing, denied]`";
            let first =
                format!("warning: `{asked}` is absent or private: `{APP}:y` is used instead\n");
            assert!(said.starts_with(&first), "{said}");
            assert!(said.contains("= rule: brave\n"), "{said}");
            assert!(said.contains(&format!("= note: {note}\n")), "{said}");
            assert!(said.contains(&format!("= tried: `{asked}` (denied: {status} ")), "{said}");
            let entry = &report["images"][0];
            assert_eq!(
                (&entry["status"], &entry["rule"]),
                (&"substituted".into(), &"brave".into())
            );
            assert_eq!(entry["written"], pinned(&format!("{APP}:y")));
            assert_eq!(entry["tried"][0]["outcome"], "denied");
            assert_eq!(entry["notes"], serde_json::json!([note]));
            let found = vec![existence(&format!("{APP}:y"))];
            assert_eq!(setup.requests(), [denial(&asked, status), found].concat());
        }
        let content = Content::of(&[(APP, &["y", "z"])]).with_fault(denied("manifests/x", status));
        let setup = Setup::new(&format!("fallbacks:\n{ORDINARY}"), content);
        let (code, said, report) = setup.reported(&["--fallback=.+=y"], &[&asked]);
        assert_eq!((code, &report["images"][0]["status"]), (6, &"indeterminate".into()), "{said}");
        assert!(said.starts_with(&format!("error: `{asked}` is absent or private: ")), "{said}");
        assert_eq!(setup.requests(), denial(&asked, status), "no rule was tried");
    }
}

#[test]
fn what_a_registry_cannot_say_is_covered_by_no_rule() {
    use Misbehaviour::{ErrorCode, Html404};
    const BRAVE: &str =
        "fallbacks:\n- {name: brave, images: ['**'], try: ['y', z], when: [missing, denied]}\n";
    let asked = format!("{APP}:x");
    for fault in [ErrorCode(429, "TOOMANYREQUESTS"), ErrorCode(500, "UNKNOWN"), Html404] {
        let content = || Content::of(&[(APP, &["y", "z"])]);
        let setup =
            Setup::new(BRAVE, content().with_fault(Fault::on("manifests/x", fault.clone())));
        let said = setup.run(&["--retries=0"], &[&asked]).failed(4);
        assert!(said.contains(&asked) && !said.contains("instead"), "{fault:?}: {said}");
        assert!(setup.requests().iter().all(|line| line.ends_with("/x")), "{fault:?}");
        // Nor a candidate, whether what was asked for is absent or denied.
        for asked_for in [None, Some(denied("manifests/x", 403))] {
            let content = content().with_fault(Fault::on("manifests/y", fault.clone()));
            let content = asked_for.into_iter().fold(content, Content::with_fault);
            let setup = Setup::new(BRAVE, content);
            let said = setup.run(&["--retries=0"], &[&asked]).failed(4);
            let message = format!("and `{APP}:y` could not be asked for in its stead\n");
            assert!(said.contains(&message), "{fault:?}: {said}");
            assert!(!setup.requests().iter().any(|line| line.ends_with("/z")), "{fault:?}");
        }
    }
}

#[test]
fn a_denied_candidate_ends_the_search_unless_its_rule_takes_it_for_absent() {
    let asked = format!("{APP}:x");
    for (when, of_asked, found) in [
        ("[missing, denied]", None, Some("z")),
        ("[denied, missing]", Some(401), Some("z")),
        ("[missing]", None, None),
    ] {
        for status in [401, 403] {
            let rule = format!(
                "fallbacks:\n- {{name: own, images: ['**'], try: ['y', z], when: {when}}}\n"
            );
            let content = Content::of(&[(APP, &["y", "z"])]);
            let content = content.with_fault(denied("manifests/y", status));
            let faults = of_asked.map(|status| denied("manifests/x", status));
            let setup = Setup::new(&rule, faults.into_iter().fold(content, Content::with_fault));
            let ran = setup.run(&[], &[&asked]);
            let Some(tag) = found else {
                let said = ran.failed(6);
                let message = format!(
                    "error: `{asked}` does not exist, and `{APP}:y` could not be asked for in its stead\n"
                );
                assert!(said.starts_with(&message), "{said}");
                let denial = denial(&format!("{APP}:y"), status);
                assert_eq!(setup.requests(), [refused(&asked).to_vec(), denial].concat());
                continue;
            };
            let tried = format!("`{APP}:y` (denied: {status} ");
            assert!(ran.stderr.contains(&tried), "{}", ran.stderr);
            let expected = [pinned(&format!("{APP}:{tag}"))];
            assert_eq!(written(&ran.succeeded()), expected, "{when}");
        }
    }
}

#[test]
fn where_every_candidate_is_denied_the_image_stays_absent_or_private() {
    const BRAVE: &str =
        "fallbacks:\n- {name: brave, images: ['**'], try: ['y', z], when: [missing, denied]}\n";
    let asked = format!("{APP}:x");
    let content = Content::of(&[(APP, &[])]).with_fault(denied("manifests", 403));
    let setup = Setup::new(BRAVE, content);
    let (status, said, report) = setup.reported(&[], &[&asked]);
    assert_eq!(status, 6, "{said}");
    let outcomes = report["images"][0]["tried"].as_array().expect("a list");
    let outcomes: Vec<_> = outcomes.iter().map(|tried| &tried["outcome"]).collect();
    assert_eq!(outcomes, ["denied", "denied", "denied"]);
    let requests = ["x", "y", "z"].map(|tag| refused(&format!("{APP}:{tag}")));
    assert_eq!(setup.requests(), requests.concat());
}

#[test]
fn a_copy_that_hides_what_it_lacks_is_found_at_the_next_place() {
    let content = Content::of(&[("docker.io/bitnamilegacy/redis", &["7.2"])])
        .with_fault(denied("registry.example.com", 403));
    let setup = Setup::example("bitnami-moved.yaml", content);
    let found = setup.images(&[], &["registry.example.com/bitnami/redis:7.2"]);
    assert_eq!(found, [pinned("docker.io/bitnamilegacy/redis:7.2")]);
    let asked = ["bitnami", "bitnamilegacy"]
        .map(|project| refused(&format!("registry.example.com/{project}/redis:7.2")));
    let last = vec![existence("docker.io/bitnamilegacy/redis:7.2")];
    assert_eq!(setup.requests(), [asked.concat(), last].concat());
}

#[test]
fn a_preset_is_off_until_it_is_named() {
    for (preset, image, candidates) in [
        (
            "bitnamilegacy",
            "docker.io/bitnami/redis:7.2.4-debian-12-r9",
            &["docker.io/bitnamilegacy/redis:7.2.4-debian-12-r9"][..],
        ),
        ("registry.k8s.io", "k8s.gcr.io/pause:3.9", &["registry.k8s.io/pause:3.9"]),
        (
            "registry.k8s.io",
            "k8s.gcr.io/sig-storage/csi-provisioner:v3.0.0",
            &["registry.k8s.io/sig-storage/csi-provisioner:v3.0.0"],
        ),
        (
            "kube-rbac-proxy",
            "gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1",
            &[
                "registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.13.1",
                "quay.io/brancz/kube-rbac-proxy:v0.13.1",
            ],
        ),
    ] {
        // What is found is the last candidate, once those before it are proved absent.
        for n in 0..candidates.len() {
            let existing: Vec<_> = candidates[n..]
                .iter()
                .map(|found| found.split_once(':').expect("a tag"))
                .map(|(repository, tag)| (repository, [tag]))
                .collect();
            let existing: Vec<(&str, &[&str])> =
                existing.iter().map(|(repository, tags)| (*repository, &tags[..])).collect();
            let config = format!("fallbacks: [{{preset: {preset}}}]\n");
            let setup = Setup::new(&config, Content::of(&existing));
            let (status, said, report) = setup.reported(&[], &[image]);
            assert_eq!((status, &report["images"][0]["rule"]), (0, &preset.into()), "{said}");
            assert_eq!(report["images"][0]["written"], pinned(candidates[n]));
            let mut requests = refused(image).to_vec();
            requests.extend(candidates[..n].iter().flat_map(|candidate| refused(candidate)));
            requests.push(existence(candidates[n]));
            assert_eq!(setup.requests(), requests);

            for config in ["", &config.replace("}]", ", enabled: false}]")] {
                let setup = Setup::new(config, Content::of(&existing));
                let said = setup.run(&[], &[image]).failed(1);
                assert!(said.contains(&format!("error: `{image}` does not exist: ")), "{said}");
                assert_eq!(setup.requests(), refused(image), "{config}");
            }
        }
    }
}

#[test]
fn a_preset_takes_more_images_and_says_so_of_a_denied_one() {
    const CONFIG: &str = "fallbacks:\n- {preset: bitnamilegacy, images: ['quay.io/bitnami/*'], when: [missing, denied]}\n";
    let legacy = ("docker.io/bitnamilegacy/redis", &["7.2"][..]);
    for image in ["quay.io/bitnami/redis:7.2", "docker.io/bitnami/redis:7.2"] {
        for fault in [None, Some(denied("bitnami/redis", 401))] {
            let content = fault.into_iter().fold(Content::of(&[legacy]), Content::with_fault);
            let setup = Setup::new(CONFIG, content);
            assert_eq!(setup.images(&[], &[image]), [pinned("docker.io/bitnamilegacy/redis:7.2")]);
        }
    }
    let setup = Setup::new(CONFIG, Content::of(&[legacy]));
    setup.run(&[], &["ghcr.io/bitnami/redis:7.2"]).failed(1);
}

#[test]
fn a_version_rule_takes_the_version_that_it_describes() {
    const DOWN: &str = "within: minor";
    const UP: &str = "within: minor, direction: up";
    const ANY: &str = "within: minor, direction: any, prefer: closest";
    const HIGHEST: &str = "within: minor, direction: any, prefer: highest";
    const MAJOR: &str = "within: major";
    const PATCH: &str = "within: patch";
    for (settings, asked, existing, found) in [
        (DOWN, "v1.2.5", &["v1.2.3", "v1.2.4", "v1.2.6"][..], Some("v1.2.4")),
        (DOWN, "v1.2.5", &["v1.1.9", "v1.2.6", "v1.3.0"], None),
        (DOWN, "1.2.11", &["1.2.9", "1.2.10"], Some("1.2.10")),
        (UP, "v1.2.5", &["v1.2.4", "v1.2.9", "v1.2.7", "v1.3.0"], Some("v1.2.7")),
        (UP, "v1.2.5", &["v1.2.4"], None),
        (
            "within: minor, direction: up, prefer: highest",
            "v1.2.5",
            &["v1.2.7", "v1.2.10", "v1.3.0"],
            Some("v1.2.10"),
        ),
        (ANY, "v1.2.5", &["v1.2.6", "v1.2.3"], Some("v1.2.6")),
        // Of two that are as near, the lower.
        (ANY, "v1.2.5", &["v1.2.6", "v1.2.4"], Some("v1.2.4")),
        (HIGHEST, "v1.2.5", &["v1.2.4", "v1.2.9", "v1.2.10"], Some("v1.2.10")),
        (MAJOR, "1.2.5", &["1.1.9", "1.1.10", "2.0.0", "0.9.9"], Some("1.1.10")),
        (MAJOR, "1.2.5", &["1.2.1", "1.1.9"], Some("1.2.1")),
        (MAJOR, "1.2.5", &["2.0.0", "0.9.9"], None),
        // The prefix stays.
        (DOWN, "v1.2.5", &["1.2.4", "v1.2.3"], Some("v1.2.3")),
        (DOWN, "1.2.5", &["v1.2.4", "v1.2.3"], None),
        // The suffix stays.
        (DOWN, "1.2.5-slim", &["1.2.4", "1.2.3-slim"], Some("1.2.3-slim")),
        (DOWN, "1.2.5-arm64", &["1.2.4", "1.2.4-amd64"], None),
        (DOWN, "1.2.5", &["1.2.4-slim", "1.2.3-arm64"], None),
        // bitnami's builds: any for any of one version, never another base.
        (
            PATCH,
            "1.2.5-debian-12-r3",
            &["1.2.5-debian-12-r2", "1.2.5-debian-12-r12", "1.2.5-debian-11-r20"],
            Some("1.2.5-debian-12-r12"),
        ),
        (PATCH, "1.2.5-debian-12-r3", &["1.2.4-debian-12-r9", "1.2.5-debian-12", "1.2.5"], None),
        (
            DOWN,
            "1.2.5-debian-12-r3",
            &["1.2.4-debian-12-r0", "1.2.4-debian-12-r10"],
            Some("1.2.4-debian-12-r10"),
        ),
        // A tag that moves stands for the patches of its minor, and never for one of them.
        (DOWN, "v1.32", &["v1.32.4", "v1.32.10", "v1.31"], Some("v1.32.10")),
        (MAJOR, "v1.32", &["v1.31", "v1.31.9", "v1.30"], Some("v1.31")),
        (MAJOR, "v1.32.1", &["v1.31", "v1.31.9"], Some("v1.31.9")),
        (ANY, "v1.32.1", &["v1.32", "v1.31.9"], None),
        // A pre-release only where it is asked for.
        (DOWN, "1.2.5", &["1.2.5-rc.1", "1.2.4-beta.2", "1.2.3"], Some("1.2.3")),
        (UP, "1.2.0-rc.3", &["1.2.0-rc.4", "1.2.0"], Some("1.2.0")),
        (
            "within: minor, prerelease: true",
            "1.2.5",
            &["1.2.5-rc.2", "1.2.5-rc.10", "1.2.4"],
            Some("1.2.5-rc.10"),
        ),
        (HIGHEST, "latest", &["1.2.3"], None),
    ] {
        let rule = format!("- {{name: other, images: [{APP}], version: {{{settings}}}}}");
        let setup = Setup::new(&format!("fallbacks:\n{rule}\n"), Content::of(&[(APP, existing)]));
        let reference = format!("{APP}:{asked}");
        let ran = setup.run(&[], &[&reference]);
        let [head, get] = refused(&reference);
        let mut requests = vec![head, get, format!("GET {APP}/tags/list")];
        match found {
            Some(tag) => {
                let expected = pinned(&format!("{APP}:{tag}"));
                assert_eq!(written(&ran.succeeded()), [expected], "{settings} {asked}");
                requests.push(existence(&format!("{APP}:{tag}")));
            }
            None => assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{settings} {asked}"),
        }
        assert_eq!(setup.requests(), requests, "{settings} {asked}");
    }
}

#[test]
fn a_version_rule_reads_the_tags_of_a_repository_once() {
    const CONFIG: &str = "fallbacks:\n- {name: patch, images: ['**'], version: {within: patch}}\n- {name: minor, images: ['**'], version: {within: minor}}\n";
    let setup = Setup::new(CONFIG, Content::of(&[(APP, &["1.2.3", "1.3.1", "1.4.7"])]));
    let images = ["1.2.4", "1.3.9", "1.2.9", "1.4.8"].map(|tag| format!("{APP}:{tag}"));
    let found = setup.images(&[], &images.each_ref().map(String::as_str));
    let expected = ["1.2.3", "1.3.1", "1.2.3", "1.4.7"].map(|tag| pinned(&format!("{APP}:{tag}")));
    assert_eq!(found, expected);
    assert_eq!(setup.registry.requests_to("tags/list"), 1);
    // Two requests for each tag that is absent, one for each that is found.
    assert_eq!(setup.requests().len(), 4 * 2 + 1 + 3);
}

#[test]
fn a_version_rule_takes_an_invalid_tag_for_what_was_meant() {
    const CONFIG: &str = "fallbacks:\n- {name: minor, images: ['**'], version: {within: minor}}\n";
    let setup = Setup::new(CONFIG, Content::of(&[(APP, &["v1.27.4", "v1.27.3"])]));
    let ran = setup.run(&[], &[&format!("{APP}:v1.27.4+k3s1")]);
    let said = format!("warning: `{APP}:v1.27.4+k3s1` is not a valid reference: `{APP}:v1.27.4` ");
    assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
    assert_eq!(written(&ran.succeeded()), [pinned(&format!("{APP}:v1.27.4"))]);
    let expected = [format!("GET {APP}/tags/list"), existence(&format!("{APP}:v1.27.4"))];
    assert_eq!(setup.requests(), expected);
}

#[test]
fn a_mirror_that_lags_behind_is_followed_as_the_example_says() {
    let tags: &[&str] = &["v1.32.1", "v1.32.2-rc.1", "v1.31.9"];
    let content = Content::of(&[
        ("docker.io/rancher/kubectl", tags),
        ("mirror.example.com/team/app", &["2.0.1", "2.1.0"]),
        ("ghcr.io/acme/web", &["1.4.0", "1.5.0-nightly.7"]),
    ]);
    let setup = Setup::example("patch-behind.yaml", content);
    let images =
        ["rancher/kubectl:v1.32.4", "mirror.example.com/team/app:2.0.3", "ghcr.io/acme/web:1.3.0"];
    let expected = [
        "rancher/kubectl:v1.32.1",
        "mirror.example.com/team/app:2.0.1",
        "ghcr.io/acme/web:1.5.0-nightly.7",
    ];
    assert_eq!(setup.images(&[], &images), expected.map(pinned));
}

#[test]
fn the_404_of_a_cache_proves_nothing() {
    const RULE: &str =
        "fallbacks: [{name: own, images: ['**'], try: ['y'], when: [missing, denied]}]\n";
    const MESSAGE: &str =
        "could not be resolved: the cache does not have it, which proves nothing\n";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::start(Content::of(&[("a/b", &["y"]), ("hub/a/b", &["y"])]));
    let (address, url) = (registry.address(), registry.url());
    let direct = format!("{address}/a/b");
    let cache = format!("{{host: '{address}', cache: true}}");
    let flag = format!("docker.io={url}/hub");
    let same = format!("{{host: docker.io, url: '{url}/hub', cache: true}}");
    let two = format!("{{host: docker.io, url: '{url}/hub'}}, {cache}");
    for (registries, flags, repository) in [
        (&cache, &[][..], direct.as_str()),
        (&cache, &["--registry", &flag], "docker.io/a/b"),
        (&same, &[], "docker.io/a/b"),
        (&two, &[], "docker.io/a/b"),
    ] {
        let config = format!("{HEAD}{RULE}registries: [{registries}]\n");
        let path = write(folder.path(), "config.yaml", config);
        let flags: Vec<_> = flags.iter().copied().chain(["-c", &path]).collect();
        let run = |tag: &str| digestif(&flags, pods(&[&format!("{repository}:{tag}")]));
        let before = registry.requests().len();
        let said = run("x").failed(4);
        assert!(said.starts_with(&format!("error: `{repository}:x` {MESSAGE}")), "{said}");
        let requests = registry.requests();
        assert!(requests.len() > before, "it was asked");
        assert!(
            requests[before..].iter().all(|line| line.path.ends_with("/manifests/x")),
            "{said}"
        );
        let found = written(&run("y").succeeded());
        let name = if repository == direct { "a/b" } else { "hub/a/b" };
        let digest = support::registry::digest_of(name, "y");
        assert_eq!(found, [format!("{repository}:y@{digest}")]);
    }
    // Without the word it is taken at its word.
    let path = write(folder.path(), "config.yaml", format!("{HEAD}{RULE}"));
    let ran = digestif(["-c", &path, "--registry", &flag], pods(&["docker.io/a/b:x"]));
    let digest = support::registry::digest_of("hub/a/b", "y");
    assert_eq!(written(&ran.succeeded()), [format!("docker.io/a/b:y@{digest}")]);
}

#[test]
fn a_candidate_that_a_cache_does_not_have_ends_the_search() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::start(Content::of(&[("a/b", &["y", "z"])]));
    let cache = Registry::start(Content::of(&[("a/b", &["w"])]));
    let (origin, address) = (registry.address(), cache.address());
    let config = format!(
        "{HEAD}fallbacks: [{{name: own, images: ['**'], try: ['{address}/a/b:y', z], when: [missing, denied]}}]\nregistries: [{{host: '{address}', cache: true}}]\n"
    );
    let path = write(folder.path(), "config.yaml", config);
    let said = digestif(["-c", &path], pods(&[&format!("{origin}/a/b:x")])).failed(4);
    let message = format!(
        "error: `{origin}/a/b:x` does not exist, and `{address}/a/b:y` could not be asked for in its stead\n"
    );
    assert!(said.starts_with(&message), "{said}");
    assert!(!registry.requests().iter().any(|line| line.path.ends_with("/z")), "{said}");
}

#[test]
fn capsule_goes_as_far_down_as_its_configuration_says() {
    let image = format!("{KUBECTL}:v1.33");
    let content =
        || Content::of(&[(KUBECTL, &["v1.31"]), ("ghcr.io/projectcapsule/capsule", &["v0.7.2"])]);
    let setup = Setup::example("capsule.yaml", content());
    let (status, said, report) = setup.reported(&[], &[&image, &image, &image]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("; 1 substituted at 3 places\n"), "{said}");
    let entry = &report["images"][0];
    assert_eq!((&entry["tag"], &entry["rule"]), (&"v1.31".into(), &"capsule-kubectl".into()));
    // The one that comes with the binary would not have gone there.
    let said = setup.run(&["--no-config"], &[&image]).failed(1);
    assert!(said.contains("rule kubernetes-version stops at 1 minor version "), "{said}");
    let said = setup.run(&[], &[&format!("{KUBECTL}:v1.34")]).failed(1);
    assert!(said.contains("rule capsule-kubectl stops at 2 minor versions "), "{said}");

    let Some(manifest) = corpus("capsule-v0.7.2-kube1.32.yaml") else { return };
    let manifest = manifest.replace("kubectl:v1.32", "kubectl:v1.33");
    let every_host = for_every_host(&setup.registry);
    let ran = run_in(setup.folder.path(), &[], &[&every_host], &manifest);
    let found = ran.succeeded();
    assert_eq!(found.matches(&pinned(&format!("{KUBECTL}:v1.31"))).count(), 3);
    assert_eq!(found.matches("@sha256:").count(), 4);
}

#[test]
fn litellm_gets_its_branch_for_the_deployment_and_for_the_migration() {
    let image = format!("{LITELLM}:{MAIN}");
    let branch = pinned(&format!("{LITELLM}:{BRANCH}"));
    let setup = Setup::example("litellm.yaml", Content::of(&[(LITELLM, &[BRANCH, "main-latest"])]));
    let (status, said, report) = setup.reported(&[], &[&image, &image]);
    assert_eq!((status, &report["images"][0]["rule"]), (0, &"litellm-branch".into()), "{said}");
    assert!(said.contains("= rule: litellm-branch\n"), "{said}");
    assert!(said.contains("; 1 substituted at 2 places\n"), "{said}");
    assert_eq!(setup.images(&[], &[&image, &image]), [branch.as_str(), branch.as_str()]);
    // L8: a tag that exists is never substituted.
    let content = Content::of(&[(LITELLM, &[BRANCH, MAIN])]);
    let setup = Setup::example("litellm.yaml", content);
    assert_eq!(setup.images(&[], &[&image]), [pinned(&image)]);
    assert_eq!(setup.requests(), [existence(&image)]);

    let Some(manifest) = corpus("litellm-v1.61.20-stable.yaml") else { return };
    let content = Content::of(&[
        (LITELLM, &[BRANCH]),
        ("docker.io/bitnami/postgresql", &["16.2.0-debian-12-r6"]),
        ("docker.io/library/busybox", &["latest"]),
    ]);
    let setup = Setup::example("litellm.yaml", content);
    let every_host = for_every_host(&setup.registry);
    let ran = run_in(setup.folder.path(), &[], &[&every_host], &manifest);
    assert!(ran.stderr.contains("; 1 substituted at 2 places\n"), "{}", ran.stderr);
    assert_eq!(ran.succeeded().matches(&branch).count(), 2);
}

#[test]
fn of_two_that_exist_the_first_try_is_taken() {
    const CONFIG: &str = "fallbacks:\n- name: releases\n  images: [ghcr.io/berriai/*]\n  tag: 'main-(.+)'\n  try: ['$1', 'v$1']\n";
    let image = format!("{LITELLM}:main-1.86.2");
    for (existing, tag) in [(&["1.86.2", "v1.86.2"][..], "1.86.2"), (&["v1.86.2"], "v1.86.2")] {
        let setup = Setup::new(CONFIG, Content::of(&[(LITELLM, existing)]));
        assert_eq!(setup.images(&[], &[&image]), [pinned(&format!("{LITELLM}:{tag}"))]);
    }
}

#[test]
fn two_tags_of_one_repository_are_warned_of() {
    let images = ["main-latest", "main-v1.55.0"].map(|tag| format!("{LITELLM}:{tag}"));
    let images = images.each_ref().map(String::as_str);
    let setup = Setup::new("", Content::of(&[(LITELLM, &["main-latest", "main-v1.55.0"])]));
    let ran = setup.run(&[], &images);
    let warning = format!("warning: `{LITELLM}` has 2 tags here: `main-latest`, `main-v1.55.0`\n");
    assert!(ran.stderr.starts_with(&warning), "{}", ran.stderr);
    for place in ["--> <stdin>:5:12\n", "::: <stdin>:10:12\n"] {
        assert!(ran.stderr.contains(place), "{}", ran.stderr);
    }
    assert_eq!(written(&ran.succeeded()), images.map(pinned));
    let quiet = setup.run(&["-q"], &images);
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
    // What is left alone is none of its tags.
    let skipped = Setup::new("skip: ['ghcr.io/**']", Content::everything());
    assert!(!skipped.run(&[], &images).stderr.contains("warning"));
}
