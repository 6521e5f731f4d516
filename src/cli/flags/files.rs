//! Flags about files: what is read, what is written, and in which form.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::image::PinForm;
use crate::io::exclusions::Exclusions;

/// The form of the result.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// The manifests
    #[default]
    Manifests,
    /// An `images:` list with digests, for Flux and kustomizations
    KustomizeImages,
}

/// The files to read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct InputFlags {
    /// Files and directories to read (recursively: yaml, yml, json); `-` is stdin [default: stdin]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Files that are named by flags, and what is left out of them.
    #[command(flatten)]
    pub files: FileFlags,

    /// Accept input without any Kubernetes object
    #[arg(long)]
    pub allow_empty: bool,
}

impl InputFlags {
    /// All paths as they are named.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.paths.iter().chain(&self.files.filename)
    }

    /// The paths to read; none if stdin is to be read.
    ///
    /// # Errors
    /// Stdin can't be read together with files.
    pub fn named(&self) -> Result<Vec<PathBuf>, String> {
        let all: Vec<_> = self.paths().cloned().collect();
        let stdin = all.iter().filter(|path| path.as_os_str() == "-").count();
        match (stdin, all.len()) {
            (0, _) => Ok(all),
            (1, 1) => Ok(Vec::new()),
            _ => Err("stdin (`-`) can't be read together with files".to_owned()),
        }
    }

    /// The paths of a directory that are left out.
    ///
    /// # Errors
    /// A glob is wrong.
    pub fn exclusions(&self) -> Result<Exclusions, String> {
        Exclusions::new(&self.files.exclude).map_err(|error| format!("`--exclude`: {error}"))
    }
}

/// Files that are named by flags, and what is left out of them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct FileFlags {
    /// Read this file or directory; repeatable
    #[arg(short, long, value_name = "PATH")]
    pub filename: Vec<PathBuf>,

    /// Do not read these paths in a directory; repeatable
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

/// The file for the result.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct OutputFlags {
    /// Write the result to this file instead of stdout, atomically; `-` is stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The form of the result of pinning.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct PinFlags {
    /// Rewrite the named files: all of them, or none. A symbolic link stays a link; a file with other
    /// hard links is separated from them
    #[arg(short, long)]
    pub in_place: bool,

    /// Print what would change, as a unified diff; write neither manifests nor the lock
    #[arg(long)]
    pub diff: bool,

    /// The result: the manifests, or a list of pins for kustomize and Flux
    #[arg(long, value_enum, default_value_t)]
    pub emit: Emit,
}

/// How a pin is written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct FormFlags {
    /// How a pin is written: `name:tag@digest` or `name@digest` [default: tag-digest]
    #[arg(long, value_enum)]
    pub pin: Option<PinForm>,
}

/// The configuration to read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct ConfigFlags {
    /// Read this configuration file instead of the checkout's. That is digestif.yaml in the working directory or
    /// in a parent directory inside the repository
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Ignore configuration files, and the `functionConfig` without `fn`
    #[arg(long)]
    pub no_config: bool,
}
