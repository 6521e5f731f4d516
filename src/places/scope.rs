//! Scope: the fields that a configuration adds to the built-in ones, and the classes of candidates
//! that are pinned.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::Deserialize;

use super::fields::Field;
use super::place::Class;
use super::skipped_objects::SkippedObjects;
use super::values::ChartKey;

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

/// The user's fields, the candidates that are pinned, and what is left alone.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Fields that the user adds.
    pub fields: Vec<Field>,
    /// Keys of charts that the user adds to those that no digest is written to.
    pub values: Vec<ChartKey>,
    /// Classes of candidates that are pinned.
    pub include: BTreeSet<Class>,
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
