//! Generalised: the regular expression and the template that lead from one tag to another, and for
//! the next version too where only the spelling differs.

use super::tag::Reading;

/// A regular expression over a whole tag, and what to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewrite {
    pub(super) tag: String,
    pub(super) template: String,
}

impl Rewrite {
    /// Leads from exactly this tag to that.
    pub(super) fn literal(asked: &Reading, found: &Reading) -> Self {
        Self { tag: escaped(asked.text()), template: found.text().to_owned() }
    }

    /// Leads from tags of the form of the first to tags of the form of the second. None where the
    /// difference says nothing about other versions.
    pub(super) fn general(asked: &Reading, found: &Reading) -> Option<Self> {
        same_version(asked, found)
            .or_else(|| line(asked, found))
            .or_else(|| same_commit(asked, found))
    }
}

/// Both have the same version in the same spelling: it is kept, and what is around it is exchanged.
fn same_version(asked: &Reading, found: &Reading) -> Option<Rewrite> {
    let ((mut before, after), (mut new_before, new_after)) = (asked.around()?, found.around()?);
    if asked.version_text()? != found.version_text()? {
        return None;
    }
    let mut v = "";
    if let (Some(rest), Some(new_rest)) = (before.strip_suffix('v'), new_before.strip_suffix('v')) {
        (before, new_before, v) = (rest, new_rest, "v?");
    }
    let before = escaped(before);
    if after == new_after {
        let tag = format!("{before}({v}[0-9].*)");
        return Some(Rewrite { tag, template: format!("{new_before}$1") });
    }
    // Only what a distribution of Kubernetes, or a build, has added is another for the next version.
    if new_after != asked.suffix_without_distribution() {
        return None;
    }
    let (dropped, kept) = asked.generalised_suffix();
    let tag = format!("{before}({v}[0-9][0-9.]*){dropped}");
    Some(Rewrite { tag, template: format!("{new_before}$1{kept}") })
}

/// The second has the start of the first's version: `release-1.2` for `v1.2.3`.
fn line(asked: &Reading, found: &Reading) -> Option<Rewrite> {
    let ((before, after), (new_before, new_after)) = (asked.around()?, found.around()?);
    let (version, start) = (asked.version_text()?, found.version_text()?);
    version.strip_prefix(start)?.strip_prefix('.')?;
    let numbers = vec!["[0-9]+"; start.split('.').count()].join("\\.");
    let tag = format!("{}({numbers})\\.[0-9.]+{}", escaped(before), escaped(after));
    Some(Rewrite { tag, template: format!("{new_before}$1{new_after}") })
}

/// Both name the same commit, with the same digits.
fn same_commit(asked: &Reading, found: &Reading) -> Option<Rewrite> {
    let commit = asked.commit().filter(|commit| found.commit() == Some(*commit))?;
    let (before, after) = asked.text().split_once(commit)?;
    let (new_before, new_after) = found.text().split_once(commit)?;
    let tag = format!("{}([0-9a-f]+){}", escaped(before), escaped(after));
    Some(Rewrite { tag, template: format!("{new_before}${{1}}{new_after}") })
}

/// A text as a regular expression. A dash needs no backslash outside of brackets.
pub(super) fn escaped(text: &str) -> String {
    regex::escape(text).replace("\\-", "-")
}
