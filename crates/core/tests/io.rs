//! Sockets, files and descriptors against the kernel: what they do, and what they answer to mistakes.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::ptr;

use uvring_core::file::{self, RWF_NOWAIT};
use uvring_core::socket::{self, IoVec};
use uvring_core::{Errno, Result};

const AF_UNIX: i32 = 1;
const AF_INET: i32 = 2;
const STREAM: i32 = 1;

fn iov(bytes: &[u8]) -> IoVec {
    IoVec { base: bytes.as_ptr().cast_mut(), len: bytes.len() }
}

fn receive(fd: i32, room: &mut [u8]) -> Result<usize> {
    // SAFETY: every pointer is to a live local, with its own length.
    unsafe { socket::recv(fd, room.as_mut_ptr(), room.len()) }
}

/// 127.0.0.1 and a port, as a `struct sockaddr_in`.
fn localhost(port: u16) -> [u8; 16] {
    let mut addr = [0; 16];
    addr[..2].copy_from_slice(&(AF_INET as u16).to_ne_bytes());
    addr[2..4].copy_from_slice(&port.to_be_bytes());
    addr[4..8].copy_from_slice(&[127, 0, 0, 1]);
    addr
}

#[test]
fn a_pair_moves_bytes_and_descriptors() {
    let [a, b] = socket::socketpair(AF_UNIX, STREAM, 0, [true, true]).unwrap();
    let mut room = [0u8; 64];
    assert_eq!(receive(b, &mut room), Err(Errno::AGAIN));
    let parts = [iov(b"one "), IoVec { base: ptr::null_mut(), len: 0 }, iov(b"two")];
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::sendmsg(a, parts.as_ptr(), 3, 0) }, Ok(7));
    assert_eq!(receive(b, &mut room), Ok(7));
    assert_eq!(&room[..7], b"one two");
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::send(a, b"x".as_ptr(), 1, 0) }, Ok(1));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::writev(a, parts.as_ptr(), 1) }, Ok(4));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::read(b, room.as_mut_ptr(), 64) }, Ok(5));

    let file = std::fs::File::open("/dev/null").unwrap();
    let rights = [file.as_raw_fd(), a];
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::sendmsg_rights(a, parts.as_ptr(), 1, 0, &rights) }, Ok(4));
    let mut got = [-1; 1];
    let into = iov(&room);
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::recvmsg_rights(b, &into, 1, &mut got) }, Ok((4, 1)));
    assert!(file::fstat(got[0]).is_ok(), "a copy of the first");
    let (ours, theirs) = (file::fstat(file.as_raw_fd()).unwrap(), file::fstat(got[0]).unwrap());
    assert_eq!(ours.st_rdev, theirs.st_rdev);
    assert_eq!(socket::close(got[0]), Ok(()));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::sendmsg_rights(a, parts.as_ptr(), 1, 0, &[-1]) }, Err(Errno::BADF));
    let many = [a; 300];
    assert_eq!(
        // SAFETY: every pointer is to a live local, with its own length.
        unsafe { socket::sendmsg_rights(a, parts.as_ptr(), 1, 0, &many) },
        Err(Errno::INVAL)
    );

    socket::shutdown(a, 1).unwrap();
    assert_eq!(receive(b, &mut room), Ok(0));
    assert_eq!(socket::shutdown(a, 3), Err(Errno::INVAL));
    socket::close(a).unwrap();
    socket::close(b).unwrap();
}

#[test]
fn a_full_socket_takes_a_part_and_then_none() {
    let [a, b] = socket::socketpair(AF_UNIX, STREAM, 0, [true, true]).unwrap();
    let block = vec![7u8; 1 << 20];
    // More buffers than one call takes, and a sum beyond what the socket holds.
    let parts: Vec<IoVec> = (0..2000).map(|_| iov(&block)).collect();
    // SAFETY: every pointer is to a live local, with its own length.
    let sent = unsafe { socket::sendmsg(a, parts.as_ptr(), parts.len(), 0) }.unwrap();
    assert!(sent > 0 && sent < 2000 << 20);
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::send(a, block.as_ptr(), block.len(), 0) }, Err(Errno::AGAIN));
    socket::close(b).unwrap();
    const NOSIGNAL: u32 = 0x4000;
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::send(a, block.as_ptr(), 1, NOSIGNAL) }, Err(Errno::PIPE));
    socket::close(a).unwrap();
}

#[test]
fn a_tcp_connection_from_end_to_end() {
    let listener = socket::socket(AF_INET, STREAM, 0).unwrap();
    // SAFETY: every pointer is to a live local, with its own length.
    unsafe { socket::bind(listener, localhost(0).as_ptr(), 16) }.unwrap();
    socket::listen(listener, 16).unwrap();
    assert_eq!(socket::accept(listener), Err(Errno::AGAIN));
    let (mut addr, mut len) = ([0u8; 16], 16);
    // SAFETY: every pointer is to a live local, with its own length.
    unsafe { socket::getsockname(listener, addr.as_mut_ptr(), &mut len) }.unwrap();
    assert_eq!((len, &addr[4..8]), (16, &[127, 0, 0, 1][..]));

    let client = socket::socket(AF_INET, STREAM, 0).unwrap();
    // SAFETY: every pointer is to a live local, with its own length.
    match unsafe { socket::connect(client, addr.as_ptr(), len) } {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(errno) => panic!("connect: {errno}"),
    }
    let mut accepted = socket::accept(listener);
    for _ in 0..1000 {
        if accepted != Err(Errno::AGAIN) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
        accepted = socket::accept(listener);
    }
    let server = accepted.unwrap();
    let (mut peer, mut len) = ([0u8; 4], 4);
    // SAFETY: every pointer is to a live local, with its own length.
    unsafe { socket::getpeername(client, peer.as_mut_ptr(), &mut len) }.unwrap();
    assert_eq!((len, peer), (16, addr[..4].try_into().unwrap()), "cut off, whole length told");
    let mut negative = u32::MAX;
    // SAFETY: every pointer is to a live local, with its own length.
    let cut = unsafe { socket::getpeername(client, peer.as_mut_ptr(), &mut negative) };
    assert_eq!(cut, Err(Errno::INVAL));
    assert_eq!(socket::error(client), Ok(None));
    const SOL_SOCKET: i32 = 1;
    const SO_KEEPALIVE: i32 = 9;
    socket::setsockopt_int(client, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    assert_eq!(socket::getsockopt_int(client, SOL_SOCKET, SO_KEEPALIVE), Ok(1));
    assert_eq!(socket::setsockopt_int(client, SOL_SOCKET, 9999, 1), Err(Errno::NOPROTOOPT));
    for fd in [client, server, listener] {
        socket::close(fd).unwrap();
    }

    // Nobody listens there any more: the error shows at once or as the socket's pending error.
    let client = socket::socket(AF_INET, STREAM, 0).unwrap();
    // SAFETY: every pointer is to a live local, with its own length.
    let refused = match unsafe { socket::connect(client, addr.as_ptr(), 16) } {
        Err(Errno::INPROGRESS) => socket::error(client).unwrap().unwrap_or(Errno::CONNREFUSED),
        other => other.unwrap_err(),
    };
    assert_eq!(refused, Errno::CONNREFUSED);
    socket::close(client).unwrap();
}

#[test]
fn mistakes_are_the_kernels_errors() {
    let one = [iov(b"x")];
    let mut room = [0u8; 4];
    for fd in [-1, i32::MIN, -100, 1_000_000] {
        assert_eq!(receive(fd, &mut room), Err(Errno::BADF));
        // SAFETY: every pointer is to a live local, with its own length.
        assert_eq!(unsafe { socket::read(fd, room.as_mut_ptr(), 4) }, Err(Errno::BADF));
        // SAFETY: every pointer is to a live local, with its own length.
        assert_eq!(unsafe { socket::sendmsg(fd, one.as_ptr(), 1, 0) }, Err(Errno::BADF));
        // SAFETY: every pointer is to a live local, with its own length.
        assert_eq!(unsafe { socket::writev(fd, one.as_ptr(), 1) }, Err(Errno::BADF));
        // SAFETY: every pointer is to a live local, with its own length.
        assert_eq!(unsafe { socket::bind(fd, localhost(0).as_ptr(), 16) }, Err(Errno::BADF));
        assert_eq!(socket::listen(fd, 1), Err(Errno::BADF));
        assert_eq!(socket::accept(fd), Err(Errno::BADF));
        assert_eq!(socket::shutdown(fd, 0), Err(Errno::BADF));
        assert_eq!(socket::error(fd), Err(Errno::BADF));
        assert_eq!(socket::set_nonblocking(fd, true), Err(Errno::BADF));
        assert_eq!(socket::setsockopt_int(fd, 1, 9, 1), Err(Errno::BADF));
        assert_eq!(socket::close(fd), Err(Errno::BADF));
        assert_eq!(file::fstat(fd).err(), Some(Errno::BADF));
        // SAFETY: every pointer is to a live local, with its own length.
        assert_eq!(unsafe { file::preadv2(fd, one.as_ptr(), 1, 0, 0) }, Err(Errno::BADF));
    }
    assert_eq!(socket::socket(-1, STREAM, 0), Err(Errno::AFNOSUPPORT));
    assert_eq!(socket::socket(1 << 20, STREAM, 0), Err(Errno::AFNOSUPPORT));
    assert_eq!(socket::socket(AF_INET, -1, 0), Err(Errno::INVAL));
    assert!(socket::socket(AF_INET, STREAM, 9999).is_err());
    let fd = socket::socket(AF_INET, STREAM, 0).unwrap();
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::recv(fd, ptr::null_mut(), 9) }, Err(Errno::FAULT));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::send(fd, ptr::null(), 9, 0x4000) }, Err(Errno::FAULT));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::sendmsg(fd, ptr::null(), 9, 0x4000) }, Err(Errno::FAULT));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::bind(fd, ptr::null(), 16) }, Err(Errno::FAULT));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { socket::bind(fd, localhost(0).as_ptr(), u32::MAX) }, Err(Errno::INVAL));
    // SAFETY: every pointer is to a live local, with its own length.
    assert!(unsafe { socket::getpeername(fd, room.as_mut_ptr(), &mut 4) }.is_err());
    socket::close(fd).unwrap();
}

#[test]
fn files_in_memory_are_read_and_written_without_waiting() {
    let dir = std::env::temp_dir().join(format!("uvring-core-io-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = CString::new(dir.join("file").to_str().unwrap()).unwrap();
    const RDWR_CREAT: u32 = 0o102;
    let fd = file::openat(file::CWD, &path, RDWR_CREAT, 0o600).unwrap();
    let parts = [iov(b"hello "), iov(b"world")];
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { file::pwritev2(fd, parts.as_ptr(), 2, 0, 0) }, Ok(11));
    assert_eq!(file::fstat(fd).unwrap().st_size, 11);
    let cached = match file::openat_cached(file::CWD, &path, 0, 0) {
        Ok(fd) => fd,
        // Allowed: an old kernel, or a path that was dropped from memory just now.
        Err(Errno::AGAIN | Errno::NOSYS | Errno::INVAL) => {
            println!("openat2 RESOLVE_CACHED is not to be had here");
            file::openat(file::CWD, &path, 0, 0).unwrap()
        }
        Err(errno) => panic!("openat2: {errno}"),
    };
    let mut room = [0u8; 16];
    let into = [IoVec { base: room.as_mut_ptr(), len: 16 }];
    // SAFETY: every pointer is to a live local, with its own length.
    let nread = match unsafe { file::preadv2(cached, into.as_ptr(), 1, 6, RWF_NOWAIT) } {
        Err(Errno::OPNOTSUPP | Errno::AGAIN) => {
            println!("RWF_NOWAIT is not to be had here");
            // SAFETY: every pointer is to a live local, with its own length.
            unsafe { file::preadv2(cached, into.as_ptr(), 1, 6, 0) }
        }
        other => other,
    };
    assert_eq!(nread, Ok(5));
    assert_eq!(&room[..5], b"world");
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { file::preadv2(cached, into.as_ptr(), 1, -1, 0) }, Ok(11), "own position");
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { file::preadv2(cached, into.as_ptr(), 1, -1, 0) }, Ok(0), "moved");
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { file::preadv2(cached, into.as_ptr(), 1, -2, 0) }, Err(Errno::INVAL));
    // SAFETY: every pointer is to a live local, with its own length.
    assert_eq!(unsafe { file::pwritev2(cached, parts.as_ptr(), 2, 0, 0) }, Err(Errno::BADF));
    let missing = CString::new(dir.join("missing").to_str().unwrap()).unwrap();
    assert_eq!(file::openat(file::CWD, &missing, 0, 0), Err(Errno::NOENT));
    assert_eq!(file::openat(-5, c"relative", 0, 0), Err(Errno::BADF));
    file::close(cached).unwrap();
    file::close(fd).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}
