/* The server of rows echo, pipeline, coalesce, fanout and churn, on libuv's API, over TCP
 * or, with BENCH_UNIX=1, a unix socket.
 * usage: server MODE SIZE WRITES */
#include "uvcommon.h"

/* Both kinds of stream; a program has only one of them. */
typedef union {
  uv_handle_t handle;
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} socket_t;

typedef struct conn {
  socket_t socket;
  struct conn *next, *prev;
  size_t have;            /* bytes of an unfinished request */
  struct answer *pending; /* the answer to it, row pipeline */
} conn_t;

typedef struct answer {
  uv_write_t req;
  char text[];
} answer_t;

/* An ordinary program's write: request on the heap, buffer owned by it. */
typedef struct {
  uv_write_t req;
  char *base;
} echo_write_t;

typedef struct {
  uv_write_t req;
  char line[LINE];
} line_write_t;

typedef struct {
  char text[MESSAGE];
  unsigned refs;
} message_t;

typedef struct {
  uv_write_t req;
  message_t *message;
} fan_write_t;

typedef struct lean_write {
  uv_write_t req;
  struct lean_write *next;
  char text[1024];
} lean_write_t;

static enum mode mode;
static size_t size; /* bytes of one request */
static int writes;
static char lines[MAX_WRITES][LINE];
static conn_t all = {.next = &all, .prev = &all};
static lean_write_t *lean_free;
static char lean_read[READ_SIZE];

static void on_close(uv_handle_t *handle) {
  conn_t *c = (conn_t *) handle;
  c->prev->next = c->next;
  c->next->prev = c->prev;
  free(c->pending);
  free(c);
}

static void check_written(int status) {
  if (status != 0) die("write: %s", uv_strerror(status));
}

static void on_echo_written(uv_write_t *req, int status) {
  echo_write_t *w = (echo_write_t *) req;
  check_written(status);
  free(w->base);
  free(w);
}

static void echo(conn_t *c, char *base, size_t len) {
  echo_write_t *w = malloc(sizeof *w);
  if (w == NULL) die("out of memory");
  uv_buf_t buf = uv_buf_init(base, (unsigned) len);
  w->base = base;
  UV(uv_write(&w->req, &c->socket.stream, &buf, 1, on_echo_written));
}

static void on_lean_written(uv_write_t *req, int status) {
  lean_write_t *w = (lean_write_t *) req;
  check_written(status);
  w->next = lean_free;
  lean_free = w;
}

/* The leanest program: one static read buffer, pooled requests, no malloc. */
static void lean(conn_t *c, const char *base, size_t len) {
  lean_write_t *w = lean_free;
  if (len > sizeof w->text) die("lean: %zu bytes at once", len);
  if (w == NULL)
    w = xalloc(1, sizeof *w);
  else
    lean_free = w->next;
  memcpy(w->text, base, len);
  uv_buf_t buf = uv_buf_init(w->text, (unsigned) len);
  UV(uv_write(&w->req, &c->socket.stream, &buf, 1, on_lean_written));
}

static void on_answered(uv_write_t *req, int status) {
  check_written(status);
  free(req);
}

static void answer_in_lines(conn_t *c, size_t len) {
  for (c->have += len; c->have >= LINE; c->have -= LINE) {
    for (int i = 0; i < writes; i++) {
      line_write_t *w = malloc(sizeof *w);
      if (w == NULL) die("out of memory");
      memcpy(w->line, lines[i], LINE);
      uv_buf_t buf = uv_buf_init(w->line, LINE);
      UV(uv_write(&w->req, &c->socket.stream, &buf, 1, on_answered));
    }
  }
}

/* A server that parses requests and answers each with a write of its own. */
static void answer_each(conn_t *c, const char *base, size_t len) {
  while (len > 0) {
    if (c->pending == NULL) c->pending = malloc(sizeof *c->pending + size);
    if (c->pending == NULL) die("out of memory");
    size_t n = len < size - c->have ? len : size - c->have;
    memcpy(c->pending->text + c->have, base, n);
    c->have += n;
    base += n;
    len -= n;
    if (c->have < size) return;
    answer_t *answer = c->pending;
    uv_buf_t buf = uv_buf_init(answer->text, (unsigned) size);
    c->pending = NULL;
    c->have = 0;
    UV(uv_write(&answer->req, &c->socket.stream, &buf, 1, on_answered));
  }
}

static void on_fan_written(uv_write_t *req, int status) {
  fan_write_t *w = (fan_write_t *) req;
  check_written(status);
  if (--w->message->refs == 0) free(w->message);
  free(w);
}

static void broadcast(const char *text, size_t len) {
  if (len != MESSAGE) die("fanout: %zu bytes at once", len);
  message_t *m = malloc(sizeof *m);
  if (m == NULL) die("out of memory");
  memcpy(m->text, text, MESSAGE);
  m->refs = 0;
  for (conn_t *c = all.next; c != &all; c = c->next) {
    if (uv_is_closing(&c->socket.handle)) continue;
    fan_write_t *w = malloc(sizeof *w);
    if (w == NULL) die("out of memory");
    uv_buf_t buf = uv_buf_init(m->text, MESSAGE);
    w->message = m;
    m->refs++;
    UV(uv_write(&w->req, &c->socket.stream, &buf, 1, on_fan_written));
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void) handle;
  if (mode == MODE_LEAN) {
    *buf = uv_buf_init(lean_read, sizeof lean_read);
    return;
  }
  *buf = uv_buf_init(malloc(suggested), (unsigned) suggested);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  conn_t *c = (conn_t *) stream;
  int owned = mode != MODE_LEAN;
  if (nread < 0) {
    if (nread != UV_EOF) die("read: %s", uv_strerror((int) nread));
    uv_close((uv_handle_t *) stream, on_close);
  } else if (nread > 0) {
    switch (mode) {
      case MODE_ECHO:
      case MODE_CHURN:
        echo(c, buf->base, (size_t) nread);
        owned = 0;
        break;
      case MODE_LEAN:
        lean(c, buf->base, (size_t) nread);
        break;
      case MODE_PIPELINE:
        answer_each(c, buf->base, (size_t) nread);
        break;
      case MODE_COALESCE:
        answer_in_lines(c, (size_t) nread);
        break;
      case MODE_FANOUT:
        broadcast(buf->base, (size_t) nread);
        break;
    }
  }
  if (owned) free(buf->base);
}

static void open_socket(uv_loop_t *loop, socket_t *s) {
  if (over_unix())
    UV(uv_pipe_init(loop, &s->pipe, 0));
  else
    UV(uv_tcp_init(loop, &s->tcp));
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status != 0) die("accept: %s", uv_strerror(status));
  conn_t *c = malloc(sizeof *c);
  if (c == NULL) die("out of memory");
  c->have = 0;
  c->pending = NULL;
  c->prev = all.prev;
  c->next = &all;
  all.prev->next = c;
  all.prev = c;
  open_socket(listener->loop, &c->socket);
  UV(uv_accept(listener, &c->socket.stream));
  if (!over_unix()) UV(uv_tcp_nodelay(&c->socket.tcp, 1));
  UV(uv_read_start(&c->socket.stream, on_alloc, on_read));
}

static void listen_on(uv_loop_t *loop, socket_t *listener) {
  address_t addr;
  int port = 0, len = sizeof addr;
  open_socket(loop, listener);
  address_of(&addr, 0, (int) getpid());
  if (over_unix()) {
    char name[64];
    size_t n = unix_name(name, sizeof name, (int) getpid());
    UV(uv_pipe_bind2(&listener->pipe, name, n, 0));
  } else {
    UV(uv_tcp_bind(&listener->tcp, &addr.any, 0));
  }
  UV(uv_listen(&listener->stream, 4096, on_connection));
  if (!over_unix()) {
    UV(uv_tcp_getsockname(&listener->tcp, &addr.any, &len));
    port = ntohs(addr.in.sin_port);
  }
  printf("ready %d\n", port);
  fflush(stdout);
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  socket_t listener;

  if (argc != 4) die("usage: server MODE SIZE WRITES");
  mode = parse_mode(argv[1]);
  size = (size_t) number(argv[2]);
  writes = parse_writes(mode, argv[3]);
  for (int i = 0; i < writes; i++) fill_line(lines[i], i);
  begin((unsigned) env_number("BENCH_SECONDS", 100));

  UV(uv_loop_init(&loop));
  tell_library(&loop);
  listen_on(&loop, &listener);
  uv_run(&loop, UV_RUN_DEFAULT);
  die("the loop ended by itself"); /* the runner ends a server by its id */
}
