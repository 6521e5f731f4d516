//! Input and output: files, streams, the console, the log, signals and progress.

pub mod atomic;
pub mod console;
pub mod delivery;
pub mod exclusions;
pub mod input;
pub(crate) mod limited;
mod log;
pub mod merged;
pub mod panics;
pub mod progress;
pub mod repository;
pub mod revision;
pub mod signals;
mod stream;
