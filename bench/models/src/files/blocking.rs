//! pread(2), one after the other: what the others are compared with. Nothing else happens meanwhile.
use super::BLOCK;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub(super) fn read(file: &File, offsets: &[u64], out: &mut [u8]) -> io::Result<()> {
    let mut jobs = offsets.iter().zip(out.chunks_mut(BLOCK));
    jobs.try_for_each(|(&offset, into)| file.read_exact_at(into, offset))
}
