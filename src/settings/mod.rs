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
mod network;
pub mod origins;
mod pin_images;
pub mod reading;
mod registry_entry;
mod rules;
mod skipped;
pub mod trust;
pub(crate) mod wrong;

use std::collections::BTreeSet;
use std::mem::take;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Command;
use clap::builder::{BoolishValueParser, TypedValueParser as _};

use crate::cli::{Emit, Flags, LockFlags, MissingTagFlags, PolicyFlags};
use crate::diagnostic::{Diagnostic, failed, usage};
use crate::fallback::{DEFAULT_SKEW, Kind, KubernetesVersion, MinorVersion, Preset, Rule};
use crate::image::Globs;
use crate::lock::{self, Cooldown, EVERYTHING, Lock, Locking, Mode, State, Substitutes};
use crate::places::{OptOuts, Scope, SkippedObjects};
use crate::plan::{Date, Skips};
use crate::policy::{Digests, Leniency, Placeholders, Policy, Unpinnable, WrittenDigests};
use crate::resolve::Network;
use crate::settings::config::{Config, ConfiguredRule};
use crate::{Empty, Options, Unwritable};

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
    /// The settings for finding, resolving and judging images.
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
    pub fn new(
        mut flags: Flags,
        mut above: Config,
        mut below: Config,
        task: Task,
    ) -> Result<Self, Diagnostic> {
        let [rules_above, rules_below] = [&mut above, &mut below].map(|it| take(&mut it.rules));
        let [above_them, below_them] = [&mut above, &mut below].map(|it| it.cooldown.take());
        let cooldown = Cooldown::strongest(above_them, flags.cooldown.cooldown, below_them);
        let mut config = above.and(layer(&mut flags)?).and(below);
        let Flags { input, pin, images, missing, lock, update, drift, strict, policy, .. } = flags;
        let (is_strict, drifts) = (strict.strict, drift.drift.is_on());
        // Without a lock, a digest in the input is all that there can be.
        let require_digest = config.require_digest || is_strict && config.lock.is_none();
        let skips = Skips {
            flags: Globs::new(&images.skip)
                .map_err(|error| usage(&format!("`--skip`: {error}")))?,
            configured: take(&mut config.skip),
        };
        let mode = match task {
            Task::Check if drifts => Mode::Drift,
            Task::Check => Mode::Check,
            _ if lock.locked || require_digest => Mode::Frozen,
            _ => Mode::Record,
        };
        let timeout = flags.registries.timeout;
        let lock_file = match config.lock.take() {
            _ if task == Task::Show => None,
            None if task == Task::Explain => None,
            path => locking(path, mode, &lock, &missing, timeout, cooldown)?,
        };
        let is_frozen = match &lock_file {
            Some(lock) => matches!(lock.mode, Mode::Frozen | Mode::Check),
            None => require_digest,
        };
        let cluster = config.kube_version;
        let pin_form = config.pin.unwrap_or_default();
        let scope = take(&mut config.scope);
        let policy = policy_of(&policy, &mut config, is_strict, require_digest);
        if is_strict && (drifts || policy.looks_inside()) {
            return Err(strict_makes_no_request());
        }
        // A login that can't be read matters only if a request may be made.
        let makes_no_request = is_frozen && !policy.looks_inside() && !drifts;
        let console = &flags.console;
        let network = if lock.offline || makes_no_request {
            Network::Offline
        } else {
            let log = console.verbose > 1;
            let registries = Box::new(network::registries(flags.registries, config, log)?);
            Network::Online { registries, quiet: console.quiet }
        };
        let options = Options {
            pin: pin_form,
            scope,
            skips,
            rules: rules_in_order(missing, cluster, rules_above, rules_below),
            layouts: lock.layout,
            network,
            lock: lock_file,
            update: updates(&update.update)?,
            drift: drift.drift,
            unchanged: BTreeSet::new(),
            unwritable: Unwritable::default(),
            policy,
            empty: if input.allow_empty { Empty::Allowed } else { Empty::Refused },
        };
        let (quiet, verbose) = (console.quiet, console.verbose > 0);
        Ok(Self { options, emit: pin.emit, in_place: pin.in_place, quiet, verbose })
    }
}

/// The flags that a configuration has too, in its form. Rules and globs of `--skip` are not among them.
fn layer(flags: &mut Flags) -> Result<Config, Diagnostic> {
    let Flags { form, images, missing, lock, strict, policy, registries, .. } = flags;
    Ok(Config {
        kube_version: missing.kube_version,
        pin: form.pin,
        scope: Scope {
            include: take(&mut images.include),
            opt_outs: if strict.strict { OptOuts::Ignored } else { OptOuts::Obeyed },
            skipped: SkippedObjects {
                flags: take(&mut images.skip_kind),
                ..SkippedObjects::default()
            },
            ..Scope::default()
        },
        replacements: network::parsed("--registry", &registries.registry)?,
        mirrors: network::parsed("--mirror", &registries.mirror)?,
        require_digest: policy.require_digest,
        mutable: policy.deny_mutable.unwrap_or_default(),
        expectations: take(&mut policy.expect),
        platforms: take(&mut policy.require_platform),
        plain_http: take(&mut registries.plain_http),
        insecure: registries.insecure.clone(),
        insecure_login: registries.insecure_login.clone(),
        lock: lock.lock.take(),
        ..Config::default()
    })
}

fn strict_makes_no_request() -> Diagnostic {
    failed("`--strict` makes no request, but another flag or `-c FILE` needs requests").help(
        "run `digestif check` a second time for `--drift`, `--verify` and `--require-platform`",
    )
}

/// The policy of a run, by its flags and the policies of all sources.
fn policy_of(
    flags: &PolicyFlags,
    config: &mut Config,
    is_strict: bool,
    require_digest: bool,
) -> Policy {
    Policy {
        unresolved: if flags.allow_unresolved {
            Leniency::WriteUnchanged
        } else {
            Leniency::Strict
        },
        placeholders: if flags.deny_placeholders || is_strict {
            Placeholders::Denied
        } else {
            Placeholders::Allowed
        },
        digests: if require_digest { Digests::Required } else { Digests::Given },
        expectations: take(&mut config.expectations),
        mutable: config.mutable,
        platforms: take(&mut config.platforms),
        written: if flags.verify { WrittenDigests::Verified } else { WrittenDigests::Believed },
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

/// Reads a word that switches something on or off; none for any other word.
fn switch(text: &str) -> Option<bool> {
    let read = BoolishValueParser::new().parse_ref(&Command::new("digestif"), None, text.as_ref());
    read.ok()
}
