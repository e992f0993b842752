//! The title of the process: what ps(1) shows, written over the arguments it was started with.

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::mem;
use core::ptr;

use super::{bytes, put_text};
use crate::abi::*;
use crate::mem as heap;

/// Where the title is.
struct Area {
    /// The program's arguments, moved away; ours to free.
    args: *mut *mut c_char,
    /// Where the arguments were, and how many bytes they had.
    start: *mut c_char,
    size: usize,
    /// The title's length.
    len: usize,
}

struct Title {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    area: UnsafeCell<Area>,
}

// SAFETY: `area` is touched under `lock` only.
unsafe impl Sync for Title {}

const NOWHERE: Area = Area { args: ptr::null_mut(), start: ptr::null_mut(), size: 0, len: 0 };

static TITLE: Title = Title {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    area: UnsafeCell::new(NOWHERE),
};

impl Title {
    /// Gives `touch` the area. No callback runs under the lock.
    fn locked<T>(&self, touch: impl FnOnce(&mut Area) -> T) -> T {
        // SAFETY: a static mutex that is never destroyed; locking a mutex of this kind fails only
        // where it is no mutex. The area is ours while it is held.
        unsafe {
            libc::pthread_mutex_lock(self.lock.get());
            let answer = touch(&mut *self.area.get());
            libc::pthread_mutex_unlock(self.lock.get());
            answer
        }
    }
}

/// How many bytes lie at `argv[0]` without a gap: the texts of all arguments, if the kernel put
/// them there.
///
/// # Safety
/// `argv` has `argc` C strings or NULLs, the first of them a string.
unsafe fn contiguous(argc: usize, argv: *const *mut c_char) -> usize {
    // SAFETY: the caller's word.
    unsafe {
        let start = *argv;
        let mut size = 0;
        for index in 0..argc {
            let text = *argv.add(index);
            if text.is_null() || text != start.wrapping_add(size) {
                break;
            }
            size += bytes(text).len() + 1;
        }
        size
    }
}

/// Copies the arguments into one block: the pointers, a NULL, the texts. NULL without memory.
///
/// # Safety
/// `argv` has `argc` C strings or NULLs.
unsafe fn copy_args(argc: usize, argv: *const *mut c_char) -> *mut *mut c_char {
    // SAFETY: the caller's word; the block has room for what is counted first.
    unsafe {
        let mut size = (argc + 1) * mem::size_of::<*mut c_char>();
        for index in 0..argc {
            size += bytes(*argv.add(index)).len() + 1;
        }
        let args: *mut *mut c_char = heap::alloc(size).cast();
        if args.is_null() {
            return args;
        }
        let mut text: *mut c_char = args.add(argc + 1).cast();
        for index in 0..argc {
            let argument = *argv.add(index);
            args.add(index).write(if argument.is_null() { ptr::null_mut() } else { text });
            text = put_text(bytes(argument), text);
        }
        args.add(argc).write(ptr::null_mut());
        args
    }
}

/// Takes the memory of the arguments for the title: the program goes on with the copy that is
/// returned, valid until [`uv_library_shutdown`](crate::close::uv_library_shutdown). To be called
/// once, at the start; `argv` itself comes back when it was called before, when there is nothing to
/// copy or no memory.
/// Source: manual, misc, `uv_setup_args`.
///
/// # Safety
/// `argv` is NULL or what main() got: `argc` C strings; nobody else uses them during the call, and
/// through `argv` nobody does after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_setup_args(argc: c_int, argv: *mut *mut c_char) -> *mut *mut c_char {
    let argc = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller's word.
    unsafe {
        if argc == 0 || argv.is_null() || (*argv).is_null() {
            return argv;
        }
        TITLE.locked(|area| {
            if !area.start.is_null() {
                return argv;
            }
            let args = copy_args(argc, argv);
            if args.is_null() {
                return argv;
            }
            let (start, size) = (*argv, contiguous(argc, argv));
            *area = Area { args, start, size, len: bytes(start).len() };
            args
        })
    }
}

/// Sets the title, cut to the room that the arguments had, and the name of the calling thread (15
/// bytes of it), as ps(1) and top(1) show them. Thread-safe. `UV_ENOBUFS` before [`uv_setup_args`],
/// `UV_EINVAL` when `title` is NULL.
/// Source: manual, misc, `uv_set_process_title`.
///
/// # Safety
/// `title` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_set_process_title(title: *const c_char) -> c_int {
    if title.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word; the area has `size` bytes, at least one. `title` may be the area
    // itself, so the bytes are moved before the rest is cleared.
    TITLE.locked(|area| unsafe {
        let Some(most) = area.size.checked_sub(1) else { return UV_ENOBUFS };
        let len = libc::strnlen(title, most);
        // The name first: it may lie in the area too.
        libc::prctl(libc::PR_SET_NAME, title);
        ptr::copy(title, area.start, len);
        area.start.add(len).write_bytes(0, area.size - len);
        area.len = len;
        0
    })
}

/// The title. Thread-safe. `UV_EINVAL` when `buffer` is NULL or `size` 0; `UV_ENOBUFS` before
/// [`uv_setup_args`], or when the title does not fit with its NUL.
/// Source: manual, misc, `uv_get_process_title`.
///
/// # Safety
/// `buffer` is NULL or valid for writes of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_process_title(buffer: *mut c_char, size: usize) -> c_int {
    if buffer.is_null() || size == 0 {
        return UV_EINVAL;
    }
    TITLE.locked(|area| {
        if area.start.is_null() || size <= area.len {
            return UV_ENOBUFS;
        }
        // SAFETY: the title and its NUL are in the area, and fit by the caller's word.
        unsafe { ptr::copy(area.start, buffer, area.len + 1) };
        0
    })
}

/// Frees the copy of the arguments. Part of `uv_library_shutdown`.
pub(crate) fn shutdown() {
    let args = TITLE.locked(|area| mem::replace(area, NOWHERE).args);
    // SAFETY: ours, and no longer known to anybody.
    unsafe { heap::free(args.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments as the kernel lays them: text behind text.
    struct Args {
        text: std::vec::Vec<u8>,
        argv: std::vec::Vec<*mut c_char>,
    }

    fn args(list: &[&str]) -> Args {
        let mut text: std::vec::Vec<u8> = list.join("\0").into_bytes();
        text.push(0);
        let mut at = text.as_mut_ptr().cast::<c_char>();
        let mut argv = std::vec::Vec::new();
        for one in list {
            argv.push(at);
            at = at.wrapping_add(one.len() + 1);
        }
        argv.push(ptr::null_mut());
        Args { text, argv }
    }

    #[test]
    fn only_what_lies_together_is_taken() {
        let one = args(&["prog", "", "abc"]);
        let other = args(&["x"]);
        // SAFETY: C strings and NULLs.
        unsafe {
            assert_eq!(contiguous(3, one.argv.as_ptr()), 10);
            assert_eq!(contiguous(4, one.argv.as_ptr()), 10);
            let apart = [one.argv[0], other.argv[0], one.argv[1]];
            assert_eq!(contiguous(3, apart.as_ptr()), 5);
        }
    }

    /// The only test that touches the title of the process: it is one for all.
    #[test]
    fn the_title_lives_where_the_arguments_were() {
        let mut given = args(&["prog", "--flag", "last"]);
        let mut buffer = [0 as c_char; 64];
        let room = given.text.len();
        // SAFETY: valid strings and buffers; the arguments outlive the title.
        unsafe {
            let get =
                |buffer: &mut [c_char]| uv_get_process_title(buffer.as_mut_ptr(), buffer.len());
            assert_eq!(get(&mut buffer), UV_ENOBUFS);
            assert_eq!(uv_set_process_title(c"early".as_ptr()), UV_ENOBUFS);
            assert_eq!(uv_setup_args(0, given.argv.as_mut_ptr()), given.argv.as_mut_ptr());
            assert_eq!(uv_setup_args(3, ptr::null_mut()), ptr::null_mut());
            let copy = uv_setup_args(3, given.argv.as_mut_ptr());
            assert_ne!(copy, given.argv.as_mut_ptr());
            assert_eq!(get(&mut buffer), 0);
            assert_eq!(bytes(buffer.as_ptr()), b"prog");
            assert_eq!(uv_set_process_title(c"a title that is far too long".as_ptr()), 0);
            assert_eq!(get(&mut buffer), 0);
            assert_eq!(bytes(buffer.as_ptr()), &b"a title that is far too long"[..room - 1]);
            // A part of itself.
            assert_eq!(uv_set_process_title(given.argv[0].add(2)), 0);
            assert_eq!(get(&mut buffer), 0);
            assert_eq!(bytes(buffer.as_ptr()), &b"title that is far too long"[..room - 3]);
            assert_eq!(get(&mut buffer[..room - 3]), UV_ENOBUFS);
            assert_eq!(uv_get_process_title(ptr::null_mut(), 1), UV_EINVAL);
            assert_eq!(uv_set_process_title(ptr::null()), UV_EINVAL);
            assert_eq!(uv_setup_args(3, copy), copy);
            assert_eq!(bytes(*copy.add(1)), b"--flag");
            assert!((*copy.add(3)).is_null());
            shutdown();
            assert_eq!(get(&mut buffer), UV_ENOBUFS);
        }
        assert_eq!(given.text.pop(), Some(0));
    }
}
