//! Per-send options: checked, kept in the request, and told to the kernel in control messages.

use core::ffi::{c_int, c_uint, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicU8, Ordering};

use libc::{msghdr, sockaddr_in, sockaddr_in6};

use super::{fd_of, sys};
use crate::abi::*;
use crate::handle::{Handle, flag};

const KNOWN: c_uint = UVRING_UDP_SEND_TOS | UVRING_UDP_SEND_SEGMENT | UVRING_UDP_SEND_PKTINFO;

/// The largest datagram's length is told in 16 bits.
const LONGEST: c_uint = u16::MAX as c_uint;

/// Checked options, small enough for the private bytes of a request.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Options {
    flags: c_uint,
    tos: c_int,
    ifindex: c_uint,
    segment_size: u16,
    /// Whether the first four bytes of `source` are an IPv4 address, not all an IPv6 one.
    is_v4: bool,
    source: [u8; 16],
}

const _: () = assert!(size_of::<Options>() <= size_of::<uv__req_scratch>());
const _: () = assert!(align_of::<Options>() <= align_of::<uv__req_scratch>());

/// Room for one datagram's control messages.
#[repr(C, align(8))]
pub(super) struct Room([MaybeUninit<u8>; ROOM]);

/// Two types of service, a segment size, a packet's way.
const ROOM: usize = 2 * space::<c_int>() + space::<u16>() + space::<libc::in6_pktinfo>();

const fn space<T>() -> usize {
    // SAFETY: arithmetic only.
    unsafe { libc::CMSG_SPACE(size_of::<T>() as c_uint) as usize }
}

impl Room {
    pub(super) const fn new() -> Self {
        Self([MaybeUninit::uninit(); ROOM])
    }
}

impl Options {
    pub(super) const NONE: Self =
        Self { flags: 0, tos: 0, ifindex: 0, segment_size: 0, is_v4: false, source: [0; 16] };

    /// What the program asks for.
    ///
    /// # Errors
    /// `UV_EINVAL` for an unknown flag or a value out of range.
    ///
    /// # Safety
    /// `asked` is NULL (nothing is asked for) or valid.
    pub(super) unsafe fn of(asked: *const uvring_udp_send_opts_t) -> Result<Self, c_int> {
        // SAFETY: the caller's promise.
        let Some(asked) = (unsafe { asked.as_ref() }) else { return Ok(Self::NONE) };
        let mut options = Self { flags: asked.flags, ..Self::NONE };
        if asked.flags & !KNOWN != 0 {
            return Err(UV_EINVAL);
        }
        if options.has(UVRING_UDP_SEND_TOS) {
            if !(0..=255).contains(&asked.tos) {
                return Err(UV_EINVAL);
            }
            options.tos = asked.tos;
        }
        if options.has(UVRING_UDP_SEND_SEGMENT) {
            if !(1..=LONGEST).contains(&asked.segment_size) {
                return Err(UV_EINVAL);
            }
            options.segment_size = asked.segment_size as u16;
        }
        if options.has(UVRING_UDP_SEND_PKTINFO) {
            options.ifindex = asked.ifindex;
            let source = &raw const asked.src;
            // SAFETY: the storage has room for an address of the family it names.
            unsafe {
                match c_int::from(asked.src.ss_family) {
                    libc::AF_INET => {
                        let addr = (*source.cast::<sockaddr_in>()).sin_addr.s_addr;
                        options.is_v4 = true;
                        options.source[..4].copy_from_slice(&addr.to_ne_bytes());
                    }
                    libc::AF_INET6 => {
                        options.source = (*source.cast::<sockaddr_in6>()).sin6_addr.s6_addr;
                    }
                    _ => return Err(UV_EINVAL),
                }
            }
        }
        Ok(options)
    }

    fn has(&self, bits: c_uint) -> bool {
        self.flags & bits != 0
    }

    /// Whether the handle, which has a socket, and the kernel can do it: 0, `UV_EINVAL` for an IPv6
    /// source of an IPv4 socket, `UV_ENOTSUP` for segments that the kernel does not know.
    pub(super) fn fit(&self, udp: &uv_udp_t) -> c_int {
        if self.has(UVRING_UDP_SEND_PKTINFO) && !self.is_v4 && !udp.has(flag::IPV6) {
            return UV_EINVAL;
        }
        if self.has(UVRING_UDP_SEND_SEGMENT) && !cuts_segments(fd_of(udp)) {
            return UV_ENOTSUP;
        }
        0
    }

    /// Keeps the options in the request.
    pub(super) fn store(&self, req: &uv_udp_send_t) {
        // SAFETY: the bytes are the request's own, large enough and aligned, and cells.
        unsafe { kept(req).write(*self) };
    }

    /// The options of a request that went through [`Self::store`].
    pub(super) fn load(req: &uv_udp_send_t) -> Self {
        // SAFETY: written by `store`.
        unsafe { kept(req).read() }
    }

    /// Adds the control messages to a datagram's header.
    ///
    /// # Safety
    /// `room` stays until the header was used.
    pub(super) unsafe fn attach(&self, udp: &uv_udp_t, header: &mut msghdr, room: &mut Room) {
        if self.flags == 0 {
            return;
        }
        header.msg_control = ptr::from_mut(room).cast::<c_void>();
        header.msg_controllen = 0;
        let ipv6 = udp.has(flag::IPV6);
        // SAFETY: `ROOM` has space for all that can come together.
        unsafe {
            if self.has(UVRING_UDP_SEND_TOS) {
                // An IPv6 socket may send to an IPv4 address; each protocol passes over the
                // other's message.
                if ipv6 {
                    push(header, libc::SOL_IPV6, libc::IPV6_TCLASS, &self.tos);
                }
                push(header, libc::SOL_IP, libc::IP_TOS, &self.tos);
            }
            if self.has(UVRING_UDP_SEND_SEGMENT) {
                push(header, libc::SOL_UDP, libc::UDP_SEGMENT, &self.segment_size);
            }
            if self.has(UVRING_UDP_SEND_PKTINFO) {
                if ipv6 {
                    push(header, libc::SOL_IPV6, libc::IPV6_PKTINFO, &self.way_v6());
                } else {
                    push(header, libc::SOL_IP, libc::IP_PKTINFO, &self.way_v4());
                }
            }
        }
    }

    fn way_v4(&self) -> libc::in_pktinfo {
        let [a, b, c, d, ..] = self.source;
        libc::in_pktinfo {
            ipi_ifindex: self.ifindex as c_int,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes([a, b, c, d]) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        }
    }

    fn way_v6(&self) -> libc::in6_pktinfo {
        let mut s6_addr = self.source;
        if self.is_v4 {
            // An IPv4 address of an IPv6 socket.
            s6_addr = [0; 16];
            s6_addr[10] = 0xff;
            s6_addr[11] = 0xff;
            s6_addr[12..].copy_from_slice(&self.source[..4]);
        }
        libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr }, ipi6_ifindex: self.ifindex as _ }
    }
}

/// Where a request keeps its options.
fn kept(req: &uv_udp_send_t) -> *mut Options {
    // SAFETY: any bits are plain words.
    let words = unsafe { &req.reserved.words };
    words.as_ptr().cast_mut().cast()
}

/// Appends one control message.
///
/// # Safety
/// `msg_control` has room for it behind `msg_controllen`.
unsafe fn push<T>(header: &mut msghdr, level: c_int, kind: c_int, value: &T) {
    // SAFETY: the caller's promise; control messages are aligned as `Room` is, their data perhaps
    // less than `T`.
    unsafe {
        let at = header.msg_control.cast::<u8>().add(header.msg_controllen);
        let message = at.cast::<libc::cmsghdr>();
        let len = libc::CMSG_LEN(size_of::<T>() as c_uint);
        ptr::write_bytes(at, 0, space::<T>());
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = len as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(ptr::read(value));
        header.msg_controllen += space::<T>();
    }
}

/// Whether the kernel cuts segments (Linux 4.18): one that does not would send the whole.
fn cuts_segments(fd: c_int) -> bool {
    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    match ANSWER.load(Ordering::Relaxed) {
        UNKNOWN => match sys::get(fd, libc::SOL_UDP, libc::UDP_SEGMENT) {
            Ok(_) => {
                ANSWER.store(YES, Ordering::Relaxed);
                true
            }
            Err(UV_ENOPROTOOPT) => {
                ANSWER.store(NO, Ordering::Relaxed);
                false
            }
            // A socket of another kind than UDP: sending will tell.
            Err(_) => true,
        },
        answer => answer == YES,
    }
}
