//! Flags about policies: what has to be true of images.

use clap::Args;

use crate::image::Platform;
use crate::policy::{Expectation, Mutable};

/// The base that images are compared with.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct BaseFlags {
    /// Check only images that do not occur in BASE: a folder, or a git revision of the files
    #[arg(long, value_name = "BASE")]
    pub only_changed: Option<String>,
}

/// A gate that only the caller configures.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
pub struct StrictFlags {
    /// Pass only if every image has a digest or, with `--lock`, is in the lock. Only flags, variables and `-c FILE`
    /// count; other configurations and opt-outs in manifests do not. It makes no request
    #[arg(long)]
    pub strict: bool,
}

/// Policies.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct PolicyFlags {
    /// Write absent and invalid images unchanged, with a warning
    #[arg(long)]
    pub allow_unresolved: bool,

    /// Fail if an image has no digest; change nothing and resolve no tag
    #[arg(long)]
    pub require_digest: bool,

    /// Fail if a tag moves: `latest`, `nightly`, branches; with `=versions` also `1` and `1.27`
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "tags"
    )]
    pub deny_mutable: Option<Mutable>,

    /// Fail unless the repository occurs in the output and every image of it has this tag; repeatable
    #[arg(long, value_name = "REPOSITORY=TAG")]
    pub expect: Vec<Expectation>,

    /// Fail if an image is not available for this platform, for example linux/arm64; repeatable
    #[arg(long, value_name = "OS/ARCH")]
    pub require_platform: Vec<Platform>,

    /// Check that digests already in the input exist; by default they are trusted
    #[arg(long)]
    pub verify: bool,

    /// Fail if an image is a placeholder, such as `${IMAGE}` or `$(params.image)`
    #[arg(long)]
    pub deny_placeholders: bool,
}
