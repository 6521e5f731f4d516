//! Prepare: from the flags of a call to its sources, its caller and its settings. Every command that
//! reads manifests starts here.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::caller::Caller;
use super::destinations::Destinations;
use super::outcome::{Error, Messages, Sources};
use crate::Unwritable;
use crate::cli::Flags;
use crate::diagnostic::{Diagnostic, Failure, Severity, failed, usage};
use crate::io::delivery;
use crate::io::input::{self, Links, Reading};
use crate::krm::{self, Function};
use crate::lock::Mode;
use crate::report::Detail;
use crate::settings::config::Config;
use crate::settings::files::{self, ConfigFile};
use crate::settings::origins::Origins;
use crate::settings::trust::Owner;
use crate::settings::{Settings, Task};
use crate::text::path::shown;

/// The input of a command, with the settings that were read with it.
#[derive(Debug)]
pub(super) struct Input {
    /// Notes about the input.
    notes: Vec<Diagnostic>,
    /// The configuration files, if they were needed to read the input.
    files: Option<ConfigFiles>,
}

/// The settings of a command, and what is known of its input.
#[derive(Debug)]
pub(super) struct Prepared<'s> {
    /// The program that started digestif.
    pub(super) caller: Caller,
    /// The input of a function, if that is the caller.
    pub(super) function: Option<Function<'s>>,
    /// The settings, or why there are none: a function reports that in its list.
    pub(super) settings: Result<Settings, Error>,
    /// The lines on stderr about the sources of the settings.
    pub(super) said: String,
    /// Notes about the input.
    pub(super) notes: Messages,
}

impl Input {
    /// Reads the input.
    ///
    /// # Errors
    /// It can't be read, or a configuration file that tells what to leave out is wrong.
    pub(super) fn read(flags: &Flags) -> Result<(Sources, Self), Error> {
        let paths = flags.input.named().map_err(|message| usage(&message))?;
        if flags.pin.in_place && paths.is_empty() {
            return Err(usage("`--in-place` needs files; stdin can't be rewritten").into());
        }
        if paths.is_empty() {
            if delivery::stdin_is_terminal() {
                let message = "stdin is a terminal, so there is no input";
                let help = "pipe manifests in, or name files: `digestif FILE…`; `digestif --help` shows all flags";
                return Err(failed(message).help(help).into());
            }
            let input = Self { notes: Vec::new(), files: None };
            return Ok((Rc::from([delivery::stdin()?]), input));
        }
        let files = ConfigFiles::read(flags, CheckoutFile::Read)?;
        let excluded = flags.input.exclusions().map_err(|message| usage(&message))?;
        let lock = flags.lock.lock.as_deref().or(files.config.lock.as_deref());
        let own = lock.map(Path::to_owned).into_iter().chain(files.paths.clone());
        let own = own.chain(flags.lock.layout.clone()).collect();
        let links = if flags.pin.in_place { Links::Inside } else { Links::Followed };
        let read = input::files(&paths, Reading { excluded, own, links })?;
        let severity =
            if flags.strict.strict { Severity::Error(Failure::Policy) } else { Severity::Warning };
        let left_out = read.left_out.into_iter().map(|note| Diagnostic { severity, ..note });
        let notes = left_out.chain(read.idle).collect();
        Ok((read.sources.into(), Self { notes, files: Some(files) }))
    }
}

/// Reads the configuration, each file once, and settles the flags.
///
/// # Errors
/// The settings are wrong. For a function, that is in the result.
pub(super) fn prepare<'s>(
    flags: Flags,
    destinations: &Destinations,
    task: Task,
    sources: &'s Sources,
    input: Input,
) -> Result<Prepared<'s>, Error> {
    let plugin = std::env::var_os(super::caller::PLUGIN_NAME);
    let function = Function::of(sources);
    let caller = Caller::of(function.is_some(), plugin.as_deref());
    let function = function.filter(|_| caller == Caller::Function);
    if task == Task::Function && caller != Caller::Function {
        return Err(Error::new(vec![no_function(sources)], sources.clone()));
    }
    let (sources_of_notes, detail) = (Rc::from([]), Detail::Full);
    let notes = Messages { diagnostics: input.notes, sources: sources_of_notes, detail };
    let settings = settle(flags, destinations, task, sources, function.as_ref(), input.files);
    let (mut settings, said) = match settings {
        Ok((settings, said)) => (Ok(settings), said),
        Err(error) if caller == Caller::Function => (Err(error), String::new()),
        Err(error) => return Err(error),
    };
    if let (Ok(settings), Caller::Helm4 | Caller::Function) = (&mut settings, caller) {
        settings.options.empty = crate::Empty::Allowed;
    }
    Ok(Prepared { caller, function, settings, said, notes })
}

/// The reason why `digestif fn` can't run on an input.
fn no_function(sources: &Sources) -> Diagnostic {
    krm::list(&sources[0]).err().unwrap_or_else(|| {
        let variable = super::caller::PLUGIN_NAME;
        let message =
            format!("this is not the input of a function: `{variable}` is set, so Helm made it");
        Diagnostic::error(Failure::Input, message)
            .help("if a plugin of Helm starts kustomize or kpt, unset the variable for them")
    })
}

/// The settings for input that needs none of its own, such as one image, and where they come from.
///
/// # Errors
/// The configuration or a flag is wrong.
pub(super) fn settings(flags: Flags, task: Task) -> Result<(Settings, String), Error> {
    let files = ConfigFiles::read(&flags, CheckoutFile::Read)?;
    let said = files.said(&flags, (None, &[]));
    Ok((Settings::new(flags, Config::default(), files.config, task)?, said))
}

/// The settings of a run, from the function's own configuration, the flags and configuration files.
fn settle(
    flags: Flags,
    destinations: &Destinations,
    task: Task,
    sources: &Sources,
    function: Option<&Function<'_>>,
    files: Option<ConfigFiles>,
) -> Result<(Settings, String), Error> {
    let owner = if task == Task::Function { Owner::Caller } else { Owner::Manifests };
    let is_ignored = owner == Owner::Manifests && (flags.config.no_config || flags.strict.strict);
    let own = match function.filter(|_| !is_ignored) {
        Some(function) => {
            let own = function.config(&sources[0], owner);
            own.map_err(|errors| Error::new(errors, sources.clone()))?
        }
        None => Config::default(),
    };
    let files = match files {
        Some(files) => files,
        // The file in the folder is most often this function's own configuration.
        None if function.is_some() => ConfigFiles::read(&flags, CheckoutFile::Ignored)?,
        None => ConfigFiles::read(&flags, CheckoutFile::Read)?,
    };
    let said = files.said(&flags, (Some(owner), &own.keys));
    let clash = |diagnostic| Error::Clash(Box::new(diagnostic));
    destinations.check_folders()?;
    destinations.check_inputs(sources, &files.paths).map_err(clash)?;
    let (above, below) = match owner {
        Owner::Caller => (own, files.config),
        _ => (Config::default(), own.and(files.config)),
    };
    let lock = above.lock.as_deref().or(flags.lock.lock.as_deref()).or(below.lock.as_deref());
    if let Some(lock) = lock {
        destinations.check_lock(lock, sources).map_err(clash)?;
    }
    let mut settings = Settings::new(flags, above, below, task)?;
    settings.options.unwritable = Unwritable {
        lock: lock_path(&settings).and_then(|lock| destinations.unwritable_lock(lock)),
        sources: destinations.unwritable_sources(sources),
    };
    Ok((settings, said))
}

/// The lock that a run records in, if there is one.
fn lock_path(settings: &Settings) -> Option<&Path> {
    let lock = settings.options.lock.as_ref();
    lock.filter(|lock| lock.mode == Mode::Record).map(|lock| lock.path.as_path())
}

/// The configuration files that apply.
#[derive(Debug, Default)]
struct ConfigFiles {
    /// Their paths.
    paths: Vec<PathBuf>,
    /// Their content, which is weaker than the flags.
    config: Config,
    /// The checkout's file, if it applies: somebody else may have written it.
    checkout: Option<String>,
    /// The keys that each sets, the strongest first.
    keys: Vec<(String, Vec<&'static str>)>,
}

impl ConfigFiles {
    /// Reads the configuration files of a call.
    ///
    /// # Errors
    /// One can't be read, is wrong, or sets what its owner must not set.
    fn read(flags: &Flags, checkout: CheckoutFile) -> Result<Self, Error> {
        let failed = |(errors, source): files::Errors| Error::new(errors, source.into());
        let mut read = Self::default();
        if let Some(path) = flags.config.config.as_ref().filter(|_| !flags.config.no_config) {
            read.add(files::named(path).map_err(failed)?);
        }
        // The gate is the caller's alone.
        if flags.config.no_config || flags.strict.strict {
            return Ok(read);
        }
        if flags.config.config.is_none()
            && checkout == CheckoutFile::Read
            && let Some(file) = files::of_checkout(Path::new(".")).map_err(failed)?
        {
            read.add(file);
            read.checkout = read.keys.last().map(|(name, _)| name.clone());
        }
        if let Some(file) = files::of_user().map_err(failed)? {
            read.add(file);
        }
        Ok(read)
    }

    /// Adds a weaker file.
    fn add(&mut self, file: ConfigFile) {
        self.keys.push((shown(&file.path), file.config.keys.clone()));
        self.paths.push(file.path);
        self.config = std::mem::take(&mut self.config).and(file.config);
    }

    /// The lines for stderr about the sources of the settings: the files that apply, and with `-v` the source of each setting. `own` is the owner of a function's configuration, with its keys.
    fn said(&self, flags: &Flags, own: (Option<Owner<'_>>, &[&'static str])) -> String {
        if flags.console.quiet {
            return String::new();
        }
        let applied = |(path, _): &(String, _)| {
            let of = if self.checkout.as_ref() == Some(path) { " of this checkout" } else { "" };
            format!("digestif: the configuration {path}{of} applies\n")
        };
        let applied: String = self.keys.iter().map(applied).collect();
        if flags.console.verbose == 0 {
            return applied;
        }
        let mut origins = Origins::default();
        let (owner, keys) = own;
        let is_trusted = owner == Some(Owner::Caller);
        if is_trusted {
            origins.add("functionConfig", keys);
        }
        origins.add_flags(&flags.origins);
        if !is_trusted {
            origins.add("functionConfig", keys);
        }
        for (name, keys) in &self.keys {
            origins.add(name, keys);
        }
        applied + &origins.text()
    }
}

/// Tells if the checkout's file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckoutFile {
    Read,
    Ignored,
}
