/* http-server: serves a folder over HTTP/1.1 on 127.0.0.1.
 *
 *   http-server [--port N] [--root DIR] [--seconds N] [--idle-ms N]
 *               [--count-memory]
 *
 * --port 0 takes any free port; the first line printed names it.
 * SIGINT and SIGTERM end it cleanly, so does --seconds. SIGUSR1 prints a line
 * of figures. With --count-memory every byte is counted, the library's too,
 * and the last line says what is still held, which should be nothing.
 *
 * The parts: http/parser.c reads requests, http/files.c finds files,
 * http/connection.c is a connection's life, http/server.c holds them together.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "http/memory.h"
#include "http/server.h"

struct options {
  int port;
  const char *root;
  unsigned seconds; /* 0: until a signal */
  unsigned idle_ms;
  int count_memory;
};

static struct server server;
static uv_timer_t deadline;

/* A signal handler may do almost nothing, but uv_async_send is safe there. */
static uv_async_t signalled;
static volatile sig_atomic_t want_stop, want_status;

static void on_signal(int signum) {
  if (signum == SIGUSR1)
    want_status = 1;
  else
    want_stop = 1;
  uv_async_send(&signalled);
}

static void handle_signals(void (*handler)(int)) {
  struct sigaction action;

  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
}

static void print_status(void) {
  printf("status: %u connections, %llu requests, %llu body bytes, "
         "%zu bytes held, %d fds open\n",
         server.connections, server.requests, server.body_bytes,
         memory_held(), memory_open_fds());
  fflush(stdout);
}

static void stop(void) {
  if (server.stopping)
    return;
  handle_signals(SIG_IGN); /* the handler must not meet a closed handle */
  server_stop(&server);
  uv_close((uv_handle_t *) &signalled, NULL);
  uv_close((uv_handle_t *) &deadline, NULL);
}

static void on_signalled(uv_async_t *async) {
  (void) async;
  if (want_status) {
    want_status = 0;
    print_status();
  }
  if (want_stop)
    stop();
}

static void on_deadline(uv_timer_t *timer) {
  (void) timer;
  stop();
}

static int number(const char *text, unsigned long max, unsigned *out) {
  char *end;
  unsigned long value;

  if (text == NULL || *text < '0' || *text > '9')
    return -1;
  value = strtoul(text, &end, 10);
  if (*end != '\0' || value > max)
    return -1;
  *out = (unsigned) value;
  return 0;
}

static int parse_options(int argc, char **argv, struct options *o) {
  unsigned value;
  int i;

  for (i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--count-memory") == 0) {
      o->count_memory = 1;
    } else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
      o->root = argv[++i];
    } else if (strcmp(argv[i], "--port") == 0 &&
               number(argv[i + 1], 65535, &value) == 0) {
      o->port = (int) value;
      i++;
    } else if (strcmp(argv[i], "--seconds") == 0 &&
               number(argv[i + 1], 86400, &o->seconds) == 0) {
      i++;
    } else if (strcmp(argv[i], "--idle-ms") == 0 &&
               number(argv[i + 1], 3600000, &o->idle_ms) == 0) {
      i++;
    } else {
      fprintf(stderr,
              "usage: %s [--port N] [--root DIR] [--seconds N] [--idle-ms N] "
              "[--count-memory]\n",
              argv[0]);
      return -1;
    }
  }
  return 0;
}

static int fail(const char *what, int rc) {
  fprintf(stderr, "http-server: %s: %s\n", what, uv_strerror(rc));
  return 1;
}

/* Returns the process's exit status. */
static int serve(uv_loop_t *loop, const struct options *o) {
  int rc, port;

  server.loop = loop;
  server.idle_ms = o->idle_ms;
  rc = uv_async_init(loop, &signalled, on_signalled);
  if (rc != 0)
    return fail("async", rc);
  uv_timer_init(loop, &deadline);
  rc = server_start(&server, o->port);
  if (rc != 0) {
    uv_close((uv_handle_t *) &signalled, NULL);
    uv_close((uv_handle_t *) &deadline, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return fail("listen", rc);
  }
  port = server_port(&server);
  if (o->seconds != 0)
    uv_timer_start(&deadline, on_deadline, o->seconds * 1000ull, 0);
  handle_signals(on_signal);
  printf("listening on 127.0.0.1:%d\n", port);
  fflush(stdout);

  uv_run(loop, UV_RUN_DEFAULT);

  /* Only the clock of the clean end may be left; the connections are gone. */
  if (!uv_is_closing((uv_handle_t *) &server.grace))
    uv_close((uv_handle_t *) &server.grace, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  return 0;
}

int main(int argc, char **argv) {
  struct options o = {0, ".", 0, 10000, 0};
  uv_loop_t loop;
  int rc, status, fds;

  if (parse_options(argc, argv, &o) != 0)
    return 2;
  fds = memory_open_fds();
  if (o.count_memory && memory_count_start() != 0)
    return fail("allocator", UV_EINVAL);
  signal(SIGPIPE, SIG_IGN); /* a client that left is an error code, no more */

  server.root_fd = open(o.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (server.root_fd < 0) {
    perror(o.root);
    return 1;
  }
  rc = uv_loop_init(&loop);
  if (rc != 0)
    return fail("loop", rc);
  status = serve(&loop, &o);
  close(server.root_fd);

  /* Anything but 0 here means that a handle was forgotten. */
  rc = uv_loop_close(&loop);
  if (rc != 0)
    return fail("loop close", rc);
  uv_library_shutdown();
  printf("done: %llu requests, %llu body bytes\n", server.requests,
         server.body_bytes);
  if (o.count_memory)
    printf("end: %zu bytes held, %d fds open, %d at the start\n",
           memory_held(), memory_open_fds(), fds);
  return status;
}
