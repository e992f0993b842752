/* What the behaviour programs share. Each is compiled once against libuv and
 * once against uvring; what the two print must be equal. */
#ifndef CHECK_H
#define CHECK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "ends.h"

/* Print an expression and its value; a negative one with libuv's name for it. */
#define SHOW(expr) check_show(#expr, (long long) (expr))
/* The same for what may be NULL or text. */
#define TEXT(expr) check_text(#expr, (expr))
/* For what must not fail for the case to mean anything. */
#define NEED(expr)                                                             \
  do {                                                                         \
    long long need_rc = (long long) (expr);                                    \
    if (need_rc < 0) {                                                         \
      printf("%s:%d: %s failed: %lld\n", __FILE__, __LINE__, #expr, need_rc);  \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

#define H(x) ((uv_handle_t *) (x))
#define S(x) ((uv_stream_t *) (x))
#define R(x) ((uv_req_t *) (x))
#define A(x) ((struct sockaddr *) (x))

struct section {
  const char *name;
  void (*run)(uv_loop_t *loop);
};

static inline void check_show(const char *what, long long value) {
  char name[64]; /* uv_err_name allocates for numbers it does not know */

  if (value < 0 && value > -4096)
    printf("%s = %s\n", what,
           uv_err_name_r((int) value, name, sizeof(name)));
  else
    printf("%s = %lld\n", what, value);
}

static inline void check_text(const char *what, const char *value) {
  printf("%s = %s\n", what, value == NULL ? "NULL" : value);
}

static inline void check_close_each(uv_handle_t *handle, void *unused) {
  (void) unused;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

/* Close whatever is open and give the loop back. */
static inline void check_end(uv_loop_t *loop) {
  uv_walk(loop, check_close_each, NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_loop_close(loop));
}

/* "--list" prints the names of all sections, for whoever runs them. */
static inline int check_usage(int argc, char **argv, const void *table,
                              size_t size) {
  const char *const *name = table;

  if (argc != 2 || strcmp(argv[1], "--list") != 0) {
    fprintf(stderr, "usage: %s SECTION | --list\n", argv[0]);
    return 2;
  }
  for (; *name != NULL; name = (const void *) ((const char *) name + size))
    puts(*name);
  return 0;
}

/* Before a section. */
static inline void check_begin(void) {
  /* What was printed before a crash must be seen. */
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  alarm(30);
  ends_begin();
}

/* After a section and the last of its loops: the exit status. */
static inline int check_finish(const char *name) {
  if (!ends_are_met())
    return 1;
  printf("end of %s\n", name);
  return 0;
}

static inline int check_main(int argc, char **argv,
                             const struct section *table) {
  const struct section *sections = table;
  uv_loop_t loop;

  for (; argc == 2 && table->name != NULL; table++) {
    if (strcmp(table->name, argv[1]) == 0) {
      check_begin();
      NEED(uv_loop_init(&loop));
      table->run(&loop);
      check_end(&loop);
      return check_finish(table->name);
    }
  }
  return check_usage(argc, argv, sections, sizeof(*sections));
}

static inline struct sockaddr_in check_local(int port) {
  struct sockaddr_in address;

  NEED(uv_ip4_addr("127.0.0.1", port, &address));
  return address;
}

/* A listener on a free port of 127.0.0.1; its address goes to `*address`. */
static inline void check_listen(uv_loop_t *loop, uv_tcp_t *listener,
                                struct sockaddr_in *address,
                                uv_connection_cb cb) {
  int len = sizeof(*address);

  *address = check_local(0);
  NEED(uv_tcp_init(loop, listener));
  NEED(uv_tcp_bind(listener, A(address), 0));
  NEED(uv_listen(S(listener), 128, cb));
  NEED(uv_tcp_getsockname(listener, A(address), &len));
}

/* Two ends of a TCP connection over 127.0.0.1, made with plain calls. */
static inline void check_tcp_pair(int fds[2]) {
  struct sockaddr_in address = check_local(0);
  socklen_t len = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  NEED(bind(listener, A(&address), len));
  NEED(listen(listener, 1));
  NEED(getsockname(listener, A(&address), &len));
  fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  NEED(connect(fds[0], A(&address), len));
  fds[1] = accept(listener, NULL, NULL);
  NEED(fds[1]);
  close(listener);
}

/* Descriptors that are taken so that few are left. */
struct check_crowd {
  struct rlimit limit;
  int fds[60], count;
};

static inline void check_leave(struct check_crowd *crowd) {
  NEED(crowd->count > 0 ? 0 : -1);
  close(crowd->fds[--crowd->count]);
}

/* From now on only `spare` descriptors are left, and one more for each
 * check_leave. */
static inline void check_crowd(struct check_crowd *crowd, int spare) {
  struct rlimit few;

  NEED(getrlimit(RLIMIT_NOFILE, &crowd->limit));
  for (crowd->count = 0; crowd->count < 60; crowd->count++) /* fills all gaps */
    NEED(crowd->fds[crowd->count] = fcntl(0, F_DUPFD_CLOEXEC, 0));
  few = crowd->limit;
  few.rlim_cur = (rlim_t) crowd->fds[59] + 1;
  NEED(setrlimit(RLIMIT_NOFILE, &few));
  while (spare-- > 0)
    check_leave(crowd);
}

static inline void check_disperse(struct check_crowd *crowd) {
  NEED(setrlimit(RLIMIT_NOFILE, &crowd->limit));
  while (crowd->count > 0)
    check_leave(crowd);
}

/* Run turns until `*flag` is at least `want`, at most `turns` of them. */
static inline void check_run_until(uv_loop_t *loop, const int *flag, int want,
                                   int turns) {
  while (*flag < want && turns-- > 0)
    if (uv_run(loop, UV_RUN_ONCE) == 0)
      break;
}

#endif
