/* Faults on purpose: whoever looks for faults must find each of them. */
#include <uv.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_timer(uv_timer_t *timer) { (void) timer; }

/* Memory of this program, used after it was given back. */
static int heap(void) {
  char *volatile block = malloc(16);

  free(block);
  return block[3] == 'x';
}

/* The same, used by the library. */
static int library_heap(void) {
  uv_timer_t *timer = malloc(sizeof(*timer));
  uv_loop_t loop;

  uv_loop_init(&loop);
  uv_timer_init(&loop, timer);
  uv_timer_start(timer, on_timer, 1, 0);
  free(timer);
  return uv_run(&loop, UV_RUN_DEFAULT);
}

static int leak(void) {
  char *volatile block = malloc(16);

  block[0] = 'x';
  block = NULL;
  return block != NULL;
}

static int overflow(void) {
  volatile int most = INT_MAX;

  return most + 1 == 0;
}

static int shared;

static void *add(void *unused) {
  shared++;
  return unused;
}

static void in_two_threads(void *(*run)(void *), void *arg) {
  pthread_t thread;

  pthread_create(&thread, NULL, run, arg);
  run(arg);
  pthread_join(thread, NULL);
}

/* Memory of this program, written by two threads at once. */
static int race(void) {
  in_two_threads(add, NULL);
  return 0;
}

static void *start_timer(void *timer) {
  uv_timer_start(timer, on_timer, 1, 0);
  return NULL;
}

/* The library's, which no two threads may enter with one loop. */
static int library_race(void) {
  static uv_timer_t timer;
  static uv_loop_t loop;

  uv_loop_init(&loop);
  uv_timer_init(&loop, &timer);
  in_two_threads(start_timer, &timer);
  return 0;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(void);
  } faults[] = {{"heap", heap},         {"library_heap", library_heap},
                {"leak", leak},         {"overflow", overflow},
                {"race", race},         {"library_race", library_race}};
  size_t i;

  for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
    if (argc == 2 && strcmp(argv[1], faults[i].name) == 0)
      return faults[i].run();
  fprintf(stderr, "usage: %s FAULT\n", argv[0]);
  return 2;
}
