//! One echo server for each way that Linux has to wait for I/O, each in a file of its own.
//!
//! ```text
//!   measure     what each one costs: CPU, system calls, memory
//!   load        clients, a few of them busy
//!   watch       what is seen of a server from outside
//!   models      the servers
//!   files       the same question for files
//!   conn        what the servers share: one echo without waiting
//! ```
//!
//! A server is `fn(TcpListener) -> io::Result<()>`. It ends when somebody shuts the listening socket
//! down: accept(2) then answers EINVAL, which every way of waiting notices.

pub mod conn;
pub mod files;
pub mod load;
pub mod measure;
pub mod models;
pub mod watch;
