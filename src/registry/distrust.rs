//! Distrust: why the certificate of a registry is not trusted, in words.

use std::time::{Duration, SystemTime};

use reqwest::Url;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, OtherError};

use super::Outcome;
use super::endpoint::address;
use super::tls::NoAuthorities;
use crate::text::escape::escaped;

/// Names of a certificate that are shown.
const SHOWN_NAMES: usize = 5;

/// The reason why a certificate is not trusted.
#[derive(Debug, Clone)]
pub(super) struct Distrust {
    pub(super) outcome: Outcome,
    /// It names host and port.
    pub(super) detail: String,
}

impl Distrust {
    /// The reason in an error of TLS, for the host of a URL.
    pub(super) fn of(error: &CertificateError, url: &Url) -> Self {
        use CertificateError as E;
        let certificate = format!("the certificate of {}", address(url));
        let untrusted = |detail| Self { outcome: Outcome::Untrusted, detail };
        let wrong = |what: &str| Self {
            outcome: Outcome::WrongCertificate,
            detail: format!("{certificate} {what}"),
        };
        match error {
            E::UnknownIssuer => untrusted(format!("no trusted authority has signed {certificate}")),
            E::Other(OtherError(error)) if error.is::<NoAuthorities>() => untrusted(format!(
                "{error}, which {certificate} needs; install `ca-certificates`, or name a file of them with `--ca-file`"
            )),
            E::Other(OtherError(error)) => {
                let is_authority = matches!(
                    error.downcast_ref::<webpki::Error>(),
                    Some(webpki::Error::CaUsedAsEndEntity)
                );
                let detail = if is_authority {
                    format!("{certificate} is the certificate of an authority that is not trusted")
                } else {
                    format!("{certificate} does not pass the checks of this system")
                };
                untrusted(detail)
            }
            E::ExpiredContext { not_after, .. } => {
                wrong(&format!("expired on {}", date(*not_after)))
            }
            E::Expired => wrong("has expired"),
            E::NotValidYetContext { not_before, .. } => {
                wrong(&format!("is not valid before {}", date(*not_before)))
            }
            E::NotValidYet => wrong("is not valid yet"),
            E::NotValidForNameContext { presented, .. } => wrong(&for_names(presented)),
            E::NotValidForName => wrong("is for another name"),
            E::Revoked => wrong("is revoked"),
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => wrong("is not for servers"),
            E::BadSignature => wrong("has a wrong signature"),
            E::BadEncoding => wrong("can't be read"),
            E::UnhandledCriticalExtension => wrong("has a critical extension that is unknown"),
            E::UnsupportedSignatureAlgorithmContext { .. }
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                wrong("is signed with an algorithm that can't be verified")
            }
            _ => untrusted(format!("{certificate} does not pass the checks of this system")),
        }
    }
}

/// The names of a certificate that lacks the right one. rustls gives them as `DnsName("r.io")`.
fn for_names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "is for no host: it has no `subjectAltName`".to_owned();
    }
    let name = |text: &String| {
        let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        escaped(inner.unwrap_or(text).trim_matches('"'))
    };
    let mut names: Vec<_> = presented.iter().take(SHOWN_NAMES).map(name).collect();
    if presented.len() > SHOWN_NAMES {
        names.push(format!("and {} more", presented.len() - SHOWN_NAMES));
    }
    format!("is for other names: {}", names.join(", "))
}

/// A day and time, in UTC.
fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    // HTTP's dates have no year after 9999.
    let last = Duration::from_secs(253_402_300_799);
    let time = time.map(|time| time.min(SystemTime::UNIX_EPOCH + last));
    time.map_or_else(|| "a day far away".to_owned(), httpdate::fmt_http_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_for_other_names_shows_some_of_them() {
        let dns = |n: usize| format!("DnsName(\"host-{n}.io\")");
        for (presented, expected) in [
            (vec![], "is for no host: it has no `subjectAltName`"),
            (vec![dns(1)], "is for other names: host-1.io"),
            (vec![dns(1), "IpAddress(::1)".to_owned()], "is for other names: host-1.io, ::1"),
            (
                (0..7).map(dns).collect(),
                "is for other names: host-0.io, host-1.io, host-2.io, host-3.io, host-4.io, and 2 more",
            ),
            (vec!["DnsName(\"a\u{1b}[1m\")".to_owned()], "is for other names: a\\u{1b}[1m"),
        ] {
            assert_eq!(for_names(&presented), expected);
        }
    }
}
