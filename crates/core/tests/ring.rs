//! The ring alone, against the kernel.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use uvring_core::Errno;
use uvring_core::epoll::Epoll;
use uvring_core::uring::sqe::{CancelFlags, SqeFlags, TimeoutFlags, Timespec};
use uvring_core::uring::{BufRing, Config, Cqe, Opcode, Probe, Ring, SetupFlags, Slot, Sqe};

const POLLIN: u32 = libc::POLLIN as u32;
const SHORT: Option<Duration> = Some(Duration::from_millis(20));
const LONG: Option<Duration> = Some(Duration::from_secs(5));

/// A ring, or the printed reason why there is none.
fn ring(config: &Config) -> Option<Ring> {
    match Ring::new(config) {
        Ok(ring) => Some(ring),
        Err(error) => {
            println!("skipped: the kernel refuses io_uring: {error:?}");
            None
        }
    }
}

fn small() -> Option<Ring> {
    ring(&Config::new(8))
}

/// The next completion, waited for.
fn one(ring: &Ring) -> Cqe {
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        if let Some(cqe) = ring.pop() {
            return cqe;
        }
        match ring.enter(Some(Duration::from_millis(200))) {
            Ok(_) | Err(Errno::TIME | Errno::INTR) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("no completion in five seconds");
}

fn nothing(ring: &Ring) {
    match ring.enter(SHORT) {
        Ok(_) | Err(Errno::TIME | Errno::INTR) => {}
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(ring.pop(), None);
}

#[test]
fn the_queues_wrap_many_times_in_order() {
    let Some(ring) = small() else { return };
    let mut expected = 0;
    let mut next = 0;
    for turn in 0..3000u64 {
        for _ in 0..turn % 9 {
            ring.push(Sqe::nop().user_data(next)).unwrap();
            next += 1;
        }
        assert_eq!(u64::from(ring.pending()), turn % 9);
        ring.look().unwrap();
        assert_eq!(ring.pending(), 0);
        while let Some(cqe) = ring.pop() {
            assert_eq!((cqe.user_data, cqe.result()), (expected, Ok(0)));
            expected += 1;
        }
    }
    assert_eq!(expected, next);
    assert_eq!(ring.lost(), 0);
}

#[test]
fn a_full_queue_says_so_and_keeps_what_it_has() {
    let Some(ring) = small() else { return };
    for n in 0..8 {
        ring.push(Sqe::nop().user_data(n)).unwrap();
    }
    assert_eq!(ring.push(Sqe::nop()), Err(Errno::BUSY));
    let queued: Vec<u64> = ring.untaken().map(|sqe| sqe.get_user_data()).collect();
    assert_eq!(queued, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(ring.submit().unwrap(), 8);
    assert_eq!(ring.untaken().count(), 0);
    let done: Vec<u64> = std::iter::from_fn(|| ring.pop()).map(|cqe| cqe.user_data).collect();
    assert_eq!(done, queued);
}

#[test]
fn completions_beyond_the_queue_are_kept_by_the_kernel() {
    let Some(ring) = small() else { return };
    let capacity = u64::from(ring.capacity());
    assert_eq!(capacity, 32);
    let total = capacity * 3;
    for n in 0..total {
        ring.push(Sqe::nop().user_data(n)).unwrap();
        ring.submit().unwrap();
    }
    assert!(ring.wants_enter(), "the overflow bit asks for an enter");
    let mut seen = Vec::new();
    for _ in 0..total {
        while let Some(cqe) = ring.pop() {
            seen.push(cqe.user_data);
        }
        if ring.wants_enter() {
            ring.look().unwrap();
        }
    }
    assert_eq!(seen, (0..total).collect::<Vec<_>>());
    assert!(!ring.wants_enter());
    assert_eq!(ring.lost(), 0);
}

#[test]
fn completions_are_seen_without_being_taken() {
    let Some(ring) = small() else { return };
    for n in 0..4 {
        ring.push(Sqe::nop().user_data(n)).unwrap();
    }
    let start = ring.mark();
    ring.look().unwrap();
    let middle = ring.mark();
    ring.push(Sqe::nop().user_data(4)).unwrap();
    ring.look().unwrap();
    let data = |mark| ring.since(mark).map(|cqe| cqe.user_data).collect::<Vec<_>>();
    assert_eq!((data(start), data(middle)), (vec![0, 1, 2, 3, 4], vec![4]));
    ring.pop();
    assert_eq!((data(start), ring.ready()), (vec![1, 2, 3, 4], 4));
    while ring.pop().is_some() {}
    assert_eq!((data(start), data(ring.mark())), (vec![], vec![]));
}

#[test]
fn a_bad_entry_does_not_stop_the_batch() {
    let Some(ring) = small() else { return };
    ring.push(Sqe::nop().user_data(1)).unwrap();
    // The kernel refuses this one while it reads the entry.
    ring.push(Sqe::close(0).registered_file().user_data(2)).unwrap();
    ring.push(Sqe::nop().user_data(3)).unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while ring.pending() > 0 && Instant::now() < end {
        ring.look().unwrap();
    }
    let mut done: Vec<_> =
        std::iter::from_fn(|| ring.pop()).map(|cqe| (cqe.user_data, cqe.result())).collect();
    done.sort_by_key(|done| done.0);
    assert_eq!(done, [(1, Ok(0)), (2, Err(Errno::BADF)), (3, Ok(0))]);
}

#[test]
fn waiting_is_bounded_and_looking_does_not_wait() {
    let Some(ring) = small() else { return };
    let start = Instant::now();
    assert_eq!(ring.enter(Some(Duration::from_millis(30))), Err(Errno::TIME));
    assert!(start.elapsed() >= Duration::from_millis(25));
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(ring.enter(Some(Duration::ZERO)), Ok(0));
    }
    assert!(start.elapsed() < Duration::from_secs(1));
    let time = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    // SAFETY: `time` lives until the entry is submitted.
    ring.push(unsafe { Sqe::timeout(&raw const time, 0, TimeoutFlags::empty()) }).unwrap();
    assert_eq!(one(&ring).result(), Err(Errno::TIME));
}

#[test]
fn a_multishot_poll_reports_until_it_is_ended() {
    let Some(ring) = small() else { return };
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    ring.push(Sqe::poll_multishot(a.as_raw_fd(), POLLIN).user_data(7)).unwrap();
    nothing(&ring);
    for _ in 0..50 {
        (&b).write_all(b"x").unwrap();
        let cqe = one(&ring);
        assert_eq!((cqe.user_data, cqe.result(), cqe.more()), (7, Ok(POLLIN), true));
        nothing_yet(&ring);
        assert_eq!((&a).read(&mut [0; 8]).unwrap(), 1);
    }
    // Other events, another name.
    ring.push(Sqe::poll_update(7, Some(libc::POLLOUT as u32), Some(8), true).user_data(1)).unwrap();
    let mut got = [one(&ring), one(&ring)];
    got.sort_by_key(|cqe| cqe.user_data);
    assert_eq!((got[0].user_data, got[0].result()), (1, Ok(0)));
    assert_eq!((got[1].user_data, got[1].result()), (8, Ok(libc::POLLOUT as u32)));
    assert!(got[1].more());
    ring.push(Sqe::poll_remove(8).user_data(2)).unwrap();
    let mut got = [one(&ring), one(&ring)];
    got.sort_by_key(|cqe| cqe.user_data);
    assert_eq!((got[0].user_data, got[0].result()), (2, Ok(0)));
    assert_eq!((got[1].result(), got[1].more()), (Err(Errno::CANCELED), false));
    nothing(&ring);
}

fn nothing_yet(ring: &Ring) {
    ring.look().unwrap();
    assert_eq!(ring.pop(), None);
}

#[test]
fn a_multishot_accept_yields_each_connection() {
    let Some(ring) = small() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let accept =
        Sqe::accept_multishot(listener.as_raw_fd(), libc::SOCK_CLOEXEC as u32, Slot::Process);
    ring.push(accept.user_data(1)).unwrap();
    for n in 0..20u8 {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let cqe = one(&ring);
        assert!(cqe.more());
        // SAFETY: the kernel just gave us this descriptor.
        let mut server = unsafe { TcpStream::from_raw_fd(cqe.result().unwrap() as i32) };
        client.write_all(&[n]).unwrap();
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [n]);
    }
    ring.push(Sqe::cancel(1, CancelFlags::empty()).flags(SqeFlags::CQE_SKIP_SUCCESS)).unwrap();
    assert_eq!(one(&ring).result(), Err(Errno::CANCELED));
}

#[test]
fn a_buffer_ring_lends_and_takes_back() {
    let Some(ring) = small() else { return };
    assert_eq!(BufRing::new(&ring, 3, 0).err(), Some(Errno::INVAL));
    const COUNT: usize = 4;
    const LEN: usize = 16;
    let memory = RefCell::new(vec![0u8; COUNT * LEN]);
    let buffers = match BufRing::new(&ring, COUNT as u16, 9) {
        Ok(buffers) => buffers,
        Err(error) => return println!("skipped: no buffer rings: {error:?}"),
    };
    assert_eq!(BufRing::new(&ring, 4, 9).err(), Some(Errno::EXIST));
    let lend = |id: usize| {
        let start = memory.borrow_mut()[id * LEN..].as_mut_ptr();
        // SAFETY: the buffer is touched only between its completion and this.
        unsafe { buffers.lend(start, LEN as u32, id as u16) };
    };
    (0..COUNT).for_each(lend);
    buffers.publish();
    let (a, b) = UnixStream::pair().unwrap();
    ring.push(Sqe::recv_multishot(a.as_raw_fd(), buffers.group(), 0).user_data(3)).unwrap();
    nothing(&ring);
    // Round and round, so that the ring wraps; each is handed back at once.
    for n in 0..100u8 {
        (&b).write_all(&[n; LEN]).unwrap();
        let cqe = one(&ring);
        assert_eq!((cqe.result(), cqe.more()), (Ok(LEN as u32), true));
        let id = usize::from(cqe.buffer().unwrap());
        assert_eq!(memory.borrow()[id * LEN..][..LEN], [n; LEN]);
        lend(id);
        buffers.publish();
    }
    // Keep them all: the fifth finds none, and the receive ends.
    for _ in 0..COUNT {
        (&b).write_all(&[1; LEN]).unwrap();
        assert!(one(&ring).more());
    }
    (&b).write_all(&[1; LEN]).unwrap();
    let last = one(&ring);
    assert_eq!((last.result(), last.more()), (Err(Errno::NOBUFS), false));
    drop(buffers);
    assert!(BufRing::new(&ring, 4, 9).is_ok());
}

#[test]
fn requests_are_cancelled_by_name_by_descriptor_and_at_once() {
    let Some(ring) = small() else { return };
    let (a, _b) = UnixStream::pair().unwrap();
    let mut byte = [0u8];
    let fd = a.as_raw_fd();
    let buf = byte.as_mut_ptr();
    // SAFETY: `byte` outlives every completion, all of which are taken below.
    let recv = |name| unsafe { Sqe::recv(fd, buf, 1, 0) }.user_data(name);
    let quiet = |sqe: Sqe| sqe.flags(SqeFlags::CQE_SKIP_SUCCESS);
    ring.push(recv(1)).unwrap();
    nothing(&ring);
    ring.push(quiet(Sqe::cancel(1, CancelFlags::empty()))).unwrap();
    let cqe = one(&ring);
    assert_eq!((cqe.user_data, cqe.result()), (1, Err(Errno::CANCELED)));

    ring.push(recv(2)).unwrap();
    ring.push(recv(3)).unwrap();
    nothing(&ring);
    ring.push(Sqe::cancel_fd(fd, CancelFlags::ALL).user_data(4)).unwrap();
    let mut got: Vec<_> = (0..3).map(|_| one(&ring)).map(|c| (c.user_data, c.result())).collect();
    got.sort_by_key(|got| got.0);
    assert_eq!(got, [(2, Err(Errno::CANCELED)), (3, Err(Errno::CANCELED)), (4, Ok(2))]);

    ring.push(recv(5)).unwrap();
    nothing(&ring);
    match ring.cancel_now(5, Duration::from_secs(1)) {
        Err(Errno::INVAL) => return println!("skipped: no synchronous cancel"),
        result => assert_eq!(result, Ok(())),
    }
    assert_eq!(one(&ring).result(), Err(Errno::CANCELED));
    assert_eq!(ring.cancel_now(5, Duration::from_secs(1)), Err(Errno::NOENT));
}

#[test]
fn a_registered_ring_works_and_lets_go() {
    let Some(first) = small() else { return };
    first.enable().unwrap();
    // SAFETY: this thread only.
    if !unsafe { first.register_ring_fd() } {
        return println!("skipped: no registered ring descriptors");
    }
    for n in 0..100 {
        first.push(Sqe::nop().user_data(n)).unwrap();
        assert_eq!(one(&first).user_data, n);
    }
    // The table has 16 places: dropping gives them back.
    for _ in 0..64 {
        let ring = small().unwrap();
        ring.enable().unwrap();
        // SAFETY: this thread only.
        assert!(unsafe { ring.register_ring_fd() });
        ring.push(Sqe::nop()).unwrap();
        assert_eq!(one(&ring).result(), Ok(0));
    }
    first.push(Sqe::nop().user_data(7)).unwrap();
    assert_eq!(one(&first).user_data, 7);
}

#[test]
fn an_eventfd_wakes_an_epoll_for_deferred_completions() {
    let Some(ring) = small() else { return };
    println!("flags: {:?}", ring.flags());
    ring.enable().unwrap();
    // SAFETY: a new descriptor, owned from here on.
    let event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_NONBLOCK)) };
    ring.register_eventfd(event.as_fd()).unwrap();
    assert_eq!(ring.register_eventfd(event.as_fd()), Err(Errno::BUSY));
    let epoll = Epoll::new().unwrap();
    epoll.add(event.as_raw_fd(), POLLIN, 0).unwrap();
    let (a, b) = UnixStream::pair().unwrap();
    ring.push(Sqe::poll_multishot(a.as_raw_fd(), POLLIN)).unwrap();
    ring.look().unwrap();
    for _ in 0..10 {
        let mut events = [std::mem::MaybeUninit::uninit(); 4];
        assert_eq!(epoll.wait(&mut events, SHORT).unwrap().len(), 0);
        (&b).write_all(b"x").unwrap();
        // Nobody entered the ring since.
        assert_eq!(epoll.wait(&mut events, LONG).unwrap().len(), 1);
        let mut count = [0; 8];
        assert_eq!(std::fs::File::from(event.try_clone().unwrap()).read(&mut count).unwrap(), 8);
        assert!(ring.ready() > 0 || ring.wants_enter());
        assert!(one(&ring).more());
        assert_eq!((&a).read(&mut [0; 8]).unwrap(), 1);
        // What the enter itself signalled.
        let _ = std::fs::File::from(event.try_clone().unwrap()).read(&mut count);
    }
}

#[test]
fn the_probe_knows_what_the_kernel_does() {
    let Some(ring) = small() else { return };
    let probe = Probe::new(&ring).unwrap();
    assert!(probe.supports(Opcode::Nop) && probe.supports(Opcode::Send));
    for &opcode in Opcode::ALL {
        if !probe.supports(opcode) {
            println!("unknown to this kernel: {opcode:?}");
        }
    }
}

#[test]
fn older_kernels_get_fewer_flags() {
    if small().is_none() {
        return;
    }
    // A flag that no kernel knows: all the others are given up in vain.
    let unknown = SetupFlags::from_bits_retain(1 << 30);
    let config = Config { required: unknown, ..Config::new(8) };
    assert_eq!(Ring::new(&config).err(), Some(Errno::INVAL));
    // TASKRUN_FLAG needs COOP_TASKRUN or DEFER_TASKRUN, and DEFER_TASKRUN needs SINGLE_ISSUER: the
    // kernel says EINVAL, as an old one would.
    let odd = Config { wanted: SetupFlags::DEFER_TASKRUN, ..Config::new(8) };
    let ring = Ring::new(&odd).unwrap();
    assert!(!ring.flags().contains(SetupFlags::DEFER_TASKRUN));
    ring.push(Sqe::nop().user_data(5)).unwrap();
    assert_eq!(one(&ring).user_data, 5);
    // With the index table of kernels before 6.6.
    let config = Config::new(8);
    let old = Config { wanted: config.wanted - SetupFlags::NO_SQARRAY, ..config };
    let ring = Ring::new(&old).unwrap();
    for n in 0..100 {
        ring.push(Sqe::nop().user_data(n)).unwrap();
        assert_eq!(one(&ring).user_data, n);
    }
}

#[test]
fn a_ring_belongs_to_the_thread_that_enabled_it() {
    struct Lent<'r>(&'r Ring);
    // SAFETY: the threads take turns.
    unsafe impl Send for Lent<'_> {}
    let Some(ring) = small() else { return };
    if !ring.flags().contains(SetupFlags::SINGLE_ISSUER) {
        return println!("skipped: no SINGLE_ISSUER");
    }
    // Made here, enabled and used there.
    std::thread::scope(|scope| {
        let lent = Lent(&ring);
        scope.spawn(move || {
            let ring = { lent }.0;
            ring.push(Sqe::nop().user_data(1)).unwrap();
            assert_eq!(one(ring).user_data, 1);
        });
    });
    ring.push(Sqe::nop()).unwrap();
    assert_eq!(ring.look(), Err(Errno::EXIST));
    assert_eq!(ring.pending(), 1);
}

#[test]
fn a_forked_child_touches_nothing() {
    let Some(ring) = small() else { return };
    let (a, b) = UnixStream::pair().unwrap();
    ring.push(Sqe::poll_multishot(a.as_raw_fd(), POLLIN).user_data(1)).unwrap();
    ring.look().unwrap();
    ring.push(Sqe::nop().user_data(2)).unwrap();
    // SAFETY: the child calls nothing that needs another thread, and leaves with _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let mut ok = !ring.is_ours();
        ok &= ring.push(Sqe::nop()) == Err(Errno::BADF);
        ok &= ring.look() == Err(Errno::BADF) && ring.submit() == Err(Errno::BADF);
        ok &= ring.enter(LONG) == Err(Errno::BADF) && ring.enable() == Ok(());
        ok &= ring.cancel_now(1, Duration::ZERO) == Err(Errno::BADF);
        ok &= ring.pop().is_none() && ring.ready() == 0 && ring.pending() == 0;
        ok &= ring.untaken().count() == 0 && ring.since(0).count() == 0 && !ring.wants_enter();
        // A ring of its own, while the parent's is still around, and after.
        for _ in 0..2 {
            let own = Ring::new(&Config::new(8)).unwrap();
            ok &= own.is_ours() && own.push(Sqe::nop().user_data(9)) == Ok(());
            ok &= own.enter(LONG) == Ok(1) && own.pop().map(|cqe| cqe.user_data) == Some(9);
        }
        drop(ring);
        let own = Ring::new(&Config::new(8)).unwrap();
        ok &= own.push(Sqe::nop()) == Ok(()) && own.enter(LONG) == Ok(1);
        // SAFETY: ends this child only.
        unsafe { libc::_exit(i32::from(!ok)) };
    }
    let mut status = -1;
    // SAFETY: our own child.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert!(ring.is_ours());
    let cqe = one(&ring);
    assert_eq!(cqe.user_data, 2);
    (&b).write_all(b"x").unwrap();
    assert_eq!(one(&ring).user_data, 1);
}
