//! Paths as messages and reports show them: with slashes on every system, as Windows takes both, and as
//! SARIF and everything that compares reports of two systems need them.

use std::path::Path;

use super::escape::escaped;

/// A path for a message, [`escaped`].
#[must_use]
pub fn shown(path: &Path) -> String {
    escaped(&slashed(path))
}

/// A path for a machine-readable report.
#[must_use]
pub fn slashed(path: &Path) -> String {
    let text = path.display().to_string();
    if cfg!(windows) { without_backslashes(&text) } else { text }
}

/// A path of Windows with slashes, and without the prefix of paths after all links (`\\?\`), which some
/// programs can't open.
fn without_backslashes(path: &str) -> String {
    let plain = match path.strip_prefix(r"\\?\") {
        Some(rest) => match rest.strip_prefix(r"UNC\") {
            Some(share) => format!(r"\\{share}"),
            None => rest.to_owned(),
        },
        None => path.to_owned(),
    };
    plain.replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows_have_slashes_and_no_prefix() {
        for (path, expected) in [
            (r"deploy\sub/web.yaml", "deploy/sub/web.yaml"),
            (r"C:\Users\Jane Doe\web.yaml", "C:/Users/Jane Doe/web.yaml"),
            (r"\\?\C:\site\web.yaml", "C:/site/web.yaml"),
            (r"\\?\UNC\server\share\web.yaml", "//server/share/web.yaml"),
            (r"\\server\share\web.yaml", "//server/share/web.yaml"),
            ("web.yaml", "web.yaml"),
        ] {
            assert_eq!(without_backslashes(path), expected);
        }
    }

    #[test]
    fn a_backslash_is_a_part_of_a_name_where_it_separates_nothing() {
        let expected = if cfg!(windows) { "a/b" } else { r"a\b" };
        assert_eq!(slashed(Path::new(r"a\b")), expected);
    }
}
