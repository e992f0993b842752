//! Names of unix sockets: paths, abstract names, and none.

use core::ffi::{c_char, c_int, c_uint};
use core::mem::{offset_of, zeroed};
use core::ptr;

use libc::{S_IRGRP, S_IROTH, S_IRUSR, S_IWGRP, S_IWOTH, S_IWUSR, sockaddr_storage, sockaddr_un};
use uvring_core::socket;

use crate::abi::*;
use crate::{mem, status};

const PATH: usize = offset_of!(sockaddr_un, sun_path);

/// Bytes of a name at most. The kernel takes a path that fills them all, without a final NUL.
const MAX: usize = size_of::<sockaddr_un>() - PATH;

/// What the kernel answers at most: it adds the NUL that did not fit.
const MAX_ANSWER: usize = MAX + 1;

/// A name that bind(2) and connect(2) understand.
pub(super) struct Name {
    address: sockaddr_un,
    /// Bytes of the name in `address`.
    namelen: usize,
}

impl Name {
    /// # Errors
    /// `UV_EINVAL` for unknown flags, a NULL name, a NUL inside a path, or one that is too long where
    /// the flags do not let it be cut.
    ///
    /// # Safety
    /// `name` is NULL or valid for reads of `namelen` bytes.
    pub(super) unsafe fn new(
        name: *const c_char,
        namelen: usize,
        flags: c_uint,
    ) -> Result<Name, c_int> {
        if flags & !UV_PIPE_NO_TRUNCATE != 0 || name.is_null() {
            return Err(UV_EINVAL);
        }
        if namelen > MAX && flags & UV_PIPE_NO_TRUNCATE != 0 {
            return Err(UV_EINVAL);
        }
        // SAFETY: the caller's promise.
        unsafe {
            // Looked for in all of it: what is cut off is part of the path all the same.
            if namelen != 0 && *name != 0 && !libc::memchr(name.cast(), 0, namelen).is_null() {
                return Err(UV_EINVAL);
            }
            let namelen = namelen.min(MAX);
            let mut address: sockaddr_un = zeroed();
            address.sun_family = libc::AF_UNIX as libc::sa_family_t;
            ptr::copy_nonoverlapping(name, address.sun_path.as_mut_ptr(), namelen);
            Ok(Name { address, namelen })
        }
    }

    pub(super) fn as_ptr(&self) -> *const u8 {
        ptr::from_ref(&self.address).cast()
    }

    /// Bytes of the address. A path's NUL counts where it fits.
    pub(super) fn len(&self) -> u32 {
        let end = usize::from(self.is_path() && self.namelen < MAX);
        (PATH + self.namelen + end) as u32
    }

    fn is_path(&self) -> bool {
        self.namelen != 0 && self.address.sun_path[0] != 0
    }

    /// The path as a C string on the heap; null for a name that is none.
    ///
    /// # Errors
    /// `UV_ENOMEM`.
    pub(super) fn copy_path(&self) -> Result<*mut c_char, c_int> {
        if !self.is_path() {
            return Ok(ptr::null_mut());
        }
        let copy = mem::alloc_array::<c_char>(self.namelen + 1);
        if copy.is_null() {
            return Err(UV_ENOMEM);
        }
        // SAFETY: the block has room for the name, which `address` holds, and the NUL.
        unsafe {
            ptr::copy_nonoverlapping(self.address.sun_path.as_ptr(), copy, self.namelen);
            copy.add(self.namelen).write(0);
        }
        Ok(copy)
    }
}

/// `int uv_pipe_getsockname(const uv_pipe_t*, char* buffer, size_t* size)`: the socket's own name.
/// `*size` is the room in bytes, then the name's length, without the NUL that ends a path.
///
/// # Returns
/// 0; `UV_EINVAL` for NULL or no room, `UV_EBADF` without a descriptor; `UV_ENOBUFS` when the room is too small,
/// with what is needed in `*size`; what getsockname(2) says.
///
/// # Safety
/// `pipe` is initialised, `buffer` NULL or valid for writes of `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_getsockname(
    pipe: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: the caller's promise; the address is as long as said.
    unsafe { get(pipe, buffer, size, |fd, addr, len| socket::getsockname(fd, addr, len)) }
}

/// `int uv_pipe_getpeername(const uv_pipe_t*, char* buffer, size_t* size)`: as
/// [`uv_pipe_getsockname`], the name of the socket that this one is connected to.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_getpeername(
    pipe: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: the caller's promise; the address is as long as said.
    unsafe { get(pipe, buffer, size, |fd, addr, len| socket::getpeername(fd, addr, len)) }
}

/// # Safety
/// As for [`uv_pipe_getsockname`]; `ask` writes at most `*len` bytes.
unsafe fn get(
    pipe: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
    ask: impl FnOnce(c_int, *mut u8, *mut u32) -> uvring_core::Result<()>,
) -> c_int {
    // SAFETY: not NULL, so valid for reads.
    if buffer.is_null() || size.is_null() || unsafe { *size } == 0 {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let code = ask_and_give(pipe, buffer, size, ask);
        if code != 0 && code != UV_ENOBUFS {
            *size = 0;
        }
        code
    }
}

/// # Safety
/// As for [`get`]; nothing is NULL.
unsafe fn ask_and_give(
    pipe: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
    ask: impl FnOnce(c_int, *mut u8, *mut u32) -> uvring_core::Result<()>,
) -> c_int {
    // SAFETY: the caller's promise; the storage has room for every address.
    unsafe {
        let fd = (*pipe).io_watcher.fd.get();
        if fd == -1 {
            return UV_EBADF;
        }
        let mut storage: sockaddr_storage = zeroed();
        let mut len = size_of::<sockaddr_storage>() as u32;
        if let Err(error) = ask(fd, (&raw mut storage).cast(), &raw mut len) {
            return status::from_errno(error);
        }
        if len as usize > PATH && c_int::from(storage.ss_family) != libc::AF_UNIX {
            // A stream over a socket of another kind has no such name.
            return UV_EINVAL;
        }
        let namelen = (len as usize).saturating_sub(PATH).min(MAX_ANSWER);
        let name = (&raw const storage).cast::<c_char>().add(PATH);
        give(core::slice::from_raw_parts(name, namelen), buffer, size)
    }
}

/// Copies a name out: an abstract one as it is, a path up to its NUL and with a NUL behind.
///
/// # Safety
/// `buffer` is valid for writes of `*size` bytes.
unsafe fn give(name: &[c_char], buffer: *mut c_char, size: *mut usize) -> c_int {
    let is_path = name.first().is_some_and(|&first| first != 0);
    let namelen = match name.iter().position(|&byte| byte == 0) {
        Some(end) if is_path => end,
        _ => name.len(),
    };
    let needed = namelen + usize::from(is_path);
    // SAFETY: the caller's promise.
    unsafe {
        if needed > *size {
            *size = needed;
            return UV_ENOBUFS;
        }
        ptr::copy_nonoverlapping(name.as_ptr(), buffer, namelen);
        if is_path {
            buffer.add(namelen).write(0);
        }
        *size = namelen;
    }
    0
}

/// `int uv_pipe_chmod(uv_pipe_t*, int mode)`: lets every user read (`UV_READABLE`) or write
/// (`UV_WRITABLE`) the socket's path, or both, and do nothing else. May wait for the disk.
///
/// # Returns
/// 0; `UV_EBADF` for NULL or a handle without a descriptor, `UV_EINVAL` for another mode; what
/// getsockname(2) and chmod(2) say.
///
/// # Safety
/// `pipe` is NULL or initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_chmod(pipe: *mut uv_pipe_t, mode: c_int) -> c_int {
    // SAFETY: not NULL, so initialised.
    if pipe.is_null() || unsafe { (*pipe).io_watcher.fd.get() } == -1 {
        return UV_EBADF;
    }
    let (readable, writable) = (UV_READABLE as c_int, UV_WRITABLE as c_int);
    if mode & (readable | writable) == 0 || mode & !(readable | writable) != 0 {
        return UV_EINVAL;
    }
    let mut path = [0 as c_char; MAX_ANSWER + 1];
    let mut size = path.len();
    // SAFETY: `path` has `size` bytes, and ends with a NUL however much is written.
    unsafe {
        let code = uv_pipe_getsockname(pipe, path.as_mut_ptr(), &raw mut size);
        if code != 0 {
            return code;
        }
        let mut wanted = 0;
        if mode & readable != 0 {
            wanted |= S_IRUSR | S_IRGRP | S_IROTH;
        }
        if mode & writable != 0 {
            wanted |= S_IWUSR | S_IWGRP | S_IWOTH;
        }
        status::check(libc::chmod(path.as_ptr(), wanted))
    }
}
