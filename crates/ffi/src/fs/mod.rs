//! File operations. Source: the manual's page on them.
//!
//! What holds for all `uv_fs_*` functions:
//!
//! - Without a callback (NULL) the operation is done when the call returns, which answers the
//!   result; the loop is not looked at and may be NULL. With a callback the call answers 0 and the
//!   callback comes from the loop, never from within the call.
//! - The result stands in `req->result`: 0 or more, or an error code.
//! - `UV_EINVAL` for a NULL request, a NULL path, a callback without a loop; `UV_ENOMEM` when
//!   there is no memory. A call that answers an error has no callback.
//! - Safety: `loop` is NULL or an initialised loop of this thread; `req` is NULL or valid for
//!   writes, and with a callback stays valid until it has come; paths are NULL or C strings, and
//!   are copied only when there is a callback.
//! - `uv_fs_req_cleanup` gives back whatever the request holds.
//!
//! ```text
//!   io  entry  stat  link  attributes  times  copy  scandir  dir  temp    the operations
//!   send  entries                      moving bytes; reading a folder
//!   request  ring                      the life of a request; operations in the ring
//!   now  mounts  opened                attempts that never wait, and what makes them safe
//!   route  sys                         which way it goes; what calls answer
//! ```

pub mod attributes;
pub mod copy;
pub mod dir;
mod entries;
pub mod entry;
pub mod io;
pub mod link;
mod mounts;
mod now;
mod opened;
pub mod request;
pub(crate) mod ring;
mod route;
pub mod scandir;
pub mod send;
pub mod stat;
mod sys;
pub mod temp;
pub mod times;

#[cfg(test)]
mod ring_tests;
#[cfg(test)]
mod tests;
