//! The built-in rule: client tools that follow Kubernetes' versions.
//!
//! Charts make such a tag of the cluster's version (`kubectl:v1.32`, `v1.16+` on GKE,
//! `v1.27.4+k3s1` on K3s), and may be unpublished. kubectl works with an API server that is
//! one minor version older or newer (Kubernetes version skew policy), so that one step down is the
//! default. Components of the control plane and of nodes have other rules: nothing here steps them.

mod images;
mod minor;
mod patches;

use super::tag::{Near, OwnWords, Reading};
use super::{Pattern, Pick, Step};
use crate::image::{Asked, Repository, Tag, Tagged};

pub(super) use images::{is_client, is_component};
use minor::LAST_MINOR;
pub use minor::MinorVersion;
pub(super) use patches::PatchOf;

/// How many minor versions a client tool steps down unless a rule says more (Kubernetes version skew
/// policy: kubectl works with one minor version on either side).
pub const DEFAULT_SKEW: u32 = 1;

/// The farthest that anyone may step down; each version costs some requests.
pub const MAX_SKEW: u32 = 20;

/// The rule's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// The cluster's version, if it is known.
    pub cluster: Option<MinorVersion>,
    /// The most minor versions that a tag may be below the cluster's, or below the requested one.
    pub max_minor_skew: u32,
}

/// A tag that names a version of Kubernetes.
struct Wanted<'r> {
    reading: &'r Reading,
    v: bool,
    minor: u32,
    /// True if the tag has a patch.
    is_exact: bool,
}

impl<'r> Wanted<'r> {
    fn of(reading: &'r Reading) -> Option<Self> {
        let version = reading.version()?;
        let (before, _) = reading.around()?;
        let is_plain = matches!(before, "" | "v") && is_canonical(reading.version_text()?);
        match version.numbers[..] {
            [1, minor] | [1, minor, _] if is_plain && minor <= LAST_MINOR => {
                let minor = u32::try_from(minor).ok()?;
                Some(Self { reading, v: version.v, minor, is_exact: version.is_exact() })
            }
            _ => None,
        }
    }

    /// The text after the version: as it is written, and without what a distribution has added. What
    /// stands behind a `+` can't be part of a tag.
    fn suffixes(&self) -> Vec<String> {
        let written = self.reading.around().map_or("", |(_, after)| after);
        let written = (!written.contains('+')).then(|| written.to_owned());
        let plain = self.reading.suffix_without_distribution();
        let mut suffixes: Vec<_> = written.into_iter().chain([plain]).collect();
        suffixes.dedup();
        suffixes
    }
}

/// True for numbers without leading zeros.
fn is_canonical(numbers: &str) -> bool {
    numbers.split('.').all(|number| number == "0" || !number.starts_with('0'))
}

impl KubernetesVersion {
    /// The steps to try in these repositories. For a version with a patch: the same version in another
    /// spelling, and without what a distribution has added; then the highest patch of each minor,
    /// as far down as the skew allows; and tags that move last. For one without a patch: the tag of
    /// the minor and its highest patch, for each minor.
    pub(super) fn steps(
        self,
        asked: &Asked,
        repositories: &[Repository],
    ) -> Result<Vec<Step>, String> {
        let reading = Reading::of(&asked.tag);
        let wanted = Wanted::of(&reading)
            .ok_or("the tag is not a Kubernetes version such as 1.32 or v1.32.1")?;
        let suffixes = wanted.suffixes();
        let forms = || {
            let vs = [wanted.v, !wanted.v];
            vs.into_iter().flat_map(|v| suffixes.iter().map(move |suffix| (v, suffix)))
        };
        let mut steps = Steps { asked, steps: Vec::new() };
        for repository in repositories {
            steps.ask(repository, &asked.tag);
        }
        let version = reading.version_text().unwrap_or_default();
        for repository in repositories.iter().filter(|_| wanted.is_exact) {
            for (v, suffix) in forms() {
                steps.ask(repository, &format!("{}{version}{suffix}", prefix(v)));
            }
        }
        if reading.is_pre_release() {
            // It has no patches, and no other version stands in for it.
            return Ok(steps.steps);
        }
        let minors = self.minors(wanted.minor);
        for &minor in &minors {
            for repository in repositories {
                for (v, suffix) in forms() {
                    if !wanted.is_exact {
                        steps.ask(repository, &line(v, minor, suffix));
                    }
                    steps.pick(repository, PatchOf::new(v, minor, suffix));
                }
            }
        }
        for &minor in minors.iter().filter(|_| wanted.is_exact) {
            for repository in repositories {
                for (v, suffix) in forms() {
                    steps.ask(repository, &line(v, minor, suffix));
                }
            }
        }
        Ok(steps.steps)
    }

    /// The limit of the rule, for messages.
    pub(super) fn limit(self) -> String {
        let versions = if self.max_minor_skew == 1 { "version" } else { "versions" };
        format!("stops at {} minor {versions} (`--max-minor-skew`)", self.max_minor_skew)
    }

    /// The nearest of these tags that is beyond the limit, and the number of minor versions to it.
    pub(super) fn farther<'t>(self, asked: &Asked, tags: &'t [Tag]) -> Option<(u32, &'t Tag)> {
        let reading = Reading::of(&asked.tag);
        let own = OwnWords::of(&asked.repository);
        let wanted = Wanted::of(&reading)?;
        let (base, lowest) = (self.base(wanted.minor), *self.minors(wanted.minor).iter().min()?);
        let below = tags.iter().filter_map(|tag| {
            let found = Reading::of(tag.as_str());
            let minor = Wanted::of(&found)?.minor;
            let near = Near::of(&reading, &found, &own);
            (minor < lowest && near.is_allowed()).then(|| (base - minor, near, tag))
        });
        let nearest = below.min_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        nearest.map(|(skew, _, tag)| (skew, tag))
    }

    /// The minor from which steps are counted.
    fn base(self, minor: u32) -> u32 {
        self.cluster.map_or(minor, |cluster| cluster.0)
    }

    /// The minors to try, nearest first. The cluster's comes after the one that was asked for, if
    /// that is older; none above the cluster's is tried. The minor that was asked for is always
    /// tried, however far below the cluster it is: its author chose it.
    fn minors(self, minor: u32) -> Vec<u32> {
        let base = self.base(minor);
        let lowest = base.saturating_sub(self.max_minor_skew);
        let mut minors = vec![minor.min(base), base];
        minors.extend((lowest..base).rev());
        let mut seen = Vec::new();
        minors.retain(|minor| {
            let is_new = !seen.contains(minor);
            seen.push(*minor);
            is_new
        });
        minors
    }
}

/// Steps, each once, without what was asked for.
struct Steps<'a> {
    asked: &'a Asked,
    steps: Vec<Step>,
}

impl Steps<'_> {
    fn ask(&mut self, repository: &Repository, tag: &str) {
        let is_asked = *repository == self.asked.repository && tag == self.asked.tag;
        if let Some(tag) = tag.parse().ok().filter(|_| !is_asked) {
            self.push(Step::Ask(Tagged { repository: repository.clone(), tag }));
        }
    }

    fn pick(&mut self, repository: &Repository, pattern: PatchOf) {
        let repository = repository.clone();
        self.push(Step::Pick(Pick { repository, pattern: Pattern::Patch(pattern) }));
    }

    fn push(&mut self, step: Step) {
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }
}

/// True if a tag is a version that Kubernetes has.
pub(super) fn is_version(reading: &Reading) -> bool {
    Wanted::of(reading).is_some()
}

fn prefix(v: bool) -> &'static str {
    if v { "v" } else { "" }
}

/// The tag of a whole minor. It stands for all builds, so that it has no number of one.
fn line(v: bool, minor: u32, suffix: &str) -> String {
    let suffix = Reading::of(&format!("1.0{suffix}")).suffix_without_builds();
    format!("{}1.{minor}{suffix}", prefix(v))
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
    #[expect(clippy::too_many_lines, reason = "it is a table")]
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
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.32", "v1.32.9"], Some("v1.32.9")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.32", "v1.31.9"], Some("v1.31.9")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.32", "v1.31"], Some("v1.32")),
            ("bitnami/kubectl:1.30.8", "", 1, &["1.30", "1.30.7"], Some("1.30.7")),
            ("registry.k8s.io/kubectl:v1.32.4", "", 1, &["v1.32", "1.32.4"], Some("1.32.4")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["1.32.1", "v1.31.0"], Some("1.32.1")),
            ("registry.k8s.io/kubectl:v1.32.1", "", 1, &["v1.31.2", "v1.31.10"], Some("v1.31.10")),
            ("rancher/kubectl:v1.32.1", "", 1, &["v1.31.3"], Some("v1.31.3")),
            ("alpine/k8s:1.32.1", "", 1, &["1.32.0"], Some("1.32.0")),
            ("alpine/kubectl:1.34.1", "", 1, &["1.34.0", "1.33.4"], Some("1.34.0")),
            ("lachlanevenson/k8s-kubectl:v1.25.4", "", 1, &["v1.25.3"], Some("v1.25.3")),
            // Versions as distributions report them.
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
            ("bitnami/kubectl:v1.29.6-gke.1038001", "", 1, &["1.29.6", "v1.29"], Some("1.29.6")),
            ("bitnami/kubectl:v1.29.6-gke.1038001", "", 1, &["1.29.6"], Some("1.29.6")),
            ("bitnami/kubectl:1.34.1-eks-d96d92f-arm64", "", 1, &["1.34.1", "1.33"], None),
            ("bitnami/kubectl:1.27.4+k3s1-arm64", "", 1, &["1.27.4", "1.26"], None),
            (
                "bitnami/kubectl:1.27.4+k3s1-arm64",
                "",
                1,
                &["1.27.4", "1.27.4-arm64"],
                Some("1.27.4-arm64"),
            ),
            ("lachlanevenson/k8s-kubectl:v1.8.7-rancher1", "", 1, &["v1.8.7"], Some("v1.8.7")),
            ("a/kubectl:v1.27.4-k3s1", "", 1, &["v1.27.4"], Some("v1.27.4")),
            ("a/kubectl:v1.27.4-rke2r1", "", 1, &["v1.27.4"], Some("v1.27.4")),
            ("a/kubectl:v1.22.5-tke.3", "", 1, &["v1.22.5"], Some("v1.22.5")),
            ("a/kubectl:v1.28.2-aliyun.1", "", 1, &["v1.28.2"], Some("v1.28.2")),
            ("a/kubectl:v1.28.2_vmware.1", "", 1, &["v1.28.2"], Some("v1.28.2")),
            ("a/kubectl:v1.28.2-mirantis-1", "", 1, &["v1.28.2"], Some("v1.28.2")),
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
                Some("1.32.1-debian-12-r12"),
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
            ("clastix/kubectl:v1.32.3", "1.33", 1, &["v1.33.0"], Some("v1.33.0")),
            ("clastix/kubectl:v1.30.3", "1.33", 1, &["v1.32.9", "v1.33.0"], Some("v1.33.0")),
            // No versions of Kubernetes.
            ("tools/kubectl:3.4", "", 1, &["3.3"], None),
            ("tools/kubectl:2024.5", "", 1, &["2024.4"], None),
            ("tools/kubectl:1.200", "", 1, &["1.199"], None),
            ("harbor.corp/docker.io/alpine/k8s:1.32.1", "", 1, &["1.32.0"], Some("1.32.0")),
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
            .steps(&asked("a/kubectl:v1.32"), &[asked("a/kubectl:v1.32").repository])
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
