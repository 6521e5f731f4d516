//! Flags about the lock, and about where digests come from besides registries.

use std::path::PathBuf;

use clap::Args;

use crate::lock::{DriftGate, EVERYTHING};

/// The longest cooldown in days: ten years.
const LONGEST_COOLDOWN: u32 = 3_650;

/// Where digests come from besides registries.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct LockFlags {
    /// Use the digests that this file records, and record new ones in it
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,

    /// Fail if the lock lacks an image; make no request for it and do not write the lock
    #[arg(long)]
    pub locked: bool,

    /// Resolve images from this OCI image layout first; repeatable
    #[arg(long, value_name = "DIR")]
    pub layout: Vec<PathBuf>,

    /// Make no network request: use the lock and image layouts only
    #[arg(long)]
    pub offline: bool,
}

/// How old a digest has to be.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct CooldownFlags {
    /// With a lock: use a digest only when it was first seen so many days ago, as in `7d`. Newer ones
    /// wait in the lock for a later `--update`
    #[arg(long, value_name = "DURATION", value_parser = cooldown)]
    pub cooldown: Option<u32>,
}

/// Which recorded images are resolved again.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct UpdateFlags {
    /// Resolve again the images that the lock records, and tags that have a digest in the input; with a
    /// glob, only images whose full repository name it matches; repeatable
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
    /// Ask registries whether tags moved, digests vanished or missing images exist now: for images with a
    /// digest, or with `--lock` for locked ones; with `=vanished`, only vanished digests fail
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
/// It is no number of whole days.
pub fn cooldown(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    days.filter(|days| *days <= LONGEST_COOLDOWN)
        .ok_or_else(|| "expected whole days, such as `7d`; at most `3650d`".to_owned())
}
