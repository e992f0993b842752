//! POSIX AIO: requests that complete by themselves, in the interface. In glibc it is a pool of
//! threads, one request at a time for each descriptor, and waiting looks through a list of all.
use super::{BLOCK, DEPTH};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr::null;

/// One request. The library writes into it, and into its bytes, until it is reaped.
type Control = Box<libc::aiocb>;

pub(super) fn read(file: &File, offsets: &[u64], out: &mut [u8]) -> io::Result<()> {
    let mut jobs = offsets.iter().zip(out.chunks_mut(BLOCK));
    let mut running: Vec<Control> = Vec::with_capacity(DEPTH);
    let mut result = Ok(());
    loop {
        while running.len() < DEPTH && result.is_ok() {
            let Some((&offset, into)) = jobs.next() else { break };
            match start(file, offset, into) {
                Ok(control) => running.push(control),
                Err(error) => result = Err(error),
            }
        }
        if running.is_empty() {
            return result;
        }
        let list: Vec<*const libc::aiocb> = running.iter().map(|c| &raw const **c).collect();
        // SAFETY: a list of requests that are under way, with its length; no time limit. When a
        // signal ends it early, nothing is reaped below and it waits again.
        unsafe { libc::aio_suspend(list.as_ptr(), list.len() as i32, null()) };
        // An error is kept, and what still runs is waited for: it writes into `out`.
        running.retain_mut(|control| match reap(control) {
            None => true,
            Some(answer) => {
                if result.is_ok() {
                    result = answer;
                }
                false
            }
        });
    }
}

fn start(file: &File, offset: u64, into: &mut [u8]) -> io::Result<Control> {
    // SAFETY: integers and pointers, for which zero is a value: no signal, no priority.
    let mut control: Control = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
    control.aio_fildes = file.as_raw_fd();
    control.aio_buf = into.as_mut_ptr().cast();
    control.aio_nbytes = into.len();
    control.aio_offset = offset as libc::off_t;
    control.aio_sigevent.sigev_notify = libc::SIGEV_NONE;
    // SAFETY: control block and bytes stay where they are until `reap` saw the end: `read` does
    // not return before.
    if unsafe { libc::aio_read(&raw mut *control) } == 0 {
        Ok(control)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What became of a request; `None` while it is under way.
fn reap(control: &mut libc::aiocb) -> Option<io::Result<()>> {
    // SAFETY: a request that was started and not reaped before.
    match unsafe { libc::aio_error(control) } {
        libc::EINPROGRESS => return None,
        0 => {}
        error => return Some(Err(io::Error::from_raw_os_error(error))),
    }
    // SAFETY: complete, and asked for once.
    let count = unsafe { libc::aio_return(control) };
    Some(if count == BLOCK as isize { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) })
}
