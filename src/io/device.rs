//! Device: the names of Windows that are no file in any folder, as `NUL`, and `/dev/null` for it, so that
//! `-o /dev/null` writes nowhere on every system.

use std::path::{Path, PathBuf};

/// Names of devices in every folder (Microsoft, 'Naming Files, Paths, and Namespaces').
const NAMES: [&str; 6] = ["NUL", "CON", "CONIN$", "CONOUT$", "PRN", "AUX"];

/// Numbered devices.
const NUMBERED: [&str; 2] = ["COM", "LPT"];

/// The device that a path names on this system by its name alone.
pub(crate) fn of(path: &Path) -> Option<PathBuf> {
    if cfg!(windows) { named(path.to_str()?).map(PathBuf::from) } else { None }
}

/// The device that a path names on Windows. `nul.yaml` is a file there since Windows 11.
fn named(path: &str) -> Option<String> {
    if path == "/dev/null" {
        return Some("NUL".to_owned());
    }
    let name = path.rsplit(['/', '\\']).next()?.trim_end_matches([' ', ':']).to_ascii_uppercase();
    let is_numbered = NUMBERED.iter().any(|device| {
        name.strip_prefix(device).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']))
    });
    (is_numbered || NAMES.contains(&name.as_str())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_known_by_name_in_every_folder() {
        for (path, device) in [
            ("/dev/null", Some("NUL")),
            ("NUL", Some("NUL")),
            ("nul", Some("NUL")),
            (r"C:\work\nul", Some("NUL")),
            (r"\\.\NUL", Some("NUL")),
            ("NUL:", Some("NUL")),
            ("deploy/com1", Some("COM1")),
            ("CONOUT$", Some("CONOUT$")),
            ("nul.yaml", None),
            ("com0", None),
            ("com10", None),
            ("annul", None),
            ("NUL/web.yaml", None),
            ("/dev/nul/x", None),
            ("", None),
        ] {
            assert_eq!(named(path).as_deref(), device, "{path}");
        }
    }

    #[test]
    fn elsewhere_a_device_is_known_by_what_it_is() {
        assert_eq!(of(Path::new("NUL")).is_some(), cfg!(windows));
    }
}
