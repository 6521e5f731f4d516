//! Network: how registries are reached, by the flags and configurations of a run.

use std::path::PathBuf;

use super::certificates;
use super::config::Config;
use crate::cli::RegistryFlags;
use crate::credentials::{self, Credentials};
use crate::diagnostic::{Diagnostic, usage};
use crate::registry::{self, Concurrency, Proxies, Replacement, Tls};

/// The settings for requests. `config` has the hosts of all sources.
///
/// # Errors
/// A login, a proxy or a certificate can't be used.
pub(super) fn registries(
    flags: RegistryFlags,
    config: Config,
    log_requests: bool,
) -> Result<registry::Settings, Diagnostic> {
    let tls = tls(&flags, config.insecure, config.insecure_login)?;
    let (mut named, defaults) = credentials::default_files();
    if let Some(file) = flags.auth_file {
        named = vec![file];
    }
    Ok(registry::Settings {
        credentials: Credentials::read(&named, &defaults)?,
        replacements: config.replacements,
        mirrors: config.mirrors,
        caches: config.caches,
        plain_http: config.plain_http,
        tls,
        proxies: Proxies::read(|name| std::env::var(name).ok()).map_err(|error| usage(&error))?,
        timeout: flags.timeout,
        retries: flags.retries.into(),
        concurrency: match flags.concurrency {
            Some(most) => Concurrency::AtMost(most.into()),
            None => Concurrency::Adaptive,
        },
        verify_content: flags.verify_content,
        log_requests,
    })
}

/// The certificates of TLS connections. The hosts in `insecure` are reached without verification, and
/// those in `insecure_login` get logins nevertheless.
fn tls(
    flags: &RegistryFlags,
    insecure: Vec<String>,
    insecure_login: Vec<String>,
) -> Result<Tls, Diagnostic> {
    let wrong = |message: String| usage(&message);
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
        insecure_login,
    })
}

/// Reads replacements. The parser of arguments would repeat a wrong one, which may hold a password.
pub(super) fn parsed(flag: &str, texts: &[String]) -> Result<Vec<Replacement>, Diagnostic> {
    let wrong = |error: String| usage(&format!("`{flag}`: {error}"));
    let read = |text: &String| text.parse().map_err(wrong);
    texts.iter().map(read).collect()
}
