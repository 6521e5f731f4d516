//! Settings and logins without an effect.

use crate::diagnostic::{Diagnostic, RuleId};
use crate::places::{Place, Scope};
use crate::plan::{RegistryNotes, Skips};
use crate::text::escape::quoted;

/// Warns of values of `--skip` and `--skip-kind` that match nothing.
#[must_use]
pub fn unused(skips: &Skips, scope: &Scope, places: &[Place]) -> Vec<Diagnostic> {
    let globs = skips.unused(places).map(|glob| {
        Diagnostic::warning(format!("{} of `--skip` matches no image", quoted(glob)))
            .of(RuleId::Idle)
            .help("a glob must match the full repository name, for example `docker.io/library/*` or `quay.io/**`")
    });
    let objects = scope.skipped.unused(places).map(|object| {
        let object = quoted(&object.to_string());
        Diagnostic::warning(format!("{object} of `--skip-kind` matches no object with an image"))
            .of(RuleId::Idle)
            .help("the namespace is the one in the object, or empty: `Job//migrate`")
    });
    globs.chain(objects).collect()
}

/// Warns of logins and mirrors that did not help: logins without which the same was found,
/// mirrors that did not answer; and of hosts whose certificate is not verified.
pub fn registry_warnings(idle: &RegistryNotes) -> impl Iterator<Item = Diagnostic> {
    let logins = idle.logins.iter().map(|reason| {
        Diagnostic::warning(format!("a login did not work: {reason}"))
            .of(RuleId::Login)
            .help("log in again, or remove the login; the images were found without it")
    });
    let mirrors = idle.mirrors.iter().map(|(mirror, reason)| {
        Diagnostic::warning(format!("the mirror {} was skipped: {reason}", quoted(mirror)))
            .of(RuleId::Mirror)
            .help("digestif asked its registry instead; repair the mirror, or remove it")
    });
    let insecure = idle.insecure.iter().map(|host| {
        let (logins, help) = if idle.insecure_login.contains(host) {
            ("logins are sent to it", "name its certificate with `--ca-file` instead".to_owned())
        } else {
            let help = format!(
                "name its certificate with `--ca-file` instead; `--insecure-login {host}` sends logins"
            );
            ("no login is sent to it", help)
        };
        let message = format!("the certificate of {} is not verified; {logins}", quoted(host));
        Diagnostic::warning(message).of(RuleId::Insecure).help(help)
    });
    logins.chain(mirrors).chain(insecure)
}
