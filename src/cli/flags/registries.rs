//! Flags about registries: how they are reached, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::registry;

/// The longest `--timeout`: one day.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// URLs, logins and limits for registries.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct RegistryFlags {
    /// Ask the registry at URL instead of HOST; `*` is every host, `{host}` its name; repeatable
    #[arg(long, value_name = "HOST=URL")]
    pub registry: Vec<String>,

    /// Try this mirror of HOST first, then HOST itself; repeatable
    #[arg(long, value_name = "HOST=URL")]
    pub mirror: Vec<String>,

    /// Use the logins in this file before those of Docker and Podman
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,

    /// Use plain HTTP for this host; loopback hosts need no flag; repeatable
    #[arg(
        long,
        value_name = "HOST",
        value_parser = registry::host
    )]
    pub plain_http: Vec<String>,

    /// Trust the certificates in this PEM file in addition to the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Do not verify the certificate of this host; no login is sent to it; repeatable
    #[arg(
        long,
        value_name = "HOST",
        value_parser = registry::host
    )]
    pub insecure: Vec<String>,

    /// Send logins to this host although its certificate is not verified; repeatable
    #[arg(
        long,
        value_name = "HOST",
        value_parser = registry::host
    )]
    pub insecure_login: Vec<String>,

    /// Send this certificate (a PEM file) to registries that ask for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,

    /// The key of that certificate (a PEM file)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,

    /// The time limit of the whole run, and of waiting for a lock that another run holds: 45, 45s, 5m
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "45s",
        value_parser = timeout
    )]
    pub timeout: Duration,

    /// How often a failed request is repeated
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub retries: u8,

    /// The most simultaneous requests to one host [default: 16; up to 64 over HTTP/2]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1_000)
    )]
    pub concurrency: Option<u16>,

    /// Fetch every manifest and hash it instead of trusting the registry's header
    #[arg(long)]
    pub verify_content: bool,
}

/// Reads a time limit as people write it: `45`, `45s`, `5m`, `1h 30m`.
///
/// # Errors
/// It is not a duration, or not between one second and one day.
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
