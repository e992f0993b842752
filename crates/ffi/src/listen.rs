//! uv_listen and uv_accept.

use core::ffi::c_int;

use uvring_core::driver::ready::IN;
use uvring_core::{Errno, socket};

use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::stream::{self, read, rights};
use crate::{pipe, tcp, udp};

/// Connections taken in a row, so that a flood of them does not starve the others.
const ACCEPTS: usize = 64;

/// `int uv_listen(uv_stream_t*, int backlog, uv_connection_cb)`: takes connections; `backlog` is
/// listen(2)'s. Calling it again replaces the callback.
///
/// # Returns
/// 0; `UV_EINVAL` for a closing stream or one that cannot listen; what an earlier uv_tcp_bind kept
/// for now; what listen(2) says.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_listen(
    stream: *mut uv_stream_t,
    backlog: c_int,
    callback: uv_connection_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    let this = unsafe { &*stream };
    if this.is_closing() {
        return UV_EINVAL;
    }
    let result = match this.r#type.get() {
        UV_TCP => tcp::listen(this, backlog),
        UV_NAMED_PIPE => pipe::listen(this, backlog),
        _ => return UV_EINVAL,
    };
    if let Err(code) = result {
        return code;
    }
    keep_spare_descriptor(this.owner());
    this.connection_cb.set(callback);
    this.io_watcher.tag.set(watch::tag::LISTENER);
    if let Err(code) = watch::start(this.owner(), &this.io_watcher, IN) {
        return code;
    }
    this.set(flag::LISTENING | flag::BOUND);
    this.start();
    0
}

/// Keeps one descriptor to give up when the process has no more of them; see [`refuse_all`].
fn keep_spare_descriptor(owner: &uv_loop_t) {
    if owner.emfile_fd.get() == -1 {
        owner.emfile_fd.set(spare().unwrap_or(-1));
    }
}

fn spare() -> uvring_core::Result<c_int> {
    uvring_core::file::open_null()
}

/// Connections are waiting: takes each and tells the program, which calls uv_accept.
///
/// After each it asks poll(2) whether there is another. accept(2) makes a socket and a file before
/// it looks: when nothing waits that costs 5 us, and the question 0.4.
pub(crate) fn accept_ready(stream: &uv_stream_t) {
    for _ in 0..ACCEPTS {
        match socket::accept(stream.io_watcher.fd.get()) {
            Ok(fd) => stream.accepted_fd.set(fd),
            Err(Errno::MFILE | Errno::NFILE) => {
                refuse_all(stream);
                return;
            }
            Err(Errno::CONNABORTED) => continue,
            Err(Errno::AGAIN) => return,
            Err(_) => {
                // Short of memory, perhaps: the connection may still be waiting.
                stream.inner().driver().again(&stream.io_watcher, IN);
                return;
            }
        }
        if let Some(callback) = stream.connection_cb.get() {
            // SAFETY: the program's function, called with its own handle.
            call::out(stream.owner(), || unsafe { callback(stream.as_ptr(), 0) });
        }
        if stream.io_watcher.fd.get() == -1 {
            return;
        }
        if stream.accepted_fd.get() != -1 {
            // Not taken: no more until uv_accept.
            watch::stop(stream.owner(), &stream.io_watcher, IN);
            return;
        }
        if !read::has_input(stream) {
            return;
        }
    }
    stream.inner().driver().again(&stream.io_watcher, IN);
}

/// No descriptors left: with the spare one, accepts and closes whatever waits, so that the peers
/// learn of it and the loop does not spin on a listener that stays readable.
fn refuse_all(stream: &uv_stream_t) {
    let owner = stream.owner();
    let held = owner.emfile_fd.replace(-1);
    if held == -1 {
        stream.inner().driver().again(&stream.io_watcher, IN);
        return;
    }
    let _ = socket::close(held);
    let refused = (0..ACCEPTS).all(|_| match socket::accept(stream.io_watcher.fd.get()) {
        Ok(fd) => {
            let _ = socket::close(fd);
            true
        }
        Err(_) => false,
    });
    owner.emfile_fd.set(spare().unwrap_or(-1));
    if refused {
        // A flood: the others have their turn first.
        stream.inner().driver().again(&stream.io_watcher, IN);
    }
}

fn open(client: &uv_stream_t, fd: c_int, flags: u32) -> Result<(), c_int> {
    match client.r#type.get() {
        UV_TCP => tcp::open(client, fd, flags),
        _ => stream::open(client, fd, flags),
    }
}

/// `int uv_accept(uv_stream_t* server, uv_stream_t* client)`: gives the waiting connection to
/// `client`, an initialised handle without a descriptor. Succeeds once for each connection callback.
///
/// # Returns
/// 0; `UV_EAGAIN` when no connection waits; `UV_EINVAL` for a client that cannot hold one; `UV_EBUSY`
/// when the client has a descriptor.
///
/// # Safety
/// Both are initialised handles of one loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_accept(server: *mut uv_stream_t, client: *mut uv_stream_t) -> c_int {
    // SAFETY: the caller's promise.
    let (server, client) = unsafe { (&*server, &*client) };
    let fd = server.accepted_fd.get();
    if fd == -1 {
        return UV_EAGAIN;
    }
    let result = match client.r#type.get() {
        UV_TCP | UV_NAMED_PIPE => {
            // What a listener accepts is a socket; what came over an ipc pipe may be anything.
            let known = if server.has(flag::LISTENING) { flag::SOCKET } else { 0 };
            let result = open(client, fd, flag::READABLE | flag::WRITABLE | known);
            if result.is_ok() {
                client.set(flag::BOUND);
            }
            result
        }
        // SAFETY: the type says what the handle really is.
        UV_UDP => match unsafe { udp::uv_udp_open(client.as_ptr().cast(), fd) } {
            0 => Ok(()),
            code => Err(code),
        },
        _ => return UV_EINVAL,
    };
    if result.is_err() {
        let _ = socket::close(fd);
    }
    rights::advance(server);
    // A listener goes on; an ipc pipe reads when and as long as the program says so.
    let watching = if server.has(flag::LISTENING) {
        watch::start(server.owner(), &server.io_watcher, IN)
    } else {
        Ok(())
    };
    match result.and(watching) {
        Ok(()) => 0,
        Err(code) => code,
    }
}
