//! Images: references, repositories and tags, parsed once and strictly.
//!
//! The grammar is that of the distribution project (`reference/regexp.go`), with Docker Hub's
//! short names completed as `docker` does. Nothing here is ever rebuilt for the manifest: what the
//! author wrote is kept in [`Written`], and a pin is put into that text.

mod digest;
mod globs;
mod name;
mod platform;
mod reference;

pub use digest::{Algorithm, Digest};
pub(crate) use globs::glob_of;
pub use globs::{Globs, WrongGlob};
pub use name::{Asked, DOCKER_HUB, ParseError, Repository, Tag, canonical_host, has_host};
pub use platform::Platform;
pub use reference::{PinForm, Pinned, Reference, Tagged, Written};
