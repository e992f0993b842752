//! Signal-driven I/O: the kernel queues a real-time signal for each change of a descriptor, and
//! sigwaitinfo(2) takes it from the queue. A queue that is full loses signals; the kernel then sends a
//! plain SIGIO, and everything has to be looked at. Cost follows the active, until that happens.
use crate::conn::{Conn, SHARED, Table, Turn, accept_all};
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

/// fcntl(2) commands that the libc crate has not for this target.
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const F_OWNER_TID: i32 = 0;

/// struct f_owner_ex of fcntl(2).
#[repr(C)]
struct Owner {
    kind: i32,
    id: i32,
}

/// The beginning of siginfo_t of a descriptor's signal: see sigaction(2), `SIGIO/SIGPOLL`.
#[repr(C)]
struct Poll {
    signal: [i32; 4],
    band: libc::c_long,
    fd: i32,
}

const _: () = assert!(size_of::<Poll>() <= size_of::<libc::siginfo_t>());

/// How often a queue was full in this process, ever.
pub static OVERFLOWS: AtomicU64 = AtomicU64::new(0);

/// What the next signal says.
enum Told {
    /// This descriptor changed.
    Of(RawFd),
    /// Signals were lost.
    Lost,
}

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    let signals = Signals::block()?;
    let door = listener.as_raw_fd();
    arm(door)?;
    let mut conns: Table<Conn> = Table::default();
    let mut buf = vec![0; SHARED];
    // Not waiting for the first signal: a client may have come before it was asked for.
    let mut told = Told::Of(door);
    loop {
        let accepting = match told {
            Told::Of(fd) => fd == door,
            Told::Lost => {
                OVERFLOWS.fetch_add(1, Ordering::Relaxed);
                // What is still queued is about descriptors that are looked at now.
                signals.empty();
                look_at_all(&mut conns, &mut buf);
                true
            }
        };
        if accepting {
            if !accept_all(&listener, |stream| {
                let mut conn = Conn::new(stream)?;
                arm(conn.fd())?;
                // What came before it was armed is told by nobody.
                if conn.drain(&mut buf) != Turn::Closed {
                    conns.put(conn.fd(), conn);
                }
                Ok(())
            })? {
                return Ok(());
            }
        } else if let Told::Of(fd) = told
            // A signal of a connection that is closed by now finds nobody, or one that it does no harm.
            && conns.get(fd).is_some_and(|conn| conn.drain(&mut buf) == Turn::Closed)
        {
            conns.remove(fd);
        }
        told = signals.wait()?;
    }
}

fn look_at_all(conns: &mut Table<Conn>, buf: &mut [u8]) {
    let closed: Vec<RawFd> = conns
        .all()
        .filter_map(|conn| (conn.drain(buf) == Turn::Closed).then(|| conn.fd()))
        .collect();
    for fd in closed {
        conns.remove(fd);
    }
}

/// Has a signal queued for this thread whenever `fd` changes.
fn arm(fd: RawFd) -> io::Result<()> {
    // SAFETY: no arguments.
    let owner = Owner { kind: F_OWNER_TID, id: unsafe { libc::gettid() } };
    // SAFETY: the kernel reads `owner` during the call.
    check(unsafe { libc::fcntl(fd, F_SETOWN_EX, &raw const owner) })?;
    // SAFETY: integers only, here and in the next.
    check(unsafe { libc::fcntl(fd, F_SETSIG, libc::SIGRTMIN()) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK) })
}

fn check(answer: i32) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The two signals, blocked in this thread: they wait in the queue instead of interrupting it.
struct Signals {
    set: libc::sigset_t,
    before: libc::sigset_t,
}

impl Signals {
    fn block() -> io::Result<Self> {
        let (mut set, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: sigemptyset initialises `set`, which the other calls are then given; after
        // success pthread_sigmask has written `before`.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGRTMIN());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGIO);
            match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr()) {
                0 => Ok(Signals { set: set.assume_init(), before: before.assume_init() }),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    fn wait(&self) -> io::Result<Told> {
        let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: an initialised set; `info` is written on success.
        let signal = unsafe { libc::sigwaitinfo(&self.set, info.as_mut_ptr()) };
        check(signal)?;
        if signal == libc::SIGIO {
            // The lowest signal comes first, so a loss is known before what is left of the queue.
            return Ok(Told::Lost);
        }
        // SAFETY: written by the kernel, and larger than `Poll`, by the assertion above.
        Ok(Told::Of(unsafe { (*info.as_ptr().cast::<Poll>()).fd }))
    }

    /// Takes all that is queued.
    fn empty(&self) {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: an initialised set and time; a null `info` is allowed.
        while unsafe { libc::sigtimedwait(&self.set, null_mut(), &now) } > 0 {}
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What is left would kill the process once it is not blocked any more.
        self.empty();
        // SAFETY: the mask that was there before; a null old mask is allowed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, null_mut()) };
    }
}
