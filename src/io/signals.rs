//! Interrupt: what becomes of a run that a signal is to end.
//!
//! Owns SIGINT, SIGTERM and SIGHUP (Ctrl-C elsewhere than on Unix). One thread waits for them and
//! ends the process at once, which is right while nothing is half done: reading, thinking, writing
//! to stdout. As that runs no destructors, code with something to clean up [holds](hold) the
//! signals: they are then remembered, and asked for. Once finished files are being renamed none is
//! let through any more, as its status would say that nothing was written. Signals belong to the
//! process, and so does the state here. Those that are ignored when the run starts, as `nohup`
//! asks, stay ignored (where Linux tells).

use std::io::{self, Write as _};
use std::sync::{LazyLock, Mutex, PoisonError};
#[cfg(unix)]
use std::task::Poll;
use std::thread;

use tokio::sync::watch;

/// A signal that ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted {
    signal: u8,
}

impl Interrupted {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.signal {
            SIGHUP => "SIGHUP",
            SIGINT => "SIGINT",
            _ => "SIGTERM",
        }
    }

    /// The exit status, as shells give it: 128 and the number of the signal.
    #[must_use]
    pub fn status(self) -> u8 {
        128 + self.signal
    }
}

/// Numbers that POSIX fixes.
const SIGHUP: u8 = 1;
const SIGINT: u8 = 2;
#[cfg(unix)]
const SIGTERM: u8 = 15;

static PHASE: LazyLock<watch::Sender<Phase>> = LazyLock::new(|| watch::Sender::new(Phase::Deadly));

/// The state of the output, for the message of a signal that ends the process at once.
static WRITTEN: Mutex<&str> = Mutex::new("nothing was written");

/// The effect of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It ends the process.
    Deadly,
    /// It is remembered.
    Held,
    /// It was.
    Arrived(Interrupted),
    /// Nothing: the end is near, and everything will then have been written.
    Ignored,
}

/// Handles signals from now on; to be called once, first of all.
///
/// # Errors
/// The system has no room for another thread or pipe.
pub fn install() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let wait = move || {
        runtime.block_on(async {
            loop {
                meet(Interrupted { signal: signals.next().await });
            }
        });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

/// Keeps signals from ending the process until the guard is dropped or released.
#[must_use]
pub fn hold() -> Held {
    PHASE.send_replace(Phase::Held);
    Held(())
}

/// Notes that stdout is being written from now on.
pub fn printing() {
    wrote("stdout may have a part of the result");
}

fn wrote(said: &'static str) {
    *WRITTEN.lock().unwrap_or_else(PoisonError::into_inner) = said;
}

/// Lets signals end the process again, after files were written and while more is to follow.
pub fn heed() {
    wrote("no manifest was written");
    PHASE.send_modify(|phase| {
        if *phase == Phase::Ignored {
            *phase = Phase::Deadly;
        }
    });
}

/// While this lives, signals are remembered.
#[derive(Debug)]
pub struct Held(());

impl Held {
    /// Waits for a signal.
    pub async fn arrived(&self) -> Interrupted {
        let mut phase = PHASE.subscribe();
        loop {
            if let Err(interrupted) = self.check() {
                return interrupted;
            }
            phase.changed().await.expect("the sender is static");
        }
    }

    /// Goes on unless there was a signal.
    ///
    /// # Errors
    /// There was one.
    pub fn check(&self) -> Result<(), Interrupted> {
        match *PHASE.borrow() {
            Phase::Arrived(interrupted) => Err(interrupted),
            Phase::Deadly | Phase::Held | Phase::Ignored => Ok(()),
        }
    }

    /// Lets signals end the process again.
    ///
    /// # Errors
    /// There was one.
    pub fn release(self) -> Result<(), Interrupted> {
        switch(Phase::Deadly)
    }

    /// Lets signals do nothing any more: what follows is short, and the status has to be true.
    ///
    /// # Errors
    /// There was one.
    pub fn ignore(&self) -> Result<(), Interrupted> {
        switch(Phase::Ignored)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Not after a signal has arrived, or when none is let through: the run is about to end.
        PHASE.send_modify(|phase| {
            if *phase == Phase::Held {
                *phase = Phase::Deadly;
            }
        });
    }
}

/// Looks and switches in one step, so that no signal falls between.
fn switch(next: Phase) -> Result<(), Interrupted> {
    let mut found = Ok(());
    PHASE.send_modify(|phase| match *phase {
        Phase::Arrived(interrupted) => found = Err(interrupted),
        Phase::Deadly | Phase::Held | Phase::Ignored => *phase = next,
    });
    found
}

fn meet(interrupted: Interrupted) {
    PHASE.send_modify(|phase| match phase {
        Phase::Deadly => end(interrupted),
        Phase::Held => *phase = Phase::Arrived(interrupted),
        Phase::Arrived(_) | Phase::Ignored => {}
    });
}

/// Ends the process, and says what was written. Nothing else is said: the console is not ours here.
fn end(interrupted: Interrupted) -> ! {
    let written = *WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let line = format!("digestif: interrupted by {}; {written}\n", interrupted.name());
    // If stderr is closed, no one can be told.
    let _ = io::stderr().write_all(line.as_bytes());
    std::process::exit(interrupted.status().into())
}

#[cfg(unix)]
struct Signals(Vec<(u8, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    /// Has to be called within a runtime.
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter();
        let wanted = wanted.filter(|number| ignored & (1 << (number - 1)) == 0);
        let listen = |number: u8| Ok((number, signal(SignalKind::from_raw(number.into()))?));
        wanted.map(listen).collect::<Result<_, _>>().map(Self)
    }

    /// The number of the next signal.
    async fn next(&mut self) -> u8 {
        std::future::poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            let arrived = signals.find_map(|(number, signal)| {
                signal.poll_recv(context).is_ready().then_some(*number)
            });
            arrived.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// The set of ignored signals in `/proc/self/status` (`proc_pid_status(5)`); the empty one where
/// there is no such file.
#[cfg(unix)]
fn ignored(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(not(unix))]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> u8 {
        match self.0.recv().await {
            Some(()) => SIGINT,
            None => std::future::pending().await,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_signals_that_are_ignored_are_read_from_linux() {
        for (status, set) in [
            ("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n", 1 << 12 | 1),
            ("SigBlk:\t0000000000000002\n", 0),
            ("", 0),
        ] {
            assert_eq!(ignored(status), set, "{status:?}");
        }
    }
}
