//! Any text as a lock: a lock that was read and written reads the same again.

#![no_main]

use digestif::lock::Lock;
use digestif::text::{Origin, Source};
use libfuzzer_sys::fuzz_target;

fn read(text: &[u8]) -> Option<Lock> {
    let source = Source::new(Origin::Stdin, text.to_vec()).ok()?;
    Lock::parse(&source).ok()
}

fuzz_target!(|text: &[u8]| {
    let Some(lock) = read(text) else { return };
    let written = lock.text();
    let again = read(written.as_bytes()).expect("the written lock can be read");
    assert_eq!(again.text(), written);
    assert!(again.images().eq(lock.images()), "{written}");
});
