/* Mistakes of the past, in libuv or in others, one section for each: what is
 * open, in flight or closed. What both libraries print must be equal. */
#include "check.h"

#include <poll.h>
#include <pthread.h>

/* Memory that was given back must not be looked at: it is filled first. */
static void drop(void *p, size_t size) {
  memset(p, 0xab, size);
  free(p);
}

static void drop_poll(uv_handle_t *handle) { drop(handle, sizeof(uv_poll_t)); }
static void drop_tcp(uv_handle_t *handle) { drop(handle, sizeof(uv_tcp_t)); }

/* ---- closed in its own callback --------------------------------------- */

static int polls;

static void on_poll(uv_poll_t *p, int status, int events) {
  SHOW(status);
  SHOW(events & UV_READABLE);
  polls++;
  uv_close(H(p), drop_poll);
}

/* Readable and broken at once; closed at the first. */
static void poll_closed(uv_loop_t *loop) {
  struct linger hard = {1, 0};
  uv_poll_t *p = malloc(sizeof(*p));
  int fds[2];

  check_tcp_pair(fds);
  NEED(send(fds[1], "x", 1, 0));
  NEED(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
  NEED(uv_poll_init(loop, p, fds[0]));
  NEED(uv_poll_start(p, UV_READABLE | UV_DISCONNECT | UV_PRIORITIZED, on_poll));
  close(fds[1]);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(polls);
  close(fds[0]);
}

static char space[1 << 16];
static size_t got;
static int ends;

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void) handle;
  (void) size;
  *buf = uv_buf_init(space, sizeof(space));
}

static void on_read_close(uv_stream_t *stream, ssize_t nread,
                          const uv_buf_t *buf) {
  (void) buf;
  SHOW(nread > 0);
  ends++;
  uv_close(H(stream), drop_tcp);
}

static void stream_closed(uv_loop_t *loop) {
  struct linger hard = {1, 0};
  int fds[2], i;

  for (i = 0; i < 2; i++) {
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    check_tcp_pair(fds);
    NEED(uv_tcp_init(loop, tcp));
    NEED(uv_tcp_open(tcp, fds[0]));
    NEED(uv_read_start(S(tcp), on_alloc, on_read_close));
    NEED(send(fds[1], "x", 1, 0));
    if (i == 0)
      shutdown(fds[1], SHUT_WR);
    else
      NEED(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
    close(fds[1]);
  }
  SHOW(ends);
}

/* ---- everything before the end ---------------------------------------- */

static void on_read_all(uv_stream_t *stream, ssize_t nread,
                        const uv_buf_t *buf) {
  (void) buf;
  if (nread >= 0) {
    got += (size_t) nread;
    return;
  }
  SHOW(nread);
  uv_close(H(stream), NULL);
}

/* The writer is gone before the first read; all it wrote arrives. */
static void hung_up(uv_loop_t *loop) {
  static uv_pipe_t p;
  size_t size = 0;
  ssize_t n;
  int fds[2];

  NEED(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
  NEED(fcntl(fds[1], F_SETPIPE_SZ, 1 << 18));
  while ((n = write(fds[1], space, sizeof(space))) > 0)
    size += (size_t) n;
  close(fds[1]);
  NEED(uv_pipe_init(loop, &p, 0));
  NEED(uv_pipe_open(&p, fds[0]));
  NEED(uv_read_start(S(&p), on_alloc, on_read_all));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(got == size);
}

/* ---- datagrams -------------------------------------------------------- */

struct datagram {
  uv_udp_send_t req;
  char bytes[64];
};

static int sent, refused;

static void on_datagram_sent(uv_udp_send_t *req, int status) {
  sent += status == 0;
  refused += status == UV_ECANCELED;
  drop(req, sizeof(struct datagram));
}

/* Each request is given back in its callback, some by the handle's close. */
static void send_and_drop(uv_loop_t *loop) {
  static uv_udp_t u;
  struct sockaddr_in to = check_local(9);
  int i, j, failed = 0;

  NEED(uv_udp_init(loop, &u));
  for (j = 0; j < 4; j++) {
    for (i = 0; i < 100; i++) {
      struct datagram *d = calloc(1, sizeof(*d));
      uv_buf_t buf = uv_buf_init(d->bytes, sizeof(d->bytes));

      failed += uv_udp_send(&d->req, &u, &buf, 1, A(&to), on_datagram_sent);
    }
    if (j == 3)
      uv_close(H(&u), NULL);
    SHOW(uv_run(loop, UV_RUN_DEFAULT));
  }
  SHOW(failed);
  SHOW(sent + refused);
}

static char *slab;
static int frees, datagrams;

static void on_slab_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void) handle;
  (void) size;
  slab = malloc(4 * 65536);
  *buf = uv_buf_init(slab, 4 * 65536);
}

static void on_datagram(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags) {
  if (from != NULL)
    datagrams++;
  if (flags & UV_UDP_MMSG_FREE || !(flags & UV_UDP_MMSG_CHUNK)) {
    frees++;
    SHOW(nread);
    SHOW(buf->base == slab);
    drop(slab, 4 * 65536);
    slab = NULL;
    if (datagrams == 10)
      uv_close(H(udp), NULL);
  }
}

/* Of a buffer for many datagrams the end is told once. */
static void told_once(uv_loop_t *loop) {
  static uv_udp_t u;
  struct sockaddr_in address = check_local(0);
  int len = sizeof(address), fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int i;

  NEED(uv_udp_init_ex(loop, &u, AF_INET | UV_UDP_RECVMMSG));
  NEED(uv_udp_bind(&u, A(&address), 0));
  NEED(uv_udp_getsockname(&u, A(&address), &len));
  for (i = 0; i < 10; i++)
    NEED(sendto(fd, "0123456789", (size_t) i + 1, 0, A(&address), len));
  NEED(uv_udp_recv_start(&u, on_slab_alloc, on_datagram));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(datagrams);
  SHOW(slab == NULL);
  close(fd);
}

/* ---- counts of buffers ------------------------------------------------ */

static void on_write(uv_write_t *req, int status) {
  (void) req;
  SHOW(status);
}

static void counts(uv_loop_t *loop) {
  static uv_tcp_t tcp;
  static uv_udp_t u;
  static uv_write_t w;
  static uv_fs_t req;
  uv_buf_t buf = uv_buf_init(space, 1);
  struct sockaddr_in to = check_local(9);
  int fds[2], fd;

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &tcp));
  NEED(uv_tcp_open(&tcp, fds[0]));
  NEED(uv_udp_init(loop, &u));
  NEED(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
  SHOW(uv_write(&w, S(&tcp), &buf, 0, on_write) < 0);
  SHOW(uv_fs_read(loop, &req, fd, &buf, 0, 0, NULL));
  SHOW(uv_fs_write(loop, &req, fd, &buf, 0, 0, NULL));
  SHOW(uv_fs_read(loop, &req, fd, NULL, 1, 0, NULL));
  SHOW(uv_fs_write(loop, &req, fd, NULL, 1, 0, NULL));
  SHOW(uv_udp_try_send(&u, &buf, 0, A(&to)) < 0);
  close(fd);
  close(fds[1]);
}

/* ---- descriptors ------------------------------------------------------ */

static int opened;

static void on_open(uv_fs_t *req) {
  if (req->result >= 0) {
    opened++;
    close((int) req->result);
  } else {
    opened += req->result == UV_ECANCELED;
  }
  uv_fs_req_cleanup(req);
}

/* An open that is cancelled either tells its descriptor or has none. */
static void cancelled_open(uv_loop_t *loop) {
  static uv_fs_t reqs[200];
  int before, i;

  NEED(uv_fs_open(loop, &reqs[0], "/dev/null", O_RDONLY, 0, on_open));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  before = ends_open_fds();
  opened = 0;
  for (i = 0; i < 200; i++)
    NEED(uv_fs_open(loop, &reqs[i], "/dev/null", O_RDONLY, 0, on_open));
  for (i = 0; i < 200; i += 2)
    uv_cancel(R(&reqs[i]));
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  SHOW(opened);
  SHOW(ends_open_fds() - before);
}

static void on_connection(uv_stream_t *stream, int status) {
  (void) stream;
  (void) status;
}

/* A listener is closed with connections waiting: none stays open. */
static void closed_listener(uv_loop_t *loop) {
  static uv_tcp_t listener;
  struct sockaddr_in address;
  int fds[20], before = ends_open_fds(), i;
  char byte;

  check_listen(loop, &listener, &address, on_connection);
  for (i = 0; i < 20; i++) {
    NEED(fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    NEED(connect(fds[i], A(&address), sizeof(address)));
  }
  uv_run(loop, UV_RUN_NOWAIT);
  uv_close(H(&listener), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  for (i = 0; i < 20; i++) {
    if (recv(fds[i], &byte, 1, 0) > 0)
      SHOW(byte);
    close(fds[i]);
  }
  SHOW(ends_open_fds() - before <= 3);
}

/* Closed and bound again in one turn, with a read and an accept in flight. */
static void bound_again(uv_loop_t *loop) {
  static uv_tcp_t first, second;
  static uv_udp_t old, new_;
  struct sockaddr_in address, local = check_local(0);
  int len = sizeof(local);

  check_listen(loop, &first, &address, on_connection);
  NEED(uv_udp_init(loop, &old));
  NEED(uv_udp_bind(&old, A(&local), 0));
  NEED(uv_udp_getsockname(&old, A(&local), &len));
  NEED(uv_udp_recv_start(&old, on_alloc, on_datagram));
  uv_run(loop, UV_RUN_NOWAIT);
  uv_close(H(&first), NULL);
  uv_close(H(&old), NULL);
  NEED(uv_tcp_init(loop, &second));
  SHOW(uv_tcp_bind(&second, A(&address), 0));
  SHOW(uv_listen(S(&second), 8, on_connection));
  NEED(uv_udp_init(loop, &new_));
  SHOW(uv_udp_bind(&new_, A(&local), 0));
}

/* The peer hears at once of a stream that was closed while reading. */
static void end_is_heard(uv_loop_t *loop) {
  static uv_tcp_t tcp;
  struct pollfd wait;
  int fds[2];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &tcp));
  NEED(uv_tcp_open(&tcp, fds[0]));
  NEED(uv_read_start(S(&tcp), on_alloc, on_read_all));
  uv_run(loop, UV_RUN_NOWAIT);
  uv_close(H(&tcp), NULL);
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  wait.fd = fds[1];
  wait.events = POLLIN;
  SHOW(poll(&wait, 1, 5000));
  SHOW(recv(fds[1], space, 1, 0));
  close(fds[1]);
}

/* ---- much at once ----------------------------------------------------- */

#define MANY 1500
#define ROUNDS 20

static uv_poll_t crowd[MANY];
static int crowd_fds[MANY][2];
static int heard;

static void on_crowd(uv_poll_t *p, int status, int events) {
  char byte;

  (void) events;
  if (status != 0)
    SHOW(status);
  if (read(crowd_fds[p - crowd][0], &byte, 1) == 1)
    heard++;
}

/* More is ready in one turn than a queue of completions holds, again and
 * again: nothing is lost, and nobody stops hearing. */
static void crowds(uv_loop_t *loop) {
  struct rlimit limit = {4096, 4096};
  int i, round, turns;

  NEED(setrlimit(RLIMIT_NOFILE, &limit));
  for (i = 0; i < MANY; i++) {
    NEED(pipe2(crowd_fds[i], O_CLOEXEC | O_NONBLOCK));
    NEED(uv_poll_init(loop, &crowd[i], crowd_fds[i][0]));
    NEED(uv_poll_start(&crowd[i], UV_READABLE, on_crowd));
  }
  for (round = 0; round < ROUNDS; round++) {
    heard = 0;
    for (i = 0; i < MANY; i++)
      NEED(write(crowd_fds[i][1], "x", 1));
    for (turns = 0; heard < MANY && turns < 1000; turns++)
      uv_run(loop, UV_RUN_NOWAIT);
    if (heard != MANY)
      SHOW(heard);
  }
  for (i = 0; i < MANY; i++) {
    uv_close(H(&crowd[i]), NULL);
    close(crowd_fds[i][1]);
  }
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  for (i = 0; i < MANY; i++)
    close(crowd_fds[i][0]);
}

struct letter {
  uv_write_t req;
  char bytes[512];
};

static void on_letter(uv_write_t *req, int status) {
  sent += status == 0;
  refused += status != 0;
  drop(req, sizeof(struct letter));
}

/* Written, closed at once, given back in the callbacks: what the peer gets is
 * what was written, from the start. */
static void written_and_closed(uv_loop_t *loop) {
  static uv_tcp_t tcp;
  int fds[2], i, j, wrong = 0;
  ssize_t n;

  for (j = 0; j < 50; j++) {
    check_tcp_pair(fds);
    NEED(uv_tcp_init(loop, &tcp));
    NEED(uv_tcp_open(&tcp, fds[0]));
    for (i = 0; i < 10; i++) {
      struct letter *letter = malloc(sizeof(*letter));
      uv_buf_t buf = uv_buf_init(letter->bytes, sizeof(letter->bytes));

      memset(letter->bytes, 'a' + i, sizeof(letter->bytes));
      NEED(uv_write(&letter->req, S(&tcp), &buf, 1, on_letter));
    }
    uv_close(H(&tcp), NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    for (i = 0; (n = recv(fds[1], space, 512, MSG_WAITALL)) == 512; i++)
      wrong += space[0] != 'a' + i || space[511] != 'a' + i;
    close(fds[1]);
  }
  SHOW(sent + refused);
  SHOW(wrong);
}

/* ---- threads and embedding -------------------------------------------- */

static void on_async(uv_async_t *a) { uv_close(H(a), NULL); }

static void *run_there(void *loop) {
  SHOW(uv_run(loop, UV_RUN_DEFAULT));
  return NULL;
}

/* Made and used here, run there, and here again. */
static void moved(uv_loop_t *loop) {
  static uv_tcp_t tcp[3];
  pthread_t thread;
  int fds[2], i;

  for (i = 0; i < 3; i++) {
    check_tcp_pair(fds);
    got = 0;
    NEED(uv_tcp_init(loop, &tcp[i]));
    NEED(uv_tcp_open(&tcp[i], fds[0]));
    NEED(uv_read_start(S(&tcp[i]), on_alloc, on_read_all));
    uv_run(loop, UV_RUN_NOWAIT);
    NEED(send(fds[1], "hello", 5, 0));
    close(fds[1]);
    if (i == 1) {
      run_there(loop);
      continue;
    }
    NEED(-pthread_create(&thread, NULL, run_there, loop));
    pthread_join(thread, NULL);
    SHOW(got);
  }
}

/* Whoever waits for the backend's descriptor learns of data and of a wake-up. */
static void embedded(uv_loop_t *loop) {
  static uv_tcp_t tcp;
  static uv_async_t a;
  struct pollfd wait = {0};
  int fds[2];

  check_tcp_pair(fds);
  NEED(uv_tcp_init(loop, &tcp));
  NEED(uv_tcp_open(&tcp, fds[0]));
  NEED(uv_read_start(S(&tcp), on_alloc, on_read_all));
  NEED(uv_async_init(loop, &a, on_async));
  wait.fd = uv_backend_fd(loop);
  wait.events = POLLIN;
  uv_run(loop, UV_RUN_NOWAIT);
  NEED(send(fds[1], "hello", 5, 0));
  SHOW(poll(&wait, 1, 5000));
  while (got == 0)
    uv_run(loop, UV_RUN_NOWAIT);
  uv_run(loop, UV_RUN_NOWAIT);
  NEED(uv_async_send(&a));
  SHOW(poll(&wait, 1, 5000));
  while (!uv_is_closing(H(&a)))
    uv_run(loop, UV_RUN_NOWAIT);
  close(fds[1]);
}

int main(int argc, char **argv) {
  static const struct section table[] = {
      {"poll_closed", poll_closed},       {"stream_closed", stream_closed},
      {"hung_up", hung_up},               {"send_and_drop", send_and_drop},
      {"told_once", told_once},           {"counts", counts},
      {"cancelled_open", cancelled_open}, {"closed_listener", closed_listener},
      {"bound_again", bound_again},       {"end_is_heard", end_is_heard},
      {"crowds", crowds},                 {"moved", moved},
      {"written_and_closed", written_and_closed},
      {"embedded", embedded},             {NULL, NULL}};

  return check_main(argc, argv, table);
}
