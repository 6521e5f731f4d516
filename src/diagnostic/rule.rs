//! Rules: the kinds of diagnostics, each with an id, a sentence and general advice.

use super::{Failure, Severity};

/// The kind of a diagnostic. Reports name it by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleId {
    /// An image does not exist.
    Absent,
    /// A digest is not old enough, or its age is not known.
    Cooldown,
    /// A tag moves.
    DenyMutable,
    /// A registry no longer agrees with the lock.
    Drift,
    /// An image is not the expected one.
    Expect,
    /// The input is empty, is not YAML, or holds an invalid reference.
    Input,
    /// A list for kustomize can't express what is in the manifests.
    KustomizeImages,
    /// A file or folder was left out.
    LeftOut,
    /// An image is not in the lock.
    Locked,
    /// An image is in no image layout, and `--offline` forbids requests.
    Offline,
    /// An image is a placeholder that another tool fills in later.
    Placeholders,
    /// A policy is not met.
    Policy,
    /// A registry refused to tell if an image exists.
    Refused,
    /// An image has no digest.
    RequireDigest,
    /// An image is not available for a required platform.
    RequirePlatform,
    /// An image does not exist, and a substitute is used.
    Substitution,
    /// A repository has two tags.
    TwoTags,
    /// A registry gave no usable answer.
    Unavailable,
    /// The lock has an image that is not used.
    Unused,
    /// The call is wrong, or a file can't be read or written.
    Usage,
    /// A digest in the manifests does not exist.
    Verify,
    /// Something needs a look.
    Warning,
    /// An image is locked by a rule that is no longer configured.
    Withdrawn,
}

impl RuleId {
    /// Every rule, sorted by id.
    pub const ALL: [Self; 23] = [
        Self::Absent,
        Self::Cooldown,
        Self::DenyMutable,
        Self::Drift,
        Self::Expect,
        Self::Input,
        Self::KustomizeImages,
        Self::LeftOut,
        Self::Locked,
        Self::Offline,
        Self::Placeholders,
        Self::Policy,
        Self::Refused,
        Self::RequireDigest,
        Self::RequirePlatform,
        Self::Substitution,
        Self::TwoTags,
        Self::Unavailable,
        Self::Unused,
        Self::Usage,
        Self::Verify,
        Self::Warning,
        Self::Withdrawn,
    ];

    /// The rule of a diagnostic that names none.
    pub(super) fn of(severity: Severity) -> Self {
        match severity {
            Severity::Error(Failure::Unavailable) => Self::Unavailable,
            Severity::Error(Failure::Refused) => Self::Refused,
            Severity::Error(Failure::Absent) => Self::Absent,
            Severity::Error(Failure::Policy) => Self::Policy,
            Severity::Error(Failure::Input) => Self::Input,
            Severity::Error(Failure::Usage) => Self::Usage,
            Severity::Substitution => Self::Substitution,
            Severity::Warning => Self::Warning,
        }
    }

    /// The id, as reports write it.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.texts().0
    }

    /// The problem in one sentence, without a final period.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.texts().1
    }

    /// The general remedy; a diagnostic says more.
    #[must_use]
    pub fn help(self) -> &'static str {
        self.texts().2
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Absent => (
                "absent",
                "An image does not exist",
                "Use a tag that exists, push this one, or add a rule for a substitute.",
            ),
            Self::Cooldown => (
                "cooldown",
                "A digest is not old enough, or its age is not known",
                "Wait until it is old enough, or take it with `--update=GLOB --cooldown 0d`.",
            ),
            Self::DenyMutable => (
                "deny-mutable",
                "A tag moves",
                "Use a tag that names one release and is never pushed again.",
            ),
            Self::Drift => (
                "drift",
                "A registry no longer agrees with the lock",
                "Look at the change, then accept it with `digestif --lock FILE --update`, or keep the lock.",
            ),
            Self::Expect => (
                "expect",
                "An image is not the expected one",
                "Change the manifests, or the expectation if the image is right.",
            ),
            Self::Input => (
                "input",
                "The input is empty, is not YAML, or holds an invalid reference",
                "Fix what renders the manifests.",
            ),
            Self::KustomizeImages => (
                "kustomize-images",
                "A list for kustomize can't express what is in the manifests",
                "Give the images of one repository one tag, or pin the manifests themselves.",
            ),
            Self::LeftOut => (
                "left-out",
                "A file or folder was left out",
                "Check it on its own, or leave it out with `--exclude`.",
            ),
            Self::Locked => (
                "locked",
                "An image is not in the lock",
                "Run `digestif --lock FILE` on these manifests, and commit the lock.",
            ),
            Self::Offline => (
                "offline",
                "An image is in no image layout, and `--offline` forbids requests",
                "Copy the image into a folder for `--layout`, or run without `--offline`.",
            ),
            Self::Placeholders => (
                "placeholders",
                "An image is a placeholder that another tool fills in later",
                "Run digestif after the tool that fills it in.",
            ),
            Self::Policy => {
                ("policy", "A policy is not met", "Do what the message says, or change the policy.")
            }
            Self::Refused => (
                "refused",
                "A registry refused to tell if an image exists",
                "Log in: the image is absent or private, which can't be told apart.",
            ),
            Self::RequireDigest => (
                "require-digest",
                "An image has no digest",
                "Pin it: send the manifests through `digestif` without `--require-digest`.",
            ),
            Self::RequirePlatform => (
                "require-platform",
                "An image is not available for a required platform",
                "Use an image that is built for all platforms of the cluster.",
            ),
            Self::Substitution => (
                "substitution",
                "An image does not exist, and a substitute is used",
                "Use a tag that exists, or forbid substitutes with `--no-fallback`.",
            ),
            Self::TwoTags => (
                "two-tags",
                "A repository has two tags",
                "If these are parts of one release, give them one tag.",
            ),
            Self::Unavailable => (
                "unavailable",
                "A registry gave no usable answer",
                "Run it again; if it fails again, check the network and the registry.",
            ),
            Self::Unused => (
                "unused",
                "The lock has an image that is not used",
                "Remove it from the lock, unless another input needs it.",
            ),
            Self::Usage => (
                "usage",
                "The call is wrong, or a file can't be read or written",
                "Fix the call; `digestif --help` shows all flags.",
            ),
            Self::Verify => (
                "verify",
                "A digest in the manifests does not exist",
                "Pin the image again, or find out who removed it.",
            ),
            Self::Warning => ("warning", "Something needs a look", "Do what the message says."),
            Self::Withdrawn => (
                "withdrawn",
                "An image is locked by a rule that is no longer configured",
                "Configure the rule again, or resolve the image again with `--update`.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_distinct() {
        let ids: Vec<_> = RuleId::ALL.iter().map(|rule| rule.id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    }
}
