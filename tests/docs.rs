//! What the pages say is true: configurations are accepted, links lead somewhere, flags exist.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use digestif::places::fields::TABLE;
use support::digestif;

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
fn every_flag_is_in_the_readme_and_every_command_too() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.expect("readable");
    let help = digestif(["--help"], "").succeeded();
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    for flag in flags {
        let flag = flag.trim_matches(|c: char| !c.is_ascii_lowercase() && c != '-');
        if !flag.is_empty()
            && !matches!(
                flag,
                "help"
                    | "version"
                    | "color"
                    | "filename"
                    | "output"
                    | "in-place"
                    | "quiet"
                    | "verbose"
                    | "config"
                    | "post-renderer"
            )
        {
            assert!(readme.contains(&format!("--{flag}")), "--{flag} is not in the README");
        }
    }
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in commands.expect("there are commands").lines().filter(|line| line.starts_with("  "))
    {
        let name = line.split_whitespace().next().unwrap_or("help");
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        if is_name && name != "help" {
            assert!(readme.contains(&format!("digestif {name}")), "{name} is not in the README");
        }
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
            let cells = kinds.entry(kind).or_default();
            cells[column].push(format!("`{path}`{reason}"));
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
