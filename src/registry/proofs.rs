//! Proofs: what token servers have said of one login.
//!
//! The first request that sends a login to a realm goes alone, and the others wait for its result: some
//! servers lock users out after a few wrong passwords.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Refusal;

/// The state of a login at a realm.
#[derive(Debug, Default, Clone)]
pub(super) enum Proven {
    #[default]
    Untried,
    /// The realm has not called it wrong.
    Right,
    /// The realm refuses it, so that it is not sent there again.
    Wrong(Refusal),
}

/// The state of a login at a realm. The request that tries the login holds the lock.
pub(super) type Proof = Arc<tokio::sync::Mutex<Proven>>;

/// The states of a login, by the realms that it is sent to.
#[derive(Debug, Default)]
pub(super) struct Proofs(Mutex<HashMap<String, Proof>>);

impl Proofs {
    /// The state of the login at a realm.
    pub(super) fn of(&self, realm: &str) -> Proof {
        let mut proofs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.entry(realm.to_owned()).or_default().clone()
    }
}
