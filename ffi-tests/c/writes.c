/* Accounting of writes: many sizes from one callback, uv_try_write mixed in,
 * cancelled writes, closing in the middle. The peer must get exactly the bytes,
 * in order; each callback comes once, in order; nothing stays queued.
 *
 * Not printed, as it is the kernel's to choose or allowed to differ: how much
 * of a large write the socket takes at once, and when, within a turn, a write's
 * callback comes. */
#include "check.h"

#include <pthread.h>
#include <time.h>

#define MAX_WRITES 4000

static struct one {
  uv_write_t req;
  size_t size;
  int calls;
  int status;
} all[MAX_WRITES];
static int made, called, in_order, inside;
static uv_tcp_t wire;

/* The byte at each place of the stream; the period is no power of two. */
static char byte_at(size_t place) { return (char) (place * 7 + place / 251); }
static char pattern[251 * 256 * 80]; /* byte_at for every place; repeats */
#define PERIOD ((size_t) 251 * 256)

static void make_pattern(void) {
  size_t i;

  for (i = 0; i < sizeof(pattern); i++)
    pattern[i] = byte_at(i % PERIOD);
}

/* ---- the peer: a thread with plain reads ------------------------------ */

static struct peer {
  pthread_t thread;
  int fd;
  size_t got;
  size_t wrong_from; /* the first place with a wrong byte, or SIZE_MAX */
} peer;

static void *peer_reads(void *unused) {
  static char bytes[65536];
  ssize_t n, i;

  (void) unused;
  while ((n = read(peer.fd, bytes, sizeof(bytes))) > 0) {
    for (i = 0; i < n; i++)
      if (bytes[i] != pattern[(peer.got + (size_t) i) % PERIOD] &&
          peer.wrong_from == SIZE_MAX)
        peer.wrong_from = peer.got + (size_t) i;
    peer.got += (size_t) n;
  }
  return NULL;
}

static void join_peer(void) {
  NEED(-pthread_join(peer.thread, NULL));
  close(peer.fd);
}

static void start(uv_loop_t *loop, int buffer, int with_peer) {
  int fds[2];

  make_pattern();
  check_tcp_pair(fds);
  if (buffer != 0) {
    NEED(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)));
    NEED(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)));
  }
  NEED(uv_tcp_init(loop, &wire));
  NEED(uv_tcp_open(&wire, fds[0]));
  peer.fd = fds[1];
  peer.wrong_from = SIZE_MAX;
  in_order = 1;
  if (with_peer)
    NEED(-pthread_create(&peer.thread, NULL, peer_reads, NULL));
}

static void on_closed(uv_handle_t *h) {
  (void) h;
  printf("closed after %d of %d callbacks\n", called, made);
}

static void on_written(uv_write_t *req, int status) {
  struct one *one = (struct one *) req;

  if (inside)
    puts("a write callback within uv_write");
  if (one != &all[called])
    in_order = 0;
  called++;
  one->calls++;
  one->status = status;
}

static void write_bufs(const uv_buf_t *bufs, unsigned n, size_t size) {
  struct one *one = &all[made++];

  one->size = size;
  inside = 1;
  NEED(uv_write(&one->req, S(&wire), bufs, n, on_written));
  inside = 0;
}

static size_t place;

static void write_size(size_t size) {
  uv_buf_t buf = uv_buf_init(pattern + place % PERIOD, (unsigned) size);

  write_bufs(&buf, 1, size);
  place += size;
}

static void summary(void) {
  int i, once = 1, good = 1, full = 1;

  for (i = 0; i < made; i++) {
    once = once && all[i].calls == 1;
    good = good && all[i].status == 0;
    full = full && uv_write_nwritten(&all[i].req) == all[i].size;
  }
  SHOW(made);
  SHOW(called);
  SHOW(in_order);
  SHOW(once);
  SHOW(good);
  SHOW(full);
}

static void finish(uv_loop_t *loop) {
  static uv_shutdown_t shut;

  NEED(uv_shutdown(&shut, S(&wire), NULL));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  join_peer();
  summary();
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  SHOW(peer.got == place);
  SHOW(peer.got);
  SHOW(peer.wrong_from == SIZE_MAX);
}

/* ---- all sizes from one callback -------------------------------------- */

static void on_sizes(uv_timer_t *timer) {
  static const size_t sizes[] = {1,     0,     64,      0,  65536, 1 << 20,
                                 1,     4096,  3 << 20, 17, 0,     65537,
                                 65535, 16384, 1 << 20, 1};
  size_t i;

  (void) timer;
  for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    write_size(sizes[i]);
}

static void sizes(uv_loop_t *loop) {
  static uv_timer_t timer;

  start(loop, 0, 1);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_sizes, 0, 0));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  finish(loop);
}

/* Many buffers to a write, empty ones among them, beyond the kernel's limit. */
static void on_vectors(uv_timer_t *timer) {
  static uv_buf_t bufs[2000];
  static const unsigned counts[] = {1, 2, 3, 4, 5, 16, 1023, 1024, 1025, 2000};
  size_t i, size, total;
  unsigned j;

  (void) timer;
  for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    total = 0;
    for (j = 0; j < counts[i]; j++) {
      size = j % 7 == 3 ? 0 : j % 11 == 5 ? 1500 : j % 5 + 1;
      bufs[j] = uv_buf_init(pattern + (place + total) % PERIOD,
                            (unsigned) size);
      total += size;
    }
    write_bufs(bufs, counts[i], total);
    place += total;
    memset(bufs, 0, sizeof(bufs)); /* the list is the caller's again */
  }
}

static void vectors(uv_loop_t *loop) {
  static uv_timer_t timer;

  start(loop, 0, 1);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_vectors, 0, 0));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  finish(loop);
}

/* ---- small writes and uv_try_write ------------------------------------ */

static void on_mixed(uv_timer_t *timer) {
  uv_buf_t buf;
  int i, rc;

  (void) timer;
  for (i = 0; i < 200; i++) {
    write_size((size_t) (i % 9));
    if (i % 10 == 9) {
      buf = uv_buf_init(pattern + place % PERIOD, 5);
      rc = uv_try_write(S(&wire), &buf, 1);
      printf("try after %d: %d\n", i, rc); /* all fits: what is queued goes */
      if (rc > 0)
        place += (size_t) rc;
    }
  }
}

static void mixed(uv_loop_t *loop) {
  static uv_timer_t timer;

  start(loop, 0, 1);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_mixed, 0, 0));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  finish(loop);
}

/* Seeded and bounded: 300 callbacks with a few writes of any size each. */
static uint32_t seed = 20240611;
static int bursts;

static uint32_t random_below(uint32_t n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}

static void on_burst(uv_timer_t *timer) {
  uint32_t i, n = random_below(12);
  uv_buf_t buf;
  int rc;

  for (i = 0; i < n; i++) {
    switch (random_below(8)) {
    case 0:
      write_size(random_below(200000));
      break;
    case 1: /* how much goes is the kernel's choice; it is not printed */
      buf = uv_buf_init(pattern + place % PERIOD, 1 + random_below(3000));
      rc = uv_try_write(S(&wire), &buf, 1);
      if (rc > 0)
        place += (size_t) rc;
      else if (rc != UV_EAGAIN)
        SHOW(rc);
      break;
    default:
      write_size(random_below(300));
    }
  }
  if (++bursts == 300)
    uv_timer_stop(timer);
}

static void random_bursts(uv_loop_t *loop) {
  static uv_timer_t timer;

  printf("seed %u\n", seed);
  start(loop, 65536, 1);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, on_burst, 0, 1));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  {
    static uv_shutdown_t shut;

    NEED(uv_shutdown(&shut, S(&wire), NULL));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
  }
  join_peer();
  summary();
  SHOW(peer.got == place);
  SHOW(peer.wrong_from == SIZE_MAX);
}

/* ---- what the same callback does next --------------------------------- */

/* What has come, once nothing more has come for 20 ms: the kernel may hold
 * small pieces back for a moment. -errno when there is nothing, 0 at the end. */
static char came[4096];

static ssize_t there(void) {
  struct timeval patience = {0, 20000};
  ssize_t n, got = 0;

  NEED(setsockopt(peer.fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
                  sizeof(patience)));
  while ((n = recv(peer.fd, came + got, sizeof(came) - (size_t) got, 0)) > 0)
    got += n;
  return got > 0 || n == 0 ? got : -errno;
}

static const char *then;

static void on_then(uv_timer_t *timer) {
  static uv_shutdown_t shut;
  int i, fd;

  for (i = 0; i < 20; i++)
    write_size(10);
  if (strcmp(then, "close") == 0) {
    uv_close(H(&wire), on_closed);
  } else if (strcmp(then, "shutdown") == 0) {
    NEED(uv_shutdown(&shut, S(&wire), NULL));
  } else if (strcmp(then, "fileno") == 0) {
    NEED(uv_fileno(H(&wire), &fd));
    SHOW(write(fd, "by hand", 7));
    SHOW(there()); /* all of it, and in this order */
    SHOW(memcmp(came, pattern, 200));
    SHOW(memcmp(came + 200, "by hand", 7));
  } else if (strcmp(then, "stop") == 0) {
    uv_stop(timer->loop);
  }
}

static void then_each(uv_loop_t *loop) {
  static const char *const next[] = {"nothing", "close", "shutdown", "fileno",
                                     "stop"};
  static uv_timer_t timer;
  size_t i;

  NEED(uv_timer_init(loop, &timer));
  for (i = 0; i < 5; i++) {
    then = next[i];
    TEXT(then);
    made = called = 0;
    place = 0;
    memset(all, 0, sizeof(all));
    start(loop, 0, 0);
    NEED(uv_timer_start(&timer, on_then, 0, 0));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    SHOW(there());
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    summary();
    if (!uv_is_closing(H(&wire)))
      uv_close(H(&wire), on_closed);
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    SHOW(there());
    close(peer.fd);
  }
}

/* Outside any callback a write that fits has left when uv_write returns. */
static void outside(uv_loop_t *loop) {
  start(loop, 0, 0);
  write_size(10);
  SHOW(there());
  write_size(20);
  write_size(30);
  SHOW(there());
  SHOW(called);
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  summary();
  close(peer.fd);
}

/* ---- the buffers of a request while it waits -------------------------- */

static void on_look(uv_write_t *req, int status) {
  SHOW(status);
  SHOW(req->nbufs); /* private, but programs read it */
}

static void look(uv_loop_t *loop) {
  static uv_write_t req;
  uv_buf_t bufs[6];
  int i;

  start(loop, 0, 0);
  for (i = 0; i < 6; i++)
    bufs[i] = uv_buf_init(pattern, 3);
  NEED(uv_write(&req, S(&wire), bufs, 6, on_look));
  SHOW(req.handle == S(&wire));
  SHOW(req.type);
  SHOW(uv_req_get_type(R(&req)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(peer.fd);
}

/* ---- cancelling and closing ------------------------------------------- */

#define BIG (256 * 1024)

static int log_of[32], logged;

static void on_big(uv_write_t *req, int status) {
  struct one *one = (struct one *) req;

  one->calls++;
  one->status = status;
  called++;
  log_of[logged++] = (int) (one - all);
}

static void *peer_counts(void *counts) {
  static unsigned char bytes[65536];
  ssize_t n, i;

  while ((n = read(peer.fd, bytes, sizeof(bytes))) > 0)
    for (i = 0; i < n; i++)
      ((size_t *) counts)[bytes[i] % 32]++;
  return NULL;
}

static void start_big(uv_loop_t *loop) {
  static char bytes[20][BIG];
  uv_buf_t buf;
  int i;

  start(loop, 16384, 0);
  for (i = 0; i < 20; i++) {
    memset(bytes[i], i, BIG);
    buf = uv_buf_init(bytes[i], BIG);
    all[made].size = BIG;
    NEED(uv_write(&all[made++].req, S(&wire), &buf, 1, on_big));
  }
  SHOW(uv_stream_get_write_queue_size(S(&wire)) > 19 * BIG);
}

static void cancel_some(uv_loop_t *loop) {
  static size_t counts[32];
  static uv_shutdown_t shut;
  int i;

  start_big(loop);
  SHOW(uv_cancel(R(&all[5].req)));
  SHOW(uv_cancel(R(&all[7].req)));
  SHOW(uv_cancel(R(&all[19].req)));
  SHOW(uv_cancel(R(&all[7].req)));
  SHOW(called); /* never from within uv_cancel */
  NEED(-pthread_create(&peer.thread, NULL, peer_counts, counts));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  NEED(uv_shutdown(&shut, S(&wire), NULL));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  join_peer();
  for (i = 0; i < 20; i++)
    printf("%d: %zu bytes came, %zu written, called %d times with %s\n", i,
           counts[i], uv_write_nwritten(&all[i].req), all[i].calls,
           all[i].status == 0 ? "0" : uv_err_name(all[i].status));
}

/* The first is under way when it is cancelled: how far it got may differ, but
 * the report must be what the peer saw, and the rest must come whole. */
static void cancel_first(uv_loop_t *loop) {
  static size_t counts[32];
  static uv_shutdown_t shut;
  int i, whole = 1;

  start_big(loop);
  SHOW(uv_cancel(R(&all[0].req)));
  NEED(-pthread_create(&peer.thread, NULL, peer_counts, counts));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_shutdown(&shut, S(&wire), NULL));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  join_peer();
  SHOW(all[0].calls);
  SHOW(all[0].status);
  SHOW(counts[0] == uv_write_nwritten(&all[0].req));
  SHOW(counts[0] > 0 && counts[0] < BIG);
  for (i = 1; i < 20; i++)
    whole = whole && counts[i] == BIG && all[i].status == 0 &&
            all[i].calls == 1;
  SHOW(whole);
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
}

static void close_middle(uv_loop_t *loop) {
  int i;

  start_big(loop);
  SHOW(uv_run(loop, UV_RUN_NOWAIT) != 0);
  SHOW(called);
  uv_close(H(&wire), on_closed);
  SHOW(called);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  for (i = 0; i < logged; i++)
    printf("%d: %s\n", log_of[i], uv_err_name(all[log_of[i]].status));
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  close(peer.fd);
}

static void on_big_closes(uv_write_t *req, int status) {
  on_big(req, status);
  if (called == 3)
    uv_close(H(req->handle), on_closed);
}

/* Closing in a write's callback: what is still queued is cancelled. */
static void close_in_callback(uv_loop_t *loop) {
  static char bytes[4 << 20];
  uv_buf_t small = uv_buf_init(bytes, 10);
  uv_buf_t big = uv_buf_init(bytes, sizeof(bytes));
  int i;

  start(loop, 16384, 0);
  for (i = 0; i < 6; i++, made++)
    NEED(uv_write(&all[made].req, S(&wire), i < 3 ? &small : &big, 1,
                  on_big_closes));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  for (i = 0; i < logged; i++)
    printf("%d: %s\n", log_of[i],
           all[log_of[i]].status == 0 ? "0"
                                      : uv_err_name(all[log_of[i]].status));
  close(peer.fd);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"sizes", sizes},
      {"vectors", vectors},
      {"mixed", mixed},
      {"random_bursts", random_bursts},
      {"then_each", then_each},
      {"outside", outside},
      {"look", look},
      {"cancel_some", cancel_some},
      {"cancel_first", cancel_first},
      {"close_middle", close_middle},
      {"close_in_callback", close_in_callback},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}
