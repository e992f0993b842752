/* One random operation on a handle with a descriptor, or for the pool. */
#include "trace.h"

static char out[4096];

static uv_buf_t *some(uint64_t *rng, uv_buf_t bufs[3], int *n, int *sum) {
  static const int sizes[] = {1, 2, 7, 64, 500, 3000};
  int i;

  *n = 1 + pick(rng, 3);
  *sum = 0;
  for (i = 0; i < *n; i++) {
    bufs[i] = uv_buf_init(out, (unsigned) sizes[pick(rng, COUNT(sizes))]);
    *sum += (int) bufs[i].len;
  }
  return bufs;
}

/* A request was made, or not. */
static void began(struct object *o, int rc) {
  touch();
  if (rc == 0) {
    p.pending++;
    o->inflight++;
  } else {
    o->used--;
  }
}

/* A listener to connect to: one of the same kind, now and then a new one. */
static struct object *listener_for(const struct object *o, uint64_t *rng) {
  struct object *found = NULL, *new;
  int i;

  for (i = 0; i < p.count; i++) {
    struct object *l = &p.objects[i];

    if (l->kind == LISTENER && l->state == OPEN && l->is_tcp == o->is_tcp &&
        (found == NULL || pick(rng, 2)))
      found = l;
  }
  if (found != NULL || pick(rng, 3) == 0)
    return found;
  new = object_new(LISTENER);
  return new != NULL && new->is_tcp == o->is_tcp ? new : NULL;
}

static void connect_to(struct object *o, uint64_t *rng) {
  struct object *to = listener_for(o, rng);
  uv_connect_t *req = object_req(o);
  struct sockaddr_in nobody;
  int rc = 0;

  if (req == NULL)
    return;
  o->connected = o->connecting = 1;
  if (o->is_tcp) {
    NEED(uv_ip4_addr("127.0.0.1", 1, &nobody));
    rc = uv_tcp_connect(req, &o->h.tcp,
                        A(to != NULL ? &to->address : &nobody),
                        on_connect);
  } else {
    rc = uv_pipe_connect2(req, &o->h.pipe,
                          to != NULL ? to->path : "nobody",
                          to != NULL ? strlen(to->path) : 6, 0,
                          on_connect);
  }
  if (rc == 0 && to != NULL && to->listening)
    to->waiting[to->connects++] = o->id;
  /* See README.md: a pipe's connection may stand at once. */
  if (!o->is_tcp)
    o->settling = 1;
  began(o, rc);
  say("stream %d connect = %s", o->id, code(rc));
}

static void op_stream(struct object *o, uint64_t *rng) {
  uv_stream_t *s = &o->h.stream;
  uv_buf_t bufs[3];
  void *req;
  int n, sum, rc;

  if (!o->connected && pick(rng, 3) != 0) {
    connect_to(o, rng);
    return;
  }
  switch (pick(rng, 8)) {
    case 0:
    case 1:
      touch();
      say("stream %d read_start = %s", o->id,
          code(uv_read_start(s, on_alloc, on_read)));
      break;
    case 2:
      say("stream %d read_stop = %s", o->id, code(uv_read_stop(s)));
      break;
    case 3:
      some(rng, bufs, &n, &sum);
      touch();
      rc = uv_try_write(s, bufs, (unsigned) n);
      say("stream %d try_write %d = %s", o->id, sum, code(rc));
      break;
    case 4:
      /* See README.md: not before the connection stands. */
      if (o->connecting || (req = object_req(o)) == NULL)
        break;
      rc = uv_shutdown(req, s, on_shutdown);
      began(o, rc);
      say("stream %d shutdown = %s", o->id, code(rc));
      break;
    default:
      if ((req = object_req(o)) == NULL)
        break;
      some(rng, bufs, &n, &sum);
      rc = uv_write(req, s, bufs, (unsigned) n, on_write);
      began(o, rc);
      say("stream %d write %d of %d in %d = %s", o->id, o->used - 1, sum, n,
          code(rc));
  }
}

static void op_udp(struct object *o, uint64_t *rng) {
  struct object *to = object_pick(rng, UDP);
  uv_buf_t bufs[3];
  void *req;
  int n, sum, rc;

  touch();
  switch (pick(rng, 6)) {
    case 0:
    case 1:
      say("udp %d recv_start = %s", o->id,
          code(uv_udp_recv_start(&o->h.udp, on_alloc, on_recv)));
      break;
    case 2:
      say("udp %d recv_stop = %s", o->id, code(uv_udp_recv_stop(&o->h.udp)));
      break;
    case 3:
      some(rng, bufs, &n, &sum);
      say("udp %d try_send %d to %d = %s", o->id, sum, to->id,
          code(uv_udp_try_send(&o->h.udp, bufs, (unsigned) n,
                               A(&to->address))));
      break;
    default:
      /* libuv sends the second when the first has had its callback. */
      if (o->inflight != 0 || (req = object_req(o)) == NULL)
        break;
      some(rng, bufs, &n, &sum);
      rc = uv_udp_send(req, &o->h.udp, bufs, (unsigned) n, A(&to->address),
                       on_send);
      began(o, rc);
      say("udp %d send %d of %d to %d = %s", o->id, o->used - 1, sum, to->id,
          code(rc));
  }
}

static void op_poll(struct object *o, uint64_t *rng) {
  int mask;

  touch();
  switch (pick(rng, 6)) {
    case 0:
      say("poll %d stop = %s", o->id, code(uv_poll_stop(&o->h.poll)));
      break;
    case 1:
      o->settling = 1;
      say("poll %d feed = %d", o->id,
          (int) send(o->other_fd, out, 5, MSG_NOSIGNAL));
      break;
    case 2:
      o->settling = 1;
      say("poll %d hang up = %d", o->id,
          pick(rng, 4) == 0 ? shutdown(o->other_fd, SHUT_WR) : -2);
      break;
    default:
      mask = pick(rng, 8);
      say("poll %d start %d = %s", o->id, mask,
          code(uv_poll_start(&o->h.poll, mask, on_poll)));
  }
}

static void op_listener(struct object *o, uint64_t *rng) {
  int rc = uv_listen(&o->h.stream, 16, on_connection);

  (void) rng;
  touch();
  o->listening |= rc == 0;
  say("listener %d listen = %s", o->id, code(rc));
}

static void op_work(struct object *o, uint64_t *rng) {
  union uv_any_req *req;
  static char bytes[MAX_OBJECTS][16];
  int what = pick(rng, 6), rc;

  if (what == 0 && o->used != 0) {
    touch();
    rc = pick(rng, o->used);
    /* See README.md: a second time it says 0 or UV_EBUSY. */
    if (o->cancelled & 1u << rc)
      return;
    o->cancelled |= 1u << rc;
    say("work %d cancel %d = %s", o->id, rc,
        code(uv_cancel(&o->reqs[rc].req)));
    return;
  }
  if ((req = object_req(o)) == NULL)
    return;
  pool_hold();
  switch (what) {
    case 3:
      rc = uv_random(&p.loop, &req->random, bytes[o->id], 16, 0, on_random);
      break;
    default:
      rc = uv_queue_work(&p.loop, &req->work, on_work, on_worked);
  }
  began(o, rc);
  say("work %d begin %d kind %d = %s", o->id, o->used - 1, what, code(rc));
}

static void op_process(struct object *o, uint64_t *rng) {
  (void) rng;
  say("process %d kill 0 = %s", o->id,
      o->inflight ? code(uv_process_kill(&o->h.process, 0)) : "gone");
}

int op_io(struct object *o, uint64_t *rng) {
  switch (o->kind) {
    case STREAM: op_stream(o, rng); break;
    case LISTENER: op_listener(o, rng); break;
    case UDP: op_udp(o, rng); break;
    case POLL: op_poll(o, rng); break;
    case WORK: op_work(o, rng); break;
    case PROCESS: op_process(o, rng); break;
    default: return 0;
  }
  return 1;
}
