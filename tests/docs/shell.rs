//! A shell runs every block of commands in the pages, with the real clients, an API server and a
//! registry on this machine. Only the registry is a fake.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::support::cluster::Cluster;
use crate::support::pages::{Block, Note, blocks, recipe};
use crate::support::registry::{Content, Registry};
use crate::support::{clients, digestif, finish, for_every_host, start, testdata};

/// The program `digestif` of the blocks. A command without a file reads the rendered manifests, unless it is in a
/// pipe. A check may refuse them, because some have tags on purpose.
const PROGRAM: &str = r#"#!/bin/sh
if [ -p /dev/stdin ]; then
  "$REAL_DIGESTIF" "$@"
else
  "$REAL_DIGESTIF" "$@" <"$SCENE/rendered.yaml"
fi
status=$?
if [ "$1" = check ] && [ "$status" = 5 ]; then exit 0; fi
exit "$status"
"#;

/// The images of the quick start, and those of the chart in `testdata/pages`.
const IMAGES: [(&str, &[&str]); 6] = [
    ("docker.io/clastix/kubectl", &["v1.31", "v1.35"]),
    ("docker.io/library/busybox", &["1.37"]),
    ("docker.io/library/nginx", &["1.29.1"]),
    ("ghcr.io/nginx/nginx-prometheus-exporter", &["1.4.2"]),
    ("registry.k8s.io/git-sync/git-sync", &["v4.4.2"]),
    ("ghcr.io/acme/web", &["1.4"]),
];

/// A folder with everything that the pages name: a chart, a package, manifests, a lock under version control.
struct Scene {
    folder: TempDir,
    namespace: String,
    /// True if `helm` must be Helm 4, because the section is about it. Helm 3 can't read plugins of
    /// Helm 4.
    has_helm_4: bool,
}

impl Scene {
    fn new(block: &Block, clients: &Path, registry: &Registry) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let namespace = block.place.replace(['/', '.', ':'], "-").to_lowercase();
        let has_helm_4 = block.place.starts_with("helm/") || block.section.contains("Helm 4");
        let scene = Self { folder, namespace, has_helm_4 };
        scene.copy(&testdata("pages"), ".");
        scene.copy(&testdata("quickstart"), "deploy");
        fs::remove_dir_all(scene.path("deploy/images")).expect("it was copied");
        let rendered =
            ["web.yaml", "cleanup.yaml"].map(|name| scene.read(&format!("deploy/{name}")));
        scene.write("rendered.yaml", &format!("---\n{}", rendered.join("---\n")));
        scene.write("kustomization.yaml", &recipe("kustomization"));
        scene.write("pin.yaml", &recipe("function"));
        let package = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: web\n";
        scene.write("pkg/Kptfile", &(package.to_owned() + &recipe("kptfile")));
        scene.add_programs(clients);
        let host = for_every_host(registry);
        let lock = scene.path("images.lock.yaml").display().to_string();
        let files = ["deploy", "deploy.yaml"].map(|name| scene.path(name).display().to_string());
        let made = ["--lock", &lock, &host, "-f", &files[0], "-f", &files[1], "-o", "/dev/null"];
        digestif(made, "").succeeded();
        fs::copy(&lock, scene.path("older.lock.yaml")).expect("writable");
        scene
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("readable")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writable");
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(&to).expect("writable");
        let copied = Command::new("cp").arg("-R").arg(from.join(".")).arg(to).status();
        assert!(copied.expect("every Unix has it").success());
    }

    /// Adds digestif and the clients to a folder of the `PATH`.
    fn add_programs(&self, clients: &Path) {
        fs::create_dir(self.path("bin")).expect("writable");
        self.write("bin/digestif", PROGRAM);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path("bin/digestif"), executable).expect("it is ours");
        let helm = if self.has_helm_4 { "helm4" } else { "helm3" };
        for (name, client) in
            [("helm", helm), ("kubectl", "kubectl"), ("kustomize", "kustomize"), ("kpt", "kpt")]
        {
            symlink(clients.join(client), self.path("bin").join(name)).expect("writable");
        }
    }

    /// A shell in the folder. Of the caller's environment, it has only the programs of the system.
    fn shell(&self, cluster: &Cluster, registry: &Registry, script: &str) -> Command {
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let host = for_every_host(registry);
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]).current_dir(self.folder.path()).env_clear();
        shell
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("HELM_NAMESPACE", &self.namespace)
            .env("KUBECONFIG", cluster.kubeconfig_for(&self.namespace, self.folder.path()))
            .env("REAL_DIGESTIF", env!("CARGO_BIN_EXE_digestif"))
            .env("SCENE", self.folder.path())
            .env("DIGESTIF_REGISTRY", host.trim_start_matches("--registry="));
        if self.has_helm_4 {
            shell.env("HELM_PLUGINS", self.path("plugins"));
        }
        shell
    }
}

/// Commands before each block: a namespace, a plugin for Helm 4, a release, and a repository with the branch `main`.
/// Blocks that apply the output of `helm template` replace the objects of the release.
const PREPARE: &str = r#"
exec 3>&1 >/dev/null </dev/null
kubectl create namespace "$HELM_NAMESPACE"
git init --quiet --initial-branch=main
git add images.lock.yaml deploy
git -c user.name=test -c user.email=test@localhost commit --quiet --message=Lock
[ -z "${HELM_PLUGINS:-}" ] || digestif helm-plugin install 2>/dev/null
helm install web ./chart
exec 1>&3
"#;

#[test]
fn every_block_of_commands_runs() {
    let Some(clients) = clients() else { return };
    let registry = Registry::start(Content::of(&IMAGES));
    let cluster = Cluster::start(&clients);
    let run: Vec<_> = blocks()
        .into_iter()
        .filter(|block| block.language == "sh" && block.note == Note::None)
        .collect();
    assert!(run.len() > 15, "{run:?}");
    thread::scope(|scope| {
        for block in &run {
            let (clients, registry, cluster) = (&clients, &registry, &cluster);
            scope.spawn(move || {
                let scene = Scene::new(block, clients, registry);
                let script = format!("{PREPARE}\n{}", block.text);
                let ran = finish(start(&mut scene.shell(cluster, registry, &script)), b"");
                assert_eq!(ran.status, 0, "{}\n{}\n{}", block.place, block.text, ran.stderr);
            });
        }
    });
}
