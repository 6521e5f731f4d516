//! Charts through real Helm, crane and the reference registry.

use std::process::Command;

use crate::support::distribution::RealRegistry;
use crate::support::judge::changes;
use crate::support::{clients, digestif, testdata};

fn helm(registry: &RealRegistry, args: &[&str]) -> String {
    let output = Command::new(registry.clients.join("helm3"))
        .args(args)
        .env("XDG_STATE_HOME", "/dev/null")
        .output()
        .expect("scripts/clients built it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("manifests are text")
}

/// The chart's images as written, with their names in the registry.
const GATEWAY: [(&str, &str); 4] = [
    ("docker.io/clastix/kubectl:v1.32", "docker.io/clastix/kubectl:v1.32"),
    ("docker.io/traefik:v3.5.3", "docker.io/library/traefik:v3.5.3"),
    ("busybox:1.37.0", "docker.io/library/busybox:1.37.0"),
    ("curlimages/curl:8.15.0", "docker.io/curlimages/curl:8.15.0"),
];

#[test]
fn a_chart_is_pinned_to_the_digests_that_crane_prints() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start(clients);
    let digests = registry.fill(&GATEWAY.map(|(_, name)| name));
    let chart = testdata("charts/gateway").display().to_string();
    let template =
        ["template", "edge", &chart, "--namespace=gateway-system", "--kube-version=1.32.0"];
    let rendered = helm(&registry, &template);

    let pinned = digestif(registry.flags(), &rendered).succeeded();
    let mut found = changes(&rendered, &pinned);
    found.sort();
    let mut expected: Vec<_> = GATEWAY
        .iter()
        .map(|(written, name)| ((*written).to_owned(), format!("{written}@{}", digests[*name])))
        .collect();
    expected.sort();
    assert_eq!(found, expected);

    let [registry_flag, ca_file] = registry.flags();
    let args = [
        format!("--post-renderer={}", env!("CARGO_BIN_EXE_digestif")),
        format!("--post-renderer-args={registry_flag}"),
        format!("--post-renderer-args={ca_file}"),
    ];
    let post_rendered = helm(
        &registry,
        &template.into_iter().chain(args.iter().map(String::as_str)).collect::<Vec<_>>(),
    );
    let by_helm: Vec<_> =
        changes(&rendered, &post_rendered).into_iter().map(|change| change.0).collect();
    let hooks = ["docker.io/clastix/kubectl:v1.32", "curlimages/curl:8.15.0"];
    assert_eq!(by_helm.len() + hooks.len(), expected.len(), "Helm 3 shows us no hooks");
    assert!(!by_helm.iter().any(|image| hooks.contains(&image.as_str())));
}

#[test]
fn an_image_that_the_real_registry_does_not_have_is_absent() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start(clients);
    registry.fill(&["docker.io/library/web:1"]);
    let manifest = "kind: Pod\nspec: {containers: [{image: 'web:2'}, {image: 'shop:1'}]}\n";
    let said = digestif(registry.flags(), manifest).failed(1);
    assert!(said.contains("`docker.io/library/web:2` does not exist"), "{said}");
    assert!(said.contains("`docker.io/library/shop:1` does not exist"), "{said}");
    assert_eq!(said.matches("code MANIFEST_UNKNOWN").count(), 2, "{said}");
}

#[test]
fn content_is_verified_against_the_real_registry() {
    let Some(clients) = clients() else { return };
    let registry = RealRegistry::start(clients);
    let digests = registry.fill(&["docker.io/library/web:1"]);
    let manifest = "kind: Pod\nspec: {containers: [{image: 'web:1'}]}\n";
    let [registry_flag, ca_file] = registry.flags();
    let pinned = digestif([&registry_flag, &ca_file, "--verify-content"], manifest).succeeded();
    let digest = &digests["docker.io/library/web:1"];
    assert_eq!(pinned, manifest.replace("web:1", &format!("web:1@{digest}")));
}
