//! Any header: the challenge parser ends, and what it finds is a part of the header.

#![no_main]

use digestif::registry::Challenge;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let lines: Vec<_> = header.split('\n').collect();
    if let Some(Challenge::Bearer(bearer)) = Challenge::find(lines.iter().copied()) {
        let letters: String = header.chars().filter(|&c| c != '\\').collect();
        let realm: String = bearer.realm.chars().filter(|&c| c != '\\').collect();
        assert!(letters.contains(&realm), "{bearer:?}");
    }
});
