//! Every file of the project can be checked out on Windows and on file systems that ignore case.

use std::collections::BTreeMap;
use std::path::Path;

use walkdir::WalkDir;

/// Names of devices. Windows reserves them with any extension (Microsoft, "Naming Files, Paths, and
/// Namespaces").
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The reason why Windows refuses this file name, if it does.
fn refused(name: &str) -> Option<&'static str> {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let is_port = ["com", "lpt"]
        .iter()
        .any(|port| stem.strip_prefix(port).is_some_and(|n| matches!(n.as_bytes(), [b'0'..=b'9'])));
    if DEVICES.contains(&stem.as_str()) || is_port {
        return Some("it is the name of a device");
    }
    if name.ends_with(['.', ' ']) {
        return Some("it ends with a period or a blank");
    }
    if name.chars().any(|c| c.is_control() || "<>:\"|?*\\".contains(c)) {
        return Some("it has a character that is reserved");
    }
    None
}

#[test]
fn names_that_windows_reserves_are_known() {
    for name in
        ["nul", "NUL.yaml", "aux.tar.gz", "com1", "LPT9.txt", "a.", "a ", "a:b", "a?", "con .x"]
    {
        assert!(refused(name).is_some(), "{name}");
    }
    for name in ["null", "nul-byte", "com", "com10", "console.rs", "a.b", ".gitignore"] {
        assert_eq!(refused(name), None, "{name}");
    }
}

#[test]
fn every_file_can_be_checked_out_on_windows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = BTreeMap::new();
    let is_ours = |name: &str| name != "target" && name != ".git";
    let entries = WalkDir::new(root).min_depth(1).into_iter();
    for entry in entries.filter_entry(|entry| entry.file_name().to_str().is_none_or(is_ours)) {
        let entry = entry.expect("the project can be read");
        let name = entry.file_name().to_str().expect("names are UTF-8");
        let path = entry.path().strip_prefix(root).expect("it is below").display().to_string();
        assert_eq!(refused(name), None, "{path}");
        if let Some(other) = seen.insert(path.to_lowercase(), path.clone()) {
            panic!("{other} and {path} differ in case only");
        }
    }
    assert!(seen.len() > 300, "{}", seen.len());
}
