//! Rules: the kinds of diagnostics, each with an id, a sentence and general advice.

use super::{Failure, Severity};

/// The kind of a diagnostic. Reports name it by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleId {
    /// An image does not exist.
    Absent,
    /// A configuration is wrong.
    Config,
    /// A digest is not old enough, or its age is not known.
    Cooldown,
    /// A tag moves.
    DenyMutable,
    /// A registry differs from the lock.
    Drift,
    /// The input holds no Kubernetes object.
    Empty,
    /// An image is not the expected one.
    Expect,
    /// A file can't be read or written.
    File,
    /// A flag matches nothing.
    Idle,
    /// An image reference is invalid, or can't be changed safely.
    Input,
    /// A host's certificate is not verified.
    Insecure,
    /// The image of a Job changes.
    Jobs,
    /// A list for kustomize can't express these images.
    KustomizeImages,
    /// An image layout can't be used.
    Layout,
    /// A file or folder was left out.
    LeftOut,
    /// The lock can't be used.
    LockFile,
    /// An image is not in the lock.
    Locked,
    /// A login can't be used, or was refused.
    Login,
    /// A mirror did not answer.
    Mirror,
    /// An image is in no image layout, and `--offline` forbids requests.
    Offline,
    /// Something needs attention.
    Other,
    /// An image is a placeholder that another tool fills in later.
    Placeholders,
    /// A policy is not met.
    Policy,
    /// Kubernetes' own readers read an object in different ways.
    Readers,
    /// A registry refused access to an image.
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
    /// An image is written without a digest, because its operator can't read one.
    Unpinnable,
    /// The lock has an image that is not used.
    Unused,
    /// The call is wrong.
    Usage,
    /// A digest in the manifests does not exist.
    Verify,
    /// An image is locked by a rule that is no longer configured.
    Withdrawn,
    /// The input is not YAML.
    Yaml,
}

impl RuleId {
    /// Every rule, sorted by id.
    pub const ALL: [Self; 36] = [
        Self::Absent,
        Self::Config,
        Self::Cooldown,
        Self::DenyMutable,
        Self::Drift,
        Self::Empty,
        Self::Expect,
        Self::File,
        Self::Idle,
        Self::Input,
        Self::Insecure,
        Self::Jobs,
        Self::KustomizeImages,
        Self::Layout,
        Self::LeftOut,
        Self::LockFile,
        Self::Locked,
        Self::Login,
        Self::Mirror,
        Self::Offline,
        Self::Other,
        Self::Placeholders,
        Self::Policy,
        Self::Readers,
        Self::Refused,
        Self::RequireDigest,
        Self::RequirePlatform,
        Self::Substitution,
        Self::TwoTags,
        Self::Unavailable,
        Self::Unpinnable,
        Self::Unused,
        Self::Usage,
        Self::Verify,
        Self::Withdrawn,
        Self::Yaml,
    ];

    /// The rule of a diagnostic that names none.
    #[must_use]
    pub fn of(severity: Severity) -> Self {
        match severity {
            Severity::Error(Failure::Unavailable) => Self::Unavailable,
            Severity::Error(Failure::Refused) => Self::Refused,
            Severity::Error(Failure::Absent) => Self::Absent,
            Severity::Error(Failure::Policy) => Self::Policy,
            Severity::Error(Failure::Input) => Self::Input,
            Severity::Error(Failure::Usage) => Self::Usage,
            Severity::Substitution => Self::Substitution,
            Severity::Warning => Self::Other,
        }
    }

    /// True if it is about a policy or the lock, and not about what can't be done.
    #[must_use]
    pub fn is_policy(self) -> bool {
        matches!(
            self,
            Self::Cooldown
                | Self::DenyMutable
                | Self::Drift
                | Self::Expect
                | Self::KustomizeImages
                | Self::LeftOut
                | Self::Locked
                | Self::Offline
                | Self::Placeholders
                | Self::Policy
                | Self::RequireDigest
                | Self::RequirePlatform
                | Self::TwoTags
                | Self::Unused
                | Self::Verify
                | Self::Withdrawn
        )
    }

    /// The id, as reports write it.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.texts().0
    }

    /// The address of the page that explains it; none if the project has no address.
    #[must_use]
    pub fn page(self) -> Option<String> {
        let repository = Some(env!("CARGO_PKG_REPOSITORY")).filter(|address| !address.is_empty());
        repository.map(|address| format!("{address}/blob/main/docs/messages.md#{}", self.id()))
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
            Self::Config => (
                "config",
                "A configuration is wrong",
                "Fix the place that the message shows; `digestif schema config` prints the schema.",
            ),
            Self::Cooldown => (
                "cooldown",
                "A digest is not old enough, or its age is not known",
                "Wait until it is old enough, or use it with `--update=GLOB --cooldown 0d`.",
            ),
            Self::DenyMutable => (
                "deny-mutable",
                "A tag moves",
                "Use a tag that names one release and is never pushed again.",
            ),
            Self::Drift => (
                "drift",
                "A registry differs from the lock",
                "Review the change, then accept it with `digestif --lock FILE --update`, or keep the lock.",
            ),
            Self::Empty => (
                "empty",
                "The input holds no Kubernetes object",
                "Check the command that renders it; `--allow-empty` accepts it.",
            ),
            Self::Expect => (
                "expect",
                "An image is not the expected one",
                "Change the manifests, or the expectation if the image is right.",
            ),
            Self::File => (
                "file",
                "A file can't be read or written",
                "Check its path, its folder and its permissions.",
            ),
            Self::Idle => (
                "idle",
                "A flag matches nothing",
                "Check it for typos; `digestif images` lists the full names.",
            ),
            Self::Input => (
                "input",
                "An image reference is invalid, or can't be changed safely",
                "Fix the tool that renders the manifests.",
            ),
            Self::Insecure => (
                "insecure",
                "A host's certificate is not verified",
                "Name its certificate with `--ca-file` instead of `--insecure`.",
            ),
            Self::Jobs => (
                "jobs",
                "The image of a Job changes",
                "Delete the Job before an upgrade, leave it alone with `--skip-kind Job`, or use a lock.",
            ),
            Self::KustomizeImages => (
                "kustomize-images",
                "A list for kustomize can't express these images",
                "Use one tag for all images of a repository, or pin the manifests themselves.",
            ),
            Self::Layout => (
                "layout",
                "An image layout can't be used",
                "Write it again with `skopeo`, `crane` or `oras`.",
            ),
            Self::LeftOut => (
                "left-out",
                "A file or folder was left out",
                "Check it separately, or exclude it with `--exclude`.",
            ),
            Self::LockFile => (
                "lock-file",
                "The lock can't be used",
                "Fix the place that the message shows; `digestif schema lock` prints the schema.",
            ),
            Self::Locked => (
                "locked",
                "An image is not in the lock",
                "Run `digestif --lock FILE` on these manifests, and commit the lock.",
            ),
            Self::Login => (
                "login",
                "A login can't be used, or was refused",
                "Log in again, or remove the login.",
            ),
            Self::Mirror => (
                "mirror",
                "A mirror did not answer",
                "Repair the mirror, or remove it; digestif asked the registry itself.",
            ),
            Self::Offline => (
                "offline",
                "An image is in no image layout, and `--offline` forbids requests",
                "Copy the image into a folder for `--layout`, or run without `--offline`.",
            ),
            Self::Other => ("other", "Something needs attention", "Do what the message says."),
            Self::Placeholders => (
                "placeholders",
                "An image is a placeholder that another tool fills in later",
                "Run digestif after the tool that fills it in.",
            ),
            Self::Policy => {
                ("policy", "A policy is not met", "Do what the message says, or change the policy.")
            }
            Self::Readers => (
                "readers",
                "Kubernetes' own readers read an object in different ways",
                "Write the value only once, in plain YAML.",
            ),
            Self::Refused => (
                "refused",
                "A registry refused access to an image",
                "Log in. The image is absent or private; the answer does not show which.",
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
            Self::Unpinnable => (
                "unpinnable",
                "An image is written without a digest, because its operator can't read one",
                "Use a tag that never moves.",
            ),
            Self::Unused => (
                "unused",
                "The lock has an image that is not used",
                "Remove it from the lock, unless another input needs it.",
            ),
            Self::Usage => {
                ("usage", "The call is wrong", "Fix the call; `digestif --help` shows all flags.")
            }
            Self::Verify => (
                "verify",
                "A digest in the manifests does not exist",
                "Pin the image again, or find out who deleted it.",
            ),
            Self::Withdrawn => (
                "withdrawn",
                "An image is locked by a rule that is no longer configured",
                "Configure the rule again, or resolve the image again with `--update`.",
            ),
            Self::Yaml => ("yaml", "The input is not YAML", "Check the command that writes it."),
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
