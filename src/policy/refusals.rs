//! Refusals: what a registry's answer means for an image, in words, and what to do next.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::image::DOCKER_HUB;
use crate::places::Place;
use crate::plan::{Entry, Status};
use crate::registry::{Outcome, Refusal};
use crate::text::escape::quoted;

/// The meaning of a refusal for an image, and the next step.
pub(super) fn described(refusal: &Refusal) -> (String, String) {
    let (what, help) = match refusal.outcome {
        Outcome::MissingTag => (
            "does not exist",
            "use a tag that exists, or push this one; `--allow-unresolved` writes it unchanged",
        ),
        Outcome::MissingRepository => (
            "does not exist: the registry has no such repository",
            "check the name for typos, or find out if the project has moved; `--allow-unresolved` writes it unchanged",
        ),
        Outcome::Denied => {
            let what = "is absent or private: the registry does not say which".to_owned();
            let help = format!("{}; or use a copy with `--layout DIR`", how_to_log_in(refusal));
            return (what, help);
        }
        Outcome::RateLimited => (
            "could not be resolved: the registry limits requests",
            "run it again later, or name another registry with `--registry`",
        ),
        Outcome::Unreachable => (
            "could not be resolved: the registry gave no answer",
            "run it again; if it fails again, check the network and the proxy variables, or allow more time with `--timeout`",
        ),
        Outcome::NoConnection => (
            "could not be resolved: no connection to the registry can be made",
            "check the host's name and port, the network and the proxy variables, and run it again",
        ),
        Outcome::Untrusted => (
            "could not be resolved: the registry's certificate is not trusted",
            "name the certificate of its CA with `--ca-file FILE`, or check if a proxy replaced the certificate",
        ),
        Outcome::WrongCertificate => (
            "could not be resolved: the registry's certificate is not valid for it",
            "renew the certificate, or use the name in the certificate; if a time is wrong, check the clock of this machine",
        ),
        Outcome::UnusableCertificates => (
            "could not be resolved: its certificates can't be used",
            "correct or remove the file; the certificates of a host are the files in its folder below `certs.d`",
        ),
        Outcome::ClientCertificateRequired => (
            "could not be resolved: the registry requires another client certificate",
            "name one that the registry trusts, with `--client-cert` and `--client-key`",
        ),
        Outcome::ProxyFailed => (
            "could not be resolved: the proxy does not connect to its registry",
            "check `HTTPS_PROXY` and `HTTP_PROXY`; their URLs contain user and password if the proxy needs them; hosts in `NO_PROXY` are reached directly",
        ),
        Outcome::InvalidResponse => (
            "could not be resolved: the registry's answer is not valid",
            "a proxy or a login page may have answered; compare with `crane digest`, and run it again",
        ),
        Outcome::OldManifest => (
            "could not be resolved: its manifest has Docker's schema 1, which is obsolete",
            "push the image again with a current tool, or use another tag",
        ),
        Outcome::Unlistable => (
            "could not be resolved: the tags can't be listed",
            "name a tag with `try`: the list of tags is too long",
        ),
        Outcome::Unproven => (
            "could not be resolved: a 404 that may not come from its registry proves nothing",
            "check that the host is right and is a registry: a gateway or a proxy may have answered",
        ),
        Outcome::NotCached => (
            "could not be resolved: the cache does not have it, which proves nothing",
            "pull it once through the cache, or ask its registry itself: remove `--registry`, or remove `cache: true` if this is not a cache",
        ),
        Outcome::OfflineMiss => (
            "is in no image layout, and `--offline` forbids requests",
            "copy the image into a folder for `--layout`, or run without `--offline`",
        ),
        Outcome::NotLocked => (refusal.detail.as_str(), "record it with `--lock`"),
    };
    (what.to_owned(), help.to_owned())
}

/// The way to get a login for the host that refused.
pub(super) fn how_to_log_in(refusal: &Refusal) -> String {
    let command = match refusal.host.as_deref() {
        Some(DOCKER_HUB) | None => "docker login".to_owned(),
        Some(host) => format!("docker login {host}"),
    };
    format!("log in with {}, or name a file with logins with `--auth-file`", quoted(&command))
}

/// The entries that a host as a whole could not be asked for, two or more by host and reason; and
/// all others.
pub(super) fn by_host(entries: &[Entry]) -> (Vec<Vec<&Entry>>, Vec<&Entry>) {
    let mut of_hosts: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if let Some(refusal) = of_a_host(entry)
            && let Some(host) = &refusal.host
        {
            of_hosts.entry((host, &refusal.detail)).or_default().push(entry);
        }
    }
    of_hosts.retain(|_, entries| entries.len() > 1);
    let is_in = |entry: &&Entry| {
        let refusal = of_a_host(entry);
        let key = refusal.and_then(|refusal| Some((refusal.host.as_deref()?, &*refusal.detail)));
        key.is_some_and(|key| of_hosts.contains_key(&key))
    };
    let others = entries.iter().filter(|entry| !is_in(entry)).collect();
    (of_hosts.into_values().collect(), others)
}

/// The reason why the host of an entry could not be asked.
fn of_a_host(entry: &Entry) -> Option<&Refusal> {
    match &entry.status {
        Status::Unresolved(refusal, search)
            if refusal.outcome.is_of_host() && search.stopped_in.is_none() =>
        {
            Some(refusal)
        }
        _ => None,
    }
}

/// One error for all images of a host.
pub(super) fn of_host(entries: &[&Entry], places: &[Place]) -> Diagnostic {
    let refusal = entries.iter().find_map(|entry| of_a_host(entry)).expect("they were grouped so");
    let (what, help) = described(refusal);
    let host = quoted(refusal.host.as_deref().unwrap_or_default());
    let message = format!("{} images of {host} {what}", entries.len());
    let names: Vec<_> = entries.iter().map(|entry| quoted(&entry.name.to_string())).collect();
    let at = entries.iter().flat_map(|entry| &entry.places).map(|&n| &places[n]);
    Diagnostic::error(refusal.outcome.failure(), message)
        .note("images", names.join("\n"))
        .note("tried", format!("{host} ({}: {})", refusal.outcome.word(), refusal.detail))
        .locations(at)
        .help(help)
}
