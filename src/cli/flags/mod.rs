//! Flags in groups, as `--help` shows them. Each command takes the groups that it obeys.
//!
//! `environment.rs` adds to each flag its variable, and the reading of lists in variables.

mod files;
mod images;
mod lock;
mod policy;
mod registries;
mod reports;

pub use files::{ConfigFlags, Emit, FileFlags, FormFlags, InputFlags, OutputFlags, PinFlags};
pub use images::{ImageFlags, MissingTagFlags};
pub use lock::{CooldownFlags, DriftFlags, LockFlags, UpdateFlags, cooldown};
pub use policy::{BaseFlags, PolicyFlags, StrictFlags};
pub use registries::RegistryFlags;
pub use reports::{Color, ConsoleFlags, ReportFlags};

/// Every group of flags. A group that a command lacks has its defaults.
#[derive(Debug, Default)]
pub struct Flags {
    /// The files to read.
    pub input: InputFlags,
    /// The file for the result.
    pub output: OutputFlags,
    /// The form of the result of pinning.
    pub pin: PinFlags,
    /// How a pin is written.
    pub form: FormFlags,
    /// The configuration to read.
    pub config: ConfigFlags,
    /// The images to pin.
    pub images: ImageFlags,
    /// Rules for tags that do not exist.
    pub missing: MissingTagFlags,
    /// Sources of digests other than registries.
    pub lock: LockFlags,
    /// The minimum age of digests.
    pub cooldown: CooldownFlags,
    /// The recorded images to resolve again.
    pub update: UpdateFlags,
    /// The comparison of recorded images with registries.
    pub drift: DriftFlags,
    /// The base that images are compared with.
    pub base: BaseFlags,
    /// The gate that only the caller configures.
    pub strict: StrictFlags,
    /// Policies.
    pub policy: PolicyFlags,
    /// URLs, logins and limits for registries.
    pub registries: RegistryFlags,
    /// Reports in files.
    pub reports: ReportFlags,
    /// Messages on stderr.
    pub console: ConsoleFlags,
    /// The flags that are set, each with its source: the flag itself or its variable.
    pub origins: Vec<(String, String)>,
}
