//! `IORING_REGISTER_PROBE`: which operations the kernel knows.

use rustix::io_uring::IoringRegisterOp;

use super::Ring;
use super::sqe::Opcode;
use crate::Result;

/// More than any kernel has.
const MAX_OPS: usize = 256;
const SUPPORTED: u16 = 1;

/// struct io_uring_probe_op. Plain integers: a newer kernel tells of operations that have no name
/// here.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct OpEntry {
    op: u8,
    resv: u8,
    flags: u16,
    resv2: u32,
}

/// struct io_uring_probe.
#[repr(C)]
struct Answer {
    last_op: u8,
    ops_len: u8,
    resv: u16,
    resv2: [u32; 3],
    ops: [OpEntry; MAX_OPS],
}

/// The operations that the running kernel knows.
#[derive(Clone, Debug)]
pub struct Probe {
    known: [u64; MAX_OPS / 64],
}

impl Probe {
    /// Asks the kernel.
    ///
    /// # Errors
    /// As io_uring_register(2): `INVAL` before Linux 5.6.
    pub fn new(ring: &Ring) -> Result<Self> {
        let mut answer = Answer {
            last_op: 0,
            ops_len: 0,
            resv: 0,
            resv2: [0; 3],
            ops: [OpEntry::default(); MAX_OPS],
        };
        // SAFETY: the kernel writes at most MAX_OPS entries into `answer`, which outlives the call.
        unsafe {
            ring.register(IoringRegisterOp::RegisterProbe, (&raw mut answer).cast(), MAX_OPS as u32)
        }?;
        let mut known = [0; MAX_OPS / 64];
        for entry in answer.ops.iter().take(answer.ops_len.into()) {
            if entry.flags & SUPPORTED != 0 {
                known[usize::from(entry.op) / 64] |= 1 << (entry.op % 64);
            }
        }
        Ok(Probe { known })
    }

    /// Whether the kernel knows `opcode`.
    pub fn supports(&self, opcode: Opcode) -> bool {
        let code = opcode as u8;
        self.known[usize::from(code) / 64] >> (code % 64) & 1 != 0
    }
}
