//! Prepare: from the flags of a call to its sources, its caller and its settings. Every command that
//! reads manifests starts here.

use std::path::PathBuf;
use std::rc::Rc;

use super::caller::Caller;
use super::destinations::Destinations;
use super::outcome::{Error, Messages, Sources};
use crate::cli::Flags;
use crate::diagnostic::{Diagnostic, Failure, failed, usage};
use crate::io::{delivery, input};
use crate::krm;
use crate::settings::config::Config;
use crate::settings::reading;
use crate::settings::trust::Owner;
use crate::settings::{Settings, Task};

/// The input and the settings of a command.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The input.
    pub(super) sources: Sources,
    /// The program that started digestif.
    pub(super) caller: Caller,
    /// The settings, or why there are none: a function reports that in its list.
    pub(super) settings: Result<Settings, Error>,
    /// Notes about the input.
    pub(super) notes: Messages,
}

/// Reads the input and the configuration, each once, and settles the flags.
///
/// # Errors
/// The input can't be read. For a function, what is wrong with its settings is in the result.
pub(super) fn prepare(
    flags: Flags,
    destinations: &Destinations,
    task: Task,
) -> Result<Prepared, Error> {
    let paths = flags.input.named().map_err(|message| usage(&message))?;
    if flags.pin.in_place && paths.is_empty() {
        return Err(usage("`--in-place` needs files; stdin can't be rewritten").into());
    }
    let plugin = std::env::var_os(super::caller::PLUGIN_NAME);
    let (sources, notes, file): (Sources, _, _) = if paths.is_empty() {
        if delivery::stdin_is_terminal() {
            let message = "stdin is a terminal, so that there is nothing to read";
            let help = "pipe manifests in, or name files: `digestif FILE…`; `digestif --help` shows all flags";
            return Err(failed(message).help(help).into());
        }
        (Rc::from([delivery::stdin()?]), Vec::new(), None)
    } else {
        let file = config_file(&flags)?;
        let excluded = flags.input.exclusions().map_err(|message| usage(&message))?;
        let lock = flags.lock.lock.as_deref().or(file.config.lock.as_deref());
        let (sources, notes) = input::files(&paths, excluded, lock)?;
        (sources.into(), notes, Some(file))
    };
    let caller = Caller::of(&sources, plugin.as_deref());
    if task == Task::Function && caller != Caller::Function {
        return Err(Error::new(vec![no_function(&sources)], sources));
    }
    let notes = Messages { diagnostics: notes, sources: Rc::from([]) };
    let settings = settle(flags, destinations, task, &sources, caller, file);
    match (settings, caller) {
        (Err(error), Caller::Function) => {
            Ok(Prepared { sources, caller, settings: Err(error), notes })
        }
        (settings, _) => Ok(Prepared { sources, caller, settings: Ok(settings?), notes }),
    }
}

/// The reason why `digestif fn` can't run on an input.
fn no_function(sources: &Sources) -> Diagnostic {
    krm::list(&sources[0]).err().unwrap_or_else(|| {
        let variable = super::caller::PLUGIN_NAME;
        let message = format!("this is no function's input: `{variable}` is set, so Helm made it");
        Diagnostic::error(Failure::Input, message)
            .help("if a plugin of Helm starts kustomize or kpt, unset the variable for them")
    })
}

/// The settings for input that needs none of its own, such as one image.
///
/// # Errors
/// The configuration or a flag is wrong.
pub(super) fn settings(flags: Flags, task: Task) -> Result<Settings, Error> {
    let file = config_file(&flags)?;
    Ok(Settings::new(flags, Config::default(), file.config, task)?)
}

/// The settings of a run, from the function's own configuration, the flags and the configuration file.
fn settle(
    flags: Flags,
    destinations: &Destinations,
    task: Task,
    sources: &Sources,
    caller: Caller,
    file: Option<ConfigFile>,
) -> Result<Settings, Error> {
    let owner = if task == Task::Function { Owner::Caller } else { Owner::Manifests };
    let is_ignored = owner == Owner::Manifests && flags.config.no_config;
    let own = match (caller, &**sources) {
        (Caller::Function, [source]) if !is_ignored => {
            krm::config(source, owner).map_err(|errors| Error::new(errors, sources.clone()))?
        }
        _ => Config::default(),
    };
    // The file in the folder is most often this function's own configuration.
    let file = match file {
        Some(file) => file,
        None if caller == Caller::Function && flags.config.config.is_none() => {
            ConfigFile::default()
        }
        None => config_file(&flags)?,
    };
    let clash = |diagnostic| Error::Clash(Box::new(diagnostic));
    destinations.check_inputs(sources, file.path.as_deref()).map_err(clash)?;
    let (above, below) = match owner {
        Owner::Caller => (own, file.config),
        Owner::Manifests => (Config::default(), own.and(file.config)),
    };
    let lock = above.lock.as_deref().or(flags.lock.lock.as_deref()).or(below.lock.as_deref());
    if let Some(lock) = lock {
        destinations.check_lock(lock, sources).map_err(clash)?;
    }
    let mut settings = Settings::new(flags, above, below, task)?;
    if matches!(caller, Caller::Helm4 | Caller::Function) {
        settings.options.empty = crate::Empty::Allowed;
    }
    Ok(settings)
}

/// A configuration file.
#[derive(Debug, Default)]
struct ConfigFile {
    path: Option<PathBuf>,
    config: Config,
}

/// Reads the configuration file that applies, if there is one.
fn config_file(flags: &Flags) -> Result<ConfigFile, Error> {
    if flags.config.no_config {
        return Ok(ConfigFile::default());
    }
    let Some(source) = input::configuration(flags.config.config.as_deref())? else {
        return Ok(ConfigFile::default());
    };
    let path = source.origin().path().map(std::borrow::ToOwned::to_owned);
    match reading::read(&source) {
        Ok(config) => Ok(ConfigFile { path, config }),
        Err(errors) => Err(Error::new(errors, Rc::from([source]))),
    }
}
