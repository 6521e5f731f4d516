//! Text: sources with their positions, YAML nodes with byte spans, edits, and safe output.
//!
//! Nothing in here knows what an image is.

pub mod escape;
pub mod path;
mod source;
mod span;
pub mod splice;
mod template;
mod visible;
pub mod yaml;

pub use source::{Origin, Source};
pub use span::{Position, Span};
