//! What digestif makes of registries: the real binary against a loopback registry that is honest,
//! broken or hostile.
//!
//! [`answers`] is about what an answer proves and what a failure looks like, [`faults`] about whatever
//! else can go wrong on the way, [`absence`] about when another tag is used instead, [`played`] about
//! registries as people report them, [`cost`] about how often anybody is asked, [`load`] about large
//! runs, [`tokens`] about who is asked for a token and who gets to see one, [`credentials`] about who
//! digestif says it is, [`session`] about what the stages of a run share, [`mirrors`] about hosts that
//! are asked first, [`proxies`] about those in between, [`tls`] about HTTP/2 and plain HTTP,
//! [`certificates`] about which are trusted, [`certs_d`] and
//! [`configured_certificates`] about those of single hosts, [`request_log`] about `-vv`, and [`identity`]
//! about certificates of our own.

#![cfg_attr(windows, allow(dead_code, unused_imports, reason = "some of the tests need Unix"))]

mod absence;
mod answers;
mod certificates;
mod certs_d;
mod configured_certificates;
mod cost;
mod credentials;
mod faults;
mod identity;
mod load;
mod mirrors;
mod played;
mod proxies;
mod request_log;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod tokens;

use support::registry::{Content, Registry, Request};
use support::{Ran, digest_of, run_against as run};

/// The image of tests that need no more than one.
const WEB: &str = "registry.example/acme/web:1";

/// A stream of Pods, one for each image.
fn pods(images: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let pod = |image: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: c\n    image: {image}\n"
        )
    };
    images.into_iter().map(|image| pod(image.as_ref())).collect()
}

/// The same stream as it has to come out.
fn pinned(images: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let images = images.into_iter();
    pods(images.map(|image| format!("{}@{}", image.as_ref(), digest_of(image.as_ref()))))
}

/// Where the image of the n-th Pod stands, counted from 0.
fn place(n: usize) -> String {
    format!("<stdin>:{}:12", (n + 1) * 9)
}

/// The requests that arrived, in order, as `HEAD /v2/…`.
fn lines(registry: &Registry) -> Vec<String> {
    registry.requests().iter().map(Request::line).collect()
}

/// Their methods alone.
fn methods(registry: &Registry) -> Vec<String> {
    registry.requests().into_iter().map(|request| request.method).collect()
}

/// Their Authorization headers.
fn authorizations(registry: &Registry) -> Vec<Option<String>> {
    registry.requests().into_iter().map(|request| request.authorization).collect()
}

/// Has [`WEB`] pinned by a registry with this content, and gives the registry back for its log.
#[track_caller]
fn pin_web(name: &str, content: Content, flags: &[&str]) -> Registry {
    let registry = Registry::start(content);
    let ran = run(&registry, flags, &pods([WEB]));
    assert_eq!((ran.status, ran.stdout), (0, pinned([WEB])), "{name}: {}", ran.stderr);
    registry
}

/// Has a registry with this content fail to pin [`WEB`], with this status and these words.
#[track_caller]
fn fail_web(name: &str, content: Content, flags: &[&str], status: i32, words: &str) -> Registry {
    let registry = Registry::start(content);
    let ran = run(&registry, flags, &pods([WEB]));
    assert_web_failed(name, &ran, status, words);
    registry
}

/// Checks a failed run on [`WEB`].
#[track_caller]
fn assert_web_failed(name: &str, ran: &Ran, status: i32, words: &str) {
    assert_failed(name, ran, WEB, status, words);
}

/// Checks a failed run on one image: nothing on stdout, and one message with the image, its place,
/// its object and field, what was seen, and what to do next.
#[track_caller]
fn assert_failed(name: &str, ran: &Ran, image: &str, status: i32, words: &str) {
    assert_eq!((ran.status, ran.stdout.as_str()), (status, ""), "{name}: {}", ran.stderr);
    let image = format!("`{image}`");
    let at = place(0);
    let field = "Pod p, container `c`, spec.containers[0].image";
    for part in ["error: ", &image, &at, field, "= tried: ", words, "= help: "] {
        assert!(ran.stderr.contains(part), "{name}: no `{part}` in\n{}", ran.stderr);
    }
    let errors = ran.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "{name}: {}", ran.stderr);
}
