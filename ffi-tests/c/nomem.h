/* What the programs share that let each allocation of a call fail.
 *
 * TRY repeats a call in one and the same state, with the first, the second, ...
 * of its allocations failing, until the call is left alone. Each of the failed
 * calls must say so and leave nothing: no block, no descriptor, no active
 * handle or request. The program goes on with the success. */
#ifndef NOMEM_H
#define NOMEM_H

#include "check.h"

#include <dirent.h>
#include <malloc.h>

#define MOST 64 /* Failing calls in a row before we call it endless. */

static struct {
  long left;     /* Allocations until the first that fails. */
  int forever;   /* Those after it fail as well. */
  int hits;      /* How many failed. */
  long blocks;   /* Blocks that are out. */
  long bytes;
} heap = {LONG_MAX, 0, 0, 0, 0};

/* The loop whose counters a failed call must not change. */
static uv_loop_t *watched;

#define ADD(place, n) __atomic_add_fetch(&(place), (n), __ATOMIC_SEQ_CST)

static int heap_refuses(void) {
  long left = ADD(heap.left, -1);

  if (left > 0 || (left < 0 && !heap.forever))
    return 0;
  ADD(heap.hits, 1);
  return 1;
}

static void heap_count(void *p, int sign) {
  if (p != NULL) {
    ADD(heap.blocks, sign);
    ADD(heap.bytes, sign * (long) malloc_usable_size(p));
  }
}

static void *heap_malloc(size_t size) {
  void *p = heap_refuses() ? NULL : malloc(size);

  heap_count(p, 1);
  return p;
}

static void *heap_calloc(size_t n, size_t size) {
  void *p = heap_refuses() ? NULL : calloc(n, size);

  heap_count(p, 1);
  return p;
}

static void heap_free(void *p) {
  heap_count(p, -1);
  free(p);
}

static void *heap_realloc(void *old, size_t size) {
  void *p;

  if (old != NULL && size == 0) {
    heap_free(old);
    return NULL;
  }
  if (heap_refuses())
    return NULL;
  heap_count(old, -1);
  p = realloc(old, size);
  heap_count(p == NULL ? old : p, 1);
  return p;
}

static int count_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;

  while (readdir(dir) != NULL)
    n++;
  closedir(dir);
  return n;
}

struct state {
  long blocks;
  int fds, handles, reqs;
};

static struct state look(void) {
  struct state s = {__atomic_load_n(&heap.blocks, __ATOMIC_SEQ_CST),
                    count_fds(), 0, 0};

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

static void arm(long n, int forever) {
  heap.hits = 0;
  heap.forever = forever;
  __atomic_store_n(&heap.left, n, __ATOMIC_SEQ_CST);
}

static void disarm(void) {
  __atomic_store_n(&heap.left, LONG_MAX, __ATOMIC_SEQ_CST);
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
      arm(n_, forever_);                                                       \
      result_ = (long) (call);                                                 \
      disarm();                                                                \
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
  int fds, bare;

  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  alarm(60);
  NEED(uv_replace_allocator(heap_malloc, heap_realloc, heap_calloc, heap_free));
  fds = count_fds();
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
    uv_library_shutdown();
    if (heap.blocks != 0 || heap.bytes != 0)
      wrong(scene, 0, "blocks at the end", heap.blocks, 0);
    if (count_fds() != fds)
      wrong(scene, 0, "descriptors at the end", count_fds(), fds);
    printf("end of %s\n", scene);
    return 0;
  }
  return check_usage(argc, argv, all, sizeof(*all));
}

#endif
