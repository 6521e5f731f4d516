//! Flags about the lock, and about where digests come from besides registries.

use std::path::PathBuf;

use clap::Args;

use crate::lock::{DriftGate, EVERYTHING};

/// The longest cooldown in days: ten years.
const LONGEST_COOLDOWN: u32 = 3_650;

/// Sources of digests other than registries.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct LockFlags {
    /// Use the digests in this file, and add new ones to it
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,

    /// Fail if the lock lacks an image; make no request, and do not write the lock
    #[arg(long)]
    pub locked: bool,

    /// Resolve images from this OCI image layout first; repeatable
    #[arg(long, value_name = "DIR")]
    pub layout: Vec<PathBuf>,

    /// Make no network request: use the lock and image layouts only
    #[arg(long)]
    pub offline: bool,
}

/// The minimum age of digests.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct CooldownFlags {
    /// With a lock: use a digest only if a run saw it this many days ago, for example `7d`. Newer digests wait in the
    /// lock for a later `--update`
    #[arg(long, value_name = "DURATION", value_parser = cooldown)]
    pub cooldown: Option<u32>,
}

/// The recorded images to resolve again.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct UpdateFlags {
    /// Resolve again the images in the lock, and tags that have a digest in the input. With a glob, only images
    /// whose full repository name matches; repeatable
    #[arg(
        long,
        value_name = "GLOB",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = EVERYTHING
    )]
    pub update: Vec<String>,
}

/// The comparison of recorded images with registries.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct DriftFlags {
    /// Ask registries if tags moved, digests vanished or missing images exist now. This checks images with a digest
    /// or, with `--lock`, locked images. With `=vanished`, only vanished digests fail
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        default_value = "off",
        hide_default_value = true
    )]
    pub drift: DriftGate,
}

/// Reads the days of a cooldown: `7d`, `0d`.
///
/// # Errors
/// It is not a number of whole days.
pub fn cooldown(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    days.filter(|days| *days <= LONGEST_COOLDOWN)
        .ok_or_else(|| "expected whole days, such as `7d`; at most `3650d`".to_owned())
}
