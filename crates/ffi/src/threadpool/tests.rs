//! The pool is one for the whole process, so its tests are steps of one test.

use super::*;
use crate::loop_::{
    life::{uv_loop_close, uv_loop_fork, uv_loop_init},
    run::uv_run,
};
use core::mem::zeroed;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::boxed::Box;
use std::vec::Vec;

/// A request and what became of it.
struct Task {
    req: uv_work_t,
    ran: AtomicU32,
    status: AtomicU32,
    after: AtomicU32,
    /// The thread that may call back.
    home: libc::pthread_t,
}

const NOT_YET: u32 = 7;

fn task() -> Task {
    // SAFETY: zero bytes are a valid request; pthread_self may be called at any time.
    let (req, home) = unsafe { (zeroed(), libc::pthread_self()) };
    let [ran, after] = [const { AtomicU32::new(0) }; 2];
    Task { req, ran, status: AtomicU32::new(NOT_YET), after, home }
}

/// The gate that holds workers in `wait_at_gate`.
static GATE: Gate =
    Gate { closed: AtomicU32::new(0), waiting: AtomicUsize::new(0), late: AtomicU32::new(0) };

struct Gate {
    closed: AtomicU32,
    waiting: AtomicUsize,
    /// Who gave up waiting.
    late: AtomicU32,
}

unsafe extern "C" fn run(req: *mut uv_work_t) {
    // SAFETY: every request here is the first field of a task.
    let task = unsafe { &*req.cast::<Task>() };
    task.ran.fetch_add(1, Ordering::Relaxed);
    // SAFETY: may be called at any time.
    assert_ne!(unsafe { libc::pthread_self() }, task.home);
}

unsafe extern "C" fn wait_at_gate(req: *mut uv_work_t) {
    GATE.waiting.fetch_add(1, Ordering::SeqCst);
    let start = std::time::Instant::now();
    while GATE.closed.load(Ordering::SeqCst) != 0 && start.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
    GATE.late.fetch_add(GATE.closed.load(Ordering::SeqCst), Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { run(req) };
}

unsafe extern "C" fn after(req: *mut uv_work_t, status: c_int) {
    // SAFETY: every request here is the first field of a task.
    let task = unsafe { &*req.cast::<Task>() };
    task.after.fetch_add(1, Ordering::Relaxed);
    task.status.store(status as u32, Ordering::Relaxed);
    // SAFETY: may be called at any time.
    assert_eq!(unsafe { libc::pthread_self() }, task.home);
}

fn with_loop(body: impl FnOnce(*mut uv_loop_t)) {
    // SAFETY: zero bytes are good enough for uv_loop_init; the box keeps the loop in place.
    unsafe {
        let mut owner: Box<uv_loop_t> = Box::new(zeroed());
        assert_eq!(uv_loop_init(&mut *owner), 0);
        body(&mut *owner);
        assert_eq!(uv_loop_close(&mut *owner), 0);
    }
}

fn queue(owner: *mut uv_loop_t, task: &Task, work: unsafe extern "C" fn(*mut uv_work_t)) {
    let req = (&raw const task.req).cast_mut();
    // SAFETY: the task outlives the loop's run.
    assert_eq!(unsafe { uv_queue_work(owner, req, Some(work), Some(after)) }, 0);
}

/// Hands a task in as something else than uv_queue_work does.
fn hand_in_as(
    submit: unsafe fn(&uv_loop_t, *mut uv__work, Work, Done) -> c_int,
    owner: *mut uv_loop_t,
    task: &Task,
    work: unsafe extern "C" fn(*mut uv_work_t),
) {
    // SAFETY: as uv_queue_work does it; the task outlives the loop's run.
    unsafe {
        let req = (&raw const task.req).cast_mut();
        (*req).r#loop.set(owner);
        (*req).work_cb.set(Some(work));
        (*req).after_work_cb.set(Some(after));
        req::start(&*owner, req.cast(), UV_WORK);
        assert_eq!(submit(&*owner, job(task), run_work, work_done), 0);
    }
}

fn job(task: &Task) -> *mut uv__work {
    (&raw const task.req.work_req).cast_mut()
}

/// Closes the gate and waits until all workers stand there.
fn hold_workers(owner: *mut uv_loop_t) -> Vec<Task> {
    GATE.closed.store(1, Ordering::SeqCst);
    GATE.waiting.store(0, Ordering::SeqCst);
    let held: Vec<Task> = (0..4).map(|_| task()).collect();
    held.iter().for_each(|task| queue(owner, task, wait_at_gate));
    all_wait();
    held
}

fn all_wait() {
    let start = std::time::Instant::now();
    while GATE.waiting.load(Ordering::SeqCst) < 4 && start.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    assert_eq!(GATE.waiting.load(Ordering::SeqCst), 4, "not every worker came");
}

fn run_loop(owner: *mut uv_loop_t) {
    // SAFETY: an open loop of this thread.
    assert_eq!(unsafe { uv_run(owner, UV_RUN_DEFAULT) }, 0);
}

fn all_done(tasks: &[Task], runs: u32) {
    for task in tasks {
        assert_eq!(task.ran.load(Ordering::Relaxed), runs);
        assert_eq!(task.after.load(Ordering::Relaxed), runs);
        assert_eq!(task.status.load(Ordering::Relaxed), 0);
    }
}

fn several_loops_share_the_workers() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                with_loop(|owner| {
                    for round in 1..=20 {
                        if round == 1 {
                            let tasks: Vec<Task> = (0..200).map(|_| task()).collect();
                            tasks.iter().for_each(|task| queue(owner, task, run));
                            run_loop(owner);
                            all_done(&tasks, 1);
                        } else {
                            let one = [task()];
                            queue(owner, &one[0], run);
                            run_loop(owner);
                            all_done(&one, 1);
                        }
                    }
                });
            });
        }
    });
}

fn loops_may_end_right_after_their_work() {
    for _ in 0..200 {
        with_loop(|owner| {
            let tasks = [task(), task()];
            tasks.iter().for_each(|task| queue(owner, task, run));
            run_loop(owner);
            all_done(&tasks, 1);
        });
    }
}

fn jobs_not_begun_can_be_cancelled() {
    with_loop(|owner| {
        let held = hold_workers(owner);
        let queued: Vec<Task> = (0..50).map(|_| task()).collect();
        queued.iter().for_each(|task| queue(owner, task, run));
        // SAFETY: all were submitted, and the loop has not run since.
        unsafe {
            assert_eq!(cancel_work(job(&held[0])), UV_EBUSY);
            for task in queued.iter().step_by(2) {
                assert_eq!(cancel_work(job(task)), 0);
                assert_eq!(cancel_work(job(task)), 0, "again");
            }
        }
        GATE.closed.store(0, Ordering::SeqCst);
        run_loop(owner);
        all_done(&held, 1);
        for (index, task) in queued.iter().enumerate() {
            let cancelled = index % 2 == 0;
            let status = task.status.load(Ordering::Relaxed) as c_int;
            assert_eq!(status, if cancelled { UV_ECANCELED } else { 0 });
            assert_eq!(task.ran.load(Ordering::Relaxed), u32::from(!cancelled));
            assert_eq!(task.after.load(Ordering::Relaxed), 1);
        }
    });
}

/// Opens the gate for the jobs that wait there.
unsafe extern "C" fn open_gate(req: *mut uv_work_t, status: c_int) {
    GATE.closed.store(0, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { after(req, status) };
}

unsafe extern "C" fn run_slowly(req: *mut uv_work_t) {
    std::thread::sleep(std::time::Duration::from_millis(2));
    // SAFETY: as above.
    unsafe { run(req) };
}

fn tell_of_first(
    owner: *mut uv_loop_t,
    first: unsafe extern "C" fn(*mut uv_work_t),
    blocked: usize,
    behind: usize,
) {
    GATE.closed.store(1, Ordering::SeqCst);
    GATE.late.store(0, Ordering::SeqCst);
    let tasks: Vec<Task> = (0..1 + blocked + behind).map(|_| task()).collect();
    let req = (&raw const tasks[0].req).cast_mut();
    // SAFETY: the task outlives the loop's run.
    assert_eq!(unsafe { uv_queue_work(owner, req, Some(first), Some(open_gate)) }, 0);
    let (held, free) = tasks[1..].split_at(blocked);
    held.iter().for_each(|task| queue(owner, task, wait_at_gate));
    free.iter().for_each(|task| queue(owner, task, run));
    run_loop(owner);
    all_done(&tasks, 1);
    assert_eq!(GATE.late.load(Ordering::SeqCst), 0, "not told");
}

/// With one CPU a loop may be told of a job's end late, but not so late as the end of a job that
/// blocks: here the one waits for the callback of the other.
fn callbacks_wait_for_no_blocked_job_on_one_cpu() {
    shutdown();
    let on_one_cpu = || {
        // SAFETY: plain calls on a set of this frame, for this thread.
        unsafe {
            let mut set = zeroed::<libc::cpu_set_t>();
            let size = size_of::<libc::cpu_set_t>();
            assert_eq!(libc::sched_getaffinity(0, size, &mut set), 0);
            let first = (0..1024).find(|&cpu| libc::CPU_ISSET(cpu, &set)).unwrap();
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(first, &mut set);
            assert_eq!(libc::sched_setaffinity(0, size, &set), 0);
        }
        // Five: with the first job over, all workers are held, and nobody else is about to come.
        for (first, blocked) in
            [run, run_slowly].into_iter().flat_map(|f| [1, 3, 5].map(|n| (f, n)))
        {
            for behind in 0..3 {
                with_loop(|owner| tell_of_first(owner, first, blocked, behind));
            }
        }
    };
    // The workers, too, stay where this thread is.
    std::thread::scope(|scope| scope.spawn(on_one_cpu).join().unwrap());
    shutdown();
}

/// Blocked look-ups hold up nobody else, however many there are.
fn look_ups_keep_to_themselves() {
    with_loop(|owner| {
        GATE.closed.store(1, Ordering::SeqCst);
        GATE.waiting.store(0, Ordering::SeqCst);
        let names: Vec<Task> = (0..12).map(|_| task()).collect();
        names.iter().for_each(|name| hand_in_as(submit_name, owner, name, wait_at_gate));
        all_wait();
        let start = std::time::Instant::now();
        let tasks: Vec<Task> = (0..100).map(|_| task()).collect();
        tasks.iter().for_each(|task| queue(owner, task, run));
        let over = || tasks.iter().all(|task| task.after.load(Ordering::Relaxed) == 1);
        while !over() && start.elapsed().as_secs() < 20 {
            // SAFETY: an open loop of this thread.
            unsafe { uv_run(owner, UV_RUN_NOWAIT) };
        }
        all_done(&tasks, 1);
        // As many threads as workers; the rest waits, and can be taken back.
        assert_eq!(GATE.waiting.load(Ordering::SeqCst), 4);
        // SAFETY: all were submitted, and their callbacks have not come.
        unsafe {
            assert_eq!(cancel_work(job(&names[0])), UV_EBUSY);
            assert_eq!(cancel_work(job(&names[11])), 0);
        }
        GATE.closed.store(0, Ordering::SeqCst);
        run_loop(owner);
        all_done(&names[..11], 1);
        assert_eq!(names[11].status.load(Ordering::Relaxed) as c_int, UV_ECANCELED);
    });
}

/// A look-up behind jobs that keep every worker busy has not begun.
fn look_ups_wait_their_turn() {
    with_loop(|owner| {
        let held = hold_workers(owner);
        let name = task();
        hand_in_as(submit_name, owner, &name, run);
        std::thread::sleep(std::time::Duration::from_millis(20));
        // SAFETY: submitted, and its callback has not come.
        assert_eq!(unsafe { cancel_work(job(&name)) }, 0);
        GATE.closed.store(0, Ordering::SeqCst);
        run_loop(owner);
        all_done(&held, 1);
        assert_eq!(name.status.load(Ordering::Relaxed) as c_int, UV_ECANCELED);
    });
}

/// Short jobs that no worker comes for are done by the loop, in order; all but the last one, and
/// nobody else's.
fn a_loop_does_short_jobs_itself() {
    with_loop(|owner| {
        let held = hold_workers(owner);
        let tasks: Vec<Task> = (0..12).map(|_| task()).collect();
        tasks[..10].iter().for_each(|task| hand_in_as(submit_short, owner, task, run));
        hand_in_as(submit, owner, &tasks[10], run);
        hand_in_as(submit_short, owner, &tasks[11], run);
        let taken = core::cell::RefCell::new(Vec::new());
        // SAFETY: an open loop of this thread.
        let loop_helped = |of: *mut uv_loop_t, does: bool| unsafe {
            help(&*of, |job| {
                taken.borrow_mut().push(job);
                does
            })
        };
        let helped = |does| loop_helped(owner, does);
        assert!(!helped(false));
        assert_eq!(taken.take(), [job(&tasks[0])], "it would wait");
        // SAFETY: submitted, put back, and its callback has not come.
        assert_eq!(unsafe { cancel_work(job(&tasks[0])) }, 0);
        assert!(helped(true));
        assert!(helped(true));
        assert_eq!(taken.take(), tasks[1..10].iter().map(job).collect::<Vec<_>>());
        // SAFETY: done, and its callback has not come.
        assert_eq!(unsafe { cancel_work(job(&tasks[1])) }, UV_EBUSY);
        assert!(!helped(true), "the next one is not a short one");
        // SAFETY: as above.
        assert_eq!(unsafe { cancel_work(job(&tasks[10])) }, 0);
        assert!(!helped(true), "the last one is a worker's");
        assert!(taken.take().is_empty());
        with_loop(|other| {
            let one = task();
            hand_in_as(submit_short, other, &one, run);
            assert!(!loop_helped(other, true), "the next one is another's");
            // SAFETY: as above.
            assert_eq!(unsafe { cancel_work(job(&one)) }, 0);
            run_loop(other);
        });
        GATE.closed.store(0, Ordering::SeqCst);
        run_loop(owner);
        all_done(&held, 1);
        for (index, task) in tasks.iter().enumerate() {
            assert_eq!(task.after.load(Ordering::Relaxed), 1);
            let status = task.status.load(Ordering::Relaxed) as c_int;
            assert_eq!(status, if matches!(index, 0 | 10) { UV_ECANCELED } else { 0 });
            // The others' work was the closure's.
            assert_eq!(task.ran.load(Ordering::Relaxed), u32::from(index == 11));
        }
    });
}

fn a_forked_child_has_workers_of_its_own() {
    with_loop(|owner| {
        let before = [task()];
        queue(owner, &before[0], run);
        run_loop(owner);
        all_done(&before, 1);
        // SAFETY: the child uses its copy of the loop only, and leaves by _exit.
        unsafe {
            let pid = libc::fork();
            assert!(pid >= 0);
            if pid == 0 {
                libc::alarm(20);
                let mut good = uv_loop_fork(owner) == 0;
                let mut one = task();
                // A panic here would unwind through the test harness's copy: count instead.
                let req = &raw mut one.req;
                good &= uv_queue_work(owner, req, Some(run), Some(after)) == 0;
                good &= uv_run(owner, UV_RUN_DEFAULT) == 0;
                good &= one.status.load(Ordering::Relaxed) == 0;
                libc::_exit(if good { 0 } else { 1 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
            assert_eq!(status, 0, "the child's work was not done");
        }
        let again = [task()];
        queue(owner, &again[0], run);
        run_loop(owner);
        all_done(&again, 1);
    });
}

fn the_pool_starts_again_after_its_end() {
    for _ in 0..20 {
        shutdown();
        shutdown();
        with_loop(|owner| {
            let tasks = [task(), task(), task()];
            tasks.iter().for_each(|task| queue(owner, task, run));
            run_loop(owner);
            all_done(&tasks, 1);
        });
    }
}

fn nonsense_is_refused() {
    with_loop(|owner| {
        let one = task();
        let req = (&raw const one.req).cast_mut();
        // SAFETY: refused before anything is touched.
        unsafe {
            assert_eq!(uv_queue_work(owner, req, None, Some(after)), UV_EINVAL);
            assert_eq!(uv_queue_work(owner, req, Some(run), None), 0);
        }
        run_loop(owner);
        assert_eq!(one.ran.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn thread_pool() {
    nonsense_is_refused();
    several_loops_share_the_workers();
    loops_may_end_right_after_their_work();
    jobs_not_begun_can_be_cancelled();
    look_ups_keep_to_themselves();
    look_ups_wait_their_turn();
    a_loop_does_short_jobs_itself();
    callbacks_wait_for_no_blocked_job_on_one_cpu();
    a_forked_child_has_workers_of_its_own();
    the_pool_starts_again_after_its_end();
    shutdown();
}
