//! A name that lightly optimised builds want and only std has.
//!
//! The prebuilt `core` was made for unwinding, so functions of it may refer to
//! `rust_eh_personality`. Our panics abort and no release build keeps the reference, but a debug
//! build does not link without the symbol. It is hidden, so no program sees it, and weak, so it
//! gives way to std's in a Rust program that links our archive.
use core::arch::global_asm;

// Only an exception of C++ that crosses frames of a debug build could call it: 0xcc traps.
global_asm!(
    ".pushsection .text.rust_eh_personality, \"ax\", @progbits",
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    ".type rust_eh_personality, @function",
    "rust_eh_personality:",
    ".fill 8, 1, 0xcc",
    ".size rust_eh_personality, . - rust_eh_personality",
    ".popsection",
);
