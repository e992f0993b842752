/* Datagrams between two sockets: connected and not, tried and queued. */
#include "errand.h"

enum { SENDS = 20 };

struct pair {
  struct errand *e;
  uv_udp_t near, far;
  struct sockaddr_in near_at, far_at;
  uv_timer_t patience;
  uv_udp_send_t req;
  int steps, sending, connected, expected, received, sum, elsewhere;
  char out[3000], in[65536];
};

static void step(struct pair *u);

static void finish(struct pair *u) {
  if (u->steps > 0 || u->sending || u->received < u->expected ||
      uv_is_closing(H(&u->near)))
    return;
  note(u->e, " received %d sum %d, %d from elsewhere", u->received, u->sum,
       u->elsewhere);
  uv_close(H(&u->near), NULL);
  uv_close(H(&u->far), NULL);
  uv_close(H(&u->patience), NULL);
}

static void on_alloc_udp(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  struct pair *u = h->data;

  (void) size;
  *buf = uv_buf_init(u->in, sizeof(u->in));
}

static void on_recv_udp(uv_udp_t *h, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags) {
  struct pair *u = h->data;

  called_back(u->e);
  (void) buf;
  if (nread == 0 && from == NULL)
    return;
  if (nread < 0 || flags & UV_UDP_PARTIAL)
    note(u->e, " recv %s flags %u", code(nread), flags);
  if (from != NULL && memcmp(&((struct sockaddr_in *) from)->sin_port,
                             &u->near_at.sin_port, 2) != 0)
    u->elsewhere++;
  u->received++;
  u->sum = (u->sum * 31 + (int) nread) % 10007;
  finish(u);
}

/* What is lost is missed, not waited for. */
static void on_patience(uv_timer_t *t) {
  struct pair *u = t->data;

  note(u->e, " missing %d", u->expected - u->received);
  u->received = u->expected;
  finish(u);
}

static void on_sent(uv_udp_send_t *req, int status) {
  struct pair *u = req->handle->data;

  called_back(u->e);
  u->sending = 0;
  note(u->e, " sent %s", code(status));
  if (status == 0)
    u->expected++;
  if (uv_udp_get_send_queue_size(&u->near) != 0 ||
      uv_udp_get_send_queue_count(&u->near) != 0)
    note(u->e, " something stays queued");
  step(u);
}

static void names_of(struct pair *u) {
  struct sockaddr_in name;
  int len = sizeof(name), rc;

  memset(&name, 0, sizeof(name));
  rc = uv_udp_getpeername(&u->near, A(&name), &len);
  note(u->e, " peer = %s %d", code(rc), name.sin_port == u->far_at.sin_port);
}

static void connect_near(struct pair *u, int way) {
  int rc = uv_udp_connect(&u->near, way == 0 ? NULL : A(&u->far_at));

  note(u->e, " connect %d = %s", way, code(rc));
  if (rc == 0)
    u->connected = way != 0;
}

/* Several at a time, each of one or two buffers. */
static void try_several(struct pair *u, const uv_buf_t *buf) {
  uv_buf_t two[2] = {uv_buf_init(u->out, 3), uv_buf_init(u->out, 5)};
  uv_buf_t *bufs[3] = {two, (uv_buf_t *) buf, two};
  struct sockaddr *to[3] = {A(&u->far_at), A(&u->far_at), A(&u->far_at)};
  unsigned nbufs[3] = {2, 1, 1};
  int rc = uv_udp_try_send2(&u->near, 3, bufs, nbufs, to,
                            pick(&u->e->rng, 8) == 0 ? 1 : 0);

  note(u->e, " try_send2 = %s", code(rc));
  if (rc > 0)
    u->expected += rc;
}

static void step(struct pair *u) {
  uint64_t *rng = &u->e->rng;
  uv_buf_t buf;
  int with, rc;

  while (u->steps-- > 0) {
    buf = uv_buf_init(u->out, (unsigned) pick(rng, (int) sizeof(u->out)));
    /* Mostly what fits. */
    with = pick(rng, 6) == 0 ? u->connected : !u->connected;
    switch (pick(rng, 7)) {
      case 0: connect_near(u, pick(rng, 2)); break;
      case 1: names_of(u); break;
      case 2: try_several(u, &buf); break;
      case 3:
      case 4:
        rc = uv_udp_try_send(&u->near, &buf, 1, with ? A(&u->far_at) : NULL);
        note(u->e, " try_send%s %u = %s", with ? " to" : "", (unsigned) buf.len,
             code(rc));
        u->expected += rc >= 0;
        break;
      default:
        u->e->calling = 1;
        rc = uv_udp_send(&u->req, &u->near, &buf, 1,
                         with ? A(&u->far_at) : NULL, on_sent);
        u->e->calling = 0;
        note(u->e, " send%s %u = %s", with ? " to" : "", (unsigned) buf.len,
             code(rc));
        if (rc == 0) {
          u->sending = 1;
          return;
        }
    }
  }
  u->steps = 0;
  finish(u);
}

static void init_udp(struct pair *u, uv_udp_t *h, struct sockaddr_in *at) {
  int len = sizeof(*at);
  unsigned flags = pick(&u->e->rng, 3) == 0 ? UV_UDP_RECVMMSG : 0;

  NEED(uv_udp_init_ex(u->e->loop, h, AF_INET | flags));
  h->data = u;
  NEED(uv_ip4_addr("127.0.0.1", 0, at));
  NEED(uv_udp_bind(h, A(at), 0));
  NEED(uv_udp_getsockname(h, A(at), &len));
}

void udp_begin(struct errand *e) {
  struct pair *u = errand_own(e, sizeof(*u));

  u->e = e;
  u->steps = 1 + pick(&e->rng, SENDS);
  init_udp(u, &u->near, &u->near_at);
  init_udp(u, &u->far, &u->far_at);
  NEED(uv_timer_init(e->loop, &u->patience));
  u->patience.data = u;
  NEED(uv_timer_start(&u->patience, on_patience, 2000, 0));
  NEED(uv_udp_recv_start(&u->far, on_alloc_udp, on_recv_udp));
  step(u);
}
