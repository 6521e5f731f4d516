//! Places: the nodes of the input that are images.
//!
//! A document is read in three steps. `outline` lists its objects. Each rule is a function from the
//! document and its objects to findings: `pod_spec` finds containers in any kind at any depth,
//! `field_rules` the fields of custom resources by the table and the configuration, `kustomization`
//! the images of kustomization files, `values` those in the values of charts, `candidates` other texts that look like images, `schema`
//! those among the defaults of definitions. A value belongs to the first rule that finds it. `settle`
//! decides where each finding is written.
//!
//! Left out: `.status`, the kinds of kpt, local configuration, and the patterns of Kyverno
//! policies.

mod aliases;
mod candidates;
mod chart_image;
mod class_of;
mod context;
mod field_rules;
pub mod fields;
mod finding;
mod found;
mod image_like;
mod image_triggers;
mod json_patch;
mod kustomization;
mod mistaken;
mod object;
mod opt_out;
mod outline;
mod parts;
mod path;
mod place;
mod placeholder;
mod pod_spec;
mod pull_secrets;
mod readers;
mod schema;
mod scope;
mod settle;
mod skip_annotation;
mod skipped_objects;
mod sops;
mod table;
mod values;

pub use found::Found;
pub use mistaken::explain_no_object;
pub use object::{File, Object};
pub(crate) use outline::is_from_helm_4;
pub use path::Path;
pub use place::{Class, Image, Place, SkipReason, Writing};
pub use scope::{Include, Inclusion, OptOuts, Scope};
pub use skipped_objects::{ObjectPattern, SkippedObjects};
pub use table::TABLE;
pub use values::charts::ChartKey;
