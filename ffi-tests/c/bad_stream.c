/* Bad input: TCP handles, streams, and cancelling their requests.
 *
 * Left out because libuv asserts or crashes: NULL addresses, NULL buffers with
 * a count, a closing handle's second uv_close or uv_tcp_close_reset,
 * uv_tcp_connect on a closing handle, and uv_write, uv_try_write and
 * uv_shutdown on handles that are no streams. */
#include "check.h"

static void on_close(uv_handle_t *h) {
  printf("closed a %s\n", uv_handle_type_name(h->type));
}
static void on_connect(uv_connect_t *req, int status) {
  (void) req;
  SHOW(status);
}
static void on_connection(uv_stream_t *s, int status) {
  (void) s;
  SHOW(status);
}
static void on_write(uv_write_t *req, int status) {
  printf("write callback: %s, %zu bytes\n",
         status == 0 ? "0" : uv_err_name(status), uv_write_nwritten(req));
}
static void on_shutdown(uv_shutdown_t *req, int status) {
  (void) req;
  printf("shutdown callback: %s\n", status == 0 ? "0" : uv_err_name(status));
}
static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_alloc_nothing(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  (void) h;
  (void) size;
  *buf = uv_buf_init(NULL, 0);
}
static void on_alloc_null(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  (void) h;
  (void) size;
  *buf = uv_buf_init(NULL, 10);
}
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  printf("read callback: %zd %s\n", nread,
         nread < 0 ? uv_err_name((int) nread) : "");
  if (nread < 0)
    uv_read_stop(s);
}

static void init(uv_loop_t *loop) {
  static uv_tcp_t t, closed;
  static const unsigned flags[] = {AF_UNSPEC, AF_INET,  AF_INET6,
                                   AF_UNIX,   AF_NETLINK, 255,
                                   256,       AF_INET | 0x100, UINT_MAX};
  size_t i;
  int fd;

  for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    printf("flags %x\n", flags[i]);
    SHOW(uv_tcp_init_ex(loop, &t, flags[i]));
    if (uv_tcp_init_ex(loop, &closed, flags[i]) == 0) {
      SHOW(uv_fileno(H(&closed), &fd));
      uv_close(H(&closed), on_close);
      SHOW(uv_fileno(H(&closed), &fd));
      uv_run(loop, UV_RUN_NOWAIT);
    }
    if (t.loop == loop && uv_is_closing(H(&t)) == 0 && t.type == UV_TCP &&
        flags[i] <= AF_INET6 && flags[i] != AF_UNIX) {
      uv_close(H(&t), NULL);
      uv_run(loop, UV_RUN_NOWAIT);
    }
  }
}

static void bind_bad(uv_loop_t *loop) {
  static uv_tcp_t t, u, v6, closed;
  static uv_timer_t timer;
  struct sockaddr_in a = check_local(0);
  struct sockaddr_in6 a6;
  struct sockaddr odd;
  int len = sizeof(a);

  NEED(uv_timer_init(loop, &timer));
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_init(loop, &u));
  NEED(uv_tcp_init(loop, &v6));
  memset(&odd, 0, sizeof(odd));
  SHOW(uv_tcp_bind((uv_tcp_t *) &timer, A(&a), 0));
  SHOW(uv_tcp_bind(&t, &odd, 0));
  odd.sa_family = AF_UNIX;
  SHOW(uv_tcp_bind(&t, &odd, 0));
  odd.sa_family = 999;
  SHOW(uv_tcp_bind(&t, &odd, 0));
  SHOW(uv_tcp_bind(&t, A(&a), UV_TCP_IPV6ONLY));
  SHOW(uv_tcp_bind(&t, A(&a), 0x80));
  SHOW(uv_tcp_bind(&t, A(&a), 0));
  NEED(uv_ip6_addr("::1", 0, &a6));
  SHOW(uv_tcp_bind(&v6, A(&a6), UV_TCP_IPV6ONLY));
  SHOW(uv_tcp_bind(&v6, A(&a6), 0));
  SHOW(uv_tcp_bind(&v6, A(&a), 0));
  NEED(uv_tcp_getsockname(&t, A(&a), &len));
  SHOW(uv_tcp_bind(&u, A(&a), 0)); /* in use: told later */
  SHOW(uv_listen(S(&t), 1, on_connection));
  SHOW(uv_listen(S(&u), 1, on_connection));
  NEED(uv_tcp_init(loop, &closed));
  uv_close(H(&closed), NULL);
  SHOW(uv_tcp_bind(&closed, A(&a), 0));
  uv_run(loop, UV_RUN_NOWAIT);
  SHOW(uv_tcp_bind(&closed, A(&a), 0));
}

static void connect_bad(uv_loop_t *loop) {
  static uv_tcp_t t, u, closed, listener;
  static uv_timer_t timer;
  static uv_connect_t req, req2, req3;
  static uv_write_t write;
  static uv_shutdown_t shut;
  struct sockaddr_in a, nobody = check_local(1);
  struct sockaddr odd;
  struct sockaddr_in6 a6;
  uv_buf_t buf = uv_buf_init("x", 1);

  NEED(uv_timer_init(loop, &timer));
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_init(loop, &u));
  check_listen(loop, &listener, &a, on_connection);
  uv_unref(H(&listener));
  memset(&odd, 0, sizeof(odd));
  SHOW(uv_tcp_connect(&req, (uv_tcp_t *) &timer, A(&a), on_connect));
  SHOW(uv_tcp_connect(&req, &t, &odd, on_connect));
  odd.sa_family = AF_UNIX;
  SHOW(uv_tcp_connect(&req, &t, &odd, on_connect));
  SHOW(uv_tcp_connect(&req, &t, A(&nobody), on_connect));
  SHOW(uv_tcp_connect(&req2, &t, A(&nobody), on_connect));
  SHOW(uv_cancel(R(&req)));
  SHOW(uv_is_readable(S(&t)));
  SHOW(uv_is_writable(S(&t)));
  SHOW(uv_read_start(S(&t), on_alloc, on_read));
  SHOW(uv_try_write(S(&t), &buf, 1));
  SHOW(uv_shutdown(&shut, S(&t), on_shutdown));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  NEED(uv_tcp_init_ex(loop, &closed, AF_INET));
  NEED(uv_ip6_addr("::1", 1, &a6));
  SHOW(uv_tcp_connect(&req2, &closed, A(&a6), on_connect));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  uv_close(H(&closed), NULL);
  SHOW(uv_tcp_connect(&req3, &u, A(&a), on_connect));
  SHOW(uv_write(&write, S(&u), &buf, 1, on_write));
  SHOW(uv_stream_get_write_queue_size(S(&u)));
  uv_close(H(&u), on_close);
  SHOW(uv_stream_get_write_queue_size(S(&u)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

static void show_options(uv_tcp_t *t) {
  struct sockaddr_storage a;
  int len = sizeof(a);

  SHOW(uv_tcp_nodelay(t, 1));
  SHOW(uv_tcp_nodelay(t, 77));
  SHOW(uv_tcp_keepalive(t, 0, 0));
  SHOW(uv_tcp_keepalive(t, 1, 0));
  SHOW(uv_tcp_keepalive(t, 1, 60));
  SHOW(uv_tcp_keepalive(t, 1, UINT_MAX));
  SHOW(uv_tcp_keepalive_ex(t, 1, 0, 0, 0));
  SHOW(uv_tcp_keepalive_ex(t, 1, 1, 0, 1));
  SHOW(uv_tcp_keepalive_ex(t, 1, 1, 1, 0));
  SHOW(uv_tcp_keepalive_ex(t, 1, 2, 3, 4));
  SHOW(uv_tcp_keepalive_ex(t, 0, 0, 0, 0));
  SHOW(uv_tcp_simultaneous_accepts(t, 1));
  SHOW(uv_tcp_simultaneous_accepts(t, 0));
  SHOW(uv_tcp_getsockname(t, A(&a), &len));
  len = sizeof(a);
  SHOW(uv_tcp_getpeername(t, A(&a), &len));
  len = 0;
  SHOW(uv_tcp_getsockname(t, A(&a), &len));
  SHOW(len);
  len = -1;
  SHOW(uv_tcp_getsockname(t, A(&a), &len));
  len = INT_MIN;
  SHOW(uv_tcp_getpeername(t, A(&a), &len));
  SHOW(uv_stream_set_blocking(S(t), 0));
}

static void options(uv_loop_t *loop) {
  static uv_tcp_t none, fresh, bound, connected, closed;
  struct sockaddr_in a = check_local(0);
  int fds[2], value;

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &none));
  NEED(uv_tcp_init_ex(loop, &fresh, AF_INET));
  NEED(uv_tcp_init(loop, &bound));
  NEED(uv_tcp_bind(&bound, A(&a), 0));
  NEED(uv_tcp_init(loop, &connected));
  NEED(uv_tcp_open(&connected, fds[0]));
  puts("no fd");
  show_options(&none);
  puts("fresh");
  show_options(&fresh);
  puts("bound");
  show_options(&bound);
  puts("connected");
  show_options(&connected);
  value = -1;
  SHOW(uv_send_buffer_size(H(&connected), &value));
  value = 1;
  SHOW(uv_send_buffer_size(H(&connected), &value));
  value = 0;
  SHOW(uv_send_buffer_size(H(&connected), &value));
  SHOW(value);
  value = INT_MAX;
  SHOW(uv_recv_buffer_size(H(&connected), &value));
  value = 0;
  SHOW(uv_recv_buffer_size(H(&connected), &value));
  SHOW(value);
  NEED(uv_tcp_init(loop, &closed));
  uv_close(H(&closed), NULL);
  uv_run(loop, UV_RUN_NOWAIT);
  puts("closed");
  show_options(&closed);
  close(fds[1]);
}

static void open_bad(uv_loop_t *loop) {
  static uv_tcp_t t, t2, u, w, w2;
  static uv_write_t write;
  FILE *file = tmpfile();
  int fds[2], pair[2], udp, fd;
  uv_buf_t buf = uv_buf_init("x", 1);

  NEED(uv_tcp_init(loop, &t));
  SHOW(uv_tcp_open(&t, -1));
  SHOW(uv_tcp_open(&t, INT_MIN));
  SHOW(uv_tcp_open(&t, INT_MAX));
  SHOW(uv_tcp_open(&t, 1 << 20));
  SHOW(uv_is_readable(S(&t)));
  NEED(uv_tcp_init(loop, &u));
  check_tcp_pair(fds);
  SHOW(uv_tcp_open(&u, fds[0]));
  SHOW(uv_tcp_open(&u, fds[0]));
  SHOW(uv_tcp_open(&u, fds[1]));
  SHOW(uv_is_readable(S(&u)));
  SHOW(uv_is_writable(S(&u)));
  SHOW(uv_read_start(S(&u), on_alloc, on_read));
  uv_run(loop, UV_RUN_NOWAIT);
  NEED(uv_tcp_init(loop, &w));
  SHOW(uv_tcp_open(&w, fds[0]));
  NEED(file == NULL ? -1 : 0);
  NEED(fd = dup(fileno(file)));
  fclose(file);
  SHOW(uv_tcp_open(&w, fd));
  NEED(uv_socketpair(SOCK_STREAM, 0, pair, 0, 0));
  NEED(uv_tcp_init(loop, &w2));
  SHOW(uv_tcp_open(&w2, pair[0]));
  SHOW(uv_try_write(S(&w2), &buf, 1));
  udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  NEED(uv_tcp_init(loop, &t2));
  SHOW(uv_tcp_open(&t2, udp));
  SHOW(uv_try_write(S(&t2), &buf, 1));
  SHOW(uv_write(&write, S(&t2), &buf, 1, on_write));
  uv_run(loop, UV_RUN_NOWAIT);
  close(fds[1]);
  close(pair[1]);

  SHOW(uv_socketpair(99, 0, fds, 0, 0));
  SHOW(uv_socketpair(SOCK_STREAM, 77, fds, 0, 0));
  SHOW(uv_socketpair(SOCK_STREAM, 0, fds, 0x7fff, 0));
  SHOW(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  SHOW(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
  close(fds[0]);
  close(fds[1]);
  SHOW(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, 0));
  SHOW(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  SHOW(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
  SHOW(fcntl(fds[1], F_GETFD));
  close(fds[0]);
  close(fds[1]);
  SHOW(uv_socketpair(SOCK_DGRAM, 0, fds, 0, UV_NONBLOCK_PIPE));
  SHOW(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
  close(fds[0]);
  close(fds[1]);
}

static void listen_bad(uv_loop_t *loop) {
  static uv_tcp_t unbound, negative, huge, l, c, c2, closed, connected;
  static uv_timer_t timer;
  int fds[2];

  NEED(uv_timer_init(loop, &timer));
  SHOW(uv_listen(S(&timer), 1, on_connection));
  NEED(uv_tcp_init(loop, &unbound));
  SHOW(uv_listen(S(&unbound), 1, on_connection));
  NEED(uv_tcp_init(loop, &negative));
  SHOW(uv_listen(S(&negative), -1, on_connection));
  SHOW(uv_listen(S(&negative), INT_MIN, on_connection));
  NEED(uv_tcp_init(loop, &huge));
  SHOW(uv_listen(S(&huge), INT_MAX, on_connection));
  SHOW(uv_listen(S(&huge), 0, on_connection));
  SHOW(uv_is_readable(S(&huge)));
  SHOW(uv_is_writable(S(&huge)));
  SHOW(uv_is_active(H(&huge)));
  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &connected));
  NEED(uv_tcp_open(&connected, fds[0]));
  SHOW(uv_listen(S(&connected), 1, on_connection));
  NEED(uv_tcp_init(loop, &c));
  NEED(uv_tcp_init(loop, &l));
  NEED(uv_listen(S(&l), 1, on_connection));
  SHOW(uv_accept(S(&l), S(&c)));
  SHOW(uv_accept(S(&l), S(&timer)));
  NEED(uv_tcp_init(loop, &c2));
  SHOW(uv_accept(S(&c2), S(&c)));
  SHOW(uv_read_start(S(&l), on_alloc, on_read));
  SHOW(uv_is_active(H(&l)));
  NEED(uv_tcp_init(loop, &closed));
  uv_close(H(&closed), NULL);
  SHOW(uv_listen(S(&closed), 1, on_connection));
  close(fds[1]);
}

static void read_bad(uv_loop_t *loop) {
  static uv_tcp_t none, t, closed;
  int fds[2];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &none));
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_open(&t, fds[0]));
  SHOW(uv_read_start(NULL, on_alloc, on_read));
  SHOW(uv_read_start(S(&t), NULL, on_read));
  SHOW(uv_read_start(S(&t), on_alloc, NULL));
  SHOW(uv_read_start(NULL, NULL, NULL));
  SHOW(uv_read_start(S(&none), on_alloc, on_read));
  SHOW(uv_read_stop(S(&none)));
  SHOW(uv_read_stop(S(&t)));
  SHOW(uv_is_active(H(&t)));
  SHOW(uv_read_start(S(&t), on_alloc, on_read));
  SHOW(uv_is_active(H(&t)));
  SHOW(uv_read_start(S(&t), on_alloc, on_read));
  SHOW(uv_read_stop(S(&t)));
  SHOW(uv_read_stop(S(&t)));
  SHOW(uv_is_active(H(&t)));

  NEED(write(fds[1], "hello", 5));
  SHOW(uv_read_start(S(&t), on_alloc_nothing, on_read));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_read_start(S(&t), on_alloc_null, on_read));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
  SHOW(uv_read_start(S(&t), on_alloc, on_read));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_is_active(H(&t)));
  SHOW(uv_is_readable(S(&t)));
  SHOW(uv_read_start(S(&t), on_alloc, on_read));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));

  NEED(uv_tcp_init(loop, &closed));
  uv_close(H(&closed), NULL);
  SHOW(uv_read_start(S(&closed), on_alloc, on_read));
  SHOW(uv_read_stop(S(&closed)));
  uv_run(loop, UV_RUN_NOWAIT);
  SHOW(uv_read_start(S(&closed), on_alloc, on_read));
}

static void write_bad(uv_loop_t *loop) {
  static uv_tcp_t none, t, other;
  static uv_write_t w[8];
  static uv_shutdown_t shut, shut2;
  uv_buf_t bufs[2] = {{.base = "ab", .len = 2}, {.base = "c", .len = 1}};
  uv_buf_t empty = uv_buf_init(NULL, 0);
  int fds[2];
  char got[64];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &none));
  NEED(uv_tcp_init(loop, &other));
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_open(&t, fds[0]));
  SHOW(uv_write(&w[0], S(&none), bufs, 2, on_write));
  SHOW(uv_try_write(S(&none), bufs, 2));
  SHOW(uv_shutdown(&shut, S(&none), on_shutdown));
  SHOW(uv_stream_get_write_queue_size(S(&none)));
  SHOW(uv_is_writable(S(&none)));

  SHOW(uv_write(&w[0], S(&t), bufs, UINT_MAX, on_write));
  SHOW(uv_write(&w[0], S(&t), bufs, (unsigned) INT_MIN, on_write));
  SHOW(uv_write(&w[0], S(&t), bufs, (unsigned) -5, on_write));
  SHOW(uv_write2(&w[0], S(&t), bufs, 2, S(&other), on_write));
  SHOW(uv_try_write2(S(&t), bufs, 2, S(&other)));
  SHOW(uv_write(&w[5], S(&t), bufs, 0, on_write));
  SHOW(uv_write(&w[6], S(&t), NULL, 0, on_write));
  SHOW(uv_try_write(S(&t), bufs, 0));
  SHOW(uv_try_write(S(&t), bufs, UINT_MAX));
  SHOW(uv_try_write(S(&t), &empty, 1));
  SHOW(uv_try_write(S(&t), bufs, 2));
  SHOW(uv_write(&w[1], S(&t), &empty, 1, on_write));
  SHOW(uv_write(&w[2], S(&t), bufs, 2, NULL));
  SHOW(uv_write2(&w[3], S(&t), bufs, 1, NULL, on_write));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_stream_get_write_queue_size(S(&t)));
  SHOW(read(fds[1], got, sizeof(got)));

  SHOW(uv_shutdown(&shut, S(&t), on_shutdown));
  SHOW(uv_shutdown(&shut2, S(&t), on_shutdown));
  SHOW(uv_is_writable(S(&t)));
  SHOW(uv_write(&w[4], S(&t), bufs, 2, on_write));
  SHOW(uv_try_write(S(&t), bufs, 2));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_shutdown(&shut2, S(&t), on_shutdown));
  SHOW(uv_write(&w[4], S(&t), bufs, 2, on_write));
  uv_close(H(&t), on_close);
  SHOW(uv_shutdown(&shut2, S(&t), on_shutdown));
  SHOW(uv_is_readable(S(&t)));
  SHOW(uv_is_writable(S(&t)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  close(fds[1]);
}

static void broken_peer(uv_loop_t *loop) {
  static uv_tcp_t t;
  static uv_write_t w[3];
  struct linger now = {1, 0};
  uv_buf_t buf = uv_buf_init("ab", 2);
  int fds[2];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_open(&t, fds[0]));
  NEED(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
  close(fds[1]); /* resets the connection */
  SHOW(uv_read_start(S(&t), on_alloc, on_read));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_write(&w[0], S(&t), &buf, 1, on_write));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_try_write(S(&t), &buf, 1));
  SHOW(uv_write(&w[1], S(&t), &buf, 1, on_write));
  uv_close(H(&t), on_close);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
}

static void reset(uv_loop_t *loop) {
  static uv_tcp_t none, t, u;
  static uv_shutdown_t shut;
  int fds[2], more[2];
  char got[8];

  NEED(uv_tcp_init(loop, &none));
  SHOW(uv_tcp_close_reset(&none, on_close));
  SHOW(uv_is_closing(H(&none)));
  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_open(&t, fds[0]));
  SHOW(uv_tcp_close_reset(&t, on_close));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(read(fds[1], got, sizeof(got)) < 0 ? -errno : 0);
  check_tcp_pair(more);
  NEED(uv_tcp_init(loop, &u));
  NEED(uv_tcp_open(&u, more[0]));
  NEED(uv_shutdown(&shut, S(&u), on_shutdown));
  SHOW(uv_tcp_close_reset(&u, on_close));
  SHOW(uv_is_closing(H(&u)));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(read(more[1], got, sizeof(got)));
  close(fds[1]);
  close(more[1]);
}

static void cancel(uv_loop_t *loop) {
  static uv_tcp_t t;
  static uv_write_t w[3];
  static uv_shutdown_t shut;
  static uv_connect_t odd;
  static char big[4 << 20];
  uv_buf_t buf = uv_buf_init(big, sizeof(big));
  int fds[2];

  memset(&odd, 0, sizeof(odd));
  SHOW(uv_cancel(R(&odd)));
  odd.type = UV_CONNECT;
  SHOW(uv_cancel(R(&odd)));
  odd.type = UV_SHUTDOWN;
  SHOW(uv_cancel(R(&odd)));
  odd.type = UV_UDP_SEND;
  SHOW(uv_cancel(R(&odd)));
  odd.type = (uv_req_type) 999;
  SHOW(uv_cancel(R(&odd)));
  odd.type = (uv_req_type) -1;
  SHOW(uv_cancel(R(&odd)));

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &t));
  NEED(uv_tcp_open(&t, fds[0]));
  NEED(uv_write(&w[0], S(&t), &buf, 1, NULL)); /* some of it waits */
  NEED(uv_write(&w[1], S(&t), &buf, 1, on_write));
  NEED(uv_write(&w[2], S(&t), &buf, 1, on_write));
  NEED(uv_shutdown(&shut, S(&t), on_shutdown));
  SHOW(uv_cancel(R(&w[1])));
  SHOW(uv_cancel(R(&shut)));
  SHOW(uv_run(loop, UV_RUN_NOWAIT) != 0);
  SHOW(uv_cancel(R(&w[1])));
  SHOW(uv_cancel(R(&w[1])));
  uv_close(H(&t), on_close);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_cancel(R(&w[2])));
  close(fds[1]);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"init", init},           {"bind_bad", bind_bad},
      {"connect_bad", connect_bad}, {"options", options},
      {"open_bad", open_bad},   {"listen_bad", listen_bad},
      {"read_bad", read_bad},   {"write_bad", write_bad},
      {"broken_peer", broken_peer}, {"reset", reset},
      {"cancel", cancel},       {NULL, NULL}};

  return check_main(argc, argv, table);
}
