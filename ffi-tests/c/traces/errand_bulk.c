/* Large writes to a slow reader: they take many turns, and each write callback
 * comes when the reader has made room. How far each turn gets is open; the
 * bytes, the order of the callbacks and the accounts are not. */
#include "errand.h"

enum { WRITES = 8, MOST_BYTES = 700000 };

struct bulk {
  struct errand *e;
  union uv_any_handle handles[2];
  uv_stream_t *ends[2];
  uv_write_t reqs[WRITES];
  size_t lens[WRITES], queued, got, wrong;
  uv_shutdown_t shut;
  int writes, ended, failed, statuses;
  int stops_at; /* the write in whose callback the writer is closed, or -1 */
  uint64_t reader_rng;
  char *out, *in;
  size_t in_len;
  uv_idle_t rest; /* runs while the reader rests */
  int resting;
  size_t leaves_at; /* bytes after which the reader is closed */
};

static void close_one(uv_handle_t *h) {
  if (!uv_is_closing(h))
    uv_close(h, NULL);
}

static void on_alloc_bulk(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  struct bulk *b = h->data;

  (void) size;
  *buf = uv_buf_init(b->in, (unsigned) b->in_len);
}

static void on_read_bulk(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf);

static void on_rest(uv_idle_t *h) {
  struct bulk *b = h->data;

  if (--b->resting > 0)
    return;
  NEED(uv_idle_stop(h));
  if (!uv_is_closing(&b->handles[1].handle))
    NEED(uv_read_start(b->ends[1], on_alloc_bulk, on_read_bulk));
}

static void on_read_bulk(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  struct bulk *b = s->data;
  ssize_t i;

  called_back(b->e);
  if (nread < 0) {
    if (b->stops_at == -1)
      note(b->e, " end %s after %zu", code(nread), b->got);
    close_one(H(s));
    close_one(H(&b->rest));
    return;
  }
  for (i = 0; i < nread; i++)
    b->wrong += buf->base[i] != byte_at(b->got + (size_t) i);
  b->got += (size_t) nread;
  if (b->got >= b->leaves_at) {
    note(b->e, " reader leaves");
    close_one(H(s));
    close_one(H(&b->rest));
  } else if (pick(&b->reader_rng, 6) == 0) {
    NEED(uv_read_stop(s));
    b->resting = 1 + pick(&b->reader_rng, 5);
    NEED(uv_idle_start(&b->rest, on_rest));
  }
}

static void on_shut_bulk(uv_shutdown_t *req, int status) {
  struct bulk *b = req->handle->data;

  if (b->leaves_at == SIZE_MAX && b->stops_at == -1)
    note(b->e, " shutdown %s", code(status));
  if (uv_stream_get_write_queue_size(b->ends[0]) != 0 && status == 0)
    note(b->e, " with a queue");
  close_one(&b->handles[0].handle);
}

/* Successes first, then errors; each in its order. */
static void on_write_bulk(uv_write_t *req, int status) {
  struct bulk *b = req->handle->data;
  int i = (int) (req - b->reqs);

  called_back(b->e);
  if (i != b->ended++)
    note(b->e, " write %d is early", i);
  if (status == 0 && b->failed)
    note(b->e, " write %d succeeds after a failure", i);
  b->failed |= status != 0;
  if (b->stops_at == -1 && b->leaves_at == SIZE_MAX)
    note(b->e, " %s", code(status));
  b->queued -= b->lens[i];
  if (uv_stream_get_write_queue_size(b->ends[0]) > b->queued && status == 0)
    note(b->e, " too much is queued");
  if (b->ended == b->writes &&
      uv_stream_get_write_queue_size(b->ends[0]) != 0)
    note(b->e, " something stays queued");
  if (i == b->stops_at || status != 0)
    close_one(&b->handles[0].handle);
}

static void write_all(struct bulk *b) {
  uint64_t *rng = &b->e->rng;
  size_t at = 0;
  uv_buf_t bufs[3];
  int i, j, n;

  for (i = 0; i < b->writes; i++) {
    n = 1 + pick(rng, 3);
    b->lens[i] = 0;
    for (j = 0; j < n; j++) {
      unsigned len = pick(rng, 3) ? 1 + (unsigned) pick(rng, 3000)
                                  : 1 + (unsigned) pick(rng, MOST_BYTES / 3);

      bufs[j] = uv_buf_init(b->out + at, len);
      at += len;
      b->lens[i] += len;
    }
    b->queued += b->lens[i];
    b->e->calling = 1;
    NEED(uv_write(&b->reqs[i], b->ends[0], bufs, (unsigned) n, on_write_bulk));
    b->e->calling = 0;
    if (uv_stream_get_write_queue_size(b->ends[0]) > b->queued)
      note(b->e, " more is queued than was written");
  }
  note(b->e, " writes %d of %zu in all", b->writes, at);
  /* What is queued goes first. */
  if (uv_stream_get_write_queue_size(b->ends[0]) != 0)
    NEED(uv_try_write(b->ends[0], bufs, 1) == UV_EAGAIN ? 0 : -1);
}

void bulk_begin(struct errand *e) {
  struct bulk *b = errand_own(e, sizeof(*b) + 2 * MOST_BYTES * WRITES);
  int way = pick(&e->rng, 3), i;

  b->e = e;
  b->out = (char *) (b + 1);
  b->in = b->out + MOST_BYTES * WRITES;
  for (i = 0; i < MOST_BYTES * WRITES; i++)
    b->out[i] = byte_at((size_t) i);
  b->reader_rng = e->rng + 1;
  b->in_len = pick(&e->rng, 4) == 0 ? 900 + (size_t) pick(&e->rng, 1000)
                                    : 20000 + (size_t) pick(&e->rng, 100000);
  b->stops_at = -1;
  b->leaves_at = SIZE_MAX;
  b->writes = 1 + pick(&e->rng, WRITES);
  if (pick(&e->rng, 5) == 0)
    b->stops_at = pick(&e->rng, b->writes);
  else if (pick(&e->rng, 5) == 0)
    b->leaves_at = (size_t) pick(&e->rng, 2000);
  stream_pair(e->loop, way, b->ends, b->handles);
  NEED(uv_idle_init(e->loop, &b->rest));
  b->rest.data = b->handles[0].handle.data = b->handles[1].handle.data = b;
  NEED(uv_read_start(b->ends[1], on_alloc_bulk, on_read_bulk));
  write_all(b);
  NEED(uv_shutdown(&b->shut, b->ends[0], on_shut_bulk));
}

void bulk_end(struct errand *e) {
  const struct bulk *b = e->own;

  note(e, " ended %d wrong %zu%s", b->ended, b->wrong,
       b->queued == 0 ? "" : " queued");
}
