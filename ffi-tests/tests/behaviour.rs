//! C programs print the same on libuv and on uvring, on every backend: bad input, the order of
//! callbacks, the accounting of writes, exit and fork inside callbacks, the allocator, threads.
//!
//! Test names are program::section::backend; the programs are in `c/`.

// A test says what is wrong by panicking.
#![allow(clippy::panic)]

use uvring_ffi_tests::programs::{BACKENDS, Backend, Library, equal, printed};

fn must(outcome: Result<(), String>) {
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

/// One module for each program, one for each section in it, one test for each backend.
macro_rules! programs {
    ($($program:ident { $($section:ident)* })*) => {
        /// What is tested below, for `every_section_is_run`.
        const PROGRAMS: &[(&str, &[&str])] =
            &[$((stringify!($program), &[$(stringify!($section)),*])),*];
        $(mod $program {
            $(mod $section {
                use super::super::*;

                #[test]
                fn epoll() {
                    must(equal(stringify!($program), stringify!($section), Backend::Epoll));
                }

                #[test]
                fn io_uring() {
                    must(equal(stringify!($program), stringify!($section), Backend::IoUring));
                }

                #[test]
                fn denied() {
                    must(equal(stringify!($program), stringify!($section), Backend::Denied));
                }
            })*
        })*
    };
}

programs! {
    bad_loop { loops no_fds metrics print_handles names handles timers watchers async_ poll }
    bad_stream {
        init bind_bad connect_bad options open_bad listen_bad read_bad write_bad broken_peer reset
        cancel
    }
    order {
        close_order timers phases neighbours ping_pong ask_early write_from close_in
        close_in_requests
    }
    writes {
        sizes vectors mixed random_bursts then_each outside look cancel_some cancel_first
        close_middle close_in_callback
    }
    life { exits forks forked_idler allocator threads ringers }
    bad_udp { init_udp bind_udp send_udp options_udp }
    families { many mixed no_descriptors before_exec }
    wakes { many closed young }
    turns { nested late_write refused refused_unix }
    forks { renewed untouched closed looking }
    datagrams { gathered too_long several not_udp stopped refused used_again }
    children {
        ends refused missing dies_early search swapped bad_stdio ignored_sigchld order bad_signal forked
    }
    pipes { names long_names bind_bad chmod_bad connect_bad open_bad messages }
    ipc {
        send_bad send_mixed send_early receive leave_queued unwanted no_descriptors no_memory
        flood
    }
    tty { kinds reopen modes modes_by_hand reset close_raw size lines fill }
    pool { round_trips cancel sizes thread_name idle forked memory end }
    resolver { plain lengths grown addresses blocked memory }
    threads { pool signals wakes loops }
    files {
        paths descriptors flags shrinks turns endless fifo cancelled crowd full no_fds copied
        covered recalled
    }
    settled { stopped_while_writing stopped_while_connecting listener_gone no_name }
    locks {
        stacks identity affinity priorities thread_names locks conditions rounds semaphores aborts
    }
    system { processors interfaces load memory usage users host ranks title }
    cgroups { version_two version_one oddities }
    pure { inet clocks threads timer_schedule timer_real }
}

/// All the rest would prove nothing if the loop quietly ran on another backend.
#[test]
fn the_backend_is_the_one_asked_for() {
    for backend in BACKENDS {
        let said = printed("backend", "name", Library::Ours, backend)
            .unwrap_or_else(|why| panic!("{why}"));
        let refused = said.contains("the kernel refuses io_uring\n");
        if refused && backend == Backend::IoUring {
            println!("this kernel refuses io_uring: tests named io_uring run on epoll");
        }
        assert!(refused || backend != Backend::Denied, "not denied: {said}");
        let want = if backend == Backend::IoUring && !refused { "io_uring" } else { "epoll" };
        assert!(said.contains(&format!("backend {want}\n")), "{backend:?}: {said}");
    }
}

/// A section that nobody runs would pass for ever.
#[test]
fn every_section_is_run() {
    for (program, sections) in PROGRAMS {
        let list = printed(program, "--list", Library::Reference, Backend::Epoll)
            .unwrap_or_else(|why| panic!("{why}"));
        let list: Vec<_> = list.lines().filter(|line| !line.starts_with("exit status")).collect();
        assert_eq!(&list, sections, "{program}");
    }
}
