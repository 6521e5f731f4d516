//! Input and output: files, streams, the console, the log, signals and progress.

pub mod atomic;
pub mod console;
pub mod delivery;
pub(crate) mod device;
pub mod exclusions;
pub(crate) mod expand;
pub mod input;
pub(crate) mod limited;
mod log;
pub mod merged;
pub mod panics;
pub mod progress;
pub(crate) mod rename;
pub mod repository;
pub mod revision;
pub mod signals;
mod stream;
