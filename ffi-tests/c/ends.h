/* What a program has at its end as at its start: descriptors, no children, and
 * the library's memory. What differs is printed, and fails the program. A child
 * that a section forks is not looked at: it ends in the middle, on purpose. */
#ifndef ENDS_H
#define ENDS_H

#include "heap.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENDS_FDS = 1, ENDS_CHILDREN = 2, ENDS_HEAP = 4 };
enum { ENDS_MOST = 4096 };

static struct {
  int fds[ENDS_MOST], count; /* Open at the start. */
  long blocks, bytes;        /* Out at the start. */
  int unless;                /* What libuv is known to leave. */
} ends_start;

/* Calls `each` with every open descriptor. */
static inline void ends_fds(void (*each)(int fd)) {
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *entry;

  if (dir == NULL) {
    perror("/proc/self/fd");
    exit(1);
  }
  while ((entry = readdir(dir)) != NULL) {
    int fd = atoi(entry->d_name);

    if (entry->d_name[0] != '.' && fd != dirfd(dir))
      each(fd);
  }
  closedir(dir);
}

static inline void ends_note(int fd) {
  if (ends_start.count == ENDS_MOST) {
    puts("too many descriptors at the start");
    exit(1);
  }
  ends_start.fds[ends_start.count++] = fd;
}

static int ends_found, ends_is_new;

/* How many descriptors are open. */
static inline void ends_one_more(int fd) {
  (void) fd;
  ends_found++;
}
static inline int ends_open_fds(void) {
  ends_found = 0;
  ends_fds(ends_one_more);
  return ends_found;
}

static inline void ends_judge_fd(int fd) {
  char link[64], target[256];
  ssize_t n;
  int i;

  for (i = 0; i < ends_start.count; i++)
    if (ends_start.fds[i] == fd)
      return;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  n = readlink(link, target, sizeof(target));
  printf("left open: descriptor %d, %.*s\n", fd, n < 0 ? 0 : (int) n, target);
  ends_is_new = 1;
}

/* Whether there is a child, running or not waited for. */
static inline int ends_child(siginfo_t *info) {
  info->si_pid = 0;
  return waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

/* Before anything that is counted. */
static inline void ends_begin(void) {
  siginfo_t info;

  if (heap_install() != 0) {
    puts("the allocator cannot be replaced");
    exit(1);
  }
  if (ends_child(&info)) {
    puts("has children from the start");
    exit(1);
  }
  ends_fds(ends_note);
  ends_start.blocks = heap.blocks;
  ends_start.bytes = heap.bytes;
}

static inline int ends_is_libuv(void) {
  return dlsym(RTLD_DEFAULT, "uvring_loop_backend_name") == NULL;
}

/* libuv itself leaves `what`: looked at for uvring only. */
static inline void ends_libuv_leaves(int what) {
  if (ends_is_libuv())
    ends_start.unless |= what;
}

static inline int ends_wants(int what) {
  return (ends_start.unless & what) == 0;
}

/* After the last loop was closed. Gives whether all is as it was. */
static inline int ends_are_met(void) {
  long blocks, bytes;
  siginfo_t info;
  int i, good = 1;

  uv_library_shutdown();
  blocks = heap.blocks - ends_start.blocks;
  bytes = heap.bytes - ends_start.bytes;
  if (ends_wants(ENDS_HEAP) && (blocks != 0 || bytes != 0)) {
    printf("not given back: %ld blocks, %ld bytes\n", blocks, bytes);
    good = 0;
  }
  if (ends_wants(ENDS_CHILDREN) && ends_child(&info)) {
    if (info.si_pid == 0)
      puts("left running: a child");
    else
      printf("not waited for: child %d\n", (int) info.si_pid);
    good = 0;
  }
  if (ends_wants(ENDS_FDS)) {
    ends_is_new = 0;
    ends_fds(ends_judge_fd);
    for (i = 0; i < ends_start.count; i++) {
      if (fcntl(ends_start.fds[i], F_GETFD) == -1) {
        printf("closed: descriptor %d\n", ends_start.fds[i]);
        good = 0;
      }
    }
    good = good && !ends_is_new;
  }
  return good;
}

#endif
