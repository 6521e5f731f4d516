//! Commands: one file for each thing that `digestif` does.

pub mod caller;
pub mod explain;
pub mod helm_plugin;
pub mod reports;
