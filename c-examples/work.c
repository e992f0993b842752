/* work: counts primes on all threads of the pool, and the loop stays free.
 *
 *   work [LIMIT]    count the primes below LIMIT (default 10000000); SIGINT
 *                   gives up what has not begun
 *
 * What it shows: work that takes long goes to other threads in pieces. A piece
 * belongs to its thread until its second callback, which runs in the loop's
 * thread again: results are added there without a lock.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define CHECK(rc)                                                              \
  do {                                                                         \
    int check_rc = (rc);                                                       \
    if (check_rc < 0) {                                                        \
      fprintf(stderr, "%s: %s\n", #rc, uv_strerror(check_rc));                 \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

#define PIECES 64
#define TICK_MS 200

struct piece {
  uv_work_t work;
  unsigned long from, below, primes;
};

static struct piece pieces[PIECES];
static unsigned long primes;
static int left = PIECES, cancelled;
static uv_timer_t ticker;
static uv_signal_t interrupt;

static int is_prime(unsigned long n) {
  unsigned long by;

  if (n < 4)
    return n >= 2;
  if (n % 2 == 0)
    return 0;
  for (by = 3; by <= n / by; by += 2)
    if (n % by == 0)
      return 0;
  return 1;
}

/* In a thread of the pool. Nothing of the loop may be touched here. */
static void count(uv_work_t *work) {
  struct piece *piece = work->data;
  unsigned long n;

  for (n = piece->from; n < piece->below; n++)
    piece->primes += (unsigned) is_prime(n);
}

/* In the loop's thread. */
static void on_counted(uv_work_t *work, int status) {
  struct piece *piece = work->data;

  work->data = NULL; /* nothing to cancel any more */
  if (status == UV_ECANCELED)
    cancelled++;
  else
    primes += piece->primes;
  if (--left == 0) {
    uv_close((uv_handle_t *) &ticker, NULL);
    uv_close((uv_handle_t *) &interrupt, NULL);
  }
}

static void on_tick(uv_timer_t *timer) {
  (void) timer;
  /* The loop turns while the pool is busy. */
  fprintf(stderr, "%d of %d pieces left\n", left, PIECES);
}

static void on_interrupt(uv_signal_t *signal, int signum) {
  int i;

  (void) signal;
  (void) signum;
  /* UV_EBUSY for those that have begun, which is fine: they end soon. */
  for (i = 0; i < PIECES; i++)
    if (pieces[i].work.data != NULL)
      (void) uv_cancel((uv_req_t *) &pieces[i].work);
}

int main(int argc, char **argv) {
  unsigned long limit = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000000;
  uv_loop_t loop;
  int i;

  if (argc > 2 || limit == 0) {
    fprintf(stderr, "usage: %s [LIMIT]\n", argv[0]);
    return 2;
  }
  CHECK(uv_loop_init(&loop));
  CHECK(uv_timer_init(&loop, &ticker));
  CHECK(uv_timer_start(&ticker, on_tick, TICK_MS, TICK_MS));
  CHECK(uv_signal_init(&loop, &interrupt));
  CHECK(uv_signal_start(&interrupt, on_interrupt, SIGINT));
  for (i = 0; i < PIECES; i++) {
    /* More pieces than threads, as they do not take equally long. */
    pieces[i].from = limit / PIECES * (unsigned) i;
    pieces[i].below =
        i == PIECES - 1 ? limit : limit / PIECES * (unsigned) (i + 1);
    pieces[i].work.data = &pieces[i];
    CHECK(uv_queue_work(&loop, &pieces[i].work, count, on_counted));
  }

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(&loop));
  uv_library_shutdown(); /* ends the threads that did the work */
  if (cancelled != 0) {
    printf("work: %d pieces were not counted\n", cancelled);
    return 1;
  }
  printf("work: %lu primes below %lu\n", primes, limit);
  return 0;
}
