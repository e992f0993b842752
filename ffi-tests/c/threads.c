/* Several loops in several threads: the pool, wake-ups and signals that they
 * share. */
#include "check.h"

#include <pthread.h>
#include <stddef.h>

#define THREADS 4
#define JOBS 200

static struct side {
  uv_loop_t loop;
  pthread_t thread;
  uv_work_t jobs[JOBS];
  uv_fs_t fs[JOBS / 4];
  int worked, cancelled, stats, signals, result;
  uv_signal_t signal;
  uv_async_t async;
} sides[THREADS];

static struct side *side_of(uv_loop_t *loop) {
  return (struct side *) ((char *) loop - offsetof(struct side, loop));
}

static void each(void *(*run)(void *) ) {
  int i;

  for (i = 0; i < THREADS; i++) {
    NEED(uv_loop_init(&sides[i].loop));
    NEED(-pthread_create(&sides[i].thread, NULL, run, &sides[i]));
  }
}

static void join(void) {
  int i;

  for (i = 0; i < THREADS; i++)
    pthread_join(sides[i].thread, NULL);
  for (i = 0; i < THREADS; i++) {
    SHOW(sides[i].result);
    SHOW(uv_loop_close(&sides[i].loop));
  }
}

/* ---- the pool --------------------------------------------------------- */

static void work(uv_work_t *req) {
  int *count = req->data;

  /* Plain memory: the pool hands it over and back. */
  *count += 1;
}

static int counts[THREADS][JOBS];

static void after_work(uv_work_t *req, int status) {
  struct side *side = side_of(req->loop);
  int *count = req->data;

  side->worked += *count;
  side->cancelled += status == UV_ECANCELED;
}

static void on_stat(uv_fs_t *req) {
  side_of(req->loop)->stats += req->result == 0 && req->statbuf.st_nlink > 0;
  uv_fs_req_cleanup(req);
}

static void *use_pool(void *arg) {
  struct side *side = arg;
  int i;

  for (i = 0; i < JOBS; i++) {
    side->jobs[i].data = &counts[side - sides][i];
    NEED(uv_queue_work(&side->loop, &side->jobs[i], work, after_work));
    if (i % 4 == 0)
      NEED(uv_fs_stat(&side->loop, &side->fs[i / 4], "/", on_stat));
    if (i % 7 == 0)
      uv_cancel(R(&side->jobs[i]));
  }
  side->result = uv_run(&side->loop, UV_RUN_DEFAULT);
  return NULL;
}

static void pool(uv_loop_t *loop) {
  int i;

  (void) loop;
  each(use_pool);
  join();
  for (i = 0; i < THREADS; i++) {
    SHOW(sides[i].worked + sides[i].cancelled);
    SHOW(sides[i].stats);
  }
}

/* ---- signals ---------------------------------------------------------- */

static uv_sem_t started;

static void on_signal(uv_signal_t *s, int signum) {
  (void) signum;
  if (++side_of(s->loop)->signals == 5)
    uv_close(H(s), NULL);
  uv_sem_post(&started);
}

static void *hear_signals(void *arg) {
  struct side *side = arg;

  NEED(uv_signal_init(&side->loop, &side->signal));
  NEED(uv_signal_start(&side->signal, on_signal, SIGUSR1));
  uv_sem_post(&started);
  side->result = uv_run(&side->loop, UV_RUN_DEFAULT);
  return NULL;
}

static void signals(uv_loop_t *loop) {
  int i, round;

  (void) loop;
  NEED(uv_sem_init(&started, 0));
  each(hear_signals);
  for (round = 0; round <= 5; round++) {
    for (i = 0; i < THREADS; i++)
      uv_sem_wait(&started);
    if (round < 5)
      NEED(kill(getpid(), SIGUSR1));
  }
  join();
  for (i = 0; i < THREADS; i++)
    SHOW(sides[i].signals);
  uv_sem_destroy(&started);
}

/* ---- wake-ups --------------------------------------------------------- */

static int sent[THREADS];
static int seen;

/* What was written before the send is seen after it. */
static void on_async(uv_async_t *a) {
  int i, all = 0;

  for (i = 0; i < THREADS; i++)
    all += __atomic_load_n(&sent[i], __ATOMIC_RELAXED);
  seen = all;
  if (all == THREADS * 1000)
    uv_close(H(a), NULL);
}

static uv_async_t bell;

static void *ring(void *arg) {
  struct side *side = arg;
  int i;

  for (i = 0; i < 1000; i++) {
    __atomic_add_fetch(&sent[side - sides], 1, __ATOMIC_RELAXED);
    uv_async_send(&bell);
  }
  side->result = uv_run(&side->loop, UV_RUN_DEFAULT);
  return NULL;
}

static void wakes(uv_loop_t *loop) {
  NEED(uv_async_init(loop, &bell, on_async));
  each(ring);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(seen);
  join();
}

/* ---- loops that come and go ------------------------------------------- */

static void *come_and_go(void *arg) {
  struct side *side = arg;
  uv_loop_t loop;
  uv_work_t job;
  int i, count = 0;

  for (i = 0; i < 100; i++) {
    NEED(uv_loop_init(&loop));
    job.data = &count;
    NEED(uv_queue_work(&loop, &job, work, NULL));
    side->result += uv_run(&loop, UV_RUN_DEFAULT);
    side->result += uv_loop_close(&loop);
  }
  side->result += count;
  return NULL;
}

static void loops(uv_loop_t *loop) {
  (void) loop;
  each(come_and_go);
  join();
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"pool", pool},
                                         {"signals", signals},
                                         {"wakes", wakes},
                                         {"loops", loops},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}
