//! uvring-ffi: events become libuv's handles, requests and callbacks.
//!
//! The C API and ABI of libuv 1.53, as literal `extern "C"` functions. A file uses only layers
//! below its own:
//!
//! ```text
//!   uvring                                   our own functions
//!   loop_/{run,poll,life,config,walk}        a loop's life and its turns
//!   dispatch  close  cancel  descriptor      what looks at a handle's or request's kind
//!   listen  fs_poll                          taking connections, whatever their kind; stat at intervals
//!   tcp  tty  udp/  pipe/  poll  async  timer  idle  prepare  check  fs_event/
//!   fs/  dns/  process/  signal/  random
//!   threadpool/                              work on other threads
//!   stream/  phase                           what several kinds of handle share
//!   loop_/{call,watch,registry}              going out into C; descriptors of a loop
//!   handle  req  metrics  loop_/{mod,finished}    what all handles, requests and loops share
//!   thread/  os/  dl  wtf8  inet  pair  misc  names  getters  time  linger  errors  version      leaves: no loop needed
//!   mem  status                              the allocator; Errno to int, in one place each
//!   abi/                                     types that cross into C
//! ```
//!
//! MATRIX.md lists all functions and where each is tested.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod r#async;
pub mod cancel;
pub mod check;
pub mod close;
pub mod descriptor;
mod dispatch;
pub mod dl;
pub mod dns;
pub mod errors;
pub mod fs;
pub mod fs_event;
pub mod fs_poll;
pub mod getters;
pub mod handle;
pub mod idle;
pub mod inet;
mod linger;
pub mod listen;
pub mod loop_;
pub mod mem;
pub mod metrics;
pub mod misc;
pub mod names;
pub mod os;
pub mod pair;
mod phase;
pub mod pipe;
pub mod poll;
pub mod prepare;
pub mod process;
pub mod random;
pub mod req;
pub mod signal;
mod status;
pub mod stream;
pub mod tcp;
pub mod thread;
pub mod threadpool;
pub mod time;
pub mod timer;
pub mod tty;
pub mod udp;
pub mod uvring;
pub mod version;
pub mod wtf8;
