#include "memory.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Each block carries its size in front; 16 bytes keep malloc's alignment. */
#define HEADER 16

/* Worker threads of the library allocate too, so the counter is atomic. */
static atomic_size_t held;
static int counting;

static void *finish(unsigned char *block, size_t size) {
  if (block == NULL)
    return NULL;
  memcpy(block, &size, sizeof(size));
  atomic_fetch_add(&held, size);
  return block + HEADER;
}

static void *count_malloc(size_t size) {
  if (size > SIZE_MAX - HEADER)
    return NULL;
  return finish(malloc(size + HEADER), size);
}

static void *count_calloc(size_t n, size_t each) {
  if (each != 0 && n > (SIZE_MAX - HEADER) / each)
    return NULL;
  return finish(calloc(1, n * each + HEADER), n * each);
}

static void count_free(void *p) {
  size_t size;
  unsigned char *block;

  if (p == NULL)
    return;
  block = (unsigned char *) p - HEADER;
  memcpy(&size, block, sizeof(size));
  atomic_fetch_sub(&held, size);
  free(block);
}

static void *count_realloc(void *p, size_t size) {
  size_t old;
  unsigned char *block;

  if (p == NULL)
    return count_malloc(size);
  if (size > SIZE_MAX - HEADER)
    return NULL;
  block = (unsigned char *) p - HEADER;
  memcpy(&old, block, sizeof(old));
  block = realloc(block, size + HEADER);
  if (block == NULL)
    return NULL; /* the old block stands, and is still counted */
  atomic_fetch_sub(&held, old);
  return finish(block, size);
}

int memory_count_start(void) {
  counting = 1;
  return uv_replace_allocator(count_malloc, count_realloc, count_calloc,
                              count_free);
}

size_t memory_held(void) { return atomic_load(&held); }

void *memory_new(size_t size) {
  return counting ? count_malloc(size) : malloc(size);
}

void memory_free(void *p) {
  if (counting)
    count_free(p);
  else
    free(p);
}

int memory_open_fds(void) {
  struct dirent *entry;
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");

  if (dir == NULL)
    return -1;
  while ((entry = readdir(dir)) != NULL)
    n += entry->d_name[0] != '.';
  closedir(dir);
  return n - 1; /* one of them was the folder itself */
}
