//! The same question for files: how does a program go on while a disk works? None of these is told
//! that a file is ready, because a file always is; that is why epoll refuses them.
mod blocking;
pub mod epoll_refuses;
mod posix_aio;
mod ring;
mod thread_pool;

use crate::measure::{self, Effort};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use uvring_core::uring::{Config, Ring};

/// Bytes of one read.
pub const BLOCK: usize = 4096;
/// Reads under way at once.
pub const DEPTH: usize = 32;

/// A way of reading files.
#[derive(Clone, Copy, Debug)]
pub struct FileModel {
    /// What it is called in the figures.
    pub name: &'static str,
    /// How it waits.
    pub what: &'static str,
    /// Reads a block from each of the offsets into `out`, one behind the other.
    pub read: fn(file: &File, offsets: &[u64], out: &mut [u8]) -> io::Result<()>,
}

/// All of them.
pub const ALL: &[FileModel] = &[
    FileModel {
        name: "file-blocking",
        what: "pread(2), one after the other",
        read: blocking::read,
    },
    FileModel { name: "file-threads", what: "four threads in pread(2)", read: thread_pool::read },
    FileModel {
        name: "file-posix-aio",
        what: "aio_read(3) and aio_suspend(3): the C library's own threads",
        read: posix_aio::read,
    },
    FileModel { name: ring::NAME, what: "io_uring", read: ring::read },
];

const BLOCKS: u64 = 4096;

/// A file of blocks that can be told apart, and the offsets of all of them in an order that nobody
/// can read ahead in.
///
/// # Errors
/// When it cannot be written.
pub fn sample(mut file: &File) -> io::Result<Vec<u64>> {
    for number in 0..BLOCKS {
        file.write_all(&block(number))?;
    }
    // An odd factor visits each of a power of two of places once.
    Ok((0..BLOCKS).map(|nth| nth * 1579 % BLOCKS * BLOCK as u64).collect())
}

/// Why this system gives no ring, if it gives none.
pub fn no_ring() -> Option<io::Error> {
    Ring::new(&Config::new(8)).err().map(io::Error::from)
}

/// Whether `out` holds the blocks from these offsets.
pub fn is_right(offsets: &[u64], out: &[u8]) -> bool {
    let mut blocks = offsets.iter().zip(out.chunks(BLOCK));
    out.len() == offsets.len() * BLOCK
        && blocks.all(|(offset, bytes)| bytes == block(offset / BLOCK as u64))
}

fn block(number: u64) -> [u8; BLOCK] {
    let mut bytes = [number as u8; BLOCK];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Reads a file that is in memory already, each way: what the way itself costs.
pub(crate) fn measure(effort: &Effort) -> Result<Vec<Value>> {
    let path = std::env::temp_dir().join(format!("uvring-models-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    // Without a name it is gone whenever this process is.
    std::fs::remove_file(&path)?;
    let offsets = sample(&file)?;
    let mut out = vec![0; offsets.len() * BLOCK];
    let mut records = Vec::new();
    for model in ALL {
        if let (ring::NAME, Some(error)) = (model.name, no_ring()) {
            let mut record = measure::base(model.name, "reads of 4 KiB");
            record.insert("missing".into(), json!(format!("no ring: {error}")));
            records.push(record.into());
            continue;
        }
        let mut rounds = Vec::new();
        for _ in 0..=effort.rounds {
            out.fill(0);
            let timed = measure::timed(|| Ok((model.read)(&file, &offsets, &mut out)?));
            let ((), wall, cpu) = timed?;
            if !is_right(&offsets, &out) {
                bail!("{} read wrong bytes", model.name);
            }
            rounds.push((offsets.len() as u64, wall, cpu));
        }
        // The first one warms up.
        rounds.remove(0);
        let mut record = measure::base(model.name, "reads of 4 KiB");
        measure::fill(&mut record, &rounds);
        record.insert("extra".into(), json!({ "what": model.what, "depth": DEPTH }));
        records.push(record.into());
    }
    let mut record = measure::base("file-epoll", "reads of 4 KiB");
    let reason = match epoll_refuses::add(&file) {
        Err(error) => format!("epoll_ctl on a regular file: {error}"),
        Ok(()) => bail!("epoll took a regular file"),
    };
    record.insert("missing".into(), json!(reason));
    records.push(record.into());
    Ok(records)
}
