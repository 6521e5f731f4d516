//! Any text as the input of a function: a list with added results is a valid list again.

#![no_main]

use digestif::diagnostic::Diagnostic;
use digestif::krm::{self, Function};
use digestif::settings::trust::Owner;
use digestif::text::{Origin, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(source) = Source::new(Origin::Stdin, text.to_vec()) else { return };
    let sources = [source];
    let Some(function) = Function::of(&sources) else { return };
    for owner in [Owner::Caller, Owner::Manifests] {
        // An error is a message, not a defect.
        let _ = function.config(&sources[0], owner);
    }
    let results = krm::failures(&[Diagnostic::warning("a result".to_owned())]);
    let Ok(given) = function.with_results(&sources[0], &results) else { return };
    let given = Source::new(Origin::Stdin, given.into_bytes()).expect("it is text");
    assert!(krm::list(&given).is_ok(), "{}", given.text());
});
