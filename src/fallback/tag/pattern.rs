//! Patterns: a tag without what the next release changes, to find other tags of its series.

use super::roles::Role;
use super::scan;
use super::words::{self, Meaning};
use super::{Part, Reading, Version};

impl Reading {
    /// The text before the version and the text behind it; the `v` belongs to the first.
    #[must_use]
    pub fn around(&self) -> Option<(&str, &str)> {
        let mut at = 0;
        for part in &self.parts {
            let start = at + self.text[at..].find(&part.text)?;
            let end = start + part.text.len();
            if part.role == Role::Version {
                let v = usize::from(self.version.as_ref()?.v);
                return Some((&self.text[..start + v], &self.text[end..]));
            }
            at = end;
        }
        None
    }

    /// The version as it is written, without `v`.
    #[must_use]
    pub fn version_text(&self) -> Option<&str> {
        let (before, after) = self.around()?;
        Some(&self.text[before.len()..self.text.len() - after.len()])
    }

    /// The tag with a mark in place of each part that the next release changes: its version, the
    /// numbers of pre-releases and builds, a distribution's version and a commit. Tags of one series
    /// have one pattern.
    #[must_use]
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        let mut last = None;
        for part in &self.parts {
            let role = part.role;
            // `r` in `-r12` and `eks` in `-eks-1-27` say which kind of number it is.
            let word = part.text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
            let mark = match role {
                Role::Version => self.version_mark().to_owned(),
                Role::Build => format!("{word}{{build}}"),
                Role::Distribution => format!("{word}{{distribution}}"),
                Role::Hash => "{commit}".to_owned(),
                // `1.2.3` and `1.2.3-rc.1` are of one series; a rule says whether it takes both.
                Role::PreRelease | Role::Metadata => String::new(),
                _ => part.text.clone(),
            };
            // One mark stands for all pieces of `eks-1-27-10`.
            let is_marked = matches!(role, Role::Build | Role::Distribution);
            let is_more_of_it = is_marked && last == Some(role);
            if !is_more_of_it && !mark.is_empty() {
                pattern.push_str(part.separator);
                pattern.push_str(&mark);
            }
            last = Some(role);
        }
        pattern
    }

    /// The same pattern with or without a `v` before the version.
    #[must_use]
    pub fn pattern_with(&self, v: bool) -> String {
        let pattern = self.pattern();
        let mark = self.version_mark();
        let plain = mark.trim_start_matches('v');
        pattern.replacen(mark, &if v { format!("v{plain}") } else { plain.to_owned() }, 1)
    }

    fn version_mark(&self) -> &'static str {
        match &self.version {
            Some(Version { is_date: true, v: true, .. }) => "v{date}",
            Some(Version { is_date: true, .. }) => "{date}",
            Some(Version { v: true, .. }) => "v{version}",
            _ => "{version}",
        }
    }

    /// The text after the version, without what a distribution of Kubernetes has added and without
    /// metadata. The name of a distribution alone (`-gke`) is such an addition for what follows
    /// Kubernetes' versions; of other images it may be a flavour.
    #[must_use]
    pub fn suffix_without_distribution(&self) -> String {
        self.suffix_without(|part| match part.role {
            Role::Distribution | Role::Metadata => true,
            _ => words::meaning(&part.text) == Some(Meaning::Distribution),
        })
    }

    /// The part after the version, without the numbers of builds.
    #[must_use]
    pub fn suffix_without_builds(&self) -> String {
        self.suffix_without(|part| part.role == Role::Build)
    }

    fn suffix_without(&self, is_dropped: impl Fn(&Part) -> bool) -> String {
        let behind = self.parts.iter().skip_while(|part| part.role != Role::Version).skip(1);
        let kept = behind.filter(|part| !is_dropped(part));
        // No tag has a `+`.
        let separated = |part: &Part| part.separator.replace('+', "-") + &part.text;
        kept.map(separated).collect()
    }

    /// The tag without what stands behind a `+`, which no registry takes, if it has one. A flavour
    /// or an architecture there stays.
    #[must_use]
    pub fn without_metadata(self) -> Self {
        match self.around() {
            Some((before, after)) if after.contains('+') => {
                let version = self.version_text().unwrap_or_default();
                Self::of(&format!("{before}{version}{}", self.suffix_without_distribution()))
            }
            _ => self,
        }
    }

    /// The text after the version as a regular expression that matches what a distribution of Kubernetes
    /// adds to the next version as well; and what a template has instead, without that.
    #[must_use]
    pub fn generalised_suffix(&self) -> (String, String) {
        let behind = self.parts.iter().skip_while(|part| part.role != Role::Version).skip(1);
        let (mut pattern, mut kept) = (String::new(), String::new());
        let mut is_metadata = false;
        for part in behind {
            let is_dropped = matches!(part.role, Role::Distribution | Role::Metadata);
            is_metadata |= part.separator == "+";
            if is_dropped && part.separator == "+" {
                pattern.push_str("\\+[^-]*");
            } else if is_dropped && is_metadata && part.separator == "." {
                // The pattern for the piece before it fits it as well.
            } else if is_dropped {
                pattern.push_str(&regex::escape(part.separator).replace("\\-", "-"));
                pattern.push_str(&numbers_generalised(&part.text));
            } else {
                let separator = part.separator.replace('+', "-");
                kept.extend([&separator, &part.text].map(String::as_str));
                let separator = if part.separator == "+" { "\\+" } else { part.separator };
                pattern.push_str(&separator.replace('.', "\\."));
                pattern.push_str(&regex::escape(&part.text).replace("\\-", "-"));
            }
        }
        if self.text.ends_with('+') {
            pattern.push_str("\\+");
        }
        (pattern, kept)
    }
}

/// A word as a regular expression in which every number, and every commit, is any.
fn numbers_generalised(word: &str) -> String {
    if scan::is_hash(word) {
        return "[0-9a-f]+".to_owned();
    }
    let mut pattern = String::new();
    let mut is_number = false;
    for c in word.chars() {
        match c {
            '0'..='9' if is_number => {}
            '0'..='9' => pattern.push_str("[0-9]+"),
            c => pattern.push_str(&regex::escape(&c.to_string())),
        }
        is_number = c.is_ascii_digit();
    }
    pattern
}

/// A pattern as people write it, with a star for each mark.
#[must_use]
pub fn with_stars(pattern: &str) -> String {
    ["{version}", "{date}", "{build}", "{distribution}", "{commit}"]
        .iter()
        .fold(pattern.to_owned(), |pattern, mark| pattern.replace(mark, "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_one_series_have_one_pattern() {
        for (one, other, same) in [
            ("v1.2.3", "v1.3.0", true),
            ("v1.2.3", "1.3.0", false),
            ("main-v1.2.3", "main-v1.2.2", true),
            ("15-alpine", "16-alpine", true),
            ("15-alpine3.19", "16-alpine3.20", false),
            ("1.2.5-debian-12-r3", "1.2.4-debian-12-r10", true),
            ("1.2.5-debian-12-r3", "1.2.4-debian-12", false),
            ("2024.01.15", "2024.02.01", true),
            ("RELEASE.2021-10-07T04-19-58Z", "RELEASE.2021-10-08T23-58-24Z", true),
            ("v20231226-1a7112e06", "v20231011-8b53cabe0", true),
            ("1.2.3", "1.2.3-rc.1", true),
            ("release-1.21", "release-1.20", true),
        ] {
            let equal = Reading::of(one).pattern() == Reading::of(other).pattern();
            assert_eq!(equal, same, "{one} {other}");
        }
    }
}
