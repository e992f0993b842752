//! The oracle: every entry that core encodes equals what the `io-uring` crate encodes, byte for
//! byte, over arbitrary field values.

use std::collections::BTreeSet;

use io_uring::{opcode as op, squeue, types};
use proptest::prelude::*;
use uvring_core::uring::sqe::{CancelFlags, SqeFlags, TimeoutFlags};
use uvring_core::uring::{Opcode, Slot, Sqe};

/// One arbitrary value for each kind of field that any operation has.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    fd: i32,
    fd2: i32,
    a: usize,
    b: usize,
    len: u32,
    len64: u64,
    offset: u64,
    flags: u32,
    mode: u32,
    group: u16,
    count: u16,
    target: u64,
    slot: u32,
    yes: bool,
    user_data: u64,
    sqe_flags: u8,
    personality: u16,
}

prop_compose! {
    fn fields()(
        (fd, fd2, a, b, len, len64) in any::<(i32, i32, usize, usize, u32, u64)>(),
        (offset, flags, mode, group, count) in any::<(u64, u32, u32, u16, u16)>(),
        (target, slot, yes, user_data) in any::<(u64, u32, bool, u64)>(),
        (sqe_flags, personality) in (0u8..128, any::<u16>()),
    ) -> Fields {
        // The crate refuses the two highest slots.
        let slot = slot % (u32::MAX - 2);
        Fields { fd, fd2, a, b, len, len64, offset, flags, mode, group, count, target, slot, yes,
                 user_data, sqe_flags, personality }
    }
}

type Pair = (Opcode, &'static str, Sqe, squeue::Entry);

fn bytes(entry: squeue::Entry) -> [u8; 64] {
    // SAFETY: `Entry` is a transparent 64-byte struct of integers.
    unsafe { std::mem::transmute(entry) }
}

fn slots(f: &Fields) -> [(Slot, Option<types::DestinationSlot>); 3] {
    [
        (Slot::Process, None),
        // A slot that the crate refused would show as a difference.
        (Slot::Registered(f.slot), types::DestinationSlot::try_from_slot_target(f.slot).ok()),
        (Slot::AnyRegistered, Some(types::DestinationSlot::auto_target())),
    ]
}

fn poll_and_timeout_pairs(f: &Fields) -> Vec<Pair> {
    let time = f.a as *const types::Timespec;
    let timeout_flags = types::TimeoutFlags::ABS | types::TimeoutFlags::ETIME_SUCCESS;
    let ours = TimeoutFlags::ABS | TimeoutFlags::ETIME_SUCCESS;
    // SAFETY: none of these entries is pushed into a ring, so nobody reads the memory.
    unsafe {
        vec![
            (Opcode::Nop, "nop", Sqe::nop(), op::Nop::new().build()),
            (
                Opcode::PollAdd,
                "poll_add",
                Sqe::poll_add(f.fd, f.flags),
                op::PollAdd::new(types::Fd(f.fd), f.flags).build(),
            ),
            (
                Opcode::PollAdd,
                "poll_multishot",
                Sqe::poll_multishot(f.fd, f.flags),
                op::PollAdd::new(types::Fd(f.fd), f.flags).multi(true).build(),
            ),
            (
                Opcode::PollRemove,
                "poll_remove",
                Sqe::poll_remove(f.target),
                op::PollRemove::new(f.target).build(),
            ),
            (
                Opcode::Timeout,
                "timeout",
                Sqe::timeout(time.cast(), f.len, ours),
                op::Timeout::new(time).count(f.len).flags(timeout_flags).build(),
            ),
            (
                Opcode::TimeoutRemove,
                "timeout_remove",
                Sqe::timeout_remove(f.target),
                op::TimeoutRemove::new(f.target).build(),
            ),
            (
                Opcode::TimeoutRemove,
                "timeout_update",
                Sqe::timeout_update(f.target, time.cast(), ours),
                op::TimeoutUpdate::new(f.target, time).flags(timeout_flags).build(),
            ),
            (
                Opcode::LinkTimeout,
                "link_timeout",
                Sqe::link_timeout(time.cast(), ours),
                op::LinkTimeout::new(time).flags(timeout_flags).build(),
            ),
        ]
    }
}

fn cancel_pairs(f: &Fields) -> Vec<Pair> {
    vec![
        (
            Opcode::AsyncCancel,
            "cancel",
            Sqe::cancel(f.target, CancelFlags::empty()),
            op::AsyncCancel::new(f.target).build(),
        ),
        (
            Opcode::AsyncCancel,
            "cancel all",
            Sqe::cancel(f.target, CancelFlags::ALL),
            op::AsyncCancel2::new(types::CancelBuilder::user_data(f.target).all()).build(),
        ),
        (
            Opcode::AsyncCancel,
            "cancel any",
            Sqe::cancel(0, CancelFlags::ANY),
            op::AsyncCancel2::new(types::CancelBuilder::any()).build(),
        ),
        (
            Opcode::AsyncCancel,
            "cancel_fd",
            Sqe::cancel_fd(f.fd, CancelFlags::empty()),
            op::AsyncCancel2::new(types::CancelBuilder::fd(types::Fd(f.fd))).build(),
        ),
        (
            Opcode::AsyncCancel,
            "cancel_fd registered, all",
            Sqe::cancel_fd(f.slot as i32, CancelFlags::ALL | CancelFlags::FD_FIXED),
            op::AsyncCancel2::new(types::CancelBuilder::fd(types::Fixed(f.slot)).all()).build(),
        ),
    ]
}

fn message_and_buffer_pairs(f: &Fields) -> Vec<Pair> {
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        vec![
            (
                Opcode::MsgRing,
                "msg_ring",
                Sqe::msg_ring(f.fd, f.fd2, f.target, f.yes.then_some(f.flags)),
                op::MsgRingData::new(types::Fd(f.fd), f.fd2, f.target, f.yes.then_some(f.flags))
                    .build(),
            ),
            (
                Opcode::ProvideBuffers,
                "provide_buffers",
                Sqe::provide_buffers(f.a as *mut u8, f.fd2, f.count, f.group, f.personality),
                op::ProvideBuffers::new(f.a as *mut u8, f.fd2, f.count, f.group, f.personality)
                    .build(),
            ),
            (
                Opcode::RemoveBuffers,
                "remove_buffers",
                Sqe::remove_buffers(f.count, f.group),
                op::RemoveBuffers::new(f.count, f.group).build(),
            ),
            (
                Opcode::EpollCtl,
                "epoll_ctl",
                Sqe::epoll_ctl(f.fd, f.flags as i32, f.fd2, f.a as *const _),
                op::EpollCtl::new(
                    types::Fd(f.fd),
                    types::Fd(f.fd2),
                    f.flags as i32,
                    f.a as *const _,
                )
                .build(),
            ),
        ]
    }
}

fn new_socket_pairs(f: &Fields) -> Vec<Pair> {
    let fd = types::Fd(f.fd);
    let (a, flags) = (f.a, f.flags);
    let mut pairs = Vec::new();
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        for (slot, theirs) in slots(f) {
            pairs.push((
                Opcode::Accept,
                "accept",
                Sqe::accept(f.fd, a as *mut _, f.b as *mut _, flags, slot),
                op::Accept::new(fd, a as *mut _, f.b as *mut _)
                    .flags(flags as i32)
                    .file_index(theirs)
                    .build(),
            ));
            pairs.push((
                Opcode::Socket,
                "socket",
                Sqe::socket(f.fd, f.fd2, f.mode as i32, slot),
                op::Socket::new(f.fd, f.fd2, f.mode as i32).file_index(theirs).build(),
            ));
        }
        for (slot, any) in [(Slot::Process, false), (Slot::AnyRegistered, true)] {
            pairs.push((
                Opcode::Accept,
                "accept_multishot",
                Sqe::accept_multishot(f.fd, flags, slot),
                op::AcceptMulti::new(fd).flags(flags as i32).allocate_file_index(any).build(),
            ));
        }
    }
    pairs
}

fn socket_pairs(f: &Fields) -> Vec<Pair> {
    let (fd, a) = (types::Fd(f.fd), f.a);
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        vec![
            (
                Opcode::Connect,
                "connect",
                Sqe::connect(f.fd, a as *const _, f.len),
                op::Connect::new(fd, a as *const _, f.len).build(),
            ),
            (
                Opcode::Bind,
                "bind",
                Sqe::bind(f.fd, a as *const _, f.len),
                op::Bind::new(fd, a as *const _, f.len).build(),
            ),
            (
                Opcode::Listen,
                "listen",
                Sqe::listen(f.fd, f.fd2),
                op::Listen::new(fd, f.fd2).build(),
            ),
            (
                Opcode::Shutdown,
                "shutdown",
                Sqe::shutdown(f.fd, f.fd2),
                op::Shutdown::new(fd, f.fd2).build(),
            ),
        ]
    }
}

fn send_pairs(f: &Fields) -> Vec<Pair> {
    let (fd, a, flags) = (types::Fd(f.fd), f.a, f.flags);
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        vec![
            (
                Opcode::Send,
                "send",
                Sqe::send(f.fd, a as *const u8, f.len, flags),
                op::Send::new(fd, a as *const u8, f.len).flags(flags as i32).build(),
            ),
            (
                Opcode::Send,
                "send, ioprio",
                Sqe::send(f.fd, a as *const u8, f.len, flags).ioprio(f.group),
                op::Send::new(fd, a as *const u8, f.len)
                    .flags(flags as i32)
                    .ioprio(f.group)
                    .build(),
            ),
            (
                Opcode::Send,
                "send_to",
                Sqe::send_to(f.fd, a as *const u8, f.len, flags, f.b as *const _, f.group),
                op::Send::new(fd, a as *const u8, f.len)
                    .flags(flags as i32)
                    .dest_addr(f.b as *const _)
                    .dest_addr_len(f.group.into())
                    .build(),
            ),
            (
                Opcode::Sendmsg,
                "sendmsg",
                Sqe::sendmsg(f.fd, a as *const _, flags),
                op::SendMsg::new(fd, a as *const _).flags(flags).build(),
            ),
            (
                Opcode::SendZc,
                "send_zc",
                Sqe::send_zc(f.fd, a as *const u8, f.len, flags),
                op::SendZc::new(fd, a as *const u8, f.len).flags(flags as i32).build(),
            ),
            (
                Opcode::SendmsgZc,
                "sendmsg_zc",
                Sqe::sendmsg_zc(f.fd, a as *const _, flags),
                op::SendMsgZc::new(fd, a as *const _).flags(flags).build(),
            ),
        ]
    }
}

fn recv_pairs(f: &Fields) -> Vec<Pair> {
    let (fd, a, flags) = (types::Fd(f.fd), f.a, f.flags);
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        vec![
            (
                Opcode::Recv,
                "recv",
                Sqe::recv(f.fd, a as *mut u8, f.len, flags),
                op::Recv::new(fd, a as *mut u8, f.len).flags(flags as i32).build(),
            ),
            (
                Opcode::Recv,
                "recv_multishot",
                Sqe::recv_multishot(f.fd, f.group, flags),
                op::RecvMulti::new(fd, f.group).flags(flags as i32).build(),
            ),
            (
                Opcode::Recvmsg,
                "recvmsg",
                Sqe::recvmsg(f.fd, a as *mut _, flags),
                op::RecvMsg::new(fd, a as *mut _).flags(flags).build(),
            ),
            (
                Opcode::Recvmsg,
                "recvmsg_multishot",
                Sqe::recvmsg_multishot(f.fd, a as *const _, f.group, flags),
                op::RecvMsgMulti::new(fd, a as *const _, f.group).flags(flags).build(),
            ),
        ]
    }
}

fn data_pairs(f: &Fields) -> Vec<Pair> {
    let fd = types::Fd(f.fd);
    let (a, rw) = (f.a, f.flags as i32);
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        vec![
            (
                Opcode::Read,
                "read",
                Sqe::read(f.fd, a as *mut u8, f.len, f.offset),
                op::Read::new(fd, a as *mut u8, f.len).offset(f.offset).build(),
            ),
            (
                Opcode::Write,
                "write",
                Sqe::write(f.fd, a as *const u8, f.len, f.offset),
                op::Write::new(fd, a as *const u8, f.len).offset(f.offset).build(),
            ),
            (
                Opcode::Readv,
                "readv",
                Sqe::readv(f.fd, a as *const _, f.len, f.offset, rw),
                op::Readv::new(fd, a as *const _, f.len).offset(f.offset).rw_flags(rw).build(),
            ),
            (
                Opcode::Writev,
                "writev",
                Sqe::writev(f.fd, a as *const _, f.len, f.offset, rw),
                op::Writev::new(fd, a as *const _, f.len).offset(f.offset).rw_flags(rw).build(),
            ),
            (
                Opcode::ReadMultishot,
                "read_multishot",
                Sqe::read_multishot(f.fd, f.len, f.group, f.offset),
                op::ReadMulti::new(fd, f.len, f.group).offset(f.offset).build(),
            ),
            (
                Opcode::Splice,
                "splice",
                Sqe::splice(f.fd, f.offset as i64, f.fd2, f.len64 as i64, f.len, f.flags, false),
                op::Splice::new(fd, f.offset as i64, types::Fd(f.fd2), f.len64 as i64, f.len)
                    .flags(f.flags)
                    .build(),
            ),
            (
                Opcode::Splice,
                "splice, registered",
                Sqe::splice(f.slot as i32, -1, f.fd2, -1, f.len, f.flags, true).registered_file(),
                op::Splice::new(types::Fixed(f.slot), -1, types::Fixed(f.fd2 as u32), -1, f.len)
                    .flags(f.flags)
                    .build(),
            ),
            (
                Opcode::Tee,
                "tee",
                Sqe::tee(f.fd, f.fd2, f.len, f.flags, false),
                op::Tee::new(fd, types::Fd(f.fd2), f.len).flags(f.flags).build(),
            ),
            (
                Opcode::Tee,
                "tee, registered",
                Sqe::tee(f.slot as i32, f.fd2, f.len, f.flags, true),
                op::Tee::new(types::Fixed(f.slot), types::Fd(f.fd2), f.len).flags(f.flags).build(),
            ),
        ]
    }
}

fn file_pairs(f: &Fields) -> Vec<Pair> {
    let fd = types::Fd(f.fd);
    let sync = if f.yes { types::FsyncFlags::DATASYNC } else { types::FsyncFlags::empty() };
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        vec![
            (
                Opcode::Fsync,
                "fsync",
                Sqe::fsync(f.fd, f.yes),
                op::Fsync::new(fd).flags(sync).build(),
            ),
            (
                Opcode::SyncFileRange,
                "sync_file_range",
                Sqe::sync_file_range(f.fd, f.offset, f.len, f.flags),
                op::SyncFileRange::new(fd, f.len).offset(f.offset).flags(f.flags).build(),
            ),
            (
                Opcode::Ftruncate,
                "ftruncate",
                Sqe::ftruncate(f.fd, f.len64),
                op::Ftruncate::new(fd, f.len64).build(),
            ),
            (
                Opcode::Fallocate,
                "fallocate",
                Sqe::fallocate(f.fd, f.fd2, f.offset, f.len64),
                op::Fallocate::new(fd, f.len64).offset(f.offset).mode(f.fd2).build(),
            ),
            (
                Opcode::Fadvise,
                "fadvise",
                Sqe::fadvise(f.fd, f.offset, f.len, f.flags),
                op::Fadvise::new(fd, f.len.into(), f.flags as i32).offset(f.offset).build(),
            ),
            (
                Opcode::Madvise,
                "madvise",
                Sqe::madvise(f.a as *mut _, f.len, f.flags),
                op::Madvise::new(f.a as *const _, f.len.into(), f.flags as i32).build(),
            ),
            (Opcode::Close, "close", Sqe::close(f.fd), op::Close::new(fd).build()),
            (
                Opcode::Close,
                "close_registered",
                Sqe::close_registered(f.slot),
                op::Close::new(types::Fixed(f.slot)).build(),
            ),
        ]
    }
}

fn path_pairs(f: &Fields) -> Vec<Pair> {
    let (fd, fd2) = (types::Fd(f.fd), types::Fd(f.fd2));
    let (a, b) = (f.a as *const _, f.b as *const _);
    let how_len = size_of::<types::OpenHow>() as u32;
    let mut pairs = Vec::new();
    // SAFETY: as in `poll_and_timeout_pairs`.
    unsafe {
        for (slot, theirs) in slots(f) {
            pairs.push((
                Opcode::Openat,
                "openat",
                Sqe::openat(f.fd, a, f.fd2, f.mode, slot),
                op::OpenAt::new(fd, a).flags(f.fd2).mode(f.mode).file_index(theirs).build(),
            ));
            pairs.push((
                Opcode::Openat2,
                "openat2",
                Sqe::openat2(f.fd, a, f.b as *const _, how_len, slot),
                op::OpenAt2::new(fd, a, f.b as *const _).file_index(theirs).build(),
            ));
        }
        pairs.extend([
            (
                Opcode::Statx,
                "statx",
                Sqe::statx(f.fd, a, f.fd2, f.mode, f.b as *mut _),
                op::Statx::new(fd, a, f.b as *mut _).flags(f.fd2).mask(f.mode).build(),
            ),
            (
                Opcode::Renameat,
                "renameat",
                Sqe::renameat(f.fd, a, f.fd2, b, f.flags),
                op::RenameAt::new(fd, a, fd2, b).flags(f.flags).build(),
            ),
            (
                Opcode::Linkat,
                "linkat",
                Sqe::linkat(f.fd, a, f.fd2, b, f.flags),
                op::LinkAt::new(fd, a, fd2, b).flags(f.flags as i32).build(),
            ),
            (
                Opcode::Symlinkat,
                "symlinkat",
                Sqe::symlinkat(a, f.fd, b),
                op::SymlinkAt::new(fd, a, b).build(),
            ),
            (
                Opcode::Unlinkat,
                "unlinkat",
                Sqe::unlinkat(f.fd, a, f.fd2),
                op::UnlinkAt::new(fd, a).flags(f.fd2).build(),
            ),
            (
                Opcode::Mkdirat,
                "mkdirat",
                Sqe::mkdirat(f.fd, a, f.mode),
                op::MkDirAt::new(fd, a).mode(f.mode).build(),
            ),
        ]);
    }
    pairs
}

fn all_pairs(f: &Fields) -> Vec<Pair> {
    [
        poll_and_timeout_pairs(f),
        cancel_pairs(f),
        message_and_buffer_pairs(f),
        new_socket_pairs(f),
        socket_pairs(f),
        send_pairs(f),
        recv_pairs(f),
        data_pairs(f),
        file_pairs(f),
        path_pairs(f),
    ]
    .concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn every_entry_equals_the_crates(f in fields()) {
        for (opcode, name, ours, theirs) in all_pairs(&f) {
            prop_assert_eq!(ours.opcode(), opcode as u8, "{}", name);
            let theirs = theirs.user_data(f.user_data).personality(f.personality);
            let ours = ours.user_data(f.user_data).personality(f.personality);
            prop_assert_eq!(ours.to_bytes(), bytes(theirs.clone()), "{}", name);
            let theirs = theirs.flags(squeue::Flags::from_bits_retain(f.sqe_flags));
            let ours = ours.flags(SqeFlags::from_bits_retain(f.sqe_flags));
            // The crate's `flags` may replace what the operation itself set: those bits are left out.
            let own = ours.to_bytes()[1] & !f.sqe_flags;
            let mut expected = bytes(theirs);
            expected[1] |= own;
            prop_assert_eq!(ours.to_bytes(), expected, "{} with flags", name);
        }
    }
}

#[test]
fn no_opcode_is_left_out() {
    let compared: BTreeSet<u8> =
        all_pairs(&Fields::default()).iter().map(|pair| pair.0 as u8).collect();
    let known: BTreeSet<u8> = Opcode::ALL.iter().map(|&opcode| opcode as u8).collect();
    assert_eq!(compared, known);
}

/// The crate has no poll update: the kernel's header is the oracle, through rustix's copy of it.
#[test]
fn poll_update_equals_the_header() {
    use rustix::io_uring::{IoringOp, IoringPollFlags, io_uring_sqe};
    let flags = IoringPollFlags::UPDATE_EVENTS
        | IoringPollFlags::UPDATE_USER_DATA
        | IoringPollFlags::ADD_MULTI;
    let mut theirs =
        io_uring_sqe { opcode: IoringOp::PollRemove, fd: -1, ..io_uring_sqe::default() };
    theirs.off_or_addr2.off = 0x1122_3344_5566_7788;
    theirs.addr_or_splice_off_in.user_data = 0x99aa_bbcc_ddee_ff00.into();
    theirs.len.poll_flags = flags;
    // The 16 bits of the events are the first two bytes.
    let [low, high] = 0x2005_u16.to_ne_bytes();
    theirs.op_flags.poll32_events = u32::from_ne_bytes([low, high, 0, 0]);
    // SAFETY: both are the 64 bytes of an entry.
    let theirs: [u8; 64] = unsafe { std::mem::transmute(theirs) };
    let ours =
        Sqe::poll_update(0x99aa_bbcc_ddee_ff00, Some(0x2005), Some(0x1122_3344_5566_7788), true);
    assert_eq!(ours.to_bytes(), theirs);
}
