//! Network: how registries are reached, by the flags and configurations of a run.

use std::path::PathBuf;

use super::certificates::{self, File};
use super::config::Config;
use crate::cli::RegistryFlags;
use crate::credentials::{self, Credentials};
use crate::diagnostic::{Diagnostic, usage};
use crate::registry::{self, Concurrency, HostCertificates, Proxies, Replacement, Tls};

/// The settings for requests. `config` has the hosts of all sources.
///
/// # Errors
/// A login, a proxy or a certificate can't be used.
pub(super) fn registries(
    flags: RegistryFlags,
    config: Config,
    log_requests: bool,
) -> Result<registry::Settings, Diagnostic> {
    let tls = tls(&flags, config.certificates, config.insecure, config.insecure_login)?;
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

/// The certificates of TLS connections, and those for single `hosts`. The hosts in `insecure` are reached
/// without verification, and those in `insecure_login` get logins nevertheless.
fn tls(
    flags: &RegistryFlags,
    hosts: Vec<(String, HostCertificates)>,
    insecure: Vec<String>,
    insecure_login: Vec<String>,
) -> Result<Tls, Diagnostic> {
    let wrong = |message: String| usage(&message);
    if let Some(host) = flags.insecure_login.iter().find(|host| !insecure.contains(host)) {
        let message = format!("`--insecure-login {host}` does nothing without `--insecure {host}`");
        return Err(wrong(message));
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let file = |named_by, path: &PathBuf| File { named_by, path: path.clone() };
    let trusted = match &flags.ca_file {
        Some(path) => certificates::trusted(&file("--ca-file", path)).map_err(wrong)?,
        None => Vec::new(),
    };
    let identity = match flags.client_cert.as_ref().zip(flags.client_key.as_ref()) {
        Some((certificate, key)) => {
            let files = (file("--client-cert", certificate), file("--client-key", key));
            let identity = certificates::identity(&files.0, &files.1);
            Some(identity.map_err(|unusable| usage(&unusable.message))?)
        }
        None => None,
    };
    let folders = registry::certificate_folders(home.as_deref());
    Ok(Tls { trusted, identity, hosts, folders, insecure, insecure_login })
}

/// Reads replacements. The parser of arguments would repeat a wrong one, which may hold a password.
pub(super) fn parsed(flag: &str, texts: &[String]) -> Result<Vec<Replacement>, Diagnostic> {
    let wrong = |error: String| usage(&format!("`{flag}`: {error}"));
    let read = |text: &String| text.parse().map_err(wrong);
    texts.iter().map(read).collect()
}
