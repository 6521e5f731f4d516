//! An entry of `registries`: how a registry is reached, and which certificates count for it.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::certificates::{self, File};
use super::config::Config;
use super::wrong::{Wrong, span};
use crate::registry::{self, HostCertificates, Replacement};
use crate::text::Span;

/// A registry that is reached at another URL, has mirrors or certificates, or is a cache.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub(super) struct Registry {
    /// The registry's host, as in image names; `*` is every host.
    #[schemars(with = "String")]
    host: Spanned<String>,
    /// The URL that is used instead. A path goes before the repository; `{host}` is the host.
    #[schemars(with = "Option<String>")]
    url: Option<Spanned<String>>,
    /// Mirrors, which are asked first and in order. If none of them has the image, the host itself is asked.
    #[schemars(with = "Option<Vec<String>>")]
    mirrors: Option<Vec<Spanned<String>>>,
    /// True if it is a pull-through cache. Its 404 proves nothing.
    #[serde(default)]
    cache: bool,
    /// True for plain HTTP. Logins are then sent in plain text, so the configuration of a checkout must not set this.
    #[serde(default)]
    plain_http: bool,
    /// True if the host's certificate is not verified. No login is sent to it unless `insecureLogin` is also true.
    /// The configuration of a checkout must not set this.
    #[serde(default)]
    insecure: bool,
    /// True if logins are sent although `insecure` is true. The configuration of a checkout must not set this.
    #[serde(default)]
    insecure_login: bool,
    /// A PEM file with certificates that are trusted for this registry, besides the system's. It counts for
    /// the host of `url`, and without `url` for `host`. A relative path counts from the folder of the
    /// configuration.
    #[schemars(with = "Option<String>")]
    ca_file: Option<Spanned<String>>,
    /// A PEM file with the certificate that is sent if this registry asks for one. It counts for the same
    /// host as `caFile`. The configuration of a checkout must not name one.
    #[schemars(with = "Option<String>")]
    client_cert: Option<Spanned<String>>,
    /// A PEM file with the key of `clientCert`, not encrypted.
    #[schemars(with = "Option<String>")]
    client_key: Option<Spanned<String>>,
}

impl Registry {
    /// The places of keys that select plain HTTP for a host other than this machine.
    pub(super) fn in_plain_text(&self) -> Vec<Location> {
        let urls = self.url.iter().chain(self.mirrors.iter().flatten());
        let plain = urls.filter(|url| registry::is_plain_text(&url.value));
        let plain = plain.map(|url| url.referenced);
        plain.chain(self.plain_http.then_some(self.host.referenced)).collect()
    }

    /// The place of the host whose certificate is not verified.
    pub(super) fn unverified(&self) -> Option<Location> {
        (self.insecure || self.insecure_login).then_some(self.host.referenced)
    }

    /// The file with certificates that are trusted.
    pub(super) fn ca_file(&self) -> Option<&Spanned<String>> {
        self.ca_file.as_ref()
    }

    /// Where a certificate is named that is sent to a registry.
    pub(super) fn client_certificate(&self) -> Option<Location> {
        self.client_cert.as_ref().or(self.client_key.as_ref()).map(|file| file.referenced)
    }

    /// Adds the entry to a configuration in this folder.
    pub(super) fn add_to(
        self,
        config: &mut Config,
        hosts: &mut BTreeSet<String>,
        at: Option<Span>,
        folder: &Path,
    ) -> Result<(), Wrong> {
        let host = span(self.host.referenced);
        let canonical = match self.host.value.as_str() {
            "*" => "*".to_owned(),
            text => registry::host(text).map_err(|error| Wrong::at(host, error))?,
        };
        if !hosts.insert(canonical.clone()) {
            return Err(Wrong::at(host, format!("there are two entries for `{canonical}`")));
        }
        if self.is_idle() {
            let message = "the entry has only a `host`: add `url`, `mirrors`, `cache`, `plainHttp`, `insecure`, `caFile` or `clientCert`";
            return Err(Wrong::at(at, message));
        }
        if let Some(message) = self.nonsense(&canonical) {
            return Err(Wrong::at(host, message));
        }
        let mut contacted = canonical.clone();
        if let Some(url) = &self.url {
            let replacement = Replacement::new(&canonical, &url.value)
                .map_err(|error| Wrong::at(span(url.referenced), error).hidden())?;
            contacted = replacement.contacted();
            config.replacements.push(replacement);
        }
        for mirror in self.mirrors.iter().flatten() {
            let parsed = Replacement::new(&canonical, &mirror.value);
            let wrong = |error: String| Wrong::at(span(mirror.referenced), error);
            config.mirrors.push(parsed.map_err(wrong)?);
        }
        config.certificates.extend(self.certificates(folder)?.map(|found| (contacted, found)));
        config.plain_http.extend(self.plain_http.then(|| canonical.clone()));
        config.insecure.extend(self.insecure.then(|| canonical.clone()));
        config.insecure_login.extend(self.insecure_login.then(|| canonical.clone()));
        config.caches.extend(self.cache.then_some(canonical));
        Ok(())
    }

    /// True if the entry says nothing about its host.
    fn is_idle(&self) -> bool {
        let is_reached = self.url.is_some() || self.mirrors.iter().flatten().next().is_some();
        let has_certificates = self.ca_file.is_some() || self.client_certificate().is_some();
        let is_marked = self.cache || self.plain_http || self.insecure || self.insecure_login;
        !(is_reached || has_certificates || is_marked)
    }

    /// Why the keys make no sense together.
    fn nonsense(&self, host: &str) -> Option<&'static str> {
        let is_any = host == "*";
        let has_certificates = self.ca_file.is_some() || self.client_certificate().is_some();
        match self {
            Self { plain_http: true, .. } if is_any => {
                Some("`plainHttp` needs the name of one host")
            }
            Self { cache: true, .. } if is_any => Some("`cache` needs the name of one host"),
            Self { insecure: true, .. } if is_any => Some("`insecure` needs the name of one host"),
            Self { insecure: true, url: Some(_), .. } => {
                Some("`insecure` needs an entry for the host of `url`")
            }
            Self { insecure: false, insecure_login: true, .. } => {
                Some("`insecureLogin: true` does nothing without `insecure: true`")
            }
            Self { url: None, .. } if is_any && has_certificates => {
                Some("certificates need the name of one host, or a `url`")
            }
            _ => None,
        }
    }

    /// The certificates, read from their files; none if no file is named.
    fn certificates(&self, folder: &Path) -> Result<Option<HostCertificates>, Wrong> {
        let named = |key: &'static str, file: &Spanned<String>| match file.value.trim() {
            "" => Err(Wrong::at(span(file.referenced), format!("`{key}` names no file"))),
            path => Ok(File { named_by: key, path: folder.join(path) }),
        };
        let mut found = HostCertificates::default();
        if let Some(file) = &self.ca_file {
            let trusted = certificates::trusted(&named("caFile", file)?);
            found.trusted = trusted.map_err(|error| Wrong::at(span(file.referenced), error))?;
        }
        match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => {
                let files = (named("clientCert", certificate)?, named("clientKey", key)?);
                let identity = certificates::identity(&files.0, &files.1).map_err(|wrong| {
                    let file = if wrong.is_about_key { key } else { certificate };
                    Wrong::at(span(file.referenced), wrong.message)
                })?;
                found.identities.push(identity);
            }
            (Some(alone), None) => {
                let message = "`clientCert` needs `clientKey`, the file with its key";
                return Err(Wrong::at(span(alone.referenced), message));
            }
            (None, Some(alone)) => {
                let message = "`clientKey` needs `clientCert`, the file with its certificate";
                return Err(Wrong::at(span(alone.referenced), message));
            }
            (None, None) => {}
        }
        Ok((self.ca_file.is_some() || self.client_cert.is_some()).then_some(found))
    }
}
