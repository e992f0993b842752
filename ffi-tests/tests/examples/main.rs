//! Every program of `c-examples` (http-server has a file of its own) does with real input what it
//! says, on each backend, and leaves no descriptor and no process behind.
//!
//! ```text
//!   servers   chat  udp-echo  ipc-worker  watch     run until SIGTERM
//!   tools     cat  cp-tree  resolve  work  spawn-pipe  tcp-echo  timers  async
//!   terminal  tty-raw
//!   running   building, starting, reading lines, ending
//! ```

// A test says what is wrong by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// One module for each test, one test for each backend.
macro_rules! on_each_backend {
    ($($test:ident)*) => {
        $(mod $test {
            use uvring_ffi_tests::programs::Backend;

            #[test]
            fn epoll() {
                super::$test(Backend::Epoll);
            }

            #[test]
            fn io_uring() {
                super::$test(Backend::IoUring);
            }

            #[test]
            fn denied() {
                super::$test(Backend::Denied);
            }
        })*
    };
}

mod running;
mod servers;
mod terminal;
mod tools;
