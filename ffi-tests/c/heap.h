/* An allocator for the library that counts what is out, and refuses on request. */
#ifndef HEAP_H
#define HEAP_H

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <uv.h>

static struct {
  long left;   /* Allocations until the first that fails. */
  int forever; /* Those after it fail as well. */
  int hits;    /* How many failed. */
  long blocks; /* Blocks that are out, */
  long bytes;  /* and how much is in them. */
} heap = {LONG_MAX, 0, 0, 0, 0};

#define HEAP_ADD(place, n) __atomic_add_fetch(&(place), (n), __ATOMIC_SEQ_CST)

static inline int heap_refuses(void) {
  long left = HEAP_ADD(heap.left, -1);

  if (left > 0 || (left < 0 && !heap.forever))
    return 0;
  HEAP_ADD(heap.hits, 1);
  return 1;
}

static inline void heap_count(void *p, int sign) {
  if (p != NULL) {
    HEAP_ADD(heap.blocks, sign);
    HEAP_ADD(heap.bytes, sign * (long) malloc_usable_size(p));
  }
}

static inline void *heap_malloc(size_t size) {
  void *p = heap_refuses() ? NULL : malloc(size);

  heap_count(p, 1);
  return p;
}

static inline void *heap_calloc(size_t n, size_t size) {
  void *p = heap_refuses() ? NULL : calloc(n, size);

  heap_count(p, 1);
  return p;
}

static inline void heap_free(void *p) {
  heap_count(p, -1);
  free(p);
}

static inline void *heap_realloc(void *old, size_t size) {
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

/* Before any other call of the library. */
static inline int heap_install(void) {
  return uv_replace_allocator(heap_malloc, heap_realloc, heap_calloc, heap_free);
}

/* From now on the allocation `n` fails, counted from 1, and with `forever` all
 * after it. */
static inline void heap_arm(long n, int forever) {
  heap.hits = 0;
  heap.forever = forever;
  __atomic_store_n(&heap.left, n, __ATOMIC_SEQ_CST);
}

static inline void heap_disarm(void) {
  __atomic_store_n(&heap.left, LONG_MAX, __ATOMIC_SEQ_CST);
}

#endif
