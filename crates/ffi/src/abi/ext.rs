//! Types and values of `uvring.h`: what uvring offers beyond libuv's interface.

use core::ffi::c_uint;

/// What uvring_loop_configure sets.
pub type uvring_option = c_uint;
/// Which backend a loop runs on: one of `UVRING_BACKEND_*`.
pub const UVRING_BACKEND: uvring_option = 0;
/// For how long a loop spins before it sleeps, in microseconds; 0 is off.
pub const UVRING_SPIN_US: uvring_option = 1;
/// Whether a callback's writes on one stream are gathered; 0 is off.
pub const UVRING_COALESCE: uvring_option = 2;
/// Whether `UV_FS_EVENT_RECURSIVE` has an effect; 0, the default, is off, as in libuv on Linux.
pub const UVRING_FS_EVENT_RECURSIVE: uvring_option = 3;

/// Values of [`UVRING_BACKEND`].
pub type uvring_backend = c_uint;
/// epoll for descriptors, and a ring made at the first operation that gains from it.
pub const UVRING_BACKEND_AUTO: uvring_backend = 0;
/// Never a ring.
pub const UVRING_BACKEND_EPOLL: uvring_backend = 1;
/// A ring for everything, or epoll where the kernel refuses it.
pub const UVRING_BACKEND_IO_URING: uvring_backend = 2;
