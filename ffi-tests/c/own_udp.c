/* What uvring.h adds to UDP. libuv has no such functions to compare with, so
 * the kernel's own view of each datagram is held against what was asked for. */
#include "check.h"
#include <sys/wait.h>
#include <uvring.h>

#define MUST(expr)                                                             \
  do {                                                                         \
    if (!(expr)) {                                                             \
      printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #expr);                \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

enum { TOS = 0x62, SEGMENT = 1000 };

static struct sockaddr_storage to;
static int calls, segments;

/* A socket of the kernel's own that tells type of service and sender. */
static int receiver(int family) {
  int on = 1, fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t len = sizeof(to);

  memset(&to, 0, sizeof(to));
  if (family == AF_INET)
    NEED(uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *) &to));
  else
    NEED(uv_ip6_addr("::1", 0, (struct sockaddr_in6 *) &to));
  if (bind(fd, A(&to), len) != 0) {
    printf("skipped: no address of family %d here: %s\n", family,
           strerror(errno));
    close(fd);
    return -1;
  }
  NEED(getsockname(fd, A(&to), &len));
  if (family == AF_INET)
    NEED(setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)));
  else
    NEED(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on)));
  return fd;
}

/* Takes one datagram: its length, its type of service, its IPv4 sender. */
static ssize_t take(int fd, int *tos, struct sockaddr_in *from) {
  static char bytes[65536];
  union {
    struct cmsghdr align;
    char room[256];
  } control;
  struct iovec part = {bytes, sizeof(bytes)};
  struct msghdr msg = {0};
  struct cmsghdr *c;
  ssize_t n;

  msg.msg_iov = &part;
  msg.msg_iovlen = 1;
  msg.msg_name = from;
  msg.msg_namelen = from == NULL ? 0 : sizeof(*from);
  msg.msg_control = &control;
  msg.msg_controllen = sizeof(control);
  n = recvmsg(fd, &msg, MSG_DONTWAIT);
  if (tos != NULL)
    *tos = -1;
  for (c = CMSG_FIRSTHDR(&msg); n >= 0 && c != NULL && tos != NULL;
       c = CMSG_NXTHDR(&msg, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
      *tos = *CMSG_DATA(c);
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
      memcpy(tos, CMSG_DATA(c), sizeof(*tos));
  }
  return n;
}

static void open_sender(uv_loop_t *loop, uv_udp_t *u, int family) {
  struct sockaddr_storage any;

  memset(&any, 0, sizeof(any));
  any.ss_family = (sa_family_t) family;
  NEED(uv_udp_init(loop, u));
  NEED(uv_udp_bind(u, A(&any), 0));
}

/* One datagram with options, now. */
static int try_one(uv_udp_t *u, const char *bytes, size_t len,
                   const uvring_udp_send_opts_t *opts) {
  uv_buf_t buf = uv_buf_init((char *) bytes, (unsigned) len), *bufs[1];
  struct sockaddr *addrs[1] = {A(&to)};
  unsigned counts[1] = {1};

  bufs[0] = &buf;
  return uvring_udp_try_send3(u, 1, bufs, counts, addrs, &opts, 0);
}

static void on_sent(uv_udp_send_t *req, int status) {
  (void) req;
  MUST(status == 0);
  calls++;
}

static void bad(uv_loop_t *loop) {
  static uv_udp_t u, none, gone;
  static uv_udp_send_t req;
  uvring_udp_send_opts_t opts;
  uvring_udp_recv_info_t info;
  struct sockaddr_in6 *src6 = (struct sockaddr_in6 *) &opts.src;
  uv_buf_t buf = uv_buf_init("x", 1);
  int fd = receiver(AF_INET), mtu = 0;

  open_sender(loop, &u, AF_INET);
  NEED(uv_udp_init(loop, &none));
  NEED(uv_udp_init(loop, &gone));
  uv_close(H(&gone), NULL);
  memset(&opts, 0, sizeof(opts));
  opts.flags = 0x100;
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  MUST(uvring_udp_send2(&req, &u, &buf, 1, A(&to), &opts, NULL) == UV_EINVAL);
  opts.flags = UVRING_UDP_SEND_TOS;
  opts.tos = 256;
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  opts.tos = -1;
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  opts.flags = UVRING_UDP_SEND_SEGMENT;
  opts.segment_size = 0;
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  opts.segment_size = 65536;
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  opts.flags = UVRING_UDP_SEND_PKTINFO;
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  NEED(uv_ip6_addr("::1", 0, src6));
  MUST(try_one(&u, "x", 1, &opts) == UV_EINVAL);
  NEED(uv_ip4_addr("192.0.2.1", 0, (struct sockaddr_in *) &opts.src));
  MUST(try_one(&u, "x", 1, &opts) < 0);
  MUST(take(fd, NULL, NULL) == -1);

  MUST(uvring_udp_set_recv_info(&u, 0x100) == UV_EINVAL);
  MUST(uvring_udp_set_recv_info(&none, UVRING_UDP_RECV_TOS) == UV_EBADF);
  MUST(uvring_udp_set_recv_info(&gone, UVRING_UDP_RECV_TOS) == UV_EINVAL);
  MUST(uvring_udp_recv_info(&u, &info) == UV_EINVAL);
  MUST(uvring_udp_recv_info(&u, NULL) == UV_EINVAL);
  MUST(uvring_udp_set_tos(&u, 256) == UV_EINVAL);
  MUST(uvring_udp_set_tos(&u, -1) == UV_EINVAL);
  MUST(uvring_udp_set_tos(&none, 1) == UV_EBADF);
  MUST(uvring_udp_set_tos(&gone, 1) == UV_EINVAL);
  MUST(uvring_udp_set_dontfrag(&none, 1) == UV_EBADF);
  MUST(uvring_udp_get_mtu(&u, &mtu) == UV_ENOTCONN);
  MUST(uvring_udp_get_mtu(&u, NULL) == UV_EINVAL);
  MUST(uvring_udp_set_incoming_cpu(&u, -1) == UV_EINVAL);
  MUST(uvring_udp_set_incoming_cpu(&none, 0) == UV_EBADF);
  close(fd);
}

static void tos_of(uv_loop_t *loop, int family) {
  static uv_udp_t u;
  static uv_udp_send_t req[3];
  uvring_udp_send_opts_t opts[3];
  uv_buf_t buf = uv_buf_init("ping", 4);
  int i, tos, fd = receiver(family);

  if (fd == -1)
    return;
  open_sender(loop, &u, family);
  memset(opts, 0, sizeof(opts));
  for (i = 0; i < 3; i++) {
    opts[i].flags = UVRING_UDP_SEND_TOS;
    opts[i].tos = TOS + i;
  }
  MUST(try_one(&u, "ping", 4, &opts[0]) == 1);
  MUST(take(fd, &tos, NULL) == 4 && tos == TOS);
  MUST(try_one(&u, "ping", 4, NULL) == 1);
  MUST(take(fd, &tos, NULL) == 4 && tos == 0);
  /* Requests, each with its own; the options need not stay. */
  calls = 0;
  for (i = 0; i < 3; i++) {
    NEED(uvring_udp_send2(&req[i], &u, &buf, 1, A(&to),
                          i == 1 ? NULL : &opts[i], on_sent));
    opts[i].tos = 0;
  }
  check_run_until(loop, &calls, 3, 10);
  MUST(take(fd, &tos, NULL) == 4 && tos == TOS);
  MUST(take(fd, &tos, NULL) == 4 && tos == 0);
  MUST(take(fd, &tos, NULL) == 4 && tos == TOS + 2);
  /* For the whole socket. */
  MUST(uvring_udp_set_tos(&u, 0x03) == 0);
  MUST(try_one(&u, "ping", 4, NULL) == 1);
  MUST(take(fd, &tos, NULL) == 4 && tos == 0x03);
  uv_close(H(&u), NULL);
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  close(fd);
}
static void tos(uv_loop_t *loop) {
  tos_of(loop, AF_INET);
  tos_of(loop, AF_INET6);
}

/* One call with and without options. */
static void batch(uv_loop_t *loop) {
  static uv_udp_t u;
  uvring_udp_send_opts_t opts[2];
  const uvring_udp_send_opts_t *each[3] = {&opts[0], NULL, &opts[1]};
  uv_buf_t bufs[3] = {{"one", 3}, {"four", 4}, {"seven", 5}};
  uv_buf_t *parts[3] = {&bufs[0], &bufs[1], &bufs[2]};
  struct sockaddr *addrs[3] = {A(&to), A(&to), A(&to)};
  unsigned counts[3] = {1, 1, 1};
  int tos, fd = receiver(AF_INET);

  open_sender(loop, &u, AF_INET);
  memset(opts, 0, sizeof(opts));
  opts[0].flags = opts[1].flags = UVRING_UDP_SEND_TOS;
  opts[0].tos = 0x28;
  opts[1].tos = TOS;
  MUST(uvring_udp_try_send3(&u, 3, parts, counts, addrs, each, 1) ==
       UV_EINVAL);
  MUST(uvring_udp_try_send3(&u, 0, parts, counts, addrs, each, 0) ==
       UV_EINVAL);
  MUST(uvring_udp_try_send3(&u, 3, parts, counts, addrs, each, 0) == 3);
  MUST(take(fd, &tos, NULL) == 3 && tos == 0x28);
  MUST(take(fd, &tos, NULL) == 4 && tos == 0);
  MUST(take(fd, &tos, NULL) == 5 && tos == TOS);
  MUST(uvring_udp_try_send3(&u, 3, parts, counts, addrs, NULL, 0) == 3);
  MUST(take(fd, &tos, NULL) == 3 && tos == 0);
  /* One that is wrong, and none is sent. */
  opts[1].tos = 999;
  MUST(take(fd, NULL, NULL) == 4 && take(fd, NULL, NULL) == 5);
  MUST(uvring_udp_try_send3(&u, 3, parts, counts, addrs, each, 0) ==
       UV_EINVAL);
  MUST(take(fd, NULL, NULL) == -1);
  close(fd);
}

static void source(uv_loop_t *loop) {
  static uv_udp_t u;
  uvring_udp_send_opts_t opts;
  struct sockaddr_in from, *src = (struct sockaddr_in *) &opts.src;
  int fd = receiver(AF_INET);

  open_sender(loop, &u, AF_INET);
  memset(&opts, 0, sizeof(opts));
  opts.flags = UVRING_UDP_SEND_PKTINFO;
  NEED(uv_ip4_addr("127.0.0.2", 0, src));
  MUST(try_one(&u, "ping", 4, &opts) == 1);
  MUST(take(fd, NULL, &from) == 4);
  MUST(from.sin_addr.s_addr == src->sin_addr.s_addr);
  close(fd);
}

/* The kernel cuts one long buffer. */
static void gso(uv_loop_t *loop) {
  static uv_udp_t u;
  static uv_udp_send_t req;
  static char bytes[2500];
  uv_buf_t buf = uv_buf_init(bytes, sizeof(bytes));
  uvring_udp_send_opts_t opts;
  int i, rc, tos, fd = receiver(AF_INET);

  open_sender(loop, &u, AF_INET);
  memset(&opts, 0, sizeof(opts));
  opts.flags = UVRING_UDP_SEND_SEGMENT | UVRING_UDP_SEND_TOS;
  opts.segment_size = SEGMENT;
  opts.tos = TOS;
  rc = try_one(&u, bytes, sizeof(bytes), &opts);
  if (rc == UV_ENOTSUP) {
    puts("skipped: this kernel cuts no UDP segments");
    close(fd);
    return;
  }
  MUST(rc == 1);
  calls = 0;
  NEED(uvring_udp_send2(&req, &u, &buf, 1, A(&to), &opts, on_sent));
  MUST(uv_udp_get_send_queue_size(&u) == sizeof(bytes));
  check_run_until(loop, &calls, 1, 10);
  for (i = 0; i < 2; i++) {
    MUST(take(fd, &tos, NULL) == SEGMENT && tos == TOS);
    MUST(take(fd, &tos, NULL) == SEGMENT && tos == TOS);
    MUST(take(fd, &tos, NULL) == 500 && tos == TOS);
  }
  MUST(take(fd, NULL, NULL) == -1);
  close(fd);
}

/* ---- receiving --------------------------------------------------------- */

static unsigned wanted;
static char slab[2 * 65536];

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  (void) h;
  (void) size;
  *buf = uv_buf_init(slab, sizeof(slab));
}
static void on_recv(uv_udp_t *u, ssize_t nread, const uv_buf_t *buf,
                    const struct sockaddr *from, unsigned flags) {
  uvring_udp_recv_info_t info;
  const struct sockaddr_in *dst = (void *) &info.dst;
  const struct sockaddr_in6 *dst6 = (void *) &info.dst;

  (void) buf;
  (void) flags;
  MUST(nread >= 0);
  if (from == NULL) {
    MUST(uvring_udp_recv_info(u, &info) == UV_EINVAL);
    return;
  }
  MUST(nread == 4);
  calls++;
  if (wanted == 0) {
    MUST(uvring_udp_recv_info(u, &info) == UV_EINVAL);
    return;
  }
  MUST(uvring_udp_recv_info(u, &info) == 0);
  MUST(info.valid == wanted);
  MUST(info.tos == (wanted & UVRING_UDP_RECV_TOS ? TOS : 0));
  MUST((info.ttl > 0 && info.ttl < 256) == !!(wanted & UVRING_UDP_RECV_TTL));
  MUST((info.ifindex > 0) == !!(wanted & UVRING_UDP_RECV_PKTINFO));
  if (!(wanted & UVRING_UDP_RECV_PKTINFO))
    MUST(info.dst.ss_family == 0);
  else if (to.ss_family == AF_INET)
    MUST(dst->sin_family == AF_INET && dst->sin_port == 0 &&
         dst->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  else
    MUST(dst6->sin6_family == AF_INET6 &&
         memcmp(&dst6->sin6_addr, &in6addr_loopback, 16) == 0);
}

static void info_of(uv_loop_t *loop, int family, unsigned flags) {
  static const unsigned masks[] = {
      UVRING_UDP_RECV_TOS, UVRING_UDP_RECV_TTL | UVRING_UDP_RECV_PKTINFO,
      UVRING_UDP_RECV_TOS | UVRING_UDP_RECV_TTL | UVRING_UDP_RECV_PKTINFO, 0};
  static uv_udp_t r, u;
  int namelen = sizeof(to), fd = receiver(family);
  size_t i;

  if (fd == -1)
    return;
  close(fd);
  NEED(uv_udp_init_ex(loop, &r, (unsigned) family | flags));
  NEED(uv_udp_bind(&r, A(&to), 0));
  NEED(uv_udp_getsockname(&r, A(&to), &namelen));
  open_sender(loop, &u, family);
  MUST(uvring_udp_set_tos(&u, TOS) == 0);
  NEED(uv_udp_recv_start(&r, on_alloc, on_recv));
  for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
    wanted = masks[i];
    MUST(uvring_udp_set_recv_info(&r, wanted) == 0);
    calls = 0;
    MUST(try_one(&u, "ping", 4, NULL) == 1);
    MUST(try_one(&u, "pong", 4, NULL) == 1);
    check_run_until(loop, &calls, 2, 20);
    MUST(calls == 2);
  }
  uv_close(H(&r), NULL);
  uv_close(H(&u), NULL);
  NEED(uv_run(loop, UV_RUN_DEFAULT));
}
static void info(uv_loop_t *loop) {
  info_of(loop, AF_INET, 0);
  info_of(loop, AF_INET, UV_UDP_RECVMMSG);
  info_of(loop, AF_INET6, 0);
  info_of(loop, AF_INET6, UV_UDP_RECVMMSG);
}

static void on_together(uv_udp_t *u, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags) {
  uvring_udp_recv_info_t told;
  ssize_t i;

  (void) flags;
  MUST(nread >= 0);
  if (from == NULL)
    return;
  MUST(uvring_udp_recv_info(u, &told) == 0);
  if (nread > SEGMENT) {
    MUST(told.valid & UVRING_UDP_RECV_GRO);
    MUST(told.segment_size == SEGMENT);
  }
  for (i = 0; i < nread; i++)
    MUST(buf->base[i] == 'g');
  calls++;
  segments += (int) ((nread + SEGMENT - 1) / SEGMENT);
}
/* What was cut arrives in one piece, told apart by its length. */
static void gro(uv_loop_t *loop) {
  static uv_udp_t r, u;
  static char bytes[10 * SEGMENT - 1];
  uvring_udp_send_opts_t opts;
  int namelen = sizeof(to), rc, fd = receiver(AF_INET);

  close(fd);
  memset(bytes, 'g', sizeof(bytes));
  NEED(uv_udp_init(loop, &r));
  NEED(uv_udp_bind(&r, A(&to), 0));
  NEED(uv_udp_getsockname(&r, A(&to), &namelen));
  rc = uvring_udp_set_recv_info(&r, UVRING_UDP_RECV_GRO);
  if (rc == UV_ENOPROTOOPT) {
    puts("skipped: this kernel puts no UDP segments together");
    return;
  }
  MUST(rc == 0);
  open_sender(loop, &u, AF_INET);
  memset(&opts, 0, sizeof(opts));
  opts.flags = UVRING_UDP_SEND_SEGMENT;
  opts.segment_size = SEGMENT;
  MUST(try_one(&u, bytes, sizeof(bytes), &opts) == 1);
  NEED(uv_udp_recv_start(&r, on_alloc, on_together));
  check_run_until(loop, &segments, 10, 20);
  MUST(segments == 10);
  MUST(calls == 1);
}

static void path(uv_loop_t *loop) {
  static uv_udp_t u, v6;
  int own = -1, value = 0, mtu = 0, fd;
  socklen_t len = sizeof(value);

  fd = receiver(AF_INET);
  open_sender(loop, &u, AF_INET);
  MUST(uvring_udp_set_dontfrag(&u, 1) == 0);
  NEED(uv_fileno(H(&u), &own));
  NEED(getsockopt(own, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len));
  MUST(value == IP_PMTUDISC_PROBE);
  MUST(uvring_udp_set_dontfrag(&u, 0) == 0);
  NEED(getsockopt(own, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len));
  MUST(value == IP_PMTUDISC_DONT);
  MUST(uvring_udp_set_incoming_cpu(&u, 0) == 0);
  NEED(getsockopt(own, SOL_SOCKET, SO_INCOMING_CPU, &value, &len));
  MUST(value == 0);
  NEED(uv_udp_connect(&u, A(&to)));
  MUST(uvring_udp_get_mtu(&u, &mtu) == 0);
  MUST(mtu >= 1280);
  close(fd);
  fd = receiver(AF_INET6);
  if (fd == -1)
    return;
  open_sender(loop, &v6, AF_INET6);
  MUST(uvring_udp_set_dontfrag(&v6, 1) == 0);
  NEED(uv_udp_connect(&v6, A(&to)));
  MUST(uvring_udp_get_mtu(&v6, &mtu) == 0);
  MUST(mtu >= 1280);
  close(fd);
}

/* ---- when it goes out -------------------------------------------------- */

static uv_udp_t sender;
static uv_udp_send_t reqs[9];
static int other;

/* Sends `count` letters from `first` on. */
static void send_some(int first, int count, int connected) {
  static char letters[] = "abcdefghi";
  uv_buf_t buf;

  for (; count > 0; first++, count--) {
    buf = uv_buf_init(&letters[first], 1);
    NEED(uv_udp_send(&reqs[first], &sender, &buf, 1, connected ? NULL : A(&to),
                     on_sent));
  }
}

/* Takes all that has arrived: true if it is `want`. */
static int arrived(const char *want) {
  char text[64];
  size_t len = 0;
  ssize_t n;

  while ((n = recv(other, text + len, 1, MSG_DONTWAIT)) > 0)
    len += (size_t) n;
  if (len != strlen(want) || memcmp(text, want, len) != 0) {
    printf("arrived: %.*s\n", (int) len, text);
    return 0;
  }
  return 1;
}

static void on_closed(uv_handle_t *h) {
  (void) h;
  MUST(calls == 3);
}
static void cb_closes(uv_timer_t *t) {
  (void) t;
  send_some(0, 3, 0);
  uv_close(H(&sender), on_closed);
  MUST(arrived("abc"));
}
/* Whoever changes the socket finds all sent that was sent before. */
static void cb_settings(uv_timer_t *t) {
  int fd = -1;

  (void) t;
  send_some(0, 3, 0);
  NEED(uv_fileno(H(&sender), &fd));
  MUST(arrived("abc"));
  send_some(3, 3, 0);
  NEED(uv_udp_connect(&sender, A(&to)));
  MUST(arrived("def"));
  send_some(6, 2, 1);
  NEED(uv_udp_set_ttl(&sender, 7));
  MUST(arrived("gh"));
  send_some(8, 1, 1);
  NEED(uv_udp_connect(&sender, NULL));
  MUST(arrived("i"));
}
static void cb_gathers(uv_timer_t *t) {
  (void) t;
  send_some(0, 9, 0);
  MUST(arrived("a"));
}
static void cb_nested(uv_timer_t *t) {
  send_some(0, 3, 0);
  NEED(uv_run(t->loop, UV_RUN_NOWAIT));
  MUST(arrived("abc"));
  MUST(calls == 3);
}
static void cb_exits(uv_timer_t *t) {
  (void) t;
  send_some(0, 3, 0);
  exit(7);
}
static void cb_forks(uv_timer_t *t) {
  pid_t pid;
  int status = 0;

  (void) t;
  send_some(0, 3, 0);
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0)
    exit(8);
  NEED(waitpid(pid, &status, 0));
  MUST(WEXITSTATUS(status) == 8);
  send_some(3, 2, 0);
}

static void in_callback(uv_loop_t *loop, uv_timer_cb cb) {
  static uv_timer_t timer;

  calls = 0;
  open_sender(loop, &sender, AF_INET);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, cb, 0, 0));
  NEED(uv_run(loop, UV_RUN_DEFAULT));
  if (!uv_is_closing(H(&sender)))
    uv_close(H(&sender), NULL);
  uv_close(H(&timer), NULL);
  NEED(uv_run(loop, UV_RUN_DEFAULT));
}
static void out(uv_loop_t *loop) {
  pid_t pid;
  int status = 0;

  other = receiver(AF_INET);
  in_callback(loop, cb_gathers);
  MUST(arrived("bcdefghi"));
  in_callback(loop, cb_closes);
  in_callback(loop, cb_settings);
  in_callback(loop, cb_nested);
  in_callback(loop, cb_forks);
  MUST(arrived("abcde"));
  fflush(stdout);
  pid = fork();
  NEED(pid);
  if (pid == 0) {
    NEED(uv_loop_fork(loop));
    in_callback(loop, cb_exits);
    _exit(1);
  }
  NEED(waitpid(pid, &status, 0));
  MUST(WEXITSTATUS(status) == 7);
  MUST(arrived("abc"));
  close(other);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"bad", bad}, {"tos", tos},   {"batch", batch}, {"source", source},
      {"gso", gso}, {"info", info}, {"gro", gro},     {"path", path},
      {"out", out}, {NULL, NULL},
  };
  return check_main(argc, argv, table);
}
