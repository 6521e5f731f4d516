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
    /// Which files are read.
    pub input: InputFlags,
    /// Where the result goes.
    pub output: OutputFlags,
    /// How pinning writes.
    pub pin: PinFlags,
    /// How a pin is written.
    pub form: FormFlags,
    /// Which configuration is read.
    pub config: ConfigFlags,
    /// Which images are pinned.
    pub images: ImageFlags,
    /// Rules for tags that do not exist.
    pub missing: MissingTagFlags,
    /// Where digests come from besides registries.
    pub lock: LockFlags,
    /// How old a digest has to be.
    pub cooldown: CooldownFlags,
    /// Which recorded images are resolved again.
    pub update: UpdateFlags,
    /// The comparison of recorded images with registries.
    pub drift: DriftFlags,
    /// Which images are not new.
    pub base: BaseFlags,
    /// The gate that only the caller configures.
    pub strict: StrictFlags,
    /// Policies.
    pub policy: PolicyFlags,
    /// How registries are reached.
    pub registries: RegistryFlags,
    /// Reports in files.
    pub reports: ReportFlags,
    /// Messages on stderr.
    pub console: ConsoleFlags,
    /// The flags that are set, each with its source: the flag itself or its variable.
    pub origins: Vec<(String, String)>,
}
