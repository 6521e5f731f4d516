//! The time that a run waits for a registry: HTTP/2 on loopback, 50 ms for each request.
//!
//! `cargo bench --bench registry` prints the median of a few runs for each number of images. With
//! `DIGESTIF_BASE=FILE`, another binary, the two binaries take turns, and the ratio of their
//! medians is printed, so that other load on the machine affects both.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../tests/support/mod.rs"]
mod support;

use support::for_every_host;
use support::registry::{Content, Registry, TokenRules};

/// The time between a request and its answer.
const LATENCY: Duration = Duration::from_millis(50);

/// The number of runs of each binary. It is odd, so the median is one of the runs.
const RUNS: usize = 7;

/// The limit of a registry that refuses more requests at the same time.
const MOST: usize = 32;

fn main() {
    let own = Path::new(env!("CARGO_BIN_EXE_digestif"));
    let base = env::var_os("DIGESTIF_BASE");
    let base = base.as_deref().map(Path::new);
    let with_tokens = |content: Content| content.with_tokens(TokenRules::default());
    for n in [50, 200, 1_000] {
        bench("open", n, own, base, Content::everything);
        bench("tokens", n, own, base, || with_tokens(Content::everything()));
        bench("refuses above 32", n, own, base, || Content::everything().refusing_above(MOST));
    }
}

/// Prints the time for this many images.
fn bench(name: &str, n: usize, own: &Path, base: Option<&Path>, content: impl Fn() -> Content) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        times.0.push(run(own, n, content()));
        times.1.extend(base.map(|base| run(base, n, content())));
    }
    let time = median(times.0);
    print!("{n:>5} images, {name:<16} {time:.3} s");
    if base.is_some() {
        let before = median(times.1);
        print!("   before {before:.3} s   ratio {:.2}", time / before);
    }
    println!();
}

/// The time of one run, in seconds.
fn run(binary: &Path, n: usize, content: Content) -> f64 {
    let registry = Registry::start_tls(content.with_latency(LATENCY));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, registry.ca_pem()).expect("writable");
    let pod =
        |n| format!("---\nkind: Pod\nspec:\n  containers:\n  - image: r.example/acme/app-{n}:1\n");
    let stream: String = (0..n).map(pod).collect();
    let started = Instant::now();
    let mut child = Command::new(binary)
        .arg(for_every_host(&registry))
        .arg("--ca-file")
        .arg(&authority)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it was built");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(stream.as_bytes()).expect("it reads everything");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    started.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
