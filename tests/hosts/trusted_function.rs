//! kustomize with `digestif fn`: the function's own configuration may name a lock.

use std::fs;

use crate::support::clients;
use crate::support::pages::recipe;
use crate::{Host, example};

#[test]
fn a_trusted_function_writes_the_lock_that_its_configuration_names() {
    let Some(clients) = clients() else { return };
    let folder = example("flux/deploy");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("writable");
    };
    let head = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nmetadata:\n  name: pin\n  annotations:\n";
    let function = recipe("trusted-function");
    write("pin.yaml", &format!("{head}{function}lock: images.lock.yaml\n"));
    write("kustomization.yaml", "resources: [web.yaml, cleanup.yaml]\ntransformers: [pin.yaml]\n");
    let host = Host::new(&[("kustomize", clients.join("kustomize"))]);
    let build = "kustomize build --enable-alpha-plugins --enable-exec .";
    let built = host.shell(folder.path(), build).succeeded();
    assert!(built.contains("nginx:1.29.1@sha256:"), "{built}");
    let lock = fs::read_to_string(folder.path().join("images.lock.yaml")).expect("it was written");
    assert!(lock.contains("image: docker.io/clastix/kubectl:v1.32\n"), "{lock}");
}
