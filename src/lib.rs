//! digestif pins the images of rendered Kubernetes manifests to digests and changes no other byte.
//!
//! ```text
//!  bytes ──read──▶ Source ──locate──▶ Place… ──plan──▶ Plan ──resolve──▶ Pins
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
//! - **source**: one input text, kept byte for byte ([`source::Source`]).
//! - **span**: a range of bytes in a source ([`source::Span`]).
//! - **place**: a node of a source that names an image ([`places::Place`]).
//! - **reference**: a repository with a tag or a digest ([`image::Reference`]); **tagged** without
//!   a digest, **pinned** with one.
//! - **plan**: the distinct images of a run, each with all its places ([`plan::Plan`]).
//! - **pin**: the digest that a tagged reference gets, and where it comes from ([`resolve::Pin`]).
//! - **layout**: an OCI image layout, images as files ([`registry::Layouts`]).
//! - **edit**: one change to a source ([`splice::Edit`]).
//! - **diagnostic**: a failure or warning, with its place and a remedy
//!   ([`diagnostic::Diagnostic`]).

pub mod diagnostic;
pub mod digest;
pub mod image;
pub mod places;
pub mod plan;
pub mod progress;
pub mod registry;
pub mod resolve;
pub mod source;
pub mod splice;
pub mod yaml;
