//! Any text: a parsed reference has a full name that parses to the same reference, and can be
//! pinned.

#![no_main]

use digestif::image::{Algorithm, Digest, PinForm, Reference, Written};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(written) = text.parse::<Written>() else { return };
    assert_eq!(written.text(), text);
    assert_eq!(written.reference().to_string().parse().as_ref(), Ok(written.reference()));
    let Reference::Tagged(tagged) = written.reference() else { return };
    let digest = Digest::of(Algorithm::Sha256, text.as_bytes());
    for form in [PinForm::TagDigest, PinForm::Digest] {
        let Ok(Reference::Pinned(pinned)) = written.pinned(&digest, form).parse() else {
            panic!("the pinned form does not parse");
        };
        assert_eq!((pinned.digest, &pinned.repository), (digest.clone(), &tagged.repository));
    }
});
