//! The table of custom resources in the page about images is the table in `src/places/fields.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use digestif::places::TABLE;

/// A project, the API groups of its kinds (a leading dot means a suffix), and two texts about all
/// its kinds: what other rules than the table report, and what they leave unchanged.
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

/// The table of fields by project, as Markdown.
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

/// The groups of the table that belong to no project, with their kinds.
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
fn the_page_has_the_table_of_fields() {
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
