/* Row family threads: as many loops as asked for, each in a thread of its own with a listener
 * of its own on one port (SO_REUSEPORT): the kernel deals the connections out. Every byte is
 * echoed, without malloc. usage: threads COUNT */
#include "uvcommon.h"

enum { MAX_THREADS = 64, TEXT = 1024 };

typedef struct pending {
  uv_write_t req;
  struct pending *next;
  char text[TEXT];
} pending_t;

typedef struct {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_thread_t thread;
  pending_t *spare;
  char text[TEXT];
} worker_t;

static worker_t workers[MAX_THREADS];

static worker_t *worker_of(uv_stream_t *stream) { return stream->loop->data; }

static void on_closed(uv_handle_t *handle) { free(handle); }

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  worker_t *w = handle->loop->data;
  (void) suggested;
  *buf = uv_buf_init(w->text, TEXT);
}

static void on_written(uv_write_t *req, int status) {
  pending_t *p = (pending_t *) req;
  worker_t *w = worker_of(req->handle);
  if (status != 0) die("write: %s", uv_strerror(status));
  p->next = w->spare;
  w->spare = p;
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  worker_t *w = worker_of(stream);
  if (nread == 0) return;
  if (nread < 0) {
    if (nread != UV_EOF) die("read: %s", uv_strerror((int) nread));
    uv_close((uv_handle_t *) stream, on_closed);
    return;
  }
  pending_t *p = w->spare;
  if (p == NULL)
    p = xalloc(1, sizeof *p);
  else
    w->spare = p->next;
  memcpy(p->text, buf->base, (size_t) nread);
  uv_buf_t answer = uv_buf_init(p->text, (unsigned) nread);
  UV(uv_write(&p->req, stream, &answer, 1, on_written));
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status != 0) die("accept: %s", uv_strerror(status));
  uv_tcp_t *tcp = xalloc(1, sizeof *tcp);
  UV(uv_tcp_init(listener->loop, tcp));
  UV(uv_accept(listener, (uv_stream_t *) tcp));
  UV(uv_tcp_nodelay(tcp, 1));
  UV(uv_read_start((uv_stream_t *) tcp, on_alloc, on_read));
}

/* Returns the port. */
static int listen_on(worker_t *w, int port) {
  struct sockaddr_in addr;
  int len = sizeof addr;
  UV(uv_loop_init(&w->loop));
  w->loop.data = w;
  UV(uv_tcp_init(&w->loop, &w->listener));
  UV(uv_ip4_addr("127.0.0.1", port, &addr));
  UV(uv_tcp_bind(&w->listener, (struct sockaddr *) &addr, UV_TCP_REUSEPORT));
  UV(uv_listen((uv_stream_t *) &w->listener, 4096, on_connection));
  UV(uv_tcp_getsockname(&w->listener, (struct sockaddr *) &addr, &len));
  return ntohs(addr.sin_port);
}

static void run(void *arg) {
  worker_t *w = arg;
  uv_run(&w->loop, UV_RUN_DEFAULT);
  die("a loop ended by itself");
}

int main(int argc, char **argv) {
  if (argc != 2) die("usage: threads COUNT");
  uint64_t count = number(argv[1]);
  if (count < 1 || count > MAX_THREADS) die("1 to %d threads", MAX_THREADS);
  begin(100);
  int port = 0;
  for (uint64_t i = 0; i < count; i++) port = listen_on(&workers[i], port);
  tell_library(&workers[0].loop);
  for (uint64_t i = 0; i < count; i++) UV(uv_thread_create(&workers[i].thread, run, &workers[i]));
  printf("ready %d\n", port);
  fflush(stdout);
  for (uint64_t i = 0; i < count; i++) UV(uv_thread_join(&workers[i].thread));
  return 0;
}
