//! Any header: the challenge parser ends, and each parsed value is a part of the header, without
//! control characters.

#![no_main]

use digestif::registry::Challenge;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let lines: Vec<_> = header.split('\n').collect();
    if let Some(Challenge::Bearer(bearer)) = Challenge::find(lines.iter().copied()) {
        let letters: String = header.chars().filter(|&c| c != '\\').collect();
        let realm: String = bearer.realm.chars().filter(|&c| c != '\\').collect();
        assert!(letters.contains(&realm), "{bearer:?}");
        let parts = [Some(&bearer.realm), bearer.service.as_ref(), bearer.scope.as_ref()];
        assert!(
            !parts.into_iter().flatten().any(|part| part.contains(char::is_control)),
            "{bearer:?}"
        );
    }
});
