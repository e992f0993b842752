//! Functions of libuv that are not there yet, by the page of its manual.
//!
//! Each answers what a program can tell from success: `UV_ENOSYS`, NULL or the type's neutral
//! value. Whoever writes one takes it out of here; MATRIX.md counts what is left.
#![allow(unused_variables, reason = "the names are for the header")]

