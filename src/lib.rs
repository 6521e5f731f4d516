//! digestif pins the images of rendered Kubernetes manifests to digests, finds substitutes for tags that
//! do not exist, and changes no other byte.
//!
//! The library is for the program, its tests and its fuzzers. It may change in every release.
//!
//! ```text
//!  bytes ──read──▶ Source ──locate──▶ Place… ──plan──▶ Plan ──resolve──▶ Status…
//!                    │                  │                                 │
//!                    │                  └─────────────judge◀──────────────┤
//!                    │                                  │                 │
//!                    └────────────edit◀─────────────────┼─────────────────┘
//!                                   │                   │
//!                                 text              Diagnostic…  ──report──▶ stderr, exit status
//! ```
//!
//! # Glossary
//!
//! - **source**: one input text, kept byte for byte ([`text::Source`]).
//! - **span**: a range of bytes in a source ([`text::Span`]).
//! - **place**: a node of a source that names an image ([`places::Place`]).
//! - **reference**: a repository with a tag or a digest ([`image::Reference`]); **tagged** without
//!   a digest, **pinned** with one.
//! - **plan**: the distinct images of a run, each with all its places ([`plan::Plan`]).
//! - **status**: what happened to an image ([`plan::Status`]).
//! - **pin**: the digest that a tagged reference gets, and where it comes from ([`plan::Pin`]).
//! - **layout**: an OCI image layout, images as files ([`registry::Layouts`]).
//! - **session**: what a run knows about registries ([`resolve::Session`]).
//! - **edit**: one change to a source ([`text::splice::Edit`]).
//! - **rule**: proposes **candidates** for a reference that does not exist ([`fallback::Rule`]);
//!   the first candidate that exists is its **substitute** ([`plan::Substitute`]).
//! - **lock**: the recorded digest of each image ([`lock::Lock`]).
//! - **diagnostic**: a failure or warning, with its place and a remedy
//!   ([`diagnostic::Diagnostic`]).
//! - **settings**: everything that decides how a run goes, made once ([`settings::Settings`]).

pub mod cli;
pub mod commands;
pub mod credentials;
pub mod diagnostic;
pub mod fallback;
pub mod image;
pub mod io;
pub mod krm;
pub mod lock;
pub mod places;
pub mod plan;
pub mod policy;
pub mod registry;
pub mod report;
pub mod resolve;
mod run;
pub mod settings;
pub mod text;
mod version;

pub(crate) use run::written;
pub use run::{Empty, Options, Run, Unwritable, edit, locate, run, run_document};
pub use version::{VERSION, user_agent};
