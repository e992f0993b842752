//! `uv_tty_t`: streams over terminals. Source: the manual's page on TTY handles.

use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

use uvring_core::socket;

use crate::abi::*;
use crate::handle::flag;
use crate::misc::uv_guess_handle;
use crate::{status, stream};

/// How often a call that a signal interrupts is made. Not for ever: to a process in the background
/// that catches SIGTTOU each attempt brings another signal.
const ATTEMPTS: u32 = 16;

/// The terminal to give back at the end, and what it was like.
struct Original {
    /// Held by whoever looks at the rest. A signal handler never waits for it.
    lock: AtomicBool,
    /// -1: none.
    fd: Cell<c_int>,
    /// Valid while there is a descriptor.
    termios: UnsafeCell<MaybeUninit<libc::termios>>,
}

// SAFETY: `fd` and `termios` are touched under the lock only.
unsafe impl Sync for Original {}

static ORIGINAL: Original = Original {
    lock: AtomicBool::new(false),
    fd: Cell::new(-1),
    termios: UnsafeCell::new(MaybeUninit::zeroed()),
};

/// The lock of [`ORIGINAL`].
struct Lock;

impl Lock {
    /// For signal handlers, which may have interrupted its holder.
    fn try_take() -> Option<Lock> {
        let taken = ORIGINAL.lock.swap(true, Ordering::Acquire);
        if taken { None } else { Some(Lock) }
    }

    fn take() -> Lock {
        loop {
            if let Some(lock) = Lock::try_take() {
                return lock;
            }
            // SAFETY: may be called at any time.
            unsafe { libc::sched_yield() };
        }
    }

    /// Keeps the first terminal that leaves its normal mode.
    fn save(&self, fd: c_int, termios: &libc::termios) {
        if ORIGINAL.fd.get() == -1 {
            // SAFETY: the lock is held.
            unsafe { (*ORIGINAL.termios.get()).write(*termios) };
            ORIGINAL.fd.set(fd);
        }
    }

    /// Makes the saved terminal what it was. Async-signal-safe.
    fn restore(&self) -> Result<(), c_int> {
        match ORIGINAL.fd.get() {
            -1 => Ok(()),
            // SAFETY: the lock is held, and with a descriptor there are attributes.
            fd => apply(fd, unsafe { (*ORIGINAL.termios.get()).assume_init_ref() }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        ORIGINAL.lock.store(false, Ordering::Release);
    }
}

/// The stream part of a terminal's handle.
fn stream_of(tty: &uv_tty_t) -> &uv_stream_t {
    // SAFETY: a uv_tty_t begins with the fields of a uv_stream_t, as abi/layout.rs asserts.
    unsafe { &*core::ptr::from_ref(tty).cast() }
}

/// `int uv_tty_init(uv_loop_t*, uv_tty_t*, uv_file, int)`: a stream over a terminal. What the
/// descriptor was opened for decides whether it can be read, written or both; the last argument is
/// not looked at.
///
/// The terminal is opened anew, so that nobody who shares the descriptor meets a non-blocking one,
/// and `fd` stays the caller's. Where that cannot be (the master of a pseudo-terminal, no right to
/// open it), the handle takes `fd` itself and its writes block. Pipes and sockets are taken as
/// by uv_pipe_open.
///
/// # Returns
/// 0; `UV_EINVAL` for files, devices that are no terminal, and what is no descriptor.
///
/// # Safety
/// `owner` is an initialised loop, `tty` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_init(
    owner: *mut uv_loop_t,
    tty: *mut uv_tty_t,
    fd: uv_file,
    _readable: c_int,
) -> c_int {
    // SAFETY: may be asked about any number.
    let kind = unsafe { uv_guess_handle(fd) };
    if matches!(kind, UV_FILE | UV_UNKNOWN_HANDLE) {
        return UV_EINVAL;
    }
    // SAFETY: F_GETFL may be asked about any number.
    let mode = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if mode == -1 {
        return status::last();
    }
    let access = mode & libc::O_ACCMODE;
    let mut flags = match access {
        libc::O_RDONLY => flag::READABLE,
        libc::O_WRONLY => flag::WRITABLE,
        _ => flag::READABLE | flag::WRITABLE,
    };
    let is_terminal = kind == UV_TTY;
    let own = if is_terminal { reopen(fd, access) } else { None };
    if own.is_none() {
        if is_terminal && flags & flag::WRITABLE != 0 {
            flags |= flag::BLOCKING_WRITES;
        } else if let Err(error) = socket::set_nonblocking(fd, true) {
            return status::from_errno(error);
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        stream::init(owner, tty.cast(), UV_TTY);
        (*tty).mode.set(UV_TTY_MODE_NORMAL as c_int);
        match stream::open(stream_of(&*tty), own.unwrap_or(fd), flags) {
            Ok(()) => 0,
            Err(code) => code,
        }
    }
}

/// A non-blocking descriptor of the same terminal that shares nothing with `fd`.
fn reopen(fd: c_int, access: c_int) -> Option<c_int> {
    let mut number: c_int = 0;
    // SAFETY: TIOCGPTN writes an int. Only a master has the number of its slave; to open one
    // again makes another pseudo-terminal.
    if unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) } == 0 {
        return None;
    }
    // Reaches the terminal also where its name does not: in containers, after chroot(2).
    open_at(&link_of(fd), access).or_else(|| {
        let mut name: [c_char; 256] = [0; 256];
        // SAFETY: `name` has the length that is told.
        let found = unsafe { libc::ttyname_r(fd, name.as_mut_ptr(), name.len()) } == 0;
        if found { open_at(&name, access) } else { None }
    })
}

/// Opens a terminal. O_NONBLOCK from the beginning: a serial line without a carrier would wait.
fn open_at(name: &[c_char], access: c_int) -> Option<c_int> {
    let flags = access | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: both callers give a text that ends with NUL.
    let fd = unsafe { libc::open(name.as_ptr(), flags) };
    if fd >= 0 { Some(fd) } else { None }
}

/// `/proc/self/fd/N` with its NUL; `fd` is not negative.
fn link_of(fd: c_int) -> [c_char; 32] {
    let mut name: [c_char; 32] = [0; 32];
    // SAFETY: the 14 characters, at most 10 digits and the NUL fit.
    unsafe { libc::snprintf(name.as_mut_ptr(), name.len(), c"/proc/self/fd/%d".as_ptr(), fd) };
    name
}

/// The TTY part of uv_close: the terminal that [`uv_tty_reset_mode`] would give back is given back
/// now, while its descriptor is open.
pub(crate) fn close(tty: &uv_tty_t) {
    let fd = tty.io_watcher.fd.get();
    if fd != -1 {
        let lock = Lock::take();
        if ORIGINAL.fd.get() == fd {
            // Closing goes on if the terminal is gone.
            let _ = lock.restore();
            ORIGINAL.fd.set(-1);
        }
    }
    stream::close(stream_of(tty));
}

/// `int uv_tty_set_mode(uv_tty_t*, uv_tty_mode_t)`: `UV_TTY_MODE_NORMAL` is what the terminal was
/// when the handle first left that mode; `UV_TTY_MODE_RAW` and `UV_TTY_MODE_RAW_VT` (the same) give
/// each byte as it comes, without echo; `UV_TTY_MODE_IO` also leaves output alone. Takes effect at
/// once, without waiting for output. The mode that the handle is in already changes nothing.
///
/// # Returns
/// 0; `UV_EINVAL` for another mode; `UV_ENOTTY` when it is no terminal; what tcgetattr(3) and
/// tcsetattr(3) say; `UV_EINTR` when signals do not let it come to an end.
///
/// # Safety
/// `tty` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_set_mode(tty: *mut uv_tty_t, mode: uv_tty_mode_t) -> c_int {
    let mode = match mode {
        UV_TTY_MODE_RAW_VT => UV_TTY_MODE_RAW,
        UV_TTY_MODE_NORMAL | UV_TTY_MODE_RAW | UV_TTY_MODE_IO => mode,
        _ => return UV_EINVAL,
    };
    // SAFETY: the caller's promise.
    match set_mode(unsafe { &*tty }, mode) {
        Ok(()) => 0,
        Err(code) => code,
    }
}

fn set_mode(tty: &uv_tty_t, mode: uv_tty_mode_t) -> Result<(), c_int> {
    if tty.mode.get() == mode as c_int {
        return Ok(());
    }
    let fd = tty.io_watcher.fd.get();
    // Held to the end: what uv_tty_reset_mode gives back in a signal handler must stay so.
    let lock = Lock::take();
    if tty.mode.get() == UV_TTY_MODE_NORMAL as c_int {
        let original = attributes(fd)?;
        tty.orig_termios.set(original);
        lock.save(fd, &original);
    }
    let mut termios = tty.orig_termios.get();
    match mode {
        UV_TTY_MODE_RAW => make_raw(&mut termios),
        // SAFETY: changes what it is given.
        UV_TTY_MODE_IO => unsafe { libc::cfmakeraw(&raw mut termios) },
        _ => {}
    }
    apply(fd, &termios)?;
    tty.mode.set(mode as c_int);
    Ok(())
}

/// Input byte by byte, output as programs expect it: a line feed also returns the carriage.
fn make_raw(termios: &mut libc::termios) {
    termios.c_iflag &= !(libc::BRKINT | libc::ICRNL | libc::INPCK | libc::ISTRIP | libc::IXON);
    termios.c_oflag |= libc::ONLCR;
    termios.c_cflag |= libc::CS8;
    termios.c_lflag &= !(libc::ECHO | libc::ICANON | libc::IEXTEN | libc::ISIG);
    termios.c_cc[libc::VMIN] = 1;
    termios.c_cc[libc::VTIME] = 0;
}

/// tcgetattr(3).
fn attributes(fd: c_int) -> Result<libc::termios, c_int> {
    let mut termios = MaybeUninit::zeroed();
    // SAFETY: `termios` is valid for writes; zeros are attributes, too.
    unsafe {
        if libc::tcgetattr(fd, termios.as_mut_ptr()) == 0 {
            Ok(termios.assume_init())
        } else {
            Err(status::last())
        }
    }
}

/// tcsetattr(3), at once. Async-signal-safe.
fn apply(fd: c_int, termios: &libc::termios) -> Result<(), c_int> {
    for _ in 0..ATTEMPTS {
        // SAFETY: `termios` is valid.
        if unsafe { libc::tcsetattr(fd, libc::TCSANOW, termios) } == 0 {
            return Ok(());
        }
        if status::last() != UV_EINTR {
            return Err(status::last());
        }
    }
    Err(UV_EINTR)
}

/// `int uv_tty_reset_mode(void)`: gives the first terminal that left its normal mode back as it was.
/// For the end of the program. Async-signal-safe; leaves errno alone.
///
/// # Returns
/// 0, also when there is none; `UV_EBUSY` inside [`uv_tty_set_mode`], here or in another thread; what
/// tcsetattr(3) says.
#[unsafe(no_mangle)]
pub extern "C" fn uv_tty_reset_mode() -> c_int {
    let errno = status::errno();
    let result = match Lock::try_take() {
        Some(lock) => lock.restore(),
        None => Err(UV_EBUSY),
    };
    status::set_errno(errno);
    match result {
        Ok(()) => 0,
        Err(code) => code,
    }
}

/// `int uv_tty_get_winsize(uv_tty_t*, int* width, int* height)`: columns and rows. 0 and 0 from a
/// terminal that was never told.
///
/// # Returns
/// 0; `UV_EINVAL` for NULL; `UV_ENOTTY` when it is no terminal; `UV_EBADF` when it is closed.
///
/// # Safety
/// `tty` is initialised, `width` and `height` are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_get_winsize(
    tty: *mut uv_tty_t,
    width: *mut c_int,
    height: *mut c_int,
) -> c_int {
    if width.is_null() || height.is_null() {
        return UV_EINVAL;
    }
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the caller's promise; TIOCGWINSZ writes a winsize.
    unsafe {
        let fd = (*tty).io_watcher.fd.get();
        if libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) != 0 {
            return status::last();
        }
        *width = c_int::from(size.ws_col);
        *height = c_int::from(size.ws_row);
    }
    0
}

/// `void uv_tty_set_vterm_state(uv_tty_vtermstate_t)`: means something on Windows only.
///
/// # Safety
/// The argument is not looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_set_vterm_state(_state: uv_tty_vtermstate_t) {}

/// `int uv_tty_get_vterm_state(uv_tty_vtermstate_t*)`: `UV_ENOTSUP`, as on every Unix.
///
/// # Safety
/// The argument is not looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_get_vterm_state(_state: *mut uv_tty_vtermstate_t) -> c_int {
    UV_ENOTSUP
}
