//! Any text as the index of an image layout: it is read or refused.

#![no_main]

use std::fs;

use digestif::registry::Layouts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)
        .expect("writable");
    fs::write(folder.path().join("index.json"), text).expect("writable");
    let folders = [folder.path().to_owned()];
    if let Err(errors) = Layouts::read(&folders) {
        assert!(!errors.is_empty());
    }
});
