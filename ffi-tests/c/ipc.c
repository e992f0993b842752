/* Handles passed along on ipc pipes: sent, received, queued, refused. */
#include "check.h"
#include <dirent.h>

static void on_write(uv_write_t *req, int status) {
  printf("written: %s, %zu bytes\n", status == 0 ? "0" : uv_err_name(status),
         uv_write_nwritten(req));
}
static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  static char bytes[65536];

  (void) h;
  (void) size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}
static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  (void) buf;
  if (nread == 0)
    return; /* allowed at any time */
  printf("read: %zd %s\n", nread, nread < 0 ? uv_err_name((int) nread) : "");
  if (nread < 0)
    uv_read_stop(s);
}

/* Open descriptors that are sockets or pipes: of these a loop itself makes
 * none after its start. */
static int open_sockets(void) {
  char link[64], target[64];
  struct dirent *entry;
  DIR *dir = opendir("/proc/self/fd");
  ssize_t n;
  int count = 0;

  while ((entry = readdir(dir)) != NULL) {
    snprintf(link, sizeof(link), "/proc/self/fd/%.16s", entry->d_name);
    n = readlink(link, target, sizeof(target));
    count += n > 7 && (memcmp(target, "socket:", 7) == 0);
  }
  closedir(dir);
  return count;
}

/* Two ends of an ipc channel: a handle and a descriptor. */
static int channel(uv_loop_t *loop, uv_pipe_t *p, int ipc) {
  int fds[2];

  NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  NEED(uv_pipe_init(loop, p, ipc));
  NEED(uv_pipe_open(p, fds[0]));
  return fds[1];
}

/* Sends `count` copies of `fd` with `len` bytes. */
static void pass(int via, int fd, int count, const char *bytes, size_t len) {
  char control[CMSG_SPACE(253 * sizeof(int))];
  struct iovec iov = {(void *) bytes, len};
  struct msghdr msg = {0};
  struct cmsghdr *c;
  int i;

  memset(control, 0, sizeof(control));
  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  if (count > 0) {
    msg.msg_control = control;
    msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
    c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (i = 0; i < count; i++)
      memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
  }
  NEED(sendmsg(via, &msg, MSG_NOSIGNAL));
}

/* Takes one message: prints its bytes and the kinds of what came along. */
static void take(int via) {
  char control[CMSG_SPACE(253 * sizeof(int))], bytes[256];
  struct iovec iov = {bytes, sizeof(bytes)};
  struct msghdr msg = {0};
  struct cmsghdr *c;
  ssize_t n;
  int fd;

  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  msg.msg_control = control;
  msg.msg_controllen = sizeof(control);
  n = recvmsg(via, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  printf("message of %zd", n);
  for (c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    printf(" with %zu, a %s", (c->cmsg_len - CMSG_LEN(0)) / sizeof(int),
           uv_handle_type_name(uv_guess_handle(fd)));
    close(fd);
  }
  puts("");
}

static void send_bad(uv_loop_t *loop) {
  static uv_pipe_t ipc, plain, unused, bound;
  static uv_tcp_t tcp, no_socket;
  static uv_udp_t udp, no_udp;
  static uv_timer_t timer;
  static uv_poll_t poll;
  static uv_write_t req;
  void *all[] = {&unused, &bound, &plain, &ipc, &tcp, &no_socket,
                 &udp,    &no_udp, &timer, &poll};
  static char empty[1];
  struct sockaddr_in a = check_local(0);
  uv_buf_t buf = uv_buf_init("hello", 5), none = uv_buf_init(empty, 0);
  int far, other, i;

  far = channel(loop, &ipc, 1);
  other = channel(loop, &plain, 0);
  NEED(uv_pipe_init(loop, &unused, 0));
  NEED(uv_pipe_init(loop, &bound, 0));
  NEED(uv_pipe_bind(&bound, ""));
  NEED(uv_tcp_init_ex(loop, &tcp, AF_INET));
  NEED(uv_tcp_init(loop, &no_socket));
  NEED(uv_udp_init(loop, &udp));
  NEED(uv_udp_bind(&udp, A(&a), 0));
  NEED(uv_udp_init(loop, &no_udp));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_poll_init(loop, &poll, other));
  for (i = 0; i < 10; i++) {
    printf("handle %d\n", i);
    SHOW(uv_write2(&req, S(&ipc), &buf, 1, all[i], on_write));
    SHOW(req.send_handle == NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    take(far);
    SHOW(uv_try_write2(S(&ipc), &buf, 1, all[i]));
    take(far);
    SHOW(uv_write2(&req, S(&plain), &buf, 1, all[i], on_write));
    SHOW(uv_try_write2(S(&plain), &buf, 1, all[i]));
    SHOW(uv_write2(&req, S(&tcp), &buf, 1, all[i], on_write));
  }
  SHOW(uv_write2(&req, S(&ipc), &buf, 1, NULL, on_write));
  uv_run(loop, UV_RUN_NOWAIT);
  take(far);
  SHOW(uv_write2(&req, S(&ipc), &none, 1, S(&tcp), on_write));
  uv_run(loop, UV_RUN_NOWAIT);
  take(far);
  SHOW(uv_write2(&req, S(&ipc), NULL, 0, S(&tcp), on_write));
  uv_close(H(&tcp), NULL);
  SHOW(uv_write2(&req, S(&ipc), &buf, 1, S(&tcp), on_write));
  SHOW(uv_try_write2(S(&ipc), &buf, 1, S(&tcp)));
  close(far);
  SHOW(uv_try_write2(S(&ipc), &buf, 1, S(&udp)));
  SHOW(uv_write2(&req, S(&ipc), &buf, 1, S(&udp), on_write));
  uv_run(loop, UV_RUN_NOWAIT);
  uv_close(H(&ipc), NULL);
  SHOW(uv_write2(&req, S(&ipc), &buf, 1, S(&udp), on_write));
  uv_close(H(&bound), NULL);
  uv_close(H(&poll), NULL);
  uv_run(loop, UV_RUN_NOWAIT);
  close(other);
}

/* Writes in one callback, handles with some of them: each handle arrives with
 * its own bytes, and may be closed as soon as it was written. */
static uv_pipe_t mixed_pipe;
static uv_tcp_t mixed_tcp;
static uv_udp_t mixed_udp;
static int mixed_written;

static void on_mixed(uv_write_t *req, int status) {
  (void) req;
  mixed_written += status == 0;
}
static void mix(uv_timer_t *timer) {
  static uv_write_t reqs[8];
  uv_buf_t buf = uv_buf_init("12345678", 8);
  int i;

  for (i = 0; i < 8; i++) {
    uv_stream_t *along = i == 3 ? S(&mixed_tcp) : i == 6 ? S(&mixed_udp) : NULL;

    buf.len = (unsigned) i + 1;
    SHOW(uv_write2(&reqs[i], S(&mixed_pipe), &buf, 1, along, on_mixed));
    if (along != NULL)
      uv_close(H(along), NULL);
  }
  uv_close(H(timer), NULL);
}
static void send_mixed(uv_loop_t *loop) {
  static uv_timer_t timer;
  struct sockaddr_in a = check_local(0);
  int far = channel(loop, &mixed_pipe, 1), i;
  char bytes[64];
  ssize_t n, total = 0;

  NEED(uv_tcp_init_ex(loop, &mixed_tcp, AF_INET));
  NEED(uv_udp_init(loop, &mixed_udp));
  NEED(uv_udp_bind(&mixed_udp, A(&a), 0));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, mix, 0, 0));
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(mixed_written);
  SHOW(uv_stream_get_write_queue_size(S(&mixed_pipe)));
  /* A read takes plain bytes up to and with the first message that carries
   * something. */
  take(far);
  take(far);
  for (i = 0; i < 8; i++)
    if ((n = recv(far, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
      total += n;
  SHOW(total);
  close(far);
  uv_close(H(&mixed_pipe), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets());
}

/* What was written on a handle is out before the handle is passed along. */
static uv_tcp_t early_tcp;
static int early_far;
static void early(uv_timer_t *timer) {
  static uv_write_t reqs[4];
  uv_buf_t buf = uv_buf_init("1234", 4);
  char bytes[64];
  int i;

  for (i = 0; i < 3; i++)
    SHOW(uv_write(&reqs[i], S(&early_tcp), &buf, 1, NULL));
  if (uv_timer_get_repeat(timer) == 0)
    SHOW(uv_write2(&reqs[3], S(&mixed_pipe), &buf, 1, S(&early_tcp), NULL));
  else
    SHOW(uv_try_write2(S(&mixed_pipe), &buf, 1, S(&early_tcp)));
  SHOW(recv(early_far, bytes, sizeof(bytes), 0));
  uv_timer_stop(timer);
}
static void send_early(uv_loop_t *loop) {
  static uv_timer_t timer;
  int far = channel(loop, &mixed_pipe, 1), fds[2];

  check_tcp_pair(fds);
  early_far = fds[1];
  NEED(uv_tcp_init(loop, &early_tcp));
  NEED(uv_tcp_open(&early_tcp, fds[0]));
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_timer_start(&timer, early, 0, 0));
  uv_run(loop, UV_RUN_DEFAULT);
  take(far);
  NEED(uv_timer_start(&timer, early, 0, 1));
  uv_run(loop, UV_RUN_DEFAULT);
  take(far);
  close(far);
  close(early_far);
}

/* Receiving. */
static size_t read_room = 65536;
static int reads, got, accept_all = 1, stop_after;
static void on_small_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf) {
  on_alloc(h, size, buf);
  buf->len = read_room;
}
static void on_ipc(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  uv_pipe_t *p = (uv_pipe_t *) s;
  static union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
    uv_udp_t udp;
  } fresh[2048];

  (void) buf;
  if (nread < 0) {
    printf("end: %s, pending %d\n", uv_err_name((int) nread),
           uv_pipe_pending_count(p));
    uv_read_stop(s);
    return;
  }
  if (nread == 0)
    return;
  reads++;
  if (reads <= 5)
    printf("read: %zd, pending %d, a %s\n", nread, uv_pipe_pending_count(p),
           uv_handle_type_name(uv_pipe_pending_type(p)));
  while (accept_all && uv_pipe_pending_count(p) > 0) {
    void *h = &fresh[got];

    switch (uv_pipe_pending_type(p)) {
    case UV_TCP: NEED(uv_tcp_init(s->loop, h)); break;
    case UV_UDP: NEED(uv_udp_init(s->loop, h)); break;
    default: NEED(uv_pipe_init(s->loop, h, 0)); break;
    }
    NEED(uv_accept(s, h));
    uv_close(h, NULL);
    got++;
  }
  if (stop_after != 0 && reads == stop_after)
    uv_close(H(s), NULL);
}

static void receive(uv_loop_t *loop) {
  static uv_pipe_t p;
  int far, fd = socket(AF_INET, SOCK_STREAM, 0), i, before = open_sockets();

  /* Message after message, each with its own. */
  far = channel(loop, &p, 1);
  SHOW(uv_pipe_pending_count(&p));
  SHOW(uv_accept(S(&p), S(&p)));
  NEED(uv_read_start(S(&p), on_small_alloc, on_ipc));
  for (i = 0; i < 100; i++)
    pass(far, fd, 1, "message", 7);
  close(far);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(got);
  SHOW(reads);
  uv_close(H(&p), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets() - before);
  /* As many as a message holds, between bytes without any, into little room. */
  got = reads = 0;
  read_room = 3;
  far = channel(loop, &p, 1);
  NEED(uv_read_start(S(&p), on_small_alloc, on_ipc));
  pass(far, fd, 0, "plain", 5);
  pass(far, fd, 253, "many", 4);
  pass(far, fd, 0, "plain", 5);
  pass(far, 0, 1, "file", 4);
  close(far);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(got);
  uv_close(H(&p), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets() - before);
  close(fd);
}

static void leave_queued(uv_loop_t *loop) {
  static uv_pipe_t p, into, plain;
  static uv_tcp_t tcp, busy;
  static uv_udp_t udp;
  static uv_timer_t timer;
  int far, fd = socket(AF_INET, SOCK_STREAM, 0), i, before = open_sockets();

  /* Closed by the reader in the middle, with many waiting. */
  accept_all = 0;
  stop_after = 3;
  far = channel(loop, &p, 1);
  NEED(uv_read_start(S(&p), on_small_alloc, on_ipc));
  for (i = 0; i < 5; i++)
    pass(far, fd, 40, "message", 7);
  uv_run(loop, UV_RUN_DEFAULT);
  close(far);
  SHOW(open_sockets() - before);
  /* The far end goes first; some are accepted, into whatever comes. */
  stop_after = reads = 0;
  far = channel(loop, &p, 1);
  NEED(uv_read_start(S(&p), on_small_alloc, on_ipc));
  pass(far, fd, 8, "message", 7);
  close(far);
  uv_run(loop, UV_RUN_DEFAULT);
  NEED(uv_timer_init(loop, &timer));
  NEED(uv_tcp_init(loop, &tcp));
  NEED(uv_tcp_init_ex(loop, &busy, AF_INET));
  NEED(uv_udp_init(loop, &udp));
  NEED(uv_pipe_init(loop, &into, 0));
  SHOW(uv_accept(S(&p), S(&timer)));
  SHOW(uv_pipe_pending_count(&p));
  SHOW(uv_accept(S(&p), S(&busy)));
  SHOW(uv_pipe_pending_count(&p));
  SHOW(uv_accept(S(&p), S(&tcp)));
  SHOW(uv_pipe_pending_count(&p));
  SHOW(uv_accept(S(&p), S(&into)));
  SHOW(uv_is_readable(S(&into)));
  SHOW(uv_pipe_pending_count(&p));
  SHOW(uv_is_active(H(&p)));
  uv_close(H(&p), NULL);
  SHOW(uv_pipe_pending_count(&p));
  uv_close(H(&into), NULL);
  uv_close(H(&tcp), NULL);
  uv_close(H(&busy), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets() - before);
  /* To a pipe that is not for it. */
  far = channel(loop, &plain, 0);
  pass(far, fd, 8, "message", 7);
  NEED(uv_read_start(S(&plain), on_alloc, on_read));
  uv_run(loop, UV_RUN_NOWAIT);
  SHOW(uv_pipe_pending_count(&plain));
  SHOW(uv_pipe_pending_type(&plain));
  SHOW(uv_accept(S(&plain), S(&udp)));
  uv_close(H(&plain), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  close(far);
  SHOW(open_sockets() - before);
  close(fd);
}

/* Descriptors that are not wanted end a read, but not the stream. */
static void unwanted(uv_loop_t *loop) {
  static uv_pipe_t p;
  int far = channel(loop, &p, 0), before = open_sockets();

  NEED(uv_read_start(S(&p), on_alloc, on_read));
  pass(far, far, 1, "a", 1);
  pass(far, far, 1, "b", 1);
  pass(far, far, 0, "c", 1);
  uv_run(loop, UV_RUN_NOWAIT);
  uv_run(loop, UV_RUN_NOWAIT);
  puts("and then");
  pass(far, far, 1, "d", 1);
  pass(far, far, 0, "efg", 3);
  close(far);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets() - before);
}

/* No descriptors left in the middle of a message. */
static void no_descriptors(uv_loop_t *loop) {
  static uv_pipe_t p;
  struct check_crowd crowd;
  int far, fd = socket(AF_INET, SOCK_STREAM, 0), before;

  far = channel(loop, &p, 1);
  before = open_sockets();
  NEED(uv_read_start(S(&p), on_small_alloc, on_ipc));
  uv_run(loop, UV_RUN_NOWAIT);
  pass(far, fd, 20, "message", 7);
  pass(far, fd, 20, "message", 7);
  check_crowd(&crowd, 5);
  accept_all = 0;
  uv_run(loop, UV_RUN_NOWAIT);
  check_disperse(&crowd);
  SHOW(open_sockets() - before);
  pass(far, fd, 20, "message", 7);
  close(far);
  uv_run(loop, UV_RUN_DEFAULT);
  uv_close(H(&p), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets() - before);
  close(fd);
}

/* No memory for the queue: what came is closed, and the program is told. */
static void no_memory(uv_loop_t *unused) {
  static uv_pipe_t p;
  uv_loop_t loop;
  int far, fd = socket(AF_INET, SOCK_STREAM, 0), before = open_sockets();

  (void) unused;
  NEED(uv_loop_init(&loop));
  far = channel(&loop, &p, 1);
  accept_all = 0;
  NEED(uv_read_start(S(&p), on_small_alloc, on_ipc));
  uv_run(&loop, UV_RUN_NOWAIT);
  pass(far, fd, 5, "message", 7);
  heap_arm(1, 1);
  uv_run(&loop, UV_RUN_NOWAIT);
  heap_disarm();
  uv_close(H(&p), NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  close(far);
  SHOW(open_sockets() - before);
  SHOW(uv_loop_close(&loop));
  close(fd);
}

/* More handles than the channel has room for: they wait in order. */
static int sent_all;
static void on_sent(uv_write_t *req, int status) {
  (void) req;
  sent_all += status == 0;
}
static void flood(uv_loop_t *loop) {
  static uv_pipe_t from, to;
  static uv_tcp_t tcp;
  static uv_write_t reqs[1000];
  static char bytes[4000];
  uv_buf_t buf = uv_buf_init(bytes, sizeof(bytes));
  int fds[2], i, before = open_sockets();

  NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  NEED(uv_pipe_init(loop, &from, 1));
  NEED(uv_pipe_init(loop, &to, 1));
  NEED(uv_pipe_open(&from, fds[0]));
  NEED(uv_pipe_open(&to, fds[1]));
  NEED(uv_tcp_init_ex(loop, &tcp, AF_INET));
  for (i = 0; i < 1000; i++)
    NEED(uv_write2(&reqs[i], S(&from), &buf, 1, S(&tcp), on_sent));
  SHOW(uv_stream_get_write_queue_size(S(&from)) > 0);
  NEED(uv_read_start(S(&to), on_small_alloc, on_ipc));
  reads = 5; /* how they are cut is nobody's business */
  while (sent_all < 1000 && uv_run(loop, UV_RUN_ONCE) != 0)
    continue;
  uv_close(H(&tcp), NULL);
  uv_close(H(&from), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(sent_all);
  SHOW(got);
  uv_close(H(&to), NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  SHOW(open_sockets() - before);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"send_bad", send_bad},         {"send_mixed", send_mixed},
      {"send_early", send_early},
      {"receive", receive},           {"leave_queued", leave_queued},
      {"unwanted", unwanted},         {"no_descriptors", no_descriptors},
      {"no_memory", no_memory},       {"flood", flood},
      {NULL, NULL}};

  return check_main(argc, argv, table);
}
