//! Where the program may be: the search of execvp(3), prepared by the parent so that the child
//! allocates nothing. A script without a `#!` line is not run by the shell: `UV_ENOEXEC`.

use core::ffi::{CStr, c_char};
use core::{ptr, slice};

use crate::abi::*;
use crate::mem;

/// Where programs are looked for without a `PATH`, as the C library has it.
const DEFAULT_PATH: &CStr = c"/bin:/usr/bin";

/// The longest name of one file.
const NAME_MAX: usize = 255;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// A program, its arguments and its environment, and the room to put its path together.
pub(super) struct Program {
    file: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    /// The folders to look in; null: `file` is a path.
    folders: *const c_char,
    /// Room for a folder, a slash and the name.
    path: *mut c_char,
}

impl Program {
    /// # Safety
    /// `options` and all it points to are valid and stay so for as long as the program.
    pub(super) unsafe fn new(options: &uv_process_options_t) -> Result<Self, i32> {
        // SAFETY: the caller's promise; arrays end with NULL.
        unsafe {
            let file = options.file;
            let name_len = libc::strlen(file);
            let is_path = !libc::strchr(file, i32::from(b'/')).is_null();
            if !is_path && name_len > NAME_MAX {
                return Err(UV_ENAMETOOLONG);
            }
            let envp =
                if options.env.is_null() { environ } else { options.env.cast_const().cast() };
            let folders = if is_path { ptr::null() } else { search_path(envp) };
            let argv: *const *const c_char = options.args.cast_const().cast();
            let room = if is_path { 1 } else { libc::strlen(folders) + name_len + 2 };
            let path = mem::alloc_array::<c_char>(room);
            if path.is_null() {
                return Err(UV_ENOMEM);
            }
            Ok(Program { file, argv, envp, folders, path })
        }
    }

    /// execve(2), in the child: only comes back with an error number.
    pub(super) fn exec(&self) -> i32 {
        if self.folders.is_null() {
            return self.exec_at(self.file);
        }
        // SAFETY: C strings that `new` was promised; the room is enough for the longest folder.
        unsafe {
            let name = slice::from_raw_parts(self.file.cast::<u8>(), libc::strlen(self.file) + 1);
            let folders = CStr::from_ptr(self.folders).to_bytes();
            let mut is_forbidden = false;
            let mut error = libc::ENOENT;
            for folder in folders.split(|&byte| byte == b':') {
                error = self.exec_at(self.join(folder, name));
                match error {
                    libc::EACCES => is_forbidden = true,
                    libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV => {}
                    libc::ETIMEDOUT | libc::ENAMETOOLONG => {}
                    _ => return error,
                }
            }
            if is_forbidden { libc::EACCES } else { error }
        }
    }

    /// `folder/name` in our room. An empty folder is the working directory.
    ///
    /// # Safety
    /// Both came from what `new` measured; `name` includes its NUL.
    unsafe fn join(&self, folder: &[u8], name: &[u8]) -> *const c_char {
        // SAFETY: the room is for the whole search path, a slash, the name and its NUL.
        unsafe {
            let mut at = self.path.cast::<u8>();
            if !folder.is_empty() {
                ptr::copy_nonoverlapping(folder.as_ptr(), at, folder.len());
                at = at.add(folder.len());
                *at = b'/';
                at = at.add(1);
            }
            ptr::copy_nonoverlapping(name.as_ptr(), at, name.len());
        }
        self.path
    }

    fn exec_at(&self, path: *const c_char) -> i32 {
        // SAFETY: C strings and arrays of them that end with NULL, as `new` was promised.
        unsafe {
            libc::execve(path, self.argv, self.envp);
            crate::status::errno()
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: our own block, freed once.
        unsafe { mem::free(self.path.cast()) };
    }
}

/// The first `PATH` of an environment.
///
/// # Safety
/// `envp` is null or an array of C strings that ends with NULL.
unsafe fn search_path(envp: *const *const c_char) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        let mut next = envp;
        while !next.is_null() && !(*next).is_null() {
            if libc::strncmp(*next, c"PATH=".as_ptr(), 5) == 0 {
                return (*next).add(5);
            }
            next = next.add(1);
        }
    }
    DEFAULT_PATH.as_ptr()
}
