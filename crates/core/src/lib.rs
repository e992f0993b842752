//! uvring-core: system calls become events.
//!
//! no_std, no allocation, and nothing global but two notes about the process: whether the kernel
//! refuses it a ring, and which child of a fork it is. A file uses only layers below its own:
//!
//! ```text
//!   driver/mod                   the seam: watch, submit, wait, next, fd
//!   driver/{epoll,uring,sim,sim_absent}     one backend each
//!   driver/beside                a ring beside epoll
//!   driver/entry                 from requests to entries of a ring
//!   driver/fresh                 watches that the kernel does not know yet
//!   driver/glance                a look at many watches at once
//!   driver/queue                 watches in line
//!   driver/{watch,op}            what crosses the seam
//!   uring/{setup,map,sq,cq,sqe,buf_ring,probe,process}    one part of a ring each
//!   epoll   socket   file   wake                  one kernel object each
//!   list    wheel    mpsc   clock   fd   {fetch,fetch_absent}    plain data structures
//! ```
//!
//! Everything that must outlive a call is owned by the caller and linked in
//! place, so nothing here allocates and nothing can run out of memory.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod clock;
pub mod driver;
pub mod epoll;
pub mod fd;
#[cfg(target_arch = "x86_64")]
mod fetch;
#[cfg(not(target_arch = "x86_64"))]
#[path = "fetch_absent.rs"]
mod fetch;
pub mod file;
pub mod list;
pub mod mpsc;
pub mod socket;
pub mod uring;
pub mod wake;
pub mod wheel;

pub use rustix::io::Errno;

/// Result of a system call: the kernel's error number, never a panic.
pub type Result<T> = core::result::Result<T, Errno>;
