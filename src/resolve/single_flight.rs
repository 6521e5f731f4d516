//! Single-flight cache: each key is fetched once, and everyone who wants it waits for that fetch.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// A cache of answers, with at most one fetch per key.
pub(super) struct SingleFlight<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// The cached value of a key. The first caller fetches it; later callers wait for the result.
    pub(super) async fn get(&self, key: &K, fetch: impl AsyncFnOnce() -> V) -> V {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            cells.entry(key.clone()).or_default().clone()
        };
        cell.get_or_init(|| fetch()).await.clone()
    }
}
