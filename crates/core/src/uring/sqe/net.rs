//! Operations on sockets.

use core::ffi::c_void;

use rustix::io_uring::{IoringAcceptFlags, IoringRecvFlags};

use super::{Opcode, Slot, Sqe};

impl Sqe {
    /// accept4(2). `address` and `address_len` may both be null.
    ///
    /// # Safety
    /// Both are null, or writable until the completion.
    pub unsafe fn accept(
        fd: i32,
        address: *mut c_void,
        address_len: *mut u32,
        flags: u32,
        slot: Slot,
    ) -> Self {
        Sqe {
            addr: address.addr() as u64,
            off: address_len.addr() as u64,
            op_flags: flags,
            extra: slot.encode(),
            ..Sqe::new(Opcode::Accept, fd)
        }
    }

    /// accept4(2) for each connection, until a completion without `more`.
    pub fn accept_multishot(fd: i32, flags: u32, slot: Slot) -> Self {
        Sqe {
            ioprio: IoringAcceptFlags::MULTISHOT.bits(),
            op_flags: flags,
            extra: slot.encode(),
            ..Sqe::new(Opcode::Accept, fd)
        }
    }

    /// connect(2).
    ///
    /// # Safety
    /// `address` is readable for `address_len` bytes until the entry is submitted.
    pub unsafe fn connect(fd: i32, address: *const c_void, address_len: u32) -> Self {
        Sqe {
            addr: address.addr() as u64,
            off: address_len.into(),
            ..Sqe::new(Opcode::Connect, fd)
        }
    }

    /// bind(2), Linux 6.11.
    ///
    /// # Safety
    /// As for [`connect`](Self::connect).
    pub unsafe fn bind(fd: i32, address: *const c_void, address_len: u32) -> Self {
        Sqe { addr: address.addr() as u64, off: address_len.into(), ..Sqe::new(Opcode::Bind, fd) }
    }

    /// listen(2), Linux 6.11.
    pub fn listen(fd: i32, backlog: i32) -> Self {
        Sqe { len: backlog as u32, ..Sqe::new(Opcode::Listen, fd) }
    }

    /// send(2), `flags` as there.
    ///
    /// # Safety
    /// `buf` is readable for `len` bytes until the completion.
    pub unsafe fn send(fd: i32, buf: *const u8, len: u32, flags: u32) -> Self {
        Sqe { addr: buf.addr() as u64, len, op_flags: flags, ..Sqe::new(Opcode::Send, fd) }
    }

    /// sendto(2), `flags` as there.
    ///
    /// # Safety
    /// `buf` is readable for `len` bytes and `address` for `address_len` until the completion.
    pub unsafe fn send_to(
        fd: i32,
        buf: *const u8,
        len: u32,
        flags: u32,
        address: *const c_void,
        address_len: u16,
    ) -> Self {
        // SAFETY: the caller's promise.
        let send = unsafe { Sqe::send(fd, buf, len, flags) };
        Sqe { off: address.addr() as u64, extra: address_extra(address_len), ..send }
    }

    /// sendmsg(2), `flags` as there.
    ///
    /// # Safety
    /// `message` is a struct msghdr; it and the memory it names stay valid until the completion.
    pub unsafe fn sendmsg(fd: i32, message: *const c_void, flags: u32) -> Self {
        Sqe {
            addr: message.addr() as u64,
            len: 1,
            op_flags: flags,
            ..Sqe::new(Opcode::Sendmsg, fd)
        }
    }

    /// send(2) without copying: a second completion tells when the buffer is free again.
    ///
    /// # Safety
    /// `buf` is readable for `len` bytes until that notification.
    pub unsafe fn send_zc(fd: i32, buf: *const u8, len: u32, flags: u32) -> Self {
        Sqe { addr: buf.addr() as u64, len, op_flags: flags, ..Sqe::new(Opcode::SendZc, fd) }
    }

    /// sendmsg(2) without copying.
    ///
    /// # Safety
    /// As for [`sendmsg`](Self::sendmsg), until the notification.
    pub unsafe fn sendmsg_zc(fd: i32, message: *const c_void, flags: u32) -> Self {
        Sqe {
            addr: message.addr() as u64,
            len: 1,
            op_flags: flags,
            ..Sqe::new(Opcode::SendmsgZc, fd)
        }
    }

    /// recv(2), `flags` as there.
    ///
    /// # Safety
    /// `buf` is writable for `len` bytes until the completion.
    pub unsafe fn recv(fd: i32, buf: *mut u8, len: u32, flags: u32) -> Self {
        Sqe { addr: buf.addr() as u64, len, op_flags: flags, ..Sqe::new(Opcode::Recv, fd) }
    }

    /// recv(2) for each arrival into a buffer of `group`, until a completion without `more`.
    pub fn recv_multishot(fd: i32, group: u16, flags: u32) -> Self {
        Sqe {
            ioprio: IoringRecvFlags::MULTISHOT.bits(),
            op_flags: flags,
            ..Sqe::new(Opcode::Recv, fd)
        }
        .select_buffer(group)
    }

    /// recvmsg(2), `flags` as there.
    ///
    /// # Safety
    /// `message` is a struct msghdr; it and the memory it names stay valid until the completion.
    pub unsafe fn recvmsg(fd: i32, message: *mut c_void, flags: u32) -> Self {
        Sqe {
            addr: message.addr() as u64,
            len: 1,
            op_flags: flags,
            ..Sqe::new(Opcode::Recvmsg, fd)
        }
    }

    /// recvmsg(2) for each arrival into a buffer of `group`, until a completion without `more`.
    ///
    /// # Safety
    /// `message` is a struct msghdr, readable until that completion.
    pub unsafe fn recvmsg_multishot(
        fd: i32,
        message: *const c_void,
        group: u16,
        flags: u32,
    ) -> Self {
        Sqe {
            ioprio: IoringRecvFlags::MULTISHOT.bits(),
            addr: message.addr() as u64,
            len: 1,
            op_flags: flags,
            ..Sqe::new(Opcode::Recvmsg, fd)
        }
        .select_buffer(group)
    }

    /// shutdown(2).
    pub fn shutdown(fd: i32, how: i32) -> Self {
        Sqe { len: how as u32, ..Sqe::new(Opcode::Shutdown, fd) }
    }

    /// socket(2), Linux 5.19.
    pub fn socket(domain: i32, kind: i32, protocol: i32, slot: Slot) -> Self {
        Sqe {
            off: kind as u64,
            len: protocol as u32,
            extra: slot.encode(),
            ..Sqe::new(Opcode::Socket, domain)
        }
    }
}

/// A 16-bit length at the start of a 32-bit place.
fn address_extra(len: u16) -> u32 {
    let [low, high] = len.to_ne_bytes();
    u32::from_ne_bytes([low, high, 0, 0])
}
