//! `uv_pipe_t`: unix sockets, and streams over any other descriptor. Source: the manual's page on
//! pipes.
//!
//! ```text
//!   mod   the handle: made, opened, bound, connected, closed
//!   name  socket names: from a program to the kernel and back
//! ```

mod name;

use core::ffi::{c_char, c_int, c_uint};
use core::ptr;

use uvring_core::{Errno, socket};

use self::name::Name;
pub use self::name::{uv_pipe_chmod, uv_pipe_getpeername, uv_pipe_getsockname};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::watch;
use crate::misc::uv_guess_handle;
use crate::{mem, req, status, stream};

/// The stream part of a pipe handle.
fn stream_of(pipe: &uv_pipe_t) -> &uv_stream_t {
    // SAFETY: a uv_pipe_t begins with the fields of a uv_stream_t, as abi/layout.rs asserts.
    unsafe { &*ptr::from_ref(pipe).cast() }
}

/// `int uv_pipe_init(uv_loop_t*, uv_pipe_t*, int ipc)`: makes the handle; the descriptor comes with
/// its first use. With `ipc` not 0 handles can be passed along; a listener must not have it.
/// Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `pipe` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_init(
    owner: *mut uv_loop_t,
    pipe: *mut uv_pipe_t,
    ipc: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        stream::init(owner, pipe.cast(), UV_NAMED_PIPE);
        (*pipe).ipc.set(ipc);
        (*pipe).pipe_fname.set(ptr::null_mut());
    }
    0
}

/// `int uv_pipe_open(uv_pipe_t*, uv_file)`: takes a descriptor over and makes it non-blocking. What
/// it was opened for decides whether the stream can be read, written or both.
///
/// # Returns
/// 0; `UV_EEXIST` when the loop watches the descriptor already; `UV_EBUSY` when the handle has
/// another; `UV_EBADF`.
///
/// # Safety
/// `pipe` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_open(pipe: *mut uv_pipe_t, file: uv_file) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { stream_of(&*pipe) };
    if watch::is_taken(stream.owner(), file) {
        return UV_EEXIST;
    }
    // SAFETY: F_GETFL may be asked about any number.
    let mode = unsafe { libc::fcntl(file, libc::F_GETFL) };
    if mode == -1 {
        return status::last();
    }
    if mode & libc::O_NONBLOCK == 0
        && let Err(error) = socket::set_nonblocking(file, true)
    {
        return status::from_errno(error);
    }
    let flags = match mode & libc::O_ACCMODE {
        libc::O_RDONLY => flag::READABLE,
        libc::O_WRONLY => flag::WRITABLE,
        _ => flag::READABLE | flag::WRITABLE,
    };
    match stream::open(stream, file, flags) {
        Ok(()) => 0,
        Err(code) => code,
    }
}

/// `int uv_pipe_bind(uv_pipe_t*, const char* name)`: [`uv_pipe_bind2`] with a C string and no flags.
///
/// # Safety
/// `pipe` is initialised, `name` NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_bind(pipe: *mut uv_pipe_t, name: *const c_char) -> c_int {
    if name.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    unsafe { uv_pipe_bind2(pipe, name, libc::strlen(name), 0) }
}

/// `int uv_pipe_bind2(uv_pipe_t*, const char* name, size_t namelen, unsigned flags)`: makes a unix
/// socket with this name, of `namelen` bytes. One that begins with a NUL is abstract, an empty one
/// lets the kernel choose an abstract name; any other is a path, which closing the handle removes.
/// A name beyond 108 bytes is cut, or refused with `UV_PIPE_NO_TRUNCATE`.
///
/// # Returns
/// 0; `UV_EINVAL` for unknown flags, a NULL name, a NUL inside a path, or a handle that closes or has
/// a descriptor; `UV_EACCES` when the path's folder is not there; `UV_ENOMEM`; what socket(2) and
/// bind(2) say.
///
/// # Safety
/// `pipe` is initialised, `name` NULL or valid for `namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_bind2(
    pipe: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    let result = unsafe { Name::new(name, namelen, flags).and_then(|name| bind(&*pipe, &name)) };
    match result {
        Ok(()) => 0,
        Err(code) => code,
    }
}

fn bind(pipe: &uv_pipe_t, name: &Name) -> Result<(), c_int> {
    let stream = stream_of(pipe);
    if stream.is_closing() || stream.io_watcher.fd.get() != -1 {
        return Err(UV_EINVAL);
    }
    let path = name.copy_path()?;
    let bound = new_socket().and_then(|fd| {
        // SAFETY: a name is readable for its own length.
        let bound = unsafe { socket::bind(fd, name.as_ptr(), name.len()) };
        bound.map(|()| fd).map_err(|error| {
            let _ = socket::close(fd);
            // As on Windows, where a missing folder cannot be told from a forbidden one.
            if error == Errno::NOENT { UV_EACCES } else { status::from_errno(error) }
        })
    });
    match bound {
        Ok(fd) => {
            stream.set(flag::BOUND | flag::SOCKET);
            stream.io_watcher.fd.set(fd);
            pipe.pipe_fname.set(path);
            Ok(())
        }
        Err(code) => {
            // SAFETY: `path` is this function's own block, or null.
            unsafe { mem::free(path.cast()) };
            Err(code)
        }
    }
}

fn new_socket() -> Result<c_int, c_int> {
    socket::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).map_err(status::from_errno)
}

/// The pipe part of uv_listen.
pub(crate) fn listen(stream: &uv_stream_t, backlog: c_int) -> Result<(), c_int> {
    if stream.io_watcher.fd.get() == -1 || stream::is_ipc(stream) {
        return Err(UV_EINVAL);
    }
    socket::listen(stream.io_watcher.fd.get(), backlog).map_err(status::from_errno)
}

/// `void uv_pipe_connect(uv_connect_t*, uv_pipe_t*, const char* name, uv_connect_cb)`:
/// [`uv_pipe_connect2`] with a C string and no flags. What that would return is not told.
///
/// # Safety
/// As there; `name` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_connect(
    req: *mut uv_connect_t,
    pipe: *mut uv_pipe_t,
    name: *const c_char,
    callback: uv_connect_cb,
) {
    if name.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        connect_named(req, pipe, name, libc::strlen(name), 0, callback);
    }
}

/// `int uv_pipe_connect2(uv_connect_t*, uv_pipe_t*, const char* name, size_t namelen, unsigned flags,
/// uv_connect_cb)`: connects to the unix socket of this name (see [`uv_pipe_bind2`]). The callback
/// gets what socket(2) and connect(2) say.
///
/// # Returns
/// 0; `UV_EINVAL` for unknown flags, a NULL or empty name, a NUL inside a path, a name that is too
/// long with `UV_PIPE_NO_TRUNCATE`, or a closing handle; `UV_EALREADY` while another attempt is under
/// way.
///
/// # Safety
/// `req` is valid for writes until its callback, `pipe` initialised, `name` NULL or valid for
/// `namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_connect2(
    req: *mut uv_connect_t,
    pipe: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
    callback: uv_connect_cb,
) -> c_int {
    if namelen == 0 {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    unsafe { connect_named(req, pipe, name, namelen, flags, callback) }
}

/// As [`uv_pipe_connect2`], but an empty name is for the kernel to refuse: uv_pipe_connect has only
/// its callback to tell.
///
/// # Safety
/// As there.
unsafe fn connect_named(
    req: *mut uv_connect_t,
    pipe: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
    callback: uv_connect_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let name = match Name::new(name, namelen, flags) {
            Ok(name) => name,
            Err(code) => return code,
        };
        let stream = stream_of(&*pipe);
        if stream.is_closing() {
            return UV_EINVAL;
        }
        if !stream.connect_req.get().is_null() {
            return UV_EALREADY;
        }
        stream.delayed_error.set(connect(stream, &name).err().unwrap_or(0));
        req::start(stream.owner(), req.cast(), UV_CONNECT);
        (*req).cb.set(callback);
        (*req).handle.set(pipe.cast());
        uvring_core::list::init(&raw const (*req).queue);
        stream.connect_req.set(req);
        // A unix socket is connected or refused when connect(2) returns: nothing to watch for.
        watch::feed(stream.owner(), &stream.io_watcher);
    }
    0
}

fn connect(stream: &uv_stream_t, name: &Name) -> Result<(), c_int> {
    if stream.io_watcher.fd.get() == -1 {
        stream.io_watcher.fd.set(new_socket()?);
        stream.set(flag::SOCKET);
    }
    let fd = stream.io_watcher.fd.get();
    // SAFETY: a name is readable for its own length.
    unsafe { socket::connect(fd, name.as_ptr(), name.len()) }.map_err(status::from_errno)?;
    stream.set(flag::READABLE | flag::WRITABLE);
    Ok(())
}

/// The pipe part of uv_close: removes the path that uv_pipe_bind made, while nobody else can have
/// made another under that name.
pub(crate) fn close(pipe: &uv_pipe_t) {
    let path = pipe.pipe_fname.replace(ptr::null_mut());
    if !path.is_null() {
        // SAFETY: a C string of ours, freed once.
        unsafe {
            libc::unlink(path);
            mem::free(path.cast());
        }
    }
    stream::close(stream_of(pipe));
}

/// `void uv_pipe_pending_instances(uv_pipe_t*, int)`: means something on Windows only.
///
/// # Safety
/// None of the arguments is looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_instances(_pipe: *mut uv_pipe_t, _count: c_int) {}

/// `int uv_pipe_pending_count(uv_pipe_t*)`: handles that have arrived and wait for uv_accept; 0 when
/// the pipe is not for passing handles.
///
/// # Safety
/// `pipe` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_count(pipe: *mut uv_pipe_t) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { stream_of(&*pipe) };
    if stream::is_ipc(stream) { stream::rights::count(stream) } else { 0 }
}

/// `uv_handle_type uv_pipe_pending_type(uv_pipe_t*)`: what the next handle to accept is;
/// `UV_UNKNOWN_HANDLE` when there is none.
///
/// # Safety
/// `pipe` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_type(pipe: *mut uv_pipe_t) -> uv_handle_type {
    // SAFETY: the caller's promise.
    unsafe {
        let stream = stream_of(&*pipe);
        let fd = stream.accepted_fd.get();
        if !stream::is_ipc(stream) || fd == -1 {
            return UV_UNKNOWN_HANDLE;
        }
        uv_guess_handle(fd)
    }
}
