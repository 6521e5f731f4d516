//! Flags in groups, as `--help` shows them. Each command takes the groups that it obeys.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ValueEnum};

use crate::fallback::{MAX_SKEW, MinorVersion, Preset, Rule};
use crate::image::{PinForm, Platform};
use crate::io::exclusions::Exclusions;
use crate::lock::{DriftGate, EVERYTHING};
use crate::places::{Inclusion, ObjectPattern};
use crate::policy::{Expectation, Mutable};
use crate::registry;
use crate::report;

/// The longest cooldown in days: ten years.
const LONGEST_COOLDOWN: u32 = 3_650;

/// The longest `--timeout`: one day.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The form of the result.
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

/// Every group of flags. A group that a command lacks has its defaults.
#[derive(Debug, Default)]
pub struct Flags {
    /// Which files are read.
    pub input: InputFlags,
    /// Where the result goes.
    pub output: OutputFlags,
    /// How pinning writes.
    pub pin: PinFlags,
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

/// Which files are read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct InputFlags {
    /// Files and directories to read (recursively: yaml, yml, json); `-` is stdin [default: stdin]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Read this file or directory; the same as PATH, repeatable
    #[arg(short, long, value_name = "PATH", env = "DIGESTIF_FILENAME", value_delimiter = '\n')]
    pub filename: Vec<PathBuf>,

    /// Leave these paths out of a directory; repeatable
    #[arg(long, value_name = "GLOB", env = "DIGESTIF_EXCLUDE", value_delimiter = '\n')]
    pub exclude: Vec<String>,

    /// Accept input without any Kubernetes object
    #[arg(long, env = "DIGESTIF_ALLOW_EMPTY", value_parser = BoolishValueParser::new())]
    pub allow_empty: bool,
}

impl InputFlags {
    /// The paths to read; none if stdin is to be read.
    ///
    /// # Errors
    /// Stdin can't be read together with files.
    pub fn named(&self) -> Result<Vec<PathBuf>, String> {
        let all: Vec<_> = self.paths.iter().chain(&self.filename).cloned().collect();
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
        Exclusions::new(&self.exclude).map_err(|error| format!("`--exclude`: {error}"))
    }
}

/// Where the result goes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct OutputFlags {
    /// Write the result to this file instead of stdout, atomically; `-` is stdout
    #[arg(short, long, value_name = "FILE", env = "DIGESTIF_OUTPUT")]
    pub output: Option<PathBuf>,
}

/// How pinning writes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct PinFlags {
    /// Rewrite the named files: all of them, or none. A symbolic link stays a link; a file with other
    /// hard links is separated from them
    #[arg(short, long, env = "DIGESTIF_IN_PLACE", value_parser = BoolishValueParser::new())]
    pub in_place: bool,

    /// Print what would change, as a unified diff; write neither manifests nor the lock
    #[arg(long, env = "DIGESTIF_DIFF", value_parser = BoolishValueParser::new())]
    pub diff: bool,

    /// The result: the manifests, or a list of pins for kustomize and Flux
    #[arg(long, value_enum, default_value_t, env = "DIGESTIF_EMIT")]
    pub emit: Emit,

    /// How a pin is written.
    #[command(flatten)]
    pub form: FormFlags,
}

/// How a pin is written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct FormFlags {
    /// How a pin is written: `name:tag@digest` or `name@digest` [default: tag-digest]
    #[arg(long, value_enum, env = "DIGESTIF_PIN")]
    pub pin: Option<PinForm>,
}

/// Which configuration is read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input and output")]
pub struct ConfigFlags {
    /// Read this configuration file instead of the checkout's, which is digestif.yaml in the working
    /// directory or above it in the repository
    #[arg(short, long, value_name = "FILE", env = "DIGESTIF_CONFIG")]
    pub config: Option<PathBuf>,

    /// Read no configuration file, and no `functionConfig` unless with `fn`
    #[arg(long, env = "DIGESTIF_NO_CONFIG", value_parser = BoolishValueParser::new())]
    pub no_config: bool,
}

/// Which images are pinned.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct ImageFlags {
    /// Leave images alone if this glob matches their full repository name, for example `quay.io/**`; repeatable
    #[arg(long, value_name = "GLOB", env = "DIGESTIF_SKIP", value_delimiter = '\n')]
    pub skip: Vec<String>,

    /// Leave the images of these objects alone, for example `Job` or `Job/batch/migrate`; repeatable
    #[arg(
        long,
        value_name = "KIND[/NAMESPACE/NAME]",
        env = "DIGESTIF_SKIP_KIND",
        value_delimiter = '\n'
    )]
    pub skip_kind: Vec<ObjectPattern>,

    /// Also pin candidates of these classes: `values`, `env`, `args`, `config`, `annotations`, `other`; all of a
    /// class, or those in one kind or field (`config:ConfigMap:data.image`); `digestif images` lists them
    #[arg(
        long,
        value_name = "CLASS[:KIND[:PATH]]",
        env = "DIGESTIF_INCLUDE",
        value_delimiter = ','
    )]
    pub include: Vec<Inclusion>,
}

/// The presets, by their names.
fn presets() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name))
        .map(|name| Preset::named(&name).expect("each name is that of a preset"))
}

/// Rules for tags that do not exist.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Missing tags")]
pub struct MissingTagFlags {
    /// A rule for a tag that does not exist: a regular expression over the whole tag, and a
    /// tag or reference with `$1`, `${group}`, `$tag`, `$name` and `$repository`; with `GLOB:` only
    /// for repositories that it fits, as in `ghcr.io/acme/*:`; repeatable
    #[arg(
        long,
        value_name = "[GLOB:]REGEX=TRY",
        env = "DIGESTIF_FALLBACK",
        value_delimiter = '\n'
    )]
    pub fallback: Vec<Rule>,

    /// A rule that comes with digestif, for images that have moved; repeatable
    #[arg(
        long,
        value_name = "NAME",
        env = "DIGESTIF_PRESET",
        value_delimiter = '\n',
        value_parser = presets()
    )]
    pub preset: Vec<Preset>,

    /// Apply no rule, not even the built-in one: a missing tag is an error
    #[arg(long, env = "DIGESTIF_NO_FALLBACK", value_parser = BoolishValueParser::new())]
    pub no_fallback: bool,

    /// The cluster's version, which limits how far Kubernetes client tools may step down
    #[arg(long, value_name = "X.Y", env = "DIGESTIF_KUBE_VERSION")]
    pub kube_version: Option<MinorVersion>,

    /// How many minor versions a Kubernetes client tool may step down [default: 1]
    #[arg(
        long,
        value_name = "N",
        env = "DIGESTIF_MAX_MINOR_SKEW",
        value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_SKEW))
    )]
    pub max_minor_skew: Option<u32>,
}

/// Where digests come from besides registries.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct LockFlags {
    /// Use the digests that this file records, and record new ones in it
    #[arg(long, value_name = "FILE", env = "DIGESTIF_LOCK")]
    pub lock: Option<PathBuf>,

    /// Fail if the lock lacks an image; make no request for it and do not write the lock
    #[arg(long, env = "DIGESTIF_LOCKED", value_parser = BoolishValueParser::new())]
    pub locked: bool,

    /// Resolve images from this OCI image layout first; repeatable
    #[arg(long, value_name = "DIR", env = "DIGESTIF_LAYOUT", value_delimiter = '\n')]
    pub layout: Vec<PathBuf>,

    /// Make no network request: use the lock and image layouts only
    #[arg(long, env = "DIGESTIF_OFFLINE", value_parser = BoolishValueParser::new())]
    pub offline: bool,
}

/// How old a digest has to be.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Lock")]
pub struct CooldownFlags {
    /// With a lock: use a digest only when it was first seen so many days ago, as in `7d`. Newer ones
    /// wait in the lock for a later `--update`
    #[arg(long, value_name = "DURATION", env = "DIGESTIF_COOLDOWN", value_parser = cooldown)]
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
        env = "DIGESTIF_UPDATE",
        value_delimiter = '\n',
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
        env = "DIGESTIF_DRIFT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        default_value = "off",
        hide_default_value = true
    )]
    pub drift: DriftGate,
}

/// Which images are not new.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct BaseFlags {
    /// Check only images that do not occur in BASE, a folder or a git revision of the files
    #[arg(long, value_name = "BASE", env = "DIGESTIF_ONLY_CHANGED")]
    pub only_changed: Option<String>,
}

/// A gate that only the caller configures.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
pub struct StrictFlags {
    /// Pass only if every image has a digest or, with `--lock`, is in the lock. Only flags, variables and
    /// `-c FILE` count: no other configuration, no opt-out in manifests; makes no request
    #[arg(long, env = "DIGESTIF_STRICT", value_parser = BoolishValueParser::new())]
    pub strict: bool,
}

/// Policies.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct PolicyFlags {
    /// Write images that are absent or invalid unchanged, with a warning
    #[arg(long, env = "DIGESTIF_ALLOW_UNRESOLVED", value_parser = BoolishValueParser::new())]
    pub allow_unresolved: bool,

    /// Fail if an image has no digest; change nothing and resolve no tag
    #[arg(long, env = "DIGESTIF_REQUIRE_DIGEST", value_parser = BoolishValueParser::new())]
    pub require_digest: bool,

    /// Fail if a tag moves: `latest`, `nightly`, branches; with `=versions` also `1` and `1.27`
    #[arg(
        long,
        value_name = "WHAT",
        env = "DIGESTIF_DENY_MUTABLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "tags"
    )]
    pub deny_mutable: Option<Mutable>,

    /// Fail unless the repository occurs in the output and every image of it has this tag; repeatable
    #[arg(long, value_name = "REPOSITORY=TAG", env = "DIGESTIF_EXPECT", value_delimiter = '\n')]
    pub expect: Vec<Expectation>,

    /// Fail if an image is not available for this platform, for example linux/arm64; repeatable
    #[arg(long, value_name = "OS/ARCH", env = "DIGESTIF_REQUIRE_PLATFORM", value_delimiter = '\n')]
    pub require_platform: Vec<Platform>,

    /// Check that digests already in the input exist; by default they are trusted
    #[arg(long, env = "DIGESTIF_VERIFY", value_parser = BoolishValueParser::new())]
    pub verify: bool,

    /// Fail if an image is a placeholder, such as `${IMAGE}` or `$(params.image)`
    #[arg(long, env = "DIGESTIF_DENY_PLACEHOLDERS", value_parser = BoolishValueParser::new())]
    pub deny_placeholders: bool,
}

/// How registries are reached.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct RegistryFlags {
    /// Reach the registry HOST at this URL instead; `*` is every host, `{host}` its name; repeatable
    #[arg(long, value_name = "HOST=URL", env = "DIGESTIF_REGISTRY", value_delimiter = '\n')]
    pub registry: Vec<String>,

    /// Try this mirror of HOST first, then HOST itself; repeatable
    #[arg(long, value_name = "HOST=URL", env = "DIGESTIF_MIRROR", value_delimiter = '\n')]
    pub mirror: Vec<String>,

    /// Read logins from this file before those of Docker and of containers
    #[arg(long, value_name = "FILE", env = "DIGESTIF_AUTH_FILE")]
    pub auth_file: Option<PathBuf>,

    /// Use plain HTTP for this host (loopback hosts need not be named); repeatable
    #[arg(
        long,
        value_name = "HOST",
        env = "DIGESTIF_PLAIN_HTTP",
        value_delimiter = '\n',
        value_parser = registry::host
    )]
    pub plain_http: Vec<String>,

    /// Trust the certificates in this PEM file in addition to the system's
    #[arg(long, value_name = "FILE", env = "DIGESTIF_CA_FILE")]
    pub ca_file: Option<PathBuf>,

    /// Do not verify the certificate of this host; no login is sent to it; repeatable
    #[arg(
        long,
        value_name = "HOST",
        env = "DIGESTIF_INSECURE",
        value_delimiter = '\n',
        value_parser = registry::host
    )]
    pub insecure: Vec<String>,

    /// Send logins to this host although its certificate is not verified; repeatable
    #[arg(
        long,
        value_name = "HOST",
        env = "DIGESTIF_INSECURE_LOGIN",
        value_delimiter = '\n',
        value_parser = registry::host
    )]
    pub insecure_login: Vec<String>,

    /// Send this certificate, from a PEM file, to registries that ask for one
    #[arg(long, value_name = "FILE", env = "DIGESTIF_CLIENT_CERT", requires = "client_key")]
    pub client_cert: Option<PathBuf>,

    /// The key of that certificate, from a PEM file
    #[arg(long, value_name = "FILE", env = "DIGESTIF_CLIENT_KEY", requires = "client_cert")]
    pub client_key: Option<PathBuf>,

    /// The time for the whole run, and for waiting until another run releases the lock: 45, 45s, 5m
    #[arg(
        long,
        value_name = "DURATION",
        env = "DIGESTIF_TIMEOUT",
        default_value = "45s",
        value_parser = timeout
    )]
    pub timeout: Duration,

    /// How often a request is tried again
    #[arg(long, value_name = "N", env = "DIGESTIF_RETRIES", default_value_t = 3)]
    pub retries: u8,

    /// The most requests in flight to one host [default: 16; over HTTP/2 up to 64, as the host bears it]
    #[arg(
        long,
        value_name = "N",
        env = "DIGESTIF_CONCURRENCY",
        value_parser = clap::value_parser!(u16).range(1..=1_000)
    )]
    pub concurrency: Option<u16>,

    /// Fetch every manifest and hash it; do not trust the registry's header
    #[arg(long, env = "DIGESTIF_VERIFY_CONTENT", value_parser = BoolishValueParser::new())]
    pub verify_content: bool,
}

/// Reports in files.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reports and messages")]
pub struct ReportFlags {
    /// Also write a report to this file, whether the run succeeds or fails
    #[arg(long, value_name = "FILE", env = "DIGESTIF_REPORT")]
    pub report: Option<PathBuf>,

    /// The format of the report, also of the one that `check` prints [default: json in a file, text from
    /// `check`]
    #[arg(long, value_enum, value_name = "FORMAT", env = "DIGESTIF_REPORT_FORMAT")]
    pub report_format: Option<report::Format>,
}

/// Messages on stderr.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reports and messages")]
pub struct ConsoleFlags {
    /// Append the messages on stderr to this file. If stderr is not a terminal, the default is `digestif/log` in
    /// the state directory
    #[arg(long, value_name = "FILE", env = "DIGESTIF_LOG")]
    pub log: Option<PathBuf>,

    /// Print errors and substitutions only
    #[arg(short, long, env = "DIGESTIF_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,

    /// Print a line for each image; `-vv` also each request
    #[arg(short, long, env = "DIGESTIF_VERBOSE", action = ArgAction::Count, value_parser = verbosity)]
    pub verbose: u8,

    /// When to colour messages
    #[arg(long, value_enum, default_value_t, env = "DIGESTIF_COLOR")]
    pub color: Color,
}

/// Reads a time limit as people write it: `45`, `45s`, `5m`, `1h 30m`.
///
/// # Errors
/// It is no duration, or not between one second and one day.
fn timeout(text: &str) -> Result<Duration, String> {
    let read = match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text),
    };
    let duration =
        read.map_err(|_| "expected a duration such as `45`, `45s` or `5m`".to_owned())?;
    if duration < Duration::from_secs(1) || duration > LONGEST_TIMEOUT {
        return Err("expected a duration between 1 s and 24 h".to_owned());
    }
    Ok(duration)
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

/// Reads `DIGESTIF_VERBOSE`: a number, or a word that switches other variables on or off.
fn verbosity(text: &str) -> Result<u8, String> {
    match text {
        "true" | "yes" | "on" | "y" | "t" => Ok(1),
        "false" | "no" | "off" | "n" | "f" => Ok(0),
        _ => text.parse().map_err(|_| "expected a number, `true` or `false`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_people_write_it() {
        for (text, seconds) in
            [("45", Some(45)), ("45s", Some(45)), ("5m", Some(300)), ("1h 30m", Some(5_400))]
        {
            assert_eq!(timeout(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
        for text in ["", "0", "0s", "500ms", "25h", "5 parsecs", "-1", "99999999999999999999"] {
            assert!(timeout(text).is_err(), "{text}");
        }
    }
}
