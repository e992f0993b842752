/* What the program does when it is called. */
#include "trace.h"

#define REQ_INDEX(o, r) ((int) ((union uv_any_req *) (r) - (o)->reqs))

static char in[65536];

/* ---- exact: prints at once, may do anything ---------------------------- */

static void exact(struct object *o) {
  if (p.ending)
    return;
  say("%s %d", kind_name(o->kind), o->id);
  ops(&o->rng, 4);
}

void on_timer(uv_timer_t *h) { exact(h->data); }
void on_prepare(uv_prepare_t *h) { exact(h->data); }
void on_check(uv_check_t *h) { exact(h->data); }
void on_idle(uv_idle_t *h) {
  if (h != &p.spin)
    exact(h->data);
}

void on_closed(uv_handle_t *h) {
  struct object *o = h->data;

  o->state = CLOSED;
  /* Whose handle closes first, nobody waits for: not libuv, and not uvring. */
  if (o->kind == PROCESS && o->inflight)
    waitpid(o->h.process.pid, NULL, 0);
  if (o->fd != -1) {
    close(o->fd);
    close(o->other_fd);
  }
  if (!o->closed_openly) {
    say("closed %s %d", kind_name(o->kind), o->id);
    ops(&o->rng, 3);
    return;
  }
  p.pending--;
  murmur(o, OUT, "closed");
  if (!p.ending)
    o->later++;
  /* It may be the last: the flush that ends the wait is still to come. */
  touch();
}

/* ---- open: says it at the next flush ----------------------------------- */

static void goes_on(struct object *o) {
  touch();
  if (o->later == 0 && o->state == OPEN)
    o->later = 1;
}

void on_async(uv_async_t *h) {
  struct object *o = h->data;

  murmur(o, IN, "sent");
  if (p.ops > 0 && o->state == OPEN && pick(&o->rng, 12) == 0)
    object_close(o, 1);
  goes_on(o);
}

void on_signal(uv_signal_t *h, int signum) {
  struct object *o = h->data;

  murmur(o, IN, "signal %d", signum);
  if (p.ops > 0 && o->state == OPEN) {
    int what = pick(&o->rng, 10);

    if (what == 0)
      object_close(o, 1);
    else if (what == 1)
      murmur(o, IN, "stop = %s", code(uv_signal_stop(h)));
  }
  goes_on(o);
}

void on_poll(uv_poll_t *h, int status, int events) {
  struct object *o = h->data;

  /* A ring may hold what was true before the other end did something. */
  if (o->settling > 0) {
    touch();
    return;
  }
  murmur(o, IN, "ready %s %d", code(status), events);
  if (p.ops > 0 && o->state == OPEN) {
    switch (pick(&o->rng, 6)) {
      case 0: object_close(o, 1); break;
      case 1: murmur(o, IN, "stop = %s", code(uv_poll_stop(h))); break;
      case 2:
        if (events & UV_READABLE)
          murmur(o, IN, "took %d", (int) recv(o->fd, in, sizeof(in), 0));
        break;
      default: break;
    }
  }
  goes_on(o);
}

void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  (void) h;
  (void) size;
  *buf = uv_buf_init(in, sizeof(in));
}

/* Which of the two depends on whether the other end was closed before it. */
static const char *end_name(ssize_t nread) {
  return nread == UV_EOF || nread == UV_ECONNRESET ? "end" : code(nread);
}

void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  struct object *o = s->data;

  (void) buf;
  if (nread < 0) {
    murmur(o, END, "read %s", end_name(nread));
    touch();
    return;
  }
  if (nread == 0)
    return;
  o->nread += (size_t) nread;
  if (p.ops > 0 && o->state == OPEN && pick(&o->rng, 8) == 0)
    murmur(o, IN, "read_stop = %s", code(uv_read_stop(s)));
  goes_on(o);
}

/* What was written before the connection stood goes out with it or a turn
 * later: it is said a turn later. */
static void on_out(struct object *o, void *req, const char *what, int status) {
  enum channel c = o->connected == 2 ? HELD_OUT : OUT;

  /* After a failure, what is still queued fails with it or with the handle. */
  if ((o->state == CLOSING && status < 0) || p.ending)
    status = UV_ECANCELED;
  murmur(o, c, "%s %d done %s", what, REQ_INDEX(o, req), code(status));
  object_req_done(o);
  if (c == HELD_OUT) {
    o->held++;
    p.pending++;
    touch();
  } else {
    goes_on(o);
  }
}

void on_write(uv_write_t *req, int status) {
  on_out(req->data, req, "write", status);
}
void on_shutdown(uv_shutdown_t *req, int status) {
  struct object *o = req->data;

  on_out(o, req, "shutdown", status);
  o->shut = 1;
}

void on_connect(uv_connect_t *req, int status) {
  struct object *o = req->data;

  on_out(o, req, "connect", status);
  if (status == 0 && o->is_tcp)
    uv_tcp_nodelay(&o->h.tcp, 1);
  o->connected = 2;
}

void on_connection(uv_stream_t *s, int status) {
  struct object *o = s->data, *child;
  int id = o->accepted < MAX_CHILDREN ? o->children[o->accepted] : -1;

  murmur(o, OUT, "connection %s", code(status));
  goes_on(o);
  if (status != 0 || id == -1)
    return;
  child = &p.objects[id];
  if (child->state != OPEN)
    return;
  /* In the order in which they connected. */
  if (o->accepted < o->connects) {
    child->peer = o->waiting[o->accepted];
    p.objects[child->peer].peer = id;
  }
  murmur(o, IN, "accept %d = %s", id, code(uv_accept(s, &child->h.stream)));
  if (child->is_tcp)
    uv_tcp_nodelay(&child->h.tcp, 1);
  o->accepted++;
}

void on_recv(uv_udp_t *h, ssize_t nread, const uv_buf_t *buf,
             const struct sockaddr *from, unsigned flags) {
  struct object *o = h->data;

  (void) buf;
  if (from == NULL && nread == 0)
    return;
  murmur(o, IN, "datagram %s%s flags %u", code(nread), from ? "" : " from nobody",
         flags);
  if (p.ops > 0 && o->state == OPEN && pick(&o->rng, 8) == 0)
    murmur(o, IN, "recv_stop = %s", code(uv_udp_recv_stop(h)));
  goes_on(o);
}

void on_send(uv_udp_send_t *req, int status) {
  struct object *o = req->data;

  /* A ring has taken what libuv may still have to send. */
  if (o->state == CLOSING && status == UV_ECANCELED)
    status = 0;

  murmur(o, OUT, "send %d done %s", REQ_INDEX(o, req), code(status));
  object_req_done(o);
  goes_on(o);
}

void on_exit_cb(uv_process_t *h, int64_t status, int signum) {
  struct object *o = h->data;

  murmur(o, IN, "exit %d signal %d", (int) status, signum);
  o->inflight = 0;
  p.pending--;
  goes_on(o);
}

void on_work(uv_work_t *req) { (void) req; }
void on_worked(uv_work_t *req, int status) {
  struct object *o = req->data;

  murmur(o, IN, "work %d done %s", REQ_INDEX(o, req), code(status));
  object_req_done(o);
  goes_on(o);
}

void on_random(uv_random_t *req, int status, void *buf, size_t len) {
  struct object *o = req->data;

  (void) buf;
  murmur(o, IN, "random %d done %s %zu", REQ_INDEX(o, req), code(status), len);
  object_req_done(o);
  goes_on(o);
}
