//! Words in tags, and what each of them says about an image.
//!
//! A word that is in none of these lists is part of the image's identity: it may name a product, an
//! edition or a flavour, and a tag without it may be another image.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The meaning of a word in a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Meaning {
    /// The processor that it runs on, by Go's name for it (`GOARCH`).
    Architecture(&'static str),
    /// The system that it is built on: `alpine`, `bookworm`, `windowsservercore`.
    Base,
    /// A variant or a part of the content: `slim`, `fips`, `debug`, `jdk`, `cuda`.
    Flavour,
    /// It is not released yet: `rc`, `beta`, `nightly`.
    PreRelease,
    /// A channel or a branch that it was built from: `main`, `stable`. Says nothing about what is in it.
    Channel,
    /// It was built again: `r` in `-r12` (Bitnami, Alpine), `ls` (linuxserver.io), `build`.
    Build,
    /// A distribution of Kubernetes that built it: `eks`, `gke`, `k3s`.
    Distribution,
    /// Nothing: `linux` is the system of nearly all images.
    Nothing,
}

/// Names of architectures (Go's `GOARCH`, `uname -m`, and the names of Docker's official images).
const ARCHITECTURES: [(&str, &str); 16] = [
    ("386", "386 i386 i686 x86"),
    ("amd64", "amd64 amd64v1 x64 x86_64"),
    ("amd64v2", "amd64v2"),
    ("amd64v3", "amd64v3"),
    ("arm", "arm arm32"),
    ("arm64", "arm64 arm64v8 armv8 aarch64"),
    ("armv5", "armv5 arm32v5"),
    ("armv6", "armv6 armv6l arm32v6"),
    ("armv7", "armv7 armv7l arm32v7 armhf"),
    ("loong64", "loong64"),
    ("mips64le", "mips64le"),
    ("ppc64", "ppc64"),
    ("ppc64le", "ppc64le"),
    ("riscv64", "riscv64"),
    ("s390x", "s390x"),
    ("wasm", "wasm wasm32"),
];

/// Systems that images are built on, with the code names of their releases.
const BASES: &str = "\
    al2 al2023 alma almalinux alpine amazonlinux amzn azurelinux bci bionic bookworm bullseye \
    buster busybox centos chainguard chiseled darwin deb debian distroless dragonfly el fedora \
    focal forky freebsd jammy jessie leap ltsc mariner minideb nanoserver nanoserver-ltsc netbsd \
    nixos noble ol openbsd opensuse oracle oraclelinux oracular photon plucky questing resolute \
    rhel rocky rockylinux scratch servercore sid slem sles static stretch suse trixie tumbleweed \
    ubi ubi-micro ubi-minimal ubimicro ubiminimal ubuntu undistro win windows windowsservercore \
    wolfi xenial yakkety";

/// Ways to build an image, and what is in it besides.
const FLAVOURS: &str = "\
    apache aspnet boringcrypto ce cgo cli community compat corretto cpu cu cuda cudnn dbg debug \
    devel-cuda dotnet ee ent enterprise extended fat fips fpm full glibc go golang gpu graal \
    graalvm hardened headless java jdk jre jvm lite management mgmt micro mini minimal musl \
    native node nodejs nonroot noroot nvidia openjdk oss otel pg php plus postgres py pypy \
    python rocm root rootless ruby runtime sdk shell slim ssl stateful temurin tensorrt tini tls \
    ubi-slim unprivileged xpu zulu";

/// Words of versions that are not released yet (semver 2.0.0, 9; PEP 440; and what projects write).
const PRE_RELEASES: &str = "\
    alpha beta canary candidate ci cr daily dev devel develop development dirty draft ea eap \
    edge experimental feat feature insiders m milestone next nightly pr pre prerelease preview \
    pull rc snapshot staging test testing unstable weekly wip";

/// Channels and branches. They say where a build comes from, not what is in it.
const CHANNELS: &str = "\
    branch chart final ga latest lts main mainline master rel release releases stable tag trunk \
    v ver version";

/// Words before the number of a build.
const BUILDS: &str = "\
    b build hotfix ls p patch post r rev";

/// Distributions of Kubernetes, by the words that they add to its version. Amazon writes
/// `-eks-…` and `-eksbuild.1`, Google `-gke.…`, K3s `+k3s1`, RKE2 `+rke2r1`, k0s `+k0s.0`, Rancher
/// `-rancher1`, Tencent `-tke.1`, Alibaba `-aliyun.1`, Broadcom `+vmware.1`, Mirantis `-mirantis-1`,
/// Huawei `-CCE…`, IBM `+IKS`, Digital Ocean `-do.0`.
const DISTRIBUTIONS: &str = "\
    aks aliyun cce do eks eksbuild gke iks k0s k3s lke mirantis okd oke rancher rke rke2 rke2r \
    tanzu tke tkg vmware";

static MEANINGS: LazyLock<HashMap<&str, Meaning>> = LazyLock::new(|| {
    let lists = [
        (Meaning::Distribution, DISTRIBUTIONS),
        (Meaning::Base, BASES),
        (Meaning::Flavour, FLAVOURS),
        (Meaning::PreRelease, PRE_RELEASES),
        (Meaning::Channel, CHANNELS),
        (Meaning::Build, BUILDS),
        (Meaning::Nothing, "linux"),
    ];
    let architectures = ARCHITECTURES.map(|(name, words)| (Meaning::Architecture(name), words));
    let lists = lists.into_iter().chain(architectures);
    lists.flat_map(|(meaning, words)| words.split(' ').map(move |word| (word, meaning))).collect()
});

/// The meaning of a word in a tag; none for a word that is not in a list.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    let word = word.to_ascii_lowercase();
    if let Some(meaning) = MEANINGS.get(word.as_str()) {
        return Some(*meaning);
    }
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match MEANINGS.get(name)? {
        // `main2` is another branch, and no architecture has a version that is not in the list.
        Meaning::Channel | Meaning::Nothing | Meaning::Architecture(_) => None,
        meaning => Some(*meaning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_with_and_without_a_number() {
        use Meaning::{Architecture, Base, Build, Channel, Distribution, Flavour, PreRelease};
        for (word, expected) in [
            ("aarch64", Some(Architecture("arm64"))),
            ("alpine3.19", Some(Base)),
            ("ubi9", Some(Base)),
            ("jdk17", Some(Flavour)),
            ("Slim", Some(Flavour)),
            ("rc1", Some(PreRelease)),
            ("SNAPSHOT", Some(PreRelease)),
            ("main", Some(Channel)),
            ("main2", None),
            ("k3s1", Some(Distribution)),
            ("rke2r1", Some(Distribution)),
            ("rancher1", Some(Distribution)),
            ("r12", Some(Build)),
            ("ls45", Some(Build)),
            ("linux", Some(Meaning::Nothing)),
            ("litellm", None),
        ] {
            assert_eq!(meaning(word), expected, "{word}");
        }
    }
}
