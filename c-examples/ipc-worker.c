/* ipc-worker: a master accepts, its workers serve.
 *
 *   ipc-worker [PORT [WORKERS]]   listen on 127.0.0.1:PORT (default 7000, 0:
 *                                 any free one), hand each connection to the
 *                                 next of WORKERS processes (default 2); ends
 *                                 with SIGINT or SIGTERM
 *
 * A worker greets with "worker PID" and sends back what it is sent.
 *
 * What it shows: a pipe that carries connections between processes, children
 * that end when their master does, and a worker that dies without taking the
 * server along.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CHECK(rc)                                                              \
  do {                                                                         \
    int check_rc = (rc);                                                       \
    if (check_rc < 0) {                                                        \
      fprintf(stderr, "%s: %s\n", #rc, uv_strerror(check_rc));                 \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

#define WORKERS_MAX 64

/* ---- the worker ------------------------------------------------------- */

struct peer {
  uv_tcp_t tcp;
  uv_write_t write;
  char bytes[4096];
};

static void on_peer_closed(uv_handle_t *handle) { free(handle->data); }

static void drop(uv_stream_t *stream) {
  if (!uv_is_closing((uv_handle_t *) stream))
    uv_close((uv_handle_t *) stream, on_peer_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  struct peer *peer = handle->data;

  (void) suggested;
  *buf = uv_buf_init(peer->bytes, sizeof(peer->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void on_written(uv_write_t *req, int status) {
  if (status < 0 || uv_read_start(req->handle, on_alloc, on_read) < 0)
    drop(req->handle);
}

static void send_back(struct peer *peer, size_t len) {
  uv_stream_t *stream = (uv_stream_t *) &peer->tcp;
  uv_buf_t buf = uv_buf_init(peer->bytes, (unsigned) len);

  if (uv_write(&peer->write, stream, &buf, 1, on_written) < 0)
    drop(stream);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread < 0) {
    drop(stream);
  } else if (nread > 0) {
    uv_read_stop(stream); /* until this is written: it is the same memory */
    send_back(stream->data, (size_t) nread);
  }
}

/* The bytes on the pipe say nothing; what counts is what came along. */
static void on_pipe_alloc(uv_handle_t *handle, size_t suggested,
                          uv_buf_t *buf) {
  static char bytes[64];

  (void) handle;
  (void) suggested;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_handed(uv_stream_t *stream, ssize_t nread,
                      const uv_buf_t *buf) {
  uv_pipe_t *pipe = (uv_pipe_t *) stream;

  (void) buf;
  if (nread < 0) { /* the master is gone; finish with our clients and end */
    uv_close((uv_handle_t *) stream, NULL);
    return;
  }
  while (uv_pipe_pending_count(pipe) > 0) {
    struct peer *peer = malloc(sizeof(*peer));

    if (peer == NULL)
      abort(); /* a connection that nobody takes would wait for ever */
    CHECK(uv_tcp_init(stream->loop, &peer->tcp));
    peer->tcp.data = peer;
    CHECK(uv_accept(stream, (uv_stream_t *) &peer->tcp));
    send_back(peer, (size_t) snprintf(peer->bytes, sizeof(peer->bytes),
                                      "worker %d\n", (int) uv_os_getpid()));
  }
}

static int worker(uv_loop_t *loop) {
  uv_pipe_t from_master;

  signal(SIGINT, SIG_IGN); /* Ctrl-C at the terminal is for the master */
  CHECK(uv_pipe_init(loop, &from_master, 1));
  CHECK(uv_pipe_open(&from_master, 0));
  CHECK(uv_read_start((uv_stream_t *) &from_master, on_pipe_alloc, on_handed));
  CHECK(uv_run(loop, UV_RUN_DEFAULT));
  CHECK(uv_loop_close(loop));
  return 0;
}

/* ---- the master ------------------------------------------------------- */

static struct {
  uv_process_t process;
  uv_pipe_t pipe;
  int alive;
} workers[WORKERS_MAX];

static int count, turn;
static unsigned long handed;
static uv_tcp_t listener;
static uv_signal_t interrupt, terminate;

struct handing {
  uv_write_t write;
  uv_tcp_t tcp;
};

static void on_our_copy_closed(uv_handle_t *handle) { free(handle->data); }

static void on_handed_over(uv_write_t *req, int status) {
  struct handing *handing = req->data;

  if (status < 0)
    fprintf(stderr, "ipc-worker: a client is lost: %s\n", uv_strerror(status));
  else
    handed++;
  /* The worker has a descriptor of its own; the connection stays open. */
  uv_close((uv_handle_t *) &handing->tcp, on_our_copy_closed);
}

static int hand_over(struct handing *handing) {
  uv_buf_t buf = uv_buf_init("c", 1); /* a descriptor travels with a byte */
  int i;

  for (i = 0; i < count; i++) {
    turn = (turn + 1) % count;
    if (workers[turn].alive &&
        uv_write2(&handing->write, (uv_stream_t *) &workers[turn].pipe, &buf,
                  1, (uv_stream_t *) &handing->tcp, on_handed_over) == 0)
      return 0;
  }
  return UV_ESRCH; /* no worker is left */
}

static void on_connection(uv_stream_t *stream, int status) {
  struct handing *handing;

  if (status < 0)
    return;
  handing = malloc(sizeof(*handing));
  if (handing == NULL)
    return;
  CHECK(uv_tcp_init(stream->loop, &handing->tcp));
  handing->tcp.data = handing->write.data = handing;
  if (uv_accept(stream, (uv_stream_t *) &handing->tcp) < 0 ||
      hand_over(handing) < 0)
    uv_close((uv_handle_t *) &handing->tcp, on_our_copy_closed);
}

static void on_worker_exit(uv_process_t *process, int64_t status, int signum) {
  int i = (int) (intptr_t) process->data;

  if (workers[i].alive) {
    fprintf(stderr, "ipc-worker: worker %d ended: status %d, signal %d\n",
            uv_process_get_pid(process), (int) status, signum);
    workers[i].alive = 0;
    uv_close((uv_handle_t *) &workers[i].pipe, NULL);
  }
  uv_close((uv_handle_t *) process, NULL);
}

static void start_worker(uv_loop_t *loop, int i, char *program) {
  char *args[] = {program, "--worker", NULL};
  uv_stdio_container_t stdio[3];
  uv_process_options_t options;

  CHECK(uv_pipe_init(loop, &workers[i].pipe, 1)); /* 1: it carries handles */
  stdio[0].flags = (uv_stdio_flags) (UV_CREATE_PIPE | UV_READABLE_PIPE |
                                     UV_WRITABLE_PIPE);
  stdio[0].data.stream = (uv_stream_t *) &workers[i].pipe;
  stdio[1].flags = UV_IGNORE;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  memset(&options, 0, sizeof(options));
  options.file = program;
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_worker_exit;
  workers[i].process.data = (void *) (intptr_t) i;
  CHECK(uv_spawn(loop, &workers[i].process, &options));
  workers[i].alive = 1;
}

static void on_signal(uv_signal_t *signal, int signum) {
  int i;

  (void) signal;
  (void) signum;
  uv_close((uv_handle_t *) &listener, NULL);
  uv_close((uv_handle_t *) &interrupt, NULL);
  uv_close((uv_handle_t *) &terminate, NULL);
  for (i = 0; i < count; i++) {
    if (!workers[i].alive)
      continue;
    workers[i].alive = 0; /* the end of its pipe tells it; we wait for it */
    uv_close((uv_handle_t *) &workers[i].pipe, NULL);
  }
}

static int master(uv_loop_t *loop, int port) {
  struct sockaddr_in address;
  char program[4096];
  size_t size = sizeof(program);
  int i, len = sizeof(address);

  CHECK(uv_exepath(program, &size));
  CHECK(uv_signal_init(loop, &interrupt));
  CHECK(uv_signal_init(loop, &terminate));
  CHECK(uv_signal_start(&interrupt, on_signal, SIGINT));
  CHECK(uv_signal_start(&terminate, on_signal, SIGTERM));
  for (i = 0; i < count; i++)
    start_worker(loop, i, program);
  CHECK(uv_ip4_addr("127.0.0.1", port, &address));
  CHECK(uv_tcp_init(loop, &listener));
  CHECK(uv_tcp_bind(&listener, (struct sockaddr *) &address, 0));
  CHECK(uv_listen((uv_stream_t *) &listener, 128, on_connection));
  CHECK(uv_tcp_getsockname(&listener, (struct sockaddr *) &address, &len));
  printf("%d workers on 127.0.0.1:%d\n", count, ntohs(address.sin_port));
  fflush(stdout);

  CHECK(uv_run(loop, UV_RUN_DEFAULT)); /* until the last worker has ended */
  CHECK(uv_loop_close(loop));
  printf("ipc-worker: ok, %lu connections handed over\n", handed);
  return 0;
}

int main(int argc, char **argv) {
  uv_loop_t loop;

  signal(SIGPIPE, SIG_IGN); /* a peer that left is an error code, no more */
  CHECK(uv_loop_init(&loop));
  if (argc == 2 && strcmp(argv[1], "--worker") == 0)
    return worker(&loop);
  count = argc == 3 ? atoi(argv[2]) : 2;
  if (argc > 3 || count < 1 || count > WORKERS_MAX) {
    fprintf(stderr, "usage: %s [PORT [WORKERS]]\n", argv[0]);
    CHECK(uv_loop_close(&loop));
    return 2;
  }
  return master(&loop, argc > 1 ? atoi(argv[1]) : 7000);
}
