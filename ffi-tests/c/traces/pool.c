/* The thread pool has one worker here. It is held while requests are queued,
 * so that uv_cancel finds all of them; before each poll it is let go and
 * waited for, so that all of them have ended. Both is work of a second loop,
 * which the program under test does not see. */
#include "trace.h"

static uv_loop_t other;
static int has_loop;
static int holds, requests;
static uv_work_t gate;
static uv_sem_t gate_sem, passed;

static void on_gate(uv_work_t *req) {
  (void) req;
  uv_sem_wait(&gate_sem);
}
static void on_pass(uv_work_t *req) {
  (void) req;
  uv_sem_post(&passed);
}
static void on_nothing(uv_work_t *req, int status) {
  (void) req;
  (void) status;
}

/* Threads that are made meanwhile leave signals to the loop's thread, so that
 * they come before the call that raised them returns. */
void signals_blocked(int blocked) {
  sigset_t all;

  sigfillset(&all);
  pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &all, NULL);
}

void pool_hold(void) {
  if (!has_loop) {
    NEED(uv_loop_init(&other));
    NEED(uv_sem_init(&gate_sem, 0));
    NEED(uv_sem_init(&passed, 0));
    has_loop = 1;
  }
  if (!holds) {
    signals_blocked(1);
    NEED(uv_queue_work(&other, &gate, on_gate, on_nothing));
    signals_blocked(0);
  }
  holds = 1;
  requests++;
}

/* The worker takes a round of slow work and then what was queued meanwhile, so
 * each request may need a pass of its own. */
void pool_settle(void) {
  uv_work_t pass;

  if (!holds)
    return;
  uv_sem_post(&gate_sem);
  for (; requests >= 0; requests--) {
    NEED(uv_queue_work(&other, &pass, on_pass, on_nothing));
    uv_sem_wait(&passed);
    NEED(uv_run(&other, UV_RUN_DEFAULT));
  }
  requests = 0;
  holds = 0;
}

void pool_end(void) {
  if (!has_loop)
    return;
  NEED(uv_loop_close(&other));
  uv_sem_destroy(&gate_sem);
  uv_sem_destroy(&passed);
}
