//! libuvring: the functions of uvring-ffi as a shared and a static C library.
//!
//! Nothing lives here but what a library without std must bring itself: the panic handler, and
//! a symbol for debug builds.
#![no_std]

mod personality;

pub use uvring_ffi::*;

use core::fmt::{self, Write};

/// The process's standard error output, unbuffered.
struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: `rest` is a live slice and `write` reads at most its length.
            let written = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(count @ 1..) => rest = rest.get(count..).unwrap_or_default(),
                // Nobody to tell: the process is about to abort.
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// A panic is a bug of the library: it is named, and the process ends.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // A failed write changes nothing about what follows.
    let _ = writeln!(Stderr, "uvring: {info}");
    // SAFETY: abort takes nothing and does not return.
    unsafe { libc::abort() }
}
