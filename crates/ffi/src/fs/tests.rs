//! What libuv's own tests do not ask: odd sizes, long names, no memory, wrong turns.

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::zeroed;
use core::ptr::{null, null_mut};
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::vec::Vec;
use std::{format, fs, vec};

use super::attributes::*;
use super::copy::*;
use super::dir::*;
use super::entry::*;
use super::io::*;
use super::link::*;
use super::request::*;
use super::scandir::*;
use super::send::*;
use super::stat::*;
use super::temp::*;
use crate::abi::*;
use crate::loop_::life::{uv_loop_close, uv_loop_init};
use crate::loop_::run::uv_run;

/// A folder that goes away with its contents.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let template = c_path(&std::env::temp_dir().join("uvring-fs-XXXXXX"));
        let mut req = request();
        // SAFETY: a fresh request and a C string.
        unsafe {
            assert_eq!(uv_fs_mkdtemp(null_mut(), &mut req, template.as_ptr(), None), 0);
            let path = CStr::from_ptr(req.path.get()).to_str().unwrap().into();
            uv_fs_req_cleanup(&mut req);
            Folder(path)
        }
    }

    fn path(&self, name: &str) -> CString {
        c_path(&self.0.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

fn request() -> uv_fs_t {
    // SAFETY: zero bytes are a valid request.
    unsafe { zeroed() }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: two fresh descriptors, each owned once.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

#[test]
fn a_write_goes_out_whole_however_it_is_cut() {
    let (reader, writer) = pipe();
    let source: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    // Lengths 0, 1, 2, ... over and over; far more than 1024 buffers, and more than a pipe holds.
    let (mut bufs, mut at) = (Vec::new(), 0usize);
    for len in (0..97usize).cycle() {
        let len = len.min(source.len() - at);
        bufs.push(uv_buf_t { base: source[at..].as_ptr().cast_mut().cast(), len });
        at += len;
        if at == source.len() {
            break;
        }
    }
    bufs.extend([uv_buf_t { base: null_mut(), len: 0 }; 1500]);
    let sink = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0u8; 777]);
        loop {
            let buf = uv_buf_t { base: piece.as_mut_ptr().cast(), len: piece.len() };
            let mut req = request();
            // SAFETY: a fresh request and one buffer.
            let got =
                unsafe { uv_fs_read(null_mut(), &mut req, reader.as_raw_fd(), &buf, 1, -1, None) };
            match got {
                1.. => all.extend_from_slice(&piece[..got as usize]),
                end => return (all, end),
            }
        }
    });
    let mut req = request();
    // SAFETY: a fresh request; the buffers are valid for reads.
    let written = unsafe {
        let (list, count) = (bufs.as_ptr(), bufs.len() as u32);
        uv_fs_write(null_mut(), &mut req, writer.as_raw_fd(), list, count, -1, None)
    };
    drop(writer);
    let (all, end) = sink.join().unwrap();
    assert_eq!((written as usize, end), (source.len(), 0));
    assert!(all == source);
    assert!(req.bufs.get().is_null());
}

#[test]
fn empty_buffers_before_full_ones_stop_nothing() {
    let folder = Folder::new();
    let name = folder.path("file");
    let mut bufs = vec![uv_buf_t { base: null_mut(), len: 0 }; 1024];
    bufs.push(uv_buf_t { base: c"abc".as_ptr().cast_mut(), len: 3 });
    let mut req = request();
    // SAFETY: fresh requests; the buffers are valid for reads.
    unsafe {
        let flags = libc::O_RDWR | libc::O_CREAT;
        let fd = uv_fs_open(null_mut(), &mut req, name.as_ptr(), flags, 0o600, None);
        assert!(fd >= 0);
        assert_eq!(uv_fs_write(null_mut(), &mut req, fd, bufs.as_ptr(), 1025, 5, None), 3);
        assert_eq!(uv_fs_close(null_mut(), &mut req, fd, None), 0);
        assert_eq!(uv_fs_close(null_mut(), &mut req, fd, None), UV_EBADF);
    }
    assert_eq!(fs::read(folder.0.join("file")).unwrap(), b"\0\0\0\0\0abc");
}

#[test]
fn bad_lists_of_buffers_are_refused() {
    let mut req = request();
    let buf = uv_buf_t { base: null_mut(), len: 0 };
    for (list, count) in [(null(), 1), (&raw const buf, 0), (&raw const buf, u32::MAX)] {
        // SAFETY: a list with so many buffers is not looked at.
        unsafe {
            assert_eq!(uv_fs_read(null_mut(), &mut req, 0, list, count, 0, None), UV_EINVAL);
            assert_eq!(uv_fs_write(null_mut(), &mut req, 0, list, count, 0, None), UV_EINVAL);
        }
        assert_eq!(req.result.get(), UV_EINVAL as isize);
    }
}

#[test]
fn paths_and_targets_of_any_length() {
    let folder = Folder::new();
    let mut req = request();
    let mut deep = folder.0.canonicalize().unwrap();
    while deep.as_os_str().len() < 3500 {
        deep.push("d".repeat(200));
    }
    fs::create_dir_all(&deep).unwrap();
    let deep = c_path(&deep);
    for len in [1, 255, 256, 257, 511, 512, 4095] {
        let target = CString::new("t".repeat(len)).unwrap();
        let name = folder.path(&format!("link{len}"));
        // SAFETY: fresh requests and C strings.
        unsafe {
            let made = uv_fs_symlink(null_mut(), &mut req, target.as_ptr(), name.as_ptr(), 0, None);
            assert_eq!(made, 0, "{len}");
            assert_eq!(uv_fs_readlink(null_mut(), &mut req, name.as_ptr(), None), 0);
            assert_eq!(CStr::from_ptr(req.ptr.get().cast()), target.as_c_str());
            uv_fs_req_cleanup(&mut req);
        }
    }
    // SAFETY: as above.
    unsafe {
        assert_eq!(uv_fs_realpath(null_mut(), &mut req, deep.as_ptr(), None), 0);
        assert_eq!(CStr::from_ptr(req.ptr.get().cast()), deep.as_c_str());
        uv_fs_req_cleanup(&mut req);
        for (len, code) in [(0, UV_ENOENT), (255, UV_ENOENT), (256, UV_ENAMETOOLONG)] {
            let name = CString::new("n".repeat(len)).unwrap();
            assert_eq!(uv_fs_stat(null_mut(), &mut req, name.as_ptr(), None), code, "{len}");
            assert!(req.ptr.get().is_null());
        }
        for len in [4095, 4096, 100_000] {
            let name = CString::new("/".repeat(len)).unwrap();
            let code = if len < 4096 { 0 } else { UV_ENAMETOOLONG };
            assert_eq!(uv_fs_stat(null_mut(), &mut req, name.as_ptr(), None), code, "{len}");
        }
        assert_eq!(uv_fs_stat(null_mut(), &mut req, null(), None), UV_EINVAL);
        assert_eq!(uv_fs_rename(null_mut(), &mut req, deep.as_ptr(), null(), None), UV_EINVAL);
        assert_eq!(uv_fs_fstat(null_mut(), &mut req, -1, None), UV_EBADF);
        assert_eq!(uv_fs_fstat(null_mut(), &mut req, libc::AT_FDCWD, None), UV_EBADF);
    }
}

/// Many names of many lengths, some not UTF-8.
fn fill_folder(folder: &Folder, count: usize) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> =
        (0..count).map(|n| format!("{n}{}", "x".repeat(n % 250)).into_bytes()).collect();
    names.push(b"\xff\xfe".to_vec());
    for name in &names {
        fs::write(folder.0.join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
    }
    fs::create_dir(folder.0.join("folder")).unwrap();
    names.push(b"folder".to_vec());
    names.sort();
    names
}

#[test]
fn a_scan_yields_every_name_in_order() {
    let folder = Folder::new();
    let names = fill_folder(&folder, 2000);
    let path = c_path(&folder.0);
    let mut req = request();
    // SAFETY: a fresh request and a C string.
    unsafe {
        let count = uv_fs_scandir(null_mut(), &mut req, path.as_ptr(), 0, None);
        assert_eq!(count as usize, names.len());
        let mut entry: uv_dirent_t = zeroed();
        for name in &names {
            assert_eq!(uv_fs_scandir_next(&mut req, &mut entry), 0);
            assert_eq!(CStr::from_ptr(entry.name).to_bytes(), name);
            let kind = if name == b"folder" { UV_DIRENT_DIR } else { UV_DIRENT_FILE };
            assert!(entry.r#type == kind || entry.r#type == UV_DIRENT_UNKNOWN);
        }
        assert_eq!(uv_fs_scandir_next(&mut req, &mut entry), UV_EOF);
        assert_eq!(uv_fs_scandir_next(&mut req, &mut entry), UV_EOF);
        uv_fs_req_cleanup(&mut req);
        uv_fs_req_cleanup(&mut req);
    }
}

#[test]
fn a_folder_read_in_pieces_while_names_vanish() {
    let folder = Folder::new();
    let names = fill_folder(&folder, 2000);
    let path = c_path(&folder.0);
    let mut req = request();
    let mut seen = Vec::new();
    // SAFETY: fresh requests, a C string, and an array that lives as long as the folder is read.
    unsafe {
        assert_eq!(uv_fs_readdir(null_mut(), &mut req, null_mut(), None), UV_EINVAL);
        assert_eq!(uv_fs_closedir(null_mut(), &mut req, null_mut(), None), UV_EINVAL);
        assert_eq!(uv_fs_opendir(null_mut(), &mut req, path.as_ptr(), None), 0);
        let dir = req.ptr.get().cast::<uv_dir_t>();
        uv_fs_req_cleanup(&mut req);
        assert_eq!(uv_fs_readdir(null_mut(), &mut req, dir, None), UV_EINVAL);
        let mut entries: [uv_dirent_t; 7] = zeroed();
        ((*dir).dirents, (*dir).nentries) = (entries.as_mut_ptr(), entries.len());
        loop {
            let count = uv_fs_readdir(null_mut(), &mut req, dir, None);
            assert!((0..=7).contains(&count));
            for entry in &entries[..count as usize] {
                let name = CStr::from_ptr(entry.name).to_bytes();
                if name != b"folder" {
                    fs::remove_file(folder.0.join(std::ffi::OsStr::from_bytes(name))).unwrap();
                }
                seen.push(name.to_vec());
            }
            uv_fs_req_cleanup(&mut req);
            if count == 0 {
                break;
            }
        }
        assert_eq!(uv_fs_closedir(null_mut(), &mut req, dir, None), 0);
        uv_fs_req_cleanup(&mut req);
    }
    seen.sort();
    assert!(seen == names);
}

fn copied(from: &CStr, to: &CStr, flags: c_int) -> c_int {
    let mut req = request();
    // SAFETY: a fresh request and C strings.
    unsafe {
        let code = uv_fs_copyfile(null_mut(), &mut req, from.as_ptr(), to.as_ptr(), flags, None);
        uv_fs_req_cleanup(&mut req);
        code
    }
}

#[test]
fn copies_and_what_becomes_of_failed_ones() {
    let folder = Folder::new();
    let [source, target] = ["source", "target"].map(|name| folder.path(name));
    let bytes: Vec<u8> = (0..5_000_000u32).map(|n| (n / 7) as u8).collect();
    fs::write(folder.0.join("source"), &bytes).unwrap();
    fs::write(folder.0.join("target"), vec![1; 6_000_000]).unwrap();
    assert_eq!(copied(&source, &target, UV_FS_COPYFILE_FICLONE), 0);
    assert!(fs::read(folder.0.join("target")).unwrap() == bytes);
    assert_eq!(copied(&source, &target, UV_FS_COPYFILE_EXCL), UV_EEXIST);
    assert_eq!(copied(&source, &target, 8), UV_EINVAL);

    // No room: an error, and the device is still there.
    assert_eq!(copied(&source, c"/dev/full", 0), UV_ENOSPC);
    assert!(Path::new("/dev/full").exists());

    // A folder is no file: nothing is made.
    let folder_path = c_path(&folder.0);
    assert_eq!(copied(&folder_path, &folder.path("none"), 0), UV_EISDIR);
    assert!(!folder.0.join("none").exists());

    // A clone that must be one either is, or leaves nothing behind.
    let forced = folder.path("forced");
    match copied(&source, &forced, UV_FS_COPYFILE_FICLONE_FORCE) {
        0 => assert!(fs::read(folder.0.join("forced")).unwrap() == bytes),
        code => {
            assert!(matches!(code, UV_ENOTSUP | UV_ENOTTY | UV_EINVAL | UV_EXDEV), "{code}");
            assert!(!folder.0.join("forced").exists());
            // What was there before is left alone.
            assert_eq!(copied(&source, &target, UV_FS_COPYFILE_FICLONE_FORCE), code);
            assert!(fs::read(folder.0.join("target")).unwrap() == bytes);
        }
    }
}

#[test]
fn sendfile_from_what_is_no_file() {
    let folder = Folder::new();
    let (reader, writer) = pipe();
    // SAFETY: the bytes are valid for reads.
    let put = unsafe { libc::write(writer.as_raw_fd(), c"0123456789".as_ptr().cast(), 10) };
    assert_eq!(put, 10);
    drop(writer);
    let target = fs::File::create(folder.0.join("file")).unwrap();
    let mut req = request();
    let (to, from) = (target.as_raw_fd(), reader.as_raw_fd());
    // SAFETY: fresh requests.
    unsafe {
        assert_eq!(uv_fs_sendfile(null_mut(), &mut req, to, from, 0, 4, None), 4);
        assert_eq!(uv_fs_sendfile(null_mut(), &mut req, to, from, 0, 100, None), 6);
        assert_eq!(uv_fs_sendfile(null_mut(), &mut req, to, from, 0, 100, None), 0);
        assert_eq!(uv_fs_sendfile(null_mut(), &mut req, to, -1, 0, 100, None), UV_EBADF);
        let too_much = usize::MAX;
        assert_eq!(uv_fs_sendfile(null_mut(), &mut req, to, from, 0, too_much, None), UV_EINVAL);
    }
    assert_eq!(fs::read(folder.0.join("file")).unwrap(), b"0123456789");
}

/// An allocator that refuses on demand, on the thread that demands it.
mod heap {
    use super::*;

    std::thread_local! {
        /// Allocations until one is refused; negative: none is.
        static LEFT: Cell<i64> = const { Cell::new(-1) };
        static REFUSED: Cell<bool> = const { Cell::new(false) };
        static BLOCKS: Cell<i64> = const { Cell::new(0) };
    }

    fn refuses() -> bool {
        let left = LEFT.get();
        LEFT.set(left - i64::from(left >= 0));
        REFUSED.set(REFUSED.get() || left == 0);
        left == 0
    }

    fn counted(block: *mut c_void) -> *mut c_void {
        BLOCKS.set(BLOCKS.get() + i64::from(!block.is_null()));
        block
    }

    unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
        // SAFETY: malloc may be called with any size.
        if refuses() { null_mut() } else { counted(unsafe { libc::malloc(size) }) }
    }

    unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
        // SAFETY: calloc may be called with any numbers.
        if refuses() { null_mut() } else { counted(unsafe { libc::calloc(count, size) }) }
    }

    unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
        if refuses() {
            return null_mut();
        }
        // SAFETY: the caller's block.
        let new = unsafe { libc::realloc(block, size) };
        if block.is_null() { counted(new) } else { new }
    }

    unsafe extern "C" fn free(block: *mut c_void) {
        BLOCKS.set(BLOCKS.get() - i64::from(!block.is_null()));
        // SAFETY: the caller's block.
        unsafe { libc::free(block) };
    }

    /// For good: the other tests do not notice, their blocks are the C library's all the same.
    pub(super) fn install() {
        // SAFETY: the functions behave as those they stand before.
        let code = unsafe {
            crate::mem::uv_replace_allocator(Some(malloc), Some(realloc), Some(calloc), Some(free))
        };
        assert_eq!(code, 0);
    }

    /// Refuses the allocation after the next `count`; how many blocks there are now.
    pub(super) fn start(count: i64) -> i64 {
        REFUSED.set(false);
        LEFT.set(count);
        BLOCKS.get()
    }

    /// Whether one was refused.
    pub(super) fn stop() -> bool {
        LEFT.set(-1);
        REFUSED.get()
    }

    pub(super) fn blocks() -> i64 {
        BLOCKS.get()
    }
}

#[test]
fn no_memory_is_an_answer_and_nothing_is_lost() {
    let folder = Folder::new();
    fill_folder(&folder, 100);
    let path = c_path(&folder.0);
    let link = folder.path("link");
    let mut req = request();
    // SAFETY: fresh requests and C strings throughout.
    unsafe {
        assert_eq!(uv_fs_symlink(null_mut(), &mut req, path.as_ptr(), link.as_ptr(), 0, None), 0);
        heap::install();
        type Call = unsafe fn(*mut uv_fs_t, *const c_char, *const c_char) -> c_int;
        let calls: [(&str, Call); 6] = [
            ("scandir", |req, path, _| uv_fs_scandir(null_mut(), req, path, 0, None)),
            ("readlink", |req, _, link| uv_fs_readlink(null_mut(), req, link, None)),
            ("realpath", |req, path, _| uv_fs_realpath(null_mut(), req, path, None)),
            ("statfs", |req, path, _| uv_fs_statfs(null_mut(), req, path, None)),
            ("opendir", |req, path, _| {
                let code = uv_fs_opendir(null_mut(), req, path, None);
                if code != 0 {
                    return code;
                }
                let dir = (*req).ptr.get().cast::<uv_dir_t>();
                let mut entries: [uv_dirent_t; 64] = zeroed();
                ((*dir).dirents, (*dir).nentries) = (entries.as_mut_ptr(), entries.len());
                uv_fs_req_cleanup(req);
                let count = uv_fs_readdir(null_mut(), req, dir, None);
                uv_fs_req_cleanup(req);
                assert_eq!(uv_fs_closedir(null_mut(), req, dir, None), 0);
                count
            }),
            ("mkdtemp", |req, _, _| uv_fs_mkdtemp(null_mut(), req, c"none".as_ptr(), None)),
        ];
        for (name, call) in calls {
            let mut refused = 0;
            loop {
                let before = heap::start(refused);
                let code = call(&mut req, path.as_ptr(), link.as_ptr());
                uv_fs_req_cleanup(&mut req);
                let failed = heap::stop();
                assert_eq!(heap::blocks(), before, "{name}, allocation {refused}");
                if !failed {
                    break;
                }
                // A folder read in pieces yields what there was room for.
                assert!(code == UV_ENOMEM || (name == "opendir" && code > 0), "{name}: {code}");
                refused += 1;
                assert!(refused < 100);
            }
            assert!(refused > 0, "{name} allocates");
        }
    }
}

unsafe extern "C" fn count_cb(req: *mut uv_fs_t) {
    // SAFETY: every request here carries a counter.
    unsafe {
        let counter = (*req).data.get().cast::<Cell<u32>>();
        (*counter).set((*counter).get() + 1);
    }
}

#[test]
fn with_a_callback_everything_is_copied() {
    let folder = Folder::new();
    let name = folder.path("file");
    fs::write(folder.0.join("file"), "hello world").unwrap();
    let calls = Cell::new(0u32);
    let mut req = request();
    req.data.set((&raw const calls).cast_mut().cast());
    // SAFETY: one loop on this thread; the request outlives its callbacks.
    unsafe {
        let mut owner: uv_loop_t = zeroed();
        let owner = &raw mut owner;
        assert_eq!(uv_loop_init(owner), 0);
        let mut passed = name.clone().into_bytes_with_nul();
        let path = passed.as_mut_ptr().cast::<c_char>();
        assert_eq!(uv_fs_open(owner, &mut req, path, 0, 0, Some(count_cb)), 0);
        passed.fill(b'x');
        assert_eq!(calls.get(), 0);
        assert_eq!(uv_run(owner, UV_RUN_DEFAULT), 0);
        assert_eq!(calls.get(), 1);
        assert_eq!(CStr::from_ptr(req.path.get()), name.as_c_str());
        let fd = req.result.get() as c_int;
        assert!(fd >= 0);
        uv_fs_req_cleanup(&mut req);

        let mut bytes = [0u8; 11];
        let mut bufs: Vec<uv_buf_t> = bytes
            .chunks_mut(1)
            .map(|byte| uv_buf_t { base: byte.as_mut_ptr().cast(), len: 1 })
            .collect();
        let read = uv_fs_read(owner, &mut req, fd, bufs.as_ptr(), 11, 0, Some(count_cb));
        assert_eq!(read, 0);
        bufs.fill(uv_buf_t { base: null_mut(), len: 0 });
        assert_eq!(uv_run(owner, UV_RUN_DEFAULT), 0);
        assert_eq!((calls.get(), req.result.get()), (2, 11));
        assert_eq!(&bytes, b"hello world");
        assert!(req.bufs.get().is_null());

        let code = uv_fs_access(null_mut(), &mut req, name.as_ptr(), 0, Some(count_cb));
        assert_eq!(code, UV_EINVAL);
        assert_eq!(uv_fs_close(owner, &mut req, fd, Some(count_cb)), 0);
        assert_eq!(uv_run(owner, UV_RUN_DEFAULT), 0);
        assert_eq!((calls.get(), req.result.get()), (3, 0));
        assert_eq!(uv_loop_close(owner), 0);
    }
}
