//! Flux: the list of images in `examples/flux`, and Flux's own kustomize library.

use std::fs;
use std::path::Path;

use serde_yaml::Value;

use crate::support::pages::recipe;
use crate::support::{finish, start};
use crate::{Host, example, hosts, images, pinned};

fn yaml(folder: &Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join(name)).expect("readable");
    serde_yaml::from_str(&text).expect("YAML")
}

#[test]
fn the_objects_of_the_example_have_the_list_of_the_page() {
    let folder = example("flux");
    let list = Host::new(&[]).shell(folder.path(), &recipe("flux-list")).succeeded();
    let list: Value = serde_yaml::from_str(&list).expect("YAML");
    assert_eq!(yaml(folder.path(), "web.yaml")["spec"]["images"], list["images"]);
    let release = yaml(folder.path(), "helm-release.yaml");
    let renderer = &release["spec"]["postRenderers"][0]["kustomize"];
    assert_eq!(renderer["images"], list["images"]);
}

#[test]
fn flux_pins_the_manifests_of_the_example() {
    let Some(hosts) = hosts() else { return };
    let folder = example("flux");
    let files = ["web.yaml", "cleanup.yaml"].map(|name| folder.path().join("deploy").join(name));
    let plain = files.map(|file| fs::read_to_string(file).expect("readable")).concat();
    let host = Host::new(&[]);
    let mut flux = host.command(hosts.join("flux"), folder.path());
    let built = finish(start(flux.args(["web.yaml", "."])), b"").succeeded();
    assert_eq!(images(&built), images(&pinned(&plain)));
}
