#![no_std]
#![allow(dead_code)]
pub mod abi;
pub mod missing;
