//! Presets: rules for images that have moved, which come with the binary and are off until named;
//! and the built-in rule, which is on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Step, When};
use crate::image::{Asked, Reference, Repository};

/// A rule that comes with the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Preset {
    /// Bitnami's images with a version. On 2025-08-28 they moved to a place without updates
    /// (bitnami/containers#83267).
    #[serde(rename = "bitnamilegacy")]
    BitnamiLegacy,
    /// Kubernetes' own images. `k8s.gcr.io` has no new images since 2023-04-03
    /// (kubernetes.io/blog/2023/03/10/image-registry-redirect); `gcr.io/google-containers` is older still.
    #[serde(rename = "registry.k8s.io")]
    RegistryK8sIo,
    /// Kubebuilder's copy of kube-rbac-proxy, which is gone: first what was copied from there
    /// (kubernetes/k8s.io#6690), then what the project itself publishes
    /// (kubernetes-sigs/kubebuilder discussion 3907).
    #[serde(rename = "kube-rbac-proxy")]
    KubeRbacProxy,
    /// `MinIO`'s images. Docker Hub denies them since 2026-09-11; Quay has the same tags with the same
    /// digests (readest/readest#6195). There are no community images after 2025-09-07.
    #[serde(rename = "minio")]
    Minio,
    /// Tekton's images. Google's registry denies them since 2025; GitHub's has the same images
    /// (tektoncd/pipeline#8870, tektoncd/plumbing#2221).
    #[serde(rename = "tekton")]
    Tekton,
    /// Helm 2's server, gone since 2021-08-06; GitHub's registry has the same tags (helm/helm#10004).
    #[serde(rename = "tiller")]
    Tiller,
    /// Zalando's images. Their registry is being closed since 2026-05-08
    /// (zalando/postgres-operator#3092). GitHub's are other builds of the same versions.
    #[serde(rename = "zalando")]
    Zalando,
    /// Kured. The project moved in September 2022 (kubereboot/kured#911).
    #[serde(rename = "kured")]
    Kured,
    /// Kubeflow Pipelines. Google's registry has no images since 2025; GitHub's has them from 2.4 on
    /// (kubeflow/pipelines#12422).
    #[serde(rename = "kubeflow-pipelines")]
    KubeflowPipelines,
    /// Client tools that follow Kubernetes' versions: on and last unless it is named.
    #[serde(rename = "kubernetes-version")]
    KubernetesVersion,
}

/// Where the images of a place are now. A place that ends with `/` is everything below it; a name
/// without that is one repository, or the start of the names with `-` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    from: &'static str,
    to: &'static [&'static str],
}

const fn moved(from: &'static str, to: &'static [&'static str]) -> Move {
    Move { from, to }
}

const BITNAMI: [Move; 1] = [moved("docker.io/bitnami/", &["docker.io/bitnamilegacy/"])];

const KUBERNETES: [Move; 3] = [
    moved("k8s.gcr.io/", &["registry.k8s.io/"]),
    moved("gcr.io/google-containers/", &["registry.k8s.io/"]),
    moved("gcr.io/google_containers/", &["registry.k8s.io/"]),
];

const KUBE_RBAC_PROXY: [Move; 1] = [moved(
    "gcr.io/kubebuilder/kube-rbac-proxy",
    &["registry.k8s.io/kubebuilder/kube-rbac-proxy", "quay.io/brancz/kube-rbac-proxy"],
)];

const MINIO: [Move; 1] = [moved("docker.io/minio/", &["quay.io/minio/"])];

const TEKTON: [Move; 2] = [
    moved("gcr.io/tekton-releases/dogfooding/", &["ghcr.io/tektoncd/plumbing/"]),
    moved("gcr.io/tekton-releases/", &["ghcr.io/tektoncd/"]),
];

const TILLER: [Move; 1] = [moved("gcr.io/kubernetes-helm/tiller", &["ghcr.io/helm/tiller"])];

const ZALANDO: [Move; 2] = [
    moved("registry.opensource.zalan.do/acid/", &["ghcr.io/zalando/"]),
    moved("registry.opensource.zalan.do/teapot/", &["ghcr.io/zalando/"]),
];

const KURED: [Move; 2] = [
    moved("docker.io/weaveworks/kured", &["ghcr.io/kubereboot/kured"]),
    moved("quay.io/weaveworks/kured", &["ghcr.io/kubereboot/kured"]),
];

const KUBEFLOW: [Move; 1] = [moved("gcr.io/ml-pipeline/", &["ghcr.io/kubeflow/kfp-"])];

impl Preset {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::BitnamiLegacy,
        Self::RegistryK8sIo,
        Self::KubeRbacProxy,
        Self::Minio,
        Self::Tekton,
        Self::Tiller,
        Self::Zalando,
        Self::Kured,
        Self::KubeflowPipelines,
        Self::KubernetesVersion,
    ];

    /// The name by which a configuration, flags and messages know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BitnamiLegacy => "bitnamilegacy",
            Self::RegistryK8sIo => "registry.k8s.io",
            Self::KubeRbacProxy => "kube-rbac-proxy",
            Self::Minio => "minio",
            Self::Tekton => "tekton",
            Self::Tiller => "tiller",
            Self::Zalando => "zalando",
            Self::Kured => "kured",
            Self::KubeflowPipelines => "kubeflow-pipelines",
            Self::KubernetesVersion => "kubernetes-version",
        }
    }

    /// The preset with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The old and the new places of its images; none for the built-in rule.
    #[must_use]
    pub fn moves(self) -> &'static [Move] {
        match self {
            Self::BitnamiLegacy => &BITNAMI,
            Self::RegistryK8sIo => &KUBERNETES,
            Self::KubeRbacProxy => &KUBE_RBAC_PROXY,
            Self::Minio => &MINIO,
            Self::Tekton => &TEKTON,
            Self::Tiller => &TILLER,
            Self::Zalando => &ZALANDO,
            Self::Kured => &KURED,
            Self::KubeflowPipelines => &KUBEFLOW,
            Self::KubernetesVersion => &[],
        }
    }

    /// The condition for trying it, unless a configuration has another: the
    /// old registries of some answer 401 or 403 for what is gone.
    #[must_use]
    pub fn when(self) -> When {
        match self {
            Self::Minio | Self::Tekton | Self::Tiller => When::MissingOrDenied,
            _ => When::Missing,
        }
    }

    /// The difference at the new place, for messages.
    #[must_use]
    pub fn difference(self) -> Option<&'static str> {
        match self {
            Self::BitnamiLegacy => Some("docker.io/bitnamilegacy gets no updates"),
            Self::Zalando => Some("ghcr.io/zalando has other builds of the same versions"),
            _ => None,
        }
    }

    /// Globs for the repositories that it is about.
    pub fn images(self) -> impl Iterator<Item = String> {
        self.moves().iter().map(|Move { from, .. }| {
            if from.ends_with('/') { format!("{from}**") } else { (*from).to_owned() }
        })
    }
}

/// The candidates for an image that has moved: the same tag in each new place. An image under another
/// host, as a mirror has it, is looked for beside it first.
pub(super) fn steps(moves: &[Move], asked: &Asked) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for name in moves.iter().flat_map(|one| one.names(&asked.repository)) {
        let text = format!("{name}:{}", asked.tag);
        let step = match text.parse() {
            Ok(Reference::Tagged(tagged)) => Step::Ask(tagged),
            Ok(Reference::Pinned(_)) => Step::Unusable(text, "it has a digest".to_owned()),
            Err(error) => Step::Unusable(text, error.to_string()),
        };
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// The repositories to which an image has moved, each with the preset that says so.
pub fn moved_to(repository: &Repository) -> impl Iterator<Item = (Preset, Repository)> + '_ {
    let targets = |preset: Preset| targets(preset.moves(), repository).into_iter();
    Preset::ALL.into_iter().flat_map(move |preset| targets(preset).map(move |to| (preset, to)))
}

/// The repositories to which an image has moved.
pub(super) fn targets(moves: &[Move], repository: &Repository) -> Vec<Repository> {
    let names = moves.iter().flat_map(|one| one.names(repository));
    names.filter_map(|name| name.parse().ok()).collect()
}

impl Move {
    /// The new names of a repository; none if it was never here.
    fn names(&self, repository: &Repository) -> Vec<String> {
        let name = repository.to_string();
        if let Some(rest) = self.rest(&name) {
            return self.to.iter().map(|to| format!("{to}{rest}")).collect();
        }
        // A mirror's copy: `harbor.corp/docker.io/bitnami/redis`, `harbor.corp/bitnami/redis`.
        let (host, path) = self.from.split_once('/').unwrap_or(("", self.from));
        if path.is_empty() {
            return Vec::new();
        }
        let is_start = |at: usize| at > 0 && name[..at].ends_with('/');
        let mut starts = name.match_indices(path).map(|(at, _)| at).filter(|at| is_start(*at));
        let Some((at, rest)) = starts
            .find_map(|at| Some((at, Move { from: path, ..*self }.rest(&name[at..])?.to_owned())))
        else {
            return Vec::new();
        };
        let before = &name[..at];
        let folder = before.strip_suffix('/').and_then(|before| before.strip_suffix(host));
        let beside = |to: &&str| {
            let (new_host, path) = to.split_once('/')?;
            match folder {
                Some(folder) if !folder.is_empty() => Some(format!("{folder}{to}{rest}")),
                _ if new_host == host => Some(format!("{before}{path}{rest}")),
                _ => None,
            }
        };
        let original = self.to.iter().map(|to| format!("{to}{rest}"));
        self.to.iter().filter_map(beside).chain(original).collect()
    }

    /// The part of a name after the old place.
    fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = name.strip_prefix(self.from)?;
        (self.from.ends_with('/') && !rest.is_empty() || rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::Rule;
    use crate::fallback::tests::asked;

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
                Preset::RegistryK8sIo,
                "gcr.io/google_containers/pause:3.9",
                &["registry.k8s.io/pause:3.9"],
            ),
            (
                Preset::KubeRbacProxy,
                "gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1",
                &[
                    "registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.13.1",
                    "quay.io/brancz/kube-rbac-proxy:v0.13.1",
                ],
            ),
            (Preset::KubeRbacProxy, "gcr.io/kubebuilder/kube-rbac-proxy-x:v0.13.1", &[]),
            (
                Preset::Minio,
                "minio/mc:RELEASE.2024-09-16T17-43-14Z",
                &["quay.io/minio/mc:RELEASE.2024-09-16T17-43-14Z"],
            ),
            (
                Preset::Tekton,
                "gcr.io/tekton-releases/github.com/tektoncd/pipeline/cmd/git-init:v0.40.2",
                &["ghcr.io/tektoncd/github.com/tektoncd/pipeline/cmd/git-init:v0.40.2"],
            ),
            (
                Preset::Tekton,
                "gcr.io/tekton-releases/dogfooding/tkn:v1",
                &["ghcr.io/tektoncd/plumbing/tkn:v1", "ghcr.io/tektoncd/dogfooding/tkn:v1"],
            ),
            (
                Preset::Tiller,
                "gcr.io/kubernetes-helm/tiller:v2.16.1",
                &["ghcr.io/helm/tiller:v2.16.1"],
            ),
            (
                Preset::Zalando,
                "registry.opensource.zalan.do/acid/postgres-operator:v1.8.1",
                &["ghcr.io/zalando/postgres-operator:v1.8.1"],
            ),
            (Preset::Kured, "weaveworks/kured:1.15.0", &["ghcr.io/kubereboot/kured:1.15.0"]),
            (
                Preset::KubeflowPipelines,
                "gcr.io/ml-pipeline/frontend:2.14.3",
                &["ghcr.io/kubeflow/kfp-frontend:2.14.3"],
            ),
        ] {
            let steps = Rule::preset(preset).steps(&asked(image)).unwrap_or_default();
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

    #[test]
    fn the_copy_in_a_mirror_is_looked_for_beside_it_first() {
        for (image, expected) in [
            (
                "harbor.corp/docker.io/bitnami/redis:7",
                &["harbor.corp/docker.io/bitnamilegacy/redis:7", "docker.io/bitnamilegacy/redis:7"]
                    [..],
            ),
            (
                "harbor.corp/bitnami/redis:7",
                &["harbor.corp/bitnamilegacy/redis:7", "docker.io/bitnamilegacy/redis:7"],
            ),
            ("harbor.corp/mybitnami/redis:7", &[]),
        ] {
            let steps = steps(Preset::BitnamiLegacy.moves(), &asked(image));
            let names: Vec<_> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::Ask(tagged) => Some(tagged.to_string()),
                    _ => None,
                })
                .collect();
            assert_eq!(names, expected, "{image}");
        }
    }
}
