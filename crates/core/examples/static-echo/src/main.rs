//! A TCP echo server without std, without libc and without an allocator.
//!
//! `static-echo [PORT]` serves 127.0.0.1; without a port the kernel picks one. It prints the
//! port, and all the memory it has is its stack.
#![no_std]
#![no_main]

mod mem;

use core::cell::Cell;
use core::ptr;

use uvring_core::driver::{Driver, Event, Kind, Watch, ready};
use uvring_core::{Errno, Result, socket};

/// Clients at a time; more wait in the listener's queue.
const CLIENTS: usize = 64;
/// One more than the highest descriptor that is watched.
const DESCRIPTORS: usize = CLIENTS + 16;
const BUFFER: usize = 16 * 1024;
const NOSIGNAL: u32 = 0x4000;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}

/// exit_group(2): the one thing here that core has no business with.
fn exit(code: i32) -> ! {
    // SAFETY: does not return.
    unsafe {
        core::arch::asm!("syscall", in("rax") 231, in("rdi") code, options(noreturn, nostack))
    }
}

/// The kernel starts here: on the stack are argc, then argv.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn _start() -> ! {
    core::arch::naked_asm!("mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym main)
}

/// # Safety
/// `stack` is the stack as the kernel left it.
unsafe extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: argc, then that many pointers to strings that end with a zero byte.
    let port = unsafe { if *stack > 1 { number((*stack.add(2)) as *const u8) } else { Some(0) } };
    let code = match port.ok_or(Errno::INVAL).and_then(serve) {
        Ok(()) => 0,
        Err(_) => 1,
    };
    exit(code)
}

/// # Safety
/// `text` ends with a zero byte.
unsafe fn number(mut text: *const u8) -> Option<u16> {
    let mut value = 0u16;
    // SAFETY: read up to the zero byte and no further.
    unsafe {
        while *text != 0 {
            let digit = (*text).checked_sub(b'0').filter(|&digit| digit < 10)?;
            value = value.checked_mul(10)?.checked_add(u16::from(digit))?;
            text = text.add(1);
        }
    }
    Some(value)
}

fn serve(port: u16) -> Result<()> {
    let listener = socket::socket(2, 1, 0)?;
    let mut addr = [0u8; 16];
    addr[0] = 2;
    addr[2..4].copy_from_slice(&port.to_be_bytes());
    addr[4..8].copy_from_slice(&[127, 0, 0, 1]);
    let mut len = 16;
    // SAFETY: the address is readable and writable for 16 bytes.
    unsafe {
        socket::bind(listener, addr.as_ptr(), len)?;
        socket::listen(listener, 128)?;
        socket::getsockname(listener, addr.as_mut_ptr(), &raw mut len)?;
    }
    say(u16::from_be_bytes([addr[2], addr[3]]))?;

    let driver = Driver::new(Kind::Epoll)?;
    let table = [const { Cell::new(ptr::null::<Watch>()) }; DESCRIPTORS];
    let watches = [const { Watch::new() }; DESCRIPTORS];
    // SAFETY: the table outlives the driver's use: after this function's only end, an error, the
    // driver is dropped and nothing more is asked of it.
    unsafe { driver.lend_table(table.as_ptr(), DESCRIPTORS as u32) };
    let accepting = Watch::new();
    accepting.fd.set(listener);
    // SAFETY: the watches outlive the loop, and so does the table.
    unsafe { driver.watch(&accepting, ready::IN) }?;
    let mut clients = 0;
    loop {
        match driver.wait(None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        while let Some(Event::Ready(watch, _)) = driver.next() {
            // SAFETY: events carry live watches only.
            let watch = unsafe { &*watch };
            if ptr::eq(watch, &accepting) {
                clients += accept(&driver, &watches, listener)?;
            } else if echo(watch.fd.get()).is_err() {
                driver.unwatch(watch);
                socket::close(watch.fd.get())?;
                clients -= 1;
            }
            if clients >= CLIENTS {
                driver.unwatch(&accepting);
            } else {
                // SAFETY: as above.
                unsafe { driver.watch(&accepting, ready::IN) }?;
            }
        }
    }
}

/// Takes one client; the listener reports again if there are more. Returns how many it took.
fn accept(driver: &Driver, watches: &[Watch], listener: i32) -> Result<usize> {
    let fd = match socket::accept(listener) {
        Ok(fd) => fd,
        Err(Errno::AGAIN | Errno::CONNABORTED) => return Ok(0),
        Err(errno) => return Err(errno),
    };
    let Some(watch) = watches.get(fd as usize) else {
        socket::close(fd)?;
        return Ok(0);
    };
    watch.fd.set(fd);
    // SAFETY: the watches outlive the driver's use.
    unsafe { driver.watch(watch, ready::IN) }?;
    Ok(1)
}

/// Sends back what there is. A client that does not read what it sent is given up.
fn echo(fd: i32) -> Result<()> {
    let mut buf = [0u8; BUFFER];
    // SAFETY: the buffer is writable, then readable up to what was received.
    let nread = match unsafe { socket::recv(fd, buf.as_mut_ptr(), buf.len()) } {
        Err(Errno::AGAIN) => return Ok(()),
        other => other?,
    };
    let mut rest = &buf[..nread];
    if rest.is_empty() {
        return Err(Errno::PIPE);
    }
    while !rest.is_empty() {
        // SAFETY: the slice is readable.
        let sent = unsafe { socket::send(fd, rest.as_ptr(), rest.len(), NOSIGNAL) }?;
        rest = rest.get(sent..).unwrap_or(&[]);
    }
    Ok(())
}

/// Prints the port in decimal and a line feed.
fn say(port: u16) -> Result<()> {
    let mut text = *b"     \n";
    let (mut left, mut at) = (port, 5);
    while at == 5 || left > 0 {
        at -= 1;
        text[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let line = socket::IoVec { base: text[at..].as_ptr().cast_mut(), len: 6 - at };
    // SAFETY: one buffer, readable.
    unsafe { socket::writev(1, &raw const line, 1) }.map(drop)
}
