//! Names and addresses, by way of the C library's resolver. Source: the manual's page on DNS.
//!
//! Without a callback (NULL) a call is done when it returns, and the loop is not looked at. With a
//! callback the resolver runs on a thread for names, because it may wait for seconds, and the
//! callback comes from the loop.
//!
//! Names go through [`idna`] first: the resolver sees a whole name of ASCII or none.

pub mod getaddrinfo;
pub mod getnameinfo;
mod idna;

#[cfg(test)]
mod tests;

use core::ffi::c_int;

use crate::abi::*;
use crate::status;

/// What the libc crate does not name, as netdb.h has them.
const EAI_ADDRFAMILY: c_int = -9;
const EAI_CANCELED: c_int = -101;

/// The code of what the resolver has just answered on this thread. 0 stays 0; what no code stands
/// for is a permanent failure.
fn from_resolver(answer: c_int) -> c_int {
    match answer {
        0 => 0,
        // Its errno may have been lost on the way; an error stays one.
        libc::EAI_SYSTEM if status::errno() > 0 => status::last(),
        EAI_ADDRFAMILY => UV_EAI_ADDRFAMILY,
        libc::EAI_AGAIN => UV_EAI_AGAIN,
        libc::EAI_BADFLAGS => UV_EAI_BADFLAGS,
        EAI_CANCELED => UV_EAI_CANCELED,
        libc::EAI_FAMILY => UV_EAI_FAMILY,
        libc::EAI_MEMORY => UV_EAI_MEMORY,
        libc::EAI_NODATA => UV_EAI_NODATA,
        libc::EAI_NONAME => UV_EAI_NONAME,
        libc::EAI_OVERFLOW => UV_EAI_OVERFLOW,
        libc::EAI_SERVICE => UV_EAI_SERVICE,
        libc::EAI_SOCKTYPE => UV_EAI_SOCKTYPE,
        _ => UV_EAI_FAIL,
    }
}
