//! `FUZZ_TARGET` says which one: see `fuzz/run`.
#![no_main]
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<erp_fuzz::Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names one of the targets");
        let found = erp_fuzz::ALL.iter().find(|(known, _)| *known == name);
        TARGET.set(found.expect("a target of fuzz/src/lib.rs").1).expect("once");
        if erp_fuzz::CATCHES.contains(&name.as_str()) {
            // Panics of the libraries are caught and become an answer: what counts is that nothing else gets through.
            std::panic::set_hook(Box::new(|_| {}));
        }
    },
    |data: &[u8]| TARGET.get().expect("set above")(data)
);
