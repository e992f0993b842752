/* An allocator that counts blocks, and has no more memory when `left` is used up. */
#ifndef COUNTING_H
#define COUNTING_H

#include <limits.h>
#include <stdlib.h>

static long blocks, left = LONG_MAX;

static int is_over(void) {
  return __atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED) <= 0;
}
static void *count(void *p) {
  __atomic_add_fetch(&blocks, p != NULL, __ATOMIC_RELAXED);
  return p;
}
static void *my_malloc(size_t size) {
  return is_over() ? NULL : count(malloc(size));
}
static void *my_calloc(size_t n, size_t size) {
  return is_over() ? NULL : count(calloc(n, size));
}
static void my_free(void *p) {
  __atomic_sub_fetch(&blocks, p != NULL, __ATOMIC_RELAXED);
  free(p);
}
static void *my_realloc(void *p, size_t size) {
  if (size == 0) {
    my_free(p);
    return NULL;
  }
  if (is_over())
    return NULL;
  __atomic_add_fetch(&blocks, p == NULL, __ATOMIC_RELAXED);
  return realloc(p, size);
}

#endif
