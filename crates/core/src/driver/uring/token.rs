//! What a completion belongs to, in the 64 bits that the kernel carries along.
//!
//! Never a pointer to a watch: its memory may be free again when the completion comes. An op stays
//! until its completion, so its address will do; the low bits of an address are zero.

use crate::driver::op::Op;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Of no interest.
    None,
    /// An op, by its address.
    Op(usize),
    /// A poll for the watch with this descriptor and generation.
    Poll { fd: i32, generation: u32 },
    /// The cancelling of such a poll.
    Cancel { fd: i32, generation: u32 },
    /// The closing of a descriptor.
    Close { fd: i32 },
}

const POLL: u64 = 1;
const CANCEL: u64 = 2;
const CLOSE: u64 = 3;
const TAG: u64 = 3;

/// Generations have 31 bits: two of the 64 are the tag, and a descriptor has 31.
pub(super) const GENERATIONS: u32 = i32::MAX as u32;

const _: () = assert!(align_of::<Op>() as u64 > TAG);

impl Token {
    pub(super) fn encode(self) -> u64 {
        match self {
            Token::None => 0,
            Token::Op(address) => address as u64,
            Token::Poll { fd, generation } => pack(fd, generation) | POLL,
            Token::Cancel { fd, generation } => pack(fd, generation) | CANCEL,
            Token::Close { fd } => pack(fd, 0) | CLOSE,
        }
    }

    pub(super) fn decode(data: u64) -> Self {
        let (fd, generation) = ((data >> 2 & 0x7fff_ffff) as i32, (data >> 33) as u32);
        match data & TAG {
            POLL => Token::Poll { fd, generation },
            CANCEL => Token::Cancel { fd, generation },
            CLOSE => Token::Close { fd },
            _ if data == 0 => Token::None,
            _ => Token::Op(data as usize),
        }
    }
}

fn pack(fd: i32, generation: u32) -> u64 {
    u64::from(generation & GENERATIONS) << 33 | u64::from(fd as u32 & 0x7fff_ffff) << 2
}
