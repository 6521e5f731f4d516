//! The command line: arguments and environment, read once and made into [`crate::Options`].
//!
//! Every flag is also an environment variable: `DIGESTIF_` and the flag's name in upper case.
//! Repeatable ones take one value a line there. An empty variable is none, and where a variable
//! contradicts the command line, that wins. Reads no file but those that flags name.

mod environment;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::fallback::{MAX_SKEW, MinorVersion, Rule};
use crate::image::{PinForm, Platform};
use crate::io::input::Exclusions;
use crate::lock::{DiffFormat, EVERYTHING};
use crate::places::Include;
use crate::policy::{Expectation, Mutable};
use crate::{registry, report};

/// Requests in flight to one host. Measured with a release build and a registry on loopback over
/// HTTP/1.1, for 4, 8, 16, 32 and 64 of them: 50 images at 50 ms an answer take 0.82, 0.44, 0.28,
/// 0.18 and 0.14 s; 1,000 images at 200 ms take 51, 26, 13, 6.9 and 3.9 s. With four, these take
/// longer than the budget; with 16, two thirds of it are left for tokens and retries. More would
/// gain seconds where there are a thousand images, and be the burst that registries limit.
const CONCURRENCY: u16 = 16;

const EXAMPLES: &str = "\
Examples:
  helm template web ./chart | digestif | kubectl apply -f -
  helm upgrade --install web ./chart --post-renderer digestif
  digestif -i -f deploy/
  digestif images -f rendered.yaml
  digestif --lock images.lock.yaml -f rendered.yaml -o pinned.yaml
  digestif check --lock images.lock.yaml -f deploy/ --report-format sarif

Exit status:
  0  every image is pinned, or left alone as the flags say
  1  an image is proved absent
  2  the call is wrong, or a file can't be read or written
  3  the input is empty, is not YAML, or holds an invalid reference
  4  a registry could not say for now; try again
  5  a policy is not met
  6  a registry refused: the image is absent or private
Where several apply, the first of 2, 3, 5, 1, 6, 4 is given. On every status but 0,
no manifest is written.";

/// Pin every image of rendered Kubernetes manifests to a digest, and change no other byte.
///
/// Manifests come in on stdin, every image tag becomes an immutable digest, the manifests go out
/// on stdout. All or nothing: on any failure stdout stays empty and every file as it was.
#[derive(Debug, Parser)]
#[command(name = "digestif", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do; without a command, pin.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags.
    #[command(flatten)]
    pub flags: Flags,
}

/// What to do other than to pin.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do the same, but print a report instead of the manifests; the exit status is the verdict
    Check,
    /// List every image and where it stands; asks no registry
    Images {
        /// How the list is written
        #[arg(long, value_enum, default_value_t, env = "DIGESTIF_FORMAT")]
        format: Format,
    },
    /// Show how one image is resolved: what is asked, what exists, which rule applies
    Explain {
        /// The image, as a manifest has it
        image: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t, env = "DIGESTIF_FORMAT")]
        format: Format,
    },
    /// Compare image locks
    Lock {
        /// What to do
        #[command(subcommand)]
        action: LockAction,
    },
    /// Let Helm 4 run this binary as `--post-renderer digestif`
    HelmPlugin {
        /// What to do
        #[command(subcommand)]
        action: HelmPlugin,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Print a JSON Schema
    Schema {
        /// What it describes
        subject: Subject,
    },
}

/// What to do with image locks.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum LockAction {
    /// Show which images differ between two locks; `-` is stdin
    Diff {
        /// The lock as it was
        old: PathBuf,
        /// The lock as it is
        new: PathBuf,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: DiffFormat,
    },
}

/// What to do about the plugin that Helm 4 needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum HelmPlugin {
    /// Write it into the first folder of `HELM_PLUGINS`, or else into Helm's own
    Install,
    /// Print its plugin.yaml
    Print,
}

/// What a JSON Schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A configuration, as in digestif.yaml
    Config,
    /// The file that `--report` writes
    Report,
    /// The file that `--lock` writes
    Lock,
}

/// How a list is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// What goes to stdout.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// The manifests
    #[default]
    Manifests,
    /// An `images:` list with digests, for Flux and kustomizations
    KustomizeImages,
}

/// When output is coloured.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The flags, before and after a command.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Flags {
    /// Read this file or directory (recursively: yaml, yml, json) instead of stdin; `-` is stdin
    #[arg(
        short,
        long,
        global = true,
        value_name = "PATH",
        env = "DIGESTIF_FILENAME",
        value_delimiter = '\n'
    )]
    pub filename: Vec<PathBuf>,

    /// Leave these paths of a directory out
    #[arg(
        long,
        global = true,
        value_name = "GLOB",
        env = "DIGESTIF_EXCLUDE",
        value_delimiter = '\n'
    )]
    pub exclude: Vec<String>,

    /// Write the result to this file instead of stdout, atomically; `-` is stdout
    #[arg(short, long, global = true, value_name = "FILE", env = "DIGESTIF_OUTPUT")]
    pub output: Option<PathBuf>,

    /// Write a report to this file, whether the run succeeds or fails
    #[arg(long, global = true, value_name = "FILE", env = "DIGESTIF_REPORT")]
    pub report: Option<PathBuf>,

    /// How the report is written, also the one that `check` prints
    #[arg(long, global = true, value_enum, default_value_t, env = "DIGESTIF_REPORT_FORMAT")]
    pub report_format: report::Format,

    /// Rewrite the files named with -f: all of them, or none. A symbolic link stays one; a file with
    /// other hard links is parted from them
    #[arg(short, long, global = true, env = "DIGESTIF_IN_PLACE", value_parser = BoolishValueParser::new())]
    pub in_place: bool,

    /// Let an input without any object through
    #[arg(long, global = true, env = "DIGESTIF_ALLOW_EMPTY", value_parser = BoolishValueParser::new())]
    pub allow_empty: bool,

    /// What goes to stdout: the manifests, or the pins as a list for kustomize and Flux
    #[arg(long, global = true, value_enum, default_value_t, env = "DIGESTIF_EMIT")]
    pub emit: Emit,

    /// Read this configuration; `digestif.yaml` in the working directory is read by itself
    #[arg(short, long, global = true, value_name = "FILE", env = "DIGESTIF_CONFIG")]
    pub config: Option<PathBuf>,

    /// Read no configuration, not even the one in the working directory
    #[arg(long, global = true, env = "DIGESTIF_NO_CONFIG", value_parser = BoolishValueParser::new())]
    pub no_config: bool,

    /// What is written behind an image's name; `tag-digest` if nobody says
    #[arg(long, global = true, value_enum, env = "DIGESTIF_PIN")]
    pub pin: Option<PinForm>,

    /// Leave images alone whose full repository name fits this glob, as `quay.io/**`
    #[arg(long, global = true, value_name = "GLOB", env = "DIGESTIF_SKIP", value_delimiter = '\n')]
    pub skip: Vec<String>,

    /// Pin what looks like an image in these places, too; `digestif images` lists it
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "CLASS",
        env = "DIGESTIF_INCLUDE",
        value_delimiter = ','
    )]
    pub include: Vec<Include>,

    /// What to try for a tag that does not exist: a regular expression over the whole tag, and a
    /// tag or reference with `$1`, `${group}`, `$tag`, `$name` and `$repository`
    #[arg(
        long,
        global = true,
        value_name = "REGEX=TRY",
        env = "DIGESTIF_FALLBACK",
        value_delimiter = '\n'
    )]
    pub fallback: Vec<Rule>,

    /// Apply no rule, not even the built-in one: what does not exist is an error
    #[arg(long, global = true, env = "DIGESTIF_NO_FALLBACK", value_parser = BoolishValueParser::new())]
    pub no_fallback: bool,

    /// The cluster's version, from which Kubernetes client tools may step down
    #[arg(long, global = true, value_name = "X.Y", env = "DIGESTIF_KUBE_VERSION")]
    pub kube_version: Option<MinorVersion>,

    /// How many minor versions a Kubernetes client tool may step down; 1 if nobody says
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "DIGESTIF_MAX_MINOR_SKEW",
        value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_SKEW))
    )]
    pub max_minor_skew: Option<u32>,

    /// Write images that are absent or invalid unchanged, with a warning
    #[arg(long, global = true, env = "DIGESTIF_ALLOW_UNRESOLVED", value_parser = BoolishValueParser::new())]
    pub allow_unresolved: bool,

    /// Refuse images without a digest; change nothing, read no lock, and ask for platforms and
    /// `--verify` alone
    #[arg(long, global = true, env = "DIGESTIF_REQUIRE_DIGEST", value_parser = BoolishValueParser::new())]
    pub require_digest: bool,

    /// Refuse tags that move: `latest`, `nightly`, branches; with `=versions` also `1` and `1.27`
    #[arg(
        long,
        global = true,
        value_name = "WHAT",
        env = "DIGESTIF_DENY_MUTABLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "tags"
    )]
    pub deny_mutable: Option<Mutable>,

    /// Fail unless the images of this repository have this tag in the end
    #[arg(
        long,
        global = true,
        value_name = "REPOSITORY=TAG",
        env = "DIGESTIF_EXPECT",
        value_delimiter = '\n'
    )]
    pub expect: Vec<Expectation>,

    /// Fail unless every image is there for this platform, as linux/arm64
    #[arg(
        long,
        global = true,
        value_name = "OS/ARCH",
        env = "DIGESTIF_REQUIRE_PLATFORM",
        value_delimiter = '\n'
    )]
    pub require_platform: Vec<Platform>,

    /// Ask whether digests that the input has already exist
    #[arg(long, global = true, env = "DIGESTIF_VERIFY", value_parser = BoolishValueParser::new())]
    pub verify: bool,

    /// Refuse placeholders, such as `${IMAGE}` or `$(params.image)`
    #[arg(long, global = true, env = "DIGESTIF_DENY_PLACEHOLDERS", value_parser = BoolishValueParser::new())]
    pub deny_placeholders: bool,

    /// Look into this OCI image layout first
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "DIGESTIF_LAYOUT",
        value_delimiter = '\n'
    )]
    pub layout: Vec<PathBuf>,

    /// Take the digests that this file has, and record those of other images in it
    #[arg(long, global = true, value_name = "FILE", env = "DIGESTIF_LOCK")]
    pub lock: Option<PathBuf>,

    /// Fail where the lock lacks an image; ask nobody, and do not write the lock
    #[arg(long, global = true, env = "DIGESTIF_LOCKED", value_parser = BoolishValueParser::new())]
    pub locked: bool,

    /// Resolve again what the lock has, and the tag beside a digest that the input has; with a glob,
    /// only images whose full repository name it fits
    #[arg(
        long,
        global = true,
        value_name = "GLOB",
        env = "DIGESTIF_UPDATE",
        value_delimiter = '\n',
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = EVERYTHING
    )]
    pub update: Vec<String>,

    /// With `check` and a lock: ask registries whether its tags have moved, or missing ones exist now
    #[arg(long, global = true, env = "DIGESTIF_DRIFT", value_parser = BoolishValueParser::new())]
    pub drift: bool,

    /// Ask no registry: the lock and image layouts alone
    #[arg(long, global = true, env = "DIGESTIF_OFFLINE", value_parser = BoolishValueParser::new())]
    pub offline: bool,

    /// Where the registry of a host is reached instead; `*` is every host, `{host}` its name
    #[arg(
        long,
        global = true,
        value_name = "HOST=URL",
        env = "DIGESTIF_REGISTRY",
        value_delimiter = '\n'
    )]
    pub registry: Vec<String>,

    /// Where the registry of a host is asked first; the host itself when the mirror does not have it
    #[arg(
        long,
        global = true,
        value_name = "HOST=URL",
        env = "DIGESTIF_MIRROR",
        value_delimiter = '\n'
    )]
    pub mirror: Vec<String>,

    /// Show this certificate, from a PEM file, to registries that ask for one
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DIGESTIF_CLIENT_CERT",
        requires = "client_key"
    )]
    pub client_cert: Option<PathBuf>,

    /// The key of that certificate, from a PEM file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DIGESTIF_CLIENT_KEY",
        requires = "client_cert"
    )]
    pub client_key: Option<PathBuf>,

    /// Read logins from this file before those of Docker and of containers
    #[arg(long, global = true, value_name = "FILE", env = "DIGESTIF_AUTH_FILE")]
    pub auth_file: Option<PathBuf>,

    /// Ask this host over plain HTTP (loopback hosts are tried so by themselves)
    #[arg(
        long,
        global = true,
        value_name = "HOST",
        env = "DIGESTIF_PLAIN_HTTP",
        value_delimiter = '\n',
        value_parser = registry::host
    )]
    pub plain_http: Vec<String>,

    /// Trust the certificates of this PEM file besides the system's
    #[arg(long, global = true, value_name = "FILE", env = "DIGESTIF_CA_FILE")]
    pub ca_file: Option<PathBuf>,

    /// How long all requests together may take, and how long another run is waited for that holds the lock
    #[arg(long, global = true, value_name = "SECONDS", env = "DIGESTIF_TIMEOUT", default_value_t = 45, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,

    /// How often a request is tried again
    #[arg(long, global = true, value_name = "N", env = "DIGESTIF_RETRIES", default_value_t = 3, value_parser = clap::value_parser!(u8))]
    pub retries: u8,

    /// Requests in flight to one host
    #[arg(long, global = true, value_name = "N", env = "DIGESTIF_CONCURRENCY", default_value_t = CONCURRENCY, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub concurrency: u16,

    /// Fetch every manifest and hash it, instead of trusting the registry's header
    #[arg(long, global = true, env = "DIGESTIF_VERIFY_CONTENT", value_parser = BoolishValueParser::new())]
    pub verify_content: bool,

    /// Add what stderr shows to this file; Helm 4 drops stderr, so there it is `digestif/log` in the
    /// state directory if nobody says
    #[arg(long, global = true, value_name = "FILE", env = "DIGESTIF_LOG")]
    pub log: Option<PathBuf>,

    /// Print errors and substitutions only
    #[arg(short, long, global = true, env = "DIGESTIF_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,

    /// Print a line about each image
    #[arg(short, long, global = true, env = "DIGESTIF_VERBOSE", value_parser = BoolishValueParser::new())]
    pub verbose: bool,

    /// When to colour messages
    #[arg(long, global = true, value_enum, default_value_t, env = "DIGESTIF_COLOR")]
    pub color: Color,
}

/// What flags are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// To pin.
    Pin,
    /// To check.
    Check,
    /// To show something, for which no lock is needed.
    Show,
}

impl Flags {
    /// The paths to read; none where stdin is to be read.
    ///
    /// # Errors
    /// Stdin can't be mixed with files, nor rewritten in place.
    pub fn paths(&self) -> Result<&[PathBuf], String> {
        let stdin = self.filename.iter().filter(|path| path.as_os_str() == "-").count();
        match (stdin, self.filename.as_slice()) {
            (0, []) if self.in_place => Err("`--in-place` needs files, named with `-f`".to_owned()),
            (0, paths) => Ok(paths),
            (1, [_]) if self.in_place => {
                Err("stdin can't be rewritten with `--in-place`".to_owned())
            }
            (1, [_]) => Ok(&[]),
            _ => Err("stdin (`-f -`) can't be read together with files".to_owned()),
        }
    }

    /// The paths of a directory that are left out.
    ///
    /// # Errors
    /// A glob is wrong.
    pub fn excluded(&self) -> Result<Exclusions, String> {
        Exclusions::new(&self.exclude).map_err(|error| format!("`--exclude`: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        for argument in Cli::command().get_arguments().filter(|a| a.get_long().is_some()) {
            let long = argument.get_long().expect("filtered");
            if matches!(long, "help" | "version") {
                continue;
            }
            let expected = format!("DIGESTIF_{}", long.to_uppercase().replace('-', "_"));
            let found = argument.get_env().and_then(|name| name.to_str());
            assert_eq!(found, Some(expected.as_str()), "--{long}");
        }
    }

    #[test]
    fn flags_may_stand_on_both_sides_of_a_command() {
        for line in [["digestif", "-f", "a", "images"], ["digestif", "images", "-f", "a"]] {
            let cli = Cli::try_parse_from(line).expect("valid");
            assert_eq!(cli.flags.filename, [PathBuf::from("a")]);
        }
    }

    #[test]
    fn a_flag_stands_on_one_side_of_a_command() {
        for (line, flag) in [
            (&["digestif", "-f", "a", "-q", "images", "-f", "b"][..], Some("filename")),
            (&["digestif", "--skip=a", "--skip", "b", "images", "--skip=c"], Some("skip")),
            (&["digestif", "-q", "images", "-q"], Some("quiet")),
            (&["digestif", "-f", "images", "images", "--skip", "a"], None),
            (&["digestif", "-f", "a", "-f", "images"], None),
        ] {
            let said = Cli::read(line).err().map(|error| error.to_string());
            let expected = flag.map(|flag| {
                format!("error: the argument '--{flag}' stands both before and behind 'images'")
            });
            let begins =
                |said: &String| expected.as_ref().is_some_and(|text| said.starts_with(text));
            assert!(said.as_ref().map_or(expected.is_none(), begins), "{said:?}");
        }
    }

    #[test]
    fn a_plain_host_is_one_that_images_can_name() {
        for (text, host) in [
            ("registry.local", Some("registry.local")),
            ("Registry.local:5000", Some("registry.local:5000")),
            ("localhost", Some("localhost")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("index.docker.io", Some("docker.io")),
            ("http://registry.local", None),
            ("registry.local/", None),
            ("registry.local/path", None),
            ("registry", None),
            ("registry.local:x", None),
            ("", None),
        ] {
            assert_eq!(registry::host(text).ok().as_deref(), host, "{text}");
        }
    }

    #[test]
    fn stdin_is_neither_mixed_with_files_nor_rewritten() {
        for (line, message) in [
            (&["digestif", "-i"][..], "`--in-place` needs files, named with `-f`"),
            (&["digestif", "-i", "-f", "-"], "stdin can't be rewritten with `--in-place`"),
            (
                &["digestif", "-f", "-", "-f", "a"],
                "stdin (`-f -`) can't be read together with files",
            ),
        ] {
            let cli = Cli::try_parse_from(line).expect("valid");
            assert_eq!(cli.flags.paths(), Err(message.to_owned()));
        }
    }
}
