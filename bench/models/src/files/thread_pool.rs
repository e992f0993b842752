//! Threads that block in pread(2) for others: what libuv and most libraries do. Each job costs a
//! hand-over, and no more run at once than there are threads.
use super::BLOCK;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// As many as libuv has unless told otherwise.
const THREADS: usize = 4;

pub(super) fn read(file: &File, offsets: &[u64], out: &mut [u8]) -> io::Result<()> {
    let jobs = Mutex::new(offsets.iter().zip(out.chunks_mut(BLOCK)));
    let work = || {
        loop {
            // The lock is let go before the read: a statement of its own.
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((&offset, into)) = job else { return Ok(()) };
            file.read_exact_at(into, offset)?;
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        });
        // Every one is joined, whatever the first one says.
        results.fold(Ok(()), io::Result::and)
    })
}
