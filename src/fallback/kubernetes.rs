//! The built-in rule: client tools that follow Kubernetes' versions.
//!
//! Charts derive such a tag from the cluster's version (`kubectl:v1.32`, `v1.16+` on GKE,
//! `v1.27.4+k3s1` on k3s), whether or not anyone published it. kubectl supports one minor either
//! side of the API server (Kubernetes version skew policy), so one step down is the default, and
//! control-plane components, which must not be older than the cluster says, are not in the list.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use super::version::{Version, revision, without_revision};
use super::{Pattern, Pick, Step};
use crate::image::{Asked, Repository, Tag, Tagged};

/// Last segments of repositories whose tags are Kubernetes' versions. `dtzar/helm-kubectl` follows
/// Helm and `portainer/kubectl-shell` follows Portainer: neither is one of these.
const NAMES: [&str; 2] = [
    "kubectl", // registry.k8s.io, bitnami, rancher, clastix, alpine, and many mirrors of them
    "k8s-kubectl", // lachlanevenson and its forks
];

/// Repositories by their full names, where the last segment alone says too little.
const REPOSITORIES: [&str; 1] = [
    "docker.io/alpine/k8s", // kubectl, Helm and more, tagged by kubectl's version
];

/// Suffixes of a distribution's build, which nobody but the distribution publishes.
const DISTRIBUTIONS: [&str; 2] = ["-eks-", "-gke."];

/// Last segments of repositories that must not be older than the cluster says: no rule about
/// Kubernetes' versions is about them, whatever its globs (Kubernetes version skew policy).
const CONTROL_PLANE: [&str; 8] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "cloud-controller-manager",
    "etcd",
    "hyperkube",
];

/// How many minor versions a client tool steps down where nobody says more (Kubernetes version skew
/// policy: kubectl works with one minor version on either side).
pub const DEFAULT_SKEW: u32 = 1;

/// The farthest that anyone may step down; each version costs some requests.
pub const MAX_SKEW: u32 = 20;

/// A minor version of Kubernetes: `1.32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinorVersion {
    major: u32,
    minor: u32,
}

impl FromStr for MinorVersion {
    type Err = String;

    /// Parses `1.32`, and what `kubectl version` prints: `v1.32.4`, `1.32+`, `v1.32.4-gke.1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let version =
            Version::parse(text).ok_or_else(|| format!("`{text}` is no version like 1.32"))?;
        Ok(Self { major: version.major, minor: version.minor })
    }
}

/// The rule's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// The cluster's version, where it is known.
    pub cluster: Option<MinorVersion>,
    /// How many minor versions a tag may be below the cluster's, or below the one asked for.
    pub max_minor_skew: u32,
}

impl KubernetesVersion {
    /// What to try: the tag without the distribution's build; the minor's own tag; its highest
    /// patch; the same with or without `v`; then one minor down, as far as the skew allows.
    pub(super) fn steps(self, asked: &Asked) -> Result<Vec<Step>, String> {
        if CONTROL_PLANE.contains(&last_segment(&asked.repository)) {
            return Err("it never steps a component of the control plane down".to_owned());
        }
        let version =
            Version::parse(&asked.tag).ok_or("the tag is no version like 1.32 or v1.32.1")?;
        let mut steps = Vec::new();
        for minor in self.minors(&version) {
            for suffix in suffixes(&version) {
                for v in [version.v, !version.v] {
                    let wanted = Version { v, minor, suffix, ..version };
                    if minor == version.minor && version.patch.is_some() {
                        steps.extend(ask(asked, &wanted.to_string()));
                    }
                    let own = Version { patch: None, suffix: without_revision(suffix), ..wanted };
                    steps.extend(ask(asked, &own.to_string()));
                    let pattern =
                        PatchOf { v, major: version.major, minor, suffix: suffix.to_owned() };
                    steps.push(Step::Pick(Pick(Pattern::Patch(pattern))));
                }
            }
        }
        let mut seen = Vec::new();
        steps.retain(|step| {
            let new = !seen.contains(step);
            if new {
                seen.push(step.clone());
            }
            new
        });
        Ok(steps)
    }

    /// Where the rule ends, for people.
    pub(super) fn limit(self) -> String {
        let versions = if self.max_minor_skew == 1 { "version" } else { "versions" };
        format!("stops at {} minor {versions} (`--max-minor-skew`)", self.max_minor_skew)
    }

    /// How far it would have to go for one of these tags, and to which: the nearest below its end.
    pub(super) fn farther<'t>(self, asked: &Asked, tags: &'t [Tag]) -> Option<(u32, &'t Tag)> {
        let version = Version::parse(&asked.tag)?;
        let (base, lowest) = (self.base(&version), *self.minors(&version).last()?);
        let below = tags.iter().filter_map(|tag| {
            let found = Version::parse(tag.as_str())?;
            let same = found.major == version.major && found.suffix == version.suffix;
            (same && found.minor < lowest).then(|| (base - found.minor, tag))
        });
        below.min()
    }

    /// The minor from which steps are counted.
    fn base(self, version: &Version<'_>) -> u32 {
        let cluster = self.cluster.filter(|cluster| cluster.major == version.major);
        cluster.map_or(version.minor, |cluster| cluster.minor)
    }

    /// The minors to try, nearest first. Never one above the cluster's. The minor that was asked
    /// for is always tried, however far below the cluster it is: its author chose it.
    fn minors(self, version: &Version<'_>) -> Vec<u32> {
        let base = self.base(version);
        let highest = version.minor.min(base);
        let lowest = base.saturating_sub(self.max_minor_skew);
        let below = (lowest..highest).rev();
        std::iter::once(highest).chain(below).collect()
    }
}

/// True if a repository holds a client tool that follows Kubernetes' versions.
pub(super) fn is_client(repository: &Repository) -> bool {
    NAMES.contains(&last_segment(repository))
        || REPOSITORIES.contains(&repository.to_string().as_str())
}

fn last_segment(repository: &Repository) -> &str {
    repository.path().rsplit('/').next().unwrap_or_default()
}

/// The suffix as written, and none at all where it is a distribution's build.
fn suffixes<'t>(version: &Version<'t>) -> impl Iterator<Item = &'t str> + use<'t> {
    let build = DISTRIBUTIONS.iter().find_map(|start| version.suffix.strip_prefix(start));
    let is_build = build.is_some_and(|build| !build.contains('-'));
    [Some(version.suffix), is_build.then_some("")].into_iter().flatten()
}

fn ask(asked: &Asked, tag: &str) -> Option<Step> {
    if tag == asked.tag {
        return None;
    }
    let tag = tag.parse().ok()?;
    Some(Step::Ask(Tagged { repository: asked.repository.clone(), tag }))
}

/// The highest patch of a minor, with this prefix and suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatchOf {
    v: bool,
    major: u32,
    minor: u32,
    suffix: String,
}

impl PatchOf {
    pub(super) fn best<'t>(&self, tags: &'t [Tag]) -> Option<&'t Tag> {
        let fitting = tags.iter().filter_map(|tag| {
            let found = Version::parse(tag.as_str())?;
            let same = (found.v, found.major, found.minor) == (self.v, self.major, self.minor);
            let suffix = without_revision(found.suffix) == without_revision(&self.suffix)
                && revision(found.suffix).is_some() == revision(&self.suffix).is_some();
            let patch = found.patch.filter(|_| same && suffix)?;
            Some((patch, revision(found.suffix).map_or(0, |(_, revision)| revision), tag))
        });
        fitting
            .min_by_key(|&(patch, revision, tag)| (Reverse((patch, revision)), tag))
            .map(|found| found.2)
    }
}

impl fmt::Display for PatchOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = if self.v { "v" } else { "" };
        write!(f, "{v}{}.{}.*{}", self.major, self.minor, without_revision(&self.suffix))?;
        f.write_str(if revision(&self.suffix).is_some() { "-r*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::Rule;
    use crate::fallback::tests::asked;

    /// The first of `published` that the steps lead to, and the steps up to it.
    fn first(image: &str, cluster: &str, skew: u32, published: &[&str]) -> Option<String> {
        let cluster = (!cluster.is_empty()).then(|| cluster.parse().expect("a version"));
        let rule = Rule::built_in(KubernetesVersion { cluster, max_minor_skew: skew });
        let tags: Vec<Tag> = published.iter().map(|tag| tag.parse().expect("a tag")).collect();
        rule.steps(&asked(image)).unwrap_or_default().iter().find_map(|step| match step {
            Step::Ask(tagged) => tags.contains(&tagged.tag).then(|| tagged.tag.to_string()),
            Step::Pick(pick) => pick.best(&tags).map(ToString::to_string),
            Step::Unusable(..) => None,
        })
    }

    #[test]
    fn the_nearest_published_version_is_found() {
        for (image, cluster, skew, published, found) in [
            // The minor itself: its own tag, then its highest patch.
            ("clastix/kubectl:v1.32", "", 1, &["v1.31"][..], Some("v1.31")),
            (
                "clastix/kubectl:v1.32",
                "",
                1,
                &["v1.32.1", "v1.32.10", "v1.32.9", "v1.31"],
                Some("v1.32.10"),
            ),
            ("clastix/kubectl:v1.32", "", 1, &["v1.32.0-rc.1", "v1.31"], Some("v1.31")),
            ("clastix/kubectl:v1.32", "", 1, &["1.32", "v1.31"], Some("1.32")),
            ("clastix/kubectl:v1.32", "", 1, &["1.32.4", "v1.31"], Some("1.32.4")),
            ("clastix/kubectl:v1.33", "", 1, &["v1.31"], None),
            ("clastix/kubectl:v1.33", "", 2, &["v1.31"], Some("v1.31")),
            ("clastix/kubectl:v1.32", "", 0, &["v1.31"], None),
            ("clastix/kubectl:v1.32", "", 1, &["v1.33"], None),
            ("clastix/kubectl:v1.32", "", 1, &["latest", "v1", "1"], None),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.32.0", "v1.31.9"], Some("v1.32.0")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.32", "v1.32.9"], Some("v1.32")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["1.32.1", "v1.31.0"], Some("1.32.1")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.31.2", "v1.31.10"], Some("v1.31.10")),
            ("rancher/kubectl:v1.32.1", "", 1, &["v1.31.3"], Some("v1.31.3")),
            ("alpine/k8s:1.32.1", "", 1, &["1.32.0"], Some("1.32.0")),
            ("alpine/kubectl:1.34.1", "", 1, &["1.34.0", "1.33.4"], Some("1.34.0")),
            ("lachlanevenson/k8s-kubectl:v1.25.4", "", 1, &["v1.25.3"], Some("v1.25.3")),
            // What distributions report.
            ("clastix/kubectl:v1.16+", "", 1, &["v1.16"], Some("v1.16")),
            ("clastix/kubectl:v1.16+", "", 1, &["v1.16.3", "v1.15"], Some("v1.16.3")),
            ("rancher/kubectl:v1.27.4+k3s1", "", 1, &["v1.27.4", "v1.27"], Some("v1.27.4")),
            ("rancher/kubectl:v1.27.4+k3s1", "", 1, &["v1.27.2"], Some("v1.27.2")),
            ("bitnami/kubectl:1.34.1-eks-d96d92f", "", 1, &["1.34.1", "1.34"], Some("1.34.1")),
            ("bitnami/kubectl:1.34.1-eks-d96d92f", "", 1, &["1.33"], Some("1.33")),
            (
                "bitnami/kubectl:1.34.1-eks-d96d92f",
                "",
                1,
                &["1.34-eks-d96d92f", "1.34"],
                Some("1.34-eks-d96d92f"),
            ),
            ("bitnami/kubectl:v1.29.6-gke.1038001", "", 1, &["1.29.6", "v1.29"], Some("v1.29")),
            ("bitnami/kubectl:v1.29.6-gke.1038001", "", 1, &["1.29.6"], Some("1.29.6")),
            ("bitnami/kubectl:1.34.1-eks-d96d92f-arm64", "", 1, &["1.34.1", "1.33"], None),
            ("bitnami/kubectl:1.27.4+k3s1-arm64", "", 1, &["1.27.4", "1.26"], None),
            // Suffixes that say what is inside stay.
            ("quay.io/a/kubectl:1.32-slim", "", 1, &["1.32", "1.31-slim"], Some("1.31-slim")),
            ("quay.io/a/kubectl:1.32-slim", "", 1, &["1.32.4-slim", "1.32.5"], Some("1.32.4-slim")),
            ("quay.io/a/kubectl:1.32-slim", "", 1, &["1.32", "1.31"], None),
            ("quay.io/a/kubectl:1.32.0-arm64", "", 1, &["1.32.1", "1.32.1-amd64"], None),
            ("quay.io/a/kubectl:1.32.0-rc.1", "", 1, &["1.32.0-rc.2", "1.32.0"], None),
            // bitnami's build numbers.
            (
                "bitnami/kubectl:1.32.1-debian-12-r3",
                "",
                1,
                &["1.32.1-debian-12-r0", "1.32.1-debian-12-r12", "1.32.0-debian-12-r20"],
                Some("1.32.1-debian-12-r12"),
            ),
            (
                "bitnami/kubectl:1.32.1-debian-12-r3",
                "",
                1,
                &["1.32-debian-12", "1.32.1-debian-12-r12"],
                Some("1.32-debian-12"),
            ),
            (
                "bitnami/kubectl:1.32.1-debian-12-r3",
                "",
                1,
                &["1.32.1-debian-11-r9", "1.32.1"],
                None,
            ),
            ("bitnami/kubectl:1.32", "", 1, &["1.32.2-debian-12-r1"], None),
            ("bitnami/kubectl:1.32", "", 1, &["1.31"], Some("1.31")),
            // The cluster's version, where it is known.
            ("clastix/kubectl:v1.33", "1.32", 1, &["v1.33.1", "v1.32", "v1.31"], Some("v1.32")),
            ("clastix/kubectl:v1.33", "1.32", 1, &["v1.31"], Some("v1.31")),
            ("clastix/kubectl:v1.33", "v1.32.4+k3s1", 1, &["v1.30"], None),
            ("clastix/kubectl:v1.30", "1.32", 1, &["v1.30.2"], Some("v1.30.2")),
            ("clastix/kubectl:v1.30", "1.32", 1, &["v1.29"], None),
            ("clastix/kubectl:v1.32", "1.32", 2, &["v1.30"], Some("v1.30")),
            ("clastix/kubectl:v1.0", "", 3, &["v1.0.1"], Some("v1.0.1")),
            // Images that follow something else, and tags that are no version.
            ("dtzar/helm-kubectl:3.16.1", "", 1, &["3.16.0", "3.15"], None),
            ("portainer/kubectl-shell:2.21.0", "", 1, &["2.20", "2.21"], None),
            ("registry.k8s.io/kube-apiserver:v1.32.1", "", 1, &["v1.32.0", "v1.31"], None),
            ("registry.k8s.io/kube-scheduler:v1.32.1", "", 1, &["v1.32.0"], None),
            ("library/k8s:1.32.1", "", 1, &["1.32.0"], None),
            ("clastix/kubectl:latest", "", 1, &["v1.32"], None),
            ("clastix/kubectl:v1", "", 1, &["v1.1", "v1.0"], None),
            ("clastix/kubectl:v1.032", "", 1, &["v1.32", "v1.31"], None),
            ("clastix/kubectl:v1.32_x", "", 1, &["v1.32", "v1.31"], None),
        ] {
            assert_eq!(
                first(image, cluster, skew, published).as_deref(),
                found,
                "{image} {cluster} {published:?}"
            );
        }
    }

    #[test]
    fn how_far_it_would_have_to_go_is_known() {
        let tags = |texts: &[&str]| -> Vec<Tag> {
            texts.iter().map(|tag| tag.parse().expect("a tag")).collect()
        };
        for (image, cluster, published, found) in [
            ("a/kubectl:v1.33", "", &["v1.31", "v1.30.4", "latest"][..], Some((2, "v1.31"))),
            ("a/kubectl:v1.33", "1.34", &["v1.31"], Some((3, "v1.31"))),
            ("a/kubectl:v1.30", "1.32", &["v1.29"], Some((3, "v1.29"))),
            ("a/kubectl:v1.33-slim", "", &["v1.31"], None),
            ("a/kubectl:v1.33", "", &["v1.32", "v1.34", "v2.1"], None),
        ] {
            let cluster = (!cluster.is_empty()).then(|| cluster.parse().expect("a version"));
            let rule = KubernetesVersion { cluster, max_minor_skew: 1 };
            let tags = tags(published);
            let farther = rule.farther(&asked(image), &tags);
            assert_eq!(farther.map(|(skew, tag)| (skew, tag.as_str())), found, "{image}");
        }
    }

    #[test]
    fn candidates_without_a_listing_come_first_for_each_version() {
        let rule = KubernetesVersion { cluster: None, max_minor_skew: 1 };
        let steps: Vec<_> = rule
            .steps(&asked("a/kubectl:v1.32"))
            .expect("a version")
            .iter()
            .map(|step| match step {
                Step::Ask(tagged) => tagged.tag.to_string(),
                Step::Pick(pick) => pick.to_string(),
                Step::Unusable(text, _) => text.clone(),
            })
            .collect();
        assert_eq!(steps, ["v1.32.*", "1.32", "1.32.*", "v1.31", "v1.31.*", "1.31", "1.31.*"]);
    }
}
