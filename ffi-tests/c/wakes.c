/* Many async handles at once: each is called once for all sends before its call, those taken
 * together in the order of initialisation, and what is closed meanwhile is not called. */
#include "check.h"

#define MANY 6000

static uv_async_t *handles;
static int *calls;
static long last, descents, called;

static void on_wake(uv_async_t *h) {
  long index = h - handles;

  calls[index]++;
  called++;
  if (index < last)
    descents++;
  last = index;
}

/* A permutation that is far from any order. */
static int shuffled(int i) { return (int) ((long long) i * 4001 % MANY); }

static void open_all(uv_loop_t *loop) {
  int i;

  handles = calloc(MANY, sizeof(*handles));
  calls = calloc(MANY, sizeof(*calls));
  if (handles == NULL || calls == NULL)
    exit(1);
  for (i = 0; i < MANY; i++)
    NEED(uv_async_init(loop, &handles[i], on_wake));
}

static void turn(uv_loop_t *loop) {
  int i, odd = 0;

  last = -1;
  descents = called = 0;
  uv_run(loop, UV_RUN_NOWAIT);
  SHOW(called);
  SHOW(descents);
  for (i = 0; i < MANY; i++)
    odd += calls[i] > 1;
  SHOW(odd);
  memset(calls, 0, MANY * sizeof(*calls));
}

static void close_all(uv_loop_t *loop) {
  int i;

  for (i = 0; i < MANY; i++)
    if (!uv_is_closing(H(&handles[i])))
      uv_close(H(&handles[i]), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  free(handles);
  free(calls);
}

/* One, some, a few more than are sorted as one list, all; twice each. */
static void wakes_many(uv_loop_t *loop) {
  static const int counts[] = {1, 100, 1023, 1024, 1025, 3000, MANY};
  size_t k;
  int i;

  open_all(loop);
  for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
    SHOW(counts[k]);
    for (i = 0; i < 2 * counts[k]; i++)
      NEED(uv_async_send(&handles[shuffled(i % counts[k])]));
    turn(loop);
  }
  turn(loop);
  close_all(loop);
}

/* Closing one takes over what was sent so far; more is sent after that. */
static void wakes_closed(uv_loop_t *loop) {
  int i;

  open_all(loop);
  for (i = 0; i < MANY; i++) {
    NEED(uv_async_send(&handles[shuffled(i)]));
    if (i % 1500 == 0)
      uv_close(H(&handles[shuffled(i)]), NULL);
  }
  turn(loop);
  for (i = MANY - 1; i >= 0; i--)
    NEED(uv_async_send(&handles[i]));
  turn(loop);
  close_all(loop);
}

/* The numbers that handles get have no end: long after the first ones. */
static void wakes_young(uv_loop_t *loop) {
  uv_async_t passing;
  int i;

  for (i = 0; i < 20000; i++) {
    NEED(uv_async_init(loop, &passing, on_wake));
    uv_close(H(&passing), NULL);
    uv_run(loop, UV_RUN_NOWAIT);
  }
  open_all(loop);
  for (i = 0; i < MANY; i++)
    NEED(uv_async_send(&handles[shuffled(i)]));
  turn(loop);
  close_all(loop);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"many", wakes_many}, {"closed", wakes_closed}, {"young", wakes_young}, {NULL, NULL}};

  return check_main(argc, argv, table);
}
