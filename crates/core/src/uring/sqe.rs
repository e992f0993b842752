//! One submission entry: 64 bytes that say what the kernel is to do.
//!
//! A constructor that names memory is an `unsafe fn`: the memory must stay valid until the
//! completion, or until the ring is gone, once the entry was pushed. Pushing is safe then.
//! Descriptors are plain numbers, as in the system calls; a wrong one is answered with an error.
//!
//! `net` and `file` hold the operations on sockets and files, this file those of the ring itself.

mod file;
mod net;

use rustix::io_uring::{
    IORING_FILE_INDEX_ALLOC, IoringMsgringCmds, IoringMsgringFlags, IoringOp, IoringPollFlags,
};
pub use rustix::io_uring::{
    IoringAsyncCancelFlags as CancelFlags, IoringSqeFlags as SqeFlags,
    IoringTimeoutFlags as TimeoutFlags, Timespec,
};

/// struct io_uring_sqe, with one name for each place. io_uring_enter(2) tells what a place means
/// to an operation.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sqe {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    off: u64,
    addr: u64,
    len: u32,
    op_flags: u32,
    user_data: u64,
    buf: u16,
    personality: u16,
    extra: u32,
    addr3: u64,
    pad: u64,
}

const _: () = assert!(size_of::<Sqe>() == 64);

macro_rules! opcodes {
    ($($name:ident = $value:expr),* $(,)?) => {
        /// The operations that [`Sqe`] can encode.
        #[allow(missing_docs, reason = "named as in io_uring_enter(2)")]
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Opcode { $($name = $value as u8),* }

        impl Opcode {
            /// Every operation that [`Sqe`] can encode.
            pub const ALL: &'static [Opcode] = &[$(Opcode::$name),*];
        }
    };
}

opcodes! {
    Nop = IoringOp::Nop, Readv = IoringOp::Readv, Writev = IoringOp::Writev,
    Fsync = IoringOp::Fsync, PollAdd = IoringOp::PollAdd, PollRemove = IoringOp::PollRemove,
    SyncFileRange = IoringOp::SyncFileRange, Sendmsg = IoringOp::Sendmsg,
    Recvmsg = IoringOp::Recvmsg, Timeout = IoringOp::Timeout,
    TimeoutRemove = IoringOp::TimeoutRemove, Accept = IoringOp::Accept,
    AsyncCancel = IoringOp::AsyncCancel, LinkTimeout = IoringOp::LinkTimeout,
    Connect = IoringOp::Connect, Fallocate = IoringOp::Fallocate, Openat = IoringOp::Openat,
    Close = IoringOp::Close, Statx = IoringOp::Statx, Read = IoringOp::Read,
    Write = IoringOp::Write, Fadvise = IoringOp::Fadvise, Madvise = IoringOp::Madvise,
    Send = IoringOp::Send, Recv = IoringOp::Recv, Openat2 = IoringOp::Openat2,
    EpollCtl = IoringOp::EpollCtl, Splice = IoringOp::Splice,
    ProvideBuffers = IoringOp::ProvideBuffers, RemoveBuffers = IoringOp::RemoveBuffers,
    Tee = IoringOp::Tee, Shutdown = IoringOp::Shutdown, Renameat = IoringOp::Renameat,
    Unlinkat = IoringOp::Unlinkat, Mkdirat = IoringOp::Mkdirat, Symlinkat = IoringOp::Symlinkat,
    Linkat = IoringOp::Linkat, MsgRing = IoringOp::MsgRing, Socket = IoringOp::Socket,
    SendZc = IoringOp::SendZc, SendmsgZc = IoringOp::SendmsgZc,
    ReadMultishot = IoringOp::ReadMultishot, Ftruncate = IoringOp::Ftruncate,
    Bind = IoringOp::Bind, Listen = IoringOp::Listen,
}

/// Where an operation that yields a descriptor puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Into the process's table, as the system call does.
    Process,
    /// Into this place of the ring's table of registered files.
    Registered(u32),
    /// Into any free place of the ring's table of registered files.
    AnyRegistered,
}

impl Slot {
    fn encode(self) -> u32 {
        match self {
            Slot::Process => 0,
            Slot::Registered(index) => index.wrapping_add(1),
            Slot::AnyRegistered => IORING_FILE_INDEX_ALLOC as u32,
        }
    }
}

// What every entry may carry.
impl Sqe {
    fn new(opcode: Opcode, fd: i32) -> Self {
        Sqe { opcode: opcode as u8, fd, ..Sqe::default() }
    }

    /// What the completion will carry.
    #[must_use]
    pub fn user_data(self, user_data: u64) -> Self {
        Sqe { user_data, ..self }
    }

    /// Adds `IOSQE_*` bits.
    #[must_use]
    pub fn flags(self, flags: SqeFlags) -> Self {
        Sqe { flags: self.flags | flags.bits(), ..self }
    }

    /// Acts with the credentials registered under this number.
    #[must_use]
    pub fn personality(self, personality: u16) -> Self {
        Sqe { personality, ..self }
    }

    /// Takes the descriptor for a place in the ring's table of registered files.
    #[must_use]
    pub fn registered_file(self) -> Self {
        self.flags(SqeFlags::FIXED_FILE)
    }

    /// Lets the kernel pick a buffer of `group` instead of the one named, which then counts by its
    /// length only.
    #[must_use]
    pub fn select_buffer(self, group: u16) -> Self {
        Sqe { buf: group, ..self.flags(SqeFlags::BUFFER_SELECT) }
    }

    /// Sets the `ioprio` place: an I/O priority, or bits such as `IORING_RECVSEND_POLL_FIRST`.
    #[must_use]
    pub fn ioprio(self, ioprio: u16) -> Self {
        Sqe { ioprio: self.ioprio | ioprio, ..self }
    }

    /// What the completion will carry, as set.
    pub fn get_user_data(&self) -> u64 {
        self.user_data
    }

    /// The operation's number.
    pub fn opcode(&self) -> u8 {
        self.opcode
    }

    /// The entry as the kernel will read it.
    pub fn to_bytes(&self) -> [u8; 64] {
        // SAFETY: plain integers without padding, and both types have 64 bytes.
        unsafe { core::mem::transmute(*self) }
    }
}

// Polls, timeouts, cancelling, messages and buffers: operations on the ring itself.
impl Sqe {
    /// Does nothing.
    pub fn nop() -> Self {
        Sqe::new(Opcode::Nop, -1)
    }

    /// One report of `events` (poll(2) bits) on `fd`.
    pub fn poll_add(fd: i32, events: u32) -> Self {
        Sqe { op_flags: poll_bits(events), ..Sqe::new(Opcode::PollAdd, fd) }
    }

    /// A report each time that `events` arrive anew, until a completion without `more`.
    pub fn poll_multishot(fd: i32, events: u32) -> Self {
        Sqe { len: IoringPollFlags::ADD_MULTI.bits(), ..Sqe::poll_add(fd, events) }
    }

    /// Ends the poll that carries `target`.
    pub fn poll_remove(target: u64) -> Self {
        Sqe { addr: target, ..Sqe::new(Opcode::PollRemove, -1) }
    }

    /// Changes the poll that carries `target`: its events, what it carries, or both.
    pub fn poll_update(target: u64, events: Option<u32>, carry: Option<u64>, multi: bool) -> Self {
        let mut flags = IoringPollFlags::empty();
        flags.set(IoringPollFlags::UPDATE_EVENTS, events.is_some());
        flags.set(IoringPollFlags::UPDATE_USER_DATA, carry.is_some());
        flags.set(IoringPollFlags::ADD_MULTI, multi && events.is_some());
        Sqe {
            len: flags.bits(),
            off: carry.unwrap_or(0),
            op_flags: poll_bits(events.unwrap_or(0)),
            ..Sqe::poll_remove(target)
        }
    }

    /// Completes after `time`, or once `count` other completions came (0: time only).
    ///
    /// # Safety
    /// `time` is readable until the entry is submitted.
    pub unsafe fn timeout(time: *const Timespec, count: u32, flags: TimeoutFlags) -> Self {
        Sqe {
            addr: time.addr() as u64,
            len: 1,
            off: count.into(),
            op_flags: flags.bits(),
            ..Sqe::new(Opcode::Timeout, -1)
        }
    }

    /// Ends the timeout that carries `target`.
    pub fn timeout_remove(target: u64) -> Self {
        Sqe { addr: target, ..Sqe::new(Opcode::TimeoutRemove, -1) }
    }

    /// Gives the timeout that carries `target` another time.
    ///
    /// # Safety
    /// As for [`timeout`](Self::timeout).
    pub unsafe fn timeout_update(target: u64, time: *const Timespec, flags: TimeoutFlags) -> Self {
        Sqe {
            off: time.addr() as u64,
            op_flags: (flags | TimeoutFlags::UPDATE).bits(),
            ..Sqe::timeout_remove(target)
        }
    }

    /// Bounds the time of the linked entry before this one.
    ///
    /// # Safety
    /// As for [`timeout`](Self::timeout).
    pub unsafe fn link_timeout(time: *const Timespec, flags: TimeoutFlags) -> Self {
        Sqe {
            addr: time.addr() as u64,
            len: 1,
            op_flags: flags.bits(),
            ..Sqe::new(Opcode::LinkTimeout, -1)
        }
    }

    /// Cancels the request that carries `target`.
    pub fn cancel(target: u64, flags: CancelFlags) -> Self {
        Sqe { addr: target, op_flags: flags.bits(), ..Sqe::new(Opcode::AsyncCancel, -1) }
    }

    /// Cancels a request on `fd`, or with `ALL` every one.
    pub fn cancel_fd(fd: i32, flags: CancelFlags) -> Self {
        Sqe { op_flags: (flags | CancelFlags::FD).bits(), ..Sqe::new(Opcode::AsyncCancel, fd) }
    }

    /// Puts a completion with `result` and `carry` into the ring `ring_fd`, with `cqe_flags` if given.
    pub fn msg_ring(ring_fd: i32, result: i32, carry: u64, cqe_flags: Option<u32>) -> Self {
        let mut flags = IoringMsgringFlags::empty();
        flags.set(IoringMsgringFlags::FLAGS_PASS, cqe_flags.is_some());
        Sqe {
            addr: IoringMsgringCmds::Data as u64,
            len: result as u32,
            off: carry,
            op_flags: flags.bits(),
            extra: cqe_flags.unwrap_or(0),
            ..Sqe::new(Opcode::MsgRing, ring_fd)
        }
    }

    /// Lends `count` buffers of `len` bytes each, the first at `addr` with number `first`.
    ///
    /// # Safety
    /// The buffers stay valid and untouched until completions hand them back.
    pub unsafe fn provide_buffers(
        addr: *mut u8,
        len: i32,
        count: u16,
        group: u16,
        first: u16,
    ) -> Self {
        Sqe {
            addr: addr.addr() as u64,
            len: len as u32,
            off: first.into(),
            buf: group,
            ..Sqe::new(Opcode::ProvideBuffers, count.into())
        }
    }

    /// Takes back up to `count` buffers of `group`.
    pub fn remove_buffers(count: u16, group: u16) -> Self {
        Sqe { buf: group, ..Sqe::new(Opcode::RemoveBuffers, count.into()) }
    }

    /// epoll_ctl(2) with `op` on `fd`.
    ///
    /// # Safety
    /// `event` is null or readable until the entry is submitted.
    pub unsafe fn epoll_ctl(
        epoll_fd: i32,
        op: i32,
        fd: i32,
        event: *const core::ffi::c_void,
    ) -> Self {
        Sqe {
            addr: event.addr() as u64,
            len: op as u32,
            off: fd as u64,
            ..Sqe::new(Opcode::EpollCtl, epoll_fd)
        }
    }
}

/// The kernel reads the event bits as two 16-bit halves, the low one first in memory.
fn poll_bits(events: u32) -> u32 {
    let [a, b, c, d] = events.to_le_bytes();
    let (low, high) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let [[a, b], [c, d]] = [low.to_ne_bytes(), high.to_ne_bytes()];
    u32::from_ne_bytes([a, b, c, d])
}
