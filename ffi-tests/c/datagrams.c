/* Datagrams: what is sent in one callback, what is too long, errors that come
 * back, several at once.
 *
 * Not compared: what becomes of a callback's second and later datagrams when
 * the handle or the process ends with it. libuv has not sent them yet; see
 * own_udp.c. An error report's code is compared as an int: libuv widens it
 * without its sign. */
#include "check.h"

enum { MANY = 25 };

static uv_udp_t sender;
static uv_udp_send_t reqs[MANY];
static char letters[MANY];
static struct sockaddr_in to;
static int sent;

static void on_sent(uv_udp_send_t *req, int status) {
  printf("sent %d: %s\n", (int) (req - reqs),
         status == 0 ? "0" : uv_err_name(status));
  sent++;
}

/* A socket of the kernel's own that receives at `to`. */
static int receiver(void) {
  socklen_t len = sizeof(to);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  to = check_local(0);
  NEED(bind(fd, A(&to), len));
  NEED(getsockname(fd, A(&to), &len));
  return fd;
}

/* What has arrived. */
static void arrived(int fd) {
  char text[64];
  ssize_t n;

  printf("arrived:");
  while ((n = recv(fd, text, sizeof(text), 0)) >= 0)
    printf(" %.*s", (int) n, text);
  puts(".");
}

static void send_many(void) {
  uv_buf_t buf;
  int i;

  for (i = 0; i < MANY; i++) {
    letters[i] = (char) ('a' + i);
    buf = uv_buf_init(&letters[i], 1);
    NEED(uv_udp_send(&reqs[i], &sender, &buf, 1, A(&to), on_sent));
  }
}

static void in_callback(uv_loop_t *loop, uv_timer_cb cb) {
  static uv_timer_t timer;
  struct sockaddr_in any = check_local(0);

  sent = 0;
  NEED(uv_udp_init(loop, &sender));
  NEED(uv_udp_bind(&sender, A(&any), 0));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, cb, 0, 0));
  check_run_until(loop, &sent, MANY, 10);
}

static void cb_gathered(uv_timer_t *t) {
  uv_buf_t buf = uv_buf_init("z", 1);

  (void) t;
  send_many();
  SHOW(uv_udp_get_send_queue_size(&sender));
  SHOW(uv_udp_get_send_queue_count(&sender));
  SHOW(uv_udp_try_send(&sender, &buf, 1, A(&to)));
}
/* As many as go out together, and some more. */
static void gathered(uv_loop_t *loop) {
  int fd = receiver();

  in_callback(loop, cb_gathered);
  arrived(fd);
  SHOW(uv_udp_get_send_queue_size(&sender));
  SHOW(uv_udp_get_send_queue_count(&sender));
  close(fd);
}

/* ---- receiving --------------------------------------------------------- */

static char slab[4 * 65536];
static size_t lent = sizeof(slab);
static int received;

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  (void) h;
  SHOW(size);
  *buf = uv_buf_init(slab, (unsigned) lent);
}
static void on_recv(uv_udp_t *u, ssize_t nread, const uv_buf_t *buf,
                    const struct sockaddr *from, unsigned flags) {
  int n = (int) nread;

  (void) u;
  printf("received %s %d of %zu at %zu, from somebody %d, flags %u\n",
         n < 0 ? uv_err_name(n) : "", n < 0 ? 0 : n, buf->len, buf->base == NULL ? 0 : (size_t) (buf->base - slab),
         from != NULL, flags);
  received++;
}

static uv_udp_t receiving;
static void receive_with(uv_loop_t *loop, unsigned flags, unsigned bound) {
  int len = sizeof(to);

  to = check_local(0);
  received = 0;
  NEED(uv_udp_init_ex(loop, &receiving, flags));
  NEED(uv_udp_bind(&receiving, A(&to), bound));
  NEED(uv_udp_getsockname(&receiving, A(&to), &len));
  NEED(uv_udp_recv_start(&receiving, on_alloc, on_recv));
}

static void say(const char *bytes, size_t len) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  NEED(sendto(fd, bytes, len, 0, A(&to), sizeof(to)));
  close(fd);
}

/* What does not fit is cut off and said to be; so is nothing at all. */
static void too_long(uv_loop_t *loop) {
  lent = 3;
  receive_with(loop, AF_INET, 0);
  say("abcdef", 6);
  say("abc", 3);
  say("", 0);
  check_run_until(loop, &received, 3, 20);
  lent = 0;
  say("abc", 3);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(uv_udp_recv_stop(&receiving));
}

/* A socket of another kind that the program brings along: the same of its
 * messages. */
static void not_udp(uv_loop_t *loop) {
  int fds[2];

  lent = 3;
  NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds));
  received = 0;
  NEED(uv_udp_init(loop, &receiving));
  SHOW(uv_udp_open(&receiving, fds[0]));
  NEED(uv_udp_recv_start(&receiving, on_alloc, on_recv));
  SHOW(send(fds[1], "abcdef", 6, 0));
  SHOW(send(fds[1], "abc", 3, 0));
  check_run_until(loop, &received, 2, 20);
  uv_close(H(&receiving), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
}

/* Several for one system call: parts, then the whole back. */
static void several(uv_loop_t *loop) {
  lent = sizeof(slab);
  receive_with(loop, AF_INET | UV_UDP_RECVMMSG, 0);
  SHOW(uv_udp_using_recvmmsg(&receiving));
  say("a", 1);
  say("bc", 2);
  say("", 0);
  say("def", 3);
  say("e", 1);
  check_run_until(loop, &received, 7, 20);
  lent = 65535;
  say("a", 1);
  SHOW(uv_run(loop, UV_RUN_NOWAIT));
  SHOW(uv_udp_recv_stop(&receiving));
}

/* Stopped and closed from inside, with more to come. */
static void on_recv_stop(uv_udp_t *u, ssize_t nread, const uv_buf_t *buf,
                         const struct sockaddr *from, unsigned flags) {
  on_recv(u, nread, buf, from, flags);
  if (received == 2)
    uv_udp_recv_stop(u);
  if (received == 4)
    uv_close(H(u), NULL);
}
static void stopped(uv_loop_t *loop) {
  unsigned flags = AF_INET;
  int i;

  lent = sizeof(slab);
  for (i = 0; i < 2; i++, flags |= UV_UDP_RECVMMSG) {
    receive_with(loop, flags, 0);
    SHOW(uv_udp_recv_stop(&receiving));
    NEED(uv_udp_recv_start(&receiving, on_alloc, on_recv_stop));
    say("a", 1);
    say("b", 1);
    say("c", 1);
    say("d", 1);
    check_run_until(loop, &received, 2, 20);
    SHOW(uv_is_active(H(&receiving)));
    SHOW(uv_udp_recv_start(&receiving, on_alloc, on_recv_stop));
    say("e", 1);
    say("f", 1);
    check_run_until(loop, &received, 4, 20);
    SHOW(uv_is_closing(H(&receiving)));
    SHOW(uv_run(loop, UV_RUN_NOWAIT));
  }
}

/* A port where nobody is. */
static struct sockaddr_in nobody(void) {
  int fd = receiver();

  close(fd);
  return to;
}

/* The network's answer: to who asked for it, and to who has a peer. */
static void refused(uv_loop_t *loop) {
  struct sockaddr_in away = nobody();
  uv_buf_t buf = uv_buf_init("x", 1);
  int i;

  lent = sizeof(slab);
  receive_with(loop, AF_INET, UV_UDP_LINUX_RECVERR);
  SHOW(uv_udp_try_send(&receiving, &buf, 1, A(&away)));
  check_run_until(loop, &received, 1, 20);
  say("still here", 10);
  check_run_until(loop, &received, 3, 20);
  uv_close(H(&receiving), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));

  receive_with(loop, AF_INET, 0);
  SHOW(uv_udp_try_send(&receiving, &buf, 1, A(&away)));
  for (i = 0; i < 3; i++)
    SHOW(uv_run(loop, UV_RUN_NOWAIT));
  uv_close(H(&receiving), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));

  receive_with(loop, AF_INET, 0);
  NEED(uv_udp_connect(&receiving, A(&away)));
  SHOW(uv_udp_try_send(&receiving, &buf, 1, NULL));
  check_run_until(loop, &received, 1, 20);
  SHOW(uv_is_active(H(&receiving)));
  SHOW(uv_udp_try_send(&receiving, &buf, 1, NULL));
  SHOW(uv_udp_try_send(&receiving, &buf, 1, NULL));
}

/* The answer to a datagram comes after its send's callback, so that the
 * request can be used again for the next. */
enum { ROUNDS = 200 };
static uv_udp_t asking, answering;
static uv_udp_send_t ask;
static int under_way, rounds;

static void on_asked(uv_udp_send_t *req, int status) {
  (void) req;
  NEED(status);
  under_way = 0;
}

static void next_question(void) {
  uv_buf_t buf = uv_buf_init(letters, 1);

  if (under_way) {
    puts("answered before it was sent");
    exit(1);
  }
  under_way = 1;
  NEED(uv_udp_send(&ask, &asking, &buf, 1, NULL, on_asked));
}

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  static char bytes[2][64];

  (void) suggested;
  *buf = uv_buf_init(bytes[handle == H(&asking)], sizeof(bytes[0]));
}

static void on_question(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags) {
  uv_buf_t answer = uv_buf_init(buf->base, (unsigned) nread);

  (void) flags;
  if (from != NULL)
    NEED(uv_udp_try_send(udp, &answer, 1, from) == 1 ? 0 : -1);
}

static void on_answer(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                      const struct sockaddr *from, unsigned flags) {
  (void) udp, (void) nread, (void) buf, (void) flags;
  if (from != NULL && ++rounds < ROUNDS)
    next_question();
}

static void used_again(uv_loop_t *loop) {
  struct sockaddr_in at = check_local(0);
  int len = sizeof(at);

  rounds = under_way = 0;
  NEED(uv_udp_init(loop, &answering));
  NEED(uv_udp_bind(&answering, A(&at), 0));
  NEED(uv_udp_getsockname(&answering, A(&at), &len));
  NEED(uv_udp_recv_start(&answering, lend, on_question));
  NEED(uv_udp_init(loop, &asking));
  NEED(uv_udp_connect(&asking, A(&at)));
  NEED(uv_udp_recv_start(&asking, lend, on_answer));
  next_question();
  check_run_until(loop, &rounds, ROUNDS, 10000);
  SHOW(rounds);
  uv_close(H(&asking), NULL);
  uv_close(H(&answering), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"gathered", gathered}, {"too_long", too_long}, {"several", several},
      {"not_udp", not_udp},   {"stopped", stopped},   {"refused", refused},
      {"used_again", used_again},
      {NULL, NULL},
  };
  return check_main(argc, argv, table);
}
