//! io_uring: the kernel reads without a thread of ours; a whole batch is one system call.
use super::{BLOCK, DEPTH};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use uvring_core::Errno;
use uvring_core::uring::{Config, Ring, Sqe};

/// What it is called.
pub(super) const NAME: &str = "file-ring";

pub(super) fn read(file: &File, offsets: &[u64], out: &mut [u8]) -> io::Result<()> {
    let ring = Ring::new(&Config::new(DEPTH as u32))?;
    let mut jobs = offsets.iter().zip(out.chunks_mut(BLOCK));
    let (mut running, mut result) = (0, Ok(()));
    loop {
        while running < DEPTH && result.is_ok() {
            let Some((&offset, into)) = jobs.next() else { break };
            // SAFETY: `out` stays borrowed until `running` is 0 again.
            let sqe =
                unsafe { Sqe::read(file.as_raw_fd(), into.as_mut_ptr(), BLOCK as u32, offset) };
            match ring.push(sqe) {
                Ok(()) => running += 1,
                Err(error) => result = Err(error.into()),
            }
        }
        if running == 0 {
            return result;
        }
        match ring.enter_for(running.min(DEPTH / 2) as u32, None) {
            Ok(_) | Err(Errno::INTR | Errno::BUSY | Errno::AGAIN) => {}
            // Reads may still write into `out`, which the caller gets back: there is no way on.
            Err(_) => std::process::abort(),
        }
        while let Some(cqe) = ring.pop() {
            running -= 1;
            if cqe.raw() != BLOCK as i32 && result.is_ok() {
                result = Err(match cqe.result() {
                    Ok(_) => io::ErrorKind::UnexpectedEof.into(),
                    Err(error) => error.into(),
                });
            }
        }
    }
}
