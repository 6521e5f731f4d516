//! A minor version of Kubernetes, and what clusters report as their version.

use std::str::FromStr;

use crate::fallback::tag::Reading;

/// The highest minor version that is taken for one of Kubernetes. There are three a year (Kubernetes
/// release cadence), and 1.35 came in December 2025: 1.50 is due in 2030.
pub(super) const LAST_MINOR: u64 = 50;

/// A minor version of Kubernetes: `1.32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinorVersion(pub(super) u32);

impl FromStr for MinorVersion {
    type Err = String;

    /// Parses `1.32`, and what a cluster of any distribution reports: `v1.32.4`, `1.32+`,
    /// `v1.32.4-gke.1`, `v1.32.4+vmware.1-fips.1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
        let reading = Reading::of(text);
        let numbers = reading.version().map(|version| &version.numbers[..]);
        let starts_so = reading.around().is_some_and(|(before, _)| matches!(before, "" | "v"));
        match numbers {
            Some([major, minor, ..]) if starts_so && text.chars().all(is_version) => {
                let is_kubernetes = *major == 1 && *minor <= LAST_MINOR;
                u32::try_from(*minor).ok().filter(|_| is_kubernetes).map(Self).ok_or_else(|| {
                    format!(
                        "Kubernetes has no version {major}.{minor}; `kubectl version` shows the server's version, which differs from the version of a distribution such as OpenShift"
                    )
                })
            }
            _ => Err(format!("`{text}` is not a version such as 1.32")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_every_cluster_is_understood() {
        for (text, minor) in [
            ("1.32", Some(32)),
            ("v1.32.4+k3s1", Some(32)),
            ("v1.32.4+vmware.1-fips.1", Some(32)),
            ("1.23+", Some(23)),
            ("v1.29.6-gke.1038001", Some(29)),
            ("v1.25.3-r0-CCE22.9.1", Some(25)),
            ("v1.28.2_vmware.1", Some(28)),
            ("4.16", None),
            ("1.200", None),
            ("1", None),
            ("main-1.32", None),
            ("1.32 ", None),
        ] {
            let version = text.parse().ok().map(|MinorVersion(minor)| minor);
            assert_eq!(version, minor, "{text}");
        }
    }
}
