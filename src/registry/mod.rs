//! Registries: the digest of a tag, or the proof that it does not exist.
//!
//! [`Registry`] asks over HTTP, [`Layouts`] read from disk. Both answer with a
//! [`Digest`](crate::image::Digest) or a [`Refusal`]. Later stages decide by its [`Outcome`] alone.

mod account;
mod certificates;
mod certs_d;
mod challenge;
mod challenges;
mod client;
mod clients;
mod crypto;
mod distrust;
mod endpoint;
mod host;
mod in_flight;
mod lists;
mod oci_layout;
mod outcome;
mod proofs;
mod proxies;
mod request_log;
mod response;
mod settings;
mod shares;
mod tags;
mod tls;
mod token;
mod token_request;
mod tokens;
mod transport;
mod trouble;
mod words;

pub use certificates::{Certificate, HostCertificates, Identity, Tls, WrongIdentity, certificates};
pub use certs_d::certificate_folders;
pub use challenge::{Bearer, Challenge};
pub use client::{Part, Registry};
pub use endpoint::{host, is_plain_text};
pub use in_flight::Concurrency;
pub use oci_layout::{Layouts, Lookup, is_layout};
pub use outcome::{Answer, Outcome, Refusal};
pub use proxies::Proxies;
pub use settings::{Replacement, Settings};
pub use tags::Next;
