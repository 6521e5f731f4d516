//! Progress: a line on a terminal while registries are asked, if that takes a while.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter waits need no explanation (Nielsen's limit for an uninterrupted flow of thought is 1 s).
const PATIENCE: Duration = Duration::from_millis(500);

/// The time between two updates of the line.
const TICK: Duration = Duration::from_millis(100);

/// Counts answers, and shows the count on a terminal once half a second is over.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    started: Instant,
    bar: OnceCell<ProgressBar>,
}

impl Progress {
    /// Progress on stderr, if that is a terminal and the user did not ask for silence.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal();
        Self { shown, started: Instant::now(), bar: OnceCell::new() }
    }

    /// Says how many answers will come.
    pub fn expect(&self, answers: usize) {
        let bar = self.bar.get_or_init(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template(
                "asking registries: {pos} of {len} images ({elapsed})",
            );
            bar.with_style(style.expect("the template is valid"))
        });
        bar.set_length(answers as u64);
    }

    /// Counts one answer.
    pub fn step(&self) {
        if let Some(bar) = self.bar.get() {
            bar.inc(1);
        }
    }

    /// Waits until the line is due, and shows it. Never ends, so that it can stand in a `select!`.
    pub async fn show(&self) -> Infallible {
        tokio::time::sleep_until((self.started + PATIENCE).into()).await;
        if let Some(bar) = self.bar.get().filter(|_| self.shown) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
        std::future::pending().await
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
