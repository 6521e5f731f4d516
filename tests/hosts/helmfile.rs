//! helmfile: the setting of the page, with Helm 3 and with Helm 4.

use std::fs;

use crate::support::pages::recipe;
use crate::support::{clients, finish, start};
use crate::{Host, example, hosts, pinned};

#[test]
fn helmfile_pins_with_both_helms() {
    let (Some(hosts), Some(clients)) = (hosts(), clients()) else { return };
    let folder = example("argo-cd/app");
    let releases = "releases:\n- name: web\n  chart: ./\n";
    let file = format!("kubeVersion: v1.32.3\n{}{releases}", recipe("helmfile"));
    fs::write(folder.path().join("helmfile.yaml"), file).expect("writable");
    for helm in ["helm3", "helm4"] {
        let host = Host::new(&[("helm", clients.join(helm))]);
        let plugins = host.home.path().join("plugins");
        let mut install = host.command(env!("CARGO_BIN_EXE_digestif"), folder.path());
        install.args(["helm-plugin", "install"]).env("HELM_PLUGINS", &plugins);
        if helm == "helm4" {
            finish(start(&mut install), b"").succeeded();
        }
        let mut helmfile = host.command(hosts.join("helmfile"), folder.path());
        helmfile.args(["--skip-deps", "template"]).env("HELM_PLUGINS", &plugins);
        let rendered = finish(start(&mut helmfile), b"").succeeded();
        assert!(rendered.contains(&pinned("nginx:1.29.1")), "{helm}: {rendered}");
        // Helm 3 does not send hooks to a post-renderer.
        let hook = pinned("docker.io/clastix/kubectl:v1.32");
        assert_eq!(rendered.contains(&hook), helm == "helm4", "{helm}: {rendered}");
    }
}
