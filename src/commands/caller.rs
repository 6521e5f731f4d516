//! Caller: the program that started digestif, as far as the input and the environment show.

use std::ffi::OsStr;

use crate::places::Found;

/// The program that started digestif.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A shell, Helm 3, or anything else that needs nothing special.
    Any,
    /// Helm 4, as its plugin: it discards stderr and refuses empty output.
    Helm4,
    /// kustomize or kpt: input and output are a `ResourceList`.
    Function,
}

/// The variable with the name of the plugin that runs. Helm 3 sets it for its plugins too, so that digestif under
/// helm-diff sees `diff`.
pub const PLUGIN_NAME: &str = "HELM_PLUGIN_NAME";

/// The name of digestif's own plugin.
const OWN_NAME: &str = "digestif";

impl Caller {
    /// True if digestif runs as its Helm 4 plugin, so that stderr is discarded.
    #[must_use]
    pub fn discards_stderr() -> bool {
        Self::of(false, std::env::var_os(PLUGIN_NAME).as_deref()) == Self::Helm4
    }

    /// The caller of a run: tells if the input is that of a function, and the value of
    /// [`PLUGIN_NAME`].
    #[must_use]
    pub fn of(is_function: bool, plugin: Option<&OsStr>) -> Self {
        // A plugin of Helm gives what a chart renders, which is no function's input, whatever it looks like.
        match plugin.filter(|name| !name.is_empty()) {
            Some(name) if name == OWN_NAME => Self::Helm4,
            None if is_function => Self::Function,
            _ => Self::Any,
        }
    }

    /// The same once the objects are known: Helm 4 marks each of them, also where a program that is
    /// built on it starts digestif.
    #[must_use]
    pub fn or_seen_in(self, found: &Found) -> Self {
        if self == Self::Any && found.is_from_helm_4 { Self::Helm4 } else { self }
    }
}
