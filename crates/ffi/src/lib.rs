#![no_std]
#![allow(dead_code)]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod missing;
pub mod errors;
pub mod inet;
pub mod mem;
mod status;
pub mod time;
pub mod version;
pub mod getters;
pub mod misc;
pub mod pair;
pub mod thread;
