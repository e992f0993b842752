/* Handles that travel through a pipe, among bytes. */
#include "errand.h"

enum { MESSAGES = 10 };

/* One handle: kept here, sent there, and something that talks through it. */
struct sent {
  union uv_any_handle kept;  /* what is sent */
  uv_stream_t *other;        /* its other end, on this side, or NULL */
  union uv_any_handle ends[2];
  union uv_any_handle taken; /* what arrived */
  uv_write_t hello;
  char answer[24];
  size_t got;
  struct pass *pass;
};

struct pass {
  struct errand *e;
  union uv_any_handle handles[2];
  uv_stream_t *ends[2];
  uv_write_t writes[MESSAGES];
  uv_shutdown_t shut;
  struct sent sent[MESSAGES];
  size_t lens[MESSAGES];
  int count, carried, arrived, stops_after, ended;
  size_t bytes, wrong;
  char out[4000], in[4000], types[200];
};

static void close_one(uv_handle_t *h) {
  if (h->type != 0 && !uv_is_closing(h))
    uv_close(h, NULL);
}

static void on_alloc_pass(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char small[64];

  (void) h;
  (void) size;
  *buf = uv_buf_init(small, sizeof(small));
}

/* The other end hears a greeting through the handle that travelled, or its end. */
static void on_hear(uv_stream_t *h, ssize_t nread, const uv_buf_t *buf) {
  struct sent *s = h->data;

  (void) buf;
  if (nread >= 0) {
    s->got += (size_t) nread;
    return;
  }
  snprintf(s->answer, sizeof(s->answer), "%zu then %s", s->got,
           nread == UV_ECONNRESET ? "EOF" : code(nread));
  close_one(H(h));
}

static void on_hello(uv_write_t *req, int status) {
  struct sent *s = req->data;

  if (status != 0)
    note(s->pass->e, " hello %s", code(status));
  close_one(&s->taken.handle);
}

static void greet(struct sent *s) {
  uv_buf_t buf = uv_buf_init("hello", 5);

  s->hello.data = s;
  NEED(uv_write(&s->hello, &s->taken.stream, &buf, 1, on_hello));
}

/* Takes what arrived; what it was sent as says what it must be. */
static void take(struct pass *x) {
  uv_pipe_t *pipe = &x->handles[1].pipe;
  uv_handle_type type = uv_pipe_pending_type(pipe);
  struct sent *s = &x->sent[x->arrived++];
  size_t len = strlen(x->types);
  int rc;

  if (type == UV_TCP)
    NEED(uv_tcp_init(x->e->loop, &s->taken.tcp));
  else if (type == UV_UDP)
    NEED(uv_udp_init(x->e->loop, &s->taken.udp));
  else
    NEED(uv_pipe_init(x->e->loop, &s->taken.pipe, 0));
  s->taken.handle.data = s;
  rc = uv_accept(x->ends[1], &s->taken.stream);
  snprintf(x->types + len, sizeof(x->types) - len, " %s %s",
           uv_handle_type_name(type), code(rc));
  if (s->other != NULL)
    greet(s);
  else
    close_one(&s->taken.handle);
}

static void on_alloc_in(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  struct pass *x = h->data;

  (void) size;
  *buf = uv_buf_init(x->in, sizeof(x->in));
}

static void on_carry(uv_stream_t *h, ssize_t nread, const uv_buf_t *buf) {
  struct pass *x = h->data;
  ssize_t i;

  called_back(x->e);
  if (nread < 0) {
    note(x->e, " end %s", code(nread));
    close_one(H(h));
    return;
  }
  for (i = 0; i < nread; i++)
    x->wrong += buf->base[i] != byte_at(x->bytes + (size_t) i);
  x->bytes += (size_t) nread;
  while (uv_pipe_pending_count((uv_pipe_t *) h) > 0 &&
         x->arrived < x->stops_after)
    take(x);
}

static void on_carried(uv_write_t *req, int status) {
  struct pass *x = req->data;
  int i;

  called_back(x->e);
  if (req - x->writes != x->ended)
    note(x->e, " write %d is early", (int) (req - x->writes));
  note(x->e, " %s", code(status));
  /* The copy that was sent is the receiver's. */
  if (++x->ended == x->count)
    for (i = 0; i < x->carried; i++)
      close_one(&x->sent[i].kept.handle);
}

static void on_shut_pass(uv_shutdown_t *req, int status) {
  struct pass *x = req->handle->data;

  note(x->e, " shutdown %s", code(status));
  close_one(&x->handles[0].handle);
}

/* Something to send: a connected end, a listener, a socket for datagrams. */
static uv_stream_t *make(struct pass *x, struct sent *s) {
  struct sockaddr_in at;
  int way = pick(&x->e->rng, 6), fds[2];

  s->pass = x;
  NEED(uv_ip4_addr("127.0.0.1", 0, &at));
  if (way == 0) {
    NEED(uv_tcp_init(x->e->loop, &s->kept.tcp));
    NEED(uv_tcp_bind(&s->kept.tcp, A(&at), 0));
  } else if (way == 1) {
    NEED(uv_udp_init(x->e->loop, &s->kept.udp));
    NEED(uv_udp_bind(&s->kept.udp, A(&at), 0));
  } else if (way < 4) {
    tcp_pair(fds);
    NEED(uv_tcp_init(x->e->loop, &s->kept.tcp));
    NEED(uv_tcp_open(&s->kept.tcp, fds[0]));
    NEED(uv_tcp_init(x->e->loop, &s->ends[1].tcp));
    NEED(uv_tcp_open(&s->ends[1].tcp, fds[1]));
    s->other = &s->ends[1].stream;
  } else {
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    NEED(uv_pipe_init(x->e->loop, &s->kept.pipe, 0));
    NEED(uv_pipe_open(&s->kept.pipe, fds[0]));
    NEED(uv_pipe_init(x->e->loop, &s->ends[1].pipe, 0));
    NEED(uv_pipe_open(&s->ends[1].pipe, fds[1]));
    s->other = &s->ends[1].stream;
  }
  if (s->other != NULL) {
    s->other->data = s;
    NEED(uv_read_start(s->other, on_alloc_pass, on_hear));
  }
  return &s->kept.stream;
}

static void send_all(struct pass *x) {
  uint64_t *rng = &x->e->rng;
  size_t at = 0;
  int i, rc;

  for (i = 0; i < x->count; i++) {
    unsigned len = 1 + (unsigned) pick(rng, 300);
    uv_buf_t buf = uv_buf_init(x->out + at, len);
    uv_stream_t *handle = NULL;

    at += len;
    x->writes[i].data = x;
    if (pick(rng, 3) != 0)
      handle = make(x, &x->sent[x->carried++]);
    x->e->calling = 1;
    rc = uv_write2(&x->writes[i], x->ends[0], &buf, 1, handle, on_carried);
    x->e->calling = 0;
    note(x->e, " %u bytes%s%s = %s", len, handle == NULL ? "" : " and a ",
         handle == NULL ? "" : uv_handle_type_name(handle->type), code(rc));
    NEED(rc);
  }
}

void pass_begin(struct errand *e) {
  struct pass *x = errand_own(e, sizeof(*x));
  int fds[2], i;

  x->e = e;
  x->count = 1 + pick(&e->rng, MESSAGES);
  x->stops_after = pick(&e->rng, 4) == 0 ? pick(&e->rng, 4) : MESSAGES;
  for (i = 0; i < (int) sizeof(x->out); i++)
    x->out[i] = byte_at((size_t) i);
  NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  for (i = 0; i < 2; i++) {
    NEED(uv_pipe_init(e->loop, &x->handles[i].pipe, 1));
    NEED(uv_pipe_open(&x->handles[i].pipe, fds[i]));
    x->handles[i].handle.data = x;
    x->ends[i] = &x->handles[i].stream;
  }
  NEED(uv_read_start(x->ends[1], on_alloc_in, on_carry));
  send_all(x);
  NEED(uv_shutdown(&x->shut, x->ends[0], on_shut_pass));
}

void pass_end(struct errand *e) {
  const struct pass *x = e->own;
  int i;

  note(e, " | %zu bytes, %zu wrong, %d handles:%s", x->bytes, x->wrong,
       x->arrived, x->types);
  for (i = 0; i < x->carried; i++)
    note(e, " (%s)", x->sent[i].answer);
}
