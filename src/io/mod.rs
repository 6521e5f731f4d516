//! Input and output: files, streams, the console, signals and progress.

pub mod atomic;
pub mod console;
pub mod input;
pub mod progress;
pub mod signals;
