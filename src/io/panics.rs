//! Panics: a defect of digestif ends a run with one sentence and a status of its own. Nothing more is
//! written, and what was begun is removed while the stack unwinds.

use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::VERSION;
use crate::text::escape::escaped;

/// The exit status after a panic: an internal software error (`EX_SOFTWARE` of `sysexits.h`).
pub const STATUS: u8 = 70;

/// Runs something, and gives nothing back after a panic, which is then said on stderr.
pub fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    panic::set_hook(Box::new(said));
    panic::catch_unwind(AssertUnwindSafe(run)).ok()
}

/// Says once that there was a panic. Its message may hold a part of the input, and is not shown.
fn said(panic: &PanicHookInfo<'_>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let at = panic.location().map_or_else(String::new, |at| {
            format!(" at {}:{}", escaped(at.file()), at.line())
        });
        // If stderr is closed, no one can be told.
        let _ = writeln!(
            io::stderr(),
            "error: digestif {VERSION} has a defect{at} and stopped: please report this line, with the flags and, if you may show it, the input, as an issue of the project"
        );
    });
}
