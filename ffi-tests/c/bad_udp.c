/* Bad input: UDP handles.
 *
 * Left out because libuv asserts or crashes: NULL addresses for bind, NULL
 * group addresses, buffers that are NULL with a count, UV_UDP_MMSG_CHUNK given
 * by a caller, and uv_udp_recv_start on a closing handle. */
#include "check.h"

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_recv(uv_udp_t *u, ssize_t nread, const uv_buf_t *buf,
                    const struct sockaddr *from, unsigned flags) {
  (void) buf;
  if (nread == 0 && from == NULL)
    return;
  printf("received %zd, from somebody: %d, flags %u\n", nread, from != NULL,
         flags);
  uv_udp_recv_stop(u);
}
static void on_send(uv_udp_send_t *req, int status) {
  (void) req;
  SHOW(status);
}
static void on_close(uv_handle_t *h) {
  printf("closed a %s\n", uv_handle_type_name(h->type));
}

static void init_udp(uv_loop_t *loop) {
  static uv_udp_t u;
  static const unsigned flags[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX, 255,
                                   0x100,     AF_INET | UV_UDP_RECVMMSG,
                                   0x10000,   UINT_MAX};
  FILE *file = tmpfile();
  size_t i;

  for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    int rc = uv_udp_init_ex(loop, &u, flags[i]);

    SHOW(flags[i]);
    SHOW(rc);
    if (rc == 0) {
      SHOW(uv_udp_using_recvmmsg(&u));
      uv_close(H(&u), NULL);
      uv_run(loop, UV_RUN_NOWAIT);
    }
  }
  NEED(uv_udp_init(loop, &u));
  SHOW(uv_udp_open(&u, -1));
  SHOW(uv_udp_open(&u, INT_MAX));
  NEED(file == NULL ? -1 : 0);
  SHOW(uv_udp_open(&u, fileno(file)));
  fclose(file);
}

static void bind_udp(uv_loop_t *loop) {
  static uv_udp_t u, v, v6, closed;
  struct sockaddr_in a = check_local(0);
  struct sockaddr_in6 a6;
  struct sockaddr odd;
  int len = sizeof(a);

  memset(&odd, 0, sizeof(odd));
  NEED(uv_udp_init(loop, &u));
  NEED(uv_udp_init(loop, &v));
  NEED(uv_udp_init(loop, &v6));
  SHOW(uv_udp_getsockname(&u, A(&a), &len));
  SHOW(uv_udp_getpeername(&u, A(&a), &len));
  odd.sa_family = 99;
  SHOW(uv_udp_bind(&u, &odd, 0));
  SHOW(uv_udp_bind(&u, A(&a), 0x8000));
  SHOW(uv_udp_bind(&u, A(&a), UV_UDP_IPV6ONLY));
  SHOW(uv_udp_bind(&u, A(&a), 0));
  SHOW(uv_udp_bind(&u, A(&a), 0));
  len = sizeof(a);
  SHOW(uv_udp_getsockname(&u, A(&a), &len));
  len = -1;
  SHOW(uv_udp_getsockname(&u, A(&a), &len));
  SHOW(uv_udp_bind(&v, A(&a), 0));
  NEED(uv_ip6_addr("::1", 0, &a6));
  SHOW(uv_udp_bind(&v6, A(&a6), UV_UDP_IPV6ONLY));
  NEED(uv_udp_init(loop, &closed));
  uv_close(H(&closed), on_close);
  SHOW(uv_udp_recv_stop(&closed));
}

static void send_udp(uv_loop_t *loop) {
  static uv_udp_t u, r;
  static uv_udp_send_t req;
  static char big[70000];
  struct sockaddr_in a = check_local(0), odd;
  uv_buf_t buf = uv_buf_init("hello", 5), huge = uv_buf_init(big, 70000);
  uv_buf_t *many[2] = {&buf, &buf};
  struct sockaddr *to[2] = {A(&a), A(&a)};
  unsigned counts[2] = {1, 1};
  int len = sizeof(a);

  NEED(uv_udp_init(loop, &u));
  NEED(uv_udp_init(loop, &r));
  NEED(uv_udp_bind(&r, A(&a), 0));
  NEED(uv_udp_getsockname(&r, A(&a), &len));
  SHOW(uv_udp_recv_start(&r, NULL, on_recv));
  SHOW(uv_udp_recv_start(&r, on_alloc, NULL));
  SHOW(uv_udp_recv_stop(&r));
  SHOW(uv_udp_send(&req, &u, &buf, 1, NULL, on_send));
  SHOW(uv_udp_try_send(&u, &buf, 1, NULL));
  odd = a;
  odd.sin_family = 99;
  SHOW(uv_udp_send(&req, &u, &buf, 1, A(&odd), on_send));
  SHOW(uv_udp_try_send(&u, &buf, 1, A(&odd)));
  SHOW(uv_udp_send(&req, &u, &buf, 0, A(&a), on_send));
  SHOW(uv_udp_try_send(&u, &buf, 0, A(&a)));
  SHOW(uv_udp_try_send2(&u, 0, many, counts, to, 0));
  SHOW(uv_udp_try_send2(&u, 1, many, counts, to, 1));
  SHOW(uv_udp_try_send(&u, &huge, 1, A(&a)));
  SHOW(uv_udp_send(&req, &u, &huge, 1, A(&a), on_send));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_udp_get_send_queue_size(&u));
  SHOW(uv_udp_get_send_queue_count(&u));
  SHOW(uv_udp_try_send(&u, &buf, 1, A(&a)));
  SHOW(uv_udp_recv_start(&r, on_alloc, on_recv));
  SHOW(uv_udp_recv_start(&r, on_alloc, on_recv));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(uv_udp_connect(&u, A(&odd)));
  SHOW(uv_udp_connect(&u, NULL));
  SHOW(uv_udp_connect(&u, A(&a)));
  SHOW(uv_udp_connect(&u, A(&a)));
  SHOW(uv_udp_send(&req, &u, &buf, 1, A(&a), on_send));
  SHOW(uv_udp_try_send(&u, &buf, 1, A(&a)));
  SHOW(uv_udp_try_send(&u, &buf, 1, NULL));
  SHOW(uv_udp_connect(&u, NULL));
  SHOW(uv_udp_connect(&u, NULL));
}

static void options_udp(uv_loop_t *loop) {
  static uv_udp_t u, none;
  struct sockaddr_in a = check_local(0);

  NEED(uv_udp_init(loop, &none));
  NEED(uv_udp_init(loop, &u));
  SHOW(uv_udp_set_ttl(&none, 1));
  SHOW(uv_udp_set_broadcast(&none, 1));
  SHOW(uv_udp_set_multicast_loop(&none, 1));
  SHOW(uv_udp_set_multicast_ttl(&none, 1));
  NEED(uv_udp_bind(&u, A(&a), 0));
  SHOW(uv_udp_set_ttl(&u, 0));
  SHOW(uv_udp_set_ttl(&u, 256));
  SHOW(uv_udp_set_ttl(&u, -1));
  SHOW(uv_udp_set_ttl(&u, 64));
  SHOW(uv_udp_set_broadcast(&u, 77));
  SHOW(uv_udp_set_multicast_ttl(&u, 256));
  SHOW(uv_udp_set_multicast_ttl(&u, -1));
  SHOW(uv_udp_set_multicast_ttl(&u, -2));
  SHOW(uv_udp_set_multicast_loop(&u, 77));
  SHOW(uv_udp_set_membership(&u, "no address", NULL, UV_JOIN_GROUP));
  SHOW(uv_udp_set_membership(&u, "127.0.0.1", NULL, UV_JOIN_GROUP));
  SHOW(uv_udp_set_membership(&u, "239.1.2.3", "nonsense", UV_JOIN_GROUP));
  SHOW(uv_udp_set_membership(&u, "239.1.2.3", "127.0.0.1",
                             (uv_membership) 99));
  SHOW(uv_udp_set_multicast_interface(&u, "nonsense"));
}

int main(int argc, char **argv) {
  static const struct section table[] = {{"init_udp", init_udp},
                                         {"bind_udp", bind_udp},
                                         {"send_udp", send_udp},
                                         {"options_udp", options_udp},
                                         {NULL, NULL}};

  return check_main(argc, argv, table);
}
