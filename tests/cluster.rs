//! Releases of real Helms on a real API server: the objects that a cluster stores if digestif is the post-renderer.
//! If digestif fails, the cluster stores nothing.
//!
//! All tests share one API server. Each test has its own namespace.

#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use serde_json::json;
use support::cluster::Cluster;
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{Ran, clients, digestif, finish, for_every_host, pinned, start, testdata};
use tempfile::TempDir;

/// The first test that needs the servers starts them. A static is never dropped; the servers end
/// with this process.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    Cluster::start(&clients().expect("a test without clients has ended before it comes here"))
});

/// A version of Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Helm {
    /// Helm 3 runs a program of the `PATH` on everything except hooks.
    Three,
    /// Helm 4 runs a plugin on everything, and discards its stderr.
    Four,
}

impl Helm {
    fn client(self) -> &'static str {
        match self {
            Self::Three => "helm3",
            Self::Four => "helm4",
        }
    }
}

/// A user with a namespace and a home. The home has the charts, and digestif as a program and as a plugin of Helm 4.
struct User {
    namespace: String,
    clients: PathBuf,
    home: TempDir,
}

impl User {
    /// `None` without the clients.
    fn new(namespace: impl Into<String>) -> Option<Self> {
        let clients = clients()?;
        let home = tempfile::tempdir().expect("a temporary folder");
        let plugin = home.path().join("plugins/digestif");
        fs::create_dir_all(&plugin).expect("writable");
        symlink(env!("CARGO_BIN_EXE_digestif"), plugin.join("digestif")).expect("writable");
        let manifest = "apiVersion: v1\ntype: postrenderer/v1\nname: digestif\nversion: 0.1.0\n\
                        runtime: subprocess\nruntimeConfig:\n  platformCommand:\n  \
                        - command: ${HELM_PLUGIN_DIR}/digestif\n";
        fs::write(plugin.join("plugin.yaml"), manifest).expect("writable");
        symlink(testdata("charts"), home.path().join("charts")).expect("writable");
        Some(Self { namespace: namespace.into(), clients, home })
    }

    /// A client without the caller's environment.
    fn client(&self, name: &str, args: &[&str]) -> Command {
        let home = self.home.path();
        let mut command = Command::new(self.clients.join(name));
        command
            .args(args)
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("PATH", home.join("plugins/digestif"))
            .env("KUBECONFIG", CLUSTER.kubeconfig())
            .env("HELM_NAMESPACE", &self.namespace);
        if name == "helm4" {
            // Helm 3 can't read this plugin, and would then load no plugin at all.
            command.env("HELM_PLUGINS", home.join("plugins"));
        }
        command
    }

    /// Helm, with digestif as its post-renderer: the same line for both.
    fn post_rendering(&self, helm: Helm, args: &[&str], for_digestif: &[&str]) -> Command {
        let mut command = self.client(helm.client(), args);
        command.arg("--post-renderer=digestif");
        command.args(for_digestif.iter().map(|arg| format!("--post-renderer-args={arg}")));
        command
    }

    fn helm(&self, helm: Helm, args: &[&str]) -> String {
        run(&mut self.client(helm.client(), args)).succeeded()
    }

    fn kubectl(&self, args: &[&str], stdin: &str) -> String {
        let mut command = self.client("kubectl", args);
        command.args(["--namespace", &self.namespace]);
        finish(start(&mut command), stdin.as_bytes()).succeeded()
    }

    /// The images of the objects on the API server, one object on each line.
    fn stored(&self, kinds: &str, pod: &str) -> String {
        let images = format!("{pod}['initContainers','containers'][*].image");
        let lines = format!("{{range .items[*]}}{{.kind}}: {{{images}}}{{\"\\n\"}}{{end}}");
        self.kubectl(&["get", kinds, "--output", &format!("jsonpath={lines}")], "")
    }

    fn stored_workloads(&self) -> String {
        self.stored("deployments,jobs", ".spec.template.spec")
    }

    /// Marks a Job as complete, because no controller runs it.
    fn complete(&self, job: &str) {
        let time = "2026-01-01T00:00:00Z";
        let condition = |name| json!({"type": name, "status": "True"});
        let status = json!({"status": {
            "succeeded": 1,
            "startTime": time,
            "completionTime": time,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
        }})
        .to_string();
        let patch = ["patch", job, "--subresource=status", "--type=merge", "--patch", &status];
        self.kubectl(&patch, "");
    }

    /// True if the API server has no object of this user, not even the namespace.
    fn has_nothing(&self) -> bool {
        self.kubectl(&["get", "namespace", &self.namespace, "--ignore-not-found"], "").is_empty()
    }

    /// The path of a file of the user.
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).expect("it was written")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }
}

fn run(command: &mut Command) -> Ran {
    finish(start(command), b"")
}

/// A registry with the images of the chart `tenants`, except kubectl 1.36, the cluster's version.
fn one_version_behind() -> Content {
    Content::of(&[
        ("docker.io/clastix/kubectl", &["v1.35"]),
        ("ghcr.io/projectcapsule/capsule", &["v0.10.1"]),
    ])
}

const KUBECTL: &str = "docker.io/clastix/kubectl:v1.35";

/// The expected objects of the chart `tenants` on the API server.
fn tenants(kubectl: &str, jobs: usize) -> String {
    let manager = pinned("ghcr.io/projectcapsule/capsule:v0.10.1");
    format!("Deployment: {kubectl} {manager}\n") + &format!("Job: {kubectl}\n").repeat(jobs)
}

fn check(manifests: &str) -> Ran {
    digestif(["check", "--require-digest"], manifests)
}

#[test]
fn with_helm_3_a_release_is_pinned_from_install_to_rollback() {
    a_release_is_pinned_from_install_to_rollback(Helm::Three);
}

#[test]
fn with_helm_4_a_release_is_pinned_from_install_to_rollback() {
    a_release_is_pinned_from_install_to_rollback(Helm::Four);
}

fn a_release_is_pinned_from_install_to_rollback(helm: Helm) {
    let Some(user) = User::new(format!("release-{}", helm.client())) else { return };
    // The tag moves after its first request.
    let digest = format!("sha256:{}", "0".repeat(64));
    let older = Misbehaviour::DigestHeader(digest.clone().into());
    let moving = Fault::on("clastix/kubectl/manifests/v1.35", older).times(1);
    let registry = Registry::start(one_version_behind().with_fault(moving));
    let flag = for_every_host(&registry);
    let is_deployed = |kubectl: &str| {
        assert_eq!(user.stored_workloads(), tenants(kubectl, 1));
        let manifest = user.helm(helm, &["get", "manifest", "acme"]);
        check(&manifest).succeeded();
        assert_eq!(manifest.matches(kubectl).count(), 2, "{manifest}");
    };
    let [older, newer] = [format!("{KUBECTL}@{digest}"), pinned(KUBECTL)];

    // The registry is set by an argument, then by the environment.
    let install = ["install", "acme", "charts/tenants", "--create-namespace", "--no-hooks"];
    run(&mut user.post_rendering(helm, &install, &[&flag])).succeeded();
    is_deployed(&older);

    let upgrade = ["upgrade", "acme", "charts/tenants", "--no-hooks"];
    let mut upgrade = user.post_rendering(helm, &upgrade, &[]);
    upgrade.env("DIGESTIF_REGISTRY", flag.strip_prefix("--registry=").expect("it is that flag"));
    run(&mut upgrade).succeeded();
    is_deployed(&newer);

    user.helm(helm, &["rollback", "acme", "1", "--no-hooks"]);
    is_deployed(&older);

    assert_eq!(run(upgrade.env("DIGESTIF_NO_FALLBACK", "true")).status, 1);
    is_deployed(&older);
}

const JOB_CHART: &str = "apiVersion: v2\nname: job\nversion: 0.1.0\n";
const JOB: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - {name: a, image: 'registry.example/acme/web:v1'}\n";

#[test]
fn with_helm_3_a_job_survives_an_upgrade_if_the_advice_is_followed() {
    a_job_survives_an_upgrade_if_the_advice_is_followed(Helm::Three);
}

#[test]
fn with_helm_4_a_job_survives_an_upgrade_if_the_advice_is_followed() {
    a_job_survives_an_upgrade_if_the_advice_is_followed(Helm::Four);
}

fn a_job_survives_an_upgrade_if_the_advice_is_followed(helm: Helm) {
    let Some(user) = User::new(format!("jobs-{}", helm.client())) else { return };
    user.write("job/Chart.yaml", JOB_CHART);
    user.write("job/templates/job.yaml", JOB);
    // The tag moves after its second request.
    let older = Misbehaviour::DigestHeader(format!("sha256:{}", "0".repeat(64)).into());
    let moving = Fault::on("acme/web/manifests/v1", older).times(2);
    let registry = Registry::start(Content::everything().with_fault(moving));
    let flag = for_every_host(&registry);
    let lock = format!("--lock={}", user.home.path().join("images.lock.yaml").display());
    let upgrade = |flags: &[&str]| {
        let args = ["upgrade", "--install", "job", "job", "--create-namespace"];
        run(&mut user.post_rendering(helm, &args, &[&[flag.as_str()], flags].concat()))
    };
    let is_immutable = |ran: Ran| assert!(ran.failed(1).contains("field is immutable"));

    // A release that was installed without digestif.
    user.helm(helm, &["install", "job", "job", "--create-namespace"]);
    is_immutable(upgrade(&[]));
    upgrade(&["--skip-kind=Job"]).succeeded();
    user.helm(helm, &["uninstall", "job"]);

    // A tag that moves.
    upgrade(&[&lock]).succeeded();
    is_immutable(upgrade(&[]));
    upgrade(&[&lock]).succeeded();
}

/// Installs the chart `tenants` while the manager's tag is missing and no rule matches it. Returns
/// the output of Helm.
fn install_what_is_missing(user: &User, helm: Helm, for_digestif: &[&str]) -> String {
    let registry = Registry::start(Content::of(&[
        ("docker.io/clastix/kubectl", &["v1.36"]),
        ("ghcr.io/projectcapsule/capsule", &["v0.10.0"]),
    ]));
    let flag = for_every_host(&registry);
    let for_digestif = [&[flag.as_str()], for_digestif].concat();
    let install = ["install", "acme", "charts/tenants", "--create-namespace", "--no-hooks"];
    let said = run(&mut user.post_rendering(helm, &install, &for_digestif)).failed(1);
    assert!(user.has_nothing(), "{said}");
    said
}

#[track_caller]
fn assert_says_what_is_missing(text: &str) {
    for part in [
        "`ghcr.io/projectcapsule/capsule:v0.10.1` does not exist\n",
        "Deployment acme-tenants, container `manager`, spec.template.spec.containers[0].image\n",
        "= tried: `ghcr.io/projectcapsule/capsule:v0.10.1` (missing: 404 Not Found from ",
        "= nearest: v0.10.0 (the same minor version)\n",
        "= help: use a tag that exists, or push this one; ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_missing_tag_stops_helm_3_before_anything_is_created_and_its_error_says_why() {
    let Some(user) = User::new("missing-helm3") else { return };
    assert_says_what_is_missing(&install_what_is_missing(&user, Helm::Three, &[]));
}

#[test]
fn a_missing_tag_stops_helm_4_before_anything_is_created_and_the_log_says_why() {
    let Some(user) = User::new("missing-helm4") else { return };
    for (flag, log) in [(None, "state/digestif/log"), (Some("--log=own.log"), "own.log")] {
        let said = install_what_is_missing(&user, Helm::Four, flag.as_slice());
        assert!(!said.contains("does not exist"), "Helm 4 shows stderr now: {said}");
        let log = user.file(log);
        assert_says_what_is_missing(&log);
        assert_eq!(log.matches(", exit status 1\n").count(), 1, "{log}");
    }
}

#[test]
fn helm_4_shows_hooks_and_helm_3_does_not() {
    let Some(user) = User::new("hooks") else { return };
    let registry = Registry::start(one_version_behind());
    let flag = for_every_host(&registry);
    let template = ["template", "acme", "charts/tenants", "--kube-version=1.36"];

    let plain = user.helm(Helm::Three, &template);
    assert_eq!(check(&plain).status, 5);

    let by_3 = run(&mut user.post_rendering(Helm::Three, &template, &[&flag])).succeeded();
    let Ran { status, stderr, .. } = check(&by_3);
    assert_eq!((status, stderr.matches("has no digest\n").count()), (5, 1), "{stderr}");
    assert!(stderr.contains("Job acme-tenants-check, container `check`, "), "{stderr}");

    let by_4 = run(&mut user.post_rendering(Helm::Four, &template, &[&flag])).succeeded();
    check(&by_4).succeeded();
    assert_eq!(by_4.matches(&pinned(KUBECTL)).count(), 3);
    let log = user.file("state/digestif/log");
    for part in [
        ", exit status 0\n",
        "warning[substitution]: `docker.io/clastix/kubectl:v1.36` does not exist: \
         `docker.io/clastix/kubectl:v1.35` is used instead\n",
        "= rule: kubernetes-version\n",
        "; 1 substituted at 3 places\n",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
}

#[test]
fn the_hook_that_helm_4_waits_for_has_the_image_of_the_deployment() {
    let Some(user) = User::new("waiting") else { return };
    let registry = Registry::start(one_version_behind());
    let flag = for_every_host(&registry);
    let install = ["install", "acme", "charts/tenants", "--create-namespace", "--timeout=60s"];
    let mut install = user.post_rendering(Helm::Four, &install, &[&flag]);
    let installed = thread::scope(|scope| {
        let installed = scope.spawn(|| run(&mut install));
        let job = "job/acme-tenants-check";
        let wait = ["wait", "--for=create", job, "--timeout=30s", "--namespace=waiting"];
        // If the hook does not arrive, Helm's own message explains the failure better.
        if run(&mut user.client("kubectl", &wait)).status == 0 {
            user.complete(job);
        }
        installed.join().expect("it does not panic")
    });
    installed.succeeded();
    assert_eq!(user.stored_workloads(), tenants(&pinned(KUBECTL), 2));
}

#[test]
fn the_pipe_pins_the_hooks_that_helm_3_does_not_show() {
    let Some(user) = User::new("pipe") else { return };
    let registry = Registry::start(one_version_behind());
    let template = ["template", "acme", "charts/tenants", "--kube-version=1.36"];
    let rendered = user.helm(Helm::Three, &template);
    let through = digestif([for_every_host(&registry)], rendered).succeeded();
    check(&through).succeeded();
    user.kubectl(&["create", "namespace", "pipe"], "");
    user.kubectl(&["apply", "--filename=-"], &through);
    assert_eq!(user.stored_workloads(), tenants(&pinned(KUBECTL), 2));
}

#[test]
fn a_chart_without_manifests_installs_with_helm_4_and_with_helm_3_if_a_flag_allows_it() {
    let Some(user) = User::new("empty") else { return };
    user.write("nothing/Chart.yaml", "{apiVersion: v2, name: nothing, version: 0.1.0}\n");
    user.write("nothing/templates/all.yaml", "{{- if .Values.on }}\nkind: List\n{{- end }}\n");
    let install = ["install", "acme", "nothing", "--create-namespace"];
    let said = run(&mut user.post_rendering(Helm::Three, &install, &[])).failed(1);
    assert!(said.contains("error: the input is empty\n"), "{said}");
    assert!(said.contains("`--allow-empty` accepts this\n"), "{said}");

    run(&mut user.post_rendering(Helm::Three, &install, &["--allow-empty"])).succeeded();
    let upgrade = ["upgrade", "acme", "nothing"];
    run(&mut user.post_rendering(Helm::Four, &upgrade, &[])).succeeded();
    assert_eq!(user.helm(Helm::Four, &["get", "manifest", "acme"]), "\n");
}

#[test]
fn a_migration_gets_the_image_of_its_deployment_by_a_configured_rule() {
    let Some(user) = User::new("relay") else { return };
    let repository = "ghcr.io/berriai/litellm-database";
    let tag = "litellm_stable_release_branch-v1.61.20-stable";
    let registry = Registry::start(Content::of(&[(repository, &["main-v1.61.19-stable", tag])]));
    let flag = for_every_host(&registry);
    let image = pinned(&format!("{repository}:{tag}"));
    let expected = format!("Deployment: {image}\nJob: {image}\n");
    user.write(
        "rules.yaml",
        "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n\
         - name: litellm-branch\n  images: [ghcr.io/berriai/*]\n  tag: 'main-(v.+-stable)'\n  \
         try: ['litellm_stable_release_branch-$1']\n",
    );

    let install = ["install", "acme", "charts/relay", "--create-namespace"];
    let said = run(&mut user.post_rendering(Helm::Three, &install, &[&flag])).failed(1);
    let rule = "main-(v?[0-9].*)=litellm_stable_release_branch-$1";
    let proposal =
        format!("= rule: `--fallback '{repository}:{rule}'` would use `{repository}:{tag}`");
    assert!(said.contains(&proposal), "{said}");

    let args = [&flag, "--config=rules.yaml", "--log=own.log"];
    run(&mut user.post_rendering(Helm::Three, &install, &args)).succeeded();
    assert_eq!(user.stored_workloads(), expected);

    let upgrade = ["upgrade", "acme", "charts/relay"];
    let mut upgrade = user.post_rendering(Helm::Four, &upgrade, &[&flag]);
    run(upgrade.env("DIGESTIF_CONFIG", "rules.yaml")).succeeded();
    assert_eq!(user.stored_workloads(), expected);

    for log in ["own.log", "state/digestif/log"] {
        let log = user.file(log);
        assert!(log.contains("= rule: litellm-branch\n"), "{log}");
        assert!(log.contains("; 1 substituted at 2 places\n"), "{log}");
    }
}

#[test]
fn a_cron_job_of_a_kustomization_is_pinned_on_its_way_to_the_cluster() {
    let Some(user) = User::new("evictor") else { return };
    let registry =
        Registry::start(Content::of(&[("registry.k8s.io/descheduler/descheduler", &["v0.32.1"])]));
    let built =
        run(&mut user.client("kustomize", &["build", "charts/evictor/cronjob"])).succeeded();
    let through = digestif([for_every_host(&registry)], built).succeeded();
    user.kubectl(&["create", "namespace", "evictor"], "");
    user.kubectl(&["apply", "--filename=-"], &through);
    let image = pinned("registry.k8s.io/descheduler/descheduler:v0.32.1");
    let stored = user.stored("cronjobs", ".spec.jobTemplate.spec.template.spec");
    assert_eq!(stored, format!("CronJob: {image}\n"));
}
