//! What the pages say is true: configurations are accepted, links lead somewhere, flags exist.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use digestif::cli::Invocation;
use digestif::places::TABLE;
use serde_yaml::Value;
use support::{command, digestif, finish, start, testdata};

/// Every page, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "helm", "krm", "fuzz"].map(|folder| root.join(folder));
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.map(|file| file.expect("readable").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages: Vec<_> = pages
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            (path, text)
        })
        .collect();
    assert!(pages.len() > 4, "{pages:?}");
    pages
}

/// The blocks of a language in a page.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    page.split(&*fence).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn every_configuration_in_the_pages_is_accepted() {
    let schema = digestif(["schema", "config"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut seen = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "yaml") {
            if !block.contains("kind: PinImages") {
                continue;
            }
            seen += 1;
            let file = folder.path().join("digestif.yaml");
            fs::write(&file, block).expect("writable");
            let file = file.display().to_string();
            let ran = digestif(["--config", &file, "--allow-empty"], "");
            assert_eq!(ran.status, 0, "{}:\n{block}\n{}", path.display(), ran.stderr);
            let value: serde_json::Value = serde_yaml::from_str(block).expect("YAML");
            assert!(schema.is_valid(&value), "{}:\n{block}", path.display());
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn every_lock_in_the_pages_is_accepted() {
    let schema = digestif(["schema", "lock"], "").succeeded();
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let pages = pages();
    let blocks = pages.iter().flat_map(|(_, page)| blocks(page, "yaml"));
    let locks: Vec<_> = blocks.filter(|block| block.contains("kind: ImageLock")).collect();
    assert!(!locks.is_empty());
    for lock in locks {
        let read = digestif(["lock", "diff", "-", "/dev/null"], lock).succeeded();
        assert!(read.ends_with(" removed\n"), "{read}");
        let value: serde_json::Value = serde_yaml::from_str(lock).expect("YAML");
        assert!(schema.is_valid(&value), "{lock}");
    }
}

/// The texts under these keys, at any depth and in order.
fn texts(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) if key.as_str().is_some_and(|key| keys.contains(&key)) => {
                        found.push(text.clone());
                    }
                    Value::Sequence(items) if key.as_str() == Some("script") => {
                        found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    value => texts(value, keys, found),
                }
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| texts(item, keys, found)),
        _ => {}
    }
}

/// The workflows and pipelines of the page about CI.
fn recipes() -> Vec<Value> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).expect("readable");
    let recipes = blocks(&page, "yaml").into_iter().map(serde_yaml::from_str);
    recipes.collect::<Result<_, _>>().expect("YAML")
}

/// The arguments of each command of digestif in a script, without what the shell makes of the rest.
fn calls(script: &str) -> Vec<Vec<String>> {
    let commands = script.lines().flat_map(|line| line.split(" | ")).map(str::trim);
    let commands = commands.filter_map(|command| command.strip_prefix("digestif "));
    let ends = |word: &&str| !matches!(*word, ">" | ">>" | "&&" | "||");
    let arguments = |command: &str| {
        let words = command.split_whitespace().take_while(ends);
        words.map(|word| word.trim_matches('\'').to_owned()).collect()
    };
    commands.map(arguments).collect()
}

#[test]
fn every_command_of_the_recipes_for_ci_does_its_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let quickstart = testdata("quickstart");
    fs::create_dir(folder.path().join("deploy")).expect("writable");
    let mut rendered = String::new();
    for name in ["web.yaml", "cleanup.yaml"] {
        let text = fs::read_to_string(quickstart.join(name)).expect("readable");
        fs::write(folder.path().join("deploy").join(name), &text).expect("writable");
        rendered.push_str("---\n");
        rendered.push_str(&text);
    }
    let run = |arguments: &[String], stdin: &str| {
        let mut command = command(arguments);
        command.env("DIGESTIF_LAYOUT", quickstart.join("images")).env("DIGESTIF_OFFLINE", "true");
        let ran = finish(start(command.current_dir(folder.path())), stdin.as_bytes());
        assert_eq!(ran.status, 0, "{arguments:?}: {}", ran.stderr);
    };
    let first = ["--lock", "images.lock.yaml", "-f", "deploy/"].map(String::from);
    run(&first, "");
    let lock = folder.path().join("images.lock.yaml");
    let mut scripts = Vec::new();
    for recipe in recipes() {
        texts(&recipe, &["run"], &mut scripts);
    }
    let calls: Vec<_> = scripts.iter().flat_map(|script| calls(script)).collect();
    assert_eq!(calls.len(), 8, "{calls:?}");
    for arguments in calls {
        let locks = fs::read_to_string(&lock).expect("there is one");
        run(&arguments, if arguments[0] == "lock" { &locks } else { &rendered });
        let written = arguments.windows(2).filter(|pair| matches!(&*pair[0], "-o" | "--report"));
        for file in written.map(|pair| folder.path().join(&pair[1])) {
            assert!(file.exists(), "{arguments:?}");
        }
    }
}

#[test]
fn every_command_that_a_page_about_ci_names_is_a_call() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md");
    let page = fs::read_to_string(page).expect("readable").replace('\n', " ");
    let spans = page.split('`').skip(1).step_by(2).filter(|span| span.starts_with("digestif "));
    let calls: Vec<_> = spans.flat_map(calls).collect();
    assert!(calls.len() > 3, "{calls:?}");
    for arguments in calls {
        let call = std::iter::once("digestif".to_owned()).chain(arguments);
        let call: Vec<_> = call.map(std::ffi::OsString::from).collect();
        if let Err(error) = Invocation::read(call.clone()) {
            panic!("{call:?}: {error}");
        }
    }
}

#[test]
fn the_recipes_for_ci_may_do_no_more_than_they_have_to() {
    let workflows: Vec<_> =
        recipes().into_iter().filter(|recipe| recipe.get("on").is_some()).collect();
    assert_eq!(workflows.len(), 4);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/ci.yml");
    let own = fs::read_to_string(own).expect("readable");
    for workflow in workflows {
        assert!(workflow["permissions"].as_mapping().is_some_and(serde_yaml::Mapping::is_empty));
        for (name, job) in workflow["jobs"].as_mapping().expect("jobs") {
            assert!(job.get("permissions").is_some(), "{name:?}");
        }
        let mut actions = Vec::new();
        texts(&workflow, &["uses"], &mut actions);
        // The other one is digestif's own, which has no commit yet.
        actions.retain(|action| !action.starts_with("acme/digestif@"));
        for action in actions {
            assert!(own.contains(&format!("uses: {action} # v")), "{action} is not the one we use");
        }
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (path, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().expect("a folder").join(file)
            };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).expect("readable");
                let titles = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = titles.map(|title| {
                    let title = title.trim_start_matches('#').trim().to_lowercase();
                    title.replace(' ', "-").replace(|c: char| !c.is_alphanumeric() && c != '-', "")
                });
                assert!(anchors.any(|found| found == anchor), "{}: {link}", path.display());
            }
        }
    }
}

#[test]
fn every_flag_and_every_command_has_a_row_in_its_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/flags.md");
    let page = fs::read_to_string(page).expect("readable");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    let has_row = |text: &str| rows.iter().any(|row| row.contains(text));
    let help = digestif(["--help"], "").succeeded();
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    // Flags with a short form have a row with that. The last two are flags of Helm in an example.
    let known = [
        "help",
        "version",
        "filename",
        "output",
        "in-place",
        "quiet",
        "verbose",
        "config",
        "install",
        "post-renderer",
    ];
    for flag in flags {
        let flag = flag.trim_matches(|c: char| !c.is_ascii_lowercase() && c != '-');
        let is_known = flag.is_empty() || known.contains(&flag);
        assert!(is_known || has_row(&format!("`--{flag}")), "--{flag} has no row");
    }
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in commands.expect("there are commands").lines() {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        let name = line.split_whitespace().next().unwrap_or("help");
        if is_name && name != "help" {
            assert!(has_row(&format!("`digestif {name}")), "{name} has no row");
        }
    }
}

#[test]
fn the_readme_is_short_and_the_list_of_pages_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("readable");
    assert!(readme.split_whitespace().count() <= 1_500);
    let list = fs::read_to_string(root.join("docs/README.md")).expect("readable");
    for (path, _) in pages().iter().filter(|(path, _)| path.starts_with(root.join("docs"))) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name == "README.md" || list.contains(&format!("({name})")), "{name} is not listed");
    }
}

/// A project, the API groups of its kinds (with a dot first: every group that ends so), and what is
/// reported and left in every kind by other rules than the table.
type Project = (&'static str, &'static [&'static str], &'static str, &'static str);

const PROJECTS: [Project; 27] = [
    ("Prometheus", &["monitoring.coreos.com"], "arguments of its operator", ""),
    ("cert-manager", &["cert-manager.io"], "arguments of its controller", ""),
    ("Strimzi", &["kafka.strimzi.io"], "variables of its operator", ""),
    ("CloudNativePG", &["postgresql.cnpg.io"], "variables of its operator", ""),
    ("Tekton", &["tekton.dev"], "`spec.params`", "`$(params.x)`"),
    ("Argo Workflows and Rollouts", &["argoproj.io"], "", "`{{…}}`"),
    (
        "KServe",
        &["serving.kserve.io", "serving.kubeflow.org"],
        "its ConfigMap `inferenceservice-config`",
        "",
    ),
    (
        "Knative",
        &["operator.knative.dev", "caching.internal.knative.dev"],
        "ConfigMaps, and variables of its controllers",
        "`ko://…`, `${NAME}`",
    ),
    (
        "Istio",
        &["networking.istio.io", "sailoperator.io"],
        "templates in its ConfigMaps",
        "`image: auto`",
    ),
    ("Crossplane", &["pkg.crossplane.io"], "", ""),
    ("Cluster API", &[".cluster.x-k8s.io"], "", "`${X}`"),
    ("ECK", &[".k8s.elastic.co"], "", ""),
    ("Zalando's postgres-operator", &["acid.zalan.do"], "its ConfigMap", ""),
    ("Percona's operators", &[".percona.com"], "", ""),
    (
        "OpenShift",
        &["build.openshift.io", "image.openshift.io"],
        "",
        "`${X}` in a `Template`, whose objects are objects",
    ),
    ("Kyverno", &["kyverno.io"], "", "patterns"),
    ("Flux", &[".toolkit.fluxcd.io"], "the values of a `HelmRelease`", ""),
    ("kpt", &[".kpt.dev"], "", "its own kinds"),
    ("KubeVirt", &["kubevirt.io", "cdi.kubevirt.io"], "variables of its operators", ""),
    ("Ray", &["ray.io"], "", ""),
    ("Spark", &["sparkoperator.k8s.io"], "", ""),
    ("Volcano", &["batch.volcano.sh"], "", ""),
    ("Airflow", &["airflow.apache.org"], "its ConfigMap", ""),
    ("KEDA", &["keda.sh"], "", ""),
    ("Capsule", &["capsule.clastix.io"], "", ""),
    ("AIBrix", &["orchestration.aibrix.ai"], "", ""),
    ("NVIDIA's GPU operator", &["nvidia.com"], "variables of its operator", ""),
];

/// What the table says of the projects, as a table for people.
fn fields_by_project() -> String {
    let mut page =
        "| project | kind | pinned | reported | left |\n|---|---|---|---|---|\n".to_owned();
    for (project, groups, reported, left) in PROJECTS {
        // Kinds with the same fields share a line.
        let mut kinds: BTreeMap<&str, [Vec<String>; 3]> = BTreeMap::new();
        for line in TABLE.lines().skip(1) {
            let columns: Vec<_> = line.split(',').collect();
            let [group, kind, _, path, form, join, _, reason] = columns[..] else {
                panic!("not a row: {line}")
            };
            let is_of = |wanted: &&str| {
                group == *wanted || wanted.starts_with('.') && group.ends_with(wanted)
            };
            if !groups.iter().any(is_of) {
                continue;
            }
            let path = path.replace('/', ".");
            let path = if join.is_empty() { path } else { format!("{path}: {join}") };
            let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            let column = match form {
                "left" => 2,
                "reported" | "parts" => 1,
                _ => 0,
            };
            for kind in kind.split('|') {
                kinds.entry(kind).or_default()[column].push(format!("`{path}`{reason}"));
            }
        }
        let mut lines: Vec<(Vec<&str>, [Vec<String>; 3])> = Vec::new();
        for (kind, mut cells) in kinds {
            cells.iter_mut().for_each(Vec::dedup);
            match lines.iter_mut().find(|(_, known)| *known == cells) {
                Some((kinds, _)) => kinds.push(kind),
                None => lines.push((vec![kind], cells)),
            }
        }
        writeln!(page, "| {project} | every kind | images in containers | {reported} | {left} |")
            .expect("a string takes all");
        for (kinds, cells) in lines {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            let [pinned, reported, left] = cells.map(|paths| paths.join("<br>"));
            writeln!(page, "| {project} | {} | {pinned} | {reported} | {left} |", kinds.join(", "))
                .expect("a string takes all");
        }
    }
    page + &other_groups()
}

/// The groups of the table that have no line among the projects, with their kinds.
fn other_groups() -> String {
    let mut others: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in TABLE.lines().skip(1) {
        let columns: Vec<_> = line.split(',').collect();
        let is_of = |wanted: &&str| {
            columns[0] == *wanted || wanted.starts_with('.') && columns[0].ends_with(wanted)
        };
        if !PROJECTS.iter().any(|(_, groups, ..)| groups.iter().any(is_of)) {
            others.entry(columns[0]).or_default().extend(columns[1].split('|'));
        }
    }
    let mut page = "\n| group | kinds |\n|---|---|\n".to_owned();
    for (group, kinds) in others {
        let kinds: Vec<_> = kinds.into_iter().map(|kind| format!("`{kind}`")).collect();
        writeln!(page, "| `{group}` | {} |", kinds.join(", ")).expect("a string takes all");
    }
    page
}

#[test]
fn the_page_says_what_the_table_of_fields_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images.md");
    let page = fs::read_to_string(&path).expect("readable");
    let (before, rest) = page.split_once("<!-- fields: begin").expect("the section starts");
    let (begin, rest) = rest.split_once('\n').expect("the mark is a line");
    let (_, after) = rest.split_once("<!-- fields: end -->").expect("the section ends");
    let fields = fields_by_project();
    let expected =
        format!("{before}<!-- fields: begin{begin}\n\n{fields}\n<!-- fields: end -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).expect("writable");
    }
    let page = fs::read_to_string(&path).expect("readable");
    assert!(
        page == expected,
        "the table of fields has changed: UPDATE_DOCS=1 cargo test --test docs"
    );
}

/// The picture in the README: a command and what it prints in a terminal.
#[test]
fn the_picture_shows_a_real_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = [
        "--diff",
        "testdata/quickstart/cleanup.yaml",
        "--layout",
        "testdata/quickstart/images",
        "--offline",
    ];
    let mut run = command(shown.iter().chain(&["--color", "always"]).map(|&word| word.to_owned()));
    let ran = finish(start(run.current_dir(root)), b"");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let screen = format!("$ digestif {}\n{}\n{}", shown.join(" "), ran.stdout, ran.stderr);
    let picture = anstyle_svg::Term::new().render_svg(&screen);
    let path = root.join("docs/run.svg");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &picture).expect("writable");
    }
    let is_current = fs::read_to_string(&path).is_ok_and(|found| found == picture);
    assert!(is_current, "the output has changed: UPDATE_DOCS=1 cargo test --test docs");
    let readme = fs::read_to_string(root.join("README.md")).expect("readable");
    assert!(readme.contains("](docs/run.svg)"));
}

/// Each row of the table is a promise, and files with the tests that show it.
#[test]
fn each_promise_about_security_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("readable");
    let table = page.split("| promise | tests |").nth(1).expect("there is a table");
    let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (promise, tests) = row.trim_matches(['|', ' ']).rsplit_once(" | ").expect("two cells");
        for file in tests.split("; ") {
            let mut names = file.split('`').skip(1).step_by(2);
            let path = names.next().expect("it names a file");
            let text = fs::read_to_string(root.join(path)).expect(path);
            let names: Vec<_> = names.collect();
            assert!(!names.is_empty(), "{promise}: no test of {path}");
            for name in names {
                assert!(
                    text.contains(&format!("#[test]\nfn {name}()"))
                        || text.contains(&format!("#[test]\n    fn {name}()")),
                    "{path} has no test {name}"
                );
            }
        }
    }
}
