//! What the child's descriptors are made of, on the parent's side.

use core::cell::Cell;
use core::ffi::c_int;
use core::slice;

use uvring_core::socket;

use crate::abi::*;
use crate::handle::{Handle, flag, watch_of};
use crate::{mem, status, stream};

/// One descriptor of the child.
pub(super) struct Entry {
    /// The parent's descriptor that it becomes; -1: none.
    pub(super) source: c_int,
    /// The child's: where the source lies when it is its turn.
    pub(super) placed: Cell<c_int>,
    /// Whether standard input, output or error is made blocking, as programs expect of it.
    pub(super) blocks: bool,
    /// The other end of `source`, to be opened as a stream; -1: none.
    ours: c_int,
    /// `source` was made for the child and is not needed after the start.
    is_made: bool,
}

impl Entry {
    const fn new(source: c_int) -> Self {
        Entry { source, placed: Cell::new(-1), blocks: true, ours: -1, is_made: false }
    }
}

/// The child's descriptors, from 0. Closes on drop what it made and nobody took.
pub(super) struct Stdio<'o> {
    options: &'o uv_process_options_t,
    entries: *mut Entry,
    count: usize,
}

impl<'o> Stdio<'o> {
    /// Makes the pipes and finds the descriptors. The first three are always there.
    ///
    /// # Safety
    /// `options.stdio` is valid for `stdio_count` entries, each with a valid stream where its
    /// flags say that there is one.
    pub(super) unsafe fn new(options: &'o uv_process_options_t) -> Result<Self, c_int> {
        let given = usize::try_from(options.stdio_count).unwrap_or(0);
        if given > 0 && options.stdio.is_null() {
            return Err(UV_EINVAL);
        }
        let count = given.max(3);
        let entries = mem::alloc_array::<Entry>(count);
        if entries.is_null() {
            return Err(UV_ENOMEM);
        }
        // SAFETY: the block has room for `count` entries; the caller vouches for the containers.
        unsafe {
            for index in 0..count {
                entries.add(index).write(Entry::new(-1));
            }
            let made = Stdio { options, entries, count };
            for index in 0..given {
                entries.add(index).write(prepare(&*options.stdio.add(index))?);
            }
            Ok(made)
        }
    }

    /// What the child's descriptors are made of, from 0.
    pub(super) fn entries(&self) -> &[Entry] {
        // SAFETY: the block has `count` initialised entries.
        unsafe { slice::from_raw_parts(self.entries, self.count) }
    }

    /// Gives the parent's ends to their streams and closes the child's.
    ///
    /// # Safety
    /// The streams are still there.
    pub(super) unsafe fn open(self) -> Result<(), c_int> {
        for index in 0..self.count {
            // SAFETY: as in `entries`; an entry with an end of ours has a container and a stream.
            unsafe {
                let entry = &mut *self.entries.add(index);
                if entry.ours == -1 {
                    continue;
                }
                let container = &*self.options.stdio.add(index);
                socket::set_nonblocking(entry.ours, true).map_err(status::from_errno)?;
                let flags = to_stream_flags(container.flags);
                stream::open(&*container.data.stream, entry.ours, flags)?;
                entry.ours = -1;
            }
        }
        Ok(())
    }
}

impl Drop for Stdio<'_> {
    fn drop(&mut self) {
        for entry in self.entries() {
            if entry.is_made {
                let _ = socket::close(entry.source);
            }
            if entry.ours != -1 {
                let _ = socket::close(entry.ours);
            }
        }
        // SAFETY: our own block, freed once.
        unsafe { mem::free(self.entries.cast()) };
    }
}

/// The child reads what the parent's stream writes, and the other way round.
fn to_stream_flags(flags: uv_stdio_flags) -> u32 {
    let mut result = 0;
    if flags & UV_READABLE_PIPE != 0 {
        result |= flag::WRITABLE;
    }
    if flags & UV_WRITABLE_PIPE != 0 {
        result |= flag::READABLE;
    }
    result
}

/// # Safety
/// The container's stream is valid where its flags say that there is one.
unsafe fn prepare(container: &uv_stdio_container_t) -> Result<Entry, c_int> {
    const KINDS: uv_stdio_flags = UV_CREATE_PIPE | UV_INHERIT_FD | UV_INHERIT_STREAM;
    // SAFETY: the caller's promise.
    unsafe {
        match container.flags & KINDS {
            UV_IGNORE => Ok(Entry::new(-1)),
            UV_CREATE_PIPE => create(container),
            UV_INHERIT_FD => inherit(container.data.fd),
            UV_INHERIT_STREAM => {
                let stream = container.data.stream.as_ref().ok_or(UV_EINVAL)?;
                if !matches!(stream.r#type.get(), UV_TCP | UV_NAMED_PIPE | UV_TTY) {
                    return Err(UV_EINVAL);
                }
                // What the parent has written comes before what the child writes.
                stream::send_deferred(stream);
                inherit(stream.io_watcher.fd.get())
            }
            _ => Err(UV_EINVAL),
        }
    }
}

fn inherit(fd: c_int) -> Result<Entry, c_int> {
    if fd < 0 {
        return Err(UV_EINVAL);
    }
    Ok(Entry::new(fd))
}

/// # Safety
/// The container's stream is NULL or initialised.
unsafe fn create(container: &uv_stdio_container_t) -> Result<Entry, c_int> {
    // SAFETY: the caller's promise; a pipe has a watch.
    unsafe {
        let stream = container.data.stream.as_ref().ok_or(UV_EINVAL)?;
        if stream.r#type.get() != UV_NAMED_PIPE || stream.is_closing() {
            return Err(UV_EINVAL);
        }
        let watch = watch_of(container.data.stream.cast()).ok_or(UV_EINVAL)?;
        if (*watch).fd.get() != -1 {
            return Err(UV_EBUSY);
        }
    }
    let theirs =
        if container.flags & UV_NONBLOCK_PIPE != 0 { UV_NONBLOCK_PIPE as c_int } else { 0 };
    let mut pair = [-1; 2];
    // SAFETY: room for two descriptors.
    let code =
        unsafe { crate::pair::uv_socketpair(libc::SOCK_STREAM, 0, pair.as_mut_ptr(), 0, theirs) };
    if code != 0 {
        return Err(code);
    }
    let blocks = theirs == 0;
    Ok(Entry { blocks, ours: pair[0], is_made: true, ..Entry::new(pair[1]) })
}
