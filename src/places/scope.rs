//! Scope: the fields that a configuration adds to the built-in ones, and the classes of candidates
//! that are pinned.

use clap::ValueEnum;
use serde::Deserialize;

use super::fields::{Field, FieldPath};
use super::object::Object;
use super::place::Class;
use super::skipped_objects::SkippedObjects;
use super::values::charts::ChartKey;
use crate::text::yaml::{Document, NodeId};

/// A class of candidates that can be pinned.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Include {
    /// Values of Helm charts.
    Values,
    /// Environment variables.
    Env,
    /// Arguments and commands.
    Args,
    /// Texts of config maps, and of secrets that are written as text.
    Config,
    /// Annotations and labels.
    Annotations,
    /// Fields of custom resources that digestif does not know.
    Other,
}

impl Include {
    /// The class of places that it includes.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Values => Class::Values,
            Self::Env => Class::Env,
            Self::Args => Class::Args,
            Self::Config => Class::Config,
            Self::Annotations => Class::Annotations,
            Self::Other => Class::Other,
        }
    }
}

/// Candidates that are pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Their class.
    pub class: Class,
    /// The kind of their objects; empty for every kind.
    pub kind: String,
    /// The path of their field, or of a field above it; none for every field.
    pub path: Option<FieldPath>,
}

impl std::str::FromStr for Inclusion {
    type Err = String;

    /// Reads `CLASS[:KIND[:PATH]]`.
    ///
    /// # Errors
    /// There is no such class, or the path is wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let class = parts.next().unwrap_or_default();
        let class = Include::from_str(class, false).map_err(|_| {
            let classes = Include::value_variants().iter().map(|class| class.class().word());
            format!("the classes are {}", classes.collect::<Vec<_>>().join(", "))
        })?;
        let kind = parts.next().unwrap_or_default().to_owned();
        let path = parts.next().map(str::parse).transpose()?;
        Ok(Self { class: class.class(), kind, path })
    }
}

/// The user's fields, the candidates that are pinned, and what is left alone.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Fields that the user adds.
    pub fields: Vec<Field>,
    /// Keys of charts that the user adds to those that no digest is written to.
    pub values: Vec<ChartKey>,
    /// Candidates that are pinned.
    pub include: Vec<Inclusion>,
    /// Tells if annotations and comments can leave images alone.
    pub opt_outs: OptOuts,
    /// Objects that are left alone.
    pub skipped: SkippedObjects,
}

/// Tells if annotations and comments in manifests can leave images alone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptOuts {
    /// They can.
    #[default]
    Obeyed,
    /// They can't.
    Ignored,
}

impl Scope {
    /// True if candidates of this class are pinned in some kind and field.
    #[must_use]
    pub fn includes_some(&self, class: Class) -> bool {
        self.include.iter().any(|inclusion| inclusion.class == class)
    }

    /// True if a candidate of this class is pinned, which is at a node of an object.
    pub(super) fn includes(
        &self,
        document: &Document<'_>,
        class: Class,
        (object, root): (&Object, NodeId),
        node: NodeId,
    ) -> bool {
        let is_meant = |inclusion: &&Inclusion| {
            inclusion.class == class && (inclusion.kind.is_empty() || inclusion.kind == object.kind)
        };
        self.include.iter().filter(is_meant).any(|inclusion| {
            let Some(path) = &inclusion.path else { return true };
            let ends = path.ends(document, root, |_| ());
            let parent = |&id: &NodeId| document.node(id).parent.filter(|_| id != root);
            std::iter::successors(Some(node), parent).any(|id| ends.contains(&id))
        })
    }

    /// Joins two scopes.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.fields.extend(other.fields);
        self.values.extend(other.values);
        self.include.extend(other.include);
        self.opt_outs = self.opt_outs.max(other.opt_outs);
        self.skipped = self.skipped.and(other.skipped);
        self
    }
}
