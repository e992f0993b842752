//! Users and groups, as the C library's databases know them.

use core::ffi::{c_char, c_int, c_ulong};
use core::mem::{self, MaybeUninit};
use core::ptr;

use super::{bytes, put_text};
use crate::abi::*;
use crate::mem as heap;

/// The first try for an entry's texts, and the last: a group may have very many members.
const FIRST_SIZE: usize = 2048;
const LAST_SIZE: usize = 64 << 20;

/// Heap memory for the length of a look-up.
struct Scratch(*mut c_char);

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: from our heap, and freed once.
        unsafe { heap::free(self.0.cast()) };
    }
}

/// Calls `ask` with more and more memory until it no longer answers ERANGE. The memory holds the
/// texts of what was found.
fn look_up(mut ask: impl FnMut(*mut c_char, usize) -> c_int) -> Result<Scratch, c_int> {
    let mut size = FIRST_SIZE;
    loop {
        let scratch = Scratch(heap::alloc(size).cast());
        if scratch.0.is_null() {
            return Err(UV_ENOMEM);
        }
        match ask(scratch.0, size) {
            0 => return Ok(scratch),
            libc::EINTR => {}
            libc::ERANGE if size < LAST_SIZE => size *= 2,
            error => return Err(-error),
        }
    }
}

/// Gives `found` the entry of user `uid`.
fn with_passwd(uid: uv_uid_t, found: impl FnOnce(&libc::passwd) -> c_int) -> c_int {
    let mut entry = MaybeUninit::<libc::passwd>::zeroed();
    let mut result = ptr::null_mut();
    // SAFETY: all places are valid for writes, the texts for as many bytes as told.
    let scratch = look_up(|text, size| unsafe {
        libc::getpwuid_r(uid, entry.as_mut_ptr(), text, size, &mut result)
    });
    // SAFETY: what was found is `entry`; its texts are in `scratch`, which outlives the call.
    match (&scratch, unsafe { result.as_ref() }) {
        (Ok(_), Some(entry)) => found(entry),
        (Ok(_), None) => UV_ENOENT,
        (Err(code), _) => *code,
    }
}

/// Gives `found` the home of the effective user.
pub(super) fn with_home(found: impl FnOnce(&[u8]) -> c_int) -> c_int {
    // SAFETY: geteuid may be called at any time; the entry's texts are C strings or NULL.
    unsafe { with_passwd(libc::geteuid(), |entry| found(bytes(entry.pw_dir))) }
}

/// Name, group, shell and home of the effective user, to be freed with [`uv_os_free_passwd`].
/// `UV_EINVAL` when `pwd` is NULL, `UV_ENOENT` when nobody knows him, `UV_ENOMEM`.
/// Source: manual, misc, `uv_os_get_passwd`.
///
/// # Safety
/// `pwd` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_get_passwd(pwd: *mut uv_passwd_t) -> c_int {
    // SAFETY: geteuid may be called at any time; the caller's word.
    unsafe { uv_os_get_passwd2(pwd, libc::geteuid()) }
}

/// As [`uv_os_get_passwd`], for user `uid`.
///
/// # Safety
/// As for [`uv_os_get_passwd`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_get_passwd2(pwd: *mut uv_passwd_t, uid: uv_uid_t) -> c_int {
    if pwd.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the entry's texts are C strings or NULL; the block has room for all three. `pwd` is
    // valid by the caller's word.
    with_passwd(uid, |entry| unsafe {
        let [name, shell, home] = [entry.pw_name, entry.pw_shell, entry.pw_dir].map(|t| bytes(t));
        let username: *mut c_char = heap::alloc(name.len() + shell.len() + home.len() + 3).cast();
        if username.is_null() {
            return UV_ENOMEM;
        }
        let homedir = put_text(name, username);
        let shell_copy = put_text(home, homedir);
        put_text(shell, shell_copy);
        let (uid, gid) = (c_ulong::from(entry.pw_uid), c_ulong::from(entry.pw_gid));
        pwd.write(uv_passwd_t { username, uid, gid, shell: shell_copy, homedir });
        0
    })
}

/// Frees what [`uv_os_get_passwd`] gave; its texts become NULL. NULL, and a second time, is fine.
///
/// # Safety
/// `pwd` is NULL or was filled by [`uv_os_get_passwd`] or [`uv_os_get_passwd2`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_free_passwd(pwd: *mut uv_passwd_t) {
    if pwd.is_null() {
        return;
    }
    // SAFETY: the caller's word; the name is the start of the block of all texts.
    unsafe {
        heap::free((*pwd).username.cast());
        (*pwd).username = ptr::null_mut();
        (*pwd).shell = ptr::null_mut();
        (*pwd).homedir = ptr::null_mut();
    }
}

/// The names of a group's members.
///
/// # Safety
/// `members` is NULL or a list of C strings that a NULL ends, valid for `'m`.
unsafe fn names<'m>(mut members: *mut *mut c_char) -> impl Iterator<Item = &'m [u8]> {
    core::iter::from_fn(move || {
        // SAFETY: the caller's word; `members` does not go beyond the end.
        unsafe {
            if members.is_null() || (*members).is_null() {
                return None;
            }
            let name = bytes(*members);
            members = members.add(1);
            Some(name)
        }
    })
}

/// Copies an entry into one block: pointers to the members, their names, the group's name.
///
/// # Safety
/// `grp` is valid for writes, `entry` what the C library found.
unsafe fn copy_group(entry: &libc::group, grp: *mut uv_group_t) -> c_int {
    // SAFETY: the caller's word; the block has room for what is counted first.
    unsafe {
        let name = bytes(entry.gr_name);
        let (mut count, mut size) = (1, mem::size_of::<*mut c_char>() + name.len() + 1);
        for member in names(entry.gr_mem) {
            count += 1;
            size += mem::size_of::<*mut c_char>() + member.len() + 1;
        }
        let members: *mut *mut c_char = heap::alloc(size).cast();
        if members.is_null() {
            return UV_ENOMEM;
        }
        let mut text: *mut c_char = members.add(count).cast();
        for (index, member) in names(entry.gr_mem).enumerate() {
            members.add(index).write(text);
            text = put_text(member, text);
        }
        members.add(count - 1).write(ptr::null_mut());
        put_text(name, text);
        grp.write(uv_group_t { groupname: text, gid: c_ulong::from(entry.gr_gid), members });
    }
    0
}

/// Name and members of group `gid`, to be freed with [`uv_os_free_group`]; NULL ends the members.
/// `UV_EINVAL` when `grp` is NULL, `UV_ENOENT` when there is no such group, `UV_ENOMEM`.
/// Source: manual, misc, `uv_os_get_group`.
///
/// # Safety
/// `grp` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_get_group(grp: *mut uv_group_t, gid: uv_uid_t) -> c_int {
    if grp.is_null() {
        return UV_EINVAL;
    }
    let mut entry = MaybeUninit::<libc::group>::zeroed();
    let mut result = ptr::null_mut();
    // SAFETY: all places are valid for writes, the texts for as many bytes as told.
    let scratch = look_up(|text, size| unsafe {
        libc::getgrgid_r(gid, entry.as_mut_ptr(), text, size, &mut result)
    });
    // SAFETY: what was found is `entry`; its texts are in `scratch`, which outlives the copying.
    match (&scratch, unsafe { result.as_ref() }) {
        // SAFETY: `grp` is valid by the caller's word.
        (Ok(_), Some(entry)) => unsafe { copy_group(entry, grp) },
        (Ok(_), None) => UV_ENOENT,
        (Err(code), _) => *code,
    }
}

/// Frees what [`uv_os_get_group`] gave; its pointers become NULL. NULL, and a second time, is fine.
///
/// # Safety
/// `grp` is NULL or was filled by [`uv_os_get_group`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_free_group(grp: *mut uv_group_t) {
    if grp.is_null() {
        return;
    }
    // SAFETY: the caller's word; the members are the start of the block of all texts.
    unsafe {
        heap::free((*grp).members.cast());
        (*grp).members = ptr::null_mut();
        (*grp).groupname = ptr::null_mut();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_user_and_group_zero() {
        let (mut pwd, mut grp) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: valid places, filled before they are looked at.
        unsafe {
            assert_eq!(uv_os_get_passwd2(pwd.as_mut_ptr(), 0), 0);
            let mut pwd = pwd.assume_init();
            assert_eq!((bytes(pwd.username), pwd.uid, pwd.gid), (&b"root"[..], 0, 0));
            assert_eq!(bytes(pwd.homedir), b"/root");
            assert!(bytes(pwd.shell).starts_with(b"/"));
            uv_os_free_passwd(&mut pwd);
            uv_os_free_passwd(&mut pwd);
            uv_os_free_passwd(ptr::null_mut());
            assert!(pwd.username.is_null() && pwd.homedir.is_null() && pwd.shell.is_null());
            assert_eq!(uv_os_get_group(grp.as_mut_ptr(), 0), 0);
            let mut grp = grp.assume_init();
            assert_eq!((bytes(grp.groupname), grp.gid), (&b"root"[..], 0));
            uv_os_free_group(&mut grp);
            uv_os_free_group(&mut grp);
            assert!(grp.members.is_null() && grp.groupname.is_null());
        }
    }

    #[test]
    fn a_group_is_copied_with_its_members() {
        let mut members = [c"a", c"", c"long name"].map(|name| name.as_ptr().cast_mut());
        let mut list = [members[0], members[1], members[2], ptr::null_mut()];
        let mut name = *b"wheel\0";
        let entry = libc::group {
            gr_name: name.as_mut_ptr().cast(),
            gr_passwd: members.as_mut_ptr().cast(),
            gr_gid: 7,
            gr_mem: list.as_mut_ptr(),
        };
        let mut grp = MaybeUninit::uninit();
        // SAFETY: `entry` is built as the C library would.
        unsafe {
            assert_eq!(copy_group(&entry, grp.as_mut_ptr()), 0);
            let mut grp = grp.assume_init();
            assert!(names(grp.members).eq([&b"a"[..], b"", b"long name"]));
            assert_eq!((bytes(grp.groupname), grp.gid), (&b"wheel"[..], 7));
            uv_os_free_group(&mut grp);
        }
    }

    #[test]
    fn nobody_is_an_error() {
        let (mut pwd, mut grp) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: valid places.
        unsafe {
            assert_eq!(uv_os_get_passwd2(pwd.as_mut_ptr(), 0x7654_3210), UV_ENOENT);
            assert_eq!(uv_os_get_group(grp.as_mut_ptr(), 0x7654_3210), UV_ENOENT);
            assert_eq!(uv_os_get_passwd(ptr::null_mut()), UV_EINVAL);
            assert_eq!(uv_os_get_group(ptr::null_mut(), 0), UV_EINVAL);
        }
    }

    #[test]
    fn memory_grows_until_it_does_and_stops_somewhere() {
        let mut sizes = std::vec::Vec::new();
        let found = look_up(|_, size| {
            sizes.push(size);
            if size < 8192 { libc::ERANGE } else { 0 }
        });
        assert!(found.is_ok());
        assert_eq!(sizes, [2048, 4096, 8192]);
        assert_eq!(look_up(|_, _| libc::ERANGE).err(), Some(-libc::ERANGE));
        assert_eq!(look_up(|_, _| libc::EIO).err(), Some(UV_EIO));
    }
}
