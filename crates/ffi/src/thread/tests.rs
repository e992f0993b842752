use super::*;
use crate::abi::*;
use core::ffi::{CStr, c_char, c_void};
use core::mem::zeroed;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The signal that ends a child which runs `misuse`, 0 if it ends by itself.
fn signal_of(misuse: unsafe fn()) -> c_int {
    // SAFETY: the child only makes system calls and pthread calls on its own objects.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            misuse();
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
        if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 }
    }
}

#[test]
fn misuse_ends_the_process_as_libuvs_does() {
    unsafe fn locked_mutex() {
        // SAFETY: all objects are this function's own.
        unsafe {
            let mut m = zeroed();
            assert_eq!(uv_mutex_init(&mut m), 0);
            uv_mutex_lock(&mut m);
            uv_mutex_destroy(&mut m);
        }
    }
    unsafe fn free_mutex() {
        // SAFETY: as above.
        unsafe {
            let mut m = zeroed();
            assert_eq!(uv_mutex_init(&mut m), 0);
            uv_mutex_destroy(&mut m);
        }
    }
    unsafe fn deleted_key() {
        // SAFETY: as above.
        unsafe {
            let mut key = 0;
            assert_eq!(uv_key_create(&mut key), 0);
            uv_key_delete(&mut key);
            uv_key_delete(&mut key);
        }
    }
    assert_eq!(signal_of(locked_mutex), libc::SIGABRT);
    assert_eq!(signal_of(deleted_key), libc::SIGABRT);
    assert_eq!(signal_of(free_mutex), 0);
}

#[test]
fn mutexes_and_locks_answer_busy() {
    // SAFETY: all objects are this function's own, made before use and destroyed after.
    unsafe {
        let (mut m, mut r, mut l) = (zeroed(), zeroed(), zeroed());
        assert_eq!(uv_mutex_init(&mut m), 0);
        uv_mutex_lock(&mut m);
        assert_eq!(uv_mutex_trylock(&mut m), UV_EBUSY);
        uv_mutex_unlock(&mut m);
        uv_mutex_destroy(&mut m);

        assert_eq!(uv_mutex_init_recursive(&mut r), 0);
        uv_mutex_lock(&mut r);
        assert_eq!(uv_mutex_trylock(&mut r), 0);
        uv_mutex_unlock(&mut r);
        uv_mutex_unlock(&mut r);
        uv_mutex_destroy(&mut r);

        assert_eq!(uv_rwlock_init(&mut l), 0);
        uv_rwlock_rdlock(&mut l);
        assert_eq!(uv_rwlock_tryrdlock(&mut l), 0);
        assert_eq!(uv_rwlock_trywrlock(&mut l), UV_EBUSY);
        uv_rwlock_rdunlock(&mut l);
        uv_rwlock_rdunlock(&mut l);
        uv_rwlock_wrlock(&mut l);
        assert_eq!(uv_rwlock_tryrdlock(&mut l), UV_EBUSY);
        uv_rwlock_wrunlock(&mut l);
        uv_rwlock_destroy(&mut l);
    }
}

#[test]
fn impossible_counts_are_refused() {
    // SAFETY: all objects are this function's own.
    unsafe {
        let (mut s, mut b) = (zeroed(), zeroed());
        assert_eq!(uv_sem_init(&mut s, u32::MAX), UV_EINVAL);
        assert_eq!(uv_barrier_init(&mut b, 0), UV_EINVAL);
        assert_eq!(uv_sem_init(&mut s, 1), 0);
        assert_eq!(uv_sem_trywait(&mut s), 0);
        assert_eq!(uv_sem_trywait(&mut s), UV_EAGAIN);
        uv_sem_destroy(&mut s);
        assert_eq!(uv_barrier_init(&mut b, 1), 0);
        assert!(uv_barrier_wait(&mut b) > 0);
        uv_barrier_destroy(&mut b);
    }
}

#[test]
fn timed_wait_ends_on_time() {
    // SAFETY: all objects are this function's own.
    unsafe {
        let (mut m, mut c) = (zeroed(), zeroed());
        assert_eq!(uv_mutex_init(&mut m), 0);
        assert_eq!(uv_cond_init(&mut c), 0);
        uv_mutex_lock(&mut m);
        let start = crate::time::hrtime_ns();
        let mut tries = 0;
        while uv_cond_timedwait(&mut c, &mut m, 5_000_000) == 0 && tries < 1000 {
            tries += 1;
        }
        assert!(crate::time::hrtime_ns() - start >= 5_000_000);
        uv_mutex_unlock(&mut m);
        uv_cond_destroy(&mut c);
        uv_mutex_destroy(&mut m);
    }
}

unsafe extern "C" fn count(arg: *mut c_void) {
    // SAFETY: the tests below pass a counter that outlives the thread.
    unsafe { (*arg.cast::<AtomicUsize>()).fetch_add(1, Ordering::Relaxed) };
}

#[test]
fn threads_of_every_stack_size_run() {
    let counter = AtomicUsize::new(0);
    let sizes = [0, 1, 42, 16384 - 42, 16384, 1_234_567, 8 << 20];
    for size in sizes {
        let params = uv_thread_options_t { flags: UV_THREAD_HAS_STACK_SIZE, stack_size: size };
        let mut tid = 0;
        // SAFETY: the counter outlives the thread, which is joined here.
        unsafe {
            let arg = (&raw const counter).cast_mut().cast();
            assert_eq!(uv_thread_create_ex(&mut tid, &params, Some(count), arg), 0);
            assert_eq!(uv_thread_join(&mut tid), 0);
        }
    }
    assert_eq!(counter.load(Ordering::Relaxed), sizes.len());
    let params = uv_thread_options_t { flags: UV_THREAD_HAS_STACK_SIZE, stack_size: usize::MAX };
    let mut tid = 0;
    // SAFETY: no thread is made.
    unsafe {
        assert!(uv_thread_create_ex(&mut tid, &params, Some(count), ptr::null_mut()) < 0);
        assert_eq!(uv_thread_create(&mut tid, None, ptr::null_mut()), UV_EINVAL);
    }
}

#[test]
fn names_are_cut_to_fit() {
    let long = c"a-name-that-is-longer-than-linux-takes";
    // SAFETY: C strings and buffers of the size that is given.
    unsafe {
        let mut tid = uv_thread_self();
        let mut buf = [0x7f as c_char; 32];
        assert_eq!(uv_thread_setname(long.as_ptr()), 0);
        assert_eq!(uv_thread_getname(&mut tid, buf.as_mut_ptr(), 32), 0);
        assert_eq!(CStr::from_ptr(buf.as_ptr()).to_bytes(), &long.to_bytes()[..15]);
        assert_eq!(uv_thread_getname(&mut tid, buf.as_mut_ptr(), 3), 0);
        assert_eq!(CStr::from_ptr(buf.as_ptr()), c"a-");
        assert_eq!(uv_thread_setname(ptr::null()), UV_EINVAL);
        assert_eq!(uv_thread_getname(&mut tid, ptr::null_mut(), 4), UV_EINVAL);
        assert_eq!(uv_thread_getname(&mut tid, buf.as_mut_ptr(), 0), UV_EINVAL);
    }
}

#[test]
fn affinity_round_trip() {
    let mut mask = [0 as c_char; 1024];
    let mut old = [0 as c_char; 1024];
    // SAFETY: the masks have the size that is given, and the thread is this one.
    unsafe {
        let mut tid = uv_thread_self();
        assert_eq!(uv_cpumask_size(), 1024);
        assert_eq!(uv_thread_getaffinity(&mut tid, mask.as_mut_ptr(), 1023), UV_EINVAL);
        assert_eq!(uv_thread_getaffinity(&mut tid, mask.as_mut_ptr(), 1024), 0);
        assert!(mask.contains(&1));
        let (m, o) = (mask.as_mut_ptr(), old.as_mut_ptr());
        assert_eq!(uv_thread_setaffinity(&mut tid, m, o, 1024), 0);
        assert_eq!(mask, old);
        mask.fill(0);
        assert_eq!(uv_thread_setaffinity(&mut tid, m, ptr::null_mut(), 1024), UV_EINVAL);
        assert!(uv_thread_getcpu() >= 0);
    }
}

#[test]
fn priorities_out_of_range_are_refused() {
    // SAFETY: the thread is this one; NULL is answered.
    unsafe {
        let tid = uv_thread_self();
        let mut value = 77;
        assert_eq!(uv_thread_getpriority(tid, ptr::null_mut()), UV_EINVAL);
        assert_eq!(uv_thread_setpriority(tid, 3), UV_EINVAL);
        assert_eq!(uv_thread_setpriority(tid, -3), UV_EINVAL);
        assert_eq!(uv_thread_setpriority(tid, UV_THREAD_PRIORITY_LOWEST), 0);
        assert_eq!(uv_thread_getpriority(tid, &mut value), 0);
        assert_eq!(value, 4);
    }
}
