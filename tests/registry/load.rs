//! Large runs: many hosts, many images, many places, and a host that has had enough.

use std::time::Duration;

use crate::support::registry::{Content, Fault, Misbehaviour, Registry};
use crate::support::{Ran, digestif, finish_within, for_every_host, frugal, start};
use crate::{pinned, pods};

/// Requests in flight to one host, where no flag says otherwise.
const CONCURRENCY: usize = 16;

/// The budget of a run, where no flag says otherwise, and a second.
const LIMIT: Duration = Duration::from_secs(45 + 1);

/// Runs digestif in little memory, with one registry for each host.
#[track_caller]
fn run(registries: &[(&str, &Registry)], stream: &str) -> Ran {
    let flag = |(host, registry): &(&str, &Registry)| {
        format!("--registry={host}={}/{{host}}", registry.url())
    };
    let child = start(&mut frugal(registries.iter().map(flag)));
    finish_within("the run", child, stream.as_bytes(), LIMIT)
}

/// Images of a host, each of a repository of its own.
fn images(host: &str, n: usize) -> impl Iterator<Item = String> {
    (0..n).map(move |n| format!("{host}/acme/app-{n}:1.{n}"))
}

fn slow(latency: u64) -> Content {
    Content::everything().with_latency(Duration::from_millis(latency))
}

#[test]
fn a_thousand_images_of_twenty_slow_hosts_take_little_memory_and_few_connections() {
    let hosts: Vec<_> = (0..20).map(|n| format!("host-{n}.example")).collect();
    let registries: Vec<_> = hosts.iter().map(|_| Registry::start(slow(200))).collect();
    let images: Vec<_> = hosts.iter().flat_map(|host| images(host, 50)).collect();
    let places: Vec<_> = hosts.iter().map(String::as_str).zip(&registries).collect();
    assert!(run(&places, &pods(&images)).succeeded() == pinned(&images));
    for (host, registry) in places {
        assert_eq!(registry.requests().len(), 50, "{host}");
        let (most, connections) = (registry.most_in_flight(), registry.connections());
        assert!(most <= CONCURRENCY, "{host}: {most} requests in flight");
        assert!(connections <= CONCURRENCY, "{host}: {connections} connections");
    }
}

#[test]
fn ten_thousand_places_of_ten_images_are_ten_questions() {
    let registry = Registry::start(Content::everything());
    let images: Vec<_> = images("registry.example", 10).collect();
    let places: Vec<_> = images.iter().cycle().take(10_000).collect();
    let ran = run(&[("*", &registry)], &pods(&places));
    assert!(ran.succeeded() == pinned(&places));
    assert_eq!(registry.requests().len(), images.len());
}

#[test]
fn a_limit_on_one_host_is_no_storm_and_lets_the_others_go_on() {
    for (name, path) in [("at once", ""), ("on the way", "acme/app-50")] {
        // Longer than the run: whoever waits for it would end with the run, and not before.
        let limit = Misbehaviour::RetryAfter(429, "3600");
        let limited = Registry::start(slow(50).with_fault(Fault::on(path, limit).times(1)));
        let other = Registry::start(slow(50));
        let both: Vec<_> = images("a.example", 100).chain(images("b.example", 100)).collect();
        let ran = run(&[("a.example", &limited), ("b.example", &other)], &pods(&both));
        assert_eq!(ran.status, 4, "{name}: {}", ran.stderr);
        let requests = limited.requests();
        let refused = requests.iter().position(|request| request.is_to(path)).expect("it came");
        // Each request in flight may be answered, and one more sent, before the 429 is read.
        let storm = requests.len() - 1 - refused;
        assert!(storm < 2 * CONCURRENCY, "{name}: {storm} requests to a host that rests");
        assert!(!ran.stderr.contains("b.example"), "{name}: {}", ran.stderr);
        assert_eq!(other.requests().len(), 100, "{name}: the other host has nothing to do with it");
    }
}

#[test]
fn requests_that_waited_for_a_limit_are_not_sent_all_at_once() {
    let limit = Misbehaviour::RetryAfter(429, "1");
    let content = Content::everything().with_fault(Fault::on("", limit).times(1));
    let registry = Registry::start(content);
    let images: Vec<_> = images("a.example", CONCURRENCY).collect();
    assert!(run(&[("a.example", &registry)], &pods(&images)).succeeded() == pinned(&images));
    // A slow machine can only spread them more. The pauses are random, of up to a second.
    let behind: Vec<_> = registry.requests()[1..].iter().map(|request| request.at).collect();
    let (first, last) = (behind.iter().min(), behind.iter().max());
    let spread = last.zip(first).map(|(last, first)| *last - *first).expect("they came");
    assert!(spread > Duration::from_millis(100), "all were sent within {spread:?}");
}

/// Runs digestif on so many images of a registry over HTTP/2.
#[track_caller]
fn run_http_2(content: Content, flags: &[&str], n: usize) -> Registry {
    let registry = Registry::start_tls(content);
    let file = tempfile::NamedTempFile::new().expect("there is room for a certificate");
    std::fs::write(file.path(), registry.ca_pem()).expect("it is ours");
    let own = [for_every_host(&registry), format!("--ca-file={}", file.path().display())];
    let images: Vec<_> = images("registry.example", n).collect();
    let args = own.iter().map(String::as_str).chain(flags.iter().copied());
    assert!(digestif(args, pods(&images)).succeeded() == pinned(&images));
    registry
}

#[test]
fn over_http_2_more_requests_are_in_flight_as_long_as_the_host_answers() {
    let registry = run_http_2(slow(200), &[], 300);
    let most = registry.most_in_flight();
    assert!(most > 48 && most <= 64, "{most} requests in flight");
    assert_eq!(registry.requests().len(), 300);
    let registry = run_http_2(slow(20), &["--concurrency=20"], 100);
    let most = registry.most_in_flight();
    assert!(most <= 20, "{most} requests in flight");
}

#[test]
fn a_host_that_refuses_many_at_once_is_asked_for_fewer() {
    let images = 300;
    let registry = run_http_2(slow(200).refusing_above(40), &["--retries=0"], images);
    // It grows to 48, of which 8 are refused, and stays at 24.
    let refused = registry.requests().len() - images;
    assert!(refused > 0 && refused <= 48 - 40, "{refused} requests are refused");
}
