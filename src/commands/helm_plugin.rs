//! Helm plugin: lets Helm 4 run this binary, as it takes the name of a plugin where Helm 3 took a
//! program's.
//!
//! Owns the plugin's folder: its `plugin.yaml`, and beside that a link to the binary, or a copy of it.
//! Helm splits a command at spaces and then expands its variables, without a way to escape either, so
//! that a path with a space can't be written. A folder that somebody else has filled is refused.

use std::path::{self, Path, PathBuf};
use std::{env, fs, io};

use super::outcome::Error;
use crate::cli::HelmPlugin;
use crate::diagnostic::{Diagnostic, Location, failed};
use crate::io::atomic::Rewrite;
use crate::io::delivery::replace;
use crate::io::rename;
use crate::text::Origin;
use crate::text::escape::quoted;
use crate::text::path::{shown, slashed};

/// The first line of every `plugin.yaml` that digestif writes. A later run recognises it.
const MARK: &str = "# Written by `digestif helm-plugin`, which may replace it.\n";

/// The name of the plugin, of its folder and of the program in that.
const NAME: &str = "digestif";

/// The result of a command.
#[derive(Debug)]
pub struct Said {
    /// The text for stdout.
    pub text: String,
    /// Warnings for the user.
    pub warnings: Vec<Diagnostic>,
}

/// How Helm gets at the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access<'p> {
    /// A link beside the `plugin.yaml`.
    Link,
    /// The path in the `plugin.yaml`: Windows lets few people make links.
    Path(&'p str),
    /// A copy beside the `plugin.yaml`, where there is no link and the path can't be written.
    Copy,
}

impl<'p> Access<'p> {
    fn to(binary: &'p Path, makes_links: bool) -> Self {
        match written(binary) {
            _ if makes_links => Self::Link,
            Ok(path) => Self::Path(path),
            Err(_) => Self::Copy,
        }
    }

    /// The command in the `plugin.yaml`.
    fn command(self) -> String {
        match self {
            Self::Path(path) => path.to_owned(),
            Self::Link | Self::Copy => {
                format!("${{HELM_PLUGIN_DIR}}{}{}", path::MAIN_SEPARATOR, program())
            }
        }
    }
}

/// The name of the link or the copy.
fn program() -> String {
    format!("{NAME}{}", env::consts::EXE_SUFFIX)
}

/// Prints or installs the plugin.
///
/// # Errors
/// The path of this binary can't be written into a `plugin.yaml`, the folder of plugins is not
/// known or holds what is not ours, something can't be written, or a signal came before anything
/// was.
pub fn run(action: HelmPlugin) -> Result<Said, Error> {
    let binary = env::current_exe().map_err(|error| {
        failed(&format!("the path of this binary can't be found: {error}"))
            .help("write the plugin.yaml by hand; the one in the project's folder `helm` shows how")
    })?;
    match action {
        HelmPlugin::Print => Ok(Said { text: manifest(written(&binary)?), warnings: Vec::new() }),
        HelmPlugin::Install => install(&binary),
    }
}

fn install(binary: &Path) -> Result<Said, Error> {
    let plugins = plugins()?;
    let folder = plugins.join(NAME);
    let program = folder.join(program());
    let access = Access::to(binary, cfg!(unix));
    fs::create_dir_all(&folder).map_err(|error| unusable(&folder, &error))?;
    refuse_foreign(&folder, &program, access)?;
    // First, as a folder with our mark in it is one that a second try may complete.
    let new = manifest(&access.command());
    replace(&[Rewrite { path: &folder.join("plugin.yaml"), old: None, new: &new }])?;
    let made = match access {
        Access::Link => link(binary, &program),
        Access::Path(_) => Ok(()),
        Access::Copy => copy(binary, &program),
    };
    made.map_err(|error| unusable(&program, &error))?;
    let text = format!(
        "Installed in {}, to run {}{}.\n\
         With Helm 4: helm upgrade --install NAME CHART --post-renderer {NAME}\n",
        shown(&folder),
        if access == Access::Copy { "a copy of " } else { "" },
        shown(binary),
    );
    let copied = (access == Access::Copy).then(|| stays_behind(binary));
    let shared = is_shared(&plugins).then(|| shared_with_helm_3(&folder));
    let warnings = copied.into_iter().chain(shared).collect();
    Ok(Said { text, warnings })
}

/// A `plugin.yaml` (`apiVersion: v1`) of a plugin that runs this command.
fn manifest(command: &str) -> String {
    format!(
        "{MARK}\
         apiVersion: v1\n\
         type: postrenderer/v1\n\
         name: {NAME}\n\
         version: {}\n\
         runtime: subprocess\n\
         runtimeConfig:\n\
         \x20 platformCommand:\n\
         \x20   - command: '{}'\n",
        env!("CARGO_PKG_VERSION"),
        command.replace('\'', "''"),
    )
}

/// A path as the command of a `plugin.yaml`, if it can be one.
fn written(binary: &Path) -> Result<&str, Diagnostic> {
    let changes = |c: char| c == ' ' || c == '$' || c.is_control();
    binary.to_str().filter(|path| !path.contains(changes)).ok_or_else(|| {
        let path = quoted(&slashed(binary));
        failed(&format!("Helm can't run {path} as it is written"))
            .note("note", "Helm splits a command at spaces, and replaces what follows a `$`")
            .help("`digestif helm-plugin install` works with every path; or move the binary")
    })
}

/// The first folder in which Helm looks for plugins; `helm env HELM_PLUGINS` prints them.
fn plugins() -> Result<PathBuf, Diagnostic> {
    if let Some(folders) = env::var_os("HELM_PLUGINS") {
        let first = env::split_paths(&folders).find(|folder| !folder.as_os_str().is_empty());
        // Helm does not fall back to its default then: it finds no plugin.
        return first.ok_or_else(|| {
            failed("`HELM_PLUGINS` is set, but does not name a folder")
                .help("unset it, or set it to the folder with the plugins of Helm 4")
        });
    }
    let own = variable("HELM_DATA_HOME").map(|home| home.join("plugins"));
    own.or_else(default_plugins).ok_or_else(|| {
        failed("the folder of Helm's plugins is not known")
            .help("set `HELM_PLUGINS` to it; `helm env HELM_PLUGINS` prints it")
    })
}

/// The folder that Helm 3 and Helm 4 share, unless a variable of Helm names another one.
fn default_plugins() -> Option<PathBuf> {
    let home = || match env::consts::OS {
        "windows" => variable("APPDATA"),
        "macos" => variable("HOME").map(|home| home.join("Library")),
        _ => variable("HOME").map(|home| home.join(".local/share")),
    };
    Some(variable("XDG_DATA_HOME").or_else(home)?.join("helm").join("plugins"))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn is_shared(plugins: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    default_plugins().is_some_and(|default| real(&default) == real(plugins))
}

/// Helm 3 does not know `apiVersion`, and loads no plugin where it can't load them all.
fn shared_with_helm_3(folder: &Path) -> Diagnostic {
    let message = "if you also use Helm 3, it now loads none of its plugins";
    Diagnostic::warning(message.to_owned())
        .location(file(folder))
        .note("note", "Helm 3 and Helm 4 share this folder, and Helm 3 can't read plugins of Helm 4")
        .help("remove the folder again, set `HELM_PLUGINS` to another one for Helm 4, and install there; without Helm 3, you need to do nothing")
}

/// Helm runs a copy, which an update of the binary leaves as it is.
fn stays_behind(binary: &Path) -> Diagnostic {
    Diagnostic::warning("Helm runs a copy, which no update reaches".to_owned())
        .location(file(binary))
        .note("note", "Helm splits a command at spaces, and replaces what follows a `$`")
        .help("run `digestif helm-plugin install` again after each update, or move the binary to a path without spaces and `$`")
}

/// The folder must be digestif's own, or must not exist.
fn refuse_foreign(folder: &Path, program: &Path, access: Access<'_>) -> Result<(), Diagnostic> {
    let manifest = folder.join("plugin.yaml");
    let ours = match fs::read(&manifest) {
        Ok(text) => text.starts_with(MARK.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::read_dir(folder).map_err(|error| unusable(folder, &error))?.next().is_none()
        }
        Err(error) => return Err(unusable(&manifest, &error)),
    };
    // A file that is no copy of ours may be the binary itself.
    let free = access == Access::Copy
        || fs::symlink_metadata(program).map_or(true, |found| found.is_symlink());
    if ours && free {
        return Ok(());
    }
    Err(failed("the folder has files that `digestif helm-plugin` did not write")
        .location(file(if ours { program } else { folder }))
        .help(
            "move it away, or remove it with `helm plugin uninstall digestif`; nothing was written",
        ))
}

/// Puts a link in place of the one that is there, in one step.
#[cfg(unix)]
fn link(binary: &Path, at: &Path) -> io::Result<()> {
    let new = at.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => std::os::unix::fs::symlink(binary, &new)?,
    }
    fs::rename(new, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Puts a copy in place of the one that is there, in one step. The binary may be that copy itself.
fn copy(binary: &Path, at: &Path) -> io::Result<()> {
    if fs::canonicalize(at).is_ok_and(|at| fs::canonicalize(binary).is_ok_and(|own| own == at)) {
        return Ok(());
    }
    let folder = at.parent().unwrap_or(Path::new("."));
    let new = tempfile::Builder::new().prefix(".digestif-").tempfile_in(folder)?.into_temp_path();
    fs::copy(binary, &new)?;
    rename::over(new, at)
}

fn unusable(path: &Path, error: &io::Error) -> Diagnostic {
    failed(&format!("the plugin can't be written: {error}"))
        .location(file(path))
        .help("check the path, its permissions and the space on the disk; then try again")
}

fn file(path: &Path) -> Location {
    Location::File(Origin::File(path.to_owned()).display_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_only_where_helm_leaves_it_as_it_is() {
        for path in ["/usr/bin/digestif", "/it's/digestif", "/a=b/é#:{}/digestif"] {
            assert_eq!(written(Path::new(path)).expect("plain"), path);
        }
        for path in ["/my tools/digestif", "/$HOME/digestif", "/a\nb/digestif"] {
            let error = written(Path::new(path)).expect_err("refused");
            assert_eq!(error.message, format!("Helm can't run {} as it is written", quoted(path)));
        }
    }

    #[test]
    fn without_links_a_path_that_cannot_be_written_is_copied() {
        let plain = r"C:\tools\digestif.exe";
        for (path, links, access) in [
            (plain, false, Access::Path(plain)),
            (r"C:\Program Files\digestif.exe", false, Access::Copy),
            (r"C:\Users\Jane Doe\digestif.exe", false, Access::Copy),
            (r"C:\$tools\digestif.exe", false, Access::Copy),
            ("/my tools/digestif", true, Access::Link),
        ] {
            assert_eq!(Access::to(Path::new(path), links), access, "{path}");
        }
        assert_eq!(Access::Path(plain).command(), plain);
        assert!(Access::Copy.command().starts_with("${HELM_PLUGIN_DIR}"));
    }

    #[test]
    fn a_copy_replaces_an_older_one_and_leaves_itself_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [binary, at] = ["new", "digestif.exe"].map(|name| folder.path().join(name));
        fs::write(&binary, "new").expect("writable");
        fs::write(&at, "old").expect("writable");
        copy(&binary, &at).expect("copied");
        assert_eq!(fs::read_to_string(&at).expect("readable"), "new");
        copy(&at, &at).expect("nothing to do");
        assert_eq!(fs::read_to_string(&at).expect("readable"), "new");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2);
    }
}
