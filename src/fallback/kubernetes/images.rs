//! Images that follow Kubernetes' versions: its client, and components that must not be stepped.

use crate::image::Repository;

/// Last segments of repositories whose tags are Kubernetes' versions. `dtzar/helm-kubectl` follows
/// Helm and `portainer/kubectl-shell` follows Portainer: neither is one of these.
const NAMES: [&str; 2] = [
    "kubectl", // registry.k8s.io, bitnami, rancher, clastix, alpine, and many mirrors of them
    "k8s-kubectl", // lachlanevenson and its forks
];

/// Ends of repositories where the last segment alone says too little. A mirror has its own host and
/// folders before them.
const ENDS: [&str; 1] = [
    "alpine/k8s", // kubectl, Helm and more, tagged by kubectl's version
];

/// Names of components that must not be older than the cluster says (Kubernetes version skew
/// policy), and of whole nodes. A name may have more words around it: `kube-apiserver-amd64`.
const COMPONENTS: [&str; 14] = [
    "cloud-controller-manager",
    "cloud-provider",
    "etcd",
    "hardened-kubernetes",
    "hyperkube",
    "k0s",
    "k3s",
    "kindest/node",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "rke2",
];

/// True if a repository holds a client tool that follows Kubernetes' versions.
pub(in crate::fallback) fn is_client(repository: &Repository) -> bool {
    let path = repository.path();
    let ends_so = |end: &str| path == end || path.ends_with(&format!("/{end}"));
    NAMES.contains(&last_segment(path)) || ENDS.iter().any(|end| ends_so(end))
}

/// True if a repository holds a component of the control plane or of nodes, which must not be older
/// than the cluster says.
pub(in crate::fallback) fn is_component(repository: &Repository) -> bool {
    let path = repository.path();
    let is_boundary = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    let last = path.len() - last_segment(path).len();
    COMPONENTS.iter().any(|name| {
        path.match_indices(name).any(|(at, _)| {
            let end = at + name.len();
            let is_last = end > last;
            let (before, after) = (path[..at].chars().next_back(), path[end..].chars().next());
            is_last && is_boundary(before) && is_boundary(after)
        })
    })
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_clusters_are_known_by_their_names() {
        for (name, is) in [
            ("registry.k8s.io/kube-apiserver-amd64", true),
            ("registry.k8s.io/provider-os/openstack-cloud-controller-manager", true),
            ("rancher/k3s", true),
            ("rancher/k3s-upgrade", true),
            ("rancher/rke2-runtime", true),
            ("kindest/node", true),
            ("mirror.corp/kindest/node", true),
            ("rancher/hyperkube", true),
            ("acme/node", false),
            ("rancher/kubectl", false),
            ("k3s/kubectl", false),
            ("acme/widget-controller-manager", false),
            ("acme/metrics-apiserver", false),
        ] {
            let repository: Repository = name.parse().expect("a name");
            assert_eq!(is_component(&repository), is, "{name}");
        }
    }
}
