//! Base: the images that `--only-changed` leaves out of a check, as they were there before.

use std::collections::BTreeSet;
use std::path::Path;

use super::outcome::{Error, Sources};
use crate::diagnostic::{failed, usage};
use crate::io::exclusions::Exclusions;
use crate::io::{input, revision};
use crate::plan::{Name, Plan};
use crate::text::Source;
use crate::text::escape::quoted;
use crate::{Empty, Options};

/// The images of a base: of a folder, or of what the files of the input were in a git revision. An
/// image counts by its full name with tag and digest, wherever it stands.
///
/// # Errors
/// It is neither of the two, or can't be read.
pub(super) fn images(
    base: &str,
    sources: &Sources,
    options: &Options,
) -> Result<BTreeSet<Name>, Error> {
    let is_folder = Path::new(base).is_dir();
    let before = if is_folder { of_folder(base)? } else { of_revision(base, sources)? };
    let found = crate::locate(&before, &options.scope, Empty::Allowed);
    let plan = Plan::new(&found.places, &options.skips);
    Ok(plan.entries.into_iter().map(|entry| entry.name).collect())
}

fn of_folder(base: &str) -> Result<Vec<Source>, Error> {
    let excluded = Exclusions::new(&[]).expect("there is no glob that could be wrong");
    let reading = input::Reading { excluded, own: Vec::new(), links: input::Links::Inside };
    Ok(input::files(&[base.into()], reading)?.sources)
}

fn of_revision(base: &str, sources: &Sources) -> Result<Vec<Source>, Error> {
    let paths: Option<Vec<&Path>> = sources.iter().map(|source| source.origin().path()).collect();
    let Some(paths) = paths else {
        let message = format!(
            "`--only-changed`: {} is not a folder, and a git revision does not contain stdin",
            quoted(base)
        );
        let help = "name the files, or a folder with the earlier manifests";
        return Err(usage(&message).help(help).into());
    };
    let mut before = Vec::new();
    for path in paths {
        let text = revision::text(base, path).map_err(|reason| {
            let message = format!("`--only-changed`: {} can't be read: {reason}", quoted(base));
            let help =
                "name a folder, or a revision of the files' repository, such as `origin/main`";
            failed(&message).help(help)
        })?;
        before.extend(text);
    }
    Ok(before)
}
