/* The order of callbacks, and closing inside each kind of callback.
 *
 * uvring may run a write callback earlier than libuv does (right after the I/O
 * callback that wrote; never inside uv_write). Where write callbacks of one
 * stream meet callbacks of other handles, only what both promise is printed:
 * their order among themselves, and that each comes once and not within
 * uv_write. */
#include "check.h"

static char *name_of(void *h) { return uv_handle_get_data((uv_handle_t *) h); }

static void on_closed(uv_handle_t *h) {
  printf("closed %s\n", (char *) h->data);
}
static void on_timer(uv_timer_t *h) { printf("timer %s\n", name_of(h)); }

/* ---- closing ---------------------------------------------------------- */

static uv_timer_t late;

static void on_closed_close_late(uv_handle_t *h) {
  printf("closed %s, closing late\n", (char *) h->data);
  uv_close(H(&late), on_closed);
}

static void close_order(uv_loop_t *loop) {
  static uv_timer_t timer, second;
  static uv_idle_t idle;
  static uv_async_t async;
  static uv_tcp_t tcp, unused;
  static uv_poll_t poll;
  int fds[2], i;
  uv_handle_t *all[] = {H(&timer), H(&idle),   H(&async), H(&tcp),
                        H(&poll),  H(&second), H(&unused)};
  static char *names[] = {"timer", "idle",   "async", "tcp",
                          "poll",  "second", "unused"};

  NEED(pipe(fds));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_init(loop, &second));
  NEED(uv_timer_init(loop, &late));
  NEED(uv_idle_init(loop, &idle));
  NEED(uv_async_init(loop, &async, NULL));
  NEED(uv_tcp_init_ex(loop, &tcp, AF_INET));
  NEED(uv_tcp_init(loop, &unused));
  NEED(uv_poll_init(loop, &poll, fds[0]));
  for (i = 0; i < 7; i++)
    all[i]->data = names[i];
  late.data = "late";
  for (i = 0; i < 7; i++)
    uv_close(all[i], i == 2 ? on_closed_close_late : on_closed);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  puts("turn");
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[0]);
  close(fds[1]);
}

/* ---- timers ----------------------------------------------------------- */

static uv_timer_t t[8];
static int rounds;

static void on_timer_restart(uv_timer_t *h) {
  printf("timer %s restarts\n", name_of(h));
  if (++rounds < 3)
    NEED(uv_timer_start(h, on_timer_restart, 0, 0));
}
static void on_timer_stop_next(uv_timer_t *h) {
  printf("timer %s stops f\n", name_of(h));
  uv_timer_stop(&t[5]);
}
static void on_timer_close_next(uv_timer_t *h) {
  printf("timer %s closes itself and d\n", name_of(h));
  uv_close(H(h), on_closed);
  uv_close(H(&t[3]), on_closed);
}

static void timers(uv_loop_t *loop) {
  static char *names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  int i;

  for (i = 0; i < 8; i++) {
    NEED(uv_timer_init(loop, &t[i]));
    t[i].data = names[i];
  }
  puts("equal due: the order they were started in");
  for (i = 7; i >= 0; i--)
    NEED(uv_timer_start(&t[i], on_timer, 5, 0));
  NEED(uv_timer_start(&t[4], on_timer, 5, 0));
  NEED(uv_timer_stop(&t[6]));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));

  puts("started early, due late");
  NEED(uv_timer_start(&t[0], on_timer, 30, 0));
  NEED(uv_timer_start(&t[1], on_timer, 20, 0));
  NEED(uv_timer_start(&t[2], on_timer, 10, 0));
  NEED(uv_timer_start(&t[3], on_timer, 0, 0));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));

  puts("zero inside a callback: not in the same turn");
  NEED(uv_timer_start(&t[0], on_timer_restart, 0, 0));
  NEED(uv_timer_start(&t[1], on_timer, 0, 0));
  for (i = 0; i < 4; i++) {
    printf("turn %d\n", i);
    uv_run(loop, UV_RUN_NOWAIT);
  }

  puts("stop and close of timers due in the same turn");
  NEED(uv_timer_start(&t[4], on_timer_stop_next, 1, 0));
  NEED(uv_timer_start(&t[5], on_timer, 1, 0));
  NEED(uv_timer_start(&t[2], on_timer_close_next, 1, 0));
  NEED(uv_timer_start(&t[3], on_timer, 1, 0));
  NEED(uv_timer_start(&t[6], on_timer, 1, 0));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

/* ---- the phases of a turn --------------------------------------------- */

static int turns;

static void on_idle(uv_idle_t *h) { printf("idle %s\n", name_of(h)); }
static void on_prepare(uv_prepare_t *h) { printf("prepare %s\n", name_of(h)); }
static void on_check(uv_check_t *h) {
  printf("check %s\n", name_of(h));
  if (strcmp(name_of(h), "1") == 0 && ++turns == 3)
    uv_stop(h->loop);
}
static void on_poll(uv_poll_t *h, int status, int events) {
  printf("poll %s %d %d\n", name_of(h), status, events);
}

static void phases(uv_loop_t *loop) {
  static uv_timer_t timer;
  static uv_idle_t idle[3];
  static uv_prepare_t prepare[3];
  static uv_check_t check[3];
  static uv_poll_t poll;
  static char *names[] = {"1", "2", "3"};
  int i, fds[2];

  NEED(pipe(fds));
  NEED(write(fds[1], "x", 1));
  NEED(uv_poll_init(loop, &poll, fds[0]));
  poll.data = "p";
  NEED(uv_poll_start(&poll, UV_READABLE, on_poll));
  NEED(uv_timer_init(loop, &timer));
  timer.data = "t";
  NEED(uv_timer_start(&timer, on_timer, 0, 0));
  for (i = 0; i < 3; i++) {
    NEED(uv_check_init(loop, &check[i]));
    NEED(uv_prepare_init(loop, &prepare[i]));
    NEED(uv_idle_init(loop, &idle[i]));
    check[i].data = prepare[i].data = idle[i].data = names[i];
    NEED(uv_check_start(&check[i], on_check));
    NEED(uv_prepare_start(&prepare[i], on_prepare));
    NEED(uv_idle_start(&idle[i], on_idle));
  }
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  uv_prepare_stop(&prepare[1]);
  uv_prepare_start(&prepare[1], on_prepare);
  uv_idle_stop(&idle[2]);
  uv_close(H(&poll), NULL);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  close(fds[0]);
  close(fds[1]);
}

/* ---- stopping and starting neighbours --------------------------------- */

static uv_idle_t ia, ib, ic;

static void idle_a(uv_idle_t *h) {
  printf("idle %s stops b, starts c\n", name_of(h));
  uv_idle_stop(&ib);
  uv_idle_start(&ic, on_idle);
}
static void idle_b(uv_idle_t *h) {
  printf("idle %s stops itself\n", name_of(h));
  uv_idle_stop(h);
}

static void neighbours(uv_loop_t *loop) {
  int i, j;

  NEED(uv_idle_init(loop, &ia));
  NEED(uv_idle_init(loop, &ib));
  NEED(uv_idle_init(loop, &ic));
  ia.data = "a";
  ib.data = "b";
  ic.data = "c";
  for (j = 0; j < 2; j++) {
    if (j == 0) {
      NEED(uv_idle_start(&ia, idle_a));
      NEED(uv_idle_start(&ib, idle_b));
    } else {
      NEED(uv_idle_start(&ib, idle_b));
      NEED(uv_idle_start(&ia, idle_a));
    }
    for (i = 0; i < 3; i++) {
      printf("turn %d\n", i);
      uv_run(loop, UV_RUN_NOWAIT);
    }
    uv_idle_stop(&ia);
    uv_idle_stop(&ic);
  }
}

/* ---- one connection --------------------------------------------------- */

static uv_tcp_t listener, client, server;
static uv_connect_t connect_req;
static uv_write_t w[4], back[4];
static uv_shutdown_t shut;
static int reads, ended;

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[64];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_client_write(uv_write_t *req, int status) {
  printf("client: write %d done: %d\n", (int) (req - w), status);
}
static void on_server_write(uv_write_t *req, int status) {
  printf("server: write %d done: %d\n", (int) (req - back), status);
}
static void on_shutdown(uv_shutdown_t *req, int status) {
  (void) req;
  printf("client: shut down: %d\n", status);
}
static void on_connect(uv_connect_t *req, int status) {
  (void) req;
  printf("client: connected: %d\n", status);
}
static void on_client_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  (void) b;
  if (nread > 0) { /* one byte each turn: a ping-pong */
    uv_buf_t buf = uv_buf_init("x", 1);

    printf("client: read %d\n", ++reads);
    if (reads < 4) {
      NEED(uv_write(&w[reads], s, &buf, 1, on_client_write));
    } else {
      NEED(uv_shutdown(&shut, s, on_shutdown));
    }
  } else if (nread < 0) {
    printf("client: %s\n", uv_err_name((int) nread));
    uv_close(H(s), on_closed);
    ended++;
  }
}
static int answers;
static void on_server_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  uv_buf_t buf = uv_buf_init("y", 1);

  (void) b;
  if (nread > 0) {
    NEED(uv_write(&back[answers++], s, &buf, 1, NULL));
  } else if (nread < 0) {
    uv_close(H(s), NULL);
  }
}
static void on_connection(uv_stream_t *s, int status) {
  NEED(status);
  NEED(uv_tcp_init(s->loop, &server));
  NEED(uv_accept(s, S(&server)));
  NEED(uv_read_start(S(&server), on_alloc, on_server_read));
  uv_close(H(s), NULL);
}

/* Within one stream: a write's callback comes before the read of its answer. */
static void ping_pong(uv_loop_t *loop) {
  struct sockaddr_in a;
  uv_buf_t buf = uv_buf_init("x", 1);

  check_listen(loop, &listener, &a, on_connection);
  NEED(uv_tcp_init(loop, &client));
  client.data = "client";
  NEED(uv_tcp_connect(&connect_req, &client, A(&a), on_connect));
  NEED(uv_write(&w[0], S(&client), &buf, 1, on_client_write));
  NEED(uv_read_start(S(&client), on_alloc, on_client_read));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

static void on_read_count(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  (void) b;
  if (nread > 0)
    reads += (int) nread;
  if (nread < 0)
    uv_close(H(s), NULL);
}
static void on_connection_count(uv_stream_t *s, int status) {
  NEED(status);
  NEED(uv_tcp_init(s->loop, &server));
  NEED(uv_accept(s, S(&server)));
  NEED(uv_read_start(S(&server), on_alloc, on_read_count));
  uv_close(H(s), NULL);
}
static void on_shutdown_close(uv_shutdown_t *req, int status) {
  printf("client: shut down: %d\n", status);
  uv_close(H(req->handle), on_closed);
}

/* Everything asked for before the connection stands: done in the order asked,
 * the shut-down last. */
static void ask_early(uv_loop_t *loop) {
  struct sockaddr_in a;
  uv_buf_t buf = uv_buf_init("xyz", 3);
  int i;

  check_listen(loop, &listener, &a, on_connection_count);
  NEED(uv_tcp_init(loop, &client));
  client.data = "client";
  NEED(uv_tcp_connect(&connect_req, &client, A(&a), on_connect));
  for (i = 0; i < 4; i++)
    NEED(uv_write(&w[i], S(&client), &buf, 1, on_client_write));
  SHOW(uv_stream_get_write_queue_size(S(&client)));
  NEED(uv_shutdown(&shut, S(&client), on_shutdown_close));
  SHOW(uv_write(&back[0], S(&client), &buf, 1, on_server_write));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(reads);
}

/* ---- writes from every phase ------------------------------------------ */

static uv_tcp_t wire;
static int inside, calls, done;
static uv_write_t from[16];

static void on_from(uv_write_t *req, int status) {
  if (inside)
    puts("a write callback within uv_write");
  if (req != &from[done])
    puts("a write callback out of order");
  done++;
  if (status != 0)
    SHOW(status);
}
static void write_one(const char *who) {
  uv_buf_t buf = uv_buf_init("z", 1);

  printf("%s writes\n", who);
  inside = 1;
  NEED(uv_write(&from[calls++], S(&wire), &buf, 1, on_from));
  inside = 0;
}
static void timer_writes(uv_timer_t *h) {
  (void) h;
  write_one("timer");
}
static void idle_writes(uv_idle_t *h) {
  write_one("idle");
  uv_idle_stop(h);
}
static void prepare_writes(uv_prepare_t *h) {
  write_one("prepare");
  uv_prepare_stop(h);
}
static void check_writes(uv_check_t *h) {
  write_one("check");
  uv_check_stop(h);
}
static void async_writes(uv_async_t *h) {
  write_one("async");
  uv_close(H(h), NULL);
}

static void write_from(uv_loop_t *loop) {
  static uv_timer_t timer;
  static uv_idle_t idle;
  static uv_prepare_t prepare;
  static uv_check_t check;
  static uv_async_t async;
  int fds[2], i;
  char got[16];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &wire));
  NEED(uv_tcp_open(&wire, fds[0]));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_idle_init(loop, &idle));
  NEED(uv_prepare_init(loop, &prepare));
  NEED(uv_check_init(loop, &check));
  NEED(uv_timer_start(&timer, timer_writes, 0, 0));
  NEED(uv_idle_start(&idle, idle_writes));
  NEED(uv_prepare_start(&prepare, prepare_writes));
  NEED(uv_check_start(&check, check_writes));
  write_one("main");
  write_one("main");
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  for (i = 0; i < 20 && done < 6; i++)
    uv_run(loop, UV_RUN_NOWAIT);
  NEED(uv_async_init(loop, &async, async_writes));
  NEED(uv_async_send(&async));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(calls);
  SHOW(done);
  SHOW(recv(fds[1], got, sizeof(got), MSG_DONTWAIT));
  SHOW(uv_stream_get_write_queue_size(S(&wire)));
  close(fds[1]);
}

/* ---- closing inside callbacks ----------------------------------------- */

static uv_timer_t ct1, ct2;
static uv_idle_t ci1, ci2;
static uv_prepare_t cp1, cp2;
static uv_check_t cc1, cc2;
static uv_async_t ca1, ca2;
static uv_poll_t pa, pb;
static uv_tcp_t sa, sb;

static void close_both(const char *who, void *one, void *other) {
  printf("%s closes itself and the other\n", who);
  if (!uv_is_closing(one))
    uv_close(one, on_closed);
  if (!uv_is_closing(other))
    uv_close(other, on_closed);
}
static void ct(uv_timer_t *h) { (void) h, close_both("timer", &ct1, &ct2); }
static void ci(uv_idle_t *h) { (void) h, close_both("idle", &ci1, &ci2); }
static void cp(uv_prepare_t *h) { (void) h, close_both("prepare", &cp1, &cp2); }
static void cc(uv_check_t *h) { (void) h, close_both("check", &cc1, &cc2); }
static void ca(uv_async_t *h) { (void) h, close_both("async", &ca1, &ca2); }
static void cpoll(uv_poll_t *h, int status, int events) {
  (void) h;
  printf("poll %d %d\n", status, events);
  close_both("poll", &pa, &pb);
}
static void cread(uv_stream_t *s, ssize_t nread, const uv_buf_t *b) {
  (void) s;
  (void) b;
  printf("read %zd\n", nread);
  close_both("stream", &sa, &sb);
}

static void close_in(uv_loop_t *loop) {
  int fds[2], more[2];

  NEED(uv_timer_init(loop, &ct1));
  NEED(uv_timer_init(loop, &ct2));
  ct1.data = ct2.data = "timer";
  NEED(uv_timer_start(&ct1, ct, 0, 1));
  NEED(uv_timer_start(&ct2, ct, 0, 1));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_idle_init(loop, &ci1));
  NEED(uv_idle_init(loop, &ci2));
  ci1.data = ci2.data = "idle";
  NEED(uv_idle_start(&ci1, ci));
  NEED(uv_idle_start(&ci2, ci));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_prepare_init(loop, &cp1));
  NEED(uv_prepare_init(loop, &cp2));
  cp1.data = cp2.data = "prepare";
  NEED(uv_prepare_start(&cp1, cp));
  NEED(uv_prepare_start(&cp2, cp));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_check_init(loop, &cc1));
  NEED(uv_check_init(loop, &cc2));
  cc1.data = cc2.data = "check";
  NEED(uv_check_start(&cc1, cc));
  NEED(uv_check_start(&cc2, cc));
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_async_init(loop, &ca1, ca));
  NEED(uv_async_init(loop, &ca2, ca));
  ca1.data = ca2.data = "async";
  NEED(uv_async_send(&ca1));
  NEED(uv_async_send(&ca2));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));

  NEED(uv_socketpair(SOCK_STREAM, 0, fds, 0, 0));
  NEED(uv_poll_init(loop, &pa, fds[0]));
  NEED(uv_poll_init(loop, &pb, fds[1]));
  pa.data = pb.data = "poll";
  NEED(uv_poll_start(&pa, UV_WRITABLE, cpoll));
  NEED(uv_poll_start(&pb, UV_WRITABLE, cpoll));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[0]);
  close(fds[1]);

  check_tcp_pair(more);
  NEED(uv_tcp_init(loop, &sa));
  NEED(uv_tcp_init(loop, &sb));
  sa.data = sb.data = "stream";
  NEED(uv_tcp_open(&sa, more[0]));
  NEED(uv_tcp_open(&sb, more[1]));
  NEED(write(more[0], "1", 1));
  NEED(write(more[1], "2", 1));
  NEED(uv_read_start(S(&sa), on_alloc, cread));
  NEED(uv_read_start(S(&sb), on_alloc, cread));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

/* ---- closing inside the callbacks of a connection's requests ---------- */

static void closing_connect(uv_connect_t *req, int status) {
  printf("connected: %d\n", status);
  uv_close(H(req->handle), on_closed);
}
static void closing_connection(uv_stream_t *s, int status) {
  printf("connection: %d\n", status);
  uv_close(H(s), on_closed);
}
static void closing_write(uv_write_t *req, int status) {
  printf("write %d: %d\n", (int) (req - w), status);
  if (!uv_is_closing(H(req->handle)))
    uv_close(H(req->handle), on_closed);
}
static void closing_shutdown(uv_shutdown_t *req, int status) {
  printf("shut down: %d\n", status);
  if (!uv_is_closing(H(req->handle)))
    uv_close(H(req->handle), on_closed);
}

static void close_in_requests(uv_loop_t *loop) {
  static uv_tcp_t c;
  struct sockaddr_in a;
  uv_buf_t buf = uv_buf_init("x", 1);
  int fds[2];

  check_listen(loop, &listener, &a, closing_connection);
  listener.data = "listener";
  uv_unref(H(&listener));
  NEED(uv_tcp_init(loop, &c));
  c.data = "client";
  NEED(uv_tcp_connect(&connect_req, &c, A(&a), closing_connect));
  NEED(uv_write(&w[0], S(&c), &buf, 1, closing_write));
  NEED(uv_shutdown(&shut, S(&c), closing_shutdown));
  /* Who is told first, server or client, is the kernel's to choose. */
  uv_ref(H(&listener));
  fflush(stdout);
  {
    int saved = dup(1), null = open("/dev/null", O_WRONLY | O_CLOEXEC), i;

    dup2(null, 1);
    for (i = 0; i < 50 && uv_run(loop, UV_RUN_ONCE) != 0; i++)
      ;
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    close(null);
  }
  SHOW(uv_is_closing(H(&c)));
  SHOW(uv_is_closing(H(&listener)));

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &c));
  c.data = "writer";
  NEED(uv_tcp_open(&c, fds[0]));
  NEED(uv_write(&w[0], S(&c), &buf, 1, closing_write));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &c));
  c.data = "ender";
  NEED(uv_tcp_open(&c, fds[0]));
  NEED(uv_shutdown(&shut, S(&c), closing_shutdown));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"close_order", close_order}, {"timers", timers},
      {"phases", phases},           {"neighbours", neighbours},
      {"ping_pong", ping_pong},     {"ask_early", ask_early},
      {"write_from", write_from},   {"close_in", close_in},
      {"close_in_requests", close_in_requests},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}
