//! Settings: one value for a run, made once from the flags with their variables and from configurations.
//!
//! `trust` owns what each source may set. Which value wins is another question: configurations above
//! the flags, then the flags, then configurations below them. Rules, images to skip and registries add
//! up in this order. Policies add up: none loosens what another demands.

mod certificates;
mod checkout;
pub mod config;
mod cooldown;
pub mod data;
pub mod files;
mod glob;
mod included;
pub mod origins;
mod pin_images;
pub mod reading;
mod rules;
mod skipped;
pub mod trust;
pub(crate) mod wrong;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Command;
use clap::builder::{BoolishValueParser, TypedValueParser as _};

use crate::cli::{
    Emit, Flags, LockFlags, MissingTagFlags, PolicyFlags, RegistryFlags, StrictFlags,
};
use crate::credentials::{self, Credentials};
use crate::diagnostic::{Diagnostic, failed, usage};
use crate::fallback::{DEFAULT_SKEW, Kind, KubernetesVersion, MinorVersion, Preset, Rule};
use crate::image::Globs;
use crate::lock::{self, Cooldown, EVERYTHING, Lock, Locking, Mode, State, Substitutes};
use crate::places::{OptOuts, Scope, SkippedObjects};
use crate::plan::{Date, Skips};
use crate::policy::{Digests, Leniency, Placeholders, Policy, Unpinnable, WrittenDigests};
use crate::registry::{self, Concurrency, Proxies, Replacement, Tls};
use crate::resolve::Network;
use crate::settings::config::{Config, ConfiguredRule};
use crate::{Empty, Options};

/// The purpose of the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// To pin.
    Pin,
    /// To pin as a function whose own configuration is trusted.
    Function,
    /// To check.
    Check,
    /// To explain one image.
    Explain,
    /// To show something, for which no lock is needed.
    Show,
}

/// Everything that decides how a run goes.
#[derive(Debug)]
pub struct Settings {
    /// How images are found, resolved and judged.
    pub options: Options,
    /// The form of the result.
    pub emit: Emit,
    /// True if the named files are rewritten.
    pub in_place: bool,
    /// True if only errors and substitutions are printed.
    pub quiet: bool,
    /// True if each image is printed with its digest.
    pub verbose: bool,
}

impl Settings {
    /// Settles the flags with the configuration above them and the one below them.
    ///
    /// # Errors
    /// A glob is wrong, or the lock, a login or a certificate can't be used.
    pub fn new(flags: Flags, above: Config, below: Config, task: Task) -> Result<Self, Diagnostic> {
        let Flags {
            input,
            pin,
            images,
            missing,
            lock,
            cooldown,
            update,
            drift,
            strict,
            policy,
            registries,
            console,
            ..
        } = flags;
        let path = above.lock.or(lock.lock.clone()).or(below.lock);
        let cluster = above.kube_version.or(missing.kube_version).or(below.kube_version);
        let skips = Skips {
            flags: Globs::new(&images.skip)
                .map_err(|error| usage(&format!("`--skip`: {error}")))?,
            configured: above.skip.and(below.skip),
        };
        let scope = Scope {
            include: images.include,
            opt_outs: if strict.strict { OptOuts::Ignored } else { OptOuts::Obeyed },
            skipped: SkippedObjects { flags: images.skip_kind, ..SkippedObjects::default() },
            ..Scope::default()
        };
        let require_digest = policy.require_digest || above.require_digest || below.require_digest;
        // Without a lock, a digest in the input is all that there can be.
        let require_digest = require_digest || strict.strict && path.is_none();
        let replacements =
            [above.replacements, parsed("--registry", &registries.registry)?, below.replacements];
        let mode = match task {
            Task::Check if drift.drift.is_on() => Mode::Drift,
            Task::Check => Mode::Check,
            _ if lock.locked || require_digest => Mode::Frozen,
            _ => Mode::Record,
        };
        let cooldown = Cooldown::strongest(above.cooldown, cooldown.cooldown, below.cooldown);
        let lock_file = match path {
            _ if task == Task::Show => None,
            None if task == Task::Explain => None,
            path => locking(path, mode, &lock, &missing, registries.timeout, cooldown)?,
        };
        let is_frozen = match &lock_file {
            Some(lock) => matches!(lock.mode, Mode::Frozen | Mode::Check),
            None => require_digest,
        };
        let mut policy = policy_of(policy, &strict, require_digest);
        policy.expectations =
            [above.expectations, policy.expectations, below.expectations].concat();
        policy.mutable = above.mutable.max(policy.mutable).max(below.mutable);
        policy.platforms = [above.platforms, policy.platforms, below.platforms].concat();
        let makes_no_request = is_frozen && !policy.looks_inside() && !drift.drift.is_on();
        if strict.strict && (drift.drift.is_on() || policy.looks_inside()) {
            return Err(failed(
                "`--strict` makes no request, which another flag or `-c FILE` asks for",
            )
            .help(
                "run `digestif check` once more for `--drift`, `--verify` and `--require-platform`",
            ));
        }
        // A login that can't be read matters only if a request may be made.
        let network = if lock.offline || makes_no_request {
            Network::Offline
        } else {
            let mirrors = [above.mirrors, parsed("--mirror", &registries.mirror)?, below.mirrors];
            let registries = registry::Settings {
                replacements: replacements.concat(),
                mirrors: mirrors.concat(),
                caches: [above.caches, below.caches].concat(),
                plain_http: [above.plain_http, registries.plain_http.clone(), below.plain_http]
                    .concat(),
                log_requests: console.verbose > 1,
                tls: tls(
                    &registries,
                    [above.insecure, below.insecure].concat(),
                    [above.insecure_login, below.insecure_login].concat(),
                )?,
                ..registry_settings(registries)?
            };
            Network::Online { registries: Box::new(registries), quiet: console.quiet }
        };
        let options = Options {
            pin: above.pin.or(pin.form.pin).or(below.pin).unwrap_or_default(),
            scope: above.scope.and(scope).and(below.scope),
            skips,
            rules: rules_in_order(missing, cluster, above.rules, below.rules),
            layouts: lock.layout,
            network,
            lock: lock_file,
            update: updates(&update.update)?,
            drift: drift.drift,
            unchanged: BTreeSet::new(),
            policy,
            empty: if input.allow_empty { Empty::Allowed } else { Empty::Refused },
        };
        let (quiet, verbose) = (console.quiet, console.verbose > 0);
        Ok(Self { options, emit: pin.emit, in_place: pin.in_place, quiet, verbose })
    }
}

/// The policy that the flags ask for.
fn policy_of(policy: PolicyFlags, strict: &StrictFlags, require_digest: bool) -> Policy {
    let is_strict = strict.strict;
    Policy {
        unresolved: if policy.allow_unresolved {
            Leniency::WriteUnchanged
        } else {
            Leniency::Strict
        },
        placeholders: if policy.deny_placeholders || is_strict {
            Placeholders::Denied
        } else {
            Placeholders::Allowed
        },
        digests: if require_digest { Digests::Required } else { Digests::Given },
        expectations: policy.expect,
        mutable: policy.deny_mutable.unwrap_or_default(),
        platforms: policy.require_platform,
        written: if policy.verify { WrittenDigests::Verified } else { WrittenDigests::Believed },
        unpinnable: if require_digest || is_strict {
            Unpinnable::Denied
        } else {
            Unpinnable::Allowed
        },
    }
}

/// Reads the lock of a run, if it has one.
fn locking(
    path: Option<PathBuf>,
    mode: Mode,
    lock: &LockFlags,
    missing: &MissingTagFlags,
    timeout: Duration,
    cooldown: Option<Cooldown>,
) -> Result<Option<Locking>, Diagnostic> {
    let Some(path) = path else {
        let flag =
            if lock.locked { "--locked" } else { cooldown.as_ref().map_or("", Cooldown::name) };
        let is_meant = cooldown.is_some_and(|own| own.is_asked_for || mode == Mode::Record);
        if lock.locked || is_meant {
            return Err(usage(&format!("`{flag}` needs a lock: name it with `--lock FILE`")));
        }
        return Ok(None);
    };
    let (lock, state) = match lock::read(&path)? {
        Some(lock) => (lock, State::Read),
        None if mode == Mode::Record => (Lock::default(), State::New),
        None => return Err(lock::not_there(&path)),
    };
    let substitutes = if missing.no_fallback { Substitutes::Refused } else { Substitutes::Used };
    let today = today()?;
    let locking = Locking { path, lock, state, mode, substitutes, timeout, cooldown, today };
    locking.future().map_or(Ok(Some(locking)), Err)
}

/// Names the day of the run, as in `2026-11-29`, for tests.
const TODAY: &str = "DIGESTIF_TODAY";

/// The day of the run.
fn today() -> Result<Date, Diagnostic> {
    match std::env::var_os(TODAY) {
        None => Ok(Date::of(SystemTime::now())),
        Some(day) => {
            let day = day.to_string_lossy();
            day.parse().map_err(|error: String| usage(&format!("`{TODAY}`: {error}")))
        }
    }
}

/// The repositories that are resolved again. A word that switches other variables on means all of them,
/// as the flag does without a value.
fn updates(globs: &[String]) -> Result<Globs, Diagnostic> {
    let globs = globs.iter().filter_map(|glob| match switch(glob) {
        Some(true) => Some(EVERYTHING),
        Some(false) => None,
        None => Some(glob),
    });
    Globs::of_names(globs).map_err(|error| usage(&format!("`--update`: {error}")))
}

/// The rules in order. The built-in one is last, unless a configuration names it.
fn rules_in_order(
    missing: MissingTagFlags,
    cluster: Option<MinorVersion>,
    above: Vec<ConfiguredRule>,
    below: Vec<ConfiguredRule>,
) -> Vec<Rule> {
    if missing.no_fallback {
        return Vec::new();
    }
    let skew = |configured: Option<u32>| configured.unwrap_or(DEFAULT_SKEW);
    let mut rules: Vec<Rule> = Vec::new();
    let mut named = Vec::new();
    let mut add = |configured: ConfiguredRule, max_minor_skew| {
        let ConfiguredRule { mut rule, preset, enabled, .. } = configured;
        // The first mention of a preset counts.
        if preset.is_some_and(|preset| named.contains(&preset)) {
            return;
        }
        named.extend(preset);
        if let Kind::KubernetesVersion(kubernetes) = &mut rule.kind {
            *kubernetes = KubernetesVersion { cluster, max_minor_skew };
        }
        rules.extend(enabled.then_some(rule));
    };
    for configured in above {
        let max_minor_skew = skew(configured.max_minor_skew.or(missing.max_minor_skew));
        add(configured, max_minor_skew);
    }
    let of_flag =
        |rule: Rule| ConfiguredRule { rule, preset: None, enabled: true, max_minor_skew: None };
    let of_preset =
        |preset| ConfiguredRule { preset: Some(preset), ..of_flag(Rule::preset(preset)) };
    let presets = missing.preset.into_iter().map(of_preset);
    for configured in missing.fallback.into_iter().map(of_flag).chain(presets).chain(below) {
        let max_minor_skew = skew(missing.max_minor_skew.or(configured.max_minor_skew));
        add(configured, max_minor_skew);
    }
    let max_minor_skew = skew(missing.max_minor_skew);
    let built_in = of_flag(Rule::built_in(KubernetesVersion { cluster, max_minor_skew }));
    let preset = Some(Preset::KubernetesVersion);
    add(ConfiguredRule { preset, ..built_in }, max_minor_skew);
    rules
}

/// How registries are reached by the flags alone, with the logins of this user.
fn registry_settings(flags: RegistryFlags) -> Result<registry::Settings, Diagnostic> {
    let (mut named, defaults) = credentials::default_files();
    if let Some(file) = flags.auth_file {
        named = vec![file];
    }
    Ok(registry::Settings {
        credentials: Credentials::read(&named, &defaults)?,
        replacements: Vec::new(),
        mirrors: Vec::new(),
        caches: Vec::new(),
        plain_http: flags.plain_http,
        tls: Tls::default(),
        proxies: Proxies::read(|name| std::env::var(name).ok()).map_err(|error| usage(&error))?,
        timeout: flags.timeout,
        retries: flags.retries.into(),
        concurrency: match flags.concurrency {
            Some(most) => Concurrency::AtMost(most.into()),
            None => Concurrency::Adaptive,
        },
        verify_content: flags.verify_content,
        log_requests: false,
    })
}

/// How TLS connections are made: by the flags, and to these hosts of configurations without verification
/// and with logins.
fn tls(
    flags: &RegistryFlags,
    insecure: Vec<String>,
    insecure_login: Vec<String>,
) -> Result<Tls, Diagnostic> {
    let wrong = |message: String| usage(&message);
    let insecure = [flags.insecure.clone(), insecure].concat();
    if let Some(host) = flags.insecure_login.iter().find(|host| !insecure.contains(host)) {
        let message = format!("`--insecure-login {host}` does nothing without `--insecure {host}`");
        return Err(wrong(message));
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let identity = flags.client_cert.as_deref().zip(flags.client_key.as_deref());
    Ok(Tls {
        trusted: match &flags.ca_file {
            Some(path) => certificates::trusted(path).map_err(wrong)?,
            None => Vec::new(),
        },
        identity: identity
            .map(|(certificate, key)| certificates::identity(certificate, key))
            .transpose()
            .map_err(wrong)?,
        folders: registry::certificate_folders(home.as_deref()),
        insecure,
        insecure_login: [flags.insecure_login.clone(), insecure_login].concat(),
    })
}

/// Reads a word that switches something on or off; none for any other word.
fn switch(text: &str) -> Option<bool> {
    let read = BoolishValueParser::new().parse_ref(&Command::new("digestif"), None, text.as_ref());
    read.ok()
}

/// Reads replacements. The parser of arguments would repeat a wrong one, which may hold a password.
fn parsed(flag: &str, texts: &[String]) -> Result<Vec<Replacement>, Diagnostic> {
    let wrong = |error: String| usage(&format!("`{flag}`: {error}"));
    let read = |text: &String| text.parse().map_err(wrong);
    texts.iter().map(read).collect()
}
