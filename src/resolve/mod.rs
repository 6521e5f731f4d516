//! Resolve: from the distinct references of a run to their digests.
//!
//! [`Session`] holds what a run knows of registries. Each question is asked once per run. Layouts
//! are read before the network is used, and rules are tried only after absence is proved.

mod inspect;
mod platforms;
mod search;
mod session;
mod single_flight;
mod sources;

pub use crate::io::signals::Interrupted;
pub use inspect::Inspected;
pub use platforms::{Offered, Platforms, PlatformsOf};
pub use session::{Network, Session, is_in_layout};

use sources::Sources;
