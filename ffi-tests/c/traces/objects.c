/* The handles of a program, and their requests. */
#include "trace.h"

#include <netinet/tcp.h>

static const char *const names[KINDS] = {
    "timer",  "idle",   "prepare",  "check", "async",   "signal",
    "poll",   "stream", "listener", "udp",   "process", "work"};

const char *kind_name(enum kind kind) { return names[kind]; }

/* Whether its callbacks come at a time that both libraries must agree on. */
int object_is_exact(const struct object *o) {
  return o->kind <= CHECK;
}

static struct object *slot(enum kind kind) {
  struct object *o;

  if (p.count == MAX_OBJECTS)
    return NULL;
  o = &p.objects[p.count];
  memset(o, 0, sizeof(*o));
  o->id = p.count++;
  o->kind = kind;
  o->state = OPEN;
  o->fd = o->other_fd = o->peer = -1;
  o->rng = (p.seed << 8) + (uint64_t) o->id;
  return o;
}

static void own(struct object *o) { o->h.any.data = o; }

static void init_stream(struct object *o, int is_tcp) {
  o->is_tcp = is_tcp;
  if (is_tcp)
    NEED(uv_tcp_init(&p.loop, &o->h.tcp));
  else
    NEED(uv_pipe_init(&p.loop, &o->h.pipe, 0));
  own(o);
}

void tcp_pair(int fds[2]) {
  struct sockaddr_in address;
  socklen_t len = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  NEED(uv_ip4_addr("127.0.0.1", 0, &address));
  NEED(bind(listener, A(&address), len));
  NEED(listen(listener, 1));
  NEED(getsockname(listener, A(&address), &len));
  fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  NEED(connect(fds[0], A(&address), len));
  fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  NEED(fds[1]);
  close(listener);
}

/* Small writes are not held back until others are acknowledged. */
static void tcp_at_once(int fd) {
  int on = 1;

  NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

/* Both ends of a connection, or one stream that is not connected. */
static int init_streams(struct object *o) {
  int way = pick(&p.rng, 5), fds[2], i;
  struct object *ends[2] = {o, NULL};

  init_stream(o, way == 0 || (way >= 3 && pick(&p.rng, 2)));
  if (way >= 3 || (ends[1] = slot(STREAM)) == NULL)
    return 0;
  init_stream(ends[1], o->is_tcp);
  if (way == 0)
    tcp_pair(fds);
  else if (way == 1)
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  else
    NEED(uv_pipe(fds, 0, 0));
  for (i = 0; i < 2; i++) {
    if (o->is_tcp)
      tcp_at_once(fds[i]);
    ends[i]->peer = ends[1 - i]->id;
    ends[i]->connected = 1;
    if (o->is_tcp)
      NEED(uv_tcp_open(&ends[i]->h.tcp, fds[i]));
    else
      NEED(uv_pipe_open(&ends[i]->h.pipe, fds[i]));
  }
  return way;
}

static void init_listener(struct object *o) {
  int len = sizeof(o->address), i;

  init_stream(o, pick(&p.rng, 2));
  if (o->is_tcp) {
    NEED(uv_ip4_addr("127.0.0.1", 0, &o->address));
    NEED(uv_tcp_bind(&o->h.tcp, A(&o->address), 0));
    NEED(uv_tcp_getsockname(&o->h.tcp, A(&o->address), &len));
  } else {
    snprintf(o->path, sizeof(o->path), "t%d-%d", (int) getpid(), o->id);
    unlink(o->path);
    NEED(uv_pipe_bind(&o->h.pipe, o->path));
  }
  if (pick(&p.rng, 4) != 0) {
    NEED(uv_listen(&o->h.stream, 16, on_connection));
    o->listening = 1;
    touch();
  }
  for (i = 0; i < MAX_CHILDREN; i++) {
    struct object *child = slot(STREAM);

    o->children[i] = child == NULL ? -1 : child->id;
    if (child == NULL)
      continue;
    init_stream(child, o->is_tcp);
    child->connected = 1;
  }
}

static void init_udp(struct object *o) {
  int len = sizeof(o->address);

  NEED(uv_udp_init(&p.loop, &o->h.udp));
  own(o);
  NEED(uv_ip4_addr("127.0.0.1", 0, &o->address));
  NEED(uv_udp_bind(&o->h.udp, A(&o->address), 0));
  NEED(uv_udp_getsockname(&o->h.udp, A(&o->address), &len));
}

static void init_poll(struct object *o) {
  int fds[2];

  NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
  o->fd = fds[0];
  o->other_fd = fds[1];
  NEED(uv_poll_init(&p.loop, &o->h.poll, o->fd));
}

/* A child that ends at once; what it ends with is its own affair. */
static int init_process(struct object *o) {
  uv_process_options_t options;
  char *args[] = {"sh", "-c", "exit 3", NULL};
  int rc;

  memset(&options, 0, sizeof(options));
  options.file = pick(&o->rng, 4) == 0 ? "/nonexistent/file" : "/bin/sh";
  options.args = args;
  options.exit_cb = on_exit_cb;
  rc = uv_spawn(&p.loop, &o->h.process, &options);
  own(o);
  if (rc == 0) {
    o->inflight = 1;
    p.pending++;
  }
  touch();
  return rc;
}

/* A new handle; NULL when there are enough. */
struct object *object_new(enum kind kind) {
  struct object *o = slot(kind);
  int rc = 0;

  if (o == NULL)
    return NULL;
  switch (kind) {
    case TIMER: rc = uv_timer_init(&p.loop, &o->h.timer); break;
    case IDLE: rc = uv_idle_init(&p.loop, &o->h.idle); break;
    case PREPARE: rc = uv_prepare_init(&p.loop, &o->h.prepare); break;
    case CHECK: rc = uv_check_init(&p.loop, &o->h.check); break;
    case ASYNC: rc = uv_async_init(&p.loop, &o->h.async, on_async); break;
    case SIGNAL: rc = uv_signal_init(&p.loop, &o->h.signal); break;
    case POLL: init_poll(o); break;
    case STREAM: rc = init_streams(o); break;
    case LISTENER: init_listener(o); break;
    case UDP: init_udp(o); break;
    case PROCESS: rc = init_process(o); break;
    default: break; /* WORK is no handle */
  }
  own(o);
  if (kind == POLL)
    uv_fileno(&o->h.any, &(int) {0});
  say("new %s %d = %s", kind_name(kind), o->id, code(rc));
  return o;
}

/* One of a kind that is open, or NULL. */
struct object *object_pick(uint64_t *rng, enum kind kind) {
  struct object *found[MAX_OBJECTS];
  int n = 0, i;

  for (i = 0; i < p.count; i++)
    if (p.objects[i].kind == kind && p.objects[i].state == OPEN)
      found[n++] = &p.objects[i];
  return n == 0 ? NULL : found[pick(rng, n)];
}

void object_close(struct object *o, int openly) {
  if (o->kind == WORK) {
    o->state = CLOSED;
    return;
  }
  o->state = CLOSING;
  o->closed_openly = openly || !object_is_exact(o);
  if (o->closed_openly) {
    p.pending++;
    touch();
  }
  /* The other end may learn of it with the next poll. */
  if (o->kind == STREAM)
    o->lines[IN][0] = o->lines[END][0] = '\0';
  if (o->kind == STREAM && o->peer != -1)
    p.objects[o->peer].settling = 1;
  uv_close(&o->h.any, on_closed);
}

/* A request that is not in use; NULL when the object has used its share. */
void *object_req(struct object *o) {
  if (o->used == MAX_REQS)
    return NULL;
  o->cancelled &= ~(1u << o->used);
  memset(&o->reqs[o->used], 0, sizeof(o->reqs[0]));
  o->reqs[o->used].req.data = o;
  return &o->reqs[o->used++];
}

void object_req_done(struct object *o) {
  p.pending--;
  o->inflight--;
}
