//! Helpers of all integration tests: the binary with a clean environment, and a loopback registry.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

pub mod accounts;
#[cfg(unix)]
pub mod cluster;
pub mod distribution;
pub mod judge;
pub mod oracle;
pub mod pages;
pub mod proxy;
pub mod quickstart;
pub mod registry;
pub mod tls;

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_digestif");

/// The limit of a frugal run's data in memory, in KiB. A debug build has 13 MiB of code and
/// libraries, so the run stays under 64 MiB.
const FRUGAL: usize = 48 << 10;

/// The result of a run of the binary.
#[derive(Debug)]
pub struct Ran {
    /// The exit status; 255 if a signal ended the run.
    pub status: i32,
    /// The text on stdout.
    pub stdout: String,
    /// The text on stderr, without the ids of messages: `error: …` instead of `error[absent]: …`.
    pub stderr: String,
    /// The unchanged text on stderr.
    pub said: String,
}

impl Ran {
    /// The text on stdout of a run that must succeed.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.status, 0, "{}", self.stderr);
        self.stdout
    }

    /// The messages of a run that must fail with this status and an empty stdout.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!((self.status, self.stdout.as_str()), (status, ""), "{}", self.stderr);
        self.stderr
    }
}

/// The binary under test. Of the caller's environment, it has only the `PATH`.
pub fn command(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    // Without this variable, the binary would read logins of the caller below `/run/containers`.
    command.env("XDG_RUNTIME_DIR", "/nonexistent");
    command.args(args);
    command
}

/// Like `command`, with little memory. Linux refuses more memory than that, which ends the run.
/// Measurements at intervals could miss the peak. Other systems have no such limit.
pub fn frugal(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    if !cfg!(target_os = "linux") {
        return command(args);
    }
    let mut command = Command::new("sh");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["-c", &format!("ulimit -d {FRUGAL} && exec \"$0\" \"$@\""), BINARY]).args(args);
    command
}

/// Runs the binary with this text on stdin.
#[track_caller]
pub fn digestif(args: impl IntoIterator<Item = impl AsRef<OsStr>>, stdin: impl AsRef<[u8]>) -> Ran {
    finish(start(&mut command(args)), stdin.as_ref())
}

/// Starts a command with all three streams piped.
pub fn start(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built")
}

/// Runs digestif with these arguments of a shell in `folder`, on a terminal: the stdout of the result has
/// what the terminal shows.
pub fn on_terminal(folder: &Path, args: &str) -> Ran {
    // `script`, of util-linux, makes the terminal.
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("'{BINARY}' {args}"), "/dev/null"]);
    // A log would be written here.
    script.current_dir(folder).env("XDG_STATE_HOME", folder);
    finish(start(&mut script), b"")
}

/// Writes the stdin of a child process and waits for its end. In every test, the run must not show
/// a secret, except on a line that stdin also has.
#[track_caller]
pub fn finish(child: Child, stdin: &[u8]) -> Ran {
    finish_within("the run", child, stdin, Duration::MAX)
}

/// Like `finish`, with a limit: a child process that takes longer is killed, and the test fails.
#[track_caller]
pub fn finish_within(name: &str, child: Child, stdin: &[u8], limit: Duration) -> Ran {
    let ran = ended(name, child, stdin, limit);
    let known = String::from_utf8_lossy(stdin);
    let shown = accounts::telling(&ran.stdout).filter(|shown| !known.lines().any(|l| l == *shown));
    accounts::assert_tells_nothing("stdout", &shown.collect::<Vec<_>>().join("\n"));
    accounts::assert_tells_nothing("stderr", &ran.stderr);
    ran
}

#[track_caller]
fn ended(name: &str, mut child: Child, stdin: &[u8], limit: Duration) -> Ran {
    let started = Instant::now();
    let mut input = child.stdin.take().expect("it is piped");
    let stdin = stdin.to_owned();
    let writer = std::thread::spawn(move || {
        // A child process may end early, which closes the pipe.
        let _ = input.write_all(&stdin);
    });
    let (done, streams) = channel();
    // A test may have closed the stream.
    let stdout = child.stdout.take().map(|stream| reader(stream, done.clone()));
    let stderr = reader(child.stderr.take().expect("it is piped"), done);
    let is_late = (0..=usize::from(stdout.is_some())).any(|_| {
        let left = limit.saturating_sub(started.elapsed());
        streams.recv_timeout(left).is_err()
    });
    if is_late {
        child.kill().expect("it is ours");
    }
    let status = child.wait().expect("the child runs");
    let text = |reader: JoinHandle<String>| reader.join().expect("it prints text");
    let (stdout, stderr) = (stdout.map(text).unwrap_or_default(), text(stderr));
    assert!(!is_late, "{name}: it takes longer than {limit:?}, and has said:\n{stderr}");
    writer.join().expect("writing does not panic");
    let (said, stderr) = (stderr.clone(), without_ids(&stderr));
    Ran { status: status.code().unwrap_or(255), stdout, stderr, said }
}

/// Removes the ids of messages, which have their own tests.
fn without_ids(messages: &str) -> String {
    let mut text = String::new();
    for line in messages.split_inclusive('\n') {
        let levels = ["error", "warning"].into_iter();
        let mut id =
            levels.filter_map(|level| Some((level, line.strip_prefix(level)?.strip_prefix('[')?)));
        match id.find_map(|(level, rest)| Some((level, rest.split_once("]: ")?.1))) {
            Some((level, rest)) => text.extend([level, ": ", rest]),
            None => text.push_str(line),
        }
    }
    text
}

/// Reads a stream to its end, and then sends a signal.
fn reader(mut stream: impl Read + Send + 'static, done: Sender<()>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        // If the child was late, the receiver no longer exists.
        let _ = done.send(());
        read.expect("it prints text");
        text
    })
}

/// The flag that makes a registry answer for every host, under the host's name.
pub fn for_every_host(registry: &registry::Registry) -> String {
    format!("--registry=*={}/{{host}}", registry.url())
}

/// Runs digestif with the registry instead of every other one.
pub fn run_against(registry: &registry::Registry, flags: &[&str], manifests: &str) -> Ran {
    let registry = for_every_host(registry);
    digestif([registry.as_str()].iter().chain(flags), manifests)
}

/// A reference with the digest that the loopback registries have for it.
pub fn pinned(reference: &str) -> String {
    format!("{reference}@{}", digest_of(reference))
}

/// The digest that the registry serves for a reference, if it answers for every host.
pub fn digest_of(reference: &str) -> String {
    let digestif::image::Reference::Tagged(tagged) = reference.parse().expect("a valid reference")
    else {
        panic!("`{reference}` already has a digest");
    };
    registry::digest_of(&tagged.repository.to_string(), &tagged.tag.to_string())
}

/// A path below the project's own test data.
pub fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

/// The folder with the clients; `None` if they could not be built, which is a failure in CI.
pub fn clients() -> Option<PathBuf> {
    let clients = std::env::var_os("DIGESTIF_TEST_CLIENTS").map(PathBuf::from);
    if clients.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "DIGESTIF_TEST_CLIENTS is not set; run scripts/test");
        eprintln!("SKIPPED: DIGESTIF_TEST_CLIENTS is not set; scripts/test sets it");
    }
    clients
}
