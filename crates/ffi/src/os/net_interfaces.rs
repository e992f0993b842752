//! Addresses of the network interfaces.

use core::ffi::{c_char, c_int};
use core::iter;
use core::mem;
use core::ptr;

use super::{bytes, put_text};
use crate::abi::*;
use crate::mem as heap;
use crate::status;

/// What the C library knows about the interfaces.
struct Found(*mut libc::ifaddrs);

impl Found {
    fn new() -> Result<Self, c_int> {
        let mut head = ptr::null_mut();
        // SAFETY: `head` is valid for writes.
        match unsafe { libc::getifaddrs(&mut head) } {
            0 => Ok(Found(head)),
            _ => Err(status::last()),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &libc::ifaddrs> {
        // SAFETY: the list is valid until it is freed.
        let next = |entry: *mut libc::ifaddrs| unsafe { entry.as_ref() };
        iter::successors(next(self.0), move |entry| next(entry.ifa_next))
    }

    /// Those that are up and have an IPv4 or IPv6 address.
    fn addresses(&self) -> impl Iterator<Item = &libc::ifaddrs> {
        const UP: u32 = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        self.entries().filter(|entry| {
            entry.ifa_flags & UP == UP
                && matches!(family(entry), Some(libc::AF_INET | libc::AF_INET6))
        })
    }

    /// The hardware address of the interface called `name`; zeros without one. An alias ("eth0:1")
    /// has that of its interface.
    fn hardware(&self, name: &[u8]) -> [c_char; 6] {
        let interface = name.split(|&byte| byte == b':').next();
        let entry = self
            .entries()
            .find(|entry| family(entry) == Some(libc::AF_PACKET) && Some(text(entry)) == interface);
        let Some(entry) = entry else { return [0; 6] };
        // SAFETY: of AF_PACKET, so it is a sockaddr_ll.
        let address = unsafe { entry.ifa_addr.cast::<libc::sockaddr_ll>().read_unaligned() };
        let [a, b, c, d, e, f, ..] = address.sll_addr.map(|byte| byte as c_char);
        [a, b, c, d, e, f]
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        // SAFETY: the list came from getifaddrs and is freed once.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

fn family(entry: &libc::ifaddrs) -> Option<c_int> {
    // SAFETY: an address is NULL or valid as long as its entry.
    unsafe { entry.ifa_addr.as_ref() }.map(|address| c_int::from(address.sa_family))
}

fn text(entry: &libc::ifaddrs) -> &[u8] {
    // SAFETY: the name is valid as long as its entry.
    unsafe { bytes(entry.ifa_name) }
}

/// `entry` as libuv describes it; `name` is where its name will be.
fn describe(found: &Found, entry: &libc::ifaddrs, name: *mut c_char) -> uv_interface_address_t {
    // SAFETY: all zeros are addresses of no family.
    let (mut address, mut netmask) = unsafe { mem::zeroed::<(uv__sockaddr_in, uv__netmask_in)>() };
    let mask = entry.ifa_netmask;
    // SAFETY: what is not NULL is an address of the size that its family says, and of one family.
    unsafe {
        if family(entry) == Some(libc::AF_INET6) {
            address.address6 = entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned();
            if !mask.is_null() {
                netmask.netmask6 = mask.cast::<libc::sockaddr_in6>().read_unaligned();
            }
        } else {
            address.address4 = entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned();
            if !mask.is_null() {
                netmask.netmask4 = mask.cast::<libc::sockaddr_in>().read_unaligned();
            }
        }
    }
    let is_internal = c_int::from(entry.ifa_flags & libc::IFF_LOOPBACK as u32 != 0);
    let phys_addr = found.hardware(text(entry));
    uv_interface_address_t { name, phys_addr, is_internal, address, netmask }
}

/// All of them in one block, the names behind the records. NULL when there are none.
fn collect() -> Result<(*mut uv_interface_address_t, c_int), c_int> {
    let found = Found::new()?;
    let (mut count, mut size) = (0_usize, 0_usize);
    for entry in found.addresses() {
        count += 1;
        size += mem::size_of::<uv_interface_address_t>() + text(entry).len() + 1;
    }
    if count == 0 {
        return Ok((ptr::null_mut(), 0));
    }
    let records: *mut uv_interface_address_t = heap::calloc(1, size).cast();
    if records.is_null() {
        return Err(UV_ENOMEM);
    }
    // SAFETY: the block has room for `count` records and all names; the list has not changed.
    unsafe {
        let mut name: *mut c_char = records.add(count).cast();
        for (index, entry) in found.addresses().enumerate() {
            records.add(index).write(describe(&found, entry, name));
            name = put_text(text(entry), name);
        }
    }
    Ok((records, c_int::try_from(count).unwrap_or(c_int::MAX)))
}

/// The IPv4 and IPv6 addresses of all interfaces that are up, in `*addresses`, to be freed with
/// [`uv_free_interface_addresses`]; `*count` of them. With an error (`UV_ENOMEM`, `UV_EINVAL` when
/// a pointer is NULL) there are none.
/// Source: manual, misc, `uv_interface_addresses`.
///
/// # Safety
/// Both are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_interface_addresses(
    addresses: *mut *mut uv_interface_address_t,
    count: *mut c_int,
) -> c_int {
    if addresses.is_null() || count.is_null() {
        return UV_EINVAL;
    }
    let (code, (records, found)) = match collect() {
        Ok(found) => (0, found),
        Err(code) => (code, (ptr::null_mut(), 0)),
    };
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe {
        addresses.write(records);
        count.write(found);
    }
    code
}

/// Frees what [`uv_interface_addresses`] gave. NULL is fine.
///
/// # Safety
/// `addresses` is NULL or came from there and was not freed since.
#[unsafe(no_mangle)]
#[allow(unused_variables, reason = "the name is for the header; records and names are one block")]
pub unsafe extern "C" fn uv_free_interface_addresses(
    addresses: *mut uv_interface_address_t,
    count: c_int,
) {
    // SAFETY: the caller's word.
    unsafe { heap::free(addresses.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_there_and_internal() {
        let (mut records, mut count) = (ptr::null_mut(), 0);
        // SAFETY: valid places; the records are looked at before they are freed.
        unsafe {
            assert_eq!(uv_interface_addresses(&mut records, &mut count), 0);
            let all = if records.is_null() {
                &[]
            } else {
                core::slice::from_raw_parts(records, usize::try_from(count).expect("a count"))
            };
            let up = std::fs::read_to_string("/sys/class/net/lo/flags").unwrap_or_default();
            let up = u32::from_str_radix(up.trim().trim_start_matches("0x"), 16).unwrap_or(0) & 1;
            let lo = all.iter().find(|one| {
                bytes(one.name) == b"lo" && one.address.address4.sin_family == libc::AF_INET as u16
            });
            assert_eq!(lo.is_some(), up == 1);
            if let Some(lo) = lo {
                assert_eq!(lo.is_internal, 1);
                assert_eq!(lo.address.address4.sin_addr.s_addr.to_ne_bytes()[0], 127);
                assert_eq!(lo.netmask.netmask4.sin_addr.s_addr.to_ne_bytes(), [255, 0, 0, 0]);
                assert_eq!(lo.phys_addr, [0; 6]);
            }
            uv_free_interface_addresses(records, count);
            uv_free_interface_addresses(ptr::null_mut(), 0);
            assert_eq!(uv_interface_addresses(ptr::null_mut(), &mut count), UV_EINVAL);
        }
    }
}
