//! Exclusions: the paths of a directory that `--exclude` leaves out.

use std::collections::BTreeSet;
use std::path::Path;

use globset::{GlobSet, GlobSetBuilder};

use crate::diagnostic::{Diagnostic, RuleId};
use crate::image::glob_of;
use crate::text::escape::quoted;

/// The globs of `--exclude`, and which of them were of use.
#[derive(Debug)]
pub struct Exclusions {
    globs: Vec<String>,
    set: GlobSet,
    used: BTreeSet<usize>,
}

impl Exclusions {
    /// Reads globs, in which `*` stays within a path segment and `**` does not.
    ///
    /// # Errors
    /// The error of the first bad one.
    pub fn new(globs: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let plain = glob.strip_prefix("./").unwrap_or(glob);
            let plain = plain.strip_suffix('/').unwrap_or(plain);
            set.add(glob_of(plain).map_err(|error| error.to_string())?);
        }
        let set = set.build().map_err(|error| error.to_string())?;
        Ok(Self { globs: globs.to_vec(), set, used: BTreeSet::new() })
    }

    /// True if a path is left out, by its name from the named directory on, or by its whole name.
    pub(super) fn fit(&mut self, path: &Path, named: &Path) -> bool {
        let whole = path.strip_prefix(".").unwrap_or(path);
        let below = path.strip_prefix(named).unwrap_or(path);
        let fitting = [whole, below].map(|path| self.set.matches(path)).concat();
        let fits = !fitting.is_empty();
        self.used.extend(fitting);
        fits
    }

    /// Warnings about globs that fitted nothing.
    pub(super) fn idle(&self) -> impl Iterator<Item = Diagnostic> {
        let idle = self.globs.iter().enumerate().filter(|(n, _)| !self.used.contains(n));
        idle.map(|(_, glob)| {
            Diagnostic::warning(format!("{} of `--exclude` matches nothing", quoted(glob)))
                .of(RuleId::Idle)
                .help("a glob must match a whole path, as it was named or relative to the named directory: `old/**`, `**/*.json`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_whole_paths_and_those_below_the_named_directory() {
        for (glob, path, named, fits) in [
            ("old/**", "./old/b.yaml", ".", true),
            ("./old/**", "./old/b.yaml", ".", true),
            ("old/", "./old", ".", true),
            ("old/**", "deploy/old/b.yaml", "deploy", true),
            ("deploy/old/**", "deploy/old/b.yaml", "deploy", true),
            ("deploy/old/**", "deploy/old/b.yaml", "./deploy/", true),
            ("/a/old/**", "/a/old/b.yaml", "/a", true),
            ("old/**", "deploy/old/b.yaml", ".", false),
            ("*.yaml", "deploy/old/b.yaml", "deploy", false),
        ] {
            let mut globs = Exclusions::new(&[glob.to_owned()]).expect("valid");
            assert_eq!(globs.fit(Path::new(path), Path::new(named)), fits, "{glob} {path}");
            assert_eq!(globs.idle().count(), usize::from(!fits), "{glob} {path}");
        }
    }
}
