//! Which file systems answer from memory: those on which an operation may be tried on the loop's
//! thread.
//!
//! On the others (a network, a process behind FUSE) even a call with all its names in memory may
//! wait, for ever if the process behind it is this one. What kind a mount is, only statfs(2) tells,
//! which may itself wait: so a worker asks, the first time it meets the mount, and it is remembered
//! here. Until then the loop's thread tries nothing there.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Mounts remembered; two that meet in one place push each other out, which costs speed only.
const PLACES: usize = 64;
const PLACE_BITS: u32 = PLACES.trailing_zeros();
/// The mark of a mount that answers from memory; the other bits of an entry are the mount's.
const NEAR: u64 = 1;

// Relaxed throughout: each entry is whole in itself and guards nothing.
static KNOWN: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// Kinds of file system, by statfs(2), that keep their data on this machine and wait for nobody
/// but a disk.
const LOCAL: &[u64] = &[
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0xf2f5_2010, // f2fs
    0xca45_1a4e, // bcachefs
    0x2fc1_2fc1, // zfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // erofs
    0x4d44,      // vfat
    0x2011_bab0, // exfat
    0x9660,      // iso9660
    0x5346_544e, // ntfs
    0x7366_746e, // ntfs3
    // No files in the narrow sense, and no less at hand.
    0x5049_5045, // pipes
    0x534f_434b, // sockets
    0x0904_1934, // what has no name anywhere: eventfd and others
];

/// What statx(2) is to tell so that a record can be looked up here.
pub(super) const MASK: u32 = libc::STATX_MNT_ID | libc::STATX_MNT_ID_UNIQUE;

/// The mount that a record is of. Never 0, and its lowest bit is free.
fn key(record: &libc::statx) -> Option<u64> {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let id = record.stx_mnt_id.wrapping_mul(MIX);
    let whole = if record.stx_mask & libc::STATX_MNT_ID_UNIQUE != 0 {
        id
    } else if record.stx_mask & libc::STATX_MNT_ID != 0 {
        // Before Linux 6.8 the number may be another mount's later: its device then differs, too.
        let device = u64::from(record.stx_dev_major) << 32 | u64::from(record.stx_dev_minor);
        (id ^ device).wrapping_mul(MIX)
    } else {
        return None;
    };
    Some(whole | 2).map(|key| key & !NEAR)
}

fn place(key: u64) -> &'static AtomicU64 {
    &KNOWN[(key >> (u64::BITS - PLACE_BITS)) as usize]
}

/// Whether the file of this record, made with [`MASK`], is known to be on a mount that answers from
/// memory.
pub(super) fn is_near(record: &libc::statx) -> bool {
    key(record).is_some_and(|key| place(key).load(Ordering::Relaxed) == key | NEAR)
}

/// Whether the mount of the root answers from memory: a mark, once a worker has asked. A program
/// that changes its root to a file system that waits may wait there once.
static ROOT: AtomicU8 = AtomicU8::new(ROOT_UNKNOWN);
const ROOT_UNKNOWN: u8 = 0;
const ROOT_NEAR: u8 = 1;
const ROOT_FAR: u8 = 2;

/// Whether what is on the mount of the root folder is known to answer from memory.
pub(super) fn root_is_near() -> bool {
    ROOT.load(Ordering::Relaxed) == ROOT_NEAR
}

/// On a worker: finds out about the root.
pub(super) fn learn_root() {
    if ROOT.load(Ordering::Relaxed) != ROOT_UNKNOWN {
        return;
    }
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a C string, and room for one record, filled on 0.
    let near = unsafe {
        libc::statfs(c"/".as_ptr(), answer.as_mut_ptr()) == 0 && is_local(&answer.assume_init())
    };
    ROOT.store(if near { ROOT_NEAR } else { ROOT_FAR }, Ordering::Relaxed);
}

fn is_local(answer: &libc::statfs) -> bool {
    LOCAL.contains(&(answer.f_type as u64 & 0xffff_ffff))
}

/// Remembers the mount of this record. `statfs` asks the kernel about it, and may wait.
pub(super) fn learn(record: &libc::statx, statfs: impl FnOnce(*mut libc::statfs) -> c_int) {
    let Some(key) = key(record) else { return };
    if place(key).load(Ordering::Relaxed) & !NEAR == key {
        return;
    }
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    if statfs(answer.as_mut_ptr()) != 0 {
        return;
    }
    // SAFETY: on 0 the record is filled.
    let answer = unsafe { answer.assume_init() };
    let near = is_local(&answer);
    place(key).store(key | u64::from(near), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: u64, minor: u32, mask: u32) -> libc::statx {
        // SAFETY: all zeros are a record.
        let mut record: libc::statx = unsafe { core::mem::zeroed() };
        (record.stx_mnt_id, record.stx_dev_minor, record.stx_mask) = (id, minor, mask);
        record
    }

    fn answer(kind: u64) -> impl FnOnce(*mut libc::statfs) -> c_int {
        move |to| {
            // SAFETY: `learn` gives a place for one.
            unsafe {
                to.write_bytes(0, 1);
                (*to).f_type = kind as _;
            }
            0
        }
    }

    #[test]
    fn only_what_a_worker_found_local_is_near() {
        let unique = libc::STATX_MNT_ID_UNIQUE;
        let (disk, fuse) = (record(1 << 40, 0, unique), record((1 << 40) + 1, 0, unique));
        assert!(!is_near(&disk), "nobody has asked yet");
        learn(&disk, |_| -1);
        assert!(!is_near(&disk), "asking failed");
        learn(&disk, answer(0xef53));
        learn(&fuse, answer(0x6573_5546));
        assert!(is_near(&disk));
        assert!(!is_near(&fuse));
        learn(&disk, |_| panic!("asked twice"));
        assert!(!is_near(&record(1 << 40, 0, 0)), "the kernel does not say which mount it is");
    }

    #[test]
    fn a_number_used_again_by_another_device_is_another_mount() {
        learn(&record(7, 1, libc::STATX_MNT_ID), answer(0xef53));
        assert!(is_near(&record(7, 1, libc::STATX_MNT_ID)));
        assert!(!is_near(&record(7, 2, libc::STATX_MNT_ID)));
    }
}
