//! Argo CD: the plugin of `examples/argo-cd`, run as Argo CD runs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_yaml::Value;

use crate::support::pages::recipe;
use crate::support::{clients, finish, start};
use crate::{Host, IMAGES, example, hosts, pinned};

/// The variables that Argo CD sets for a plugin.
const VARIABLES: [(&str, &str); 4] = [
    ("ARGOCD_APP_NAME", "web"),
    ("ARGOCD_APP_NAMESPACE", "shop"),
    ("KUBE_VERSION", "1.32.3"),
    ("KUBE_API_VERSIONS", "v1,apps/v1,batch/v1"),
];

fn assert_is_pinned(manifests: &str) {
    for (image, _) in [IMAGES[0], IMAGES[2]] {
        assert!(manifests.contains(&pinned(image)), "{image}: {manifests}");
        assert!(!manifests.contains(&format!("{image}\n")), "{image}: {manifests}");
    }
}

fn yaml(folder: &Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join(name)).expect("readable");
    serde_yaml::from_str(&text).expect("YAML")
}

#[test]
fn the_command_of_the_plugin_pins_the_chart_and_its_hooks() {
    let Some(clients) = clients() else { return };
    let folder = example("argo-cd");
    let host = Host::new(&[("helm", clients.join("helm3"))]);
    let plugin = yaml(folder.path(), "plugin.yaml");
    let words = ["command", "args"].map(|key| plugin["spec"]["generate"][key].as_sequence());
    let words: Vec<_> = words.into_iter().flatten().flatten().filter_map(Value::as_str).collect();
    let mut command = host.command(words[0], &folder.path().join("app"));
    command.args(&words[1..]).envs(VARIABLES).env_remove("DIGESTIF_LAYOUT");
    let manifests = finish(start(&mut command), b"").succeeded();
    assert_is_pinned(&manifests);
    assert!(manifests.contains("helm.sh/hook: pre-install"), "{manifests}");
}

#[test]
fn the_plugin_server_of_argo_cd_runs_the_example() {
    let (Some(hosts), Some(clients)) = (hosts(), clients()) else { return };
    let folder = example("argo-cd");
    let host = Host::new(&[("helm", clients.join("helm3"))]);
    let mut command = host.command(hosts.join("argo-cd"), folder.path());
    let work = host.home.path().join("work");
    command.args([".", ".", "app"]).env("ARGOCD_CMP_WORKDIR", work);
    command.args(VARIABLES.map(|(name, value)| format!("{name}={value}")));
    let ran = finish(start(command.env_remove("DIGESTIF_LAYOUT")), b"").succeeded();
    let (discovered, manifests) = ran.split_once('\n').expect("more than one line");
    // Without `discover`, the plugin renders only applications that name it.
    assert_eq!(discovered, "discovered: false");
    let manifests = manifests.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).expect("a manifest is JSON").to_string()
    });
    let images = manifests.map(|manifest| manifest.replace('"', "\n")).collect::<String>();
    assert_is_pinned(&images);
}

#[test]
fn the_component_adds_the_sidecar_and_the_plugin() {
    let Some(clients) = clients() else { return };
    let folder = example("argo-cd");
    let base = tempfile::tempdir().expect("a temporary folder");
    symlink(folder.path(), base.path().join("component")).expect("writable");
    let server = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: argocd-repo-server}\nspec:\n  template:\n    spec:\n      containers: [{name: argocd-repo-server, image: argocd}]\n      volumes: [{name: var-files, emptyDir: {}}]\n";
    fs::write(base.path().join("server.yaml"), server).expect("writable");
    let components = recipe("argo-cd-component");
    let components = components.replace("https://git.example.com/argo-cd-digestif", "component");
    let kustomization = format!("resources: [server.yaml]\n{components}");
    fs::write(base.path().join("kustomization.yaml"), kustomization).expect("writable");
    let host = Host::new(&[("kustomize", clients.join("kustomize"))]);
    let built = host.shell(base.path(), "kustomize build .").succeeded();
    assert!(built.contains("name: digestif\n"), "{built}");
    assert!(built.contains("name: var-files\n"), "{built}");
    assert!(built.contains("kind: ConfigManagementPlugin"), "{built}");
}

#[test]
fn the_lock_of_the_example_is_the_lock_of_the_page() {
    let Some(clients) = clients() else { return };
    let folder = example("argo-cd");
    let lock = folder.path().join("app/images.lock.yaml");
    let expected = fs::read_to_string(&lock).expect("readable");
    fs::remove_file(&lock).expect("it is there");
    let host = Host::new(&[("helm", clients.join("helm3"))]);
    host.shell(folder.path(), &recipe("argo-cd-lock")).succeeded();
    assert_eq!(fs::read_to_string(&lock).expect("written"), expected);
}

#[test]
fn the_application_names_the_plugin() {
    let folder = example("argo-cd");
    let plugin = yaml(folder.path(), "plugin.yaml");
    let application = yaml(folder.path(), "application.yaml");
    assert_eq!(application["spec"]["source"]["plugin"]["name"], plugin["metadata"]["name"]);
    assert_eq!(plugin["spec"].get("discover"), None);
    let page = recipe("argo-cd-plugin");
    let of_page: Value = serde_yaml::from_str(&page).expect("YAML");
    assert_eq!(of_page, plugin);
}
