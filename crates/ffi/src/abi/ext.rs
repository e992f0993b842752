//! Types and values of `uvring.h`: what uvring offers beyond libuv's interface.

use core::ffi::{c_int, c_uint};

use libc::sockaddr_storage;

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

/// Facts of a datagram, or'ed: what uvring_udp_set_recv_info asks for and uvring_udp_recv_info has.
pub type uvring_udp_recv_flags = c_uint;
/// The type of service, with the ECN bits.
pub const UVRING_UDP_RECV_TOS: uvring_udp_recv_flags = 1;
/// Hops it may still travel.
pub const UVRING_UDP_RECV_TTL: uvring_udp_recv_flags = 2;
/// The address it was sent to, and the interface it came in on.
pub const UVRING_UDP_RECV_PKTINFO: uvring_udp_recv_flags = 4;
/// The kernel may put datagrams of one sender together, each but the last of the same length.
pub const UVRING_UDP_RECV_GRO: uvring_udp_recv_flags = 8;

/// Members of [`uvring_udp_send_opts_s`] that count, or'ed.
pub type uvring_udp_send_flags = c_uint;
/// `tos`.
pub const UVRING_UDP_SEND_TOS: uvring_udp_send_flags = 1;
/// `segment_size`.
pub const UVRING_UDP_SEND_SEGMENT: uvring_udp_send_flags = 2;
/// `src` and `ifindex`.
pub const UVRING_UDP_SEND_PKTINFO: uvring_udp_send_flags = 4;

/// What is known of a datagram besides its bytes and its sender.
#[repr(C)]
pub struct uvring_udp_recv_info_s {
    /// Which of the following are known: `UVRING_UDP_RECV_*`.
    pub valid: c_uint,
    /// Type of service or traffic class; the lower two bits are ECN.
    pub tos: c_int,
    /// Hops left.
    pub ttl: c_int,
    /// Interface it came in on.
    pub ifindex: c_uint,
    /// Bytes of each of the datagrams that were put together, but the last.
    pub segment_size: c_uint,
    /// Address it was sent to; the port is 0.
    pub dst: sockaddr_storage,
}
/// See [`uvring_udp_recv_info_s`].
pub type uvring_udp_recv_info_t = uvring_udp_recv_info_s;

/// How one datagram is to be sent.
#[repr(C)]
pub struct uvring_udp_send_opts_s {
    /// Which of the following count: `UVRING_UDP_SEND_*`.
    pub flags: c_uint,
    /// Type of service or traffic class, 0 to 255; the lower two bits are ECN.
    pub tos: c_int,
    /// The kernel cuts the bytes into datagrams of this many, 1 to 65535; the last may be shorter.
    pub segment_size: c_uint,
    /// Interface to send from; 0 is any.
    pub ifindex: c_uint,
    /// Address to send from; its port does not count.
    pub src: sockaddr_storage,
}
/// See [`uvring_udp_send_opts_s`].
pub type uvring_udp_send_opts_t = uvring_udp_send_opts_s;
