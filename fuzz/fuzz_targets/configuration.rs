//! Any text as a configuration of each owner: a weaker owner may never set more than a stronger
//! one.

#![no_main]

use std::path::Path;

use digestif::settings::reading;
use digestif::settings::trust::Owner;
use digestif::text::{Origin, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(source) = Source::new(Origin::Stdin, text.to_vec()) else { return };
    let is_read = |owner| reading::read(&source, owner).is_ok();
    let by_caller = is_read(Owner::Caller);
    assert_eq!(by_caller, is_read(Owner::User));
    assert!(by_caller || !is_read(Owner::Checkout { root: Path::new("/") }));
    assert!(by_caller || !is_read(Owner::Manifests));
});
