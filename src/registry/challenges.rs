//! Challenges of one host, by repository.
//!
//! Most hosts ask the same for all their repositories. Some have a realm for each path
//! (sonatype/nexus-public#873). A challenge is only learned from an answer to a request without a
//! token: the answer to an expired token may name another realm, which must not get a login
//! (NVIDIA/nvidia-container-toolkit#1945).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::challenge::Challenge;

/// The challenges of one host, for all accounts.
#[derive(Debug, Default)]
pub(super) struct Challenges(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The first that was seen. It counts for every repository without one of its own.
    host: Option<Challenge>,
    own: HashMap<String, Own>,
}

/// The challenge of a repository, if it is known.
#[derive(Debug)]
enum Own {
    /// A request without a token has to show which challenge counts.
    Doubtful,
    /// It has this challenge, or the host's.
    Settled(Option<Challenge>),
}

/// The authorization that a request for a repository needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The host has not asked for anything yet.
    Unknown,
    /// Nothing, so that the answer shows the challenge.
    Nothing,
    /// The authorization that answers this challenge.
    Answer(Challenge),
}

impl Challenges {
    /// The authorization that a request for a repository needs.
    pub(super) fn of(&self, repository: &str) -> Wanted {
        let state = self.state();
        let of_host = || state.host.clone().map_or(Wanted::Unknown, Wanted::Answer);
        match state.own.get(repository) {
            Some(Own::Doubtful) => Wanted::Nothing,
            Some(Own::Settled(Some(own))) => Wanted::Answer(own.clone()),
            Some(Own::Settled(None)) | None => of_host(),
        }
    }

    /// True if the host has asked for a token or a password.
    pub(super) fn is_any_known(&self) -> bool {
        self.state().host.is_some()
    }

    /// True if a repository has a challenge of its own, so that it shares no token.
    pub(super) fn is_own(&self, repository: &str) -> bool {
        matches!(self.state().own.get(repository), Some(Own::Settled(Some(_))))
    }

    /// Takes the challenge of an answer to a request without a token.
    pub(super) fn learn(&self, repository: &str, challenge: Challenge) {
        let mut state = self.state();
        let own = match &state.host {
            None => {
                state.host = Some(challenge);
                None
            }
            Some(host) if host.is_answered_like(&challenge) => None,
            Some(_) => Some(challenge),
        };
        state.own.insert(repository.to_owned(), Own::Settled(own));
    }

    /// Takes the challenge of an answer that refused a token. True if it is another than the host's,
    /// and what the repository wants has not been seen: then it is asked for without a token.
    pub(super) fn doubt(&self, repository: &str, seen: &Challenge) -> bool {
        let is_other = self.state().host.as_ref().is_some_and(|host| !host.is_answered_like(seen));
        is_other && self.doubt_unseen(repository)
    }

    /// Has a repository asked for without a token, unless what it wants has been seen.
    pub(super) fn doubt_unseen(&self, repository: &str) -> bool {
        let mut state = self.state();
        let is_unseen = !state.own.contains_key(repository);
        if is_unseen {
            state.own.insert(repository.to_owned(), Own::Doubtful);
        }
        is_unseen
    }

    /// Lets the host's challenge count for a repository that has shown none. True if it was in doubt.
    pub(super) fn settle(&self, repository: &str) -> bool {
        match self.state().own.get_mut(repository) {
            Some(own @ Own::Doubtful) => {
                *own = Own::Settled(None);
                true
            }
            _ => false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::challenge::Bearer;
    use super::*;

    fn bearer(realm: &str, scope: &str) -> Challenge {
        Challenge::Bearer(Bearer::new(realm, None, Some(scope)))
    }

    #[test]
    fn a_repository_may_have_a_challenge_of_its_own() {
        let challenges = Challenges::default();
        assert_eq!(challenges.of("a"), Wanted::Unknown);
        challenges.learn("a", bearer("https://r/1", "a"));
        // The scope alone makes no other challenge.
        assert!(!challenges.doubt("b", &bearer("https://r/1", "b")));
        assert!(challenges.doubt("b", &bearer("https://r/2", "b")));
        assert_eq!(challenges.of("b"), Wanted::Nothing);
        challenges.learn("b", bearer("https://r/2", "b"));
        assert_eq!(challenges.of("b"), Wanted::Answer(bearer("https://r/2", "b")));
        assert_eq!(challenges.of("a"), Wanted::Answer(bearer("https://r/1", "a")));
        assert!(challenges.is_own("b") && !challenges.is_own("a"));
    }

    #[test]
    fn the_challenge_to_an_expired_token_is_doubted_once_and_not_followed() {
        let challenges = Challenges::default();
        challenges.learn("a", bearer("https://r/1", "a"));
        for repository in ["a", "b"] {
            let is_new = challenges.doubt(repository, &bearer("https://evil/1", repository));
            assert_eq!(is_new, repository == "b", "the challenge of `a` was seen without a token");
            challenges.learn(repository, bearer("https://r/1", repository));
            let own = challenges.of(repository);
            assert!(
                matches!(own, Wanted::Answer(own) if own.is_answered_like(&bearer("https://r/1", "")))
            );
            assert!(!challenges.doubt(repository, &bearer("https://evil/1", repository)));
        }
        assert!(challenges.doubt_unseen("c") && challenges.settle("c") && !challenges.settle("c"));
    }
}
