//! Presets: rules for images that have moved, which come with the binary and are off until named;
//! and the built-in rule, which is on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Kind, Template, WholeTag};

/// A rule that comes with the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Preset {
    /// Bitnami's versioned images, moved on 2025-08-28 to a place without updates
    /// (bitnami/containers#83267).
    #[serde(rename = "bitnamilegacy")]
    BitnamiLegacy,
    /// Kubernetes' own images: `k8s.gcr.io` is frozen since 2023-04-03, and is to be switched off
    /// (kubernetes.io/blog/2023/03/10/image-registry-redirect).
    #[serde(rename = "registry.k8s.io")]
    RegistryK8sIo,
    /// Kubebuilder's copy of kube-rbac-proxy, which is gone: first what was copied from there
    /// (kubernetes/k8s.io#6690), then what the project itself publishes
    /// (kubernetes-sigs/kubebuilder discussion 3907).
    #[serde(rename = "kube-rbac-proxy")]
    KubeRbacProxy,
    /// Client tools that follow Kubernetes' versions: on and last unless it is named.
    #[serde(rename = "kubernetes-version")]
    KubernetesVersion,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::BitnamiLegacy, Self::RegistryK8sIo, Self::KubeRbacProxy, Self::KubernetesVersion];

    /// How a configuration names it, and messages the rule.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BitnamiLegacy => "bitnamilegacy",
            Self::RegistryK8sIo => "registry.k8s.io",
            Self::KubeRbacProxy => "kube-rbac-proxy",
            Self::KubernetesVersion => "kubernetes-version",
        }
    }

    /// The repositories that it is about by itself.
    #[must_use]
    pub fn images(self) -> &'static [&'static str] {
        match self {
            Self::BitnamiLegacy => &["docker.io/bitnami/*"],
            Self::RegistryK8sIo => &["k8s.gcr.io/**"],
            Self::KubeRbacProxy => &["gcr.io/kubebuilder/kube-rbac-proxy"],
            Self::KubernetesVersion => &[],
        }
    }

    /// What it proposes; none for the built-in rule, whose settings say that.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        let templates: &[&str] = match self {
            Self::BitnamiLegacy => &["docker.io/bitnamilegacy/$name:$tag"],
            Self::RegistryK8sIo => &["registry.k8s.io/$repository:$tag"],
            Self::KubeRbacProxy => {
                &["registry.k8s.io/kubebuilder/$name:$tag", "quay.io/brancz/$name:$tag"]
            }
            Self::KubernetesVersion => return None,
        };
        let tag = WholeTag::any();
        let templates = templates
            .iter()
            .map(|text| Template::parse(text, &tag).expect("each is tested below"))
            .collect();
        Some(Kind::Try { tag, templates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::tests::asked;
    use crate::fallback::{Rule, Scope, Step, When};
    use crate::image::Globs;

    #[test]
    fn each_preset_leads_to_where_its_images_are_now() {
        for (preset, image, proposals) in [
            (
                Preset::BitnamiLegacy,
                "bitnami/redis:7.2.4-debian-12-r9",
                &["docker.io/bitnamilegacy/redis:7.2.4-debian-12-r9"][..],
            ),
            (Preset::BitnamiLegacy, "quay.io/bitnami/redis:7", &[]),
            (
                Preset::RegistryK8sIo,
                "k8s.gcr.io/sig-storage/csi-provisioner:v3.0.0",
                &["registry.k8s.io/sig-storage/csi-provisioner:v3.0.0"],
            ),
            (Preset::RegistryK8sIo, "k8s.gcr.io/pause:3.9", &["registry.k8s.io/pause:3.9"]),
            (
                Preset::KubeRbacProxy,
                "gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1",
                &[
                    "registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.13.1",
                    "quay.io/brancz/kube-rbac-proxy:v0.13.1",
                ],
            ),
        ] {
            let images = Globs::new(preset.images()).expect("valid");
            let kind = preset.kind().expect("it has templates");
            let name = preset.name().to_owned();
            let rule = Rule { name, scope: Scope::Images(images), when: When::Missing, kind };
            let steps = rule.steps(&asked(image)).unwrap_or_default();
            let asked: Vec<_> = steps
                .iter()
                .map(|step| match step {
                    Step::Ask(tagged) => tagged.to_string(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(asked, proposals, "{image}");
        }
    }
}
