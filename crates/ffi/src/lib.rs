//! uvring-ffi: events become libuv's handles, requests and callbacks.
//!
//! The C API and ABI of libuv 1.53, as literal `extern "C"` functions. A file uses only layers
//! below its own:
//!
//! ```text
//!   uvring                                   our own functions
//!   loop_/{run,poll,life,...}  close  dispatch      the turns, and who gets which event
//!   tcp  udp/  pipe/  poll  async  timer  idle  prepare  check  stream/  fs/  threadpool/
//!   phase  loop_/{call,watch}                what several kinds of handle share
//!   handle  req  metrics  names  getters     what all handles and requests share
//!   thread/  os/  inet  pair  misc  time  errors  version      leaves: no loop needed
//!   missing/                                 what is not there yet
//!   mem  status                              the allocator; Errno to int, in one place each
//!   abi/                                     types that cross into C
//! ```
//!
//! What is in `missing/` answers `UV_ENOSYS` and stands in MATRIX.md.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod r#async;
pub mod check;
pub mod close;
mod dispatch;
pub mod errors;
pub mod fs;
pub mod getters;
pub mod handle;
pub mod idle;
pub mod inet;
pub mod loop_;
pub mod mem;
pub mod metrics;
pub mod misc;
pub mod missing;
pub mod names;
pub mod os;
pub mod pair;
mod phase;
pub mod pipe;
pub mod poll;
pub mod prepare;
pub mod req;
mod status;
pub mod stream;
pub mod tcp;
pub mod thread;
pub mod threadpool;
pub mod time;
pub mod timer;
pub mod udp;
pub mod uvring;
pub mod version;
