/* async: a worker thread hands results to the loop.
 *
 * What it shows: uv_async_send is the one call that other threads (and signal
 * handlers) may make. It carries no data and several sends may become one
 * callback, so the data waits in a queue with a lock of its own.
 */
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

#define RESULTS 1000

struct result {
  struct result *next;
  int value;
};

static struct {
  uv_mutex_t lock;
  struct result *newest;
} queue;

static uv_async_t ready;
static long sum;
static int taken, callbacks;

/* In the worker thread: it owns a result until that is in the queue. */
static void work(void *unused) {
  int i;

  (void) unused;
  for (i = 1; i <= RESULTS; i++) {
    struct result *result = malloc(sizeof(*result));

    if (result == NULL)
      abort();
    result->value = i;
    uv_mutex_lock(&queue.lock);
    result->next = queue.newest;
    queue.newest = result;
    uv_mutex_unlock(&queue.lock);
    CHECK(uv_async_send(&ready));
  }
}

/* In the loop's thread. Takes everything there is: the next send may already
 * have been merged into this call. */
static void on_ready(uv_async_t *async) {
  struct result *list, *next;

  callbacks++;
  uv_mutex_lock(&queue.lock);
  list = queue.newest;
  queue.newest = NULL;
  uv_mutex_unlock(&queue.lock);

  for (; list != NULL; list = next) {
    next = list->next;
    sum += list->value;
    taken++;
    free(list);
  }
  if (taken == RESULTS)
    uv_close((uv_handle_t *) async, NULL); /* lets uv_run return */
}

int main(void) {
  uv_loop_t loop;
  uv_thread_t worker;

  CHECK(uv_loop_init(&loop));
  CHECK(uv_mutex_init(&queue.lock));
  CHECK(uv_async_init(&loop, &ready, on_ready));
  CHECK(uv_thread_create(&worker, work, NULL));

  CHECK(uv_run(&loop, UV_RUN_DEFAULT));

  CHECK(uv_thread_join(&worker));
  uv_mutex_destroy(&queue.lock);
  CHECK(uv_loop_close(&loop));
  if (sum != (long) RESULTS * (RESULTS + 1) / 2 || callbacks > RESULTS) {
    fprintf(stderr, "lost or doubled results: %ld\n", sum);
    return 1;
  }
  printf("async: ok, %d results\n", taken);
  return 0;
}
