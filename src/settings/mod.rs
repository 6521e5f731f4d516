//! Where flags, a function's own configuration and a file meet: who wins, and what adds up.

pub mod config;
pub mod data;
mod pin_images;
mod rules;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Command;
use clap::builder::{BoolishValueParser, TypedValueParser as _};
use reqwest::{Certificate, Identity};

use crate::cli::{Flags, Task};
use crate::credentials::{self, Credentials};
use crate::diagnostic::Diagnostic;
use crate::fallback::{DEFAULT_SKEW, Kind, KubernetesVersion, MinorVersion, Preset, Rule};
use crate::image::Globs;
use crate::io::console::{failed, usage};
use crate::lock::{self, EVERYTHING, Lock, Locking, Mode, Substitutes};
use crate::places::Scope;
use crate::plan::Skips;
use crate::policy::{Digests, Leniency, Placeholders, Policy, WrittenDigests};
use crate::registry::{Proxies, Replacement, Settings};
use crate::resolve::Network;
use crate::settings::config::{Config, ConfiguredRule};
use crate::{Empty, Options};

impl Flags {
    /// How the run is to go, by the flags and by what a function's caller and a file configure. Of
    /// what contradicts, the function's wins over the flag's, and that over the file's; rules,
    /// images to skip and registries add up, in this order. No one loosens what another refuses.
    ///
    /// # Errors
    /// A glob is wrong, the lock can't be used, or the file with certificates can't.
    pub fn options(
        &self,
        function: Config,
        file: Config,
        task: Task,
    ) -> Result<Options, Diagnostic> {
        let lock = self.lock(&function, &file).map(Path::to_owned);
        let cluster = function.kube_version.or(self.kube_version).or(file.kube_version);
        let skips = Skips {
            flags: Globs::new(&self.skip).map_err(|error| usage(&format!("`--skip`: {error}")))?,
            configured: function.skip.and(file.skip),
        };
        let scope = Scope {
            include: self.include.iter().map(|class| class.class()).collect(),
            ..Scope::default()
        };
        let require_digest = self.require_digest || function.require_digest || file.require_digest;
        let replacements =
            [function.replacements, parsed("--registry", &self.registry)?, file.replacements];
        if require_digest && task != Task::Show {
            self.reads_the_lock()?;
        }
        let lock = match lock {
            _ if require_digest || task == Task::Show => None,
            lock => self.locking(lock, task)?,
        };
        let is_frozen =
            lock.as_ref().is_some_and(|lock| matches!(lock.mode, Mode::Frozen | Mode::Check));
        let policy = Policy {
            unresolved: if self.allow_unresolved {
                Leniency::WriteUnchanged
            } else {
                Leniency::Strict
            },
            placeholders: if self.deny_placeholders {
                Placeholders::Denied
            } else {
                Placeholders::Allowed
            },
            digests: if require_digest { Digests::Required } else { Digests::Given },
            expectations: [function.expectations, self.expect.clone(), file.expectations].concat(),
            mutable: function.mutable.max(self.deny_mutable.unwrap_or_default()).max(file.mutable),
            platforms: [function.platforms, self.require_platform.clone(), file.platforms].concat(),
            written: if self.verify { WrittenDigests::Verified } else { WrittenDigests::Believed },
        };
        let asks_nobody = (require_digest || is_frozen) && !policy.looks_inside();
        // Where nobody is asked, a login that can't be read is nobody's business.
        let network = if self.offline || asks_nobody {
            Network::Offline
        } else {
            let caches = [function.caches, file.caches];
            let mirrors = [function.mirrors, parsed("--mirror", &self.mirror)?, file.mirrors];
            self.online(replacements.concat(), mirrors.concat(), caches.concat())?
        };
        Ok(Options {
            pin: function.pin.or(self.pin).or(file.pin).unwrap_or_default(),
            scope: function.scope.and(scope).and(file.scope),
            skips,
            rules: self.rules(cluster, function.rules, file.rules),
            layouts: self.layout.clone(),
            network,
            lock,
            update: self.updates()?,
            policy,
            empty: if self.allow_empty { Empty::Allowed } else { Empty::Refused },
        })
    }

    /// Refuses what is about the lock where every image has to come with a digest, and the lock is
    /// not read: a gate must not open because there is another one.
    fn reads_the_lock(&self) -> Result<(), Diagnostic> {
        let flag = match (self.drift, self.locked) {
            (true, _) => "--drift",
            (false, true) => "--locked",
            (false, false) => return Ok(()),
        };
        let by = if self.require_digest {
            "`--require-digest`"
        } else {
            "`requireDigest` of the configuration"
        };
        let message =
            format!("`{flag}` would do nothing beside {by}, which asks nobody and reads no lock");
        Err(failed(&message).help("leave one of them out, or run `digestif` once with each"))
    }

    /// The path of the lock: the function's, the flag's, or the file's.
    #[must_use]
    pub fn lock<'p>(&'p self, function: &'p Config, file: &'p Config) -> Option<&'p Path> {
        function.lock.as_deref().or(self.lock.as_deref()).or(file.lock.as_deref())
    }

    /// What is done with the lock.
    fn locking(&self, path: Option<PathBuf>, task: Task) -> Result<Option<Locking>, Diagnostic> {
        let Some(path) = path else {
            let flag = if self.drift { "--drift" } else { "--locked" };
            if self.drift || self.locked {
                return Err(usage(&format!("`{flag}` needs a lock: name it with `--lock FILE`")));
            }
            return Ok(None);
        };
        let mode = match task {
            Task::Check if self.drift => Mode::Drift,
            Task::Check => Mode::Check,
            Task::Pin | Task::Show if self.locked => Mode::Frozen,
            Task::Pin | Task::Show => Mode::Record,
        };
        let lock = match lock::read(&path)? {
            Some(lock) => lock,
            None if mode == Mode::Record => Lock::default(),
            None => return Err(lock::not_there(&path)),
        };
        let substitutes = if self.no_fallback { Substitutes::Refused } else { Substitutes::Used };
        let timeout = Duration::from_secs(self.timeout);
        Ok(Some(Locking { path, lock, mode, substitutes, timeout }))
    }

    /// What is resolved again: a word that switches other variables on is everything, as the flag is
    /// without a value.
    fn updates(&self) -> Result<Globs, Diagnostic> {
        let globs = self.update.iter().filter_map(|glob| match switch(glob) {
            Some(true) => Some(EVERYTHING),
            Some(false) => None,
            None => Some(glob),
        });
        Globs::of_names(globs).map_err(|error| usage(&format!("`--update`: {error}")))
    }

    /// The rules in order, and last the built-in one, unless one of the configurations names it.
    fn rules(
        &self,
        cluster: Option<MinorVersion>,
        function: Vec<ConfiguredRule>,
        file: Vec<ConfiguredRule>,
    ) -> Vec<Rule> {
        if self.no_fallback {
            return Vec::new();
        }
        let skew = |configured: Option<u32>| configured.unwrap_or(DEFAULT_SKEW);
        let mut rules: Vec<Rule> = Vec::new();
        let mut presets = Vec::new();
        let mut add = |configured: ConfiguredRule, max_minor_skew| {
            let ConfiguredRule { mut rule, preset, enabled, .. } = configured;
            // A preset that was named before is not named again.
            if preset.is_some_and(|preset| presets.contains(&preset)) {
                return;
            }
            presets.extend(preset);
            if let Kind::KubernetesVersion(kubernetes) = &mut rule.kind {
                *kubernetes = KubernetesVersion { cluster, max_minor_skew };
            }
            rules.extend(enabled.then_some(rule));
        };
        for configured in function {
            let max_minor_skew = skew(configured.max_minor_skew.or(self.max_minor_skew));
            add(configured, max_minor_skew);
        }
        let own = |rule: &Rule| ConfiguredRule {
            rule: rule.clone(),
            preset: None,
            enabled: true,
            max_minor_skew: None,
        };
        for configured in self.fallback.iter().map(own).chain(file) {
            let max_minor_skew = skew(self.max_minor_skew.or(configured.max_minor_skew));
            add(configured, max_minor_skew);
        }
        let max_minor_skew = skew(self.max_minor_skew);
        let built_in = Rule::built_in(KubernetesVersion { cluster, max_minor_skew });
        let preset = Some(Preset::KubernetesVersion);
        add(ConfiguredRule { preset, ..own(&built_in) }, max_minor_skew);
        rules
    }

    fn online(
        &self,
        replacements: Vec<Replacement>,
        mirrors: Vec<Replacement>,
        caches: Vec<String>,
    ) -> Result<Network, Diagnostic> {
        let (mut named, defaults) = credentials::default_files();
        if let Some(file) = &self.auth_file {
            named = vec![file.clone()];
        }
        let credentials = Credentials::read(&named, &defaults)?;
        let registries = Settings {
            credentials,
            replacements,
            mirrors,
            caches,
            identity: self.identity().map_err(|message| usage(&message))?,
            plain_http: self.plain_http.clone(),
            certificates: self.certificates().map_err(|message| usage(&message))?,
            proxies: Proxies::read(|name| std::env::var(name).ok())
                .map_err(|message| usage(&message))?,
            timeout: Duration::from_secs(self.timeout),
            retries: self.retries.into(),
            concurrency: self.concurrency.into(),
            verify_content: self.verify_content,
        };
        Ok(Network::Online { registries: Box::new(registries), quiet: self.quiet })
    }

    /// What registries see that ask who connects.
    fn identity(&self) -> Result<Option<Identity>, String> {
        let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) else {
            return Ok(None);
        };
        let read = |flag: &str, path: &PathBuf| {
            std::fs::read(path).map_err(|error| format!("`{flag} {}`: {error}", path.display()))
        };
        let wrong = |flag: &str, path: &PathBuf, reason: &str| {
            Err(format!("`{flag} {}`: {reason}", path.display()))
        };
        let holds = |pem: &[u8], word: &[u8]| pem.windows(word.len()).any(|text| text == word);
        let mut pem = read("--client-cert", certificate)?;
        if !holds(&pem, b"BEGIN CERTIFICATE") {
            return wrong("--client-cert", certificate, "it holds no PEM certificate");
        }
        let secret = read("--client-key", key)?;
        if holds(&secret, b"ENCRYPTED") {
            let reason = "the key is encrypted; `openssl pkey -in FILE` decrypts it";
            return wrong("--client-key", key, reason);
        }
        if !holds(&secret, b"PRIVATE KEY") {
            return wrong("--client-key", key, "it holds no PEM key");
        }
        pem.push(b'\n');
        pem.extend(secret);
        let identity = Identity::from_pem(&pem);
        identity.map(Some).map_err(|_| {
            "`--client-cert` and `--client-key` hold no PEM certificate and key".to_owned()
        })
    }

    fn certificates(&self) -> Result<Vec<Certificate>, String> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let failed = |reason: String| format!("`--ca-file {}`: {reason}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|_| failed("it holds no PEM certificates".to_owned()))?;
        if certificates.is_empty() {
            return Err(failed("it holds no PEM certificates".to_owned()));
        }
        Ok(certificates)
    }
}

/// What a variable says that switches something; nothing where it says anything else.
fn switch(text: &str) -> Option<bool> {
    let read = BoolishValueParser::new().parse_ref(&Command::new("digestif"), None, text.as_ref());
    read.ok()
}

/// Reads replacements here, as the parser of arguments repeats what is wrong, and there may be a
/// password in it.
fn parsed(flag: &str, texts: &[String]) -> Result<Vec<Replacement>, Diagnostic> {
    let wrong = |error: String| usage(&format!("`{flag}`: {error}"));
    let read = |text: &String| text.parse().map_err(wrong);
    texts.iter().map(read).collect()
}
