/* Pipes with names: in a folder, without one, too long, with a NUL inside. */
#include "errand.h"

struct named {
  struct errand *e;
  uv_pipe_t server, client, taken;
  uv_connect_t connect;
  uv_write_t write;
  char name[256], in[64], client_said[200], server_said[200];
  size_t len, got;
};

static void close_one(uv_handle_t *h) {
  if (h->type != 0 && !uv_is_closing(h))
    uv_close(h, NULL);
}

static void on_alloc_named(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  struct named *n = h->data;

  (void) size;
  *buf = uv_buf_init(n->in, sizeof(n->in));
}

/* Names of files begin with the number of the process. */
static void name_of(struct named *n, char *said, const uv_pipe_t *pipe,
                    int peer) {
  char name[300];
  size_t size = sizeof(name), len = strlen(said);
  int rc = peer ? uv_pipe_getpeername(pipe, name, &size)
                : uv_pipe_getsockname(pipe, name, &size);
  int same = rc == 0 && size <= n->len && memcmp(name, n->name, size) == 0;

  snprintf(said + len, 200 - len, " %s %s %zu%s", peer ? "peer" : "self",
           code(rc), rc == 0 ? size : 0, same ? " as bound" : "");
}

static void on_read_named(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  struct named *n = s->data;
  size_t len = strlen(n->server_said);

  (void) buf;
  if (nread >= 0) {
    n->got += (size_t) nread;
    return;
  }
  snprintf(n->server_said + len, sizeof(n->server_said) - len, " got %zu %s",
           n->got, code(nread));
  close_one(H(s));
  close_one(H(&n->server));
}

static void on_connection_named(uv_stream_t *s, int status) {
  struct named *n = s->data;

  called_back(n->e);
  snprintf(n->server_said, sizeof(n->server_said), " connection %s",
           code(status));
  NEED(uv_pipe_init(s->loop, &n->taken, 0));
  n->taken.data = n;
  NEED(uv_accept(s, S(&n->taken)));
  name_of(n, n->server_said, &n->taken, 0);
  name_of(n, n->server_said, &n->taken, 1);
  NEED(uv_read_start(S(&n->taken), on_alloc_named, on_read_named));
}

static void on_write_named(uv_write_t *req, int status) {
  struct named *n = req->handle->data;
  size_t len = strlen(n->client_said);

  snprintf(n->client_said + len, sizeof(n->client_said) - len, " write %s",
           code(status));
  close_one(H(&n->client));
}

static void on_connect_named(uv_connect_t *req, int status) {
  struct named *n = req->handle->data;
  uv_buf_t buf = uv_buf_init("bytes", 5);

  called_back(n->e);
  snprintf(n->client_said, sizeof(n->client_said), " connect %s",
           code(status));
  if (status != 0) {
    close_one(H(&n->client));
    close_one(H(&n->server));
    return;
  }
  name_of(n, n->client_said, &n->client, 0);
  name_of(n, n->client_said, &n->client, 1);
  NEED(uv_write(&n->write, S(&n->client), &buf, 1, on_write_named));
}

static void make_name(struct named *n) {
  static const size_t lens[] = {2, 20, 40, 107, 108, 109, 200};
  int way = pick(&n->e->rng, 4);
  char begin[32];

  n->len = lens[pick(&n->e->rng, COUNT(lens))];
  memset(n->name, 'n', sizeof(n->name));
  snprintf(begin, sizeof(begin), "%s%07d-%llu-%d", way == 0 ? "" : "@",
           (int) getpid(), (unsigned long long) p.seed, n->e->id);
  memcpy(n->name, begin, strlen(begin));
  if (way != 0)
    n->name[0] = '\0';
  if (n->len < strlen(begin) + 2)
    n->len = strlen(begin) + 2;
  if (way == 2)
    n->name[n->len - 2] = '\0';
  if (way == 3 && pick(&n->e->rng, 4) == 0)
    n->len = 0;
  if (way == 0 && pick(&n->e->rng, 6) == 0)
    n->name[3] = '\0';
  note(n->e, " way %d len %zu", way,
       n->len > strlen(begin) + 2 ? n->len : (size_t) 0);
}

void named_begin(struct errand *e) {
  struct named *n = errand_own(e, sizeof(*n));
  unsigned flags = pick(&e->rng, 2) ? UV_PIPE_NO_TRUNCATE : 0;
  int rc;

  n->e = e;
  make_name(n);
  NEED(uv_pipe_init(e->loop, &n->server, 0));
  NEED(uv_pipe_init(e->loop, &n->client, 0));
  n->server.data = n->client.data = n;
  rc = uv_pipe_bind2(&n->server, n->name, n->len, flags);
  note(e, " bind2 %u = %s", flags, code(rc));
  if (rc == 0) {
    name_of(n, n->server_said, &n->server, 0);
    note(e, "%s", n->server_said);
    NEED(uv_listen(S(&n->server), 4, on_connection_named));
  }
  e->calling = 1;
  rc = uv_pipe_connect2(&n->connect, &n->client, n->name, n->len, flags,
                        on_connect_named);
  e->calling = 0;
  note(e, " connect2 = %s", code(rc));
  if (rc != 0) {
    close_one(H(&n->client));
    close_one(H(&n->server));
  }
}

void named_end(struct errand *e) {
  const struct named *n = e->own;

  note(e, " |%s |%s", n->client_said, n->server_said);
}
