//! In flight: how many requests a host is asked at the same time.
//!
//! The number follows the host. Over HTTP/1.1 it stays where it starts, as each request in flight
//! needs a connection of its own. Over HTTP/2 all of them share one, and the number grows while the
//! host answers. A host that has enough, which it says with 429, gets half.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Where it starts, and where it stays over HTTP/1.1. With 4, 8, 16, 32 and 64 requests in flight,
/// 1,000 images at 200 ms a response take 51, 26, 13, 6.9 and 3.9 s: with four, that is longer than the
/// time budget; with 16, two thirds of it are left for tokens and retries. More connections to one host
/// would gain seconds for a thousand images, and are what servers limit.
const START: usize = 16;

/// The number that a round without an error adds. A host at its limit gets 16 requests too many.
const STEP: usize = 16;

/// The most. With 50 ms a request, 50 images take 0.36 s with 16 in flight, 0.24 s with 32 and 0.16 s
/// with 64; servers allow 100 streams or more (RFC 9113, 6.5.2, recommends that; nginx allows 128).
const MOST: usize = 64;

/// The least. Most limits are about requests in a time, for which fewer in flight are no help.
const LEAST: usize = 4;

/// The number of requests that may be in flight to one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// As many as the host bears.
    #[default]
    Adaptive,
    /// At most this many.
    AtMost(usize),
}

/// The requests in flight to one host.
#[derive(Debug)]
pub(super) struct InFlight {
    permits: Semaphore,
    start: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// The upper bound of the limit.
    most: usize,
    /// Answers since the limit changed, or since an error.
    answers: usize,
    /// Permits that are to be taken back when they are returned.
    surplus: usize,
    /// How often the limit was halved.
    halved: usize,
}

/// The right to have a request in flight.
#[derive(Debug)]
pub(super) struct Permit<'i> {
    owner: &'i InFlight,
    right: Option<SemaphorePermit<'i>>,
    /// How often the limit had been halved when this was given.
    halved: usize,
}

impl InFlight {
    pub(super) fn new(concurrency: Concurrency) -> Self {
        let (start, most) = match concurrency {
            Concurrency::Adaptive => (START, MOST),
            Concurrency::AtMost(most) => (most, most),
        };
        let state = State { limit: start, most, answers: 0, surplus: 0, halved: 0 };
        Self { permits: Semaphore::new(start), start, state: Mutex::new(state) }
    }

    /// Waits until a request may be sent.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        let right = self.permits.acquire().await.expect("it is never closed");
        Permit { owner: self, right: Some(right), halved: self.state().halved }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Learns from an answer over HTTP/2. A round of them lets the limit grow.
    pub(super) fn answered(&self) {
        let mut state = self.owner.state();
        state.answers += 1;
        if state.answers < state.limit || state.limit >= state.most {
            return;
        }
        state.answers = 0;
        let more = STEP.min(state.most - state.limit);
        state.limit += more;
        let kept = more.min(state.surplus);
        state.surplus -= kept;
        self.owner.permits.add_permits(more - kept);
    }

    /// Learns from an error: the round starts again.
    pub(super) fn failed(&self) {
        self.owner.state().answers = 0;
    }

    /// Learns from a 429. True if the host was asked more than at the start, so that asking less may
    /// be all that it wants.
    pub(super) fn limited(&self) -> bool {
        let mut state = self.owner.state();
        state.answers = 0;
        // Requests from before the last halving say nothing about the present limit.
        let is_news = self.halved == state.halved;
        let was_raised = state.limit > self.owner.start || !is_news;
        let half = (state.limit / 2).max(LEAST).min(state.limit);
        if is_news && half < state.limit {
            let fewer = state.limit - half;
            state.surplus += fewer - self.owner.permits.forget_permits(fewer);
            state.limit = half;
            state.most = half;
            state.halved += 1;
        }
        was_raised
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.owner.state();
        if state.surplus > 0
            && let Some(right) = self.right.take()
        {
            state.surplus -= 1;
            right.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many permits as there are.
    fn all(in_flight: &InFlight) -> Vec<Permit<'_>> {
        let permits = in_flight.permits.available_permits();
        let one = |_| futures_util::FutureExt::now_or_never(in_flight.acquire());
        (0..permits).map(|n| one(n).expect("it is free")).collect()
    }

    #[test]
    fn the_limit_grows_by_rounds_without_an_error() {
        let in_flight = InFlight::new(Concurrency::Adaptive);
        for expected in [16, 32, 48, 64, 64] {
            let permits = all(&in_flight);
            assert_eq!(permits.len(), expected);
            permits.iter().for_each(Permit::answered);
        }
        let in_flight = InFlight::new(Concurrency::Adaptive);
        let permits = all(&in_flight);
        permits[1..].iter().for_each(Permit::answered);
        permits[0].failed();
        permits[0].answered();
        drop(permits);
        assert_eq!(all(&in_flight).len(), 16);
    }

    #[test]
    fn a_limit_that_a_flag_sets_does_not_grow() {
        for most in [1, 3, 100] {
            let in_flight = InFlight::new(Concurrency::AtMost(most));
            for _ in 0..3 {
                let permits = all(&in_flight);
                assert_eq!(permits.len(), most);
                permits.iter().for_each(Permit::answered);
            }
        }
    }

    #[test]
    fn a_429_halves_the_limit_once_for_all_that_were_in_flight() {
        let in_flight = InFlight::new(Concurrency::Adaptive);
        for _ in 0..2 {
            all(&in_flight).iter().for_each(Permit::answered);
        }
        let permits = all(&in_flight);
        assert_eq!(permits.len(), 48);
        assert!(permits.iter().all(Permit::limited), "it was asked more than at the start");
        drop(permits);
        let permits = all(&in_flight);
        assert_eq!(permits.len(), 24);
        permits.iter().for_each(Permit::answered);
        drop(permits);
        for (expected, was_raised) in [(24, true), (12, false), (6, false), (4, false), (4, false)]
        {
            let permits = all(&in_flight);
            assert_eq!(permits.len(), expected);
            assert_eq!(permits[0].limited(), was_raised, "{expected}");
        }
    }

    #[test]
    fn permits_that_are_free_and_those_in_use_are_taken_back() {
        let in_flight = InFlight::new(Concurrency::Adaptive);
        let mut permits = all(&in_flight);
        permits.truncate(10);
        permits[0].limited();
        assert_eq!(in_flight.permits.available_permits(), 0);
        permits.truncate(5);
        assert_eq!(in_flight.permits.available_permits(), 3);
        drop(permits);
        assert_eq!(in_flight.permits.available_permits(), 8);
    }
}
