/* What the programs share that let each allocation of a call fail.
 *
 * TRY repeats a call in one and the same state, with the first, the second, ...
 * of its allocations failing, until the call is left alone. Each of the failed
 * calls must say so and leave nothing: no block, no descriptor, no active
 * handle or request. The program goes on with the success. */
#ifndef NOMEM_H
#define NOMEM_H

#include "check.h"

#define MOST 64 /* Failing calls in a row before we call it endless. */

/* The loop whose counters a failed call must not change. */
static uv_loop_t *watched;

struct state {
  long blocks;
  int fds, handles, reqs;
};

static struct state look(void) {
  struct state s = {__atomic_load_n(&heap.blocks, __ATOMIC_SEQ_CST),
                    ends_open_fds(), 0, 0};

  if (watched != NULL) {
    s.handles = (int) watched->active_handles;
    s.reqs = (int) watched->active_reqs.count;
  }
  return s;
}

static void wrong(const char *what, long n, const char *why, long have,
                  long want) {
  printf("WRONG: %s, allocation %ld: %s: %ld instead of %ld\n", what, n, why,
         have, want);
}

/* What one failed call left behind. Something may be made once and kept for
 * the next call; something left by each of several such calls is a leak. */
static int judge(const char *what, long n, struct state before, int grown) {
  struct state after = look();

  if (after.handles != before.handles)
    wrong(what, n, "active handles", after.handles, before.handles);
  if (after.reqs != before.reqs)
    wrong(what, n, "active requests", after.reqs, before.reqs);
  if (after.blocks <= before.blocks && after.fds <= before.fds)
    return 0;
  if (grown > 3) {
    wrong(what, n, "blocks", after.blocks, before.blocks);
    wrong(what, n, "descriptors", after.fds, before.fds);
  }
  return 1;
}

/* The body of TRY: `call` is made with allocation `n` failing, and then with
 * `n` and all after it failing, for n = 1, 2, ... A call may do with less: it
 * succeeds although one failed. Then `undo` takes it back. */
#define TRY_TEXT(text, call, code, undo)                                       \
  do {                                                                         \
    long n_ = 1, points_ = 0, result_ = 0;                                     \
    int grown_ = 0, round_ = 0, forever_ = 1, without_ = 0;                    \
    for (; round_ < MOST; round_++) {                                          \
      struct state before_ = look();                                           \
      heap_arm(n_, forever_);                                                       \
      result_ = (long) (call);                                                 \
      heap_disarm();                                                                \
      if (heap.hits == 0)                                                      \
        break;                                                                 \
      points_++;                                                               \
      if (result_ >= 0) {                                                      \
        without_++;                                                            \
        undo;                                                                  \
      } else if (result_ != (code)) {                                          \
        wrong(text, n_, "result", result_, (code));                            \
      }                                                                        \
      grown_ = judge(text, n_, before_, grown_) ? grown_ + 1 : 0;              \
      if (grown_ > 0 && grown_ < 5)                                            \
        continue;                                                              \
      grown_ = 0;                                                              \
      n_ += forever_ == 0;                                                     \
      forever_ = !forever_;                                                    \
    }                                                                          \
    if (round_ == MOST)                                                        \
      wrong(text, n_, "rounds", round_, 0);                                    \
    if (result_ < 0)                                                           \
      wrong(text, n_, "left alone", result_, 0);                               \
    printf("try %s: %ld points, %d done without, fails with %s\n", text,       \
           points_, without_,                                                  \
           points_ == without_ ? "nothing" : #code);                           \
  } while (0)

/* For calls that need all their memory. */
#define TRY(call)                                                              \
  TRY_TEXT(#call, call, UV_ENOMEM,                                             \
           wrong(#call, n_, "result", result_, UV_ENOMEM); break)

/* For calls that fail otherwise, or manage with less; then `undo`. */
#define TRY_AS(call, code, undo) TRY_TEXT(#call, call, code, undo)

static const char *scene;

/* Calls whose result only a callback brings. */
static inline int finish(int code, const int *result) {
  if (code != 0)
    return code;
  uv_run(watched, UV_RUN_DEFAULT);
  return *result;
}

struct scene {
  const char *name;
  void (*run)(uv_loop_t *loop);
};

/* Runs one scene on a loop that is made for it, unless its name begins with
 * "bare": then the scene makes its own. */
static int nomem_main(int argc, char **argv, const struct scene *table) {
  const struct scene *all = table;
  uv_loop_t loop;
  int bare;

  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  alarm(60);
  ends_begin();
  for (; argc == 2 && table->name != NULL; table++) {
    if (strcmp(table->name, argv[1]) != 0)
      continue;
    scene = table->name;
    bare = strncmp(scene, "bare", 4) == 0;
    if (!bare) {
      NEED(uv_loop_init(&loop));
      watched = &loop;
    }
    table->run(bare ? NULL : &loop);
    if (!bare)
      check_end(&loop);
    return check_finish(scene);
  }
  return check_usage(argc, argv, all, sizeof(*all));
}

#endif
