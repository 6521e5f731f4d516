//! A configuration that was read and checked: what a file or a function's own configuration asks for.

use std::path::PathBuf;

use crate::fallback::{MinorVersion, Preset, Rule};
use crate::image::{Globs, PinForm, Platform};
use crate::lock::Cooldown;
use crate::places::Scope;
use crate::policy::{Expectation, Mutable};
use crate::registry::{HostCertificates, Replacement};

/// A checked configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// The cluster's version.
    pub kube_version: Option<MinorVersion>,
    /// How a pin is written.
    pub pin: Option<PinForm>,
    /// The rules, in order.
    pub rules: Vec<ConfiguredRule>,
    /// Images that are left alone.
    pub skip: Globs,
    /// Fields of the user's own, and candidates that are pinned.
    pub scope: Scope,
    /// The URLs that replace the registries of some hosts.
    pub replacements: Vec<Replacement>,
    /// The mirrors of some hosts, which are asked first.
    pub mirrors: Vec<Replacement>,
    /// True if every image has to have a digest already.
    pub require_digest: bool,
    /// Tags that no image may have.
    pub mutable: Mutable,
    /// Tags that images have to have.
    pub expectations: Vec<Expectation>,
    /// Platforms that every image has to offer.
    pub platforms: Vec<Platform>,
    /// Hosts that are pull-through caches, so that a 404 of theirs proves nothing.
    pub caches: Vec<String>,
    /// Hosts that are asked over plain HTTP.
    pub plain_http: Vec<String>,
    /// Hosts, each with the certificates that count for it.
    pub certificates: Vec<(String, HostCertificates)>,
    /// Hosts whose certificates are not verified.
    pub insecure: Vec<String>,
    /// Those of them that logins are sent to.
    pub insecure_login: Vec<String>,
    /// The lock.
    pub lock: Option<PathBuf>,
    /// How old a digest must be before it is used.
    pub cooldown: Option<Cooldown>,
    /// The keys that are set.
    pub keys: Vec<&'static str>,
}

/// A rule as a configuration gives it.
#[derive(Debug)]
pub struct ConfiguredRule {
    /// The rule.
    pub rule: Rule,
    /// The preset that it is, if it is one.
    pub preset: Option<Preset>,
    /// False if it is never tried.
    pub enabled: bool,
    /// Its own limit for steps down.
    pub max_minor_skew: Option<u32>,
}

impl Config {
    /// Both configurations. Values of the first win, lists are joined in this order, policies add up.
    #[must_use]
    pub fn and(self, weaker: Self) -> Self {
        Self {
            kube_version: self.kube_version.or(weaker.kube_version),
            pin: self.pin.or(weaker.pin),
            rules: joined(self.rules, weaker.rules),
            skip: self.skip.and(weaker.skip),
            scope: self.scope.and(weaker.scope),
            replacements: joined(self.replacements, weaker.replacements),
            mirrors: joined(self.mirrors, weaker.mirrors),
            require_digest: self.require_digest || weaker.require_digest,
            mutable: self.mutable.max(weaker.mutable),
            expectations: joined(self.expectations, weaker.expectations),
            platforms: joined(self.platforms, weaker.platforms),
            caches: joined(self.caches, weaker.caches),
            plain_http: joined(self.plain_http, weaker.plain_http),
            certificates: joined(self.certificates, weaker.certificates),
            insecure: joined(self.insecure, weaker.insecure),
            insecure_login: joined(self.insecure_login, weaker.insecure_login),
            lock: self.lock.or(weaker.lock),
            cooldown: self.cooldown.or(weaker.cooldown),
            keys: joined(self.keys, weaker.keys),
        }
    }
}

fn joined<T>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
    first.extend(second);
    first
}
